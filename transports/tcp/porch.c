/* SPDX-License-Identifier: Apache-2.0
 *
 * Serves the connections that are not admitted yet and the listening sockets, which lie in a set of
 * their own. The hub's set reports that set like a socket. listener.c and conn_start.c put their
 * descriptors into it; conn_guest.c enters the guests and takes them out.
 *
 * - The porch is served for SLICE_NS at most, then the peers have their turn. While the farm is at
 *   work and share.c says that strangers have had enough, the porch's set is not in the hub's set.
 *   A timer ends such a pause: it also wakes a caller who waits for the transport's descriptor.
 * - A master that was away serves the porch for longer, as if it had been here. A slave gives up a
 *   proof after some seconds, so it would never get in if each look of a master that computes in
 *   between served only a few guests.
 * - A tick comes once a second while there are guests. A guest that has seen TICKS_MAX is turned
 *   away. A tick that is late counts as one: what came meanwhile is read before the next one.
 * - If a guest must make room, the lot decides. The oldest would be the wrong one: a flood that is
 *   fast enough would turn away everybody before a far host can answer.
 *
 * Nothing here reads the clock while nobody is in the porch and nobody knocks.
 */
#include "porch.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/time.h"

#define SLICE_NS (MWI_NS_PER_MS / 2)
#define CATCH_UP_NS (100 * MWI_NS_PER_MS)
/* The farm is at work if it had an event within this time. */
#define WORK_NS MWI_NS_PER_S
#define TICK_NS MWI_NS_PER_S
#define TICKS_MAX 10
/* At most this many strangers are told of one by one between two ticks. */
#define TOLD_MAX 10

static void arm_timer(struct mwi_tcp_porch *porch)
{
    int64_t due_ns = mwi_time_earlier(porch->resume_ns, porch->tick_ns);
    struct itimerspec times = {.it_value = {0}};
    if (due_ns != INT64_MAX)
        times.it_value = (struct timespec){.tv_sec = (time_t)(due_ns / MWI_NS_PER_S),
                                           .tv_nsec = (long)(due_ns % MWI_NS_PER_S)};
    (void)timerfd_settime(porch->timer.fd, TFD_TIMER_ABSTIME, &times, NULL);
}

static void start_ticks(struct mwi_tcp_porch *porch)
{
    if (porch->tick_ns != INT64_MAX)
        return;
    porch->tick_ns = mwi_clock_monotonic_ns() + TICK_NS;
    arm_timer(porch);
}

/* Notes when the farm has had an event that was no stranger's doing. */
static void note_work(struct mwi_tcp_porch *porch, int64_t now_ns)
{
    size_t events = porch->hub->events_count - porch->own_events;
    if (events != porch->work_events)
        porch->work_ns = now_ns;
    porch->work_events = events;
}

static bool is_farm_idle(const struct mwi_tcp_porch *porch, int64_t now_ns)
{
    return porch->work_ns == INT64_MIN || now_ns - porch->work_ns > WORK_NS;
}

/* Calls the next who is ready, and puts its time down to it; false if nobody is. */
static bool serve_one(struct mwi_tcp_porch *porch, int64_t *now_ns, bool is_idle)
{
    porch->served = NULL;
    porch->is_served_free = false;
    if (!mwi_tcp_set_serve_one(&porch->set))
        return false;
    int64_t began_ns = *now_ns;
    *now_ns = mwi_clock_monotonic_ns();
    if (porch->is_served_free)
        return true;
    porch->spent_ns += *now_ns - began_ns;
    mwi_tcp_share_spend(&porch->share, *now_ns, *now_ns - began_ns, is_idle);
    if (porch->served != NULL)
        porch->served->cost_ns += *now_ns - began_ns;
    return true;
}

static void pause_porch(struct mwi_tcp_porch *porch, int64_t until_ns)
{
    if (!mwi_tcp_set_change(&porch->hub->poller.set, &porch->entrance, 0))
        return;
    porch->resume_ns = until_ns;
    arm_timer(porch);
}

static void serve(struct mwi_tcp_porch *porch, int64_t slice_ns)
{
    size_t events_before = porch->hub->events_count;
    int64_t began_ns = mwi_clock_monotonic_ns();
    int64_t now_ns = began_ns;
    note_work(porch, began_ns);
    bool is_idle = is_farm_idle(porch, began_ns);
    while (now_ns - began_ns < slice_ns && serve_one(porch, &now_ns, is_idle))
        continue;
    porch->own_events += porch->hub->events_count - events_before;
    int64_t pause_ns = is_idle ? 0 : mwi_tcp_share_pause_ns(&porch->share, now_ns);
    if (pause_ns > 0)
        pause_porch(porch, now_ns + pause_ns);
}

static void on_entrance(void *context, uint32_t events)
{
    (void)events;
    serve(context, SLICE_NS);
}

void mwi_tcp_porch_catch_up(struct mwi_tcp_porch *porch, int64_t away_ns)
{
    int64_t slice_ns = mwi_time_earlier(away_ns / MWI_TCP_SHARE_PARTS, CATCH_UP_NS);
    if (porch->resume_ns == INT64_MAX)
        serve(porch, slice_ns);
}

/* If memory is short, the kernel may refuse: then the next tick tries again. */
static void resume(struct mwi_tcp_porch *porch, int64_t now_ns)
{
    bool is_in = mwi_tcp_set_change(&porch->hub->poller.set, &porch->entrance, EPOLLIN);
    porch->resume_ns = is_in ? INT64_MAX : now_ns + TICK_NS;
}

static void tell_of_others(struct mwi_tcp_porch *porch)
{
    char reason[64];
    snprintf(reason, sizeof reason, "%zu others, too many in a second to name them",
             porch->untold_count);
    porch->told_count = 0;
    if (porch->untold_count == 0)
        return;
    porch->untold_count = 0;
    mwi_tcp_porch_tell(porch, "", reason);
}

/* A guest's end may make others leave. The last guest then moves to a place that became free, and
 * at worst counts this tick twice. */
static void tick(struct mwi_tcp_porch *porch, int64_t now_ns)
{
    size_t events_before = porch->hub->events_count;
    tell_of_others(porch);
    for (size_t i = porch->count; i > 0; i--) {
        struct mwi_tcp_guest *guest = i <= porch->count ? porch->guests[i - 1] : NULL;
        if (guest != NULL && ++guest->ticks_count > TICKS_MAX)
            guest->turn_away(guest, "it was not admitted within 10 s");
    }
    porch->own_events += porch->hub->events_count - events_before;
    bool is_needed = porch->count > 0 || porch->told_count > 0;
    porch->tick_ns = is_needed ? now_ns + TICK_NS : INT64_MAX;
}

static void on_timer(void *context, uint32_t events)
{
    struct mwi_tcp_porch *porch = context;
    uint64_t expirations;
    (void)events;
    if (read(porch->timer.fd, &expirations, sizeof expirations) < 0)
        return;
    int64_t now_ns = mwi_clock_monotonic_ns();
    if (porch->resume_ns <= now_ns)
        resume(porch, now_ns);
    if (porch->tick_ns <= now_ns - TICK_NS)
        mwi_tcp_porch_catch_up(porch, now_ns - porch->tick_ns);
    if (porch->tick_ns <= now_ns)
        tick(porch, now_ns);
    arm_timer(porch);
}

bool mwi_tcp_porch_open(struct mwi_tcp_porch *porch, struct mwi_tcp_hub *hub)
{
    *porch = (struct mwi_tcp_porch){.hub = hub,
                                    .random = (uint64_t)mwi_clock_monotonic_ns() | 1,
                                    .resume_ns = INT64_MAX,
                                    .tick_ns = INT64_MAX,
                                    .work_ns = INT64_MIN,
                                    .work_events = hub->events_count};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    porch->timer = (struct mwi_tcp_awaited){.fd = fd, .ready = on_timer, .context = porch};
    bool is_open = mwi_tcp_set_open(&porch->set) && fd >= 0;
    porch->entrance =
        (struct mwi_tcp_awaited){.fd = porch->set.fd, .ready = on_entrance, .context = porch};
    is_open = is_open && mwi_tcp_set_change(&hub->poller.set, &porch->timer, EPOLLIN) &&
              mwi_tcp_set_change(&hub->poller.set, &porch->entrance, EPOLLIN);
    if (!is_open)
        mwi_tcp_porch_close(porch);
    return is_open;
}

void mwi_tcp_porch_close(struct mwi_tcp_porch *porch)
{
    assert(porch->count == 0);
    int error = errno;
    if (porch->timer.events != 0)
        (void)mwi_tcp_set_change(&porch->hub->poller.set, &porch->timer, 0);
    if (porch->entrance.events != 0)
        (void)mwi_tcp_set_change(&porch->hub->poller.set, &porch->entrance, 0);
    if (porch->timer.fd >= 0)
        close(porch->timer.fd);
    mwi_tcp_set_close(&porch->set);
    free(porch->guests);
    errno = error;
}

static bool make_space(struct mwi_tcp_porch *porch)
{
    if (porch->count < porch->capacity)
        return true;
    size_t capacity = porch->capacity == 0 ? 16 : 2 * porch->capacity;
    struct mwi_tcp_guest **guests = realloc(porch->guests, capacity * sizeof *guests);
    if (guests == NULL)
        return false;
    porch->guests = guests;
    porch->capacity = capacity;
    return true;
}

static void put(struct mwi_tcp_porch *porch, struct mwi_tcp_guest *guest, size_t index)
{
    porch->guests[index] = guest;
    guest->index = index;
}

bool mwi_tcp_porch_enter(struct mwi_tcp_porch *porch, struct mwi_tcp_guest *guest)
{
    assert(guest->porch == NULL && guest->turn_away != NULL);
    if (!make_space(porch))
        return false;
    put(porch, guest, porch->count++);
    guest->porch = porch;
    start_ticks(porch);
    return true;
}

void mwi_tcp_porch_promise(struct mwi_tcp_guest *guest)
{
    struct mwi_tcp_porch *porch = guest->porch;
    if (porch == NULL || guest->index < porch->promising_count)
        return;
    put(porch, porch->guests[porch->promising_count], guest->index);
    put(porch, guest, porch->promising_count++);
}

void mwi_tcp_porch_leave(struct mwi_tcp_guest *guest)
{
    struct mwi_tcp_porch *porch = guest->porch;
    if (porch == NULL)
        return;
    assert(guest->index < porch->count && porch->guests[guest->index] == guest);
    size_t hole = guest->index;
    if (hole < porch->promising_count) {
        put(porch, porch->guests[--porch->promising_count], hole);
        hole = porch->promising_count;
    }
    if (hole != --porch->count)
        put(porch, porch->guests[porch->count], hole);
    guest->porch = NULL;
}

void mwi_tcp_porch_admit(struct mwi_tcp_guest *guest)
{
    struct mwi_tcp_porch *porch = guest->porch;
    assert(porch != NULL);
    porch->is_served_free = porch->served == guest;
    mwi_tcp_share_give_back(&porch->share, guest->cost_ns);
    mwi_tcp_porch_leave(guest);
}

void mwi_tcp_porch_serve(struct mwi_tcp_guest *guest)
{
    assert(guest->porch != NULL);
    guest->porch->served = guest;
}

void mwi_tcp_porch_own(struct mwi_tcp_porch *porch, size_t events_count)
{
    porch->own_events += events_count;
}

/* By the method of xorshift: nobody sees the numbers, so nothing better is needed. */
static size_t draw(struct mwi_tcp_porch *porch, size_t count)
{
    porch->random ^= porch->random << 13;
    porch->random ^= porch->random >> 7;
    porch->random ^= porch->random << 17;
    return (size_t)(porch->random % count);
}

bool mwi_tcp_porch_evict(struct mwi_tcp_porch *porch)
{
    size_t count = porch->count - porch->promising_count;
    if (count == 0)
        return false;
    struct mwi_tcp_guest *guest = porch->guests[porch->promising_count + draw(porch, count)];
    guest->turn_away(guest, "it had to make room: too many connections are not admitted yet");
    return true;
}

void mwi_tcp_porch_tell(struct mwi_tcp_porch *porch, const char *name, const char *reason)
{
    const mw_transport_config *config = &porch->hub->config;
    if (config->events->stranger == NULL)
        return;
    start_ticks(porch);
    if (porch->told_count == TOLD_MAX) {
        porch->untold_count++;
        return;
    }
    porch->told_count++;
    porch->hub->events_count++;
    config->events->stranger(config->context, name, reason);
}
