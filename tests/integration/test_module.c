/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs on a machine without MPI. They do not link it, and only programs that ask for MPI miss
 * it.
 */
#include <glob.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hello.h"
#include "mwt_folder.h"
#include "mwt_run.h"

/* One case loads a library twice, which a sanitizer must not report. */
#define TOLERANT "ASAN_OPTIONS=detect_odr_violation=0"

/* Programs depend on no MPI library, neither directly nor through others. */
static void test_dependencies(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *program = mwt_run_program(crew, "ldd", MWT_HELLO_WORLD, NULL);
    struct mwt_process *library = mwt_run_program(crew, "ldd", MWT_LIBRARY, NULL);

    CU_ASSERT_EQUAL(mwt_await_end(program), 0);
    CU_ASSERT_EQUAL(mwt_await_end(library), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(program, MWT_OUT), "libmw.so"));
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(library, MWT_OUT), "libmsgpack"));
    CU_ASSERT_EQUAL(mwt_count(mwt_output(program, MWT_OUT), "not found"), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(program, MWT_OUT), "libmpi"), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(library, MWT_OUT), "libmpi"), 0);
    mwt_crew_destroy(crew);
}

/* Puts hello_world and the library alone into a folder, without the folder of modules. */
struct alone {
    struct mwt_crew *crew;
    const char *program;
    const char *variables[4];
};

static void copy_alone(struct alone *alone, const char *variable)
{
    char library[] = MWT_LIBRARY;
    glob_t libraries;
    struct mwt_crew *crew = mwt_crew_create();
    const char *folder = mwt_path(crew, "");
    const char *argv[16] = {"cp", "-a", MWT_HELLO_WORLD};
    size_t count = 3;
    CU_ASSERT_EQUAL(glob(mwt_format(crew, "%s/libmw.so*", dirname(library)), 0, NULL, &libraries),
                    0);
    for (size_t i = 0; i < libraries.gl_pathc && count < 14; i++)
        argv[count++] = libraries.gl_pathv[i];
    argv[count] = folder;
    CU_ASSERT_EQUAL(mwt_await_end(mwt_start(crew, &(struct mwt_start){.argv = argv})), 0);
    globfree(&libraries);
    *alone = (struct alone){
        .crew = crew,
        .program = mwt_path(crew, "hello_world"),
        .variables = {mwt_format(crew, "LD_LIBRARY_PATH=%s", folder), TOLERANT,
                      variable == NULL ? NULL : mwt_format(crew, "%s=%s", variable, folder)}};
}

static struct mwt_process *start_alone(struct alone *alone, const char *const *options)
{
    const char *argv[16] = {alone->program};
    for (size_t i = 1; *options != NULL && i < 15; i++)
        argv[i] = *options++;
    return mwt_start(alone->crew,
                     &(struct mwt_start){.argv = argv, .environment = alone->variables});
}

/* Everything except MPI works without the module. */
static void test_work_without_module(void)
{
    struct alone alone;
    copy_alone(&alone, NULL);
    const char *file = mwt_path(alone.crew, "m.rsc");

    struct mwt_process *local = start_alone(&alone, MWT_ARGV("--mw-local", "2"));
    struct mwt_process *master =
        start_alone(&alone, MWT_ARGV("--mw-master", "--mw-master-host", "127.0.0.1",
                                     "--mw-resource-file", file));
    struct mwt_process *slave =
        start_alone(&alone, MWT_ARGV("--mw-slave", "--mw-resource-file", file));

    CU_ASSERT_EQUAL(mwt_await_end(local), 0);
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    check_hello(local, 1, 2);
    check_hello(master, 1, 0);
    check_hello(slave, 0, 1);
    mwt_crew_destroy(alone.crew);
}

/* A program that asks for MPI prints one sentence with the given words, and ends with status 2. */
static void check_refusal(struct alone *alone, const char *words)
{
    struct mwt_process *process = start_alone(alone, MWT_ARGV("--mw-transport", "mpi"));

    CU_ASSERT_EQUAL(mwt_await_end(process), 2);
    const char *message = mwt_output(process, MWT_ERR);
    CU_ASSERT_EQUAL(mwt_count(message, "\n"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(message, "hello_world: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(message, words));
    CU_ASSERT_STRING_EQUAL(mwt_output(process, MWT_OUT), "");
}

/* The message names the module and the places where mw looked for it. */
static void test_missing_module(void)
{
    if (access(MWT_MODULE_DIR "/mw_mpi.so", F_OK) == 0) {
        mwt_not_run("missing module", "one is installed in " MWT_MODULE_DIR);
        return;
    }
    struct alone alone;
    copy_alone(&alone, NULL);

    check_refusal(&alone, "mw_mpi.so was not found");
    check_refusal(&alone, mwt_path(alone.crew, "mw"));
    check_refusal(&alone, MWT_MODULE_DIR);

    mwt_crew_destroy(alone.crew);
}

/* A file that is no loadable module, for instance of another kind of machine, is named too. */
static void test_broken_module(void)
{
    struct alone alone;
    copy_alone(&alone, "MW_MODULE_PATH");

    mwt_file_write(mwt_path(alone.crew, "mw_mpi.so"), "this is no module\n");

    check_refusal(&alone, "cannot load the transport mpi: ");
    check_refusal(&alone, "/mw_mpi.so: ");

    mwt_crew_destroy(alone.crew);
}

/* A library without mw's symbol is not taken for a module. */
static void test_foreign_module(void)
{
    struct alone alone;
    copy_alone(&alone, "MW_MODULE_PATH");
    CU_ASSERT_EQUAL(symlink(MWT_LIBRARY, mwt_path(alone.crew, "mw_mpi.so")), 0);

    check_refusal(&alone, "mw_mpi.so is not of this version of mw");

    mwt_crew_destroy(alone.crew);
}

/* A program of another MPI than the module's gets a sentence, and does not crash. */
static void test_other_mpi(void)
{
#ifdef MWT_OTHER_MPI
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *program =
        mwt_run_program(crew, MWT_OTHER_MPI, "--mw-transport", "mpi", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(program), 2);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(mwt_output(program, MWT_ERR), "but the MPI module of this mw was built for "));
    mwt_crew_destroy(crew);
#else
    mwt_not_run("other MPI", "it needs both Open MPI and MPICH");
#endif
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"dependencies", test_dependencies},
        {"work without the module", test_work_without_module},
        {"missing module", test_missing_module},
        {"broken module", test_broken_module},
        {"foreign module", test_foreign_module},
        {"other MPI", test_other_mpi},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("module", tests);
}
