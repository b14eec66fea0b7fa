/* SPDX-License-Identifier: Apache-2.0
 *
 * What is particular to the mpi transport. Run by mpirun with 3 processes. Each case is a function
 * that all ranks run together; CUnit runs on rank 0 only and tells the others which case is next.
 * What a rank finds wrong is counted, and rank 0 asserts that nobody found anything.
 */
#include <CUnit/Basic.h>
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mpi_end.h"

#define FRAME_BYTES_MAX ((size_t)128 * 1024 * 1024)
#define BIG_BYTES ((size_t)64 * 1024 * 1024)

struct rank {
    const mw_transport_api *api;
    int rank;
    int size;
    int wrong_count;
};

#define CHECK(r, condition)                                                                        \
    ((condition) ? (void)0                                                                         \
                 : (void)((r)->wrong_count++, fprintf(stderr, "rank %d, line %d: %s\n", (r)->rank, \
                                                      __LINE__, #condition)))

static void open_world(struct rank *r, struct mwt_mpi_end *end)
{
    MPI_Comm world = MPI_COMM_WORLD;

    CHECK(r, mwt_mpi_open(end, r->api, &world, FRAME_BYTES_MAX) == MW_OK);
}

static void close_end(struct rank *r, struct mwt_mpi_end *end)
{
    mwt_mpi_close(end);
    CHECK(r, end->faults_count == 0);
}

/* Connects to the listening rank, sends one frame and waits for its echo. */
static mw_peer exchange(struct rank *r, struct mwt_mpi_end *end, int master, size_t size)
{
    mw_peer peer = mwt_mpi_connect(end, master);

    CHECK(r, mwt_mpi_await_ups(end, end->peers_count + 1));
    CHECK(r, mwt_mpi_send(end, peer, 0, size) == MW_OK);
    CHECK(r, mwt_mpi_await_frames(end, end->frames_count + 1));
    return peer;
}

/* Listens, and echoes until so many peers have come and gone. */
static void serve(struct rank *r, struct mwt_mpi_end *end, unsigned peers_count)
{
    end->does_echo = true;
    mwt_mpi_listen(end);
    CHECK(r, mwt_mpi_await_downs(end, peers_count));
    CHECK(r, end->peers_count == peers_count);
    CHECK(r, strcmp(end->down_reason, "closed by the peer") == 0);
}

/* A farm in small: one rank serves, the others connect, exchange a frame and close. */
static void run_farm(struct rank *r, struct mwt_mpi_end *end, int rank, int size, int master)
{
    if (rank == master)
        serve(r, end, (unsigned)size - 1);
    else
        exchange(r, end, master, 100);
}

/* The same communicator is used again and again, and none is left over. */
static void reopen(struct rank *r)
{
    MPI_Comm before;
    MPI_Comm after;

    MPI_Comm_dup(MPI_COMM_WORLD, &before);
    for (int i = 0; i < 1000; i++) {
        struct mwt_mpi_end end;

        open_world(r, &end);
        if (i % 10 == 0)
            run_farm(r, &end, r->rank, r->size, 0);
        close_end(r, &end);
    }
    MPI_Comm_dup(MPI_COMM_WORLD, &after);

    CHECK(r, MPI_Comm_c2f(after) <= MPI_Comm_c2f(before) + 1);
    MPI_Comm_free(&before);
    MPI_Comm_free(&after);
}

/* A rank's numbers are those of the communicator given; one of a single process is refused. */
static void use_part_of_world(struct rank *r)
{
    struct mwt_mpi_end end;
    MPI_Comm part;
    int rank;

    MPI_Comm_split(MPI_COMM_WORLD, r->rank == 1, -r->rank, &part);
    MPI_Comm_rank(part, &rank);

    if (r->rank == 1) {
        CHECK(r, mwt_mpi_open(&end, r->api, &part, 1000) == MW_EUNAVAILABLE);
        CHECK(r, strstr(end.why.text, "mpirun -n N") != NULL);
    } else {
        CHECK(r, mwt_mpi_open(&end, r->api, &part, 1000) == MW_OK);
        run_farm(r, &end, rank, r->size - 1, 0);
        if (r->rank == 0)
            CHECK(r, strcmp(end.peers[0].name, "rank 0") == 0);
        close_end(r, &end);
    }
    MPI_Comm_free(&part);
}

/* Two transports on two communicators know nothing of each other. */
static void use_two_at_once(struct rank *r)
{
    struct mwt_mpi_end first;
    struct mwt_mpi_end second;
    MPI_Comm reversed;
    int rank;

    MPI_Comm_split(MPI_COMM_WORLD, 0, -r->rank, &reversed);
    MPI_Comm_rank(reversed, &rank);
    open_world(r, &first);
    CHECK(r, mwt_mpi_open(&second, r->api, &reversed, 1000) == MW_OK);

    if (r->rank == 0) {
        serve(r, &first, (unsigned)r->size - 1);
        exchange(r, &second, 0, 0);
    } else {
        mw_peer peer = exchange(r, &first, 0, 50);

        r->api->drop(first.transport, peer);
        run_farm(r, &second, rank, r->size, 0);
    }

    close_end(r, &second);
    close_end(r, &first);
    MPI_Comm_free(&reversed);
}

/* Any rank may be the one that listens. */
static void serve_on_last_rank(struct rank *r)
{
    struct mwt_mpi_end end;

    open_world(r, &end);
    run_farm(r, &end, r->rank, r->size, r->size - 1);
    close_end(r, &end);
}

/* Frames of all sizes from all ranks at once arrive whole and in order, and their echoes too. */
static void send_from_all(struct rank *r)
{
    static const size_t sizes[] = {0, 8, 64, 5000, 100, 16384, 70000, 16, 16383, 300000};
    const unsigned count = 3000;
    struct mwt_mpi_end end;

    open_world(r, &end);
    if (r->rank == 0) {
        serve(r, &end, (unsigned)r->size - 1);
        CHECK(r, end.frames_count == count * ((unsigned)r->size - 1));
    } else {
        mw_peer peer = mwt_mpi_connect(&end, 0);

        for (unsigned i = 0; i < count; i++) {
            CHECK(r,
                  mwt_mpi_send(&end, peer, i, sizes[i % (sizeof sizes / sizeof *sizes)]) == MW_OK);
            if (i >= 100)
                CHECK(r, mwt_mpi_await_frames(&end, i - 100));
        }
        CHECK(r, mwt_mpi_await_frames(&end, count));
        CHECK(r, mwt_mpi_await_no_backlog(&end, peer));
    }
    close_end(r, &end);
}

/* 64 MiB go there and back, and come in a block that the receiver may keep. */
static void send_big(struct rank *r)
{
    struct mwt_mpi_end end;

    open_world(r, &end);
    if (r->rank == 0) {
        serve(r, &end, (unsigned)r->size - 1);
    } else {
        exchange(r, &end, 0, BIG_BYTES);
        CHECK(r, end.peers[0].bytes_count == BIG_BYTES);
    }
    CHECK(r, end.blocks_count == end.frames_count);
    close_end(r, &end);
}

static void ignore_error(MPI_Comm *comm, int *code, ...)
{
    (void)comm;
    (void)code;
}

/* The error handler of the caller's communicator stays what it was. */
static void keep_error_handler(struct rank *r)
{
    MPI_Errhandler handler;
    MPI_Errhandler found;
    struct mwt_mpi_end end;
    MPI_Comm comm;

    MPI_Comm_dup(MPI_COMM_WORLD, &comm);
    MPI_Comm_create_errhandler(ignore_error, &handler);
    MPI_Comm_set_errhandler(comm, handler);

    CHECK(r, mwt_mpi_open(&end, r->api, &comm, 1000) == MW_OK);
    run_farm(r, &end, r->rank, r->size, 0);
    close_end(r, &end);

    MPI_Comm_get_errhandler(comm, &found);
    CHECK(r, found == handler);
    MPI_Errhandler_free(&found);
    MPI_Errhandler_free(&handler);
    MPI_Comm_free(&comm);
}

/* Ranks that never connect, and a master that has seen nobody, close without waiting for more. */
static void close_without_connect(struct rank *r)
{
    struct mwt_mpi_end end;

    open_world(r, &end);
    if (r->rank == 0)
        mwt_mpi_listen(&end);
    if (r->rank == 1) {
        mwt_mpi_connect(&end, 0);
        CHECK(r, mwt_mpi_await_downs(&end, 1));
    }
    close_end(r, &end);
}

/* A connect that comes when the listener is closing goes down, as does one to who never listened;
 * the listener does not poll, so that it sees the connect in its close only. */
static void connect_late(struct rank *r)
{
    struct mwt_mpi_end end;

    open_world(r, &end);
    if (r->rank == 0) {
        mwt_mpi_listen(&end);
    } else {
        mwt_mpi_connect(&end, 0);
        CHECK(r, mwt_mpi_await_downs(&end, 1));
        CHECK(r, end.peers_count == 0);
        CHECK(r, strcmp(end.down_reason, "connection refused") == 0);
    }
    close_end(r, &end);
}

/* Both ends drop each other at the same time, with frames on their way, and link anew. */
static void drop_from_both_ends(struct rank *r)
{
    struct mwt_mpi_end end;
    mw_peer old = 0;

    open_world(r, &end);
    end.does_echo = r->rank == 0;
    if (r->rank == 0)
        mwt_mpi_listen(&end);
    if (r->rank == 1)
        old = mwt_mpi_connect(&end, 0);
    if (r->rank < 2)
        CHECK(r, mwt_mpi_await_ups(&end, 1));

    if (r->rank < 2) {
        CHECK(r, mwt_mpi_send(&end, end.peers[0].peer, 0, 10) == MW_OK);
        CHECK(r, mwt_mpi_send(&end, end.peers[0].peer, 1, 1000000) == MW_OK);
        r->api->drop(end.transport, end.peers[0].peer);
        CHECK(r, mwt_mpi_send(&end, end.peers[0].peer, 2, 10) == MW_EPEER);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (r->rank == 0)
        CHECK(r, mwt_mpi_await_downs(&end, 1));
    if (r->rank == 1)
        CHECK(r, exchange(r, &end, 0, 100) != old);

    if (r->rank == 1)
        CHECK(r, end.frames_count == 1 && end.downs_count == 0);
    close_end(r, &end);
}

/* A frame that is over the other end's limit takes the link down there, with the figures, and is
 * not sent at all; the sender's own limit is an error at once. */
static void exceed_limit(struct rank *r)
{
    MPI_Comm world = MPI_COMM_WORLD;
    struct mwt_mpi_end end;

    CHECK(r, mwt_mpi_open(&end, r->api, &world, r->rank == 0 ? 1000 : 5000000) == MW_OK);
    if (r->rank == 0) {
        mwt_mpi_listen(&end);
        CHECK(r, mwt_mpi_await_downs(&end, (unsigned)r->size - 1));
        CHECK(r,
              strcmp(end.down_reason, "a frame of 4000000 bytes is over the limit of 1000") == 0);
        CHECK(r, end.frames_count == (unsigned)r->size - 1);
    } else {
        mw_peer peer = mwt_mpi_connect(&end, 0);

        CHECK(r, mwt_mpi_send(&end, peer, 0, 1000) == MW_OK);
        CHECK(r, mwt_mpi_send(&end, peer, 1, 5000001) == MW_ETOOBIG);
        CHECK(r, mwt_mpi_send(&end, peer, 1, 4000000) == MW_OK);
        CHECK(r, mwt_mpi_send(&end, peer, 2, 10) == MW_OK);
        CHECK(r, mwt_mpi_await_downs(&end, 1));
        CHECK(r, strcmp(end.down_reason, "closed by the peer") == 0);
    }
    close_end(r, &end);
}

/* Addresses that are no rank of another process, and listening addresses, are refused. */
static void refuse_addresses(struct rank *r)
{
    static const char *const addresses[] = {"",  "x", "1x", "-1", "99", "99999999999999999999",
                                            " 1"};
    struct mwt_mpi_end end;
    char own[16];
    char bound[16];
    mw_peer peer;

    open_world(r, &end);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        CHECK(r, r->api->connect(end.transport, addresses[i], &peer, &end.why) == MW_EINVAL);
    snprintf(own, sizeof own, "%d", r->rank);
    CHECK(r, r->api->connect(end.transport, own, &peer, &end.why) == MW_EINVAL);
    CHECK(r, r->api->listen(end.transport, "here", bound, sizeof bound, &end.why) == MW_EINVAL);
    CHECK(r, r->api->listen(end.transport, "", bound, 1, &end.why) == MW_EINVAL);
    CHECK(r, r->api->listen(end.transport, "", bound, sizeof bound, &end.why) == MW_OK);
    CHECK(r, strcmp(bound, own) == 0);
    close_end(r, &end);
}

/* A readable wake_fd ends a poll that would last for ever. */
static void wake_up(struct rank *r)
{
    static const mw_transport_events events = {0};
    mw_transport_config config = {.events = &events, .frame_bytes_max = 10};
    mw_reason why;
    void *transport;
    int ends[2];

    CHECK(r, pipe(ends) == 0);
    config.wake_fd = ends[0];
    CHECK(r, r->api->open(&transport, &config, &why) == MW_OK);

    CHECK(r, write(ends[1], "x", 1) == 1);
    CHECK(r, r->api->poll(transport, INT64_MAX, &why) == MW_OK);

    r->api->close(transport);
    close(ends[0]);
    close(ends[1]);
}

static void *open_in_thread(void *context)
{
    struct rank *r = context;
    MPI_Comm world = MPI_COMM_WORLD;
    struct mwt_mpi_end end;

    CHECK(r, mwt_mpi_open(&end, r->api, &world, 1000) == MW_EUNAVAILABLE);
    CHECK(r, strstr(end.why.text, "another thread") != NULL);
    return NULL;
}

/* A thread that may not call MPI is told so. */
static void refuse_other_thread(struct rank *r)
{
    pthread_t thread;

    CHECK(r, pthread_create(&thread, NULL, open_in_thread, r) == 0);
    pthread_join(thread, NULL);
}

/* What cannot be opened is refused before any other rank is needed. */
static void refuse_environments(struct rank *r)
{
    MPI_Comm none = MPI_COMM_NULL;
    MPI_Comm world = MPI_COMM_WORLD;
    struct mwt_mpi_end end;

    CHECK(r, mwt_mpi_open(&end, r->api, &none, 1000) == MW_EINVAL);
    CHECK(r, mwt_mpi_open(&end, r->api, &world, (size_t)1 << 31) == MW_EINVAL);
    r->api->close(NULL);
}

#define CASES(X)                                                                                   \
    X(reopen)                                                                                      \
    X(use_part_of_world)                                                                           \
    X(use_two_at_once)                                                                             \
    X(serve_on_last_rank)                                                                          \
    X(send_from_all)                                                                               \
    X(send_big)                                                                                    \
    X(keep_error_handler)                                                                          \
    X(close_without_connect)                                                                       \
    X(connect_late)                                                                                \
    X(drop_from_both_ends)                                                                         \
    X(exceed_limit)                                                                                \
    X(refuse_addresses)                                                                            \
    X(wake_up)                                                                                     \
    X(refuse_other_thread)                                                                         \
    X(refuse_environments)

#define ENUMERATOR(name) CASE_##name,
enum { CASES(ENUMERATOR) CASES_COUNT };

#define FUNCTION(name) name,
static void (*const cases[])(struct rank *) = {CASES(FUNCTION)};

/* Runs a case on this rank and returns, on rank 0, how much all ranks found wrong. */
static int run_case(int number, const mw_transport_api *api)
{
    struct rank r = {.api = api};
    int total = 0;

    MPI_Comm_rank(MPI_COMM_WORLD, &r.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &r.size);
    cases[number](&r);
    MPI_Reduce(&r.wrong_count, &total, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
    return total;
}

static void run_on_all(int number)
{
    MPI_Bcast(&number, 1, MPI_INT, 0, MPI_COMM_WORLD);
    CU_ASSERT_EQUAL(run_case(number, mwt_mpi_load(MW_MPI_MODULE)), 0);
}

#define TEST(name)                                                                                 \
    static void test_##name(void)                                                                  \
    {                                                                                              \
        run_on_all(CASE_##name);                                                                   \
    }
CASES(TEST)

static unsigned run_cunit(void)
{
    CU_pSuite suite;
    unsigned failures_count;
    int end = CASES_COUNT;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    suite = CU_add_suite("mpi", NULL, NULL);
#define ADD(name) CU_add_test(suite, #name, test_##name);
    CASES(ADD)
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures_count = CU_get_number_of_failures();
    CU_cleanup_registry();
    MPI_Bcast(&end, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return failures_count;
}

static void obey(void)
{
    const mw_transport_api *api = mwt_mpi_load(MW_MPI_MODULE);

    for (;;) {
        int number;

        MPI_Bcast(&number, 1, MPI_INT, 0, MPI_COMM_WORLD);
        if (number == CASES_COUNT)
            return;
        run_case(number, api);
    }
}

int main(int argc, char **argv)
{
    unsigned failures_count = 0;
    int rank;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0)
        failures_count = run_cunit();
    else
        obey();
    MPI_Finalize();
    return failures_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
