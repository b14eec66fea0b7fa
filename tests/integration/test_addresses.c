/* SPDX-License-Identifier: Apache-2.0
 *
 * A master behind several addresses: the address that it binds, the address that it advertises,
 * and the address to which slaves connect. Links between several hosts are tested in
 * test_hosts.sh.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "mwt_process.h"
#include "mwt_run.h"
#include "tcp_farm.h"

#define TASKS 20

/* Starts a master with these options, the tasks of the farm and a resource file. */
static struct mwt_process *start_farm(struct mwt_crew *crew, const char *const *options)
{
    const char *argv[16] = {MWT_FARM,
                            "echo:0",
                            mwt_format(crew, "%d", TASKS),
                            "--mw-master",
                            "--mw-resource-file",
                            mwt_path(crew, "farm.rsc")};
    for (size_t i = 6; *options != NULL && i < 15; i++)
        argv[i] = *options++;
    return mwt_start(crew, &(struct mwt_start){.argv = argv});
}

/* Waits until the master prints its address, "HOST:PORT", and returns that. */
static const char *await_address(struct mwt_crew *crew, struct mwt_process *master)
{
    static const char words[] = "MASTER READY ";
    const char *line = mwt_await_line(master, MWT_ERR, words);
    const char *at = line == NULL ? NULL : strstr(line, words);
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    const char *address = mwt_format(crew, "%s", at + strlen(words));
    mwt_await_line(master, MWT_ERR, "Generated resource file");
    return address;
}

static json_t *load(struct mwt_crew *crew)
{
    json_t *root = json_load_file(mwt_path(crew, "farm.rsc"), 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(root);
    return root;
}

/* Checks that the resource file names the host in both places, and the port of the address. */
static void check_resource(struct mwt_crew *crew, const char *host, const char *address)
{
    json_t *root = load(crew), *arguments = json_object_get(root, "slave-arguments");
    const char *port = strrchr(address, ':') + 1;
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(root, "host")), host);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(root, "port")), atoi(port));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(arguments, 2)), host);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(arguments, 4)), port);
    json_decref(root);
}

/* A slave connects to that address, and the farm is done. For a name, the slave shows its numeric
 * address. */
static void check_served(struct mwt_crew *crew, struct mwt_process *master,
                         struct mwt_process *slave, const char *address)
{
    bool is_name = address[0] >= 'a' && address[0] <= 'z';
    const char *line = mwt_await_line(slave, MWT_ERR, "MASTER <- CONNECTED TO ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, is_name ? strrchr(address, ':') : address));
    check_done(crew, master, TASKS);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
}

/* Checks that the resource file names `host`, and that the master shows `shown` before the port. */
static void check_farm(const char *const *options, const char *host, const char *shown)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_farm(crew, options);
    const char *address = await_address(crew, master);
    size_t length = strlen(shown);

    CU_ASSERT_EQUAL(strncmp(address, shown, length), 0);
    CU_ASSERT_EQUAL(address[length], ':');
    CU_ASSERT_PTR_EQUAL(strrchr(address, ':'), address + length);
    check_resource(crew, host, address);
    check_served(crew, master, start_slave(crew), address);
    mwt_crew_destroy(crew);
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    if (!has)
        mwt_not_run("IPv6", "this machine has no ::1");
    return has;
}

/* The advertised host replaces the bound one everywhere; the port is the bound one. */
static void test_advertise(void)
{
    check_farm(MWT_ARGV("--mw-master-host", "127.0.0.1", "--mw-advertise", "localhost"),
               "localhost", "localhost");
    check_farm(MWT_ARGV("--mw-advertise", "127.0.0.1"), "127.0.0.1", "127.0.0.1");
}

/* An IPv6 address may come with brackets or without; before a port it has them, alone it has not.
 */
static void test_ipv6(void)
{
    if (!has_ipv6())
        return;
    check_farm(MWT_ARGV("--mw-master-host", "::1"), "::1", "[::1]");
    check_farm(MWT_ARGV("--mw-master-host", "[::1]"), "::1", "[::1]");
#ifndef MWT_WITHOUT_TLS
    /* An insecure master without --mw-master-host listens on 127.0.0.1 alone. */
    check_farm(MWT_ARGV("--mw-advertise", "::1"), "::1", "[::1]");
    check_farm(MWT_ARGV("--mw-advertise", "[::1]"), "::1", "[::1]");
#endif
}

/* The same holds for a slave that gets host and port as options. */
static void test_ipv6_of_a_slave(void)
{
    static const char *const hosts[] = {"::1", "[::1]"};
    if (!has_ipv6())
        return;
    for (size_t i = 0; i < 2; i++) {
        struct mwt_crew *crew = mwt_crew_create();
        struct mwt_process *master = start_farm(crew, MWT_ARGV("--mw-master-host", "::1"));
        const char *address = await_address(crew, master);

        struct mwt_process *slave =
            mwt_run_program(crew, MWT_FARM, "--mw-slave", "--mw-master-host", hosts[i],
                            "--mw-master-port", strrchr(address, ':') + 1, NULL);

        check_served(crew, master, slave, address);
        mwt_crew_destroy(crew);
    }
}

/* A resource file in which somebody wrote brackets can be read too. */
static void test_brackets_in_the_resource_file(void)
{
    if (!has_ipv6())
        return;
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_farm(crew, MWT_ARGV("--mw-master-host", "::1"));
    const char *address = await_address(crew, master), *file = mwt_path(crew, "written.rsc");
    json_t *root = load(crew);
    json_object_set_new(root, "host", json_string("[::1]"));
    CU_ASSERT_EQUAL(json_dump_file(root, file, 0), 0);
    CU_ASSERT_EQUAL(chmod(file, 0600), 0);
    json_decref(root);

    struct mwt_process *slave =
        mwt_run_program(crew, MWT_FARM, "--mw-slave", "--mw-resource-file", file, NULL);

    check_served(crew, master, slave, address);
    mwt_crew_destroy(crew);
}

/* A slave that does not find its master shows its address with brackets too. */
static void test_ipv6_in_errors(void)
{
    if (!has_ipv6())
        return;
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *slave =
        mwt_run_program(crew, MWT_FARM, "--mw-slave", "--mw-master-host", "::1", "--mw-master-port",
                        "1", "--mw-connect-timeout", "0", NULL);
    struct mwt_process *master =
        mwt_run_program(crew, MWT_FARM, "echo:0", "1", "--mw-master", "--mw-master-host",
                        "[2001:db8::1]", "--mw-master-port", "7", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
    CU_ASSERT_EQUAL(mwt_await_end(master), 255);
    check_said(slave, "within --mw-connect-timeout of 0 s: [::1]:1: ");
    check_said(master, "cannot listen on [2001:db8::1]:7: ");
    check_said(master, "(see --mw-master-host and --mw-master-port)");
    mwt_crew_destroy(crew);
}

/* Returns a socket that listens on a port of 127.0.0.1, 0 meaning any, and sets the port; -1 if the
 * port is taken. */
static int take_port(unsigned port, unsigned *taken)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        close(fd);
        return -1;
    }
    *taken = ntohs(address.sin_port);
    return fd;
}

/* Two neighbouring ports; returns the first. */
static unsigned take_two_ports(int fds[2])
{
    unsigned port, next;
    while ((fds[0] = take_port(0, &port)) >= 0) {
        fds[1] = port < 65000 ? take_port(port + 1, &next) : -1;
        if (fds[1] >= 0)
            return port;
        close(fds[0]);
    }
    CU_FAIL_FATAL("no port is free");
    return 0;
}

/* A master takes a port of the range that is free, and slaves find it. */
static void test_range(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    int fds[2];
    unsigned port = take_two_ports(fds);
    const char *range = mwt_format(crew, "%u-%u", port, port + 500);

    struct mwt_process *master =
        start_farm(crew, MWT_ARGV("--mw-master-host", "127.0.0.1", "--mw-master-port", range));

    const char *address = await_address(crew, master);
    unsigned bound = (unsigned)atoi(strrchr(address, ':') + 1);
    CU_ASSERT(bound >= port + 2 && bound <= port + 500);
    check_resource(crew, "127.0.0.1", address);
    check_served(crew, master, start_slave(crew), address);
    close(fds[0]);
    close(fds[1]);
    mwt_crew_destroy(crew);
}

/* If no port is free, the master says so, and names the option. */
static void test_range_taken(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    int fds[2];
    unsigned port = take_two_ports(fds);
    const char *range = mwt_format(crew, "%u-%u", port, port + 1);

    struct mwt_process *master =
        start_farm(crew, MWT_ARGV("--mw-master-host", "127.0.0.1", "--mw-master-port", range));

    CU_ASSERT_EQUAL(mwt_await_end(master), 255);
    check_said(master, mwt_format(crew,
                                  "cannot listen on 127.0.0.1:%s: none of these ports can be had, "
                                  "the last: Address already in use",
                                  range));
    check_said(master, "--mw-master-port");
    CU_ASSERT_NOT_EQUAL(access(mwt_path(crew, "farm.rsc"), F_OK), 0);
    close(fds[0]);
    close(fds[1]);
    mwt_crew_destroy(crew);
}

/* Master and slaves may share one environment: slaves ignore options for the master. */
static void test_environment(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    int fds[2];
    unsigned port = take_two_ports(fds);
    const char *file = mwt_format(crew, "MW_RESOURCE_FILE=%s", mwt_path(crew, "farm.rsc"));
    const char *range = mwt_format(crew, "MW_MASTER_PORT=%u-%u", port, port + 500);
    const char *const *environment = MWT_ARGV(file, range, "MW_ADVERTISE=127.0.0.1");

    struct mwt_process *slave =
        mwt_start(crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave"),
                                            .environment = environment});
    struct mwt_process *master = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "echo:0",
                                                   mwt_format(crew, "%d", TASKS), "--mw-master"),
                                  .environment = environment});

    check_served(crew, master, slave, await_address(crew, master));
    close(fds[0]);
    close(fds[1]);
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"advertise", test_advertise},
        {"IPv6", test_ipv6},
        {"IPv6 of a slave", test_ipv6_of_a_slave},
        {"brackets in the resource file", test_brackets_in_the_resource_file},
        {"IPv6 in errors", test_ipv6_in_errors},
        {"range", test_range},
        {"range taken", test_range_taken},
        {"environment", test_environment},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("addresses", tests);
}
