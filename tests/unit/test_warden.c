/* SPDX-License-Identifier: Apache-2.0
 *
 * The warden of a local master: what slaves have started ends with them, and all ends with the
 * master. Slaves and what they start are processes with marks.
 */
#include "loop/warden.h"

#include <string.h>
#include <sys/resource.h>

#include "mwt_marked.h"
#include "mwt_run.h"

struct farm {
    char name[MWI_FAMILY_NAME_BYTES];
    struct mwi_warden *warden;
};

static void open_farm(struct farm *farm, size_t places_count)
{
    mw_reason why = {""};
    mwi_family_make_name(farm->name);
    CU_ASSERT_EQUAL_FATAL(mwi_warden_open(&farm->warden, farm->name, places_count, &why), MW_OK);
}

static void start(const struct farm *farm, struct mwt_marked *process, uint64_t serial,
                  bool has_session)
{
    char marks[MWI_FAMILY_NAME_BYTES + 32];
    snprintf(marks, sizeof marks, "%s:%llu", farm->name, (unsigned long long)serial);
    mwt_marked_start(process, marks, has_session);
}

/* A slave ends: what has its mark is killed, though it has a session of its own; what belongs to
 * other slaves, to one that is being started, or to another farm, is not. */
static void test_release(void)
{
    struct farm farm, other;
    struct mwt_marked slave, daemon, second, of_second, of_third, of_other;
    open_farm(&farm, 2);
    open_farm(&other, 1);
    start(&farm, &slave, 1, true);
    mwi_warden_guard(farm.warden, 0, slave.pid, 1);
    start(&farm, &second, 2, true);
    mwi_warden_guard(farm.warden, 1, second.pid, 2);
    start(&farm, &daemon, 1, true);
    start(&farm, &of_second, 2, true);
    start(&farm, &of_third, 3, true);
    start(&other, &of_other, 1, true);

    mwt_marked_end(&slave);
    mwi_warden_release(farm.warden, 0);
    mwt_marked_await(&daemon);

    CU_ASSERT_TRUE(mwt_marked_is_alive(&second));
    CU_ASSERT_TRUE(mwt_marked_is_alive(&of_second));
    CU_ASSERT_TRUE(mwt_marked_is_alive(&of_third));
    CU_ASSERT_TRUE(mwt_marked_is_alive(&of_other));
    mwt_marked_end(&second);
    mwi_warden_release(farm.warden, 1);
    mwi_warden_close(farm.warden);
    mwt_marked_await(&of_second);
    mwt_marked_await(&of_third);
    CU_ASSERT_TRUE(mwt_marked_is_alive(&of_other));
    mwt_marked_end(&of_other);
    mwi_warden_close(other.warden);
}

/* Closing waits until all is gone, and leaves no process. */
static void test_close(void)
{
    struct farm farm;
    struct mwt_marked slave, daemon;
    open_farm(&farm, 1);
    start(&farm, &slave, 7, true);
    mwi_warden_guard(farm.warden, 0, slave.pid, 7);
    start(&farm, &daemon, 7, true);
    mwt_marked_end(&slave);
    mwi_warden_release(farm.warden, 0);

    mwi_warden_close(farm.warden);

    mwt_marked_await(&daemon);
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
    mwi_warden_close(NULL);
}

/* The one child of this process; 0 if there is none. */
static pid_t only_child(void)
{
    char path[64];
    long pid = 0;
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
    FILE *file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%ld", &pid) != 1)
        pid = 0;
    if (file != NULL)
        fclose(file);
    return (pid_t)pid;
}

/* Kills the one warden and reaps it, as a program does that waits for all its children. */
static void kill_warden(void)
{
    pid_t warden = only_child();
    CU_ASSERT_TRUE_FATAL(warden > 0);
    kill(warden, SIGTERM);
    CU_ASSERT_EQUAL(waitpid(warden, NULL, WNOHANG), 0);
    kill(warden, SIGKILL);
    CU_ASSERT_EQUAL(wait(NULL), warden);
}

/* A warden that was killed is replaced, as soon as a slave begins or has ended: what slaves had
 * started before and have started since ends with them. */
static void test_killed(void)
{
    struct farm farm;
    struct mwt_marked slave, daemon, second, of_second;
    open_farm(&farm, 2);
    kill_warden();
    start(&farm, &slave, 1, true);
    mwi_warden_guard(farm.warden, 0, slave.pid, 1);
    start(&farm, &daemon, 1, true);
    start(&farm, &second, 2, true);
    mwi_warden_guard(farm.warden, 1, second.pid, 2);
    start(&farm, &of_second, 2, true);

    mwt_marked_end(&slave);
    mwi_warden_release(farm.warden, 0);
    mwt_marked_await(&daemon);
    CU_ASSERT_TRUE(mwt_marked_is_alive(&of_second));

    mwt_marked_end(&second);
    mwi_warden_release(farm.warden, 1);
    mwi_warden_close(farm.warden);
    mwt_marked_await(&of_second);
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
}

/* A warden that is killed after the last slave has ended is replaced for the end of the farm. */
static void test_killed_late(void)
{
    struct farm farm;
    struct mwt_marked slave, daemon;
    open_farm(&farm, 1);
    kill_warden();
    start(&farm, &slave, 1, true);
    start(&farm, &daemon, 1, true);

    mwi_warden_close(farm.warden);

    mwt_marked_await(&slave);
    mwt_marked_await(&daemon);
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
}

/* A warden that somebody has stopped goes on for the end of the farm. */
static void test_stopped(void)
{
    struct farm farm;
    struct mwt_marked slave, daemon;
    open_farm(&farm, 1);
    pid_t warden = only_child();
    CU_ASSERT_TRUE_FATAL(warden > 0);
    kill(warden, SIGSTOP);
    CU_ASSERT_EQUAL(waitpid(warden, NULL, WUNTRACED), warden);
    start(&farm, &slave, 1, true);
    mwi_warden_guard(farm.warden, 0, slave.pid, 1);
    start(&farm, &daemon, 1, true);
    mwt_marked_end(&slave);
    mwi_warden_release(farm.warden, 0);

    mwi_warden_close(farm.warden);

    mwt_marked_await(&daemon);
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
}

/* A master with a slave, whose pid it writes into the pipe; then it ends without a word. With
 * `has_child` a child of it lives on, and has all its descriptors. */
static void be_doomed_master(int end, bool has_child)
{
    struct farm farm;
    struct mwt_marked slave, daemon;
    open_farm(&farm, 1);
    start(&farm, &slave, 1, true);
    mwi_warden_guard(farm.warden, 0, slave.pid, 1);
    start(&farm, &daemon, 1, true);
    pid_t pids[2] = {daemon.pid, has_child ? fork() : 0};
    if (has_child && pids[1] == 0) {
        close(end);
        for (;;)
            pause();
    }
    ssize_t written = write(end, pids, sizeof pids);
    (void)written;
    kill(getpid(), SIGKILL);
}

/* A master that dies without a word takes all with it, even while a child of it has the warden's
 * socket open, but not that child. */
static void test_dead_master(void)
{
    for (int has_child = 0; has_child < 2; has_child++) {
        int ends[2];
        char byte;
        pid_t pids[2] = {0, 0};
        CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
        pid_t master = fork();
        if (master == 0)
            be_doomed_master(ends[1], has_child);
        close(ends[1]);

        CU_ASSERT_EQUAL(read(ends[0], pids, sizeof pids), (ssize_t)sizeof pids);
        CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 0);

        CU_ASSERT_EQUAL(waitpid(master, NULL, 0), master);
        if (has_child) {
            CU_ASSERT_EQUAL(kill(pids[1], 0), 0);
            kill(pids[1], SIGKILL);
        }
        close(ends[0]);
    }
}

static void await_state(pid_t pid, char state)
{
    struct mwi_family_process process = {.state = '?'};
    for (int i = 0; i < 60000 && mwi_family_read(pid, &process) && process.state != state; i++)
        usleep(1000);
    CU_ASSERT_EQUAL(process.state, state);
}

/* A master that waits to be ended, and writes the pid of its slave into the pipe. */
static void be_master(int end)
{
    struct farm farm;
    struct mwt_marked slave;
    open_farm(&farm, 1);
    start(&farm, &slave, 1, true);
    mwi_warden_guard(farm.warden, 0, slave.pid, 1);
    ssize_t written = write(end, &slave.pid, sizeof slave.pid);
    (void)written;
    for (;;)
        pause();
}

/* Slaves are stopped while their master is, as by Ctrl-Z, and go on with it. */
static void test_stopped_master(void)
{
    int ends[2];
    char byte;
    pid_t slave = 0;
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    pid_t master = fork();
    if (master == 0)
        be_master(ends[1]);
    close(ends[1]);
    CU_ASSERT_EQUAL(read(ends[0], &slave, sizeof slave), (ssize_t)sizeof slave);

    kill(master, SIGSTOP);
    await_state(slave, 'T');
    kill(master, SIGCONT);
    await_state(slave, 'S');
    kill(master, SIGSTOP);
    await_state(slave, 'T');
    kill(master, SIGKILL);

    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 0);
    CU_ASSERT_EQUAL(waitpid(master, NULL, 0), master);
    close(ends[0]);
}

/* A warden for which there are no descriptors is not there, and the sentence names the call. */
static void test_no_descriptors(void)
{
    struct farm farm;
    struct rlimit before, none;
    mw_reason why = {""};
    mwi_family_make_name(farm.name);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &none), 0);

    mw_error error = mwi_warden_open(&farm.warden, farm.name, 1, &why);

    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    CU_ASSERT_EQUAL(error, MW_EIO);
    CU_ASSERT_STRING_EQUAL(why.text, "socketpair: Too many open files");
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"release", test_release},
        {"close", test_close},
        {"killed", test_killed},
        {"killed late", test_killed_late},
        {"stopped", test_stopped},
        {"dead master", test_dead_master},
        {"stopped master", test_stopped_master},
        {"no descriptors", test_no_descriptors},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("warden", tests);
}
