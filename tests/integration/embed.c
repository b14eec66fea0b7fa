/* SPDX-License-Identifier: Apache-2.0
 *
 * An MPI program that runs farms on its communicators: embed CASE, under mpirun. A case that finds
 * something wrong prints a line on standard error and exits 1; so does a case that needs more
 * ranks than there are.
 *
 * The MPI functions that make and complete communicators and requests are wrapped here, with MPI's
 * profiling interface, and counted. A new case is a function in the table of main, and a test in
 * test_embed.c.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mw/mpi.h>

/* MPICH takes 20 ms for a communicator if there are more ranks than cores, so it has fewer phases.
 * It allocates some kilobytes later than in the first tenth of the phases, however many there are.
 */
#ifdef OPEN_MPI
#define PHASES_COUNT 2000
#define GROWN_BYTES_MAX 32000
#else
#define PHASES_COUNT 400
#define GROWN_BYTES_MAX 16000
#endif
#define TASKS_COUNT 20

/* The communicators and requests that MPI has given out and not got back. The wrappers have no
 * context, so the counts are global. */
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

/* One rank, and its state from phase to phase. */
struct rank {
    int rank, size, faults_count;
    long phase, tasks_done, results_taken, first_cost;
};

static void check(struct rank *rank, bool is_right, const char *what)
{
    if (is_right)
        return;
    fprintf(stderr, "rank %d, phase %ld: not so: %s\n", rank->rank, rank->phase, what);
    rank->faults_count++;
}

#define CHECK(r, condition) check(r, condition, #condition)

static void square(mw_call *call)
{
    struct rank *rank = mw_call_user(call);
    int64_t number;
    if (mw_call_args(call, "l", &number) != MW_OK)
        return;
    rank->tasks_done++;
    mw_call_return(call, "ll", number * number, (int64_t)rank->rank);
}

/* Each result must come once. */
static int take_squares(mw_master *farm, int argc, char **argv)
{
    struct rank *rank = mw_master_user(farm);
    const mw_result *result;
    bool came[TASKS_COUNT] = {false};
    int64_t value, by;
    (void)argc, (void)argv;
    for (int64_t i = 0; i < TASKS_COUNT; i++)
        mw_master_submit(farm, &(mw_task){.algorithm = "square", .tag = i}, "l", i + rank->phase);
    while ((result = mw_master_next(farm)) != NULL) {
        CHECK(rank,
              result->outcome == MW_DONE && mw_result_get(result, "ll", &value, &by) == MW_OK);
        CHECK(rank, value == (result->tag + rank->phase) * (result->tag + rank->phase));
        CHECK(rank, !came[result->tag]);
        came[result->tag] = true;
        rank->results_taken++;
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

/* Runs a phase with an option of this rank's own, or NULL. Returns the error, with its sentence. */
static mw_error run_phase(struct rank *rank, MPI_Comm comm, int master_rank, mw_master_fn *master,
                          mw_options *options)
{
    mw_program program = {.algorithms = algorithms, .master = master, .user = rank};
    int own_rank, status = -1;
    MPI_Comm_rank(comm, &own_rank);
    mw_error error = mw_mpi_run(comm, master_rank, &program, options, 0, NULL, &status);
    if (error == MW_OK)
        CHECK(rank, status == (own_rank == master_rank && master == take_squares ? 7 : 0));
    return error;
}

static void run_good_phase(struct rank *rank, MPI_Comm comm, int master_rank)
{
    mw_options *options = make_options(NULL, NULL);
    long before = rank->results_taken;
    int own_rank;
    MPI_Comm_rank(comm, &own_rank);
    CHECK(rank, run_phase(rank, comm, master_rank, take_squares, options) == MW_OK);
    CHECK(rank, rank->results_taken == before + (own_rank == master_rank ? TASKS_COUNT : 0));
    mw_options_destroy(options);
}

static long memory_in_use(void)
{
    return (long)mallinfo2().uordblks;
}

/* Many phases, each with another rank as master: nothing is left over, and the user's data stays.
 * Memory is counted from the hundredth phase on, when MPI has allocated everything that it
 * keeps. */
static void again(struct rank *rank)
{
    long memory = 0, all_done = 0;
    for (rank->phase = 0; rank->phase < PHASES_COUNT; rank->phase++) {
        if (rank->phase == PHASES_COUNT / 10)
            memory = memory_in_use();
        run_good_phase(rank, MPI_COMM_WORLD, (int)rank->phase % rank->size);
        CHECK(rank, comms_count == 0);
        CHECK(rank, requests_count == 0);
    }
    long grown = memory_in_use() - memory;
    CHECK(rank, comms_total >= PHASES_COUNT);
    CHECK(rank, requests_total >= PHASES_COUNT);
    CHECK(rank, grown < GROWN_BYTES_MAX);
    MPI_Allreduce(&rank->tasks_done, &all_done, 1, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    CHECK(rank, all_done == (long)PHASES_COUNT * TASKS_COUNT);
    printf("rank %d: %ld bytes more after %d phases\n", rank->rank, grown, PHASES_COUNT);
}

/* Two farms at the same time, on the even and on the odd ranks. */
static void disjoint(struct rank *rank)
{
    MPI_Comm half;
    int half_size;
    CHECK(rank, rank->size >= 4);
    PMPI_Comm_split(MPI_COMM_WORLD, rank->rank % 2, rank->rank, &half);
    PMPI_Comm_size(half, &half_size);
    for (rank->phase = 0; rank->phase < 50; rank->phase++)
        run_good_phase(rank, half, rank->rank % 2 == 0 ? 0 : half_size - 1);
    long done[2] = {0}, own[2] = {0};
    own[rank->rank % 2] = rank->tasks_done;
    MPI_Allreduce(own, done, 2, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    CHECK(rank, done[0] == 50 * TASKS_COUNT && done[1] == 50 * TASKS_COUNT);
    PMPI_Comm_free(&half);
}

/* Ranks that do not take part go on at once. Communicators of the others get the caller's name. */
static void declining(struct rank *rank)
{
    int master_rank = rank->size - 1;
    CHECK(rank, rank->size >= 4);
    for (rank->phase = 0; rank->phase < 20; rank->phase++) {
        if (rank->rank == 0 || rank->rank == 2)
            CHECK(rank, mw_mpi_decline(MPI_COMM_WORLD) == MW_OK);
        else
            run_good_phase(rank, MPI_COMM_WORLD, master_rank);
    }
    CHECK(rank, rank->rank != 0 || rank->tasks_done == 0);
    CHECK(rank, comms_count == 0 && requests_count == 0);
}

/* A master without slaves, and slaves without a master, get an error. */
static void lonely(struct rank *rank)
{
    mw_options *options = make_options(NULL, NULL);
    if (rank->rank != 0) {
        CHECK(rank, mw_mpi_decline(MPI_COMM_WORLD) == MW_OK);
    } else {
        CHECK(rank, run_phase(rank, MPI_COMM_WORLD, 0, take_squares, options) == MW_EUNAVAILABLE);
        CHECK(rank, strstr(mw_options_error(options), "no other rank") != NULL);
    }
    if (rank->rank == 0) {
        CHECK(rank, mw_mpi_decline(MPI_COMM_WORLD) == MW_OK);
    } else {
        CHECK(rank, run_phase(rank, MPI_COMM_WORLD, 0, take_squares, options) == MW_EUNAVAILABLE);
        CHECK(rank, strstr(mw_options_error(options), "rank 0 does not take part") != NULL);
    }
    CHECK(rank, run_phase(rank, MPI_COMM_SELF, 0, take_squares, options) == MW_OK);
    CHECK(rank, run_phase(rank, MPI_COMM_SELF, 1, take_squares, options) == MW_EINVAL);
    CHECK(rank,
          run_phase(rank, MPI_COMM_WORLD, rank->rank == 2, take_squares, options) == MW_EINVAL);
    CHECK(rank, strstr(mw_options_error(options), "different masters") != NULL);
    CHECK(rank, run_phase(rank, MPI_COMM_WORLD, 99, take_squares, options) == MW_EINVAL);
    CHECK(rank, strstr(mw_options_error(options), "\"99\" is no rank") != NULL);
    CHECK(rank, run_phase(rank, MPI_COMM_WORLD, 1, NULL, options) ==
                    (rank->rank == 1 ? MW_EINVAL : MW_EUNAVAILABLE));
    CHECK(rank, comms_count == 0 && requests_count == 0);
    run_good_phase(rank, MPI_COMM_WORLD, 0);
    CHECK(rank, run_phase(rank, MPI_COMM_WORLD, 0, take_squares, options) == MW_OK);
    CHECK(rank, strcmp(mw_options_error(options), "") == 0);
    mw_options_destroy(options);
}

/* A rank with impossible options does not leave the others waiting. */
static void bad_options(struct rank *rank)
{
    mw_options *good = make_options(NULL, NULL);
    mw_options *role = make_options("slave", "1");
    mw_options *file = make_options("audit-file", "/proc/no/such/folder/%n");
    mw_options *resource = make_options("resource-file", "/proc/no/such/folder");
    CHECK(rank, rank->size >= 3);

    CHECK(rank, run_phase(rank, MPI_COMM_WORLD, 0, take_squares, rank->rank == 0 ? role : good) ==
                    (rank->rank == 0 ? MW_EUSAGE : MW_EUNAVAILABLE));
    CHECK(rank, run_phase(rank, MPI_COMM_WORLD, 0, take_squares, rank->rank == 0 ? file : good) ==
                    (rank->rank == 0 ? MW_EIO : MW_EUNAVAILABLE));
    /* The error shows only after the others have been joined. */
    CHECK(rank,
          run_phase(rank, MPI_COMM_WORLD, 0, take_squares, rank->rank == 0 ? resource : good) ==
              (rank->rank == 0 ? MW_EIO : MW_EGONE));
    CHECK(rank, run_phase(rank, MPI_COMM_WORLD, 0, take_squares, rank->rank == 1 ? role : good) ==
                    (rank->rank == 1 ? MW_EUSAGE : MW_OK));
    CHECK(rank, rank->rank != 0 || rank->results_taken == TASKS_COUNT);
    CHECK(rank, run_phase(rank, MPI_COMM_WORLD, 0, return_at_once, good) == MW_OK);
    CHECK(rank, comms_count == 0 && requests_count == 0);

    mw_options_destroy(good);
    mw_options_destroy(role);
    mw_options_destroy(file);
    mw_options_destroy(resource);
}

/* Rank 1 has no module for MPI, and does not leave the others waiting either. */
static void no_module(struct rank *rank)
{
    CHECK(rank, rank->size >= 3);
    mw_options *options = make_options(NULL, NULL);
    if (rank->rank == 1)
        setenv("MW_MODULE_PATH", getenv("EMBED_FILE"), 1);
    mw_error error = run_phase(rank, MPI_COMM_WORLD, 0, take_squares, options);
    CHECK(rank, error == (rank->rank == 1 ? MW_EUNAVAILABLE : MW_OK));
    CHECK(rank, rank->rank != 0 || rank->results_taken == TASKS_COUNT);
    CHECK(rank, comms_count == 0 && requests_count == 0);
    mw_options_destroy(options);
}

/* A program that was compiled with another MPI than the module is refused on every rank, before its
 * communicator is read. The ranks can still decline. */
static void other_kind(struct rank *rank)
{
#ifdef OPEN_MPI
    const char *other = "MPICH";
#else
    const char *other = "Open MPI";
#endif
    mw_options *options = make_options(NULL, NULL);
    mw_program program = {.algorithms = algorithms, .master = take_squares, .user = rank};
    int no_communicator = 0, status;
    mw_options_set_communicator(options, &no_communicator, 0, rank->size, other);
    mw_error error = rank->rank == 0 ? mw_run_master(&program, options, 0, NULL, &status)
                                     : mw_run_slave(&program, options, 0, NULL, &status);
    CHECK(rank, error == MW_EUNAVAILABLE);
    CHECK(rank, strstr(mw_options_error(options), "was compiled with") != NULL);
    CHECK(rank, mw_options_must_decline(options));
    CHECK(rank, mw_mpi_decline(MPI_COMM_WORLD) == MW_OK);
    mw_options_destroy(options);
    run_good_phase(rank, MPI_COMM_WORLD, 0);
}

/* Makes the file EMBED_FILE first. */
static void never_end(mw_call *call)
{
    (void)call;
    FILE *file = fopen(getenv("EMBED_FILE"), "w");
    if (file != NULL)
        fclose(file);
    for (;;)
        pause();
}

/* Returns when a task has begun that never ends. */
static int leave_one(mw_master *farm, int argc, char **argv)
{
    (void)argc, (void)argv;
    mw_master_counts counts;
    mw_master_submit(farm, &(mw_task){.algorithm = "never_end"}, "");
    while (access(getenv("EMBED_FILE"), F_OK) != 0)
        if (mw_master_loop_iterate(farm, 0.01, &counts) != MW_OK)
            return 1;
    return 7;
}

/* A master that was allowed to ends the job when a rank does not come back. */
static void end_job(struct rank *rank)
{
    static const mw_algorithm endless[] = {{"never_end", never_end}, {0}};
    mw_program program = {.algorithms = endless, .master = leave_one, .user = rank};
    mw_options *options = make_options("shutdown-timeout", "0.3");
    int status;
    mw_mpi_end_job(options, true);
    (void)mw_mpi_run(MPI_COMM_WORLD, 0, &program, options, 0, NULL, &status);
    CHECK(rank, false);
    mw_options_destroy(options);
}

static void die(mw_call *call)
{
    (void)call;
    raise(SIGKILL);
}

/* Takes the results of two tasks. The first one ends its process. */
static int take_crash(mw_master *farm, int argc, char **argv)
{
    struct rank *rank = mw_master_user(farm);
    mw_policy policy = {.max_attempts = 1};
    const mw_result *result;
    (void)argc, (void)argv;
    mw_master_submit(farm, &(mw_task){.algorithm = "die", .policy = &policy}, "");
    mw_master_submit(farm, &(mw_task){.algorithm = "square", .tag = 1}, "l", (int64_t)5);
    while ((result = mw_master_next(farm)) != NULL) {
        bool has_crashed = result->outcome == MW_UNRUNNABLE;
        CHECK(rank, has_crashed == (result->tag == 0));
        if (has_crashed)
            CHECK(rank, strstr(result->message, "killed by signal 9 (Killed)") != NULL);
        rank->results_taken++;
    }
    return 7;
}

/* Slaves are isolated if the caller says that it is safe. Then a crash in a task costs an attempt,
 * and all ranks go on. */
static void isolated(struct rank *rank)
{
    static const mw_algorithm deadly[] = {{"die", die}, {"square", square}, {0}};
    mw_program program = {.algorithms = deadly, .master = take_crash, .user = rank};
    mw_options *options = make_options("slave-isolate", rank->rank == 0 ? "0" : "1");
    int status = -1;
    mw_error error = mw_mpi_run(MPI_COMM_WORLD, 0, &program, options, 0, NULL, &status);
    CHECK(rank, error == (rank->rank == 0 ? MW_EUNAVAILABLE : MW_EUSAGE));
    mw_options_allow_fork(options, true);

    error = mw_mpi_run(MPI_COMM_WORLD, 0, &program, options, 0, NULL, &status);

    CHECK(rank, error == MW_OK && status == (rank->rank == 0 ? 7 : 0));
    CHECK(rank, rank->results_taken == (rank->rank == 0 ? 2 : 0));
    rank->results_taken = 0;
    mw_options_destroy(options);
    run_good_phase(rank, MPI_COMM_WORLD, 0);
}

/* A farm that is served from the program's own loop. MPI has no descriptor to wait for. */
static void pump(struct rank *rank, mw_options *options)
{
    mw_program program = {.algorithms = algorithms, .user = rank};
    mw_master_counts counts = {0};
    mw_master *farm;
    CHECK(rank, mw_master_open(&farm, &program, options) == MW_OK);
    CHECK(rank, mw_master_fd(farm) == -1);
    for (int64_t i = 0; i < TASKS_COUNT; i++)
        mw_master_submit(farm, &(mw_task){.algorithm = "square", .tag = i}, "l", i);
    while (counts.results < TASKS_COUNT) {
        double timeout_s = mw_master_timeout(farm);
        CHECK(rank, timeout_s >= 0 && timeout_s < 0.1);
        nanosleep(&(struct timespec){.tv_nsec = (long)(timeout_s * 1e9)}, NULL);
        if (mw_master_loop_iterate(farm, 0, &counts) != MW_OK)
            break;
    }
    CHECK(rank, counts.results == TASKS_COUNT);
    mw_master_close(farm);
}

static void pumped(struct rank *rank)
{
    MPI_Comm comm = MPI_COMM_WORLD;
    mw_options *options = make_options(NULL, NULL);
    mw_program program = {.algorithms = algorithms, .user = rank};
    int status = -1;
    mw_mpi_use(options, &comm, rank->size - 1);
    if (rank->rank == rank->size - 1)
        pump(rank, options);
    else
        CHECK(rank, mw_run_slave(&program, options, 0, NULL, &status) == MW_OK && status == 0);
    CHECK(rank, comms_count == 0 && requests_count == 0);
    mw_options_destroy(options);
}

/* Options of a farm over TCP. It is insecure if the test says so: only mw_main reads the
 * environment. */
static mw_options *make_tcp_options(const char *name, const char *value)
{
    mw_options *options = make_options(name, value);
    if (mw_options_set(options, "resource-file", getenv("EMBED_FILE")) != MW_OK ||
        (getenv("MW_INSECURE") != NULL && mw_options_set(options, "insecure", "1") != MW_OK))
        abort();
    return options;
}

/* The master listens for TCP slaves too, and waits for one. */
static int take_from_guest(mw_master *farm, int argc, char **argv)
{
    struct rank *rank = mw_master_user(farm);
    mw_master_counts counts;
    while (mw_master_num_slaves(farm) < (size_t)rank->size)
        if (mw_master_loop_iterate(farm, 1, &counts) != MW_OK)
            return 1;
    return take_squares(farm, argc, argv);
}

static void mixed(struct rank *rank)
{
    mw_options *options = make_tcp_options("transport", "mpi,tcp");
    int status = -1;
    mw_program program = {.algorithms = algorithms, .master = take_from_guest, .user = rank};
    if (mw_options_set(options, "master-host", "127.0.0.1") != MW_OK)
        abort();
    CHECK(rank, mw_mpi_run(MPI_COMM_WORLD, 0, &program, options, 0, NULL, &status) == MW_OK);
    CHECK(rank, rank->rank != 0 || (status == 7 && rank->results_taken == TASKS_COUNT));
    mw_options_destroy(options);
}

/* This process is no rank: it is a slave that joins the farm above over TCP, by the same calls. */
static int be_guest(void)
{
    struct rank rank = {.rank = -1};
    mw_options *options = make_tcp_options("slave", "1");
    mw_program program = {.algorithms = algorithms, .user = &rank};
    int status = -1;
    CHECK(&rank, mw_run_slave(&program, options, 0, NULL, &status) == MW_OK);
    CHECK(&rank, status == 0);
    mw_options_destroy(options);
    return rank.faults_count > 0;
}

/* A farm refuses to open if MPI is not initialised, and after its end. */
static void expect_refusal(struct rank *rank, const char *part)
{
    mw_options *options = make_options(NULL, NULL);
    mw_program program = {.algorithms = algorithms, .master = take_squares, .user = rank};
    int status;
    CHECK(rank,
          mw_mpi_run(MPI_COMM_WORLD, 0, &program, options, 0, NULL, &status) == MW_EUNAVAILABLE);
    CHECK(rank, strstr(mw_options_error(options), part) != NULL);
    CHECK(rank, mw_mpi_decline(MPI_COMM_WORLD) == MW_EUNAVAILABLE);
    mw_options_destroy(options);
}

static int name_scope_late(mw_master *farm, int argc, char **argv)
{
    const mw_result *result = NULL;
    (void)argc, (void)argv;
    bool was_refused =
        mw_master_submit(farm, &(mw_task){.algorithm = "square"}, "l", INT64_C(3)) == MW_ESTATE;
    mw_master_journal_scope(farm, "a phase");
    if (mw_master_submit(farm, &(mw_task){.algorithm = "square"}, "l", INT64_C(3)) == MW_OK)
        result = mw_master_next(farm);
    return was_refused && result != NULL && result->outcome == MW_DONE ? 0 : 1;
}

/* With a journal, a farm must name its scope before it submits. */
static void scopes(struct rank *rank)
{
    mw_options *options = make_options("journal", getenv("MWT_JOURNAL"));
    mw_error expected = rank->rank == 0 ? MW_ESTATE : MW_OK;
    CHECK(rank, run_phase(rank, MPI_COMM_WORLD, 0, name_scope_late, options) == expected);
    if (rank->rank == 0)
        CHECK(rank, strstr(mw_options_error(options), "mw_master_journal_scope") != NULL);
    mw_options_destroy(options);
}

static int run_low_levels(void)
{
    struct rank rank = {0};
    int provided;
    expect_refusal(&rank, "MPI is not initialised");
    MPI_Init_thread(NULL, NULL, MPI_THREAD_SINGLE, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank.rank);
    run_good_phase(&rank, MPI_COMM_WORLD, 0);
    MPI_Finalize();
    expect_refusal(&rank, "already finalised");
    return rank.faults_count > 0;
}

static const struct {
    const char *name;
    void (*run)(struct rank *r);
} cases[] = {{"again", again},         {"disjoint", disjoint},       {"declining", declining},
             {"lonely", lonely},       {"bad_options", bad_options}, {"pumped", pumped},
             {"no_module", no_module}, {"other_kind", other_kind},   {"end_job", end_job},
             {"mixed", mixed},         {"isolated", isolated},       {"scopes", scopes}};

int main(int argc, char **argv)
{
    struct rank rank = {0};
    const char *name = argc > 1 ? argv[1] : "";
    int provided;
    if (strcmp(name, "guest") == 0)
        return be_guest();
    if (strcmp(name, "low_levels") == 0)
        return run_low_levels();
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &rank.size);
    bool has_run = false;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(cases[i].name, name) != 0)
            continue;
        cases[i].run(&rank);
        has_run = true;
    }
    CHECK(&rank, has_run);
    MPI_Finalize();
    return rank.faults_count > 0;
}
