/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes messages. Both engines, results and greeting call this. Tasks and results are written in
 * columns by wire/column, other messages by msgpack-c; message.c reads them.
 *
 * Invariant: the head of tasks, results, an offer and saved bytes ends at a multiple of
 * MWI_MESSAGE_HEAD_ALIGNMENT, so that payloads which follow it are aligned.
 *
 * A new kind of message needs a writer here; see message.c for the rest.
 */
#include <assert.h>
#include <string.h>

#include "wire/column.h"
#include "wire/message.h"
#include "wire/message_form.h"

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
    msgpack_packer packer = begin_message(buffer, MWI_MESSAGE_HELLO, MWI_MESSAGE_HELLO_FIELDS);
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
    msgpack_packer packer =
        begin_message(buffer, MWI_MESSAGE_WELCOME, MWI_MESSAGE_WELCOME_FIELDS + count);
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
    unsigned char key[MWI_MESSAGE_KEY_BYTES];
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

/* Pads the head, which began at `head`, so that it ends at a multiple of
 * MWI_MESSAGE_HEAD_ALIGNMENT. */
static unsigned char *write_padding(unsigned char *head, unsigned char *to)
{
    size_t size = (size_t)(to - head) + 2;
    size_t padding = (MWI_MESSAGE_HEAD_ALIGNMENT - size % MWI_MESSAGE_HEAD_ALIGNMENT) %
                     MWI_MESSAGE_HEAD_ALIGNMENT;
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
    size_t size = 2 + MWI_COLUMN_NUMBER_BYTES_MAX + 2 + MWI_MESSAGE_HEAD_ALIGNMENT + more;
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
    head[0] = 0x90 |
              (kind == MWI_MESSAGE_OFFER ? MWI_MESSAGE_OFFER_ELEMENTS : MWI_MESSAGE_ITEMS_ELEMENTS);
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
    size_t size = 2 + MWI_COLUMN_NUMBER_BYTES_MAX + 2 + MWI_MESSAGE_HEAD_ALIGNMENT;
    assert(buffer->size == 0);
    if (!mwi_buffer_reserve(buffer, size))
        return;
    buffer->data[0] = 0x90 | MWI_MESSAGE_SAVE_ELEMENTS;
    buffer->data[1] = MWI_MESSAGE_SAVE;
    end_head(buffer, mwi_column_write_number(buffer->data + 2, id));
}

static unsigned char *write_keys(unsigned char *to, const struct mwi_digest *keys, size_t count)
{
    to = mwi_column_write_bin(to, count * MWI_MESSAGE_KEY_BYTES);
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
    size_t more = MWI_COLUMN_NUMBER_BYTES_MAX + MWI_COLUMN_BIN_HEADER_BYTES_MAX +
                  count * MWI_MESSAGE_KEY_BYTES;
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
