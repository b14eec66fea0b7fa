/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads values by the plain formats that most tasks have: letters and blanks, without
 * names, optional or further values, or objects of msgpack-c. It takes one pass, makes no objects,
 * and explains no error. If the format is not plain, or the values do not fit it, the caller uses
 * mwi_values_write and mwi_values_read. They give the same bytes and values, and explain errors.
 */
#ifndef MWI_VALUE_QUICK_H
#define MWI_VALUE_QUICK_H

#include "wire/values.h"

/* Appends the values. False, and nothing was appended, if the format is not plain, a string is NULL
 * or longer than msgpack can say, or memory runs out, which sets buffer->has_failed. */
bool mwi_value_quick_write(struct mwi_buffer *buffer, const char *format, va_list arguments);

/* Reads the values of these bytes to the outputs in `arguments`, without loading them into
 * `values`. Strings of the letter "s" are made there, and then *has_strings is set, also if the
 * function fails. False, and no output was set, if format or bytes are not plain, or do not fit
 * each other. */
bool mwi_value_quick_read(struct mwi_values *values, const void *data, size_t size,
                          const char *format, va_list arguments, bool *has_strings);

#endif
