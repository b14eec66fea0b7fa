/* SPDX-License-Identifier: Apache-2.0
 *
 * How a master comes and goes. Opening goes from the trail to the loop to the transports, whose
 * addresses the resource file needs, to the local slaves; closing goes back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../transports/table.h"
#include "master.h"
#include "signals.h"

#define ADDRESS_SIZE 512

static void step_engine(void *engine, const struct mwi_event *event)
{
    mwi_master_engine_step(engine, event);
}

static int64_t engine_deadline(const void *engine)
{
    return mwi_master_engine_deadline(engine);
}

static void slave_lost(void *context, mw_peer peer, bool was_useful)
{
    mw_master *master = context;
    master->slaves_lost_count++;
    if (master->local != NULL)
        mwi_local_lost(master->local, peer, was_useful);
}

/* What the master listens on, by mode. */
struct listening {
    const mw_transport_api *api;
    void *environment;
    char address[ADDRESS_SIZE];
};

static mw_error choose_transport(const mw_options *options, enum mwi_mode mode,
                                 struct listening *chosen, mw_reason *why)
{
    size_t count;
    const struct mwi_option_transport *custom = mwi_options_transports(options, &count);
    const char *host = mwi_options_text(options, MWI_OPTION_MASTER_HOST);
    *chosen = (struct listening){0};
    if (count > 0) {
        chosen->api = custom[0].api;
        chosen->environment = custom[0].environment;
        snprintf(chosen->address, sizeof chosen->address, "%s", custom[0].address);
        return MW_OK;
    }
    if (mode == MWI_MODE_TCP_MASTER)
        snprintf(chosen->address, sizeof chosen->address,
                 host != NULL && strchr(host, ':') != NULL && host[0] != '[' ? "[%s]:%lld"
                                                                             : "%s:%lld",
                 host == NULL ? "*" : host,
                 (long long)mwi_options_integer(options, MWI_OPTION_MASTER_PORT));
    return mwi_transport_find(mode == MWI_MODE_MPI_MASTER ? "mpi" : "tcp", &chosen->api, why);
}

static mw_error init_engine(mw_master *master, const mw_options *options)
{
    struct mwi_master_engine_config config = {
        .member_id = master->member_id,
        .algorithms = mwi_launch_algorithms(master->program),
        .task_group = (size_t)mwi_options_integer(options, MWI_OPTION_SLAVE_TASK_GROUP),
        .result_group = (size_t)mwi_options_integer(options, MWI_OPTION_SLAVE_RESULT_GROUP),
        .frame_write_bytes_max =
            (size_t)mwi_options_integer(options, MWI_OPTION_MAX_WRITE_BUFFER_SIZE),
        .frame_read_bytes_max =
            (size_t)mwi_options_integer(options, MWI_OPTION_MAX_READ_BUFFER_SIZE),
        .client_timeout_ns = mwi_options_duration_ns(options, MWI_OPTION_CLIENT_TIMEOUT),
        .shutdown_timeout_ns = mwi_options_duration_ns(options, MWI_OPTION_SHUTDOWN_TIMEOUT),
    };
    master->shutdown_timeout_ns = config.shutdown_timeout_ns;
    return mwi_master_engine_init(&master->engine, &config);
}

/* A master with everything but the outside. */
static mw_error create_master(mw_master **master, const mw_program *program,
                              const mw_options *options)
{
    mw_error error = MW_ENOMEM;
    mw_master *created = calloc(1, sizeof *created);
    if (created == NULL)
        return MW_ENOMEM;
    created->program = program;
    created->member_id = strdup(mwi_options_text(options, MWI_OPTION_MEMBER_ID));
    if (created->member_id == NULL || !mwi_values_init(&created->values))
        goto free_created;
    error = init_engine(created, options);
    if (error != MW_OK)
        goto fini_values;
    *master = created;
    return MW_OK;

fini_values:
    mwi_values_fini(&created->values);
free_created:
    free(created->member_id);
    free(created);
    return error;
}

static size_t frame_bytes_max(const mw_options *options)
{
    int64_t read = mwi_options_integer(options, MWI_OPTION_MAX_READ_BUFFER_SIZE);
    int64_t write = mwi_options_integer(options, MWI_OPTION_MAX_WRITE_BUFFER_SIZE);
    return (size_t)(read > write ? read : write);
}

static void audit_text(mw_master *master, enum mwi_audit_kind kind, const char *text)
{
    mwi_loop_audit(master->loop,
                   (struct mwi_audit_record){.kind = kind, .role = MWI_ROLE_MASTER, .text = text});
}

static mw_error listen_on(mw_master *master, size_t index, const char *address,
                          char bound[ADDRESS_SIZE], mw_reason *why)
{
    mw_error error = mwi_loop_listen(master->loop, index, address, bound, ADDRESS_SIZE, why);
    if (error == MW_OK)
        mwi_loop_audit(master->loop,
                       (struct mwi_audit_record){.kind = MWI_AUDIT_MASTER_READY,
                                                 .transport = mwi_loop_scheme(master->loop, index),
                                                 .address = bound});
    return error;
}

/* Slaves may come on all transports that the user made, not only on the first. */
static mw_error open_others(mw_master *master, const mw_options *options,
                            const struct mwi_launch *launch, mw_reason *why)
{
    char bound[ADDRESS_SIZE];
    size_t count, index;
    mw_error error = MW_OK;
    const struct mwi_option_transport *custom = mwi_options_transports(options, &count);
    for (size_t i = 1; i < count && error == MW_OK; i++) {
        error = mwi_loop_add(master->loop, custom[i].api, custom[i].environment,
                             frame_bytes_max(options), launch->wake_fd, &index, why);
        if (error == MW_OK)
            error = listen_on(master, index, custom[i].address, bound, why);
    }
    return error;
}

static mw_error open_loop(mw_master *master, const mw_options *options,
                          const struct mwi_launch *launch, const struct listening *chosen,
                          mw_reason *why)
{
    char bound[ADDRESS_SIZE] = "";
    size_t index = 0;
    struct mwi_loop_engine engine = {.engine = &master->engine,
                                     .step = step_engine,
                                     .deadline = engine_deadline,
                                     .effects = &master->engine.effects,
                                     .lost = slave_lost,
                                     .lost_context = master};
    mw_error error = mwi_loop_open(&master->loop, &engine, master->trail);
    if (error == MW_OK)
        error = mwi_loop_add(master->loop, chosen->api, chosen->environment,
                             frame_bytes_max(options), launch->wake_fd, &index, why);
    if (error != MW_OK)
        return error;
    mwi_trail_set_clock(master->trail, chosen->api->scheme, mwi_loop_now(master->loop));
    audit_text(master, MWI_AUDIT_VERSION, mw_version());
    audit_text(master, MWI_AUDIT_INIT, master->member_id);
    if (launch->mode != MWI_MODE_LOCAL)
        error = listen_on(master, index, chosen->address, bound, why);
    if (error == MW_OK)
        error = open_others(master, options, launch, why);
    if (error != MW_OK)
        return error;
    error = mwi_announce_open(&master->announce, options, chosen->api->scheme,
                              strcmp(chosen->api->scheme, "tcp") == 0 ? bound : "");
    if (error == MW_OK)
        error =
            mwi_announce_write(master->announce, master->loop, MWI_COMPUTATION_IN_PROGRESS, why);
    if (error == MW_OK && launch->mode == MWI_MODE_LOCAL)
        error = mwi_local_open(&master->local, options, launch, master->loop, index, why);
    if (error == MW_OK && master->local != NULL)
        error = mwi_local_start(master->local, why);
    return error;
}

static mw_error open_parts(mw_master *master, const mw_options *options,
                           const struct mwi_launch *launch, mw_reason *why)
{
    struct listening chosen;
    mw_error error = choose_transport(options, launch->mode, &chosen, why);
    if (error == MW_OK)
        error = mwi_trail_open(&master->trail, options, MWI_ROLE_MASTER, launch->mode,
                               chosen.api->scheme, why);
    if (error != MW_OK)
        return error;
    master->engine.effects.is_audited = mwi_audit_file_wanted(master->trail);
    return open_loop(master, options, launch, &chosen, why);
}

static void free_master(mw_master *master)
{
    mwi_local_close(master->local, INT64_MIN);
    mwi_announce_close(master->announce);
    mwi_loop_close(master->loop);
    mwi_audit_file_close(master->trail);
    mwi_master_engine_fini(&master->engine);
    mwi_values_fini(&master->values);
    mwi_block_unref(master->result_block);
    free(master->result_arguments);
    free(master->result_tag);
    mwi_buffer_fini(&master->scratch);
    free(master->formatted);
    free(master->member_id);
    free(master);
}

mw_error mwi_master_open(mw_master **master, const mw_program *program, mw_options *options,
                         const struct mwi_launch *launch)
{
    mw_reason why = {""};
    mw_master *opened;
    mw_error error = mwi_launch_check_program(program, &why);
    if (error != MW_OK)
        return mwi_options_fail(options, error, "%s", why.text);
    error = create_master(&opened, program, options);
    if (error != MW_OK)
        return mwi_options_fail(options, error, "cannot make a master: %s", mw_error_text(error));
    opened->has_signals = launch->wake_fd >= 0;
    opened->slaves_max = launch->mode == MWI_MODE_MPI_MASTER ? (size_t)launch->world.size - 1 : 0;
    error = open_parts(opened, options, launch, &why);
    if (error != MW_OK) {
        /* What the resource file may promise already will not come. */
        mwi_announce_end(opened->announce, opened->loop, MWI_COMPUTATION_FAILED);
        free_master(opened);
        return mwi_options_fail(options, error, "%s",
                                why.text[0] == '\0' ? mw_error_text(error) : why.text);
    }
    *master = opened;
    return MW_OK;
}

mw_error mw_master_open(mw_master **master, const mw_program *program, mw_options *options)
{
    mw_error error = mwi_options_check(options);
    if (error != MW_OK)
        return error;
    struct mwi_launch launch = {.world = mwi_launch_world(getenv), .wake_fd = -1};
    size_t custom_count;
    mwi_options_transports(options, &custom_count);
    launch.mode = custom_count > 0 ? MWI_MODE_CUSTOM : mwi_launch_mode(options, launch.world);
    if (mwi_mode_is_slave(launch.mode))
        return mwi_options_fail(options, MW_EUSAGE, "the options make this process a slave");
    return mwi_master_open(master, program, options, &launch);
}

/* Whether somebody is still to be told that the farm ends: a slave that was told and has not gone,
 * or, where it is known how many will come, one that has not come yet and would wait in vain. */
static bool is_awaiting(const mw_master *master)
{
    return !mwi_master_engine_is_over(&master->engine) ||
           (master->engine.clients_total < master->slaves_max && !master->engine.effects.failed);
}

/* Returns the deadline: the engine's own, so that it drops stragglers in the last turn. */
static int64_t await_slaves(mw_master *master)
{
    mw_reason why;
    int64_t now_ns = mwi_loop_now(master->loop);
    int64_t deadline_ns = now_ns + master->shutdown_timeout_ns;
    mwi_master_engine_shutdown(&master->engine, now_ns);
    mwi_loop_carry_out(master->loop);
    while (is_awaiting(master) && mwi_loop_now(master->loop) < deadline_ns)
        if (mwi_loop_turn(master->loop, deadline_ns, NULL, &why) != MW_OK)
            return deadline_ns;
    (void)mwi_loop_turn(master->loop, INT64_MIN, NULL, &why);
    return deadline_ns;
}

void mwi_master_close(mw_master *master, bool is_finished)
{
    if (master == NULL)
        return;
    mwi_local_close(master->local, await_slaves(master));
    master->local = NULL;
    mwi_announce_end(master->announce, master->loop,
                     is_finished ? MWI_COMPUTATION_FINISHED : MWI_COMPUTATION_FAILED);
    mwi_loop_audit(master->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_FINI,
                                                           .role = MWI_ROLE_MASTER,
                                                           .text = "SHUTDOWN",
                                                           .reason = master->member_id});
    free_master(master);
}

void mw_master_close(mw_master *master)
{
    mwi_master_close(master, master == NULL || master->broken == MW_OK);
}
