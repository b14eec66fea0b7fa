/* SPDX-License-Identifier: Apache-2.0
 *
 * Both sides of the greeting. Rules:
 *
 * - A slave of another protocol version is told so: its HELLO is read as far as the version only.
 * - Nothing that a client says is trusted before the verdict is DONE; texts are made printable.
 * - A verdict other than MORE ends the greeting.
 *
 * The slave engine and membership call this. A further exchange (a proof of keys, results that a
 * slave has kept over a lost connection) is a stage in mwi_greeting_stage, a kind of message, and a
 * case in mwi_greeting_take_answer and mwi_greeting_take_client; a new field of HELLO goes into
 * struct mwi_message_hello and struct mwi_greeting_guest.
 */
#include "engine/greeting.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* A slave that accepts less could not even be sent an empty task. */
#define FRAME_BYTES_LEAST (2 * MWI_MESSAGE_OVERHEAD_BYTES)

void mwi_greeting_begin(enum mwi_greeting_stage *stage, const char *member_id,
                        size_t frame_bytes_max, const struct mwi_greeting_origin *origin,
                        struct mwi_buffer *hello)
{
    static const struct mwi_greeting_origin unknown;
    if (origin == NULL)
        origin = &unknown;
    assert(hello->size == 0);
    mwi_message_write_hello(hello, &(struct mwi_message_hello){
                                       .member_id = mwi_message_text(member_id),
                                       .frame_bytes_max = frame_bytes_max,
                                       .host = mwi_message_text(origin->host),
                                       .boot_id = mwi_message_text(origin->boot_id),
                                       .pid = origin->pid,
                                   });
    *stage = MWI_GREETING_HELLO;
}

static enum mwi_greeting_verdict end(enum mwi_greeting_stage *stage,
                                     enum mwi_greeting_verdict verdict)
{
    *stage = MWI_GREETING_OVER;
    return verdict;
}

static enum mwi_greeting_verdict break_off(enum mwi_greeting_stage *stage, mw_reason *why,
                                           const char *text)
{
    snprintf(why->text, sizeof why->text, "%s", text);
    return end(stage, MWI_GREETING_BROKEN);
}

enum mwi_greeting_verdict mwi_greeting_take_answer(enum mwi_greeting_stage *stage,
                                                   const struct mwi_message *message,
                                                   struct mwi_buffer *answer, mw_reason *why)
{
    assert(answer->size == 0);
    if (*stage != MWI_GREETING_HELLO)
        return break_off(stage, why, "the master spoke before the greeting");
    switch (message->kind) {
    case MWI_MESSAGE_WELCOME:
        return end(stage, MWI_GREETING_DONE);
    case MWI_MESSAGE_REFUSE:
        snprintf(why->text, sizeof why->text, "%.*s",
                 (int)(message->reason.size < sizeof why->text ? message->reason.size
                                                               : sizeof why->text - 1),
                 message->reason.data);
        return end(stage, MWI_GREETING_REFUSED);
    case MWI_MESSAGE_TASKS:
        return break_off(stage, why, "the master sent tasks before its welcome");
    case MWI_MESSAGE_PING:
        return break_off(stage, why, "the master sent a ping before its welcome");
    default:
        return break_off(stage, why, "the master sent a message that only a slave sends");
    }
}

void mwi_greeting_refuse(struct mwi_buffer *answer, const char *reason)
{
    assert(answer->size == 0);
    mwi_message_write_reason(answer, MWI_MESSAGE_REFUSE, reason);
}

/* Copies a text of a peer to a string of up to `size` bytes; a character that is malformed or not
 * printable becomes "?". */
static void copy_printable(char *to, size_t size, struct mwi_text text)
{
    size_t at = 0, end_at = 0;
    assert(text.size < size);
    memcpy(to, text.data, text.size);
    to[text.size] = '\0';
    while (at < text.size) {
        uint32_t code;
        size_t length = mwi_utf8_decode(to + at, &code);
        if (length > 0 && mwi_utf8_is_printable(code)) {
            memmove(to + end_at, to + at, length);
            end_at += length;
        } else {
            to[end_at++] = '?';
        }
        at += length > 0 ? length : 1;
    }
    assert(at == text.size && end_at <= at);
    to[end_at] = '\0';
}

/* Whether the slave belongs to this farm; if not, *why says so. */
static bool is_ours(const struct mwi_greeting_terms *terms, const struct mwi_message_hello *hello,
                    mw_reason *why)
{
    struct mwi_text theirs = hello->member_id;
    if (hello->protocol != MW_PROTOCOL_VERSION) {
        snprintf(why->text, sizeof why->text,
                 "the master speaks protocol %d (mw %s), the slave %llu: use the same version of "
                 "the library on both sides",
                 MW_PROTOCOL_VERSION, mw_version(), (unsigned long long)hello->protocol);
        return false;
    }
    if (theirs.size != strlen(terms->member_id) ||
        memcmp(theirs.data, terms->member_id, theirs.size) != 0) {
        snprintf(why->text, sizeof why->text,
                 "the slave's --mw-member-id is \"%.*s\", the master's is \"%.40s\": does it "
                 "belong to another farm?",
                 (int)(theirs.size > 40 ? 40 : theirs.size), theirs.data, terms->member_id);
        return false;
    }
    if (hello->frame_bytes_max < FRAME_BYTES_LEAST) {
        snprintf(why->text, sizeof why->text,
                 "the slave accepts messages of %llu bytes; %d is the least",
                 (unsigned long long)hello->frame_bytes_max, FRAME_BYTES_LEAST);
        return false;
    }
    return true;
}

/* Whether both sides allow a message as large as the WELCOME; if not, *why says so. */
static bool is_small_enough(const struct mwi_greeting_terms *terms,
                            const struct mwi_greeting_guest *guest, size_t size, mw_reason *why)
{
    size_t ours = terms->frame_write_bytes_max;
    if (size <= ours && size <= guest->frame_bytes_max)
        return true;
    snprintf(why->text, sizeof why->text,
             "the names of the task algorithms need a message of %zu bytes: raise the %s", size,
             size > ours ? "master's --mw-max-write-buffer-size"
                         : "slave's --mw-max-read-buffer-size");
    return false;
}

static void learn(struct mwi_greeting_guest *guest, const struct mwi_message_hello *hello)
{
    guest->frame_bytes_max = mwi_message_size(hello->frame_bytes_max);
    copy_printable(guest->origin.host, sizeof guest->origin.host, hello->host);
    copy_printable(guest->origin.boot_id, sizeof guest->origin.boot_id, hello->boot_id);
    guest->origin.pid = hello->pid;
}

static enum mwi_greeting_verdict refuse(enum mwi_greeting_stage *stage, struct mwi_buffer *answer,
                                        const mw_reason *why)
{
    mwi_greeting_refuse(answer, why->text);
    return end(stage, MWI_GREETING_REFUSED);
}

enum mwi_greeting_verdict mwi_greeting_take_client(enum mwi_greeting_stage *stage,
                                                   const struct mwi_greeting_terms *terms,
                                                   const struct mwi_message *message,
                                                   struct mwi_greeting_guest *guest,
                                                   struct mwi_buffer *answer, mw_reason *why)
{
    assert(answer->size == 0);
    if (*stage == MWI_GREETING_OVER)
        return break_off(stage, why, "it greeted twice");
    if (message->kind != MWI_MESSAGE_HELLO)
        return break_off(stage, why, "it did not greet first");
    if (!is_ours(terms, &message->hello, why))
        return refuse(stage, answer, why);
    learn(guest, &message->hello);
    mwi_message_write_welcome(answer, terms->sid, terms->result_group, terms->frame_read_bytes_max,
                              terms->algorithms);
    if (!is_small_enough(terms, guest, answer->size, why)) {
        mwi_buffer_clear(answer);
        return refuse(stage, answer, why);
    }
    return end(stage, MWI_GREETING_DONE);
}
