/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens and closes a slave. Opening goes from the trail to the loop to the transport, and then
 * searches for the master (slave_search.c). mw_main opens by settings, and a program that embeds a
 * slave by options, which become settings here first.
 *
 * Invariants: a failed open closes everything that it has opened; mw_slave_close may be called in
 * every phase of the engine.
 *
 * To add a room to the slave: open it in open_parts with its settings, and close it in free_slave.
 */
#include <stdio.h>
#include <stdlib.h>

#include "face/decline.h"
#include "face/job.h"
#include "face/program.h"
#include "face/slave_loop.h"
#include "face/slave_search.h"
#include "loop/machine.h"
#include "loop/signals.h"
#include "options/check.h"
#include "transports/registry.h"

static mw_error step_engine(void *context, const struct mwi_event *event)
{
    mw_slave *slave = context;
    return slave->relay != NULL ? mwi_relay_step(slave->relay, event)
                                : mwi_slave_engine_step(&slave->engine, event);
}

static int64_t engine_deadline(const void *context)
{
    const mw_slave *slave = context;
    return slave->relay != NULL ? mwi_relay_deadline(slave->relay)
                                : mwi_slave_engine_deadline(&slave->engine);
}

static void audit(mw_slave *slave, struct mwi_audit_record record)
{
    record.role = MWI_ROLE_SLAVE;
    mwi_loop_audit(slave->loop, record);
}

/* Learns where the slave runs. In a simulated world nothing of the real machine may be told, or two
 * runs of one seed would differ. A transport that wraps the simulated one hides the host. */
static void find_origin(struct mwi_greeting_origin *origin, const mw_transport_api *api,
                        void *environment, bool is_simulated)
{
    const char *sim_host = mwi_registry_sim_host(api, environment);
    if (sim_host == NULL && !is_simulated)
        mwi_machine_read(origin);
    else
        snprintf(origin->host, sizeof origin->host, "%s", sim_host == NULL ? "sim" : sim_host);
}

static mw_error open_trail(mw_slave *slave, const struct mwi_audit_settings *settings,
                           mw_reason *why)
{
    mw_error error = mwi_audit_file_open(&slave->trail, settings, why);
    if (error == MW_OK)
        slave->engine.effects.audited_kinds = mwi_audit_file_kinds(slave->trail);
    return error;
}

static mw_error open_loop(mw_slave *slave, const struct mwi_slave_settings *settings,
                          bool has_signals, mw_reason *why)
{
    struct mwi_loop_engine engine = {.engine = slave,
                                     .step = step_engine,
                                     .deadline = engine_deadline,
                                     .effects = &slave->engine.effects};
    mw_error error = mwi_loop_open(&slave->loop, &engine, settings->wait, slave->trail);
    if (error == MW_OK && has_signals)
        error = mwi_signals_watch(slave->loop, why);
    if (error == MW_OK && settings->is_isolated)
        error = mwi_loop_open_descriptors(slave->loop, why);
    return error;
}

static mw_error open_trust(mw_slave *slave, const struct mwi_slave_settings *settings,
                           mw_reason *why)
{
    return mwi_trust_open_slave(&slave->trust, &settings->tcp, settings->resource_file != NULL,
                                slave->member_id, slave->loop, why);
}

/* Sets *index to the number of the transport in the loop. */
static mw_error open_parts(mw_slave *slave, const struct mwi_slave_settings *settings,
                           bool has_signals, size_t *index, bool *has_joined, mw_reason *why)
{
    const struct mwi_place_settings *place = &settings->place;
    const mw_transport_api *api = place->api;
    bool is_on_network = mwi_role_is_on_network(settings->mode);
    mw_error error = api == NULL ? mwi_registry_find(place->scheme, &api, why) : MW_OK;
    if (error == MW_OK)
        error = open_trail(slave, &settings->audit, why);
    if (error == MW_OK)
        error = open_loop(slave, settings, has_signals, why);
    if (error == MW_OK && is_on_network)
        error = open_trust(slave, settings, why);
    if (error != MW_OK)
        return error;
    void *environment = is_on_network ? &slave->trust.environment : place->environment;
    find_origin(&slave->origin, api, environment, settings->audit.is_simulated);
    error =
        mwi_loop_add(slave->loop, api, environment, settings->engine.frame_bytes_max, index, why);
    /* Opening mpi is the collective call, whether it succeeds or not, unless the module cannot use
     * this MPI. */
    *has_joined = settings->mode == MWI_MODE_MPI_SLAVE && error != MW_EUNAVAILABLE;
    if (error == MW_OK && *has_joined && place->environment == NULL &&
        mwi_loop_peers_max(slave->loop) == 0)
        return mwi_job_fail_lonely(false, why);
    if (error == MW_OK && !settings->audit.is_simulated)
        mwi_loop_set_wall_clock(slave->loop);
    return error;
}

static mw_error find_master(mw_slave *slave, const struct mwi_slave_settings *settings,
                            size_t index)
{
    if (settings->resource_file != NULL)
        audit(slave, (struct mwi_audit_record){.kind = MWI_AUDIT_RESFILE_LOADING,
                                               .path = settings->resource_file});
    audit(slave, (struct mwi_audit_record){.kind = MWI_AUDIT_VERSION, .version = mw_version()});
    audit(slave, (struct mwi_audit_record){.kind = MWI_AUDIT_INIT,
                                           .member_id = settings->address_book.member_id});
    mwi_trust_audit(&slave->trust, MWI_ROLE_SLAVE);
    mw_error error = mwi_slave_search_open(slave, settings, index);
    if (error == MW_OK)
        error = mwi_slave_search_master(slave);
    if (error == MW_OK && slave->engine.sid != UINT32_MAX) {
        snprintf(slave->id, sizeof slave->id, "SLAVE-%u", (unsigned)slave->engine.sid);
        mwi_audit_file_name(slave->trail, slave->id);
    }
    return error;
}

/* The relay is there before the master is, since the first message after the welcome may be for
 * it. False out of memory. */
static bool create_relay(mw_slave *slave, const struct mwi_relay_page *page)
{
    struct mwi_relay *relay = malloc(sizeof *relay);
    if (relay != NULL && mwi_relay_init(relay, &slave->engine, page) == MW_OK)
        slave->relay = relay;
    else
        free(relay);
    return slave->relay != NULL;
}

static mw_error create_slave(mw_slave **slave, const mw_program *program,
                             const struct mwi_slave_settings *settings)
{
    const struct mwi_engine_settings *limits = &settings->engine;
    mw_slave *created = calloc(1, sizeof *created);
    if (created == NULL)
        return MW_ENOMEM;
    struct mwi_slave_engine_config config = {
        .algorithms = mwi_program_algorithms(program),
        .frame_write_bytes_max = limits->frame_write_bytes_max,
        .frame_read_bytes_max = limits->frame_read_bytes_max,
        .client_timeout_ns = limits->client_timeout_ns,
        .is_prompt = !settings->is_isolated && settings->page != NULL,
        .origin = &created->origin,
        .traits = (settings->is_isolated ? MWI_TRAIT_ISOLATED : 0) |
                  (settings->engine.reconnect_ns > 0 ? MWI_TRAIT_RETURNS : 0),
    };
    created->program = program;
    created->user = program->user;
    created->page = settings->is_isolated ? NULL : settings->page;
    if (!mwi_values_init(&created->values))
        goto free_created;
    if (mwi_slave_engine_init(&created->engine, &config) != MW_OK)
        goto fini_values;
    if (settings->is_isolated && !create_relay(created, settings->page))
        goto fini_engine;
    *slave = created;
    return MW_OK;

fini_engine:
    mwi_slave_engine_fini(&created->engine);
fini_values:
    mwi_values_fini(&created->values);
free_created:
    free(created);
    return MW_ENOMEM;
}

/* How the slave ended, as the last line of its trail says it. */
static const char *ending(const mw_slave *slave)
{
    switch (slave->engine.phase) {
    case MWI_PHASE_SHUTDOWN:
        return "MASTER-SHUTDOWN";
    case MWI_PHASE_REFUSED:
        return "REFUSED";
    case MWI_PHASE_GONE:
        return slave->broken == MW_EINTERRUPTED ? "INTERRUPTED"
               : slave->has_left                ? "RETURNED"
                                                : "MASTER-GONE";
    default:
        return "NO-MASTER";
    }
}

/* In a process that an algorithm has forked off: it must run no task that the parent has. */
static void lose_slave(void *context)
{
    mw_slave *slave = context;
    slave->broken = MW_ESTATE;
    slave->error = mwi_loop_why_disowned;
    if (slave->loop != NULL)
        mwi_loop_disown(slave->loop);
}

static void free_slave(mw_slave *slave)
{
    mwi_fork_guard_fini(&slave->guard);
    mwi_loop_close(slave->loop);
    mwi_slave_search_close(slave->search);
    mwi_trust_close(&slave->trust);
    mwi_audit_file_close(slave->trail);
    if (slave->relay != NULL)
        mwi_relay_fini(slave->relay);
    free(slave->relay);
    mwi_slave_engine_fini(&slave->engine);
    mwi_values_fini(&slave->values);
    free(slave->farewell);
    free(slave);
}

mw_error mwi_slave_open(mw_slave **slave, const mw_program *program,
                        const struct mwi_slave_settings *settings, bool has_signals,
                        bool *has_joined, mw_reason *why)
{
    mw_slave *opened;
    size_t index;
    *has_joined = false;
    mw_error error = mwi_program_check(program, why);
    if (error != MW_OK)
        return error;
    error = create_slave(&opened, program, settings);
    if (error != MW_OK) {
        snprintf(why->text, sizeof why->text, "cannot make a slave: %s", mw_error_text(error));
        return error;
    }
    opened->has_signals = has_signals;
    mwi_fork_guard_init(&opened->guard, &opened->is_running, lose_slave, opened);
    why->text[0] = '\0';
    if (has_signals)
        mwi_signals_set_opening(true);
    error = open_parts(opened, settings, has_signals, &index, has_joined, why);
    if (has_signals)
        mwi_signals_set_opening(false);
    if (error != MW_OK) {
        free_slave(opened);
        if (why->text[0] == '\0')
            snprintf(why->text, sizeof why->text, "%s", mw_error_text(error));
        return error;
    }
    error = find_master(opened, settings, index);
    if (error == MW_OK && has_signals)
        error = mwi_slave_loop_prepare_farewell(opened);
    if (error != MW_OK) {
        *why = opened->error;
        mw_slave_close(opened);
        return error;
    }
    *slave = opened;
    return MW_OK;
}

/* Opens a slave by options that were checked. `page` is that of an isolated slave, or NULL. */
static mw_error open_by_options(mw_slave **slave, const mw_program *program,
                                const mw_options *options, struct mwi_relay_page *page,
                                bool *has_joined, mw_reason *why)
{
    struct mwi_launch launch = mwi_job_launch();
    struct mwi_slave_settings settings;
    enum mwi_mode mode = mwi_role_mode_embedded(options, launch, true);
    if (mode != MWI_MODE_CUSTOM && !mwi_role_is_slave(mode))
        return mwi_role_fail_master(options, launch, why);
    mwi_settings_read_slave(&settings, options, mode);
    settings.is_isolated = page != NULL;
    settings.page = page;
    return mwi_slave_open(slave, program, &settings, false, has_joined, why);
}

mw_error mwi_slave_open_isolated(mw_slave **slave, const mw_program *program, mw_options *options,
                                 struct mwi_relay_page *page)
{
    mw_reason why;
    bool has_joined = false;
    mw_error error = mwi_check_options(options);
    if (error == MW_OK) {
        error = open_by_options(slave, program, options, page, &has_joined, &why);
        if (error != MW_OK)
            mwi_options_fail(options, error, "%s", why.text);
    }
    if (error != MW_OK)
        mwi_decline(options, has_joined);
    return error;
}

mw_error mw_slave_open(mw_slave **slave, const mw_program *program, mw_options *options)
{
    if (!mwi_options_flag(options, MWI_OPTION_SLAVE_ISOLATE))
        return mwi_slave_open_isolated(slave, program, options, NULL);
    mwi_decline(options, false);
    return mwi_options_fail(options, MW_EUSAGE,
                            "--mw-slave-isolate needs mw_main or mw_run_slave: a slave that "
                            "mw_slave_open opens runs its tasks in this process");
}

void mw_slave_close(mw_slave *slave)
{
    if (slave == NULL || mwi_loop_is_disowned(slave->loop))
        return;
    if (slave->has_signals)
        mwi_signals_set_first_act(NULL, NULL);
    slave->has_left = slave->engine.phase == MWI_PHASE_READY;
    bool has_returned = slave->has_left && slave->broken == MW_OK;
    mwi_slave_engine_leave(&slave->engine,
                           has_returned ? "the slave algorithm has returned" : slave->error.text,
                           mwi_loop_now(slave->loop));
    mwi_loop_carry_out(slave->loop);
    audit(slave, (struct mwi_audit_record){
                     .kind = MWI_AUDIT_FINI, .how = ending(slave), .member_id = slave->member_id});
    free_slave(slave);
}
