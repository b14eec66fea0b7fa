/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that the master and another rank of its machine share: a ring for each direction, and
 * slots in which the master gets frames that are too large for a ring. The other rank makes the
 * memory and the master opens it. There is no MPI call here.
 */
#ifndef MWI_MPI_MEMORY_H
#define MWI_MPI_MEMORY_H

#include <mw/transport.h>

#include "ring.h"

/* The largest frame that goes into a slot, its body included. */
#define MWI_MPI_SLOT_BYTES ((size_t)128 * 1024)
#define MWI_MPI_SLOTS_COUNT 8

/* A frame. The sender takes the slot, the receiver gives it back. */
struct mwi_mpi_slot {
    _Alignas(2 * MWI_MPI_RING_LINE) atomic_bool is_taken;
    _Alignas(2 * MWI_MPI_RING_LINE) unsigned char bytes[MWI_MPI_SLOT_BYTES];
};

/* The memory. The system gives a page of it when the page is used. */
struct mwi_mpi_memory {
    int64_t stamp; /* tells this memory from that of any other file */
    struct mwi_mpi_ring to_master, from_master;
    struct mwi_mpi_slot slots[MWI_MPI_SLOTS_COUNT];
};

/* Where the master finds it, as numbers that are sent to it. Processes with the same `host` can
 * open each other's memory; it is 0 if there is none. */
struct mwi_mpi_memory_place {
    int64_t host, process_id, fd, stamp;
};

/* The memory in one process. */
struct mwi_mpi_mapping;

/* Makes the memory, with empty rings. *fd must stay open until the master has opened the memory;
 * the caller closes it. Returns NULL if the system refuses; then *fd is open or -1. */
struct mwi_mpi_mapping *mwi_mpi_memory_make(struct mwi_mpi_memory_place *place, int *fd);

/* Opens the memory of a process of the same host; NULL if it cannot be had. */
struct mwi_mpi_mapping *mwi_mpi_memory_open(const struct mwi_mpi_memory_place *place);

/* The memory, borrowed until it is closed. */
struct mwi_mpi_memory *mwi_mpi_memory_of(const struct mwi_mpi_mapping *mapping);

/* Closes the memory, as soon as all slots that were lent are given back. NULL is legal. */
void mwi_mpi_memory_close(struct mwi_mpi_mapping *mapping);

/* A slot that is free, or NULL. */
struct mwi_mpi_slot *mwi_mpi_memory_find_slot(struct mwi_mpi_memory *memory);

/* Lends the frame in slot `index`, and sets *data to it. The result is a block as in mw_frame, for
 * mwi_mpi_memory_give_back; NULL if there is no such slot, or it is lent already. */
void *mwi_mpi_memory_lend(struct mwi_mpi_mapping *mapping, size_t index, unsigned char **data);
void mwi_mpi_memory_give_back(void *block);

/* Undoes a loan: the frame stays in the slot, and may be lent again. */
void mwi_mpi_memory_unlend(void *block);

#endif
