/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading takes two passes over the format: the first checks every value, the second sets the
 * outputs, so that a mismatch leaves all of them alone.
 */
#include "values.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"

#define ZONE_CHUNK_BYTES 2048

bool mwi_values_init(struct mwi_values *values)
{
    *values = (struct mwi_values){0};
    return msgpack_zone_init(&values->zone, ZONE_CHUNK_BYTES);
}

void mwi_values_fini(struct mwi_values *values)
{
    msgpack_zone_destroy(&values->zone);
}

void mwi_values_clear(struct mwi_values *values)
{
    msgpack_zone_clear(&values->zone);
    values->objects = NULL;
    values->count = 0;
}

mw_error mwi_values_load(struct mwi_values *values, const void *data, size_t size)
{
    size_t count, offset = 0;
    values->objects = NULL;
    values->count = 0;
    if (!mwi_codec_check(data, size, &count))
        return MW_EPROTOCOL;
    if (count == 0)
        return MW_OK;
    msgpack_object *objects = msgpack_zone_malloc(&values->zone, count * sizeof *objects);
    if (objects == NULL)
        return MW_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        msgpack_unpack_return got = msgpack_unpack(data, size, &offset, &values->zone, &objects[i]);
        if (got != MSGPACK_UNPACK_SUCCESS && got != MSGPACK_UNPACK_EXTRA_BYTES)
            return got == MSGPACK_UNPACK_NOMEM_ERROR ? MW_ENOMEM : MW_EPROTOCOL;
    }
    values->objects = objects;
    values->count = count;
    return MW_OK;
}

char *mwi_values_string(struct mwi_values *values, const char *text, size_t size)
{
    char *copy = msgpack_zone_malloc(&values->zone, size + 1);
    if (copy == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *mwi_values_format(struct mwi_values *values, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = size < 0 ? NULL : msgpack_zone_malloc(&values->zone, (size_t)size + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)size + 1, format, arguments);
    return text;
}

static mw_error bad_letter(char letter, const char *format, mw_reason *why)
{
    snprintf(why->text, sizeof why->text, "the format \"%s\" has the unknown letter '%c'", format,
             letter);
    return MW_EINVAL;
}

static int write_string(msgpack_packer *packer, const char *text, size_t size)
{
    return msgpack_pack_str_with_body(packer, text, size);
}

mw_error mwi_values_write(struct mwi_buffer *buffer, const char *format, va_list arguments,
                          mw_reason *why)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, buffer, mwi_buffer_write);
    for (const char *letter = format; *letter != '\0'; letter++) {
        const char *text;
        const void *bytes;
        switch (*letter) {
        case ' ':
            break;
        case 's':
            text = va_arg(arguments, const char *);
            if (text == NULL) {
                snprintf(why->text, sizeof why->text, "a string of the format \"%s\" is NULL",
                         format);
                return MW_EINVAL;
            }
            write_string(&packer, text, strlen(text));
            break;
        case 'S':
            text = va_arg(arguments, const char *);
            write_string(&packer, text, va_arg(arguments, size_t));
            break;
        case 'y':
            bytes = va_arg(arguments, const void *);
            msgpack_pack_bin_with_body(&packer, bytes, va_arg(arguments, size_t));
            break;
        case 'i':
            msgpack_pack_int(&packer, va_arg(arguments, int));
            break;
        case 'l':
            msgpack_pack_int64(&packer, va_arg(arguments, int64_t));
            break;
        case 'u':
            msgpack_pack_uint64(&packer, va_arg(arguments, uint64_t));
            break;
        case 'd':
            msgpack_pack_double(&packer, va_arg(arguments, double));
            break;
        case 'b':
            if (va_arg(arguments, int))
                msgpack_pack_true(&packer);
            else
                msgpack_pack_false(&packer);
            break;
        case 'o':
            msgpack_pack_object(&packer, *va_arg(arguments, const msgpack_object *));
            break;
        default:
            return bad_letter(*letter, format, why);
        }
    }
    return buffer->failed ? MW_ENOMEM : MW_OK;
}

/* What a letter expects, for humans; NULL if it is none. */
static const char *letter_name(char letter)
{
    switch (letter) {
    case 's':
    case 'S':
        return "a string";
    case 'y':
        return "binary data";
    case 'i':
        return "an integer of 32 bits";
    case 'l':
        return "an integer of 64 bits";
    case 'u':
        return "an integer of 64 bits, not negative";
    case 'd':
        return "a number";
    case 'b':
        return "a boolean";
    case 'o':
        return "anything";
    default:
        return NULL;
    }
}

static const char *object_name(const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        return "nil";
    case MSGPACK_OBJECT_BOOLEAN:
        return "a boolean";
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return "an integer";
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return "a floating point number";
    case MSGPACK_OBJECT_STR:
        return "a string";
    case MSGPACK_OBJECT_BIN:
        return "binary data";
    case MSGPACK_OBJECT_ARRAY:
        return "an array";
    case MSGPACK_OBJECT_MAP:
        return "a map";
    default:
        return "an extension";
    }
}

static bool fits_signed(const msgpack_object *object, int64_t min, int64_t max)
{
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        return object->via.u64 <= (uint64_t)max;
    return object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER && object->via.i64 >= min;
}

static bool is_float(const msgpack_object *object)
{
    return object->type == MSGPACK_OBJECT_FLOAT32 || object->type == MSGPACK_OBJECT_FLOAT64;
}

static bool object_fits(const msgpack_object *object, char letter)
{
    switch (letter) {
    case 's':
        return object->type == MSGPACK_OBJECT_STR &&
               (object->via.str.size == 0 ||
                memchr(object->via.str.ptr, '\0', object->via.str.size) == NULL);
    case 'S':
        return object->type == MSGPACK_OBJECT_STR;
    case 'y':
        return object->type == MSGPACK_OBJECT_BIN;
    case 'i':
        return fits_signed(object, INT_MIN, INT_MAX);
    case 'l':
        return fits_signed(object, INT64_MIN, INT64_MAX);
    case 'u':
        return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
    case 'd':
        return is_float(object) || fits_signed(object, INT64_MIN, INT64_MAX) ||
               object->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
    case 'b':
        return object->type == MSGPACK_OBJECT_BOOLEAN;
    default:
        return true;
    }
}

/* Why a value of the right type is wrong all the same; "" if the type is wrong. */
static const char *misfit(const msgpack_object *object, char letter)
{
    bool is_integer = object->type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
                      object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;
    if (letter == 's' && object->type == MSGPACK_OBJECT_STR)
        return " with a NUL inside";
    return is_integer && strchr("ilu", letter) != NULL ? " that does not fit" : "";
}

static mw_error check_values(const struct mwi_values *values, const char *what, const char *format,
                             mw_reason *why)
{
    size_t expected = 0;
    for (const char *letter = format; *letter != '\0'; letter++) {
        if (*letter == ' ')
            continue;
        const char *name = letter_name(*letter);
        if (name == NULL)
            return bad_letter(*letter, format, why);
        if (expected < values->count && !object_fits(&values->objects[expected], *letter)) {
            const msgpack_object *object = &values->objects[expected];
            snprintf(why->text, sizeof why->text, "%s %zu: expected %s, got %s%s", what,
                     expected + 1, name, object_name(object), misfit(object, *letter));
            return MW_EFORMAT;
        }
        expected++;
    }
    if (expected != values->count) {
        snprintf(why->text, sizeof why->text, "expected %zu %s%s, got %zu", expected, what,
                 expected == 1 ? "" : "s", values->count);
        return MW_EFORMAT;
    }
    return MW_OK;
}

static double object_number(const msgpack_object *object)
{
    if (is_float(object))
        return object->via.f64;
    return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? (double)object->via.u64
                                                           : (double)object->via.i64;
}

/* Makes the NUL-terminated strings before any output is set; they are parked in the objects' own
 * pointers, which from then on point to the copies. */
static bool terminate_strings(struct mwi_values *values, const char *format)
{
    size_t index = 0;
    for (const char *letter = format; *letter != '\0'; letter++) {
        if (*letter == ' ')
            continue;
        msgpack_object *object = &values->objects[index++];
        if (*letter != 's')
            continue;
        char *copy = mwi_values_string(values, object->via.str.ptr, object->via.str.size);
        if (copy == NULL)
            return false;
        object->via.str.ptr = copy;
    }
    return true;
}

static void set_outputs(const struct mwi_values *values, const char *format, va_list arguments)
{
    const msgpack_object *object = values->objects;
    for (const char *letter = format; *letter != '\0'; letter++) {
        switch (*letter) {
        case ' ':
            continue;
        case 's':
            *va_arg(arguments, const char **) = object->via.str.ptr;
            break;
        case 'S':
            *va_arg(arguments, const char **) = object->via.str.ptr;
            *va_arg(arguments, size_t *) = object->via.str.size;
            break;
        case 'y':
            *va_arg(arguments, const void **) = object->via.bin.ptr;
            *va_arg(arguments, size_t *) = object->via.bin.size;
            break;
        case 'i':
            *va_arg(arguments, int *) = (int)object->via.i64;
            break;
        case 'l':
            *va_arg(arguments, int64_t *) = object->via.i64;
            break;
        case 'u':
            *va_arg(arguments, uint64_t *) = object->via.u64;
            break;
        case 'd':
            *va_arg(arguments, double *) = object_number(object);
            break;
        case 'b':
            *va_arg(arguments, bool *) = object->via.boolean;
            break;
        default:
            *va_arg(arguments, const msgpack_object **) = object;
            break;
        }
        object++;
    }
}

mw_error mwi_values_read(struct mwi_values *values, const char *what, const char *format,
                         va_list arguments, mw_reason *why)
{
    mw_error error = check_values(values, what, format, why);
    if (error != MW_OK)
        return error;
    if (!terminate_strings(values, format)) {
        snprintf(why->text, sizeof why->text, "out of memory");
        return MW_ENOMEM;
    }
    set_outputs(values, format, arguments);
    return MW_OK;
}
