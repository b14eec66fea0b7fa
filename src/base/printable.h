/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes texts of peers safe to print. They are escaped once, where they are received; everything
 * above may then print them.
 *
 * A newline, a tab and a carriage return become \n, \t and \r; another control character of ASCII,
 * NUL included, and a byte that is no UTF-8 become \x and two hexadecimal digits; another character
 * that is not printable (utf8.h) becomes \u and four. All other characters stay, the backslash too:
 * escaping a text again changes nothing.
 */
#ifndef MWI_PRINTABLE_H
#define MWI_PRINTABLE_H

#include <stddef.h>

/* The number of bytes of the escaped text, without a NUL. It is `size` if nothing is to be escaped,
 * and else larger, at most four times as large. `text` may be NULL if `size` is 0. */
size_t mwi_printable_size(const void *text, size_t size);

/* Writes the escaped text to `to`, which has room for mwi_printable_size bytes. There is no NUL at
 * its end. */
void mwi_printable_write(void *to, const void *text, size_t size);

/* Writes as many whole characters of the escaped text as fit to to[0..room), and a NUL. Returns the
 * number of bytes before the NUL. `room` is at least 1. */
size_t mwi_printable_copy(char *to, size_t room, const void *text, size_t size);

#endif
