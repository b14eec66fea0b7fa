/* SPDX-License-Identifier: Apache-2.0
 *
 * Which recorded results a task may take: of its own scope, unless its policy keeps it out of the
 * journal; and failures only if they are kept. And what becomes of a task that must not run twice.
 * Each case is two runs on one simulated disk.
 */
#include <CUnit/Basic.h>

#include <mw/embed.h>
#include <mw/sim.h>

#include "mwt_host.h"
#include "mwt_run.h"
#include "options/options.h"
#include "sim_disk.h"

#define SECOND INT64_C(1000000000)

/* One run: a master that submits one task, and what became of it. */
struct run {
    const char *scope; /* NULL: none is named */
    bool must_fail, keeps_failed;
    mw_policy policy;
    struct mwi_sim_disk *disk;
    mw_sim *sim;
    mw_sim_host *master, *slave;
    int64_t killed_ns; /* when master and slave are; 0: they are not */
    bool was_run, is_replayed;
    bool has_ended; /* the master has got the task back */
    mw_outcome outcome;
};

static void work(mw_call *call)
{
    struct run *run = mw_call_user(call);
    run->was_run = true;
    mw_sim_spend(run->sim, SECOND);
    if (run->must_fail)
        mw_call_fail(call, "it cannot be done");
    else
        mw_call_return(call, "i", 42);
}

static const mw_algorithm algorithms[] = {{"work", work}, {0}};

static const char *const settings[][2] = {{"audit-level", "none"}, {NULL, NULL}};

static int master_host(mw_sim_host *host, void *context)
{
    struct run *run = context;
    mw_program program = {.algorithms = algorithms};
    mw_options *options = mwt_host_options(host, "", settings);
    mw_master *master;
    mw_options_set(options, "journal", "s.mwj");
    mw_options_set(options, "journal-keep-failed", run->keeps_failed ? "1" : "0");
    mwi_options_use_disk(options, &mwi_sim_disk_api, run->disk);
    CU_ASSERT_EQUAL_FATAL(mw_master_open(&master, &program, options), MW_OK);
    mw_master_journal_scope(master, run->scope);
    CU_ASSERT_EQUAL(
        mw_master_submit(master, &(mw_task){.algorithm = "work", .policy = &run->policy}, "s", "x"),
        MW_OK);
    const mw_result *result = mw_master_next(master);
    /* A host that is killed goes on, and gets nothing any more. */
    CU_ASSERT_TRUE(result != NULL || run->killed_ns > 0);
    if (result != NULL) {
        run->outcome = result->outcome;
        run->has_ended = true;
        run->is_replayed = result->is_replayed;
    }
    mw_master_close(master);
    mw_options_destroy(options);
    return 0;
}

static int slave_host(mw_sim_host *host, void *context)
{
    return mwt_host_be_slave(mwt_host_options(host, "master", settings), algorithms, context);
}

static void kill_all(mw_sim *sim, void *context)
{
    struct run *run = context;
    (void)sim;
    mw_sim_kill(run->master);
    mw_sim_kill(run->slave);
}

static void do_run(mw_sim *sim, struct mwi_sim_disk *disk, struct run *run)
{
    run->disk = disk;
    run->sim = sim;
    CU_ASSERT_EQUAL(mw_sim_host_start(sim, "master", master_host, run, &run->master), MW_OK);
    CU_ASSERT_EQUAL(mw_sim_host_start(sim, "slave", slave_host, run, &run->slave), MW_OK);
    if (run->killed_ns > 0)
        mw_sim_at(sim, mw_sim_now(sim) + run->killed_ns, kill_all, run);
    CU_ASSERT_TRUE(mw_sim_run(sim, INT64_MAX / 2));
    if (run->has_ended && run->outcome != MW_UNRUNNABLE)
        CU_ASSERT_EQUAL(run->is_replayed, !run->was_run);
}

/* Whether the task of the second run takes the result of the first. */
static bool takes(struct run first, struct run second)
{
    mw_sim *sim;
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&sim, &(mw_sim_config){.seed = 1}), MW_OK);
    struct mwi_sim_disk *disk = mwi_sim_disk_create(sim, &(struct mwi_sim_disk_plan){0});
    do_run(sim, disk, &first);
    do_run(sim, disk, &second);
    CU_ASSERT_TRUE(first.was_run);
    CU_ASSERT_EQUAL(first.outcome, second.outcome);
    mw_sim_destroy(sim);
    return second.is_replayed;
}

static void test_scopes(void)
{
    CU_ASSERT_TRUE(takes((struct run){.scope = "one"}, (struct run){.scope = "one"}));
    CU_ASSERT_TRUE(takes((struct run){.scope = NULL}, (struct run){.scope = ""}));
    CU_ASSERT_FALSE(takes((struct run){.scope = "one"}, (struct run){.scope = "two"}));
    CU_ASSERT_FALSE(takes((struct run){.scope = "one"}, (struct run){.scope = NULL}));
    CU_ASSERT_FALSE(takes((struct run){.scope = NULL}, (struct run){.scope = "one"}));
}

static void test_policy(void)
{
    const struct run plain = {0}, kept_out = {.policy = {.journal = MW_NO}};
    const struct run urgent = {.policy = {.priority = 7, .journal = MW_YES}};
    CU_ASSERT_TRUE(takes(plain, urgent));
    CU_ASSERT_FALSE(takes(plain, kept_out));
    CU_ASSERT_FALSE(takes(kept_out, plain));
    CU_ASSERT_FALSE(takes(kept_out, kept_out));
}

static void test_failures(void)
{
    const struct run plain = {.must_fail = true};
    const struct run kept = {.must_fail = true, .keeps_failed = true};
    CU_ASSERT_TRUE(takes(kept, kept));
    CU_ASSERT_FALSE(takes(kept, plain));
    CU_ASSERT_FALSE(takes(plain, kept));
    CU_ASSERT_FALSE(takes(plain, plain));
}

/* A task that must not run twice, and was running when its master was killed, is unrunnable when it
 * is submitted again; so it is the third time. Another task of the policy runs. */
static void test_no_retry(void)
{
    const struct run once = {.policy = {.retry = MW_NO}};
    struct run killed = once, again = once, third = once, other = once;
    mw_sim *sim;
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&sim, &(mw_sim_config){.seed = 1}), MW_OK);
    struct mwi_sim_disk *disk = mwi_sim_disk_create(
        sim, &(struct mwi_sim_disk_plan){.sync_min_ns = SECOND / 100, .sync_max_ns = SECOND / 50});
    killed.killed_ns = SECOND / 2;
    other.scope = "another task";
    do_run(sim, disk, &killed);
    do_run(sim, disk, &again);
    do_run(sim, disk, &third);
    do_run(sim, disk, &other);
    CU_ASSERT_TRUE(killed.was_run && !killed.has_ended);
    CU_ASSERT_TRUE(again.has_ended && !again.was_run && again.outcome == MW_UNRUNNABLE);
    CU_ASSERT_TRUE(third.has_ended && !third.was_run && third.outcome == MW_UNRUNNABLE);
    CU_ASSERT_TRUE(other.was_run && other.outcome == MW_DONE);
    mw_sim_destroy(sim);
}

/* If it has ended, its result is taken, and if it has not been sent, it runs. */
static void test_no_retry_ended(void)
{
    const struct run once = {.policy = {.retry = MW_NO}};
    struct run early = once, whole = once, again = once;
    mw_sim *sim;
    CU_ASSERT_TRUE(takes(once, once));
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&sim, &(mw_sim_config){.seed = 1}), MW_OK);
    struct mwi_sim_disk *disk = mwi_sim_disk_create(
        sim, &(struct mwi_sim_disk_plan){.sync_min_ns = SECOND / 100, .sync_max_ns = SECOND / 50});
    early.killed_ns = 1;
    do_run(sim, disk, &early);
    do_run(sim, disk, &whole);
    do_run(sim, disk, &again);
    CU_ASSERT_TRUE(!early.was_run && whole.was_run && whole.outcome == MW_DONE);
    CU_ASSERT_TRUE(again.is_replayed);
    mw_sim_destroy(sim);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"scopes", test_scopes},
        {"policy", test_policy},
        {"failures", test_failures},
        {"no retry", test_no_retry},
        {"no retry, ended", test_no_retry_ended},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("journal scope", tests);
}
