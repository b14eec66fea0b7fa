/* SPDX-License-Identifier: Apache-2.0
 *
 * The helpers that all tests of options share: options, argument vectors, and checks of values and
 * sentences.
 */
#ifndef MWT_OPTIONS_H
#define MWT_OPTIONS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "options/check.h"
#include "options/options.h"

#define MWT_SECOND INT64_C(1000000000)
#define MWT_WORDS_MAX 24
#define MWT_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* An argument vector that a test may parse; words[0] is the program. */
struct mwt_arguments {
    int count;
    char *words[MWT_WORDS_MAX];
};

/* Makes an argument vector. `words` ends with NULL and is borrowed for the life of the vector. */
static inline struct mwt_arguments mwt_arguments_of(const char *const *words)
{
    struct mwt_arguments arguments = {.count = 1, .words = {(char *)"prog"}};
    for (; *words != NULL; words++)
        arguments.words[arguments.count++] = (char *)*words;
    return arguments;
}

#define MWT_ARGUMENTS(...) mwt_arguments_of((const char *const[]){__VA_ARGS__, NULL})

static inline mw_options *mwt_options_make(void)
{
    mw_options *options = NULL;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    return options;
}

static inline mw_error mwt_options_parse(mw_options *options, struct mwt_arguments arguments)
{
    return mw_options_parse(options, &arguments.count, arguments.words);
}

/* Checks that the vector has these words behind the program, and its NULL. */
static inline void mwt_check_words(const struct mwt_arguments *arguments, const char *const *words)
{
    int count = 1;
    for (; words[count - 1] != NULL; count++)
        if (count < arguments->count)
            CU_ASSERT_STRING_EQUAL(arguments->words[count], words[count - 1]);
    CU_ASSERT_EQUAL(arguments->count, count);
    CU_ASSERT_PTR_NULL(arguments->words[arguments->count]);
}

#define MWT_CHECK_WORDS(arguments, ...)                                                            \
    mwt_check_words(arguments, (const char *const[]){__VA_ARGS__, NULL})

static inline void mwt_check_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        printf("\n    \"%s\"\n    lacks \"%s\"\n", text, part);
        CU_FAIL("a text lacks a part");
    }
}

static inline void mwt_check_option(const mw_options *options, const char *name,
                                    const char *expected)
{
    const char *value = mw_options_get(options, name);
    CU_ASSERT_PTR_NOT_NULL(value);
    if (value != NULL)
        CU_ASSERT_STRING_EQUAL(value, expected);
}

/* Checks each field of the value of the option. */
static inline void mwt_check_value(const mw_options *options, enum mwi_option option,
                                   const struct mwi_option_value *expected)
{
    struct mwi_option_value value = mwi_options_value(options, option);
    CU_ASSERT_EQUAL(value.is_on, expected->is_on);
    CU_ASSERT_EQUAL(value.number, expected->number);
    CU_ASSERT_EQUAL(value.group_size, expected->group_size);
    CU_ASSERT_EQUAL(value.duration_ns, expected->duration_ns);
    CU_ASSERT_EQUAL(value.size_bytes, expected->size_bytes);
    CU_ASSERT_EQUAL(value.word_index, expected->word_index);
    CU_ASSERT_EQUAL(value.is_all_interfaces, expected->is_all_interfaces);
    CU_ASSERT_EQUAL(value.ports.low, expected->ports.low);
    CU_ASSERT_EQUAL(value.ports.high, expected->ports.high);
}

/* Returns the option of that name, which must exist. */
static inline enum mwi_option mwt_option_of(const char *name)
{
    enum mwi_option option = mwi_table_find(name, strlen(name));
    CU_ASSERT_NOT_EQUAL_FATAL(option, MWI_OPTIONS_COUNT);
    return option;
}

static inline void mwt_variable_of(enum mwi_option option, char *variable, size_t size)
{
    mwi_table_variable(&mwi_table_rows[option], variable, size);
}

/* Removes the variables of all options. */
static inline void mwt_environment_clear(void)
{
    char variable[64];
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        mwt_variable_of((enum mwi_option)i, variable, sizeof variable);
        unsetenv(variable);
    }
}

#endif
