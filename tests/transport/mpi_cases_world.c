/* SPDX-License-Identifier: Apache-2.0
 *
 * Communicators, threads and addresses of the mpi transport; and the steps that all its cases
 * share.
 */
#include "mpi_cases.h"

#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* MPICH takes 20 ms for a communicator if there are more ranks than cores. */
#define REOPENS_COUNT 200

void mwt_mpi_open_world(struct mwt_mpi_rank *self, struct mwt_mpi_end *end)
{
    MPI_Comm world = MPI_COMM_WORLD;

    MWT_MPI_CHECK(self, mwt_mpi_open(end, self->api, &world, MWT_MPI_FRAME_BYTES_MAX) == MW_OK);
}

void mwt_mpi_close_end(struct mwt_mpi_rank *self, struct mwt_mpi_end *end)
{
    mwt_mpi_close(end);
    MWT_MPI_CHECK(self, end->faults_count == 0);
}

mw_peer mwt_mpi_exchange(struct mwt_mpi_rank *self, struct mwt_mpi_end *end, int master,
                         size_t size)
{
    mw_peer peer = mwt_mpi_connect(end, master);

    MWT_MPI_CHECK(self, mwt_mpi_await_ups(end, end->peers_count + 1));
    MWT_MPI_CHECK(self, mwt_mpi_send(end, peer, 0, size) == MW_OK);
    MWT_MPI_CHECK(self, mwt_mpi_await_frames(end, end->frames_count + 1));
    return peer;
}

void mwt_mpi_serve(struct mwt_mpi_rank *self, struct mwt_mpi_end *end, unsigned peers_count)
{
    end->does_echo = true;
    mwt_mpi_listen(end);
    MWT_MPI_CHECK(self, mwt_mpi_await_downs(end, peers_count));
    MWT_MPI_CHECK(self, end->peers_count == peers_count);
    MWT_MPI_CHECK(self, strcmp(end->down_reason, "closed by the peer") == 0);
}

void mwt_mpi_run_farm(struct mwt_mpi_rank *self, struct mwt_mpi_end *end, int rank, int size,
                      int master)
{
    if (rank == master)
        mwt_mpi_serve(self, end, (unsigned)size - 1);
    else
        mwt_mpi_exchange(self, end, master, 100);
}

/* Communicators that were made and not freed. The module calls these functions in place of MPI's,
 * as this program exports them; MPI's profiling interface hands no context to them. */
static int comms_count;

int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *made)
{
    int code = PMPI_Comm_split(comm, color, key, made);
    comms_count += *made != MPI_COMM_NULL;
    return code;
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *made)
{
    comms_count++;
    return PMPI_Comm_dup(comm, made);
}

int MPI_Comm_free(MPI_Comm *comm)
{
    comms_count--;
    return PMPI_Comm_free(comm);
}

/* The same communicator can be used again and again, and none is left over. */
void mwt_mpi_reopen(struct mwt_mpi_rank *self)
{
    comms_count = 0;
    for (int i = 0; i < REOPENS_COUNT; i++) {
        struct mwt_mpi_end end;

        mwt_mpi_open_world(self, &end);
        if (i % 10 == 0)
            mwt_mpi_run_farm(self, &end, self->rank, self->size, 0);
        MWT_MPI_CHECK(self, comms_count == 2);
        mwt_mpi_close_end(self, &end);
        MWT_MPI_CHECK(self, comms_count == 0);
    }
}

/* A peer's number is its rank in the given communicator. In a communicator of one process no peer
 * comes. */
void mwt_mpi_use_part_of_world(struct mwt_mpi_rank *self)
{
    struct mwt_mpi_end end;
    MPI_Comm part;
    int rank;

    MPI_Comm_split(MPI_COMM_WORLD, self->rank == 1, -self->rank, &part);
    MPI_Comm_rank(part, &rank);

    if (self->rank == 1) {
        MWT_MPI_CHECK(self, mwt_mpi_open(&end, self->api, &part, 1000) == MW_OK);
        MWT_MPI_CHECK(self, self->api->peers_max(end.transport) == 0);
        mwt_mpi_close_end(self, &end);
    } else {
        MWT_MPI_CHECK(self, mwt_mpi_open(&end, self->api, &part, 1000) == MW_OK);
        mwt_mpi_run_farm(self, &end, rank, self->size - 1, 0);
        if (self->rank == 0)
            MWT_MPI_CHECK(self, strcmp(end.peers[0].name, "rank 0") == 0);
        mwt_mpi_close_end(self, &end);
    }
    MPI_Comm_free(&part);
}

/* A rank that stays out is not needed any more. The names of the others are those of the caller's
 * communicator. */
void mwt_mpi_stay_out(struct mwt_mpi_rank *self)
{
    MPI_Comm world = MPI_COMM_WORLD;
    mw_mpi_environment environment = {.comm = &world, .master_rank = self->size - 1};
    mw_transport_config config = {.wake_fd = -1, .environment = &environment};
    struct mwt_mpi_end end;
    mw_peer peer;

    if (self->rank == 1) {
        void *transport = NULL;

        MWT_MPI_CHECK(self, self->api->open(&transport, &config, &end.why) == MW_OK);
        MWT_MPI_CHECK(self, transport == NULL);
        return;
    }
    mwt_mpi_open_world(self, &end);
    MWT_MPI_CHECK(self, self->api->peers_max(end.transport) == (size_t)self->size - 2);
    MWT_MPI_CHECK(self, self->api->connect(end.transport, "1", &peer, &end.why) == MW_EUNAVAILABLE);
    MWT_MPI_CHECK(self, strstr(end.why.text, "rank 1 does not take part") != NULL);
    if (self->rank == self->size - 1) {
        mwt_mpi_serve(self, &end, (unsigned)self->size - 2);
        MWT_MPI_CHECK(self, strcmp(end.peers[0].name, "rank 0") == 0 ||
                                strcmp(end.peers[0].name, "rank 2") == 0);
    } else {
        mwt_mpi_exchange(self, &end, self->size - 1, 100);
    }
    mwt_mpi_close_end(self, &end);
}

static int count_copy(MPI_Comm comm, int key, void *extra, void *in, void *out, int *flag)
{
    (void)comm;
    (void)key;
    (void)in;
    (void)out;
    ++*(int *)extra;
    *flag = 0;
    return MPI_SUCCESS;
}

/* The transport does not touch the attributes of the caller's communicator. */
void mwt_mpi_leave_attributes(struct mwt_mpi_rank *self)
{
    int copies_count = 0;
    struct mwt_mpi_end end;
    MPI_Comm comm;
    int key;

    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_create_keyval(count_copy, MPI_COMM_NULL_DELETE_FN, &key, &copies_count);
    MPI_Comm_set_attr(comm, key, &copies_count);

    MWT_MPI_CHECK(self, mwt_mpi_open(&end, self->api, &comm, 1000) == MW_OK);
    mwt_mpi_close_end(self, &end);

    MWT_MPI_CHECK(self, copies_count == 0);
    MPI_Comm_free_keyval(&key);
    MPI_Comm_free(&comm);
}

/* Ranks that name different masters would wait for each other for ever, so all get an error that
 * names the ranks. */
void mwt_mpi_refuse_masters(struct mwt_mpi_rank *self)
{
    MPI_Comm world = MPI_COMM_WORLD;
    mw_mpi_environment environment = {.comm = &world, .master_rank = self->rank == 1 ? 2 : 0};
    static const mw_transport_events events = {0};
    mw_transport_config config = {
        .events = &events, .frame_bytes_max = 1000, .wake_fd = -1, .environment = &environment};
    void *transport = NULL;
    mw_reason why = {""};

    MWT_MPI_CHECK(self, self->api->open(&transport, &config, &why) == MW_EINVAL);
    MWT_MPI_CHECK(self, strstr(why.text, "rank 0 says 0, rank 1 says 2") != NULL);
    MWT_MPI_CHECK(self, transport == NULL);
}

/* Two transports on two communicators do not disturb each other. */
void mwt_mpi_use_two_at_once(struct mwt_mpi_rank *self)
{
    struct mwt_mpi_end first;
    struct mwt_mpi_end second;
    MPI_Comm reversed;
    int rank;

    MPI_Comm_split(MPI_COMM_WORLD, 0, -self->rank, &reversed);
    MPI_Comm_rank(reversed, &rank);
    mwt_mpi_open_world(self, &first);
    MWT_MPI_CHECK(self, mwt_mpi_open(&second, self->api, &reversed, 1000) == MW_OK);

    if (self->rank == 0) {
        mwt_mpi_serve(self, &first, (unsigned)self->size - 1);
        mwt_mpi_exchange(self, &second, 0, 0);
    } else {
        mw_peer peer = mwt_mpi_exchange(self, &first, 0, 50);

        self->api->drop(first.transport, peer);
        mwt_mpi_run_farm(self, &second, rank, self->size, 0);
    }

    mwt_mpi_close_end(self, &second);
    mwt_mpi_close_end(self, &first);
    MPI_Comm_free(&reversed);
}

/* Any rank may be the one that listens. */
void mwt_mpi_serve_on_last_rank(struct mwt_mpi_rank *self)
{
    struct mwt_mpi_end end;

    mwt_mpi_open_world(self, &end);
    mwt_mpi_run_farm(self, &end, self->rank, self->size, self->size - 1);
    mwt_mpi_close_end(self, &end);
}

static void ignore_error(MPI_Comm *comm, int *code, ...)
{
    (void)comm;
    (void)code;
}

/* The error handler of the caller's communicator stays what it was. */
void mwt_mpi_keep_error_handler(struct mwt_mpi_rank *self)
{
    MPI_Errhandler handler;
    MPI_Errhandler found;
    struct mwt_mpi_end end;
    MPI_Comm comm;

    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_create_errhandler(ignore_error, &handler);
    MPI_Comm_set_errhandler(comm, handler);

    MWT_MPI_CHECK(self, mwt_mpi_open(&end, self->api, &comm, 1000) == MW_OK);
    mwt_mpi_run_farm(self, &end, self->rank, self->size, 0);
    mwt_mpi_close_end(self, &end);

    MPI_Comm_get_errhandler(comm, &found);
    MWT_MPI_CHECK(self, found == handler);
    MPI_Errhandler_free(&found);
    MPI_Errhandler_free(&handler);
    MPI_Comm_free(&comm);
}

/* Connecting to an address that is no rank of another process is refused, and so is any listening
 * address. */
void mwt_mpi_refuse_addresses(struct mwt_mpi_rank *self)
{
    static const char *const addresses[] = {
        "", "x", "1x", "-1", "99", "99999999999999999999", " 1", "rank ", "rank 99", "rank  1"};
    struct mwt_mpi_end end;
    char own[16];
    char bound[16];
    mw_peer peer;

    mwt_mpi_open_world(self, &end);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        MWT_MPI_CHECK(self, self->api->connect(end.transport, addresses[i], &peer, &end.why) ==
                                MW_EINVAL);
    snprintf(own, sizeof own, "rank %d", self->rank);
    MWT_MPI_CHECK(self, self->api->connect(end.transport, own + strlen("rank "), &peer, &end.why) ==
                            MW_EINVAL);
    MWT_MPI_CHECK(self, self->api->connect(end.transport, own, &peer, &end.why) == MW_EINVAL);
    MWT_MPI_CHECK(self, self->api->listen(end.transport, "here", bound, sizeof bound, &end.why) ==
                            MW_EINVAL);
    MWT_MPI_CHECK(self, self->api->listen(end.transport, "", bound, 1, &end.why) == MW_EINVAL);
    MWT_MPI_CHECK(self,
                  self->api->listen(end.transport, "", bound, sizeof bound, &end.why) == MW_OK);
    MWT_MPI_CHECK(self, strcmp(bound, own) == 0);
    MWT_MPI_CHECK(self,
                  self->api->listen(end.transport, own, bound, sizeof bound, &end.why) == MW_OK);
    MWT_MPI_CHECK(self, self->api->listen(end.transport, "99", bound, sizeof bound, &end.why) ==
                            MW_EINVAL);
    MWT_MPI_CHECK(self, strstr(end.why.text, "this process is rank") != NULL);
    mwt_mpi_close_end(self, &end);
}

static void *open_in_thread(void *context)
{
    struct mwt_mpi_rank *self = context;
    MPI_Comm world = MPI_COMM_WORLD;
    struct mwt_mpi_end end;

    MWT_MPI_CHECK(self, mwt_mpi_open(&end, self->api, &world, 1000) == MW_EUNAVAILABLE);
    MWT_MPI_CHECK(self, strstr(end.why.text, "another thread") != NULL);
    return NULL;
}

/* A transport that is open, and the rank that opened it. */
struct opened {
    struct mwt_mpi_rank *rank;
    struct mwt_mpi_end *end;
};

static void *use_in_thread(void *context)
{
    const struct opened *opened = context;
    struct mwt_mpi_end *end = opened->end;
    char bound[16];
    mw_peer peer;

    MWT_MPI_CHECK(opened->rank, end->api->poll(end->transport, 0, &end->why) == MW_EUNAVAILABLE);
    MWT_MPI_CHECK(opened->rank, strstr(end->why.text, "another thread") != NULL);
    MWT_MPI_CHECK(opened->rank, end->api->listen(end->transport, "", bound, sizeof bound,
                                                 &end->why) == MW_EUNAVAILABLE);
    MWT_MPI_CHECK(opened->rank,
                  end->api->connect(end->transport, "0", &peer, &end->why) == MW_EUNAVAILABLE);
    return NULL;
}

static void run_in_thread(struct mwt_mpi_rank *self, void *(*run)(void *), void *context)
{
    pthread_t thread;

    MWT_MPI_CHECK(self, pthread_create(&thread, NULL, run, context) == 0);
    pthread_join(thread, NULL);
}

/* A thread that may not call MPI gets an error, whether it opens a transport or uses one. */
void mwt_mpi_refuse_other_thread(struct mwt_mpi_rank *self)
{
    struct mwt_mpi_end end;
    struct opened opened = {self, &end};

    run_in_thread(self, open_in_thread, self);
    mwt_mpi_open_world(self, &end);
    run_in_thread(self, use_in_thread, &opened);
    mwt_mpi_close_end(self, &end);
}

/* Bad arguments are refused before any other rank is needed. */
void mwt_mpi_refuse_environments(struct mwt_mpi_rank *self)
{
    MPI_Comm none = MPI_COMM_NULL;
    MPI_Comm world = MPI_COMM_WORLD;
    struct mwt_mpi_end end;

    MWT_MPI_CHECK(self, mwt_mpi_open(&end, self->api, &none, 1000) == MW_EINVAL);
    MWT_MPI_CHECK(self, mwt_mpi_open(&end, self->api, &world, MW_FRAME_BYTES_MAX + 1) == MW_EINVAL);
    self->api->close(NULL);
}
