/* SPDX-License-Identifier: Apache-2.0
 *
 * Results that slaves have offered and that no task has needed yet. They are in the journal; here
 * they wait for a task of the same content that is submitted later in this run.
 */
#ifndef MWI_SPARES_H
#define MWI_SPARES_H

#include "base/block.h"
#include "base/map.h"
#include "wire/content.h"
#include "wire/message.h"

/* All zero at first. */
struct mwi_spares {
    struct mwi_map by_key; /* lists of them, by a part of their keys */
    size_t count;
    size_t payload_bytes;
};

void mwi_spares_fini(struct mwi_spares *spares);

/* Adds the result *item, which lies in the block, and a reference to the block. It is left out if
 * there are many already, or no memory: then only a later run can use it. */
void mwi_spares_add(struct mwi_spares *spares, struct mwi_digest key,
                    const struct mwi_message_item *item, struct mwi_block *block);

/* Takes a result of this key, with the reference; false if there is none. */
bool mwi_spares_take(struct mwi_spares *spares, struct mwi_digest key,
                     struct mwi_message_item *item, struct mwi_block **block);

#endif
