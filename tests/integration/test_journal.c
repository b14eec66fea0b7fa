/* SPDX-License-Identifier: Apache-2.0
 *
 * Farms with a journal in every mode: a master that is killed goes on when it is started again, and
 * a journal that is in use, full, or of another program says so.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "mwt_process.h"
#include "mwt_run.h"

#define BLOCK_BYTES 65536L /* of a journal */
#define NO_LEAK_CHECK "ASAN_OPTIONS=detect_leaks=0"

/* Starts a program with a journal: `before` is a launcher, `program` the program and its own
 * arguments, `options` say the mode. */
static struct mwt_process *start(struct mwt_crew *crew, const char *const *before,
                                 const char *const *program, const char *const *options)
{
    const char *argv[40];
    size_t count = 0;
    for (; *before != NULL; before++)
        argv[count++] = *before;
    for (; *program != NULL; program++)
        argv[count++] = *program;
    for (; *options != NULL; options++)
        argv[count++] = *options;
    argv[count++] = "--mw-journal";
    argv[count++] = mwt_path(crew, "journal");
    argv[count] = NULL;
    return mwt_start(crew,
                     &(struct mwt_start){.argv = argv, .environment = MWT_ARGV(NO_LEAK_CHECK)});
}

/* Some 900 million darts in 3,000 tasks. */
static struct mwt_process *start_pi(struct mwt_crew *crew, const char *const *before,
                                    const char *const *options)
{
    return start(crew, before,
                 MWT_ARGV(MWT_MONTE_CARLO_PI, "--max-trial-sets", "3000", "--trials", "20000"),
                 options);
}

/* How many results the journal had when the master opened it. */
static long results_count(struct mwt_process *master)
{
    const char *line = mwt_await_line(master, MWT_ERR, "journal\" has ");
    return line == NULL ? -1 : strtol(strstr(line, " has ") + 5, NULL, 10);
}

/* The farm ends, and its output is that of a farm without a journal. */
static void check_output(struct mwt_crew *crew, struct mwt_process *farm)
{
    struct mwt_process *other =
        mwt_run_program(crew, MWT_MONTE_CARLO_PI, "--max-trial-sets", "3000", "--trials", "20000",
                        "--mw-local", "1", "--mw-quiet", NULL);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_EQUAL(mwt_await_end(other), 0);
    CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_OUT), mwt_output(other, MWT_OUT));
}

/* A master that is killed twice while it works comes to the same result as one that is not. The
 * next run does not send what the one before has computed, and the last one has nothing left to
 * send. */
/* How many bytes of the journal are written. Behind them are zeros while a run has the file. */
static long journal_bytes(struct mwt_crew *crew)
{
    FILE *file = fopen(mwt_path(crew, "journal"), "r");
    long written = 0, offset = 0;
    if (file == NULL)
        return 0;
    for (int byte; (byte = getc_unlocked(file)) != EOF;) {
        offset++;
        written = byte == 0 ? written : offset;
    }
    fclose(file);
    return written;
}

/* How large the journal is when a run that begins now has written results to it: each run begins a
 * block, with a record of some hundred bytes. */
static long bytes_with_results(struct mwt_crew *crew)
{
    return (journal_bytes(crew) + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES + 4096;
}

static void check_killed(const char *const *before, const char *const *options)
{
    struct mwt_crew *crew = mwt_crew_create();
    long recorded = 0;
    for (int i = 0; i < 2; i++) {
        long least_bytes = bytes_with_results(crew);
        struct mwt_process *killed = start_pi(crew, before, options);
        long count = results_count(killed);
        CU_ASSERT_TRUE(i == 0 || count > recorded);
        recorded = count;
        /* The thread that writes may have to wait for a processor. */
        while (journal_bytes(crew) < least_bytes &&
               mwt_await_line(killed, MWT_ERR, " results") != NULL)
            continue;
        mwt_kill(killed, SIGKILL);
        CU_ASSERT_EQUAL(mwt_await_end(killed), -SIGKILL);
    }
    struct mwt_process *third = start_pi(crew, before, options);
    CU_ASSERT_TRUE(results_count(third) > recorded);
    check_output(crew, third);
    struct mwt_process *fourth = start_pi(crew, before, options);
    CU_ASSERT_EQUAL(results_count(fourth), 3000);
    check_output(crew, fourth);
    CU_ASSERT_PTR_NULL(strstr(mwt_output(fourth, MWT_ERR), " tasks"));
    mwt_crew_destroy(crew);
}

static void test_local(void)
{
    check_killed(MWT_ARGV(NULL), MWT_ARGV("--mw-local", "2"));
}

static void test_serial(void)
{
    check_killed(MWT_ARGV(NULL), MWT_ARGV("--mw-local", "0"));
}

/* A master over TCP is killed, and its slaves with it; others serve the next one. */
static void test_tcp(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *options = MWT_ARGV("--mw-master", "--mw-master-host", "127.0.0.1",
                                          "--mw-resource-file", mwt_path(crew, "farm.rsc"));
    struct mwt_process *master = start_pi(crew, MWT_ARGV(NULL), options);
    struct mwt_process *slave =
        mwt_run_program(crew, MWT_MONTE_CARLO_PI, "--mw-slave", "--mw-resource-file",
                        mwt_path(crew, "farm.rsc"), NULL);
    for (int j = 0; j < 20; j++)
        mwt_await_line(master, MWT_ERR, " results");
    mwt_kill(master, SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(master), -SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);

    master = start_pi(crew, MWT_ARGV(NULL), options);
    CU_ASSERT_TRUE(results_count(master) > 0);
    mwt_await_line(master, MWT_ERR, "MASTER READY");
    slave = mwt_run_program(crew, MWT_MONTE_CARLO_PI, "--mw-slave", "--mw-resource-file",
                            mwt_path(crew, "farm.rsc"), NULL);

    check_output(crew, master);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    mwt_crew_destroy(crew);
}

#ifdef MWT_MPIEXEC
/* Over MPI the second run computes nothing. */
static void test_mpi(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *first = start_pi(crew, MWT_ARGV(MWT_MPIEXEC, "-n", "2"), MWT_ARGV(NULL));
    check_output(crew, first);
    struct mwt_process *second = start_pi(crew, MWT_ARGV(MWT_MPIEXEC, "-n", "2"), MWT_ARGV(NULL));
    CU_ASSERT_EQUAL(results_count(second), 3000);
    check_output(crew, second);
    CU_ASSERT_PTR_NULL(strstr(mwt_output(second, MWT_ERR), " tasks"));
    mwt_crew_destroy(crew);
}
#endif

/* A task that has saved bytes goes on from them when the master was killed, too. */
static void test_saved(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *program =
        MWT_ARGV(MWT_LONG_SIMULATION, "--rods", "1", "--steps", "1600000", "--save-every", "16000");
    const char *const *options = MWT_ARGV("--mw-local", "1");
    struct mwt_process *killed = start(crew, MWT_ARGV(NULL), program, options);
    for (int i = 0; i < 3; i++)
        mwt_await_line(killed, MWT_ERR, "has saved");
    mwt_kill(killed, SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(killed), -SIGKILL);

    struct mwt_process *next = start(crew, MWT_ARGV(NULL), program, options);

    CU_ASSERT_EQUAL(mwt_await_end(next), 0);
    const char *step = strstr(mwt_output(next, MWT_ERR), "rod 0 went on at step ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(step);
    CU_ASSERT_TRUE(strtol(step + 22, NULL, 10) >= 2 * 16000);
    mwt_crew_destroy(crew);
}

/* A task that may not run twice was running when its master was killed: the next run says that it
 * may have run, and does not run it. Its other tasks run. */
static void test_no_retry(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *program = MWT_ARGV(MWT_POLICY_FARM, "policy=retry:no", "task=nap,2000",
                                          "policy=", "task=echo,1", "take=2");
    const char *const *options = MWT_ARGV("--mw-local", "1");
    struct mwt_process *killed = start(crew, MWT_ARGV(NULL), program, options);
    mwt_await_line(killed, MWT_ERR, "task runs");
    mwt_kill(killed, SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(killed), -SIGKILL);

    struct mwt_process *next = start(crew, MWT_ARGV(NULL), program, options);

    CU_ASSERT_EQUAL(mwt_await_end(next), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(next, MWT_OUT),
                                  "task 0 unrunnable by nobody: its policy allows no retry, "
                                  "and it may have run before the master was started "
                                  "again\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(next, MWT_OUT), "task 1 done by SLAVE-0"));
    CU_ASSERT_PTR_NULL(strstr(mwt_output(next, MWT_ERR), "task runs"));
    mwt_crew_destroy(crew);
}

/* The program behind it can write no byte into a file, as on a full disk. */
#define NO_ROOM "/bin/sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"

static struct mwt_process *run_full_once(struct mwt_crew *crew, const char *policy)
{
    return start(crew, MWT_ARGV(NO_ROOM),
                 MWT_ARGV(MWT_POLICY_FARM, "policy=retry:no", "task=nap,10", "take=1"),
                 MWT_ARGV("--mw-local", "1", "--mw-journal-on-error", policy));
}

/* Such a task is not sent without a record on the disk, unless the farm is to go on without. */
static void test_no_retry_full(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *stopped = run_full_once(crew, "stop");
    CU_ASSERT_NOT_EQUAL(mwt_await_end(stopped), 0);
    CU_ASSERT_PTR_NULL(strstr(mwt_output(stopped, MWT_ERR), "task runs"));
    struct mwt_process *going_on = run_full_once(crew, "continue");
    CU_ASSERT_EQUAL(mwt_await_end(going_on), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(going_on, MWT_OUT), "task 0 done"));
    mwt_crew_destroy(crew);
}

/* A genetic algorithm whose master is killed again and again goes on from its last checkpoint each
 * time, and evaluates as many points as one that is not. */
static void test_checkpoints(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *program = MWT_ARGV(MWT_GENETIC, "--evaluations", "3000",
                                          "--checkpoint-every", "50", "--task-ms", "1");
    const char *const *options = MWT_ARGV("--mw-local", "2");
    long evaluated = 0;
    for (int i = 0; i < 3; i++) {
        struct mwt_process *killed = start(crew, MWT_ARGV(NULL), program, options);
        if (i > 0) {
            const char *line = mwt_await_line(killed, MWT_ERR, "goes on after ");
            long before = evaluated;
            CU_ASSERT_PTR_NOT_NULL_FATAL(line);
            evaluated = strtol(strstr(line, "after ") + 6, NULL, 10);
            CU_ASSERT_TRUE(evaluated > before && evaluated % 50 == 0);
        }
        for (int j = 0; j < 200; j++)
            mwt_await_line(killed, MWT_ERR, " results");
        mwt_kill(killed, SIGKILL);
        CU_ASSERT_EQUAL(mwt_await_end(killed), -SIGKILL);
    }

    struct mwt_process *last = start(crew, MWT_ARGV(NULL), program, options);

    CU_ASSERT_EQUAL(mwt_await_end(last), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(last, MWT_ERR), "goes on after "));
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(last, MWT_OUT), "3000 points were evaluated"));
    mwt_crew_destroy(crew);
}

/* Waits until the file has its first record, that of the run, which is written in the background. A
 * byte of its head is never 0. */
static void await_run(const char *path)
{
    enum { KIND = 44, TRIES = 30000 };
    char bytes[KIND + 1] = "";
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (int i = 0; bytes[KIND] == 0 && i < TRIES; i++) {
        poll(NULL, 0, 1);
        rewind(file);
        if (fread(bytes, sizeof bytes, 1, file) != 1)
            bytes[KIND] = 0;
    }
    CU_ASSERT_NOT_EQUAL(bytes[KIND], 0);
    fclose(file);
}

/* A second master on the same journal is refused, and the first one goes on. */
static void test_in_use(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *first = start_pi(crew, MWT_ARGV(NULL), MWT_ARGV("--mw-local", "1"));
    mwt_await_line(first, MWT_ERR, "journal\" has ");
    await_run(mwt_path(crew, "journal"));
    mwt_kill(first, SIGSTOP);

    struct mwt_process *second = start_pi(crew, MWT_ARGV(NULL), MWT_ARGV("--mw-local", "1"));

    CU_ASSERT_EQUAL(mwt_await_end(second), 255);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(mwt_output(second, MWT_ERR), "another process has it: its last run is process "));
    mwt_kill(first, SIGCONT);
    check_output(crew, first);
    mwt_crew_destroy(crew);
}

/* The journal of other arguments is refused with status 2, unless it is accepted. */
static void test_other_arguments(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *options = MWT_ARGV("--mw-local", "1", "--mw-quiet");
    const char *const *other = MWT_ARGV(MWT_MONTE_CARLO_PI, "--max-trial-sets", "2");
    struct mwt_process *first =
        start(crew, MWT_ARGV(NULL), MWT_ARGV(MWT_MONTE_CARLO_PI, "--max-trial-sets", "1"), options);
    CU_ASSERT_EQUAL(mwt_await_end(first), 0);

    struct mwt_process *refused = start(crew, MWT_ARGV(NULL), other, options);
    CU_ASSERT_EQUAL(mwt_await_end(refused), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(refused, MWT_ERR),
                                  "it is the journal of another program: its arguments were "
                                  "\"--max-trial-sets 1\", and are \"--max-trial-sets 2\" now "
                                  "(--mw-journal-accept goes on)"));
    struct mwt_process *accepted =
        start(crew, MWT_ARGV(NULL), other,
              MWT_ARGV("--mw-local", "1", "--mw-quiet", "--mw-journal-accept"));
    CU_ASSERT_EQUAL(mwt_await_end(accepted), 0);
    mwt_crew_destroy(crew);
}

/* One argument with a blank is not two: the program may do something else. */
static void test_quoted_arguments(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *options = MWT_ARGV("--mw-local", "1", "--mw-quiet");
    struct mwt_process *one =
        start(crew, MWT_ARGV(NULL), MWT_ARGV(MWT_MONTE_CARLO_PI, "a b"), options);
    CU_ASSERT_NOT_EQUAL(mwt_await_end(one), 0); /* it knows no such argument */

    struct mwt_process *two =
        start(crew, MWT_ARGV(NULL), MWT_ARGV(MWT_MONTE_CARLO_PI, "a", "b"), options);
    CU_ASSERT_EQUAL(mwt_await_end(two), 2);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(mwt_output(two, MWT_ERR), "its arguments were \"'a b'\", and are \"a b\" now"));
    mwt_crew_destroy(crew);
}

static struct mwt_process *run_full(struct mwt_crew *crew, const char *policy)
{
    return start(crew, MWT_ARGV(NO_ROOM),
                 MWT_ARGV(MWT_MONTE_CARLO_PI, "--max-trial-sets", "3000", "--trials", "20000"),
                 MWT_ARGV("--mw-local", "1", "--mw-quiet", "--mw-journal-on-error", policy));
}

/* A file that keeps nothing is refused before a task runs. */
static void test_no_regular_file(void)
{
    const char *const paths[] = {"/dev/full", "/dev/null", "/dev/zero"};
    struct mwt_crew *crew = mwt_crew_create();
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct mwt_process *farm =
            mwt_run_program(crew, MWT_POLICY_FARM, "task=echo,1", "take=1", "--mw-local", "1",
                            "--mw-journal", paths[i], NULL);
        CU_ASSERT_EQUAL(mwt_await_end(farm), 255);
        CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_ERR), ": it is no regular file\n"));
        CU_ASSERT_PTR_NULL(strstr(mwt_output(farm, MWT_ERR), "task runs"));
    }
    mwt_crew_destroy(crew);
}

/* A full disk stops the farm with a sentence, or is told of while the farm goes on. */
static void test_full(void)
{
    static const char sentence[] = "journal: File too large\n";
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *stopped = run_full(crew, "stop");
    CU_ASSERT_EQUAL(mwt_await_end(stopped), 1); /* the program's own: results are missing */
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(stopped, MWT_ERR), sentence));
    struct mwt_process *going_on = run_full(crew, "continue");
    check_output(crew, going_on);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(going_on, MWT_ERR), sentence));
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"local", test_local},
        {"serial", test_serial},
        {"tcp", test_tcp},
#ifdef MWT_MPIEXEC
        {"mpi", test_mpi},
#endif
        {"saved", test_saved},
        {"checkpoints", test_checkpoints},
        {"in use", test_in_use},
        {"other arguments", test_other_arguments},
        {"quoted arguments", test_quoted_arguments},
        {"full", test_full},
        {"no regular file", test_no_regular_file},
        {"no retry", test_no_retry},
        {"no retry, full", test_no_retry_full},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("journal", tests);
}
