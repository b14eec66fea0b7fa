/* SPDX-License-Identifier: Apache-2.0
 *
 * The capacity at least doubles when it grows, so that many appends cost linear time together. The
 * size never exceeds the capacity. A buffer of many megabytes grows without a copy, and its
 * unwritten part takes no memory, because the C library maps such blocks and moves the mapping.
 * Used by everything that encodes messages.
 */
#include "base/buffer.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 256

void mwi_buffer_init(struct mwi_buffer *buffer)
{
    *buffer = (struct mwi_buffer){0};
}

void mwi_buffer_fini(struct mwi_buffer *buffer)
{
    free(buffer->data);
    mwi_buffer_init(buffer);
}

void mwi_buffer_clear(struct mwi_buffer *buffer)
{
    buffer->size = 0;
    buffer->has_failed = false;
}

bool mwi_buffer_reserve(struct mwi_buffer *buffer, size_t size)
{
    assert(buffer->size <= buffer->capacity);
    if (size <= buffer->capacity - buffer->size)
        return true;
    if (size > SIZE_MAX / 4 - buffer->size) {
        buffer->has_failed = true;
        return false;
    }
    size_t needed = buffer->size + size;
    size_t capacity = buffer->capacity < CAPACITY_MIN / 2 ? CAPACITY_MIN : 2 * buffer->capacity;
    if (capacity < needed)
        capacity = needed;
    unsigned char *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->has_failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void mwi_buffer_append_growing(struct mwi_buffer *buffer, const void *data, size_t size)
{
    if (size == 0 || buffer->has_failed || !mwi_buffer_reserve(buffer, size))
        return;
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

int mwi_buffer_write(void *buffer, const char *data, size_t size)
{
    struct mwi_buffer *to = buffer;
    mwi_buffer_append(to, data, size);
    return to->has_failed ? -1 : 0;
}

unsigned char *mwi_buffer_take(struct mwi_buffer *buffer, size_t *size)
{
    if (buffer->has_failed || buffer->size == 0)
        return NULL;
    unsigned char *data = buffer->data;
    *size = buffer->size;
    mwi_buffer_init(buffer);
    return data;
}
