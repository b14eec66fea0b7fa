/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames, links and their ends over the mpi transport, where several ranks act at once or a rank
 * leaves in the middle of a frame.
 */
#include "mpi_cases.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIG_BYTES ((size_t)64 * 1024 * 1024)

/* Frames of all sizes from all ranks at once arrive whole and in order, and so do their echoes. */
void mwt_mpi_send_from_all(struct mwt_mpi_rank *self)
{
    static const size_t sizes[] = {0, 8, 64, 5000, 100, 16384, 70000, 4000, 4001, 300000};
    const unsigned count = 3000;
    struct mwt_mpi_end end;

    mwt_mpi_open_world(self, &end);
    if (self->rank == 0) {
        mwt_mpi_serve(self, &end, (unsigned)self->size - 1);
        MWT_MPI_CHECK(self, end.frames_count == count * ((unsigned)self->size - 1));
    } else {
        mw_peer peer = mwt_mpi_connect(&end, 0);

        for (unsigned i = 0; i < count; i++) {
            MWT_MPI_CHECK(self, mwt_mpi_send(&end, peer, i,
                                             sizes[i % (sizeof sizes / sizeof *sizes)]) == MW_OK);
            if (i >= 100)
                MWT_MPI_CHECK(self, mwt_mpi_await_frames(&end, i - 100));
        }
        MWT_MPI_CHECK(self, mwt_mpi_await_frames(&end, count));
    }
    mwt_mpi_close_end(self, &end);
}

/* 64 MiB go there and back, and arrive in a block that the receiver may keep. */
void mwt_mpi_send_big(struct mwt_mpi_rank *self)
{
    struct mwt_mpi_end end;

    mwt_mpi_open_world(self, &end);
    if (self->rank == 0) {
        mwt_mpi_serve(self, &end, (unsigned)self->size - 1);
    } else {
        mwt_mpi_exchange(self, &end, 0, BIG_BYTES);
        MWT_MPI_CHECK(self, end.peers[0].bytes_count == BIG_BYTES);
    }
    MWT_MPI_CHECK(self, end.blocks_count == end.frames_count);
    mwt_mpi_close_end(self, &end);
}

/* Connects all ranks to rank 0, which listens. Returns the peer of rank 0. */
static mw_peer link_all(struct mwt_mpi_rank *self, struct mwt_mpi_end *end)
{
    mw_peer peer = 0;

    if (self->rank == 0)
        mwt_mpi_listen(end);
    else
        peer = mwt_mpi_connect(end, 0);
    MWT_MPI_CHECK(self, mwt_mpi_await_ups(end, self->rank == 0 ? (unsigned)self->size - 1 : 1));
    MPI_Barrier(MPI_COMM_WORLD);
    return peer;
}

/* The number of frames from a rank, over all its links. */
static uint64_t frames_from(const struct mwt_mpi_end *end, int rank)
{
    uint64_t count = 0;
    char name[32];

    snprintf(name, sizeof name, "rank %d", rank);
    for (unsigned i = 0; i < end->peers_count; i++)
        if (strcmp(end->peers[i].name, name) == 0)
            count += end->peers[i].frames_count;
    return count;
}

/* While a frame of many parts arrives from rank 1, frames of rank 2 arrive between the parts. MPI
 * has both before rank 0 looks. */
void mwt_mpi_send_between_parts(struct mwt_mpi_rank *self)
{
    const unsigned count = 10;
    struct mwt_mpi_end end;
    mw_peer peer;

    mwt_mpi_open_world(self, &end);
    peer = link_all(self, &end);
    if (self->rank == 1)
        MWT_MPI_CHECK(self, mwt_mpi_send(&end, peer, 0, BIG_BYTES) == MW_OK);
    if (self->rank == 1)
        MWT_MPI_CHECK(self, mwt_mpi_send(&end, peer, 1, 100) == MW_OK);
    for (unsigned i = 0; self->rank == 2 && i < count; i++)
        MWT_MPI_CHECK(self, mwt_mpi_send(&end, peer, i, 100) == MW_OK);
    MPI_Barrier(MPI_COMM_WORLD);

    if (self->rank == 0) {
        MWT_MPI_CHECK(self, mwt_mpi_await_frames(&end, count));
        MWT_MPI_CHECK(self, frames_from(&end, 2) == count);
        MWT_MPI_CHECK(self, mwt_mpi_await_frames(&end, count + 2));
        MWT_MPI_CHECK(self, frames_from(&end, 1) == 2);
        MWT_MPI_CHECK(self,
                      end.blocks_count >= 1); /* small frames that waited may have a block too */
    } else if (self->rank == 1) {
        MWT_MPI_CHECK(self, mwt_mpi_await_downs(&end, 1));
    }
    mwt_mpi_close_end(self, &end);
}

/* Either end may leave while a frame of many parts is on its way. The end that left gets nothing of
 * it, its memory stays as long as MPI writes to it, and a new link works. */
void mwt_mpi_leave_between_parts(struct mwt_mpi_rank *self)
{
    struct mwt_mpi_end end;
    mw_peer peer;

    mwt_mpi_open_world(self, &end);
    peer = link_all(self, &end);
    end.does_echo = self->rank == 0;
    if (self->rank == 1 || self->rank == 2)
        MWT_MPI_CHECK(self, mwt_mpi_send(&end, peer, 0, BIG_BYTES) == MW_OK);
    if (self->rank == 2)
        self->api->drop(end.transport, peer);
    MPI_Barrier(MPI_COMM_WORLD);

    if (self->rank == 0) {
        self->api->poll(end.transport, 0, &end.why);
        for (unsigned i = 0; i < end.peers_count; i++) {
            if (strcmp(end.peers[i].name, "rank 1") == 0)
                self->api->drop(end.transport, end.peers[i].peer);
        }
        MWT_MPI_CHECK(self, mwt_mpi_await_frames(&end, 2));
        MWT_MPI_CHECK(self, frames_from(&end, 1) == 1); /* of the new link */
        MWT_MPI_CHECK(self, frames_from(&end, 2) == 1);
    } else if (self->rank == 1) {
        MWT_MPI_CHECK(self, mwt_mpi_await_downs(&end, 1));
        mwt_mpi_exchange(self, &end, 0, BIG_BYTES / 2);
    }
    mwt_mpi_close_end(self, &end);
}

/* Ranks that never connect, and a master without peers, close without waiting. */
void mwt_mpi_close_without_connect(struct mwt_mpi_rank *self)
{
    struct mwt_mpi_end end;

    mwt_mpi_open_world(self, &end);
    if (self->rank == 0)
        mwt_mpi_listen(&end);
    if (self->rank == 1) {
        mwt_mpi_connect(&end, 0);
        MWT_MPI_CHECK(self, mwt_mpi_await_downs(&end, 1));
    }
    mwt_mpi_close_end(self, &end);
}

/* A connect to a listener that is closing goes down, and so does a connect to a rank that never
 * listened. The listener does not poll, so it sees the connect in its close only. */
void mwt_mpi_connect_late(struct mwt_mpi_rank *self)
{
    struct mwt_mpi_end end;

    mwt_mpi_open_world(self, &end);
    if (self->rank == 0) {
        mwt_mpi_listen(&end);
    } else {
        mwt_mpi_connect(&end, 0);
        MWT_MPI_CHECK(self, mwt_mpi_await_downs(&end, 1));
        MWT_MPI_CHECK(self, end.peers_count == 0);
        MWT_MPI_CHECK(self, strcmp(end.down_reason, "connection refused") == 0);
    }
    mwt_mpi_close_end(self, &end);
}

/* Both ends drop each other at the same time, with frames on their way, and link anew. */
void mwt_mpi_drop_from_both_ends(struct mwt_mpi_rank *self)
{
    struct mwt_mpi_end end;
    mw_peer old = 0;

    mwt_mpi_open_world(self, &end);
    end.does_echo = self->rank == 0;
    if (self->rank == 0)
        mwt_mpi_listen(&end);
    if (self->rank == 1)
        old = mwt_mpi_connect(&end, 0);
    if (self->rank < 2)
        MWT_MPI_CHECK(self, mwt_mpi_await_ups(&end, 1));
    MPI_Barrier(MPI_COMM_WORLD);

    if (self->rank < 2) {
        MWT_MPI_CHECK(self, mwt_mpi_send(&end, end.peers[0].peer, 0, 10) == MW_OK);
        MWT_MPI_CHECK(self, mwt_mpi_send(&end, end.peers[0].peer, 1, 1000000) == MW_OK);
        self->api->drop(end.transport, end.peers[0].peer);
        MWT_MPI_CHECK(self, mwt_mpi_send(&end, end.peers[0].peer, 2, 10) == MW_EPEER);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (self->rank == 0)
        MWT_MPI_CHECK(self, mwt_mpi_await_downs(&end, 1));
    if (self->rank == 1)
        MWT_MPI_CHECK(self, mwt_mpi_exchange(self, &end, 0, 100) != old);

    if (self->rank == 1)
        MWT_MPI_CHECK(self, end.frames_count == 1 && end.downs_count == 0);
    mwt_mpi_close_end(self, &end);
}

/* A frame above the other end's limit takes the link down there, with both numbers, and is not
 * sent. A frame above the sender's own limit is an error at once. */
void mwt_mpi_exceed_limit(struct mwt_mpi_rank *self)
{
    MPI_Comm world = MPI_COMM_WORLD;
    struct mwt_mpi_end end;

    MWT_MPI_CHECK(self,
                  mwt_mpi_open(&end, self->api, &world, self->rank == 0 ? 1000 : 5000000) == MW_OK);
    if (self->rank == 0) {
        mwt_mpi_listen(&end);
        MWT_MPI_CHECK(self, mwt_mpi_await_downs(&end, (unsigned)self->size - 1));
        MWT_MPI_CHECK(self, strcmp(end.down_reason,
                                   "a frame of 4000000 bytes is over the limit of 1000") == 0);
        MWT_MPI_CHECK(self, end.frames_count == (unsigned)self->size - 1);
    } else {
        mw_peer peer = mwt_mpi_connect(&end, 0);

        MWT_MPI_CHECK(self, mwt_mpi_send(&end, peer, 0, 1000) == MW_OK);
        MWT_MPI_CHECK(self, mwt_mpi_send(&end, peer, 1, 5000001) == MW_ETOOBIG);
        MWT_MPI_CHECK(self, mwt_mpi_send(&end, peer, 1, 4000000) == MW_OK);
        MWT_MPI_CHECK(self, mwt_mpi_send(&end, peer, 2, 10) == MW_OK);
        MWT_MPI_CHECK(self, mwt_mpi_await_downs(&end, 1));
        MWT_MPI_CHECK(self, strcmp(end.down_reason, "closed by the peer") == 0);
    }
    mwt_mpi_close_end(self, &end);
}

/* The numbers are right beyond 4 GiB too, for a frame that is never touched and for a limit. */
void mwt_mpi_exceed_limit_by_far(struct mwt_mpi_rank *self)
{
    const size_t size = ((size_t)5 << 30) + 7;
    MPI_Comm world = MPI_COMM_WORLD;
    struct mwt_mpi_end end;

    MWT_MPI_CHECK(self, mwt_mpi_open(&end, self->api, &world,
                                     self->rank == 0 ? size - 1 : (size_t)1 << 40) == MW_OK);
    mw_peer peer = link_all(self, &end);
    if (self->rank == 0) {
        MWT_MPI_CHECK(self, mwt_mpi_await_downs(&end, (unsigned)self->size - 1));
        MWT_MPI_CHECK(self,
                      strcmp(end.down_reason, "a frame of 5368709127 bytes is over the limit of "
                                              "5368709126") == 0);
    } else {
        MWT_MPI_CHECK(self,
                      self->api->send(end.transport, peer, malloc(size), size, NULL) == MW_OK);
        MWT_MPI_CHECK(self, mwt_mpi_await_downs(&end, 1));
    }
    mwt_mpi_close_end(self, &end);
}

/* A readable wake_fd ends a poll that would last for ever. */
void mwt_mpi_wake_up(struct mwt_mpi_rank *self)
{
    static const mw_transport_events events = {0};
    mw_transport_config config = {.events = &events, .frame_bytes_max = 10};
    mw_reason why;
    void *transport;
    int ends[2];

    MWT_MPI_CHECK(self, pipe(ends) == 0);
    config.wake_fd = ends[0];
    MWT_MPI_CHECK(self, self->api->open(&transport, &config, &why) == MW_OK);

    MWT_MPI_CHECK(self, write(ends[1], "x", 1) == 1);
    MWT_MPI_CHECK(self, self->api->poll(transport, INT64_MAX, &why) == MW_OK);

    self->api->close(transport);
    close(ends[0]);
    close(ends[1]);
}
