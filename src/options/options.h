/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of the options that one farm is opened with. mw/embed.h has the public calls: setters,
 * argv, environment. This header has the readers, which settings.c, role.c and check.c use; nobody
 * above this folder reads options.
 */
#ifndef MWI_OPTIONS_H
#define MWI_OPTIONS_H

#include <mw/embed.h>

#include "options/kind.h"

#define MWI_TRANSPORTS_MAX 8

/* Room for the address of a master, with its NUL. */
#define MWI_PLACE_ADDRESS_BYTES 512

/* Where a value came from. When two options contradict each other, a later enumerator wins. */
enum mwi_option_source { MWI_SOURCE_DEFAULT, MWI_SOURCE_ENVIRONMENT, MWI_SOURCE_SET };

/* A transport that mw_options_use_transport added; the options own the address, and borrow the rest
 * from the user. */
struct mwi_option_transport {
    const mw_transport_api *api;
    void *environment;
    char *address;
};

/* The value of an option. Each function is for options of one kind, which it asserts. */
bool mwi_options_flag(const mw_options *options, enum mwi_option option);
int64_t mwi_options_integer(const mw_options *options, enum mwi_option option);
int64_t mwi_options_duration_ns(const mw_options *options, enum mwi_option option);
struct mwi_ports mwi_options_ports(const mw_options *options, enum mwi_option option);
/* The index of the word in the `words` of the option's row. */
size_t mwi_options_word(const mw_options *options, enum mwi_option option);
mw_wait mwi_options_wait(const mw_options *options);
/* The number of tasks or results in a group; 0 for "auto". */
size_t mwi_options_group_size(const mw_options *options, enum mwi_option option);
size_t mwi_options_size_bytes(const mw_options *options, enum mwi_option option);
/* Whether a host stands for all interfaces; false if it is not set. */
bool mwi_options_is_all_interfaces(const mw_options *options, enum mwi_option option);

/* The value of an option of any kind, field by field. */
struct mwi_option_value mwi_options_value(const mw_options *options, enum mwi_option option);

/* The value of an option of any kind as text; NULL if the option is not set and has no default.
 * Borrowed until the option is set again. */
const char *mwi_options_text(const mw_options *options, enum mwi_option option);

/* Whether the option was set at all, and by whom. */
bool mwi_options_is_set(const mw_options *options, enum mwi_option option);
enum mwi_option_source mwi_options_source(const mw_options *options, enum mwi_option option);

/* Puts an option back to its default. */
void mwi_options_unset(mw_options *options, enum mwi_option option);

/* Whether a resource file that says this option replaces the option's value. The file counts as if
 * its contents stood where --mw-resource-file stands: it replaces a default, a variable of the
 * environment, and a setting before it in argv or by mw_options_set. If --mw-resource-file itself
 * is from the environment, the file replaces only defaults. */
bool mwi_options_gives_way(const mw_options *options, enum mwi_option option);

/* Whether --mw-transport names the scheme, alone or in a list: "tcp" is in "mpi,tcp". */
bool mwi_options_names_transport(const mw_options *options, const char *scheme);

/* The communicator that mw_options_set_communicator set, as the environment of the transport mpi;
 * NULL if there is none. Borrowed until the options are destroyed. */
void *mwi_options_communicator(const mw_options *options);

/* Whether that communicator is known to have no rank but the master's. */
bool mwi_options_is_alone(const mw_options *options);

/* Whether the master may end the job of the communicator's ranks, if one does not come back. */
/* Whether the caller has said that this process may be forked, see mw_options_allow_fork. */
bool mwi_options_may_fork(const mw_options *options);

bool mwi_options_ends_job(const mw_options *options);

/* The master's rank in that communicator as an address of the transport mpi. Borrowed until the
 * next mw_options_set_communicator. */
const char *mwi_options_master_rank(const mw_options *options);

/* Remembers whether the collective call of the communicator is still to be made. */
void mwi_options_set_must_decline(mw_options *options, bool must_decline);

/* The transports that mw_options_use_transport added, *count of them. Borrowed until the options
 * are destroyed. */
const struct mwi_option_transport *mwi_options_transports(const mw_options *options, size_t *count);

/* For tests: a journal is on this disk, and not in a file; both are borrowed. The second function
 * tells which disk that is; NULL: none was set. */
struct mwi_disk_api;
void mwi_options_use_disk(mw_options *options, const struct mwi_disk_api *disk, void *environment);
const struct mwi_disk_api *mwi_options_disk(const mw_options *options, void **environment);

/* Makes an argument vector that hands on each option that was set and that the slaves of this
 * master share (is_inherited in the table): "--mw-member-id=x", ...; ended by NULL. The vector and
 * its strings are one malloc'd block, which the caller frees. NULL out of memory; *count is then
 * unchanged. */
char **mwi_options_inherited(const mw_options *options, size_t *count);

/* An environment is shared by programs for which a value may be right that is wrong here. Whether
 * the option has a value that must not be used; and the sentence that says so, MW_EUSAGE. */
bool mwi_options_is_refused(const mw_options *options, enum mwi_option option);
mw_error mwi_options_refuse(mw_options *options, enum mwi_option option);

/* Keeps a sentence for mw_options_error and returns `error`. */
mw_error mwi_options_fail(mw_options *options, mw_error error, const char *format, ...)
    MW_PRINTF(3, 4);

/* The same for an option that does not exist; its name is the `length` bytes at `name`. MW_EUSAGE.
 */
mw_error mwi_options_fail_unknown(mw_options *options, const char *name, size_t length);

#endif
