/* SPDX-License-Identifier: Apache-2.0
 *
 * A set of numbers, kept as ranges of numbers that follow each other: ten million tasks that were
 * submitted in a row take 16 bytes. Numbers are added in ascending order.
 */
#ifndef MWI_RANGES_H
#define MWI_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mwi_ranges_item {
    uint64_t first, last;
};

/* All zero at first. */
struct mwi_ranges {
    struct mwi_ranges_item *items;
    size_t count, capacity;
};

void mwi_ranges_fini(struct mwi_ranges *ranges);

/* Adds a number above all that are in the set. False out of memory; the set is then as before. */
bool mwi_ranges_append(struct mwi_ranges *ranges, uint64_t number);

/* Whether the set has the number. *cursor is a place in the set, 0 at first: asking for numbers in
 * ascending order with one cursor costs one pass. */
bool mwi_ranges_have(const struct mwi_ranges *ranges, uint64_t number, size_t *cursor);

/* Sets *number to the least number of the set that is not below *number; false if there is none.
 * *cursor is as above. */
bool mwi_ranges_next(const struct mwi_ranges *ranges, uint64_t *number, size_t *cursor);

#endif
