/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever has a number with a fraction to print calls this. The rest of what printf makes of %g is
 * digits, signs and letters in every locale, so any other bytes are the locale's decimal point.
 */
#include "base/decimal.h"

#include <stdio.h>
#include <string.h>

const char *mwi_decimal_write(char text[MWI_DECIMAL_BYTES], double number)
{
    static const char plain[] = "+-0123456789abcdefghijklmnopqrstuvwxyz";
    snprintf(text, MWI_DECIMAL_BYTES, "%g", number);
    size_t before = strspn(text, plain);
    size_t after = before;
    while (text[after] != '\0' && strchr(plain, text[after]) == NULL)
        after++;
    if (after > before) {
        text[before] = '.';
        memmove(text + before + 1, text + after, strlen(text + after) + 1);
    }
    return text;
}
