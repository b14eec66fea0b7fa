/* SPDX-License-Identifier: Apache-2.0
 *
 * Both sides of the greeting. Rules:
 *
 * - Who speaks here has proved its key already, if the transport asks for one (tcp does, unless
 *   --mw-insecure): keys are no part of the greeting.
 * - A client that is refused hears MWI_GREETING_REFUSAL and no more; the trail says why. Only a
 *   slave of another protocol version is told so: its HELLO is read as far as the version only.
 * - Nothing that a client says is trusted before the verdict is DONE; texts are made printable.
 * - A verdict other than MORE ends the greeting.
 *
 * The slave engine and membership call this. A further exchange is a stage in mwi_greeting_stage, a
 * kind of message, and a case in mwi_greeting_take_answer and mwi_greeting_take_client; a new field
 * of HELLO goes into struct mwi_message_hello, struct mwi_greeting_self and struct
 * mwi_greeting_guest. Results that a slave has kept come after the welcome: engine/offers.
 */
#include "engine/greeting.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

/* A slave that accepts less could not even be sent an empty task. */
#define FRAME_BYTES_LEAST (2 * MWI_MESSAGE_OVERHEAD_BYTES)
/* Of a foreign member id the trail shows this much, with a NUL. */
#define MEMBER_ID_SHOWN_BYTES 41

void mwi_greeting_begin(enum mwi_greeting_stage *stage, const struct mwi_greeting_self *self,
                        struct mwi_buffer *hello)
{
    static const struct mwi_greeting_origin unknown;
    const struct mwi_greeting_origin *origin = self->origin == NULL ? &unknown : self->origin;
    assert(hello->size == 0 &&
           ((self->traits & MWI_TRAIT_RETURNS) != 0 || self->offers_count == 0));
    size_t offers_count = self->offers_count < UINT32_MAX ? self->offers_count : UINT32_MAX;
    mwi_message_write_hello(hello, &(struct mwi_message_hello){
                                       .member_id = mwi_message_text(self->member_id),
                                       .frame_bytes_max = self->frame_bytes_max,
                                       .host = mwi_message_text(origin->host),
                                       .boot_id = mwi_message_text(origin->boot_id),
                                       .pid = origin->pid,
                                       .traits = self->traits,
                                       .offers_count = (uint32_t)offers_count,
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
        mwi_printable_copy(why->text, sizeof why->text, message->reason.data, message->reason.size);
        return end(stage, MWI_GREETING_REFUSED);
    case MWI_MESSAGE_TASKS:
        return break_off(stage, why, "the master sent tasks before its welcome");
    case MWI_MESSAGE_PING:
        return break_off(stage, why, "the master sent a ping before its welcome");
    default:
        return break_off(stage, why, "the master sent a message that only a slave sends");
    }
}

void mwi_greeting_refuse(struct mwi_buffer *answer)
{
    assert(answer->size == 0);
    mwi_message_write_reason(answer, MWI_MESSAGE_REFUSE, MWI_GREETING_REFUSAL);
}

/* Whether the slave belongs to this farm; if not, *why says so in the trail. */
static bool is_ours(const struct mwi_greeting_terms *terms, const struct mwi_message_hello *hello,
                    mw_reason *why)
{
    struct mwi_text theirs = hello->member_id;
    if (theirs.size != strlen(terms->member_id) ||
        memcmp(theirs.data, terms->member_id, theirs.size) != 0) {
        char shown[MEMBER_ID_SHOWN_BYTES];
        mwi_printable_copy(shown, sizeof shown, theirs.data, theirs.size);
        snprintf(why->text, sizeof why->text,
                 "the slave's --mw-member-id is \"%s\", the master's is \"%.40s\": does it "
                 "belong to another farm?",
                 shown, terms->member_id);
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
    guest->is_isolated = (hello->traits & MWI_TRAIT_ISOLATED) != 0;
    mwi_printable_copy(guest->origin.host, sizeof guest->origin.host, hello->host.data,
                       hello->host.size);
    mwi_printable_copy(guest->origin.boot_id, sizeof guest->origin.boot_id, hello->boot_id.data,
                       hello->boot_id.size);
    guest->origin.pid = hello->pid;
    guest->may_return = (hello->traits & MWI_TRAIT_RETURNS) != 0;
    guest->offers_count = hello->offers_count;
}

static enum mwi_greeting_verdict refuse(enum mwi_greeting_stage *stage, struct mwi_buffer *answer,
                                        const char *told)
{
    mwi_buffer_clear(answer);
    mwi_message_write_reason(answer, MWI_MESSAGE_REFUSE, told);
    return end(stage, MWI_GREETING_REFUSED);
}

static enum mwi_greeting_verdict refuse_version(enum mwi_greeting_stage *stage,
                                                struct mwi_buffer *answer, uint64_t protocol,
                                                mw_reason *why)
{
    snprintf(why->text, sizeof why->text,
             "the master speaks protocol %d (mw %s), the slave %llu: use the same version of "
             "the library on both sides",
             MW_PROTOCOL_VERSION, mw_version(), (unsigned long long)protocol);
    return refuse(stage, answer, why->text);
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
    if (message->hello.protocol != MW_PROTOCOL_VERSION)
        return refuse_version(stage, answer, message->hello.protocol, why);
    if (!is_ours(terms, &message->hello, why))
        return refuse(stage, answer, MWI_GREETING_REFUSAL);
    learn(guest, &message->hello);
    mwi_message_write_welcome(answer, terms->sid, terms->result_group, terms->frame_read_bytes_max,
                              terms->run, terms->algorithms);
    if (!is_small_enough(terms, guest, answer->size, why))
        return refuse(stage, answer, MWI_GREETING_REFUSAL);
    return end(stage, MWI_GREETING_DONE);
}
