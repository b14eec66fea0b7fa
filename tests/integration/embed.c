/* SPDX-License-Identifier: Apache-2.0
 *
 * A program of MPI's own that runs farms on its communicators: embed CASE, under mpirun. What a
 * case finds wrong is a line on standard error and exit status 1; a case that needs more ranks than
 * there are says so likewise.
 *
 * The MPI functions that make and complete communicators and requests are wrapped here, with MPI's
 * profiling interface, and counted.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mw/mpi.h>

#define PHASES_COUNT 2000
#define TASKS_COUNT 20

/* What MPI has given out and not got back. One program, one set of wrappers: this cannot be but
 * global. */
static long comms_count, requests_count, comms_total, requests_total;

int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *made)
{
    int code = PMPI_Comm_split(comm, color, key, made);
    comms_count += code == MPI_SUCCESS && *made != MPI_COMM_NULL;
    comms_total++;
    return code;
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *made)
{
    int code = PMPI_Comm_dup(comm, made);
    comms_count += code == MPI_SUCCESS;
    comms_total++;
    return code;
}

int MPI_Comm_free(MPI_Comm *comm)
{
    int code = PMPI_Comm_free(comm);
    comms_count -= code == MPI_SUCCESS;
    return code;
}

static int made(int code)
{
    requests_count += code == MPI_SUCCESS;
    requests_total++;
    return code;
}

int MPI_Isend(const void *data, int count, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    return made(PMPI_Isend(data, count, type, rank, tag, comm, request));
}

int MPI_Irecv(void *data, int count, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    return made(PMPI_Irecv(data, count, type, rank, tag, comm, request));
}

int MPI_Recv_init(void *data, int count, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
                  MPI_Request *request)
{
    return made(PMPI_Recv_init(data, count, type, rank, tag, comm, request));
}

int MPI_Request_free(MPI_Request *request)
{
    requests_count--;
    return PMPI_Request_free(request);
}

int MPI_Ibarrier(MPI_Comm comm, MPI_Request *request)
{
    return made(PMPI_Ibarrier(comm, request));
}

int MPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
{
    bool was_there = *request != MPI_REQUEST_NULL;
    int code = PMPI_Test(request, flag, status);
    requests_count -= was_there && *request == MPI_REQUEST_NULL;
    return code;
}

int MPI_Testsome(int count, MPI_Request requests[], int *done_count, int indices[],
                 MPI_Status statuses[])
{
    int code = PMPI_Testsome(count, requests, done_count, indices, statuses);
    requests_count -= *done_count == MPI_UNDEFINED ? 0 : *done_count;
    return code;
}

int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
    bool was_there = *request != MPI_REQUEST_NULL;
    int code = PMPI_Wait(request, status);
    requests_count -= was_there && *request == MPI_REQUEST_NULL;
    return code;
}

/* One rank, and what it keeps from phase to phase. */
struct rank {
    int rank, size, faults_count;
    long phase, tasks_done, results_taken, first_cost;
};

static void check(struct rank *r, bool is_right, const char *what)
{
    if (is_right)
        return;
    fprintf(stderr, "rank %d, phase %ld: not so: %s\n", r->rank, r->phase, what);
    r->faults_count++;
}

#define CHECK(r, condition) check(r, condition, #condition)

static void square(mw_call *call)
{
    struct rank *r = mw_call_user(call);
    int64_t number;
    if (mw_call_args(call, "l", &number) != MW_OK)
        return;
    r->tasks_done++;
    mw_call_return(call, "ll", number * number, (int64_t)r->rank);
}

/* Each result must come once. */
static int take_squares(mw_master *farm, int argc, char **argv)
{
    struct rank *r = mw_master_user(farm);
    const mw_result *result;
    bool came[TASKS_COUNT] = {false};
    int64_t value, by;
    (void)argc, (void)argv;
    for (int64_t i = 0; i < TASKS_COUNT; i++)
        mw_master_submit(farm, &(mw_task){.algorithm = "square", .tag = i}, "l", i + r->phase);
    while ((result = mw_master_next(farm)) != NULL) {
        CHECK(r, result->outcome == MW_DONE && mw_result_get(result, "ll", &value, &by) == MW_OK);
        CHECK(r, value == (result->tag + r->phase) * (result->tag + r->phase));
        CHECK(r, !came[result->tag]);
        came[result->tag] = true;
        r->results_taken++;
    }
    return 7;
}

static int return_at_once(mw_master *farm, int argc, char **argv)
{
    (void)farm, (void)argc, (void)argv;
    return 0;
}

static mw_options *make_options(const char *name, const char *value)
{
    mw_options *options;
    if (mw_options_create(&options) != MW_OK || mw_options_set(options, "quiet", "1") != MW_OK ||
        (name != NULL && mw_options_set(options, name, value) != MW_OK))
        abort();
    return options;
}

static const mw_algorithm algorithms[] = {{"square", square}, {0}};

/* A phase with an option of this rank's own, or NULL; returns its error, with the sentence. */
static mw_error run_phase(struct rank *r, MPI_Comm comm, int master_rank, mw_master_fn *master,
                          mw_options *options)
{
    mw_program program = {.algorithms = algorithms, .master = master, .user = r};
    int rank, status = -1;
    MPI_Comm_rank(comm, &rank);
    mw_error error = mw_mpi_run(comm, master_rank, &program, options, 0, NULL, &status);
    if (error == MW_OK)
        CHECK(r, status == (rank == master_rank && master == take_squares ? 7 : 0));
    return error;
}

static void run_good_phase(struct rank *r, MPI_Comm comm, int master_rank)
{
    mw_options *options = make_options(NULL, NULL);
    long before = r->results_taken;
    int rank;
    MPI_Comm_rank(comm, &rank);
    CHECK(r, run_phase(r, comm, master_rank, take_squares, options) == MW_OK);
    CHECK(r, r->results_taken == before + (rank == master_rank ? TASKS_COUNT : 0));
    mw_options_destroy(options);
}

static long memory_in_use(void)
{
    return (long)mallinfo2().uordblks;
}

/* Many phases, each with another rank as master: nothing is left over, and what the user keeps is
 * there. Memory is counted from the hundredth on, when MPI has what it keeps for good. */
static void again(struct rank *r)
{
    long memory = 0, all_done = 0;
    for (r->phase = 0; r->phase < PHASES_COUNT; r->phase++) {
        if (r->phase == PHASES_COUNT / 10)
            memory = memory_in_use();
        run_good_phase(r, MPI_COMM_WORLD, (int)r->phase % r->size);
        CHECK(r, comms_count == 0);
        CHECK(r, requests_count == 0);
    }
    long grown = memory_in_use() - memory;
    CHECK(r, comms_total >= PHASES_COUNT);
    CHECK(r, requests_total >= PHASES_COUNT);
    CHECK(r, grown < PHASES_COUNT * 16);
    MPI_Allreduce(&r->tasks_done, &all_done, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    CHECK(r, all_done == (long)PHASES_COUNT * TASKS_COUNT);
    printf("rank %d: %ld bytes more after %d phases\n", r->rank, grown, PHASES_COUNT);
}

/* Two farms at the same time, on the even and on the odd ranks. */
static void disjoint(struct rank *r)
{
    MPI_Comm half;
    int half_size;
    CHECK(r, r->size >= 4);
    PMPI_Comm_split(MPI_COMM_WORLD, r->rank % 2, r->rank, &half);
    PMPI_Comm_size(half, &half_size);
    for (r->phase = 0; r->phase < 50; r->phase++)
        run_good_phase(r, half, r->rank % 2 == 0 ? 0 : half_size - 1);
    long done[2] = {0}, own[2] = {0};
    own[r->rank % 2] = r->tasks_done;
    MPI_Allreduce(own, done, 2, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    CHECK(r, done[0] == 50 * TASKS_COUNT && done[1] == 50 * TASKS_COUNT);
    PMPI_Comm_free(&half);
}

/* Ranks that do not take part go on at once; those that do are called what their caller calls them.
 */
static void declining(struct rank *r)
{
    int master_rank = r->size - 1;
    CHECK(r, r->size >= 4);
    for (r->phase = 0; r->phase < 20; r->phase++) {
        if (r->rank == 0 || r->rank == 2)
            CHECK(r, mw_mpi_decline(MPI_COMM_WORLD) == MW_OK);
        else
            run_good_phase(r, MPI_COMM_WORLD, master_rank);
    }
    CHECK(r, r->rank != 0 || r->tasks_done == 0);
    CHECK(r, comms_count == 0 && requests_count == 0);
}

/* A master without slaves, and slaves without a master, are told so. */
static void lonely(struct rank *r)
{
    mw_options *options = make_options(NULL, NULL);
    if (r->rank != 0) {
        CHECK(r, mw_mpi_decline(MPI_COMM_WORLD) == MW_OK);
    } else {
        CHECK(r, run_phase(r, MPI_COMM_WORLD, 0, take_squares, options) == MW_EUNAVAILABLE);
        CHECK(r, strstr(mw_options_error(options), "no other rank") != NULL);
    }
    if (r->rank == 0) {
        CHECK(r, mw_mpi_decline(MPI_COMM_WORLD) == MW_OK);
    } else {
        CHECK(r, run_phase(r, MPI_COMM_WORLD, 0, take_squares, options) == MW_EUNAVAILABLE);
        CHECK(r, strstr(mw_options_error(options), "rank 0 does not take part") != NULL);
    }
    CHECK(r, run_phase(r, MPI_COMM_SELF, 0, take_squares, options) == MW_EUNAVAILABLE);
    CHECK(r, run_phase(r, MPI_COMM_WORLD, r->rank == 2, take_squares, options) == MW_EINVAL);
    CHECK(r, strstr(mw_options_error(options), "different masters") != NULL);
    CHECK(r, run_phase(r, MPI_COMM_WORLD, 99, take_squares, options) == MW_EINVAL);
    CHECK(r, strstr(mw_options_error(options), "\"99\" is no rank") != NULL);
    CHECK(r, run_phase(r, MPI_COMM_WORLD, 1, NULL, options) ==
                 (r->rank == 1 ? MW_EINVAL : MW_EUNAVAILABLE));
    CHECK(r, comms_count == 0 && requests_count == 0);
    run_good_phase(r, MPI_COMM_WORLD, 0);
    CHECK(r, run_phase(r, MPI_COMM_WORLD, 0, take_squares, options) == MW_OK);
    CHECK(r, strcmp(mw_options_error(options), "") == 0);
    mw_options_destroy(options);
}

/* A rank whose options cannot be does not leave the others waiting. */
static void bad_options(struct rank *r)
{
    mw_options *good = make_options(NULL, NULL);
    mw_options *role = make_options("slave", "1");
    mw_options *file = make_options("audit-file", "/proc/no/such/folder/%n");
    mw_options *resource = make_options("resource-file", "/proc/no/such/folder");
    CHECK(r, r->size >= 3);

    CHECK(r, run_phase(r, MPI_COMM_WORLD, 0, take_squares, r->rank == 0 ? role : good) ==
                 (r->rank == 0 ? MW_EUSAGE : MW_EUNAVAILABLE));
    CHECK(r, run_phase(r, MPI_COMM_WORLD, 0, take_squares, r->rank == 0 ? file : good) ==
                 (r->rank == 0 ? MW_EIO : MW_EUNAVAILABLE));
    /* This shows only when the others have been joined. */
    CHECK(r, run_phase(r, MPI_COMM_WORLD, 0, take_squares, r->rank == 0 ? resource : good) ==
                 (r->rank == 0 ? MW_EIO : MW_EGONE));
    CHECK(r, run_phase(r, MPI_COMM_WORLD, 0, take_squares, r->rank == 1 ? role : good) ==
                 (r->rank == 1 ? MW_EUSAGE : MW_OK));
    CHECK(r, r->rank != 0 || r->results_taken == TASKS_COUNT);
    CHECK(r, run_phase(r, MPI_COMM_WORLD, 0, return_at_once, good) == MW_OK);
    CHECK(r, comms_count == 0 && requests_count == 0);

    mw_options_destroy(good);
    mw_options_destroy(role);
    mw_options_destroy(file);
    mw_options_destroy(resource);
}

/* Rank 1 has no module for MPI, and does not leave the others waiting either. */
static void no_module(struct rank *r)
{
    CHECK(r, r->size >= 3);
    mw_options *options = make_options(NULL, NULL);
    if (r->rank == 1)
        setenv("MW_MODULE_PATH", getenv("EMBED_FILE"), 1);
    mw_error error = run_phase(r, MPI_COMM_WORLD, 0, take_squares, options);
    CHECK(r, error == (r->rank == 1 ? MW_EUNAVAILABLE : MW_OK));
    CHECK(r, r->rank != 0 || r->results_taken == TASKS_COUNT);
    CHECK(r, comms_count == 0 && requests_count == 0);
    mw_options_destroy(options);
}

/* A farm that is served from a loop of the program's own, which MPI gives nothing to wait for. */
static void pump(struct rank *r, mw_options *options)
{
    mw_program program = {.algorithms = algorithms, .user = r};
    mw_master_counts counts = {0};
    mw_master *farm;
    CHECK(r, mw_master_open(&farm, &program, options) == MW_OK);
    CHECK(r, mw_master_fd(farm) == -1);
    for (int64_t i = 0; i < TASKS_COUNT; i++)
        mw_master_submit(farm, &(mw_task){.algorithm = "square", .tag = i}, "l", i);
    while (counts.results < TASKS_COUNT) {
        double timeout_s = mw_master_timeout(farm);
        CHECK(r, timeout_s >= 0 && timeout_s < 0.1);
        nanosleep(&(struct timespec){.tv_nsec = (long)(timeout_s * 1e9)}, NULL);
        if (mw_master_loop_iterate(farm, 0, &counts) != MW_OK)
            break;
    }
    CHECK(r, counts.results == TASKS_COUNT);
    mw_master_close(farm);
}

static void pumped(struct rank *r)
{
    MPI_Comm comm = MPI_COMM_WORLD;
    mw_options *options = make_options(NULL, NULL);
    mw_program program = {.algorithms = algorithms, .user = r};
    int status = -1;
    mw_mpi_use(options, &comm, r->size - 1);
    if (r->rank == r->size - 1)
        pump(r, options);
    else
        CHECK(r, mw_run_slave(&program, options, 0, NULL, &status) == MW_OK && status == 0);
    CHECK(r, comms_count == 0 && requests_count == 0);
    mw_options_destroy(options);
}

/* The master listens for TCP slaves too, and waits for one. */
static int take_from_guest(mw_master *farm, int argc, char **argv)
{
    struct rank *r = mw_master_user(farm);
    mw_master_counts counts;
    while (mw_master_num_slaves(farm) < (size_t)r->size)
        if (mw_master_loop_iterate(farm, 1, &counts) != MW_OK)
            return 1;
    return take_squares(farm, argc, argv);
}

static void mixed(struct rank *r)
{
    mw_options *options = make_options("transport", "mpi,tcp");
    int status = -1;
    mw_program program = {.algorithms = algorithms, .master = take_from_guest, .user = r};
    if (mw_options_set(options, "resource-file", getenv("EMBED_FILE")) != MW_OK ||
        mw_options_set(options, "master-host", "127.0.0.1") != MW_OK)
        abort();
    CHECK(r, mw_mpi_run(MPI_COMM_WORLD, 0, &program, options, 0, NULL, &status) == MW_OK);
    CHECK(r, r->rank != 0 || (status == 7 && r->results_taken == TASKS_COUNT));
    mw_options_destroy(options);
}

/* No rank at all: a slave that joins the above over TCP, by the same calls. */
static int be_guest(void)
{
    struct rank r = {.rank = -1};
    mw_options *options = make_options("slave", "1");
    mw_program program = {.algorithms = algorithms, .user = &r};
    int status = -1;
    if (mw_options_set(options, "resource-file", getenv("EMBED_FILE")) != MW_OK)
        abort();
    CHECK(&r, mw_run_slave(&program, options, 0, NULL, &status) == MW_OK);
    CHECK(&r, status == 0);
    mw_options_destroy(options);
    return r.faults_count > 0;
}

/* MPI that was initialised for less than is needed, or not at all, is no farm. */
static void expect_refusal(struct rank *r, const char *part)
{
    mw_options *options = make_options(NULL, NULL);
    mw_program program = {.algorithms = algorithms, .master = take_squares, .user = r};
    int status;
    CHECK(r, mw_mpi_run(MPI_COMM_WORLD, 0, &program, options, 0, NULL, &status) == MW_EUNAVAILABLE);
    CHECK(r, strstr(mw_options_error(options), part) != NULL);
    CHECK(r, mw_mpi_decline(MPI_COMM_WORLD) == MW_EUNAVAILABLE);
    mw_options_destroy(options);
}

static int run_low_levels(void)
{
    struct rank r = {0};
    int provided;
    expect_refusal(&r, "MPI is not initialised");
    MPI_Init_thread(NULL, NULL, MPI_THREAD_SINGLE, &provided);
    if (provided == MPI_THREAD_SINGLE)
        expect_refusal(&r, "ask for MPI_THREAD_FUNNELED");
    else
        run_good_phase(&r, MPI_COMM_WORLD, 0);
    MPI_Finalize();
    expect_refusal(&r, "already finalised");
    return r.faults_count > 0;
}

static const struct {
    const char *name;
    void (*run)(struct rank *r);
} cases[] = {{"again", again},
             {"disjoint", disjoint},
             {"declining", declining},
             {"lonely", lonely},
             {"bad_options", bad_options},
             {"pumped", pumped},
             {"no_module", no_module},
             {"mixed", mixed}};

int main(int argc, char **argv)
{
    struct rank r = {0};
    const char *name = argc > 1 ? argv[1] : "";
    int provided;
    if (strcmp(name, "guest") == 0)
        return be_guest();
    if (strcmp(name, "low_levels") == 0)
        return run_low_levels();
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &r.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &r.size);
    bool has_run = false;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(cases[i].name, name) != 0)
            continue;
        cases[i].run(&r);
        has_run = true;
    }
    CHECK(&r, has_run);
    MPI_Finalize();
    return r.faults_count > 0;
}
