/* SPDX-License-Identifier: Apache-2.0
 *
 * A sorted array, searched around the place where the key should be. record/journal_open and
 * record/journal_compact fill it while they read a file. `where` of an entry has four parts:
 *
 *   bit 63  TAKEN     bits 61..16  offset of the record
 *   bit 62  ABSORBED  bits 15..0   number of the result in it
 *
 * Invariants: an entry is ABSORBED if a checkpoint has its result, and then it is TAKEN, too.
 * Results of one key follow each other, in the order of the file, and are taken in this order: so
 * those that were taken are the first.
 */
#include "record/journal_index.h"

#include <assert.h>
#include <stdlib.h>

#define PLACE_BITS 16
#define TAKEN (UINT64_C(1) << 63)
#define ABSORBED (UINT64_C(1) << 62)
#define CAPACITY_MIN 1024
/* Fewer are sorted by insertion. */
#define FEW 16
/* How often a guess of an entry's place is corrected, and how far off it may be then. */
#define CORRECTIONS 2
#define NEAR 8

void mwi_journal_index_fini(struct mwi_journal_index *index)
{
    free(index->entries);
    *index = (struct mwi_journal_index){0};
}

bool mwi_journal_index_add(struct mwi_journal_index *index, struct mwi_digest key, uint64_t offset,
                           size_t place)
{
    assert(offset < MWI_JOURNAL_OFFSET_MAX && place < MWI_JOURNAL_PLACE_MAX);
    if (index->count == index->capacity) {
        size_t capacity = index->capacity == 0 ? CAPACITY_MIN : index->capacity * 5 / 4;
        struct mwi_journal_entry *entries =
            realloc(index->entries, capacity * sizeof *index->entries);
        if (entries == NULL)
            return false;
        index->entries = entries;
        index->capacity = capacity;
    }
    index->entries[index->count++] =
        (struct mwi_journal_entry){key, offset << PLACE_BITS | (uint64_t)place};
    index->left_count++;
    return true;
}

static bool is_below(const struct mwi_journal_entry *one, const struct mwi_journal_entry *other)
{
    if (one->key.high != other->key.high)
        return one->key.high < other->key.high;
    if (one->key.low != other->key.low)
        return one->key.low < other->key.low;
    return one->where < other->where;
}

static void swap(struct mwi_journal_entry *one, struct mwi_journal_entry *other)
{
    struct mwi_journal_entry kept = *one;
    *one = *other;
    *other = kept;
}

static void sort_few(struct mwi_journal_entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && is_below(&entries[j], &entries[j - 1]); j--)
            swap(&entries[j], &entries[j - 1]);
}

/* Divides the entries at the middle one of three: returns how many are below the rest. */
static size_t divide(struct mwi_journal_entry *entries, size_t count)
{
    struct mwi_journal_entry *last = &entries[count - 1], *middle = &entries[count / 2];
    if (is_below(middle, entries))
        swap(middle, entries);
    if (is_below(last, middle))
        swap(last, middle);
    if (is_below(middle, entries))
        swap(middle, entries);
    struct mwi_journal_entry pivot = *middle;
    size_t low = 0, high = count - 1;
    for (;;) {
        while (is_below(&entries[low], &pivot))
            low++;
        while (is_below(&pivot, &entries[high]))
            high--;
        if (low >= high)
            return low;
        swap(&entries[low++], &entries[high--]);
    }
}

/* Quicksort, since it needs no more memory. The keys are digests, so no order of them is bad. */
static void sort(struct mwi_journal_entry *entries, size_t count)
{
    while (count > FEW) {
        size_t below = divide(entries, count);
        if (below < count - below) {
            sort(entries, below);
            entries += below;
            count -= below;
        } else {
            sort(entries + below, count - below);
            count = below;
        }
    }
    sort_few(entries, count);
}

void mwi_journal_index_sort(struct mwi_journal_index *index)
{
    sort(index->entries, index->count);
}

static bool is_same(struct mwi_digest one, struct mwi_digest other)
{
    return one.low == other.low && one.high == other.high;
}

static bool is_key_below(struct mwi_digest one, struct mwi_digest other)
{
    return one.high != other.high ? one.high < other.high : one.low < other.low;
}

static size_t clamp_place(const struct mwi_journal_index *index, double place)
{
    if (place <= 0)
        return 0;
    return place < (double)index->count ? (size_t)place : index->count - 1;
}

/* Keys are digests, and so lie evenly: about where this one is, corrected by what is there. A guess
 * and two corrections touch three entries, where bisection of 10^7 entries touches 24, most of them
 * not in the cache: all of that many results are handed out in little more than half the time. */
static size_t guess_place(const struct mwi_journal_index *index, struct mwi_digest key)
{
    if (index->count == 0)
        return 0;
    double per_key = (double)index->count / 0x1p64, high = (double)key.high;
    size_t guess = clamp_place(index, high * per_key);
    for (int i = 0; i < CORRECTIONS; i++)
        guess = clamp_place(index, (double)guess +
                                       (high - (double)index->entries[guess].key.high) * per_key);
    return guess;
}

/* The first entry whose key is not below this one. */
static size_t find(const struct mwi_journal_index *index, struct mwi_digest key)
{
    size_t begin = guess_place(index, key), end = begin;
    for (size_t step = NEAR; begin > 0 && !is_key_below(index->entries[begin - 1].key, key);
         step *= 2)
        begin = begin > step ? begin - step : 0;
    for (size_t step = NEAR; end < index->count && is_key_below(index->entries[end].key, key);
         step *= 2)
        end = index->count - end > step ? end + step : index->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (is_key_below(index->entries[middle].key, key))
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static bool is_taken_of(const struct mwi_journal_entry *entry, struct mwi_digest key)
{
    return (entry->where & TAKEN) != 0 && is_same(entry->key, key);
}

/* The first entry behind those of the key. */
static size_t find_end(const struct mwi_journal_index *index, struct mwi_digest key)
{
    key.low++;
    if (key.low == 0)
        key.high++;
    return key.low == 0 && key.high == 0 ? index->count : find(index, key);
}

bool mwi_journal_index_take(struct mwi_journal_index *index, struct mwi_digest key,
                            uint64_t *offset, size_t *place)
{
    size_t begin = find(index, key), last = begin, step = 1, end;
    /* Those that were taken are the first. */
    while (last < index->count && is_taken_of(&index->entries[last], key)) {
        begin = last + 1;
        last += step;
        step *= 2;
    }
    for (end = last < index->count ? last : index->count; begin < end;) {
        size_t middle = begin + (end - begin) / 2;
        if (is_taken_of(&index->entries[middle], key))
            begin = middle + 1;
        else
            end = middle;
    }
    if (begin == index->count || !is_same(index->entries[begin].key, key))
        return false;
    *offset = index->entries[begin].where >> PLACE_BITS;
    *place = (size_t)(index->entries[begin].where & (MWI_JOURNAL_PLACE_MAX - 1));
    index->entries[begin].where |= TAKEN;
    index->left_count--;
    return true;
}

bool mwi_journal_index_look(const struct mwi_journal_index *index, struct mwi_digest key,
                            size_t back, uint64_t *offset, size_t *place)
{
    size_t end = find_end(index, key);
    if (back >= end || !is_same(index->entries[end - 1 - back].key, key))
        return false;
    uint64_t where = index->entries[end - 1 - back].where & ~(TAKEN | ABSORBED);
    *offset = where >> PLACE_BITS;
    *place = (size_t)(where & (MWI_JOURNAL_PLACE_MAX - 1));
    return true;
}

/* Moves the results of one key that were taken before the others, which keep their order. */
static void put_taken_first(struct mwi_journal_entry *entries, size_t count)
{
    size_t left = count;
    for (size_t i = count; i-- > 0;)
        if ((entries[i].where & TAKEN) == 0)
            swap(&entries[i], &entries[--left]);
}

void mwi_journal_index_absorb(struct mwi_journal_index *index,
                              bool (*is_absorbed)(void *context, uint64_t offset), void *context)
{
    for (size_t begin = 0, end; begin < index->count; begin = end) {
        for (end = begin;
             end < index->count && is_same(index->entries[end].key, index->entries[begin].key);
             end++) {
            struct mwi_journal_entry *entry = &index->entries[end];
            assert((entry->where & TAKEN) == 0);
            if (!is_absorbed(context, entry->where >> PLACE_BITS))
                continue;
            entry->where |= TAKEN | ABSORBED;
            index->left_count--;
        }
        put_taken_first(&index->entries[begin], end - begin);
    }
}

void mwi_journal_index_settle(struct mwi_journal_index *index)
{
    for (size_t i = 0; i < index->count; i++)
        if ((index->entries[i].where & TAKEN) != 0)
            index->entries[i].where |= ABSORBED;
}

void mwi_journal_index_visit_taken(const struct mwi_journal_index *index,
                                   bool (*visit)(void *context, struct mwi_digest key),
                                   void *context)
{
    for (size_t i = 0; i < index->count; i++)
        if ((index->entries[i].where & (TAKEN | ABSORBED)) == TAKEN &&
            !visit(context, index->entries[i].key))
            return;
}

void mwi_journal_index_visit_left(const struct mwi_journal_index *index,
                                  bool (*visit)(void *context, uint64_t offset, size_t place),
                                  void *context)
{
    for (size_t i = 0; i < index->count; i++) {
        uint64_t where = index->entries[i].where;
        if ((where & TAKEN) == 0 &&
            !visit(context, where >> PLACE_BITS, (size_t)(where & (MWI_JOURNAL_PLACE_MAX - 1))))
            return;
    }
}
