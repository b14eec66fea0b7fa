/* SPDX-License-Identifier: Apache-2.0
 *
 * A block either has bytes of its own behind its struct, or owns the bytes in `taken`. The count of
 * references is above 0 until the block is freed, and is not atomic, since a block belongs to one
 * thread. Used wherever a payload outlives a call: tasks, results, and messages under way.
 * `release` gives back bytes that are not malloc'd; mwi_block_keep takes it from the frame.
 */
#include "base/block.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct mwi_block {
    size_t refs_count;
    void *taken;
    void (*release)(void *taken); /* NULL: free() */
    _Alignas(max_align_t) unsigned char bytes[];
};

struct mwi_block *mwi_block_make(size_t size, unsigned char **bytes)
{
    struct mwi_block *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->refs_count = 1;
    block->taken = NULL;
    block->release = NULL;
    *bytes = block->bytes;
    return block;
}

struct mwi_block *mwi_block_copy(const void *data, size_t size, unsigned char **copy)
{
    struct mwi_block *block = mwi_block_make(size, copy);
    if (block != NULL && size > 0)
        memcpy(*copy, data, size);
    return block;
}

struct mwi_block *mwi_block_keep(mw_frame *frame, unsigned char **data)
{
    if (frame->block == NULL)
        return mwi_block_copy(frame->data, frame->size, data);
    struct mwi_block *block = mwi_block_own(frame->block);
    if (block == NULL)
        return NULL;
    block->release = frame->release;
    *data = frame->data;
    frame->block = NULL;
    return block;
}

struct mwi_block *mwi_block_own(void *data)
{
    struct mwi_block *block = malloc(sizeof *block);
    if (block != NULL)
        *block = (struct mwi_block){.refs_count = 1, .taken = data};
    return block;
}

void *mwi_block_data(const struct mwi_block *block)
{
    return block->taken;
}

bool mwi_block_is_shared(const struct mwi_block *block)
{
    return block->refs_count > 1;
}

void mwi_block_ref(struct mwi_block *block)
{
    assert(block->refs_count > 0);
    block->refs_count++;
}

void mwi_block_unref(struct mwi_block *block)
{
    if (block == NULL)
        return;
    assert(block->refs_count > 0);
    if (--block->refs_count > 0)
        return;
    if (block->release != NULL)
        block->release(block->taken);
    else
        free(block->taken);
    free(block);
}

static void release(void *block)
{
    mwi_block_unref(block);
}

mw_body mwi_block_body(struct mwi_block *block, const void *data, size_t size)
{
    mwi_block_ref(block);
    return (mw_body){.data = data, .size = size, .release = release, .owner = block};
}
