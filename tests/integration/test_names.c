/* SPDX-License-Identifier: Apache-2.0
 *
 * Local farms whose program, or whose working directory, is no longer what its name says: slaves
 * are the running program all the same, started as it was started, where it was started.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mwt_process.h"
#include "mwt_run.h"

#define ALL_DONE " done, 0 failed, 0 unrunnable, 0 lost or wrong"

/* Copies the farm into the crew's folder. */
static const char *copy_farm(struct mwt_crew *crew)
{
    const char *copy = mwt_path(crew, "copy");
    struct mwt_process *process = mwt_run_program(crew, "cp", MWT_FARM, copy, NULL);
    CU_ASSERT_EQUAL(mwt_await_end(process), 0);
    return copy;
}

/* Waits for the next slave that the farm starts, and returns it. */
static struct mwt_process *await_slave(struct mwt_crew *crew, struct mwt_process *farm)
{
    const char *line = mwt_await_line(farm, MWT_ERR, "started local slave, pid ");
    return mwt_adopt(crew, line == NULL ? 0 : (pid_t)atol(strstr(line, "pid ") + 4));
}

/* The name by which ps shows a process. */
static const char *name_of(struct mwt_crew *crew, const struct mwt_process *process)
{
    char name[64] = "";
    FILE *file = fopen(mwt_format(crew, "/proc/%ld/comm", (long)mwt_pid(process)), "r");
    if (file == NULL || fscanf(file, "%63s", name) != 1)
        name[0] = '\0';
    if (file != NULL)
        fclose(file);
    return mwt_format(crew, "%s", name);
}

/* The program is compiled anew while its farm runs: the slave that replaces a dead one is still the
 * old program. While the file is in place, slaves bear its name. Tasks wait for tokens, so that the
 * farm does not end before. */
static void test_replaced_program(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *copy = copy_farm(crew), *fifo = mwt_path(crew, "tokens");
    CU_ASSERT_EQUAL_FATAL(mkfifo(fifo, 0600), 0);
    int tokens = open(fifo, O_RDWR | O_CLOEXEC);
    struct mwt_process *farm = mwt_start(
        crew,
        &(struct mwt_start){.argv = MWT_ARGV(copy, "--mw-local", "1", "token", "5"),
                            .environment = MWT_ARGV(mwt_format(crew, "FARM_TOKENS=%s", fifo))});
    struct mwt_process *slave = await_slave(crew, farm);
    mwt_await_line(farm, MWT_ERR, "runs, pid ");
    CU_ASSERT_STRING_EQUAL(name_of(crew, slave), "copy");

    CU_ASSERT_EQUAL(unlink(copy), 0);
    mwt_await_end(mwt_run_program(crew, "cp", MWT_HELLO_WORLD, copy, NULL));
    mwt_kill(slave, SIGKILL);
    mwt_await_line(farm, MWT_ERR, "started local slave");
    CU_ASSERT_EQUAL(write(tokens, "ttttt", 5), 5);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT), "farm: 5" ALL_DONE));
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "started local slave"), 2);
    close(tokens);
    mwt_crew_destroy(crew);
}

/* The master algorithm changes its working directory: a slave that replaces a dead one runs where
 * the first one ran. */
static void test_other_folder(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    char *folder = getcwd(NULL, 0);
    const char *const *argv = MWT_ARGV(MWT_FARM, "--mw-local", "1", "crash:9,where:0", "2", "1");

    struct mwt_process *farm =
        mwt_start(crew, &(struct mwt_start){.argv = argv, .environment = MWT_ARGV("FARM=wander")});

    CU_ASSERT_EQUAL(mwt_await_end(farm), 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT),
                                  mwt_format(crew, "task 1 done by SLAVE-1: %s\n", folder)));
    free(folder);
    mwt_crew_destroy(crew);
}

/* A relative --mw-slave-executable is one of the working directory in which the farm was opened. */
static void test_relative_executable(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *copy = copy_farm(crew);
    const char *const *argv = MWT_ARGV("sh", "-c",
                                       "cd \"$(dirname \"$0\")\" && exec \"$1\" --mw-local 1 "
                                       "--mw-slave-executable ./copy crash:9,echo:0 2 1",
                                       copy, MWT_FARM);

    struct mwt_process *farm =
        mwt_start(crew, &(struct mwt_start){.argv = argv, .environment = MWT_ARGV("FARM=wander")});

    CU_ASSERT_EQUAL(mwt_await_end(farm), 3);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_OUT), "task 1 done by SLAVE-1"), 1);
    mwt_crew_destroy(crew);
}

#ifndef MWT_IS_SANITIZED /* the sanitizer's runtime must come first, and needs /proc */

/* A program that the loader runs is started by the loader. */
static void test_loader(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *argv = MWT_ARGV("sh", "-c",
                                       "exec $(ldd \"$0\" | grep -o '/[^ ]*/ld-[^ ]*') \"$0\" "
                                       "--mw-local 2 echo:0 100",
                                       MWT_FARM);

    struct mwt_process *farm = mwt_start(crew, &(struct mwt_start){.argv = argv});

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT), "farm: 100" ALL_DONE));
    mwt_crew_destroy(crew);
}

/* A script whose interpreter loads the library is started by the interpreter, with its options. */
static void test_interpreter(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *python = mwt_run_program(crew, "python3", "-c", "import ctypes", NULL);
    if (mwt_await_end(python) != 0) {
        mwt_not_run("a farm in Python", "there is no python3 with ctypes");
        mwt_crew_destroy(crew);
        return;
    }

    struct mwt_process *farm =
        mwt_run_program(crew, "python3", "-B", "-W", "error", MWT_INTERPRETED_FARM, MWT_LIBRARY,
                        "--mw-quiet", "--mw-local", "1", "word", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_OUT), "sum 285 by 1 slaves, 2 arguments\n");
    mwt_crew_destroy(crew);
}

/* Where /proc is not mounted, slaves are found by the path that the kernel was told; and without
 * that, a sentence says which option helps. */
static void test_no_proc(void)
{
    static const char hide[] = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
    struct mwt_crew *crew = mwt_crew_create();
    if (mwt_await_end(mwt_run_program(crew, "unshare", "-rm", "sh", "-c", hide, "true", NULL)) !=
        0) {
        mwt_not_run("a farm without /proc", "no mount namespace");
        mwt_crew_destroy(crew);
        return;
    }

    struct mwt_process *farm = mwt_run_program(crew, "unshare", "-rm", "sh", "-c", hide, MWT_FARM,
                                               "--mw-local", "1", "echo:0", "10", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_OUT), "farm: 10" ALL_DONE));
    mwt_crew_destroy(crew);
}

#endif

int main(void)
{
    CU_TestInfo tests[] = {
        {"replaced program", test_replaced_program},
        {"other folder", test_other_folder},
        {"relative executable", test_relative_executable},
#ifndef MWT_IS_SANITIZED
        {"loader", test_loader},
        {"interpreter", test_interpreter},
        {"no /proc", test_no_proc},
#endif
        CU_TEST_INFO_NULL,
    };
    return mwt_run("names", tests);
}
