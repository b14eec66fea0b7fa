/* SPDX-License-Identifier: Apache-2.0
 *
 * The links of a transport: the connections to other ranks that its user knows of, found by peer
 * number or by what a message says of itself. No MPI call here.
 */
#ifndef MWI_MPI_LINKS_H
#define MWI_MPI_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/transport.h>

/* A link is named on the wire by the two ranks, which of them connected, and that one's number for
 * it. Pointers to links are good until the next link is added. */
struct mwi_mpi_link {
    mw_peer peer; /* 0 in a slot that is free */
    int rank;
    int number;
    bool ours;   /* we connected */
    bool up;     /* false until the other end has answered our connect */
    bool failed; /* MPI refused a send; goes down in the next poll */
    size_t backlog_bytes;
    size_t next; /* slot + 1 of the next link of this rank, or of the next free slot */
    uint32_t uses_count;
};

struct mwi_mpi_links {
    struct mwi_mpi_link *slots;
    size_t slots_count;
    size_t slots_capacity;
    size_t free_slot; /* slot + 1, or 0 */
    size_t *first_of; /* by rank: slot + 1, or 0 */
};

/* MW_ENOMEM. */
mw_error mwi_mpi_links_init(struct mwi_mpi_links *links, int ranks_count);
void mwi_mpi_links_fini(struct mwi_mpi_links *links);

/* NULL out of memory. */
struct mwi_mpi_link *mwi_mpi_links_add(struct mwi_mpi_links *links, int rank, int number,
                                       bool ours);
void mwi_mpi_links_remove(struct mwi_mpi_links *links, struct mwi_mpi_link *link);

/* NULL if there is none. */
struct mwi_mpi_link *mwi_mpi_links_of_peer(const struct mwi_mpi_links *links, mw_peer peer);
struct mwi_mpi_link *mwi_mpi_links_of_wire(const struct mwi_mpi_links *links, int rank, int number,
                                           bool ours);

#endif
