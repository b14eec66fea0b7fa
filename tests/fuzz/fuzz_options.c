/* SPDX-License-Identifier: Apache-2.0
 *
 * Command lines made of any bytes. The input is split at its NULs into words. A word that begins
 * with a byte below the number of options stands for that option, so that random bytes get past the
 * names: "\2" is the second option's name, "\2=x" the same with "=x" behind it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "options/check.h"
#include "options/options.h"

#define WORDS_MAX 64
#define WORD_BYTES_MAX 600

struct command_line {
    int count;
    char *words[WORDS_MAX + 1];
    char bytes[WORDS_MAX][WORD_BYTES_MAX];
};

static void add_word(struct command_line *line, const uint8_t *data, size_t size)
{
    char *word = line->bytes[line->count];
    int length = 0;
    if (size > 0 && data[0] > 0 && data[0] <= MWI_OPTIONS_COUNT) {
        length = snprintf(word, WORD_BYTES_MAX, "--mw-%s", mwi_table_rows[data[0] - 1].name);
        data++;
        size--;
    }
    if (size > WORD_BYTES_MAX - 1 - (size_t)length)
        size = WORD_BYTES_MAX - 1 - (size_t)length;
    memcpy(word + length, data, size);
    word[(size_t)length + size] = '\0';
    line->words[line->count++] = word;
}

static void split(struct command_line *line, const uint8_t *data, size_t size)
{
    line->count = 0;
    add_word(line, (const uint8_t *)"prog", 4);
    while (size > 0 && line->count < WORDS_MAX) {
        const uint8_t *end = memchr(data, 0, size);
        size_t length = end != NULL ? (size_t)(end - data) : size;
        add_word(line, data, length);
        size -= end != NULL ? length + 1 : length;
        data += end != NULL ? length + 1 : length;
    }
    line->words[line->count] = NULL;
}

/* After an error there is a sentence, and argv is as it was. */
static void check_refused(const mw_options *options, const struct command_line *line, int count,
                          char *const *words)
{
    MWT_FUZZ_PROMISE(mw_options_error(options)[0] != '\0');
    MWT_FUZZ_PROMISE(count == line->count);
    MWT_FUZZ_PROMISE(memcmp(words, line->words, sizeof line->words) == 0);
    for (const char *at = mw_options_error(options); *at != '\0'; at++)
        MWT_FUZZ_PROMISE(*at >= ' ' && *at <= '~');
}

static void check_same_value(struct mwi_option_value left, struct mwi_option_value right)
{
    MWT_FUZZ_PROMISE(left.is_on == right.is_on && left.number == right.number);
    MWT_FUZZ_PROMISE(left.group_size == right.group_size);
    MWT_FUZZ_PROMISE(left.duration_ns == right.duration_ns && left.size_bytes == right.size_bytes);
    MWT_FUZZ_PROMISE(left.word_index == right.word_index);
    MWT_FUZZ_PROMISE(left.is_all_interfaces == right.is_all_interfaces);
    MWT_FUZZ_PROMISE(left.ports.low == right.ports.low && left.ports.high == right.ports.high);
}

/* After a success no option of mw is left before "--", and every value is one that its row
 * allows. */
static void check_accepted(const mw_options *options, int count, char *const *words)
{
    MWT_FUZZ_PROMISE(words[count] == NULL);
    for (int i = 1; i < count && strcmp(words[i], "--") != 0; i++)
        MWT_FUZZ_PROMISE(strncmp(words[i], "--mw-", 5) != 0);
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const char *value = mw_options_get(options, mwi_table_rows[i].name);
        struct mwi_option_value read;
        if (value == NULL)
            continue;
        MWT_FUZZ_PROMISE(mwi_kind_read(&mwi_table_rows[i], value, &read));
        check_same_value(mwi_options_value(options, (enum mwi_option)i), read);
    }
}

static bool is_same(const char *left, const char *right)
{
    return left == right || (left != NULL && right != NULL && strcmp(left, right) == 0);
}

/* The command line for a slave can be parsed, and gives the same values. */
static void check_inherited(const mw_options *options)
{
    char *words[MWI_OPTIONS_COUNT + 2] = {(char *)"prog"};
    size_t handed_on_count;
    char **vector = mwi_options_inherited(options, &handed_on_count);
    mw_options *slave;
    int count;
    if (vector == NULL || mw_options_create(&slave) != MW_OK)
        abort();
    memcpy(words + 1, vector, handed_on_count * sizeof *vector);
    count = (int)handed_on_count + 1;
    MWT_FUZZ_PROMISE(mw_options_parse(slave, &count, words) == MW_OK);
    MWT_FUZZ_PROMISE(count == 1);
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++)
        if (mwi_table_rows[i].is_inherited)
            MWT_FUZZ_PROMISE(is_same(mwi_options_text(slave, (enum mwi_option)i),
                                     mwi_options_text(options, (enum mwi_option)i)));
    mw_options_destroy(slave);
    free(vector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct command_line line;
    char *words[WORDS_MAX + 1];
    mw_options *options;
    int count;
    memset(line.words, 0, sizeof line.words);
    split(&line, data, size);
    memcpy(words, line.words, sizeof words);
    count = line.count;
    if (mw_options_create(&options) != MW_OK)
        abort();
    if (mw_options_parse(options, &count, words) != MW_OK)
        check_refused(options, &line, count, words);
    else
        check_accepted(options, count, words);
    if (mwi_check_options(options) != MW_OK)
        MWT_FUZZ_PROMISE(mw_options_error(options)[0] != '\0');
    check_inherited(options);
    mw_options_destroy(options);
    return 0;
}
