/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds contradictions between options, before role.c and settings.c read them. mw_main and the
 * functions that open a master or a slave call this. Two options that exclude each other are an
 * error if both come from the environment, or neither does. Otherwise the one from the environment
 * is unset, so that MW_LOCAL=4 in somebody's profile does not spoil --mw-slave, nor the slaves that
 * a local master starts.
 *
 * A new contradiction is a call of exclude in one of the checks, or a check of its own in the list
 * of mwi_check_options.
 */
#include "options/check.h"

#include <stdio.h>
#include <string.h>

#include "options/file_pattern.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* The option as the user wrote it: "--mw-local 3", "--mw-slave", "MW_TRANSPORT=mpi". */
static const char *show(const mw_options *options, enum mwi_option option, char *shown, size_t size)
{
    const struct mwi_option_row *row = &mwi_table_rows[option];
    const char *value = mwi_options_text(options, option);
    char variable[64];
    mwi_table_variable(row, variable, sizeof variable);
    if (mwi_options_source(options, option) == MWI_SOURCE_ENVIRONMENT)
        snprintf(shown, size, "%s=%s", variable, value);
    else if (row->kind == MWI_OPTION_IS_FLAG)
        snprintf(shown, size, MWI_OPTION_PREFIX "%s", row->name);
    else
        snprintf(shown, size, MWI_OPTION_PREFIX "%s %s", row->name, value);
    return shown;
}

/* Whether the option asks for something: it is a flag that is on, or its value is not the
 * default. */
static bool wants(const mw_options *options, enum mwi_option option)
{
    const char *value = mwi_options_text(options, option);
    const char *standard = mwi_table_rows[option].default_value;
    return value != NULL && (standard == NULL || strcmp(value, standard) != 0);
}

/* Does nothing unless both options ask for something. MW_EUSAGE, with the reason, if they have the
 * same source; otherwise unsets the one from the environment. */
static mw_error exclude(mw_options *options, enum mwi_option first, enum mwi_option second,
                        const char *reason)
{
    enum mwi_option_source first_source = mwi_options_source(options, first);
    enum mwi_option_source second_source = mwi_options_source(options, second);
    char first_shown[96], second_shown[96];
    if (!wants(options, first) || !wants(options, second))
        return MW_OK;
    if (first_source == second_source)
        return mwi_options_fail(options, MW_EUSAGE, "%s contradicts %s: %s",
                                show(options, first, first_shown, sizeof first_shown),
                                show(options, second, second_shown, sizeof second_shown), reason);
    mwi_options_unset(options, first_source < second_source ? first : second);
    return MW_OK;
}

static bool names(const mw_options *options, const char *scheme)
{
    return mwi_options_names_transport(options, scheme);
}

/* Checks the placeholders in options that name files. */
static mw_error check_patterns(mw_options *options)
{
    static const enum mwi_option patterns[] = {MWI_OPTION_AUDIT_FILE, MWI_OPTION_SLAVE_OUTPUT};
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        mw_reason why;
        char name[64];
        const char *text = mwi_options_text(options, patterns[i]);
        snprintf(name, sizeof name, MWI_OPTION_PREFIX "%s", mwi_table_rows[patterns[i]].name);
        if (text != NULL && mwi_file_pattern_check(name, text, &why) != MW_OK)
            return mwi_options_fail(options, MW_EUSAGE, "%s", why.text);
    }
    return MW_OK;
}

static mw_error check_isolation(mw_options *options)
{
    if (!mwi_options_flag(options, MWI_OPTION_SLAVE_ISOLATE)) {
        if (mwi_options_source(options, MWI_OPTION_SLAVE_MEMORY) == MWI_SOURCE_SET)
            return mwi_options_fail(options, MW_EUSAGE,
                                    "--mw-slave-memory needs --mw-slave-isolate");
        return MW_OK;
    }
    if (mwi_options_is_set(options, MWI_OPTION_LOCAL) &&
        mwi_options_integer(options, MWI_OPTION_LOCAL) == 0)
        return mwi_options_fail(options, MW_EUSAGE,
                                "--mw-local 0 contradicts --mw-slave-isolate: the slave runs in "
                                "the master's process");
    return MW_OK;
}

static mw_error check_roles(mw_options *options)
{
    mw_error error = exclude(options, MWI_OPTION_SLAVE, MWI_OPTION_MASTER,
                             "a process is either a master or a slave");
    if (error == MW_OK)
        error = exclude(options, MWI_OPTION_SLAVE, MWI_OPTION_LOCAL,
                        "a slave starts no slaves of its own");
    if (error == MW_OK)
        error = exclude(options, MWI_OPTION_SLAVE, MWI_OPTION_ADVERTISE,
                        "slaves connect to their master, and nobody to a slave");
    if (error == MW_OK)
        error = exclude(options, MWI_OPTION_MASTER, MWI_OPTION_LOCAL,
                        "a local farm has its own slaves, a master waits for others");
    return error;
}

static mw_error exclude_role_and_transport(mw_options *options, const char *reason)
{
    mw_error error = exclude(options, MWI_OPTION_MASTER, MWI_OPTION_TRANSPORT, reason);
    if (error == MW_OK)
        error = exclude(options, MWI_OPTION_SLAVE, MWI_OPTION_TRANSPORT, reason);
    return error;
}

static mw_error check_transport(mw_options *options)
{
    if (names(options, "mpi") && names(options, "tcp"))
        return exclude_role_and_transport(
            options, "rank 0 is the master and all other ranks are slaves; a slave that joins over "
                     "TCP takes --mw-slave alone");
    if (names(options, "mpi"))
        return exclude_role_and_transport(
            options, "under mpi, rank 0 is the master and all other ranks are slaves");
    if (names(options, "local"))
        return exclude_role_and_transport(
            options, "a local farm is master and slaves; a single master or slave needs tcp");
    return MW_OK;
}

static bool has_communicator(const mw_options *options)
{
    return mwi_options_communicator(options) != NULL;
}

static bool has_custom_transport(const mw_options *options)
{
    size_t count;
    mwi_options_transports(options, &count);
    return count > 0;
}

/* A communicator decides which process is the master, so options that decide it too are refused.
 * Variables of the environment are passed over: they are meant for other programs. */
static mw_error check_communicator(mw_options *options)
{
    static const enum mwi_option others[] = {MWI_OPTION_MASTER, MWI_OPTION_SLAVE, MWI_OPTION_LOCAL,
                                             MWI_OPTION_CHANNEL, MWI_OPTION_TRANSPORT};
    char shown[96];
    if (has_custom_transport(options))
        return mwi_options_fail(options, MW_EUSAGE,
                                "a transport of mw_options_use_transport does not go with an MPI "
                                "communicator: the farm is either on the communicator's ranks or "
                                "over that transport");
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (!wants(options, others[i]) ||
            mwi_options_source(options, others[i]) == MWI_SOURCE_ENVIRONMENT ||
            (others[i] == MWI_OPTION_TRANSPORT && names(options, "mpi")))
            continue;
        return mwi_options_fail(options, MW_EUSAGE,
                                "%s does not go with an MPI communicator: rank %s of it is the "
                                "master, and its other ranks are slaves",
                                show(options, others[i], shown, sizeof shown),
                                mwi_options_master_rank(options));
    }
    return MW_OK;
}

static mw_error check_local(mw_options *options)
{
    if (names(options, "local"))
        return MW_OK;
    return exclude(options, MWI_OPTION_LOCAL, MWI_OPTION_TRANSPORT,
                   "a local farm has the transport local");
}

/* A slave that has neither a channel nor a resource file needs the host and the port of its
 * master. */
static mw_error check_way_to_master(mw_options *options)
{
    bool has_host = mwi_options_is_set(options, MWI_OPTION_MASTER_HOST);
    bool has_port = mwi_options_is_set(options, MWI_OPTION_MASTER_PORT);
    if (!has_host && !has_port)
        return mwi_options_fail(options, MW_EUSAGE,
                                "--mw-slave does not know its master: give --mw-resource-file, or "
                                "--mw-master-host and --mw-master-port");
    if (!has_port)
        return mwi_options_fail(options, MW_EUSAGE,
                                "--mw-slave with --mw-master-host needs --mw-master-port too, or "
                                "--mw-resource-file");
    if (!has_host)
        return mwi_options_fail(options, MW_EUSAGE,
                                "--mw-slave with --mw-master-port needs --mw-master-host too, or "
                                "--mw-resource-file");
    if (mwi_options_ports(options, MWI_OPTION_MASTER_PORT).low == 0)
        return mwi_options_fail(options, MW_EUSAGE,
                                "--mw-master-port 0: a slave needs the port on which its master "
                                "listens");
    return MW_OK;
}

static bool is_tcp_master(const mw_options *options)
{
    if (has_custom_transport(options))
        return false;
    if (has_communicator(options))
        return names(options, "mpi") && names(options, "tcp");
    return !mwi_options_flag(options, MWI_OPTION_SLAVE) &&
           (mwi_options_flag(options, MWI_OPTION_MASTER) || names(options, "tcp"));
}

/* Refuses options of TCP if the process is neither a slave nor a TCP master: perhaps --mw-master
 * was forgotten. Under mpi the error message does not propose --mw-master, which would be refused
 * in turn. */
static mw_error check_tcp(mw_options *options)
{
    static const struct {
        enum mwi_option option;
        const char *purpose, *remedy;
    } rows[] = {
        {MWI_OPTION_MASTER_HOST, "TCP", "--mw-master, --mw-slave or "},
        {MWI_OPTION_MASTER_PORT, "TCP", "--mw-master, --mw-slave or "},
        {MWI_OPTION_ADVERTISE, "a TCP master", "--mw-master or "},
        {MWI_OPTION_KEY_FILE, "TCP", "--mw-master, --mw-slave or "},
        {MWI_OPTION_INSECURE, "TCP", "--mw-master, --mw-slave or "},
    };
    bool is_mpi = has_communicator(options) || names(options, "mpi");
    bool is_slave = !has_communicator(options) && mwi_options_flag(options, MWI_OPTION_SLAVE);
    bool has_channel = mwi_options_is_set(options, MWI_OPTION_CHANNEL);
    if (has_custom_transport(options) || (is_slave && has_channel))
        return MW_OK;
    if (is_slave || is_tcp_master(options))
        return exclude(options, MWI_OPTION_INSECURE, MWI_OPTION_KEY_FILE,
                       "without encryption there is no use for a key");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (mwi_options_source(options, rows[i].option) == MWI_SOURCE_SET)
            return mwi_options_fail(
                options, MW_EUSAGE,
                MWI_OPTION_PREFIX "%s is for %s: it needs %s--mw-transport mpi,tcp",
                mwi_table_rows[rows[i].option].name, rows[i].purpose, is_mpi ? "" : rows[i].remedy);
    return MW_OK;
}

/* A master can listen on all interfaces, but a slave cannot connect to them. */
static mw_error check_advertise(mw_options *options)
{
    if (!is_tcp_master(options) || !mwi_options_is_refused(options, MWI_OPTION_ADVERTISE))
        return MW_OK;
    return mwi_options_refuse(options, MWI_OPTION_ADVERTISE);
}

/* A slave needs one host and one port. A range of ports, or all interfaces, in the environment may
 * be meant for the master: the option is unset if there is a resource file, which says where the
 * master listens. */
static mw_error require_single(mw_options *options, enum mwi_option option, bool is_single,
                               const char *noun)
{
    char shown[96];
    if (is_single)
        return MW_OK;
    if (mwi_options_source(options, option) == MWI_SOURCE_ENVIRONMENT &&
        mwi_options_is_set(options, MWI_OPTION_RESOURCE_FILE)) {
        mwi_options_unset(options, option);
        return MW_OK;
    }
    return mwi_options_fail(options, MW_EUSAGE,
                            "%s: a slave needs the single %s on which its master listens",
                            show(options, option, shown, sizeof shown), noun);
}

static mw_error check_single_address(mw_options *options)
{
    struct mwi_ports ports = mwi_options_ports(options, MWI_OPTION_MASTER_PORT);
    bool is_one_host = !mwi_options_is_all_interfaces(options, MWI_OPTION_MASTER_HOST);
    mw_error error = require_single(options, MWI_OPTION_MASTER_HOST, is_one_host, "host");
    if (error != MW_OK)
        return error;
    return require_single(options, MWI_OPTION_MASTER_PORT, ports.low == ports.high, "port");
}

static mw_error check_slave(mw_options *options)
{
    bool is_slave = mwi_options_flag(options, MWI_OPTION_SLAVE);
    bool has_channel = mwi_options_is_set(options, MWI_OPTION_CHANNEL);
    if (has_channel && !is_slave)
        return mwi_options_fail(options, MW_EUSAGE,
                                "--mw-channel is for a slave: it needs "
                                "--mw-slave");
    if (!is_slave || has_channel || has_custom_transport(options))
        return MW_OK;
    mw_error error = check_single_address(options);
    if (error != MW_OK || mwi_options_is_set(options, MWI_OPTION_RESOURCE_FILE))
        return error;
    return check_way_to_master(options);
}

mw_error mwi_check_options(mw_options *options)
{
    static mw_error (*const checks[])(mw_options *) = {check_roles, check_transport, check_local,
                                                       check_slave};
    mw_error error = MW_OK;
    if (has_communicator(options))
        error = check_communicator(options);
    for (size_t i = 0; !has_communicator(options) && error == MW_OK && i < COUNT_OF(checks); i++)
        error = checks[i](options);
    if (error == MW_OK)
        error = check_tcp(options);
    if (error == MW_OK)
        error = check_advertise(options);
    if (error == MW_OK)
        error = check_isolation(options);
    if (error == MW_OK)
        error = check_patterns(options);
    return error;
}
