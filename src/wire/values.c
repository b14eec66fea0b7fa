/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds a sequence of values as msgpack-c's objects, and memory that lives as long as they do: for
 * the strings that are made from them, and for texts that a task algorithm formats. Calls read
 * arguments here, the master reads results.
 *
 * Invariant: mwi_values_load checks the bytes with guard before msgpack-c reads them, and the
 * objects point into these bytes. value_write.c and value_read.c hold the other two functions of
 * values.h; a new letter of the formats goes there.
 */
#include "wire/values.h"

#include <stdio.h>
#include <string.h>

#include "wire/guard.h"

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
    size_t count;
    values->objects = NULL;
    values->count = 0;
    if (!mwi_guard_check(data, size, &count))
        return MW_EPROTOCOL;
    if (count == 0)
        return MW_OK;
    msgpack_object *objects = msgpack_zone_malloc(&values->zone, count * sizeof *objects);
    if (objects == NULL)
        return MW_ENOMEM;
    size_t offset = 0;
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
