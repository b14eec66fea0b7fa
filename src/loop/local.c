/* SPDX-License-Identifier: Apache-2.0
 *
 * The slaves that a local master starts. face/master_open opens and starts them, the loop tends
 * them as a chore. Each slave has a place. A place is empty, running, ending (its slave is lost,
 * its process not yet reaped), or given up. Invariants:
 *
 * - A place is filled again only when its process is reaped, so that the audit trail says how it
 *   ended before it says that another one was started.
 * - A process that has ended may have left its end of the socket to a child of its own, so that its
 *   connection stays up. So the end of the process is waited for as well: by its descriptor, or,
 *   where there is none (Linux below 5.3, or a very large farm), by looking every
 *   LOOK_AT_RUNNING_NS.
 * - Such a connection may still hold results, or a goodbye, that nobody has read. So the slave is
 *   lost only if its connection stays up for UNREAD_NS more, in which the loop polls at least once.
 * - A connection that ends before the process is not reported to the engine until the process is
 *   reaped, so that all hear how it ended; but after UNREAPED_NS the slave is lost anyway.
 * - Once the farm has been told to stop, no place is filled, and no process is killed before close
 *   but those whose tasks overran their time limit.
 *
 * starter.c knows how a slave is started. To start slaves elsewhere, write a room beside this one,
 * with its calls and child.c's replaced.
 */
#include "loop/local.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/time.h"
#include "loop/child.h"
#include "loop/family.h"
#include "loop/processors.h"
#include "loop/starter.h"
#include "loop/warden.h"

/* A process whose slave is lost is killed after this. */
#define PATIENCE_NS MWI_NS_PER_S
/* How often a process is looked at whose end no descriptor reports. */
#define LOOK_AT_ENDING_NS (2 * MWI_NS_PER_MS)
#define LOOK_AT_RUNNING_NS (500 * MWI_NS_PER_MS)
/* How long the connection of a process that has ended may still be read. */
#define UNREAD_NS (20 * MWI_NS_PER_MS)
/* How long a process may live on without its connection before its slave is lost. */
#define UNREAPED_NS (100 * MWI_NS_PER_MS)
/* How often the master looks whether slaves are stopped. */
#define LOOK_AT_STATE_NS MWI_NS_PER_S
/* How long a place waits that could not be filled. */
#define RETRY_NS (500 * MWI_NS_PER_MS)
/* The ends of processes are waited for by descriptors in a farm that has at most one slave for this
 * many descriptors that the process may open: so the slaves take half of them at most. */
#define DESCRIPTORS_PER_SLAVE 4
/* The longest wait for a process at close before the clock is read again. */
#define WAIT_MS_MAX 1000

enum place_state { PLACE_EMPTY, PLACE_RUNNING, PLACE_ENDING, PLACE_GIVEN_UP };

struct place {
    struct mwi_local *local;
    enum place_state state;
    struct mwi_child child;
    struct mwi_watch end; /* in the loop's descriptors while child.end_fd is not -1 */
    mw_peer peer;
    int deaths_in_row;
    bool was_useful;
    bool is_reaped;   /* running or ending: the process has ended, as `fate` says and the trail */
    bool is_down;     /* running: the connection has ended, which the engine has not heard */
    int64_t lose_ns;  /* running, and reaped or down: when the slave is lost; 0: not tended since */
    mw_reason fate;   /* reaped: how the process ended */
    mw_reason parted; /* down: why */
    const char *why_killed; /* running or ending: why it was sent SIGKILL; NULL: it was not */
    int64_t lost_ns;
    int64_t retry_ns;
};

struct mwi_local {
    struct mwi_loop *loop;
    size_t index;
    struct mwi_starter starter;
    struct place *places;
    size_t places_count;
    size_t given_up_count;
    int64_t due_ns;   /* when a place must be looked at */
    int64_t state_ns; /* when it is looked whether slaves are stopped */
    bool is_stopped;
    bool is_told_of_ends;      /* by descriptors, if the kernel has them */
    struct mwi_warden *warden; /* NULL: there is none */
    mw_reason last_end;
};

static size_t slaves_wanted(const struct mwi_local_settings *settings)
{
    if (settings->slaves_count > 0)
        return settings->slaves_count;
    return mwi_processors_usable(getenv);
}

/* A large farm needs its descriptors for the sockets of its slaves. */
static bool can_hear_ends(size_t places_count)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
           places_count <= limit.rlim_cur / DESCRIPTORS_PER_SLAVE;
}

static void free_local(struct mwi_local *local)
{
    if (local == NULL)
        return;
    free(local->places);
    mwi_starter_fini(&local->starter);
    free(local);
}

static void audit_end(struct mwi_local *local, const struct place *place, const char *how)
{
    mwi_loop_audit(local->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_LOCAL_ENDED,
                                                          .pid = (uint64_t)place->child.pid,
                                                          .reason = how});
}

static size_t index_of(const struct place *place)
{
    return (size_t)(place - place->local->places);
}

/* The descriptor must be open while its watch is removed. */
static void unwatch(struct place *place)
{
    if (place->child.end_fd < 0)
        return;
    mwi_descriptors_remove(mwi_loop_descriptors(place->local->loop), &place->end);
    close(place->child.end_fd);
    place->child.end_fd = -1;
}

/* Whether the process of the place has ended; then it is reaped and audited. */
static bool has_ended(struct place *place)
{
    struct mwi_local *local = place->local;
    struct mwi_child_end end;
    if (!mwi_child_has_ended(&place->child, &end))
        return false;
    unwatch(place);
    mwi_warden_release(local->warden, index_of(place));
    place->is_reaped = true;
    if (end.signal == SIGKILL && place->why_killed != NULL)
        snprintf(place->fate.text, sizeof place->fate.text, "was killed: %s", place->why_killed);
    else
        place->fate = end.how;
    local->last_end = place->fate;
    audit_end(local, place, place->fate.text);
    return true;
}

/* Sends SIGKILL; the process is reaped later. */
static void send_kill(struct place *place, const char *why)
{
    place->why_killed = why;
    mwi_child_send_kill(&place->child);
}

/* Ends the process before this returns. */
static void kill_process(struct place *place, const char *why)
{
    mw_reason end;
    snprintf(end.text, sizeof end.text, "was killed: %.400s", why);
    mwi_child_kill(&place->child);
    unwatch(place);
    mwi_warden_release(place->local->warden, index_of(place));
    audit_end(place->local, place, end.text);
}

static void begin_ending(struct place *place, bool was_useful)
{
    assert(place->state == PLACE_RUNNING);
    place->state = PLACE_ENDING;
    place->was_useful = was_useful;
    place->lost_ns = mwi_loop_now(place->local->loop);
    place->local->due_ns = INT64_MIN;
}

/* The engine may know nothing of a peer whose connection has not come up: then it reports no loss.
 */
static void lose_slave(struct place *place)
{
    const char *reason = place->is_reaped ? place->fate.text : place->parted.text;
    mwi_loop_lose(place->local->loop, place->peer, reason, place->is_reaped);
    if (place->state == PLACE_RUNNING)
        begin_ending(place, false);
}

static void look_at_running(struct place *place, int64_t now_ns)
{
    if (!place->is_reaped && place->child.end_fd < 0)
        (void)has_ended(place);
    if (!place->is_reaped && !place->is_down)
        return;
    if (place->is_reaped && place->is_down)
        lose_slave(place);
    else if (place->lose_ns == 0)
        place->lose_ns = now_ns + (place->is_down ? UNREAPED_NS : UNREAD_NS);
    else if (now_ns >= place->lose_ns)
        lose_slave(place);
}

/* The descriptor of the process is readable. If the process cannot be reaped all the same, looking
 * at it takes over, since the loop must not wait for a descriptor that stays readable. */
static void hear_end(void *context)
{
    struct place *place = context;
    place->local->due_ns = INT64_MIN;
    if (!has_ended(place))
        unwatch(place);
}

static void watch_end(struct place *place)
{
    if (place->child.end_fd < 0)
        return;
    place->end = (struct mwi_watch){.fd = place->child.end_fd, .ready = hear_end, .context = place};
    if (place->local->is_told_of_ends &&
        mwi_descriptors_add(mwi_loop_descriptors(place->local->loop), &place->end) == MW_OK)
        return;
    close(place->child.end_fd);
    place->child.end_fd = -1;
}

static mw_error fill(struct mwi_local *local, struct place *place, mw_reason *why)
{
    char address[32];
    assert(place->state == PLACE_EMPTY);
    mw_error error = mwi_starter_start(&local->starter, &place->child, local->warden == NULL, why);
    if (error != MW_OK)
        return error;
    mwi_warden_guard(local->warden, index_of(place), place->child.pid, local->starter.serial);
    mwi_loop_audit(local->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_LOCAL_STARTED,
                                                          .pid = (uint64_t)place->child.pid});
    snprintf(address, sizeof address, "fd:%d", place->child.channel);
    watch_end(place);
    place->state = PLACE_RUNNING;
    place->is_reaped = false;
    place->is_down = false;
    place->lose_ns = 0;
    place->why_killed = NULL;
    local->state_ns =
        mwi_time_earlier(local->state_ns, mwi_loop_now(local->loop) + LOOK_AT_STATE_NS);
    error = mwi_loop_connect(local->loop, local->index, address, &place->peer, why);
    if (error != MW_OK) {
        kill_process(place, why->text);
        place->state = PLACE_EMPTY;
    }
    return error;
}

/* A place has lost a process, or could not get one. It may have another, or is given up, which the
 * loop's user must hear of. */
static void count_death(struct mwi_local *local, struct place *place)
{
    place->deaths_in_row = place->was_useful ? 0 : place->deaths_in_row + 1;
    place->state = PLACE_EMPTY;
    if (place->deaths_in_row <= MWI_LOCAL_REPLACEMENTS_MAX)
        return;
    place->state = PLACE_GIVEN_UP;
    local->given_up_count++;
    assert(local->given_up_count <= local->places_count);
    mwi_loop_rouse(local->loop);
}

static void reap(struct mwi_local *local, struct place *place, int64_t now_ns)
{
    bool is_late = now_ns - place->lost_ns >= PATIENCE_NS;
    if (!place->is_reaped && !local->is_stopped && place->why_killed == NULL && is_late)
        send_kill(place, "it went on for a second after the farm had given it up");
    if (!place->is_reaped && !has_ended(place))
        return;
    if (local->is_stopped)
        place->state = PLACE_EMPTY;
    else
        count_death(local, place);
}

static void refill(struct mwi_local *local, struct place *place, int64_t now_ns)
{
    if (now_ns < place->retry_ns || fill(local, place, &local->last_end) == MW_OK)
        return;
    mwi_loop_audit(local->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_LOCAL_FAILED,
                                                          .reason = local->last_end.text});
    place->was_useful = false;
    place->retry_ns = now_ns + RETRY_NS;
    count_death(local, place);
}

static void tend_place(struct mwi_local *local, struct place *place, int64_t now_ns)
{
    if (place->state == PLACE_RUNNING)
        look_at_running(place, now_ns);
    if (place->state == PLACE_ENDING)
        reap(local, place, now_ns);
    if (place->state == PLACE_EMPTY && !local->is_stopped)
        refill(local, place, now_ns);
}

/* When the place must be looked at again. */
static int64_t place_due(const struct place *place, int64_t now_ns)
{
    bool is_watched = place->child.end_fd >= 0;
    switch (place->state) {
    case PLACE_RUNNING:
        if (place->is_reaped || (place->is_down && is_watched))
            return place->lose_ns;
        if (place->is_down)
            return now_ns + LOOK_AT_ENDING_NS;
        return is_watched ? INT64_MAX : now_ns + LOOK_AT_RUNNING_NS;
    case PLACE_ENDING:
        if (!is_watched)
            return now_ns + LOOK_AT_ENDING_NS;
        /* A killed process that does not end hangs in the kernel: it is not killed ever again. */
        return now_ns - place->lost_ns < PATIENCE_NS ? place->lost_ns + PATIENCE_NS : INT64_MAX;
    case PLACE_EMPTY:
        return place->local->is_stopped ? INT64_MAX : place->retry_ns;
    default:
        return INT64_MAX;
    }
}

/* Tells of slaves that a signal has stopped, or let go on. */
static void look_at_states(struct mwi_local *local, int64_t now_ns)
{
    bool is_any_running = false;
    for (size_t i = 0; i < local->places_count; i++) {
        const struct place *place = &local->places[i];
        bool is_stopped, is_running = place->state == PLACE_RUNNING && !place->is_reaped;
        is_any_running = is_any_running || is_running;
        if (is_running && mwi_child_has_halted(&place->child, &is_stopped))
            mwi_loop_audit(local->loop, (struct mwi_audit_record){
                                            .kind = MWI_AUDIT_LOCAL_HALTED,
                                            .pid = (uint64_t)place->child.pid,
                                            .reason = is_stopped ? "is stopped" : "goes on"});
    }
    local->state_ns = is_any_running ? now_ns + LOOK_AT_STATE_NS : INT64_MAX;
}

/* A loss that comes meanwhile sets due_ns too. */
static void tend(void *context, int64_t now_ns)
{
    struct mwi_local *local = context;
    if (now_ns < local->due_ns)
        return;
    local->due_ns = INT64_MAX;
    for (size_t i = 0; i < local->places_count; i++) {
        tend_place(local, &local->places[i], now_ns);
        local->due_ns = mwi_time_earlier(local->due_ns, place_due(&local->places[i], now_ns));
    }
    if (local->is_stopped)
        return;
    if (now_ns >= local->state_ns)
        look_at_states(local, now_ns);
    local->due_ns = mwi_time_earlier(local->due_ns, local->state_ns);
}

static int64_t deadline(const void *context)
{
    return ((const struct mwi_local *)context)->due_ns;
}

void mwi_local_stop(struct mwi_local *local)
{
    local->is_stopped = true;
}

static void stop(void *context, bool is_finished)
{
    (void)is_finished;
    mwi_local_stop(context);
}

static bool has_process(const struct place *place)
{
    return (place->state == PLACE_RUNNING || place->state == PLACE_ENDING) && !place->is_reaped;
}

/* Why a process is killed at close. A farm that has never opened does not wait for anybody. */
static const char *why_closed(const struct place *place, int64_t deadline_ns)
{
    if (place->why_killed != NULL)
        return place->why_killed;
    return deadline_ns == INT64_MIN ? "the farm could not be opened"
                                    : "it did not end within --mw-shutdown-timeout";
}

/* Ends one process, waiting for it until the deadline. */
static void close_place(struct mwi_local *local, struct place *place, int64_t deadline_ns)
{
    while (!has_ended(place)) {
        int64_t now_ns = mwi_loop_now(local->loop);
        if (now_ns >= deadline_ns) {
            kill_process(place, why_closed(place, deadline_ns));
            return;
        }
        int64_t left_ms = (deadline_ns - now_ns) / MWI_NS_PER_MS + 1;
        mwi_child_wait(&place->child, left_ms < WAIT_MS_MAX ? (int)left_ms : WAIT_MS_MAX);
    }
}

static void close_local(void *context, int64_t deadline_ns)
{
    struct mwi_local *local = context;
    for (size_t i = 0; i < local->places_count; i++)
        if (has_process(&local->places[i]))
            close_place(local, &local->places[i], deadline_ns);
    mwi_warden_close(local->warden);
    free_local(local);
}

mw_error mwi_local_open(struct mwi_local **local, const struct mwi_local_settings *settings,
                        const struct mwi_executable *executable, struct mwi_loop *loop,
                        size_t index, bool has_own_process, mw_reason *why)
{
    if (mwi_child_is_one()) {
        /* It would start slaves that start slaves, without end. */
        snprintf(
            why->text, sizeof why->text,
            "this process was itself started as a local slave: its main must hand its arguments "
            "to mw_main, or to mw_options_parse and mw_slave_open");
        return MW_EUSAGE;
    }
    size_t places_count = slaves_wanted(settings);
    struct mwi_local *opened = calloc(1, sizeof *opened);
    bool is_made = false;
    if (opened != NULL) {
        opened->loop = loop;
        opened->index = index;
        opened->places = calloc(places_count, sizeof *opened->places);
        is_made = mwi_starter_init(&opened->starter, settings, executable, has_own_process);
    }
    if (!is_made || opened->places == NULL) {
        free_local(opened);
        snprintf(why->text, sizeof why->text, "out of memory");
        return MW_ENOMEM;
    }
    opened->places_count = places_count;
    opened->is_told_of_ends = can_hear_ends(places_count);
    for (size_t i = 0; i < opened->places_count; i++)
        opened->places[i].local = opened;
    mwi_chores_add(mwi_loop_chores(loop), &(struct mwi_chore_entry){.context = opened,
                                                                    .tend = tend,
                                                                    .deadline = deadline,
                                                                    .stop = stop,
                                                                    .close = close_local});
    *local = opened;
    return MW_OK;
}

static void open_warden(struct mwi_local *local)
{
    mw_reason why;
    if (mwi_warden_open(&local->warden, local->starter.name, local->places_count, &why) != MW_OK)
        mwi_loop_audit(local->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_LOCAL_UNGUARDED,
                                                              .reason = why.text});
}

mw_error mwi_local_start(struct mwi_local *local, mw_reason *why)
{
    mw_error error = MW_OK;
    if (local->starter.has_own_process)
        open_warden(local);
    for (size_t i = 0; i < local->places_count && error == MW_OK; i++)
        error = fill(local, &local->places[i], why);
    return error;
}

/* The place whose slave is `peer`; NULL if there is none, or none any more. */
static struct place *find_place(struct mwi_local *local, mw_peer peer)
{
    for (size_t i = 0; i < local->places_count; i++)
        if (local->places[i].state == PLACE_RUNNING && local->places[i].peer == peer)
            return &local->places[i];
    return NULL;
}

void mwi_local_lost(struct mwi_local *local, mw_peer peer, bool was_useful, mw_loss loss)
{
    struct place *place = find_place(local, peer);
    if (place == NULL)
        return;
    begin_ending(place, was_useful);
    if (loss == MW_LOSS_TIME_LIMIT && !place->is_reaped)
        send_kill(place, "its task overran its time limit");
}

bool mwi_local_is_halted(struct mwi_local *local, mw_peer peer)
{
    struct mwi_family_process process;
    const struct place *place = find_place(local, peer);
    return place != NULL && !place->is_reaped && mwi_family_read(place->child.pid, &process) &&
           process.state == 'T';
}

bool mwi_local_withhold(struct mwi_local *local, mw_peer peer, const char *reason)
{
    struct place *place = find_place(local, peer);
    if (place == NULL)
        return false;
    snprintf(place->parted.text, sizeof place->parted.text, "%s", reason);
    place->is_down = true;
    place->lose_ns = 0;
    local->due_ns = INT64_MIN;
    return true;
}

bool mwi_local_is_exhausted(const struct mwi_local *local, mw_reason *why)
{
    if (local->given_up_count < local->places_count)
        return false;
    snprintf(why->text, sizeof why->text,
             "every local slave ended %d times in a row before it began a task; the last: %.200s",
             MWI_LOCAL_REPLACEMENTS_MAX + 1, local->last_end.text);
    return true;
}
