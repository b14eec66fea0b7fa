/* SPDX-License-Identifier: Apache-2.0
 *
 * One end of the mpi transport in a test: a transport of the module, and the events that it
 * reported.
 */
#ifndef MWT_MPI_END_H
#define MWT_MPI_END_H

#include <mw/transport.h>

#define MWT_MPI_PEERS_MAX 8

/* The peers, in order of coming up. */
struct mwt_mpi_peer {
    mw_peer peer;
    char name[32];
    bool is_down;
    uint64_t frames_count;
    uint64_t bytes_count;
};

struct mwt_mpi_end {
    const mw_transport_api *api;
    void *transport;
    mw_reason why;
    struct mwt_mpi_peer peers[MWT_MPI_PEERS_MAX];
    unsigned peers_count;
    unsigned downs_count;
    char down_reason[128]; /* the last peer that came up */
    uint64_t frames_count;
    uint64_t blocks_count; /* frames that came in a block of their own */
    uint64_t faults_count; /* frames with a wrong byte or out of order */
    bool does_echo;        /* sends back what comes */
};

/* Returns the table of the module at `path`. Ends the program if it has none. */
const mw_transport_api *mwt_mpi_load(const char *path);

/* Opens an end over `comm`, an MPI_Comm * or NULL. */
mw_error mwt_mpi_open(struct mwt_mpi_end *end, const mw_transport_api *api, void *comm,
                      size_t frame_bytes_max);
/* Both count a failure as a fault. */
void mwt_mpi_listen(struct mwt_mpi_end *end);
mw_peer mwt_mpi_connect(struct mwt_mpi_end *end, int rank);
void mwt_mpi_close(struct mwt_mpi_end *end);

/* Sends a frame that the other end can check: the first 8 bytes are `sequence`, as far as there is
 * room, and the rest follows from it. A receiving end expects the sequences 0, 1, 2 ... of each
 * peer. */
mw_error mwt_mpi_send(struct mwt_mpi_end *end, mw_peer peer, uint64_t sequence, size_t size);

/* Poll until `count` peers came up, went down, or frames came, in all, or until nothing is queued
 * for the peer. Return false after a minute. */
bool mwt_mpi_await_ups(struct mwt_mpi_end *end, unsigned count);
bool mwt_mpi_await_downs(struct mwt_mpi_end *end, unsigned count);
bool mwt_mpi_await_frames(struct mwt_mpi_end *end, uint64_t count);

#endif
