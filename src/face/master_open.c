/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens and closes a master. Opening goes from the trail to the loop to the transports, whose
 * addresses the resource file needs, to the local slaves; closing goes back. mw_main opens by
 * settings, and a program that embeds a master by options, which become settings here first.
 *
 * Invariants: an open that fails closes everything that it has opened. Chores are stopped before
 * the slaves are told to shut down, and closed while the loop still lives.
 *
 * To add a room to the master: open it in open_parts with its settings, and close it in
 * mwi_master_close and free_master.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/secret.h"
#include "base/time.h"
#include "engine/membership.h"
#include "engine/receipts.h"
#include "face/decline.h"
#include "face/job.h"
#include "face/master_checkpoint.h"
#include "face/master_journal.h"
#include "face/master_open.h"
#include "face/master_results.h"
#include "face/master_stop.h"
#include "face/program.h"
#include "loop/signals.h"
#include "options/check.h"
#include "options/hostname.h"
#include "transports/registry.h"

static mw_error step_engine(void *engine, const struct mwi_event *event)
{
    return mwi_master_engine_step(engine, event);
}

static int64_t engine_deadline(const void *engine)
{
    return mwi_master_engine_deadline(engine);
}

static void slave_lost(void *context, mw_peer peer, bool was_useful, mw_loss loss)
{
    mw_master *master = context;
    master->slaves_lost_count++;
    if (master->local != NULL)
        mwi_local_lost(master->local, peer, was_useful, loss);
    if (master->serial != NULL)
        mwi_serial_lost(master->serial, was_useful);
}

static bool withhold_end(void *context, mw_peer peer, const char *reason)
{
    mw_master *master = context;
    return master->local != NULL && mwi_local_withhold(master->local, peer, reason);
}

static mw_error init_engine(mw_master *master, const struct mwi_engine_settings *settings)
{
    struct mwi_master_engine_config config = {
        .member_id = master->member_id,
        .algorithms = mwi_program_algorithms(master->program),
        .task_group = settings->task_group,
        .result_group = settings->result_group,
        .frame_write_bytes_max = settings->frame_write_bytes_max,
        .frame_read_bytes_max = settings->frame_read_bytes_max,
        .client_timeout_ns = settings->client_timeout_ns,
        .reconnect_ns = settings->reconnect_ns,
        .fit_timeout_ns = settings->fit_timeout_ns,
        .speculate_factor = settings->speculate_factor,
    };
    master->shutdown_timeout_ns = settings->shutdown_timeout_ns;
    master->is_speculating = settings->is_speculating;
    return mwi_master_engine_init(&master->engine, &config);
}

/* Makes a master with everything but the outside. */
static mw_error create_master(mw_master **master, const mw_program *program,
                              const struct mwi_master_settings *settings)
{
    mw_error error = MW_ENOMEM;
    mw_master *created = calloc(1, sizeof *created);
    if (created == NULL)
        return MW_ENOMEM;
    created->program = program;
    created->member_id = strdup(settings->member_id);
    if (created->member_id == NULL || !mwi_values_init(&created->values))
        goto free_created;
    error = init_engine(created, &settings->engine);
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

/* Listens, and tells slaves to connect to `host` if it is not NULL, at the port that was bound. */
static mw_error listen_on(mw_master *master, size_t index, const char *address, const char *host,
                          char bound[MWI_PLACE_ADDRESS_BYTES], mw_reason *why)
{
    char reached[MWI_PLACE_ADDRESS_BYTES] = "";
    mw_error error = mwi_loop_listen(master->loop, index, address, reached, sizeof reached, why);
    const char *colon = strrchr(reached, ':');
    if (host != NULL && colon != NULL)
        mwi_hostname_join(host, colon + 1, bound, MWI_PLACE_ADDRESS_BYTES);
    else
        snprintf(bound, MWI_PLACE_ADDRESS_BYTES, "%s", reached);
    if (error == MW_OK)
        mwi_loop_audit(master->loop,
                       (struct mwi_audit_record){.kind = MWI_AUDIT_MASTER_READY,
                                                 .transport = mwi_loop_scheme(master->loop, index),
                                                 .address = bound});
    return error;
}

static void begin_trail(mw_master *master, bool is_simulated)
{
    if (!is_simulated)
        mwi_loop_set_wall_clock(master->loop);
    mwi_loop_audit(master->loop,
                   (struct mwi_audit_record){.kind = MWI_AUDIT_VERSION, .version = mw_version()});
    mwi_loop_audit(master->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_INIT,
                                                           .role = MWI_ROLE_MASTER,
                                                           .member_id = master->member_id});
}

/* A number that no other run has. In a simulated world it follows from the time, so that a seed
 * repeats itself: two masters do not begin in the same nanosecond. */
static void draw_run(mw_master *master, bool is_simulated)
{
    uint64_t now_ns = (uint64_t)mwi_loop_now(master->loop), number;
    if (is_simulated || !mwi_secret_fill(&number, sizeof number))
        number = mwi_digest_64(is_simulated ? 0 : (uint64_t)getpid(), &now_ns, sizeof now_ns);
    master->engine.config.run = number;
}

/* Names the options that may be to blame. */
static void name_options(mw_reason *why)
{
    size_t length = strlen(why->text);
    snprintf(why->text + length, sizeof why->text - length,
             " (see --mw-master-host and --mw-master-port)");
}

/* Whether the place is reached through our own transport tcp. */
static bool is_own_tcp(const struct mwi_place_settings *place)
{
    return place->api == NULL && strcmp(place->scheme, "tcp") == 0;
}

/* Listens, unless the slaves are handed to the transport one by one. */
static mw_error listen_at(mw_master *master, const struct mwi_master_settings *settings,
                          const struct mwi_place_settings *place, size_t index,
                          char bound[MWI_PLACE_ADDRESS_BYTES], mw_reason *why)
{
    const char *host = index == 0 && is_own_tcp(place) ? settings->advertised_host : NULL;
    if (settings->mode == MWI_MODE_LOCAL)
        return MW_OK;
    if (settings->mode == MWI_MODE_SERIAL)
        return mwi_loop_listen(master->loop, index, "", bound, MWI_PLACE_ADDRESS_BYTES, why);
    mw_error error = listen_on(master, index, place->address, host, bound, why);
    if (error == MW_ENETWORK && is_own_tcp(place))
        name_options(why);
    return error;
}

/* The job ends with the master, whatever the ranks do that have not come back. */
static void tell_late(void *context)
{
    const mw_master *master = context;
    if (master->notice.tell != NULL)
        master->notice.tell(master->notice.context,
                            "a rank has not come back from its task within --mw-shutdown-timeout: "
                            "the MPI job is ended");
}

/* The environment of the transport mpi, with leave to end the job. */
static void *mpi_environment(mw_master *master, const mw_mpi_environment *given)
{
    master->ending = (mw_mpi_ending){
        .deadline_ns = INT64_MAX, .status = 255, .late = tell_late, .context = master};
    master->mpi = given == NULL ? (mw_mpi_environment){.master_rank = -1} : *given;
    master->mpi.ending = &master->ending;
    return &master->mpi;
}

static void *environment_of(mw_master *master, const struct mwi_master_settings *settings,
                            const struct mwi_place_settings *place)
{
    if (settings->mode == MWI_MODE_SERIAL)
        return mwi_serial_environment(master->serial);
    if (mwi_role_is_on_network(settings->mode) && is_own_tcp(place))
        return &master->trust.environment;
    bool is_mpi = place->api == NULL && strcmp(place->scheme, "mpi") == 0;
    return is_mpi && settings->ends_job ? mpi_environment(master, place->environment)
                                        : place->environment;
}

/* A transport to open for a master. */
struct opening {
    const struct mwi_master_settings *settings;
    const struct mwi_place_settings *place;
    const mw_transport_api *api;
};

/* The first place gets the trail's beginning, and the resource file is about it. The file lists the
 * libraries of the process, so it is prepared when the transport has loaded its own. */
static mw_error open_place(mw_master *master, const struct opening *opening, mw_reason *why)
{
    char bound[MWI_PLACE_ADDRESS_BYTES] = "";
    const struct mwi_master_settings *settings = opening->settings;
    const struct mwi_place_settings *place = opening->place;
    bool is_tcp = strcmp(place->scheme, "tcp") == 0;
    size_t index;
    mw_error error =
        mwi_loop_add(master->loop, opening->api, environment_of(master, settings, place),
                     settings->engine.frame_bytes_max, &index, why);
    if (error != MW_OK)
        return error;
    if (index == 0) {
        draw_run(master, settings->audit.is_simulated);
        begin_trail(master, settings->audit.is_simulated);
        mwi_trust_audit(&master->trust, MWI_ROLE_MASTER);
        error = mwi_master_journal_open(master, &settings->journal, why);
    }
    if (error == MW_OK)
        error = listen_at(master, settings, place, index, bound, why);
    if (error == MW_OK && index == 0)
        error = mwi_announce_open(&master->announce, master->loop, &settings->announce,
                                  master->executable, place->scheme, is_tcp ? bound : "",
                                  master->trust.keyring, why);
    return error;
}

static mw_error find_transports(const struct mwi_master_settings *settings,
                                const mw_transport_api *apis[MWI_TRANSPORTS_MAX], mw_reason *why)
{
    mw_error error = MW_OK;
    for (size_t i = 0; i < settings->places_count && error == MW_OK; i++) {
        const struct mwi_place_settings *place = &settings->places[i];
        apis[i] = place->api;
        if (apis[i] == NULL)
            error = mwi_registry_find(place->scheme, &apis[i], why);
    }
    return error;
}

static mw_error open_places(mw_master *master, const struct mwi_master_settings *settings,
                            const mw_transport_api *const *apis, bool *has_joined, mw_reason *why)
{
    for (size_t i = 0; i < settings->places_count; i++) {
        const struct opening opening = {settings, &settings->places[i], apis[i]};
        mw_error error = open_place(master, &opening, why);
        /* Opening mpi is the collective call, whether it succeeds or not, unless the module cannot
         * use this MPI. */
        if (strcmp(opening.place->scheme, "mpi") == 0)
            *has_joined = error != MW_EUNAVAILABLE;
        if (error != MW_OK)
            return error;
    }
    master->slaves_max = mwi_loop_peers_max(master->loop);
    return master->slaves_max == 0 ? mwi_job_fail_lonely(settings->has_communicator, why) : MW_OK;
}

static mw_error open_loop(mw_master *master, const struct mwi_master_settings *settings,
                          bool has_signals, mw_reason *why)
{
    struct mwi_loop_engine engine = {.engine = &master->engine,
                                     .step = step_engine,
                                     .deadline = engine_deadline,
                                     .effects = &master->engine.effects,
                                     .lost = slave_lost,
                                     .withhold = withhold_end,
                                     .lost_context = master};
    mw_error error = mwi_loop_open(&master->loop, &engine, settings->wait, master->trail);
    if (error == MW_OK)
        error = mwi_loop_open_descriptors(master->loop, why);
    if (error == MW_OK && has_signals)
        error = mwi_signals_watch(master->loop, why);
    return error;
}

static mw_error open_trust(mw_master *master, const struct mwi_master_settings *settings,
                           mw_reason *why)
{
    bool has_resource_file = settings->announce.path != NULL;
    return mwi_trust_open_master(&master->trust, &settings->tcp, has_resource_file,
                                 master->member_id, master->loop, why);
}

/* A task that runs in this process cannot be ended while it runs. */
static mw_error prepare_serial(mw_master *master, const struct mwi_serial_settings *settings,
                               mw_reason *why)
{
    master->engine.config.is_untimed = true;
    return mwi_serial_create(&master->serial, master->program, settings, master->loop, why);
}

static mw_error start_slaves(mw_master *master, const struct mwi_local_settings *settings,
                             bool has_own_process, mw_reason *why)
{
    mw_error error = mwi_local_open(&master->local, settings, master->executable, master->loop, 0,
                                    has_own_process, why);
    return error == MW_OK ? mwi_local_start(master->local, why) : error;
}

static mw_error open_parts(mw_master *master, const struct mwi_master_settings *settings,
                           bool has_signals, bool *has_joined, mw_reason *why)
{
    const mw_transport_api *apis[MWI_TRANSPORTS_MAX];
    mw_error error = find_transports(settings, apis, why);
    if (error == MW_OK)
        error = mwi_audit_file_open(&master->trail, &settings->audit, why);
    if (error != MW_OK)
        return error;
    master->engine.effects.audited_kinds = mwi_audit_file_kinds(master->trail);
    error = mwi_executable_open(&master->executable, &settings->executable);
    if (error == MW_OK)
        error = open_loop(master, settings, has_signals, why);
    if (error == MW_OK && mwi_role_is_on_network(settings->mode))
        error = open_trust(master, settings, why);
    if (error == MW_OK && settings->mode == MWI_MODE_SERIAL)
        error = prepare_serial(master, &settings->serial, why);
    if (error == MW_OK)
        error = open_places(master, settings, apis, has_joined, why);
    master->keeps_slaves =
        has_signals && master->journal != NULL && settings->engine.reconnect_ns > 0;
    if (has_signals) {
        mwi_signals_set_opening(false);
        mwi_signals_set_repeatable(master->keeps_slaves);
    }
    if (error == MW_OK)
        error = mwi_announce_start(master->announce, why);
    if (error == MW_OK && has_signals && master->announce != NULL)
        mwi_signals_set_last_act(mwi_announce_fail_now, master->announce);
    if (error == MW_OK && settings->mode == MWI_MODE_LOCAL)
        error = start_slaves(master, &settings->local, has_signals, why);
    return error;
}

/* In a process that an algorithm has forked off: the farm is the parent's. */
static void lose_master(void *context)
{
    mw_master *master = context;
    master->broken = MW_ESTATE;
    master->error = mwi_loop_why_disowned;
    master->broken_sentence = mwi_loop_why_disowned;
    if (master->loop != NULL)
        mwi_loop_disown(master->loop);
}

static void close_chores(mw_master *master, int64_t deadline_ns)
{
    if (master->has_signals)
        mwi_signals_set_last_act(NULL, NULL);
    mwi_chores_close(mwi_loop_chores(master->loop), deadline_ns);
}

static void free_master(mw_master *master)
{
    mwi_fork_guard_fini(&master->guard);
    mwi_master_journal_close(master);
    mwi_master_checkpoint_fini(master);
    mwi_loop_close(master->loop);
    mwi_trust_close(&master->trust);
    mwi_serial_destroy(master->serial);
    mwi_audit_file_close(master->trail);
    mwi_executable_close(master->executable);
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

mw_error mwi_master_open(mw_master **master, const mw_program *program,
                         const struct mwi_master_settings *settings, bool has_signals,
                         bool *has_joined, mw_reason *why)
{
    mw_master *opened;
    *has_joined = false;
    mw_error error = mwi_program_check(program, why);
    if (error != MW_OK)
        return error;
    error = create_master(&opened, program, settings);
    if (error != MW_OK) {
        snprintf(why->text, sizeof why->text, "cannot make a master: %s", mw_error_text(error));
        return error;
    }
    opened->has_signals = has_signals;
    mwi_fork_guard_init(&opened->guard, NULL, lose_master, opened);
    why->text[0] = '\0';
    if (has_signals)
        mwi_signals_set_opening(true);
    error = open_parts(opened, settings, has_signals, has_joined, why);
    if (error != MW_OK) {
        /* The resource file may have promised a master already. */
        if (opened->loop != NULL) {
            mwi_chores_stop(mwi_loop_chores(opened->loop), false);
            close_chores(opened, INT64_MIN);
        }
        free_master(opened);
        if (why->text[0] == '\0')
            snprintf(why->text, sizeof why->text, "%s", mw_error_text(error));
        return error;
    }
    *master = opened;
    return MW_OK;
}

/* Opens a master by options that were checked. A slave in this process gets the arguments. */
static mw_error open_by_options(mw_master **master, const mw_program *program,
                                const mw_options *options, int argc, char **argv, bool *has_joined,
                                mw_reason *why)
{
    struct mwi_launch launch = mwi_job_launch();
    struct mwi_master_settings settings;
    enum mwi_mode mode = mwi_role_mode_embedded(options, launch, false);
    if (mwi_role_is_slave(mode))
        return mwi_role_fail_slave(options, launch, why);
    mw_error error = mwi_settings_read_master(&settings, options, mode, 0, NULL);
    if (error != MW_OK) {
        snprintf(why->text, sizeof why->text, "%s", mw_error_text(error));
        return error;
    }
    settings.serial.argc = argc;
    settings.serial.argv = argv;
    error = mwi_master_open(master, program, &settings, false, has_joined, why);
    mwi_settings_fini_master(&settings);
    return error;
}

mw_error mwi_master_open_by_options(mw_master **master, const mw_program *program,
                                    mw_options *options, int argc, char **argv)
{
    mw_reason why;
    bool has_joined = false;
    mw_error error = mwi_check_options(options);
    if (error == MW_OK) {
        error = open_by_options(master, program, options, argc, argv, &has_joined, &why);
        if (error != MW_OK)
            mwi_options_fail(options, error, "%s", why.text);
    }
    if (error != MW_OK)
        mwi_decline(options, has_joined);
    return error;
}

mw_error mw_master_open(mw_master **master, const mw_program *program, mw_options *options)
{
    return mwi_master_open_by_options(master, program, options, 0, NULL);
}

/* Whether somebody is still to be told that the farm ends: a slave that was told and has not gone,
 * or a rank that has not come yet, whose slave algorithm would never run. */
static bool is_awaiting(const mw_master *master)
{
    return !mwi_membership_is_over(&master->engine) ||
           (!mwi_loop_is_complete(master->loop) && master->engine.effects.error == MW_OK);
}

/* Waits for the slaves to go, and returns the deadline of that. It is the engine's own too, which
 * drops stragglers in the last turn. The turns tend the chores. */
static int64_t await_slaves(mw_master *master)
{
    mw_reason why;
    int64_t now_ns = mwi_loop_now(master->loop);
    int64_t patience_ns = mwi_master_stop_patience(master);
    int64_t deadline_ns = mwi_time_after(now_ns, patience_ns);
    if (mwi_master_stop_keeps_slaves(master)) {
        mwi_receipts_tell_durable(&master->engine);
        mwi_membership_leave_slaves(&master->engine, now_ns);
        mwi_loop_carry_out(master->loop);
    }
    if (mwi_master_stop_is_repeated(master))
        mwi_membership_hurry(&master->engine);
    mwi_membership_shutdown(&master->engine, now_ns, patience_ns);
    mwi_loop_carry_out(master->loop);
    while (is_awaiting(master) && mwi_loop_now(master->loop) < deadline_ns &&
           !mwi_master_stop_is_urgent(master))
        if (mwi_loop_turn(master->loop, deadline_ns, NULL, &why) != MW_OK)
            return deadline_ns;
    (void)mwi_loop_turn(master->loop, INT64_MIN, NULL, &why);
    return mwi_master_stop_is_urgent(master) ? INT64_MIN : deadline_ns;
}

/* How long closing the transport mpi may wait for ranks, and what happens then. */
static void set_ending(mw_master *master, int64_t deadline_ns, int status)
{
    master->ending.deadline_ns = deadline_ns;
    master->ending.status = status;
}

void mwi_master_close(mw_master *master, bool is_finished, int status)
{
    if (master == NULL || mwi_loop_is_disowned(master->loop))
        return;
    struct mwi_chores *chores = mwi_loop_chores(master->loop);
    mwi_chores_stop(chores, is_finished);
    int64_t deadline_ns = await_slaves(master);
    if (!mwi_master_stop_is_urgent(master))
        (void)mwi_master_journal_await(master);
    close_chores(master, deadline_ns);
    master->local = NULL;
    master->announce = NULL;
    mwi_loop_audit(master->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_FINI,
                                                           .role = MWI_ROLE_MASTER,
                                                           .how = "SHUTDOWN",
                                                           .member_id = master->member_id});
    set_ending(master, deadline_ns, status);
    free_master(master);
}

void mw_master_close(mw_master *master)
{
    bool is_finished = master == NULL || master->broken == MW_OK;
    mwi_master_close(master, is_finished, is_finished ? 0 : 255);
}
