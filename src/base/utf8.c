/* SPDX-License-Identifier: Apache-2.0
 *
 * A strict decoder: text that it accepts goes into JSON and audit files, whose readers require
 * valid UTF-8. Used for options, greetings, and everything that is printed. To hide another
 * character from terminals, add it to mwi_utf8_is_printable.
 */
#include "base/utf8.h"

static size_t sequence_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    if (first < 0xe0)
        return 2;
    return first < 0xf0 ? 3 : 4;
}

size_t mwi_utf8_decode(const char *bytes, uint32_t *code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)bytes;
    size_t length = sequence_length(at[0]);
    *code = at[0];
    if (length < 2)
        return length;

    uint32_t value = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3fu);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code = value;
    return length;
}

bool mwi_utf8_is_valid(const char *text)
{
    size_t length = 0;
    for (; *text != '\0'; text += length) {
        uint32_t code;
        length = mwi_utf8_decode(text, &code);
        if (length == 0)
            return false;
    }
    return true;
}

bool mwi_utf8_is_printable(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7f && code < 0xa0))
        return false;
    return !(code == 0x061c || code == 0x200e || code == 0x200f ||
             (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069));
}
