/* SPDX-License-Identifier: Apache-2.0
 *
 * Values written by a format.
 */
#include <stdio.h>
#include <string.h>

#include "wire/value_format.h"
#include "wire/values.h"

/* One argument by its letter. MW_EINVAL: a string or object that is NULL; MW_ETOOBIG: too long for
 * msgpack, of whose length msgpack-c would write the lower 32 bits. */
static mw_error write_value(msgpack_packer *packer, char letter, va_list *arguments)
{
    const char *text;
    const void *bytes;
    const msgpack_object *object;
    size_t size;
    switch (letter) {
    case 's':
        text = va_arg(*arguments, const char *);
        if (text == NULL)
            return MW_EINVAL;
        size = strlen(text);
        if (size > UINT32_MAX)
            return MW_ETOOBIG;
        msgpack_pack_str_with_body(packer, text, size);
        break;
    case 'S':
        text = va_arg(*arguments, const char *);
        size = va_arg(*arguments, size_t);
        if (size > UINT32_MAX)
            return MW_ETOOBIG;
        msgpack_pack_str_with_body(packer, text, size);
        break;
    case 'y':
        bytes = va_arg(*arguments, const void *);
        size = va_arg(*arguments, size_t);
        if (size > UINT32_MAX)
            return MW_ETOOBIG;
        msgpack_pack_bin_with_body(packer, bytes, size);
        break;
    case 'i':
        msgpack_pack_int(packer, va_arg(*arguments, int));
        break;
    case 'l':
        msgpack_pack_int64(packer, va_arg(*arguments, int64_t));
        break;
    case 'u':
        msgpack_pack_uint64(packer, va_arg(*arguments, uint64_t));
        break;
    case 'd':
        msgpack_pack_double(packer, va_arg(*arguments, double));
        break;
    case 'b':
        if (va_arg(*arguments, int))
            msgpack_pack_true(packer);
        else
            msgpack_pack_false(packer);
        break;
    default:
        object = va_arg(*arguments, const msgpack_object *);
        if (object == NULL)
            return MW_EINVAL;
        msgpack_pack_object(packer, *object);
        break;
    }
    return MW_OK;
}

static size_t names_count(struct mwi_value_format format)
{
    size_t count = 1;
    while (mwi_value_format_next(&format))
        count++;
    return count;
}

static mw_error refuse(mw_reason *why, mw_error error, const char *text, const char *what)
{
    snprintf(why->text, sizeof why->text, "the format \"%.100s\" %s", text, what);
    return error;
}

mw_error mwi_values_write(struct mwi_buffer *buffer, const char *text, va_list arguments,
                          mw_reason *why)
{
    msgpack_packer packer;
    if (text == NULL)
        text = "";
    struct mwi_value_format format = {.at = text};
    bool is_in_map = false;
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
        error = write_value(&packer, format.letter, &rest);
        if (error != MW_OK)
            refuse(why, error, text,
                   error == MW_ETOOBIG ? "was given a string or bytes of 4 GiB or more, which "
                                         "msgpack cannot hold: use raw bytes"
                                       : "was given a string or object that is NULL");
    }
    va_end(rest);
    if (error == MW_OK && buffer->failed) {
        snprintf(why->text, sizeof why->text, "out of memory");
        return MW_ENOMEM;
    }
    return error;
}
