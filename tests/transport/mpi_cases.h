/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases of test_mpi.c. Each is a function that all ranks run together. Each rank counts the
 * things that it finds wrong.
 */
#ifndef MWT_MPI_CASES_H
#define MWT_MPI_CASES_H

#include <stdio.h>

#include "mpi_end.h"

#define MWT_MPI_FRAME_BYTES_MAX ((size_t)128 * 1024 * 1024)

/* One rank of MPI_COMM_WORLD in one case. */
struct mwt_mpi_rank {
    const mw_transport_api *api;
    int rank;
    int size;
    int wrong_count;
};

#define MWT_MPI_CHECK(self, condition)                                                             \
    ((condition)                                                                                   \
         ? (void)0                                                                                 \
         : (void)((self)->wrong_count++, fprintf(stderr, "rank %d, %s:%d: %s\n", (self)->rank,     \
                                                 __FILE__, __LINE__, #condition)))

#define MWT_MPI_CASES(X)                                                                           \
    X(reopen)                                                                                      \
    X(send_in_rings)                                                                               \
    X(send_in_slots)                                                                               \
    X(scribble_in_ring)                                                                            \
    X(use_part_of_world)                                                                           \
    X(use_two_at_once)                                                                             \
    X(serve_on_last_rank)                                                                          \
    X(send_from_all)                                                                               \
    X(send_big)                                                                                    \
    X(send_between_parts)                                                                          \
    X(leave_between_parts)                                                                         \
    X(keep_error_handler)                                                                          \
    X(leave_attributes)                                                                            \
    X(refuse_masters)                                                                              \
    X(stay_out)                                                                                    \
    X(close_without_connect)                                                                       \
    X(connect_late)                                                                                \
    X(drop_from_both_ends)                                                                         \
    X(exceed_limit)                                                                                \
    X(exceed_limit_by_far)                                                                         \
    X(refuse_addresses)                                                                            \
    X(wake_up)                                                                                     \
    X(refuse_other_thread)                                                                         \
    X(refuse_environments)

#define MWT_MPI_CASE(name) void mwt_mpi_##name(struct mwt_mpi_rank *self);
MWT_MPI_CASES(MWT_MPI_CASE)
#undef MWT_MPI_CASE

void mwt_mpi_open_world(struct mwt_mpi_rank *self, struct mwt_mpi_end *end);
void mwt_mpi_close_end(struct mwt_mpi_rank *self, struct mwt_mpi_end *end);

/* Connects to the listening rank, sends one frame and waits for its echo. */
mw_peer mwt_mpi_exchange(struct mwt_mpi_rank *self, struct mwt_mpi_end *end, int master,
                         size_t size);

/* Listens, and echoes until `peers_count` peers have come and gone. */
void mwt_mpi_serve(struct mwt_mpi_rank *self, struct mwt_mpi_end *end, unsigned peers_count);

/* A small farm: one rank serves, the others connect, exchange a frame and close. */
void mwt_mpi_run_farm(struct mwt_mpi_rank *self, struct mwt_mpi_end *end, int rank, int size,
                      int master);

#endif
