/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads plain formats. mwi_values_write tries this first; face/call and
 * face/master_results do so when they read. The longer way checks the format, walks over it four
 * times, and lets msgpack-c make an object of each value, which takes 500 instructions more for
 * each.
 *
 * Invariants: the bytes come from strangers, so nothing is read beyond their end. A read that
 * succeeds has used all of them. The writer agrees with value_write.c in everything that it
 * accepts, and the reader shares value_letter.h with value_read.c. A letter that is missing here
 * only takes the longer way.
 */
#include "wire/value_quick.h"

#include <string.h>

#include "wire/column.h"
#include "wire/value_letter.h"

/* A format with more values takes the longer way. */
#define VALUES_MAX 16
/* The room that is made for numbers before they are written. */
#define ROOM_BYTES (8 * MWI_COLUMN_NUMBER_BYTES_MAX)
/* The first bytes of msgpack's types. */
#define FIXSTR 0xa0
#define FALSE 0xc2
#define TRUE 0xc3
#define FLOAT64 0xcb
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

static unsigned char *put_negative(unsigned char *to, int64_t number)
{
    if (number >= -32) {
        *to = (unsigned char)number;
        return to + 1;
    }
    unsigned step = number >= INT8_MIN ? 0 : number >= INT16_MIN ? 1 : number >= INT32_MIN ? 2 : 3;
    *to = (unsigned char)(INT8 + step);
    return mwi_column_write_cell(to + 1, (uint64_t)number, (uint8_t)(1 << step));
}

static inline unsigned char *put_signed(unsigned char *to, int64_t number)
{
    return number >= 0 ? mwi_column_write_number(to, (uint64_t)number) : put_negative(to, number);
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

/* Writes the argument of a letter that needs no more than MWI_COLUMN_NUMBER_BYTES_MAX bytes, which
 * are there. Returns the end; NULL if it is no such letter. */
static inline unsigned char *put_scalar(unsigned char *to, char letter, va_list *arguments)
{
    switch (letter) {
    case ' ':
        return to;
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

/* Writes the argument of a letter that needs a length; false if it is no such letter, or as
 * write_bytes. */
static bool write_text(struct mwi_buffer *buffer, char letter, va_list *arguments)
{
    if (letter == 's')
        return write_string(buffer, va_arg(*arguments, const char *));
    return (letter == 'S' || letter == 'y') && write_sized(buffer, letter == 'S', arguments);
}

/* Writes the arguments of the letters that need no length, as far as they go and there is room.
 * Returns the first of the other letters; NULL out of memory. */
static inline const char *write_scalars(struct mwi_buffer *buffer, const char *at,
                                        va_list *arguments)
{
    unsigned char *to = find_room(buffer, ROOM_BYTES), *next = to;
    if (to == NULL)
        return NULL;
    const unsigned char *last = to + ROOM_BYTES - MWI_COLUMN_NUMBER_BYTES_MAX;
    for (; *at != '\0' && to <= last; at++) {
        next = put_scalar(to, *at, arguments);
        if (next == NULL)
            break;
        to = next;
    }
    buffer->size = (size_t)(to - buffer->data);
    return at;
}

bool mwi_value_quick_write(struct mwi_buffer *buffer, const char *format, va_list arguments)
{
    size_t begin = buffer->size;
    const char *at = format;
    va_list rest;
    va_copy(rest, arguments);
    for (;;) {
        const char *from = at;
        at = write_scalars(buffer, at, &rest);
        if (at == NULL || *at == '\0')
            break;
        if (at > from)
            continue;
        if (!write_text(buffer, *at, &rest)) {
            at = NULL;
            break;
        }
        at++;
    }
    va_end(rest);
    if (at != NULL)
        return true;
    buffer->size = begin;
    return false;
}

/* Sets a text or bytes of this size; false if they are cut off. */
static inline bool take_data(struct mwi_column_source *source, msgpack_object_type type,
                             uint64_t size, msgpack_object *scalar)
{
    if (size > (size_t)(source->end - source->at))
        return false;
    scalar->type = type;
    if (type == MSGPACK_OBJECT_STR)
        scalar->via.str = (msgpack_object_str){(uint32_t)size, (const char *)source->at};
    else
        scalar->via.bin = (msgpack_object_bin){(uint32_t)size, (const char *)source->at};
    source->at += size;
    return true;
}

/* The types 0xc0 to 0xdf but FLOAT64, by their low five bits: their kind, and the bytes of their
 * number or length. NIL: no scalar, or nil itself. NEGATIVE_INTEGER: a number with a sign. */
static const struct {
    unsigned char kind, width;
} types[32] = {
    [0x02] = {MSGPACK_OBJECT_BOOLEAN, 0},
    [0x03] = {MSGPACK_OBJECT_BOOLEAN, 0},
    [0x04] = {MSGPACK_OBJECT_BIN, 1},
    [0x05] = {MSGPACK_OBJECT_BIN, 2},
    [0x06] = {MSGPACK_OBJECT_BIN, 4},
    [0x0a] = {MSGPACK_OBJECT_FLOAT32, 4},
    [0x0c] = {MSGPACK_OBJECT_POSITIVE_INTEGER, 1},
    [0x0d] = {MSGPACK_OBJECT_POSITIVE_INTEGER, 2},
    [0x0e] = {MSGPACK_OBJECT_POSITIVE_INTEGER, 4},
    [0x0f] = {MSGPACK_OBJECT_POSITIVE_INTEGER, 8},
    [0x10] = {MSGPACK_OBJECT_NEGATIVE_INTEGER, 1},
    [0x11] = {MSGPACK_OBJECT_NEGATIVE_INTEGER, 2},
    [0x12] = {MSGPACK_OBJECT_NEGATIVE_INTEGER, 4},
    [0x13] = {MSGPACK_OBJECT_NEGATIVE_INTEGER, 8},
    [0x19] = {MSGPACK_OBJECT_STR, 1},
    [0x1a] = {MSGPACK_OBJECT_STR, 2},
    [0x1b] = {MSGPACK_OBJECT_STR, 4},
};

static inline void set_signed(msgpack_object *scalar, int64_t number)
{
    scalar->type = number < 0 ? MSGPACK_OBJECT_NEGATIVE_INTEGER : MSGPACK_OBJECT_POSITIVE_INTEGER;
    scalar->via.i64 = number;
}

static inline bool take_double(struct mwi_column_source *source, msgpack_object *scalar)
{
    uint64_t bits;
    if (!mwi_column_read_cell(source, sizeof bits, &bits))
        return false;
    scalar->type = MSGPACK_OBJECT_FLOAT64;
    memcpy(&scalar->via.f64, &bits, sizeof bits);
    return true;
}

static int64_t extend_sign(uint64_t bits, unsigned width)
{
    unsigned unused_bits = 64 - 8 * width;
    return (int64_t)(bits << unused_bits) >> unused_bits;
}

static double real_of_single(uint32_t bits)
{
    float single;
    memcpy(&single, &bits, sizeof single);
    return (double)single;
}

/* Reads the rest of a value whose first byte is of these types; false if it is no scalar, or cut
 * off. */
static inline bool take_wide(struct mwi_column_source *source, unsigned first,
                             msgpack_object *scalar)
{
    uint64_t number;
    unsigned width = types[first & 0x1f].width;
    msgpack_object_type type = (msgpack_object_type)types[first & 0x1f].kind;
    if (type == MSGPACK_OBJECT_NIL || !mwi_column_read_cell(source, (uint8_t)width, &number))
        return false;
    scalar->type = type;
    switch (type) {
    case MSGPACK_OBJECT_FLOAT32:
        scalar->via.f64 = real_of_single((uint32_t)number);
        return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        set_signed(scalar, extend_sign(number, width));
        return true;
    case MSGPACK_OBJECT_BOOLEAN:
        scalar->via.boolean = first == TRUE;
        return true;
    case MSGPACK_OBJECT_STR:
    case MSGPACK_OBJECT_BIN:
        return take_data(source, type, number, scalar);
    default:
        scalar->via.u64 = number;
        return true;
    }
}

/* Reads the next value; false if it is no scalar, or cut off. */
static inline bool take_scalar(struct mwi_column_source *source, msgpack_object *scalar)
{
    if (source->at == source->end)
        return false;
    unsigned first = *source->at++;
    if (first < 0x80 || first >= NEGATIVE_FIXINT) {
        set_signed(scalar, first < 0x80 ? (int64_t)first : (int64_t)first - 256);
        return true;
    }
    if (first == FLOAT64)
        return take_double(source, scalar);
    if (first < FIXSTR)
        return false;
    if (first <= FIXSTR + FIXSTR_BYTES_MAX)
        return take_data(source, MSGPACK_OBJECT_STR, first - FIXSTR, scalar);
    return take_wide(source, first, scalar);
}

/* Makes the string for the letter "s", out of memory false. Other texts and bytes stay where they
 * are; false if they are empty, since the longer way says where empty ones are. */
static bool place_data(struct mwi_values *values, char letter, msgpack_object *scalar,
                       bool *has_strings)
{
    if (letter == 'y')
        return scalar->via.bin.size > 0;
    if (letter != 's')
        return scalar->via.str.size > 0;
    *has_strings = true;
    scalar->via.str.ptr = mwi_values_string(values, scalar->via.str.ptr, scalar->via.str.size);
    return scalar->via.str.ptr != NULL;
}

/* Reads all values of the bytes, and makes the strings; false if they do not fit the format. */
static bool take_values(struct mwi_values *values, struct mwi_column_source source,
                        const char *format, msgpack_object *scalars, bool *has_strings)
{
    msgpack_object *scalar = scalars;
    for (const char *at = format; *at != '\0'; at++) {
        if (*at == ' ')
            continue;
        if (scalar == scalars + VALUES_MAX || !take_scalar(&source, scalar) ||
            !mwi_value_letter_fits(*at, scalar))
            return false;
        bool has_data = scalar->type == MSGPACK_OBJECT_STR || scalar->type == MSGPACK_OBJECT_BIN;
        if (has_data && !place_data(values, *at, scalar, has_strings))
            return false;
        scalar++;
    }
    return source.at == source.end;
}

bool mwi_value_quick_read(struct mwi_values *values, const void *data, size_t size,
                          const char *format, va_list arguments, bool *has_strings)
{
    msgpack_object scalars[VALUES_MAX];
    struct mwi_column_source source = {data,
                                       data == NULL ? NULL : (const unsigned char *)data + size};
    if (format == NULL || !take_values(values, source, format, scalars, has_strings))
        return false;
    size_t count = 0;
    va_list rest;
    va_copy(rest, arguments);
    for (const char *at = format; *at != '\0'; at++)
        if (*at != ' ')
            mwi_value_letter_set(*at, &scalars[count++], &rest);
    va_end(rest);
    return true;
}
