/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the output of slaves goes: to the output of the master, or to the files of
 * --mw-slave-output. And the descriptors that local slaves get from their master: the standard
 * streams, a channel, and nothing else. The task "descriptors" of farm.c lists them.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_process.h"
#include "mwt_run.h"

/* The output of slaves reaches the master's output. */
static void test_output_of_slaves(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        mwt_run_program(crew, MWT_FARM, "--mw-local", "2", "--mw-quiet", "say", "10", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(
            mwt_count(mwt_output(farm, MWT_OUT), mwt_format(crew, "task %d to output\n", i)), 1);
        CU_ASSERT_EQUAL(
            mwt_count(mwt_output(farm, MWT_ERR), mwt_format(crew, "task %d to error output\n", i)),
            1);
    }
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "\n"), 10);
    mwt_crew_destroy(crew);
}

/* The text of a file in the crew's folder, "" if there is no such file. */
static const char *text_of(struct mwt_crew *crew, const char *name)
{
    char *text = mwt_file_read(mwt_path(crew, name));
    const char *kept = mwt_format(crew, "%s", text == NULL ? "" : text);
    free(text);
    return kept;
}

/* A file for each slave keeps all that its tasks print, and nothing else. */
static void test_kept_output(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm =
        mwt_run_program(crew, MWT_FARM, "--mw-local", "2", "--mw-slave-output",
                        mwt_path(crew, "out-%n"), "--mw-slave-task-group", "1", "say", "10", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_OUT), " to output"), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), " to error output"), 0);
    const char *first = text_of(crew, "out-SLAVE-0"), *second = text_of(crew, "out-SLAVE-1");
    CU_ASSERT_EQUAL(mwt_count(first, " to output\n") + mwt_count(second, " to output\n"), 10);
    CU_ASSERT_EQUAL(
        mwt_count(first, " to error output\n") + mwt_count(second, " to error output\n"), 10);
    CU_ASSERT_EQUAL(mwt_count(first, "\n") + mwt_count(second, "\n"), 20);
    mwt_crew_destroy(crew);
}

/* The trail of a slave and its last sentence still go to standard error. */
static void test_trail_beside_kept_output(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_path(crew, "m.rsc");
    struct mwt_process *master =
        mwt_run_program(crew, MWT_FARM, "--mw-master", "--mw-master-host", "127.0.0.1",
                        "--mw-resource-file", file, "say,nap:400", "20", NULL);
    struct mwt_process *slave = mwt_run_program(crew, MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                file, "--mw-slave-output", mwt_path(crew, "out-%n"),
                                                "--mw-slave-task-group", "1", NULL);

    mwt_await_line(master, MWT_OUT, "task 8 done");
    mwt_kill(master, SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);

    const char *said = mwt_output(slave, MWT_ERR);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "FINI MASTER-GONE"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, ": the master is gone"));
    CU_ASSERT_EQUAL(mwt_count(said, " to error output"), 0);
    CU_ASSERT_TRUE(mwt_count(text_of(crew, "out-SLAVE-0"), " to error output\n") >= 4);
    CU_ASSERT_EQUAL(mwt_count(text_of(crew, "out-SLAVE-0"), "[A]"), 0);
    mwt_crew_destroy(crew);
}

/* Whether a slave has a descriptor that it should not have. It may have its socket to the master,
 * the standard streams, and descriptors whose names differ from the master's. */
static void check_descriptors(const char *line, const char *master_line, const char *audit_file)
{
    char *list = strdup(strstr(line, ": ") + 2), *rest = list, *entry;
    unsigned sockets_count = 0;
    while ((entry = strsep(&rest, " ")) != NULL) {
        char *target = strchr(entry, '=');
        if (target == NULL)
            continue;
        target++;
        bool is_standard = atoi(entry) <= 2;
        bool is_distinct = strncmp(target, "socket:", 7) == 0 || strncmp(target, "pipe:", 5) == 0;
        sockets_count += strncmp(target, "socket:", 7) == 0;
        if (!is_standard && is_distinct)
            CU_ASSERT_PTR_NULL(strstr(master_line, target));
        CU_ASSERT_PTR_NULL(strstr(target, audit_file));
    }
    CU_ASSERT_EQUAL(sockets_count, 1);
    free(list);
}

/* A slave gets its own channel and the standard streams from the master, and nothing else. */
static void test_descriptors(void)
{
    enum { TASKS_COUNT = 9 };
    struct mwt_crew *crew = mwt_crew_create();
    const char *audit_file = mwt_path(crew, "trail.txt");
    struct mwt_process *farm = mwt_run_program(crew, MWT_FARM, "--mw-local", "3", "--mw-audit-file",
                                               audit_file, "descriptors,nap:20", "18", NULL);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);

    const char *line = mwt_await_line(farm, MWT_OUT, "master: ");
    const char *master_line = mwt_format(crew, "%s", line == NULL ? "" : line);

    CU_ASSERT_PTR_NOT_NULL(strstr(master_line, audit_file));
    for (int i = 0; i < TASKS_COUNT; i++) {
        line = mwt_await_line(farm, MWT_OUT, "=/dev/null");
        if (line != NULL)
            check_descriptors(line, master_line, audit_file);
    }
    mwt_crew_destroy(crew);
}

/* A program that a task starts gets the standard streams only. */
static void test_descriptors_of_child(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = mwt_run_program(crew, MWT_FARM, "--mw-local", "1", "--mw-quiet",
                                               "descriptors_of_child", "1", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    const char *line = mwt_await_line(farm, MWT_OUT, "task 0 done");
    if (line != NULL)
        CU_ASSERT_PTR_NULL(strstr(line, "socket:"));
    mwt_crew_destroy(crew);
}

/* Where a descriptor of a process leads, "" if it is closed. */
static const char *descriptor(struct mwt_crew *crew, pid_t pid, int fd)
{
    char target[256] = "";
    ssize_t size =
        readlink(mwt_format(crew, "/proc/%ld/fd/%d", (long)pid, fd), target, sizeof target - 1);
    return mwt_format(crew, "%.*s", (int)(size < 0 ? 0 : size), target);
}

/* Files that the farm opens never take the number of a closed standard stream: a program that
 * prints would write into them. */
static void test_closed_streams(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *argv = MWT_ARGV(MWT_FARM, "--mw-local", "1", "doze:300", "1");

    struct mwt_process *farm = mwt_start(crew, &(struct mwt_start){.argv = argv, .closed = "01"});
    const char *line = mwt_await_line(farm, MWT_ERR, "runs, pid ");
    pid_t slave = line == NULL ? 0 : (pid_t)atol(strstr(line, "pid ") + 4);

    CU_ASSERT_STRING_EQUAL(descriptor(crew, mwt_pid(farm), 0), "/dev/null");
    CU_ASSERT_STRING_EQUAL(descriptor(crew, mwt_pid(farm), 1), "/dev/null");
    CU_ASSERT_STRING_EQUAL(descriptor(crew, slave, 0), "/dev/null");
    CU_ASSERT_STRING_EQUAL(descriptor(crew, slave, 1), "/dev/null");
    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    mwt_crew_destroy(crew);
}

/* A farm works with no stream at all. */
static void test_no_streams(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *argv = MWT_ARGV(MWT_FARM, "--mw-local", "2", "say,nap:1", "100");

    struct mwt_process *farm = mwt_start(crew, &(struct mwt_start){.argv = argv, .closed = "012"});

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"output of slaves", test_output_of_slaves},
        {"kept output", test_kept_output},
        {"trail beside kept output", test_trail_beside_kept_output},
        {"descriptors", test_descriptors},
        {"descriptors of a child", test_descriptors_of_child},
        {"closed streams", test_closed_streams},
        {"no streams", test_no_streams},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("streams", tests);
}
