/* SPDX-License-Identifier: Apache-2.0
 *
 * Peers of the tests' own making at the port of a real master: with another key, with none, with
 * other versions of TLS or of the protocol, with bytes that somebody has recorded. None becomes a
 * client, each is told nothing, and the farm does its work.
 */
#include <signal.h>
#include <string.h>

#include <mw/version.h>

#include "mwt_relay.h"
#include "mwt_run.h"
#include "secure_farm.h"

#define RECORD_BYTES_MAX 65536
#define FLIPS_COUNT 64

/* Whether somebody with this key, who speaks TLS in these ways, can prove it to the master. */
static bool can_prove(const struct farm *farm, const struct mwt_tls_key *key,
                      const struct mwt_tls_ways *ways)
{
    static const unsigned char goodbye[] = {0, 0, 0, 6, 0x92, 7, 0xa3, 'b', 'y', 'e'};
    unsigned char byte;
    int fd = call_port(farm->port);
    SSL *ssl = mwt_tls_open(fd, false, key, ways);
    bool has_proved = mwt_tls_greet(ssl);
    /* A client of TLS 1.3 is ready before the server has seen its proof. */
    if (has_proved) {
        unsigned char hello[256];
        size_t size = write_hello(hello, MW_PROTOCOL_VERSION, key == NULL ? "" : key->member_id);
        has_proved = SSL_write(ssl, hello, (int)size) == (int)size && SSL_read(ssl, &byte, 1) == 1;
        /* A slave that leaves politely costs its task no attempt. */
        SSL_write(ssl, goodbye, sizeof goodbye);
    }
    mwt_tls_close(ssl);
    close(fd);
    return has_proved;
}

static unsigned clients_seen(const struct farm *farm)
{
    return mwt_count(mwt_output(farm->master, MWT_ERR), "NEW-CLIENT -> ");
}

/* Waits until the master has turned away one more stranger. */
static void await_stranger(const struct farm *farm)
{
    mwt_await_line(farm->master, MWT_ERR, "turned away");
}

/* A client that holds a key of the farm is let in. Otherwise the other cases would prove
 * nothing. */
static void test_friends(void)
{
    struct farm farm;
    begin_farm(&farm);
    const struct mwt_tls_ways other_group = {.groups = "P-256"};

    CU_ASSERT_TRUE(can_prove(&farm, &farm.key, NULL));
    CU_ASSERT_TRUE(can_prove(&farm, &farm.user_key, NULL));
    CU_ASSERT_TRUE(can_prove(&farm, &farm.key, &other_group));

    end_farm(&farm, 3);
}

/* Another key of the same name, a key of another name, the right key for another farm, a key of
 * zeros, and no key. */
static void test_wrong_keys(void)
{
    struct farm farm;
    begin_farm(&farm);
    struct mwt_tls_key other = farm.key, unknown = farm.key, elsewhere = farm.key, zeros = farm.key;
    other.bytes[0] ^= 1;
    unknown.name = "farm:00000000000000000000000000000000";
    elsewhere.member_id = "another-farm";
    memset(zeros.bytes, 0, sizeof zeros.bytes);
    const struct mwt_tls_key *const keys[] = {&other, &unknown, &elsewhere, &zeros, NULL};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        CU_ASSERT_FALSE(can_prove(&farm, keys[i], NULL));
        await_stranger(&farm);
    }

    CU_ASSERT_EQUAL(clients_seen(&farm), 0);
    end_farm(&farm, 0);
}

/* The right key, in ways that are not good enough. */
static void test_wrong_ways(void)
{
    static const struct mwt_tls_ways ways[] = {
        {.version = TLS1_2_VERSION}, {.version = TLS1_1_VERSION}, {.groups = "P-521"}};
    struct farm farm;
    begin_farm(&farm);

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        CU_ASSERT_FALSE(can_prove(&farm, &farm.key, &ways[i]));
        await_stranger(&farm);
    }

    CU_ASSERT_EQUAL(clients_seen(&farm), 0);
    end_farm(&farm, 0);
}

/* A client may offer to prove the key without a key exchange: the master makes one nevertheless,
 * without which a key that is stolen later would open what was recorded. */
static void test_forward_secrecy(void)
{
    static const struct mwt_tls_ways without_dh = {.has_no_dh = true};
    struct farm farm;
    begin_farm(&farm);

    int fd = call_port(farm.port);
    SSL *ssl = mwt_tls_open(fd, false, &farm.key, &without_dh);

    CU_ASSERT_TRUE(mwt_tls_greet(ssl));
    CU_ASSERT_EQUAL(SSL_get_negotiated_group(ssl), NID_X25519);
    mwt_tls_close(ssl);
    close(fd);
    end_farm(&farm, 0);
}

/* Sends the first flight of a client with this key. Returns the size of the answer up to the end of
 * the connection. */
static size_t answer_to(const struct farm *farm, const struct mwt_tls_key *key,
                        unsigned char answer[RECORD_BYTES_MAX])
{
    unsigned char flight[RECORD_BYTES_MAX];
    SSL *ssl = mwt_tls_open_apart(key, NULL);
    size_t size = mwt_tls_say(ssl, flight, sizeof flight);
    int fd = call_port(farm->port);
    say(fd, flight, size);
    mwt_tls_close(ssl);
    return hear_all(fd, answer, RECORD_BYTES_MAX);
}

/* The master's answer does not tell a key that it does not know from a wrong one. */
static void test_no_oracle(void)
{
    struct farm farm;
    begin_farm(&farm);
    unsigned char first[RECORD_BYTES_MAX], second[RECORD_BYTES_MAX];
    struct mwt_tls_key other = farm.key, unknown = farm.key;
    other.bytes[31] ^= 0x80;
    unknown.name = "key:fedcba9876543210";

    size_t first_size = answer_to(&farm, &other, first);
    size_t second_size = answer_to(&farm, &unknown, second);

    CU_ASSERT_EQUAL(first_size, second_size);
    CU_ASSERT(first_size <= 7 && memcmp(first, second, second_size) == 0);
    end_farm(&farm, 0);
}

/* openssl's own client proves the key, and does not with another. */
static int run_s_client(const struct farm *farm, const struct mwt_tls_key *key, const char *version)
{
    unsigned char secret[MWT_TLS_KEY_BYTES];
    char digits[2 * MWT_TLS_KEY_BYTES + 1];
    mwt_tls_derive(key, secret);
    for (size_t i = 0; i < sizeof secret; i++)
        snprintf(digits + 2 * i, 3, "%02x", secret[i]);
    struct mwt_process *client = mwt_run_program(
        farm->crew, "openssl", "s_client", "-connect",
        mwt_format(farm->crew, "127.0.0.1:%s", farm->port), version, "-psk_identity", key->name,
        "-psk", digits, "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-no_ign_eof", NULL);
    return mwt_await_end(client);
}

static void test_s_client(void)
{
    struct farm farm;
    begin_farm(&farm);
    struct mwt_tls_key other = farm.key;
    other.bytes[7] ^= 4;

    CU_ASSERT_EQUAL(run_s_client(&farm, &farm.key, "-tls1_3"), 0);
    mwt_await_line(farm.master, MWT_ERR, "NEW-CLIENT -> ");
    CU_ASSERT_NOT_EQUAL(run_s_client(&farm, &other, "-tls1_3"), 0);
    await_stranger(&farm);
    CU_ASSERT_NOT_EQUAL(run_s_client(&farm, &farm.key, "-tls1_2"), 0);
    await_stranger(&farm);

    CU_ASSERT_EQUAL(clients_seen(&farm), 1);
    end_farm(&farm, 0);
}

/* Python's client, which knows certificates only, in all versions of TLS that it has. */
static void test_python(void)
{
    static const char script[] =
        "import socket, ssl, sys\n"
        "context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"
        "context.check_hostname = False\n"
        "context.verify_mode = ssl.CERT_NONE\n"
        "context.maximum_version = getattr(ssl.TLSVersion, sys.argv[2])\n"
        "with socket.create_connection(('127.0.0.1', int(sys.argv[1])), 60) as plain:\n"
        "    try:\n"
        "        with context.wrap_socket(plain) as end:\n"
        "            print('connected', end.recv(1))\n"
        "    except (ssl.SSLError, OSError) as error:\n"
        "        print('refused', error)\n";
    static const char *const versions[] = {"TLSv1_2", "TLSv1_3"};
    struct farm farm;
    begin_farm(&farm);

    for (size_t i = 0; i < 2; i++) {
        struct mwt_process *client =
            mwt_run_program(farm.crew, "python3", "-c", script, farm.port, versions[i], NULL);
        CU_ASSERT_EQUAL(mwt_await_end(client), 0);
        mwt_await_line(client, MWT_OUT, "refused");
        await_stranger(&farm);
    }

    CU_ASSERT_EQUAL(clients_seen(&farm), 0);
    end_farm(&farm, 0);
}

/* Slaves of old versions, which speak unencrypted, get one sentence for their users, and the
 * connection ends. */
static void test_plain_slaves(void)
{
    struct farm farm;
    begin_farm(&farm);

    for (int version = 1; version <= 5; version++) {
        unsigned char hello[256], answer[1024];
        size_t size = write_hello(hello, version, MEMBER_ID);
        int fd = call_port(farm.port);
        say(fd, hello, size);
        size_t heard = hear_all(fd, answer, sizeof answer - 1);
        await_stranger(&farm);

        /* A frame of an array of REFUSE and a string. */
        CU_ASSERT(heard > 10 && answer[0] == 0 && answer[1] == 0 && heard < 300);
        CU_ASSERT_EQUAL(((size_t)answer[2] << 8) + answer[3] + 4, heard);
        CU_ASSERT_EQUAL(memcmp(answer + 4, "\x92\x03", 2), 0);
        answer[heard] = '\0';
        CU_ASSERT_PTR_NOT_NULL(memmem(answer, heard, "--mw-insecure", 13));
        CU_ASSERT_PTR_NULL(memmem(answer, heard, MEMBER_ID, strlen(MEMBER_ID)));
    }

    CU_ASSERT_EQUAL(clients_seen(&farm), 0);
    end_farm(&farm, 0);
}

/* Peers of other protocols are told nothing. */
static void test_other_protocols(void)
{
    static const char *const greetings[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                            "SSH-2.0-OpenSSH_9.2\r\n", "\x80\x2e\x01\x03\x01",
                                            "\xff\xff\xff\xff\xff\xff", "EHLO a\r\n"};
    struct farm farm;
    begin_farm(&farm);

    for (size_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++) {
        unsigned char answer[64];
        int fd = call_port(farm.port);
        say(fd, greetings[i], strlen(greetings[i]));
        CU_ASSERT(hear_all(fd, answer, sizeof answer) <= 7);
        await_stranger(&farm);
    }

    CU_ASSERT_EQUAL(clients_seen(&farm), 0);
    end_farm(&farm, 0);
}

/* The bytes of a client that holds the key: its first flight, its second, and a greeting. The
 * second goes to a new connection, whose first has gone there whole. */
static SSL *begin_client(const struct farm *farm, int *fd, unsigned char *bytes, size_t *size)
{
    unsigned char answer[RECORD_BYTES_MAX];
    SSL *ssl = mwt_tls_open_apart(&farm->key, NULL);
    *size = mwt_tls_say(ssl, bytes, RECORD_BYTES_MAX);
    if (fd == NULL)
        return ssl;
    *fd = call_port(farm->port);
    say(*fd, bytes, *size);
    while (!SSL_is_init_finished(ssl)) {
        ssize_t got = recv(*fd, answer, sizeof answer, 0);
        if (got <= 0)
            break;
        mwt_tls_hear(ssl, answer, (size_t)got);
    }
    unsigned char hello[256];
    size_t hello_size = write_hello(hello, MW_PROTOCOL_VERSION, MEMBER_ID);
    CU_ASSERT_EQUAL(SSL_write(ssl, hello, (int)hello_size), (int)hello_size);
    *size = mwt_tls_say(ssl, bytes, RECORD_BYTES_MAX);
    return ssl;
}

/* A client ends after each number of bytes of its first flight. */
static void test_first_flight_cut(void)
{
    unsigned char flight[RECORD_BYTES_MAX], answer[RECORD_BYTES_MAX];
    size_t size;
    struct farm farm;
    begin_farm(&farm);
    SSL *ssl = begin_client(&farm, NULL, flight, &size);

    for (size_t i = 1; i < size; i++) {
        int fd = call_port(farm.port);
        say(fd, flight, i);
        shutdown(fd, SHUT_WR);
        CU_ASSERT(hear_all(fd, answer, sizeof answer) <= 7);
    }

    CU_ASSERT_EQUAL(clients_seen(&farm), 0);
    mwt_tls_close(ssl);
    end_farm(&farm, 0);
}

/* A client ends after each number of bytes of its proof and its greeting: it is a slave only if all
 * of them came. */
static void test_second_flight_cut(void)
{
    unsigned char flight[RECORD_BYTES_MAX], answer[RECORD_BYTES_MAX];
    size_t size = 2;
    struct farm farm;
    begin_farm(&farm);

    for (size_t i = 0; i < size; i++) {
        int fd;
        SSL *ssl = begin_client(&farm, &fd, flight, &size);
        say(fd, flight, i);
        shutdown(fd, SHUT_WR);
        hear_all(fd, answer, sizeof answer);
        mwt_tls_close(ssl);
    }

    end_farm(&farm, 0);
}

/* A bit is changed on the way, in the first flight or in the proof: nobody gets in. The version in
 * the head of a first record counts for nothing in TLS 1.3. */
static void test_flipped_bits(void)
{
    unsigned char flight[RECORD_BYTES_MAX], answer[RECORD_BYTES_MAX];
    size_t first_size, second_size, answer_size;
    struct farm farm;
    begin_farm(&farm);
    SSL *ssl = begin_client(&farm, NULL, flight, &first_size);
    mwt_tls_close(ssl);

    for (size_t i = 0; i < FLIPS_COUNT; i++) {
        ssl = begin_client(&farm, NULL, flight, &first_size);
        size_t at = 5 + i * (first_size - 5) / FLIPS_COUNT;
        flight[at] ^= 1;
        int fd = call_port(farm.port);
        say(fd, flight, first_size);
        shutdown(fd, SHUT_WR);
        answer_size = hear_all(fd, answer, sizeof answer);
        CU_ASSERT(answer_size <= 7);
        mwt_tls_close(ssl);
    }
    for (size_t i = 0; i < FLIPS_COUNT; i++) {
        int fd;
        ssl = begin_client(&farm, &fd, flight, &second_size);
        flight[i * second_size / FLIPS_COUNT] ^= 0x10;
        say(fd, flight, second_size);
        shutdown(fd, SHUT_WR);
        hear_all(fd, answer, sizeof answer);
        mwt_tls_close(ssl);
    }

    end_farm(&farm, 0);
}

/* Says recorded bytes of a connection again, up to `size` of them. */
static void replay(const struct farm *farm, const unsigned char *bytes, size_t size)
{
    unsigned char answer[64];
    int fd = call_port(farm->port);
    say(fd, bytes, size);
    shutdown(fd, SHUT_WR);
    hear_all(fd, answer, sizeof answer);
    await_stranger(farm);
}

/* The bytes of an honest slave that did tasks are sent again, its first flight alone and all of
 * them, while the farm works: no slave comes of it, and no task runs or ends twice. */
static void test_replay(void)
{
    size_t size;
    struct farm farm;
    begin_farm_of(&farm, MWT_ARGV("gate:0", TASKS));
    struct mwt_process *keeper = start_keeper(farm.crew);
    struct mwt_relay *relay = mwt_relay_create(farm.port);
    struct mwt_process *slave = start_slave_at(farm.crew, mwt_relay_port(relay));
    mwt_await_line(farm.master, MWT_OUT, "done by SLAVE-1");

    unsigned char *bytes = mwt_relay_record(relay, 0, MWT_UP, &size);
    CU_ASSERT_FATAL(size > 5);
    replay(&farm, bytes, 5 + ((size_t)bytes[3] << 8) + bytes[4]);
    replay(&farm, bytes, size);
    open_gate(farm.crew);

    check_done(farm.crew, farm.master, TASKS_COUNT);
    CU_ASSERT_EQUAL(mwt_await_end(keeper), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    CU_ASSERT_EQUAL(clients_seen(&farm), 2);
    CU_ASSERT_EQUAL(slaves_seen(farm.master), 2);
    free(bytes);
    mwt_relay_destroy(relay);
    mwt_crew_destroy(farm.crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"friends", test_friends},
        {"wrong keys", test_wrong_keys},
        {"wrong ways", test_wrong_ways},
        {"forward secrecy", test_forward_secrecy},
        {"no oracle", test_no_oracle},
        {"s_client", test_s_client},
        {"python", test_python},
        {"plain slaves", test_plain_slaves},
        {"other protocols", test_other_protocols},
        {"first flight cut", test_first_flight_cut},
        {"second flight cut", test_second_flight_cut},
        {"flipped bits", test_flipped_bits},
        {"replay", test_replay},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("security peers", tests);
}
