/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole messages of tasks and results, as tests write and read them.
 */
#ifndef MWT_ITEMS_H
#define MWT_ITEMS_H

#include "wire/message.h"

/* A task or result with this payload, which is borrowed as long as the item. */
static inline struct mwi_message_item mwt_items_make(uint64_t id, enum mwi_payload_form form,
                                                     const void *payload, size_t size)
{
    union {
        const void *from;
        unsigned char *to;
    } data = {payload};
    return (struct mwi_message_item){
        .id = id, .size = size, .form = (uint8_t)form, .data = data.to};
}

static inline void mwt_items_append_payloads(struct mwi_buffer *buffer,
                                             const struct mwi_message_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mwi_buffer_append(buffer, items[i].data, items[i].size);
}

/* Appends a message of these tasks or results, and their payloads. */
static inline void mwt_items_tasks(struct mwi_buffer *buffer, const struct mwi_message_item *items,
                                   size_t count)
{
    mwi_message_begin_group(buffer, MWI_MESSAGE_TASKS, items, count);
    mwt_items_append_payloads(buffer, items, count);
}

static inline void mwt_items_results(struct mwi_buffer *buffer,
                                     const struct mwi_message_item *items, size_t count)
{
    mwi_message_begin_group(buffer, MWI_MESSAGE_RESULTS, items, count);
    mwt_items_append_payloads(buffer, items, count);
}

/* Appends a message of one result, whose task took `duration_ns`. */
static inline void mwt_items_result(struct mwi_buffer *buffer, uint64_t id,
                                    enum mwi_payload_form form, const void *payload, size_t size,
                                    uint64_t duration_ns)
{
    struct mwi_message_item item = mwt_items_make(id, form, payload, size);
    item.duration_ns = duration_ns;
    mwt_items_results(buffer, &item, 1);
}

/* An item of a message of tasks or results, by an index below its count. */
static inline struct mwi_message_item mwt_items_at(const struct mwi_message *message, size_t index)
{
    struct mwi_message_cursor cursor = {.group = &message->group};
    struct mwi_message_item item = {0};
    for (size_t i = 0; i <= index; i++)
        mwi_message_next(&cursor, &item);
    return item;
}

#endif
