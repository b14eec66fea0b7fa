/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of precedence between the command line, calls and the environment; names and error
 * messages of options; the options that slaves inherit; and transports of the user's own.
 */
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>
#include <mw/sim.h>

#include "mwt_options.h"
#include "mwt_run.h"

/* Each option except help and version has an environment variable. */
static void test_environment_of_every_option(void)
{
    mw_options *options = mwt_options_make();

    mwt_environment_clear();
    for (int i = 0; i < MWI_OPTIONS_COUNT; i++) {
        const struct mwi_option_row *row = &mwi_table_rows[i];
        char variable[64];

        mwt_variable_of((enum mwi_option)i, variable, sizeof variable);
        setenv(variable,
               row->words != NULL                ? row->words[1]
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
    CU_ASSERT_EQUAL(mwi_options_ports(options, MWI_OPTION_MASTER_PORT).low, 1);
    CU_ASSERT_FALSE(mwi_options_flag(options, MWI_OPTION_HELP));
    mwt_environment_clear();
    mw_options_destroy(options);
}

/* The name of a variable is made from the option's name, and an error message names the variable.
 * An empty variable counts as not set. */
static void test_environment_names_and_errors(void)
{
    mw_options *options = mwt_options_make();

    mwt_environment_clear();
    setenv("MW_RESOURCE_FILE_UPDATE_INTERVAL", "2.5", 1);
    setenv("MW_MEMBER_ID", "", 1);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
    CU_ASSERT_EQUAL(mwi_options_duration_ns(options, MWI_OPTION_RESOURCE_FILE_UPDATE_INTERVAL),
                    5 * MWT_SECOND / 2);
    mwt_check_option(options, "member-id", "default-member-id");

    setenv("MW_MASTER_PORT", "http", 1);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_EUSAGE);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                           "environment variable MW_MASTER_PORT=http: must be a whole number from "
                           "0 to 65535, or a range LOW-HIGH from 1 up");
    mwt_environment_clear();
    mw_options_destroy(options);
}

/* The command line and calls win over the environment, in any order, and the environment over the
 * default. */
static void test_who_wins(void)
{
    mw_options *options = mwt_options_make();

    mwt_environment_clear();
    setenv("MW_MEMBER_ID", "environment", 1);
    setenv("MW_LOCAL", "2", 1);
    setenv("MW_MASTER_PORT", "2", 1);
    CU_ASSERT_EQUAL(mw_options_set(options, "local", "3"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-master-port=3")), MW_OK);

    mwt_check_option(options, "member-id", "environment");
    mwt_check_option(options, "local", "3");
    mwt_check_option(options, "master-port", "3");
    CU_ASSERT_EQUAL(mwi_options_source(options, MWI_OPTION_LOCAL), MWI_SOURCE_SET);
    CU_ASSERT_EQUAL(mwi_options_source(options, MWI_OPTION_MASTER_PORT), MWI_SOURCE_SET);
    mwt_environment_clear();
    mw_options_destroy(options);
}

/* A name may be written as on a command line. A similar name is unknown. */
static void test_names_with_prefix(void)
{
    mw_options *options = mwt_options_make();

    CU_ASSERT_EQUAL(mw_options_set(options, "--mw-master-port", "7"), MW_OK);
    CU_ASSERT_STRING_EQUAL(mw_options_get(options, "master-port"), "7");
    CU_ASSERT_STRING_EQUAL(mw_options_get(options, "--mw-master-port"), "7");

    CU_ASSERT_EQUAL(mw_options_set(options, "--mw-master-prot", "7"), MW_EUSAGE);
    CU_ASSERT_STRING_EQUAL(
        mw_options_error(options),
        "--mw-master-prot: there is no such option; did you mean --mw-master-port?");
    CU_ASSERT_EQUAL(mw_options_set(options, "--mw---mw-quiet", "1"), MW_EUSAGE);
    CU_ASSERT_EQUAL(mw_options_set(options, "--master-port", "7"), MW_EUSAGE);
    mw_options_destroy(options);
}

/* An option cannot be set to NULL, and NULL is no option's name. */
static void test_null(void)
{
    mw_options *options = mwt_options_make();

    CU_ASSERT_EQUAL(mw_options_set(options, "quiet", NULL), MW_EINVAL);
    mwt_check_contains(mw_options_error(options), "quiet is NULL");
    CU_ASSERT_EQUAL(mw_options_set(options, NULL, "1"), MW_EINVAL);
    mwt_check_contains(mw_options_error(options), "the name is NULL");

    mwt_check_option(options, "quiet", "0");
    mw_options_destroy(options);
}

/* If no option is set, a slave that its master starts gets no options. */
static void test_inherited_nothing(void)
{
    mw_options *options = mwt_options_make();
    size_t count = 7;
    char **vector = mwi_options_inherited(options, &count);

    CU_ASSERT_PTR_NOT_NULL_FATAL(vector);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_PTR_NULL(vector[0]);
    free(vector);
    mw_options_destroy(options);
}

/* A slave gets exactly the options that slaves share with their master. An option that was set to
 * its default is included, since otherwise a variable of the environment would decide. */
static void test_inherited_vector(void)
{
    static const char *const expected[] = {
        "--mw-member-id=--x y",          "--mw-slave-task-group=2",
        "--mw-slave-result-group=3",     "--mw-max-write-buffer-size=1M",
        "--mw-max-read-buffer-size=64M", "--mw-audit-file=%n.log",
        "--mw-audit-format=json",        "--mw-quiet=1",
    };
    mw_options *options = mwt_options_make();
    size_t count = 0;
    char **vector;

    CU_ASSERT_EQUAL(
        mwt_options_parse(
            options, MWT_ARGUMENTS("--mw-master", "--mw-local=2", "--mw-transport=local",
                                   "--mw-master-host=h", "--mw-master-port=1", "--mw-channel=3",
                                   "--mw-client-timeout=4", "--mw-shutdown-timeout=4",
                                   "--mw-resource-file=r", "--mw-resource-file-update-interval=4",
                                   "--mw-slave-executable=e")),
        MW_OK);
    CU_ASSERT_EQUAL(
        mwt_options_parse(options,
                          MWT_ARGUMENTS("--mw-member-id=--x y", "--mw-connect-timeout=5",
                                        "--mw-slave-task-group=2", "--mw-slave-result-group=3",
                                        "--mw-max-write-buffer-size=1M",
                                        "--mw-max-read-buffer-size=64M", "--mw-audit-file=%n.log",
                                        "--mw-audit-format=json", "--mw-quiet")),
        MW_OK);
    vector = mwi_options_inherited(options, &count);

    CU_ASSERT_PTR_NOT_NULL_FATAL(vector);
    CU_ASSERT_EQUAL_FATAL(count, MWT_COUNT_OF(expected));
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_STRING_EQUAL(vector[i], expected[i]);
    CU_ASSERT_PTR_NULL(vector[count]);
    free(vector);
    mw_options_destroy(options);
}

/* A slave that parses the vector has the values of its master, also those from the environment. */
static void test_inherited_vector_reads_back(void)
{
    mw_options *master = mwt_options_make();
    mw_options *slave = mwt_options_make();
    size_t count = 0;
    char **vector;

    mwt_environment_clear();
    setenv("MW_MEMBER_ID", "-dash", 1);
    setenv("MW_QUIET", "1", 1);
    CU_ASSERT_EQUAL(mw_options_environment(master), MW_OK);
    CU_ASSERT_EQUAL(mwt_options_parse(master, MWT_ARGUMENTS("--mw-quiet=0")), MW_OK);
    vector = mwi_options_inherited(master, &count);
    CU_ASSERT_PTR_NOT_NULL_FATAL(vector);
    CU_ASSERT_EQUAL(mw_options_environment(slave), MW_OK);
    CU_ASSERT_EQUAL(mwt_options_parse(slave, mwt_arguments_of((const char *const *)vector)), MW_OK);

    mwt_check_option(slave, "member-id", "-dash");
    CU_ASSERT_FALSE(mwi_options_flag(slave, MWI_OPTION_QUIET));
    free(vector);
    mwt_environment_clear();
    mw_options_destroy(master);
    mw_options_destroy(slave);
}

/* An error message may quote the message before it. A long message is cut off. */
static void test_fail_keeps_a_sentence(void)
{
    mw_options *options = mwt_options_make();

    CU_ASSERT_EQUAL(mwi_options_fail(options, MW_EIO, "%s: %d", "file", 7), MW_EIO);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options), "file: 7");
    CU_ASSERT_EQUAL(mwi_options_fail(options, MW_EUSAGE, "again: %s", mw_options_error(options)),
                    MW_EUSAGE);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options), "again: file: 7");
    mwi_options_fail(options, MW_EIO, "%2000d", 7);
    CU_ASSERT_TRUE(strlen(mw_options_error(options)) < 1000);
    mw_options_destroy(options);
}

static mw_transport_api whole_api(void)
{
    return mw_sim_transport;
}

/* Transports are kept in order with a copy of their address, up to a limit. A slave that has one
 * needs no other way to its master. */
static void test_use_transport(void)
{
    mw_options *options = mwt_options_make();
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
    mwt_check_contains(mw_options_error(options), "more than 8 transports");
    transports = mwi_options_transports(options, &count);

    CU_ASSERT_EQUAL(count, MWI_TRANSPORTS_MAX);
    CU_ASSERT_PTR_EQUAL(transports[0].api, &api);
    CU_ASSERT_PTR_EQUAL(transports[0].environment, &environment);
    CU_ASSERT_STRING_EQUAL(transports[0].address, "a:1");
    CU_ASSERT_STRING_EQUAL(transports[1].address, "b:1");
    CU_ASSERT_EQUAL(mw_options_set(options, "slave", "1"), MW_OK);
    CU_ASSERT_EQUAL(mwi_check_options(options), MW_OK);
    mw_options_destroy(options);
}

/* An api of another version, or with any member missing, is refused and not kept. */
static void test_use_transport_refuses(void)
{
    mw_options *options = mwt_options_make();
    mw_transport_api lacking[9];
    mw_transport_api other = whole_api();
    size_t count = 7;

    for (size_t i = 0; i < MWT_COUNT_OF(lacking); i++)
        lacking[i] = whole_api();
    lacking[0].scheme = NULL;
    lacking[1].open = NULL;
    lacking[2].listen = NULL;
    lacking[3].connect = NULL;
    lacking[4].send = NULL;
    lacking[5].drop = NULL;
    lacking[6].poll = NULL;
    lacking[7].now = NULL;
    lacking[8].close = NULL;
    for (size_t i = 0; i < MWT_COUNT_OF(lacking); i++) {
        CU_ASSERT_EQUAL(mw_options_use_transport(options, &lacking[i], NULL, ""), MW_EINVAL);
        mwt_check_contains(mw_options_error(options), "lacks a function");
    }
    char address[MWI_PLACE_ADDRESS_BYTES + 1];
    memset(address, 'a', sizeof address - 1);
    address[sizeof address - 1] = '\0';
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &other, NULL, address), MW_EINVAL);
    mwt_check_contains(mw_options_error(options), "512 bytes; 511 is the most");
    other.version++;
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &other, NULL, ""), MW_EINVAL);
    char version[32];
    snprintf(version, sizeof version, "this is version %d", MW_TRANSPORT_VERSION);
    mwt_check_contains(mw_options_error(options), version);
    CU_ASSERT_EQUAL(mw_options_use_transport(options, NULL, NULL, ""), MW_EINVAL);
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &lacking[0], NULL, NULL), MW_EINVAL);

    mwi_options_transports(options, &count);
    CU_ASSERT_EQUAL(count, 0);
    mw_options_destroy(options);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"environment of every option", test_environment_of_every_option},
        {"environment names and errors", test_environment_names_and_errors},
        {"who wins", test_who_wins},
        {"names with prefix", test_names_with_prefix},
        {"NULL", test_null},
        {"inherited nothing", test_inherited_nothing},
        {"inherited vector", test_inherited_vector},
        {"inherited vector reads back", test_inherited_vector_reads_back},
        {"fail keeps a sentence", test_fail_keeps_a_sentence},
        {"use transport", test_use_transport},
        {"use transport refuses", test_use_transport_refuses},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("options", tests);
}
