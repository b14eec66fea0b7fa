/* SPDX-License-Identifier: Apache-2.0
 *
 * The format strings of mw/mw.h, item by item.
 */
#ifndef MWI_VALUE_FORMAT_H
#define MWI_VALUE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include <mw/error.h>

/* A place in a format, and what stands there. Start with all zero but `at`. */
struct mwi_value_format {
    const char *at;
    char letter; /* of the item; '*' for the rest */
    bool is_optional;
    bool is_named;
    const char *name; /* of a named item, not NUL-terminated */
    size_t name_size;
};

/* Goes to the next item: true, or false at the end. The format must have been checked. */
bool mwi_value_format_next(struct mwi_value_format *format);

/* MW_EINVAL with a sentence for a format that is none. */
mw_error mwi_value_format_check(const char *format, mw_reason *why);

#endif
