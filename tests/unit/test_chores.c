/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of chores, and the order in which a loop tends, stops and closes its rows. The rows
 * are played by the test.
 */
#include "loop/chores.h"

#include <stdio.h>
#include <string.h>

#include "mwt_loop.h"
#include "mwt_run.h"

/* The calls of a test's chores: "tend a 5, stop a 1, close b 7". */
static char calls[512];

struct played {
    const char *name;
    int64_t due_ns;
    struct mwi_loop *roused; /* by tend; may be NULL */
};

static void write_down(const char *what, const struct played *chore, int64_t number)
{
    size_t length = strlen(calls);
    snprintf(calls + length, sizeof calls - length, "%s%s %s %lld", length > 0 ? ", " : "", what,
             chore->name, (long long)number);
}

static void tend(void *context, int64_t now_ns)
{
    struct played *chore = context;
    write_down("tend", chore, now_ns);
    if (chore->roused != NULL)
        mwi_loop_rouse(chore->roused);
}

static int64_t deadline(const void *context)
{
    return ((const struct played *)context)->due_ns;
}

static void stop(void *context, bool is_finished)
{
    write_down("stop", context, is_finished);
}

static void close_chore(void *context, int64_t deadline_ns)
{
    write_down("close", context, deadline_ns);
}

static void add(struct mwi_chores *chores, struct played *played)
{
    mwi_chores_add(chores, &(struct mwi_chore_entry){.context = played,
                                                     .tend = tend,
                                                     .deadline = deadline,
                                                     .stop = stop,
                                                     .close = close_chore});
}

/* A table without chores has no deadline, and nothing to do. */
static void test_empty(void)
{
    struct mwi_chores chores = {0};
    calls[0] = '\0';

    mwi_chores_tend(&chores, 1);
    mwi_chores_stop(&chores, true);
    mwi_chores_close(&chores, 2);

    CU_ASSERT_EQUAL(mwi_chores_deadline(&chores), INT64_MAX);
    CU_ASSERT_STRING_EQUAL(calls, "");
}

/* Chores are tended and stopped in the order in which they were added, and closed in reverse; they
 * are stopped once, and tended after that too. The deadline is the first of all. */
static void test_order(void)
{
    struct mwi_chores chores = {0};
    struct played first = {.name = "a", .due_ns = 9}, second = {.name = "b", .due_ns = 7};
    calls[0] = '\0';
    add(&chores, &first);
    add(&chores, &second);

    CU_ASSERT_EQUAL(mwi_chores_deadline(&chores), 7);
    mwi_chores_tend(&chores, 1);
    mwi_chores_stop(&chores, true);
    mwi_chores_stop(&chores, false);
    mwi_chores_tend(&chores, 2);
    mwi_chores_close(&chores, 3);
    mwi_chores_close(&chores, 4);

    CU_ASSERT_STRING_EQUAL(calls, "tend a 1, tend b 1, stop a 1, stop b 1, tend a 2, tend b 2, "
                                  "close b 3, close a 3");
    CU_ASSERT_EQUAL(mwi_chores_deadline(&chores), INT64_MAX);
}

/* A loop with one transport that sleeps, at time 0, and a chore. */
static void start(struct mwt_loop *loop, struct played *chore)
{
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(loop, NULL));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(loop, 0, &mwt_fake_sleeping));
    loop->clock = 0;
    add(mwi_loop_chores(loop->loop), chore);
    calls[0] = '\0';
}

/* A turn tends the chores, then waits no longer than their deadline; a caller's own loop hears of
 * it too. */
static void test_turn(void)
{
    static struct mwt_loop loop;
    struct played chore = {.name = "a", .due_ns = 500};
    mw_reason why;
    bool is_eventful = true;
    start(&loop, &chore);
    loop.fakes[0].fd = 3;
    CU_ASSERT_EQUAL(mwi_loop_fd(loop.loop), 3);

    CU_ASSERT_EQUAL(mwi_loop_turn(loop.loop, INT64_MAX, &is_eventful, &why), MW_OK);

    CU_ASSERT_FALSE(is_eventful);
    CU_ASSERT_EQUAL(loop.fakes[0].polls[0], 500);
    CU_ASSERT_STRING_EQUAL(calls, "tend a 0");
    chore.due_ns = 700;
    CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), 700);
    mwt_loop_close(&loop);
}

/* A chore that has news for the loop's user lets the turn end without a wait. */
static void test_rouse(void)
{
    static struct mwt_loop loop;
    struct played chore = {.name = "a", .due_ns = INT64_MAX};
    mw_reason why;
    bool is_eventful = false;
    start(&loop, &chore);
    chore.roused = loop.loop;

    CU_ASSERT_EQUAL(mwi_loop_turn(loop.loop, INT64_MAX, &is_eventful, &why), MW_OK);

    CU_ASSERT_TRUE(is_eventful);
    CU_ASSERT_EQUAL(loop.fakes[0].polls[0], INT64_MIN);
    mwt_loop_close(&loop);
}

/* A loop that is closed closes its chores, while its transports still are there, without waiting
 * for them. */
static void test_loop_closes(void)
{
    static struct mwt_loop loop;
    struct played chore = {.name = "a"};
    char expected[64];
    start(&loop, &chore);

    mwt_loop_close(&loop);

    snprintf(expected, sizeof expected, "close a %lld", (long long)INT64_MIN);
    CU_ASSERT_STRING_EQUAL(calls, expected);
    CU_ASSERT_STRING_EQUAL(loop.fakes[0].calls, "open, close");
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"empty", test_empty},
        {"order", test_order},
        {"turn", test_turn},
        {"rouse", test_rouse},
        {"loop closes", test_loop_closes},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("chores", tests);
}
