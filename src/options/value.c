/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of options: reading them strictly, and saying what is allowed. Numbers are read by hand,
 * because strtol and strtod take blanks, signs, hexadecimal, "nan" and the locale's decimal comma.
 * A kind of option is one row of the table at the end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "options/hostname.h"
#include "options/table.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits from *text, which is moved behind them. False for none, or more than an int64_t
 * holds. */
static bool read_digits(const char **text, int64_t *number)
{
    const char *at = *text;
    int64_t value = 0;

    for (; is_digit(*at); at++) {
        int digit = *at - '0';

        if (value > (INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (at == *text)
        return false;
    *text = at;
    *number = value;
    return true;
}

static bool take_if_in_range(const struct mwi_option_row *row, int64_t value, int64_t *number)
{
    if (value < row->min || value > row->max)
        return false;
    *number = value;
    return true;
}

static bool read_flag(const struct mwi_option_row *row, const char *value, int64_t *number)
{
    bool on = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;

    (void)row;
    if (!on && strcmp(value, "0") != 0 && strcmp(value, "false") != 0)
        return false;
    *number = on;
    return true;
}

static bool read_integer(const struct mwi_option_row *row, const char *value, int64_t *number)
{
    bool negative = *value == '-';
    int64_t whole;

    value += negative;
    if (!read_digits(&value, &whole) || *value != '\0')
        return false;
    return take_if_in_range(row, negative ? -whole : whole, number);
}

static bool read_group(const struct mwi_option_row *row, const char *value, int64_t *number)
{
    if (strcmp(value, "auto") != 0)
        return read_integer(row, value, number);
    *number = 0;
    return true;
}

/* Nanoseconds of the digits behind a decimal point; finer ones are read and dropped. */
static int64_t read_fraction_ns(const char **text)
{
    int64_t unit = MWI_NS_PER_S / 10;
    int64_t ns = 0;

    for (; is_digit(**text); (*text)++) {
        ns += (**text - '0') * unit;
        unit /= 10;
    }
    return ns;
}

static bool read_duration(const struct mwi_option_row *row, const char *value, int64_t *number)
{
    int64_t seconds = 0;
    int64_t ns = 0;

    if (*value != '.' && !read_digits(&value, &seconds))
        return false;
    if (*value == '.') {
        value++;
        if (!is_digit(*value))
            return false;
        ns = read_fraction_ns(&value);
    }
    if (*value != '\0' || seconds > INT64_MAX / MWI_NS_PER_S - 1)
        return false;
    return take_if_in_range(row, seconds * MWI_NS_PER_S + ns, number);
}

/* The shift of a size's suffix; -1 if it is none. */
static int suffix_shift(const char *suffix)
{
    if (*suffix == '\0')
        return 0;
    if (suffix[1] != '\0')
        return -1;
    switch (*suffix) {
    case 'K':
    case 'k':
        return 10;
    case 'M':
    case 'm':
        return 20;
    case 'G':
    case 'g':
        return 30;
    default:
        return -1;
    }
}

static bool read_size(const struct mwi_option_row *row, const char *value, int64_t *number)
{
    int64_t bytes;
    int shift;

    if (!read_digits(&value, &bytes))
        return false;
    shift = suffix_shift(value);
    if (shift < 0 || bytes > INT64_MAX >> shift)
        return false;
    return take_if_in_range(row, bytes << shift, number);
}

static bool read_word(const struct mwi_option_row *row, const char *value, int64_t *number)
{
    for (int i = 0; row->words[i]; i++)
        if (strcmp(value, row->words[i]) == 0) {
            *number = i;
            return true;
        }
    return false;
}

static bool read_text(const struct mwi_option_row *row, const char *value, int64_t *number)
{
    size_t length = strlen(value);

    if ((int64_t)length < row->min || (int64_t)length > row->max)
        return false;
    for (size_t i = 0; row->is_printable && i < length; i++)
        if (value[i] < ' ' || value[i] > '~')
            return false;
    *number = 0;
    return true;
}

static bool read_host(const struct mwi_option_row *row, const char *value, int64_t *number)
{
    if ((int64_t)strlen(value) > row->max || !mwi_hostname_is_valid(value))
        return false;
    *number = mwi_hostname_is_all(value);
    return true;
}

static bool read_ports(const struct mwi_option_row *row, const char *value, int64_t *number)
{
    int64_t low, high;

    if (!read_digits(&value, &low))
        return false;
    if (*value == '\0')
        return take_if_in_range(row, low, number);
    if (*value++ != '-' || !read_digits(&value, &high) || *value != '\0')
        return false;
    if (low < 1 || high < low || high > row->max)
        return false;
    *number = low + ((high - low) << 16);
    return true;
}

static void allow_flag(const struct mwi_option_row *row, char *text, size_t size)
{
    (void)row;
    snprintf(text, size, "1, 0, true or false");
}

static void allow_integer(const struct mwi_option_row *row, char *text, size_t size)
{
    snprintf(text, size, "a whole number from %" PRId64 " to %" PRId64, row->min, row->max);
}

static void allow_group(const struct mwi_option_row *row, char *text, size_t size)
{
    snprintf(text, size, "auto, or a whole number from %" PRId64 " to %" PRId64, row->min,
             row->max);
}

/* A minimum that is no whole second only serves to exclude 0. */
static void allow_duration(const struct mwi_option_row *row, char *text, size_t size)
{
    int64_t max_s = row->max / MWI_NS_PER_S;

    if (row->min % MWI_NS_PER_S != 0)
        snprintf(text, size, "a number of seconds above 0 and up to %" PRId64, max_s);
    else
        snprintf(text, size, "a number of seconds from %" PRId64 " to %" PRId64,
                 row->min / MWI_NS_PER_S, max_s);
}

static void allow_size(const struct mwi_option_row *row, char *text, size_t size)
{
    snprintf(text, size,
             "a number of bytes from %" PRId64 " to %" PRId64
             ", where K, M or G at the end stands for a power of 1024",
             row->min, row->max);
}

static void allow_word(const struct mwi_option_row *row, char *text, size_t size)
{
    size_t length = 0;

    for (int i = 0; row->words[i] && length < size; i++) {
        const char *separator = i == 0 ? "" : row->words[i + 1] ? ", " : " or ";

        length += (size_t)snprintf(text + length, size - length, "%s%s", separator, row->words[i]);
    }
}

static void allow_text(const struct mwi_option_row *row, char *text, size_t size)
{
    snprintf(text, size, "%" PRId64 " to %" PRId64 " %s", row->min, row->max,
             row->is_printable ? "printable characters" : "bytes");
}

static void allow_host(const struct mwi_option_row *row, char *text, size_t size)
{
    snprintf(text, size,
             "a name or an address%s, without a port; an IPv6 address with or without brackets",
             row->is_one_host ? " to which slaves can connect" : "");
}

static void allow_ports(const struct mwi_option_row *row, char *text, size_t size)
{
    snprintf(text, size,
             "a whole number from %" PRId64 " to %" PRId64 ", or a range LOW-HIGH from 1 up",
             row->min, row->max);
}

static const struct {
    bool (*read)(const struct mwi_option_row *row, const char *value, int64_t *number);
    void (*allow)(const struct mwi_option_row *row, char *text, size_t size);
} kinds[MWI_OPTION_KINDS_COUNT] = {
    [MWI_OPTION_IS_FLAG] = {read_flag, allow_flag},
    [MWI_OPTION_IS_INTEGER] = {read_integer, allow_integer},
    [MWI_OPTION_IS_GROUP] = {read_group, allow_group},
    [MWI_OPTION_IS_DURATION] = {read_duration, allow_duration},
    [MWI_OPTION_IS_SIZE] = {read_size, allow_size},
    [MWI_OPTION_IS_WORD] = {read_word, allow_word},
    [MWI_OPTION_IS_TEXT] = {read_text, allow_text},
    [MWI_OPTION_IS_HOST] = {read_host, allow_host},
    [MWI_OPTION_IS_PORTS] = {read_ports, allow_ports},
};

bool mwi_option_read(const struct mwi_option_row *row, const char *value, int64_t *number)
{
    return kinds[row->kind].read(row, value, number);
}

void mwi_option_allowed(const struct mwi_option_row *row, char *text, size_t size)
{
    kinds[row->kind].allow(row, text, size);
}
