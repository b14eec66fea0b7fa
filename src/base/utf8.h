/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading UTF-8 that may be malformed, one character at a time.
 */
#ifndef MWI_UTF8_H
#define MWI_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the first character of a NUL-terminated text: sets *code to it and returns its length, 1 to
 * 4. Returns 0 if the character is malformed, overlong, a surrogate or above U+10FFFF; *code is
 * then the first byte. Never reads beyond the NUL. */
size_t mwi_utf8_decode(const char *bytes, uint32_t *code);

/* Whether the whole string is UTF-8. */
bool mwi_utf8_is_valid(const char *text);

/* Whether the character may go into a line for people. Control characters could begin a new line or
 * control the reader's terminal, and marks of direction could make a line look different from its
 * text. */
bool mwi_utf8_is_printable(uint32_t code);

#endif
