/* SPDX-License-Identifier: Apache-2.0
 *
 * The kinds of options: how the text of a value is read, and how to say which values are allowed.
 */
#ifndef MWI_KIND_H
#define MWI_KIND_H

#include "options/table.h"

/* The ports low..high; a single port is both. 0 is any free port. */
struct mwi_ports {
    unsigned low, high;
};

/* The value of an option. Only the field of the option's kind is set, the others are 0; for a word
 * and a host the text itself is kept too, by options.c. */
struct mwi_option_value {
    bool is_on;             /* MWI_OPTION_IS_FLAG */
    int64_t number;         /* MWI_OPTION_IS_INTEGER */
    int64_t group_size;     /* MWI_OPTION_IS_GROUP; 0 is "auto" */
    int64_t duration_ns;    /* MWI_OPTION_IS_DURATION */
    int64_t size_bytes;     /* MWI_OPTION_IS_SIZE */
    int word_index;         /* MWI_OPTION_IS_WORD: the index in the row's `words` */
    bool is_all_interfaces; /* MWI_OPTION_IS_HOST: the host stands for all interfaces, as "*" */
    struct mwi_ports ports; /* MWI_OPTION_IS_PORTS */
};

/* Reads the whole text as a value of the row's kind. False if the row does not allow it; *value is
 * then unchanged. The row's is_one_host is not checked here: an environment may have a host that
 * other programs need. All is borrowed for the call. */
bool mwi_kind_read(const struct mwi_option_row *row, const char *text,
                   struct mwi_option_value *value);

#define MWI_KIND_SHOWN_BYTES 64

/* Writes a text that anybody may have given as it may stand in a sentence: short, visible, without
 * bytes that a terminal obeys, and "" in quotes. */
void mwi_kind_show(const char *text, char shown[MWI_KIND_SHOWN_BYTES]);

/* Writes which values the row allows, "a whole number from 0 to 65535", to text[0..size), always
 * NUL-terminated. */
void mwi_kind_allowed(const struct mwi_option_row *row, char *text, size_t size);

#endif
