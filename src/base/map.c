/* SPDX-License-Identifier: Apache-2.0
 *
 * Open addressing with linear probing: an entry lies in the slot that its key hashes to, or in the
 * first free slot behind it. The stores of tasks, slaves, hosts and policies find their entries
 * with maps, and the tcp transport its peers.
 *
 * Invariants: key 0 marks a free slot; at most half of the slots are used, so a search meets a free
 * slot soon. A removal moves later entries of the run back, so no slot has to be marked as deleted.
 * The hash is the multiplication by 2^64 divided by the golden ratio (Knuth, The Art of Computer
 * Programming 3, 6.4), which spreads keys that count up evenly.
 */
#include "base/map.h"

#include <assert.h>
#include <stdlib.h>

struct mwi_map_slot {
    uint64_t key;
    void *value;
};

static size_t home_slot(const struct mwi_map *map, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (map->slots_count - 1);
}

static size_t find_slot(const struct mwi_map *map, uint64_t key)
{
    size_t i = home_slot(map, key);
    while (map->slots[i].key != 0 && map->slots[i].key != key)
        i = (i + 1) & (map->slots_count - 1);
    return i;
}

static bool grow(struct mwi_map *map)
{
    struct mwi_map larger = {.slots_count = map->slots_count == 0 ? 16 : map->slots_count * 2,
                             .used_count = map->used_count};
    larger.slots = calloc(larger.slots_count, sizeof *larger.slots);
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < map->slots_count; i++)
        if (map->slots[i].key != 0)
            larger.slots[find_slot(&larger, map->slots[i].key)] = map->slots[i];
    free(map->slots);
    *map = larger;
    return true;
}

void mwi_map_init(struct mwi_map *map)
{
    *map = (struct mwi_map){0};
}

void mwi_map_fini(struct mwi_map *map)
{
    free(map->slots);
    mwi_map_init(map);
}

bool mwi_map_set(struct mwi_map *map, uint64_t key, void *value)
{
    assert(key != 0 && value != NULL);
    if ((map->used_count + 1) * 2 > map->slots_count && !grow(map))
        return false;
    struct mwi_map_slot *slot = &map->slots[find_slot(map, key)];
    if (slot->key == 0)
        map->used_count++;
    slot->key = key;
    slot->value = value;
    return true;
}

void *mwi_map_get(const struct mwi_map *map, uint64_t key)
{
    if (map->used_count == 0 || key == 0)
        return NULL;
    return map->slots[find_slot(map, key)].value;
}

void *mwi_map_remove(struct mwi_map *map, uint64_t key)
{
    if (map->used_count == 0 || key == 0)
        return NULL;
    size_t hole = find_slot(map, key);
    void *value = map->slots[hole].value;
    if (value == NULL)
        return NULL;
    size_t mask = map->slots_count - 1;
    for (size_t i = (hole + 1) & mask; map->slots[i].key != 0; i = (i + 1) & mask) {
        size_t home = home_slot(map, map->slots[i].key);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (struct mwi_map_slot){0};
    map->used_count--;
    return value;
}

void *mwi_map_next(const struct mwi_map *map, size_t *cursor)
{
    while (*cursor < map->slots_count) {
        void *value = map->slots[(*cursor)++].value;
        if (value != NULL)
            return value;
    }
    return NULL;
}
