/* SPDX-License-Identifier: Apache-2.0
 *
 * Encrypted farms whose processes are killed or stopped in the middle of a handshake or of a frame.
 * And farms in which one side only encrypts: they never fall back, and each side says why.
 */
#include <signal.h>
#include <string.h>

#include "mwt_relay.h"
#include "mwt_run.h"
#include "secure_farm.h"

/* Places in the bytes of a connection: within the first flight of either side, and behind the
 * handshake. */
#define IN_HANDSHAKE 40
#define IN_PROOF 300
#define BEHIND_GREETING 2000
#define BIG_BYTES 1000000

static struct mwt_process *start_hasty_slave(const struct farm *farm, const char *port)
{
    return mwt_run_program(farm->crew, MWT_FARM, "--mw-slave", "--mw-resource-file",
                           mwt_path(farm->crew, "farm.rsc"), "--mw-master-host", "127.0.0.1",
                           "--mw-master-port", port, "--mw-connect-timeout", "1.5", NULL);
}

/* Starts a slave whose bytes this way are held from this place on, and waits for that. */
static struct mwt_process *start_held(const struct farm *farm, struct mwt_relay *relay,
                                      enum mwt_way way, size_t at)
{
    size_t faults_count = mwt_relay_count(relay, MWT_RELAY_MEDDLED);
    mwt_relay_meddle(relay, (struct mwt_meddling){MWT_FAULT_HOLD, way, at, 0});
    struct mwt_process *slave = start_hasty_slave(farm, mwt_relay_port(relay));
    mwt_relay_await(relay, MWT_RELAY_MEDDLED, faults_count + 1);
    return slave;
}

/* Slaves are killed in their first flight and in their proof: the master never saw a slave. */
static void test_slave_killed_in_handshake(void)
{
    static const size_t places[] = {0, IN_HANDSHAKE, IN_PROOF};
    struct farm farm;
    begin_farm(&farm);
    struct mwt_relay *relay = mwt_relay_create(farm.port);

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct mwt_process *slave = start_held(&farm, relay, MWT_UP, places[i]);
        mwt_kill(slave, SIGKILL);
        CU_ASSERT_EQUAL(mwt_await_end(slave), -SIGKILL);
        mwt_await_line(farm.master, MWT_ERR, "turned away");
    }

    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm.master, MWT_ERR), "NEW-CLIENT"), 0);
    mwt_relay_destroy(relay);
    end_farm(&farm, 0);
}

/* A slave is killed when half of a large result has passed: another slave does the task. */
static void test_slave_killed_in_frame(void)
{
    struct farm farm;
    begin_farm_of(&farm, MWT_ARGV("big:1000000", TASKS));
    struct mwt_relay *relay = mwt_relay_create(farm.port);

    struct mwt_process *slave = start_held(&farm, relay, MWT_UP, BIG_BYTES / 2);
    mwt_kill(slave, SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(slave), -SIGKILL);
    mwt_await_line(farm.master, MWT_ERR, "was lost");

    mwt_relay_destroy(relay);
    end_farm(&farm, 1);
}

/* A master is killed when `place` bytes from it have passed: the slave ends, and says why. */
static void check_master_killed(const char *tasks, size_t place, const char *sentence)
{
    struct farm farm;
    begin_farm_of(&farm, MWT_ARGV("echo", tasks));
    struct mwt_relay *relay = mwt_relay_create(farm.port);

    struct mwt_process *slave = start_held(&farm, relay, MWT_DOWN, place);
    mwt_kill(farm.master, SIGKILL);

    CU_ASSERT_EQUAL(mwt_await_end(farm.master), -SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
    check_said(slave, sentence);
    mwt_relay_destroy(relay);
    mwt_crew_destroy(farm.crew);
}

/* A master is killed in the handshake: the slave looks on, and gives up in time. */
static void test_master_killed_in_handshake(void)
{
    check_master_killed(TASKS, IN_HANDSHAKE,
                        "\nmwt_farm: no master accepted this slave within --mw-connect-timeout");
}

/* A master is killed while a frame passes: the slave says that the master is gone. */
static void test_master_killed_in_frame(void)
{
    check_master_killed("10000", BEHIND_GREETING, "mwt_farm: the master is gone");
}

/* The handshakes of two slaves come to a halt, one of them because the slave is stopped. The master
 * gives them up after some time. Both slaves come again and are let in. A third slave calls an end
 * that never answers: it gives up, too, and calls again. */
static void test_halted_handshakes(void)
{
    struct farm farm;
    begin_farm_of(&farm, MWT_ARGV("gate:0", TASKS));
    struct mwt_process *keeper = start_keeper(farm.crew);
    struct mwt_relay *relay = mwt_relay_create(farm.port);
    mwt_relay_meddle(relay, (struct mwt_meddling){MWT_FAULT_HOLD, MWT_DOWN, IN_HANDSHAKE, 0});
    struct mwt_process *stopped = start_slave_at(farm.crew, mwt_relay_port(relay));
    struct mwt_process *held = start_slave_at(farm.crew, mwt_relay_port(relay));
    mwt_relay_await(relay, MWT_RELAY_MEDDLED, 2);
    const char *port;
    int listen_fd = listen_anywhere(farm.crew, &port);
    struct mwt_process *led = start_slave_at(farm.crew, port);
    int silent_fd = take_call(listen_fd);

    mwt_kill(stopped, SIGSTOP);
    mwt_relay_meddle(relay, (struct mwt_meddling){.fault = MWT_FAULT_NONE});
    for (int i = 0; i < 2; i++)
        mwt_await_line(farm.master, MWT_ERR, "turned away");
    mwt_kill(stopped, SIGCONT);
    mwt_await_line(stopped, MWT_ERR, "MASTER -> ID SLAVE-");
    mwt_await_line(held, MWT_ERR, "MASTER -> ID SLAVE-");
    close(take_call(listen_fd));
    mwt_kill(led, SIGTERM);
    open_gate(farm.crew);

    check_done(farm.crew, farm.master, TASKS_COUNT);
    CU_ASSERT_EQUAL(mwt_await_end(keeper), 0);
    CU_ASSERT_EQUAL(mwt_await_end(stopped), 0);
    CU_ASSERT_EQUAL(mwt_await_end(held), 0);
    CU_ASSERT_EQUAL(mwt_await_end(led), 255);
    check_said(led, "the other end did not prove the key in time");
    close(silent_fd);
    close(listen_fd);
    CU_ASSERT_EQUAL(slaves_seen(farm.master), 3);
    mwt_relay_destroy(relay);
    mwt_crew_destroy(farm.crew);
}

/* A slave that does not encrypt calls a master that does: it learns why it is not let in. */
static void test_plain_slave(void)
{
    struct farm farm;
    begin_farm(&farm);

    struct mwt_process *slave = mwt_run_program(farm.crew, MWT_FARM, "--mw-slave", "--mw-insecure",
                                                "--mw-master-host", "127.0.0.1", "--mw-master-port",
                                                farm.port, "--mw-member-id", MEMBER_ID, NULL);

    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
    check_said(slave, "\nmwt_farm: the master refused this slave: ");
    CU_ASSERT(mwt_count(mwt_output(slave, MWT_ERR), "--mw-insecure") > 0);
    mwt_await_line(farm.master, MWT_ERR, "turned away");
    CU_ASSERT_EQUAL(mwt_count(mwt_output(farm.master, MWT_ERR), "NEW-CLIENT"), 0);
    end_farm(&farm, 0);
}

/* A slave that encrypts calls a master that does not, by its address and by its resource file: it
 * sends nothing that can be read, and does not join. */
static void test_plain_master(void)
{
    struct farm farm = {.crew = mwt_crew_create()};
    write_key_file(&farm);
    farm.master = start_master(
        farm.crew, MWT_ARGV("--mw-insecure", "--mw-member-id", MEMBER_ID, "echo", TASKS));
    struct mwt_relay *relay = mwt_relay_create(await_port(farm.crew, farm.master));

    struct mwt_process *by_address =
        mwt_run_program(farm.crew, MWT_FARM, "--mw-slave", "--mw-master-host", "127.0.0.1",
                        "--mw-master-port", mwt_relay_port(relay), "--mw-member-id", MEMBER_ID,
                        "--mw-key-file", farm.key_file, "--mw-connect-timeout", "1.5", NULL);
    struct mwt_process *by_file =
        mwt_run_program(farm.crew, MWT_FARM, "--mw-slave", "--mw-resource-file",
                        mwt_path(farm.crew, "farm.rsc"), "--mw-connect-timeout", "1.5", NULL);

    CU_ASSERT_EQUAL(mwt_await_end(by_address), 255);
    CU_ASSERT_EQUAL(mwt_await_end(by_file), 255);
    check_said(by_file, "--mw-insecure");
    check_said(by_address, "--mw-insecure");
    CU_ASSERT_FALSE(mwt_relay_has_seen(relay, MEMBER_ID));
    CU_ASSERT_EQUAL(slaves_seen(farm.master), 0);
    mwt_kill(farm.master, SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(farm.master), 128 + SIGTERM);
    mwt_relay_destroy(relay);
    mwt_crew_destroy(farm.crew);
}

#ifdef MWT_MPIEXEC
/* A farm of MPI ranks and a slave over TCP, whose connection nobody can read. */
static void test_mixed_farm(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *farm = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_MPIEXEC, "-n", "2", MWT_FARM,
                                                   "--mw-transport", "mpi,tcp", "--mw-master-host",
                                                   "127.0.0.1", "--mw-resource-file",
                                                   mwt_path(crew, "farm.rsc"), "gate:0", TASKS),
                                  .environment = MWT_ARGV(PLAIN_CRASHES)});
    const char *line = mwt_await_line(farm, MWT_ERR, "MASTER READY 127.0.0.1:");
    const char *port = mwt_format(crew, "%s", line == NULL ? "1" : strrchr(line, ':') + 1);
    struct mwt_relay *relay = mwt_relay_create(port);

    struct mwt_process *slave = start_slave_at(crew, mwt_relay_port(relay));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    mwt_await_line(farm, MWT_OUT, "farm: 10 done, 0 failed, 0 unrunnable, 0 lost or wrong");
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    CU_ASSERT_FALSE(mwt_relay_has_seen(relay, "descriptors_of_child"));
    mwt_relay_destroy(relay);
    mwt_crew_destroy(crew);
}
#endif

int main(void)
{
    CU_TestInfo tests[] = {
        {"slave killed in the handshake", test_slave_killed_in_handshake},
        {"slave killed in a frame", test_slave_killed_in_frame},
        {"master killed in the handshake", test_master_killed_in_handshake},
        {"master killed in a frame", test_master_killed_in_frame},
        {"halted handshakes", test_halted_handshakes},
        {"plain slave", test_plain_slave},
        {"plain master", test_plain_master},
#ifdef MWT_MPIEXEC
        {"mixed farm", test_mixed_farm},
#endif
        CU_TEST_INFO_NULL,
    };
    return mwt_run("security ends", tests);
}
