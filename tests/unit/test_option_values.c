/* SPDX-License-Identifier: Apache-2.0
 *
 * Every row of the table of options: its default, the values that it takes and refuses, and the
 * sentences of errors. A new option gets a row in each table here.
 */
#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "mwt_options.h"
#include "mwt_run.h"

/* The text and the value of each option before anybody sets it. */
static void test_defaults(void)
{
    static const struct {
        const char *name, *text;
        struct mwi_option_value value;
    } defaults[] = {
        {"help", "0", {.is_on = false}},
        {"version-string", "0", {.is_on = false}},
        {"master", "0", {.is_on = false}},
        {"slave", "0", {.is_on = false}},
        {"local", NULL, {.number = 0}},
        {"transport", "auto", {.word_index = 0}},
        {"master-host", NULL, {.is_all_interfaces = false}},
        {"master-port", "0", {.ports = {0, 0}}},
        {"advertise", NULL, {.is_all_interfaces = false}},
        {"channel", NULL, {.number = 0}},
        {"member-id", "default-member-id", {0}},
        {"key-file", NULL, {0}},
        {"insecure", "0", {.is_on = false}},
        {"connect-timeout", "30", {.duration_ns = 30 * MWT_SECOND}},
        {"reconnect", "0", {.duration_ns = 0}},
        {"client-timeout", "60", {.duration_ns = 60 * MWT_SECOND}},
        {"shutdown-timeout", "20", {.duration_ns = 20 * MWT_SECOND}},
        {"wait", "auto", {.word_index = MW_WAIT_AUTO}},
        {"slave-task-group", "auto", {.group_size = 0}},
        {"speculate", "0", {.is_on = false}},
        {"speculate-factor", "2", {.number = 2}},
        {"slave-result-group", "auto", {.group_size = 0}},
        {"max-write-buffer-size", "64M", {.size_bytes = 67108864}},
        {"max-read-buffer-size", "64M", {.size_bytes = 67108864}},
        {"audit-file", NULL, {0}},
        {"audit-format", "text", {.word_index = 0}},
        {"audit-level", "all", {.word_index = 0}},
        {"audit-tasks", "0", {.is_on = false}},
        {"audit-time", "s", {.word_index = 0}},
        {"quiet", "0", {.is_on = false}},
        {"slave-output", NULL, {0}},
        {"resource-file", NULL, {0}},
        {"resource-file-update-interval", "300", {.duration_ns = 300 * MWT_SECOND}},
        {"journal", NULL, {0}},
        {"journal-sync", "0.005", {.duration_ns = MWT_SECOND / 200}},
        {"journal-accept", "0", {.is_on = false}},
        {"journal-on-error", "stop", {.word_index = 0}},
        {"journal-keep-failed", "0", {.is_on = false}},
        {"slave-executable", NULL, {0}},
        {"slave-isolate", "0", {.is_on = false}},
        {"slave-memory", NULL, {.size_bytes = 0}},
    };
    mw_options *options = mwt_options_make();

    CU_ASSERT_EQUAL(MWT_COUNT_OF(defaults), MWI_OPTIONS_COUNT);
    for (size_t i = 0; i < MWT_COUNT_OF(defaults); i++) {
        enum mwi_option option = mwt_option_of(defaults[i].name);

        if (defaults[i].text != NULL)
            mwt_check_option(options, defaults[i].name, defaults[i].text);
        else
            CU_ASSERT_PTR_NULL(mw_options_get(options, defaults[i].name));
        mwt_check_value(options, option, &defaults[i].value);
        CU_ASSERT_FALSE(mwi_options_is_set(options, option));
        CU_ASSERT_EQUAL(mwi_options_source(options, option), MWI_SOURCE_DEFAULT);
    }

    CU_ASSERT_STRING_EQUAL(mw_options_error(options), "");
    mw_options_destroy(options);
    mw_options_destroy(NULL);
}

/* The table is complete: each row has its own name, help, a default that the row allows, and a word
 * for its value exactly if it has one. */
static void test_table_is_whole(void)
{
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_table_rows[i];
        char allowed[160];
        struct mwi_option_value value;

        CU_ASSERT_PTR_NOT_NULL_FATAL(row->name);
        CU_ASSERT_EQUAL(mwt_option_of(row->name), (enum mwi_option)i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row->help);
        CU_ASSERT_EQUAL(row->help[strlen(row->help) - 1], '.');
        CU_ASSERT_EQUAL(row->metavariable == NULL, row->kind == MWI_OPTION_IS_FLAG);
        CU_ASSERT_EQUAL(row->words != NULL, row->kind == MWI_OPTION_IS_WORD);
        if (row->default_value != NULL)
            CU_ASSERT_TRUE(mwi_kind_read(row, row->default_value, &value));
        mwi_kind_allowed(row, allowed, sizeof allowed);
        CU_ASSERT_TRUE(strlen(allowed) > 0 && strlen(allowed) < sizeof allowed - 1);
    }
}

/* Values at the limits and in all spellings, and the values that they stand for. */
static void test_values_allowed(void)
{
    static const struct {
        const char *name, *text;
        struct mwi_option_value value;
    } allowed[] = {
        {"local", "0", {.number = 0}},
        {"local", "4096", {.number = 4096}},
        {"wait", "auto", {.word_index = MW_WAIT_AUTO}},
        {"wait", "spin", {.word_index = MW_WAIT_SPIN}},
        {"wait", "yield", {.word_index = MW_WAIT_YIELD}},
        {"wait", "nap", {.word_index = MW_WAIT_NAP}},
        {"transport", "auto", {.word_index = 0}},
        {"transport", "local", {.word_index = 1}},
        {"transport", "tcp", {.word_index = 2}},
        {"transport", "mpi", {.word_index = 3}},
        {"transport", "mpi,tcp", {.word_index = 4}},
        {"master-host", "::1", {.is_all_interfaces = false}},
        {"master-host", "node-7.example.org", {.is_all_interfaces = false}},
        {"master-port", "0", {.ports = {0, 0}}},
        {"master-port", "65535", {.ports = {65535, 65535}}},
        {"master-port", "007", {.ports = {7, 7}}},
        {"master-port", "7000-7009", {.ports = {7000, 7009}}},
        {"master-port", "1-65535", {.ports = {1, 65535}}},
        {"master-port", "7000-7000", {.ports = {7000, 7000}}},
        {"master-host", "[::1]", {.is_all_interfaces = false}},
        {"master-host", "*", {.is_all_interfaces = true}},
        {"advertise", "cluster.example.org", {.is_all_interfaces = false}},
        {"advertise", "[fe80::1%eth0]", {.is_all_interfaces = false}},
        {"channel", "0", {.number = 0}},
        {"channel", "1048576", {.number = 1048576}},
        {"member-id", " a ~", {0}},
        {"key-file", "keys/\xc3\xa4 b", {0}},
        {"connect-timeout", "0", {.duration_ns = 0}},
        {"connect-timeout", "1000000", {.duration_ns = 1000000 * MWT_SECOND}},
        {"connect-timeout", "1000000.000", {.duration_ns = 1000000 * MWT_SECOND}},
        {"connect-timeout", "0.25", {.duration_ns = MWT_SECOND / 4}},
        {"connect-timeout", ".5", {.duration_ns = MWT_SECOND / 2}},
        {"connect-timeout", "1.0000000019", {.duration_ns = MWT_SECOND + 1}},
        {"client-timeout", "0.000000001", {.duration_ns = 1}},
        {"client-timeout", "1000000", {.duration_ns = 1000000 * MWT_SECOND}},
        {"shutdown-timeout", "0", {.duration_ns = 0}},
        {"slave-task-group", "1", {.group_size = 1}},
        {"slave-task-group", "auto", {.group_size = 0}},
        {"slave-task-group", "1000000", {.group_size = 1000000}},
        {"slave-result-group", "1", {.group_size = 1}},
        {"slave-result-group", "1000000", {.group_size = 1000000}},
        {"max-write-buffer-size", "4K", {.size_bytes = 4096}},
        {"max-write-buffer-size", "4096", {.size_bytes = 4096}},
        {"max-write-buffer-size", "262144G", {.size_bytes = INT64_C(1) << 48}},
        {"max-read-buffer-size", "1G", {.size_bytes = 1073741824}},
        {"max-read-buffer-size", "5m", {.size_bytes = 5242880}},
        {"max-read-buffer-size", "5k", {.size_bytes = 5120}},
        {"audit-file", "/tmp/%n \xc3\xa4", {0}},
        {"audit-format", "text", {.word_index = 0}},
        {"audit-format", "json", {.word_index = 1}},
        {"resource-file", "m.rsc", {0}},
        {"resource-file-update-interval", "1", {.duration_ns = MWT_SECOND}},
        {"resource-file-update-interval", "1000000", {.duration_ns = 1000000 * MWT_SECOND}},
        {"slave-executable", "./prog", {0}},
    };
    mw_options *options = mwt_options_make();

    for (size_t i = 0; i < MWT_COUNT_OF(allowed); i++) {
        CU_ASSERT_EQUAL(mw_options_set(options, allowed[i].name, allowed[i].text), MW_OK);
        mwt_check_option(options, allowed[i].name, allowed[i].text);
        mwt_check_value(options, mwt_option_of(allowed[i].name), &allowed[i].value);
    }

    CU_ASSERT_EQUAL(mwi_options_duration_ns(options, MWI_OPTION_CLIENT_TIMEOUT),
                    1000000 * MWT_SECOND);
    CU_ASSERT_STRING_EQUAL(mwi_options_text(options, MWI_OPTION_TRANSPORT), "mpi,tcp");
    mw_options_destroy(options);
}

/* A refused value leaves the option as it was, and the sentence names the option, the value and the
 * allowed values. */
static void test_values_refused(void)
{
    static const char *const refused[][3] = {
        {"help", "2", "must be 1, 0, true or false"},
        {"quiet", "yes", "must be 1, 0, true or false"},
        {"quiet", "True", "must be 1, 0, true or false"},
        {"local", "-1", "must be a whole number from 0 to 4096"},
        {"local", "4097", "must be a whole number from 0 to 4096"},
        {"wait", "sleep", "must be auto, spin, yield or nap"},
        {"transport", "sim", "must be auto, local, tcp, mpi or mpi,tcp"},
        {"transport", "tcp,mpi", "must be auto, local, tcp, mpi or mpi,tcp"},
        {"transport", "TCP", "must be auto, local, tcp, mpi or mpi,tcp"},
        {"master-host", "a\nb", "must be a name or an address, without a port"},
        {"master-host", "node1:7000", "must be a name or an address, without a port"},
        {"master-host", "[::1", "must be a name or an address, without a port"},
        {"advertise", "[::1]:7000", "an IPv6 address with or without brackets"},
        {"advertise", "a b", "must be a name or an address to which slaves can connect, without"},
        {"advertise", "*", "must be a name or an address to which slaves can connect, without"},
        {"advertise", "0.0.0.0", "must be a name or an address to which slaves can connect"},
        {"advertise", "::", "must be a name or an address to which slaves can connect"},
        {"advertise", "[::]", "must be a name or an address to which slaves can connect"},
        {"master-port", "7009-7000", "or a range LOW-HIGH from 1 up"},
        {"master-port", "0-7000", "or a range LOW-HIGH from 1 up"},
        {"master-port", "7000-65536", "or a range LOW-HIGH from 1 up"},
        {"master-port", "7000-", "or a range LOW-HIGH from 1 up"},
        {"master-port", "7000-x", "or a range LOW-HIGH from 1 up"},
        {"master-port", "7000 - 7009", "or a range LOW-HIGH from 1 up"},
        {"master-port", "7000-7001-7002", "or a range LOW-HIGH from 1 up"},
        {"master-port", "7000,7001", "or a range LOW-HIGH from 1 up"},
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
        {"slave-task-group", "0", "must be auto, or a whole number from 1 to 1000000"},
        {"slave-task-group", "1000001", "must be auto, or a whole number from 1 to 1000000"},
        {"slave-task-group", "AUTO", "must be auto, or a whole number from 1 to 1000000"},
        {"slave-result-group", "0", "must be auto, or a whole number from 1 to 1000000"},
        {"max-write-buffer-size", "4095", "must be a number of bytes from 4096 to 281474976710656"},
        {"max-write-buffer-size", "3K", "must be a number of bytes from 4096 to 281474976710656"},
        {"max-write-buffer-size", "262145G",
         "must be a number of bytes from 4096 to 281474976710656"},
        {"max-write-buffer-size", "M", "must be a number of bytes from 4096 to 281474976710656"},
        {"max-read-buffer-size", "64MB", "K, M or G at the end stands for a power of 1024"},
        {"max-read-buffer-size", "64T", "must be a number of bytes from 4096 to 281474976710656"},
        {"max-read-buffer-size", "-64M", "must be a number of bytes from 4096 to 281474976710656"},
        {"max-read-buffer-size", "9007199254740993G",
         "must be a number of bytes from 4096 to 281474976710656"},
        {"audit-format", "xml", "must be text or json"},
        {"resource-file-update-interval", "0.999", "must be a number of seconds from 1 to 1000000"},
    };
    mw_options *options = mwt_options_make();

    for (size_t i = 0; i < MWT_COUNT_OF(refused); i++) {
        enum mwi_option option = mwt_option_of(refused[i][0]);
        char start[96];

        CU_ASSERT_EQUAL(mw_options_set(options, refused[i][0], refused[i][1]), MW_EUSAGE);
        snprintf(start, sizeof start, "--mw-%s %c", refused[i][0],
                 refused[i][1][0] < 0 ? '?' : refused[i][1][0]);
        CU_ASSERT_EQUAL(strncmp(mw_options_error(options), start, strlen(start)), 0);
        mwt_check_contains(mw_options_error(options), refused[i][2]);
        CU_ASSERT_FALSE(mwi_options_is_set(options, option));
    }

    CU_ASSERT_EQUAL(mw_options_set(options, "master-port", "70000"), MW_EUSAGE);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                           "--mw-master-port 70000: must be a whole number from 0 to 65535, or a "
                           "range LOW-HIGH from 1 up");
    mw_options_destroy(options);
}

/* An option with a value never takes an empty one, and a text has at most the bytes of the
 * table. */
static void test_lengths_of_values(void)
{
    mw_options *options = mwt_options_make();
    char text[4097];

    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_table_rows[i];

        CU_ASSERT_EQUAL(mw_options_set(options, row->name, ""), MW_EUSAGE);
        mwt_check_contains(mw_options_error(options), " \"\": must be ");
        if (row->kind != MWI_OPTION_IS_TEXT && row->kind != MWI_OPTION_IS_HOST)
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

/* A range is kept whole, and a single port is a range of one. */
static void test_ports(void)
{
    static const struct {
        const char *value;
        unsigned low, high;
    } cases[] = {
        {"0", 0, 0}, {"7000", 7000, 7000}, {"7000-7009", 7000, 7009}, {"1-65535", 1, 65535}};
    mw_options *options = mwt_options_make();

    for (size_t i = 0; i < MWT_COUNT_OF(cases); i++) {
        CU_ASSERT_EQUAL(mw_options_set(options, "master-port", cases[i].value), MW_OK);
        struct mwi_ports ports = mwi_options_ports(options, MWI_OPTION_MASTER_PORT);
        CU_ASSERT_EQUAL(ports.low, cases[i].low);
        CU_ASSERT_EQUAL(ports.high, cases[i].high);
    }

    mw_options_destroy(options);
}

/* A sentence shows no byte that a terminal would obey, and only the beginning of a long value. */
static void test_hostile_values_in_sentences(void)
{
    mw_options *options = mwt_options_make();
    char text[2000];

    CU_ASSERT_EQUAL(mw_options_set(options, "master-port", "\033[2J\n\xff"), MW_EUSAGE);
    mwt_check_contains(mw_options_error(options), "--mw-master-port ?[2J??: must be");

    memset(text, 'n', sizeof text);
    text[sizeof text - 1] = '\0';
    CU_ASSERT_EQUAL(mw_options_set(options, "master-port", text), MW_EUSAGE);
    mwt_check_contains(mw_options_error(options), "nnn...: must be a whole number from 0 to 65535");
    CU_ASSERT_TRUE(strlen(mw_options_error(options)) < 160);

    memcpy(text, "--mw-\033", 6);
    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS(text)), MW_EUSAGE);
    mwt_check_contains(mw_options_error(options), "--mw-?nnn");
    CU_ASSERT_TRUE(strlen(mw_options_error(options)) < 160);
    mw_options_destroy(options);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"defaults", test_defaults},
        {"table is whole", test_table_is_whole},
        {"values allowed", test_values_allowed},
        {"values refused", test_values_refused},
        {"lengths of values", test_lengths_of_values},
        {"ports", test_ports},
        {"hostile values in sentences", test_hostile_values_in_sentences},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("option values", tests);
}
