/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of results that were not handed out yet, in order of arrival. A result points into the
 * frame that brought it, and holds a reference to that frame's block.
 */
#ifndef MWI_FINISHED_H
#define MWI_FINISHED_H

#include "base/block.h"
#include "farm/tasks.h"
#include "wire/message.h"

struct mwi_finished {
    uint64_t task;
    struct mwi_block *block;
    struct mwi_payload payload;
    union {
        int64_t tag;
        struct mwi_tag *tag_bytes; /* malloc'd; goes with the item */
    };
    uint64_t duration_ns;
    uint32_t sid;
    uint16_t algorithm;
    bool is_failed; /* the payload is the message's text */
    bool has_tag_bytes;
};

struct mwi_finished_queue {
    struct mwi_finished *ring;
    size_t capacity; /* a power of two, or 0 */
    size_t first;
    size_t count;
};

void mwi_finished_init(struct mwi_finished_queue *queue);
void mwi_finished_fini(struct mwi_finished_queue *queue);

/* Takes the item's reference and tag, unless out of memory: false. */
bool mwi_finished_push(struct mwi_finished_queue *queue, const struct mwi_finished *item);

/* Gives the reference and the tag with the item; false if there is none. */
bool mwi_finished_pop(struct mwi_finished_queue *queue, struct mwi_finished *item);

#endif
