/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of options and what can be asked of a row: is a value allowed, which words say what is
 * allowed, which name is the nearest to a mistyped one. options.c keeps the values, options_help.c
 * prints the table.
 */
#ifndef MWI_TABLE_H
#define MWI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options/options.h"

#define MWI_OPTION_PREFIX "--mw-"

enum mwi_option_kind {
    MWI_OPTION_IS_FLAG,     /* 0 or 1 */
    MWI_OPTION_IS_INTEGER,  /* min..max */
    MWI_OPTION_IS_GROUP,    /* "auto", kept as 0, or min..max */
    MWI_OPTION_IS_DURATION, /* seconds as a decimal number, kept as min..max nanoseconds */
    MWI_OPTION_IS_SIZE,     /* bytes with an optional K, M or G, min..max */
    MWI_OPTION_IS_WORD,     /* one of `words`, kept as its index */
    MWI_OPTION_IS_TEXT,     /* min..max bytes */
    MWI_OPTION_IS_HOST,     /* a name or address of at most max bytes */
    MWI_OPTION_IS_PORTS,    /* min..max, or a range LOW-HIGH from 1 up; kept as LOW, or as
                               LOW + 65536 * (HIGH - LOW) */
    MWI_OPTION_KINDS_COUNT
};

/* Who reads the option. */
enum mwi_option_role { MWI_OPTION_FOR_BOTH, MWI_OPTION_FOR_MASTER, MWI_OPTION_FOR_SLAVE };

/* The groups in which the options are shown. */
enum mwi_option_section {
    MWI_OPTIONS_GENERAL,
    MWI_OPTIONS_ROLE,
    MWI_OPTIONS_NETWORK,
    MWI_OPTIONS_SLAVES,
    MWI_OPTIONS_AUDIT,
    MWI_OPTIONS_RESOURCE_FILE,
    MWI_OPTION_SECTIONS_COUNT
};

struct mwi_option_row {
    const char *name; /* without the prefix */
    enum mwi_option_kind kind;
    enum mwi_option_role role;
    enum mwi_option_section section;
    bool is_inherited;    /* by the slaves that a master starts */
    bool not_environment; /* there is no environment variable for it */
    bool is_printable;    /* of a text: printable ASCII only */
    bool is_one_host;     /* of a host: not all interfaces */
    int64_t min, max;
    const char *const *words;  /* ended by NULL */
    const char *metavariable;  /* NULL for a flag */
    const char *default_value; /* as a user would write it; NULL if there is none */
    const char *default_words; /* what happens without it, if there is no default_value; or NULL */
    const char *help;
};

extern const struct mwi_option_row mwi_option_table[MWI_OPTIONS_COUNT];

/* The title of a section; a constant string. */
const char *mwi_option_section_title(enum mwi_option_section section);

/* The option of that name, `length` bytes without the prefix; MWI_OPTIONS_COUNT if there is none.
 */
enum mwi_option mwi_option_find(const char *name, size_t length);

/* The name most like one that does not exist; NULL if none is like it. */
const char *mwi_option_nearest(const char *name, size_t length);

/* Reads a value, all of it, and sets *number: 0 or 1, the integer, nanoseconds, bytes, the index of
 * the word, ports as their kind says, 0 for a text, for a host whether it stands for all
 * interfaces. False, with *number as it was, if the value is not allowed; is_one_host is not looked
 * at. */
bool mwi_option_read(const struct mwi_option_row *row, const char *value, int64_t *number);

/* Writes which values are allowed, "a whole number from 0 to 65535", to text[0..size), always
 * NUL-terminated. */
void mwi_option_allowed(const struct mwi_option_row *row, char *text, size_t size);

/* Writes the name of the environment variable, "MW_MASTER_PORT", likewise. */
void mwi_option_variable(const struct mwi_option_row *row, char *text, size_t size);

#endif
