/* SPDX-License-Identifier: Apache-2.0
 *
 * The letters of formats when values are read: which values a letter accepts, and what it sets.
 * value_read and value_quick share this, so that a value means the same in both.
 *
 * Another letter is a case in each of the two switches.
 */
#ifndef MWI_VALUE_LETTER_H
#define MWI_VALUE_LETTER_H

#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include <mw/mw.h>

static inline bool mwi_value_letter_is_integer(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
           object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
}

static inline bool mwi_value_letter_is_float(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_FLOAT32 || object->type == MSGPACK_OBJECT_FLOAT64;
}

static inline bool mwi_value_letter_is_within(const msgpack_object *object, int64_t min,
                                              int64_t max)
{
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        return object->via.u64 <= (uint64_t)max;
    return object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER && object->via.i64 >= min;
}

/* Whether the text, which a C string is to hold, has a NUL inside. */
static inline bool mwi_value_letter_has_nul(const msgpack_object *object)
{
    return object->via.str.size > 0 &&
           memchr(object->via.str.ptr, '\0', object->via.str.size) != NULL;
}

/* Whether the letter accepts the value; "o", which accepts any, is not asked. */
static inline bool mwi_value_letter_fits(char letter, const msgpack_object *object)
{
    switch (letter) {
    case 's':
        return object->type == MSGPACK_OBJECT_STR && !mwi_value_letter_has_nul(object);
    case 'S':
        return object->type == MSGPACK_OBJECT_STR;
    case 'y':
        return object->type == MSGPACK_OBJECT_BIN;
    case 'i':
        return mwi_value_letter_is_within(object, INT_MIN, INT_MAX);
    case 'l':
        return mwi_value_letter_is_within(object, INT64_MIN, INT64_MAX);
    case 'u':
        return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
    case 'd':
        return mwi_value_letter_is_float(object) || mwi_value_letter_is_integer(object);
    case 'b':
        return object->type == MSGPACK_OBJECT_BOOLEAN;
    default:
        return false;
    }
}

static inline double mwi_value_letter_number(const msgpack_object *object)
{
    if (mwi_value_letter_is_float(object))
        return object->via.f64;
    return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? (double)object->via.u64
                                                           : (double)object->via.i64;
}

/* Sets the output of a letter to a value that it accepts. For "s" the text must end with a NUL. */
static inline void mwi_value_letter_set(char letter, const msgpack_object *object,
                                        va_list *arguments)
{
    void *output = va_arg(*arguments, void *);
    switch (letter) {
    case 's':
        *(const char **)output = object->via.str.ptr;
        break;
    case 'S':
        *(const char **)output = object->via.str.ptr;
        *va_arg(*arguments, size_t *) = object->via.str.size;
        break;
    case 'y':
        *(const void **)output = object->via.bin.ptr;
        *va_arg(*arguments, size_t *) = object->via.bin.size;
        break;
    case 'i':
        *(int *)output = (int)object->via.i64;
        break;
    case 'l':
        *(int64_t *)output = object->via.i64;
        break;
    case 'u':
        *(uint64_t *)output = object->via.u64;
        break;
    case 'd':
        *(double *)output = mwi_value_letter_number(object);
        break;
    case 'b':
        *(bool *)output = object->via.boolean;
        break;
    default:
        *(const msgpack_object **)output = object;
        break;
    }
}

/* The same without a value: the output stays as it is. */
static inline void mwi_value_letter_skip(char letter, va_list *arguments)
{
    (void)va_arg(*arguments, void *);
    if (letter == 'S' || letter == 'y')
        (void)va_arg(*arguments, size_t *);
}

#endif
