/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes values by a format: face/master_submit writes the arguments of a task with it, face/call
 * the values of a result. Named values become one map behind the others.
 *
 * value_quick.c writes most formats; here is the full language, and the sentences of its errors.
 *
 * Invariant: after an error the buffer holds the values that were written before it, and the caller
 * cuts them off. A new letter needs a case in write_value, and may have one in value_quick.c.
 */
#include <stdio.h>
#include <string.h>

#include "wire/guard.h"
#include "wire/value_format.h"
#include "wire/value_quick.h"
#include "wire/values.h"

/* msgpack-c would write the lower 32 bits of a longer text's length. */
static mw_error write_text(msgpack_packer *packer, const char *text, size_t size)
{
    if (size > UINT32_MAX)
        return MW_ETOOBIG;
    msgpack_pack_str_with_body(packer, text, size);
    return MW_OK;
}

static mw_error write_bytes(msgpack_packer *packer, const void *bytes, size_t size)
{
    if (size > UINT32_MAX)
        return MW_ETOOBIG;
    msgpack_pack_bin_with_body(packer, bytes, size);
    return MW_OK;
}

static mw_error write_string(msgpack_packer *packer, const char *string)
{
    return string == NULL ? MW_EINVAL : write_text(packer, string, strlen(string));
}

static mw_error write_object(msgpack_packer *packer, const msgpack_object *object)
{
    if (object == NULL)
        return MW_EINVAL;
    msgpack_pack_object(packer, *object);
    return MW_OK;
}

/* Writes an argument by its letter. MW_EINVAL: a string or object is NULL; MW_ETOOBIG: a string or
 * bytes are too long for msgpack. */
static mw_error write_value(msgpack_packer *packer, char letter, va_list *arguments)
{
    switch (letter) {
    case 's':
        return write_string(packer, va_arg(*arguments, const char *));
    case 'S': {
        const char *text = va_arg(*arguments, const char *);
        return write_text(packer, text, va_arg(*arguments, size_t));
    }
    case 'y': {
        const void *bytes = va_arg(*arguments, const void *);
        return write_bytes(packer, bytes, va_arg(*arguments, size_t));
    }
    case 'i':
        msgpack_pack_int(packer, va_arg(*arguments, int));
        return MW_OK;
    case 'l':
        msgpack_pack_int64(packer, va_arg(*arguments, int64_t));
        return MW_OK;
    case 'u':
        msgpack_pack_uint64(packer, va_arg(*arguments, uint64_t));
        return MW_OK;
    case 'd':
        msgpack_pack_double(packer, va_arg(*arguments, double));
        return MW_OK;
    case 'b':
        if (va_arg(*arguments, int) != 0)
            msgpack_pack_true(packer);
        else
            msgpack_pack_false(packer);
        return MW_OK;
    default:
        return write_object(packer, va_arg(*arguments, const msgpack_object *));
    }
}

/* Counts the items of a format from the present one on. */
static size_t names_count(struct mwi_value_format format)
{
    size_t count = 1;
    while (mwi_value_format_next(&format))
        count++;
    return count;
}

static mw_error refuse(mw_reason *why, mw_error error, const char *text, const char *fault)
{
    snprintf(why->text, sizeof why->text, "the format \"%.100s\" %s", text, fault);
    return error;
}

mw_error mwi_values_write(struct mwi_buffer *buffer, const char *text, va_list arguments,
                          mw_reason *why)
{
    msgpack_packer packer;
    if (text == NULL)
        text = "";
    if (mwi_value_quick_write(buffer, text, arguments))
        return MW_OK;
    struct mwi_value_format format = {.at = text};
    bool is_in_map = false, has_object = false;
    size_t begin = buffer->size;
    va_list rest;
    mw_error error = mwi_value_format_check(text, why);
    msgpack_packer_init(&packer, buffer, mwi_buffer_write);
    va_copy(rest, arguments);
    while (error == MW_OK && mwi_value_format_next(&format)) {
        if (format.letter == '*') {
            error = refuse(why, MW_EINVAL, text, "has a \"*\", which is only for reading");
            break;
        }
        if (format.is_named && !is_in_map) {
            is_in_map = true;
            msgpack_pack_map(&packer, names_count(format));
        }
        if (format.is_named)
            msgpack_pack_str_with_body(&packer, format.name, format.name_size);
        has_object = has_object || format.letter == 'o';
        error = write_value(&packer, format.letter, &rest);
        if (error != MW_OK)
            refuse(why, error, text,
                   error == MW_ETOOBIG ? "was given a string or bytes of 4 GiB or more, which "
                                         "msgpack cannot hold: use raw bytes"
                                       : "was given a string or object that is NULL");
    }
    va_end(rest);
    if (error == MW_OK && buffer->has_failed) {
        snprintf(why->text, sizeof why->text, "out of memory");
        return MW_ENOMEM;
    }
    if (error == MW_OK && has_object &&
        mwi_guard_is_too_deep(buffer->data + begin, buffer->size - begin))
        return refuse(why, MW_EINVAL, text, "was given an object that is nested too deep");
    return error;
}
