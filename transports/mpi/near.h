/* SPDX-License-Identifier: Apache-2.0
 *
 * The small messages between ranks of one machine. They go through memory that the ranks share,
 * which takes a fraction of the instructions of a message of MPI. This room has rings for the
 * master and each other rank of its machine; all other pairs of ranks use MPI.
 */
#ifndef MWI_MPI_NEAR_H
#define MWI_MPI_NEAR_H

#include "memory.h"
#include "ranks.h"
#include "tags.h"

struct mwi_mpi_near_message;

/* A rank of this machine. */
struct mwi_mpi_near_entry {
    int rank;
    bool is_master; /* else this rank is the master */
    struct mwi_mpi_mapping *mapping;
    struct mwi_mpi_ring_writer out;
    struct mwi_mpi_ring_reader in;
    bool is_told;                              /* mwi_mpi_near_find_broken has returned the rank */
    struct mwi_mpi_near_message *first, *last; /* that wait for room in the ring */
};

struct mwi_mpi_near {
    int offer_fd; /* the memory of this rank, until the master has told who has rings */
    struct mwi_mpi_mapping *offer;
    unsigned char *is_joined; /* by rank */
    struct mwi_mpi_near_entry *entries;
    int count;
    int *entry_of; /* by rank: index + 1, or 0 */
    int cursor;    /* the entry that is looked at next, or whose message was found */
    size_t waiting_count;
    bool has_broken; /* rings that mwi_mpi_near_find_broken may have to tell of */
};

/* Makes the memory that this rank offers, and tells of it in its card; none if the system refuses.
 * The caller calls mwi_mpi_near_fini even if it fails. Errors: MW_ENOMEM. */
mw_error mwi_mpi_near_init(struct mwi_mpi_near *near, struct mwi_mpi_ranks *ranks);

/* Makes the rings, once the ranks have exchanged their cards. Ranks whose memory the master cannot
 * open have none, and use MPI. Collective. Errors: MW_ENETWORK. */
mw_error mwi_mpi_near_meet(struct mwi_mpi_near *near, const struct mwi_mpi_ranks *ranks,
                           mw_reason *why);

/* Frees everything, the messages that wait too. */
void mwi_mpi_near_fini(struct mwi_mpi_near *near);

/* Whether this rank and that one have rings. Then all small messages between them go there. */
static inline bool mwi_mpi_near_has(const struct mwi_mpi_near *near, int rank)
{
    return near->entry_of != NULL && near->entry_of[rank] != 0;
}

/* Sends a message to a rank with rings. It is written at once, or when there is room in the ring.
 * With `may_take`, `data` is a malloc'd block that is taken, unless the call fails; else it is
 * copied. Errors: MW_ENOMEM. */
mw_error mwi_mpi_near_send(struct mwi_mpi_near *near, int rank, int tag, void *data, size_t size,
                           bool may_take);

/* Sends a frame to the master, if it has rings with this rank: a copy goes into a slot of their
 * memory. Returns false, and sends nothing, to another rank, if the frame is larger than
 * MWI_MPI_SLOT_BYTES, and while no slot is free. */
bool mwi_mpi_near_send_frame(struct mwi_mpi_near *near, int rank, int tag, const void *data,
                             size_t size, const mw_body *body);

/* Writes messages that wait, as far as there is room now. Returns how many. */
size_t mwi_mpi_near_flush(struct mwi_mpi_near *near);

/* Whether there is a message. The data is borrowed until the caller releases the message, or puts
 * it back: then the next call gives the same message. If it has a block, the caller may take that
 * instead: it sets `block` to NULL, releases the message, and calls mwi_mpi_memory_give_back later,
 * even after mwi_mpi_near_fini. */
bool mwi_mpi_near_look(struct mwi_mpi_near *near, struct mwi_mpi_message *message);
void mwi_mpi_near_release(struct mwi_mpi_near *near, const struct mwi_mpi_message *message);
void mwi_mpi_near_put_back(const struct mwi_mpi_message *message);

/* A rank that has written something that is no message, or that names no frame, into its ring; each
 * is returned once. -1: none. Nothing more comes from such a rank. */
int mwi_mpi_near_find_broken(struct mwi_mpi_near *near);

static inline bool mwi_mpi_near_is_broken(const struct mwi_mpi_near *near, int rank)
{
    return mwi_mpi_near_has(near, rank) && near->entries[near->entry_of[rank] - 1].in.is_broken;
}

#endif
