/* SPDX-License-Identifier: Apache-2.0
 *
 * A ring of the tasks that have begun and were not forgotten. slave_engine enters tasks, results
 * puts their results, and slave_engine offers them after a loss.
 *
 * Invariants: the first put_count entries have results, the others have not. Of those with results
 * the last sent_count - told_count were sent to the present master, so KEPT forgets from the front.
 * Failures, and results without a key, stay for the count only, and go with the master.
 *
 * To offer more of a result, add a field to struct mwi_kept_entry and a column to OFFER.
 */
#include "engine/kept.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* An offer is sent once it is this large. */
#define OFFER_BYTES_MAX ((size_t)256 << 10)
/* The results of an offer. */
#define OFFER_ITEMS_MAX 1024
/* An item of an offer takes this much besides its payload. */
#define OFFER_OVERHEAD_BYTES (MWI_MESSAGE_OVERHEAD_BYTES + sizeof(struct mwi_digest))

struct mwi_kept_entry {
    struct mwi_digest key;
    uint64_t run;
    uint64_t id;
    uint64_t name; /* the number of its algorithm's name */
    uint64_t duration_ns;
    const unsigned char *payload;
    size_t size;
    struct mwi_block *block; /* with the payload; NULL: it has none, or no result yet */
    uint8_t form;
    bool has_key;
};

static struct mwi_kept_entry *entry_at(const struct mwi_kept *kept, size_t index)
{
    return &kept->ring[(kept->first + index) & (kept->capacity - 1)];
}

void mwi_kept_fini(struct mwi_kept *kept)
{
    for (size_t i = 0; i < kept->put_count; i++)
        mwi_block_unref(entry_at(kept, i)->block);
    free(kept->ring);
    *kept = (struct mwi_kept){0};
}

static bool grow(struct mwi_kept *kept)
{
    size_t capacity = kept->capacity == 0 ? 16 : 2 * kept->capacity;
    struct mwi_kept_entry *ring = malloc(capacity * sizeof *ring);
    if (ring == NULL)
        return false;
    for (size_t i = 0; i < kept->count; i++)
        ring[i] = *entry_at(kept, i);
    free(kept->ring);
    kept->ring = ring;
    kept->capacity = capacity;
    kept->first = 0;
    return true;
}

bool mwi_kept_begin(struct mwi_kept *kept, const struct mwi_digest *key, uint64_t run, uint64_t id,
                    uint64_t name)
{
    if (kept->count == kept->capacity && !grow(kept))
        return false;
    struct mwi_kept_entry *entry = entry_at(kept, kept->count++);
    *entry = (struct mwi_kept_entry){.run = run, .id = id, .name = name, .has_key = key != NULL};
    if (key != NULL)
        entry->key = *key;
    return true;
}

/* The next task that has no result yet has this one, in the block. */
static void put(struct mwi_kept *kept, const struct mwi_message_item *item, struct mwi_block *block,
                const unsigned char *payload, bool is_sent)
{
    assert(kept->put_count < kept->count);
    struct mwi_kept_entry *entry = entry_at(kept, kept->put_count++);
    assert(entry->id == item->id);
    entry->duration_ns = item->duration_ns;
    entry->form = item->form;
    entry->payload = payload;
    entry->size = item->size;
    entry->block = block;
    mwi_block_ref(block);
    kept->sent_count += is_sent;
}

bool mwi_kept_put(struct mwi_kept *kept, const struct mwi_message_item *items, size_t count,
                  const void *payloads, bool is_sent)
{
    unsigned char *copy;
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += items[i].size;
    struct mwi_block *block = mwi_block_copy(payloads, size, &copy);
    if (block == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        put(kept, &items[i], block, copy, is_sent);
        copy += items[i].size;
    }
    mwi_block_unref(block);
    return true;
}

void mwi_kept_put_large(struct mwi_kept *kept, const struct mwi_message_item *item,
                        struct mwi_block *block, const void *payload, bool is_sent)
{
    put(kept, item, block, payload, is_sent);
}

bool mwi_kept_forget(struct mwi_kept *kept, uint64_t count)
{
    if (count > kept->sent_count)
        return false;
    for (; kept->told_count < count; kept->told_count++) {
        assert(kept->put_count > 0);
        mwi_block_unref(entry_at(kept, 0)->block);
        kept->first = (kept->first + 1) & (kept->capacity - 1);
        kept->count--;
        kept->put_count--;
    }
    return true;
}

/* The master's number of the entry's algorithm; names_count if it has none. */
static size_t algorithm_of(const struct mwi_kept_entry *entry, const struct mwi_kept_master *master)
{
    size_t number = 0;
    while (number < master->names_count && master->names[number] != entry->name)
        number++;
    return number;
}

/* Whether the master can take the result, and has a use for it. */
static bool can_be_taken(const struct mwi_kept_entry *entry, const struct mwi_kept_master *master)
{
    if (!entry->has_key || entry->form >= MWI_PAYLOAD_FAILED)
        return false;
    return master == NULL || (algorithm_of(entry, master) < master->names_count &&
                              master->message_bytes_max >= OFFER_OVERHEAD_BYTES &&
                              entry->size <= master->message_bytes_max - OFFER_OVERHEAD_BYTES);
}

/* Drops the results from `from` on that the master cannot take (NULL: no master can). The others
 * keep their order, and a task that still runs stays behind them. */
static void drop_useless(struct mwi_kept *kept, size_t from, const struct mwi_kept_master *master)
{
    size_t stayed_count = from, running_count = kept->count - kept->put_count;
    for (size_t i = from; i < kept->put_count; i++) {
        struct mwi_kept_entry *entry = entry_at(kept, i);
        if (can_be_taken(entry, master))
            *entry_at(kept, stayed_count++) = *entry;
        else
            mwi_block_unref(entry->block);
    }
    for (size_t i = 0; i < running_count; i++)
        *entry_at(kept, stayed_count + i) = *entry_at(kept, kept->put_count + i);
    kept->put_count = stayed_count;
    kept->count = stayed_count + running_count;
}

void mwi_kept_lose_master(struct mwi_kept *kept)
{
    drop_useless(kept, 0, NULL);
    kept->sent_count = kept->told_count = 0;
}

/* How many of the entries from `from` on make the next offer: all of them are of one run. */
static size_t group_count(const struct mwi_kept *kept, size_t from, size_t bytes_max)
{
    size_t count = 0, bytes = 0;
    uint64_t run = entry_at(kept, from)->run;
    for (; from + count < kept->put_count && count < OFFER_ITEMS_MAX; count++) {
        const struct mwi_kept_entry *entry = entry_at(kept, from + count);
        bytes += entry->size + OFFER_OVERHEAD_BYTES;
        if (count > 0 && (entry->run != run || bytes > bytes_max))
            break;
    }
    return count;
}

static void send_frame(struct mwi_effects *effects, mw_peer peer, struct mwi_buffer *buffer)
{
    size_t size = 0;
    void *frame = mwi_buffer_take(buffer, &size);
    mwi_buffer_fini(buffer);
    mwi_effects_send(effects, peer, frame, size);
}

/* Offers `count` entries from `from` on. */
static void offer_group(const struct mwi_kept *kept, size_t from, size_t count,
                        struct mwi_effects *effects, const struct mwi_kept_master *master)
{
    struct mwi_message_item items[OFFER_ITEMS_MAX];
    struct mwi_digest keys[OFFER_ITEMS_MAX];
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    for (size_t i = 0; i < count; i++) {
        const struct mwi_kept_entry *entry = entry_at(kept, from + i);
        keys[i] = entry->key;
        items[i] = (struct mwi_message_item){.id = entry->id,
                                             .duration_ns = entry->duration_ns,
                                             .size = entry->size,
                                             .algorithm = (uint32_t)algorithm_of(entry, master),
                                             .form = entry->form};
    }
    mwi_message_begin_offer(&buffer, entry_at(kept, from)->run, items, keys, count);
    for (size_t i = 0; i < count; i++) {
        const struct mwi_kept_entry *entry = entry_at(kept, from + i);
        mwi_buffer_append(&buffer, entry->payload, entry->size);
    }
    send_frame(effects, master->peer, &buffer);
}

/* Says that there are no more results, or which task still runs. */
static void end_offer(const struct mwi_kept *kept, struct mwi_effects *effects, mw_peer peer)
{
    struct mwi_buffer end;
    mwi_buffer_init(&end);
    if (kept->put_count == kept->count) {
        mwi_message_write_bare(&end, MWI_MESSAGE_OFFERED);
    } else {
        const struct mwi_kept_entry *entry = entry_at(kept, kept->put_count);
        mwi_message_write_running(&end,
                                  &(struct mwi_message_running){entry->run, entry->id, entry->key});
    }
    send_frame(effects, peer, &end);
}

size_t mwi_kept_offer(struct mwi_kept *kept, struct mwi_effects *effects,
                      const struct mwi_kept_master *master)
{
    size_t bytes_max =
        master->message_bytes_max < OFFER_BYTES_MAX ? master->message_bytes_max : OFFER_BYTES_MAX;
    size_t first = (size_t)(kept->sent_count - kept->told_count);
    assert(first <= kept->put_count);
    drop_useless(kept, first, master);
    for (size_t from = first, count; from < kept->put_count; from += count) {
        count = group_count(kept, from, bytes_max);
        offer_group(kept, from, count, effects, master);
    }
    kept->sent_count += kept->put_count - first;
    end_offer(kept, effects, master->peer);
    return kept->put_count - first;
}
