/* SPDX-License-Identifier: Apache-2.0
 *
 * The trail's lines about strangers: some ten a second, then a sum, and never a slave less. A quiet
 * farm has no timer for it.
 */
#include "engine/strangers.h"

#include <string.h>

#include "mwt_hello.h"
#include "mwt_master.h"
#include "mwt_run.h"

static void start(struct mwt_master *master)
{
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, NULL));
}

static void end(struct mwt_master *master)
{
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    mwt_master_end(master);
}

/* The transport turns somebody away. */
static void turn_away(struct mwt_master *master, const char *name, const char *reason)
{
    mwi_master_engine_step(&master->engine, &(struct mwi_event){.kind = MWI_EVENT_STRANGER,
                                                                .now_ns = master->now_ns,
                                                                .transport = "tcp",
                                                                .name = name,
                                                                .reason = reason});
    mwt_outbox_take(&master->outbox, &master->engine.effects);
}

/* A client comes and says something that is no greeting. */
static void come_and_break(struct mwt_master *master, mw_peer peer)
{
    struct mwi_buffer frame;
    mwi_buffer_init(&frame);
    mwi_message_write_bare(&frame, MWI_MESSAGE_PONG);
    mwt_master_up(master, peer);
    mwt_master_frame(master, peer, &frame);
}

static size_t count_lines(const struct mwt_master *master, const char *beginning)
{
    size_t count = 0;
    for (const char *line = master->outbox.trail; *line != '\0'; line = strchr(line, '\n') + 1)
        count += strncmp(line, beginning, strlen(beginning)) == 0;
    return count;
}

/* A stranger has a line with its address and the reason. Nothing is left to do then. */
static void test_line(void)
{
    static struct mwt_master master;
    start(&master);

    turn_away(&master, "9.9.9.9:40", "it holds another key");

    CU_ASSERT_STRING_EQUAL(master.outbox.trail,
                           "STRANGER 9.9.9.9:40 turned away: it holds another key\n");
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "");
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), INT64_MAX);
    end(&master);
}

/* Beyond ten a second they are counted, and told together when the second is over. */
static void test_sum(void)
{
    static struct mwt_master master;
    start(&master);
    for (int i = 0; i < 1000; i++)
        turn_away(&master, "9.9.9.9:40", "it spoke no TLS");
    CU_ASSERT_EQUAL(count_lines(&master, "STRANGER 9.9.9.9:40 turned away"), 10);
    CU_ASSERT_EQUAL(count_lines(&master, ""), 10);
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), MWT_SECOND);
    mwt_master_forget(&master);

    mwt_master_tick(&master, MWT_SECOND - 1);
    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "");
    mwt_master_tick(&master, MWT_SECOND);

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "STRANGER 990 more were turned away\n");
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), INT64_MAX);
    end(&master);
}

/* The next second has lines again; the sum comes first, if no timer could fire between. */
static void test_next_second(void)
{
    static struct mwt_master master;
    start(&master);
    for (int i = 0; i < 12; i++)
        turn_away(&master, "a:1", "no");
    mwt_master_forget(&master);

    master.now_ns = MWT_SECOND;
    turn_away(&master, "b:2", "no");

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "STRANGER 2 more were turned away\n"
                                                "STRANGER b:2 turned away: no\n");
    CU_ASSERT_EQUAL(mwi_master_engine_deadline(&master.engine), INT64_MAX);
    end(&master);
}

/* A transport that sums up itself, as a stranger without a name, is always told. */
static void test_sum_of_the_transport(void)
{
    static struct mwt_master master;
    start(&master);
    for (int i = 0; i < 20; i++)
        turn_away(&master, "a:1", "no");
    mwt_master_forget(&master);

    turn_away(&master, "", "300 more");

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "STRANGER tcp turned away: 300 more\n");
    end(&master);
}

/* Clients that do not greet properly are limited likewise: each has all its last lines, or none. */
static void test_clients(void)
{
    static struct mwt_master master;
    start(&master);

    for (mw_peer peer = 1; peer <= 500; peer++) {
        come_and_break(&master, peer);
        master.outbox.events[0] = '\0';
    }

    CU_ASSERT_EQUAL(count_lines(&master, "NEW-CLIENT -> host:"), 4);
    CU_ASSERT_EQUAL(count_lines(&master, "NEW-CLIENT host:"), 3);
    CU_ASSERT_EQUAL(count_lines(&master, "EOF"), 3);
    mwt_master_forget(&master);
    mwt_master_tick(&master, MWT_SECOND);
    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "STRANGER 497 more were turned away\n");
    end(&master);
}

/* Slaves in the middle of a flood have all their lines, their coming included. */
static void test_slaves(void)
{
    static struct mwt_master master;
    start(&master);
    for (int i = 0; i < 200; i++)
        turn_away(&master, "a:1", "no");
    mwt_master_forget(&master);

    mwt_master_greet(&master, 7);
    mwt_master_submit(&master, "a");
    mwt_master_tick(&master, 1);
    mwt_master_down(&master, 7, "reset");

    static const char *const lines[] = {
        "NEW-CLIENT -> host:7\n",     "SLAVE-0 host:7 -> ",      "SLAVE-0 -> :idle\n",
        "SLAVE-0 <- 1 tasks\n",       "SLAVE-0 -> :busy\n",      "SLAVE-0 was lost: reset\n",
        "SLAVE-0 -> :disconnected\n", "EOF -> host:7 (reset)\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(master.outbox.trail, lines[i]));
    CU_ASSERT_EQUAL(count_lines(&master, "NEW-CLIENT"), 1);
    end(&master);
}

/* A client that leaves without a word is counted, too. */
static void test_clients_that_go(void)
{
    static struct mwt_master master;
    start(&master);
    for (int i = 0; i < 10; i++)
        turn_away(&master, "a:1", "no");
    mwt_master_forget(&master);

    mwt_master_up(&master, 7);
    mwt_master_down(&master, 7, "closed by the peer");
    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "");
    mwt_master_tick(&master, MWT_SECOND);

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "STRANGER 1 more were turned away\n");
    end(&master);
}

/* A farm that ends tells the sum before its second is over. */
static void test_shutdown(void)
{
    static struct mwt_master master;
    start(&master);
    for (int i = 0; i < 15; i++)
        turn_away(&master, "a:1", "no");
    mwt_master_forget(&master);

    mwi_membership_shutdown(&master.engine, 1, MWT_SECOND);
    mwt_outbox_take(&master.outbox, &master.engine.effects);

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "STRANGER 5 more were turned away\n");
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"line", test_line},
        {"sum", test_sum},
        {"next second", test_next_second},
        {"sum of the transport", test_sum_of_the_transport},
        {"clients", test_clients},
        {"slaves", test_slaves},
        {"clients that go", test_clients_that_go},
        {"shutdown", test_shutdown},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("strangers", tests);
}
