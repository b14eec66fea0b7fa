/* SPDX-License-Identifier: Apache-2.0
 *
 * Farms under random faults: `test_farm [--seed FIRST] [--seeds COUNT]`. ctest runs a few hundred
 * seeds, a soak thousands; a failure says how to replay it.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mwt_folder.h"
#include "mwt_run.h"

/* CUnit's cases take no argument: this is what the command line says. */
static struct {
    uint64_t first_seed;
    uint64_t seeds_count;
} soak = {1, 300};

static void run_once(struct mwt_farm *farm, struct mwt_farm_plan plan, const char *audit_path)
{
    remove(audit_path);
    plan.audit_path = audit_path;
    mwt_farm_run(farm, &plan);
}

/* With any faults, each task ends exactly once, with its own value, or is given up exactly when its
 * policy says so. Nothing is accepted from strangers, no slave has more than its groups, and the
 * trail adds up. A task goes on only from bytes that it has saved itself. Once the faults end, the
 * farm finishes. */
static void every_task_ends_once(void)
{
    struct mwt_folder folder;
    uint64_t failures = 0, resumed_count = 0;
    mwt_folder_create(&folder);

    for (uint64_t i = 0; i < soak.seeds_count && failures < 5; i++) {
        struct mwt_farm farm;
        run_once(&farm, mwt_farm_draw(soak.first_seed + i), mwt_folder_file(&folder, "audit"));
        failures += !mwt_check_farm(&farm);
        resumed_count += farm.resumed_count;
        mwt_farm_fini(&farm);
    }

    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT(resumed_count > 0 || soak.seeds_count < 100);
    mwt_folder_destroy(&folder);
}

/* A farm that is stopped in the middle loses nothing, with any faults: each task is handed out
 * once, or is still waiting, or runs on. */
static void a_stop_loses_nothing(void)
{
    uint64_t failures = 0, stops = 0;

    for (uint64_t i = 0; i < soak.seeds_count && failures < 5; i++) {
        struct mwt_farm farm;
        struct mwt_farm_plan plan = mwt_farm_draw(soak.first_seed + i);
        plan.stop_ns = 1 + plan.faults_end_ns * (int64_t)(i % 7) / 7;
        mwt_farm_run(&farm, &plan);
        failures += !mwt_check_stopped(&farm);
        stops += farm.began_to_stop_ns > 0 && farm.left_count > 0;
        mwt_farm_fini(&farm);
    }

    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT(stops > 0);
}

/* The same seed writes the same trail, to the byte. */
static void same_seed_same_trail(void)
{
    struct mwt_folder folder;
    mwt_folder_create(&folder);

    for (uint64_t i = 0; i < soak.seeds_count / 10 + 1; i++) {
        struct mwt_farm first, second;
        struct mwt_farm_plan plan = mwt_farm_draw(soak.first_seed + i);
        run_once(&first, plan, mwt_folder_file(&folder, "first"));
        run_once(&second, plan, mwt_folder_file(&folder, "second"));
        char *one = mwt_file_read(mwt_folder_file(&folder, "first"));
        char *other = mwt_file_read(mwt_folder_file(&folder, "second"));

        CU_ASSERT_PTR_NOT_NULL_FATAL(one);
        CU_ASSERT_PTR_NOT_NULL_FATAL(other);
        CU_ASSERT(strlen(one) > 0);
        CU_ASSERT_STRING_EQUAL(one, other);
        CU_ASSERT_EQUAL(first.end_ns, second.end_ns);
        free(one);
        free(other);
        mwt_farm_fini(&first);
        mwt_farm_fini(&second);
    }

    mwt_folder_destroy(&folder);
}

/* Without faults nothing is lost, so nothing is given up. */
static void without_faults_all_is_done(void)
{
    struct mwt_farm farm;
    struct mwt_farm_plan plan = mwt_farm_draw(soak.first_seed);
    plan.kills_count = plan.cuts_count = plan.strangers_count = 0;
    plan.failing_every = 0;
    plan.has_policies = false;

    mwt_farm_run(&farm, &plan);

    CU_ASSERT(mwt_check_farm(&farm));
    for (size_t i = 0; i < plan.tasks_count; i++)
        CU_ASSERT_EQUAL(farm.tasks[i].done, 1);
    mwt_farm_fini(&farm);
}

static void read_arguments(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            soak.first_seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            soak.seeds_count = strtoull(argv[i + 1], NULL, 10);
    }
}

int main(int argc, char **argv)
{
    read_arguments(argc, argv);
    printf("seeds %llu to %llu\n", (unsigned long long)soak.first_seed,
           (unsigned long long)(soak.first_seed + soak.seeds_count - 1));
    CU_TestInfo tests[] = {
        {"every_task_ends_once", every_task_ends_once},
        {"a_stop_loses_nothing", a_stop_loses_nothing},
        {"same_seed_same_trail", same_seed_same_trail},
        {"without_faults_all_is_done", without_faults_all_is_done},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("farms in a simulated world", tests);
}
