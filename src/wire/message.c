/* SPDX-License-Identifier: Apache-2.0
 *
 * Decodes and writes messages. Both engines, results and greeting call this. Tasks and results are
 * in columns, which wire/column reads and writes without msgpack-c and without memory, because each
 * task pays for it; their payloads follow the array, and so do saved bytes. msgpack-c reads and
 * writes all other messages.
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

#define ZONE_CHUNK_BYTES 1024
#define HELLO_FIELDS 9
/* Of a welcome, before the names. */
#define WELCOME_FIELDS 4
/* Of tasks and results, and of an offer, with the kind. */
#define ITEMS_ELEMENTS 7
#define SAVE_ELEMENTS 3
#define OFFER_ELEMENTS 10
#define KEY_BYTES 16
#define HEAD_ALIGNMENT 16
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
    if (message->fields_count != HELLO_FIELDS || !is_text(&fields[2]) ||
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
    if (message->fields_count < WELCOME_FIELDS || !is_number(&fields[0], UINT32_MAX) ||
        !is_number(&fields[1], UINT32_MAX) || !is_number(&fields[2], UINT64_MAX) ||
        !is_number(&fields[3], UINT64_MAX))
        return fail(why, "a malformed welcome");
    for (size_t i = WELCOME_FIELDS; i < message->fields_count; i++)
        if (!is_text(&fields[i]))
            return fail(why, "a welcome with an algorithm that is no name");
    message->welcome.sid = (uint32_t)fields[0].via.u64;
    message->welcome.result_group = (uint32_t)fields[1].via.u64;
    message->welcome.frame_bytes_max = fields[2].via.u64;
    message->welcome.run = fields[3].via.u64;
    message->welcome.algorithms_count = message->fields_count - WELCOME_FIELDS;
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
        fields[2].via.bin.size != KEY_BYTES)
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
           keys_bytes == message->group.count * KEY_BYTES;
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
    if (!mwi_column_read_bin(source, &padding, &padding_bytes) || padding_bytes >= HEAD_ALIGNMENT)
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
        !mwi_column_read_bin(source, &padding, &padding_bytes) || padding_bytes >= HEAD_ALIGNMENT)
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
        return elements_count == SAVE_ELEMENTS
                   ? decode_save(source, data, message, why)
                   : fail(why, "a message of saved bytes without its three elements");
    size_t expected = message->kind == MWI_MESSAGE_OFFER ? OFFER_ELEMENTS : ITEMS_ELEMENTS;
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
    return object_text(&message->fields[WELCOME_FIELDS + index]);
}

struct mwi_digest mwi_message_key(const struct mwi_message *message, size_t index)
{
    assert(message->kind == MWI_MESSAGE_OFFER && index < message->group.count);
    return read_key(message->keys + index * KEY_BYTES);
}

static void move_column(struct mwi_column *column, const unsigned char *from, unsigned char *to)
{
    if (column->width > 0)
        column->data = to + (column->data - from);
}

void mwi_message_move_group(struct mwi_message_group *group, const unsigned char *from,
                            unsigned char *to)
{
    move_column(&group->ids, from, to);
    move_column(&group->algorithms, from, to);
    move_column(&group->forms, from, to);
    move_column(&group->durations, from, to);
    move_column(&group->sizes, from, to);
    group->payloads = to + (group->payloads - from);
}

static msgpack_packer begin_message(struct mwi_buffer *buffer, enum mwi_message_kind kind,
                                    size_t fields_count)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, buffer, mwi_buffer_write);
    msgpack_pack_array(&packer, fields_count + 1);
    msgpack_pack_uint8(&packer, (uint8_t)kind);
    return packer;
}

/* Cuts a text whose length msgpack cannot hold: msgpack-c would write the lower 32 bits of it. */
static void write_sized_text(msgpack_packer *packer, struct mwi_text text)
{
    msgpack_pack_str_with_body(packer, text.data, text.size < UINT32_MAX ? text.size : UINT32_MAX);
}

static void write_text(msgpack_packer *packer, const char *text)
{
    write_sized_text(packer, mwi_message_text(text));
}

void mwi_message_write_hello(struct mwi_buffer *buffer, const struct mwi_message_hello *hello)
{
    assert(hello->host.size <= MWI_MESSAGE_HOST_BYTES_MAX);
    assert(hello->boot_id.size <= MWI_MESSAGE_BOOT_ID_BYTES_MAX);
    msgpack_packer packer = begin_message(buffer, MWI_MESSAGE_HELLO, HELLO_FIELDS);
    write_text(&packer, "mw");
    msgpack_pack_uint32(&packer, MW_PROTOCOL_VERSION);
    write_sized_text(&packer, hello->member_id);
    msgpack_pack_uint64(&packer, hello->frame_bytes_max);
    write_sized_text(&packer, hello->host);
    write_sized_text(&packer, hello->boot_id);
    msgpack_pack_uint32(&packer, hello->pid);
    msgpack_pack_uint32(&packer, hello->traits);
    msgpack_pack_uint32(&packer, hello->offers_count);
}

void mwi_message_write_welcome(struct mwi_buffer *buffer, uint32_t sid, uint32_t result_group,
                               uint64_t frame_bytes_max, uint64_t run,
                               const mw_algorithm *algorithms)
{
    size_t count = 0;
    while (algorithms[count].name != NULL)
        count++;
    msgpack_packer packer = begin_message(buffer, MWI_MESSAGE_WELCOME, WELCOME_FIELDS + count);
    msgpack_pack_uint32(&packer, sid);
    msgpack_pack_uint32(&packer, result_group);
    msgpack_pack_uint64(&packer, frame_bytes_max);
    msgpack_pack_uint64(&packer, run);
    for (size_t i = 0; i < count; i++)
        write_text(&packer, algorithms[i].name);
}

void mwi_message_write_reason(struct mwi_buffer *buffer, enum mwi_message_kind kind,
                              const char *reason)
{
    assert(kind == MWI_MESSAGE_REFUSE || kind == MWI_MESSAGE_GOODBYE ||
           kind == MWI_MESSAGE_LEAVING);
    msgpack_packer packer = begin_message(buffer, kind, 1);
    write_text(&packer, reason);
}

void mwi_message_write_bare(struct mwi_buffer *buffer, enum mwi_message_kind kind)
{
    assert(kind == MWI_MESSAGE_SHUTDOWN || kind == MWI_MESSAGE_ATTENTIVE ||
           kind == MWI_MESSAGE_PING || kind == MWI_MESSAGE_PONG || kind == MWI_MESSAGE_RECALL ||
           kind == MWI_MESSAGE_RETURNED || kind == MWI_MESSAGE_OFFERED);
    begin_message(buffer, kind, 0);
}

void mwi_message_write_number(struct mwi_buffer *buffer, enum mwi_message_kind kind,
                              uint64_t number)
{
    msgpack_packer packer = begin_message(buffer, kind, 1);
    msgpack_pack_uint64(&packer, number);
}

void mwi_message_write_id(struct mwi_buffer *buffer, enum mwi_message_kind kind, uint64_t id)
{
    assert(kind == MWI_MESSAGE_BEGUN || kind == MWI_MESSAGE_END_TASK);
    mwi_message_write_number(buffer, kind, id);
}

void mwi_message_write_running(struct mwi_buffer *buffer, const struct mwi_message_running *running)
{
    unsigned char key[KEY_BYTES];
    unsigned char *end = mwi_column_write_cell(key, running->key.low, 8);
    mwi_column_write_cell(end, running->key.high, 8);
    msgpack_packer packer = begin_message(buffer, MWI_MESSAGE_RUNNING, 3);
    msgpack_pack_uint64(&packer, running->run);
    msgpack_pack_uint64(&packer, running->id);
    msgpack_pack_bin_with_body(&packer, key, sizeof key);
}

/* The columns of these messages. */
enum field { FIELD_ID, FIELD_ALGORITHM, FIELD_FORM, FIELD_DURATION, FIELD_SIZE, FIELDS_COUNT };

static inline uint64_t field_of(const struct mwi_message_item *item, enum field field)
{
    switch (field) {
    case FIELD_ID:
        return item->id;
    case FIELD_ALGORITHM:
        return item->algorithm;
    case FIELD_FORM:
        return item->form;
    case FIELD_DURATION:
        return item->duration_ns;
    default:
        return item->size;
    }
}

/* The form of a column that will be written. */
struct plan {
    uint64_t bits;    /* set in any number */
    uint64_t differs; /* not 0: it cannot be one number */
};

/* Of numbers that differ from the first of them in these bits. */
static inline struct plan plan_of(uint64_t first, uint64_t differs)
{
    return (struct plan){.bits = first | differs, .differs = differs};
}

/* Plans all columns in one pass. */
static void plan_columns(const struct mwi_message_item *items, size_t count, struct plan *plans)
{
    const struct mwi_message_item first = items[0];
    struct plan ids = {0};
    uint64_t algorithms = 0, forms = 0, durations = 0, sizes = 0;
    for (size_t i = 0; i < count; i++) {
        const struct mwi_message_item *item = &items[i];
        ids.bits |= item->id;
        ids.differs |= item->id ^ (first.id + i);
        algorithms |= item->algorithm ^ first.algorithm;
        forms |= (uint64_t)(item->form ^ first.form);
        durations |= item->duration_ns ^ first.duration_ns;
        sizes |= item->size ^ first.size;
    }
    plans[FIELD_ID] = ids;
    plans[FIELD_ALGORITHM] = plan_of(first.algorithm, algorithms);
    plans[FIELD_FORM] = plan_of(first.form, forms);
    plans[FIELD_DURATION] = plan_of(first.duration_ns, durations);
    plans[FIELD_SIZE] = plan_of(first.size, sizes);
}

/* At most as many bytes as the column takes. */
static size_t column_bytes(const struct plan *plan, size_t count)
{
    return plan->differs == 0
               ? MWI_COLUMN_NUMBER_BYTES_MAX
               : MWI_COLUMN_BIN_HEADER_BYTES_MAX + count * mwi_column_width(plan->bits);
}

static inline unsigned char *write_column(unsigned char *to, const struct mwi_message_item *items,
                                          size_t count, enum field field, const struct plan *plans)
{
    const struct plan *plan = &plans[field];
    if (plan->differs == 0)
        return mwi_column_write_number(to, field_of(&items[0], field));
    uint8_t width = mwi_column_width(plan->bits);
    to = mwi_column_write_bin(to, count * width);
    for (size_t i = 0; i < count; i++)
        to = mwi_column_write_cell(to, field_of(&items[i], field), width);
    return to;
}

/* Pads the head, which began at `head`, so that it ends at a multiple of HEAD_ALIGNMENT. */
static unsigned char *write_padding(unsigned char *head, unsigned char *to)
{
    size_t size = (size_t)(to - head) + 2;
    size_t padding = (HEAD_ALIGNMENT - size % HEAD_ALIGNMENT) % HEAD_ALIGNMENT;
    to = mwi_column_write_bin(to, padding);
    memset(to, 0, padding);
    return to + padding;
}

/* Writes the beginning of a head, makes room for the rest of it and `more` bytes, and sets *plans;
 * NULL out of memory. */
static unsigned char *begin_head(struct mwi_buffer *buffer, enum mwi_message_kind kind,
                                 const struct mwi_message_item *items, size_t count, size_t more,
                                 struct plan *plans)
{
    size_t size = 2 + MWI_COLUMN_NUMBER_BYTES_MAX + 2 + HEAD_ALIGNMENT + more;
    assert(count > 0 && count <= MWI_MESSAGE_ITEMS_MAX);
    if (count == 1) { /* each column is a number */
        memset(plans, 0, FIELDS_COUNT * sizeof *plans);
        size += FIELDS_COUNT * MWI_COLUMN_NUMBER_BYTES_MAX;
    } else {
        plan_columns(items, count, plans);
        for (size_t i = 0; i < FIELDS_COUNT; i++)
            size += column_bytes(&plans[i], count);
    }
    if (buffer->has_failed || !mwi_buffer_reserve(buffer, size))
        return NULL;
    unsigned char *head = buffer->data + buffer->size;
    head[0] = 0x90 | (kind == MWI_MESSAGE_OFFER ? OFFER_ELEMENTS : ITEMS_ELEMENTS);
    head[1] = (unsigned char)kind;
    return mwi_column_write_number(head + 2, count);
}

static void end_head(struct mwi_buffer *buffer, unsigned char *to)
{
    unsigned char *head = buffer->data + buffer->size;
    to = write_padding(head, to);
    buffer->size += (size_t)(to - head);
    assert(buffer->size <= buffer->capacity);
}

void mwi_message_begin_group(struct mwi_buffer *buffer, enum mwi_message_kind kind,
                             const struct mwi_message_item *items, size_t count)
{
    bool is_tasks = kind == MWI_MESSAGE_TASKS;
    struct plan plans[FIELDS_COUNT];
    assert(is_tasks || kind == MWI_MESSAGE_RESULTS);
    unsigned char *to = begin_head(buffer, kind, items, count, 0, plans);
    if (to == NULL)
        return;
    to = write_column(to, items, count, FIELD_ID, plans);
    if (is_tasks)
        to = write_column(to, items, count, FIELD_ALGORITHM, plans);
    to = write_column(to, items, count, FIELD_FORM, plans);
    if (!is_tasks)
        to = write_column(to, items, count, FIELD_DURATION, plans);
    end_head(buffer, write_column(to, items, count, FIELD_SIZE, plans));
}

void mwi_message_begin_save(struct mwi_buffer *buffer, uint64_t id)
{
    size_t size = 2 + MWI_COLUMN_NUMBER_BYTES_MAX + 2 + HEAD_ALIGNMENT;
    assert(buffer->size == 0);
    if (!mwi_buffer_reserve(buffer, size))
        return;
    buffer->data[0] = 0x90 | SAVE_ELEMENTS;
    buffer->data[1] = MWI_MESSAGE_SAVE;
    end_head(buffer, mwi_column_write_number(buffer->data + 2, id));
}

static unsigned char *write_keys(unsigned char *to, const struct mwi_digest *keys, size_t count)
{
    to = mwi_column_write_bin(to, count * KEY_BYTES);
    for (size_t i = 0; i < count; i++) {
        to = mwi_column_write_cell(to, keys[i].low, 8);
        to = mwi_column_write_cell(to, keys[i].high, 8);
    }
    return to;
}

void mwi_message_begin_offer(struct mwi_buffer *buffer, uint64_t run,
                             const struct mwi_message_item *items, const struct mwi_digest *keys,
                             size_t count)
{
    struct plan plans[FIELDS_COUNT];
    size_t more = MWI_COLUMN_NUMBER_BYTES_MAX + MWI_COLUMN_BIN_HEADER_BYTES_MAX + count * KEY_BYTES;
    unsigned char *to = begin_head(buffer, MWI_MESSAGE_OFFER, items, count, more, plans);
    if (to == NULL)
        return;
    to = mwi_column_write_number(to, run);
    to = write_keys(to, keys, count);
    to = write_column(to, items, count, FIELD_ID, plans);
    to = write_column(to, items, count, FIELD_ALGORITHM, plans);
    to = write_column(to, items, count, FIELD_FORM, plans);
    to = write_column(to, items, count, FIELD_DURATION, plans);
    end_head(buffer, write_column(to, items, count, FIELD_SIZE, plans));
}
