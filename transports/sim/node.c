/* SPDX-License-Identifier: Apache-2.0
 *
 * Places by name in an open hash table that never forgets one.
 */
#include "node.h"

#include <stdlib.h>
#include <string.h>

#include "cut.h"

static uint64_t hash_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

static struct mwi_sim_node **find_slot(struct mwi_sim_node **slots, size_t slots_count,
                                       const char *name)
{
    size_t i = (size_t)hash_name(name) & (slots_count - 1);

    while (slots[i] != NULL && strcmp(slots[i]->name, name) != 0)
        i = (i + 1) & (slots_count - 1);
    return &slots[i];
}

/* Keeps at least half of the slots free. */
static bool make_room(struct mwi_sim_nodes *nodes)
{
    size_t slots_count = nodes->slots_count > 0 ? 2 * nodes->slots_count : 64;
    struct mwi_sim_node **slots;

    if (2 * (nodes->count + 1) <= nodes->slots_count)
        return true;
    slots = calloc(slots_count, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < nodes->slots_count; i++)
        if (nodes->slots[i] != NULL)
            *find_slot(slots, slots_count, nodes->slots[i]->name) = nodes->slots[i];
    free(nodes->slots);
    nodes->slots = slots;
    nodes->slots_count = slots_count;
    return true;
}

struct mwi_sim_node *mwi_sim_node_get(struct mwi_sim_nodes *nodes, const char *name)
{
    struct mwi_sim_node **slot, *node;
    size_t size = strlen(name) + 1;

    if (!make_room(nodes))
        return NULL;
    slot = find_slot(nodes->slots, nodes->slots_count, name);
    if (*slot != NULL)
        return *slot;
    node = calloc(1, sizeof *node + size);
    if (node == NULL)
        return NULL;
    memcpy(node->name, name, size);
    *slot = node;
    nodes->count++;
    return node;
}

void mwi_sim_nodes_fini(struct mwi_sim_nodes *nodes)
{
    for (size_t i = 0; i < nodes->slots_count; i++) {
        if (nodes->slots[i] != NULL)
            mwi_sim_cut_fini(nodes->slots[i]);
        free(nodes->slots[i]);
    }
    free(nodes->slots);
    *nodes = (struct mwi_sim_nodes){0};
}
