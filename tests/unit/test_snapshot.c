/* SPDX-License-Identifier: Apache-2.0
 *
 * What a master has to do, written as changes: whoever reads all that was written so far has
 * exactly the tasks that are out, and those that ended and were not handed out.
 */
#include "engine/snapshot.h"

#include <string.h>

#include "mwt_master.h"
#include "mwt_policy.h"
#include "mwt_run.h"

#define TASKS_MAX 64

/* The reader of what was written: for each task its fate and the letter of its payload. */
struct reader {
    char fates[TASKS_MAX];   /* by id; 0: none */
    char letters[TASKS_MAX]; /* the first byte of the payload */
    size_t items_count;      /* read in all */
    size_t bytes;            /* likewise */
    bool is_wrong;
    char text[512];
};

static void take(void *context, bool is_gone, const struct mwi_buffer *body)
{
    struct reader *reader = context;
    struct mwi_checkpoint_reader bytes;
    struct mwi_checkpoint_item item;
    reader->bytes += body->size;
    for (size_t i = 0; is_gone && i < body->size / 8; i++) {
        uint64_t id = mwi_checkpoint_items_id(body->data, body->size, i);
        reader->is_wrong = reader->is_wrong || reader->fates[id] == 0;
        reader->fates[id] = 0;
    }
    if (is_gone)
        return;
    mwi_checkpoint_items_open(&bytes, body->data, body->size);
    while (mwi_checkpoint_items_next(&bytes, &item)) {
        reader->fates[item.id] = "ODFU"[item.fate];
        reader->letters[item.id] = item.size > 0 ? ((const char *)item.data)[0] : '-';
        reader->items_count++;
    }
    reader->is_wrong = reader->is_wrong || bytes.is_broken || bytes.algorithm_size == 0;
}

/* Writes the changes, and returns all that the reader knows: "1Oa 2Db" for task 1, which is out
 * with arguments that begin with an a, and the result b of task 2. */
static const char *write_to(struct reader *reader, struct mwt_master *master,
                            struct mwi_snapshot *known)
{
    const struct mwi_snapshot_sink sink = {take, reader};
    size_t used = 0;
    CU_ASSERT_EQUAL(mwi_snapshot_write(&master->engine, known, &sink), MW_OK);
    CU_ASSERT_FALSE(reader->is_wrong);
    reader->text[0] = '\0';
    for (int id = 1; id < TASKS_MAX; id++)
        if (reader->fates[id] != 0)
            used +=
                (size_t)snprintf(reader->text + used, sizeof reader->text - used, "%s%d%c%c",
                                 used > 0 ? " " : "", id, reader->fates[id], reader->letters[id]);
    return reader->text;
}

static void start(struct mwt_master *master, struct reader *reader, struct mwi_snapshot *known)
{
    struct mwi_master_engine_config config = mwt_master_config();
    config.task_group = 2;
    *reader = (struct reader){0};
    *known = (struct mwi_snapshot){0};
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, &config));
    mwt_master_greet(master, 1);
}

static void end(struct mwt_master *master, struct mwi_snapshot *known)
{
    mwi_snapshot_fini(known);
    CU_ASSERT_EQUAL(master->engine.effects.error, MW_OK);
    mwt_master_end(master);
}

/* Tasks that wait, run, have ended and were handed out, at one checkpoint after the other. */
static void test_life(void)
{
    static struct mwt_master master;
    struct mwi_snapshot known;
    struct reader reader;
    start(&master, &reader, &known);

    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "");
    mwt_master_submit(&master, "a b c d");
    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "1Oa 2Ob 3Oc 4Od");
    mwt_master_tick(&master, 0);
    mwt_master_begin(&master, 1);
    mwt_master_return(&master, 1, "a");
    mwt_master_submit_one(&master, "e", true, 1);
    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "1Da 2Ob 3Oc 4Od 5Oe");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "a@0");
    mwt_master_fail(&master, 1, "b");
    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "2Fb 3Oc 4Od 5Oe");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "b@0!");
    mwi_lifecycle_cancel(&master.engine, 4);
    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "3Oc 5Oe");
    end(&master, &known);
}

/* A checkpoint writes what has changed since the last: nothing, if nothing has. */
static void test_changes_only(void)
{
    static struct mwt_master master;
    struct mwi_snapshot known;
    struct reader reader;
    start(&master, &reader, &known);
    for (int i = 0; i < 10; i++)
        mwt_master_submit(&master, "a b c");
    write_to(&reader, &master, &known);
    CU_ASSERT_EQUAL(reader.items_count, 30);
    size_t before = reader.bytes;

    write_to(&reader, &master, &known);
    CU_ASSERT_EQUAL(reader.bytes, before);
    mwt_master_submit(&master, "d");
    write_to(&reader, &master, &known);

    CU_ASSERT_EQUAL(reader.items_count, 31);
    CU_ASSERT_TRUE(reader.bytes < before + 120);
    end(&master, &known);
}

/* Results of a range, after one of them was handed out, and tasks that were taken out of their
 * batch. */
static void test_ranges(void)
{
    static struct mwt_master master;
    struct mwi_snapshot known;
    struct reader reader;
    struct mwi_finished item;
    start(&master, &reader, &known);
    master.engine.effects.audited_kinds = 0;
    mwt_master_submit(&master, "p");
    mwt_master_tick(&master, 0);
    mwt_master_begin(&master, 1);
    mwt_master_return(&master, 1, "p");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "p@0");
    mwt_master_submit(&master, "a b c d e");
    mwt_master_tick(&master, 0);
    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "2Oa 3Ob 4Oc 5Od 6Oe");

    mwt_master_return(&master, 1, "a b");
    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "2Da 3Db 4Oc 5Od 6Oe");
    CU_ASSERT_TRUE(mwi_lifecycle_take_result(&master.engine, &item));
    mwi_block_unref(item.block);
    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "3Db 4Oc 5Od 6Oe");
    mwt_master_down(&master, 1, "reset");

    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "3Db 4Oc 5Od 6Oe");
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "b@0");
    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "4Oc 5Od 6Oe");
    end(&master, &known);
}

/* A task that has become unrunnable comes with its arguments and its history. */
static void test_unrunnable(void)
{
    static struct mwt_master master;
    struct mwi_snapshot known;
    struct reader reader;
    struct mwi_lifecycle_unrunnable taken;
    start(&master, &reader, &known);
    mwt_master_submit_one(&master, "a", true, 3);
    mwt_master_tick(&master, 0);
    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "1Oa");

    mwt_master_down(&master, 1, "reset");
    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "1Ua");
    CU_ASSERT_TRUE(mwi_lifecycle_take_unrunnable(&master.engine, &taken));
    free(taken.payload.data);
    free(taken.history);

    CU_ASSERT_STRING_EQUAL(write_to(&reader, &master, &known), "");
    end(&master, &known);
}

/* Policies come back as they were. */
static void test_policies(void)
{
    const struct mwi_checkpoint_policy policy = {.sid = 3,
                                                 .priority = -2,
                                                 .time_limit_ns = 5,
                                                 .max_attempts = 9,
                                                 .is_done_anyway = true,
                                                 .is_speculated = true};
    struct mwi_task_policy back = mwi_snapshot_policy(&policy);
    CU_ASSERT_TRUE(back.sid == 3 && back.priority == -2 && back.time_limit_ns == 5 &&
                   back.max_attempts == 9 && back.is_done_anyway && !back.is_retried &&
                   back.is_speculated);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"life", test_life},         {"changes only", test_changes_only},
        {"ranges", test_ranges},     {"unrunnable", test_unrunnable},
        {"policies", test_policies}, CU_TEST_INFO_NULL,
    };
    return mwt_run("snapshot", tests);
}
