/* SPDX-License-Identifier: Apache-2.0
 *
 * Places by name in an open hash table. world.c enters the hosts, net.c looks up whom to connect
 * to, cut.c keeps its lists here.
 *
 * Invariant: a node is never moved or removed before the world ends, because connections and cuts
 * point to it. A fact that outlives the hosts of a place is a field of struct mwi_sim_node.
 */
#include "node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SLOTS_MIN 64

/* Folded so that the lower bits depend on all of the name. */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = mwi_hash_bytes(MWI_HASH_EMPTY, name, strlen(name));
    return hash ^ hash >> 32;
}

/* The slot that has the name, or the free one where it belongs. */
static struct mwi_sim_node **find_slot(struct mwi_sim_node **slots, size_t slots_count,
                                       const char *name)
{
    size_t i = (size_t)hash_name(name) & (slots_count - 1);
    while (slots[i] != NULL && strcmp(slots[i]->name, name) != 0)
        i = (i + 1) & (slots_count - 1);
    return &slots[i];
}

/* Keeps at least half of the slots free. */
static bool make_room(struct mwi_sim_node_table *table)
{
    if (2 * (table->nodes_count + 1) <= table->slots_count)
        return true;
    size_t slots_count = table->slots_count > 0 ? 2 * table->slots_count : SLOTS_MIN;
    struct mwi_sim_node **slots = calloc(slots_count, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < table->slots_count; i++)
        if (table->slots[i] != NULL)
            *find_slot(slots, slots_count, table->slots[i]->name) = table->slots[i];
    free(table->slots);
    table->slots = slots;
    table->slots_count = slots_count;
    return true;
}

struct mwi_sim_node *mwi_sim_node_get(struct mwi_sim_node_table *table, const char *name)
{
    if (!make_room(table))
        return NULL;
    struct mwi_sim_node **slot = find_slot(table->slots, table->slots_count, name);
    if (*slot != NULL)
        return *slot;
    size_t size = strlen(name) + 1;
    struct mwi_sim_node *node = calloc(1, sizeof *node + size);
    if (node == NULL)
        return NULL;
    mwi_list_init(&node->ends);
    memcpy(node->name, name, size);
    *slot = node;
    table->nodes_count++;
    return node;
}

void mwi_sim_node_fini(struct mwi_sim_node_table *table)
{
    for (size_t i = 0; i < table->slots_count; i++) {
        assert(table->slots[i] == NULL || table->slots[i]->cuts == NULL);
        free(table->slots[i]);
    }
    free(table->slots);
    *table = (struct mwi_sim_node_table){0};
}
