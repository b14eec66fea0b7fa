/* SPDX-License-Identifier: Apache-2.0
 *
 * The transports of one loop, which is the only user. With one transport it waits in that. With
 * several it looks at each in turn, with pauses that grow (base/backoff); it sleeps through a pause
 * in a transport that can sleep, whose events then end the pause.
 *
 * Invariants: a transport's index never changes, and peers keep their numbers for good. An event is
 * handed on within the poll in which it came.
 *
 * A transport that wakes the others up would change mwi_carriers_poll, and nothing else.
 */
#include "loop/carriers.h"

#include <assert.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>

#include "base/time.h"
#include "wire/message.h"

#define INDEX_SHIFT 56
#define PEER_MASK ((UINT64_C(1) << INDEX_SHIFT) - 1)
/* After how many looks at the transports wake_fd is looked at. */
#define LOOKS_PER_WAKE_CHECK 64

static mw_peer number_among_all(const struct mwi_carrier_entry *from, mw_peer peer)
{
    assert(peer > 0 && peer <= PEER_MASK);
    return (mw_peer)from->index << INDEX_SHIFT | peer;
}

static struct mwi_carrier_entry *carrier_of(struct mwi_carriers *carriers, mw_peer peer)
{
    assert(peer >> INDEX_SHIFT < carriers->count);
    return &carriers->items[peer >> INDEX_SHIFT];
}

static void hand_on(struct mwi_carrier_entry *from, struct mwi_event *event)
{
    struct mwi_carriers *carriers = from->carriers;
    carriers->events_count++;
    mwi_backoff_active(&carriers->backoff);
    event->now_ns = mwi_carriers_now(carriers);
    event->transport = from->api->scheme;
    if (event->peer != 0)
        event->peer = number_among_all(from, event->peer);
    carriers->on_event(carriers->context, event);
}

static void on_up(void *context, mw_peer peer, const char *name)
{
    ((struct mwi_carrier_entry *)context)->ups_count++;
    hand_on(context, &(struct mwi_event){.kind = MWI_EVENT_PEER_UP, .peer = peer, .name = name});
}

static void on_message(void *context, mw_peer peer, mw_frame *frame)
{
    hand_on(context, &(struct mwi_event){.kind = MWI_EVENT_FRAME, .peer = peer, .frame = frame});
}

/* A transport of the user's may have no reason to tell. */
static void on_down(void *context, mw_peer peer, const char *reason)
{
    if (reason == NULL || reason[0] == '\0')
        reason = MWI_MESSAGE_NO_REASON;
    hand_on(context,
            &(struct mwi_event){.kind = MWI_EVENT_PEER_DOWN, .peer = peer, .reason = reason});
}

static void on_stranger(void *context, const char *name, const char *reason)
{
    hand_on(context,
            &(struct mwi_event){.kind = MWI_EVENT_STRANGER, .name = name, .reason = reason});
}

static const mw_transport_events carrier_events = {on_up, on_message, on_down, on_stranger};

void mwi_carriers_init(struct mwi_carriers *carriers, mw_wait wait,
                       void (*on_event)(void *context, struct mwi_event *event), void *context)
{
    *carriers = (struct mwi_carriers){.on_event = on_event, .context = context};
    mwi_backoff_init(&carriers->backoff, wait);
}

void mwi_carriers_fini(struct mwi_carriers *carriers)
{
    while (carriers->count > 0) {
        struct mwi_carrier_entry *last = &carriers->items[carriers->count - 1];
        last->api->close(last->transport);
        carriers->count--;
    }
}

mw_error mwi_carriers_add(struct mwi_carriers *carriers, const mw_transport_api *api,
                          void *environment, size_t frame_bytes_max, int wake_fd, size_t *index,
                          mw_reason *why)
{
    if (carriers->count == MWI_TRANSPORTS_MAX) {
        snprintf(why->text, sizeof why->text, "more than %d transports", MWI_TRANSPORTS_MAX);
        return MW_EINVAL;
    }
    struct mwi_carrier_entry *added = &carriers->items[carriers->count];
    mw_transport_config config = {.events = &carrier_events,
                                  .context = added,
                                  .frame_bytes_max = frame_bytes_max,
                                  .wake_fd = wake_fd,
                                  .wait = carriers->backoff.wait,
                                  .environment = environment};
    *added = (struct mwi_carrier_entry){.carriers = carriers, .index = carriers->count, .api = api};
    mw_error error = api->open(&added->transport, &config, why);
    if (error == MW_OK)
        *index = carriers->count++;
    return error;
}

mw_error mwi_carriers_listen(struct mwi_carriers *carriers, size_t index, const char *address,
                             char *bound, size_t size, mw_reason *why)
{
    assert(index < carriers->count);
    struct mwi_carrier_entry *carrier = &carriers->items[index];
    return carrier->api->listen(carrier->transport, address, bound, size, why);
}

mw_error mwi_carriers_connect(struct mwi_carriers *carriers, size_t index, const char *address,
                              mw_peer *peer, mw_reason *why)
{
    assert(index < carriers->count);
    struct mwi_carrier_entry *carrier = &carriers->items[index];
    mw_error error = carrier->api->connect(carrier->transport, address, peer, why);
    if (error == MW_OK)
        *peer = number_among_all(carrier, *peer);
    return error;
}

mw_error mwi_carriers_send(struct mwi_carriers *carriers, mw_peer peer, void *frame, size_t size,
                           const mw_body *body)
{
    struct mwi_carrier_entry *carrier = carrier_of(carriers, peer);
    mwi_backoff_active(&carriers->backoff);
    return carrier->api->send(carrier->transport, peer & PEER_MASK, frame, size, body);
}

bool mwi_carriers_send_now(struct mwi_carriers *carriers, mw_peer peer, void *frame, size_t size)
{
    struct mwi_carrier_entry *carrier = carrier_of(carriers, peer);
    return carrier->api->send_now != NULL &&
           carrier->api->send_now(carrier->transport, peer & PEER_MASK, frame, size);
}

void mwi_carriers_admit(struct mwi_carriers *carriers, mw_peer peer)
{
    struct mwi_carrier_entry *carrier = carrier_of(carriers, peer);
    if (carrier->api->admit != NULL)
        carrier->api->admit(carrier->transport, peer & PEER_MASK);
}

void mwi_carriers_drop(struct mwi_carriers *carriers, mw_peer peer)
{
    struct mwi_carrier_entry *carrier = carrier_of(carriers, peer);
    carrier->api->drop(carrier->transport, peer & PEER_MASK);
}

static mw_error look_at_all(struct mwi_carriers *carriers, mw_reason *why)
{
    mw_error error = MW_OK;
    for (size_t i = 0; i < carriers->count && error == MW_OK; i++)
        error = carriers->items[i].api->poll(carriers->items[i].transport, INT64_MIN, why);
    return error;
}

/* Sleeps in a transport that can, else in the first one. */
static mw_error nap(struct mwi_carriers *carriers, int64_t until_ns, mw_reason *why)
{
    struct mwi_carrier_entry *bed = &carriers->items[0];
    for (size_t i = 0; i < carriers->count && !bed->api->sleeps; i++)
        if (carriers->items[i].api->sleeps)
            bed = &carriers->items[i];
    return bed->api->poll(bed->transport, until_ns, why);
}

/* Whether wake_fd is readable: polling the transports without waiting does not report that, so it
 * is checked here. */
static bool is_woken(int wake_fd)
{
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
    return wake_fd >= 0 && poll(&wake, 1, 0) > 0;
}

/* Waits a little, as the back-off says, but not beyond the deadline; *is_over says whether
 * something has ended the wait. */
static mw_error wait_a_little(struct mwi_carriers *carriers, int64_t now_ns, int64_t deadline_ns,
                              bool *is_over, mw_reason *why)
{
    mwi_backoff_quiet(&carriers->backoff, now_ns);
    int64_t nap_ns = mwi_backoff_next(&carriers->backoff, now_ns, 0);
    *is_over = false;
    if (nap_ns == MWI_BACKOFF_YIELD) {
        sched_yield();
        mwi_backoff_yielded(&carriers->backoff, now_ns, mwi_carriers_now(carriers));
    }
    if (nap_ns <= 0)
        return MW_OK;
    int64_t until_ns = mwi_time_earlier(deadline_ns, now_ns + nap_ns);
    mw_error error = nap(carriers, until_ns, why);
    *is_over = mwi_carriers_now(carriers) < until_ns;
    return error;
}

static mw_error poll_several(struct mwi_carriers *carriers, int64_t deadline_ns, int wake_fd,
                             mw_reason *why)
{
    uint64_t before = carriers->events_count;
    bool is_over = false;
    for (unsigned looks_count = 1;; looks_count++) {
        mw_error error = look_at_all(carriers, why);
        if (error != MW_OK || carriers->events_count != before)
            return error;
        int64_t now_ns = mwi_carriers_now(carriers);
        if (now_ns >= deadline_ns)
            return MW_OK;
        error = wait_a_little(carriers, now_ns, deadline_ns, &is_over, why);
        if (error != MW_OK || is_over || carriers->events_count != before)
            return error;
        if (looks_count % LOOKS_PER_WAKE_CHECK == 0 && is_woken(wake_fd))
            return MW_OK;
    }
}

mw_error mwi_carriers_poll(struct mwi_carriers *carriers, int64_t deadline_ns, int wake_fd,
                           mw_reason *why)
{
    struct mwi_carrier_entry *only = &carriers->items[0];
    if (carriers->count == 1)
        return only->api->poll(only->transport, deadline_ns, why);
    return poll_several(carriers, deadline_ns, wake_fd, why);
}

void mwi_carriers_note_quiet(struct mwi_carriers *carriers, int64_t now_ns)
{
    mwi_backoff_quiet(&carriers->backoff, now_ns);
}

int64_t mwi_carriers_pause_ns(const struct mwi_carriers *carriers, int64_t now_ns)
{
    int64_t nap_ns = mwi_backoff_next(&carriers->backoff, now_ns, 0);
    return nap_ns > 0 ? nap_ns : 0;
}

size_t mwi_carriers_peers_max(const struct mwi_carriers *carriers)
{
    size_t total = 0;
    for (size_t i = 0; i < carriers->count; i++) {
        size_t count = carriers->items[i].api->peers_max(carriers->items[i].transport);
        total = count < SIZE_MAX - total ? total + count : SIZE_MAX;
    }
    return total;
}

bool mwi_carriers_is_complete(const struct mwi_carriers *carriers)
{
    for (size_t i = 0; i < carriers->count; i++) {
        const struct mwi_carrier_entry *one = &carriers->items[i];
        size_t count = one->api->peers_max(one->transport);
        if (count != SIZE_MAX && one->ups_count < count)
            return false;
    }
    return true;
}

int mwi_carriers_fd(const struct mwi_carriers *carriers)
{
    int fd = -1;
    for (size_t i = 0; i < carriers->count && fd < 0; i++)
        fd = carriers->items[i].api->fd(carriers->items[i].transport);
    return fd;
}

int64_t mwi_carriers_now(const struct mwi_carriers *carriers)
{
    assert(carriers->count > 0);
    return carriers->items[0].api->now(carriers->items[0].transport);
}
