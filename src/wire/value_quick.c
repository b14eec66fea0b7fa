/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads plain formats. mwi_values_write, face/call and face/master_results try this
 * first: without it a task of two numbers cost twice as much as one of raw bytes, since the format
 * was checked and walked over four times, and msgpack-c made an object of each value.
 *
 * Invariants: the bytes come from strangers, so nothing is read beyond their end. A read that
 * succeeds has used all of them. Writer and reader agree with value_write.c and value_read.c in
 * everything that they accept. A letter that is missing here only takes the longer way.
 */
#include "wire/value_quick.h"

#include <limits.h>
#include <string.h>

#include "wire/column.h"

/* A format with more values takes the longer way. */
#define VALUES_MAX 16
/* A number, with its first byte. */
#define NUMBER_BYTES_MAX 9
/* The first bytes of msgpack's types. */
#define FIXSTR 0xa0
#define FALSE 0xc2
#define TRUE 0xc3
#define BIN8 0xc4
#define FLOAT32 0xca
#define FLOAT64 0xcb
#define UINT8 0xcc
#define INT8 0xd0
#define STR8 0xd9
#define NEGATIVE_FIXINT 0xe0
#define FIXSTR_BYTES_MAX 31

/* Room for `size` more bytes; NULL out of memory. */
static inline unsigned char *find_room(struct mwi_buffer *buffer, size_t size)
{
    bool has_room = !buffer->has_failed &&
                    (size <= buffer->capacity - buffer->size || mwi_buffer_reserve(buffer, size));
    return has_room ? buffer->data + buffer->size : NULL;
}

static inline unsigned char *put_signed(unsigned char *to, int64_t number)
{
    if (number >= 0)
        return mwi_column_write_number(to, (uint64_t)number);
    if (number >= -32) {
        *to = (unsigned char)number;
        return to + 1;
    }
    unsigned step = number >= INT8_MIN ? 0 : number >= INT16_MIN ? 1 : number >= INT32_MIN ? 2 : 3;
    *to = (unsigned char)(INT8 + step);
    return mwi_column_write_cell(to + 1, (uint64_t)number, (uint8_t)(1 << step));
}

static inline unsigned char *put_double(unsigned char *to, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    *to = FLOAT64;
    return mwi_column_write_cell(to + 1, bits, sizeof bits);
}

static unsigned char *put_str_header(unsigned char *to, size_t size)
{
    if (size <= FIXSTR_BYTES_MAX) {
        *to = (unsigned char)(FIXSTR + size);
        return to + 1;
    }
    uint8_t width = mwi_column_width(size);
    *to = (unsigned char)(STR8 + width / 2);
    return mwi_column_write_cell(to + 1, size, width);
}

/* Appends a text or bytes; false if they are too long for msgpack. */
static bool write_bytes(struct mwi_buffer *buffer, bool is_text, const void *data, size_t size)
{
    if (size > UINT32_MAX)
        return false;
    unsigned char *to = find_room(buffer, MWI_COLUMN_BIN_HEADER_BYTES_MAX);
    if (to == NULL)
        return false;
    to = is_text ? put_str_header(to, size) : mwi_column_write_bin(to, size);
    buffer->size = (size_t)(to - buffer->data);
    mwi_buffer_append(buffer, data, size);
    return !buffer->has_failed;
}

static bool write_sized(struct mwi_buffer *buffer, bool is_text, va_list *arguments)
{
    const void *data = va_arg(*arguments, const void *);
    return write_bytes(buffer, is_text, data, va_arg(*arguments, size_t));
}

static bool write_string(struct mwi_buffer *buffer, const char *string)
{
    return string != NULL && write_bytes(buffer, true, string, strlen(string));
}

/* Writes the argument of a letter that needs no more than NUMBER_BYTES_MAX bytes, which are there.
 * Returns the end; NULL if it is no such letter. */
static inline unsigned char *put_scalar(unsigned char *to, char letter, va_list *arguments)
{
    switch (letter) {
    case 'i':
        return put_signed(to, va_arg(*arguments, int));
    case 'l':
        return put_signed(to, va_arg(*arguments, int64_t));
    case 'u':
        return mwi_column_write_number(to, va_arg(*arguments, uint64_t));
    case 'd':
        return put_double(to, va_arg(*arguments, double));
    case 'b':
        *to = va_arg(*arguments, int) != 0 ? TRUE : FALSE;
        return to + 1;
    default:
        return NULL;
    }
}

/* Writes the argument of a letter; false if the format is not plain, or as write_bytes. */
static inline bool write_value(struct mwi_buffer *buffer, char letter, va_list *arguments)
{
    switch (letter) {
    case 's':
        return write_string(buffer, va_arg(*arguments, const char *));
    case 'S':
    case 'y':
        return write_sized(buffer, letter == 'S', arguments);
    default:
        break;
    }
    unsigned char *to = find_room(buffer, NUMBER_BYTES_MAX);
    to = to == NULL ? NULL : put_scalar(to, letter, arguments);
    if (to == NULL)
        return false;
    buffer->size = (size_t)(to - buffer->data);
    return true;
}

bool mwi_value_quick_write(struct mwi_buffer *buffer, const char *format, va_list arguments)
{
    size_t begin = buffer->size;
    bool is_plain = true;
    va_list rest;
    va_copy(rest, arguments);
    for (const char *at = format; is_plain && *at != '\0'; at++)
        is_plain = *at == ' ' || write_value(buffer, *at, &rest);
    va_end(rest);
    if (!is_plain)
        buffer->size = begin;
    return is_plain;
}

enum scalar_kind { POSITIVE, NEGATIVE, REAL, BOOLEAN, TEXT, BYTES };

/* A value that holds no others. */
struct scalar {
    enum scalar_kind kind;
    union {
        uint64_t positive;
        int64_t negative; /* below 0 */
        double real;
        bool is_true;
        const unsigned char *data;
    };
    size_t size; /* of data */
};

/* Bytes that are being read. */
struct place {
    const unsigned char *at, *end;
};

/* Reads a number of `width` bytes, most significant first; false if they are not all there. */
static inline bool take_number(struct place *place, uint8_t width, uint64_t *number)
{
    if ((size_t)(place->end - place->at) < width)
        return false;
    *number = mwi_column_at(&(struct mwi_column){.data = place->at, .width = width}, 0);
    place->at += width;
    return true;
}

static inline bool take_data(struct place *place, enum scalar_kind kind, uint64_t size,
                             struct scalar *scalar)
{
    if (size > (size_t)(place->end - place->at))
        return false;
    scalar->kind = kind;
    scalar->data = place->at;
    scalar->size = (size_t)size;
    place->at += size;
    return true;
}

static inline void set_signed(struct scalar *scalar, int64_t number)
{
    scalar->kind = number < 0 ? NEGATIVE : POSITIVE;
    scalar->negative = number;
}

static bool take_real(struct place *place, bool is_double, struct scalar *scalar)
{
    uint64_t bits;
    float single;
    if (!take_number(place, is_double ? 8 : 4, &bits))
        return false;
    scalar->kind = REAL;
    if (is_double) {
        memcpy(&scalar->real, &bits, sizeof bits);
        return true;
    }
    uint32_t single_bits = (uint32_t)bits;
    memcpy(&single, &single_bits, sizeof single);
    scalar->real = (double)single;
    return true;
}

static bool take_signed(struct place *place, unsigned step, struct scalar *scalar)
{
    uint64_t bits;
    if (!take_number(place, (uint8_t)(1 << step), &bits))
        return false;
    unsigned unused_bits = 64 - (8u << step);
    set_signed(scalar, (int64_t)(bits << unused_bits) >> unused_bits);
    return true;
}

/* Reads a text or bytes whose length has 2^step bytes. */
static bool take_sized(struct place *place, enum scalar_kind kind, unsigned step,
                       struct scalar *scalar)
{
    uint64_t size;
    return take_number(place, (uint8_t)(1 << step), &size) && take_data(place, kind, size, scalar);
}

/* Reads the next value; false if it is no scalar, or cut off. */
static inline bool take_scalar(struct place *place, struct scalar *scalar)
{
    if (place->at == place->end)
        return false;
    unsigned first = *place->at++;
    if (first < 0x80 || first >= NEGATIVE_FIXINT) {
        set_signed(scalar, first < 0x80 ? (int64_t)first : (int64_t)first - 256);
        return true;
    }
    if (first >= FIXSTR && first <= FIXSTR + FIXSTR_BYTES_MAX)
        return take_data(place, TEXT, first - FIXSTR, scalar);
    if (first == FLOAT32 || first == FLOAT64)
        return take_real(place, first == FLOAT64, scalar);
    if (first >= UINT8 && first <= UINT8 + 3) {
        scalar->kind = POSITIVE;
        return take_number(place, (uint8_t)(1 << (first - UINT8)), &scalar->positive);
    }
    if (first >= INT8 && first <= INT8 + 3)
        return take_signed(place, first - INT8, scalar);
    if (first == FALSE || first == TRUE) {
        scalar->kind = BOOLEAN;
        scalar->is_true = first == TRUE;
        return true;
    }
    if (first >= BIN8 && first <= BIN8 + 2)
        return take_sized(place, BYTES, first - BIN8, scalar);
    return first >= STR8 && first <= STR8 + 2 && take_sized(place, TEXT, first - STR8, scalar);
}

/* Whether the output of the letter can hold the value. Empty texts and bytes take the longer way,
 * which says where they are. */
static inline bool fits(const struct scalar *scalar, char letter)
{
    switch (letter) {
    case 'i':
        return scalar->kind == POSITIVE ? scalar->positive <= INT_MAX
                                        : scalar->kind == NEGATIVE && scalar->negative >= INT_MIN;
    case 'l':
        return scalar->kind == POSITIVE ? scalar->positive <= INT64_MAX : scalar->kind == NEGATIVE;
    case 'u':
        return scalar->kind == POSITIVE;
    case 'd':
        return scalar->kind <= REAL;
    case 'b':
        return scalar->kind == BOOLEAN;
    case 's':
        return scalar->kind == TEXT && memchr(scalar->data, '\0', scalar->size) == NULL;
    case 'S':
        return scalar->kind == TEXT && scalar->size > 0;
    case 'y':
        return scalar->kind == BYTES && scalar->size > 0;
    default:
        return false;
    }
}

/* Reads all values of the bytes, and makes the strings; false if they do not fit the format. */
static bool take_values(struct mwi_values *values, struct place place, const char *format,
                        struct scalar *scalars, bool *has_strings)
{
    size_t count = 0;
    for (const char *at = format; *at != '\0'; at++) {
        if (*at == ' ')
            continue;
        if (count == VALUES_MAX || !take_scalar(&place, &scalars[count]) ||
            !fits(&scalars[count], *at))
            return false;
        struct scalar *scalar = &scalars[count++];
        if (*at != 's')
            continue;
        *has_strings = true;
        scalar->data = (const unsigned char *)mwi_values_string(values, (const char *)scalar->data,
                                                                scalar->size);
        if (scalar->data == NULL)
            return false;
    }
    return place.at == place.end;
}

static double real_of(const struct scalar *scalar)
{
    return scalar->kind == REAL       ? scalar->real
           : scalar->kind == POSITIVE ? (double)scalar->positive
                                      : (double)scalar->negative;
}

static inline void set_output(char letter, const struct scalar *scalar, va_list *arguments)
{
    void *output = va_arg(*arguments, void *);
    switch (letter) {
    case 'i':
        *(int *)output = (int)scalar->negative;
        break;
    case 'l':
        *(int64_t *)output = scalar->negative;
        break;
    case 'u':
        *(uint64_t *)output = scalar->positive;
        break;
    case 'd':
        *(double *)output = real_of(scalar);
        break;
    case 'b':
        *(bool *)output = scalar->is_true;
        break;
    default:
        *(const void **)output = scalar->data;
        if (letter != 's')
            *va_arg(*arguments, size_t *) = scalar->size;
        break;
    }
}

bool mwi_value_quick_read(struct mwi_values *values, const void *data, size_t size,
                          const char *format, va_list arguments, bool *has_strings)
{
    struct scalar scalars[VALUES_MAX];
    struct place place = {data, data == NULL ? NULL : (const unsigned char *)data + size};
    if (format == NULL || !take_values(values, place, format, scalars, has_strings))
        return false;
    size_t count = 0;
    va_list rest;
    va_copy(rest, arguments);
    for (const char *at = format; *at != '\0'; at++)
        if (*at != ' ')
            set_output(*at, &scalars[count++], &rest);
    va_end(rest);
    return true;
}
