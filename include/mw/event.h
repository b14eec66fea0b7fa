/* SPDX-License-Identifier: Apache-2.0
 *
 * A master on an event_base of libevent that the caller has: its slaves are served as the base
 * runs, and a function of the caller's hears when there is something to take.
 *
 *     mw_master_open(&master, &program, options);
 *     mw_event_attach(&pump, master, base, on_results, context);
 *     mw_master_submit(master, ...);
 *     mw_event_update(pump);
 *     event_base_dispatch(base);
 *
 * examples/event_loop.c is a whole program. The functions are small and stand here so that the
 * library does not decide which libevent a program uses; a program that uses them links
 * libevent_core. For another event loop, do as they do with mw_master_fd, mw_master_timeout and
 * mw_master_loop_iterate (mw/embed.h).
 *
 * Threads: all of it in the thread that runs the base.
 */
#ifndef MW_EVENT_H
#define MW_EVENT_H

#include <stdlib.h>

#include <event2/event.h>

#include <mw/embed.h>

MW_BEGIN_DECLS

/* Called, with what there is to take, whenever there is any: take it with mw_master_next_result and
 * the like, submit more, or detach; after that the master may be closed, here too. What is not
 * taken is told again after the next turn. Called for the last time with an error of
 * mw_master_loop: the master is then served no more, and only mw_event_detach is left. */
typedef void mw_event_fn(mw_master *master, const mw_master_counts *counts, mw_error error,
                         void *context);

/* A master on a base. Its fields are its own. */
typedef struct mw_event_pump {
    mw_master *master; /* NULL once it is detached */
    mw_event_fn *call;
    void *context;
    struct event *readable; /* NULL if there is no descriptor: naps take its place */
    struct event *timer;
    bool is_due;  /* the timer rings as soon as it can, unless it is set anew */
    bool is_over; /* an error was told */
    bool is_calling;
} mw_event_pump;

static inline void mw_event_free_(mw_event_pump *pump)
{
    if (pump->readable)
        event_free(pump->readable);
    if (pump->timer)
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

/* Tells the pump that the master was used outside of its function: something was submitted, say,
 * and shall not wait for the next time that a slave is heard of. As often as you like. */
static inline void mw_event_update(mw_event_pump *pump)
{
    /* libevent forgets a timer that has rung, but was not served yet, when it is set anew. */
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
    if (!pump->master)
        free(pump);
    else
        mw_event_update(pump);
}

/* Puts a master on a base; *pump is to be detached before the master is closed or the base freed.
 * All is borrowed until then. Errors: MW_ENOMEM, and then nothing was put there. */
static inline mw_error mw_event_attach(mw_event_pump **pump, mw_master *master,
                                       struct event_base *base, mw_event_fn *call, void *context)
{
    mw_event_pump *made = MW_CAST_(mw_event_pump *, calloc(1, sizeof *made));
    int fd = mw_master_fd(master);
    if (!made)
        return MW_ENOMEM;
    made->master = master;
    made->call = call;
    made->context = context;
    made->timer = event_new(base, -1, 0, mw_event_turn_, made);
    if (fd >= 0)
        made->readable = event_new(base, fd, EV_READ | EV_PERSIST, mw_event_turn_, made);
    if (!made->timer || mw_event_set_timer_(made) != 0 ||
        (fd >= 0 && (!made->readable || event_add(made->readable, MW_NULL_) != 0))) {
        mw_event_free_(made);
        free(made);
        return MW_ENOMEM;
    }
    *pump = made;
    return MW_OK;
}

/* Takes the master off the base, at once; also in its own function, for the last use of the pump.
 * NULL is legal. */
static inline void mw_event_detach(mw_event_pump *pump)
{
    if (!pump)
        return;
    /* At once: the master that is closed next gives its descriptor's number away. */
    mw_event_free_(pump);
    pump->master = MW_NULL_;
    if (!pump->is_calling)
        free(pump);
}

MW_END_DECLS

#endif
