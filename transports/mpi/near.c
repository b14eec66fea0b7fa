/* SPDX-License-Identifier: Apache-2.0
 *
 * The rings lie in memory that each rank offers before the ranks exchange their cards: a memfd,
 * which the master opens by way of /proc. The master then tells all ranks whose memory it has. So a
 * file is never left over, and opening takes one more collective call. sends.c sends to the rings,
 * receives.c looks at them in each poll.
 *
 * Invariants: both ends of a pair have the rings, or neither. A message waits only if an earlier
 * one to its rank waits or the ring is full, so the messages to a rank stay in order;
 * `waiting_count` is that of all entries.
 */
#include "near.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define PROCESS_IDS "/proc/self/ns/pid"

struct mwi_mpi_near_message {
    struct mwi_mpi_near_message *next;
    int tag;
    size_t size;
    void *data;
};

/* The memory that a rank and the master share. */
struct mwi_mpi_near_memory {
    int64_t stamp; /* as in the card */
    struct mwi_mpi_ring to_master, from_master;
};

static uint64_t add_to_hash(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = hash * UINT64_C(1099511628211) + (unsigned char)*text;
    return hash;
}

/* A number for the processes that find each other in /proc: those of one kernel since its start,
 * with the same process numbers. Hosts that share them, as in tests, differ by their names. 0:
 * unknown. */
static int64_t find_host(void)
{
    char boot_id[40] = "", name[HOST_NAME_MAX + 1] = "";
    struct stat process_ids;
    FILE *file = fopen(BOOT_ID, "re");
    if (file == NULL)
        return 0;
    bool is_read = fgets(boot_id, sizeof boot_id, file) != NULL;
    fclose(file);
    if (!is_read || stat(PROCESS_IDS, &process_ids) != 0 || gethostname(name, HOST_NAME_MAX) != 0)
        return 0;
    return (int64_t)add_to_hash(add_to_hash(process_ids.st_ino, boot_id), name);
}

static struct mwi_mpi_near_memory *map(int fd)
{
    void *memory =
        mmap(NULL, sizeof(struct mwi_mpi_near_memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void unmap(struct mwi_mpi_near_memory *memory)
{
    if (memory != NULL)
        munmap(memory, sizeof *memory);
}

/* Memory that there is no room for must not be noticed by the first write to it. */
static struct mwi_mpi_near_memory *make_memory(int fd)
{
    if (fd < 0 || posix_fallocate(fd, 0, sizeof(struct mwi_mpi_near_memory)) != 0)
        return NULL;
    return map(fd);
}

mw_error mwi_mpi_near_init(struct mwi_mpi_near *near, struct mwi_mpi_ranks *ranks)
{
    near->offer_fd = -1;
    near->is_joined = calloc((size_t)ranks->size, sizeof *near->is_joined);
    near->entry_of = calloc((size_t)ranks->size, sizeof *near->entry_of);
    near->entries = calloc(1, sizeof *near->entries);
    if (near->is_joined == NULL || near->entry_of == NULL || near->entries == NULL)
        return MW_ENOMEM;
    near->offer_fd = memfd_create("mw", MFD_CLOEXEC);
    near->offer = make_memory(near->offer_fd);
    if (near->offer == NULL)
        return MW_OK;
    near->offer->stamp = mwi_clock_monotonic_ns();
    mwi_mpi_ring_init(&near->offer->to_master);
    mwi_mpi_ring_init(&near->offer->from_master);
    ranks->own.host = find_host();
    ranks->own.process_id = getpid();
    ranks->own.memory_fd = near->offer_fd;
    ranks->own.memory_stamp = near->offer->stamp;
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

/* Maps the memory that a rank of this machine offers; NULL if it cannot be had. */
static struct mwi_mpi_near_memory *open_memory(const struct mwi_mpi_card *card)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/fd/%" PRId64, card->process_id, card->memory_fd);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct stat status;
    struct mwi_mpi_near_memory *memory = NULL;
    if (fstat(fd, &status) == 0 && status.st_size == (off_t)sizeof *memory)
        memory = map(fd);
    close(fd);
    if (memory != NULL && memory->stamp != card->memory_stamp) {
        unmap(memory);
        memory = NULL;
    }
    return memory;
}

static void add_entry(struct mwi_mpi_near *near, int rank, struct mwi_mpi_near_memory *memory,
                      struct mwi_mpi_ring *in, struct mwi_mpi_ring *out)
{
    near->entries[near->count] =
        (struct mwi_mpi_near_entry){.rank = rank, .memory = memory, .in.ring = in, .out.ring = out};
    near->entry_of[rank] = ++near->count;
}

/* The master's side. Without memory it joins nobody. */
static void join_all(struct mwi_mpi_near *near, const struct mwi_mpi_ranks *ranks)
{
    struct mwi_mpi_near_entry *entries =
        realloc(near->entries, (size_t)ranks->size * sizeof *near->entries);
    if (entries == NULL)
        return;
    near->entries = entries;
    for (int i = 0; i < ranks->size; i++) {
        const struct mwi_mpi_card *card = &ranks->cards[i];
        if (i == ranks->rank || card->host == 0 || card->host != ranks->own.host)
            continue;
        struct mwi_mpi_near_memory *memory = open_memory(card);
        if (memory != NULL)
            add_entry(near, i, memory, &memory->to_master, &memory->from_master);
        near->is_joined[i] = memory != NULL;
    }
}

static void end_offer(struct mwi_mpi_near *near)
{
    if (near->offer_fd >= 0)
        close(near->offer_fd);
    unmap(near->offer);
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
    if (error == MW_OK && near->is_joined[ranks->rank] != 0) {
        add_entry(near, master, near->offer, &near->offer->from_master, &near->offer->to_master);
        near->offer = NULL;
    }
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
        unmap(near->entries[i].memory);
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

/* The next look begins behind the rank whose message was found, so that each rank gets its turn. */
bool mwi_mpi_near_look(struct mwi_mpi_near *near, struct mwi_mpi_message *message)
{
    for (int i = 0; i < near->count; i++) {
        struct mwi_mpi_near_entry *entry = &near->entries[near->cursor];
        if (mwi_mpi_ring_look(&entry->in, &message->tag, &message->data, &message->size)) {
            message->rank = entry->rank;
            return true;
        }
        near->cursor = near->cursor + 1 < near->count ? near->cursor + 1 : 0;
    }
    return false;
}

void mwi_mpi_near_release(struct mwi_mpi_near *near)
{
    mwi_mpi_ring_release(&near->entries[near->cursor].in);
    near->cursor = near->cursor + 1 < near->count ? near->cursor + 1 : 0;
}
