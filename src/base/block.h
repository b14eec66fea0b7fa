/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes that several point to: freed with the last of them. A received frame with its tasks or
 * results, so that what came in a group is handed out in place, with one allocation a group at
 * most; the arguments of a task and the messages that carry them.
 */
#ifndef MWI_BLOCK_H
#define MWI_BLOCK_H

#include <mw/transport.h>

struct mwi_block;

/* Keeps a frame beyond its event: takes its block if it has one, else copies the bytes. *data is
 * where they are from now on. One reference. NULL out of memory; the frame is then untouched. */
struct mwi_block *mwi_block_keep(mw_frame *frame, unsigned char **data);

/* Makes a block with a copy of the bytes; *copy is where they are. One reference. NULL out of
 * memory. */
struct mwi_block *mwi_block_copy(const void *data, size_t size, unsigned char **copy);

/* Makes a block of malloc'd bytes, which become its own. One reference. NULL out of memory; the
 * bytes are then still the caller's. */
struct mwi_block *mwi_block_own(void *data);

/* The bytes that mwi_block_own was given. */
void *mwi_block_data(const struct mwi_block *block);

void mwi_block_ref(struct mwi_block *block);

/* Bytes of the block as the end of a frame, with a reference of its own. */
mw_body mwi_block_body(struct mwi_block *block, const void *data, size_t size);

/* Drops a reference; NULL is legal. */
void mwi_block_unref(struct mwi_block *block);

#endif
