/* SPDX-License-Identifier: Apache-2.0
 *
 * A master on an event_base of libevent that the caller has: its slaves are served as the base runs,
 * and a function of the caller's hears when there is something to take.
 *
 *     mw_master_open(&master, &program, options);
 *     mw_event_attach(&pump, master, base, on_results, context);
 *     mw_master_submit(master, ...);
 *     mw_event_update(pump);
 *     event_base_dispatch(base);
 *
 * The functions are small and stand here so that the library does not decide which libevent a program
 * uses; a program that uses them links libevent_core. For another event loop, do as they do with
 * mw_master_fd, mw_master_timeout and mw_master_loop_iterate (mw/embed.h).
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
 * the like, submit more, or detach. What is not taken is told again after the next turn. Called for
 * the last time with an error of mw_master_loop, and then the master is served no more. */
typedef void mw_event_fn(mw_master *master, const mw_master_counts *counts, mw_error error,
                         void *context);

/* A master on a base. Its fields are its own. */
typedef struct mw_event_pump {
    mw_master *master;
    mw_event_fn *call;
    void *context;
    struct event *readable; /* NULL if the transports have no descriptor */
    struct event *timer;
    bool is_calling;
    bool is_detached;
} mw_event_pump;

static inline void mw_event_free_(mw_event_pump *pump)
{
    if (pump->readable != NULL)
        event_free(pump->readable);
    if (pump->timer != NULL)
        event_free(pump->timer);
    free(pump);
}

/* Tells the pump that the master was used outside of its function: something was submitted, say, and
 * shall not wait for the next time that a slave is heard of. */
static inline void mw_event_update(mw_event_pump *pump)
{
    double timeout_s = mw_master_timeout(pump->master);
    struct timeval timeout;
    timeout.tv_sec = (time_t)timeout_s;
    timeout.tv_usec = (suseconds_t)((timeout_s - (double)timeout.tv_sec) * 1e6);
    (void)event_add(pump->timer, &timeout);
}

static inline void mw_event_turn_(evutil_socket_t fd, short what, void *context)
{
    mw_event_pump *pump = (mw_event_pump *)context;
    mw_master_counts counts;
    mw_error error = mw_master_loop_iterate(pump->master, 0, &counts);
    (void)fd;
    (void)what;
    pump->is_calling = true;
    if (error != MW_OK || counts.results > 0 || counts.unrunnable > 0 || counts.connected > 0 ||
        counts.disconnected > 0)
        pump->call(pump->master, &counts, error, pump->context);
    pump->is_calling = false;
    if (pump->is_detached)
        mw_event_free_(pump);
    else if (error == MW_OK)
        mw_event_update(pump);
    else if (pump->readable != NULL)
        (void)event_del(pump->readable);
}

/* Puts a master on a base; *pump is to be detached before the master is closed or the base freed. All
 * is borrowed until then. Errors: MW_ENOMEM. */
static inline mw_error mw_event_attach(mw_event_pump **pump, mw_master *master,
                                       struct event_base *base, mw_event_fn *call, void *context)
{
    mw_event_pump *made = (mw_event_pump *)calloc(1, sizeof *made);
    int fd = mw_master_fd(master);
    if (made == NULL)
        return MW_ENOMEM;
    made->master = master;
    made->call = call;
    made->context = context;
    made->timer = event_new(base, -1, 0, mw_event_turn_, made);
    if (fd >= 0)
        made->readable = event_new(base, fd, EV_READ | EV_PERSIST, mw_event_turn_, made);
    if (made->timer == NULL || (fd >= 0 && made->readable == NULL) ||
        (fd >= 0 && event_add(made->readable, NULL) != 0)) {
        mw_event_free_(made);
        return MW_ENOMEM;
    }
    mw_event_update(made);
    *pump = made;
    return MW_OK;
}

/* Takes the master off the base; also in its own function. NULL is legal. */
static inline void mw_event_detach(mw_event_pump *pump)
{
    if (pump == NULL)
        return;
    pump->is_detached = true;
    if (!pump->is_calling)
        mw_event_free_(pump);
}

MW_END_DECLS

#endif
