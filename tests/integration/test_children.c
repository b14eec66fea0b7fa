/* SPDX-License-Identifier: Apache-2.0
 *
 * What tasks of a local farm have started ends with their slave, however that ends, and with the
 * farm; the children of the master algorithm are its own. The commands hold a FIFO and the farm's
 * output open, so that their end can be waited for.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mwt_process.h"
#include "mwt_run.h"

#define NS_PER_S INT64_C(1000000000)
#define MINUTE "60000"
/* Commands in the group of the slave, in a group of their own, in a session of their own, and one
 * whose parent has ended. */
#define FAMILY                                                                                     \
    "sleep 1000 & timeout 900 sleep 1000 & setsid sleep 1000 & "                                   \
    "(setsid sh -c 'sleep 1000 & sleep 1000' &) ; echo left >&2; "

/* A command that hides, and whose parent waits for it. */
#define HIDDEN "env -i setsid -w sleep 1000"

/* Lasts until the test makes the file FARM_END; see end_tasks. */
#define UNTIL_END "while [ ! -e \"$FARM_END\" ]; do sleep 0.05; done"

/* A farm whose command holds a FIFO open, and the FIFO's end for reading. */
struct scene {
    struct mwt_crew *crew;
    struct mwt_process *farm;
    int fifo;
};

static void start(struct scene *scene, const char *const *argv, const char *command,
                  const char *kind)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = mwt_path(crew, "fifo");
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    scene->crew = crew;
    scene->fifo = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const char *line = mwt_format(crew, "FARM_COMMAND=exec 9> %s; %s", path, command);
    const char *end_file = mwt_format(crew, "FARM_END=%s", mwt_path(crew, "end"));
    scene->farm =
        mwt_start(crew, &(struct mwt_start){.argv = argv,
                                            .environment = MWT_ARGV(
                                                line, end_file, mwt_format(crew, "FARM=%s", kind)),
                                            .has_own_group = true});
}

static void end(struct scene *scene)
{
    close(scene->fifo);
    mwt_crew_destroy(scene->crew);
}

/* Lets commands with UNTIL_END end. */
static void end_tasks(struct scene *scene)
{
    close(open(mwt_path(scene->crew, "end"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

/* The slave that runs the task. */
static struct mwt_process *await_task(struct scene *scene, const char *task)
{
    const char *line =
        mwt_await_line(scene->farm, MWT_ERR, mwt_format(scene->crew, "task %s runs, pid ", task));
    return line == NULL ? NULL : mwt_adopt(scene->crew, (pid_t)atol(strstr(line, "pid ") + 4));
}

/* Waits until no command has the FIFO open. */
static void check_gone(const struct scene *scene)
{
    char byte;
    struct pollfd end = {.fd = scene->fifo, .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&end, 1, 30000), 1);
    CU_ASSERT_EQUAL(read(scene->fifo, &byte, 1), 0);
}

/* A slave that is killed takes along what its task has started, while the farm goes on. */
static void test_killed_slave(void)
{
    struct scene scene;
    start(&scene, MWT_ARGV(MWT_FARM, "--mw-local", "2", "shell,doze:" MINUTE, "2", "1"),
          FAMILY HIDDEN, "");
    struct mwt_process *slave = await_task(&scene, "0");
    mwt_await_line(scene.farm, MWT_ERR, "left");

    mwt_kill(slave, SIGKILL);
    check_gone(&scene);

    mwt_await_line(scene.farm, MWT_ERR, "is unrunnable");
    CU_ASSERT_FALSE(mwt_has_ended(scene.farm));
    mwt_kill(scene.farm, SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(scene.farm), -SIGKILL);
    end(&scene);
}

/* A farm that ends well takes along what its tasks have left in the background. */
static void test_end_of_farm(void)
{
    struct scene scene;
    start(&scene, MWT_ARGV(MWT_FARM, "--mw-local", "2", "shell", "3"), FAMILY, "");

    CU_ASSERT_EQUAL(mwt_await_end(scene.farm), 0);

    check_gone(&scene);
    CU_ASSERT(mwt_ended_ns(scene.farm) - mwt_started_ns(scene.farm) < 20 * NS_PER_S);
    end(&scene);
}

/* So does a master that is killed. */
static void test_killed_master(void)
{
    struct scene scene;
    start(&scene, MWT_ARGV(MWT_FARM, "--mw-local", "2", "shell", "2"), FAMILY HIDDEN, "");
    await_task(&scene, "0");
    mwt_await_line(scene.farm, MWT_ERR, "left");

    mwt_kill(scene.farm, SIGKILL);

    CU_ASSERT_EQUAL(mwt_await_end(scene.farm), -SIGKILL);
    check_gone(&scene);
    end(&scene);
}

/* A farm inside a task of another ends with that task's slave, and so do its tasks' commands. */
static void test_farm_in_a_farm(void)
{
    struct scene scene;
    start(&scene, MWT_ARGV(MWT_FARM, "--mw-local", "2", "shell,doze:" MINUTE, "2", "1"),
          "if [ -n \"$INNER\" ]; then " FAMILY "sleep 1000; else INNER=1 exec " MWT_FARM
          " --mw-local 1 shell 1; fi",
          "");
    struct mwt_process *slave = await_task(&scene, "0");
    mwt_await_line(scene.farm, MWT_ERR, "left");

    mwt_kill(slave, SIGKILL);
    check_gone(&scene);

    CU_ASSERT_FALSE(mwt_has_ended(scene.farm));
    mwt_kill(scene.farm, SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(scene.farm), -SIGKILL);
    end(&scene);
}

/* The children of the master algorithm live on, and are its own to wait for. */
static void test_child_of_master(void)
{
    struct scene scene;
    start(&scene, MWT_ARGV(MWT_FARM, "--mw-local", "2", "shell,crash:9", "2", "1"), FAMILY,
          "parent");

    CU_ASSERT_EQUAL(mwt_await_end(scene.farm), 3);

    mwt_await_line(scene.farm, MWT_OUT, "farm: its child was left alone");
    check_gone(&scene);
    end(&scene);
}

/* Starts a master, and a slave over TCP. Waits until the slave's task has left commands. */
static struct mwt_process *start_guest(struct scene *scene)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *fifo = mwt_path(crew, "fifo"), *file = mwt_path(crew, "m.rsc");
    CU_ASSERT_EQUAL(mkfifo(fifo, 0600), 0);
    scene->crew = crew;
    scene->fifo = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    scene->farm = mwt_run_program(crew, MWT_FARM, "--mw-master", "--mw-master-host", "127.0.0.1",
                                  "--mw-resource-file", file, "shell,nap:300", "2", "1", NULL);
    const char *line = mwt_format(crew, "FARM_COMMAND=exec 9> %s; %s", fifo, FAMILY UNTIL_END);
    const char *end_file = mwt_format(crew, "FARM_END=%s", mwt_path(crew, "end"));
    struct mwt_process *slave = mwt_start(
        crew,
        &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file", file),
                            .environment = MWT_ARGV(line, end_file)});
    mwt_await_line(slave, MWT_ERR, "left");
    return slave;
}

/* A slave that others have started ends what its tasks have left: at the end of the farm, when its
 * master is lost, when SIGTERM ends it, and at once on the second SIGTERM. */
static void test_guest(void)
{
    enum { END, LOST, TERM, SECOND_TERM, CASES_COUNT };
    static const int statuses[] = {0, 255, 255, -SIGTERM};
    for (int i = 0; i < CASES_COUNT; i++) {
        struct scene scene;
        struct mwt_process *slave = start_guest(&scene);
        if (i == LOST)
            mwt_kill(scene.farm, SIGKILL);
        if (i == TERM || i == SECOND_TERM) {
            mwt_kill(slave, SIGTERM);
            mwt_await_line(scene.farm, MWT_ERR, "-> LEAVING");
        }
        if (i == SECOND_TERM)
            mwt_kill(slave, SIGTERM);
        else
            end_tasks(&scene);

        CU_ASSERT_EQUAL(mwt_await_end(slave), statuses[i]);
        check_gone(&scene);
        if (i != END)
            mwt_kill(scene.farm, SIGKILL);
        CU_ASSERT_EQUAL(mwt_await_end(scene.farm), i == END ? 0 : -SIGKILL);
        end(&scene);
    }
}

/* Ctrl-C does not reach the commands of tasks that run: they finish. */
static void test_interrupt(void)
{
    struct scene scene;
    start(&scene, MWT_ARGV(MWT_FARM, "--mw-local", "1", "shell", "1"),
          "echo begun >&2; " UNTIL_END " && echo finished >&2", "");
    mwt_await_line(scene.farm, MWT_ERR, "begun");

    mwt_kill_group(scene.farm, SIGINT);
    mwt_await_line(scene.farm, MWT_ERR, "waiting for 1 running task");
    end_tasks(&scene);

    CU_ASSERT_EQUAL(mwt_await_end(scene.farm), 128 + SIGINT);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(scene.farm, MWT_ERR), "\nfinished\n"));
    end(&scene);
}

/* Empties the FIFO; whether nothing comes for half a second. */
static bool is_silent(const struct scene *scene)
{
    char bytes[256];
    struct pollfd look = {.fd = scene->fifo, .events = POLLIN};
    while (read(scene->fifo, bytes, sizeof bytes) > 0)
        ;
    return poll(&look, 1, 500) == 0;
}

/* Slaves, and what they run, are stopped and go on with their master. */
static void test_stopped_farm(void)
{
    struct scene scene;
    start(&scene, MWT_ARGV(MWT_FARM, "--mw-local", "1", "shell", "1"),
          "while [ ! -e \"$FARM_END\" ]; do sleep 0.05; echo . >&9; done", "");
    struct pollfd words = {.fd = scene.fifo, .events = POLLIN};
    bool is_stopped = false;
    await_task(&scene, "0");
    CU_ASSERT_EQUAL(poll(&words, 1, 30000), 1);

    mwt_kill_group(scene.farm, SIGSTOP);
    for (int i = 0; i < 100 && !is_stopped; i++)
        is_stopped = is_silent(&scene);
    CU_ASSERT_TRUE(is_stopped);
    mwt_kill_group(scene.farm, SIGCONT);

    CU_ASSERT_EQUAL(poll(&words, 1, 30000), 1);
    end_tasks(&scene);
    CU_ASSERT_EQUAL(mwt_await_end(scene.farm), 0);
    end(&scene);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"killed slave", test_killed_slave},
        {"end of farm", test_end_of_farm},
        {"killed master", test_killed_master},
        {"farm in a farm", test_farm_in_a_farm},
        {"child of master", test_child_of_master},
        {"guest", test_guest},
        {"interrupt", test_interrupt},
        {"stopped farm", test_stopped_farm},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("children", tests);
}
