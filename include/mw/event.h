/* SPDX-License-Identifier: Apache-2.0
 *
 * A master on the caller's event_base of libevent: while the base runs, it serves the slaves, and
 * calls a function of the caller's when there is something to take.
 *
 *     mw_master_open(&master, &program, options);
 *     mw_event_attach(&pump, master, base, on_results, context);
 *     mw_master_submit(master, ...);
 *     mw_event_update(pump);
 *     event_base_dispatch(base);
 *
 * examples/event_loop.c is a whole program. The functions are inline, so that the program and not
 * the library chooses the libevent; a program that uses them links libevent_core. For another event
 * loop, write the same with mw_master_fd, mw_master_timeout and mw_master_loop_iterate
 * (mw/embed.h).
 *
 * Threads: call all functions in the thread that runs the base.
 */
#ifndef MW_EVENT_H
#define MW_EVENT_H

#include <stdlib.h>

#include <event2/event.h>

#include <mw/embed.h>

MW_BEGIN_DECLS

/* The caller's function. The base calls it when at least one of *counts is above 0. It takes things
 * with mw_master_next_result and the like, may submit tasks, and may detach the master and then
 * close it. Things that it does not take are counted again in the next call. If `error` is not
 * MW_OK, it is an error of mw_master_loop and this is the last call: the master is served no more,
 * and only mw_event_detach and mw_master_close are left. `counts` is borrowed for the call;
 * `context` is that of mw_event_attach. */
typedef void mw_event_fn(mw_master *master, const mw_master_counts *counts, mw_error error,
                         void *context);

/* A master on a base. The fields are private. */
typedef struct mw_event_pump {
    mw_master *master; /* NULL once it is detached */
    mw_event_fn *call;
    void *context;
    struct event *readable; /* NULL if the master has no descriptor: the timer then naps */
    struct event *timer;
    bool is_due;     /* the timer is set to 0 and has not been served */
    bool is_over;    /* `call` has been given an error */
    bool is_calling; /* `call` is running */
} mw_event_pump;

static inline void mw_event_free_(mw_event_pump *pump)
{
    if (pump->readable != MW_NULL_)
        event_free(pump->readable);
    if (pump->timer != MW_NULL_)
        event_free(pump->timer);
    pump->readable = MW_NULL_;
    pump->timer = MW_NULL_;
}

static inline int mw_event_set_timer_(mw_event_pump *pump)
{
    double timeout_s = mw_master_timeout(pump->master);
    struct timeval timeout;
    timeout.tv_sec = MW_CAST_(time_t, timeout_s);
    timeout.tv_usec = MW_CAST_(suseconds_t, (timeout_s - MW_CAST_(double, timeout.tv_sec)) * 1e6);
    if (event_add(pump->timer, &timeout) != 0)
        return -1;
    pump->is_due = timeout.tv_sec == 0 && timeout.tv_usec == 0;
    return 0;
}

/* Call it after a use of the master outside of the pump's function, a submission for instance. The
 * base then serves the master in its next turn, not only when a slave sends something. It may be
 * called at any time while the pump is attached, any number of times. */
static inline void mw_event_update(mw_event_pump *pump)
{
    /* If a due timer were set again, libevent would forget that it is due, and a caller that
     * updates all the time would never be served. */
    if (!pump->is_over && !pump->is_due)
        (void)mw_event_set_timer_(pump);
}

static inline void mw_event_turn_(evutil_socket_t fd, short what, void *context)
{
    mw_event_pump *pump = MW_CAST_(mw_event_pump *, context);
    mw_master_counts counts;
    mw_error error = mw_master_loop_iterate(pump->master, 0, &counts);
    (void)fd;
    (void)what;
    pump->is_due = false;
    pump->is_calling = true;
    if (error != MW_OK) {
        mw_event_free_(pump);
        pump->is_over = true;
    }
    if (error != MW_OK || counts.results > 0 || counts.unrunnable > 0 || counts.connected > 0 ||
        counts.disconnected > 0)
        pump->call(pump->master, &counts, error, pump->context);
    pump->is_calling = false;
    if (pump->master == MW_NULL_)
        free(pump);
    else
        mw_event_update(pump);
}

/* Puts a master on a base, and sets *pump, which mw_event_detach frees. Detach before the master is
 * closed or the base is freed. Borrows all pointers until then. Errors: MW_ENOMEM; the base is then
 * unchanged. */
static inline mw_error mw_event_attach(mw_event_pump **pump, mw_master *master,
                                       struct event_base *base, mw_event_fn *call, void *context)
{
    mw_event_pump *made = MW_CAST_(mw_event_pump *, calloc(1, sizeof *made));
    int fd = mw_master_fd(master);
    if (made == MW_NULL_)
        return MW_ENOMEM;
    made->master = master;
    made->call = call;
    made->context = context;
    made->timer = event_new(base, -1, 0, mw_event_turn_, made);
    if (fd >= 0)
        made->readable = event_new(base, fd, EV_READ | EV_PERSIST, mw_event_turn_, made);
    if (made->timer == MW_NULL_ || mw_event_set_timer_(made) != 0 ||
        (fd >= 0 && (made->readable == MW_NULL_ || event_add(made->readable, MW_NULL_) != 0))) {
        mw_event_free_(made);
        free(made);
        return MW_ENOMEM;
    }
    *pump = made;
    return MW_OK;
}

/* Takes the master off the base at once and frees the pump. May also be called by the pump's own
 * function. The pump must not be used afterwards. NULL is legal. */
static inline void mw_event_detach(mw_event_pump *pump)
{
    if (pump == MW_NULL_)
        return;
    /* Even inside of a turn: once the master is closed, its descriptor's number may be
     * another's. */
    mw_event_free_(pump);
    pump->master = MW_NULL_;
    if (!pump->is_calling)
        free(pump);
}

MW_END_DECLS

#endif
