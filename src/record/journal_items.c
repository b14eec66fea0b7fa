/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads the bodies of records; record/journal frames them. A body that was read has a
 * right checksum, yet it is not trusted: the file may be of somebody else's making.
 *
 * To keep something more of a result, add it to append_head and next, and raise the version in
 * journal_form.c.
 */
#include "record/journal_items.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

/* Of a result, before its data: its key, its form, and its numbers, which are narrow if they all
 * fit. So a small result of a short task takes 92 bytes of the file in place of 106. */
#define WIDE_BYTES 41
#define NARROW_BYTES 27
#define IS_NARROW 0x80 /* in the byte of the form */

static void put(struct mwi_buffer *body, uint64_t number, size_t bytes)
{
    uint64_t cells = htole64(number);
    mwi_buffer_append(body, &cells, bytes);
}

static void put_text(struct mwi_buffer *body, struct mwi_journal_text text)
{
    put(body, text.size, 8);
    mwi_buffer_append(body, text.data, text.size);
}

/* Bytes that are being read; has_failed once they have ended too early. */
struct source {
    const unsigned char *at, *end;
    bool has_failed;
};

static struct source source_of(const void *body, size_t size)
{
    return (struct source){.at = body, .end = (const unsigned char *)body + size};
}

static uint64_t get(struct source *source, size_t bytes)
{
    uint64_t number = 0;
    if (source->has_failed || (size_t)(source->end - source->at) < bytes) {
        source->has_failed = true;
        return 0;
    }
    memcpy(&number, source->at, bytes);
    source->at += bytes;
    return le64toh(number);
}

static const unsigned char *get_bytes(struct source *source, uint64_t size)
{
    const unsigned char *bytes = source->at;
    if (source->has_failed || size > (uint64_t)(source->end - source->at)) {
        source->has_failed = true;
        return NULL;
    }
    source->at += size;
    return bytes;
}

static struct mwi_journal_text get_text(struct source *source)
{
    size_t size = (size_t)get(source, 8);
    const unsigned char *data = get_bytes(source, size);
    return (struct mwi_journal_text){(const char *)data, data == NULL ? 0 : size};
}

void mwi_journal_items_write_run(struct mwi_buffer *body, const struct mwi_journal_run *run)
{
    put(body, run->number, 8);
    put(body, (uint64_t)run->wall_ns, 8);
    put(body, run->pid, 4);
    put_text(body, run->host);
    put_text(body, run->boot_id);
    put_text(body, run->identity.names);
    put_text(body, run->identity.arguments);
    put_text(body, run->identity.version);
    put_text(body, run->identity.executable);
}

bool mwi_journal_items_read_run(struct mwi_journal_run *run, const void *body, size_t size)
{
    struct source source = source_of(body, size);
    run->number = get(&source, 8);
    run->wall_ns = (int64_t)get(&source, 8);
    run->pid = (uint32_t)get(&source, 4);
    run->host = get_text(&source);
    run->boot_id = get_text(&source);
    run->identity.names = get_text(&source);
    run->identity.arguments = get_text(&source);
    run->identity.version = get_text(&source);
    run->identity.executable = get_text(&source);
    return !source.has_failed;
}

void mwi_journal_items_begin_results(struct mwi_buffer *body, uint64_t run, const char *algorithm)
{
    put(body, run, 8);
    put_text(body, (struct mwi_journal_text){algorithm, strlen(algorithm)});
}

static void set_number(unsigned char *cells, uint64_t number)
{
    number = htole64(number);
    memcpy(cells, &number, sizeof number);
}

/* Writes the numbers where they shall lie: wide reads of narrow writes would have to wait. */
void mwi_journal_items_append_head(struct mwi_buffer *body, const struct mwi_journal_result *result)
{
    assert(result->form < IS_NARROW);
    if (body->has_failed || !mwi_buffer_reserve(body, WIDE_BYTES))
        return;
    unsigned char *head = body->data + body->size;
    set_number(head, result->key.low);
    set_number(head + 8, result->key.high);
    if (((result->id | result->duration_ns) >> 32 | (uint64_t)result->size >> 16) == 0) {
        head[16] = result->form | IS_NARROW;
        set_number(head + 17, result->id | result->duration_ns << 32);
        set_number(head + 25, result->size);
        body->size += NARROW_BYTES;
        return;
    }
    head[16] = result->form;
    set_number(head + 17, result->id);
    set_number(head + 25, result->duration_ns);
    set_number(head + 33, result->size);
    body->size += WIDE_BYTES;
}

void mwi_journal_items_append(struct mwi_buffer *body, const struct mwi_journal_result *result)
{
    mwi_journal_items_append_head(body, result);
    mwi_buffer_append(body, result->data, result->size);
}

void mwi_journal_items_open_results(struct mwi_journal_cursor *results, const void *body,
                                    size_t size)
{
    struct source source = source_of(body, size);
    *results = (struct mwi_journal_cursor){.end = source.end};
    results->run = get(&source, 8);
    results->algorithm = get_text(&source);
    results->is_broken = source.has_failed;
    results->at = source.at;
}

bool mwi_journal_items_next(struct mwi_journal_cursor *results, struct mwi_journal_result *result)
{
    struct source source = {results->at, results->end, results->is_broken};
    if (results->is_broken || results->at == results->end)
        return false;
    result->key.low = get(&source, 8);
    result->key.high = get(&source, 8);
    result->form = (uint8_t)get(&source, 1);
    bool is_narrow = (result->form & IS_NARROW) != 0;
    result->form &= (uint8_t)~IS_NARROW;
    result->id = get(&source, is_narrow ? 4 : 8);
    result->duration_ns = get(&source, is_narrow ? 4 : 8);
    result->size = (size_t)get(&source, is_narrow ? 2 : 8);
    result->data = get_bytes(&source, result->size);
    results->at = source.at;
    results->is_broken = source.has_failed;
    return !source.has_failed;
}

void mwi_journal_items_write_saved_head(struct mwi_buffer *body,
                                        const struct mwi_journal_saved *saved)
{
    put(body, saved->run, 8);
    put(body, saved->id, 8);
    put(body, saved->key.low, 8);
    put(body, saved->key.high, 8);
}

bool mwi_journal_items_read_saved(struct mwi_journal_saved *saved, const void *body, size_t size)
{
    struct source source = source_of(body, size);
    saved->run = get(&source, 8);
    saved->id = get(&source, 8);
    saved->key.low = get(&source, 8);
    saved->key.high = get(&source, 8);
    saved->data = source.at;
    saved->size = (size_t)(source.end - source.at);
    return !source.has_failed;
}

void mwi_journal_items_append_key(struct mwi_buffer *body, struct mwi_digest key)
{
    put(body, key.low, 8);
    put(body, key.high, 8);
}

bool mwi_journal_items_read_key(struct mwi_digest *key, const void *body, size_t size, size_t index)
{
    if (index >= size / 16)
        return false;
    struct source source = source_of((const unsigned char *)body + 16 * index, 16);
    key->low = get(&source, 8);
    key->high = get(&source, 8);
    return true;
}

uint64_t mwi_journal_items_number(uint64_t run, uint64_t id)
{
    const uint64_t numbers[] = {run, id};
    return mwi_digest_64(0, numbers, sizeof numbers) | 1;
}

/* The bytes of item number `index` of `bytes` bytes each; empty if there is none. */
static struct source source_at(const void *body, size_t size, size_t index, size_t bytes)
{
    if (index >= size / bytes)
        return source_of(body, 0);
    return source_of((const unsigned char *)body + bytes * index, bytes);
}

void mwi_journal_items_append_part(struct mwi_buffer *body, uint64_t part)
{
    put(body, part, 8);
}

bool mwi_journal_items_read_part(uint64_t *part, const void *body, size_t size, size_t index)
{
    struct source source = source_at(body, size, index, 8);
    *part = get(&source, 8) | 1;
    return !source.has_failed;
}

void mwi_journal_items_append_known(struct mwi_buffer *body, const struct mwi_journal_known *known)
{
    put(body, known->run, 8);
    put(body, known->first, 8);
    put(body, known->last, 8);
}

bool mwi_journal_items_read_known(struct mwi_journal_known *known, const void *body, size_t size,
                                  size_t index)
{
    struct source source = source_at(body, size, index, 24);
    known->run = get(&source, 8);
    known->first = get(&source, 8);
    known->last = get(&source, 8);
    return !source.has_failed;
}
