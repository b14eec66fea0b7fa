/* SPDX-License-Identifier: Apache-2.0
 *
 * A queue of messages in memory that two processes share. One of them writes, the other reads, and
 * neither ever waits for the other or calls the system. There is no MPI call here.
 */
#ifndef MWI_MPI_RING_H
#define MWI_MPI_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MWI_MPI_RING_BYTES ((size_t)64 * 1024)
/* Messages begin at multiples of a cache line, so a short one is one line for both processes. */
#define MWI_MPI_RING_LINE 64
/* The largest message. Several of them find room, so that writer and reader work side by side. */
#define MWI_MPI_RING_MESSAGE_MAX ((size_t)8 * 1024)

/* The shared memory. */
struct mwi_mpi_ring {
    /* The number of bytes that the reader has done with, ever. Only the reader writes it. */
    _Alignas(2 * MWI_MPI_RING_LINE) _Atomic uint64_t read;
    _Alignas(2 * MWI_MPI_RING_LINE) unsigned char bytes[MWI_MPI_RING_BYTES];
};

/* Each process has one of these in its own memory. */
struct mwi_mpi_ring_writer {
    struct mwi_mpi_ring *ring;
    uint64_t written; /* the number of bytes, ever */
    uint64_t read;    /* mwi_mpi_ring.read when it was last looked at */
};

struct mwi_mpi_ring_reader {
    struct mwi_mpi_ring *ring;
    uint64_t read;
    uint64_t next;  /* behind the message that was found */
    bool is_broken; /* the writer wrote something that is no message: nothing more is read */
};

/* Makes the ring empty. The process that makes the memory calls it, before it tells the other. */
void mwi_mpi_ring_init(struct mwi_mpi_ring *ring);

/* Writes a message of at most MWI_MPI_RING_MESSAGE_MAX bytes. `tag` is not negative. Returns false,
 * and writes nothing, while there is no room. */
bool mwi_mpi_ring_put(struct mwi_mpi_ring_writer *writer, int tag, const void *data, size_t size);

/* Whether there is a message; finds *tag, *data and *size. The data, aligned to 16 bytes, is
 * borrowed until the message is released. Until then further calls give the same message. *tag is
 * not negative, and all of the data is in the ring, whatever the writer did: else the ring is
 * broken. */
bool mwi_mpi_ring_look(struct mwi_mpi_ring_reader *reader, int *tag, unsigned char **data,
                       size_t *size);

/* Gives the room of the message that was found back to the writer. */
void mwi_mpi_ring_release(struct mwi_mpi_ring_reader *reader);

#endif
