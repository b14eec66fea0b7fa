/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash map from numbers above 0 to pointers that are not NULL. The map borrows the pointers: it
 * never follows or frees them.
 */
#ifndef MWI_MAP_H
#define MWI_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mwi_map {
    struct mwi_map_slot *slots;
    size_t slots_count; /* a power of two, or 0 */
    size_t used_count;
};

void mwi_map_init(struct mwi_map *map);

/* Frees the slots. The map is then empty, and may be used again. */
void mwi_map_fini(struct mwi_map *map);

/* Sets the pointer of a key, which may be in the map already. False out of memory; the map is then
 * as before. */
bool mwi_map_set(struct mwi_map *map, uint64_t key, void *value);

/* The pointer of a key; NULL if the key is not in the map, or is 0. */
void *mwi_map_get(const struct mwi_map *map, uint64_t key);

/* Removes a key and returns its pointer; NULL if the key was not in the map, or is 0. */
void *mwi_map_remove(struct mwi_map *map, uint64_t key);

/* Walks over the map: returns the next pointer and moves *cursor on; NULL at the end. Start with a
 * cursor of 0, and change nothing until the end. The order is that of the slots. */
void *mwi_map_next(const struct mwi_map *map, size_t *cursor);

#endif
