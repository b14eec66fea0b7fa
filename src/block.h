/* SPDX-License-Identifier: Apache-2.0
 *
 * A received frame that several tasks or results point into: freed with the last of them, so that
 * what came in a group is handed out in place, with one allocation a group at most.
 */
#ifndef MWI_BLOCK_H
#define MWI_BLOCK_H

#include <mw/transport.h>

struct mwi_block;

/* Keeps a frame beyond its event: takes its block if it has one, else copies the bytes. *data is
 * where they are from now on. One reference. NULL out of memory; the frame is then untouched. */
struct mwi_block *mwi_block_keep(mw_frame *frame, unsigned char **data);

void mwi_block_ref(struct mwi_block *block);

/* Drops a reference; NULL is legal. */
void mwi_block_unref(struct mwi_block *block);

#endif
