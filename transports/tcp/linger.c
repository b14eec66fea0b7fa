/* SPDX-License-Identifier: Apache-2.0
 *
 * If a TCP socket is closed while unread input lies in it, the kernel sends a reset, and the reset
 * can overtake the bytes that were written last: a slave would not get the refusal that it was
 * sent. So a linger shuts the socket down for writing only, reads and throws away all input, and
 * closes when the other end does. conn_drop.c begins lingers when a peer is dropped; ending.c ends
 * them with the transport.
 *
 * Invariants: a linger has no peer any more, so it calls no event. It ends after LINGER_S seconds
 * or INPUT_BYTES_MAX bytes, so that a hostile peer cannot hold the socket.
 */
#include "linger.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/time.h"
#include "socket.h"

#define LINGER_S 2
#define INPUT_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct mwi_tcp_linger {
    struct mwi_tcp_hub *hub;
    TAILQ_ENTRY(mwi_tcp_linger) link;
    struct event *event;
    struct mwi_tcp_stream *stream;
    int64_t until_ns;
    size_t input_bytes;
};

static void destroy(struct mwi_tcp_linger *linger)
{
    TAILQ_REMOVE(&linger->hub->lingers, linger, link);
    if (linger->event != NULL)
        event_free(linger->event);
    linger->stream->api->close(linger->stream);
    free(linger);
}

/* Each byte that comes starts the event's time-out anew, so the clock is read as well. */
static void on_input(evutil_socket_t fd, short what, void *context)
{
    struct mwi_tcp_linger *linger = context;
    bool is_late = (what & EV_TIMEOUT) != 0 || mwi_clock_monotonic_ns() > linger->until_ns;
    bool is_open =
        mwi_tcp_socket_discard(fd, linger->hub->shared, MWI_TCP_SHARED_BYTES, &linger->input_bytes);
    if (is_late || !is_open || linger->input_bytes > INPUT_BYTES_MAX)
        destroy(linger);
}

static bool wait_for_input(struct mwi_tcp_linger *linger)
{
    const struct timeval timeout = {.tv_sec = LINGER_S};
    linger->event = event_new(linger->hub->poller.base, linger->stream->fd, EV_READ | EV_PERSIST,
                              on_input, linger);
    return linger->event != NULL && event_add(linger->event, &timeout) == 0;
}

void mwi_tcp_linger_begin(struct mwi_tcp_hub *hub, struct mwi_tcp_stream *stream)
{
    assert(stream != NULL);
    struct mwi_tcp_linger *linger = calloc(1, sizeof *linger);
    if (linger == NULL) {
        stream->api->close(stream);
        return;
    }
    linger->hub = hub;
    linger->stream = stream;
    linger->until_ns = mwi_time_after(mwi_clock_monotonic_ns(), LINGER_S * MWI_NS_PER_S);
    TAILQ_INSERT_TAIL(&hub->lingers, linger, link);
    if (shutdown(stream->fd, SHUT_WR) != 0 || !wait_for_input(linger))
        destroy(linger);
}

void mwi_tcp_linger_end(struct mwi_tcp_hub *hub, bool is_last)
{
    struct mwi_tcp_linger *next;
    for (struct mwi_tcp_linger *linger = TAILQ_FIRST(&hub->lingers); linger != NULL;
         linger = next) {
        next = TAILQ_NEXT(linger, link);
        if (is_last || mwi_tcp_socket_all_arrived(linger->stream->fd))
            destroy(linger);
    }
}
