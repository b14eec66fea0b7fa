/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the texts of option values strictly, and says which values are allowed. options.c reads
 * values here, address_book.c the values of a resource file; help.c and the sentences of options.c
 * print what is allowed. Numbers are read by hand, because strtol and strtod accept blanks, signs,
 * hexadecimal, "nan" and the locale's decimal comma.
 *
 * Invariant: a reader sets *value only if it accepts the whole text.
 *
 * To add a kind, add an enumerator in table.h, a field of struct mwi_option_value, and a row of the
 * table at the end of this file, with a function that reads and one that describes.
 */
#include "options/kind.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "options/hostname.h"

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* Reads digits from *text and moves *text behind them. False if there is no digit, or if the number
 * does not fit an int64_t. */
static bool read_digits(const char **text, int64_t *number)
{
    const char *at = *text;
    int64_t read = 0;
    for (; is_digit(*at); at++) {
        int digit = *at - '0';
        if (read > (INT64_MAX - digit) / 10)
            return false;
        read = read * 10 + digit;
    }
    if (at == *text)
        return false;
    *text = at;
    *number = read;
    return true;
}

static bool is_in_range(const struct mwi_option_row *row, int64_t number)
{
    return number >= row->min && number <= row->max;
}

static bool read_flag(const struct mwi_option_row *row, const char *text,
                      struct mwi_option_value *value)
{
    bool is_on = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
    (void)row;
    if (!is_on && strcmp(text, "0") != 0 && strcmp(text, "false") != 0)
        return false;
    *value = (struct mwi_option_value){.is_on = is_on};
    return true;
}

static bool read_whole_number(const struct mwi_option_row *row, const char *text, int64_t *number)
{
    bool is_negative = *text == '-';
    int64_t digits;
    if (is_negative)
        text++;
    if (!read_digits(&text, &digits) || *text != '\0')
        return false;
    *number = is_negative ? -digits : digits;
    return is_in_range(row, *number);
}

static bool read_integer(const struct mwi_option_row *row, const char *text,
                         struct mwi_option_value *value)
{
    int64_t number;
    if (!read_whole_number(row, text, &number))
        return false;
    *value = (struct mwi_option_value){.number = number};
    return true;
}

static bool read_group(const struct mwi_option_row *row, const char *text,
                       struct mwi_option_value *value)
{
    int64_t size = 0;
    if (strcmp(text, "auto") != 0 && !read_whole_number(row, text, &size))
        return false;
    *value = (struct mwi_option_value){.group_size = size};
    return true;
}

/* Nanoseconds of the digits behind a decimal point. Digits finer than a nanosecond are dropped. */
static int64_t read_fraction_ns(const char **text)
{
    int64_t unit_ns = MWI_NS_PER_S / 10;
    int64_t fraction_ns = 0;
    for (; is_digit(**text); (*text)++) {
        fraction_ns += (**text - '0') * unit_ns;
        unit_ns /= 10;
    }
    return fraction_ns;
}

static bool read_duration(const struct mwi_option_row *row, const char *text,
                          struct mwi_option_value *value)
{
    int64_t seconds = 0;
    int64_t fraction_ns = 0;
    if (*text != '.' && !read_digits(&text, &seconds))
        return false;
    if (*text == '.') {
        text++;
        if (!is_digit(*text))
            return false;
        fraction_ns = read_fraction_ns(&text);
    }
    if (*text != '\0' || seconds > INT64_MAX / MWI_NS_PER_S - 1)
        return false;
    int64_t duration_ns = seconds * MWI_NS_PER_S + fraction_ns;
    if (!is_in_range(row, duration_ns))
        return false;
    *value = (struct mwi_option_value){.duration_ns = duration_ns};
    return true;
}

/* By how many bits the suffix of a size shifts it; -1 for a suffix that does not exist. */
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

static bool read_size(const struct mwi_option_row *row, const char *text,
                      struct mwi_option_value *value)
{
    int64_t bytes;
    if (!read_digits(&text, &bytes))
        return false;
    int shift = suffix_shift(text);
    if (shift < 0 || bytes > INT64_MAX >> shift || !is_in_range(row, bytes << shift))
        return false;
    *value = (struct mwi_option_value){.size_bytes = bytes << shift};
    return true;
}

static bool read_word(const struct mwi_option_row *row, const char *text,
                      struct mwi_option_value *value)
{
    for (int i = 0; row->words[i] != NULL; i++) {
        if (strcmp(text, row->words[i]) == 0) {
            *value = (struct mwi_option_value){.word_index = i};
            return true;
        }
    }
    return false;
}

static bool read_text(const struct mwi_option_row *row, const char *text,
                      struct mwi_option_value *value)
{
    size_t length = strlen(text);
    if (!is_in_range(row, (int64_t)length))
        return false;
    for (size_t i = 0; row->is_printable && i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    *value = (struct mwi_option_value){0};
    return true;
}

static bool read_host(const struct mwi_option_row *row, const char *text,
                      struct mwi_option_value *value)
{
    if ((int64_t)strlen(text) > row->max || !mwi_hostname_is_valid(text))
        return false;
    *value = (struct mwi_option_value){.is_all_interfaces = mwi_hostname_is_all(text)};
    return true;
}

static bool read_ports(const struct mwi_option_row *row, const char *text,
                       struct mwi_option_value *value)
{
    int64_t low, high;
    assert(row->min >= 0 && row->max <= UINT16_MAX);
    if (!read_digits(&text, &low) || !is_in_range(row, low))
        return false;
    high = low;
    if (*text == '-') {
        text++;
        if (!read_digits(&text, &high) || low < 1 || high < low || high > row->max)
            return false;
    }
    if (*text != '\0')
        return false;
    *value = (struct mwi_option_value){.ports = {(unsigned)low, (unsigned)high}};
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

/* A minimum below a second only serves to exclude 0. */
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
    for (int i = 0; row->words[i] != NULL && length < size; i++) {
        const char *separator = i == 0 ? "" : row->words[i + 1] != NULL ? ", " : " or ";
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
    bool (*read)(const struct mwi_option_row *row, const char *text,
                 struct mwi_option_value *value);
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

bool mwi_kind_read(const struct mwi_option_row *row, const char *text,
                   struct mwi_option_value *value)
{
    assert(row->kind < MWI_OPTION_KINDS_COUNT && kinds[row->kind].read != NULL);
    return kinds[row->kind].read(row, text, value);
}

void mwi_kind_allowed(const struct mwi_option_row *row, char *text, size_t size)
{
    assert(row->kind < MWI_OPTION_KINDS_COUNT && kinds[row->kind].allow != NULL && size > 0);
    kinds[row->kind].allow(row, text, size);
}

void mwi_kind_show(const char *text, char shown[MWI_KIND_SHOWN_BYTES])
{
    if (text[0] == '\0')
        text = "\"\"";
    size_t length = strnlen(text, MWI_KIND_SHOWN_BYTES);
    bool is_cut = length == MWI_KIND_SHOWN_BYTES;
    if (is_cut)
        length--;
    for (size_t i = 0; i < length; i++)
        shown[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    shown[length] = '\0';
    if (is_cut)
        memcpy(shown + length - 3, "...", 3);
}
