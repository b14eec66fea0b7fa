/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that several owners share, with a count of references; the last owner frees them. The tasks
 * or results of a received frame share the frame, so a group of them is handed out in place, with
 * at most one allocation for the group. A large task and the messages that carry it share its
 * arguments.
 *
 * A block belongs to one thread. Code that keeps a pointer into a block holds a reference to the
 * block.
 */
#ifndef MWI_BLOCK_H
#define MWI_BLOCK_H

#include <mw/transport.h>

struct mwi_block;

/* Keeps a frame beyond its event: takes the frame's block if it has one, else copies the bytes.
 * Sets *data to the bytes in the block. The caller gets the one reference. NULL out of memory; the
 * frame is then unchanged. */
struct mwi_block *mwi_block_keep(mw_frame *frame, unsigned char **data);

/* Makes a block of `size` bytes, which the caller writes to *bytes. The caller gets the one
 * reference. NULL out of memory. */
struct mwi_block *mwi_block_make(size_t size, unsigned char **bytes);

/* Makes a block with a copy of `size` bytes and sets *copy to them. `data` may be NULL if `size` is
 * 0. The caller gets the one reference. NULL out of memory. */
struct mwi_block *mwi_block_copy(const void *data, size_t size, unsigned char **copy);

/* Makes a block that takes the malloc'd bytes. The caller gets the one reference. NULL out of
 * memory; the bytes then still belong to the caller. */
struct mwi_block *mwi_block_own(void *data);

/* The bytes that the block took, borrowed as long as the block; NULL if it has bytes of its own. */
void *mwi_block_data(const struct mwi_block *block);

/* Whether somebody else has a reference, too. */
bool mwi_block_is_shared(const struct mwi_block *block);

/* Adds a reference. */
void mwi_block_ref(struct mwi_block *block);

/* A body of a frame that sends `size` bytes of the block. Its release drops a reference that this
 * function adds. */
mw_body mwi_block_body(struct mwi_block *block, const void *data, size_t size);

/* Drops a reference, and frees the block with the last one. NULL is legal. */
void mwi_block_unref(struct mwi_block *block);

#endif
