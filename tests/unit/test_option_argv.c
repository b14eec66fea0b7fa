/* SPDX-License-Identifier: Apache-2.0
 *
 * Options in argv: both forms, flags, the words that stay, and options that lack a value, are
 * misspelled or are given twice.
 */
#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "mwt_options.h"
#include "mwt_run.h"

/* The options are taken out of argv, in both forms. The program's own words stay, in order. */
static void test_parse_takes_options_out(void)
{
    mw_options *options = mwt_options_make();
    struct mwt_arguments arguments =
        MWT_ARGUMENTS("first", "--mw-master-port", "7000", "-v", "--mw-quiet", "--mw-member-id=a=b",
                      "second", "", "--mw", "-mw-quiet", "--mw-local", "3", "--name=--mw-x");

    CU_ASSERT_EQUAL(mw_options_parse(options, &arguments.count, arguments.words), MW_OK);

    MWT_CHECK_WORDS(&arguments, "first", "-v", "second", "", "--mw", "-mw-quiet", "--name=--mw-x");
    CU_ASSERT_STRING_EQUAL(arguments.words[0], "prog");
    CU_ASSERT_EQUAL(mwi_options_ports(options, MWI_OPTION_MASTER_PORT).low, 7000);
    CU_ASSERT_TRUE(mwi_options_flag(options, MWI_OPTION_QUIET));
    CU_ASSERT_EQUAL(mwi_options_integer(options, MWI_OPTION_LOCAL), 3);
    mwt_check_option(options, "member-id", "a=b");
    mw_options_destroy(options);
}

/* Options that ask for a text, such as help, are taken out too, and can be asked for. */
static void test_parse_help(void)
{
    mw_options *options = mwt_options_make();
    struct mwt_arguments arguments = MWT_ARGUMENTS("--mw-help", "x", "--mw-version-string");

    mwt_check_option(options, "help", "0");
    CU_ASSERT_EQUAL(mw_options_parse(options, &arguments.count, arguments.words), MW_OK);

    MWT_CHECK_WORDS(&arguments, "x");
    mwt_check_option(options, "help", "1");
    mwt_check_option(options, "version-string", "1");
    mw_options_destroy(options);
}

/* A program's own name is never an option, and an argv of nothing is legal. */
static void test_parse_little(void)
{
    mw_options *options = mwt_options_make();
    struct mwt_arguments alone = MWT_ARGUMENTS("x");
    struct mwt_arguments nothing = {.count = 0};

    alone.count = 1;
    alone.words[0] = (char *)"--mw-quiet";
    alone.words[1] = NULL;
    CU_ASSERT_EQUAL(mw_options_parse(options, &alone.count, alone.words), MW_OK);
    CU_ASSERT_EQUAL(mw_options_parse(options, &nothing.count, nothing.words), MW_OK);

    CU_ASSERT_EQUAL(alone.count, 1);
    CU_ASSERT_EQUAL(nothing.count, 0);
    CU_ASSERT_FALSE(mwi_options_flag(options, MWI_OPTION_QUIET));
    mw_options_destroy(options);
}

/* Every option with a value reads it from the next word and from behind "=". */
static void test_both_forms_of_every_option(void)
{
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_table_rows[i];
        const char *value = row->words != NULL                ? row->words[1]
                            : row->kind == MWI_OPTION_IS_SIZE ? "8K"
                                                              : "3";
        char word[64], joined[64];
        mw_options *options = mwt_options_make();

        if (row->kind == MWI_OPTION_IS_FLAG)
            value = "1";
        snprintf(word, sizeof word, "--mw-%s", row->name);
        snprintf(joined, sizeof joined, "--mw-%s=%s", row->name, value);
        CU_ASSERT_EQUAL(row->kind == MWI_OPTION_IS_FLAG
                            ? mwt_options_parse(options, MWT_ARGUMENTS(word))
                            : mwt_options_parse(options, MWT_ARGUMENTS(word, value)),
                        MW_OK);
        mwt_check_option(options, row->name, value);
        mwi_options_unset(options, (enum mwi_option)i);
        CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS(joined)), MW_OK);
        mwt_check_option(options, row->name, value);
        mw_options_destroy(options);
    }
}

/* A flag does not touch the next word; "=" turns it on or off. */
static void test_flags(void)
{
    static const struct {
        const char *word;
        bool is_on;
    } forms[] = {
        {"--mw-quiet", true},        {"--mw-quiet=0", false},   {"--mw-quiet=1", true},
        {"--mw-quiet=false", false}, {"--mw-quiet=true", true},
    };
    mw_options *options = mwt_options_make();

    for (size_t i = 0; i < MWT_COUNT_OF(forms); i++) {
        struct mwt_arguments arguments = MWT_ARGUMENTS(forms[i].word, "0");

        CU_ASSERT_EQUAL(mw_options_parse(options, &arguments.count, arguments.words), MW_OK);
        MWT_CHECK_WORDS(&arguments, "0");
        CU_ASSERT_EQUAL(mwi_options_flag(options, MWI_OPTION_QUIET), forms[i].is_on);
        mwt_check_option(options, "quiet", forms[i].is_on ? "1" : "0");
        CU_ASSERT_TRUE(mwi_options_is_set(options, MWI_OPTION_QUIET));
    }

    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-quiet=")), MW_EUSAGE);
    mw_options_destroy(options);
}

/* "--" stays, and the words behind it are not read. */
static void test_two_dashes_end_the_options(void)
{
    mw_options *options = mwt_options_make();
    struct mwt_arguments arguments =
        MWT_ARGUMENTS("--mw-quiet", "a", "--", "--mw-master", "--mw-nonsense", "--", "b");

    CU_ASSERT_EQUAL(mw_options_parse(options, &arguments.count, arguments.words), MW_OK);

    MWT_CHECK_WORDS(&arguments, "a", "--", "--mw-master", "--mw-nonsense", "--", "b");
    CU_ASSERT_FALSE(mwi_options_flag(options, MWI_OPTION_MASTER));
    mw_options_destroy(options);
}

/* A value may be missing at the end, before another option, and before "--". */
static void test_missing_value(void)
{
    mw_options *options = mwt_options_make();

    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-member-id")), MW_EUSAGE);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                           "--mw-member-id: the value is missing; write --mw-member-id S, or "
                           "--mw-member-id=S if the value begins with a '-'");
    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-master-port", "--mw-quiet")),
                    MW_EUSAGE);
    mwt_check_contains(mw_options_error(options), "--mw-master-port: the value is missing");
    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-audit-file", "--", "x")),
                    MW_EUSAGE);
    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-audit-file", "-x")), MW_EUSAGE);
    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-audit-file", "-")), MW_EUSAGE);
    mwt_check_contains(mw_options_error(options), "the value is missing");

    CU_ASSERT_PTR_NULL(mw_options_get(options, "audit-file"));
    mw_options_destroy(options);
}

/* A value may begin with '-' if it is a number, or behind "=". */
static void test_values_with_a_dash(void)
{
    mw_options *options = mwt_options_make();

    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-member-id", "-7.5")), MW_OK);
    mwt_check_option(options, "member-id", "-7.5");
    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-member-id=--mw-quiet")), MW_OK);
    mwt_check_option(options, "member-id", "--mw-quiet");
    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-master-port", "-5")), MW_EUSAGE);
    mwt_check_contains(mw_options_error(options), "--mw-master-port -5: must be");
    mw_options_destroy(options);
}

/* An unknown option is named, with the nearest known one, if one is near. */
static void test_unknown_options(void)
{
    static const struct {
        const char *word, *sentence;
    } unknown[] = {
        {"--mw-mater-port",
         "--mw-mater-port: there is no such option; did you mean --mw-master-port?"},
        {"--mw-quite=1", "--mw-quite: there is no such option; did you mean --mw-quiet?"},
        {"--mw-Slave", "--mw-Slave: there is no such option; did you mean --mw-slave?"},
        {"--mw-resource", "--mw-resource: there is no such option; did you mean "
                          "--mw-resource-file?"},
        {"--mw-port", "--mw-port: there is no such option; did you mean --mw-master-port?"},
        {"--mw-xyzzy", "--mw-xyzzy: there is no such option; --mw-help lists all"},
        {"--mw-", "--mw-: there is no such option; --mw-help lists all"},
        {"--mw-=3", "--mw-: there is no such option; --mw-help lists all"},
    };
    mw_options *options = mwt_options_make();

    for (size_t i = 0; i < MWT_COUNT_OF(unknown); i++) {
        CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS(unknown[i].word, "7")), MW_EUSAGE);
        CU_ASSERT_STRING_EQUAL(mw_options_error(options), unknown[i].sentence);
    }

    CU_ASSERT_EQUAL(mw_options_set(options, "master-prot", "7"), MW_EUSAGE);
    mwt_check_contains(mw_options_error(options), "did you mean --mw-master-port?");
    CU_ASSERT_PTR_NULL(mw_options_get(options, "master-prot"));
    mw_options_destroy(options);
}

/* After an error argv is as it was, whatever came before the wrong word. */
static void test_argv_is_untouched_on_an_error(void)
{
    mw_options *options = mwt_options_make();
    struct mwt_arguments arguments =
        MWT_ARGUMENTS("a", "--mw-quiet", "b", "--mw-master-port", "x", "c");
    struct mwt_arguments before = arguments;

    CU_ASSERT_EQUAL(mw_options_parse(options, &arguments.count, arguments.words), MW_EUSAGE);

    CU_ASSERT_EQUAL(arguments.count, before.count);
    for (int i = 0; i < before.count; i++)
        CU_ASSERT_PTR_EQUAL(arguments.words[i], before.words[i]);
    mw_options_destroy(options);
}

/* The last of several settings of one option counts, from argv or from a call. */
static void test_last_setting_counts(void)
{
    mw_options *options = mwt_options_make();

    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-local", "2", "--mw-local=3")),
                    MW_OK);
    CU_ASSERT_EQUAL(mwi_options_integer(options, MWI_OPTION_LOCAL), 3);
    CU_ASSERT_EQUAL(mw_options_set(options, "local", "4"), MW_OK);
    CU_ASSERT_EQUAL(mwi_options_integer(options, MWI_OPTION_LOCAL), 4);
    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-local=5")), MW_OK);
    CU_ASSERT_EQUAL(mwi_options_integer(options, MWI_OPTION_LOCAL), 5);
    mw_options_destroy(options);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"parse takes options out", test_parse_takes_options_out},
        {"parse help", test_parse_help},
        {"parse little", test_parse_little},
        {"both forms of every option", test_both_forms_of_every_option},
        {"flags", test_flags},
        {"two dashes end the options", test_two_dashes_end_the_options},
        {"missing value", test_missing_value},
        {"values with a dash", test_values_with_a_dash},
        {"unknown options", test_unknown_options},
        {"argv is untouched on an error", test_argv_is_untouched_on_an_error},
        {"last setting counts", test_last_setting_counts},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("option argv", tests);
}
