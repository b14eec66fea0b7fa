/* SPDX-License-Identifier: Apache-2.0
 *
 * Escapes texts. The engines call it for each text of a peer that somebody may read: the message of
 * a failure, a reason, the name of a host or an algorithm.
 *
 * Invariant: each step turns one character, or one byte that is no part of one, into a piece of up
 * to PIECE_BYTES_MAX bytes, so that no piece is cut in two. Which characters are printable is said
 * in utf8.c; how the others are shown, in escape.
 */
#include "base/printable.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

#define PIECE_BYTES_MAX 6

static const char hexadecimal[] = "0123456789abcdef";

/* The text that is left. */
struct rest {
    const unsigned char *at;
    size_t size;
};

/* Writes a backslash, a letter and the last digits of the number; returns their number of bytes. */
static size_t put_number(char *piece, char letter, uint32_t number, unsigned digits_count)
{
    piece[0] = '\\';
    piece[1] = letter;
    for (unsigned i = 0; i < digits_count; i++)
        piece[2 + i] = hexadecimal[number >> 4 * (digits_count - 1 - i) & 0xf];
    return 2 + digits_count;
}

static size_t escape(char *piece, uint32_t code)
{
    static const char short_codes[] = "\n\t\r", short_letters[] = "ntr";
    const char *place = code < 0x80 && code != 0 ? strchr(short_codes, (int)code) : NULL;
    if (place != NULL)
        return put_number(piece, short_letters[place - short_codes], 0, 0);
    return code < 0x80 ? put_number(piece, 'x', code, 2) : put_number(piece, 'u', code, 4);
}

/* Reads the first character, which may end where the text does; 0 if there is none. */
static size_t decode(const struct rest *rest, uint32_t *code)
{
    char bytes[5] = {0};
    memcpy(bytes, rest->at, rest->size < 4 ? rest->size : 4);
    return mwi_utf8_decode(bytes, code);
}

/* Takes the next character off a rest that is not empty, and writes it to piece[0..PIECE_BYTES_MAX)
 * as it is to be shown; returns the number of bytes written. */
static size_t take_piece(struct rest *rest, char *piece)
{
    uint32_t code;
    size_t length = decode(rest, &code), written;
    if (length == 0)
        written = put_number(piece, 'x', code, 2);
    else if (mwi_utf8_is_printable(code))
        memcpy(piece, rest->at, written = length);
    else
        written = escape(piece, code);
    assert(written <= PIECE_BYTES_MAX);
    rest->at += length > 0 ? length : 1;
    rest->size -= length > 0 ? length : 1;
    return written;
}

size_t mwi_printable_size(const void *text, size_t size)
{
    struct rest rest = {text, size};
    char piece[PIECE_BYTES_MAX];
    size_t written = 0;
    while (rest.size > 0)
        written += take_piece(&rest, piece);
    return written;
}

void mwi_printable_write(void *to, const void *text, size_t size)
{
    struct rest rest = {text, size};
    char piece[PIECE_BYTES_MAX];
    char *at = to;
    while (rest.size > 0) {
        size_t written = take_piece(&rest, piece);
        memcpy(at, piece, written);
        at += written;
    }
}

size_t mwi_printable_copy(char *to, size_t room, const void *text, size_t size)
{
    struct rest rest = {text, size};
    char piece[PIECE_BYTES_MAX];
    size_t used = 0;
    assert(room > 0);
    while (rest.size > 0) {
        size_t written = take_piece(&rest, piece);
        if (written >= room - used)
            break;
        memcpy(to + used, piece, written);
        used += written;
    }
    to[used] = '\0';
    return used;
}
