/* SPDX-License-Identifier: Apache-2.0
 *
 * hello_world in each way that a user runs it without MPI, and the errors of wrong usage. A new
 * option that may be wrong gets a row in the table of test_wrong_usage.
 */
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hello.h"
#include "mwt_run.h"

/* A local farm prints everything from one command, with one slave per processor or with the number
 * of slaves that --mw-local names. */
static void test_local(void)
{
    unsigned processors_count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *plain = mwt_run_program(crew, MWT_HELLO_WORLD, NULL);
    struct mwt_process *three = mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "3", NULL);
    struct mwt_process *one = mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local=1", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(plain), 0);
    CU_ASSERT_EQUAL(mwt_await_end(three), 0);
    CU_ASSERT_EQUAL(mwt_await_end(one), 0);
    check_hello(plain, 1, processors_count);
    check_hello(three, 1, 3);
    check_hello(one, 1, 1);
    mwt_crew_destroy(crew);
}

static struct mwt_process *start_master(struct mwt_crew *crew, const char *resource_file)
{
    return mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-master", "--mw-master-host", "127.0.0.1",
                           "--mw-resource-file", resource_file, NULL);
}

static struct mwt_process *start_slave(struct mwt_crew *crew, const char *resource_file)
{
    return mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-slave", "--mw-resource-file", resource_file,
                           NULL);
}

/* The master prints the greetings. A slave prints its line, unless it came after all work was
 * done. */
static void check_tcp_farm(struct mwt_process *master, struct mwt_process **slaves, size_t count)
{
    unsigned useful_count = 0;
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    check_hello(master, 1, 0);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
        unsigned lines_count = mwt_count(mwt_output(slaves[i], MWT_OUT), "\n");
        check_hello(slaves[i], 0, lines_count == 0 ? 0 : 1);
        useful_count += lines_count;
    }
    CU_ASSERT(useful_count > 0);
}

/* One to three slaves connect to a running master. */
static void test_slaves_after_master(void)
{
    for (size_t count = 1; count <= 3; count++) {
        struct mwt_crew *crew = mwt_crew_create();
        struct mwt_process *slaves[3];
        const char *file = mwt_path(crew, "m.rsc");

        struct mwt_process *master = start_master(crew, file);
        mwt_await_line(master, MWT_ERR, "RESFILE Generated resource file");
        for (size_t i = 0; i < count; i++)
            slaves[i] = start_slave(crew, file);

        check_tcp_farm(master, slaves, count);
        mwt_crew_destroy(crew);
    }
}

/* One to three slaves that wait for the resource file of a master that comes later. */
static void test_slaves_before_master(void)
{
    for (size_t count = 1; count <= 3; count++) {
        struct mwt_crew *crew = mwt_crew_create();
        struct mwt_process *slaves[3];
        const char *file = mwt_path(crew, "m.rsc");

        for (size_t i = 0; i < count; i++)
            slaves[i] = start_slave(crew, file);
        for (size_t i = 0; i < count; i++)
            mwt_await_line(slaves[i], MWT_ERR, "INIT SLAVE");
        struct mwt_process *master = start_master(crew, file);

        check_tcp_farm(master, slaves, count);
        mwt_crew_destroy(crew);
    }
}

/* Reads the port from "HOST:PORT" in the master's audit trail. */
static const char *await_port(struct mwt_crew *crew, struct mwt_process *master)
{
    const char *line = mwt_await_line(master, MWT_ERR, "MASTER READY ");
    const char *colon = line == NULL ? NULL : strrchr(line, ':');
    return mwt_format(crew, "%s", colon == NULL ? "1" : colon + 1);
}

/* A slave gets host and port as options, and the master the interface to bind. */
static void check_host(const char *master_host, const char *slave_host)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *master = mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-master",
                                                 "--mw-master-host", master_host, NULL);
    struct mwt_process *slave =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-slave", "--mw-master-host", slave_host,
                        "--mw-master-port", await_port(crew, master), NULL);

    check_tcp_farm(master, &slave, 1);
    mwt_crew_destroy(crew);
}

static void test_host_and_port(void)
{
    check_host("127.0.0.1", "127.0.0.1");
    check_host("localhost", "localhost");
}

/* Whether this machine can bind the address. */
static bool is_usable(const char *host)
{
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    if (getaddrinfo(host, "0", &hints, &found) != 0)
        return false;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_bound = fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0;
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return is_bound;
}

static void test_ipv6(void)
{
    if (is_usable("::1"))
        check_host("::1", "::1");
    else
        mwt_not_run("IPv6", "this machine has no ::1");
}

/* Whether all addresses of the name are loopback ones. */
static bool is_loopback(const char *name)
{
    char host[NI_MAXHOST];
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
    bool is_loop = getaddrinfo(name, NULL, &hints, &found) == 0;
    for (struct addrinfo *at = is_loop ? found : NULL; at != NULL; at = at->ai_next) {
        getnameinfo(at->ai_addr, at->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
        is_loop = is_loop && (strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0);
    }
    if (is_loop)
        freeaddrinfo(found);
    return is_loop;
}

/* The commands of the README: they name no host, and the resource file names this machine. */
static void test_host_by_default(void)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    if (!is_loopback(host)) {
        mwt_not_run("master without --mw-master-host",
                    "this machine's name is no loopback address");
        return;
    }
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_path(crew, "m.rsc");

    struct mwt_process *master =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-master", "--mw-resource-file", file, NULL);
    struct mwt_process *slave = start_slave(crew, file);

    check_tcp_farm(master, &slave, 1);
    mwt_crew_destroy(crew);
}

/* A port that was free a moment ago. */
static const char *free_port(struct mwt_crew *crew)
{
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    char port[NI_MAXSERV] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(getaddrinfo("127.0.0.1", "0", &hints, &found), 0);
    CU_ASSERT_EQUAL(bind(fd, found->ai_addr, found->ai_addrlen), 0);
    CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&bound, &size), 0);
    getnameinfo((struct sockaddr *)&bound, size, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    freeaddrinfo(found);
    close(fd);
    return mwt_format(crew, "%s", port);
}

/* A slave knows the port of a master that comes later. */
static void test_fixed_port(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *port = free_port(crew);

    struct mwt_process *slave =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-slave", "--mw-master-host", "127.0.0.1",
                        "--mw-master-port", port, NULL);
    mwt_await_line(slave, MWT_ERR, "CONNECT FAILED");
    struct mwt_process *master =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-master", "--mw-master-host", "127.0.0.1",
                        "--mw-master-port", port, NULL);

    CU_ASSERT_STRING_EQUAL(await_port(crew, master), port);
    check_tcp_farm(master, &slave, 1);
    mwt_crew_destroy(crew);
}

/* A slave that connects after all work is done has nothing to do. */
static void test_finished(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_path(crew, "m.rsc");
    struct mwt_process *master = start_master(crew, file);
    struct mwt_process *first = start_slave(crew, file);
    check_tcp_farm(master, &first, 1);

    struct mwt_process *late = start_slave(crew, file);

    CU_ASSERT_EQUAL(mwt_await_end(late), 0);
    CU_ASSERT(mwt_ended_ns(late) - mwt_started_ns(late) < INT64_C(5000000000));
    CU_ASSERT_STRING_EQUAL(mwt_output(late, MWT_OUT), "");
    mwt_crew_destroy(crew);
}

/* Naming the transport gives the same as the default. */
static void test_forced_transport(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_path(crew, "m.rsc");

    struct mwt_process *local =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-transport", "local", "--mw-local", "2", NULL);
    struct mwt_process *automatic =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-transport=auto", "--mw-local=1", NULL);
    struct mwt_process *master =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-transport", "tcp", "--mw-master-host",
                        "127.0.0.1", "--mw-resource-file", file, NULL);
    struct mwt_process *slave = mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-transport", "tcp",
                                                "--mw-slave", "--mw-resource-file", file, NULL);

    CU_ASSERT_EQUAL(mwt_await_end(local), 0);
    check_hello(local, 1, 2);
    CU_ASSERT_EQUAL(mwt_await_end(automatic), 0);
    check_hello(automatic, 1, 1);
    check_tcp_farm(master, &slave, 1);
    mwt_crew_destroy(crew);
}

/* The environment sets options too, and the command line wins over it. */
static void test_environment(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *const *environment =
        MWT_ARGV("MW_LOCAL=2", "MW_QUIET=1", "MW_TRANSPORT=local", "MW_MASTER_PORT=7");

    struct mwt_process *two = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_HELLO_WORLD), .environment = environment});
    struct mwt_process *one =
        mwt_start(crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_HELLO_WORLD, "--mw-local", "1"),
                                            .environment = environment});

    CU_ASSERT_EQUAL(mwt_await_end(two), 0);
    CU_ASSERT_EQUAL(mwt_await_end(one), 0);
    check_hello(two, 1, 2);
    check_hello(one, 1, 1);
    CU_ASSERT_STRING_EQUAL(mwt_output(two, MWT_ERR), "");
    mwt_crew_destroy(crew);
}

/* Wrong usage is one line that names the option, nothing on standard output, and status 2. */
static void test_wrong_usage(void)
{
    static const struct {
        const char *arguments[4];
        const char *names[2];
    } cases[] = {
        {{"--mw-slave", "--mw-local", "3"}, {"--mw-slave", "--mw-local 3"}},
        {{"--mw-master", "--mw-local", "3"}, {"--mw-master", "--mw-local 3"}},
        {{"--mw-master", "--mw-slave"}, {"--mw-master", "--mw-slave"}},
        {{"--mw-transport", "mpi", "--mw-master"}, {"--mw-transport mpi", "--mw-master"}},
        {{"--mw-transport", "mpi", "--mw-slave"}, {"--mw-transport mpi", "--mw-slave"}},
        {{"--mw-transport", "mpi", "--mw-local", "3"}, {"--mw-transport mpi", "--mw-local 3"}},
        {{"--mw-transport", "tcp", "--mw-local", "3"}, {"--mw-transport tcp", "--mw-local 3"}},
        {{"--mw-transport", "local", "--mw-master"}, {"--mw-transport local", "--mw-master"}},
        {{"--mw-transport", "local", "--mw-slave"}, {"--mw-transport local", "--mw-slave"}},
        {{"--mw-transport", "udp"}, {"--mw-transport", "udp"}},
        {{"--mw-wait", "sleep"}, {"--mw-wait", "auto, spin, yield or nap"}},
        {{"--mw-slave"}, {"--mw-slave", "--mw-master-host"}},
        {{"--mw-slave", "--mw-master-host", "127.0.0.1"}, {"--mw-slave", "--mw-master-port"}},
        {{"--mw-local"}, {"--mw-local", "value"}},
        {{"--mw-local", "-1"}, {"--mw-local", "-1"}},
        {{"--mw-slave", "--mw-local", "0"}, {"--mw-slave", "--mw-local 0"}},
        {{"--mw-local", "many"}, {"--mw-local", "many"}},
        {{"--mw-nonsense"}, {"--mw-nonsense", "--mw-help"}},
        {{"--mw-audit-file", "%x"}, {"--mw-audit-file", "%x"}},
        {{"--mw-master-port", "70000"}, {"--mw-master-port", "70000"}},
        {{"--mw-master", "--mw-master-port", "7009-7000"}, {"--mw-master-port", "7009-7000"}},
        {{"--mw-master", "--mw-master-port", "0-7000"}, {"--mw-master-port", "0-7000"}},
        {{"--mw-master", "--mw-master-host", "node1:7000"}, {"--mw-master-host", "node1:7000"}},
        {{"--mw-master", "--mw-advertise", "[::1]:7000"}, {"--mw-advertise", "[::1]:7000"}},
        {{"--mw-advertise", "node1"}, {"--mw-advertise", "--mw-master"}},
        {{"--mw-slave", "--mw-resource-file=r", "--mw-advertise=node1"},
         {"--mw-slave", "--mw-advertise node1"}},
        {{"--mw-slave", "--mw-master-host=node1", "--mw-master-port=7000-7009"},
         {"--mw-master-port 7000-7009", "single port"}},
    };
    struct mwt_crew *crew = mwt_crew_create();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const *given = cases[i].arguments;
        struct mwt_process *process =
            mwt_run_program(crew, MWT_HELLO_WORLD, given[0], given[1], given[2], given[3], NULL);

        CU_ASSERT_EQUAL(mwt_await_end(process), 2);
        const char *message = mwt_output(process, MWT_ERR);
        CU_ASSERT_STRING_EQUAL(mwt_output(process, MWT_OUT), "");
        CU_ASSERT_EQUAL(mwt_count(message, "\n"), 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(message, "hello_world: "));
        CU_ASSERT_PTR_NOT_NULL(strstr(message, cases[i].names[0]));
        CU_ASSERT_PTR_NOT_NULL(strstr(message, cases[i].names[1]));
    }
    mwt_crew_destroy(crew);
}

/* A rank that is alone runs the tasks itself, under a launcher or without one. */
static void test_mpi_alone(void)
{
#ifdef MWT_MPIEXEC
    struct mwt_crew *crew = mwt_crew_create();

    const char *const *const commands[] = {
        MWT_ARGV(MWT_HELLO_WORLD, "--mw-transport", "mpi"),
        MWT_ARGV(MWT_MPIEXEC, "-n", "1", MWT_HELLO_WORLD, "--mw-transport", "mpi"),
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        /* Open MPI itself does not free all its memory. */
        struct mwt_process *process = mwt_start(
            crew, &(struct mwt_start){.argv = commands[i],
                                      .environment = MWT_ARGV("ASAN_OPTIONS=detect_leaks=0")});

        CU_ASSERT_EQUAL(mwt_await_end(process), 0);
        check_hello(process, 1, 1);
        CU_ASSERT_EQUAL(mwt_count(mwt_output(process, MWT_ERR), "NEW-CLIENT -> this process"), 1);
    }
    mwt_crew_destroy(crew);
#else
    mwt_not_run("mpi alone", "this build has MW_WITH_MPI=OFF");
#endif
}

/* Help and version go to standard output, whatever other options there are, and nothing runs. */
static void test_help_and_version(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *help =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-local", "1", "--mw-help", NULL);
    struct mwt_process *version =
        mwt_run_program(crew, MWT_HELLO_WORLD, "--mw-version-string", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(help), 0);
    CU_ASSERT_EQUAL(mwt_await_end(version), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(help, MWT_OUT), "--mw-resource-file"));
    CU_ASSERT_PTR_NULL(strstr(mwt_output(help, MWT_OUT), "Hello World"));
    CU_ASSERT_STRING_EQUAL(mwt_output(help, MWT_ERR), "");
    CU_ASSERT_STRING_EQUAL(mwt_output(version, MWT_OUT), "mw " MW_VERSION_STRING "\n");
    CU_ASSERT_STRING_EQUAL(mwt_output(version, MWT_ERR), "");
    mwt_crew_destroy(crew);
}

/* The master algorithm's return value is the exit status, even if tasks have failed. */
static void test_exit_status(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *good =
        mwt_run_program(crew, MWT_FARM, "echo", "20", "--mw-local", "2", "--mw-quiet", NULL);
    struct mwt_process *bad =
        mwt_run_program(crew, MWT_FARM, "echo,fail", "20", "--mw-local", "2", "--mw-quiet", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(good), 0);
    CU_ASSERT_EQUAL(mwt_await_end(bad), 3);
    mwt_await_line(good, MWT_OUT, "farm: 20 done, 0 failed, 0 unrunnable, 0 lost or wrong");
    mwt_await_line(bad, MWT_OUT, "farm: 10 done, 10 failed, 0 unrunnable, 0 lost or wrong");
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"local", test_local},
        {"slaves after the master", test_slaves_after_master},
        {"slaves before the master", test_slaves_before_master},
        {"host and port", test_host_and_port},
        {"IPv6", test_ipv6},
        {"host by default", test_host_by_default},
        {"fixed port", test_fixed_port},
        {"finished", test_finished},
        {"forced transport", test_forced_transport},
        {"environment", test_environment},
        {"wrong usage", test_wrong_usage},
        {"mpi alone", test_mpi_alone},
        {"help and version", test_help_and_version},
        {"exit status", test_exit_status},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("modes", tests);
}
