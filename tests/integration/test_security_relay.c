/* SPDX-License-Identifier: Apache-2.0
 *
 * Somebody without a key between honest slaves and their masters: he reads, changes, cuts, repeats
 * and turns round what passes, leads slaves elsewhere, and poses as their master. He learns and
 * changes nothing, and farms do their work.
 */
#include <signal.h>
#include <string.h>

#include "mwt_proc.h"
#include "mwt_relay.h"
#include "mwt_run.h"
#include "secure_farm.h"

#define SECRET "a-secret-that-only-the-farm-knows"

/* Starts a slave without a resource file, which has the key of a key file, and gives up soon. */
static struct mwt_process *start_slave_with_key(const struct farm *farm, const char *port)
{
    return mwt_run_program(farm->crew, MWT_FARM, "--mw-slave", "--mw-master-host", "127.0.0.1",
                           "--mw-master-port", port, "--mw-member-id", MEMBER_ID, "--mw-key-file",
                           farm->key_file, "--mw-connect-timeout", "1", NULL);
}

/* A slave that never finds a master, though somebody posed as one. */
static void check_found_nobody(struct mwt_process *slave)
{
    CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
    check_said(slave, "\nmwt_farm: no master accepted this slave within --mw-connect-timeout");
    CU_ASSERT_EQUAL(mwt_count(mwt_output(slave, MWT_ERR), "MASTER -> ID"), 0);
}

static void read_boot_id(char boot_id[64])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL || fgets(boot_id, 64, file) == NULL)
        strcpy(boot_id, "no boot id");
    boot_id[strcspn(boot_id, "\n")] = '\0';
    if (file != NULL)
        fclose(file);
}

/* Checks whether the texts of a farm can be read at the relay. Both sides get the option, unless it
 * is NULL. */
static void check_readable(const char *option, bool can_be_read)
{
    char boot_id[64];
    const char *const texts[] = {MEMBER_ID, SECRET, boot_id, "descriptors_of_child"};
    struct mwt_crew *crew = mwt_crew_create();
    read_boot_id(boot_id);
    struct mwt_process *master =
        start_master(crew, MWT_ARGV("command", TASKS, "--mw-member-id", MEMBER_ID, option));
    struct mwt_relay *relay = mwt_relay_create(await_port(crew, master));

    struct mwt_process *slave = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                   mwt_path(crew, "farm.rsc"), "--mw-master-host",
                                                   "127.0.0.1", "--mw-master-port",
                                                   mwt_relay_port(relay), option),
                                  .environment = MWT_ARGV("FARM_COMMAND=echo " SECRET)});

    check_done(crew, master, TASKS_COUNT);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_OUT), SECRET), TASKS_COUNT);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CU_ASSERT_EQUAL(mwt_relay_has_seen(relay, texts[i]), can_be_read);
    mwt_relay_destroy(relay);
    mwt_crew_destroy(crew);
}

/* Arguments, results, names of algorithms, hosts and the member id can be read on the network only
 * if both sides ask for that. */
static void test_nothing_to_read(void)
{
    check_readable("--mw-insecure", true);
    check_readable(NULL, false);
}

/* Bytes come one by one. */
static void test_single_bytes(void)
{
    struct farm farm;
    begin_farm(&farm);
    struct mwt_relay *relay = mwt_relay_create(farm.port);
    mwt_relay_meddle(relay, (struct mwt_meddling){.piece_size = 1});

    struct mwt_process *slave = start_slave_at(farm.crew, mwt_relay_port(relay));

    check_done(farm.crew, farm.master, TASKS_COUNT);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    mwt_relay_destroy(relay);
    mwt_crew_destroy(farm.crew);
}

/* The connections of some slaves are meddled with, each once and at another place. The slaves that
 * have greeted are lost, or wait for bytes that somebody keeps from them, as long as he likes: so
 * they are killed. The farm is done by others, and nothing is wrong. */
static void check_meddling(enum mwt_fault fault, enum mwt_way way)
{
    static const size_t places[] = {0, 1, 4, 5, 9, 43, 120, 200, 265, 280, 330, 400, 500, 700};
    enum { SLAVES_COUNT = sizeof places / sizeof places[0] };
    struct mwt_process *slaves[SLAVES_COUNT];
    struct farm farm;
    begin_farm_of(&farm, MWT_ARGV("gate:0", "200", "100"));
    struct mwt_process *keeper = start_keeper(farm.crew);
    struct mwt_relay *relay = mwt_relay_create(farm.port);

    for (size_t i = 0; i < SLAVES_COUNT; i++) {
        mwt_relay_meddle(relay, (struct mwt_meddling){fault, way, places[i], 0});
        size_t connections_count = mwt_relay_count(relay, MWT_RELAY_CONNECTIONS);
        slaves[i] = start_slave_at(farm.crew, mwt_relay_port(relay));
        mwt_relay_await(relay, MWT_RELAY_CONNECTIONS, connections_count + 1);
        mwt_relay_meddle(relay, (struct mwt_meddling){.fault = MWT_FAULT_NONE});
    }
    mwt_await_line(farm.master, MWT_OUT, "done by");
    for (size_t i = 0; i < SLAVES_COUNT; i++) {
        mwt_kill(slaves[i], SIGKILL);
        CU_ASSERT_NOT_EQUAL(mwt_await_end(slaves[i]), MWT_NO_STATUS);
    }
    open_gate(farm.crew);

    check_done(farm.crew, farm.master, 200);
    CU_ASSERT_EQUAL(mwt_await_end(keeper), 0);
    mwt_relay_destroy(relay);
    mwt_crew_destroy(farm.crew);
}

static void test_meddling(void)
{
    static const enum mwt_fault faults[] = {MWT_FAULT_CUT, MWT_FAULT_FLIP, MWT_FAULT_DROP,
                                            MWT_FAULT_TWICE, MWT_FAULT_REFLECT};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        for (size_t j = 0; j < 2; j++)
            check_meddling(faults[i], (enum mwt_way)j);
}

/* A slave is led back to itself: it does not take its own proof for a master's. */
static void test_reflection(void)
{
    struct farm farm;
    begin_farm(&farm);
    struct mwt_relay *relay = mwt_relay_create(farm.port);
    mwt_relay_meddle(relay, (struct mwt_meddling){MWT_FAULT_REFLECT, MWT_UP, 0, 0});

    struct mwt_process *slave = start_slave_with_key(&farm, mwt_relay_port(relay));

    check_found_nobody(slave);
    mwt_relay_destroy(relay);
    end_farm(&farm, 0);
}

/* A slave is led to the master of another farm of the same user, who takes the same key file.
 * Neither side takes the other for its own. */
static void test_another_farm(void)
{
    struct farm farm;
    begin_farm(&farm);
    struct mwt_process *other = mwt_run_program(
        farm.crew, MWT_FARM, "--mw-master", "--mw-master-host", "127.0.0.1", "--mw-member-id",
        "another-farm", "--mw-key-file", farm.key_file, "echo", TASKS, NULL);
    struct mwt_relay *relay = mwt_relay_create(await_port(farm.crew, other));

    struct mwt_process *with_key = start_slave_with_key(&farm, mwt_relay_port(relay));
    struct mwt_process *with_file = mwt_run_program(
        farm.crew, MWT_FARM, "--mw-slave", "--mw-resource-file", mwt_path(farm.crew, "farm.rsc"),
        "--mw-master-host", "127.0.0.1", "--mw-master-port", mwt_relay_port(relay),
        "--mw-connect-timeout", "1", NULL);

    check_found_nobody(with_key);
    check_found_nobody(with_file);
    mwt_await_line(other, MWT_ERR, "turned away");
    CU_ASSERT_EQUAL(mwt_count(mwt_output(other, MWT_ERR), "NEW-CLIENT"), 0);
    mwt_kill(other, SIGTERM);
    mwt_await_end(other);
    mwt_relay_destroy(relay);
    end_farm(&farm, 0);
}

/* A slave calls somebody who poses as its master and answers in this way. He hears the beginning of
 * a handshake, and no more. */
static void check_impostor(struct farm *farm, void (*answer)(int fd, const struct farm *farm))
{
    const char *port;
    int listen_fd = listen_anywhere(farm->crew, &port);
    struct mwt_process *slave = start_slave_with_key(farm, port);
    struct pollfd call = {.fd = listen_fd, .events = POLLIN};
    /* A process that has ended has no memory, though nobody has waited for it yet. */
    while (mwt_proc_status(mwt_pid(slave), "VmHWM") >= 0) {
        unsigned char first = 0;
        if (poll(&call, 1, 50) <= 0)
            continue;
        int fd = take_call(listen_fd);
        CU_ASSERT(recv(fd, &first, 1, MSG_PEEK) == 1 && first == 0x16);
        answer(fd, farm);
        close(fd);
    }
    close(listen_fd);
    check_found_nobody(slave);
}

static void greet_falsely(int fd, const struct mwt_tls_key *key, const struct mwt_tls_ways *ways)
{
    unsigned char byte;
    SSL *ssl = mwt_tls_open(fd, true, key, ways);
    CU_ASSERT_FALSE(mwt_tls_greet(ssl) && SSL_read(ssl, &byte, 1) == 1);
    mwt_tls_close(ssl);
}

/* It shows a certificate that it has signed itself, and passes the key over. */
static void show_certificate(int fd, const struct farm *farm)
{
    (void)farm;
    greet_falsely(fd, NULL, &(struct mwt_tls_ways){.has_certificate = true});
}

static void prove_another_key(int fd, const struct farm *farm)
{
    struct mwt_tls_key other = farm->user_key;
    other.bytes[3] ^= 8;
    greet_falsely(fd, &other, NULL);
}

static void prove_for_another_farm(int fd, const struct farm *farm)
{
    struct mwt_tls_key other = farm->user_key;
    other.member_id = "another-farm";
    greet_falsely(fd, &other, NULL);
}

static void speak_old_tls(int fd, const struct farm *farm)
{
    (void)farm;
    greet_falsely(fd, NULL,
                  &(struct mwt_tls_ways){.version = TLS1_2_VERSION, .has_certificate = true});
}

/* A WELCOME of a master that does not encrypt. */
static void welcome_plainly(int fd, const struct farm *farm)
{
    static const char welcome[] = "\0\0\0\x15\x95\x02\xa7SLAVE-0\0\xce\0\x10\0\0\xa4"
                                  "echo";
    (void)farm;
    say(fd, welcome, sizeof welcome - 1);
    shutdown(fd, SHUT_WR);
}

/* A REFUSE of such a master, whose text must not be shown. */
static void refuse_plainly(int fd, const struct farm *farm)
{
    static const char refuse[] = "\0\0\0\x13\x92\x03\xb0use --mw-insecure";
    (void)farm;
    say(fd, refuse, sizeof refuse - 1);
    shutdown(fd, SHUT_WR);
}

static void say_nothing(int fd, const struct farm *farm)
{
    (void)fd;
    (void)farm;
}

/* Somebody without the key poses as the master in many ways. */
static void test_impostors(void)
{
    static void (*const answers[])(int fd, const struct farm *farm) = {
        show_certificate, prove_another_key, prove_for_another_farm, speak_old_tls, welcome_plainly,
        refuse_plainly,   say_nothing};
    struct farm farm;
    begin_farm(&farm);

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        check_impostor(&farm, answers[i]);

    end_farm(&farm, 0);
}

/* The bytes of a master to one slave are played to another: it does nothing of what they say. */
static void test_replayed_master(void)
{
    struct farm farm;
    size_t size;
    begin_farm_of(&farm, MWT_ARGV("gate:0", TASKS));
    struct mwt_process *keeper = start_keeper(farm.crew);
    struct mwt_relay *relay = mwt_relay_create(farm.port);
    struct mwt_process *slave = start_slave_at(farm.crew, mwt_relay_port(relay));
    mwt_await_line(farm.master, MWT_OUT, "done by SLAVE-1");
    unsigned char *bytes = mwt_relay_record(relay, 0, MWT_DOWN, &size);
    const char *port;
    int listen_fd = listen_anywhere(farm.crew, &port);

    struct mwt_process *led = start_slave_with_key(&farm, port);
    int fd = take_call(listen_fd);
    say(fd, bytes, size);
    unsigned char heard[4096];
    close(listen_fd);
    CU_ASSERT(hear_all(fd, heard, sizeof heard) < sizeof heard);

    check_found_nobody(led);
    free(bytes);
    open_gate(farm.crew);
    check_done(farm.crew, farm.master, TASKS_COUNT);
    CU_ASSERT_EQUAL(mwt_await_end(keeper), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    mwt_relay_destroy(relay);
    mwt_crew_destroy(farm.crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"nothing to read", test_nothing_to_read},
        {"single bytes", test_single_bytes},
        {"meddling", test_meddling},
        {"reflection", test_reflection},
        {"another farm", test_another_farm},
        {"impostors", test_impostors},
        {"replayed master", test_replayed_master},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("security relay", tests);
}
