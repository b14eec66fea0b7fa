/* SPDX-License-Identifier: Apache-2.0
 *
 * How a master comes and goes. Opening goes from the trail to the loop to the transports, whose
 * addresses the resource file needs, to the local slaves; closing goes back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/membership.h"
#include "face/decline.h"
#include "face/master_open.h"
#include "face/master_results.h"
#include "loop/signals.h"
#include "options/check.h"
#include "options/hostname.h"
#include "transports/registry.h"

#define ADDRESS_SIZE 512

static mw_error step_engine(void *engine, const struct mwi_event *event)
{
    return mwi_master_engine_step(engine, event);
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

/* Where slaves may come. */
struct place {
    const mw_transport_api *api;
    void *environment;
    char address[ADDRESS_SIZE];
};

struct places {
    struct place items[MWI_TRANSPORTS_MAX];
    size_t count;
};

/* "HOST:PORT" or "HOST:LOW-HIGH". */
static void write_tcp_address(const mw_options *options, char address[ADDRESS_SIZE])
{
    const char *host = mwi_options_text(options, MWI_OPTION_MASTER_HOST);
    struct mwi_ports ports = mwi_options_ports(options, MWI_OPTION_MASTER_PORT);
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%u", ports.low);
    if (ports.high > ports.low)
        snprintf(digits + length, sizeof digits - (size_t)length, "-%u", ports.high);
    mwi_hostname_join(host == NULL ? "*" : host, digits, address, ADDRESS_SIZE);
}

/* In local mode the master does not listen, and what is written here is not looked at. */
static mw_error add_tcp(struct places *places, const mw_options *options, mw_reason *why)
{
    struct place *place = &places->items[places->count];
    *place = (struct place){0};
    write_tcp_address(options, place->address);
    mw_error error = mwi_registry_find("tcp", &place->api, why);
    places->count += error == MW_OK;
    return error;
}

static mw_error add_mpi(struct places *places, const mw_options *options, mw_reason *why)
{
    struct place *place = &places->items[places->count];
    *place = (struct place){.environment = mwi_options_communicator(options)};
    snprintf(place->address, sizeof place->address, "%s", mwi_options_master_rank(options));
    mw_error error = mwi_registry_find("mpi", &place->api, why);
    places->count += error == MW_OK;
    return error;
}

static void add_custom(struct places *places, const mw_options *options)
{
    const struct mwi_option_transport *custom = mwi_options_transports(options, &places->count);
    for (size_t i = 0; i < places->count; i++) {
        struct place *place = &places->items[i];
        *place = (struct place){.api = custom[i].api, .environment = custom[i].environment};
        snprintf(place->address, sizeof place->address, "%s", custom[i].address);
    }
}

/* TCP comes before MPI: an address that cannot be had shall show before other ranks are joined. */
static mw_error choose_places(struct places *places, const mw_options *options, enum mwi_mode mode,
                              mw_reason *why)
{
    bool has_mpi = mode == MWI_MODE_MPI_MASTER || mode == MWI_MODE_MIXED_MASTER;
    mw_error error = MW_OK;
    places->count = 0;
    if (mode == MWI_MODE_CUSTOM) {
        add_custom(places, options);
        return MW_OK;
    }
    if (mode != MWI_MODE_MPI_MASTER)
        error = add_tcp(places, options, why);
    if (error == MW_OK && has_mpi)
        error = add_mpi(places, options, why);
    return error;
}

static mw_error init_engine(mw_master *master, const mw_options *options)
{
    struct mwi_master_engine_config config = {
        .member_id = master->member_id,
        .algorithms = mwi_role_algorithms(master->program),
        .task_group = mwi_options_group_size(options, MWI_OPTION_SLAVE_TASK_GROUP),
        .result_group = mwi_options_group_size(options, MWI_OPTION_SLAVE_RESULT_GROUP),
        .frame_write_bytes_max = mwi_options_size_bytes(options, MWI_OPTION_MAX_WRITE_BUFFER_SIZE),
        .frame_read_bytes_max = mwi_options_size_bytes(options, MWI_OPTION_MAX_READ_BUFFER_SIZE),
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
    size_t read = mwi_options_size_bytes(options, MWI_OPTION_MAX_READ_BUFFER_SIZE);
    size_t write = mwi_options_size_bytes(options, MWI_OPTION_MAX_WRITE_BUFFER_SIZE);
    return read > write ? read : write;
}

static void audit_text(mw_master *master, enum mwi_audit_kind kind, const char *text)
{
    mwi_loop_audit(master->loop,
                   (struct mwi_audit_record){.kind = kind, .role = MWI_ROLE_MASTER, .text = text});
}

/* Listens, and tells slaves to connect to `host` if it is not NULL, at the port that was bound. */
static mw_error listen_on(mw_master *master, size_t index, const char *address, const char *host,
                          char bound[ADDRESS_SIZE], mw_reason *why)
{
    char reached[ADDRESS_SIZE] = "";
    mw_error error = mwi_loop_listen(master->loop, index, address, reached, sizeof reached, why);
    const char *colon = strrchr(reached, ':');
    if (host != NULL && colon != NULL)
        mwi_hostname_join(host, colon + 1, bound, ADDRESS_SIZE);
    else
        snprintf(bound, ADDRESS_SIZE, "%s", reached);
    if (error == MW_OK)
        mwi_loop_audit(master->loop,
                       (struct mwi_audit_record){.kind = MWI_AUDIT_MASTER_READY,
                                                 .transport = mwi_loop_scheme(master->loop, index),
                                                 .address = bound});
    return error;
}

static void begin_trail(mw_master *master, const char *scheme)
{
    mwi_trail_set_clock(master->trail, scheme, mwi_loop_now(master->loop), mwi_clock_wall_ns());
    audit_text(master, MWI_AUDIT_VERSION, mw_version());
    audit_text(master, MWI_AUDIT_INIT, master->member_id);
}

/* The options that may be to blame. */
static void name_options(mw_reason *why)
{
    size_t length = strlen(why->text);
    snprintf(why->text + length, sizeof why->text - length,
             " (see --mw-master-host and --mw-master-port)");
}

/* The resource file is about the first place, and lists the libraries that are there with it. */
static mw_error open_place(mw_master *master, const mw_options *options, struct mwi_launch *launch,
                           const struct place *place, mw_reason *why)
{
    char bound[ADDRESS_SIZE] = "";
    const char *scheme = place->api->scheme;
    bool is_tcp = strcmp(scheme, "tcp") == 0;
    bool has_options = is_tcp && launch->mode != MWI_MODE_CUSTOM;
    const char *host = NULL;
    size_t index;
    /* What comes now is collective, whether it succeeds or not. */
    launch->has_joined = launch->has_joined || strcmp(scheme, "mpi") == 0;
    mw_error error = mwi_loop_add(master->loop, place->api, place->environment,
                                  frame_bytes_max(options), launch->wake_fd, &index, why);
    if (error != MW_OK)
        return error;
    if (index == 0)
        begin_trail(master, scheme);
    if (index == 0 && has_options)
        host = mwi_options_text(options, MWI_OPTION_ADVERTISE);
    if (launch->mode != MWI_MODE_LOCAL)
        error = listen_on(master, index, place->address, host, bound, why);
    if (error == MW_ENETWORK && has_options)
        name_options(why);
    if (error == MW_OK && index == 0)
        error = mwi_announce_open(&master->announce, options, scheme, is_tcp ? bound : "");
    return error;
}

/* A master of which it is known that nobody will ever come. */
static mw_error fail_lonely(const mw_options *options, mw_reason *why)
{
    bool is_embedded = mwi_options_communicator(options) != NULL;
    snprintf(why->text, sizeof why->text, "%s",
             is_embedded ? "no other rank of the communicator takes part"
                         : "mpi needs at least 2 processes: start the program with mpirun -n N or "
                           "srun --mpi=pmix -n N");
    return MW_EUNAVAILABLE;
}

static mw_error open_loop(mw_master *master, const mw_options *options, struct mwi_launch *launch,
                          const struct places *places, mw_reason *why)
{
    struct mwi_loop_engine engine = {.engine = &master->engine,
                                     .step = step_engine,
                                     .deadline = engine_deadline,
                                     .effects = &master->engine.effects,
                                     .lost = slave_lost,
                                     .lost_context = master};
    mw_error error =
        mwi_loop_open(&master->loop, &engine, mwi_options_wait(options), master->trail);
    for (size_t i = 0; i < places->count && error == MW_OK; i++)
        error = open_place(master, options, launch, &places->items[i], why);
    if (error != MW_OK)
        return error;
    master->slaves_max = mwi_loop_peers_max(master->loop);
    if (master->slaves_max == 0)
        return fail_lonely(options, why);
    error = mwi_announce_write(master->announce, master->loop, MWI_COMPUTATION_IN_PROGRESS, why);
    if (error == MW_OK && launch->mode == MWI_MODE_LOCAL)
        error = mwi_local_open(&master->local, options, launch, master->loop, 0, why);
    if (error == MW_OK && master->local != NULL)
        error = mwi_local_start(master->local, why);
    return error;
}

static mw_error open_parts(mw_master *master, const mw_options *options, struct mwi_launch *launch,
                           mw_reason *why)
{
    struct places places;
    mw_error error = choose_places(&places, options, launch->mode, why);
    if (error == MW_OK)
        error = mwi_trail_open(&master->trail, options, MWI_ROLE_MASTER, launch->mode,
                               places.items[0].api->scheme, why);
    if (error != MW_OK)
        return error;
    master->engine.effects.is_audited = mwi_audit_file_wanted(master->trail);
    return open_loop(master, options, launch, &places, why);
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
                         struct mwi_launch *launch)
{
    mw_reason why = {""};
    mw_master *opened;
    mw_error error = mwi_role_check_program(program, &why);
    if (error != MW_OK)
        return mwi_options_fail(options, error, "%s", why.text);
    error = create_master(&opened, program, options);
    if (error != MW_OK)
        return mwi_options_fail(options, error, "cannot make a master: %s", mw_error_text(error));
    opened->has_signals = launch->wake_fd >= 0;
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
    struct mwi_launch launch = {.wake_fd = -1};
    mw_error error = mwi_check_options(options);
    if (error == MW_OK)
        launch.mode = mwi_role_mode_embedded(options, false);
    if (error == MW_OK && mwi_role_is_slave(launch.mode))
        error = mwi_role_fail_slave(options);
    if (error == MW_OK)
        error = mwi_master_open(master, program, options, &launch);
    if (error != MW_OK)
        mwi_decline(options, &launch);
    return error;
}

/* Whether somebody is still to be told that the farm ends: a slave that was told and has not gone,
 * or a rank that has not come yet, whose slave algorithm would never run. */
static bool is_awaiting(const mw_master *master)
{
    return !mwi_membership_is_over(&master->engine) ||
           (!mwi_loop_is_complete(master->loop) && master->engine.effects.error == MW_OK);
}

/* Returns the deadline: the engine's own, so that it drops stragglers in the last turn. */
static int64_t await_slaves(mw_master *master)
{
    mw_reason why;
    int64_t now_ns = mwi_loop_now(master->loop);
    int64_t deadline_ns = now_ns + master->shutdown_timeout_ns;
    mwi_membership_shutdown(&master->engine, now_ns);
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
    /* Who ends it may not leave it the time for what follows. */
    if (!is_finished)
        mwi_announce_end(master->announce, master->loop, MWI_COMPUTATION_FAILED);
    mwi_local_close(master->local, await_slaves(master));
    master->local = NULL;
    if (is_finished)
        mwi_announce_end(master->announce, master->loop, MWI_COMPUTATION_FINISHED);
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
