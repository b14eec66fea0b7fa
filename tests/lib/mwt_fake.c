/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport of mwt_fake.h. A poll that looks without waiting costs a microsecond, so that a
 * caller that looks again and again makes progress. A poll that would wait for ever fails instead.
 */
#include "mwt_fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/body.h"

#define LOOK_NS 1000

MW_PRINTF(2, 3)
static void write_down(struct mwt_fake *fake, const char *format, ...)
{
    size_t length = strlen(fake->calls);
    va_list arguments;
    if (length > 0 && length + 2 < sizeof fake->calls) {
        memcpy(fake->calls + length, ", ", 3);
        length += 2;
    }
    va_start(arguments, format);
    vsnprintf(fake->calls + length, sizeof fake->calls - length, format, arguments);
    va_end(arguments);
}

static mw_error fail(mw_reason *why, mw_error error)
{
    if (error != MW_OK)
        snprintf(why->text, sizeof why->text, "fake trouble");
    return error;
}

static mw_error fake_open(void **transport, const mw_transport_config *config, mw_reason *why)
{
    struct mwt_fake *fake = config->environment;
    fake->config = *config;
    write_down(fake, "open");
    if (fake->open_error == MW_OK)
        *transport = fake;
    return fail(why, fake->open_error);
}

static mw_error fake_listen(void *transport, const char *address, char *bound, size_t size,
                            mw_reason *why)
{
    struct mwt_fake *fake = transport;
    write_down(fake, "listen %s", address);
    if (fake->listen_error == MW_OK)
        snprintf(bound, size, "%s:7000", address);
    return fail(why, fake->listen_error);
}

static mw_error fake_connect(void *transport, const char *address, mw_peer *peer, mw_reason *why)
{
    struct mwt_fake *fake = transport;
    write_down(fake, "connect %s", address);
    if (fake->connect_error == MW_OK)
        *peer = ++fake->peers_count;
    return fail(why, fake->connect_error);
}

static mw_error fake_send(void *transport, mw_peer peer, void *frame, size_t size,
                          const mw_body *body)
{
    struct mwt_fake *fake = transport;
    write_down(fake, "send %llu %.*s", (unsigned long long)peer, (int)size, (const char *)frame);
    if (fake->send_error == MW_OK) {
        free(frame);
        mwi_body_release(body);
    }
    return fake->send_error;
}

static void fake_drop(void *transport, mw_peer peer)
{
    write_down(transport, "drop %llu", (unsigned long long)peer);
}

static void happen(struct mwt_fake *fake, const struct mwt_fake_event *event)
{
    const mw_transport_events *events = fake->config.events;
    if (event->kind == MWT_FAKE_UP) {
        events->up(fake->config.context, event->peer, event->text);
    } else if (event->kind == MWT_FAKE_DOWN) {
        events->down(fake->config.context, event->peer, event->text);
    } else {
        size_t size = event->size;
        unsigned char *bytes = malloc(size + 1);
        mw_frame frame = {.data = bytes, .size = size};
        if (bytes == NULL)
            abort();
        memcpy(bytes, event->text, size + 1);
        events->message(fake->config.context, event->peer, &frame);
        free(bytes);
    }
}

static bool has_due_event(const struct mwt_fake *fake)
{
    return fake->events_done < fake->events_count &&
           fake->events[fake->events_done].at_ns <= *fake->clock;
}

/* Moves the clock to the next event or the deadline. Returns false if neither would ever come. */
static bool wait_until(struct mwt_fake *fake, int64_t deadline)
{
    int64_t until = deadline;
    if (deadline <= *fake->clock) {
        *fake->clock += LOOK_NS;
        return true;
    }
    if (fake->events_done < fake->events_count && fake->events[fake->events_done].at_ns < until)
        until = fake->events[fake->events_done].at_ns;
    if (until == INT64_MAX)
        return false;
    *fake->clock = until + fake->stop_ns;
    fake->stop_ns = 0;
    return true;
}

static mw_error fake_poll(void *transport, int64_t deadline, mw_reason *why)
{
    struct mwt_fake *fake = transport;
    if (fake->polls_count < MWT_FAKE_POLLS_MAX) {
        fake->polls_at[fake->polls_count] = *fake->clock;
        fake->polls[fake->polls_count++] = deadline;
    }
    if (fake->poll_error != MW_OK)
        return fail(why, fake->poll_error);
    if (!has_due_event(fake) && !fake->is_woken && !wait_until(fake, deadline)) {
        snprintf(why->text, sizeof why->text, "a fake transport waits for ever");
        return MW_ENETWORK;
    }
    while (has_due_event(fake))
        happen(fake, &fake->events[fake->events_done++]);
    return MW_OK;
}

static int64_t fake_now(void *transport)
{
    return *((struct mwt_fake *)transport)->clock;
}

static size_t fake_peers_max(void *transport)
{
    const struct mwt_fake *fake = transport;
    return fake->peers_max == 0 ? SIZE_MAX : fake->peers_max;
}

static int fake_fd(void *transport)
{
    struct mwt_fake *fake = transport;
    fake->fd_asked_count++;
    return fake->fd == 0 ? -1 : fake->fd;
}

static void fake_close(void *transport)
{
    if (transport != NULL)
        write_down(transport, "close");
}

#define FAKE_API(name, is_sleeping)                                                                \
    {                                                                                              \
        .version = MW_TRANSPORT_VERSION, .scheme = name, .sleeps = is_sleeping, .open = fake_open, \
        .listen = fake_listen, .connect = fake_connect, .send = fake_send, .drop = fake_drop,      \
        .poll = fake_poll, .now = fake_now, .peers_max = fake_peers_max, .fd = fake_fd,            \
        .close = fake_close                                                                        \
    }

const mw_transport_api mwt_fake_sleeping = FAKE_API("fake", true);
const mw_transport_api mwt_fake_napping = FAKE_API("nap", false);

static void arrange(struct mwt_fake *fake, struct mwt_fake_event event)
{
    if (fake->events_count == MWT_FAKE_EVENTS_MAX)
        abort();
    fake->events[fake->events_count++] = event;
}

void mwt_fake_up(struct mwt_fake *fake, int64_t at_ns, mw_peer peer, const char *name)
{
    arrange(fake, (struct mwt_fake_event){at_ns, MWT_FAKE_UP, peer, name, 0});
}

void mwt_fake_frame(struct mwt_fake *fake, int64_t at_ns, mw_peer peer, const char *text)
{
    mwt_fake_bytes(fake, at_ns, peer, text, strlen(text));
}

void mwt_fake_bytes(struct mwt_fake *fake, int64_t at_ns, mw_peer peer, const char *bytes,
                    size_t size)
{
    arrange(fake, (struct mwt_fake_event){at_ns, MWT_FAKE_FRAME, peer, bytes, size});
}

void mwt_fake_down(struct mwt_fake *fake, int64_t at_ns, mw_peer peer, const char *reason)
{
    arrange(fake, (struct mwt_fake_event){at_ns, MWT_FAKE_DOWN, peer, reason, 0});
}
