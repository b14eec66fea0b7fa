/* SPDX-License-Identifier: Apache-2.0
 *
 * Decodes messages; message_write writes them. Both engines call this. Tasks and results are in
 * columns, which wire/column reads without msgpack-c and without memory, because each task pays for
 * it; their payloads follow the array, and so do saved bytes. msgpack-c reads all other messages.
 *
 * Invariants: frames come from strangers. decode_group checks tasks and results, decode_save saved
 * bytes; mwi_guard_first checks other messages before msgpack-c sees them, and decode_fields the
 * type of every field.
 *
 * A new kind of message needs a value of mwi_message_kind, a case in decode_fields, a writer, and a
 * row in docs/protocol.md.
 */
#include "wire/message.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "wire/column.h"
#include "wire/guard.h"
#include "wire/message_form.h"

#define ZONE_CHUNK_BYTES 1024
/* No message has fields that hold others, but a greeting of a later version may: in a frame of up
 * to this size they are allowed. msgpack-c takes 24 bytes for an element that may be a single
 * byte. */
#define NESTED_BYTES_MAX 4096

bool mwi_message_decoder_init(struct mwi_decoder *decoder)
{
    return msgpack_zone_init(&decoder->zone, ZONE_CHUNK_BYTES);
}

void mwi_message_decoder_fini(struct mwi_decoder *decoder)
{
    msgpack_zone_destroy(&decoder->zone);
}

static mw_error fail(mw_reason *why, const char *text)
{
    snprintf(why->text, sizeof why->text, "%s", text);
    return MW_EPROTOCOL;
}

static bool is_number(const msgpack_object *object, uint64_t max)
{
    return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 <= max;
}

static bool is_text(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_STR;
}

static bool is_short_text(const msgpack_object *object, size_t bytes_max)
{
    return is_text(object) && object->via.str.size <= bytes_max;
}

static struct mwi_text object_text(const msgpack_object *object)
{
    /* msgpack-c sets the pointer of an empty string to NULL. */
    return (struct mwi_text){object->via.str.size == 0 ? "" : object->via.str.ptr,
                             object->via.str.size};
}

static mw_error decode_hello(struct mwi_message *message, mw_reason *why)
{
    const msgpack_object *fields = message->fields;
    if (message->fields_count < 2 || !is_text(&fields[0]) || fields[0].via.str.size != 2 ||
        memcmp(fields[0].via.str.ptr, "mw", 2) != 0 || !is_number(&fields[1], UINT32_MAX))
        return fail(why, "a greeting that is not one of mw");
    message->hello.protocol = fields[1].via.u64;
    if (message->hello.protocol != MW_PROTOCOL_VERSION)
        return MW_OK;
    if (message->fields_count != MWI_MESSAGE_HELLO_FIELDS || !is_text(&fields[2]) ||
        !is_number(&fields[3], UINT64_MAX) ||
        !is_short_text(&fields[4], MWI_MESSAGE_HOST_BYTES_MAX) ||
        !is_short_text(&fields[5], MWI_MESSAGE_BOOT_ID_BYTES_MAX) ||
        !is_number(&fields[6], UINT32_MAX) || !is_number(&fields[7], UINT32_MAX) ||
        !is_number(&fields[8], (fields[7].via.u64 & MWI_TRAIT_RETURNS) != 0 ? UINT32_MAX : 0))
        return fail(why, "a malformed greeting");
    message->hello.member_id = object_text(&fields[2]);
    message->hello.frame_bytes_max = fields[3].via.u64;
    message->hello.host = object_text(&fields[4]);
    message->hello.boot_id = object_text(&fields[5]);
    message->hello.pid = (uint32_t)fields[6].via.u64;
    message->hello.traits = (uint32_t)fields[7].via.u64;
    message->hello.offers_count = (uint32_t)fields[8].via.u64;
    return MW_OK;
}

static mw_error decode_welcome(struct mwi_message *message, mw_reason *why)
{
    const msgpack_object *fields = message->fields;
    if (message->fields_count < MWI_MESSAGE_WELCOME_FIELDS || !is_number(&fields[0], UINT32_MAX) ||
        !is_number(&fields[1], UINT32_MAX) || !is_number(&fields[2], UINT64_MAX) ||
        !is_number(&fields[3], UINT64_MAX))
        return fail(why, "a malformed welcome");
    for (size_t i = MWI_MESSAGE_WELCOME_FIELDS; i < message->fields_count; i++)
        if (!is_text(&fields[i]))
            return fail(why, "a welcome with an algorithm that is no name");
    message->welcome.sid = (uint32_t)fields[0].via.u64;
    message->welcome.result_group = (uint32_t)fields[1].via.u64;
    message->welcome.frame_bytes_max = fields[2].via.u64;
    message->welcome.run = fields[3].via.u64;
    message->welcome.algorithms_count = message->fields_count - MWI_MESSAGE_WELCOME_FIELDS;
    return MW_OK;
}

static mw_error decode_reason(struct mwi_message *message, mw_reason *why)
{
    if (message->fields_count != 1 || !is_text(&message->fields[0]))
        return fail(why, "a malformed refusal or goodbye");
    message->reason = object_text(&message->fields[0]);
    return MW_OK;
}

/* Decodes a message of one number. */
static mw_error decode_number(struct mwi_message *message, uint64_t *number, const char *malformed,
                              mw_reason *why)
{
    if (message->fields_count != 1 || !is_number(&message->fields[0], UINT64_MAX))
        return fail(why, malformed);
    *number = message->fields[0].via.u64;
    return MW_OK;
}

static struct mwi_digest read_key(const unsigned char *bytes)
{
    const struct mwi_column words = {.data = bytes, .width = 8};
    return (struct mwi_digest){.low = mwi_column_at(&words, 0), .high = mwi_column_at(&words, 1)};
}

static mw_error decode_running(struct mwi_message *message, mw_reason *why)
{
    const msgpack_object *fields = message->fields;
    if (message->fields_count != 3 || !is_number(&fields[0], UINT64_MAX) ||
        !is_number(&fields[1], UINT64_MAX) || fields[2].type != MSGPACK_OBJECT_BIN ||
        fields[2].via.bin.size != MWI_MESSAGE_KEY_BYTES)
        return fail(why, "a malformed message that a task still runs");
    message->running =
        (struct mwi_message_running){.run = fields[0].via.u64,
                                     .id = fields[1].via.u64,
                                     .key = read_key((const unsigned char *)fields[2].via.bin.ptr)};
    return MW_OK;
}

static mw_error decode_fields(struct mwi_message *message, mw_reason *why)
{
    switch (message->kind) {
    case MWI_MESSAGE_HELLO:
        return decode_hello(message, why);
    case MWI_MESSAGE_WELCOME:
        return decode_welcome(message, why);
    case MWI_MESSAGE_REFUSE:
    case MWI_MESSAGE_GOODBYE:
    case MWI_MESSAGE_LEAVING:
        return decode_reason(message, why);
    case MWI_MESSAGE_TASKS: /* decode_bytes */
    case MWI_MESSAGE_RESULTS:
    case MWI_MESSAGE_SAVE:
    case MWI_MESSAGE_OFFER:
        break;
    case MWI_MESSAGE_BEGUN:
    case MWI_MESSAGE_END_TASK:
        return decode_number(message, &message->id, "a malformed message about a task", why);
    case MWI_MESSAGE_KEPT:
        return decode_number(message, &message->kept_count,
                             "a malformed message that results are kept", why);
    case MWI_MESSAGE_SCOPE:
        return decode_number(message, &message->scope, "a malformed scope", why);
    case MWI_MESSAGE_RUNNING:
        return decode_running(message, why);
    case MWI_MESSAGE_SHUTDOWN:
    case MWI_MESSAGE_ATTENTIVE:
    case MWI_MESSAGE_PING:
    case MWI_MESSAGE_PONG:
    case MWI_MESSAGE_RECALL:
    case MWI_MESSAGE_RETURNED:
    case MWI_MESSAGE_OFFERED:
        return message->fields_count == 0 ? MW_OK : fail(why, "a message with fields it has not");
    }
    return fail(why, "a message of an unknown kind");
}

size_t mwi_message_fields_count(const unsigned char *data, size_t size)
{
    size_t count;
    struct mwi_column_source source = {data, data + size};
    return size > 0 && mwi_column_read_array(&source, &count) ? count : 0;
}

/* Decodes the messages that msgpack-c reads. */
static mw_error decode_array(struct mwi_decoder *decoder, const unsigned char *data, size_t size,
                             struct mwi_message *message, mw_reason *why)
{
    size_t head_bytes, offset = 0;
    msgpack_object object;
    size_t depth_max = size > NESTED_BYTES_MAX ? 1 : MWI_GUARD_DEPTH_MAX;
    if (!mwi_guard_first(data, size, depth_max, &head_bytes) || head_bytes < size)
        return fail(why, "a frame that is not one msgpack value");
    msgpack_unpack_return got =
        msgpack_unpack((const char *)data, size, &offset, &decoder->zone, &object);
    if (got == MSGPACK_UNPACK_NOMEM_ERROR)
        return MW_ENOMEM;
    if (got != MSGPACK_UNPACK_SUCCESS || object.type != MSGPACK_OBJECT_ARRAY ||
        object.via.array.size == 0 || !is_number(&object.via.array.ptr[0], UINT8_MAX))
        return fail(why, "a frame that is no message");
    message->kind = (enum mwi_message_kind)object.via.array.ptr[0].via.u64;
    message->fields = object.via.array.ptr + 1;
    message->fields_count = object.via.array.size - 1;
    return decode_fields(message, why);
}

/* Reads the columns of tasks, results or an offer; false if one is not of `count` items. */
static bool read_columns(struct mwi_column_source *source, enum mwi_message_kind kind,
                         struct mwi_message_group *group)
{
    size_t count = group->count;
    bool is_tasks = kind == MWI_MESSAGE_TASKS, has_algorithms = kind != MWI_MESSAGE_RESULTS;
    group->algorithms = group->durations = (struct mwi_column){0};
    return mwi_column_read(source, count, 1, &group->ids) &&
           (!has_algorithms || mwi_column_read(source, count, 0, &group->algorithms)) &&
           mwi_column_read(source, count, 0, &group->forms) &&
           (is_tasks || mwi_column_read(source, count, 0, &group->durations)) &&
           mwi_column_read(source, count, 0, &group->sizes);
}

/* Whether the forms are known. If the one task is timed, takes that out of its form. */
static bool take_forms(struct mwi_message *message, bool is_tasks)
{
    struct mwi_message_group *group = &message->group;
    uint64_t max = is_tasks ? MWI_PAYLOAD_BYTES : MWI_PAYLOAD_CRASHED;
    message->is_timed = false;
    if (is_tasks && group->count == 1) {
        uint64_t form = mwi_column_at(&group->forms, 0);
        message->is_timed = (form & MWI_PAYLOAD_TIMED) != 0;
        group->forms = (struct mwi_column){.first = form & ~(uint64_t)MWI_PAYLOAD_TIMED};
    }
    return mwi_column_is_within(&group->forms, group->count, max);
}

/* Reads what stands before the columns of an offer; false if that is malformed. */
static bool read_offer(struct mwi_column_source *source, struct mwi_message *message)
{
    size_t keys_bytes;
    return mwi_column_read_number(source, &message->run) &&
           mwi_column_read_bin(source, &message->keys, &keys_bytes) &&
           keys_bytes == message->group.count * MWI_MESSAGE_KEY_BYTES;
}

/* Decodes tasks, results or an offer, whose kind has been read from the source. */
static mw_error decode_group(struct mwi_column_source *source, unsigned char *data,
                             struct mwi_message *message, mw_reason *why)
{
    struct mwi_message_group *group = &message->group;
    bool is_tasks = message->kind == MWI_MESSAGE_TASKS;
    uint64_t count;
    const unsigned char *padding;
    size_t padding_bytes;
    if (!mwi_column_read_number(source, &count) || count == 0 || count > MWI_MESSAGE_ITEMS_MAX)
        return fail(why, "a message of no tasks or results, or of more than 65536");
    group->count = (size_t)count;
    if (message->kind == MWI_MESSAGE_OFFER && !read_offer(source, message))
        return fail(why, "an offer without a key for each result");
    if (!read_columns(source, message->kind, group))
        return fail(why, "a column that has not one number for each task or result");
    if (!mwi_column_read_bin(source, &padding, &padding_bytes) ||
        padding_bytes >= MWI_MESSAGE_HEAD_ALIGNMENT)
        return fail(why, "tasks or results without padding, or with too much");
    if (!mwi_column_is_within(&group->algorithms, group->count, UINT32_MAX))
        return fail(why, "a task of an impossible algorithm");
    if (!take_forms(message, is_tasks))
        return fail(why, "a payload of an unknown form");
    group->payloads = data + (source->at - data);
    group->payload_bytes = (size_t)(source->end - source->at);
    if (!mwi_column_adds_up(&group->sizes, group->count, group->payload_bytes))
        return fail(why, "payloads whose sizes do not add up to the frame's");
    return MW_OK;
}

/* Decodes saved bytes, whose kind has been read from the source. */
static mw_error decode_save(struct mwi_column_source *source, unsigned char *data,
                            struct mwi_message *message, mw_reason *why)
{
    const unsigned char *padding;
    size_t padding_bytes;
    if (!mwi_column_read_number(source, &message->save.id) ||
        !mwi_column_read_bin(source, &padding, &padding_bytes) ||
        padding_bytes >= MWI_MESSAGE_HEAD_ALIGNMENT)
        return fail(why, "saved bytes without the id of a task or padding, or with too much");
    message->save.data = data + (source->at - data);
    message->save.size = (size_t)(source->end - source->at);
    return MW_OK;
}

/* Reads the beginning of a message with bytes behind its array; false if the frame is no such
 * message. */
static bool has_bytes_behind(struct mwi_column_source *source, struct mwi_message *message,
                             size_t *elements_count)
{
    uint64_t kind;
    if (!mwi_column_read_array(source, elements_count) || *elements_count == 0 ||
        !mwi_column_read_number(source, &kind) ||
        (kind != MWI_MESSAGE_TASKS && kind != MWI_MESSAGE_RESULTS && kind != MWI_MESSAGE_SAVE &&
         kind != MWI_MESSAGE_OFFER))
        return false;
    message->kind = (enum mwi_message_kind)kind;
    return true;
}

static mw_error decode_bytes(struct mwi_column_source *source, unsigned char *data,
                             size_t elements_count, struct mwi_message *message, mw_reason *why)
{
    if (message->kind == MWI_MESSAGE_SAVE)
        return elements_count == MWI_MESSAGE_SAVE_ELEMENTS
                   ? decode_save(source, data, message, why)
                   : fail(why, "a message of saved bytes without its three elements");
    size_t expected = message->kind == MWI_MESSAGE_OFFER ? MWI_MESSAGE_OFFER_ELEMENTS
                                                         : MWI_MESSAGE_ITEMS_ELEMENTS;
    return elements_count == expected
               ? decode_group(source, data, message, why)
               : fail(why, "a message of tasks or results without all of its elements");
}

mw_error mwi_message_decode(struct mwi_decoder *decoder, unsigned char *data, size_t size,
                            struct mwi_message *message, mw_reason *why)
{
    struct mwi_column_source source = {data, data + size};
    size_t elements_count;
    if (size > 0 && has_bytes_behind(&source, message, &elements_count))
        return decode_bytes(&source, data, elements_count, message, why);
    msgpack_zone_clear(&decoder->zone);
    return decode_array(decoder, data, size, message, why);
}

struct mwi_text mwi_message_algorithm(const struct mwi_message *message, size_t index)
{
    assert(message->kind == MWI_MESSAGE_WELCOME && index < message->welcome.algorithms_count);
    return object_text(&message->fields[MWI_MESSAGE_WELCOME_FIELDS + index]);
}

struct mwi_digest mwi_message_key(const struct mwi_message *message, size_t index)
{
    assert(message->kind == MWI_MESSAGE_OFFER && index < message->group.count);
    return read_key(message->keys + index * MWI_MESSAGE_KEY_BYTES);
}

static void move_column(struct mwi_column *column, const unsigned char *from, unsigned char *to)
{
    if (column->width > 0)
        column->data = to + (column->data - from);
}

static void move_group(struct mwi_message_group *group, const unsigned char *from,
                       unsigned char *to)
{
    move_column(&group->ids, from, to);
    move_column(&group->algorithms, from, to);
    move_column(&group->forms, from, to);
    move_column(&group->durations, from, to);
    move_column(&group->sizes, from, to);
    group->payloads = to + (group->payloads - from);
}

void mwi_message_rebase(struct mwi_message *message, const unsigned char *from, unsigned char *to)
{
    if (message->kind == MWI_MESSAGE_SAVE) {
        message->save.data = to + (message->save.data - from);
        return;
    }
    assert(message->kind == MWI_MESSAGE_TASKS || message->kind == MWI_MESSAGE_RESULTS ||
           message->kind == MWI_MESSAGE_OFFER);
    move_group(&message->group, from, to);
    if (message->kind == MWI_MESSAGE_OFFER)
        message->keys = to + (message->keys - from);
}
