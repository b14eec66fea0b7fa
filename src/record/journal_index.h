/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the results of earlier runs lie in a journal, by the keys of their tasks. First all results
 * are added, then they are sorted, then they are taken. A result takes 24 bytes, and up to 30 with
 * the array's spare room. Where realloc copies the array when it grows, old and new together take
 * up to 54 for a moment; glibc on Linux moves the pages of a large array (mremap), and copies
 * nothing.
 */
#ifndef MWI_JOURNAL_INDEX_H
#define MWI_JOURNAL_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

/* Offsets in a file, and numbers of results in a record, must be below these. */
#define MWI_JOURNAL_OFFSET_MAX (UINT64_C(1) << 46)
#define MWI_JOURNAL_PLACE_MAX (UINT64_C(1) << 16)

struct mwi_journal_entry {
    struct mwi_digest key;
    uint64_t where; /* see journal_index.c */
};

/* All zero at first. */
struct mwi_journal_index {
    struct mwi_journal_entry *entries;
    size_t count, capacity;
    size_t left_count; /* not taken yet */
};

void mwi_journal_index_fini(struct mwi_journal_index *index);

/* Adds the result number `place` of the record at `offset`; false out of memory. */
bool mwi_journal_index_add(struct mwi_journal_index *index, struct mwi_digest key, uint64_t offset,
                           size_t place);

/* All results were added. */
void mwi_journal_index_sort(struct mwi_journal_index *index);

/* Takes the first result of the key, in the order of the file, that was not taken yet; false if
 * there is none. */
bool mwi_journal_index_take(struct mwi_journal_index *index, struct mwi_digest key,
                            uint64_t *offset, size_t *place);

/* The last result of the key, or that which is `back` places before it, taken or not; false if the
 * key has fewer. */
bool mwi_journal_index_look(const struct mwi_journal_index *index, struct mwi_digest key,
                            size_t back, uint64_t *offset, size_t *place);

/* The results of all records for which `is_absorbed` says so can be taken no more. To be called
 * before any result was taken. */
void mwi_journal_index_absorb(struct mwi_journal_index *index,
                              bool (*is_absorbed)(void *context, uint64_t offset), void *context);

/* The results that were taken until now are absorbed, too. */
void mwi_journal_index_settle(struct mwi_journal_index *index);

/* Calls `visit` with the key of each result that was taken since then, until it returns false. */
void mwi_journal_index_visit_taken(const struct mwi_journal_index *index,
                                   bool (*visit)(void *context, struct mwi_digest key),
                                   void *context);

/* Calls `visit` with each result that can still be taken, until it returns false. */
void mwi_journal_index_visit_left(const struct mwi_journal_index *index,
                                  bool (*visit)(void *context, uint64_t offset, size_t place),
                                  void *context);

#endif
