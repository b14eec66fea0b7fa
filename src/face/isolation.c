/* SPDX-License-Identifier: Apache-2.0
 *
 * Serves an isolated slave: does for engine/relay what it asks for, starts and kills processes, and
 * tells it how they ended. mw_main calls it in place of the slave algorithm.
 *
 * Invariant: no algorithm of the user runs in this process. The relay decides, and this file acts;
 * loop/zygote makes the processes. Something new that the relay asks for is a case in obey.
 */
#include "face/isolation.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "face/slave_error.h"
#include "face/slave_return.h"
#include "loop/signals.h"
#include "transports/registry.h"

#define STATUS_FAILURE 255

struct isolation {
    mw_slave *slave;
    struct mwi_relay *relay; /* the slave's */
    struct mwi_zygote *zygote;
    struct mwi_watch watch; /* of the zygote's socket */
    size_t index; /* of the children's transport in the loop; 0: it is the master's, too */
    int status;   /* of the slave: that of the process that has ended with it, if any */
};

struct mwi_zygote_plan mwi_isolation_plan(const mw_options *options, enum mwi_mode mode)
{
    bool has_channel = mode == MWI_MODE_CHANNEL_SLAVE;
    bool has_limit = mwi_options_is_set(options, MWI_OPTION_SLAVE_MEMORY);
    return (struct mwi_zygote_plan){
        .memory_bytes_max =
            has_limit ? mwi_options_size_bytes(options, MWI_OPTION_SLAVE_MEMORY) : 0,
        .closed_fd = has_channel ? (int)mwi_options_integer(options, MWI_OPTION_CHANNEL) : -1,
        .page_bytes = sizeof(struct mwi_relay_page)};
}

void mwi_isolation_read_child(struct mwi_slave_settings *settings, const mw_options *options,
                              struct mwi_relay_page *page, int channel)
{
    mwi_settings_read_slave(settings, options, MWI_MODE_CHANNEL_SLAVE);
    settings->page = page;
    settings->engine.reconnect_ns = 0;
    settings->audit.level = MWI_AUDIT_LEVEL_NONE;
    settings->audit.pattern = NULL;
    snprintf(settings->place.address, sizeof settings->place.address, "fd:%d", channel);
}

static void break_slave(struct isolation *isolation, mw_error error, const char *sentence)
{
    mw_slave *slave = isolation->slave;
    if (slave->broken == MW_OK)
        slave->broken = mwi_slave_error_set(slave, error, "%s", sentence);
}

/* A process that was killed because the slave ends has no status of its own. */
static void note_status(struct isolation *isolation, int status)
{
    bool is_last = isolation->slave->engine.phase != MWI_PHASE_READY || isolation->relay->has_left;
    if (is_last && isolation->relay->why_killed == NULL)
        isolation->status = status >= 0 ? status : STATUS_FAILURE;
}

static bool has_signal(const mw_slave *slave)
{
    return slave->has_signals && mwi_signals_caught() != 0;
}

static void stop_at_signal(struct isolation *isolation)
{
    if (has_signal(isolation->slave))
        mwi_relay_stop(isolation->relay, mwi_loop_now(isolation->slave->loop));
}

/* A batch system may have sent the signal that has ended the child to this process, too. Then the
 * slave leaves, and the task has not failed. */
static void hear_zygote(void *context)
{
    struct isolation *isolation = context;
    mw_reason how;
    int status;
    switch (mwi_zygote_read(isolation->zygote, &how, &status)) {
    case MWI_ZYGOTE_NOTHING:
        break;
    case MWI_ZYGOTE_ENDED:
        stop_at_signal(isolation);
        note_status(isolation, status);
        mwi_relay_child_ended(isolation->relay, how.text, mwi_loop_now(isolation->slave->loop));
        mwi_loop_carry_out(isolation->slave->loop);
        break;
    case MWI_ZYGOTE_GONE:
        break_slave(isolation, MW_EIO,
                    "somebody has killed the process that starts those for tasks");
        break;
    }
}

/* Starts a child, and connects to it. */
static mw_error start_child(struct isolation *isolation, mw_reason *why)
{
    int sockets[2];
    char address[32];
    mw_peer peer;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        snprintf(why->text, sizeof why->text, "no socket can be made");
        return MW_EIO;
    }
    memset(isolation->zygote->page, 0, sizeof(struct mwi_relay_page));
    snprintf(address, sizeof address, "fd:%d", sockets[0]);
    mw_error error =
        mwi_loop_connect(isolation->slave->loop, isolation->index, address, &peer, why);
    if (error == MW_OK) {
        mwi_relay_child_started(isolation->relay, peer);
        if (!mwi_zygote_start(isolation->zygote, sockets[1]))
            break_slave(isolation, MW_EIO,
                        "somebody has killed the process that starts those for tasks");
    }
    close(sockets[1]);
    return error;
}

/* Does what the relay asks for. */
static void obey(struct isolation *isolation)
{
    mw_reason why = {""};
    struct mwi_relay *relay = isolation->relay;
    if (mwi_relay_wants_child(relay) && start_child(isolation, &why) != MW_OK)
        mwi_relay_cannot_start(relay, why.text);
    if (mwi_relay_pop_kill(relay))
        mwi_zygote_kill(isolation->zygote);
}

static void turn(struct isolation *isolation)
{
    mw_reason why;
    mw_slave *slave = isolation->slave;
    int64_t deadline_ns = INT64_MAX;
    if (mwi_slave_return_is_due(slave))
        mwi_slave_return_go_on(slave, &deadline_ns);
    mw_error error = mwi_loop_turn(slave->loop, deadline_ns, NULL, &why);
    mwi_slave_return_finish_if_found(slave);
    if (error != MW_OK)
        break_slave(isolation, error, why.text);
    mwi_results_have_left(&slave->engine.results);
    stop_at_signal(isolation);
    mwi_relay_flush(isolation->relay, mwi_loop_now(slave->loop));
    mwi_loop_carry_out(slave->loop);
}

static void serve(struct isolation *isolation)
{
    mw_slave *slave = isolation->slave;
    mw_reason why;
    /* A signal may interrupt the loop at any time, so its handler must send nothing. */
    slave->is_outside = false;
    mwi_slave_engine_attend(&slave->engine);
    mwi_loop_carry_out(slave->loop);
    while (slave->broken == MW_OK && !mwi_relay_is_over(isolation->relay)) {
        obey(isolation);
        if (!mwi_relay_is_over(isolation->relay))
            turn(isolation);
    }
    if (mwi_relay_has_given_up(isolation->relay, &why))
        break_slave(isolation, MW_EIO, why.text);
}

/* The children are peers of the transport of the master, if that is tcp: a loop with one transport
 * sleeps until something happens, and one with several looks again and again. */
static mw_error open_transport(struct isolation *isolation, mw_reason *why)
{
    const struct mwi_slave_engine_config *config = &isolation->slave->engine.config;
    size_t read = config->frame_read_bytes_max, write = config->frame_write_bytes_max;
    const mw_transport_api *api;
    struct mwi_loop *loop = isolation->slave->loop;
    if (strcmp(mwi_loop_scheme(loop, 0), "tcp") == 0)
        return MW_OK;
    mw_error error = mwi_registry_find("tcp", &api, why);
    if (error == MW_OK)
        error = mwi_loop_add(loop, api, NULL, read > write ? read : write, &isolation->index, why);
    return error;
}

/* Adds the children's transport, and the watch of the zygote, to the slave's loop. */
static mw_error open_parts(struct isolation *isolation, mw_reason *why)
{
    struct mwi_loop *loop = isolation->slave->loop;
    mw_error error = open_transport(isolation, why);
    if (error != MW_OK)
        return error;
    isolation->watch = (struct mwi_watch){isolation->zygote->socket, hear_zygote, isolation};
    snprintf(why->text, sizeof why->text, "cannot wait for the processes of tasks");
    return mwi_descriptors_add(mwi_loop_descriptors(loop), &isolation->watch);
}

int mwi_isolation_serve(mw_slave *slave, struct mwi_zygote *zygote)
{
    struct isolation isolation = {.slave = slave, .relay = slave->relay, .zygote = zygote};
    mw_reason why;
    mw_error error = open_parts(&isolation, &why);
    if (error != MW_OK) {
        break_slave(&isolation, error, why.text);
        return STATUS_FAILURE;
    }
    serve(&isolation);
    mwi_descriptors_remove(mwi_loop_descriptors(slave->loop), &isolation.watch);
    bool is_well = slave->broken == MW_OK &&
                   (slave->engine.phase == MWI_PHASE_SHUTDOWN || isolation.relay->has_left);
    return is_well ? isolation.status : STATUS_FAILURE;
}
