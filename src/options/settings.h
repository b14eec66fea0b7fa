/* SPDX-License-Identifier: Apache-2.0
 *
 * All that the options say, as plain structs: one for a master, one for a slave, and within them
 * one for each room that is opened. The public functions that are given options read them once,
 * with the functions below; nobody above this folder sees options.
 *
 * Ownership: settings borrow their strings from the options (and the arguments from the caller), so
 * they are good until the options change or are destroyed. A room that is opened with its settings
 * copies what it keeps. Only the vector of inherited options belongs to the settings.
 */
#ifndef MWI_SETTINGS_H
#define MWI_SETTINGS_H

#include "base/disk.h"
#include "options/address_book.h"
#include "options/role.h"

struct mwi_relay_page;

/* For the engines of both sides. */
struct mwi_engine_settings {
    size_t task_group, result_group; /* 0: the engine chooses */
    size_t frame_write_bytes_max;
    size_t frame_read_bytes_max;
    size_t frame_bytes_max; /* the larger of the two, which the transports must carry */
    int64_t client_timeout_ns;
    int64_t shutdown_timeout_ns;
    bool is_speculating;      /* slow tasks whose policy says nothing have a second copy */
    int64_t speculate_factor; /* how slow they must be, in medians of their algorithm */
    int64_t reconnect_ns;     /* how long a slave looks for a master that is gone; 0: not at all */
    int64_t fit_timeout_ns;   /* how long a task waits for a slave that accepts it */
};

/* How much the audit trail tells. Each level leaves out more than the one before. */
enum mwi_audit_level {
    MWI_AUDIT_LEVEL_ALL,
    MWI_AUDIT_LEVEL_EVENTS,   /* not those that come with every message */
    MWI_AUDIT_LEVEL_PROBLEMS, /* only what went wrong */
    MWI_AUDIT_LEVEL_NONE
};

/* For record/audit_file. */
struct mwi_audit_settings {
    bool is_error_kept; /* standard error is the one of the opening, whatever the process puts in
                           its place later */
    /* The file's path with %n (node), %p (pid), %h (host), %m (member id, its "/" as "_") and %%;
     * NULL: standard error. */
    const char *pattern;
    /* The text for %n, "master" or "SLAVE-3"; NULL: not known yet, see mwi_audit_file_name. */
    const char *node;
    const char *member_id;
    enum mwi_audit_level level;
    bool has_tasks;        /* a record for each task that has ended, whatever the level is */
    bool has_milliseconds; /* in the times of lines of text */
    bool is_json;          /* lines of JSON in place of text */
    bool is_simulated;     /* virtual time, which begins in 1970: stamps of text are in UTC, else in
                          local time, so that a run gives the same bytes everywhere */
};

/* For connections over TCP. */
struct mwi_tcp_settings {
    bool is_insecure;     /* nothing is encrypted, and no key is asked for */
    const char *key_file; /* its path; NULL: the usual one */
};

/* For loop/announce. */
struct mwi_announce_settings {
    const char *path; /* of the resource file; NULL: none is written */
    int64_t interval_ns;
    const char *member_id;
    bool has_member_id;   /* the user chose it, so slaves must be told */
    bool is_insecure;     /* slaves must be, too */
    const char *key_file; /* that the user chose, so slaves must be told; or NULL */
};

/* For face/master_journal. */
struct mwi_journal_options {
    const char *path; /* NULL: there is no journal */
    int64_t sync_ns;
    bool is_accepted; /* it may be of another program */
    bool goes_on;     /* after an error of the disk */
    bool keeps_failures;
    bool is_shared; /* by several farms of one program */
    int argc;       /* the user's arguments, argv[0] first; 0: not known */
    char **argv;
    const struct mwi_disk_api *disk; /* of a test, with its environment; NULL: a real file */
    void *environment;
};

/* For loop/executable. */
struct mwi_executable_settings {
    const char *asked; /* the path of the program that slaves run; NULL: this program */
    /* The arguments of main with our options, argv[0] first, by which the command line is read; 0:
     * not known. */
    int argc;
    char **argv;
};

/* For loop/local. */
struct mwi_local_settings {
    size_t slaves_count; /* 0: one per processor that may be used */
    int argc;            /* the user's arguments, argv[0] first; 0: there are none */
    char **argv;
    char **inherited; /* options for the slaves, "--mw-quiet=1"; NULL if not in local mode */
    size_t inherited_count;
};

/* A place where a master listens, or that a slave connects to. */
struct mwi_place_settings {
    const mw_transport_api *api; /* the user's own transport; NULL: the transport called `scheme` */
    const char *scheme;
    void *environment; /* mw_transport_config.environment */
    char address[MWI_PLACE_ADDRESS_BYTES];
};

struct mwi_slave_settings {
    enum mwi_mode mode;
    mw_wait wait;
    int64_t connect_timeout_ns; /* INT64_MAX: for ever */
    struct mwi_engine_settings engine;
    struct mwi_audit_settings audit;
    struct mwi_place_settings place;
    /* In mode MWI_MODE_TCP_SLAVE the address of the place is empty, and the book has it. */
    struct mwi_address_book address_book;
    const char *resource_file; /* to be read into the book; or NULL */
    struct mwi_tcp_settings tcp;
    const char *output; /* the pattern of the file for what tasks print; or NULL */
    bool is_isolated;   /* its tasks run in a process of their own, see face/isolation */
    /* Memory that such a slave and such a process share; NULL for all others. */
    struct mwi_relay_page *page;
};

/* For face/serial. */
struct mwi_serial_settings {
    struct mwi_slave_settings slave;
    int argc; /* the user's arguments, as above */
    char **argv;
};

struct mwi_master_settings {
    enum mwi_mode mode;
    const char *member_id;
    bool has_communicator; /* of an MPI program that embeds the farm */
    bool ends_job;         /* closing ends the MPI job if a rank does not come back */
    mw_wait wait;
    struct mwi_engine_settings engine;
    struct mwi_audit_settings audit;
    /* In the order in which they are to be opened, at least one. In local mode nothing listens at
     * the place, and its address means nothing. */
    struct mwi_place_settings places[MWI_TRANSPORTS_MAX];
    size_t places_count;
    const char *advertised_host; /* in place of the host of the first place, if that is tcp; or
                                    NULL */
    struct mwi_tcp_settings tcp;
    struct mwi_executable_settings executable;
    struct mwi_announce_settings announce;
    struct mwi_journal_options journal;
    struct mwi_local_settings local;
    struct mwi_serial_settings serial; /* of a slave that runs in the master's process, if any */
};

/* Reads the settings of a master in this mode from options that were checked. `argc` and `argv` are
 * the user's arguments for local slaves, which are taken for main's own: a caller that knows those
 * with our options sets settings->executable. MW_ENOMEM; *settings needs no fini then. */
mw_error mwi_settings_read_master(struct mwi_master_settings *settings, const mw_options *options,
                                  enum mwi_mode mode, int argc, char **argv) MW_USE_RESULT;

/* Frees what the settings own. */
void mwi_settings_fini_master(struct mwi_master_settings *settings);

/* Reads the settings of a slave in this mode from options that were checked. They own nothing. */
void mwi_settings_read_slave(struct mwi_slave_settings *settings, const mw_options *options,
                             enum mwi_mode mode);

#endif
