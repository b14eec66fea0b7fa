/* SPDX-License-Identifier: Apache-2.0
 *
 * Command lines and variables that contradict themselves or each other. A new rule gets a row in
 * the table of sentences.
 */
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include <mw/sim.h>

#include "mwt_options.h"
#include "mwt_run.h"
#include "options/role.h"

/* No MPI launcher. */
static const struct mwi_launch alone = {.size = 1};

/* Command lines, and their sentences; NULL for a command line without contradiction. */
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
        {{"--mw-transport=mpi,tcp"}, NULL},
        {{"--mw-transport=mpi,tcp", "--mw-master-host=h", "--mw-master-port=7"}, NULL},
        {{"--mw-transport=tcp", "--mw-master"}, NULL},
        {{"--mw-slave", "--mw-master=0", "--mw-resource-file=r"}, NULL},
        {{"--mw-slave", "--mw-channel=0"}, NULL},
        {{"--mw-slave", "--mw-transport=tcp", "--mw-resource-file=r"}, NULL},
        {{"--mw-slave", "--mw-master-port=7", "--mw-resource-file=r"}, NULL},
        {{"--mw-slave", "--mw-master-host=h", "--mw-master-port=7"}, NULL},
        {{"--mw-slave", "--mw-master-host=h", "--mw-master-port=7-7"}, NULL},
        {{"--mw-slave", "--mw-channel=0", "--mw-master-port=7-9"}, NULL},
        {{"--mw-master", "--mw-master-port=7-9", "--mw-advertise=[::1]"}, NULL},
        {{"--mw-transport=tcp", "--mw-advertise=h"}, NULL},
        {{"--mw-transport=mpi,tcp", "--mw-advertise=h", "--mw-master-port=7-9"}, NULL},
        {{"--mw-master", "--mw-master-host=*"}, NULL},
        {{"--mw-master", "--mw-key-file=k"}, NULL},
        {{"--mw-master", "--mw-insecure"}, NULL},
        {{"--mw-transport=mpi,tcp", "--mw-insecure"}, NULL},
        {{"--mw-slave", "--mw-resource-file=r", "--mw-key-file=k"}, NULL},
        {{"--mw-slave", "--mw-channel=0", "--mw-insecure", "--mw-key-file=k"}, NULL},
        {{"--mw-master", "--mw-master-host=0.0.0.0"}, NULL},
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
        {{"--mw-slave", "--mw-resource-file=r", "--mw-transport=mpi,tcp"},
         "--mw-slave contradicts --mw-transport mpi,tcp: rank 0 is the master and all other ranks "
         "are slaves; a slave that joins over TCP takes --mw-slave alone"},
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
        {{"--mw-slave", "--mw-master-host=h", "--mw-master-port=7-9"},
         "--mw-master-port 7-9: a slave needs the single port on which its master listens"},
        {{"--mw-slave", "--mw-resource-file=r", "--mw-master-port=7-9"},
         "--mw-master-port 7-9: a slave needs the single port on which its master listens"},
        {{"--mw-slave", "--mw-resource-file=r", "--mw-advertise=h"},
         "--mw-slave contradicts --mw-advertise h: slaves connect to their master, and nobody to a "
         "slave"},
        {{"--mw-slave", "--mw-master-host=*", "--mw-master-port=7"},
         "--mw-master-host *: a slave needs the single host on which its master listens"},
        {{"--mw-slave", "--mw-master-host=[::]", "--mw-resource-file=r"},
         "--mw-master-host [::]: a slave needs the single host on which its master listens"},
        {{"--mw-advertise=h"},
         "--mw-advertise is for a TCP master: it needs --mw-master or --mw-transport mpi,tcp"},
        {{"--mw-transport=mpi", "--mw-advertise=h"},
         "--mw-advertise is for a TCP master: it needs --mw-transport mpi,tcp"},
        {{"--mw-transport=mpi", "--mw-master-port=7"},
         "--mw-master-port is for TCP: it needs --mw-transport mpi,tcp"},
        {{"--mw-local=3", "--mw-master-port=7-9"},
         "--mw-master-port is for TCP: it needs --mw-master, --mw-slave or --mw-transport mpi,tcp"},
        {{"--mw-master", "--mw-insecure", "--mw-key-file=k"},
         "--mw-insecure contradicts --mw-key-file k: without encryption there is no use for a key"},
        {{"--mw-insecure"},
         "--mw-insecure is for TCP: it needs --mw-master, --mw-slave or --mw-transport mpi,tcp"},
        {{"--mw-local=3", "--mw-key-file=k"},
         "--mw-key-file is for TCP: it needs --mw-master, --mw-slave or --mw-transport mpi,tcp"},
        {{"--mw-transport=mpi", "--mw-insecure"},
         "--mw-insecure is for TCP: it needs --mw-transport mpi,tcp"},
    };

    for (size_t i = 0; i < MWT_COUNT_OF(lines); i++) {
        mw_options *options = mwt_options_make();

        CU_ASSERT_EQUAL(mwt_options_parse(options, mwt_arguments_of(lines[i].words)), MW_OK);
        CU_ASSERT_EQUAL(mwi_check_options(options), lines[i].sentence != NULL ? MW_EUSAGE : MW_OK);
        CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                               lines[i].sentence != NULL ? lines[i].sentence : "");
        mw_options_destroy(options);
    }
}

/* In role and transport the command line wins over a variable that contradicts it. The variable
 * then counts as not set. */
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
        {"MW_ADVERTISE", "h", {"--mw-slave", "--mw-resource-file=r"}, MWI_OPTION_ADVERTISE},
        {"MW_MASTER_PORT", "7-9", {"--mw-slave", "--mw-resource-file=r"}, MWI_OPTION_MASTER_PORT},
        {"MW_MASTER_HOST", "*", {"--mw-slave", "--mw-resource-file=r"}, MWI_OPTION_MASTER_HOST},
        {"MW_INSECURE", "1", {"--mw-master", "--mw-key-file=k"}, MWI_OPTION_INSECURE},
        {"MW_KEY_FILE", "k", {"--mw-master", "--mw-insecure"}, MWI_OPTION_KEY_FILE},
    };

    mwt_environment_clear();
    for (size_t i = 0; i < MWT_COUNT_OF(cases); i++) {
        mw_options *options = mwt_options_make();

        setenv(cases[i].variable, cases[i].value, 1);
        CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
        CU_ASSERT_EQUAL(mwt_options_parse(options, mwt_arguments_of(cases[i].words)), MW_OK);
        CU_ASSERT_EQUAL(mwi_check_options(options), MW_OK);
        CU_ASSERT_FALSE(mwi_options_is_set(options, cases[i].unset));
        unsetenv(cases[i].variable);
        mw_options_destroy(options);
    }
}

/* Two variables that contradict each other are an error that names them as variables. */
static void test_contradiction_within_the_environment(void)
{
    mw_options *options = mwt_options_make();

    mwt_environment_clear();
    setenv("MW_LOCAL", "4", 1);
    setenv("MW_TRANSPORT", "tcp", 1);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
    CU_ASSERT_EQUAL(mwi_check_options(options), MW_EUSAGE);

    CU_ASSERT_STRING_EQUAL(mw_options_error(options), "MW_LOCAL=4 contradicts MW_TRANSPORT=tcp: a "
                                                      "local farm has the transport local");
    mwt_environment_clear();
    mw_options_destroy(options);
}

/* A communicator determines the role of a process; the environment's role is for other programs. */
static void test_communicator(void)
{
    static const struct {
        const char *name, *value, *sentence;
    } cases[] = {
        {"transport", "auto", ""},
        {"transport", "mpi", ""},
        {"transport", "mpi,tcp", ""},
        {"transport", "tcp",
         "--mw-transport tcp does not go with an MPI communicator: rank 3 of it "
         "is the master, and its other ranks are slaves"},
        {"slave", "1",
         "--mw-slave does not go with an MPI communicator: rank 3 of it is the "
         "master, and its other ranks are slaves"},
        {"local", "2",
         "--mw-local 2 does not go with an MPI communicator: rank 3 of it is the "
         "master, and its other ranks are slaves"},
        {"channel", "3",
         "--mw-channel 3 does not go with an MPI communicator: rank 3 of it is the "
         "master, and its other ranks are slaves"},
        {"master-port", "7000", "--mw-master-port is for TCP: it needs --mw-transport mpi,tcp"},
        {"advertise", "h", "--mw-advertise is for a TCP master: it needs --mw-transport mpi,tcp"},
    };
    int comm = 0;

    mwt_environment_clear();
    setenv("MW_LOCAL", "4", 1);
    setenv("MW_TRANSPORT", "tcp", 1);
    for (size_t i = 0; i < MWT_COUNT_OF(cases); i++) {
        mw_options *options = mwt_options_make();

        mw_options_set_communicator(options, &comm, 3, 0, NULL);
        if (i % 2 == 0)
            CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, cases[i].name, cases[i].value), MW_OK);
        CU_ASSERT_EQUAL(mwi_check_options(options), *cases[i].sentence != '\0' ? MW_EUSAGE : MW_OK);
        CU_ASSERT_STRING_EQUAL(mw_options_error(options), cases[i].sentence);
        mw_options_destroy(options);
    }
    mwt_environment_clear();
}

/* A variable that is set aside for a communicator counts again for a farm without one. */
static void test_after_a_communicator(void)
{
    static const struct {
        const char *variable, *name, *value;
        enum mwi_mode mode;
    } cases[] = {
        {"MW_LOCAL", "local", "4", MWI_MODE_LOCAL},
        {"MW_TRANSPORT", "transport", "tcp", MWI_MODE_TCP_MASTER},
        {"MW_TRANSPORT", "transport", "local", MWI_MODE_LOCAL},
        {"MW_MASTER", "master", "1", MWI_MODE_TCP_MASTER},
    };
    int comm = 0;

    for (size_t i = 0; i < MWT_COUNT_OF(cases); i++) {
        mw_options *options = mwt_options_make();

        mwt_environment_clear();
        setenv(cases[i].variable, cases[i].value, 1);
        CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
        mw_options_set_communicator(options, &comm, 0, 0, NULL);
        CU_ASSERT_EQUAL(mwi_check_options(options), MW_OK);
        CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, false), MWI_MODE_MPI_MASTER);
        CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, true), MWI_MODE_MPI_SLAVE);
        mw_options_set_communicator(options, NULL, 0, 0, NULL);
        CU_ASSERT_EQUAL(mwi_check_options(options), MW_OK);

        CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, false), cases[i].mode);
        mwt_check_option(options, cases[i].name, cases[i].value);
        mw_options_destroy(options);
    }
    mwt_environment_clear();
}

/* A transport of the user's own replaces all others, and excludes a communicator. */
static void test_communicator_and_transport(void)
{
    mw_options *options = mwt_options_make();
    int comm = 0;

    mwt_environment_clear();
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &mw_sim_transport, NULL, "here"), MW_OK);
    CU_ASSERT_EQUAL(mwi_check_options(options), MW_OK);
    CU_ASSERT_EQUAL(mwi_role_mode_embedded(options, alone, false), MWI_MODE_CUSTOM);
    mw_options_set_communicator(options, &comm, 0, 0, NULL);

    CU_ASSERT_EQUAL(mwi_check_options(options), MW_EUSAGE);
    mwt_check_contains(mw_options_error(options),
                       "a transport of mw_options_use_transport does not "
                       "go with an MPI communicator: ");
    mw_options_destroy(options);
}

/* An environment that several programs share may name all interfaces as the host for slaves. Only a
 * master that slaves find over TCP refuses that, and names the variable. */
static void test_advertise_of_the_environment(void)
{
    static const struct {
        const char *words[5];
        bool is_refused;
    } lines[] = {
        {{NULL}, false},
        {{"--mw-local=3"}, false},
        {{"--mw-transport=mpi"}, false},
        {{"--mw-slave", "--mw-channel=3"}, false},
        {{"--mw-slave", "--mw-resource-file=r"}, false},
        {{"--mw-master", "--mw-advertise=h"}, false},
        {{"--mw-master"}, true},
        {{"--mw-transport=tcp"}, true},
        {{"--mw-transport=mpi,tcp"}, true},
    };
    static const char *const hosts[] = {"*", "0.0.0.0", "::", "[::]"};

    mwt_environment_clear();
    for (size_t i = 0; i < MWT_COUNT_OF(lines) * MWT_COUNT_OF(hosts); i++) {
        const char *host = hosts[i % MWT_COUNT_OF(hosts)];
        mw_options *options = mwt_options_make();
        char start[96];

        snprintf(start, sizeof start, "environment variable MW_ADVERTISE=%s: must be ", host);
        setenv("MW_ADVERTISE", host, 1);
        CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
        CU_ASSERT_EQUAL(
            mwt_options_parse(options, mwt_arguments_of(lines[i / MWT_COUNT_OF(hosts)].words)),
            MW_OK);
        mw_error error = mwi_check_options(options);

        CU_ASSERT_EQUAL(error, lines[i / MWT_COUNT_OF(hosts)].is_refused ? MW_EUSAGE : MW_OK);
        if (error != MW_OK)
            mwt_check_contains(mw_options_error(options), start);
        mw_options_destroy(options);
    }
    mwt_environment_clear();
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"contradictions", test_contradictions},
        {"contradiction with the environment", test_contradiction_with_the_environment},
        {"contradiction within the environment", test_contradiction_within_the_environment},
        {"communicator", test_communicator},
        {"after a communicator", test_after_a_communicator},
        {"communicator and transport", test_communicator_and_transport},
        {"advertise of the environment", test_advertise_of_the_environment},
        CU_TEST_INFO_NULL,
    };

    return mwt_run("option check", tests);
}
