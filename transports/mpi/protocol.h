/* SPDX-License-Identifier: Apache-2.0
 *
 * A transport object, and the way in which two ranks link and part. README.md has the wire form.
 */
#ifndef MWI_MPI_PROTOCOL_H
#define MWI_MPI_PROTOCOL_H

#include "base/backoff.h"
#include "links.h"
#include "near.h"
#include "ranks.h"
#include "receives.h"
#include "sends.h"

struct mwi_mpi_transport {
    mw_transport_config config;
    const mw_mpi_ending *ending; /* or NULL */
    struct mwi_mpi_ranks ranks;
    struct mwi_mpi_near near;
    struct mwi_mpi_links links;
    struct mwi_mpi_sends sends;
    struct mwi_mpi_receives receives;
    bool is_listening;
    struct mwi_backoff backoff;
    int last_number;         /* of the last link that this rank made */
    uint64_t byes_due_count; /* goodbyes that other ranks owe us for links that we left */
    uint64_t events_count;
};

/* Starts to link to a rank. Errors: MW_EINVAL, MW_ENOMEM, MW_ENETWORK. */
mw_error mwi_mpi_protocol_connect(struct mwi_mpi_transport *mpi, int rank, mw_peer *peer,
                                  mw_reason *why);

/* As mw_transport_api.send. */
mw_error mwi_mpi_protocol_send(struct mwi_mpi_transport *mpi, mw_peer peer, void *frame,
                               size_t size, const mw_body *body);

/* Says goodbye and forgets the link. No event. */
void mwi_mpi_protocol_leave(struct mwi_mpi_transport *mpi, struct mwi_mpi_link_entry *link);

/* Leaves every link. */
void mwi_mpi_protocol_leave_all(struct mwi_mpi_transport *mpi);

/* Looks once at everything that may have happened, and calls the events. Adds the number of sends
 * that were done to *done_count. Errors: MW_ENETWORK, MW_ENOMEM. */
mw_error mwi_mpi_protocol_look(struct mwi_mpi_transport *mpi, size_t *done_count, mw_reason *why);

/* Whether none of our messages is on its way and no rank owes us a goodbye. */
bool mwi_mpi_protocol_quiet(const struct mwi_mpi_transport *mpi);

#endif
