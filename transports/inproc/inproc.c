/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of functions, and the poll. Ends and their events are in ends.c. Rules:
 *
 * - A poll of the front side hands out what has arrived. If nothing has, it gives the back side a
 *   turn, if that has something to do, and returns after it: so the caller looks at its deadlines
 *   and signals before the next poll hands out what the back side has sent. It sleeps only if
 *   neither side has anything to do.
 * - A poll of the back side hands out what has arrived. If nothing has, it gives way, even if its
 *   deadline is past: so the front side is served between any two looks of the back side.
 * - The descriptor is a timer, which is set to the time of the next turn after each poll.
 */
#include "inproc.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/time.h"
#include "ends.h"

static mw_error fail(mw_reason *why, mw_error error, const char *text)
{
    snprintf(why->text, sizeof why->text, "%s", text);
    return error;
}

static mw_error inproc_open(void **transport, const mw_transport_config *config, mw_reason *why)
{
    struct mwi_turns_side *side = config->environment;
    if (side == NULL)
        return fail(why, MW_EINVAL, "inproc: the environment is no side of two programs");
    struct mwi_inproc_transport *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return fail(why, MW_ENOMEM, "out of memory");
    opened->side = side;
    opened->config = *config;
    opened->timer_fd = -1;
    opened->timer_ns = INT64_MAX;
    mwi_list_init(&opened->inbox);
    mwi_list_append(&side->transports, &opened->link);
    *transport = opened;
    return MW_OK;
}

static bool is_address(const char *address)
{
    return address[0] == '\0' || strcmp(address, MWI_INPROC_ADDRESS) == 0;
}

static mw_error inproc_listen(void *transport, const char *address, char *bound, size_t size,
                              mw_reason *why)
{
    struct mwi_inproc_transport *inproc = transport;
    const struct mwi_inproc_transport *listener = mwi_inproc_ends_listener(inproc->side);
    if (!is_address(address) || sizeof MWI_INPROC_ADDRESS > size)
        return fail(why, MW_EINVAL, "inproc: no address to listen at, or no room for it");
    if (listener != NULL && listener != inproc)
        return fail(why, MW_ENETWORK, "inproc: another transport of this side listens already");
    inproc->is_listening = true;
    memcpy(bound, MWI_INPROC_ADDRESS, sizeof MWI_INPROC_ADDRESS);
    return MW_OK;
}

static mw_error inproc_connect(void *transport, const char *address, mw_peer *peer, mw_reason *why)
{
    if (!is_address(address))
        return fail(why, MW_EINVAL, "inproc: no address to connect to");
    return mwi_inproc_ends_connect(transport, peer) ? MW_OK : fail(why, MW_ENOMEM, "out of memory");
}

static mw_error inproc_send(void *transport, mw_peer peer, void *frame, size_t size,
                            const mw_body *body)
{
    return mwi_inproc_ends_send(transport, peer, frame, size, body);
}

static void inproc_drop(void *transport, mw_peer peer)
{
    struct mwi_inproc_end *end = mwi_inproc_ends_find(transport, peer);
    if (end != NULL)
        mwi_inproc_ends_leave(end);
}

static void give_way(struct mwi_turns_side *side)
{
    side->has_given_way = true;
    side->give_way(side->context);
    side->has_given_way = false;
}

/* Sleeps until the time has come, or wake_fd is readable, or a signal came. */
static void sleep_until(int64_t until_ns, int64_t now_ns, int wake_fd)
{
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
    struct timespec duration = {.tv_sec = (until_ns - now_ns) / MWI_NS_PER_S,
                                .tv_nsec = (until_ns - now_ns) % MWI_NS_PER_S};
    (void)ppoll(&wake, wake_fd >= 0 ? 1 : 0, until_ns == INT64_MAX ? NULL : &duration, NULL);
}

static void wait_in_front(struct mwi_inproc_transport *inproc, int64_t deadline)
{
    struct mwi_turns_side *back = inproc->side->other;
    int64_t now_ns = mwi_clock_monotonic_ns();
    if (mwi_turns_is_due(back, now_ns))
        give_way(inproc->side);
    else if (deadline > now_ns)
        sleep_until(mwi_time_earlier(deadline, back->due_ns), now_ns, inproc->config.wake_fd);
}

static void wait_in_back(struct mwi_inproc_transport *inproc, int64_t deadline)
{
    inproc->side->due_ns = deadline;
    give_way(inproc->side);
    if (!inproc->side->is_over)
        (void)mwi_inproc_ends_deliver(inproc);
}

/* When a poll has something to do without having been told by the descriptor. */
static int64_t next_turn(const struct mwi_turns_side *side)
{
    if (side->arrived_count > 0 || side->other->arrived_count > 0)
        return INT64_MIN;
    return side->other->due_ns;
}

/* A time of 0 would stop the timer, and one in the past makes the descriptor readable at once. */
static void set_timer(struct mwi_inproc_transport *inproc)
{
    int64_t turn_ns = next_turn(inproc->side);
    struct itimerspec when = {0};
    if (inproc->timer_fd < 0 || turn_ns == inproc->timer_ns)
        return;
    inproc->timer_ns = turn_ns;
    if (turn_ns <= 0)
        when.it_value.tv_nsec = 1;
    else if (turn_ns < INT64_MAX)
        when.it_value =
            (struct timespec){.tv_sec = turn_ns / MWI_NS_PER_S, .tv_nsec = turn_ns % MWI_NS_PER_S};
    (void)timerfd_settime(inproc->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static mw_error inproc_poll(void *transport, int64_t deadline, mw_reason *why)
{
    struct mwi_inproc_transport *inproc = transport;
    struct mwi_turns_side *side = inproc->side;
    if (side->has_given_way)
        return fail(why, MW_ENETWORK,
                    "inproc: a program was called by the one that runs in its place, such as a "
                    "master by a task algorithm");
    if (!side->is_over && !mwi_inproc_ends_deliver(inproc)) {
        if (side->is_front)
            wait_in_front(inproc, deadline);
        else
            wait_in_back(inproc, deadline);
    }
    set_timer(inproc);
    return side->is_over ? fail(why, MW_ENETWORK, "inproc: the other program has ended") : MW_OK;
}

static size_t inproc_peers_max(void *transport)
{
    (void)transport;
    return SIZE_MAX;
}

static int inproc_fd(void *transport)
{
    struct mwi_inproc_transport *inproc = transport;
    if (inproc->timer_fd < 0 && inproc->side->is_front) {
        inproc->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        set_timer(inproc);
    }
    return inproc->timer_fd;
}

static int64_t inproc_now(void *transport)
{
    (void)transport;
    return mwi_clock_monotonic_ns();
}

static void inproc_close(void *transport)
{
    struct mwi_inproc_transport *inproc = transport;
    if (inproc == NULL)
        return;
    inproc->is_listening = false;
    mwi_inproc_ends_leave_all(inproc);
    mwi_list_remove(&inproc->link);
    if (inproc->timer_fd >= 0)
        close(inproc->timer_fd);
    free(inproc);
}

const mw_transport_api mwi_inproc_transport = {
    .version = MW_TRANSPORT_VERSION,
    .scheme = "inproc",
    .sleeps = true,
    .open = inproc_open,
    .listen = inproc_listen,
    .connect = inproc_connect,
    .send = inproc_send,
    .drop = inproc_drop,
    .poll = inproc_poll,
    .peers_max = inproc_peers_max,
    .fd = inproc_fd,
    .now = inproc_now,
    .close = inproc_close,
};
