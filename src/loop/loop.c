/* SPDX-License-Identifier: Apache-2.0
 *
 * The face opens a loop for each master and each slave, and turns it whenever the user waits.
 * local.c, announce.c and signals.c use it too. carriers.c makes its transports look like one.
 *
 * Invariants: after each step of the engine all its effects are carried out, in order, before the
 * next step. If a frame cannot be queued, no later frame goes to that peer, and the peer is lost.
 * The first error stays in loop->error. Descriptors and chores are served outside of a transport's
 * events.
 *
 * A new effect is a case in carry_out_effect. Work that has times of its own is a chore (chores.h);
 * a descriptor to wait for is a watch (descriptors.h).
 */
#include "loop/loop.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/body.h"
#include "base/clock.h"
#include "base/time.h"
#include "loop/carriers.h"

/* A transport has work that comes with time alone; see mw_transport_api.fd. */
#define TURN_EVERY_NS MWI_NS_PER_S
/* A turn that did not wait in vain dispatches the descriptors only as often as this: it costs a
 * system call. */
#define DISPATCH_EVERY_NS MWI_NS_PER_MS

/* A caller that does not turn the loop for this long does not look at the network meanwhile; nor
 * does a process that is stopped for so long. */
#define AWAY_NS (50 * MWI_NS_PER_MS)

/* The block that keep_heap frees. */
#define KEPT_BLOCK_BYTES ((size_t)4 << 20)

struct lost_peers {
    mw_peer *items;
    size_t count, capacity;
};

/* The set that a caller with an event loop of its own waits for; see join_descriptors. */
struct outer_set {
    struct mwi_descriptors *set;
    struct mwi_watch network, others;
};

struct mwi_loop {
    struct mwi_loop_engine engine;
    struct mwi_audit_file *audit;
    struct mwi_carriers carriers;
    struct lost_peers unsendable; /* peers for which a frame could not be queued */
    uint64_t events_count;
    struct mwi_descriptors *descriptors; /* NULL: the loop waits for its transports only */
    int64_t dispatched_ns;
    struct mwi_chores chores;
    int fd; /* see mwi_loop_fd; -1 if there is none, or nobody has asked yet */
    bool is_fd_asked;
    struct outer_set outer;
    bool is_due; /* a poll may find events that no descriptor reports */
    bool is_disowned;
    mw_error error; /* why the engine or the loop cannot go on; stays */
    struct mwi_loop_times times;
    int64_t due_ns;    /* when the last wait ought to have ended at the latest */
    int64_t waited_ns; /* in a turn: when the last wait ended; it ends with the first event */
    int64_t turned_ns; /* the end of the last turn, or when its last event came */
};

static void remember_unsendable(struct mwi_loop *loop, mw_peer peer)
{
    struct lost_peers *lost = &loop->unsendable;
    if (lost->count == lost->capacity) {
        size_t capacity = lost->capacity == 0 ? 4 : lost->capacity * 2;
        mw_peer *items = realloc(lost->items, capacity * sizeof *items);
        if (items == NULL) {
            loop->error = MW_ENOMEM;
            return;
        }
        lost->items = items;
        lost->capacity = capacity;
    }
    lost->items[lost->count++] = peer;
}

static bool is_unsendable(const struct mwi_loop *loop, mw_peer peer)
{
    for (size_t i = 0; i < loop->unsendable.count; i++)
        if (loop->unsendable.items[i] == peer)
            return true;
    return false;
}

const mw_reason mwi_loop_why_disowned = {
    "an algorithm has forked off this process, and the farm belongs to its parent"};

static void send_frame(struct mwi_loop *loop, struct mwi_effect_entry *effect)
{
    /* A frame that could not be queued is missing: none may follow it. */
    mw_error error = MW_EPEER;
    loop->is_due = true;
    if (!loop->is_disowned && !is_unsendable(loop, effect->peer))
        error = mwi_carriers_send(&loop->carriers, effect->peer, effect->frame, effect->size,
                                  effect->body.release == NULL ? NULL : &effect->body);
    if (error != MW_OK) {
        free(effect->frame);
        mwi_body_release(&effect->body);
        if (error != MW_EPEER)
            remember_unsendable(loop, effect->peer);
    }
    effect->frame = NULL;
    effect->body = (mw_body){0};
}

static void drop_peer(struct mwi_loop *loop, mw_peer peer)
{
    loop->is_due = true;
    if (!loop->is_disowned)
        mwi_carriers_drop(&loop->carriers, peer);
}

static void carry_out_effect(struct mwi_loop *loop, struct mwi_effect_entry *effect)
{
    switch (effect->kind) {
    case MWI_EFFECT_SEND:
        send_frame(loop, effect);
        break;
    case MWI_EFFECT_ADMIT:
        if (!loop->is_disowned)
            mwi_carriers_admit(&loop->carriers, effect->peer);
        break;
    case MWI_EFFECT_DROP:
        drop_peer(loop, effect->peer);
        break;
    case MWI_EFFECT_LOST:
        loop->events_count++;
        if (loop->engine.lost != NULL && !loop->is_disowned)
            loop->engine.lost(loop->engine.lost_context, effect->peer, effect->was_useful,
                              effect->loss);
        break;
    case MWI_EFFECT_AUDIT:
        if (!loop->is_disowned)
            mwi_audit_file_write(loop->audit, &effect->record);
        break;
    }
}

static void carry_out_all(struct mwi_loop *loop, struct mwi_effects *effects)
{
    for (size_t i = 0; i < effects->count; i++)
        carry_out_effect(loop, &effects->items[i]);
    effects->count = 0;
}

void mwi_loop_carry_out(struct mwi_loop *loop)
{
    if (loop->engine.effects->count > 0)
        carry_out_all(loop, loop->engine.effects);
}

/* Steps the engine, and carries out its effects. */
static void step_once(struct mwi_loop *loop, const struct mwi_event *event)
{
    mw_error error = loop->engine.step(loop->engine.engine, event);
    if (loop->error == MW_OK)
        loop->error = error;
    mwi_loop_carry_out(loop);
}

/* The loop's user must look at the engine, even if the peer was lost in the tick of a turn. */
static void lose_peer(struct mwi_loop *loop, mw_peer peer, const char *reason, bool is_process_end,
                      int64_t now_ns)
{
    loop->events_count++;
    drop_peer(loop, peer);
    step_once(loop, &(struct mwi_event){.kind = MWI_EVENT_PEER_DOWN,
                                        .now_ns = now_ns,
                                        .peer = peer,
                                        .reason = reason,
                                        .is_process_end = is_process_end});
}

static void step(struct mwi_loop *loop, const struct mwi_event *event)
{
    step_once(loop, event);
    while (loop->unsendable.count > 0) {
        mw_peer peer = loop->unsendable.items[--loop->unsendable.count];
        lose_peer(loop, peer, "a message to it could not be queued", false, event->now_ns);
    }
}

void mwi_loop_lose(struct mwi_loop *loop, mw_peer peer, const char *reason, bool is_process_end)
{
    lose_peer(loop, peer, reason, is_process_end, mwi_loop_now(loop));
}

static bool is_withheld(const struct mwi_loop *loop, const struct mwi_event *event)
{
    const struct mwi_loop_engine *engine = &loop->engine;
    return event->kind == MWI_EVENT_PEER_DOWN && engine->withhold != NULL &&
           engine->withhold(engine->lost_context, event->peer, event->reason);
}

bool mwi_loop_send_now(struct mwi_loop *loop, mw_peer peer, void *frame, size_t size)
{
    return mwi_carriers_send_now(&loop->carriers, peer, frame, size);
}

/* For how long the wait has gone on after its deadline, if that was long: the process was stopped.
 */
static int64_t late_ns(const struct mwi_loop *loop)
{
    int64_t ended_ns = loop->turned_ns;
    return ended_ns > loop->due_ns && ended_ns - loop->due_ns > AWAY_NS ? ended_ns - loop->due_ns
                                                                        : 0;
}

/* The engine must know of it before it sees the first event: that starts timers. */
static void end_wait(struct mwi_loop *loop)
{
    int64_t away_ns = late_ns(loop);
    loop->waited_ns = loop->turned_ns;
    if (away_ns > 0)
        step(loop, &(struct mwi_event){
                       .kind = MWI_EVENT_TICK, .now_ns = loop->turned_ns, .away_ns = away_ns});
}

static void on_event(void *context, struct mwi_event *event)
{
    struct mwi_loop *loop = context;
    loop->events_count++;
    loop->turned_ns = event->now_ns;
    if (loop->waited_ns == 0)
        end_wait(loop);
    if (!is_withheld(loop, event))
        step(loop, event);
}

/* glibc gives the end of its heap back to the system as soon as 128 KiB are free there, and asks
 * for it again a moment later. For messages that come and go this costs more than copying their
 * bytes. Once glibc has seen a large block freed, it keeps twice as much. The block itself is never
 * touched. */
static void keep_heap(void)
{
    void *volatile block = malloc(KEPT_BLOCK_BYTES);
    free(block);
}

mw_error mwi_loop_open(struct mwi_loop **loop, const struct mwi_loop_engine *engine, mw_wait wait,
                       struct mwi_audit_file *audit)
{
    struct mwi_loop *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return MW_ENOMEM;
    keep_heap();
    opened->engine = *engine;
    opened->audit = audit;
    opened->fd = -1;
    opened->is_due = true;
    mwi_carriers_init(&opened->carriers, wait, on_event, opened);
    *loop = opened;
    return MW_OK;
}

void mwi_loop_close(struct mwi_loop *loop)
{
    if (loop == NULL || loop->is_disowned)
        return;
    mwi_chores_close(&loop->chores, INT64_MIN);
    mwi_carriers_fini(&loop->carriers);
    mwi_descriptors_close(loop->outer.set);
    mwi_descriptors_close(loop->descriptors);
    free(loop->unsendable.items);
    free(loop);
}

void mwi_loop_disown(struct mwi_loop *loop)
{
    loop->is_disowned = true;
}

bool mwi_loop_is_disowned(const struct mwi_loop *loop)
{
    return loop->is_disowned;
}

mw_error mwi_loop_open_descriptors(struct mwi_loop *loop, mw_reason *why)
{
    assert(loop->carriers.count == 0);
    return loop->descriptors != NULL ? MW_OK : mwi_descriptors_open(&loop->descriptors, why);
}

struct mwi_descriptors *mwi_loop_descriptors(const struct mwi_loop *loop)
{
    return loop->descriptors;
}

struct mwi_chores *mwi_loop_chores(struct mwi_loop *loop)
{
    return &loop->chores;
}

void mwi_loop_rouse(struct mwi_loop *loop)
{
    loop->events_count++;
}

mw_error mwi_loop_add(struct mwi_loop *loop, const mw_transport_api *api, void *environment,
                      size_t frame_bytes_max, size_t *index, mw_reason *why)
{
    return mwi_carriers_add(&loop->carriers, api, environment, frame_bytes_max,
                            mwi_descriptors_fd(loop->descriptors), index, why);
}

mw_error mwi_loop_listen(struct mwi_loop *loop, size_t index, const char *address, char *bound,
                         size_t size, mw_reason *why)
{
    loop->is_due = true;
    return mwi_carriers_listen(&loop->carriers, index, address, bound, size, why);
}

mw_error mwi_loop_connect(struct mwi_loop *loop, size_t index, const char *address, mw_peer *peer,
                          mw_reason *why)
{
    loop->is_due = true;
    return mwi_carriers_connect(&loop->carriers, index, address, peer, why);
}

size_t mwi_loop_peers_max(const struct mwi_loop *loop)
{
    return mwi_carriers_peers_max(&loop->carriers);
}

bool mwi_loop_is_complete(const struct mwi_loop *loop)
{
    return mwi_carriers_is_complete(&loop->carriers);
}

const char *mwi_loop_scheme(const struct mwi_loop *loop, size_t index)
{
    assert(index < loop->carriers.count);
    return loop->carriers.items[index].api->scheme;
}

/* No clock is read for these times alone. So the tick of the engine, which is short, counts as
 * waiting. */
static void begin_turn(struct mwi_loop *loop, int64_t now_ns)
{
    int64_t caller_ns = loop->turned_ns != 0 ? now_ns - loop->turned_ns : 0;
    loop->times.caller_ns += caller_ns;
    loop->turned_ns = now_ns;
    loop->waited_ns = 0;
    step(loop, &(struct mwi_event){.kind = MWI_EVENT_TICK,
                                   .now_ns = now_ns,
                                   .away_ns = caller_ns > AWAY_NS ? caller_ns : 0});
}

/* When the wait of this turn ended. */
static int64_t wait_end(const struct mwi_loop *loop)
{
    return loop->waited_ns == 0 ? loop->turned_ns : loop->waited_ns;
}

/* After a poll that found nothing, the engine may act on what it has not heard. */
static void tick_after_poll(struct mwi_loop *loop)
{
    int64_t away_ns = late_ns(loop);
    if (away_ns > 0 || loop->engine.deadline(loop->engine.engine) <= loop->turned_ns)
        step(loop, &(struct mwi_event){.kind = MWI_EVENT_TICK,
                                       .now_ns = loop->turned_ns,
                                       .away_ns = away_ns,
                                       .is_caught_up = away_ns == 0});
}

static void end_turn(struct mwi_loop *loop, int64_t began_ns)
{
    int64_t waited_ns = wait_end(loop);
    loop->times.waiting_ns += waited_ns - began_ns;
    loop->times.serving_ns += loop->turned_ns - waited_ns;
}

struct mwi_loop_times mwi_loop_times(const struct mwi_loop *loop)
{
    return loop->times;
}

/* How long the turn may wait. */
static int64_t find_deadline(const struct mwi_loop *loop, int64_t deadline_ns)
{
    deadline_ns = mwi_time_earlier(deadline_ns, loop->engine.deadline(loop->engine.engine));
    if (loop->chores.count == 0)
        return deadline_ns;
    return mwi_time_earlier(deadline_ns, mwi_chores_deadline(&loop->chores));
}

/* A wait that no peer has ended may have been ended by a descriptor. In all other turns, which may
 * be many, it is asked now and then only. */
static void dispatch_descriptors(struct mwi_loop *loop, bool has_waited_in_vain)
{
    if (loop->descriptors == NULL)
        return;
    if (!has_waited_in_vain && loop->turned_ns - loop->dispatched_ns < DISPATCH_EVERY_NS)
        return;
    loop->dispatched_ns = loop->turned_ns;
    mwi_descriptors_dispatch(loop->descriptors);
}

/* Polls the transports, and then hears the descriptors. */
static mw_error wait_for_events(struct mwi_loop *loop, int64_t deadline_ns, mw_reason *why)
{
    uint64_t before = loop->events_count;
    bool can_wait = deadline_ns > loop->turned_ns;
    loop->due_ns = can_wait ? deadline_ns : loop->turned_ns;
    mw_error error =
        mwi_carriers_poll(&loop->carriers, deadline_ns, mwi_descriptors_fd(loop->descriptors), why);
    bool is_quiet = loop->events_count == before;
    if (is_quiet) {
        loop->turned_ns = mwi_loop_now(loop);
        mwi_carriers_note_quiet(&loop->carriers, loop->turned_ns);
    }
    if (error != MW_OK)
        return error;
    if (is_quiet)
        tick_after_poll(loop);
    dispatch_descriptors(loop, is_quiet && can_wait);
    return MW_OK;
}

mw_error mwi_loop_turn(struct mwi_loop *loop, int64_t deadline_ns, bool *is_eventful,
                       mw_reason *why)
{
    if (loop->is_disowned) {
        *why = mwi_loop_why_disowned;
        return MW_ESTATE;
    }
    uint64_t before = loop->events_count;
    int64_t began_ns = mwi_loop_now(loop);
    begin_turn(loop, began_ns);
    if (loop->chores.count > 0)
        mwi_chores_tend(&loop->chores, began_ns);
    deadline_ns = find_deadline(loop, deadline_ns);
    /* The user must look at a slave that a timer has thrown out, before waiting for more. */
    if (loop->events_count != before)
        deadline_ns = INT64_MIN;
    /* The lines written since the last turn must not wait as long as the poll may. */
    if (deadline_ns > began_ns)
        mwi_audit_file_flush(loop->audit);
    mw_error error = MW_OK;
    loop->is_due = false;
    /* An engine that has run out of memory may wait for something that never comes. */
    if (loop->error == MW_OK)
        error = wait_for_events(loop, deadline_ns, why);
    if (loop->events_count != before)
        loop->is_due = true;
    end_turn(loop, began_ns);
    if (is_eventful != NULL)
        *is_eventful = loop->events_count != before;
    mwi_audit_file_flush(loop->audit);
    if (error == MW_OK && loop->error != MW_OK) {
        snprintf(why->text, sizeof why->text, "%s", mw_error_text(loop->error));
        return loop->error;
    }
    return error;
}

static void ignore_ready(void *context)
{
    (void)context;
}

static mw_error add_to_outer(struct mwi_loop *loop, struct mwi_watch *watch, int fd)
{
    *watch = (struct mwi_watch){.fd = fd, .ready = ignore_ready};
    return mwi_descriptors_add(loop->outer.set, watch);
}

/* A transport's descriptor reports its network only. So a caller that waits for the loop must wait
 * for the loop's own descriptors as well: both are put into one more set, which nobody dispatches.
 */
static int join_descriptors(struct mwi_loop *loop, int fd)
{
    mw_reason why;
    if (mwi_descriptors_open(&loop->outer.set, &why) == MW_OK &&
        add_to_outer(loop, &loop->outer.network, fd) == MW_OK &&
        add_to_outer(loop, &loop->outer.others, mwi_descriptors_fd(loop->descriptors)) == MW_OK)
        return mwi_descriptors_fd(loop->outer.set);
    return -1;
}

int mwi_loop_fd(struct mwi_loop *loop)
{
    if (loop->is_fd_asked)
        return loop->fd;
    loop->fd = mwi_carriers_fd(&loop->carriers);
    if (loop->fd >= 0 && loop->descriptors != NULL)
        loop->fd = join_descriptors(loop, loop->fd);
    loop->is_fd_asked = true;
    return loop->fd;
}

int64_t mwi_loop_due(const struct mwi_loop *loop)
{
    int64_t now_ns = mwi_loop_now(loop);
    if (loop->is_due)
        return now_ns;
    int64_t due_ns = find_deadline(loop, loop->turned_ns + TURN_EVERY_NS);
    if (loop->fd >= 0 && loop->carriers.count == 1)
        return due_ns;
    /* Counted from the last turn, so that to ask often does not put it off. */
    int64_t pause_ns = mwi_carriers_pause_ns(&loop->carriers, loop->turned_ns);
    return pause_ns > 0 ? mwi_time_earlier(due_ns, loop->turned_ns + pause_ns) : now_ns;
}

int64_t mwi_loop_turned(const struct mwi_loop *loop)
{
    return loop->turned_ns;
}

void mwi_loop_set_wall_clock(struct mwi_loop *loop)
{
    mwi_audit_file_set_offset(loop->audit, mwi_clock_wall_ns() - mwi_loop_now(loop));
}

void mwi_loop_audit(struct mwi_loop *loop, struct mwi_audit_record record)
{
    if (loop->is_disowned)
        return;
    record.time_ns = mwi_loop_now(loop);
    mwi_audit_file_write(loop->audit, &record);
}

int64_t mwi_loop_now(const struct mwi_loop *loop)
{
    return mwi_carriers_now(&loop->carriers);
}

int64_t mwi_loop_deadline_after(const struct mwi_loop *loop, double timeout_s)
{
    if (timeout_s < 0)
        return INT64_MAX;
    return mwi_time_after(mwi_loop_now(loop), mwi_time_from_seconds(timeout_s));
}
