/* SPDX-License-Identifier: Apache-2.0
 *
 * The options: one table behind argv, environment, setters, --mw-help and the man page. The public
 * calls are in mw/embed.h; here is what the rest of the library reads.
 */
#ifndef MWI_OPTIONS_H
#define MWI_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include <mw/embed.h>

#define MWI_TRANSPORTS_MAX 8

enum mwi_option {
    MWI_OPTION_HELP,
    MWI_OPTION_VERSION_STRING,
    MWI_OPTION_MASTER,
    MWI_OPTION_SLAVE,
    MWI_OPTION_LOCAL,
    MWI_OPTION_TRANSPORT,
    MWI_OPTION_MASTER_HOST,
    MWI_OPTION_MASTER_PORT,
    MWI_OPTION_ADVERTISE,
    MWI_OPTION_CHANNEL,
    MWI_OPTION_MEMBER_ID,
    MWI_OPTION_CONNECT_TIMEOUT,
    MWI_OPTION_CLIENT_TIMEOUT,
    MWI_OPTION_SHUTDOWN_TIMEOUT,
    MWI_OPTION_WAIT,
    MWI_OPTION_SLAVE_TASK_GROUP,
    MWI_OPTION_SLAVE_RESULT_GROUP,
    MWI_OPTION_MAX_WRITE_BUFFER_SIZE,
    MWI_OPTION_MAX_READ_BUFFER_SIZE,
    MWI_OPTION_AUDIT_FILE,
    MWI_OPTION_AUDIT_FORMAT,
    MWI_OPTION_QUIET,
    MWI_OPTION_RESOURCE_FILE,
    MWI_OPTION_RESOURCE_FILE_UPDATE_INTERVAL,
    MWI_OPTION_SLAVE_EXECUTABLE,
    MWI_OPTIONS_COUNT
};

/* Where a value came from. When two options contradict each other, a later enumerator wins. */
enum mwi_option_source {
    MWI_SOURCE_DEFAULT,
    MWI_SOURCE_RESOURCE_FILE,
    MWI_SOURCE_ENVIRONMENT,
    MWI_SOURCE_SET
};

/* A transport that mw_options_use_transport added. */
struct mwi_option_transport {
    const mw_transport_api *api;
    void *environment;
    char *address;
};

/* The ports of a range LOW-HIGH; a single port is both. */
struct mwi_ports {
    unsigned low, high;
};

bool mwi_options_flag(const mw_options *options, enum mwi_option option);
int64_t mwi_options_integer(const mw_options *options, enum mwi_option option);
int64_t mwi_options_duration_ns(const mw_options *options, enum mwi_option option);
struct mwi_ports mwi_options_ports(const mw_options *options, enum mwi_option option);
mw_wait mwi_options_wait(const mw_options *options);
/* NULL if not set and without default; borrowed until it is set again. */
const char *mwi_options_text(const mw_options *options, enum mwi_option option);
/* Whether it was set at all, by whomever, and by whom. */
bool mwi_options_is_set(const mw_options *options, enum mwi_option option);
enum mwi_option_source mwi_options_source(const mw_options *options, enum mwi_option option);

/* Puts an option back to its default. */
void mwi_options_unset(mw_options *options, enum mwi_option option);

/* What a resource file said: counts as if it stood where --mw-resource-file stands. So it replaces
 * what the environment, or something earlier in argv or an earlier mw_options_set said, and gives
 * way to what came later; if --mw-resource-file itself is from the environment, also to the other
 * variables of the environment. Giving way is MW_OK. MW_EUSAGE for a value that is not allowed. */
mw_error mwi_options_set_from_resource_file(mw_options *options, enum mwi_option option,
                                            const char *value);

/* Whether --mw-transport names it, alone or in a list: "tcp" is in "mpi,tcp". */
bool mwi_options_names_transport(const mw_options *options, const char *scheme);

/* What mw_options_set_communicator said, as mpi's environment, and with it the master's rank as an
 * address; NULL if there is nothing. */
void *mwi_options_communicator(const mw_options *options, const char **master_rank);

/* Remembers whether the collective call of the communicator is still to be made. */
void mwi_options_set_must_decline(mw_options *options, bool must_decline);

/* The transports that were added, *count of them. */
const struct mwi_option_transport *mwi_options_transports(const mw_options *options, size_t *count);

/* Makes an argument vector that hands on every option that a slave started by this master should
 * share (marked so in the table) and that was set: "--mw-member-id=x", ...; ended by NULL. One
 * malloc'd block, to be freed by the caller; NULL out of memory, *count is then untouched. */
char **mwi_options_inherited(const mw_options *options, size_t *count);

/* Contradictions between options: MW_EUSAGE with a sentence, else MW_OK. Where the environment and
 * the command line contradict each other in role or transport, there is no error: what the
 * environment said is unset. What it says against a communicator stays, and is not looked at: the
 * next farm may be one without. */
mw_error mwi_options_check(mw_options *options);

/* What was read of an environment that many share may be nothing to this process: whether the
 * option has a value that it must not have where it is used; and the sentence about it, MW_EUSAGE.
 */
bool mwi_options_is_refused(const mw_options *options, enum mwi_option option);
mw_error mwi_options_refuse(mw_options *options, enum mwi_option option);

/* Keeps a sentence for mw_options_error and returns `error`. */
mw_error mwi_options_fail(mw_options *options, mw_error error, const char *format, ...)
    MW_PRINTF(3, 4);

/* The same for an option that does not exist, `length` bytes of `name`: MW_EUSAGE. */
mw_error mwi_options_fail_unknown(mw_options *options, const char *name, size_t length);

/* What mw_options_print_help says of the options, as a section of a man page (roff). */
void mwi_options_roff(FILE *stream);

#endif
