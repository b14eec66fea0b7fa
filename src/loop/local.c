/* SPDX-License-Identifier: Apache-2.0
 *
 * A place is empty, running, ending (its slave is lost, the process not yet reaped), or given up. A
 * place is filled again once its process is reaped, so that the audit trail can say how it ended
 * before it says that another was started.
 */
#include "loop/local.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "loop/child.h"
#include "loop/executable.h"

/* How often an ending process is looked at, and when it is helped along. */
#define LOOK_NS INT64_C(2000000)
#define PATIENCE_NS MWI_NS_PER_S

/* How often running ones are looked at, and how long a place waits that could not be filled. */
#define LOOK_AT_RUNNING_NS INT64_C(500000000)
#define RETRY_NS INT64_C(500000000)

enum place_state { PLACE_EMPTY, PLACE_RUNNING, PLACE_ENDING, PLACE_GIVEN_UP };

struct place {
    enum place_state state;
    struct mwi_child child;
    mw_peer peer;
    int deaths_in_row;
    bool was_useful;
    bool is_reaped; /* ending, and waited for already */
    int64_t lost_ns;
    int64_t retry_ns;
};

struct mwi_local {
    struct mwi_loop *loop;
    size_t index;
    char *path;
    bool is_path_asked; /* by --mw-slave-executable */
    char **arguments;   /* each an own string */
    size_t arguments_count;
    struct place *places;
    size_t places_count;
    size_t ending_count;
    int64_t tended_ns, looked_ns;
    size_t given_up_count;
    mw_reason last_end;
};

#define CHANNEL_INDEX 2

static bool add_argument(struct mwi_local *local, const char *argument)
{
    char *copy = strdup(argument);
    local->arguments[local->arguments_count] = copy;
    local->arguments_count += copy != NULL;
    return copy != NULL;
}

/* The program, "--mw-slave", the channel, the inherited options, and the user's own arguments. */
static bool make_arguments(struct mwi_local *local, const struct mwi_local_settings *settings)
{
    size_t user_count = settings->argc > 0 ? (size_t)settings->argc - 1 : 0;
    local->arguments = calloc(settings->inherited_count + user_count + 4, sizeof(char *));
    if (local->arguments == NULL)
        return false;
    bool is_made = add_argument(local, settings->argc > 0 ? settings->argv[0] : local->path) &&
                   add_argument(local, "--mw-slave") && add_argument(local, "--mw-channel");
    for (size_t i = 0; i < settings->inherited_count && is_made; i++)
        is_made = add_argument(local, settings->inherited[i]);
    for (size_t i = 0; i < user_count && is_made; i++)
        is_made = add_argument(local, settings->argv[i + 1]);
    return is_made;
}

static size_t slaves_wanted(const struct mwi_local_settings *settings)
{
    if (settings->slaves_count > 0)
        return settings->slaves_count;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 1 : (size_t)processors;
}

mw_error mwi_local_open(struct mwi_local **local, const struct mwi_local_settings *settings,
                        struct mwi_loop *loop, size_t index, mw_reason *why)
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
    if (opened != NULL) {
        opened->loop = loop;
        opened->index = index;
        opened->path = mwi_executable_to_start(settings->executable);
        opened->is_path_asked = settings->executable != NULL;
        opened->places = calloc(places_count, sizeof *opened->places);
    }
    if (opened == NULL || opened->path == NULL || opened->places == NULL ||
        !make_arguments(opened, settings)) {
        mwi_local_close(opened, INT64_MIN);
        snprintf(why->text, sizeof why->text, "out of memory");
        return MW_ENOMEM;
    }
    assert(opened->arguments_count > CHANNEL_INDEX);
    opened->places_count = places_count;
    *local = opened;
    return MW_OK;
}

static void name_option(mw_reason *why)
{
    mw_reason named;
    snprintf(named.text, sizeof named.text, "--mw-slave-executable: %.450s", why->text);
    *why = named;
}

static mw_error fill(struct mwi_local *local, struct place *place, mw_reason *why)
{
    char address[32];
    mw_error error =
        mwi_child_start(&place->child, local->path, local->arguments, CHANNEL_INDEX, why);
    if (error != MW_OK) {
        if (local->is_path_asked)
            name_option(why);
        return error;
    }
    snprintf(address, sizeof address, "fd:%d", place->child.channel);
    place->state = PLACE_RUNNING;
    mwi_loop_audit(local->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_LOCAL_STARTED,
                                                          .count = (uint64_t)place->child.pid});
    return mwi_loop_connect(local->loop, local->index, address, &place->peer, why);
}

static void audit_end(struct mwi_local *local, const struct place *place, const char *how)
{
    mwi_loop_audit(local->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_LOCAL_ENDED,
                                                          .count = (uint64_t)place->child.pid,
                                                          .reason = how});
}

/* A place has lost a process, or could not get one; it may have another, or not. */
static void count_death(struct mwi_local *local, struct place *place)
{
    place->deaths_in_row = place->was_useful ? 0 : place->deaths_in_row + 1;
    bool is_over = place->deaths_in_row > MWI_LOCAL_REPLACEMENTS_MAX;
    place->state = is_over ? PLACE_GIVEN_UP : PLACE_EMPTY;
    local->given_up_count += is_over;
}

static void reap(struct mwi_local *local, struct place *place, int64_t now_ns)
{
    if (!place->is_reaped && now_ns - place->lost_ns > PATIENCE_NS)
        kill(place->child.pid, SIGKILL);
    if (!place->is_reaped && !mwi_child_has_ended(&place->child, &local->last_end))
        return;
    place->is_reaped = false;
    local->ending_count--;
    audit_end(local, place, local->last_end.text);
    count_death(local, place);
}

/* A process that has ended may have left its end of the socket to a child of its own, so that its
 * connection does not say so. */
static void look_at_running(struct mwi_local *local, struct place *place)
{
    if (!mwi_child_has_ended(&place->child, &local->last_end))
        return;
    place->is_reaped = true;
    mwi_loop_lose(local->loop, place->peer, local->last_end.text);
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

void mwi_local_tend(struct mwi_local *local)
{
    int64_t now_ns = mwi_loop_now(local->loop);
    local->tended_ns = now_ns;
    bool is_time = now_ns - local->looked_ns >= LOOK_AT_RUNNING_NS;
    if (is_time)
        local->looked_ns = now_ns;
    for (size_t i = 0; i < local->places_count; i++) {
        struct place *place = &local->places[i];
        if (is_time && place->state == PLACE_RUNNING)
            look_at_running(local, place);
        if (place->state == PLACE_ENDING)
            reap(local, place, now_ns);
        if (place->state == PLACE_EMPTY)
            refill(local, place, now_ns);
    }
}

mw_error mwi_local_start(struct mwi_local *local, mw_reason *why)
{
    mw_error error = MW_OK;
    for (size_t i = 0; i < local->places_count && error == MW_OK; i++)
        error = fill(local, &local->places[i], why);
    return error;
}

int64_t mwi_local_deadline(const struct mwi_local *local)
{
    if (local->ending_count > 0)
        return local->tended_ns + LOOK_NS;
    return local->looked_ns + LOOK_AT_RUNNING_NS;
}

void mwi_local_lost(struct mwi_local *local, mw_peer peer, bool was_useful)
{
    for (size_t i = 0; i < local->places_count; i++) {
        struct place *place = &local->places[i];
        if (place->state != PLACE_RUNNING || place->peer != peer)
            continue;
        place->state = PLACE_ENDING;
        place->was_useful = was_useful;
        place->lost_ns = mwi_loop_now(local->loop);
        local->ending_count++;
    }
}

bool mwi_local_is_exhausted(const struct mwi_local *local, mw_reason *why)
{
    if (local->given_up_count < local->places_count)
        return false;
    snprintf(why->text, sizeof why->text,
             "every local slave ended %d times in a row before it got a task; the last: %.200s",
             MWI_LOCAL_REPLACEMENTS_MAX + 1, local->last_end.text);
    return true;
}

static bool has_process(const struct place *place)
{
    return place->state == PLACE_RUNNING || place->state == PLACE_ENDING;
}

/* Ends one process, waiting for it until the deadline. */
static void close_place(struct mwi_local *local, struct place *place, int64_t deadline_ns)
{
    mw_reason how;
    while (!mwi_child_has_ended(&place->child, &how)) {
        if (mwi_loop_now(local->loop) < deadline_ns) {
            usleep(LOOK_NS / 1000);
            continue;
        }
        kill(place->child.pid, SIGKILL);
        while (waitpid(place->child.pid, NULL, 0) < 0 && errno == EINTR)
            ;
        snprintf(how.text, sizeof how.text, "killed, it did not end within --mw-shutdown-timeout");
        break;
    }
    audit_end(local, place, how.text);
}

void mwi_local_close(struct mwi_local *local, int64_t deadline_ns)
{
    if (local == NULL)
        return;
    for (size_t i = 0; i < local->places_count; i++)
        if (has_process(&local->places[i]))
            close_place(local, &local->places[i], deadline_ns);
    free(local->places);
    for (size_t i = 0; i < local->arguments_count; i++)
        free(local->arguments[i]);
    free(local->arguments);
    free(local->path);
    free(local);
}
