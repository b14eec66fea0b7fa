/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop with one transport: events become steps, effects become calls, and time goes on as the
 * transport says. Engine and transport are played.
 */
#include "mwt_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mwt_folder.h"
#include "mwt_run.h"

#define SECOND_NS INT64_C(1000000000)

/* A loop with one sleeping transport, before any call. */
static void start(struct mwt_loop *loop)
{
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(loop, NULL));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(loop, 0, &mwt_fake_sleeping));
    loop->fakes[0].calls[0] = '\0';
}

static void turn(struct mwt_loop *loop, int64_t deadline_ns)
{
    mw_reason why = {""};
    CU_ASSERT_EQUAL(mwi_loop_turn(loop->loop, deadline_ns, NULL, &why), MW_OK);
    CU_ASSERT_STRING_EQUAL(why.text, "");
}

/* The configuration with which a transport is opened, and the order of opening and closing. */
static void test_add(void)
{
    static struct mwt_loop loop;
    mw_reason why;
    size_t index = 77;
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(&loop, NULL));
    loop.fakes[0].clock = &loop.clock;

    CU_ASSERT_EQUAL(
        mwi_loop_add(loop.loop, &mwt_fake_sleeping, &loop.fakes[0], 12345, &index, &why), MW_OK);

    CU_ASSERT_EQUAL(index, 0);
    CU_ASSERT_EQUAL(loop.fakes[0].config.frame_bytes_max, 12345);
    CU_ASSERT_EQUAL(loop.fakes[0].config.wake_fd, -1);
    CU_ASSERT_PTR_EQUAL(loop.fakes[0].config.environment, &loop.fakes[0]);
    CU_ASSERT_STRING_EQUAL(mwi_loop_scheme(loop.loop, 0), "fake");
    CU_ASSERT_EQUAL(mwi_loop_now(loop.loop), 100);
    mwt_loop_close(&loop);
    CU_ASSERT_STRING_EQUAL(loop.fakes[0].calls, "open, close");
}

/* A transport that does not open is not there, and not closed. */
static void test_add_fails(void)
{
    static struct mwt_loop loop;
    mw_reason why = {""};
    size_t index = 77;
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(&loop, NULL));
    loop.fakes[0].open_error = MW_EUNAVAILABLE;

    CU_ASSERT_EQUAL(mwi_loop_add(loop.loop, &mwt_fake_sleeping, &loop.fakes[0], 1, &index, &why),
                    MW_EUNAVAILABLE);

    CU_ASSERT_STRING_EQUAL(why.text, "fake trouble");
    CU_ASSERT_EQUAL(index, 77);
    mwt_loop_close(&loop);
    CU_ASSERT_STRING_EQUAL(loop.fakes[0].calls, "open");
    mwi_loop_close(NULL);
}

/* To listen and to connect are the transport's business, with its errors. */
static void test_listen_and_connect(void)
{
    static struct mwt_loop loop;
    mw_reason why = {""};
    char bound[20] = "";
    mw_peer peer = 77;
    start(&loop);

    CU_ASSERT_EQUAL(mwi_loop_listen(loop.loop, 0, "here", bound, sizeof bound, &why), MW_OK);
    CU_ASSERT_STRING_EQUAL(bound, "here:7000");
    CU_ASSERT_EQUAL(mwi_loop_connect(loop.loop, 0, "there", &peer, &why), MW_OK);
    CU_ASSERT_EQUAL(peer, 1);
    loop.fakes[0].listen_error = MW_ENETWORK;
    loop.fakes[0].connect_error = MW_EINVAL;

    CU_ASSERT_EQUAL(mwi_loop_listen(loop.loop, 0, "here", bound, sizeof bound, &why), MW_ENETWORK);
    CU_ASSERT_STRING_EQUAL(why.text, "fake trouble");
    CU_ASSERT_EQUAL(mwi_loop_connect(loop.loop, 0, "there", &peer, &why), MW_EINVAL);
    CU_ASSERT_EQUAL(peer, 1);
    mwt_loop_close(&loop);
}

/* When the engine's deadline has come, what has arrived is handed to it first; the poll that finds
 * nothing any more tells it so. */
static void test_caught_up(void)
{
    static struct mwt_loop loop;
    start(&loop);
    mwt_fake_frame(&loop.fakes[0], 100, 1, "late");
    loop.deadline_ns = 100;

    turn(&loop, 500);
    CU_ASSERT_STRING_EQUAL(loop.steps, "frame 1 late");
    CU_ASSERT_EQUAL(loop.caught_up_count, 0);
    turn(&loop, 500);

    CU_ASSERT_EQUAL(loop.caught_up_count, 1);
    mwt_loop_close(&loop);
}

/* The engine is told for how long the caller did not turn the loop, if that was long. */
static void test_away(void)
{
    static struct mwt_loop loop;
    start(&loop);
    turn(&loop, INT64_MIN);
    loop.clock += SECOND_NS / 1000;
    turn(&loop, INT64_MIN);
    CU_ASSERT_EQUAL(loop.away_ns, 0);

    loop.clock += SECOND_NS;
    turn(&loop, INT64_MIN);

    CU_ASSERT_EQUAL(loop.away_ns, SECOND_NS);
    mwt_loop_close(&loop);
}

/* Stops the process for a second while a poll waits. */
static void stop_process(struct mwt_loop *loop, const struct mwi_event *event)
{
    if (event->kind == MWI_EVENT_TICK && loop->ticks_count == 1)
        loop->fakes[0].stop_ns = SECOND_NS;
}

/* A wait that goes on for long after its deadline was not a look: the engine is told how long that
 * was, and judges nobody before the next poll. */
static void test_stopped(void)
{
    static struct mwt_loop loop;
    start(&loop);
    loop.react = stop_process;
    loop.deadline_ns = 500;

    turn(&loop, INT64_MAX);
    CU_ASSERT_EQUAL(loop.away_ns, SECOND_NS);
    CU_ASSERT_EQUAL(loop.caught_up_count, 0);
    turn(&loop, INT64_MAX);

    CU_ASSERT_EQUAL(loop.away_ns, SECOND_NS);
    CU_ASSERT_EQUAL(loop.caught_up_count, 1);
    mwt_loop_close(&loop);
}

static void check_away_before_frame(struct mwt_loop *loop, const struct mwi_event *event)
{
    CU_ASSERT(event->kind != MWI_EVENT_FRAME || loop->away_ns == SECOND_NS);
}

/* Messages that arrived while the process was stopped start timers: the engine is told first that
 * nobody looked. */
static void test_stopped_with_a_frame(void)
{
    static struct mwt_loop loop;
    start(&loop);
    loop.deadline_ns = 500;
    mwt_fake_frame(&loop.fakes[0], 500 + SECOND_NS, 1, "late");
    loop.fakes[0].stop_ns = SECOND_NS;
    loop.react = check_away_before_frame;

    turn(&loop, INT64_MAX);

    CU_ASSERT_STRING_EQUAL(loop.steps, "frame 1 late");
    CU_ASSERT_EQUAL(loop.away_ns, SECOND_NS);
    mwt_loop_close(&loop);
}

/* A turn ticks the engine, and then waits until its deadline or the engine's. */
static void test_deadlines(void)
{
    static struct mwt_loop loop;
    start(&loop);

    turn(&loop, 500);
    CU_ASSERT_EQUAL(loop.ticks_count, 1);
    CU_ASSERT_EQUAL(loop.last_tick_ns, 100);
    CU_ASSERT_EQUAL(loop.fakes[0].polls[0], 500);
    CU_ASSERT_EQUAL(loop.clock, 500);
    loop.deadline_ns = 800;
    turn(&loop, 900);
    CU_ASSERT_EQUAL(loop.fakes[0].polls[1], 800);
    loop.deadline_ns = INT64_MAX;
    turn(&loop, INT64_MIN);

    CU_ASSERT_EQUAL(loop.fakes[0].polls[2], INT64_MIN);
    CU_ASSERT_EQUAL(loop.fakes[0].polls_count, 3);
    CU_ASSERT_EQUAL(loop.last_tick_ns, 800);
    mwt_loop_close(&loop);
}

/* Each event is a step, at its time, with the transport's data. */
static void test_events(void)
{
    static struct mwt_loop loop;
    bool is_eventful = false;
    mw_reason why;
    start(&loop);
    mwt_fake_up(&loop.fakes[0], 200, 7, "host:7");
    mwt_fake_frame(&loop.fakes[0], 200, 7, "hello");
    mwt_fake_down(&loop.fakes[0], 300, 7, "closed by the peer");

    CU_ASSERT_EQUAL(mwi_loop_turn(loop.loop, 1000, &is_eventful, &why), MW_OK);
    CU_ASSERT_TRUE(is_eventful);
    CU_ASSERT_STRING_EQUAL(loop.steps, "up 7 host:7 (fake) at 200, frame 7 hello");
    turn(&loop, 1000);
    CU_ASSERT_STRING_EQUAL(loop.steps,
                           "up 7 host:7 (fake) at 200, frame 7 hello, down 7 closed by the peer");
    CU_ASSERT_EQUAL(mwi_loop_turn(loop.loop, 1000, &is_eventful, &why), MW_OK);

    CU_ASSERT_FALSE(is_eventful);
    CU_ASSERT_EQUAL(loop.clock, 1000);
    mwt_loop_close(&loop);
}

static void answer_and_drop(struct mwt_loop *loop, const struct mwi_event *event)
{
    if (event->kind != MWI_EVENT_FRAME)
        return;
    mwt_loop_send(loop, event->peer, "one");
    mwt_loop_send(loop, event->peer, "two");
    mwi_effects_drop(&loop->effects, event->peer);
    mwi_effects_lost(&loop->effects, event->peer, true, MW_LOSS_CONNECTION);
}

/* The effects of a step are carried out in order, before the next step. */
static void test_effects(void)
{
    static struct mwt_loop loop;
    start(&loop);
    loop.react = answer_and_drop;
    mwt_fake_frame(&loop.fakes[0], 200, 7, "a");
    mwt_fake_frame(&loop.fakes[0], 200, 8, "b");

    turn(&loop, 1000);

    CU_ASSERT_STRING_EQUAL(loop.fakes[0].calls,
                           "send 7 one, send 7 two, drop 7, send 8 one, send 8 two, drop 8");
    CU_ASSERT_STRING_EQUAL(loop.lost, "lost 7 after 1, lost 8 after 1");
    CU_ASSERT_EQUAL(loop.effects.count, 0);
    mwt_loop_close(&loop);
}

/* The effects of a direct call of the engine are carried out on demand. */
static void test_carry_out(void)
{
    static struct mwt_loop loop;
    start(&loop);
    mwt_loop_send(&loop, 1, "direct");

    mwi_loop_carry_out(loop.loop);

    CU_ASSERT_STRING_EQUAL(loop.fakes[0].calls, "send 1 direct");
    CU_ASSERT_EQUAL(loop.effects.count, 0);
    mwt_loop_close(&loop);
}

/* A frame for a peer that has just gone is thrown away: its down event is on its way. */
static void test_send_to_nobody(void)
{
    static struct mwt_loop loop;
    start(&loop);
    loop.react = answer_and_drop;
    loop.fakes[0].send_error = MW_EPEER;
    mwt_fake_frame(&loop.fakes[0], 200, 7, "a");

    turn(&loop, 1000);

    CU_ASSERT_STRING_EQUAL(loop.steps, "frame 7 a");
    CU_ASSERT_STRING_EQUAL(loop.fakes[0].calls, "send 7 one, send 7 two, drop 7");
    mwt_loop_close(&loop);
}

static void answer_two(struct mwt_loop *loop, const struct mwi_event *event)
{
    if (event->kind != MWI_EVENT_FRAME)
        return;
    mwt_loop_send(loop, 7, "too large");
    mwt_loop_send(loop, 8, "too large");
}

/* A peer that a message could not be queued for is lost: dropped, and the engine told. */
static void test_send_fails(void)
{
    static const mw_error errors[] = {MW_ETOOBIG, MW_ENOMEM};

    for (size_t i = 0; i < 2; i++) {
        static struct mwt_loop loop;
        start(&loop);
        loop.react = answer_two;
        loop.fakes[0].send_error = errors[i];
        mwt_fake_frame(&loop.fakes[0], 200, 7, "a");

        turn(&loop, 1000);

        CU_ASSERT_STRING_EQUAL(loop.steps, "frame 7 a, down 8 a message to it could not be queued, "
                                           "down 7 a message to it could not be queued");
        CU_ASSERT_STRING_EQUAL(loop.fakes[0].calls,
                               "send 7 too large, send 8 too large, drop 8, drop 7");
        mwt_loop_close(&loop);
    }
}

/* A transport that breaks ends the turn with its sentence. */
static void test_poll_fails(void)
{
    static struct mwt_loop loop;
    mw_reason why = {""};
    start(&loop);
    loop.fakes[0].poll_error = MW_ENETWORK;

    CU_ASSERT_EQUAL(mwi_loop_turn(loop.loop, 1000, NULL, &why), MW_ENETWORK);

    CU_ASSERT_STRING_EQUAL(why.text, "fake trouble");
    mwt_loop_close(&loop);
}

static void run_out_of_memory(struct mwt_loop *loop, const struct mwi_event *event)
{
    if (event->kind == MWI_EVENT_FRAME || loop->deadline_ns == INT64_MAX)
        mwi_effects_send(&loop->effects, 7, NULL, 0);
}

/* An engine that ran out of memory ends the turn, in an event or in the tick before it. The loop
 * does not wait then. */
static void test_engine_out_of_memory(void)
{
    static struct mwt_loop loop;
    mw_reason why = {""};
    start(&loop);
    loop.react = run_out_of_memory;
    loop.deadline_ns = 5000;
    mwt_fake_frame(&loop.fakes[0], 200, 7, "a");
    CU_ASSERT_EQUAL(mwi_loop_turn(loop.loop, 1000, NULL, &why), MW_ENOMEM);
    CU_ASSERT_STRING_EQUAL(why.text, "out of memory");
    mwt_loop_close(&loop);

    start(&loop);
    loop.react = run_out_of_memory;
    CU_ASSERT_EQUAL(mwi_loop_turn(loop.loop, INT64_MAX, NULL, &why), MW_ENOMEM);
    CU_ASSERT_STRING_EQUAL(why.text, "out of memory");
    CU_ASSERT_EQUAL(loop.clock, 100);
    mwt_loop_close(&loop);
}

static void audit_frame(struct mwt_loop *loop, const struct mwi_event *event)
{
    if (event->kind == MWI_EVENT_FRAME)
        mwi_effects_audit(
            &loop->effects,
            &(struct mwi_audit_record){
                .kind = MWI_AUDIT_SLAVE_GOODBYE,
                .time_ns = event->now_ns,
                .sid = 4,
                .reason = event->reason == NULL ? (const char *)event->frame->data : NULL});
}

/* Records of the engine and of the shell stand in the trail in their order, with their times, after
 * each turn. */
static void test_audit(void)
{
    static struct mwt_loop loop;
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(&loop, mwt_folder_file(&folder, "trail")));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(&loop, 0, &mwt_fake_sleeping));
    loop.react = audit_frame;
    mwt_fake_frame(&loop.fakes[0], INT64_C(61000000000), 7, "bye");

    mwi_loop_audit(loop.loop, (struct mwi_audit_record){.kind = MWI_AUDIT_NO_MASTER});
    turn(&loop, INT64_MAX);
    char *text = mwt_file_read(mwt_folder_file(&folder, "trail"));

    CU_ASSERT_STRING_EQUAL(text, "01/01/1970 00:00:00 [A] MASTER No master algorithm is defined\n"
                                 "01/01/1970 00:01:01 [A] SLAVE-4 -> GOODBYE: bye\n");
    free(text);
    mwt_loop_close(&loop);
    mwt_folder_destroy(&folder);
}

/* With the wall clock, records have the time of day whatever the transport's clock says. */
static void test_wall_clock(void)
{
    static struct mwt_loop loop;
    struct mwt_folder folder;
    struct tm parts = {0};
    mwt_folder_create(&folder);
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(&loop, mwt_folder_file(&folder, "trail")));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(&loop, 0, &mwt_fake_sleeping));
    loop.clock = 77 * SECOND_NS;

    mwi_loop_set_wall_clock(loop.loop);
    mwi_loop_audit(loop.loop, (struct mwi_audit_record){.kind = MWI_AUDIT_NO_MASTER});
    mwi_audit_file_flush(loop.audit);

    char *text = mwt_file_read(mwt_folder_file(&folder, "trail"));
    CU_ASSERT_PTR_NOT_NULL(strptime(text, "%m/%d/%Y %H:%M:%S", &parts));
    CU_ASSERT_TRUE(llabs((long long)(time(NULL) - timegm(&parts))) <= 5);
    free(text);
    mwt_loop_close(&loop);
    mwt_folder_destroy(&folder);
}

/* The transport is asked once for its descriptor, even if it has none, and only if somebody wants
 * it. */
static void test_fd(void)
{
    for (int fd = 0; fd < 10; fd += 9) {
        static struct mwt_loop loop;
        start(&loop);
        (void)mwi_loop_due(loop.loop);
        CU_ASSERT_EQUAL(loop.fakes[0].fd_asked_count, 0);
        loop.fakes[0].fd = fd;

        CU_ASSERT_EQUAL(mwi_loop_fd(loop.loop), fd == 0 ? -1 : fd);
        loop.fakes[0].fd = 5;
        CU_ASSERT_EQUAL(mwi_loop_fd(loop.loop), fd == 0 ? -1 : fd);

        CU_ASSERT_EQUAL(loop.fakes[0].fd_asked_count, 1);
        mwt_loop_close(&loop);
    }
}

/* A loop with a descriptor and nothing to do. */
static void start_quiet(struct mwt_loop *loop, int fd)
{
    start(loop);
    loop->fakes[0].fd = fd;
    (void)mwi_loop_fd(loop->loop);
    turn(loop, INT64_MIN);
}

/* With a descriptor a turn is due when the engine says so, and a second after the last one: to ask
 * for it does not put it off. */
static void test_due(void)
{
    static struct mwt_loop loop;
    start_quiet(&loop, 9);
    int64_t turned_ns = loop.clock;
    CU_ASSERT_EQUAL(mwi_loop_turned(loop.loop), turned_ns);

    for (int i = 0; i < 3; i++, loop.clock += SECOND_NS / 4)
        CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), turned_ns + SECOND_NS);
    loop.deadline_ns = turned_ns + 7;
    CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), turned_ns + 7);
    mwt_loop_close(&loop);
}

/* Without one, also if it could not be had, after naps; nor can these be put off. */
static void test_due_without_fd(void)
{
    static struct mwt_loop loop;
    start_quiet(&loop, 0);
    loop.clock += SECOND_NS;
    turn(&loop, INT64_MIN);
    int64_t turned_ns = loop.clock, due_ns = mwi_loop_due(loop.loop);

    CU_ASSERT_TRUE(due_ns > turned_ns && due_ns < turned_ns + SECOND_NS / 100);
    loop.clock += (due_ns - turned_ns) / 2;

    CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), due_ns);
    mwt_loop_close(&loop);
}

static void listen_here(struct mwt_loop *loop)
{
    char bound[20];
    mw_reason why;
    CU_ASSERT_EQUAL(mwi_loop_listen(loop->loop, 0, "here", bound, sizeof bound, &why), MW_OK);
}

static void connect_there(struct mwt_loop *loop)
{
    mw_peer peer;
    mw_reason why;
    CU_ASSERT_EQUAL(mwi_loop_connect(loop->loop, 0, "there", &peer, &why), MW_OK);
}

static void send_word(struct mwt_loop *loop)
{
    mwt_loop_send(loop, 1, "word");
    mwi_loop_carry_out(loop->loop);
}

static void drop_it(struct mwt_loop *loop)
{
    mwi_effects_drop(&loop->effects, 1);
    mwi_loop_carry_out(loop->loop);
}

static void lose_it(struct mwt_loop *loop)
{
    mwi_loop_lose(loop->loop, 1, "gone", false);
}

/* Work that the descriptor does not report is due now: before the first look, after an event, and
 * after the loop's own calls of the transport. */
static void test_due_now(void)
{
    static void (*const asks[])(struct mwt_loop *) = {listen_here, connect_there, send_word,
                                                      drop_it, lose_it};
    static struct mwt_loop loop;
    start(&loop);
    loop.fakes[0].fd = 9;
    (void)mwi_loop_fd(loop.loop);
    CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), loop.clock);
    mwt_fake_up(&loop.fakes[0], 0, 1, "x");
    turn(&loop, INT64_MIN);
    CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), loop.clock);

    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        turn(&loop, INT64_MIN);
        CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), loop.clock + SECOND_NS);

        asks[i](&loop);

        CU_ASSERT_EQUAL(mwi_loop_due(loop.loop), loop.clock);
    }
    mwt_loop_close(&loop);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"add", test_add},
        {"add fails", test_add_fails},
        {"listen and connect", test_listen_and_connect},
        {"caught up", test_caught_up},
        {"away", test_away},
        {"stopped", test_stopped},
        {"stopped with a frame", test_stopped_with_a_frame},
        {"deadlines", test_deadlines},
        {"events", test_events},
        {"effects", test_effects},
        {"carry out", test_carry_out},
        {"send to nobody", test_send_to_nobody},
        {"send fails", test_send_fails},
        {"poll fails", test_poll_fails},
        {"engine out of memory", test_engine_out_of_memory},
        {"audit", test_audit},
        {"wall clock", test_wall_clock},
        {"fd", test_fd},
        {"due", test_due},
        {"due without fd", test_due_without_fd},
        {"due now", test_due_now},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("loop", tests);
}
