/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory is a memfd, which the master opens by way of /proc, so no file is ever left over.
 * near.c makes it, and opens that of other ranks.
 *
 * Invariants: a slot is taken from before its frame is announced until its receiver gives it back.
 * A mapping stays until it is closed and no slot is lent, since a receiver may keep a frame for
 * longer than the transport lives. For more frames at a time, change MWI_MPI_SLOTS_COUNT, on all
 * ranks.
 */
#include "memory.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define PROCESS_IDS "/proc/self/ns/pid"

/* A slot whose frame is in use here. This is the block of the frame. */
struct lease {
    struct mwi_mpi_mapping *mapping;
    struct mwi_mpi_slot *slot;
    bool is_lent;
};

struct mwi_mpi_mapping {
    struct mwi_mpi_memory *memory;
    bool is_closed;
    struct lease leases[MWI_MPI_SLOTS_COUNT];
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

static struct mwi_mpi_mapping *map(int fd)
{
    struct mwi_mpi_mapping *mapping = calloc(1, sizeof *mapping);
    if (mapping == NULL)
        return NULL;
    void *memory = mmap(NULL, sizeof *mapping->memory, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        free(mapping);
        return NULL;
    }
    mapping->memory = memory;
    for (size_t i = 0; i < MWI_MPI_SLOTS_COUNT; i++)
        mapping->leases[i] = (struct lease){.mapping = mapping, .slot = &mapping->memory->slots[i]};
    return mapping;
}

static void close_if_unused(struct mwi_mpi_mapping *mapping)
{
    if (!mapping->is_closed)
        return;
    for (size_t i = 0; i < MWI_MPI_SLOTS_COUNT; i++)
        if (mapping->leases[i].is_lent)
            return;
    munmap(mapping->memory, sizeof *mapping->memory);
    free(mapping);
}

struct mwi_mpi_mapping *mwi_mpi_memory_make(struct mwi_mpi_memory_place *place, int *fd)
{
    *place = (struct mwi_mpi_memory_place){0};
    *fd = memfd_create("mw", MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, sizeof(struct mwi_mpi_memory)) != 0)
        return NULL;
    struct mwi_mpi_mapping *mapping = map(*fd);
    if (mapping == NULL)
        return NULL;
    struct mwi_mpi_memory *memory = mapping->memory;
    memory->stamp = mwi_clock_monotonic_ns();
    mwi_mpi_ring_init(&memory->to_master);
    mwi_mpi_ring_init(&memory->from_master);
    *place = (struct mwi_mpi_memory_place){
        .host = find_host(), .process_id = getpid(), .fd = *fd, .stamp = memory->stamp};
    return mapping;
}

struct mwi_mpi_mapping *mwi_mpi_memory_open(const struct mwi_mpi_memory_place *place)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/fd/%" PRId64, place->process_id, place->fd);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    struct stat status;
    struct mwi_mpi_mapping *mapping = NULL;
    if (fstat(fd, &status) == 0 && status.st_size == (off_t)sizeof(struct mwi_mpi_memory))
        mapping = map(fd);
    close(fd);
    if (mapping != NULL && mapping->memory->stamp != place->stamp) {
        mwi_mpi_memory_close(mapping);
        return NULL;
    }
    return mapping;
}

struct mwi_mpi_memory *mwi_mpi_memory_of(const struct mwi_mpi_mapping *mapping)
{
    return mapping->memory;
}

void mwi_mpi_memory_close(struct mwi_mpi_mapping *mapping)
{
    if (mapping == NULL)
        return;
    mapping->is_closed = true;
    close_if_unused(mapping);
}

/* Prefers the slots that come first, whose memory is in the cache. */
struct mwi_mpi_slot *mwi_mpi_memory_find_slot(struct mwi_mpi_memory *memory)
{
    for (size_t i = 0; i < MWI_MPI_SLOTS_COUNT; i++)
        if (!atomic_load_explicit(&memory->slots[i].is_taken, memory_order_acquire))
            return &memory->slots[i];
    return NULL;
}

void *mwi_mpi_memory_lend(struct mwi_mpi_mapping *mapping, size_t index, unsigned char **data)
{
    assert(!mapping->is_closed);
    if (index >= MWI_MPI_SLOTS_COUNT || mapping->leases[index].is_lent)
        return NULL;
    struct lease *lease = &mapping->leases[index];
    lease->is_lent = true;
    *data = lease->slot->bytes;
    return lease;
}

void mwi_mpi_memory_give_back(void *block)
{
    struct lease *lease = block;
    assert(lease->is_lent);
    lease->is_lent = false;
    atomic_store_explicit(&lease->slot->is_taken, false, memory_order_release);
    close_if_unused(lease->mapping);
}

void mwi_mpi_memory_unlend(void *block)
{
    struct lease *lease = block;
    assert(lease->is_lent && !lease->mapping->is_closed);
    lease->is_lent = false;
}
