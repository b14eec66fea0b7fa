/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads the bodies of a checkpoint's records. record/journal frames them with lengths
 * and checksums, so a body that was read is what was written; yet nothing here trusts it, since a
 * file may be of somebody else's making.
 *
 * A body of tasks is the name of the algorithm, with its length before it, and then one task after
 * the other: its fixed part, and the bytes of tag, text and payload. To keep something more of a
 * task, add it to the fixed part on both sides, and raise the format version of the journal.
 */
#include "record/checkpoint_items.h"

#include <assert.h>
#include <string.h>

#define HAS_TAG_BYTES 1
#define IS_BYTES 2
#define IS_RETRIED 4
#define IS_DONE_ANYWAY 8
#define IS_SPECULATED 16

static void put(struct mwi_buffer *body, uint64_t number, size_t bytes)
{
    unsigned char cells[8];
    for (size_t i = 0; i < bytes; i++)
        cells[i] = (unsigned char)(number >> 8 * i);
    mwi_buffer_append(body, cells, bytes);
}

void mwi_checkpoint_items_begin(struct mwi_buffer *body, const char *algorithm)
{
    size_t size = strlen(algorithm);
    put(body, size, 4);
    mwi_buffer_append(body, algorithm, size);
}

static uint64_t bits_of(const struct mwi_checkpoint_item *item)
{
    return (item->tag_data != NULL ? HAS_TAG_BYTES : 0) | (item->is_bytes ? IS_BYTES : 0) |
           (item->policy.is_retried ? IS_RETRIED : 0) |
           (item->policy.is_done_anyway ? IS_DONE_ANYWAY : 0) |
           (item->policy.is_speculated ? IS_SPECULATED : 0);
}

void mwi_checkpoint_items_append(struct mwi_buffer *body, const struct mwi_checkpoint_item *item)
{
    const struct mwi_checkpoint_policy *policy = &item->policy;
    assert(item->id > 0);
    put(body, item->id, 8);
    put(body, (uint64_t)item->fate, 1);
    put(body, bits_of(item), 1);
    put(body, policy->max_attempts, 1);
    put(body, policy->sid, 4);
    put(body, (uint32_t)policy->priority, 4);
    put(body, (uint64_t)policy->time_limit_ns, 8);
    put(body, item->duration_ns, 8);
    put(body, item->sid, 4);
    put(body, (uint64_t)item->tag, 8);
    put(body, item->tag_size, 8);
    put(body, item->text_size, 8);
    put(body, item->size, 8);
    mwi_buffer_append(body, item->tag_data, item->tag_size);
    mwi_buffer_append(body, item->text, item->text_size);
    mwi_buffer_append(body, item->data, item->size);
}

/* A number of that many bytes; 0, and the body is broken, if it ends before. */
static uint64_t get(struct mwi_checkpoint_reader *reader, size_t bytes)
{
    uint64_t number = 0;
    if ((size_t)(reader->end - reader->at) < bytes) {
        reader->is_broken = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        number |= (uint64_t)reader->at[i] << 8 * i;
    reader->at += bytes;
    return number;
}

/* The next `size` bytes; NULL, and the body is broken, if it ends before. */
static const void *get_bytes(struct mwi_checkpoint_reader *reader, uint64_t size)
{
    const unsigned char *bytes = reader->at;
    if (reader->is_broken || size > (uint64_t)(reader->end - reader->at)) {
        reader->is_broken = true;
        return NULL;
    }
    reader->at += size;
    return bytes;
}

void mwi_checkpoint_items_open(struct mwi_checkpoint_reader *reader, const void *body, size_t size)
{
    *reader = (struct mwi_checkpoint_reader){.at = body, .end = (const unsigned char *)body + size};
    reader->algorithm_size = (size_t)get(reader, 4);
    reader->algorithm = get_bytes(reader, reader->algorithm_size);
    if (reader->is_broken)
        reader->algorithm_size = 0;
}

static void get_policy(struct mwi_checkpoint_reader *reader, struct mwi_checkpoint_policy *policy)
{
    policy->max_attempts = (uint8_t)get(reader, 1);
    policy->sid = (uint32_t)get(reader, 4);
    policy->priority = (int32_t)(uint32_t)get(reader, 4);
    policy->time_limit_ns = (int64_t)get(reader, 8);
}

bool mwi_checkpoint_items_next(struct mwi_checkpoint_reader *reader,
                               struct mwi_checkpoint_item *item)
{
    *item = (struct mwi_checkpoint_item){0};
    if (reader->is_broken || reader->at == reader->end)
        return false;
    item->id = get(reader, 8);
    uint64_t fate = get(reader, 1), bits = get(reader, 1);
    item->fate = (enum mwi_checkpoint_fate)fate;
    item->is_bytes = (bits & IS_BYTES) != 0;
    get_policy(reader, &item->policy);
    item->policy.is_retried = (bits & IS_RETRIED) != 0;
    item->policy.is_done_anyway = (bits & IS_DONE_ANYWAY) != 0;
    item->policy.is_speculated = (bits & IS_SPECULATED) != 0;
    item->duration_ns = get(reader, 8);
    item->sid = (uint32_t)get(reader, 4);
    item->tag = (int64_t)get(reader, 8);
    uint64_t tag_size = get(reader, 8), text_size = get(reader, 8), size = get(reader, 8);
    const void *tag = get_bytes(reader, tag_size);
    item->text = get_bytes(reader, text_size);
    item->data = get_bytes(reader, size);
    if ((bits & HAS_TAG_BYTES) != 0)
        item->tag_data = tag;
    item->tag_size = (size_t)tag_size;
    item->text_size = (size_t)text_size;
    item->size = (size_t)size;
    reader->is_broken = reader->is_broken || item->id == 0 || fate > MWI_CHECKPOINT_UNRUNNABLE;
    return !reader->is_broken;
}

void mwi_checkpoint_items_append_id(struct mwi_buffer *body, uint64_t id)
{
    put(body, id, 8);
}

uint64_t mwi_checkpoint_items_id(const void *body, size_t size, size_t index)
{
    struct mwi_checkpoint_reader reader = {.end = (const unsigned char *)body + size};
    if (index >= size / 8)
        return 0;
    reader.at = (const unsigned char *)body + 8 * index;
    return get(&reader, 8);
}
