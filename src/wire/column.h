/* SPDX-License-Identifier: Apache-2.0
 *
 * The columns of a message of tasks or results: one number for each item. A column is a number of
 * msgpack if all items have it, or a bin with the numbers of all items, each in 1, 2, 4 or 8 bytes,
 * most significant byte first. It is read in place, and takes no memory however many items there
 * are.
 */
#ifndef MWI_COLUMN_H
#define MWI_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* msgpack's longest number, and the longest header of a bin. */
#define MWI_COLUMN_NUMBER_BYTES_MAX 9
#define MWI_COLUMN_BIN_HEADER_BYTES_MAX 5
/* The largest number that is one byte. */
#define MWI_COLUMN_FIXINT_MAX 0x7f

struct mwi_column {
    const unsigned char *data; /* the numbers of a bin, borrowed from the frame */
    uint64_t first;            /* width 0: the number of the first item */
    uint8_t width;             /* bytes of a number in `data`; 0: there is no bin */
    uint8_t step;              /* width 0: the number of an item is higher by this than that of the
                                  item before it; 0 or 1 */
};

/* The number of an item. */
static inline uint64_t mwi_column_at(const struct mwi_column *column, size_t index)
{
    if (column->width == 0)
        return column->first + column->step * (uint64_t)index;
    const unsigned char *at = column->data + index * column->width;
    switch (column->width) {
    case 1:
        return at[0];
    case 2:
        return (uint64_t)at[0] << 8 | at[1];
    case 4:
        return (uint64_t)at[0] << 24 | (uint64_t)at[1] << 16 | (uint64_t)at[2] << 8 | at[3];
    default:
        return (uint64_t)at[0] << 56 | (uint64_t)at[1] << 48 | (uint64_t)at[2] << 40 |
               (uint64_t)at[3] << 32 | (uint64_t)at[4] << 24 | (uint64_t)at[5] << 16 |
               (uint64_t)at[6] << 8 | at[7];
    }
}

/* Bytes of a stranger that are being read. Each function below reads from `at` on and moves `at`
 * behind what it has read; it returns false, and moves nothing, if the bytes are something else or
 * end too early. */
struct mwi_column_source {
    const unsigned char *at, *end;
};

/* A number of `width` bytes, 1, 2, 4 or 8, without a first byte that says so. A width of 0 reads
 * nothing, and gives 0. */
static inline bool mwi_column_read_cell(struct mwi_column_source *source, uint8_t width,
                                        uint64_t *number)
{
    if ((size_t)(source->end - source->at) < width)
        return false;
    *number = mwi_column_at(&(struct mwi_column){.data = source->at, .width = width}, 0);
    source->at += width;
    return true;
}

/* The header of an array. */
bool mwi_column_read_array(struct mwi_column_source *source, size_t *count);

/* An unsigned integer of any form, and one that is not of the shortest form. */
bool mwi_column_read_long_number(struct mwi_column_source *source, uint64_t *number);
static inline bool mwi_column_read_number(struct mwi_column_source *source, uint64_t *number)
{
    if (source->at == source->end || *source->at > MWI_COLUMN_FIXINT_MAX)
        return mwi_column_read_long_number(source, number);
    *number = *source->at++;
    return true;
}

/* A bin, whose bytes *data then points to. */
bool mwi_column_read_bin(struct mwi_column_source *source, const unsigned char **data,
                         size_t *size);

/* A column of `count` items, 1 to UINT32_MAX, and one that is more than a byte. `step`: of a column
 * that is a number. False, too, if counting up from that number overflows. */
bool mwi_column_read_long(struct mwi_column_source *source, size_t count, uint8_t step,
                          struct mwi_column *column);
static inline bool mwi_column_read(struct mwi_column_source *source, size_t count, uint8_t step,
                                   struct mwi_column *column)
{
    if (source->at == source->end || *source->at > MWI_COLUMN_FIXINT_MAX)
        return mwi_column_read_long(source, count, step, column);
    *column = (struct mwi_column){.first = *source->at++, .step = step};
    return true;
}

/* Whether no number of the column is over `max`. */
bool mwi_column_is_bin_within(const struct mwi_column *column, size_t count, uint64_t max);
static inline bool mwi_column_is_within(const struct mwi_column *column, size_t count, uint64_t max)
{
    return column->width == 0 ? mwi_column_at(column, count - 1) <= max
                              : mwi_column_is_bin_within(column, count, max);
}

/* Whether the numbers add up to `sum`, without an overflow. A number does not count up. */
bool mwi_column_adds_up(const struct mwi_column *column, size_t count, uint64_t sum);

/* The narrowest width that holds a number in which all bits of the column's numbers are set. */
static inline uint8_t mwi_column_width(uint64_t bits)
{
    return bits <= UINT8_MAX ? 1 : bits <= UINT16_MAX ? 2 : bits <= UINT32_MAX ? 4 : 8;
}

/* The writers below write to memory that has room, and return its end. A number and the header of a
 * bin are in their shortest forms. */
unsigned char *mwi_column_write_bin(unsigned char *to, size_t size);

/* A number, and one that is more than a byte. */
unsigned char *mwi_column_write_long_number(unsigned char *to, uint64_t number);
static inline unsigned char *mwi_column_write_number(unsigned char *to, uint64_t number)
{
    if (number > MWI_COLUMN_FIXINT_MAX)
        return mwi_column_write_long_number(to, number);
    *to = (unsigned char)number;
    return to + 1;
}

/* Writes a number of a column's bin. */
static inline unsigned char *mwi_column_write_cell(unsigned char *to, uint64_t number,
                                                   uint8_t width)
{
    switch (width) {
    case 8:
        *to++ = (unsigned char)(number >> 56);
        *to++ = (unsigned char)(number >> 48);
        *to++ = (unsigned char)(number >> 40);
        *to++ = (unsigned char)(number >> 32);
        /* fall through */
    case 4:
        *to++ = (unsigned char)(number >> 24);
        *to++ = (unsigned char)(number >> 16);
        /* fall through */
    case 2:
        *to++ = (unsigned char)(number >> 8);
        /* fall through */
    default:
        *to++ = (unsigned char)number;
    }
    return to;
}

#endif
