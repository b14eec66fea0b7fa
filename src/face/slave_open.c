/* SPDX-License-Identifier: Apache-2.0
 *
 * How a slave finds its master: it looks where the options say, again and again with growing
 * pauses, until a master has accepted or refused it or the time is up. The master may come later
 * than the slave, and so may its resource file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/time.h"
#include "face/decline.h"
#include "face/slave.h"
#include "loop/machine.h"
#include "options/check.h"
#include "options/hostname.h"
#include "record/resource_file.h"
#include "transports/registry.h"

#define ADDRESS_SIZE 512
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

/* How a slave looks for its master. */
struct search {
    mw_options *options;
    const mw_transport_api *api;
    void *environment;
    enum mwi_mode mode;
    const char *address; /* fixed; NULL: the options or the resource file say */
    const char *resource_file;
    size_t index;
    int64_t deadline_ns;
    int64_t pause_ns;
};

static mw_error choose_transport(struct search *search, mw_reason *why)
{
    size_t count;
    const struct mwi_option_transport *custom = mwi_options_transports(search->options, &count);
    if (search->mode == MWI_MODE_MPI_SLAVE) {
        search->environment = mwi_options_communicator(search->options);
        search->address = mwi_options_master_rank(search->options);
        if (search->environment == NULL)
            search->address = "0";
        return mwi_registry_find("mpi", &search->api, why);
    }
    if (count > 0) {
        search->api = custom[0].api;
        search->environment = custom[0].environment;
        search->address = custom[0].address;
        return MW_OK;
    }
    if (search->mode == MWI_MODE_TCP_SLAVE)
        search->resource_file = mwi_options_text(search->options, MWI_OPTION_RESOURCE_FILE);
    return mwi_registry_find("tcp", &search->api, why);
}

/* There may come another master that writes the file anew; so it is no end. */
static mw_error fail_no_address(const struct search *search, const struct mwi_resource *resource,
                                mw_reason *why)
{
    const char *takes = "is not reached over TCP: start a master with --mw-master";
    if (strcmp(resource->transport, "mpi") == 0)
        takes = "takes MPI ranks only: start it with --mw-transport mpi,tcp";
    else if (strcmp(resource->transport, "tcp") == 0)
        takes = "takes only slaves that it starts itself: start it with --mw-master";
    snprintf(why->text, sizeof why->text, "the master of \"%.200s\" %s", search->resource_file,
             takes);
    return MW_EUNAVAILABLE;
}

static mw_error take_resource(struct search *search, const struct mwi_resource *resource,
                              mw_reason *why)
{
    char port[16];
    mw_error error = mwi_options_set_from_resource_file(search->options, MWI_OPTION_MEMBER_ID,
                                                        resource->member_id);
    snprintf(port, sizeof port, "%d", resource->port);
    if (error == MW_OK && resource->host == NULL)
        return fail_no_address(search, resource, why);
    if (error == MW_OK)
        error = mwi_options_set_from_resource_file(search->options, MWI_OPTION_MASTER_HOST,
                                                   resource->host);
    if (error == MW_OK)
        error = mwi_options_set_from_resource_file(search->options, MWI_OPTION_MASTER_PORT, port);
    if (error != MW_OK)
        snprintf(why->text, sizeof why->text, "%s", mw_options_error(search->options));
    return error;
}

/* What the resource file says becomes the options' unless they were set after it. MW_EGONE: the
 * computation is finished. MW_EUNAVAILABLE: nothing usable yet. */
static mw_error read_resource_file(struct search *search, mw_reason *why)
{
    struct mwi_resource resource;
    mw_error error = mwi_resource_file_read(search->resource_file, &resource, why);
    if (error != MW_OK)
        return MW_EUNAVAILABLE;
    if (resource.computation_status == MWI_COMPUTATION_FINISHED) {
        snprintf(why->text, sizeof why->text,
                 "resource file \"%.200s\": the computation is finished", search->resource_file);
        error = MW_EGONE;
    } else {
        error = take_resource(search, &resource, why);
    }
    mwi_resource_fini(&resource);
    return error;
}

static mw_error find_address(struct search *search, char *address, mw_reason *why)
{
    char digits[24];
    mw_error error = MW_OK;
    if (search->address != NULL) {
        snprintf(address, ADDRESS_SIZE, "%s", search->address);
        return MW_OK;
    }
    if (search->mode == MWI_MODE_CHANNEL_SLAVE) {
        snprintf(address, ADDRESS_SIZE, "fd:%lld",
                 (long long)mwi_options_integer(search->options, MWI_OPTION_CHANNEL));
        return MW_OK;
    }
    if (search->resource_file != NULL)
        error = read_resource_file(search, why);
    const char *host = mwi_options_text(search->options, MWI_OPTION_MASTER_HOST);
    unsigned port = mwi_options_ports(search->options, MWI_OPTION_MASTER_PORT).low;
    if (error == MW_EUNAVAILABLE && host != NULL && port != 0)
        error = MW_OK;
    if (error != MW_OK)
        return error;
    if (host == NULL || port == 0) {
        snprintf(why->text, sizeof why->text, "no host and port of a master is known");
        return MW_EUNAVAILABLE;
    }
    snprintf(digits, sizeof digits, "%u", port);
    mwi_hostname_join(host, digits, address, ADDRESS_SIZE);
    return MW_OK;
}

/* The engine greets with the member id of the options, which a resource file may have changed. */
static mw_error set_member_id(mw_slave *slave, const mw_options *options)
{
    char *member_id = strdup(mwi_options_text(options, MWI_OPTION_MEMBER_ID));
    if (member_id == NULL)
        return MW_ENOMEM;
    free(slave->member_id);
    slave->member_id = member_id;
    slave->engine.config.member_id = member_id;
    return MW_OK;
}

/* Begins one attempt, or sets the reason why not in the engine. Errors end the search. */
static mw_error begin_attempt(mw_slave *slave, struct search *search)
{
    mw_reason why = {""};
    char address[ADDRESS_SIZE];
    mw_peer peer;
    mw_error error = find_address(search, address, &why);
    if (error == MW_OK)
        error = set_member_id(slave, search->options);
    if (error == MW_OK)
        error = mwi_loop_connect(slave->loop, search->index, address, &peer, &why);
    if (error == MW_OK) {
        mwi_slave_engine_connecting(&slave->engine, peer, address);
        return MW_OK;
    }
    if (error == MW_EGONE || error == MW_EUSAGE || error == MW_EINVAL || error == MW_ENOMEM ||
        search->mode == MWI_MODE_MPI_SLAVE)
        return mwi_slave_fail(slave, error, "%s",
                              why.text[0] == '\0' ? mw_error_text(error) : why.text);
    mwi_slave_engine_cannot_connect(&slave->engine, why.text);
    return MW_OK;
}

/* What stood in the way last. */
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
    double seconds =
        mwi_time_to_seconds(mwi_options_duration_ns(search->options, MWI_OPTION_CONNECT_TIMEOUT));
    return mwi_slave_fail(
        slave, MW_ETIMEOUT,
        "no master accepted this slave within --mw-connect-timeout of %g s: %s%s%s", seconds,
        slave->engine.address, slave->engine.address[0] == '\0' ? "" : ": ", obstacle(slave));
}

static bool is_under_way(const mw_slave *slave)
{
    return slave->engine.phase == MWI_PHASE_CONNECTING || slave->engine.phase == MWI_PHASE_GREETING;
}

static bool has_found(const mw_slave *slave)
{
    return slave->engine.phase == MWI_PHASE_READY || slave->engine.phase == MWI_PHASE_SHUTDOWN;
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
        error = mwi_slave_check(slave);
        if (error != MW_OK)
            return error;
        until_ns = is_under_way(slave) ? search->deadline_ns : pause_end_ns;
    } while (!has_found(slave) && mwi_loop_now(slave->loop) < until_ns);
    return MW_OK;
}

static mw_error search_master(mw_slave *slave, struct search *search)
{
    for (;;) {
        mw_error error = begin_attempt(slave, search);
        if (error != MW_OK)
            return error;
        error = await_outcome(slave, search);
        if (error != MW_OK || has_found(slave))
            return error;
        /* A descriptor has one other end; a rank that does not listen has done with it. */
        if (search->mode == MWI_MODE_CHANNEL_SLAVE || search->mode == MWI_MODE_MPI_SLAVE)
            return mwi_slave_fail(slave, MW_EGONE, "the master is gone: %s", slave->engine.reason);
        if (mwi_loop_now(slave->loop) >= search->deadline_ns)
            return time_is_up(slave, search);
        if (search->pause_ns < PAUSE_MAX_NS)
            search->pause_ns *= 2;
    }
}

/* Learns where the slave runs. In a simulated world nothing of the real machine may be told, or two
 * runs of one seed would differ. */
static void find_origin(struct mwi_greeting_origin *origin, const struct search *search)
{
    const char *sim_host = mwi_registry_sim_host(search->api, search->environment);
    if (sim_host == NULL)
        mwi_machine_read(origin);
    else
        snprintf(origin->host, sizeof origin->host, "%s", sim_host);
}

static mw_error open_loop(mw_slave *slave, struct search *search, struct mwi_launch *launch,
                          mw_reason *why)
{
    struct mwi_loop_engine engine = {.engine = &slave->engine,
                                     .step = step_engine,
                                     .deadline = engine_deadline,
                                     .effects = &slave->engine.effects};
    const struct mwi_slave_engine_config *config = &slave->engine.config;
    find_origin(&slave->origin, search);
    size_t frame_bytes_max = config->frame_read_bytes_max > config->frame_write_bytes_max
                                 ? config->frame_read_bytes_max
                                 : config->frame_write_bytes_max;
    mw_error error = mwi_trail_open(&slave->trail, search->options, MWI_ROLE_SLAVE, search->mode,
                                    search->api->scheme, why);
    if (error != MW_OK)
        return error;
    slave->engine.effects.is_audited = mwi_audit_file_wanted(slave->trail);
    error = mwi_loop_open(&slave->loop, &engine, mwi_options_wait(search->options), slave->trail);
    launch->has_joined = error == MW_OK && search->mode == MWI_MODE_MPI_SLAVE;
    if (error == MW_OK)
        error = mwi_loop_add(slave->loop, search->api, search->environment, frame_bytes_max,
                             launch->wake_fd, &search->index, why);
    if (error == MW_OK)
        mwi_trail_set_clock(slave->trail, search->api->scheme, mwi_loop_now(slave->loop),
                            mwi_clock_wall_ns());
    return error;
}

/* The master of a rank is known to be there, and may have much to do before it serves anybody. */
static int64_t find_deadline(const mw_slave *slave, const struct search *search)
{
    if (search->mode == MWI_MODE_MPI_SLAVE &&
        !mwi_options_is_set(search->options, MWI_OPTION_CONNECT_TIMEOUT))
        return INT64_MAX;
    return mwi_loop_now(slave->loop) +
           mwi_options_duration_ns(search->options, MWI_OPTION_CONNECT_TIMEOUT);
}

static mw_error find_master(mw_slave *slave, struct search *search)
{
    search->pause_ns = PAUSE_MIN_NS;
    search->deadline_ns = find_deadline(slave, search);
    if (search->resource_file != NULL)
        audit(slave, (struct mwi_audit_record){.kind = MWI_AUDIT_RESFILE_LOADING,
                                               .text = search->resource_file});
    audit(slave, (struct mwi_audit_record){.kind = MWI_AUDIT_VERSION, .text = mw_version()});
    audit(slave, (struct mwi_audit_record){
                     .kind = MWI_AUDIT_INIT,
                     .text = mwi_options_text(search->options, MWI_OPTION_MEMBER_ID)});
    mw_error error = search_master(slave, search);
    if (error == MW_OK && slave->engine.sid != UINT32_MAX) {
        snprintf(slave->id, sizeof slave->id, "SLAVE-%u", (unsigned)slave->engine.sid);
        mwi_audit_file_name(slave->trail, slave->id);
    }
    return error;
}

static mw_error create_slave(mw_slave **slave, const mw_program *program, const mw_options *options)
{
    struct mwi_slave_engine_config config = {
        .algorithms = mwi_role_algorithms(program),
        .frame_write_bytes_max = mwi_options_size_bytes(options, MWI_OPTION_MAX_WRITE_BUFFER_SIZE),
        .frame_read_bytes_max = mwi_options_size_bytes(options, MWI_OPTION_MAX_READ_BUFFER_SIZE),
        .client_timeout_ns = mwi_options_duration_ns(options, MWI_OPTION_CLIENT_TIMEOUT),
    };
    mw_slave *created = calloc(1, sizeof *created);
    if (created == NULL)
        return MW_ENOMEM;
    config.origin = &created->origin;
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

static void free_slave(mw_slave *slave)
{
    mwi_loop_close(slave->loop);
    mwi_audit_file_close(slave->trail);
    mwi_slave_engine_fini(&slave->engine);
    mwi_values_fini(&slave->values);
    free(slave->member_id);
    free(slave);
}

mw_error mwi_slave_open(mw_slave **slave, const mw_program *program, mw_options *options,
                        struct mwi_launch *launch)
{
    mw_reason why = {""};
    mw_slave *opened;
    struct search search = {.options = options, .mode = launch->mode};
    mw_error error = mwi_role_check_program(program, &why);
    if (error != MW_OK)
        return mwi_options_fail(options, error, "%s", why.text);
    error = create_slave(&opened, program, options);
    if (error != MW_OK)
        return mwi_options_fail(options, error, "cannot make a slave: %s", mw_error_text(error));
    opened->has_signals = launch->wake_fd >= 0;
    error = choose_transport(&search, &why);
    if (error == MW_OK)
        error = open_loop(opened, &search, launch, &why);
    if (error != MW_OK) {
        free_slave(opened);
        return mwi_options_fail(options, error, "%s",
                                why.text[0] == '\0' ? mw_error_text(error) : why.text);
    }
    error = find_master(opened, &search);
    if (error != MW_OK) {
        mwi_options_fail(options, error, "%s", opened->error.text);
        mw_slave_close(opened);
        return error;
    }
    *slave = opened;
    return MW_OK;
}

mw_error mw_slave_open(mw_slave **slave, const mw_program *program, mw_options *options)
{
    struct mwi_launch launch = {.wake_fd = -1};
    mw_error error = mwi_check_options(options);
    if (error == MW_OK)
        launch.mode = mwi_role_mode_embedded(options, true);
    if (error == MW_OK && launch.mode != MWI_MODE_CUSTOM && !mwi_role_is_slave(launch.mode))
        error = mwi_role_fail_master(options);
    if (error == MW_OK)
        error = mwi_slave_open(slave, program, options, &launch);
    if (error != MW_OK)
        mwi_decline(options, &launch);
    return error;
}

void mw_slave_close(mw_slave *slave)
{
    if (slave == NULL)
        return;
    slave->has_left = slave->engine.phase == MWI_PHASE_READY;
    mwi_slave_engine_leave(&slave->engine,
                           slave->broken == MW_EINTERRUPTED ? slave->error.text
                                                            : "the slave algorithm has returned",
                           mwi_loop_now(slave->loop));
    mwi_loop_carry_out(slave->loop);
    audit(slave,
          (struct mwi_audit_record){.kind = MWI_AUDIT_FINI,
                                    .text = ending(slave),
                                    .reason = slave->member_id == NULL ? "" : slave->member_id});
    free_slave(slave);
}
