/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens and closes a slave. Opening searches for the master where the settings and the resource
 * file say, again and again with growing pauses, until a master has accepted or refused the slave
 * or the time is up. The master may come later than the slave, and so may its resource file.
 * mw_main opens by settings, and a program that embeds a slave by options, which become settings
 * here first.
 *
 * Invariants: a failed open closes everything that it has opened; mw_slave_close may be called in
 * every phase of the engine.
 *
 * To add a room to the slave: open it in open_parts with its settings, and close it in free_slave.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/time.h"
#include "face/decline.h"
#include "face/job.h"
#include "face/program.h"
#include "face/slave.h"
#include "loop/machine.h"
#include "loop/signals.h"
#include "options/check.h"
#include "record/resource_file.h"
#include "transports/registry.h"

#define PAUSE_MIN_NS INT64_C(20000000)
#define PAUSE_MAX_NS MWI_NS_PER_S

static mw_error step_engine(void *engine, const struct mwi_event *event)
{
    return mwi_slave_engine_step(engine, event);
}

static int64_t engine_deadline(const void *engine)
{
    return mwi_slave_engine_deadline(engine);
}

static void audit(mw_slave *slave, struct mwi_audit_record record)
{
    record.role = MWI_ROLE_SLAVE;
    mwi_loop_audit(slave->loop, record);
}

/* A slave's search for its master. */
struct search {
    const struct mwi_slave_settings *settings;
    struct mwi_address_book address_book; /* with the contents of the resource file */
    size_t index;                         /* of the transport in the loop */
    int64_t deadline_ns;
    int64_t pause_ns;
};

/* Another master may write the file anew, so the search goes on. */
static mw_error fail_no_address(const char *path, const struct mwi_resource *resource,
                                mw_reason *why)
{
    const char *takes = "is not reached over TCP: start a master with --mw-master";
    if (strcmp(resource->transport, "mpi") == 0)
        takes = "takes MPI ranks only: start it with --mw-transport mpi,tcp";
    else if (strcmp(resource->transport, "tcp") == 0)
        takes = "takes only slaves that it starts itself: start it with --mw-master";
    snprintf(why->text, sizeof why->text, "the master of \"%.200s\" %s", path, takes);
    return MW_EUNAVAILABLE;
}

static mw_error take_resource(struct search *search, const struct mwi_resource *resource,
                              mw_reason *why)
{
    struct mwi_address_book *book = &search->address_book;
    mw_error error = mwi_address_book_take_member_id(book, resource->member_id, why);
    if (error == MW_OK && resource->host == NULL)
        return fail_no_address(search->settings->resource_file, resource, why);
    if (error == MW_OK)
        error = mwi_address_book_take_host(book, resource->host, why);
    if (error == MW_OK)
        error = mwi_address_book_take_port(book, resource->port, why);
    return error;
}

/* Reads the resource file into the address book. MW_EGONE: the computation is finished.
 * MW_EUNAVAILABLE: nothing usable yet. */
static mw_error read_resource_file(struct search *search, mw_reason *why)
{
    struct mwi_resource resource;
    const char *path = search->settings->resource_file;
    mw_error error = mwi_resource_file_read(path, &resource, why);
    if (error != MW_OK)
        return MW_EUNAVAILABLE;
    if (resource.computation_status == MWI_COMPUTATION_FINISHED) {
        snprintf(why->text, sizeof why->text,
                 "resource file \"%.200s\": the computation is finished", path);
        error = MW_EGONE;
    } else {
        error = take_resource(search, &resource, why);
    }
    mwi_resource_fini(&resource);
    return error;
}

static mw_error find_address(struct search *search, char address[MWI_PLACE_ADDRESS_BYTES],
                             mw_reason *why)
{
    const struct mwi_slave_settings *settings = search->settings;
    const struct mwi_address_book *book = &search->address_book;
    mw_error error = MW_OK;
    if (settings->mode != MWI_MODE_TCP_SLAVE) {
        snprintf(address, MWI_PLACE_ADDRESS_BYTES, "%s", settings->place.address);
        return MW_OK;
    }
    if (settings->resource_file != NULL)
        error = read_resource_file(search, why);
    if (error == MW_EUNAVAILABLE && mwi_address_book_is_complete(book))
        error = MW_OK;
    if (error != MW_OK)
        return error;
    if (!mwi_address_book_is_complete(book)) {
        snprintf(why->text, sizeof why->text, "no host and port of a master is known");
        return MW_EUNAVAILABLE;
    }
    mwi_address_book_write(book, address, MWI_PLACE_ADDRESS_BYTES);
    return MW_OK;
}

/* The engine greets with the member id, which a resource file may have changed. */
static void set_member_id(mw_slave *slave, const struct mwi_address_book *book)
{
    snprintf(slave->member_id, sizeof slave->member_id, "%s", book->member_id);
    slave->engine.config.member_id = slave->member_id;
}

/* Begins one attempt, or sets the reason why not in the engine. Errors end the search. */
static mw_error begin_attempt(mw_slave *slave, struct search *search)
{
    mw_reason why = {""};
    char address[MWI_PLACE_ADDRESS_BYTES];
    mw_peer peer;
    mw_error error = find_address(search, address, &why);
    if (error == MW_OK) {
        set_member_id(slave, &search->address_book);
        error = mwi_loop_connect(slave->loop, search->index, address, &peer, &why);
    }
    if (error == MW_OK) {
        mwi_slave_engine_connecting(&slave->engine, peer, address);
        return MW_OK;
    }
    if (why.text[0] == '\0')
        snprintf(why.text, sizeof why.text, "%s", mw_error_text(error));
    if (error == MW_EGONE || error == MW_EUSAGE || error == MW_EINVAL || error == MW_ENOMEM ||
        search->settings->mode == MWI_MODE_MPI_SLAVE)
        return mwi_slave_fail(slave, error, "%s", why.text);
    mwi_slave_engine_cannot_connect(&slave->engine, why.text);
    return MW_OK;
}

/* The reason why the last attempt has not succeeded. */
static const char *obstacle(const mw_slave *slave)
{
    switch (slave->engine.phase) {
    case MWI_PHASE_CONNECTING:
        return "the last attempt to connect is still without an outcome";
    case MWI_PHASE_GREETING:
        return "a master is there, but has not answered the greeting";
    default:
        return slave->engine.reason;
    }
}

static mw_error time_is_up(mw_slave *slave, const struct search *search)
{
    char seconds[MWI_DECIMAL_BYTES];
    mwi_decimal_write(seconds, mwi_time_to_seconds(search->settings->connect_timeout_ns));
    return mwi_slave_fail(
        slave, MW_ETIMEOUT,
        "no master accepted this slave within --mw-connect-timeout of %s s: %s%s%s", seconds,
        slave->engine.address, slave->engine.address[0] == '\0' ? "" : ": ", obstacle(slave));
}

static bool is_under_way(const mw_slave *slave)
{
    return slave->engine.phase == MWI_PHASE_CONNECTING || slave->engine.phase == MWI_PHASE_GREETING;
}

/* Whether a master has welcomed the slave. It may have gone since: the slave algorithm hears that.
 */
static bool has_found(const mw_slave *slave)
{
    return slave->engine.phase == MWI_PHASE_READY || slave->engine.phase == MWI_PHASE_SHUTDOWN ||
           slave->engine.phase == MWI_PHASE_GONE;
}

/* Lets the attempt take its course, and pauses if it failed. MW_OK: it succeeded, or another may be
 * made. */
static mw_error await_outcome(mw_slave *slave, const struct search *search)
{
    mw_reason why;
    int64_t until_ns, pause_end_ns = mwi_loop_now(slave->loop) + search->pause_ns;
    if (pause_end_ns > search->deadline_ns)
        pause_end_ns = search->deadline_ns;
    do {
        until_ns = is_under_way(slave) ? search->deadline_ns : pause_end_ns;
        mw_error error = mwi_loop_turn(slave->loop, until_ns, NULL, &why);
        if (error != MW_OK)
            return mwi_slave_fail(slave, error, "%s", why.text);
        if (has_found(slave))
            return MW_OK;
        error = mwi_slave_check(slave);
        if (error != MW_OK)
            return error;
        until_ns = is_under_way(slave) ? search->deadline_ns : pause_end_ns;
    } while (mwi_loop_now(slave->loop) < until_ns);
    return MW_OK;
}

static mw_error search_master(mw_slave *slave, struct search *search)
{
    enum mwi_mode mode = search->settings->mode;
    for (;;) {
        mw_error error = begin_attempt(slave, search);
        if (error != MW_OK)
            return error;
        error = await_outcome(slave, search);
        if (error != MW_OK || has_found(slave))
            return error;
        /* A descriptor has one other end; a rank that does not listen has done with it. */
        if (mode != MWI_MODE_TCP_SLAVE && mode != MWI_MODE_CUSTOM)
            return mwi_slave_fail(slave, MW_EGONE, "the master is gone: %s", slave->engine.reason);
        if (mwi_loop_now(slave->loop) >= search->deadline_ns)
            return time_is_up(slave, search);
        if (search->pause_ns < PAUSE_MAX_NS)
            search->pause_ns *= 2;
    }
}

/* Learns where the slave runs. In a simulated world nothing of the real machine may be told, or two
 * runs of one seed would differ. */
static void find_origin(struct mwi_greeting_origin *origin, const mw_transport_api *api,
                        void *environment)
{
    const char *sim_host = mwi_registry_sim_host(api, environment);
    if (sim_host == NULL)
        mwi_machine_read(origin);
    else
        snprintf(origin->host, sizeof origin->host, "%s", sim_host);
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
    struct mwi_loop_engine engine = {.engine = &slave->engine,
                                     .step = step_engine,
                                     .deadline = engine_deadline,
                                     .effects = &slave->engine.effects};
    mw_error error = mwi_loop_open(&slave->loop, &engine, settings->wait, slave->trail);
    if (error == MW_OK && has_signals)
        error = mwi_signals_watch(slave->loop, why);
    return error;
}

static mw_error open_parts(mw_slave *slave, struct search *search, bool has_signals,
                           bool *has_joined, mw_reason *why)
{
    const struct mwi_slave_settings *settings = search->settings;
    const struct mwi_place_settings *place = &settings->place;
    const mw_transport_api *api = place->api;
    mw_error error = api == NULL ? mwi_registry_find(place->scheme, &api, why) : MW_OK;
    if (error == MW_OK)
        error = open_trail(slave, &settings->audit, why);
    if (error == MW_OK)
        error = open_loop(slave, settings, has_signals, why);
    if (error != MW_OK)
        return error;
    find_origin(&slave->origin, api, place->environment);
    error = mwi_loop_add(slave->loop, api, place->environment, settings->engine.frame_bytes_max,
                         &search->index, why);
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

static mw_error find_master(mw_slave *slave, struct search *search)
{
    const struct mwi_slave_settings *settings = search->settings;
    search->pause_ns = PAUSE_MIN_NS;
    search->deadline_ns = mwi_time_after(mwi_loop_now(slave->loop), settings->connect_timeout_ns);
    if (settings->resource_file != NULL)
        audit(slave, (struct mwi_audit_record){.kind = MWI_AUDIT_RESFILE_LOADING,
                                               .path = settings->resource_file});
    audit(slave, (struct mwi_audit_record){.kind = MWI_AUDIT_VERSION, .version = mw_version()});
    audit(slave, (struct mwi_audit_record){.kind = MWI_AUDIT_INIT,
                                           .member_id = settings->address_book.member_id});
    mw_error error = search_master(slave, search);
    if (error == MW_OK && slave->engine.sid != UINT32_MAX) {
        snprintf(slave->id, sizeof slave->id, "SLAVE-%u", (unsigned)slave->engine.sid);
        mwi_audit_file_name(slave->trail, slave->id);
    }
    return error;
}

static mw_error create_slave(mw_slave **slave, const mw_program *program,
                             const struct mwi_engine_settings *settings)
{
    mw_slave *created = calloc(1, sizeof *created);
    if (created == NULL)
        return MW_ENOMEM;
    struct mwi_slave_engine_config config = {
        .algorithms = mwi_program_algorithms(program),
        .frame_write_bytes_max = settings->frame_write_bytes_max,
        .frame_read_bytes_max = settings->frame_read_bytes_max,
        .client_timeout_ns = settings->client_timeout_ns,
        .origin = &created->origin,
    };
    created->program = program;
    created->user = program->user;
    if (!mwi_values_init(&created->values))
        goto free_created;
    if (mwi_slave_engine_init(&created->engine, &config) != MW_OK)
        goto fini_values;
    *slave = created;
    return MW_OK;

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
    mwi_audit_file_close(slave->trail);
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
    struct search search = {.settings = settings, .address_book = settings->address_book};
    *has_joined = false;
    mw_error error = mwi_program_check(program, why);
    if (error != MW_OK)
        return error;
    error = create_slave(&opened, program, &settings->engine);
    if (error != MW_OK) {
        snprintf(why->text, sizeof why->text, "cannot make a slave: %s", mw_error_text(error));
        return error;
    }
    opened->has_signals = has_signals;
    mwi_fork_guard_init(&opened->guard, &opened->is_running, lose_slave, opened);
    why->text[0] = '\0';
    if (has_signals)
        mwi_signals_set_opening(true);
    error = open_parts(opened, &search, has_signals, has_joined, why);
    if (has_signals)
        mwi_signals_set_opening(false);
    if (error != MW_OK) {
        free_slave(opened);
        if (why->text[0] == '\0')
            snprintf(why->text, sizeof why->text, "%s", mw_error_text(error));
        return error;
    }
    error = find_master(opened, &search);
    if (error == MW_OK && has_signals)
        error = mwi_slave_prepare_farewell(opened);
    if (error != MW_OK) {
        *why = opened->error;
        mw_slave_close(opened);
        return error;
    }
    *slave = opened;
    return MW_OK;
}

/* Opens a slave by options that were checked. */
static mw_error open_by_options(mw_slave **slave, const mw_program *program,
                                const mw_options *options, bool *has_joined, mw_reason *why)
{
    struct mwi_launch launch = mwi_job_launch();
    struct mwi_slave_settings settings;
    enum mwi_mode mode = mwi_role_mode_embedded(options, launch, true);
    if (mode != MWI_MODE_CUSTOM && !mwi_role_is_slave(mode))
        return mwi_role_fail_master(options, launch, why);
    mwi_settings_read_slave(&settings, options, mode);
    return mwi_slave_open(slave, program, &settings, false, has_joined, why);
}

mw_error mw_slave_open(mw_slave **slave, const mw_program *program, mw_options *options)
{
    mw_reason why;
    bool has_joined = false;
    mw_error error = mwi_check_options(options);
    if (error == MW_OK) {
        error = open_by_options(slave, program, options, &has_joined, &why);
        if (error != MW_OK)
            mwi_options_fail(options, error, "%s", why.text);
    }
    if (error != MW_OK)
        mwi_decline(options, has_joined);
    return error;
}

void mw_slave_close(mw_slave *slave)
{
    if (slave == NULL || mwi_loop_is_disowned(slave->loop))
        return;
    if (slave->has_signals)
        mwi_signals_set_first_act(NULL, NULL);
    slave->has_left = slave->engine.phase == MWI_PHASE_READY;
    bool has_returned = slave->has_left && slave->broken != MW_EINTERRUPTED;
    mwi_slave_engine_leave(&slave->engine,
                           has_returned ? "the slave algorithm has returned" : slave->error.text,
                           mwi_loop_now(slave->loop));
    mwi_loop_carry_out(slave->loop);
    audit(slave, (struct mwi_audit_record){
                     .kind = MWI_AUDIT_FINI, .how = ending(slave), .member_id = slave->member_id});
    free_slave(slave);
}
