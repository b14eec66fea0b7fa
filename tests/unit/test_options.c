/* SPDX-License-Identifier: Apache-2.0
 *
 * The options: every row of the table with values that it takes and refuses, argv in all its forms,
 * who wins over whom, the order rule of the resource file, what slaves inherit, contradictions, and
 * the help.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>
#include <mw/transport.h>

#include "option_table.h"

#define SECOND INT64_C(1000000000)
#define WORDS_MAX 24
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* An argument vector that a test may parse; words[0] is the program. */
struct arguments {
    int count;
    char *words[WORDS_MAX];
};

static struct arguments arguments_of(const char *const *words)
{
    struct arguments arguments = {.count = 1, .words = {(char *)"prog"}};

    for (; *words; words++)
        arguments.words[arguments.count++] = (char *)*words;
    return arguments;
}

#define ARGUMENTS(...) arguments_of((const char *const[]){__VA_ARGS__, NULL})

static mw_options *make_options(void)
{
    mw_options *options = NULL;

    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    return options;
}

static mw_error parse(mw_options *options, struct arguments arguments)
{
    return mw_options_parse(options, &arguments.count, arguments.words);
}

static void check_words(const struct arguments *arguments, const char *const *words)
{
    int count = 1;

    for (; words[count - 1]; count++)
        if (count < arguments->count)
            CU_ASSERT_STRING_EQUAL(arguments->words[count], words[count - 1]);
    CU_ASSERT_EQUAL(arguments->count, count);
    CU_ASSERT_PTR_NULL(arguments->words[arguments->count]);
}

#define CHECK_WORDS(arguments, ...) check_words(arguments, (const char *const[]){__VA_ARGS__, NULL})

static void check_contains(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        printf("\n    \"%s\"\n    lacks \"%s\"\n", text, part);
        CU_FAIL("a text lacks a part");
    }
}

static void check_text(const mw_options *options, const char *name, const char *expected)
{
    const char *value = mw_options_get(options, name);

    CU_ASSERT_PTR_NOT_NULL(value);
    if (value)
        CU_ASSERT_STRING_EQUAL(value, expected);
}

static enum mwi_option option_of(const char *name)
{
    enum mwi_option option = mwi_option_find(name, strlen(name));

    CU_ASSERT_NOT_EQUAL_FATAL(option, MWI_OPTIONS_COUNT);
    return option;
}

static void variable_of(enum mwi_option option, char *variable, size_t size)
{
    mwi_option_variable(&mwi_option_table[option], variable, size);
}

static void clear_environment(void)
{
    char variable[64];

    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        variable_of((enum mwi_option)i, variable, sizeof variable);
        unsetenv(variable);
    }
}

/* What each option is before anybody sets it: the text of mw_options_get, NULL if none, and the
 * number behind it. */
static void test_defaults(void)
{
    static const struct {
        const char *name, *text;
        int64_t number;
    } defaults[] = {
        {"help", "0", 0},
        {"version-string", "0", 0},
        {"master", "0", 0},
        {"slave", "0", 0},
        {"local", NULL, 0},
        {"transport", "auto", 0},
        {"master-host", NULL, 0},
        {"master-port", "0", 0},
        {"channel", NULL, 0},
        {"member-id", "default-member-id", 0},
        {"connect-timeout", "30", 30 * SECOND},
        {"client-timeout", "60", 60 * SECOND},
        {"shutdown-timeout", "10", 10 * SECOND},
        {"slave-task-group", "1", 1},
        {"slave-result-group", "1", 1},
        {"max-write-buffer-size", "64M", 67108864},
        {"max-read-buffer-size", "64M", 67108864},
        {"audit-file", NULL, 0},
        {"audit-format", "text", 0},
        {"quiet", "0", 0},
        {"resource-file", NULL, 0},
        {"resource-file-update-interval", "300", 300 * SECOND},
        {"slave-executable", NULL, 0},
    };
    mw_options *options = make_options();

    CU_ASSERT_EQUAL(COUNT_OF(defaults), MWI_OPTIONS_COUNT);
    for (size_t i = 0; i < COUNT_OF(defaults); i++) {
        enum mwi_option option = option_of(defaults[i].name);

        if (defaults[i].text)
            check_text(options, defaults[i].name, defaults[i].text);
        else
            CU_ASSERT_PTR_NULL(mw_options_get(options, defaults[i].name));
        CU_ASSERT_EQUAL(mwi_options_integer(options, option), defaults[i].number);
        CU_ASSERT_FALSE(mwi_options_is_set(options, option));
        CU_ASSERT_EQUAL(mwi_options_source(options, option), MWI_SOURCE_DEFAULT);
    }

    CU_ASSERT_STRING_EQUAL(mw_options_error(options), "");
    mw_options_destroy(options);
    mw_options_destroy(NULL);
}

/* The table is whole: each row has a name of its own, help, a default that it allows itself, and a
 * word for its value exactly if it has one. */
static void test_table_is_whole(void)
{
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_option_table[i];
        char allowed[160];
        int64_t number;

        CU_ASSERT_PTR_NOT_NULL_FATAL(row->name);
        CU_ASSERT_EQUAL(option_of(row->name), (enum mwi_option)i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row->help);
        CU_ASSERT_EQUAL(row->help[strlen(row->help) - 1], '.');
        CU_ASSERT_EQUAL(row->metavariable == NULL, row->kind == MWI_OPTION_IS_FLAG);
        CU_ASSERT_EQUAL(row->words != NULL, row->kind == MWI_OPTION_IS_WORD);
        if (row->default_value)
            CU_ASSERT_TRUE(mwi_option_read(row, row->default_value, &number));
        mwi_option_allowed(row, allowed, sizeof allowed);
        CU_ASSERT_TRUE(strlen(allowed) > 0 && strlen(allowed) < sizeof allowed - 1);
    }
}

/* Values at the limits and in all spellings, and the numbers that they stand for. */
static void test_values_allowed(void)
{
    static const struct {
        const char *name, *value;
        int64_t number;
    } allowed[] = {
        {"local", "1", 1},
        {"local", "4096", 4096},
        {"transport", "auto", 0},
        {"transport", "local", 1},
        {"transport", "tcp", 2},
        {"transport", "mpi", 3},
        {"master-host", "::1", 0},
        {"master-host", "node-7.example.org", 0},
        {"master-port", "0", 0},
        {"master-port", "65535", 65535},
        {"master-port", "007", 7},
        {"channel", "0", 0},
        {"channel", "1048576", 1048576},
        {"member-id", " a ~", 0},
        {"connect-timeout", "0", 0},
        {"connect-timeout", "1000000", 1000000 * SECOND},
        {"connect-timeout", "1000000.000", 1000000 * SECOND},
        {"connect-timeout", "0.25", SECOND / 4},
        {"connect-timeout", ".5", SECOND / 2},
        {"connect-timeout", "1.0000000019", SECOND + 1},
        {"client-timeout", "0.000000001", 1},
        {"client-timeout", "1000000", 1000000 * SECOND},
        {"shutdown-timeout", "0", 0},
        {"slave-task-group", "1", 1},
        {"slave-task-group", "1000000", 1000000},
        {"slave-result-group", "1", 1},
        {"slave-result-group", "1000000", 1000000},
        {"max-write-buffer-size", "4K", 4096},
        {"max-write-buffer-size", "4096", 4096},
        {"max-write-buffer-size", "2147483647", 2147483647},
        {"max-read-buffer-size", "1G", 1073741824},
        {"max-read-buffer-size", "5m", 5242880},
        {"max-read-buffer-size", "5k", 5120},
        {"audit-file", "/tmp/%n \xc3\xa4", 0},
        {"audit-format", "text", 0},
        {"audit-format", "json", 1},
        {"resource-file", "m.rsc", 0},
        {"resource-file-update-interval", "1", SECOND},
        {"resource-file-update-interval", "1000000", 1000000 * SECOND},
        {"slave-executable", "./prog", 0},
    };
    mw_options *options = make_options();

    for (size_t i = 0; i < COUNT_OF(allowed); i++) {
        CU_ASSERT_EQUAL(mw_options_set(options, allowed[i].name, allowed[i].value), MW_OK);
        check_text(options, allowed[i].name, allowed[i].value);
        CU_ASSERT_EQUAL(mwi_options_integer(options, option_of(allowed[i].name)),
                        allowed[i].number);
    }

    CU_ASSERT_EQUAL(mwi_options_duration_ns(options, MWI_OPTION_CLIENT_TIMEOUT), 1000000 * SECOND);
    CU_ASSERT_STRING_EQUAL(mwi_options_text(options, MWI_OPTION_TRANSPORT), "mpi");
    mw_options_destroy(options);
}

/* A value that is not allowed leaves the option as it was, and the sentence names the option, the
 * value and what is allowed. */
static void test_values_refused(void)
{
    static const char *const refused[][3] = {
        {"help", "2", "must be 1, 0, true or false"},
        {"quiet", "yes", "must be 1, 0, true or false"},
        {"quiet", "True", "must be 1, 0, true or false"},
        {"local", "0", "must be a whole number from 1 to 4096"},
        {"local", "4097", "must be a whole number from 1 to 4096"},
        {"transport", "sim", "must be auto, local, tcp or mpi"},
        {"transport", "tcp,mpi", "must be auto, local, tcp or mpi"},
        {"transport", "TCP", "must be auto, local, tcp or mpi"},
        {"master-host", "a\nb", "must be 1 to 255 printable characters"},
        {"master-port", "70000", "must be a whole number from 0 to 65535"},
        {"master-port", "65536", "must be a whole number from 0 to 65535"},
        {"master-port", "-1", "must be a whole number from 0 to 65535"},
        {"master-port", "18446744073709551616", "must be a whole number from 0 to 65535"},
        {"master-port", "18446744073709551696", "must be a whole number from 0 to 65535"},
        {"master-port", "80x", "must be a whole number from 0 to 65535"},
        {"master-port", " 80", "must be a whole number from 0 to 65535"},
        {"master-port", "80 ", "must be a whole number from 0 to 65535"},
        {"master-port", "+80", "must be a whole number from 0 to 65535"},
        {"master-port", "0x50", "must be a whole number from 0 to 65535"},
        {"master-port", "80.0", "must be a whole number from 0 to 65535"},
        {"master-port", "--1", "must be a whole number from 0 to 65535"},
        {"master-port", "-", "must be a whole number from 0 to 65535"},
        {"channel", "1048577", "must be a whole number from 0 to 1048576"},
        {"member-id", "a\x7f", "must be 1 to 255 printable characters"},
        {"member-id", "\xc3\xa4", "must be 1 to 255 printable characters"},
        {"connect-timeout", "1000000.000000001", "must be a number of seconds from 0 to 1000000"},
        {"connect-timeout", "-1", "must be a number of seconds from 0 to 1000000"},
        {"connect-timeout", "nan", "must be a number of seconds from 0 to 1000000"},
        {"connect-timeout", "inf", "must be a number of seconds from 0 to 1000000"},
        {"connect-timeout", "1e3", "must be a number of seconds from 0 to 1000000"},
        {"connect-timeout", "1,5", "must be a number of seconds from 0 to 1000000"},
        {"connect-timeout", "1.", "must be a number of seconds from 0 to 1000000"},
        {"connect-timeout", ".", "must be a number of seconds from 0 to 1000000"},
        {"connect-timeout", "1.5s", "must be a number of seconds from 0 to 1000000"},
        {"connect-timeout", "9223372036", "must be a number of seconds from 0 to 1000000"},
        {"connect-timeout", "9223372036854775807", "must be a number of seconds from 0 to 1000000"},
        {"connect-timeout", "9223372036854775808", "must be a number of seconds from 0 to 1000000"},
        {"client-timeout", "0", "must be a number of seconds above 0 and up to 1000000"},
        {"client-timeout", "0.0000000001", "must be a number of seconds above 0 and up to 1000000"},
        {"shutdown-timeout", "1000001", "must be a number of seconds from 0 to 1000000"},
        {"slave-task-group", "0", "must be a whole number from 1 to 1000000"},
        {"slave-task-group", "1000001", "must be a whole number from 1 to 1000000"},
        {"slave-task-group", "auto", "must be a whole number from 1 to 1000000"},
        {"slave-result-group", "0", "must be a whole number from 1 to 1000000"},
        {"max-write-buffer-size", "4095", "must be a number of bytes from 4096 to 2147483647"},
        {"max-write-buffer-size", "3K", "must be a number of bytes from 4096 to 2147483647"},
        {"max-write-buffer-size", "2G", "must be a number of bytes from 4096 to 2147483647"},
        {"max-write-buffer-size", "M", "must be a number of bytes from 4096 to 2147483647"},
        {"max-read-buffer-size", "64MB", "K, M or G at the end stands for a power of 1024"},
        {"max-read-buffer-size", "64T", "must be a number of bytes from 4096 to 2147483647"},
        {"max-read-buffer-size", "-64M", "must be a number of bytes from 4096 to 2147483647"},
        {"max-read-buffer-size", "9007199254740993G",
         "must be a number of bytes from 4096 to 2147483647"},
        {"audit-format", "xml", "must be text or json"},
        {"resource-file-update-interval", "0.999", "must be a number of seconds from 1 to 1000000"},
    };
    mw_options *options = make_options();

    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        enum mwi_option option = option_of(refused[i][0]);
        char start[96];

        CU_ASSERT_EQUAL(mw_options_set(options, refused[i][0], refused[i][1]), MW_EUSAGE);
        snprintf(start, sizeof start, "--mw-%s %c", refused[i][0],
                 refused[i][1][0] < 0 ? '?' : refused[i][1][0]);
        CU_ASSERT_EQUAL(strncmp(mw_options_error(options), start, strlen(start)), 0);
        check_contains(mw_options_error(options), refused[i][2]);
        CU_ASSERT_FALSE(mwi_options_is_set(options, option));
    }

    CU_ASSERT_EQUAL(mw_options_set(options, "master-port", "70000"), MW_EUSAGE);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                           "--mw-master-port 70000: must be a whole number from 0 to 65535");
    mw_options_destroy(options);
}

/* No option that has a value takes an empty one, and a text has at most its table's bytes. */
static void test_lengths_of_values(void)
{
    mw_options *options = make_options();
    char text[4097];

    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_option_table[i];

        CU_ASSERT_EQUAL(mw_options_set(options, row->name, ""), MW_EUSAGE);
        check_contains(mw_options_error(options), " \"\": must be ");
        if (row->kind != MWI_OPTION_IS_TEXT)
            continue;
        memset(text, 'x', sizeof text);
        text[row->max] = '\0';
        CU_ASSERT_EQUAL(mw_options_set(options, row->name, text), MW_OK);
        text[row->max] = 'x';
        text[row->max + 1] = '\0';
        CU_ASSERT_EQUAL(mw_options_set(options, row->name, text), MW_EUSAGE);
        CU_ASSERT_EQUAL(strlen(mw_options_get(options, row->name)), (size_t)row->max);
    }

    mw_options_destroy(options);
}

/* A sentence shows no byte that a terminal would obey, and only the beginning of a long value. */
static void test_hostile_values_in_sentences(void)
{
    mw_options *options = make_options();
    char text[2000];

    CU_ASSERT_EQUAL(mw_options_set(options, "master-port", "\033[2J\n\xff"), MW_EUSAGE);
    check_contains(mw_options_error(options), "--mw-master-port ?[2J??: must be");

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    CU_ASSERT_EQUAL(mw_options_set(options, "master-port", text), MW_EUSAGE);
    check_contains(mw_options_error(options), "xxx...: must be a whole number from 0 to 65535");
    CU_ASSERT_TRUE(strlen(mw_options_error(options)) < 160);

    memcpy(text, "--mw-\033", 6);
    CU_ASSERT_EQUAL(parse(options, ARGUMENTS(text)), MW_EUSAGE);
    check_contains(mw_options_error(options), "--mw-?xxx");
    CU_ASSERT_TRUE(strlen(mw_options_error(options)) < 160);
    mw_options_destroy(options);
}

/* The options go out of argv, in both forms; what is the program's stays, in order. */
static void test_parse_takes_options_out(void)
{
    mw_options *options = make_options();
    struct arguments arguments =
        ARGUMENTS("first", "--mw-master-port", "7000", "-v", "--mw-quiet", "--mw-member-id=a=b",
                  "second", "", "--mw", "-mw-quiet", "--mw-local", "3", "--name=--mw-x");

    CU_ASSERT_EQUAL(mw_options_parse(options, &arguments.count, arguments.words), MW_OK);

    CHECK_WORDS(&arguments, "first", "-v", "second", "", "--mw", "-mw-quiet", "--name=--mw-x");
    CU_ASSERT_STRING_EQUAL(arguments.words[0], "prog");
    CU_ASSERT_EQUAL(mwi_options_integer(options, MWI_OPTION_MASTER_PORT), 7000);
    CU_ASSERT_TRUE(mwi_options_flag(options, MWI_OPTION_QUIET));
    CU_ASSERT_EQUAL(mwi_options_integer(options, MWI_OPTION_LOCAL), 3);
    check_text(options, "member-id", "a=b");
    mw_options_destroy(options);
}

/* A program's own name is never an option, and an argv of nothing is legal. */
static void test_parse_little(void)
{
    mw_options *options = make_options();
    struct arguments alone = ARGUMENTS("x");
    struct arguments nothing = {.count = 0};

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
        const struct mwi_option_row *row = &mwi_option_table[i];
        const char *value = row->words                        ? row->words[1]
                            : row->kind == MWI_OPTION_IS_SIZE ? "8K"
                                                              : "3";
        char word[64], joined[64];
        mw_options *options = make_options();

        if (row->kind == MWI_OPTION_IS_FLAG)
            value = "1";
        snprintf(word, sizeof word, "--mw-%s", row->name);
        snprintf(joined, sizeof joined, "--mw-%s=%s", row->name, value);
        CU_ASSERT_EQUAL(row->kind == MWI_OPTION_IS_FLAG ? parse(options, ARGUMENTS(word))
                                                        : parse(options, ARGUMENTS(word, value)),
                        MW_OK);
        check_text(options, row->name, value);
        mwi_options_unset(options, (enum mwi_option)i);
        CU_ASSERT_EQUAL(parse(options, ARGUMENTS(joined)), MW_OK);
        check_text(options, row->name, value);
        mw_options_destroy(options);
    }
}

/* A flag does not touch the next word; "=" turns it on or off. */
static void test_flags(void)
{
    static const struct {
        const char *word;
        bool on;
    } forms[] = {
        {"--mw-quiet", true},        {"--mw-quiet=0", false},   {"--mw-quiet=1", true},
        {"--mw-quiet=false", false}, {"--mw-quiet=true", true},
    };
    mw_options *options = make_options();

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct arguments arguments = ARGUMENTS(forms[i].word, "0");

        CU_ASSERT_EQUAL(mw_options_parse(options, &arguments.count, arguments.words), MW_OK);
        CHECK_WORDS(&arguments, "0");
        CU_ASSERT_EQUAL(mwi_options_flag(options, MWI_OPTION_QUIET), forms[i].on);
        check_text(options, "quiet", forms[i].on ? "1" : "0");
        CU_ASSERT_TRUE(mwi_options_is_set(options, MWI_OPTION_QUIET));
    }

    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-quiet=")), MW_EUSAGE);
    mw_options_destroy(options);
}

/* "--" stays, and what follows it is not looked at. */
static void test_two_dashes_end_the_options(void)
{
    mw_options *options = make_options();
    struct arguments arguments =
        ARGUMENTS("--mw-quiet", "a", "--", "--mw-master", "--mw-nonsense", "--", "b");

    CU_ASSERT_EQUAL(mw_options_parse(options, &arguments.count, arguments.words), MW_OK);

    CHECK_WORDS(&arguments, "a", "--", "--mw-master", "--mw-nonsense", "--", "b");
    CU_ASSERT_FALSE(mwi_options_flag(options, MWI_OPTION_MASTER));
    mw_options_destroy(options);
}

/* A value that is missing: at the end, before another option, before "--". */
static void test_missing_value(void)
{
    mw_options *options = make_options();

    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-member-id")), MW_EUSAGE);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                           "--mw-member-id: the value is missing; write --mw-member-id S, or "
                           "--mw-member-id=S if the value begins with a '-'");
    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-master-port", "--mw-quiet")), MW_EUSAGE);
    check_contains(mw_options_error(options), "--mw-master-port: the value is missing");
    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-audit-file", "--", "x")), MW_EUSAGE);
    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-audit-file", "-x")), MW_EUSAGE);
    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-audit-file", "-")), MW_EUSAGE);
    check_contains(mw_options_error(options), "the value is missing");

    CU_ASSERT_PTR_NULL(mw_options_get(options, "audit-file"));
    mw_options_destroy(options);
}

/* A value may begin with '-' if it is a number, or behind "=". */
static void test_values_with_a_dash(void)
{
    mw_options *options = make_options();

    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-member-id", "-7.5")), MW_OK);
    check_text(options, "member-id", "-7.5");
    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-member-id=--mw-quiet")), MW_OK);
    check_text(options, "member-id", "--mw-quiet");
    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-master-port", "-5")), MW_EUSAGE);
    check_contains(mw_options_error(options), "--mw-master-port -5: must be");
    mw_options_destroy(options);
}

/* An option that does not exist is named, with the nearest that does, if one is near. */
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
    mw_options *options = make_options();

    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        CU_ASSERT_EQUAL(parse(options, ARGUMENTS(unknown[i].word, "7")), MW_EUSAGE);
        CU_ASSERT_STRING_EQUAL(mw_options_error(options), unknown[i].sentence);
    }

    CU_ASSERT_EQUAL(mw_options_set(options, "master-prot", "7"), MW_EUSAGE);
    check_contains(mw_options_error(options), "did you mean --mw-master-port?");
    CU_ASSERT_PTR_NULL(mw_options_get(options, "master-prot"));
    mw_options_destroy(options);
}

/* After an error argv is as it was, whatever came before the wrong word. */
static void test_argv_is_untouched_on_an_error(void)
{
    mw_options *options = make_options();
    struct arguments arguments = ARGUMENTS("a", "--mw-quiet", "b", "--mw-master-port", "x", "c");
    struct arguments before = arguments;

    CU_ASSERT_EQUAL(mw_options_parse(options, &arguments.count, arguments.words), MW_EUSAGE);

    CU_ASSERT_EQUAL(arguments.count, before.count);
    for (int i = 0; i < before.count; i++)
        CU_ASSERT_PTR_EQUAL(arguments.words[i], before.words[i]);
    mw_options_destroy(options);
}

/* Of several settings of one option the last counts, whether of argv or of a call. */
static void test_last_setting_counts(void)
{
    mw_options *options = make_options();

    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-local", "2", "--mw-local=3")), MW_OK);
    CU_ASSERT_EQUAL(mwi_options_integer(options, MWI_OPTION_LOCAL), 3);
    CU_ASSERT_EQUAL(mw_options_set(options, "local", "4"), MW_OK);
    CU_ASSERT_EQUAL(mwi_options_integer(options, MWI_OPTION_LOCAL), 4);
    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-local=5")), MW_OK);
    CU_ASSERT_EQUAL(mwi_options_integer(options, MWI_OPTION_LOCAL), 5);
    mw_options_destroy(options);
}

/* Each option but help and version has its variable; the two have none. */
static void test_environment_of_every_option(void)
{
    mw_options *options = make_options();

    clear_environment();
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_option_table[i];
        char variable[64];

        variable_of((enum mwi_option)i, variable, sizeof variable);
        setenv(variable,
               row->words                        ? row->words[1]
               : row->kind == MWI_OPTION_IS_SIZE ? "8K"
                                                 : "1",
               1);
    }

    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);

    for (int i = 0; i < MWI_OPTIONS_COUNT; i++)
        CU_ASSERT_EQUAL(mwi_options_source(options, (enum mwi_option)i),
                        i == MWI_OPTION_HELP || i == MWI_OPTION_VERSION_STRING
                            ? MWI_SOURCE_DEFAULT
                            : MWI_SOURCE_ENVIRONMENT);
    CU_ASSERT_EQUAL(mwi_options_integer(options, MWI_OPTION_MASTER_PORT), 1);
    CU_ASSERT_FALSE(mwi_options_flag(options, MWI_OPTION_HELP));
    clear_environment();
    mw_options_destroy(options);
}

/* The name of a variable, and the error that names it. An empty variable is none. */
static void test_environment_names_and_errors(void)
{
    mw_options *options = make_options();

    clear_environment();
    setenv("MW_RESOURCE_FILE_UPDATE_INTERVAL", "2.5", 1);
    setenv("MW_MEMBER_ID", "", 1);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
    CU_ASSERT_EQUAL(mwi_options_duration_ns(options, MWI_OPTION_RESOURCE_FILE_UPDATE_INTERVAL),
                    5 * SECOND / 2);
    check_text(options, "member-id", "default-member-id");

    setenv("MW_MASTER_PORT", "http", 1);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_EUSAGE);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                           "environment variable MW_MASTER_PORT=http: must be a whole number from "
                           "0 to 65535");
    clear_environment();
    mw_options_destroy(options);
}

/* The command line and calls win over the environment, in whatever order they come, and the
 * environment over the default. */
static void test_who_wins(void)
{
    mw_options *options = make_options();

    clear_environment();
    setenv("MW_MEMBER_ID", "environment", 1);
    setenv("MW_LOCAL", "2", 1);
    setenv("MW_MASTER_PORT", "2", 1);
    CU_ASSERT_EQUAL(mw_options_set(options, "local", "3"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-master-port=3")), MW_OK);

    check_text(options, "member-id", "environment");
    check_text(options, "local", "3");
    check_text(options, "master-port", "3");
    CU_ASSERT_EQUAL(mwi_options_source(options, MWI_OPTION_LOCAL), MWI_SOURCE_SET);
    CU_ASSERT_EQUAL(mwi_options_source(options, MWI_OPTION_MASTER_PORT), MWI_SOURCE_SET);
    clear_environment();
    mw_options_destroy(options);
}

/* A resource file counts as if it stood where --mw-resource-file stands: it overrides what came
 * earlier and what the environment said, and gives way to what came later. */
static void test_order_of_the_resource_file(void)
{
    mw_options *options = make_options();

    clear_environment();
    setenv("MW_MEMBER_ID", "environment", 1);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-master-host", "early", "--mw-resource-file",
                                             "m.rsc", "--mw-master-port", "7")),
                    MW_OK);
    for (int pass = 0; pass < 2; pass++) {
        const char *host = pass == 0 ? "file" : "file-anew";

        CU_ASSERT_EQUAL(mwi_options_set_from_resource_file(options, MWI_OPTION_MASTER_HOST, host),
                        MW_OK);
        CU_ASSERT_EQUAL(mwi_options_set_from_resource_file(options, MWI_OPTION_MASTER_PORT, "8"),
                        MW_OK);
        CU_ASSERT_EQUAL(mwi_options_set_from_resource_file(options, MWI_OPTION_MEMBER_ID, "file"),
                        MW_OK);

        check_text(options, "master-host", host);
        check_text(options, "master-port", "7");
        check_text(options, "member-id", "file");
        CU_ASSERT_EQUAL(mwi_options_source(options, MWI_OPTION_MASTER_HOST),
                        MWI_SOURCE_RESOURCE_FILE);
    }

    CU_ASSERT_EQUAL(mw_options_set(options, "master-host", "late"), MW_OK);
    CU_ASSERT_EQUAL(mwi_options_set_from_resource_file(options, MWI_OPTION_MASTER_HOST, "file"),
                    MW_OK);
    check_text(options, "master-host", "late");
    clear_environment();
    mw_options_destroy(options);
}

/* The last --mw-resource-file is the one whose place counts. */
static void test_order_with_two_resource_files(void)
{
    mw_options *options = make_options();

    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-resource-file=a", "--mw-master-port=7",
                                             "--mw-resource-file=b")),
                    MW_OK);
    CU_ASSERT_EQUAL(mwi_options_set_from_resource_file(options, MWI_OPTION_MASTER_PORT, "8"),
                    MW_OK);

    check_text(options, "master-port", "8");
    mw_options_destroy(options);
}

/* If the file itself is from the environment, only what nobody set comes from it. */
static void test_order_of_a_resource_file_of_the_environment(void)
{
    mw_options *options = make_options();

    clear_environment();
    setenv("MW_RESOURCE_FILE", "m.rsc", 1);
    setenv("MW_MASTER_PORT", "6", 1);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
    CU_ASSERT_EQUAL(parse(options, ARGUMENTS("--mw-member-id", "argv")), MW_OK);
    for (int pass = 0; pass < 2; pass++) {
        CU_ASSERT_EQUAL(mwi_options_set_from_resource_file(options, MWI_OPTION_MASTER_PORT, "8"),
                        MW_OK);
        CU_ASSERT_EQUAL(mwi_options_set_from_resource_file(options, MWI_OPTION_MEMBER_ID, "file"),
                        MW_OK);
        CU_ASSERT_EQUAL(mwi_options_set_from_resource_file(options, MWI_OPTION_MASTER_HOST, "file"),
                        MW_OK);

        check_text(options, "master-port", "6");
        check_text(options, "member-id", "argv");
        check_text(options, "master-host", "file");
    }
    clear_environment();
    mw_options_destroy(options);
}

/* What a resource file says is checked like anything else. */
static void test_resource_file_with_a_bad_value(void)
{
    mw_options *options = make_options();

    CU_ASSERT_EQUAL(mw_options_set(options, "resource-file", "m.rsc"), MW_OK);
    CU_ASSERT_EQUAL(mwi_options_set_from_resource_file(options, MWI_OPTION_MASTER_PORT, "99999"),
                    MW_EUSAGE);

    CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                           "resource file: master-port 99999: must be a whole number from 0 to "
                           "65535");
    CU_ASSERT_FALSE(mwi_options_is_set(options, MWI_OPTION_MASTER_PORT));
    mw_options_destroy(options);
}

/* With nothing set a started slave gets nothing. */
static void test_inherited_nothing(void)
{
    mw_options *options = make_options();
    size_t count = 7;
    char **vector = mwi_options_inherited(options, &count);

    CU_ASSERT_PTR_NOT_NULL_FATAL(vector);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_PTR_NULL(vector[0]);
    free(vector);
    mw_options_destroy(options);
}

/* Handed on are exactly the options that slaves share with their master, a default that was set on
 * purpose included, because it may stand against a variable of the environment. */
static void test_inherited_vector(void)
{
    static const char *const expected[] = {
        "--mw-member-id=--x y",
        "--mw-connect-timeout=5",
        "--mw-slave-task-group=2",
        "--mw-slave-result-group=3",
        "--mw-max-write-buffer-size=1M",
        "--mw-max-read-buffer-size=64M",
        "--mw-audit-file=%n.log",
        "--mw-audit-format=json",
        "--mw-quiet=1",
    };
    mw_options *options = make_options();
    size_t count = 0;
    char **vector;

    CU_ASSERT_EQUAL(
        parse(options,
              ARGUMENTS("--mw-master", "--mw-local=2", "--mw-transport=local", "--mw-master-host=h",
                        "--mw-master-port=1", "--mw-channel=3", "--mw-client-timeout=4",
                        "--mw-shutdown-timeout=4", "--mw-resource-file=r",
                        "--mw-resource-file-update-interval=4", "--mw-slave-executable=e")),
        MW_OK);
    CU_ASSERT_EQUAL(
        parse(options, ARGUMENTS("--mw-member-id=--x y", "--mw-connect-timeout=5",
                                 "--mw-slave-task-group=2", "--mw-slave-result-group=3",
                                 "--mw-max-write-buffer-size=1M", "--mw-max-read-buffer-size=64M",
                                 "--mw-audit-file=%n.log", "--mw-audit-format=json", "--mw-quiet")),
        MW_OK);
    vector = mwi_options_inherited(options, &count);

    CU_ASSERT_PTR_NOT_NULL_FATAL(vector);
    CU_ASSERT_EQUAL_FATAL(count, COUNT_OF(expected));
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_STRING_EQUAL(vector[i], expected[i]);
    CU_ASSERT_PTR_NULL(vector[count]);
    free(vector);
    mw_options_destroy(options);
}

/* A slave that parses the vector has the values of its master, those of the environment too. */
static void test_inherited_vector_reads_back(void)
{
    mw_options *master = make_options();
    mw_options *slave = make_options();
    size_t count = 0;
    char **vector;

    clear_environment();
    setenv("MW_MEMBER_ID", "-dash", 1);
    setenv("MW_QUIET", "1", 1);
    CU_ASSERT_EQUAL(mw_options_environment(master), MW_OK);
    CU_ASSERT_EQUAL(parse(master, ARGUMENTS("--mw-quiet=0")), MW_OK);
    vector = mwi_options_inherited(master, &count);
    CU_ASSERT_PTR_NOT_NULL_FATAL(vector);
    CU_ASSERT_EQUAL(mw_options_environment(slave), MW_OK);
    CU_ASSERT_EQUAL(parse(slave, arguments_of((const char *const *)vector)), MW_OK);

    check_text(slave, "member-id", "-dash");
    CU_ASSERT_FALSE(mwi_options_flag(slave, MWI_OPTION_QUIET));
    free(vector);
    clear_environment();
    mw_options_destroy(master);
    mw_options_destroy(slave);
}

/* Command lines that contradict themselves, and what is said of them; NULL: all is well. */
static void test_contradictions(void)
{
    static const struct {
        const char *words[6];
        const char *sentence;
    } lines[] = {
        {{NULL}, NULL},
        {{"--mw-master"}, NULL},
        {{"--mw-local=3"}, NULL},
        {{"--mw-local=3", "--mw-transport=local"}, NULL},
        {{"--mw-local=3", "--mw-transport=auto"}, NULL},
        {{"--mw-transport=mpi"}, NULL},
        {{"--mw-transport=tcp", "--mw-master"}, NULL},
        {{"--mw-slave", "--mw-master=0", "--mw-resource-file=r"}, NULL},
        {{"--mw-slave", "--mw-channel=0"}, NULL},
        {{"--mw-slave", "--mw-transport=tcp", "--mw-resource-file=r"}, NULL},
        {{"--mw-slave", "--mw-master-port=7", "--mw-resource-file=r"}, NULL},
        {{"--mw-slave", "--mw-master-host=h", "--mw-master-port=7"}, NULL},
        {{"--mw-slave", "--mw-master"},
         "--mw-slave contradicts --mw-master: a process is either a master or a slave"},
        {{"--mw-slave", "--mw-local=3"},
         "--mw-slave contradicts --mw-local 3: a slave starts no slaves of its own"},
        {{"--mw-master", "--mw-local=3"},
         "--mw-master contradicts --mw-local 3: a local farm has its own slaves, a master waits "
         "for others"},
        {{"--mw-local=3", "--mw-transport=tcp"},
         "--mw-local 3 contradicts --mw-transport tcp: a local farm has the transport local"},
        {{"--mw-local=3", "--mw-transport=mpi"},
         "--mw-local 3 contradicts --mw-transport mpi: a local farm has the transport local"},
        {{"--mw-master", "--mw-transport=mpi"},
         "--mw-master contradicts --mw-transport mpi: under mpi, rank 0 is the master and all "
         "other ranks are slaves"},
        {{"--mw-slave", "--mw-transport=mpi"},
         "--mw-slave contradicts --mw-transport mpi: under mpi, rank 0 is the master and all other "
         "ranks are slaves"},
        {{"--mw-master", "--mw-transport=local"},
         "--mw-master contradicts --mw-transport local: a local farm is master and slaves; a "
         "single master or slave needs tcp"},
        {{"--mw-slave", "--mw-transport=local"},
         "--mw-slave contradicts --mw-transport local: a local farm is master and slaves; a single "
         "master or slave needs tcp"},
        {{"--mw-channel=3"}, "--mw-channel is for a slave: it needs --mw-slave"},
        {{"--mw-slave"},
         "--mw-slave does not know its master: give --mw-resource-file, or --mw-master-host and "
         "--mw-master-port"},
        {{"--mw-slave", "--mw-master-host=h"},
         "--mw-slave with --mw-master-host needs --mw-master-port too, or --mw-resource-file"},
        {{"--mw-slave", "--mw-master-port=7"},
         "--mw-slave with --mw-master-port needs --mw-master-host too, or --mw-resource-file"},
        {{"--mw-slave", "--mw-master-host=h", "--mw-master-port=0"},
         "--mw-master-port 0: a slave needs the port on which its master listens"},
    };

    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        mw_options *options = make_options();

        CU_ASSERT_EQUAL(parse(options, arguments_of(lines[i].words)), MW_OK);
        CU_ASSERT_EQUAL(mwi_options_check(options), lines[i].sentence ? MW_EUSAGE : MW_OK);
        CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                               lines[i].sentence ? lines[i].sentence : "");
        mw_options_destroy(options);
    }
}

/* In role and transport the command line wins over a variable that contradicts it, which is then
 * as if it had not been set. */
static void test_contradiction_with_the_environment(void)
{
    static const struct {
        const char *variable, *value, *words[3];
        enum mwi_option unset;
    } cases[] = {
        {"MW_LOCAL", "4", {"--mw-master"}, MWI_OPTION_LOCAL},
        {"MW_LOCAL", "4", {"--mw-slave", "--mw-channel=3"}, MWI_OPTION_LOCAL},
        {"MW_LOCAL", "4", {"--mw-transport=mpi"}, MWI_OPTION_LOCAL},
        {"MW_MASTER", "1", {"--mw-slave", "--mw-resource-file=r"}, MWI_OPTION_MASTER},
        {"MW_SLAVE", "1", {"--mw-local=3"}, MWI_OPTION_SLAVE},
        {"MW_SLAVE", "1", {"--mw-transport=mpi"}, MWI_OPTION_SLAVE},
        {"MW_TRANSPORT", "mpi", {"--mw-local=3"}, MWI_OPTION_TRANSPORT},
        {"MW_TRANSPORT", "local", {"--mw-slave", "--mw-channel=3"}, MWI_OPTION_TRANSPORT},
    };

    clear_environment();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        mw_options *options = make_options();

        setenv(cases[i].variable, cases[i].value, 1);
        CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
        CU_ASSERT_EQUAL(parse(options, arguments_of(cases[i].words)), MW_OK);
        CU_ASSERT_EQUAL(mwi_options_check(options), MW_OK);
        CU_ASSERT_FALSE(mwi_options_is_set(options, cases[i].unset));
        unsetenv(cases[i].variable);
        mw_options_destroy(options);
    }
}

/* Two variables that contradict each other are an error that names them as variables. */
static void test_contradiction_within_the_environment(void)
{
    mw_options *options = make_options();

    clear_environment();
    setenv("MW_LOCAL", "4", 1);
    setenv("MW_TRANSPORT", "tcp", 1);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
    CU_ASSERT_EQUAL(mwi_options_check(options), MW_EUSAGE);

    CU_ASSERT_STRING_EQUAL(mw_options_error(options), "MW_LOCAL=4 contradicts MW_TRANSPORT=tcp: a "
                                                      "local farm has the transport local");
    clear_environment();
    mw_options_destroy(options);
}

/* A sentence may be made from the one before it, and is cut rather than overrun. */
static void test_fail_keeps_a_sentence(void)
{
    mw_options *options = make_options();

    CU_ASSERT_EQUAL(mwi_options_fail(options, MW_EIO, "%s: %d", "file", 7), MW_EIO);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options), "file: 7");
    CU_ASSERT_EQUAL(mwi_options_fail(options, MW_EUSAGE, "again: %s", mw_options_error(options)),
                    MW_EUSAGE);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options), "again: file: 7");
    mwi_options_fail(options, MW_EIO, "%2000d", 7);
    CU_ASSERT_TRUE(strlen(mw_options_error(options)) < 1000);
    mw_options_destroy(options);
}

static mw_error open_nothing(void **transport, const mw_transport_config *config, mw_reason *why)
{
    (void)transport;
    (void)config;
    (void)why;
    return MW_EUNAVAILABLE;
}

static mw_error listen_nothing(void *transport, const char *address, char *bound, size_t size,
                               mw_reason *why)
{
    (void)transport;
    (void)address;
    (void)bound;
    (void)size;
    (void)why;
    return MW_EUNAVAILABLE;
}

static mw_error connect_nothing(void *transport, const char *address, mw_peer *peer, mw_reason *why)
{
    (void)transport;
    (void)address;
    (void)peer;
    (void)why;
    return MW_EUNAVAILABLE;
}

static mw_error send_nothing(void *transport, mw_peer peer, void *frame, size_t size)
{
    (void)transport;
    (void)peer;
    (void)frame;
    (void)size;
    return MW_EPEER;
}

static size_t backlog_nothing(void *transport, mw_peer peer)
{
    (void)transport;
    (void)peer;
    return 0;
}

static void drop_nothing(void *transport, mw_peer peer)
{
    (void)transport;
    (void)peer;
}

static mw_error poll_nothing(void *transport, int64_t deadline, mw_reason *why)
{
    (void)transport;
    (void)deadline;
    (void)why;
    return MW_ENETWORK;
}

static int64_t now_nothing(void *transport)
{
    (void)transport;
    return 0;
}

static void close_nothing(void *transport)
{
    (void)transport;
}

static mw_transport_api whole_api(void)
{
    return (mw_transport_api){
        .version = MW_TRANSPORT_VERSION,
        .scheme = "nothing",
        .open = open_nothing,
        .listen = listen_nothing,
        .connect = connect_nothing,
        .send = send_nothing,
        .backlog = backlog_nothing,
        .drop = drop_nothing,
        .poll = poll_nothing,
        .now = now_nothing,
        .close = close_nothing,
    };
}

/* Transports are kept in order with a copy of their address, up to the most that there may be; a
 * slave that has one needs no other way to its master. */
static void test_use_transport(void)
{
    mw_options *options = make_options();
    mw_transport_api api = whole_api();
    const struct mwi_option_transport *transports;
    char address[] = "a:1";
    size_t count = 7;
    int environment = 0;

    transports = mwi_options_transports(options, &count);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &api, &environment, address), MW_OK);
    address[0] = 'b';
    for (int i = 1; i < MWI_TRANSPORTS_MAX; i++)
        CU_ASSERT_EQUAL(mw_options_use_transport(options, &api, NULL, address), MW_OK);
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &api, NULL, address), MW_EINVAL);
    check_contains(mw_options_error(options), "more than 8 transports");
    transports = mwi_options_transports(options, &count);

    CU_ASSERT_EQUAL(count, MWI_TRANSPORTS_MAX);
    CU_ASSERT_PTR_EQUAL(transports[0].api, &api);
    CU_ASSERT_PTR_EQUAL(transports[0].environment, &environment);
    CU_ASSERT_STRING_EQUAL(transports[0].address, "a:1");
    CU_ASSERT_STRING_EQUAL(transports[1].address, "b:1");
    CU_ASSERT_EQUAL(mw_options_set(options, "slave", "1"), MW_OK);
    CU_ASSERT_EQUAL(mwi_options_check(options), MW_OK);
    mw_options_destroy(options);
}

/* An api of another version, or with any member missing, is refused and not kept. */
static void test_use_transport_refuses(void)
{
    mw_options *options = make_options();
    mw_transport_api lacking[10];
    mw_transport_api other = whole_api();
    size_t count = 7;

    for (size_t i = 0; i < COUNT_OF(lacking); i++)
        lacking[i] = whole_api();
    lacking[0].scheme = NULL;
    lacking[1].open = NULL;
    lacking[2].listen = NULL;
    lacking[3].connect = NULL;
    lacking[4].send = NULL;
    lacking[5].backlog = NULL;
    lacking[6].drop = NULL;
    lacking[7].poll = NULL;
    lacking[8].now = NULL;
    lacking[9].close = NULL;
    for (size_t i = 0; i < COUNT_OF(lacking); i++) {
        CU_ASSERT_EQUAL(mw_options_use_transport(options, &lacking[i], NULL, ""), MW_EINVAL);
        check_contains(mw_options_error(options), "lacks a function");
    }
    other.version++;
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &other, NULL, ""), MW_EINVAL);
    check_contains(mw_options_error(options), "version 2");
    CU_ASSERT_EQUAL(mw_options_use_transport(options, NULL, NULL, ""), MW_EINVAL);
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &lacking[0], NULL, NULL), MW_EINVAL);

    mwi_options_transports(options, &count);
    CU_ASSERT_EQUAL(count, 0);
    mw_options_destroy(options);
}

/* What a function prints, to be freed by the caller. */
static char *print(bool is_roff)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    if (is_roff)
        mwi_options_roff(stream);
    else
        mwi_options_help(stream, "./prog");
    fclose(stream);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    return text;
}

/* The help has every option with its default under its section, the rule of the environment, and no
 * line of more than 80 columns or with a blank at its end. */
static void test_help(void)
{
    static const char *const parts[] = {"Usage: ./prog ",
                                        "\nGeneral:\n",
                                        "\nRole and transport:\n",
                                        "\nNetwork:\n",
                                        "\nSlaves:\n",
                                        "\nAudit:\n",
                                        "\nResource file:\n",
                                        "\nEnvironment:\n",
                                        "MW_MASTER_PORT=7000",
                                        "\nExamples:\n",
                                        "  ./prog --mw-slave --mw-resource-file farm.rsc\n",
                                        "  mpirun -n 4 ./prog\n"};
    char *text = print(false);

    for (size_t i = 0; i < COUNT_OF(parts); i++)
        check_contains(text, parts[i]);
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_option_table[i];
        char line[96];

        snprintf(line, sizeof line, "\n  --mw-%s%s%s\n", row->name, row->metavariable ? " " : "",
                 row->metavariable ? row->metavariable : "");
        check_contains(text, line);
    }
    check_contains(text, "Default: default-member-id.\n");
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        size_t length = strcspn(line, "\n");

        CU_ASSERT_TRUE(length <= 80);
        CU_ASSERT_TRUE(length == 0 || line[length - 1] != ' ');
    }
    free(text);
}

/* The roff has every option, its requests are the two that it should have, and each hyphen and
 * backslash is escaped. */
static void test_roff(void)
{
    char *text = print(true);

    check_contains(text, ".SS Resource file\n");
    check_contains(text, ".TP\n\\fB\\-\\-mw\\-master\\-port\\fR \\fIP\\fR\n");
    check_contains(text, ".TP\n\\fB\\-\\-mw\\-quiet\\fR\n");
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        if (*line == '.' || *line == '\'')
            CU_ASSERT_TRUE(strncmp(line, ".SS ", 4) == 0 || strncmp(line, ".TP\n", 4) == 0);
    for (const char *at = text; *at; at++) {
        if (*at == '-')
            CU_ASSERT_TRUE(at > text && at[-1] == '\\');
        if (*at == '\\')
            CU_ASSERT_TRUE(at[1] != '\0' && strchr("f-&e", at[1]) != NULL);
    }
    free(text);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"defaults", test_defaults},
        {"table is whole", test_table_is_whole},
        {"values allowed", test_values_allowed},
        {"values refused", test_values_refused},
        {"lengths of values", test_lengths_of_values},
        {"hostile values in sentences", test_hostile_values_in_sentences},
        {"parse takes options out", test_parse_takes_options_out},
        {"parse little", test_parse_little},
        {"both forms of every option", test_both_forms_of_every_option},
        {"flags", test_flags},
        {"two dashes end the options", test_two_dashes_end_the_options},
        {"missing value", test_missing_value},
        {"values with a dash", test_values_with_a_dash},
        {"unknown options", test_unknown_options},
        {"argv is untouched on an error", test_argv_is_untouched_on_an_error},
        {"last setting counts", test_last_setting_counts},
        {"environment of every option", test_environment_of_every_option},
        {"environment names and errors", test_environment_names_and_errors},
        {"who wins", test_who_wins},
        {"order of the resource file", test_order_of_the_resource_file},
        {"order with two resource files", test_order_with_two_resource_files},
        {"order of a resource file of the environment",
         test_order_of_a_resource_file_of_the_environment},
        {"resource file with a bad value", test_resource_file_with_a_bad_value},
        {"inherited nothing", test_inherited_nothing},
        {"inherited vector", test_inherited_vector},
        {"inherited vector reads back", test_inherited_vector_reads_back},
        {"contradictions", test_contradictions},
        {"contradiction with the environment", test_contradiction_with_the_environment},
        {"contradiction within the environment", test_contradiction_within_the_environment},
        {"fail keeps a sentence", test_fail_keeps_a_sentence},
        {"use transport", test_use_transport},
        {"use transport refuses", test_use_transport_refuses},
        {"help", test_help},
        {"roff", test_roff},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"options", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    unsigned failures;

    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
