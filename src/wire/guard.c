/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks over the headers of msgpack values without recursion and without memory. A container may
 * claim at most as many elements as bytes are left, because each element takes one byte at least. A
 * small stack holds, for each open container, the number of elements that are still to come.
 *
 * Invariant: msgpack-c never reads bytes that were not checked here. message.c and values.c check
 * what peers sent; results.c and master_submit.c check values that users packed themselves. A new
 * place that gives bytes to msgpack-c calls mwi_guard_check first.
 */
#include "wire/guard.h"

#include <assert.h>

struct header {
    uint64_t skip;     /* bytes to skip: the header itself and data that holds no elements */
    uint64_t children; /* elements that follow */
};

static uint64_t read_number(const unsigned char *from, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | from[i];
    return number;
}

/* The types 0xc0 to 0xdf, by their low five bits. */
static const struct {
    unsigned char length_bytes; /* of the length field; 0: the size is fixed */
    unsigned char fixed;        /* bytes that follow, besides as many as the length says */
    unsigned char is_container; /* 1: array, 2: map */
} types[32] = {
    [0x04] = {1, 0, 0},  [0x05] = {2, 0, 0}, [0x06] = {4, 0, 0},                     /* bin */
    [0x07] = {1, 1, 0},  [0x08] = {2, 1, 0}, [0x09] = {4, 1, 0},                     /* ext */
    [0x0a] = {0, 4, 0},  [0x0b] = {0, 8, 0},                                         /* float */
    [0x0c] = {0, 1, 0},  [0x0d] = {0, 2, 0}, [0x0e] = {0, 4, 0}, [0x0f] = {0, 8, 0}, /* unsigned */
    [0x10] = {0, 1, 0},  [0x11] = {0, 2, 0}, [0x12] = {0, 4, 0}, [0x13] = {0, 8, 0}, /* signed */
    [0x14] = {0, 2, 0},  [0x15] = {0, 3, 0}, [0x16] = {0, 5, 0}, [0x17] = {0, 9, 0}, /* fixext */
    [0x18] = {0, 17, 0}, [0x19] = {1, 0, 0}, [0x1a] = {2, 0, 0}, [0x1b] = {4, 0, 0}, /* str */
    [0x1c] = {2, 0, 1},  [0x1d] = {4, 0, 1},                                         /* array */
    [0x1e] = {2, 0, 2},  [0x1f] = {4, 0, 2},                                         /* map */
};

/* Reads the header at `at`, where `left` >= 1 bytes are. False if it is cut off or no type. */
static bool read_header(const unsigned char *at, size_t left, struct header *header)
{
    unsigned first = at[0];
    *header = (struct header){.skip = 1};
    if (first < 0x80 || first >= 0xe0)
        return true;
    if (first < 0x90)
        header->children = (first & 0x0f) * 2;
    else if (first < 0xa0)
        header->children = first & 0x0f;
    else if (first < 0xc0)
        header->skip = 1 + (first & 0x1f);
    if (first < 0xc0)
        return true;
    if (first == 0xc1)
        return false;
    unsigned type = first & 0x1f;
    size_t length_bytes = types[type].length_bytes;
    if (left < 1 + length_bytes)
        return false;
    uint64_t length = read_number(at + 1, length_bytes);
    header->skip = 1 + length_bytes + types[type].fixed;
    if (types[type].is_container != 0)
        header->children = length * types[type].is_container;
    else
        header->skip += length;
    return true;
}

/* The size of the value at `at` if its first byte tells it: the value holds no others, and has a
 * fixed or a short length. Otherwise 0. Most values are of this kind, and every task pays for
 * some. */
static inline size_t quick_bytes(const unsigned char *at)
{
    unsigned first = at[0];
    if (first < 0x80 || first >= 0xe0)
        return 1;
    if (first < 0xa0 || first == 0xc1)
        return 0;
    if (first < 0xc0)
        return 1 + (first & 0x1f);
    unsigned type = first & 0x1f;
    bool is_fixed = types[type].length_bytes == 0 && types[type].is_container == 0;
    return is_fixed ? 1u + types[type].fixed : 0;
}

enum verdict { WHOLE, BROKEN, TOO_DEEP };

/* Walks over up to `values_max` values, nested up to `depth_max` deep. If they are WHOLE, sets
 * *values_count and *left_bytes, the number of bytes behind them. */
static enum verdict walk(const void *data, size_t size, size_t values_max, size_t depth_max,
                         size_t *values_count, size_t *left_bytes)
{
    const unsigned char *at = data;
    size_t left = size, count = 0, depth = 0;
    size_t remaining[MWI_GUARD_DEPTH_MAX];
    assert(depth_max <= MWI_GUARD_DEPTH_MAX);
    while (left > 0 && (depth > 0 || count < values_max)) {
        struct header header = {.skip = quick_bytes(at)};
        if ((header.skip == 0 && !read_header(at, left, &header)) || header.skip > left ||
            header.children > left - header.skip)
            return BROKEN;
        at += (size_t)header.skip;
        left -= (size_t)header.skip;
        if (depth == 0)
            count++;
        if (header.children > 0) {
            if (depth == depth_max)
                return TOO_DEEP;
            remaining[depth++] = (size_t)header.children;
            continue;
        }
        while (depth > 0 && --remaining[depth - 1] == 0)
            depth--;
    }
    if (depth > 0)
        return BROKEN;
    *values_count = count;
    *left_bytes = left;
    return WHOLE;
}

bool mwi_guard_check(const void *data, size_t size, size_t *values_count)
{
    size_t count, left;
    return walk(data, size, SIZE_MAX, MWI_GUARD_DEPTH_MAX,
                values_count != NULL ? values_count : &count, &left) == WHOLE;
}

bool mwi_guard_is_too_deep(const void *data, size_t size)
{
    size_t count, left;
    return walk(data, size, SIZE_MAX, MWI_GUARD_DEPTH_MAX, &count, &left) == TOO_DEEP;
}

bool mwi_guard_first(const void *data, size_t size, size_t depth_max, size_t *first_bytes)
{
    size_t count, left;
    if (walk(data, size, 1, depth_max, &count, &left) != WHOLE || count != 1)
        return false;
    *first_bytes = size - left;
    return true;
}
