/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking options out of an argument vector. It is read twice, first to set the options and then,
 * when nothing was wrong, to close the gaps: so an error leaves it untouched.
 */
#include <string.h>

#include "options/table.h"

static bool is_ours(const char *word)
{
    return strncmp(word, MWI_OPTION_PREFIX, strlen(MWI_OPTION_PREFIX)) == 0;
}

/* What begins with '-' is taken for the next option, unless it is a number. */
static bool may_be_value(const char *word)
{
    return word[0] != '-' ||
           (word[1] != '\0' && strspn(word + 1, "0123456789.") == strlen(word + 1));
}

/* Whether the option in this word has its value in the next one. */
static bool takes_next_word(const char *word)
{
    const char *name = word + strlen(MWI_OPTION_PREFIX);
    enum mwi_option option = mwi_option_find(name, strlen(name));

    return option != MWI_OPTIONS_COUNT && mwi_option_table[option].kind != MWI_OPTION_IS_FLAG;
}

static mw_error fail_missing(mw_options *options, const char *word, enum mwi_option option)
{
    const char *value = mwi_option_table[option].metavariable;

    return mwi_options_fail(options, MW_EUSAGE,
                            "%s: the value is missing; write %s %s, or %s=%s if the value begins "
                            "with a '-'",
                            word, word, value, word, value);
}

/* Sets what `word`, and `next` if it is needed, say. `next` is NULL at the end of argv. */
static mw_error parse_word(mw_options *options, const char *word, const char *next)
{
    const char *name = word + strlen(MWI_OPTION_PREFIX);
    size_t length = strcspn(name, "=");
    enum mwi_option option = mwi_option_find(name, length);
    const char *value = "1";

    if (option == MWI_OPTIONS_COUNT)
        return mwi_options_fail_unknown(options, name, length);
    if (name[length] == '=')
        value = name + length + 1;
    else if (takes_next_word(word))
        value = next && may_be_value(next) ? next : NULL;
    if (!value)
        return fail_missing(options, word, option);
    return mw_options_set(options, mwi_option_table[option].name, value);
}

/* The first word at or after `i` that is an option of ours; argc if there is none. */
static int next_option(int i, int argc, char **argv)
{
    while (i < argc && !is_ours(argv[i])) {
        if (strcmp(argv[i], "--") == 0)
            return argc;
        i++;
    }
    return i;
}

mw_error mw_options_parse(mw_options *options, int *argc, char **argv)
{
    int kept = 1;
    int from = 1;

    for (int i = next_option(1, *argc, argv); i < *argc; i = next_option(i, *argc, argv)) {
        mw_error error = parse_word(options, argv[i], i + 1 < *argc ? argv[i + 1] : NULL);

        if (error)
            return error;
        i += 1 + takes_next_word(argv[i]);
    }
    while (from < *argc) {
        int end = next_option(from, *argc, argv);

        while (from < end)
            argv[kept++] = argv[from++];
        if (from < *argc)
            from += 1 + takes_next_word(argv[from]);
    }
    if (*argc > 0) {
        *argc = kept;
        argv[kept] = NULL;
    }
    return MW_OK;
}
