/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes the options out of an argument vector. mw_main calls this, and programs that embed a farm.
 *
 * Invariant: an error leaves the vector untouched. So the vector is read twice: the first pass sets
 * the options, and only if all of them were right, the second pass removes them. The words behind
 * "--" are the user's and are never read. A new option needs no change here: its row in table.c
 * says whether it takes a value.
 */
#include <string.h>

#include "options/options.h"

static bool is_ours(const char *word)
{
    return strncmp(word, MWI_OPTION_PREFIX, strlen(MWI_OPTION_PREFIX)) == 0;
}

/* A word that begins with '-' is the next option, unless it is a number. */
static bool may_be_value(const char *word)
{
    return word[0] != '-' ||
           (word[1] != '\0' && strspn(word + 1, "0123456789.") == strlen(word + 1));
}

/* Whether the option in this word has its value in the next one. */
static bool takes_next_word(const char *word)
{
    const char *name = word + strlen(MWI_OPTION_PREFIX);
    enum mwi_option option = mwi_table_find(name, strlen(name));
    return option != MWI_OPTIONS_COUNT && mwi_table_rows[option].kind != MWI_OPTION_IS_FLAG;
}

static mw_error fail_missing(mw_options *options, const char *word, enum mwi_option option)
{
    const char *value = mwi_table_rows[option].metavariable;
    return mwi_options_fail(options, MW_EUSAGE,
                            "%s: the value is missing; write %s %s, or %s=%s if the value begins "
                            "with a '-'",
                            word, word, value, word, value);
}

/* Sets the option in `word`. Its value may be in `next`, which is NULL at the end of argv. */
static mw_error parse_word(mw_options *options, const char *word, const char *next)
{
    const char *name = word + strlen(MWI_OPTION_PREFIX);
    size_t length = strcspn(name, "=");
    enum mwi_option option = mwi_table_find(name, length);
    const char *value = "1";
    if (option == MWI_OPTIONS_COUNT)
        return mwi_options_fail_unknown(options, name, length);
    if (name[length] == '=')
        value = name + length + 1;
    else if (takes_next_word(word))
        value = next != NULL && may_be_value(next) ? next : NULL;
    if (value == NULL)
        return fail_missing(options, word, option);
    return mw_options_set(options, mwi_table_rows[option].name, value);
}

/* The index of the first option of ours from `i` on; argc if there is no more. */
static int next_option(int i, int argc, char **argv)
{
    while (i < argc && !is_ours(argv[i])) {
        if (strcmp(argv[i], "--") == 0)
            return argc;
        i++;
    }
    return i;
}

static int words_count(const char *word)
{
    return takes_next_word(word) ? 2 : 1;
}

/* Moves the user's words together and returns how many words are left. */
static int close_gaps(int argc, char **argv)
{
    int kept = 1;
    int from = 1;
    while (from < argc) {
        int end = next_option(from, argc, argv);
        while (from < end)
            argv[kept++] = argv[from++];
        if (from < argc)
            from += words_count(argv[from]);
    }
    return kept;
}

mw_error mw_options_parse(mw_options *options, int *argc, char **argv)
{
    for (int i = next_option(1, *argc, argv); i < *argc; i = next_option(i, *argc, argv)) {
        mw_error error = parse_word(options, argv[i], i + 1 < *argc ? argv[i + 1] : NULL);
        if (error != MW_OK)
            return error;
        i += words_count(argv[i]);
    }
    if (*argc > 0) {
        *argc = close_gaps(*argc, argv);
        argv[*argc] = NULL;
    }
    return MW_OK;
}
