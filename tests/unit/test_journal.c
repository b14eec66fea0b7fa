/* SPDX-License-Identifier: Apache-2.0
 *
 * A journal on a simulated disk: results of earlier runs are taken once each, those that were
 * durable survive a power cut, and the journal of another program is refused.
 */
#include "record/journal_open.h"
#include "record/journal_take.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mw/sim.h>

#include "mwt_run.h"
#include "transports/sim/sim_disk.h"
#include "wire/message.h"

static mw_sim *world;
static struct mwi_sim_disk *environment;
static uint64_t runs_count;
static struct mwi_journal_findings findings;
static mw_reason why;

static void start(const struct mwi_sim_disk_plan *plan, uint64_t seed)
{
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&world, &(mw_sim_config){.seed = seed}), MW_OK);
    environment = mwi_sim_disk_create(world, plan);
    CU_ASSERT_PTR_NOT_NULL_FATAL(environment);
    runs_count = 0;
}

static void end(void)
{
    mw_sim_destroy(world);
}

static struct mwi_journal_text text_of(const char *string)
{
    return (struct mwi_journal_text){string, strlen(string)};
}

static mw_error try_open(struct mwi_journal **journal, const char *arguments, const char *version,
                         bool is_accepted)
{
    const struct mwi_journal_settings settings = {
        .path = "s.mwj",
        .api = &mwi_sim_disk_api,
        .environment = environment,
        .sync_ns = 5000000,
        .is_accepted = is_accepted,
        .run = {.number = ++runs_count,
                .identity = {.names = text_of("alpha beta"),
                             .arguments = text_of(arguments),
                             .version = text_of(version)}}};
    return mwi_journal_open(journal, &settings, &findings, &why);
}

static struct mwi_journal *open_journal(void)
{
    struct mwi_journal *journal = NULL;
    CU_ASSERT_EQUAL_FATAL(try_open(&journal, "", "", false), MW_OK);
    return journal;
}

static struct mwi_digest key_of(unsigned number)
{
    return mwi_digest_make(1, &number, sizeof number);
}

/* Records a result of `size` bytes of this letter. */
static void add(struct mwi_journal *journal, unsigned number, char letter, size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    memset(bytes, letter, size);
    mwi_journal_add_result(journal, number % 2 == 0 ? "alpha" : "beta",
                           &(struct mwi_journal_result){.key = key_of(number),
                                                        .id = number + 1,
                                                        .duration_ns = number,
                                                        .form = MWI_PAYLOAD_BYTES,
                                                        .size = size,
                                                        .data = bytes});
    free(bytes);
}

static void make_durable(struct mwi_journal *journal)
{
    uint64_t mark = mwi_journal_hurry(journal);
    mw_sim_run(world, INT64_MAX);
    CU_ASSERT_TRUE(mwi_journal_is_durable(journal, mark));
}

/* Whether the next result of the task is of this letter and size. */
static bool takes(struct mwi_journal *journal, unsigned number, char letter, size_t size)
{
    struct mwi_journal_replay replay;
    if (mwi_journal_take(journal, key_of(number), &replay, &why) != MW_OK)
        return false;
    bool is_right =
        replay.size == size && replay.form == MWI_PAYLOAD_BYTES && replay.duration_ns == number;
    for (size_t i = 0; i < replay.size; i++)
        is_right = is_right && replay.data[i] == (unsigned char)letter;
    mwi_block_unref(replay.block);
    return is_right;
}

static bool has_none(struct mwi_journal *journal, unsigned number)
{
    struct mwi_journal_replay replay;
    return mwi_journal_take(journal, key_of(number), &replay, &why) == MW_ESTATE;
}

/* Results of two runs, small and large, are taken by the third, once each and in order; those of
 * the present run are not. */
static void test_runs(void)
{
    start(&(struct mwi_sim_disk_plan){0}, 1);
    struct mwi_journal *journal = open_journal();
    for (unsigned i = 0; i < 200; i++)
        add(journal, i, 'a', i % 7 == 0 ? 100000 : i);
    CU_ASSERT_TRUE(has_none(journal, 3));
    make_durable(journal);
    mwi_journal_close(journal);
    journal = open_journal();
    CU_ASSERT_EQUAL(findings.results_count, 200);
    add(journal, 3, 'b', 10);
    make_durable(journal);
    mwi_journal_close(journal);

    journal = open_journal();

    CU_ASSERT_TRUE(findings.runs_count == 2 && findings.results_count == 201);
    CU_ASSERT_TRUE(findings.damages_count == 0 && findings.torn_bytes == 0);
    CU_ASSERT_TRUE(mwi_journal_has_replays(journal));
    for (unsigned i = 200; i-- > 0;) {
        CU_ASSERT_TRUE(takes(journal, i, 'a', i % 7 == 0 ? 100000 : i));
        CU_ASSERT_TRUE(i == 3 ? takes(journal, i, 'b', 10) : has_none(journal, i));
    }
    CU_ASSERT_TRUE(has_none(journal, 3));
    CU_ASSERT_FALSE(mwi_journal_has_replays(journal));
    mwi_journal_close(journal);
    end();
}

/* A power cut at any time loses no durable result, gives no wrong one, and the next run goes on
 * with the file. */
static void test_power_cuts(void)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        unsigned durable_count = 0, found_count = 0;
        start(&(struct mwi_sim_disk_plan){.sync_min_ns = 1000, .sync_max_ns = 900000}, seed);
        struct mwi_journal *journal = open_journal();
        make_durable(journal);
        unsigned count = 1 + (unsigned)(mw_sim_random(world) % 300);
        for (unsigned i = 0; i < count; i++) {
            add(journal, i, 'a', mw_sim_random(world) % 2000);
            if (mw_sim_random(world) % 4 == 0)
                mwi_journal_flush(journal);
            if (mw_sim_random(world) % 40 == 0) {
                make_durable(journal);
                durable_count = i + 1;
            }
        }
        mwi_sim_disk_cut_power(environment);
        mwi_journal_close(journal);

        journal = open_journal();
        for (unsigned i = 0; i < count; i++) {
            struct mwi_journal_replay replay;
            bool is_found = mwi_journal_take(journal, key_of(i), &replay, &why) == MW_OK;
            CU_ASSERT_TRUE(is_found || i >= durable_count);
            found_count += is_found;
            if (!is_found)
                continue;
            CU_ASSERT_TRUE(replay.duration_ns == i && (replay.size == 0 || replay.data[0] == 'a'));
            mwi_block_unref(replay.block);
        }
        CU_ASSERT_TRUE(found_count >= durable_count);
        add(journal, 1000, 'z', 5);
        make_durable(journal);
        mwi_journal_close(journal);
        journal = open_journal();
        CU_ASSERT_TRUE(takes(journal, 1000, 'z', 5));
        mwi_journal_close(journal);
        end();
    }
}

/* The bytes that a task has saved last are given to the next task of its content, unless the result
 * is there. */
static void test_saved(void)
{
    struct mwi_journal_replay replay;
    start(&(struct mwi_sim_disk_plan){0}, 1);
    struct mwi_journal *journal = open_journal();
    mwi_journal_add_saved(journal, key_of(1), 2, "one third", 9);
    mwi_journal_add_saved(journal, key_of(2), 3, "half", 4);
    mwi_journal_add_saved(journal, key_of(1), 2, "two thirds", 10);
    add(journal, 2, 'a', 1);
    make_durable(journal);
    mwi_journal_close(journal);

    journal = open_journal();

    CU_ASSERT_EQUAL_FATAL(mwi_journal_take_saved(journal, key_of(1), &replay, &why), MW_OK);
    CU_ASSERT_TRUE(replay.size == 10 && memcmp(replay.data, "two thirds", 10) == 0);
    mwi_block_unref(replay.block);
    CU_ASSERT_EQUAL(mwi_journal_take_saved(journal, key_of(1), &replay, &why), MW_ESTATE);
    CU_ASSERT_EQUAL(mwi_journal_take_saved(journal, key_of(2), &replay, &why), MW_ESTATE);
    mwi_journal_close(journal);
    end();
}

/* Another program, other arguments, or another version are refused, with what differs, unless they
 * are accepted. A program that gives a version vouches for its arguments. */
static void test_identity(void)
{
    struct mwi_journal *journal = NULL;
    start(&(struct mwi_sim_disk_plan){0}, 1);
    CU_ASSERT_EQUAL_FATAL(try_open(&journal, "--n 1", "", false), MW_OK);
    make_durable(journal);
    mwi_journal_close(journal);

    CU_ASSERT_EQUAL(try_open(&journal, "--n 2", "", false), MW_EUSAGE);
    CU_ASSERT_STRING_EQUAL(why.text,
                           "s.mwj: it is the journal of another program: its arguments were \"--n "
                           "1\", and are \"--n 2\" now (--mw-journal-accept goes on)");
    CU_ASSERT_EQUAL(try_open(&journal, "--n 1", "7", false), MW_EUSAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "its version was \"\", and is \"7\" now"));
    CU_ASSERT_EQUAL_FATAL(try_open(&journal, "--n 1", "7", true), MW_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(findings.difference.text, "its version was"));
    mwi_journal_close(journal);
    end();

    start(&(struct mwi_sim_disk_plan){0}, 1);
    CU_ASSERT_EQUAL_FATAL(try_open(&journal, "--n 1", "7", false), MW_OK);
    make_durable(journal);
    mwi_journal_close(journal);
    CU_ASSERT_EQUAL_FATAL(try_open(&journal, "--n 2", "7", false), MW_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(findings.difference.text, "its arguments were"));
    mwi_journal_close(journal);
    end();
}

/* A disk that fails is told; what was durable before stays. */
static void test_failing_disk(void)
{
    start(&(struct mwi_sim_disk_plan){.failing_sync = 3}, 1);
    struct mwi_journal *journal = open_journal();
    make_durable(journal);
    add(journal, 1, 'a', 100);
    make_durable(journal);
    CU_ASSERT_EQUAL(mwi_journal_status(journal, &why), MW_OK);
    add(journal, 2, 'b', 100);
    (void)mwi_journal_hurry(journal);
    mw_sim_run(world, INT64_MAX);

    CU_ASSERT_EQUAL(mwi_journal_status(journal, &why), MW_EIO);
    CU_ASSERT_STRING_EQUAL(why.text, "the simulated disk has an input/output error");
    add(journal, 3, 'c', 100);
    mwi_journal_flush(journal);
    mwi_journal_close(journal);
    journal = open_journal();
    CU_ASSERT_TRUE(takes(journal, 1, 'a', 100));
    mwi_journal_close(journal);
    end();
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"runs", test_runs},         {"power cuts", test_power_cuts},     {"saved", test_saved},
        {"identity", test_identity}, {"failing disk", test_failing_disk}, CU_TEST_INFO_NULL,
    };
    return mwt_run("journal", tests);
}
