/* SPDX-License-Identifier: Apache-2.0
 *
 * The links of a transport: the connections to other ranks that its user knows of, found by peer
 * number or by the fields of a message's tag. There is no MPI call here.
 */
#ifndef MWI_MPI_LINKS_H
#define MWI_MPI_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mw/transport.h>

/* On the wire a link is named by the two ranks, by which of them connected, and by that rank's
 * number for the link. Pointers to links are valid until the next link is added. */
struct mwi_mpi_link_entry {
    mw_peer peer; /* 0 in a slot that is free */
    int rank;
    int number;
    bool is_ours;    /* we connected */
    bool is_up;      /* false until the other end has answered our connect */
    bool has_failed; /* goes down in the next look, for mwi_mpi_sends.failure */
    size_t next;     /* slot + 1 of the next link of this rank, or of the next free slot */
    uint32_t uses_count;
};

struct mwi_mpi_links {
    struct mwi_mpi_link_entry *slots;
    size_t slots_count;
    size_t slots_capacity;
    size_t free_slot; /* slot + 1, or 0 */
    size_t *first_of; /* by rank: slot + 1, or 0 */
};

/* Errors: MW_ENOMEM. */
mw_error mwi_mpi_links_init(struct mwi_mpi_links *links, int ranks_count);
void mwi_mpi_links_fini(struct mwi_mpi_links *links);

/* Adds a link. Returns NULL out of memory. */
struct mwi_mpi_link_entry *mwi_mpi_links_add(struct mwi_mpi_links *links, int rank, int number,
                                             bool is_ours);
void mwi_mpi_links_remove(struct mwi_mpi_links *links, struct mwi_mpi_link_entry *link);

/* Finds a link. Returns NULL if there is no such link. */
struct mwi_mpi_link_entry *mwi_mpi_links_of_peer(const struct mwi_mpi_links *links, mw_peer peer);
struct mwi_mpi_link_entry *mwi_mpi_links_of_wire(const struct mwi_mpi_links *links, int rank,
                                                 int number, bool is_ours);

#endif
