/* SPDX-License-Identifier: Apache-2.0
 *
 * Options as settings of a master and of a slave: where they listen or connect, which trail a
 * process keeps, and in which order options and a resource file override each other.
 */
#include "options/settings.h"

#include <mw/sim.h>

#include "mwt_options.h"
#include "mwt_run.h"

static struct mwi_master_settings read_master(const mw_options *options, enum mwi_mode mode)
{
    struct mwi_master_settings settings;
    CU_ASSERT_EQUAL_FATAL(mwi_settings_read_master(&settings, options, mode, 0, NULL), MW_OK);
    return settings;
}

static struct mwi_slave_settings read_slave(const mw_options *options, enum mwi_mode mode)
{
    struct mwi_slave_settings settings;
    mwi_settings_read_slave(&settings, options, mode);
    return settings;
}

static void set(mw_options *options, const char *name, const char *value)
{
    CU_ASSERT_EQUAL_FATAL(mw_options_set(options, name, value), MW_OK);
}

/* Numbers of every kind arrive in the field that they are for. */
static void test_numbers(void)
{
    mw_options *options = mwt_options_make();
    set(options, "slave-task-group", "3");
    set(options, "max-write-buffer-size", "1M");
    set(options, "max-read-buffer-size", "2M");
    set(options, "client-timeout", "4");
    set(options, "shutdown-timeout", "5");
    set(options, "wait", "nap");

    struct mwi_master_settings settings = read_master(options, MWI_MODE_TCP_MASTER);

    CU_ASSERT_EQUAL(settings.engine.task_group, 3);
    CU_ASSERT_EQUAL(settings.engine.result_group, 0);
    CU_ASSERT_EQUAL(settings.engine.frame_write_bytes_max, 1 << 20);
    CU_ASSERT_EQUAL(settings.engine.frame_read_bytes_max, 2 << 20);
    CU_ASSERT_EQUAL(settings.engine.frame_bytes_max, 2 << 20);
    CU_ASSERT_EQUAL(settings.engine.client_timeout_ns, 4 * MWT_SECOND);
    CU_ASSERT_EQUAL(settings.engine.shutdown_timeout_ns, 5 * MWT_SECOND);
    CU_ASSERT_EQUAL(settings.wait, MW_WAIT_NAP);
    mwi_settings_fini_master(&settings);
    mw_options_destroy(options);
}

/* The resource file and its fields; without the option there is no path. */
static void test_announce(void)
{
    mw_options *options = mwt_options_make();
    struct mwi_master_settings before = read_master(options, MWI_MODE_TCP_MASTER);
    set(options, "resource-file", "m.rsc");
    set(options, "resource-file-update-interval", "42.5");
    set(options, "member-id", "default-member-id");
    set(options, "slave-executable", "/opt/slave");

    struct mwi_master_settings settings = read_master(options, MWI_MODE_TCP_MASTER);

    CU_ASSERT_PTR_NULL(before.announce.path);
    CU_ASSERT_FALSE(before.announce.has_member_id);
    CU_ASSERT_PTR_NULL(before.executable.asked);
    CU_ASSERT_STRING_EQUAL(settings.announce.path, "m.rsc");
    CU_ASSERT_EQUAL(settings.announce.interval_ns, 85 * MWT_SECOND / 2);
    CU_ASSERT_STRING_EQUAL(settings.announce.member_id, "default-member-id");
    CU_ASSERT_TRUE(settings.announce.has_member_id);
    CU_ASSERT_STRING_EQUAL(settings.executable.asked, "/opt/slave");
    mw_options_destroy(options);
}

/* A local master hands on the user's arguments and the options that slaves inherit. */
static void test_local(void)
{
    char program[] = "prog", word[] = "word";
    char *argv[] = {program, word, NULL};
    mw_options *options = mwt_options_make();
    struct mwi_master_settings settings;
    set(options, "local", "3");
    set(options, "quiet", "1");

    CU_ASSERT_EQUAL_FATAL(mwi_settings_read_master(&settings, options, MWI_MODE_LOCAL, 2, argv),
                          MW_OK);

    CU_ASSERT_EQUAL(settings.local.slaves_count, 3);
    CU_ASSERT_EQUAL(settings.local.argc, 2);
    CU_ASSERT_PTR_EQUAL(settings.local.argv, argv);
    CU_ASSERT_PTR_EQUAL(settings.executable.argv, argv);
    CU_ASSERT_EQUAL_FATAL(settings.local.inherited_count, 1);
    CU_ASSERT_STRING_EQUAL(settings.local.inherited[0], "--mw-quiet=1");
    mwi_settings_fini_master(&settings);
    mw_options_destroy(options);
}

/* A master listens where --mw-master-host and --mw-master-port say, and may advertise another host
 * to slaves. */
static void test_tcp_places(void)
{
    static const struct {
        const char *host, *port, *address;
    } cases[] = {{NULL, "0", "*:0"},
                 {"node1", "7000", "node1:7000"},
                 {"::1", "7000-7009", "[::1]:7000-7009"},
                 {"[::1]", "7000-7000", "[::1]:7000"}};

    for (size_t i = 0; i < MWT_COUNT_OF(cases); i++) {
        mw_options *options = mwt_options_make();
        if (cases[i].host != NULL)
            set(options, "master-host", cases[i].host);
        set(options, "master-port", cases[i].port);
        set(options, "advertise", "gateway");

        struct mwi_master_settings settings = read_master(options, MWI_MODE_TCP_MASTER);

        CU_ASSERT_EQUAL(settings.places_count, 1);
        CU_ASSERT_PTR_NULL(settings.places[0].api);
        CU_ASSERT_STRING_EQUAL(settings.places[0].scheme, "tcp");
        CU_ASSERT_STRING_EQUAL(settings.places[0].address, cases[i].address);
        CU_ASSERT_STRING_EQUAL(settings.advertised_host, "gateway");
        mw_options_destroy(options);
    }
}

/* A master that encrypts nothing listens for this machine alone, unless it is given a host. */
static void test_insecure_places(void)
{
    static const struct {
        const char *host, *address;
    } cases[] = {{NULL, "127.0.0.1:0"}, {"*", "*:0"}, {"node1", "node1:0"}};
    static const enum mwi_mode modes[] = {MWI_MODE_TCP_MASTER, MWI_MODE_MIXED_MASTER};

    for (size_t i = 0; i < MWT_COUNT_OF(cases) * MWT_COUNT_OF(modes); i++) {
        mw_options *options = mwt_options_make();
        if (cases[i / 2].host != NULL)
            set(options, "master-host", cases[i / 2].host);
        set(options, "insecure", "1");

        struct mwi_master_settings settings = read_master(options, modes[i % 2]);

        CU_ASSERT_TRUE(settings.tcp.is_insecure);
        CU_ASSERT_STRING_EQUAL(settings.places[0].address, cases[i / 2].address);
        mw_options_destroy(options);
    }
}

/* Masters and slaves are told of the key file. Without options they encrypt, by the usual file. */
static void test_key_file(void)
{
    mw_options *options = mwt_options_make();
    struct mwi_master_settings before = read_master(options, MWI_MODE_TCP_MASTER);
    set(options, "key-file", "/k");
    set(options, "resource-file", "m.rsc");

    CU_ASSERT_FALSE(before.tcp.is_insecure);
    CU_ASSERT_PTR_NULL(before.tcp.key_file);
    CU_ASSERT_STRING_EQUAL(read_master(options, MWI_MODE_TCP_MASTER).tcp.key_file, "/k");
    CU_ASSERT_STRING_EQUAL(read_slave(options, MWI_MODE_TCP_SLAVE).tcp.key_file, "/k");
    mw_options_destroy(options);
}

/* A mixed master opens tcp before mpi. For mpi, the communicator is the transport's environment,
 * and the rank of the master is the address. */
static void test_mpi_places(void)
{
    int comm = 0;
    mw_options *options = mwt_options_make();
    mw_options_set_communicator(options, &comm, 7, 0, NULL);

    struct mwi_master_settings mixed = read_master(options, MWI_MODE_MIXED_MASTER);
    struct mwi_slave_settings slave = read_slave(options, MWI_MODE_MPI_SLAVE);

    CU_ASSERT_EQUAL(mixed.places_count, 2);
    CU_ASSERT_TRUE(mixed.has_communicator);
    CU_ASSERT_STRING_EQUAL(mixed.places[0].scheme, "tcp");
    CU_ASSERT_STRING_EQUAL(mixed.places[1].scheme, "mpi");
    CU_ASSERT_STRING_EQUAL(mixed.places[1].address, "7");
    CU_ASSERT_PTR_EQUAL(mixed.places[1].environment, mwi_options_communicator(options));
    CU_ASSERT_STRING_EQUAL(slave.place.scheme, "mpi");
    CU_ASSERT_STRING_EQUAL(slave.place.address, "7");
    mw_options_set_communicator(options, NULL, 0, 0, NULL);
    slave = read_slave(options, MWI_MODE_MPI_SLAVE);
    CU_ASSERT_PTR_NULL(slave.place.environment);
    CU_ASSERT_STRING_EQUAL(slave.place.address, "0");
    mw_options_destroy(options);
}

/* A master opens the user's own transports in the order in which they were given. A slave takes the
 * first. */
static void test_custom_places(void)
{
    int environment = 0;
    mw_options *options = mwt_options_make();
    set(options, "advertise", "gateway");
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &mw_sim_transport, &environment, "a"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_use_transport(options, &mw_sim_transport, NULL, "b"), MW_OK);

    struct mwi_master_settings master = read_master(options, MWI_MODE_CUSTOM);
    struct mwi_slave_settings slave = read_slave(options, MWI_MODE_CUSTOM);

    CU_ASSERT_EQUAL(master.places_count, 2);
    CU_ASSERT_PTR_EQUAL(master.places[0].api, &mw_sim_transport);
    CU_ASSERT_PTR_EQUAL(master.places[0].environment, &environment);
    CU_ASSERT_STRING_EQUAL(master.places[1].address, "b");
    CU_ASSERT_PTR_NULL(master.advertised_host);
    CU_ASSERT_TRUE(master.audit.is_simulated);
    CU_ASSERT_PTR_EQUAL(slave.place.api, &mw_sim_transport);
    CU_ASSERT_STRING_EQUAL(slave.place.address, "a");
    CU_ASSERT_TRUE(slave.audit.is_simulated);
    mw_options_destroy(options);
}

/* A slave that a local master started talks over --mw-channel, and reads no resource file. */
static void test_channel(void)
{
    mw_options *options = mwt_options_make();
    set(options, "channel", "12");
    set(options, "resource-file", "m.rsc");

    struct mwi_slave_settings settings = read_slave(options, MWI_MODE_CHANNEL_SLAVE);

    CU_ASSERT_STRING_EQUAL(settings.place.scheme, "tcp");
    CU_ASSERT_STRING_EQUAL(settings.place.address, "fd:12");
    CU_ASSERT_PTR_NULL(settings.resource_file);
    mw_options_destroy(options);
}

/* Only a slave that looks for its master over the network has time-outs for it. A local slave and a
 * rank wait as long as their master lives, whatever the environment says. */
static void test_connect_timeout(void)
{
    static const enum mwi_mode told[] = {MWI_MODE_CHANNEL_SLAVE, MWI_MODE_SERIAL_SLAVE,
                                         MWI_MODE_MPI_SLAVE};
    mw_options *options = mwt_options_make();
    set(options, "channel", "3");
    CU_ASSERT_EQUAL(read_slave(options, MWI_MODE_TCP_SLAVE).connect_timeout_ns, 30 * MWT_SECOND);
    set(options, "connect-timeout", "0");
    set(options, "client-timeout", "1");

    for (size_t i = 0; i < MWT_COUNT_OF(told); i++) {
        struct mwi_slave_settings settings = read_slave(options, told[i]);
        CU_ASSERT_EQUAL(settings.connect_timeout_ns, INT64_MAX);
        CU_ASSERT_EQUAL(settings.engine.client_timeout_ns, INT64_MAX);
    }
    CU_ASSERT_EQUAL(read_slave(options, MWI_MODE_TCP_SLAVE).connect_timeout_ns, 0);

    mw_options_destroy(options);
}

/* A serial master also has the settings of its slave. Both use the transport inproc. */
static void test_serial(void)
{
    char *argv[] = {"program", "word", NULL};
    mw_options *options = mwt_options_make();
    struct mwi_master_settings settings;
    set(options, "max-read-buffer-size", "5000");
    set(options, "slave-output", "out-%n");

    CU_ASSERT_EQUAL(mwi_settings_read_master(&settings, options, MWI_MODE_SERIAL, 2, argv), MW_OK);

    CU_ASSERT_EQUAL(settings.places_count, 1);
    CU_ASSERT_STRING_EQUAL(settings.places[0].scheme, "inproc");
    CU_ASSERT_EQUAL(settings.serial.slave.mode, MWI_MODE_SERIAL_SLAVE);
    CU_ASSERT_STRING_EQUAL(settings.serial.slave.place.scheme, "inproc");
    CU_ASSERT_EQUAL(settings.serial.slave.engine.frame_read_bytes_max, 5000);
    CU_ASSERT_PTR_NULL(settings.serial.slave.output);
    CU_ASSERT_FALSE(settings.serial.slave.audit.is_error_kept);
    CU_ASSERT_EQUAL(settings.serial.argc, 2);
    CU_ASSERT_PTR_EQUAL(settings.serial.argv, argv);
    mwi_settings_fini_master(&settings);
    mw_options_destroy(options);
}

/* Whether a slave in this mode keeps an audit trail, if --mw-audit-file is `pattern`; NULL: not
 * set. */
static bool keeps_trail(const char *pattern, enum mwi_mode mode)
{
    mw_options *options = mwt_options_make();
    if (pattern != NULL)
        set(options, "audit-file", pattern);
    struct mwi_audit_settings audit = read_slave(options, mode).audit;
    bool is_kept = audit.level != MWI_AUDIT_LEVEL_NONE;
    CU_ASSERT_TRUE(is_kept || audit.pattern == NULL);
    if (audit.pattern != NULL)
        CU_ASSERT_STRING_EQUAL(audit.pattern, pattern);
    CU_ASSERT_PTR_NULL(audit.node);
    mw_options_destroy(options);
    return is_kept;
}

/* Slaves that were started with their master do not write into its trail, but into files of their
 * own, if they have any. */
static void test_trail_of_companions(void)
{
    static const enum mwi_mode companions[] = {MWI_MODE_CHANNEL_SLAVE, MWI_MODE_MPI_SLAVE};

    for (size_t i = 0; i < MWT_COUNT_OF(companions); i++) {
        CU_ASSERT_FALSE(keeps_trail(NULL, companions[i]));
        CU_ASSERT_FALSE(keeps_trail("one.log", companions[i]));
        CU_ASSERT_FALSE(keeps_trail("%h-%m", companions[i]));
        CU_ASSERT_FALSE(keeps_trail("%%n", companions[i]));
        CU_ASSERT_TRUE(keeps_trail("%n", companions[i]));
        CU_ASSERT_TRUE(keeps_trail("%h-%p", companions[i]));
        CU_ASSERT_TRUE(keeps_trail("%%%n", companions[i]));
    }
    CU_ASSERT_TRUE(keeps_trail("%n", MWI_MODE_SERIAL_SLAVE));
    CU_ASSERT_FALSE(keeps_trail("%h-%p", MWI_MODE_SERIAL_SLAVE));
    CU_ASSERT_FALSE(keeps_trail(NULL, MWI_MODE_SERIAL_SLAVE));
    CU_ASSERT_TRUE(keeps_trail(NULL, MWI_MODE_TCP_SLAVE));
    CU_ASSERT_TRUE(keeps_trail("one.log", MWI_MODE_TCP_SLAVE));
}

/* A master knows its node at once, so its audit file has its name from the beginning. --mw-quiet is
 * about standard error, and changes nothing in a file. */
static void test_trail_of_master(void)
{
    mw_options *options = mwt_options_make();
    set(options, "quiet", "1");
    set(options, "audit-file", "one.log");
    set(options, "audit-format", "json");

    struct mwi_audit_settings audit = read_master(options, MWI_MODE_TCP_MASTER).audit;

    CU_ASSERT_STRING_EQUAL(audit.pattern, "one.log");
    CU_ASSERT_STRING_EQUAL(audit.node, "master");
    CU_ASSERT_STRING_EQUAL(audit.member_id, "default-member-id");
    CU_ASSERT_EQUAL(audit.level, MWI_AUDIT_LEVEL_ALL);
    CU_ASSERT_TRUE(audit.is_json);
    CU_ASSERT_FALSE(audit.is_simulated);
    mw_options_destroy(options);
}

/* The level of a master's trail if --mw-audit-level is `level`. `pattern` names a file; NULL:
 * none. */
static enum mwi_audit_level level_of(const char *level, bool is_quiet, const char *pattern)
{
    mw_options *options = mwt_options_make();
    set(options, "audit-level", level);
    set(options, "quiet", is_quiet ? "1" : "0");
    if (pattern != NULL)
        set(options, "audit-file", pattern);
    enum mwi_audit_level chosen = read_master(options, MWI_MODE_TCP_MASTER).audit.level;
    mw_options_destroy(options);
    return chosen;
}

/* The level is that of --mw-audit-level. With --mw-quiet, standard error gets at most problems. */
static void test_levels(void)
{
    CU_ASSERT_EQUAL(level_of("all", false, NULL), MWI_AUDIT_LEVEL_ALL);
    CU_ASSERT_EQUAL(level_of("events", false, NULL), MWI_AUDIT_LEVEL_EVENTS);
    CU_ASSERT_EQUAL(level_of("problems", false, NULL), MWI_AUDIT_LEVEL_PROBLEMS);
    CU_ASSERT_EQUAL(level_of("none", false, NULL), MWI_AUDIT_LEVEL_NONE);
    CU_ASSERT_EQUAL(level_of("all", true, NULL), MWI_AUDIT_LEVEL_PROBLEMS);
    CU_ASSERT_EQUAL(level_of("none", true, NULL), MWI_AUDIT_LEVEL_NONE);
    CU_ASSERT_EQUAL(level_of("events", true, "file"), MWI_AUDIT_LEVEL_EVENTS);
}

static void take(struct mwi_address_book *book, const char *member_id, const char *host, int port)
{
    mw_reason why;
    CU_ASSERT_EQUAL(mwi_address_book_take_member_id(book, member_id, &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_address_book_take_host(book, host, &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_address_book_take_port(book, port, &why), MW_OK);
}

static void check_book(const struct mwi_address_book *book, const char *member_id, const char *host,
                       unsigned port)
{
    CU_ASSERT_STRING_EQUAL(book->member_id, member_id);
    CU_ASSERT_STRING_EQUAL(book->host, host);
    CU_ASSERT_EQUAL(book->port, port);
}

/* The fields of a resource file count like options in the place of --mw-resource-file: they
 * override options before it and the environment, each time the file is read, but not options
 * behind it. */
static void test_order_of_the_resource_file(void)
{
    mw_options *options = mwt_options_make();
    mwt_environment_clear();
    setenv("MW_MEMBER_ID", "environment", 1);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
    CU_ASSERT_EQUAL(
        mwt_options_parse(options, MWT_ARGUMENTS("--mw-master-host", "early", "--mw-resource-file",
                                                 "m.rsc", "--mw-master-port", "7")),
        MW_OK);

    struct mwi_slave_settings settings = read_slave(options, MWI_MODE_TCP_SLAVE);

    CU_ASSERT_STRING_EQUAL(settings.resource_file, "m.rsc");
    check_book(&settings.address_book, "environment", "early", 7);
    take(&settings.address_book, "file", "file", 8);
    check_book(&settings.address_book, "file", "file", 7);
    take(&settings.address_book, "file", "file-anew", 8);
    check_book(&settings.address_book, "file", "file-anew", 7);
    set(options, "master-host", "late");
    settings = read_slave(options, MWI_MODE_TCP_SLAVE);
    take(&settings.address_book, "file", "file", 8);
    check_book(&settings.address_book, "file", "late", 7);
    mwt_environment_clear();
    mw_options_destroy(options);
}

/* If --mw-resource-file is given twice, the place of the last one counts. */
static void test_order_with_two_resource_files(void)
{
    mw_options *options = mwt_options_make();
    CU_ASSERT_EQUAL(
        mwt_options_parse(options, MWT_ARGUMENTS("--mw-resource-file=a", "--mw-master-port=7",
                                                 "--mw-resource-file=b")),
        MW_OK);

    struct mwi_slave_settings settings = read_slave(options, MWI_MODE_TCP_SLAVE);
    take(&settings.address_book, "file", "file", 8);

    check_book(&settings.address_book, "file", "file", 8);
    mw_options_destroy(options);
}

/* A resource file that the environment names gives only values that are not set otherwise. */
static void test_order_of_a_resource_file_of_the_environment(void)
{
    mw_options *options = mwt_options_make();
    mwt_environment_clear();
    setenv("MW_RESOURCE_FILE", "m.rsc", 1);
    setenv("MW_MASTER_PORT", "6", 1);
    CU_ASSERT_EQUAL(mw_options_environment(options), MW_OK);
    CU_ASSERT_EQUAL(mwt_options_parse(options, MWT_ARGUMENTS("--mw-member-id", "argv")), MW_OK);

    struct mwi_slave_settings settings = read_slave(options, MWI_MODE_TCP_SLAVE);
    take(&settings.address_book, "file", "file", 8);

    check_book(&settings.address_book, "argv", "file", 6);
    mwt_environment_clear();
    mw_options_destroy(options);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"numbers", test_numbers},
        {"announce", test_announce},
        {"local", test_local},
        {"tcp places", test_tcp_places},
        {"insecure places", test_insecure_places},
        {"key file", test_key_file},
        {"mpi places", test_mpi_places},
        {"custom places", test_custom_places},
        {"channel", test_channel},
        {"connect timeout", test_connect_timeout},
        {"serial", test_serial},
        {"trail of companions", test_trail_of_companions},
        {"trail of master", test_trail_of_master},
        {"levels of the trail", test_levels},
        {"order of the resource file", test_order_of_the_resource_file},
        {"order with two resource files", test_order_with_two_resource_files},
        {"order of a resource file of the environment",
         test_order_of_a_resource_file_of_the_environment},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("settings", tests);
}
