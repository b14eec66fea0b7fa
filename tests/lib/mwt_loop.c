/* SPDX-License-Identifier: Apache-2.0
 *
 * The played engine of mwt_loop.h: its step writes down the event and hands out the effects that
 * the test has left. It never decides anything itself.
 */
#include "mwt_loop.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

MW_PRINTF(3, 4)
static void write_down(char *text, size_t size, const char *format, ...)
{
    size_t length = strlen(text);
    va_list arguments;
    if (length > 0 && length + 2 < size) {
        memcpy(text + length, ", ", 3);
        length += 2;
    }
    va_start(arguments, format);
    vsnprintf(text + length, size - length, format, arguments);
    va_end(arguments);
}

static void write_step(struct mwt_loop *loop, const struct mwi_event *event)
{
    unsigned long long peer = event->peer & (mwt_loop_peer(1, 0) - 1);
    const char *mark = event->peer >> 56 == 1 ? "'" : "";
    char *steps = loop->steps;
    size_t size = sizeof loop->steps;
    switch (event->kind) {
    case MWI_EVENT_PEER_UP:
        write_down(steps, size, "up %llu%s %s (%s) at %lld", peer, mark, event->name,
                   event->transport, (long long)event->now_ns);
        break;
    case MWI_EVENT_PEER_DOWN:
        write_down(steps, size, "down %llu%s %s", peer, mark, event->reason);
        break;
    case MWI_EVENT_FRAME:
        write_down(steps, size, "frame %llu%s %.*s", peer, mark, (int)event->frame->size,
                   (const char *)event->frame->data);
        break;
    case MWI_EVENT_STRANGER:
        write_down(steps, size, "stranger %s %s", event->name, event->reason);
        break;
    case MWI_EVENT_TICK:
        loop->ticks_count++;
        loop->last_tick_ns = event->now_ns;
        loop->away_ns += event->away_ns;
        loop->caught_up_count += event->is_caught_up;
        break;
    }
}

static mw_error step_engine(void *engine, const struct mwi_event *event)
{
    struct mwt_loop *loop = engine;
    write_step(loop, event);
    if (loop->react != NULL)
        loop->react(loop, event);
    return loop->effects.error;
}

static int64_t engine_deadline(const void *engine)
{
    return ((const struct mwt_loop *)engine)->deadline_ns;
}

static void on_lost(void *context, mw_peer peer, bool was_useful, mw_loss loss)
{
    struct mwt_loop *loop = context;
    (void)loss;
    write_down(loop->lost, sizeof loop->lost, "lost %llu after %d", (unsigned long long)peer,
               was_useful);
}

static bool on_down(void *context, mw_peer peer, const char *reason)
{
    const struct mwt_loop *loop = context;
    return loop->withhold != NULL && loop->withhold(loop->withhold_context, peer, reason);
}

bool mwt_loop_open_waiting(struct mwt_loop *loop, const char *audit_path, mw_wait wait)
{
    struct mwi_audit_settings settings = {.pattern = audit_path,
                                          .node = "master",
                                          .member_id = "farm",
                                          .level = audit_path == NULL ? MWI_AUDIT_LEVEL_NONE
                                                                      : MWI_AUDIT_LEVEL_ALL,
                                          .is_simulated = true};
    mw_reason why;
    memset(loop, 0, sizeof *loop);
    loop->clock = 100;
    loop->deadline_ns = INT64_MAX;
    mwi_effects_init(&loop->effects);
    loop->effects.audited_kinds = audit_path != NULL ? UINT64_MAX : 0;
    struct mwi_loop_engine engine = {.engine = loop,
                                     .step = step_engine,
                                     .deadline = engine_deadline,
                                     .effects = &loop->effects,
                                     .lost = on_lost,
                                     .withhold = on_down,
                                     .lost_context = loop};
    return mwi_audit_file_open(&loop->audit, &settings, &why) == MW_OK &&
           mwi_loop_open(&loop->loop, &engine, wait, loop->audit) == MW_OK;
}

bool mwt_loop_open(struct mwt_loop *loop, const char *audit_path)
{
    return mwt_loop_open_waiting(loop, audit_path, MW_WAIT_AUTO);
}

void mwt_loop_close(struct mwt_loop *loop)
{
    mwi_loop_close(loop->loop);
    mwi_audit_file_close(loop->audit);
    mwi_effects_fini(&loop->effects);
}

bool mwt_loop_add(struct mwt_loop *loop, size_t index, const mw_transport_api *api)
{
    size_t added = 77;
    mw_reason why;
    loop->fakes[index].clock = &loop->clock;
    return mwi_loop_add(loop->loop, api, &loop->fakes[index], 4096, &added, &why) == MW_OK &&
           added == index;
}

void mwt_loop_send(struct mwt_loop *loop, mw_peer peer, const char *text)
{
    mwi_effects_send(&loop->effects, peer, strdup(text), strlen(text));
}

mw_peer mwt_loop_peer(size_t index, mw_peer peer)
{
    return (mw_peer)index << 56 | peer;
}
