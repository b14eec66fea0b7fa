/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the ranks that share a machine with the master, and carries messages between them and the
 * master through shared memory. Each rank makes such memory (memory.c) and says in its card
 * (ranks.c) where it is. The master opens it, and then tells all ranks which of them have rings.
 * mpi.c opens and closes this room, sends.c sends through it, and in each poll receives.c looks at
 * it and protocol.c writes messages that wait.
 *
 * Invariants: both ends of a pair have the rings, or neither. A message waits only if an earlier
 * one to its rank waits or the ring is full, so the messages to a rank stay in order;
 * `waiting_count` is that of all entries. Slots are for frames to the master only: it has the least
 * time, and a slave fetches a large frame from it by MPI with no work of the master.
 */
#include "near.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/body.h"

#define SLOT_BITS 8

struct mwi_mpi_near_message {
    struct mwi_mpi_near_message *next;
    int tag;
    size_t size;
    void *data;
};

mw_error mwi_mpi_near_init(struct mwi_mpi_near *near, struct mwi_mpi_ranks *ranks)
{
    near->is_joined = calloc((size_t)ranks->size, sizeof *near->is_joined);
    near->entry_of = calloc((size_t)ranks->size, sizeof *near->entry_of);
    near->entries = calloc(1, sizeof *near->entries);
    if (near->is_joined == NULL || near->entry_of == NULL || near->entries == NULL)
        return MW_ENOMEM;
    near->offer = mwi_mpi_memory_make(&ranks->own.memory, &near->offer_fd);
    return MW_OK;
}

/* Farms without an environment have their master at rank 0. */
static int find_master(const struct mwi_mpi_ranks *ranks)
{
    for (int i = 0; i < ranks->size; i++)
        if (ranks->cards[i].master_rank >= 0)
            return mwi_mpi_ranks_find(ranks, (int)ranks->cards[i].master_rank);
    return 0;
}

static struct mwi_mpi_near_entry *add_entry(struct mwi_mpi_near *near, int rank,
                                            struct mwi_mpi_mapping *mapping)
{
    struct mwi_mpi_near_entry *entry = &near->entries[near->count];
    *entry = (struct mwi_mpi_near_entry){.rank = rank, .mapping = mapping};
    near->entry_of[rank] = ++near->count;
    return entry;
}

static void add_slave(struct mwi_mpi_near *near, int rank, struct mwi_mpi_mapping *mapping)
{
    struct mwi_mpi_near_entry *entry = add_entry(near, rank, mapping);
    entry->in.ring = &mwi_mpi_memory_of(mapping)->to_master;
    entry->out.ring = &mwi_mpi_memory_of(mapping)->from_master;
}

static void add_master(struct mwi_mpi_near *near, int rank)
{
    struct mwi_mpi_near_entry *entry = add_entry(near, rank, near->offer);
    entry->is_master = true;
    entry->in.ring = &mwi_mpi_memory_of(near->offer)->from_master;
    entry->out.ring = &mwi_mpi_memory_of(near->offer)->to_master;
    near->offer = NULL;
}

/* The master's side. Without memory it joins nobody. */
static void join_all(struct mwi_mpi_near *near, const struct mwi_mpi_ranks *ranks)
{
    struct mwi_mpi_near_entry *entries =
        realloc(near->entries, (size_t)ranks->size * sizeof *near->entries);
    if (entries == NULL)
        return;
    near->entries = entries;
    int64_t host = ranks->own.memory.host;
    for (int i = 0; i < ranks->size && host != 0; i++) {
        const struct mwi_mpi_memory_place *place = &ranks->cards[i].memory;
        if (i == ranks->rank || place->host != host)
            continue;
        struct mwi_mpi_mapping *mapping = mwi_mpi_memory_open(place);
        if (mapping != NULL)
            add_slave(near, i, mapping);
        near->is_joined[i] = mapping != NULL;
    }
}

static void end_offer(struct mwi_mpi_near *near)
{
    if (near->offer_fd >= 0)
        close(near->offer_fd);
    mwi_mpi_memory_close(near->offer);
    near->offer = NULL;
    near->offer_fd = -1;
}

mw_error mwi_mpi_near_meet(struct mwi_mpi_near *near, const struct mwi_mpi_ranks *ranks,
                           mw_reason *why)
{
    int master = find_master(ranks);
    mw_error error = MW_OK;
    if (master == ranks->rank)
        join_all(near, ranks);
    if (master >= 0)
        error = mwi_mpi_why_check(
            MPI_Bcast(near->is_joined, ranks->size, MPI_BYTE, master, ranks->comm), "MPI_Bcast",
            why);
    if (error == MW_OK && near->is_joined[ranks->rank] != 0)
        add_master(near, master);
    end_offer(near);
    return error;
}

static void free_messages(struct mwi_mpi_near_entry *entry)
{
    while (entry->first != NULL) {
        struct mwi_mpi_near_message *message = entry->first;
        entry->first = message->next;
        free(message->data);
        free(message);
    }
}

void mwi_mpi_near_fini(struct mwi_mpi_near *near)
{
    for (int i = 0; i < near->count; i++) {
        free_messages(&near->entries[i]);
        mwi_mpi_memory_close(near->entries[i].mapping);
    }
    end_offer(near);
    free(near->entries);
    free(near->entry_of);
    free(near->is_joined);
    *near = (struct mwi_mpi_near){.offer_fd = -1};
}

/* Sending. */

static void *copy_of(const void *data, size_t size)
{
    void *copy = malloc(size > 0 ? size : 1);
    if (copy != NULL && size > 0)
        memcpy(copy, data, size);
    return copy;
}

static mw_error put_behind(struct mwi_mpi_near *near, struct mwi_mpi_near_entry *entry, int tag,
                           void *data, size_t size)
{
    struct mwi_mpi_near_message *message = malloc(sizeof *message);
    if (message == NULL)
        return MW_ENOMEM;
    *message = (struct mwi_mpi_near_message){.tag = tag, .size = size, .data = data};
    if (entry->first == NULL)
        entry->first = message;
    else
        entry->last->next = message;
    entry->last = message;
    near->waiting_count++;
    return MW_OK;
}

mw_error mwi_mpi_near_send(struct mwi_mpi_near *near, int rank, int tag, void *data, size_t size,
                           bool may_take)
{
    struct mwi_mpi_near_entry *entry = &near->entries[near->entry_of[rank] - 1];
    if (entry->first == NULL && mwi_mpi_ring_put(&entry->out, tag, data, size)) {
        if (may_take)
            free(data);
        return MW_OK;
    }
    void *taken = may_take ? data : copy_of(data, size);
    mw_error error =
        taken == NULL && !may_take ? MW_ENOMEM : put_behind(near, entry, tag, taken, size);
    if (error != MW_OK && !may_take)
        free(taken);
    return error;
}

bool mwi_mpi_near_send_frame(struct mwi_mpi_near *near, int rank, int tag, const void *data,
                             size_t size, const mw_body *body)
{
    const struct mwi_mpi_near_entry *entry = &near->entries[near->entry_of[rank] - 1];
    struct mwi_mpi_memory *memory = mwi_mpi_memory_of(entry->mapping);
    size_t body_bytes = mwi_body_size(body);
    if (!entry->is_master || size > MWI_MPI_SLOT_BYTES || body_bytes > MWI_MPI_SLOT_BYTES - size)
        return false;
    struct mwi_mpi_slot *slot = mwi_mpi_memory_find_slot(memory);
    unsigned char note[MWI_MPI_NUMBER_BYTES];
    if (slot == NULL)
        return false;
    if (size > 0)
        memcpy(slot->bytes, data, size);
    if (body_bytes > 0)
        memcpy(slot->bytes + size, body->data, body_bytes);
    mwi_mpi_put_number(note, (size + body_bytes) << SLOT_BITS | (size_t)(slot - memory->slots));
    /* The receiver may give the slot back as soon as it has the note. */
    atomic_store_explicit(&slot->is_taken, true, memory_order_relaxed);
    if (mwi_mpi_near_send(near, rank, mwi_mpi_tag_as(tag, MWI_MPI_SLOT), note, sizeof note,
                          false) == MW_OK)
        return true;
    atomic_store_explicit(&slot->is_taken, false, memory_order_relaxed);
    return false;
}

static size_t flush_entry(struct mwi_mpi_near_entry *entry)
{
    size_t count = 0;
    while (entry->first != NULL) {
        struct mwi_mpi_near_message *message = entry->first;
        if (!mwi_mpi_ring_put(&entry->out, message->tag, message->data, message->size))
            break;
        entry->first = message->next;
        free(message->data);
        free(message);
        count++;
    }
    return count;
}

size_t mwi_mpi_near_flush(struct mwi_mpi_near *near)
{
    size_t count = 0;
    if (near->waiting_count == 0)
        return 0;
    for (int i = 0; i < near->count; i++)
        count += flush_entry(&near->entries[i]);
    near->waiting_count -= count;
    return count;
}

/* Receiving. */

/* Puts the frame in the slot in the place of the note that names it; false if there is none. */
static bool find_frame(const struct mwi_mpi_near_entry *entry, struct mwi_mpi_message *message)
{
    if (message->size != MWI_MPI_NUMBER_BYTES)
        return false;
    uint64_t note = mwi_mpi_get_number(message->data);
    size_t index = (size_t)(note & ((1U << SLOT_BITS) - 1));
    message->tag = mwi_mpi_tag_as(message->tag, MWI_MPI_FRAME);
    message->size = (size_t)(note >> SLOT_BITS);
    if (message->size > MWI_MPI_SLOT_BYTES)
        return false;
    message->block = mwi_mpi_memory_lend(entry->mapping, index, &message->data);
    return message->block != NULL;
}

/* The next look begins behind the rank whose message was found, so that each rank gets its turn. */
bool mwi_mpi_near_look(struct mwi_mpi_near *near, struct mwi_mpi_message *message)
{
    for (int i = 0; i < near->count; i++) {
        struct mwi_mpi_near_entry *entry = &near->entries[near->cursor];
        if (mwi_mpi_ring_look(&entry->in, &message->tag, &message->data, &message->size)) {
            message->rank = entry->rank;
            message->block = NULL;
            if (mwi_mpi_tag_kind(message->tag) != MWI_MPI_SLOT || find_frame(entry, message))
                return true;
            entry->in.is_broken = true;
        }
        near->has_broken |= entry->in.is_broken && !entry->is_told;
        near->cursor = near->cursor + 1 < near->count ? near->cursor + 1 : 0;
    }
    return false;
}

void mwi_mpi_near_release(struct mwi_mpi_near *near, const struct mwi_mpi_message *message)
{
    if (message->block != NULL)
        mwi_mpi_memory_give_back(message->block);
    mwi_mpi_ring_release(&near->entries[near->cursor].in);
    near->cursor = near->cursor + 1 < near->count ? near->cursor + 1 : 0;
}

void mwi_mpi_near_put_back(const struct mwi_mpi_message *message)
{
    if (message->block != NULL)
        mwi_mpi_memory_unlend(message->block);
}

int mwi_mpi_near_find_broken(struct mwi_mpi_near *near)
{
    for (int i = 0; near->has_broken && i < near->count; i++) {
        struct mwi_mpi_near_entry *entry = &near->entries[i];
        if (!entry->in.is_broken || entry->is_told)
            continue;
        entry->is_told = true;
        return entry->rank;
    }
    near->has_broken = false;
    return -1;
}
