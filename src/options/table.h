/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of options. A row says everything about one option but its value: kind.h reads and
 * describes values, options.h keeps them, help.h prints the table. Everything here is constant.
 */
#ifndef MWI_TABLE_H
#define MWI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MWI_OPTION_PREFIX "--mw-"

/* The longest host and the longest member id that an option may have. */
#define MWI_HOST_BYTES_MAX 255
#define MWI_MEMBER_ID_BYTES_MAX 255

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
    MWI_OPTION_KEY_FILE,
    MWI_OPTION_INSECURE,
    MWI_OPTION_CONNECT_TIMEOUT,
    MWI_OPTION_RECONNECT,
    MWI_OPTION_CLIENT_TIMEOUT,
    MWI_OPTION_SHUTDOWN_TIMEOUT,
    MWI_OPTION_WAIT,
    MWI_OPTION_SLAVE_TASK_GROUP,
    MWI_OPTION_SLAVE_RESULT_GROUP,
    MWI_OPTION_SPECULATE,
    MWI_OPTION_SPECULATE_FACTOR,
    MWI_OPTION_MAX_WRITE_BUFFER_SIZE,
    MWI_OPTION_MAX_READ_BUFFER_SIZE,
    MWI_OPTION_AUDIT_FILE,
    MWI_OPTION_AUDIT_FORMAT,
    MWI_OPTION_AUDIT_LEVEL,
    MWI_OPTION_AUDIT_TASKS,
    MWI_OPTION_AUDIT_TIME,
    MWI_OPTION_QUIET,
    MWI_OPTION_SLAVE_OUTPUT,
    MWI_OPTION_RESOURCE_FILE,
    MWI_OPTION_RESOURCE_FILE_UPDATE_INTERVAL,
    MWI_OPTION_JOURNAL,
    MWI_OPTION_JOURNAL_SYNC,
    MWI_OPTION_JOURNAL_ACCEPT,
    MWI_OPTION_JOURNAL_ON_ERROR,
    MWI_OPTION_JOURNAL_KEEP_FAILED,
    MWI_OPTION_SLAVE_EXECUTABLE,
    MWI_OPTION_SLAVE_ISOLATE,
    MWI_OPTION_SLAVE_MEMORY,
    MWI_OPTIONS_COUNT
};

/* How the text of a value is read; kind.h has the field that each kind sets. */
enum mwi_option_kind {
    MWI_OPTION_IS_FLAG,     /* 0, 1, true or false */
    MWI_OPTION_IS_INTEGER,  /* min..max */
    MWI_OPTION_IS_GROUP,    /* "auto", or min..max */
    MWI_OPTION_IS_DURATION, /* seconds as a decimal number; min and max are in nanoseconds */
    MWI_OPTION_IS_SIZE,     /* bytes with an optional K, M or G; min and max are in bytes */
    MWI_OPTION_IS_WORD,     /* one of `words` */
    MWI_OPTION_IS_TEXT,     /* min..max bytes */
    MWI_OPTION_IS_HOST,     /* a name or address of at most max bytes */
    MWI_OPTION_IS_PORTS,    /* one port, min..max, or a range LOW-HIGH from 1 up */
    MWI_OPTION_KINDS_COUNT
};

/* Which processes read the option. */
enum mwi_option_role { MWI_OPTION_FOR_BOTH, MWI_OPTION_FOR_MASTER, MWI_OPTION_FOR_SLAVE };

/* The groups in which the options are shown. */
enum mwi_option_section {
    MWI_OPTIONS_GENERAL,
    MWI_OPTIONS_ROLE,
    MWI_OPTIONS_NETWORK,
    MWI_OPTIONS_SLAVES,
    MWI_OPTIONS_AUDIT,
    MWI_OPTIONS_RESOURCE_FILE,
    MWI_OPTIONS_JOURNAL,
    MWI_OPTION_SECTIONS_COUNT
};

struct mwi_option_row {
    const char *name; /* without the prefix */
    enum mwi_option_kind kind;
    enum mwi_option_role role;
    enum mwi_option_section section;
    bool is_inherited;         /* by the slaves that a master starts */
    bool is_command_line_only; /* it has no environment variable */
    bool is_printable;         /* of a text: printable ASCII only */
    bool is_one_host;          /* of a host: not all interfaces */
    int64_t min, max;
    const char *const *words;  /* ended by NULL */
    const char *metavariable;  /* NULL for a flag */
    const char *default_value; /* as a user would write it, or NULL */
    const char *default_words; /* in place of default_value: how the program behaves without the
                                  option; or NULL */
    const char *help;
};

extern const struct mwi_option_row mwi_table_rows[MWI_OPTIONS_COUNT];

/* The title of a section; a constant string. */
const char *mwi_table_section_title(enum mwi_option_section section);

/* The option whose name is the `length` bytes at `name`, without the prefix; MWI_OPTIONS_COUNT if
 * there is no such option. */
enum mwi_option mwi_table_find(const char *name, size_t length);

/* For the name of an option that does not exist: the name that is most like it, NULL if no name is
 * like it. A constant string. */
const char *mwi_table_nearest(const char *name, size_t length);

/* Writes the name of the option's environment variable, "MW_MASTER_PORT", to text[0..size), always
 * NUL-terminated. */
void mwi_table_variable(const struct mwi_option_row *row, char *text, size_t size);

#endif
