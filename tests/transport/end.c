/* SPDX-License-Identifier: Apache-2.0
 *
 * Records events and checks the lives of peers. It makes no assertions: a simulated host runs on
 * its own stack, and the far end in its own thread, where CUnit must not be called.
 */
#include "end.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum life_state { LIFE_CONNECTING, LIFE_UP, LIFE_OVER };

struct mwt_life {
    mw_peer peer;
    enum life_state state;
};

static void note_fault(struct mwt_end *end, const char *what, mw_peer peer)
{
    if (end->faults++ == 0)
        snprintf(end->fault, sizeof end->fault, "%s, peer %llu", what, (unsigned long long)peer);
}

static struct mwt_life *find_life(struct mwt_end *end, mw_peer peer)
{
    for (size_t i = end->lives_count; i > 0; i--)
        if (end->lives[i - 1].peer == peer)
            return &end->lives[i - 1];
    return NULL;
}

static void begin_life(struct mwt_end *end, mw_peer peer, enum life_state state)
{
    struct mwt_life *lives = realloc(end->lives, (end->lives_count + 1) * sizeof *lives);

    if (lives == NULL) {
        note_fault(end, "out of memory", peer);
        return;
    }
    end->lives = lives;
    end->lives[end->lives_count++] = (struct mwt_life){peer, state};
}

static void watch_up(struct mwt_end *end, mw_peer peer)
{
    struct mwt_life *life = find_life(end, peer);

    if (peer == 0 || peer >> 56 != 0)
        note_fault(end, "a number that no peer may have", peer);
    if (life == NULL)
        begin_life(end, peer, LIFE_UP);
    else if (life->state == LIFE_CONNECTING)
        life->state = LIFE_UP;
    else
        note_fault(end, "up for the second time", peer);
}

static void watch_message(struct mwt_end *end, mw_peer peer)
{
    struct mwt_life *life = find_life(end, peer);

    if (life == NULL || life->state != LIFE_UP)
        note_fault(end, "a message from a peer that is not up", peer);
}

static void watch_down(struct mwt_end *end, mw_peer peer)
{
    struct mwt_life *life = find_life(end, peer);

    if (life == NULL || life->state == LIFE_OVER)
        note_fault(end, "down for a peer that was not there", peer);
    else
        life->state = LIFE_OVER;
}

static struct mwt_event *add_event(struct mwt_end *end, enum mwt_event_kind kind, mw_peer peer,
                                   const char *text)
{
    struct mwt_event *event = calloc(1, sizeof *event);

    if (event == NULL) {
        note_fault(end, "out of memory", peer);
        return NULL;
    }
    event->kind = kind;
    event->peer = peer;
    snprintf(event->text, sizeof event->text, "%s", text);
    if (end->last == NULL)
        end->first = event;
    else
        end->last->next = event;
    end->last = event;
    end->events_count++;
    return event;
}

static void call_hook(struct mwt_end *end, const struct mwt_event *event)
{
    if (event != NULL && end->hook != NULL)
        end->hook(end, event);
}

static void admit(struct mwt_end *end, mw_peer peer)
{
    if (end->api->admit != NULL && !end->keeps_strangers)
        end->api->admit(end->transport, peer);
}

static void on_up(void *context, mw_peer peer, const char *name)
{
    watch_up(context, peer);
    admit(context, peer);
    call_hook(context, add_event(context, MWT_UP, peer, name));
}

static void on_message(void *context, mw_peer peer, mw_frame *frame)
{
    struct mwt_end *end = context;

    watch_message(end, peer);
    struct mwt_event *event = add_event(end, MWT_MESSAGE, peer, "");
    if (event == NULL)
        return;
    event->size = frame->size;
    event->was_block = frame->block != NULL;
    if (frame->block != NULL && frame->data == frame->block) {
        event->data = frame->block;
        frame->block = NULL;
    } else {
        event->data = malloc(frame->size + 1);
        if (event->data != NULL && frame->size > 0)
            memcpy(event->data, frame->data, frame->size);
    }
    call_hook(end, event);
}

static void on_down(void *context, mw_peer peer, const char *reason)
{
    watch_down(context, peer);
    if (reason == NULL || reason[0] == '\0')
        note_fault(context, "down without a reason", peer);
    call_hook(context, add_event(context, MWT_DOWN, peer, reason != NULL ? reason : ""));
}

static void on_stranger(void *context, const char *name, const char *reason)
{
    char text[256];
    snprintf(text, sizeof text, "%s: %s", name, reason);
    call_hook(context, add_event(context, MWT_STRANGER, 0, text));
}

static const mw_transport_events events = {
    .up = on_up, .message = on_message, .down = on_down, .stranger = on_stranger};

mw_error mwt_end_open(struct mwt_end *end, const mw_transport_api *api, void *environment,
                      size_t frame_bytes_max, int wake_fd, mw_wait wait)
{
    const mw_transport_config config = {.events = &events,
                                        .context = end,
                                        .frame_bytes_max = frame_bytes_max,
                                        .wake_fd = wake_fd,
                                        .wait = wait,
                                        .environment = environment};

    *end = (struct mwt_end){.api = api, .environment = environment};
    return api->open(&end->transport, &config, &end->why);
}

void mwt_end_close(struct mwt_end *end)
{
    size_t count = end->events_count;

    end->api->close(end->transport);
    if (end->events_count != count)
        note_fault(end, "an event in close", 0);
    end->transport = NULL;
    while (end->first != NULL) {
        struct mwt_event *event = end->first;
        end->first = event->next;
        free(event->data);
        free(event);
    }
    end->last = NULL;
    free(end->lives);
    end->lives = NULL;
    end->lives_count = 0;
}

int64_t mwt_end_now(struct mwt_end *end)
{
    return end->api->now(end->transport);
}

void mwt_end_poll(struct mwt_end *end, int64_t deadline)
{
    if (end->api->poll(end->transport, deadline, &end->why) == MW_OK)
        return;
    end->polls_fail = true;
    note_fault(end, "poll failed", 0);
}

struct mwt_event mwt_end_take(struct mwt_end *end)
{
    int64_t deadline = mwt_end_now(end) + MWT_PATIENCE_NS;

    while (end->first == NULL && mwt_end_now(end) < deadline && !end->polls_fail)
        mwt_end_poll(end, deadline);
    if (end->first == NULL)
        return (struct mwt_event){.kind = MWT_NONE};

    struct mwt_event *first = end->first;
    struct mwt_event taken = *first;
    end->first = first->next;
    if (end->first == NULL)
        end->last = NULL;
    taken.next = NULL;
    free(first);
    return taken;
}

void mwt_event_clear(struct mwt_event *event)
{
    free(event->data);
    *event = (struct mwt_event){.kind = MWT_NONE};
}

mw_peer mwt_end_connect(struct mwt_end *end, const char *address)
{
    mw_peer peer = 0;

    if (end->api->connect(end->transport, address, &peer, &end->why) != MW_OK)
        return 0;
    begin_life(end, peer, LIFE_CONNECTING);
    return peer;
}

mw_error mwt_end_send(struct mwt_end *end, mw_peer peer, const void *data, size_t size)
{
    unsigned char *frame = malloc(size + 1);

    if (frame == NULL)
        return MW_ENOMEM;
    if (size > 0)
        memcpy(frame, data, size);
    mw_error error = end->api->send(end->transport, peer, frame, size, NULL);
    if (error != MW_OK)
        free(frame);
    return error;
}

void mwt_end_drop(struct mwt_end *end, mw_peer peer)
{
    struct mwt_life *life = find_life(end, peer);

    if (life != NULL)
        life->state = LIFE_OVER;
    end->api->drop(end->transport, peer);
}

/* The body of a tracked frame. */
struct tracked {
    struct mwt_end *end;
    unsigned char data[];
};

static void release_tracked(void *owner)
{
    struct tracked *tracked = owner;

    tracked->end->tracked_count--;
    free(tracked);
}

mw_error mwt_end_send_tracked(struct mwt_end *end, mw_peer peer, const void *data, size_t size)
{
    struct tracked *tracked = malloc(sizeof *tracked + size);

    if (tracked == NULL)
        return MW_ENOMEM;
    tracked->end = end;
    memcpy(tracked->data, data, size);
    end->tracked_count++;
    const mw_body body = {
        .data = tracked->data, .size = size, .release = release_tracked, .owner = tracked};
    mw_error error = end->api->send(end->transport, peer, NULL, 0, &body);
    if (error != MW_OK)
        release_tracked(tracked);
    return error;
}

bool mwt_end_flush(struct mwt_end *end)
{
    int64_t deadline = mwt_end_now(end) + MWT_PATIENCE_NS;

    while (end->tracked_count > 0 && mwt_end_now(end) < deadline && !end->polls_fail)
        mwt_end_poll(end, mwt_end_now(end) + 1000000);
    return end->tracked_count == 0;
}

uint64_t mwt_random(uint64_t *state)
{
    uint64_t mixed = *state += 0x9e3779b97f4a7c15u;

    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

void mwt_pattern_fill(unsigned char *data, size_t size, uint64_t seed, uint64_t index)
{
    uint64_t state = seed * 1000003 + index;

    for (size_t at = 0; at < size; at += sizeof state) {
        uint64_t word = mwt_random(&state);
        size_t left = size - at;
        memcpy(data + at, &word, left < sizeof word ? left : sizeof word);
    }
}

bool mwt_pattern_matches(const unsigned char *data, size_t size, uint64_t seed, uint64_t index)
{
    uint64_t state = seed * 1000003 + index;

    for (size_t at = 0; at < size; at += sizeof state) {
        uint64_t word = mwt_random(&state);
        size_t left = size - at;
        if (memcmp(data + at, &word, left < sizeof word ? left : sizeof word) != 0)
            return false;
    }
    return true;
}
