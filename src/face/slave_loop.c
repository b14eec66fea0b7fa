/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions that a slave algorithm calls: they wait for tasks, run them, and send results.
 * mw_main and mw_run_slave call the simple loop for programs without a slave algorithm. Between
 * tasks the slave polls the network, but not between all of many short ones, since a poll costs as
 * much as several of them.
 *
 * Invariants: a task algorithm runs here and nowhere else, one at a time, and must not call these
 * functions, which is checked. While it runs, the network is polled only when it saves bytes.
 * Effects are carried out after every task, or after the few very short ones that run together. A
 * new way to stop running tasks is a field of struct stretch.
 */
#include "face/slave_loop.h"

#include <assert.h>
#include <math.h>

#include "base/time.h"
#include "face/call.h"
#include "face/slave_error.h"
#include "face/slave_return.h"
#include "loop/signals.h"

/* After a task the network is polled if it was not polled for this long. */
#define TURN_EVERY_NS MWI_NS_PER_MS

/* Saved bytes are waited for so long to leave, with pauses that double from the first one on. */
#define SAVE_WAIT_NS MWI_NS_PER_S
#define SAVE_PAUSE_NS (MWI_NS_PER_MS / 16)

static mw_error turn(mw_slave *slave, int64_t deadline_ns)
{
    mw_reason why;
    if (mwi_slave_return_is_due(slave))
        mwi_slave_return_go_on(slave, &deadline_ns);
    mw_error error = mwi_loop_turn(slave->loop, deadline_ns, NULL, &why);
    mwi_slave_return_finish_if_found(slave);
    slave->last_turn_ns = mwi_loop_turned(slave->loop);
    mwi_results_have_left(&slave->engine.results);
    if (error != MW_OK)
        slave->broken = mwi_slave_error_set(slave, error, "%s", why.text);
    return error;
}

static bool has_signal(const mw_slave *slave)
{
    return slave->has_signals && mwi_signals_caught() != 0;
}

/* In the signal handler. While a call of the loop runs it does nothing: the call ends soon, and the
 * slave then says goodbye. */
static void say_farewell(void *context)
{
    mw_slave *slave = context;
    if (!slave->is_outside || slave->farewell == NULL || slave->engine.phase != MWI_PHASE_READY)
        return;
    if (mwi_loop_send_now(slave->loop, slave->engine.peer, slave->farewell, slave->farewell_size))
        slave->farewell = NULL;
}

mw_error mwi_slave_loop_prepare_farewell(mw_slave *slave)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_reason(&buffer, MWI_MESSAGE_LEAVING, "a signal asked it to end");
    slave->farewell = mwi_buffer_take(&buffer, &slave->farewell_size);
    mwi_buffer_fini(&buffer);
    if (slave->farewell == NULL)
        return MW_ENOMEM;
    slave->is_outside = true;
    mwi_signals_set_first_act(say_farewell, slave);
    return MW_OK;
}

static bool is_over(mw_slave *slave)
{
    return slave->engine.phase == MWI_PHASE_SHUTDOWN || mwi_slave_error_check(slave) != MW_OK;
}

static void set_counts(const mw_slave *slave, mw_slave_counts *counts)
{
    const struct mwi_slave_engine *engine = &slave->engine;
    *counts = (mw_slave_counts){.master_gone = engine->phase >= MWI_PHASE_SHUTDOWN,
                                .shutdown = engine->phase == MWI_PHASE_SHUTDOWN,
                                .results_total = engine->results.total_count,
                                .tasks_waiting = engine->queue.tasks_count,
                                .results_waiting = engine->results.count,
                                .result_group = engine->results.master.group};
}

/* Polls the network while a task runs. A signal that comes meanwhile finds is_outside false, so its
 * handler does not tell the master. The task may run on for hours, so that is made up for here. */
static void turn_in_task(mw_slave *slave, int64_t deadline_ns)
{
    slave->is_outside = slave->is_running = false;
    (void)turn(slave, deadline_ns);
    slave->is_outside = slave->is_running = true;
    if (has_signal(slave))
        say_farewell(slave);
}

/* mw_call_save. The bytes leave at once, or in a few turns if they are many. If the master does not
 * read, the rest leaves in later calls. */
static mw_error save(mw_slave *slave, const void *data, size_t size)
{
    struct mwi_slave_engine *engine = &slave->engine;
    int64_t now_ns = mwi_loop_now(slave->loop), pause_ns = SAVE_PAUSE_NS;
    if (mwi_loop_is_disowned(slave->loop))
        return MW_ESTATE;
    mw_error error =
        slave->broken != MW_OK ? MW_EGONE : mwi_slave_engine_save(engine, data, size, now_ns);
    if (error != MW_OK)
        return error;
    int64_t end_ns = mwi_time_after(now_ns, SAVE_WAIT_NS), until_ns = INT64_MIN;
    while (mwi_slave_engine_send_save(engine) && now_ns < end_ns && slave->broken == MW_OK) {
        turn_in_task(slave, until_ns);
        now_ns = mwi_loop_now(slave->loop);
        until_ns = mwi_time_after(now_ns, pause_ns);
        pause_ns *= 2;
    }
    return engine->phase == MWI_PHASE_READY && slave->broken == MW_OK ? MW_OK : MW_EGONE;
}

/* Tells the relay that a task begins. Tasks that run together could not be told apart. */
static void note_begun(mw_slave *slave, size_t count)
{
    assert(count == 1);
    (void)count;
    atomic_fetch_add(&slave->page->begun_count, 1);
}

/* Runs up to `count` tasks, and reads the clock once for them: see mwi_slave_engine_together. Ends
 * with a task whose result is not an ordinary one. *now_ns is when the first task begins, and is
 * set to when the last has ended. Returns how many ran. */
static size_t run_together(mw_slave *slave, size_t count, int64_t *now_ns)
{
    struct mwi_slave_engine *engine = &slave->engine;
    struct mwi_slave_task task;
    mw_call call = {.slave = slave,
                    .user = &slave->user,
                    .task = &task,
                    .engine = engine,
                    .save = save,
                    .results = &engine->results,
                    .values = &slave->values};
    size_t quick_count = 0;
    bool is_quick = true;
    slave->is_running = true;
    if (slave->page != NULL)
        note_begun(slave, count);
    while (is_quick && quick_count < count && mwi_slave_engine_begin_task(engine, &task)) {
        mwi_call_run(&call);
        is_quick = mwi_slave_engine_end_quick(engine);
        quick_count += is_quick;
    }
    slave->is_running = false;
    if (slave->page != NULL)
        atomic_fetch_add(&slave->page->ended_count, 1);
    size_t ran = is_quick ? quick_count : quick_count + 1;
    int64_t ended_ns = mwi_loop_now(slave->loop);
    uint64_t share_ns = (uint64_t)(ended_ns - *now_ns) / (ran > 1 ? ran : 1);
    *now_ns = ended_ns;
    if (is_quick) {
        mwi_slave_engine_settle(engine, quick_count, share_ns, ended_ns);
    } else {
        mwi_results_set_durations(&engine->results, quick_count, share_ns, ended_ns);
        mwi_slave_engine_end_task(engine, share_ns, ended_ns);
    }
    return ran;
}

/* Tells the master that a task begins, if it wants to know; false if the slave cannot go on. */
static bool tell_of_task(mw_slave *slave, int64_t *now_ns)
{
    if (!mwi_slave_engine_must_tell(&slave->engine))
        return true;
    mwi_slave_engine_tell_of_task(&slave->engine);
    if (turn(slave, INT64_MIN) != MW_OK || is_over(slave))
        return false;
    *now_ns = mwi_loop_now(slave->loop);
    return true;
}

/* Where running tasks ends. */
struct stretch {
    size_t tasks_max;
    bool ends_with_message; /* also when the results that were gathered have been sent */
};

/* Polls the network after a task if it is time; false if the slave cannot go on. */
static bool look_between(mw_slave *slave, int64_t *now_ns)
{
    bool is_time = mwi_slave_engine_is_pressing(&slave->engine, *now_ns) ||
                   *now_ns - slave->last_turn_ns >= TURN_EVERY_NS;
    if (!is_time || slave->engine.queue.tasks_count == 0)
        return true;
    if (turn(slave, INT64_MIN) != MW_OK)
        return false;
    *now_ns = mwi_loop_now(slave->loop);
    return true;
}

/* Runs the tasks that are there, and polls the network between them when it is time. */
static void run_tasks(mw_slave *slave, const struct stretch *stretch)
{
    size_t left = stretch->tasks_max;
    int64_t now_ns = mwi_loop_now(slave->loop);
    while (left > 0 && !is_over(slave)) {
        if (!tell_of_task(slave, &now_ns))
            return;
        size_t count = mwi_slave_engine_together(&slave->engine, left);
        /* A signal that has come is seen here; of a later one the handler tells the master. */
        slave->is_outside = true;
        if (count > 0)
            count = has_signal(slave) ? 0 : run_together(slave, count, &now_ns);
        slave->is_outside = false;
        if (count == 0)
            return;
        left -= count;
        if (slave->engine.effects.count > 0)
            mwi_loop_carry_out(slave->loop);
        if (stretch->ends_with_message && slave->engine.results.count == 0)
            return;
        if (!look_between(slave, &now_ns))
            return;
    }
}

/* Waits for tasks, runs a stretch of them, and sends the results that are due. */
static mw_error serve(mw_slave *slave, double timeout_s, const struct stretch *stretch,
                      mw_slave_counts *counts)
{
    if (slave->is_running) {
        set_counts(slave, counts);
        return mwi_slave_error_set(slave, MW_ESTATE,
                                   "a slave's loop was called by a task algorithm");
    }
    if (isnan(timeout_s)) {
        set_counts(slave, counts);
        return mwi_slave_error_set(slave, MW_EINVAL, "timeout_s is not a number");
    }
    int64_t deadline_ns = mwi_loop_deadline_after(slave->loop, timeout_s);
    while (slave->engine.queue.tasks_count == 0 && !is_over(slave)) {
        if (turn(slave, deadline_ns) != MW_OK || mwi_loop_now(slave->loop) >= deadline_ns)
            break;
    }
    run_tasks(slave, stretch);
    /* By time: the caller's own work, which is next, may take long. */
    if (slave->engine.results.master.group == 0) {
        mwi_results_flush(&slave->engine.results, mwi_loop_now(slave->loop));
        mwi_loop_carry_out(slave->loop);
    }
    if (!is_over(slave))
        turn(slave, INT64_MIN);
    set_counts(slave, counts);
    return slave->engine.phase == MWI_PHASE_SHUTDOWN ? MW_OK : mwi_slave_error_check(slave);
}

/* The same, called from outside. */
static mw_error serve_call(mw_slave *slave, double timeout_s, const struct stretch *stretch,
                           mw_slave_counts *counts)
{
    if (slave->is_running)
        return serve(slave, timeout_s, stretch, counts);
    slave->is_outside = false;
    mw_error error = serve(slave, timeout_s, stretch, counts);
    slave->is_outside = true;
    return error;
}

mw_error mw_slave_loop(mw_slave *slave, double timeout_s, mw_slave_counts *counts)
{
    size_t group = slave->engine.results.master.group;
    bool is_by_time = group == 0;
    struct stretch stretch = {.tasks_max = is_by_time ? SIZE_MAX : group,
                              .ends_with_message = is_by_time};
    return serve_call(slave, timeout_s, &stretch, counts);
}

mw_error mw_slave_loop_iterate(mw_slave *slave, double timeout_s, mw_slave_counts *counts)
{
    return serve_call(slave, timeout_s, &(struct stretch){.tasks_max = 1}, counts);
}

int mw_slave_loop_simple(mw_slave *slave)
{
    if (slave->is_running)
        return 255;
    slave->is_outside = false;
    mwi_slave_engine_attend(&slave->engine);
    mwi_loop_carry_out(slave->loop);
    while (!is_over(slave)) {
        if (slave->engine.queue.tasks_count == 0)
            turn(slave, INT64_MAX);
        run_tasks(slave, &(struct stretch){.tasks_max = SIZE_MAX});
    }
    slave->is_outside = true;
    return slave->engine.phase == MWI_PHASE_SHUTDOWN ? 0 : 255;
}

const char *mw_slave_id(const mw_slave *slave)
{
    return slave->id;
}

void *mw_slave_user(const mw_slave *slave)
{
    return slave->user;
}

void mw_slave_set_user(mw_slave *slave, void *user)
{
    slave->user = user;
}

const char *mw_slave_error(const mw_slave *slave)
{
    return slave->error.text;
}
