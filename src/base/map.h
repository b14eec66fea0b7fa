/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash map from numbers above 0 to pointers that are not NULL.
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
void mwi_map_fini(struct mwi_map *map);

/* Sets the pointer of a key, new or not; false out of memory. */
bool mwi_map_set(struct mwi_map *map, uint64_t key, void *value);

/* NULL if there is none. */
void *mwi_map_get(const struct mwi_map *map, uint64_t key);

/* Takes the key out and returns its pointer, NULL if there was none. */
void *mwi_map_remove(struct mwi_map *map, uint64_t key);

/* The first entry at or after slot *cursor, which is moved behind it; NULL at the end. Start with
 * 0; the map must not change meanwhile. The order is that of the hash. */
void *mwi_map_next(const struct mwi_map *map, size_t *cursor);

#endif
