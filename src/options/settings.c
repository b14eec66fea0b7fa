/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads options into the settings of a master or a slave. The public functions of face/ that are
 * given options call this once, after check.c and role.c. Nothing here depends on anything but the
 * options, the mode and the user's arguments.
 *
 * To hand the value of a new option to a room: a field in that room's struct in settings.h, and a
 * line in the function below that fills it.
 */
#include "options/settings.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options/file_pattern.h"
#include "options/hostname.h"

static void read_engine(struct mwi_engine_settings *engine, const mw_options *options)
{
    size_t write = mwi_options_size_bytes(options, MWI_OPTION_MAX_WRITE_BUFFER_SIZE);
    size_t read = mwi_options_size_bytes(options, MWI_OPTION_MAX_READ_BUFFER_SIZE);
    *engine = (struct mwi_engine_settings){
        .task_group = mwi_options_group_size(options, MWI_OPTION_SLAVE_TASK_GROUP),
        .result_group = mwi_options_group_size(options, MWI_OPTION_SLAVE_RESULT_GROUP),
        .frame_write_bytes_max = write,
        .frame_read_bytes_max = read,
        .frame_bytes_max = read > write ? read : write,
        .client_timeout_ns = mwi_options_duration_ns(options, MWI_OPTION_CLIENT_TIMEOUT),
        .shutdown_timeout_ns = mwi_options_duration_ns(options, MWI_OPTION_SHUTDOWN_TIMEOUT),
        .is_speculating = mwi_options_flag(options, MWI_OPTION_SPECULATE),
        .speculate_factor = mwi_options_integer(options, MWI_OPTION_SPECULATE_FACTOR),
        .reconnect_ns = mwi_options_duration_ns(options, MWI_OPTION_RECONNECT),
        .fit_timeout_ns = mwi_options_duration_ns(options, MWI_OPTION_CONNECT_TIMEOUT),
    };
}

/* Whether the pattern gives each node a file of its own: by %n, or by %p if each is a process. */
static bool has_own_file(const char *pattern, bool is_process)
{
    return pattern != NULL && (mwi_file_pattern_has(pattern, 'n') ||
                               (is_process && mwi_file_pattern_has(pattern, 'p')));
}

/* The level that the options ask for. --mw-quiet limits standard error alone. */
static enum mwi_audit_level audit_level(const mw_options *options, bool is_for_standard_error)
{
    enum mwi_audit_level level =
        (enum mwi_audit_level)mwi_options_word(options, MWI_OPTION_AUDIT_LEVEL);
    bool is_quiet = is_for_standard_error && mwi_options_flag(options, MWI_OPTION_QUIET);
    return is_quiet && level < MWI_AUDIT_LEVEL_PROBLEMS ? MWI_AUDIT_LEVEL_PROBLEMS : level;
}

static bool is_simulated(const mw_options *options, enum mwi_mode mode)
{
    size_t count;
    const struct mwi_option_transport *custom = mwi_options_transports(options, &count);
    return mode == MWI_MODE_CUSTOM && strcmp(custom[0].api->scheme, "sim") == 0;
}

/* Slaves that were started together with their master (local, serial, mpi) keep a trail only if
 * each has a file of its own: the trail of the master tells the same, and theirs would be mixed
 * into it. */
static void read_audit(struct mwi_audit_settings *audit, const mw_options *options,
                       enum mwi_mode mode, const char *node)
{
    const char *pattern = mwi_options_text(options, MWI_OPTION_AUDIT_FILE);
    bool is_serial = mode == MWI_MODE_SERIAL_SLAVE;
    bool is_companion = is_serial || mode == MWI_MODE_CHANNEL_SLAVE || mode == MWI_MODE_MPI_SLAVE;
    bool is_silent = is_companion && !has_own_file(pattern, !is_serial);
    *audit = (struct mwi_audit_settings){
        .pattern = is_silent ? NULL : pattern,
        .node = node,
        .member_id = mwi_options_text(options, MWI_OPTION_MEMBER_ID),
        .level = is_silent ? MWI_AUDIT_LEVEL_NONE : audit_level(options, pattern == NULL),
        .has_milliseconds = mwi_options_word(options, MWI_OPTION_AUDIT_TIME) == 1,
        .is_json = strcmp(mwi_options_text(options, MWI_OPTION_AUDIT_FORMAT), "json") == 0,
        .is_simulated = is_simulated(options, mode),
    };
}

static void read_tcp(struct mwi_tcp_settings *tcp, const mw_options *options)
{
    *tcp = (struct mwi_tcp_settings){
        .is_insecure = mwi_options_flag(options, MWI_OPTION_INSECURE),
        .key_file = mwi_options_text(options, MWI_OPTION_KEY_FILE),
    };
}

static void read_announce(struct mwi_announce_settings *announce, const mw_options *options)
{
    *announce = (struct mwi_announce_settings){
        .path = mwi_options_text(options, MWI_OPTION_RESOURCE_FILE),
        .interval_ns = mwi_options_duration_ns(options, MWI_OPTION_RESOURCE_FILE_UPDATE_INTERVAL),
        .member_id = mwi_options_text(options, MWI_OPTION_MEMBER_ID),
        .has_member_id = mwi_options_is_set(options, MWI_OPTION_MEMBER_ID),
        .is_insecure = mwi_options_flag(options, MWI_OPTION_INSECURE),
        .key_file = mwi_options_text(options, MWI_OPTION_KEY_FILE),
    };
}

static mw_error read_local(struct mwi_local_settings *local, const mw_options *options, int argc,
                           char **argv)
{
    *local = (struct mwi_local_settings){
        .slaves_count = (size_t)mwi_options_integer(options, MWI_OPTION_LOCAL),
        .argc = argc,
        .argv = argv,
    };
    local->inherited = mwi_options_inherited(options, &local->inherited_count);
    return local->inherited == NULL ? MW_ENOMEM : MW_OK;
}

/* Without encryption nobody on the network is let in unless the user says so. */
static const char *host_to_listen_on(const mw_options *options)
{
    const char *host = mwi_options_text(options, MWI_OPTION_MASTER_HOST);
    const char *unless = mwi_options_flag(options, MWI_OPTION_INSECURE) ? "127.0.0.1" : "*";
    return host != NULL ? host : unless;
}

/* A master listens on "HOST:PORT" or "HOST:LOW-HIGH". */
static void set_tcp_place(struct mwi_place_settings *place, const mw_options *options)
{
    struct mwi_ports ports = mwi_options_ports(options, MWI_OPTION_MASTER_PORT);
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%u", ports.low);
    if (ports.high > ports.low)
        snprintf(digits + length, sizeof digits - (size_t)length, "-%u", ports.high);
    *place = (struct mwi_place_settings){.scheme = "tcp"};
    mwi_hostname_join(host_to_listen_on(options), digits, place->address, sizeof place->address);
}

static void set_mpi_place(struct mwi_place_settings *place, const mw_options *options)
{
    *place = (struct mwi_place_settings){.scheme = "mpi",
                                         .environment = mwi_options_communicator(options)};
    snprintf(place->address, sizeof place->address, "%s",
             place->environment == NULL ? "0" : mwi_options_master_rank(options));
}

static void set_custom_place(struct mwi_place_settings *place,
                             const struct mwi_option_transport *custom)
{
    *place = (struct mwi_place_settings){
        .api = custom->api, .scheme = custom->api->scheme, .environment = custom->environment};
    snprintf(place->address, sizeof place->address, "%s", custom->address);
}

/* TCP comes before MPI: an address that cannot be had shall show before other ranks are joined. */
static void read_places(struct mwi_master_settings *settings, const mw_options *options)
{
    size_t custom_count;
    const struct mwi_option_transport *custom = mwi_options_transports(options, &custom_count);
    size_t count = 0;
    if (settings->mode == MWI_MODE_CUSTOM) {
        for (; count < custom_count; count++)
            set_custom_place(&settings->places[count], &custom[count]);
    } else if (settings->mode == MWI_MODE_SERIAL) {
        settings->places[count++] = (struct mwi_place_settings){.scheme = "inproc"};
    } else {
        if (settings->mode != MWI_MODE_MPI_MASTER)
            set_tcp_place(&settings->places[count++], options);
        if (settings->mode == MWI_MODE_MPI_MASTER || settings->mode == MWI_MODE_MIXED_MASTER)
            set_mpi_place(&settings->places[count++], options);
    }
    assert(count > 0 && count <= MWI_TRANSPORTS_MAX);
    settings->places_count = count;
}

static void read_slave_place(struct mwi_slave_settings *settings, const mw_options *options)
{
    size_t count;
    struct mwi_place_settings *place = &settings->place;
    switch (settings->mode) {
    case MWI_MODE_MPI_SLAVE:
        set_mpi_place(place, options);
        break;
    case MWI_MODE_CUSTOM:
        set_custom_place(place, mwi_options_transports(options, &count));
        break;
    case MWI_MODE_SERIAL_SLAVE:
        place->scheme = "inproc";
        break;
    case MWI_MODE_CHANNEL_SLAVE:
        place->scheme = "tcp";
        snprintf(place->address, sizeof place->address, "fd:%lld",
                 (long long)mwi_options_integer(options, MWI_OPTION_CHANNEL));
        break;
    default:
        assert(settings->mode == MWI_MODE_TCP_SLAVE);
        place->scheme = "tcp";
        settings->resource_file = mwi_options_text(options, MWI_OPTION_RESOURCE_FILE);
    }
}

static void read_address_book(struct mwi_address_book *book, const mw_options *options)
{
    const char *host = mwi_options_text(options, MWI_OPTION_MASTER_HOST);
    *book = (struct mwi_address_book){
        .port = mwi_options_ports(options, MWI_OPTION_MASTER_PORT).low,
        .takes_member_id = mwi_options_gives_way(options, MWI_OPTION_MEMBER_ID),
        .takes_host = mwi_options_gives_way(options, MWI_OPTION_MASTER_HOST),
        .takes_port = mwi_options_gives_way(options, MWI_OPTION_MASTER_PORT),
    };
    snprintf(book->member_id, sizeof book->member_id, "%s",
             mwi_options_text(options, MWI_OPTION_MEMBER_ID));
    snprintf(book->host, sizeof book->host, "%s", host == NULL ? "" : host);
}

/* A local slave and a rank need not look for their master: it is known to be there, and may have
 * much to do before it serves its slaves. Its end is reported by the socket or by MPI. */
static void wait_for_ever(struct mwi_slave_settings *settings)
{
    settings->connect_timeout_ns = INT64_MAX;
    settings->engine.reconnect_ns = 0;
    settings->engine.client_timeout_ns = INT64_MAX;
}

void mwi_settings_read_slave(struct mwi_slave_settings *settings, const mw_options *options,
                             enum mwi_mode mode)
{
    assert(mwi_role_is_slave(mode) || mode == MWI_MODE_CUSTOM);
    memset(settings, 0, sizeof *settings);
    settings->mode = mode;
    settings->wait = mwi_options_wait(options);
    settings->connect_timeout_ns = mwi_options_duration_ns(options, MWI_OPTION_CONNECT_TIMEOUT);
    read_engine(&settings->engine, options);
    if (mode != MWI_MODE_TCP_SLAVE && mode != MWI_MODE_CUSTOM)
        wait_for_ever(settings);
    read_audit(&settings->audit, options, mode, NULL);
    settings->output = mwi_options_text(options, MWI_OPTION_SLAVE_OUTPUT);
    settings->audit.is_error_kept = settings->output != NULL;
    read_tcp(&settings->tcp, options);
    read_slave_place(settings, options);
    read_address_book(&settings->address_book, options);
}

/* The streams of the process are the master's. */
static void read_serial(struct mwi_serial_settings *serial, const mw_options *options, int argc,
                        char **argv)
{
    mwi_settings_read_slave(&serial->slave, options, MWI_MODE_SERIAL_SLAVE);
    serial->slave.output = NULL;
    serial->slave.audit.is_error_kept = false;
    serial->argc = argc;
    serial->argv = argv;
}

static void read_journal(struct mwi_journal_options *settings, const mw_options *options, int argc,
                         char **argv)
{
    *settings = (struct mwi_journal_options){
        .path = mwi_options_text(options, MWI_OPTION_JOURNAL),
        .sync_ns = mwi_options_duration_ns(options, MWI_OPTION_JOURNAL_SYNC),
        .is_accepted = mwi_options_flag(options, MWI_OPTION_JOURNAL_ACCEPT),
        .keeps_failures = mwi_options_flag(options, MWI_OPTION_JOURNAL_KEEP_FAILED),
        .is_shared = mwi_options_communicator(options) != NULL,
        .goes_on = mwi_options_word(options, MWI_OPTION_JOURNAL_ON_ERROR) == 1,
        .argc = argc,
        .argv = argv,
    };
    settings->disk = mwi_options_disk(options, &settings->environment);
}

mw_error mwi_settings_read_master(struct mwi_master_settings *settings, const mw_options *options,
                                  enum mwi_mode mode, int argc, char **argv)
{
    assert(!mwi_role_is_slave(mode));
    memset(settings, 0, sizeof *settings);
    settings->mode = mode;
    settings->member_id = mwi_options_text(options, MWI_OPTION_MEMBER_ID);
    settings->has_communicator = mwi_options_communicator(options) != NULL;
    settings->ends_job = settings->has_communicator && mwi_options_ends_job(options);
    settings->wait = mwi_options_wait(options);
    read_engine(&settings->engine, options);
    read_audit(&settings->audit, options, mode, "master");
    settings->audit.has_tasks = mwi_options_flag(options, MWI_OPTION_AUDIT_TASKS);
    read_places(settings, options);
    if (mode != MWI_MODE_CUSTOM)
        settings->advertised_host = mwi_options_text(options, MWI_OPTION_ADVERTISE);
    settings->executable = (struct mwi_executable_settings){
        .asked = mwi_options_text(options, MWI_OPTION_SLAVE_EXECUTABLE),
        .argc = argc,
        .argv = argv,
    };
    read_tcp(&settings->tcp, options);
    read_announce(&settings->announce, options);
    read_journal(&settings->journal, options, argc, argv);
    if (mode == MWI_MODE_SERIAL)
        read_serial(&settings->serial, options, argc, argv);
    return mode == MWI_MODE_LOCAL ? read_local(&settings->local, options, argc, argv) : MW_OK;
}

void mwi_settings_fini_master(struct mwi_master_settings *settings)
{
    free(settings->local.inherited);
    settings->local.inherited = NULL;
}
