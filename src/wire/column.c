/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads and writes the columns of a message, and the few forms of msgpack around them, by hand.
 * wire/message reads and writes heads by this, value_quick single numbers. The engines read numbers
 * of a column with mwi_column_at.
 *
 * Invariants: the bytes come from strangers, so nothing is read beyond source->end, and a claim of
 * a length is compared with the bytes that are left before it is believed. Reading takes no memory.
 * The format is msgpack's specification, https://github.com/msgpack/msgpack/blob/master/spec.md.
 */
#include "wire/column.h"

#include <assert.h>

/* The first bytes of msgpack's types; the longer forms of UINT8 and BIN8 follow them. */
#define FIXARRAY 0x90
#define FIXARRAY_MAX 0x9f
#define UINT8 0xcc
#define BIN8 0xc4
#define BIN32 0xc6
#define ARRAY16 0xdc
#define ARRAY32 0xdd

static size_t bytes_left(const struct mwi_column_source *source)
{
    return (size_t)(source->end - source->at);
}

/* Reads a number of `width` bytes behind a first byte; false if they are not all there. */
static inline bool read_behind(struct mwi_column_source *source, uint8_t width, uint64_t *number)
{
    struct mwi_column_source behind = {source->at + 1, source->end};
    if (!mwi_column_read_cell(&behind, width, number))
        return false;
    *source = behind;
    return true;
}

bool mwi_column_read_long_number(struct mwi_column_source *source, uint64_t *number)
{
    if (bytes_left(source) == 0 || *source->at < UINT8 || *source->at > UINT8 + 3)
        return false;
    return read_behind(source, (uint8_t)(1 << (*source->at - UINT8)), number);
}

bool mwi_column_read_array(struct mwi_column_source *source, size_t *count)
{
    uint64_t claimed;
    if (bytes_left(source) == 0)
        return false;
    unsigned char first = *source->at;
    if (first >= FIXARRAY && first <= FIXARRAY_MAX) {
        *count = first - FIXARRAY;
        source->at++;
        return true;
    }
    if (first != ARRAY16 && first != ARRAY32)
        return false;
    if (!read_behind(source, first == ARRAY16 ? 2 : 4, &claimed))
        return false;
    *count = (size_t)claimed;
    return true;
}

bool mwi_column_read_bin(struct mwi_column_source *source, const unsigned char **data, size_t *size)
{
    struct mwi_column_source ahead = *source;
    uint64_t claimed;
    if (bytes_left(source) == 0 || *source->at < BIN8 || *source->at > BIN32)
        return false;
    if (!read_behind(&ahead, (uint8_t)(1 << (*source->at - BIN8)), &claimed) ||
        claimed > bytes_left(&ahead))
        return false;
    *data = ahead.at;
    *size = (size_t)claimed;
    source->at = ahead.at + claimed;
    return true;
}

/* Reads a column that is a bin. */
static bool read_cells(struct mwi_column_source *source, size_t count, struct mwi_column *column)
{
    struct mwi_column_source ahead = *source;
    size_t size;
    if (!mwi_column_read_bin(&ahead, &column->data, &size) || size % count != 0)
        return false;
    size_t width = size / count;
    if (width != 1 && width != 2 && width != 4 && width != 8)
        return false;
    column->width = (uint8_t)width;
    *source = ahead;
    return true;
}

bool mwi_column_read_long(struct mwi_column_source *source, size_t count, uint8_t step,
                          struct mwi_column *column)
{
    const unsigned char *begin = source->at;
    assert(count > 0);
    *column = (struct mwi_column){.step = step};
    if (!mwi_column_read_long_number(source, &column->first))
        return read_cells(source, count, column);
    if (step == 0 || column->first <= UINT64_MAX - (count - 1))
        return true;
    source->at = begin;
    return false;
}

bool mwi_column_is_bin_within(const struct mwi_column *column, size_t count, uint64_t max)
{
    assert(count > 0 && column->width > 0);
    if (column->width < 8 && max >> 8 * column->width > 0)
        return true;
    for (size_t i = 0; i < count; i++)
        if (mwi_column_at(column, i) > max)
            return false;
    return true;
}

bool mwi_column_adds_up(const struct mwi_column *column, size_t count, uint64_t sum)
{
    uint64_t left = sum, product;
    assert(count > 0);
    if (column->width == 0)
        return !__builtin_mul_overflow(column->first, (uint64_t)count, &product) && product == sum;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = mwi_column_at(column, i);
        if (number > left)
            return false;
        left -= number;
    }
    return left == 0;
}

unsigned char *mwi_column_write_long_number(unsigned char *to, uint64_t number)
{
    uint8_t width = mwi_column_width(number);
    *to = (unsigned char)(UINT8 + (width == 8 ? 3 : width / 2));
    return mwi_column_write_cell(to + 1, number, width);
}

unsigned char *mwi_column_write_bin(unsigned char *to, size_t size)
{
    assert(size <= UINT32_MAX);
    uint8_t width = mwi_column_width(size);
    *to = (unsigned char)(BIN8 + width / 2);
    return mwi_column_write_cell(to + 1, size, width);
}
