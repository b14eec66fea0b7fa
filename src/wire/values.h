/* SPDX-License-Identifier: Apache-2.0
 *
 * Sequences of msgpack values, written and read by the formats of mw/mw.h.
 */
#ifndef MWI_VALUES_H
#define MWI_VALUES_H

#include <stdarg.h>

#include <mw/mw.h>

#include "base/buffer.h"

/* A sequence that was read: its objects, and the strings made from it. The objects point into the
 * bytes that were read, which must stay. */
struct mwi_values {
    msgpack_zone zone;
    msgpack_object *objects;
    size_t count;
};

bool mwi_values_init(struct mwi_values *values);
void mwi_values_fini(struct mwi_values *values);

/* Reads a sequence anew. Errors: MW_EPROTOCOL if it is none, MW_ENOMEM; there are then no values.
 */
mw_error mwi_values_load(struct mwi_values *values, const void *data, size_t size);

/* Forgets the values and frees what was read from them. */
void mwi_values_clear(struct mwi_values *values);

/* Copies a string into the memory that goes with the values, NUL-terminated; NULL out of memory. */
char *mwi_values_string(struct mwi_values *values, const char *text, size_t size);

/* Makes a string as vprintf does, in that memory; NULL out of memory. */
char *mwi_values_format(struct mwi_values *values, const char *format, va_list arguments);

/* Appends values to the buffer. Errors: MW_EINVAL for the format, MW_ETOOBIG for a string or bytes
 * that msgpack cannot hold, MW_ENOMEM. */
mw_error mwi_values_write(struct mwi_buffer *buffer, const char *format, va_list arguments,
                          mw_reason *why);

/* Sets all outputs, or none. Errors: MW_EFORMAT with a sentence that says what was expected and
 * what is there, MW_EINVAL for the format, MW_ENOMEM. `what` is "argument" or "value". */
mw_error mwi_values_read(struct mwi_values *values, const char *what, const char *format,
                         va_list arguments, mw_reason *why);

#endif
