/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments and results that hold anything, read by formats. The first byte of the input chooses
 * the format, the second how many of the further bytes are the values, most often few.
 *
 * These promises must hold: what the quick way reads, the long way reads alike; and a reading that
 * fails sets no output.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wire/value_quick.h"

#define OUTPUTS_MAX 8
#define UNSET 0x5a

/* The outputs of a reading. */
struct outputs {
    unsigned char bytes[OUTPUTS_MAX][8];
};

static const char *const formats[] = {
    "i",    "l",  "u", "d",   "b",  "s",          "S",     "y",   "il d", "ssi",   "dddd",
    "bbul", "yS", "",  "|is", "i*", "i{a:i b:s}", "iludb", "lll", "udu",  "ss ss", "i l u d b"};

static bool read_quick(struct mwi_values *values, const void *data, size_t size, const char *format,
                       ...)
{
    bool has_strings = false;
    va_list arguments;
    va_start(arguments, format);
    bool has_read = mwi_value_quick_read(values, data, size, format, arguments, &has_strings);
    va_end(arguments);
    return has_read;
}

static bool read_long(struct mwi_values *values, const void *data, size_t size, const char *format,
                      ...)
{
    mw_reason why;
    va_list arguments;
    if (mwi_values_load(values, data, size) != MW_OK)
        return false;
    va_start(arguments, format);
    bool has_read = mwi_values_read(values, "value", format, arguments, &why) == MW_OK;
    va_end(arguments);
    return has_read;
}

/* Whether outputs that hold no pointers are alike. */
static bool are_alike(const char *format, const struct outputs *one, const struct outputs *other)
{
    return strpbrk(format, "sSy*") != NULL || memcmp(one, other, sizeof *one) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mwi_values values;
    struct outputs quick, slow, unset;
    if (size < 2)
        return 0;
    size_t left = size - 2, most = data[1] < 250 ? data[1] % 40u : left;
    size = left < most ? left : most;
    const char *format = formats[data[0] % (sizeof formats / sizeof formats[0])];
    unsigned char *bytes = malloc(size + 1);
    if (bytes == NULL || !mwi_values_init(&values))
        abort();
    memcpy(bytes, data + 2, size);
    memset(&unset, UNSET, sizeof unset);
    quick = slow = unset;
    bool is_quick =
        read_quick(&values, bytes, size, format, quick.bytes[0], quick.bytes[1], quick.bytes[2],
                   quick.bytes[3], quick.bytes[4], quick.bytes[5], quick.bytes[6], quick.bytes[7]);
    bool is_slow =
        read_long(&values, bytes, size, format, slow.bytes[0], slow.bytes[1], slow.bytes[2],
                  slow.bytes[3], slow.bytes[4], slow.bytes[5], slow.bytes[6], slow.bytes[7]);
    MWT_FUZZ_PROMISE(is_slow || !is_quick);
    MWT_FUZZ_PROMISE(!is_quick || are_alike(format, &quick, &slow));
    MWT_FUZZ_PROMISE(is_quick || memcmp(&quick, &unset, sizeof unset) == 0);
    MWT_FUZZ_PROMISE(is_slow || memcmp(&slow, &unset, sizeof unset) == 0);
    mwi_values_fini(&values);
    free(bytes);
    return 0;
}
