/* SPDX-License-Identifier: Apache-2.0
 *
 * Farms inside MPI programs: runs each case of embed.c under mpirun, with and without TCP slaves,
 * and the example embed_mpi. A new case of embed.c gets a test here.
 */
#include <string.h>

#include "mwt_process.h"
#include "mwt_run.h"

/* Open MPI itself does not free all its memory. */
#define NO_LEAK_CHECK "ASAN_OPTIONS=detect_leaks=0"

/* Ranks of MPICH spin while they wait: more of them than processors take minutes. */
#ifdef MWT_IS_OPEN_MPI
#define RANKS_MAX 5
#else
#define RANKS_MAX 3
#endif

static struct mwt_process *mpirun(struct mwt_crew *crew, const char *ranks_count,
                                  const char *program, const char *argument, const char *variable)
{
    return mwt_start(crew, &(struct mwt_start){
                               .argv = MWT_ARGV(MWT_MPIEXEC, "-n", ranks_count, program, argument),
                               .environment = MWT_ARGV(NO_LEAK_CHECK, variable)});
}

static void run_case(const char *ranks_count, const char *name)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *job = mpirun(crew, ranks_count, MWT_EMBED, name, NULL);

    CU_ASSERT_EQUAL(mwt_await_end(job), 0);
    mwt_crew_destroy(crew);
}

/* A thousand farms in one run leave no communicator, request or memory behind. */
static void test_again_and_again(void)
{
    run_case("3", "again");
}

static void test_disjoint(void)
{
    run_case("4", "disjoint");
}

static void test_declining(void)
{
    run_case("4", "declining");
}

static void test_lonely(void)
{
    run_case("3", "lonely");
}

static void test_bad_options(void)
{
    run_case("3", "bad_options");
}

static void test_no_module(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *broken = mwt_run_program(
        crew, "sh", "-c", mwt_format(crew, "echo junk >%s", mwt_path(crew, "mw_mpi.so")), NULL);
    CU_ASSERT_EQUAL(mwt_await_end(broken), 0);
    struct mwt_process *job = mpirun(crew, "3", MWT_EMBED, "no_module",
                                     mwt_format(crew, "EMBED_FILE=%s", mwt_path(crew, "")));

    CU_ASSERT_EQUAL(mwt_await_end(job), 0);
    mwt_crew_destroy(crew);
}

static void test_other_kind(void)
{
    run_case("3", "other_kind");
}

/* A rank whose task never ends does not keep the job: its status is the master's. */
static void test_end_job(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_format(crew, "EMBED_FILE=%s", mwt_path(crew, "begun"));
    struct mwt_process *job = mpirun(crew, "3", MWT_EMBED, "end_job", file);

    CU_ASSERT_EQUAL(mwt_await_end(job), 7);
    mwt_crew_destroy(crew);
}

/* A program that runs farms on its communicators may isolate its slaves, if it says so. */
static void test_isolated(void)
{
    run_case("3", "isolated");
}

static void test_scopes(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *variable = mwt_format(crew, "MWT_JOURNAL=%s", mwt_path(crew, "journal"));
    struct mwt_process *job = mpirun(crew, "2", MWT_EMBED, "scopes", variable);

    CU_ASSERT_EQUAL(mwt_await_end(job), 0);
    mwt_crew_destroy(crew);
}

static void test_low_levels(void)
{
    run_case("2", "low_levels");
}

static void test_pumped(void)
{
    run_case("3", "pumped");
}

static void test_mixed(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_format(crew, "EMBED_FILE=%s", mwt_path(crew, "m.rsc"));
    struct mwt_process *job = mpirun(crew, "3", MWT_EMBED, "mixed", file);
    struct mwt_process *guest =
        mwt_start(crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_EMBED, "guest"),
                                            .environment = MWT_ARGV(file)});

    CU_ASSERT_EQUAL(mwt_await_end(job), 0);
    CU_ASSERT_EQUAL(mwt_await_end(guest), 0);
    mwt_crew_destroy(crew);
}

/* The example computes the same with and without farms. */
static void test_example(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *serial = mpirun(crew, "1", MWT_EMBED_MPI, NULL, NULL);
    CU_ASSERT_EQUAL(mwt_await_end(serial), 0);
    CU_ASSERT_EQUAL(strncmp(mwt_output(serial, MWT_OUT), "2400 cells, 100 steps: heat 588542.", 35),
                    0);

    for (int i = 2; i <= RANKS_MAX; i++) {
        struct mwt_process *job =
            mpirun(crew, mwt_format(crew, "%d", i), MWT_EMBED_MPI, NULL, NULL);
        CU_ASSERT_EQUAL(mwt_await_end(job), 0);
        CU_ASSERT_STRING_EQUAL(mwt_output(job, MWT_OUT), mwt_output(serial, MWT_OUT));
        CU_ASSERT_EQUAL(mwt_count(mwt_output(job, MWT_ERR), " has analysed "), (unsigned)i);
    }
    struct mwt_process *wrong = mpirun(crew, "1", MWT_EMBED_MPI, "--cells", NULL);
    CU_ASSERT_EQUAL(mwt_await_end(wrong), 2);
    mwt_crew_destroy(crew);
}

/* The same holds for the example in Fortran. */
static void test_fortran_example(void)
{
#ifdef MWT_POISSON_MPI
    struct mwt_crew *crew = mwt_crew_create();
    const char *output = NULL;
    for (int i = 1; i < RANKS_MAX; i++) {
        struct mwt_process *job =
            mpirun(crew, mwt_format(crew, "%d", i), MWT_POISSON_MPI, NULL, NULL);
        CU_ASSERT_EQUAL(mwt_await_end(job), 0);
        if (output == NULL)
            output = mwt_format(crew, "%s", mwt_output(job, MWT_OUT));
        CU_ASSERT_STRING_EQUAL(mwt_output(job, MWT_OUT), output);
    }
    CU_ASSERT_EQUAL(mwt_count(output, "\n"), 4);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(output, "round 4: charge at 100 92 longest line 124.80, potential 3.62352983E-01"));
    struct mwt_process *wrong = mpirun(crew, "2", MWT_POISSON_MPI, "--speed", NULL);
    CU_ASSERT_EQUAL(mwt_await_end(wrong), 2);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(wrong, MWT_ERR), "poisson_mpi: wrong: --speed"), 1);
    mwt_crew_destroy(crew);
#else
    mwt_not_run("poisson_mpi", "this build has no Fortran module for MPI");
#endif
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"again and again", test_again_and_again},
        {"disjoint", test_disjoint},
        {"declining", test_declining},
        {"lonely", test_lonely},
        {"bad options", test_bad_options},
        {"no module", test_no_module},
        {"other kind", test_other_kind},
        {"end job", test_end_job},
        {"scopes", test_scopes},
        {"isolated", test_isolated},
        {"low levels", test_low_levels},
        {"pumped", test_pumped},
        {"mixed", test_mixed},
        {"example", test_example},
        {"example in Fortran", test_fortran_example},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("embed", tests);
}
