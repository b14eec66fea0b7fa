/* SPDX-License-Identifier: Apache-2.0
 *
 * Decodes and writes messages. Both engines, results and greeting call this. A message is a flat
 * array, so that a group of tasks is one array of objects for msgpack-c and not a tree. Lengths and
 * counts that are known only at the end are first written in msgpack's widest form, and filled in
 * later. A large payload follows the array.
 *
 * Invariants: frames come from strangers, so mwi_guard_first checks the bytes before msgpack-c sees
 * them, and decode_fields checks the type of every field. Tasks and results are written by hand and
 * without msgpack-c, because each task pays for it.
 *
 * A new kind of message needs a value of mwi_message_kind, a case in decode_fields, a writer, and a
 * row in docs/protocol.md.
 */
#include "wire/message.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "wire/guard.h"

#define ZONE_CHUNK_BYTES 8192
#define HELLO_FIELDS 7
#define TASK_FIELDS 3
#define TIMED_TASK_FIELDS (TASK_FIELDS + 1)
#define LARGE_FIELDS 3
/* The first bytes of msgpack's types; the longer forms of UINT8, BIN8 and EXT8 follow them. */
#define UINT8 0xcc
#define BIN8 0xc4
#define EXT8 0xc7
#define ARRAY16 0xdc
#define ARRAY32 0xdd
#define EXT32 0xc9
#define ARRAY32_HEADER_BYTES 5
#define EXT32_HEADER_BYTES 6
#define NUMBER_BYTES_MAX 9
#define PAYLOAD_HEADER_BYTES_MAX 6

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

static bool is_payload(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_BIN ||
           (object->type == MSGPACK_OBJECT_EXT && object->via.ext.type == MWI_MESSAGE_EXT_VALUES);
}

static struct mwi_payload object_payload(const msgpack_object *object)
{
    /* msgpack-c types the pointers const, but they lead into the frame, which the receiver owns. */
    union {
        const char *from;
        unsigned char *to;
    } data;
    if (object->type == MSGPACK_OBJECT_EXT) {
        data.from = object->via.ext.ptr;
        return (struct mwi_payload){data.to, object->via.ext.size, false};
    }
    data.from = object->via.bin.ptr;
    return (struct mwi_payload){data.to, object->via.bin.size, object->type == MSGPACK_OBJECT_BIN};
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
        !is_number(&fields[6], UINT32_MAX))
        return fail(why, "a malformed greeting");
    message->hello.member_id = object_text(&fields[2]);
    message->hello.frame_bytes_max = fields[3].via.u64;
    message->hello.host = object_text(&fields[4]);
    message->hello.boot_id = object_text(&fields[5]);
    message->hello.pid = (uint32_t)fields[6].via.u64;
    return MW_OK;
}

static mw_error decode_welcome(struct mwi_message *message, mw_reason *why)
{
    const msgpack_object *fields = message->fields;
    if (message->fields_count < 3 || !is_number(&fields[0], UINT32_MAX) ||
        !is_number(&fields[1], UINT32_MAX) || !is_number(&fields[2], UINT64_MAX))
        return fail(why, "a malformed welcome");
    for (size_t i = 3; i < message->fields_count; i++)
        if (!is_text(&fields[i]))
            return fail(why, "a welcome with an algorithm that is no name");
    message->welcome.sid = (uint32_t)fields[0].via.u64;
    message->welcome.result_group = (uint32_t)fields[1].via.u64;
    message->welcome.frame_bytes_max = fields[2].via.u64;
    message->welcome.algorithms_count = message->fields_count - 3;
    return MW_OK;
}

static mw_error decode_reason(struct mwi_message *message, mw_reason *why)
{
    if (message->fields_count != 1 || !is_text(&message->fields[0]))
        return fail(why, "a malformed refusal or goodbye");
    message->reason = object_text(&message->fields[0]);
    return MW_OK;
}

static mw_error decode_tasks(struct mwi_message *message, mw_reason *why)
{
    size_t count = message->fields_count;
    message->is_timed = count == TIMED_TASK_FIELDS && is_number(&message->fields[TASK_FIELDS], 1);
    if (message->is_timed)
        count = TASK_FIELDS;
    if (count == 0 || count % TASK_FIELDS != 0)
        return fail(why, "a malformed message of tasks");
    for (size_t i = 0; i < count; i += TASK_FIELDS) {
        const msgpack_object *fields = message->fields + i;
        if (!is_number(&fields[0], UINT64_MAX) || !is_number(&fields[1], UINT32_MAX) ||
            !is_payload(&fields[2]))
            return fail(why, "a malformed task");
    }
    message->items_count = count / TASK_FIELDS;
    return MW_OK;
}

static mw_error decode_results(struct mwi_message *message, mw_reason *why)
{
    if (message->fields_count == 0 || message->fields_count % MWI_MESSAGE_RESULT_FIELDS != 0)
        return fail(why, "a malformed message of results");
    for (size_t i = 0; i < message->fields_count; i += MWI_MESSAGE_RESULT_FIELDS) {
        const msgpack_object *fields = message->fields + i;
        bool is_failed =
            is_number(&fields[2], MWI_RESULT_FAILED) && fields[2].via.u64 == MWI_RESULT_FAILED;
        if (!is_number(&fields[0], UINT64_MAX) || !is_number(&fields[2], MWI_RESULT_FAILED) ||
            !(is_failed ? is_text(&fields[1]) : is_payload(&fields[1])) ||
            !is_number(&fields[3], UINT64_MAX))
            return fail(why, "a malformed result");
    }
    message->items_count = message->fields_count / MWI_MESSAGE_RESULT_FIELDS;
    return MW_OK;
}

static bool is_large(enum mwi_message_kind kind)
{
    return kind == MWI_MESSAGE_LARGE_TASK || kind == MWI_MESSAGE_LARGE_RESULT;
}

/* Reads a large task or a large result. Both have the id first and the form last. */
static mw_error decode_large(struct mwi_message *message, mw_reason *why)
{
    const msgpack_object *fields = message->fields;
    bool is_task = message->kind == MWI_MESSAGE_LARGE_TASK;
    if (message->fields_count != LARGE_FIELDS || !is_number(&fields[0], UINT64_MAX) ||
        !is_number(&fields[1], is_task ? UINT32_MAX : UINT64_MAX) ||
        !is_number(&fields[2], is_task ? MWI_PAYLOAD_BYTES | MWI_PAYLOAD_TIMED : MWI_PAYLOAD_BYTES))
        return fail(why, is_task ? "a malformed large task" : "a malformed large result");
    message->large.is_bytes = (fields[2].via.u64 & MWI_PAYLOAD_BYTES) != 0;
    message->is_timed = (fields[2].via.u64 & MWI_PAYLOAD_TIMED) != 0;
    message->items_count = 1;
    return MW_OK;
}

static mw_error decode_begun(struct mwi_message *message, mw_reason *why)
{
    if (message->fields_count != 1 || !is_number(&message->fields[0], UINT64_MAX))
        return fail(why, "a malformed message that a task begins");
    message->begun = message->fields[0].via.u64;
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
    case MWI_MESSAGE_TASKS:
        return decode_tasks(message, why);
    case MWI_MESSAGE_RESULTS:
        return decode_results(message, why);
    case MWI_MESSAGE_LARGE_TASK:
    case MWI_MESSAGE_LARGE_RESULT:
        return decode_large(message, why);
    case MWI_MESSAGE_BEGUN:
        return decode_begun(message, why);
    case MWI_MESSAGE_SHUTDOWN:
    case MWI_MESSAGE_ATTENTIVE:
    case MWI_MESSAGE_PING:
    case MWI_MESSAGE_PONG:
    case MWI_MESSAGE_RECALL:
    case MWI_MESSAGE_RETURNED:
        return message->fields_count == 0 ? MW_OK : fail(why, "a message with fields it has not");
    }
    return fail(why, "a message of an unknown kind");
}

size_t mwi_message_fields_count(const unsigned char *data, size_t size)
{
    size_t length_bytes = size == 0 ? 0 : data[0] == ARRAY16 ? 2 : data[0] == ARRAY32 ? 4 : 0;
    size_t count = 0;
    if (length_bytes == 0)
        return size > 0 && (data[0] & 0xf0) == 0x90 ? data[0] & 0x0f : 0;
    for (size_t i = 1; i <= length_bytes && i < size; i++)
        count = count << 8 | data[i];
    return count;
}

mw_error mwi_message_decode(struct mwi_decoder *decoder, unsigned char *data, size_t size,
                            struct mwi_message *message, mw_reason *why)
{
    size_t head_bytes;
    msgpack_zone_clear(&decoder->zone);
    if (!mwi_guard_first(data, size, &head_bytes))
        return fail(why, "a frame that is not one msgpack value");
    assert(head_bytes <= size);
    size_t offset = 0;
    msgpack_object object;
    msgpack_unpack_return got =
        msgpack_unpack((const char *)data, head_bytes, &offset, &decoder->zone, &object);
    if (got == MSGPACK_UNPACK_NOMEM_ERROR)
        return MW_ENOMEM;
    bool is_message = got == MSGPACK_UNPACK_SUCCESS && object.type == MSGPACK_OBJECT_ARRAY &&
                      object.via.array.size > 0 && is_number(&object.via.array.ptr[0], UINT8_MAX);
    if (is_message)
        message->kind = (enum mwi_message_kind)object.via.array.ptr[0].via.u64;
    if (head_bytes < size && !(is_message && is_large(message->kind)))
        return fail(why, "a frame that is not one msgpack value");
    if (!is_message)
        return fail(why, "a frame that is no message");
    message->large = (struct mwi_payload){data + head_bytes, size - head_bytes, false};
    message->fields = object.via.array.ptr + 1;
    message->fields_count = object.via.array.size - 1;
    return decode_fields(message, why);
}

struct mwi_text mwi_message_algorithm(const struct mwi_message *message, size_t index)
{
    assert(message->kind == MWI_MESSAGE_WELCOME && index < message->welcome.algorithms_count);
    return object_text(&message->fields[3 + index]);
}

void mwi_message_task(const struct mwi_message *message, size_t index,
                      struct mwi_message_item *item)
{
    assert(index < message->items_count);
    const msgpack_object *fields = message->fields + index * TASK_FIELDS;
    item->id = fields[0].via.u64;
    item->algorithm = (uint32_t)fields[1].via.u64;
    item->payload = is_large(message->kind) ? message->large : object_payload(&fields[2]);
}

void mwi_message_result(const struct mwi_message *message, size_t index,
                        struct mwi_message_item *item)
{
    assert(index < message->items_count);
    const msgpack_object *fields = message->fields + index * MWI_MESSAGE_RESULT_FIELDS;
    item->id = fields[0].via.u64;
    if (is_large(message->kind)) {
        item->payload = message->large;
        item->status = MWI_RESULT_DONE;
        item->duration_ns = fields[1].via.u64;
        return;
    }
    item->payload = object_payload(&fields[1]);
    item->status = (enum mwi_result_status)fields[2].via.u64;
    item->duration_ns = fields[3].via.u64;
}

static unsigned char *put_u16(unsigned char *to, size_t number)
{
    to[0] = (unsigned char)(number >> 8);
    to[1] = (unsigned char)number;
    return to + 2;
}

static unsigned char *put_u32(unsigned char *to, uint64_t number)
{
    to[0] = (unsigned char)(number >> 24);
    to[1] = (unsigned char)(number >> 16);
    to[2] = (unsigned char)(number >> 8);
    to[3] = (unsigned char)number;
    return to + 4;
}

/* Writes a number in msgpack's shortest form, up to NUMBER_BYTES_MAX; returns the end. */
static unsigned char *put_number(unsigned char *to, uint64_t number)
{
    if (number <= 0x7f) {
        *to = (unsigned char)number;
        return to + 1;
    }
    if (number <= UINT8_MAX) {
        *to++ = UINT8;
        *to = (unsigned char)number;
        return to + 1;
    }
    if (number <= UINT16_MAX) {
        *to = UINT8 + 1;
        return put_u16(to + 1, number);
    }
    if (number <= UINT32_MAX) {
        *to = UINT8 + 2;
        return put_u32(to + 1, number);
    }
    *to = UINT8 + 3;
    return put_u32(put_u32(to + 1, number >> 32), number);
}

/* Writes the header of a payload in its shortest form, up to PAYLOAD_HEADER_BYTES_MAX; returns the
 * end. Only large messages carry payloads whose length does not fit. */
static unsigned char *put_payload_header(unsigned char *to, size_t size, bool is_bytes)
{
    unsigned char first = is_bytes ? BIN8 : EXT8;
    assert(size <= UINT32_MAX);
    if (size <= UINT8_MAX) {
        *to++ = first;
        *to++ = (unsigned char)size;
    } else if (size <= UINT16_MAX) {
        *to = (unsigned char)(first + 1);
        to = put_u16(to + 1, size);
    } else {
        *to = (unsigned char)(first + 2);
        to = put_u32(to + 1, size);
    }
    if (!is_bytes)
        *to++ = MWI_MESSAGE_EXT_VALUES;
    return to;
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
}

void mwi_message_write_welcome(struct mwi_buffer *buffer, uint32_t sid, uint32_t result_group,
                               uint64_t frame_bytes_max, const mw_algorithm *algorithms)
{
    size_t count = 0;
    while (algorithms[count].name != NULL)
        count++;
    msgpack_packer packer = begin_message(buffer, MWI_MESSAGE_WELCOME, 3 + count);
    msgpack_pack_uint32(&packer, sid);
    msgpack_pack_uint32(&packer, result_group);
    msgpack_pack_uint64(&packer, frame_bytes_max);
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
           kind == MWI_MESSAGE_RETURNED);
    begin_message(buffer, kind, 0);
}

void mwi_message_begin_tasks(struct mwi_buffer *buffer, size_t tasks_count)
{
    begin_message(buffer, MWI_MESSAGE_TASKS, tasks_count * TASK_FIELDS);
}

void mwi_message_write_task(struct mwi_buffer *buffer, uint64_t id, uint32_t algorithm,
                            const struct mwi_payload *payload)
{
    unsigned char head[2 * NUMBER_BYTES_MAX + PAYLOAD_HEADER_BYTES_MAX];
    unsigned char *end = put_number(put_number(head, id), algorithm);
    end = put_payload_header(end, payload->size, payload->is_bytes);
    mwi_buffer_append(buffer, head, (size_t)(end - head));
    mwi_buffer_append(buffer, payload->data, payload->size);
}

void mwi_message_write_timed_task(struct mwi_buffer *buffer, uint64_t id, uint32_t algorithm,
                                  const struct mwi_payload *payload)
{
    static const unsigned char one = 1;
    begin_message(buffer, MWI_MESSAGE_TASKS, TIMED_TASK_FIELDS);
    mwi_message_write_task(buffer, id, algorithm, payload);
    mwi_buffer_append(buffer, &one, sizeof one);
}

void mwi_message_write_begun(struct mwi_buffer *buffer, uint64_t id)
{
    msgpack_packer packer = begin_message(buffer, MWI_MESSAGE_BEGUN, 1);
    msgpack_pack_uint64(&packer, id);
}

void mwi_message_begin_results(struct mwi_buffer *buffer)
{
    unsigned char header[ARRAY32_HEADER_BYTES + 1] = {ARRAY32, 0, 0, 0, 0, MWI_MESSAGE_RESULTS};
    mwi_buffer_append(buffer, header, sizeof header);
}

void mwi_message_begin_result(struct mwi_buffer *buffer, uint64_t id)
{
    unsigned char number[NUMBER_BYTES_MAX];
    mwi_buffer_append(buffer, number, (size_t)(put_number(number, id) - number));
}

size_t mwi_message_open_values(struct mwi_buffer *buffer)
{
    unsigned char header[EXT32_HEADER_BYTES] = {EXT32, 0, 0, 0, 0, MWI_MESSAGE_EXT_VALUES};
    mwi_buffer_append(buffer, header, sizeof header);
    return buffer->size;
}

void mwi_message_close_values(struct mwi_buffer *buffer, size_t opened)
{
    if (buffer->has_failed)
        return;
    assert(opened >= EXT32_HEADER_BYTES && opened <= buffer->size);
    put_u32(buffer->data + opened - EXT32_HEADER_BYTES + 1, (uint32_t)(buffer->size - opened));
}

void mwi_message_write_bytes(struct mwi_buffer *buffer, const void *data, size_t size)
{
    unsigned char header[PAYLOAD_HEADER_BYTES_MAX];
    mwi_buffer_append(buffer, header, (size_t)(put_payload_header(header, size, true) - header));
    mwi_buffer_append(buffer, data, size);
}

void mwi_message_write_failure(struct mwi_buffer *buffer, const char *message)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, buffer, mwi_buffer_write);
    write_text(&packer, message);
}

void mwi_message_end_result(struct mwi_buffer *buffer, enum mwi_result_status status,
                            uint64_t duration_ns)
{
    unsigned char fields[2 * NUMBER_BYTES_MAX];
    unsigned char *end = put_number(put_number(fields, status), duration_ns);
    mwi_buffer_append(buffer, fields, (size_t)(end - fields));
}

void mwi_message_end_results(struct mwi_buffer *buffer, size_t results_count)
{
    if (buffer->has_failed)
        return;
    assert(buffer->size >= ARRAY32_HEADER_BYTES && buffer->data[0] == ARRAY32);
    put_u32(buffer->data + 1, (uint32_t)(results_count * MWI_MESSAGE_RESULT_FIELDS + 1));
}

/* The numbers of both heads are written wider than they need be, so that a head is a multiple of 16
 * bytes long and the payload behind it is aligned as the frame is. */
void mwi_message_begin_large_task(struct mwi_buffer *buffer, uint64_t id, uint16_t algorithm,
                                  bool is_bytes, bool is_timed)
{
    unsigned form = is_bytes ? MWI_PAYLOAD_BYTES : MWI_PAYLOAD_VALUES;
    msgpack_packer packer;
    msgpack_packer_init(&packer, buffer, mwi_buffer_write);
    msgpack_pack_array(&packer, LARGE_FIELDS + 1);
    msgpack_pack_fix_uint8(&packer, MWI_MESSAGE_LARGE_TASK);
    msgpack_pack_fix_uint64(&packer, id);
    msgpack_pack_fix_uint16(&packer, algorithm);
    msgpack_pack_uint8(&packer, (uint8_t)(is_timed ? form | MWI_PAYLOAD_TIMED : form));
}

void mwi_message_begin_large_result(struct mwi_buffer *buffer, uint64_t id, uint64_t duration_ns,
                                    bool is_bytes)
{
    static const unsigned char array[] = {ARRAY16, 0, LARGE_FIELDS + 1};
    msgpack_packer packer;
    mwi_buffer_append(buffer, array, sizeof array);
    msgpack_packer_init(&packer, buffer, mwi_buffer_write);
    msgpack_pack_fix_uint64(&packer, MWI_MESSAGE_LARGE_RESULT);
    msgpack_pack_fix_uint64(&packer, id);
    msgpack_pack_fix_uint64(&packer, duration_ns);
    msgpack_pack_fix_uint8(&packer, is_bytes ? MWI_PAYLOAD_BYTES : MWI_PAYLOAD_VALUES);
}
