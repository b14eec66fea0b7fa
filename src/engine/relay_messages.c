/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes messages for engine/relay. A message of tasks is written anew from the columns of the one
 * that the master sent, since some of its tasks may have been returned by an earlier child.
 * Invariant: a payload of MWI_MESSAGE_LARGE_BYTES or more that is alone is not copied.
 */
#include "engine/relay_messages.h"

#include <stdlib.h>
#include <string.h>

/* Sends the bytes of the buffer, whose memory becomes the frame. */
static void send_buffer(struct mwi_effects *effects, mw_peer peer, struct mwi_buffer *buffer,
                        const mw_body *body)
{
    size_t size = 0;
    void *frame = mwi_buffer_take(buffer, &size);
    mwi_buffer_fini(buffer);
    mwi_effects_send_body(effects, peer, frame, size, body);
}

void mwi_relay_messages_send_bare(struct mwi_effects *effects, mw_peer peer,
                                  enum mwi_message_kind kind)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, kind);
    send_buffer(effects, peer, &buffer, NULL);
}

/* Sets the items to the tasks of the message that were not returned. */
static void read_items(const struct mwi_task_queue_message *message, struct mwi_message_item *items,
                       size_t count)
{
    size_t offset = message->offset;
    for (size_t i = 0; i < count; i++) {
        items[i] = mwi_message_item_at(&message->group, message->index + i, offset);
        offset += items[i].size;
        if (message->is_timed)
            items[i].form |= MWI_PAYLOAD_TIMED;
    }
}

void mwi_relay_messages_send_tasks(struct mwi_effects *effects, mw_peer peer,
                                   const struct mwi_task_queue_message *message)
{
    const struct mwi_message_group *group = &message->group;
    size_t count = group->count - message->index;
    size_t bytes = group->payload_bytes - message->offset;
    const unsigned char *payloads = group->payloads + message->offset;
    struct mwi_message_item *items = malloc(count * sizeof *items);
    struct mwi_buffer buffer;
    if (items == NULL) {
        mwi_effects_fail(effects, MW_ENOMEM);
        return;
    }
    read_items(message, items, count);
    if (message->saved.block != NULL)
        mwi_saved_send(&message->saved, effects, peer, items[0].id);
    mwi_buffer_init(&buffer);
    mwi_message_begin_group(&buffer, MWI_MESSAGE_TASKS, items, count);
    free(items);
    if (count == 1 && bytes >= MWI_MESSAGE_LARGE_BYTES) {
        mw_body body = mwi_block_body(message->block, payloads, bytes);
        send_buffer(effects, peer, &buffer, &body);
        return;
    }
    mwi_buffer_append(&buffer, payloads, bytes);
    send_buffer(effects, peer, &buffer, NULL);
}

void mwi_relay_messages_send_copy(struct mwi_effects *effects, mw_peer peer,
                                  const struct mwi_buffer *frame)
{
    void *copy = malloc(frame->size);
    if (copy != NULL)
        memcpy(copy, frame->data, frame->size);
    mwi_effects_send(effects, peer, copy, frame->size);
}

void mwi_relay_messages_send_leaving(struct mwi_effects *effects, mw_peer peer)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_reason(&buffer, MWI_MESSAGE_LEAVING, "a signal asked it to end");
    send_buffer(effects, peer, &buffer, NULL);
}
