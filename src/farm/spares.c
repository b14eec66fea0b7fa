/* SPDX-License-Identifier: Apache-2.0
 *
 * A map of short lists. engine/offers adds results, engine/journaling takes them.
 *
 * Invariant: the payloads have at most BYTES_MAX together, so that a farm whose tasks have changed
 * does not keep for ever what nobody will ask for.
 */
#include "farm/spares.h"

#include <assert.h>
#include <stdlib.h>

#define BYTES_MAX ((size_t)64 << 20)
#define COUNT_MAX ((size_t)1 << 18)

struct spare {
    struct mwi_digest key;
    struct mwi_message_item item;
    struct mwi_block *block;
    struct spare *next; /* of the same part of a key */
};

static uint64_t part_of(struct mwi_digest key)
{
    return key.low | 1;
}

static void free_spare(struct spare *spare)
{
    mwi_block_unref(spare->block);
    free(spare);
}

void mwi_spares_fini(struct mwi_spares *spares)
{
    size_t cursor = 0;
    for (struct spare *first; (first = mwi_map_next(&spares->by_key, &cursor)) != NULL;)
        for (struct spare *next; first != NULL; first = next) {
            next = first->next;
            free_spare(first);
        }
    mwi_map_fini(&spares->by_key);
    *spares = (struct mwi_spares){0};
}

void mwi_spares_add(struct mwi_spares *spares, struct mwi_digest key,
                    const struct mwi_message_item *item, struct mwi_block *block)
{
    if (spares->count == COUNT_MAX || spares->payload_bytes + item->size > BYTES_MAX)
        return;
    struct spare *spare = malloc(sizeof *spare);
    if (spare == NULL)
        return;
    *spare = (struct spare){.key = key,
                            .item = *item,
                            .block = block,
                            .next = mwi_map_get(&spares->by_key, part_of(key))};
    if (!mwi_map_set(&spares->by_key, part_of(key), spare)) {
        free(spare);
        return;
    }
    mwi_block_ref(block);
    spares->count++;
    spares->payload_bytes += item->size;
}

/* Takes the spare out of the list, in which `before` is before it, or NULL. */
static void unlink_spare(struct mwi_spares *spares, struct spare *spare, struct spare *before)
{
    if (before != NULL)
        before->next = spare->next;
    else if (spare->next != NULL)
        (void)mwi_map_set(&spares->by_key, part_of(spare->key), spare->next);
    else
        (void)mwi_map_remove(&spares->by_key, part_of(spare->key));
}

bool mwi_spares_take(struct mwi_spares *spares, struct mwi_digest key,
                     struct mwi_message_item *item, struct mwi_block **block)
{
    struct spare *spare = mwi_map_get(&spares->by_key, part_of(key)), *before = NULL;
    for (; spare != NULL && !mwi_content_is_same(spare->key, key); spare = spare->next)
        before = spare;
    if (spare == NULL)
        return false;
    unlink_spare(spares, spare, before);
    assert(spares->count > 0 && spares->payload_bytes >= spare->item.size);
    spares->count--;
    spares->payload_bytes -= spare->item.size;
    *item = spare->item;
    *block = spare->block;
    free(spare);
    return true;
}
