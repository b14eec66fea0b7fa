/* SPDX-License-Identifier: Apache-2.0
 *
 * Sequences of msgpack values, written and read by the formats that mw/mw.h describes.
 */
#ifndef MWI_VALUES_H
#define MWI_VALUES_H

#include <stdarg.h>

#include <mw/mw.h>

#include "base/buffer.h"

/* A sequence that was read: its objects, and the strings made from it. The objects point into the
 * bytes that were read, which must stay as long as the objects are used. */
struct mwi_values {
    msgpack_zone zone;
    msgpack_object *objects;
    size_t count;
};

/* False out of memory. */
bool mwi_values_init(struct mwi_values *values);
void mwi_values_fini(struct mwi_values *values);

/* Reads a sequence in place of the one before; borrows the bytes until the values are cleared.
 * After an error there are no values: MW_EPROTOCOL if the bytes are not whole msgpack values,
 * MW_ENOMEM. */
mw_error mwi_values_load(struct mwi_values *values, const void *data, size_t size);

/* Forgets the values and frees what was read from them. */
void mwi_values_clear(struct mwi_values *values);

/* Returns a NUL-terminated copy of a text, valid until the values are cleared. NULL out of memory.
 */
char *mwi_values_string(struct mwi_values *values, const char *text, size_t size);

/* Makes a string as vprintf does, valid until the values are cleared; NULL out of memory. */
char *mwi_values_format(struct mwi_values *values, const char *format, va_list arguments);

/* Appends values to the buffer. Errors, with a sentence in *why, after which some values may have
 * been appended: MW_EINVAL for the format or a NULL, MW_ETOOBIG for a string or bytes that msgpack
 * cannot hold, MW_ENOMEM. */
mw_error mwi_values_write(struct mwi_buffer *buffer, const char *format, va_list arguments,
                          mw_reason *why);

/* Reads the values to the outputs in `arguments`: sets all of them, or none after an error. Strings
 * are valid until the values are cleared. `what` names a value in the sentences: "argument" or
 * "value". Errors, with a sentence in *why: MW_EFORMAT if the values do not fit the format,
 * MW_EINVAL for the format, MW_ENOMEM. */
mw_error mwi_values_read(struct mwi_values *values, const char *what, const char *format,
                         va_list arguments, mw_reason *why);

#endif
