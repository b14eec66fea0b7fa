/* SPDX-License-Identifier: Apache-2.0
 *
 * Farms whose standard error or audit file cannot be written: a pipe or FIFO that nobody reads, a
 * terminal that was stopped. They do their work, and SIGTERM ends them at once. And audit files
 * that a rotation of logs moves away, empties or removes.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_process.h"
#include "mwt_run.h"

/* Each task in a message of its own: 3,000 of them make a trail of half a megabyte. */
#define MANY "--mw-slave-task-group", "1", "echo", "3000"

/* Runs a farm with the file as standard error. */
static struct mwt_process *run_with_error(struct mwt_crew *crew, const char *path, const char *spec,
                                          const char *count)
{
    return mwt_run_program(crew, "sh", "-c",
                           "exec \"$0\" --mw-local 2 --mw-slave-task-group 1 \"$2\" \"$3\" "
                           "2>\"$1\"",
                           MWT_FARM, path, spec, count, NULL);
}

static const char *make_fifo(struct mwt_crew *crew)
{
    const char *path = mwt_path(crew, "fifo");
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    return path;
}

static double seconds_since(int64_t start_ns)
{
    return (double)(mwt_now_ns() - start_ns) / 1e9;
}

/* Tells a farm that still has work for a minute to end, once it prints. */
static void check_ends_at_once(struct mwt_process *farm)
{
    mwt_await_line(farm, MWT_OUT, "task 2000 done");
    int64_t told_ns = mwt_now_ns();
    mwt_kill(farm, SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + SIGTERM);
    CU_ASSERT_TRUE(seconds_since(told_ns) < 8);
}

/* A farm whose standard error is a pipe that nobody reads does its work. */
static void test_unread_error(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = make_fifo(crew);
    int fd = open(path, O_RDWR | O_CLOEXEC);

    struct mwt_process *farm = run_with_error(crew, path, "echo", "3000");

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    mwt_await_line(farm, MWT_OUT, "farm: 3000 done");
    close(fd);
    mwt_crew_destroy(crew);
}

/* SIGTERM ends a farm whose standard error nobody reads. */
static void test_signal_with_unread_error(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = make_fifo(crew);
    int fd = open(path, O_RDWR | O_CLOEXEC);

    check_ends_at_once(run_with_error(crew, path, "echo", "3000000"));

    close(fd);
    mwt_crew_destroy(crew);
}

/* SIGTERM ends a farm on a terminal that was stopped with ^S. */
static void test_signal_with_stopped_terminal(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    const char *path = mwt_format(crew, "%s", ptsname(master));
    int terminal = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(tcflow(terminal, TCOOFF), 0);

    check_ends_at_once(run_with_error(crew, path, "echo", "3000000"));

    CU_ASSERT_EQUAL(fcntl(terminal, F_GETFL) & O_NONBLOCK, 0);
    close(terminal);
    close(master);
    mwt_crew_destroy(crew);
}

/* An audit file that is a FIFO holds up nothing: neither without a reader, nor with one that does
 * not read. */
static void test_fifo(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = make_fifo(crew);

    struct mwt_process *farm =
        mwt_run_program(crew, MWT_FARM, "--mw-local", "2", "--mw-audit-file", path, MANY, NULL);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    farm = mwt_run_program(crew, MWT_FARM, "--mw-local", "2", "--mw-audit-file", path,
                           "--mw-slave-task-group", "1", "echo", "3000000", NULL);
    check_ends_at_once(farm);

    close(fd);
    mwt_crew_destroy(crew);
}

/* When a pipe is read again, the trail says how many records are missing, and all its lines are
 * whole. */
static void test_lost_records(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = make_fifo(crew);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct mwt_process *farm = run_with_error(crew, path, "echo", "3000000");
    mwt_await_line(farm, MWT_OUT, "task 2000 done");

    struct mwt_process *reader = mwt_run_program(crew, "cat", path, NULL);

    CU_ASSERT_PTR_NOT_NULL(mwt_await_line(reader, MWT_OUT, " records could not be written"));
    mwt_kill(farm, SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + SIGTERM);
    mwt_await_line(reader, MWT_OUT, "FINI SHUTDOWN");
    const char *text = mwt_output(reader, MWT_OUT);
    CU_ASSERT_EQUAL(mwt_count(text, "\n"),
                    mwt_count(text, " [A] ") + mwt_count(text, "mwt_farm: "));
    close(fd);
    mwt_kill(reader, SIGTERM);
    mwt_crew_destroy(crew);
}

/* Waits until the file is there and not empty. */
static bool await_file(const char *path)
{
    struct stat status;
    int64_t began_ns = mwt_now_ns();
    while (stat(path, &status) != 0 || status.st_size == 0) {
        if (seconds_since(began_ns) > MWT_WAIT_S)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return true;
}

/* Logs are rotated by renaming, and the trail goes on under its name, also if the program is in
 * another folder by then. The local slaves' files do the same. */
static void test_rotation(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = mwt_run_program(
        crew, "sh", "-c", "cd \"$1\"; exec \"$0\" --mw-local 1 --mw-audit-file %n.log nap:20 5000",
        MWT_FARM, mwt_path(crew, ""), NULL);
    static const char *const names[] = {"master.log", "SLAVE-0.log"};

    for (size_t i = 0; i < 2; i++) {
        const char *path = mwt_path(crew, names[i]);
        CU_ASSERT_TRUE(await_file(path));
        CU_ASSERT_EQUAL(rename(path, mwt_format(crew, "%s.1", path)), 0);
        mwt_kill(farm, SIGHUP);
        CU_ASSERT_TRUE(await_file(path));
        CU_ASSERT_EQUAL(unlink(path), 0);
        CU_ASSERT_TRUE(await_file(path));
    }

    mwt_kill(farm, SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + SIGTERM);
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"unread error", test_unread_error},
        {"signal with unread error", test_signal_with_unread_error},
        {"signal with stopped terminal", test_signal_with_stopped_terminal},
        {"fifo", test_fifo},
        {"lost records", test_lost_records},
        {"rotation", test_rotation},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("unread", tests);
}
