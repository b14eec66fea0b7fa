/* SPDX-License-Identifier: Apache-2.0
 *
 * engine/slave_engine and engine/relay say when bytes are sent, and to whom. Invariant: bytes that
 * were sent are not written to any more, and whoever may read them holds a reference to their
 * block. So the outbox sees by the count of references whether the transport still has them.
 */
#include "engine/saved.h"

#include <assert.h>

#include "wire/message.h"

void mwi_saved_forget(struct mwi_saved *saved)
{
    mwi_block_unref(saved->block);
    saved->block = NULL;
}

void mwi_saved_send(const struct mwi_saved *saved, struct mwi_effects *effects, mw_peer peer,
                    uint64_t task_id)
{
    struct mwi_buffer buffer;
    size_t size = 0;
    assert(saved->block != NULL);
    mw_body body = mwi_block_body(saved->block, saved->data, saved->size);
    mwi_buffer_init(&buffer);
    mwi_message_begin_save(&buffer, task_id);
    void *frame = mwi_buffer_take(&buffer, &size);
    mwi_buffer_fini(&buffer);
    mwi_effects_send_body(effects, peer, frame, size, &body);
}

void mwi_saved_outbox_fini(struct mwi_saved_outbox *outbox)
{
    mwi_saved_forget(&outbox->unsent);
    mwi_block_unref(outbox->sent);
    outbox->sent = NULL;
}

void mwi_saved_outbox_put(struct mwi_saved_outbox *outbox, const struct mwi_saved *saved)
{
    assert(saved->block != NULL);
    mwi_saved_forget(&outbox->unsent);
    outbox->unsent = *saved;
}

bool mwi_saved_outbox_has_unsent(const struct mwi_saved_outbox *outbox)
{
    return outbox->unsent.block != NULL;
}

void mwi_saved_outbox_clear(struct mwi_saved_outbox *outbox)
{
    mwi_saved_forget(&outbox->unsent);
}

bool mwi_saved_outbox_is_sending(struct mwi_saved_outbox *outbox)
{
    if (outbox->sent == NULL)
        return false;
    if (mwi_block_is_shared(outbox->sent))
        return true;
    mwi_block_unref(outbox->sent);
    outbox->sent = NULL;
    return false;
}

void mwi_saved_outbox_send(struct mwi_saved_outbox *outbox, struct mwi_effects *effects,
                           mw_peer peer, uint64_t task_id)
{
    mwi_saved_send(&outbox->unsent, effects, peer, task_id);
    mwi_block_unref(outbox->sent);
    outbox->sent = outbox->unsent.block;
    outbox->unsent.block = NULL;
}
