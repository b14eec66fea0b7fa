/* SPDX-License-Identifier: Apache-2.0
 *
 * The links lie in an array of slots, and each rank has a list of its links. protocol.c and sends.c
 * call this; mpi.c looks up the peers of its calls.
 *
 * Invariants: a peer number is made of the slot and of the number of times that the slot was used,
 * so a link is found without a search and no peer number comes again. A slot is in the list of its
 * rank or in the list of free slots. Facts about one connection are fields of struct mwi_mpi_link.
 */
#include "links.h"

#include <stdlib.h>
#include <string.h>

#define SLOT_BITS 24
#define SLOTS_MAX (((size_t)1 << SLOT_BITS) - 1)

mw_error mwi_mpi_links_init(struct mwi_mpi_links *links, int ranks_count)
{
    *links = (struct mwi_mpi_links){0};
    links->first_of = calloc((size_t)ranks_count, sizeof *links->first_of);
    return links->first_of == NULL ? MW_ENOMEM : MW_OK;
}

void mwi_mpi_links_fini(struct mwi_mpi_links *links)
{
    free(links->slots);
    free(links->first_of);
    *links = (struct mwi_mpi_links){0};
}

static bool grow(struct mwi_mpi_links *links)
{
    size_t capacity = links->slots_capacity == 0 ? 8 : 2 * links->slots_capacity;
    struct mwi_mpi_link_entry *slots;
    if (capacity > SLOTS_MAX)
        return false;
    slots = realloc(links->slots, capacity * sizeof *slots);
    if (slots == NULL)
        return false;
    links->slots = slots;
    links->slots_capacity = capacity;
    return true;
}

/* Returns slot + 1, or 0 out of memory. */
static size_t take_slot(struct mwi_mpi_links *links)
{
    size_t slot = links->free_slot;
    if (slot != 0) {
        links->free_slot = links->slots[slot - 1].next;
        return slot;
    }
    if (links->slots_count == links->slots_capacity && !grow(links))
        return 0;
    links->slots[links->slots_count] = (struct mwi_mpi_link_entry){0};
    return ++links->slots_count;
}

struct mwi_mpi_link_entry *mwi_mpi_links_add(struct mwi_mpi_links *links, int rank, int number,
                                             bool is_ours)
{
    size_t slot = take_slot(links);
    struct mwi_mpi_link_entry *link;
    uint32_t uses_count;
    if (slot == 0)
        return NULL;
    link = &links->slots[slot - 1];
    uses_count = link->uses_count;
    *link = (struct mwi_mpi_link_entry){.peer = (mw_peer)uses_count << SLOT_BITS | slot,
                                        .rank = rank,
                                        .number = number,
                                        .is_ours = is_ours,
                                        .uses_count = uses_count + 1,
                                        .next = links->first_of[rank]};
    links->first_of[rank] = slot;
    return link;
}

void mwi_mpi_links_remove(struct mwi_mpi_links *links, struct mwi_mpi_link_entry *link)
{
    size_t slot = (size_t)(link - links->slots) + 1;
    size_t *place = &links->first_of[link->rank];
    while (*place != slot)
        place = &links->slots[*place - 1].next;
    *place = link->next;
    link->peer = 0;
    link->next = links->free_slot;
    links->free_slot = slot;
}

struct mwi_mpi_link_entry *mwi_mpi_links_of_peer(const struct mwi_mpi_links *links, mw_peer peer)
{
    size_t slot = (size_t)(peer & SLOTS_MAX);
    if (slot == 0 || slot > links->slots_count || links->slots[slot - 1].peer != peer)
        return NULL;
    return &links->slots[slot - 1];
}

struct mwi_mpi_link_entry *mwi_mpi_links_of_wire(const struct mwi_mpi_links *links, int rank,
                                                 int number, bool is_ours)
{
    for (size_t slot = links->first_of[rank]; slot != 0; slot = links->slots[slot - 1].next) {
        struct mwi_mpi_link_entry *link = &links->slots[slot - 1];
        if (link->number == number && link->is_ours == is_ours)
            return link;
    }
    return NULL;
}
