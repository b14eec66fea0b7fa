/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop with several transports, as a master has it that serves MPI ranks and TCP slaves: one
 * that sleeps and one that can only be looked at. Engine and transports are played.
 */
#include "mwt_loop.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "mwt_run.h"
#include "options/options.h"

#define MS INT64_C(1000000)

/* A loop with a transport that naps and one that sleeps. */
static void start_waiting(struct mwt_loop *loop, mw_wait wait)
{
    CU_ASSERT_TRUE_FATAL(mwt_loop_open_waiting(loop, NULL, wait));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(loop, 0, &mwt_fake_napping));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(loop, 1, &mwt_fake_sleeping));
    loop->fakes[0].calls[0] = '\0';
    loop->fakes[1].calls[0] = '\0';
}

static void start(struct mwt_loop *loop)
{
    start_waiting(loop, MW_WAIT_AUTO);
}

static bool turn(struct mwt_loop *loop, int64_t deadline_ns)
{
    mw_reason why = {""};
    bool is_eventful = false;
    CU_ASSERT_EQUAL(mwi_loop_turn(loop->loop, deadline_ns, &is_eventful, &why), MW_OK);
    return is_eventful;
}

/* The longest wait of the first polls of the transport that sleeps. */
static int64_t longest_nap(const struct mwt_loop *loop, size_t polls_count)
{
    int64_t longest_ns = 0;
    for (size_t i = 0; i < polls_count && i < loop->fakes[1].polls_count; i++) {
        int64_t nap_ns = loop->fakes[1].polls[i] == INT64_MIN
                             ? 0
                             : loop->fakes[1].polls[i] - loop->fakes[1].polls_at[i];
        longest_ns = nap_ns > longest_ns ? nap_ns : longest_ns;
    }
    return longest_ns;
}

/* Peers of both have the same numbers to their transports, but not to the engine. */
static void test_peers_of_both(void)
{
    static struct mwt_loop loop;
    start(&loop);
    mwt_fake_up(&loop.fakes[0], 0, 1, "rank 1");
    mwt_fake_up(&loop.fakes[1], 0, 1, "host:1");
    mwt_fake_frame(&loop.fakes[1], 0, 1, "from host");
    mwt_fake_down(&loop.fakes[0], 0, 1, "rank is gone");

    CU_ASSERT_TRUE(turn(&loop, 1000 * MS));

    CU_ASSERT_STRING_EQUAL(loop.steps, "up 1 rank 1 (nap) at 100, down 1 rank is gone, "
                                       "up 1' host:1 (fake) at 100, frame 1' from host");
    mwt_loop_close(&loop);
}

/* Where it is known how many can come, it is known when they have. */
static void test_complete(void)
{
    static struct mwt_loop loop;
    start(&loop);
    CU_ASSERT_TRUE(mwi_loop_is_complete(loop.loop));
    loop.fakes[1].peers_max = 2;
    mwt_fake_up(&loop.fakes[0], 0, 1, "rank 1");
    mwt_fake_up(&loop.fakes[1], 0, 1, "host:1");
    mwt_fake_down(&loop.fakes[1], 0, 1, "gone");
    CU_ASSERT_FALSE(mwi_loop_is_complete(loop.loop));
    CU_ASSERT_TRUE(turn(&loop, 1000 * MS));
    CU_ASSERT_FALSE(mwi_loop_is_complete(loop.loop));

    mwt_fake_up(&loop.fakes[1], *loop.fakes[1].clock, 2, "host:2");
    CU_ASSERT_TRUE(turn(&loop, 2000 * MS));

    CU_ASSERT_TRUE(mwi_loop_is_complete(loop.loop));
    mwt_loop_close(&loop);
}

/* The engine's effects reach the right peer, by its transport's own number. */
static void test_effects_for_both(void)
{
    static struct mwt_loop loop;
    start(&loop);
    mwt_loop_send(&loop, mwt_loop_peer(0, 3), "to rank");
    mwt_loop_send(&loop, mwt_loop_peer(1, 3), "to host");
    mwi_effects_drop(&loop.effects, mwt_loop_peer(1, 4));
    mwi_effects_drop(&loop.effects, mwt_loop_peer(0, 5));

    mwi_loop_carry_out(loop.loop);

    CU_ASSERT_STRING_EQUAL(loop.fakes[0].calls, "send 3 to rank, drop 5");
    CU_ASSERT_STRING_EQUAL(loop.fakes[1].calls, "send 3 to host, drop 4");
    mwt_loop_close(&loop);
}

/* Each is asked by its index; a peer that is connected to has its transport's mark. */
static void test_calls_by_index(void)
{
    static struct mwt_loop loop;
    char bound[20] = "";
    mw_reason why;
    mw_peer peer = 0;
    start(&loop);

    CU_ASSERT_EQUAL(mwi_loop_listen(loop.loop, 1, "here", bound, sizeof bound, &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_loop_connect(loop.loop, 1, "there", &peer, &why), MW_OK);

    CU_ASSERT_EQUAL(mwi_loop_peers_max(loop.loop), SIZE_MAX);
    loop.fakes[0].peers_max = 2;
    CU_ASSERT_EQUAL(mwi_loop_peers_max(loop.loop), SIZE_MAX);
    loop.fakes[1].peers_max = 3;
    CU_ASSERT_EQUAL(mwi_loop_peers_max(loop.loop), 5);
    CU_ASSERT_EQUAL(peer, mwt_loop_peer(1, 1));
    CU_ASSERT_STRING_EQUAL(loop.fakes[0].calls, "");
    CU_ASSERT_STRING_EQUAL(loop.fakes[1].calls, "listen here, connect there");
    CU_ASSERT_STRING_EQUAL(mwi_loop_scheme(loop.loop, 0), "nap");
    CU_ASSERT_STRING_EQUAL(mwi_loop_scheme(loop.loop, 1), "fake");
    mwt_loop_close(&loop);
    CU_ASSERT_PTR_NOT_NULL(strstr(loop.fakes[0].calls, "close"));
    CU_ASSERT_PTR_NOT_NULL(strstr(loop.fakes[1].calls, "close"));
}

/* There is room for a fixed number of transports, and one more is an error. */
static void test_too_many(void)
{
    static struct mwt_loop loop;
    mw_reason why = {""};
    size_t index = 77;
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(&loop, NULL));
    loop.fakes[0].clock = &loop.clock;
    for (size_t i = 0; i < MWI_TRANSPORTS_MAX; i++) {
        CU_ASSERT_EQUAL(
            mwi_loop_add(loop.loop, &mwt_fake_sleeping, &loop.fakes[0], 1, &index, &why), MW_OK);
        CU_ASSERT_EQUAL(index, i);
    }

    CU_ASSERT_EQUAL(mwi_loop_add(loop.loop, &mwt_fake_sleeping, &loop.fakes[0], 1, &index, &why),
                    MW_EINVAL);

    CU_ASSERT_STRING_EQUAL(why.text, "more than 8 transports");
    mwt_loop_close(&loop);
}

/* A turn ends at its deadline, when nothing happens, and not before. */
static void test_deadline(void)
{
    static struct mwt_loop loop;
    start(&loop);

    CU_ASSERT_FALSE(turn(&loop, 50 * MS));
    CU_ASSERT_TRUE(loop.clock >= 50 * MS && loop.clock < 51 * MS);
    loop.deadline_ns = 70 * MS;
    CU_ASSERT_FALSE(turn(&loop, 100 * MS));
    CU_ASSERT_TRUE(loop.clock >= 70 * MS && loop.clock < 71 * MS);
    int64_t before = loop.clock;
    CU_ASSERT_FALSE(turn(&loop, INT64_MIN));

    CU_ASSERT_TRUE(loop.clock - before < MS / 10);
    mwt_loop_close(&loop);
}

/* An event of either ends the turn soon: at once in the one that sleeps, after a nap, which is
 * never longer than four milliseconds, in the other. */
static void test_events_of_either(void)
{
    for (size_t i = 0; i < 2; i++) {
        static struct mwt_loop loop;
        start(&loop);
        mwt_fake_up(&loop.fakes[i], 500 * MS, 1, "x");

        CU_ASSERT_TRUE(turn(&loop, 1000 * MS));

        CU_ASSERT_TRUE(loop.clock >= 500 * MS && loop.clock < (i == 0 ? 505 : 501) * MS);
        CU_ASSERT_PTR_NOT_NULL(strstr(loop.steps, "up 1"));
        mwt_loop_close(&loop);
    }
}

/* A wake-up of the sleeping transport, by a signal, ends the turn, even if no peer sent
 * anything. */
static void test_wake(void)
{
    static struct mwt_loop loop;
    start(&loop);
    loop.clock = 10 * MS;
    loop.fakes[1].is_woken = true;

    CU_ASSERT_FALSE(turn(&loop, INT64_MAX));

    CU_ASSERT_TRUE(loop.clock < 12 * MS);
    mwt_loop_close(&loop);
}

static void read_byte(void *context)
{
    char byte;
    CU_ASSERT_EQUAL(read(*(int *)context, &byte, 1), 1);
}

/* A loop that never sleeps in any of its transports hears a readable descriptor all the same. */
static void test_wake_without_sleep(void)
{
    static const mw_wait waits[] = {MW_WAIT_SPIN, MW_WAIT_YIELD};
    for (size_t i = 0; i < 2; i++) {
        static struct mwt_loop loop;
        mw_reason why;
        int ends[2];
        CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
        CU_ASSERT_EQUAL(write(ends[1], "x", 1), 1);
        CU_ASSERT_TRUE_FATAL(mwt_loop_open_waiting(&loop, NULL, waits[i]));
        CU_ASSERT_EQUAL_FATAL(mwi_loop_open_descriptors(loop.loop, &why), MW_OK);
        CU_ASSERT_TRUE_FATAL(mwt_loop_add(&loop, 0, &mwt_fake_sleeping));
        CU_ASSERT_TRUE_FATAL(mwt_loop_add(&loop, 1, &mwt_fake_sleeping));
        struct mwi_watch watch = {.fd = ends[0], .ready = read_byte, .context = &ends[0]};
        CU_ASSERT_EQUAL(mwi_descriptors_add(mwi_loop_descriptors(loop.loop), &watch), MW_OK);

        CU_ASSERT_FALSE(turn(&loop, INT64_MAX));

        CU_ASSERT_TRUE(loop.clock < 1 * MS);
        struct pollfd left = {.fd = ends[0], .events = POLLIN};
        CU_ASSERT_EQUAL(poll(&left, 1, 0), 0);
        mwt_loop_close(&loop);
        close(ends[0]);
        close(ends[1]);
    }
}

/* The value of --mw-wait reaches the transports. The loop obeys it too: spin and yield never wait
 * in a transport, nap does at once. */
static void test_waits(void)
{
    static const mw_wait waits[] = {MW_WAIT_SPIN, MW_WAIT_YIELD, MW_WAIT_NAP};
    for (size_t i = 0; i < 3; i++) {
        static struct mwt_loop loop;
        start_waiting(&loop, waits[i]);

        CU_ASSERT_FALSE(turn(&loop, 50 * MS));

        CU_ASSERT_EQUAL(loop.fakes[0].config.wait, waits[i]);
        CU_ASSERT_EQUAL(loop.fakes[1].config.wait, waits[i]);
        CU_ASSERT_EQUAL(longest_nap(&loop, 2) > 0, waits[i] == MW_WAIT_NAP);
        CU_ASSERT_EQUAL(longest_nap(&loop, MWT_FAKE_POLLS_MAX) > 0, waits[i] == MW_WAIT_NAP);
        mwt_loop_close(&loop);
    }
}

/* A frame that is sent is awaited as one that has come: its answer may be near. */
static void test_awake_after_a_send(void)
{
    static struct mwt_loop loop;
    start(&loop);
    turn(&loop, 50 * MS);
    loop.fakes[1].polls_count = 0;
    mwt_loop_send(&loop, mwt_loop_peer(0, 1), "task");
    mwi_loop_carry_out(loop.loop);

    turn(&loop, 60 * MS);

    CU_ASSERT_EQUAL(longest_nap(&loop, 20), 0);
    mwt_loop_close(&loop);
}

/* It is only in the one that sleeps that the loop waits, and for longer the longer nothing happens:
 * that a waiting master burns no processor. */
static void test_naps(void)
{
    static struct mwt_loop loop;
    size_t naps_count = 0;
    start(&loop);
    mwt_fake_up(&loop.fakes[0], 0, 1, "x");
    turn(&loop, INT64_MAX);
    loop.fakes[0].polls_count = loop.fakes[1].polls_count = 0;

    turn(&loop, 1000 * MS);

    for (size_t i = 0; i < loop.fakes[0].polls_count; i++)
        CU_ASSERT_EQUAL(loop.fakes[0].polls[i], INT64_MIN);
    for (size_t i = 0; i < loop.fakes[1].polls_count; i++) {
        if (loop.fakes[1].polls[i] == INT64_MIN)
            continue;
        int64_t nap_ns = loop.fakes[1].polls[i] - loop.fakes[1].polls_at[i];
        CU_ASSERT_TRUE(nap_ns > 0 && nap_ns <= 4 * MS);
        naps_count++;
    }
    CU_ASSERT_TRUE(naps_count >= 250 && naps_count < 350);
    CU_ASSERT_TRUE(loop.fakes[0].polls_count < 1200);
    mwt_loop_close(&loop);
}

/* Just after an event, of either, the loop looks again at once: more may come. */
static void test_awake_after_an_event(void)
{
    for (size_t i = 0; i < 2; i++) {
        static struct mwt_loop loop;
        start(&loop);
        turn(&loop, 50 * MS);
        mwt_fake_up(&loop.fakes[i], 60 * MS, 1, "x");
        CU_ASSERT_TRUE(turn(&loop, 1000 * MS));
        loop.fakes[1].polls_count = 0;

        turn(&loop, 1000 * MS);

        CU_ASSERT_EQUAL(longest_nap(&loop, 20), 0);
        mwt_loop_close(&loop);
    }
}

/* A caller that waits in its own loop is told to come back at once while something happens, and
 * after naps of at most four milliseconds after a long silence. */
static void test_due(void)
{
    static struct mwt_loop loop;
    start(&loop);
    mwt_fake_up(&loop.fakes[0], 0, 1, "x");

    CU_ASSERT_TRUE(turn(&loop, INT64_MIN));
    CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), loop.clock);
    CU_ASSERT_FALSE(turn(&loop, INT64_MIN));
    CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), loop.clock);
    loop.clock += 1000 * MS;
    CU_ASSERT_FALSE(turn(&loop, INT64_MIN));

    CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), loop.clock + 4 * MS);
    loop.deadline_ns = loop.clock + 1 * MS;
    CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), loop.clock + 1 * MS);
    mwt_loop_close(&loop);
}

/* A transport that breaks, whether looked at or slept in, ends the turn with its sentence. */
static void test_either_breaks(void)
{
    for (size_t i = 0; i < 2; i++) {
        static struct mwt_loop loop;
        mw_reason why = {""};
        start(&loop);
        loop.fakes[i].poll_error = MW_ENETWORK;

        CU_ASSERT_EQUAL(mwi_loop_turn(loop.loop, 1000 * MS, NULL, &why), MW_ENETWORK);

        CU_ASSERT_STRING_EQUAL(why.text, "fake trouble");
        mwt_loop_close(&loop);
    }
}

/* Two that sleep take turns: none is deaf while the loop waits in the other. */
static void test_two_that_sleep(void)
{
    static struct mwt_loop loop;
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(&loop, NULL));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(&loop, 0, &mwt_fake_sleeping));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(&loop, 1, &mwt_fake_sleeping));
    mwt_fake_up(&loop.fakes[1], 30 * MS, 1, "second");
    mwt_fake_up(&loop.fakes[0], 60 * MS, 1, "first");

    CU_ASSERT_TRUE(turn(&loop, INT64_MAX));
    CU_ASSERT_TRUE(loop.clock < 33 * MS);
    CU_ASSERT_TRUE(turn(&loop, INT64_MAX));

    CU_ASSERT_TRUE(loop.clock < 63 * MS);
    mwt_loop_close(&loop);
}

/* Two that nap are both looked at, with naps in one. */
static void test_two_that_nap(void)
{
    static struct mwt_loop loop;
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(&loop, NULL));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(&loop, 0, &mwt_fake_napping));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(&loop, 1, &mwt_fake_napping));
    mwt_fake_up(&loop.fakes[1], 30 * MS, 1, "second");

    CU_ASSERT_TRUE(turn(&loop, INT64_MAX));

    CU_ASSERT_TRUE(loop.clock < 33 * MS);
    CU_ASSERT_TRUE(loop.fakes[1].polls_count < 700);
    mwt_loop_close(&loop);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"peers of both", test_peers_of_both},
        {"complete", test_complete},
        {"effects for both", test_effects_for_both},
        {"calls by index", test_calls_by_index},
        {"too many", test_too_many},
        {"deadline", test_deadline},
        {"events of either", test_events_of_either},
        {"wake", test_wake},
        {"wake without sleep", test_wake_without_sleep},
        {"waits", test_waits},
        {"naps", test_naps},
        {"awake after an event", test_awake_after_an_event},
        {"awake after a send", test_awake_after_a_send},
        {"due", test_due},
        {"either breaks", test_either_breaks},
        {"two that sleep", test_two_that_sleep},
        {"two that nap", test_two_that_nap},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("loop: several transports", tests);
}
