/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks over the format strings that mw/mw.h describes, item by item. An item is a value: its
 * letter, whether it may be missing, and its name if it has one.
 */
#ifndef MWI_VALUE_FORMAT_H
#define MWI_VALUE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include <mw/error.h>

/* A place in a format, and the item before it. To start, set `at` to the format and the rest to
 * zero. */
struct mwi_value_format {
    const char *at;
    char letter; /* of the item; '*' for all further values */
    bool is_optional;
    bool is_named;
    const char *name; /* if is_named; borrowed from the format, not NUL-terminated */
    size_t name_size;
};

/* Goes to the next item; false at the end. The format must have passed mwi_value_format_check. */
bool mwi_value_format_next(struct mwi_value_format *format);

/* Checks a format of the user. MW_EINVAL with a sentence in *why if it is malformed. */
mw_error mwi_value_format_check(const char *format, mw_reason *why);

#endif
