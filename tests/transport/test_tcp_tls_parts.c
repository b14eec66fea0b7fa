/* SPDX-License-Identifier: Apache-2.0
 *
 * Proofs between two ends in one process, without sockets; leases; and what an idle encrypted
 * connection takes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#ifdef MWT_COUNTS_MEMORY
#include "mwt_memory.h"
#endif
#include "lease.h"
#include "mwt_heap.h"
#include "mwt_run.h"
#include "proof.h"
#include "tcp_keys.h"
#include "tls.h"

/* Far more than any handshake takes. */
#define STEPS_MAX 20

/* ---- proofs ---- */

/* Shared by both ends of a test; holds the outcome of the last proof, too. */
struct bench {
    struct mwt_tcp_keys client_keys;
    struct mwt_tcp_keys server_keys;
    struct mwi_tcp_record_kit kit;
    struct mwi_tcp_proof_kit client_kit;
    struct mwi_tcp_proof_kit server_kit;
    bool is_client_done;
    bool is_server_done;
    char client_problem[256];
    char server_problem[256];
};

static void open_bench(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    mwt_tcp_keys_init(&bench->client_keys, 1);
    mwt_tcp_keys_init(&bench->server_keys, 1);
    CU_ASSERT_TRUE_FATAL(mwi_tcp_record_kit_init(&bench->kit));
    CU_ASSERT_TRUE_FATAL(
        mwi_tcp_proof_kit_init(&bench->client_kit, &bench->client_keys.environment, &bench->kit));
    CU_ASSERT_TRUE_FATAL(
        mwi_tcp_proof_kit_init(&bench->server_kit, &bench->server_keys.environment, &bench->kit));
}

static void close_bench(struct bench *bench)
{
    mwi_tcp_proof_kit_fini(&bench->client_kit);
    mwi_tcp_proof_kit_fini(&bench->server_kit);
    mwi_tcp_record_kit_fini(&bench->kit);
}

/* One end's step: takes what the other end has sent and leaves its own output. False if it ends. */
static bool step(struct mwi_tcp_proof *proof, unsigned char *bytes, size_t *size, size_t room,
                 bool *is_done, char *problem)
{
    enum mwi_tcp_proof_state state = mwi_tcp_proof_take(proof, bytes, *size);
    *size = mwi_tcp_proof_output(proof, bytes, room);
    *is_done = state == MWI_TCP_PROOF_DONE;
    if (state == MWI_TCP_PROOF_FAILED)
        snprintf(problem, 256, "%s", mwi_tcp_proof_problem(proof));
    return state != MWI_TCP_PROOF_FAILED;
}

static void run_proof(struct bench *bench, struct mwi_tcp_proof *client,
                      struct mwi_tcp_proof *server)
{
    unsigned char bytes[8192];
    size_t size = 0;
    bool goes_on = true;
    for (int i = 0; i < STEPS_MAX && goes_on; i++) {
        goes_on = bench->is_client_done || step(client, bytes, &size, sizeof bytes,
                                                &bench->is_client_done, bench->client_problem);
        if (goes_on)
            goes_on = step(server, bytes, &size, sizeof bytes, &bench->is_server_done,
                           bench->server_problem) &&
                      !bench->is_server_done;
    }
}

/* Makes both ends and lets them prove. False if one could not be made. */
static bool prove(struct bench *bench)
{
    struct mwi_tcp_proof *client = mwi_tcp_proof_begin(&bench->client_kit, false);
    struct mwi_tcp_proof *server = mwi_tcp_proof_begin(&bench->server_kit, true);
    struct mwi_tcp_record_key keys[2];
    bool has_both = client != NULL && server != NULL;
    bench->is_client_done = bench->is_server_done = false;
    bench->client_problem[0] = bench->server_problem[0] = '\0';
    if (has_both)
        run_proof(bench, client, server);
    if (bench->is_server_done && mwi_tcp_proof_make_keys(server, &keys[0], &keys[1])) {
        mwi_tcp_record_key_fini(&keys[0]);
        mwi_tcp_record_key_fini(&keys[1]);
    } else {
        bench->is_server_done = false;
    }
    mwi_tcp_proof_destroy(client);
    mwi_tcp_proof_destroy(server);
    return has_both;
}

/* Two ends that hold one key prove it, and one lookup is enough. */
static void test_proof(void)
{
    struct bench bench;
    open_bench(&bench);

    CU_ASSERT_TRUE(prove(&bench));

    CU_ASSERT_TRUE(bench.is_client_done && bench.is_server_done);
    CU_ASSERT_EQUAL(bench.server_keys.finds_count, 1);
    close_bench(&bench);
}

/* An end that has no key, or no function that would give one, fails with a sentence. */
static void test_no_key(void)
{
    struct bench bench;
    open_bench(&bench);
    bench.client_keys.has_key = false;
    CU_ASSERT_TRUE(prove(&bench));
    CU_ASSERT_STRING_EQUAL(bench.client_problem, "there is no key yet");

    bench.client_keys.environment.own_key = NULL;
    CU_ASSERT_TRUE(prove(&bench));
    CU_ASSERT_PTR_NOT_NULL(strstr(bench.client_problem, "no key"));

    mwt_tcp_keys_init(&bench.client_keys, 1);
    bench.server_keys.environment.find_key = NULL;
    CU_ASSERT_TRUE(prove(&bench));
    CU_ASSERT_STRING_EQUAL(bench.server_problem, "its key is not known here");
    CU_ASSERT_FALSE(bench.is_client_done || bench.is_server_done);
    close_bench(&bench);
}

/* A name that no key can have is not looked up. */
static void test_names(void)
{
    static const char *const names[] = {"", "a\nb", "a\x1b[2J", "caf\xc3\xa9", "\x7f"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct bench bench;
        open_bench(&bench);
        snprintf(bench.client_keys.key.name, sizeof bench.client_keys.key.name, "%s", names[i]);

        CU_ASSERT_TRUE(prove(&bench));

        CU_ASSERT_FALSE(bench.is_client_done || bench.is_server_done);
        CU_ASSERT_EQUAL(bench.server_keys.finds_count, 0);
        close_bench(&bench);
    }
}

/* Each end says why, in words of its own: another key of the name, another farm, another name. */
static void test_problems(void)
{
    struct bench bench;
    open_bench(&bench);
    bench.client_keys.key.bytes[31] ^= 1;
    CU_ASSERT_TRUE(prove(&bench));
    CU_ASSERT_STRING_EQUAL(bench.server_problem,
                           "it has another key of the same name, or another --mw-member-id");
    CU_ASSERT_FALSE(bench.is_client_done || bench.is_server_done);

    bench.client_keys.key.bytes[31] ^= 1;
    bench.client_keys.environment.farm = "another farm";
    CU_ASSERT_TRUE(prove(&bench));
    CU_ASSERT_STRING_EQUAL(bench.server_problem,
                           "it has another key of the same name, or another --mw-member-id");

    bench.client_keys.environment.farm = bench.server_keys.environment.farm;
    bench.client_keys.key.name[0] = 'K';
    CU_ASSERT_TRUE(prove(&bench));
    CU_ASSERT_STRING_EQUAL(bench.server_problem, "its key is not known here");
    CU_ASSERT_FALSE(bench.is_client_done || bench.is_server_done);
    close_bench(&bench);
}

#ifdef MWT_COUNTS_MEMORY
/* Of the test that repeats; its work gets no argument. */
static struct bench *memory_bench;

/* The errors of a thread, and its random numbers, are OpenSSL's until the thread is over. */
static enum mwt_outcome prove_once(void)
{
    bool has_both = prove(memory_bench);
    OPENSSL_thread_stop();
    bool is_proved = memory_bench->is_client_done && memory_bench->is_server_done;
    bool has_told = !has_both || memory_bench->client_problem[0] != '\0' ||
                    memory_bench->server_problem[0] != '\0' || !memory_bench->is_server_done;
    return is_proved ? MWT_RIGHT : has_told ? MWT_TOLD : MWT_WRONG;
}

/* Out of memory at any place of a proof: it fails or succeeds, and nothing leaks. */
static void test_memory_of_proof(void)
{
    struct bench bench;
    open_bench(&bench);
    /* OpenSSL makes some things once and keeps them. */
    CU_ASSERT_TRUE(prove(&bench));
    OPENSSL_thread_stop();
    memory_bench = &bench;
    mwt_memory_repeat(prove_once, false, 50);
    mwt_memory_repeat(prove_once, true, 50);
    close_bench(&bench);
}
#endif

/* ---- leases ---- */

static void put(struct mwi_tcp_lease *lease, struct mwi_tcp_lease_buffer *buffer, const char *text)
{
    mwi_tcp_lease_take(lease, buffer);
    memcpy(lease->block + lease->end, text, strlen(text));
    lease->end += strlen(text);
}

static bool holds(const struct mwi_tcp_lease *lease, const char *text)
{
    size_t size = lease->end - lease->begin;
    return size == strlen(text) &&
           (size == 0 || memcmp(lease->block + lease->begin, text, size) == 0);
}

/* Bytes stay in the buffer until another needs it, move then, and come back with the next take. */
static void test_leases(void)
{
    unsigned char bytes[64];
    struct mwi_tcp_lease_buffer buffer = {.bytes = bytes, .size = sizeof bytes};
    struct mwi_tcp_lease one = {0};
    struct mwi_tcp_lease other = {0};

    put(&one, &buffer, "hello");
    mwi_tcp_lease_advance(&one, 2);
    put(&other, &buffer, "world");

    CU_ASSERT_TRUE(holds(&one, "llo") && holds(&other, "world"));
    CU_ASSERT_TRUE(buffer.holder == &other && one.block != bytes && other.block == bytes);
    put(&one, &buffer, "!");
    CU_ASSERT_TRUE(holds(&one, "llo!") && holds(&other, "world"));
    CU_ASSERT_TRUE(one.block == bytes && one.begin == 0);
    mwi_tcp_lease_advance(&one, 4);
    CU_ASSERT_TRUE(buffer.holder == NULL && one.block == NULL);
    mwi_tcp_lease_advance(&other, 5);
    CU_ASSERT_PTR_NULL(other.block);
}

#ifdef MWT_COUNTS_MEMORY
/* A lease that has to make room without memory says that its bytes are lost; the other one is not
 * hindered. */
static void test_lost_lease(void)
{
    unsigned char bytes[64];
    struct mwi_tcp_lease_buffer buffer = {.bytes = bytes, .size = sizeof bytes};
    struct mwi_tcp_lease one = {0};
    struct mwi_tcp_lease other = {0};
    put(&one, &buffer, "hello");

    mwt_memory_fail(1, true);
    put(&other, &buffer, "world");
    mwt_memory_fail(0, false);

    CU_ASSERT_TRUE(one.is_lost && holds(&one, "") && !other.is_lost && holds(&other, "world"));
    mwi_tcp_lease_end(&one);
    CU_ASSERT_TRUE(one.is_lost);
    mwi_tcp_lease_end(&other);
}
#endif

/* ---- streams ---- */

/* Two streams of one hub; returns when both are proved. */
static void open_pair(struct mwi_tcp_tls *tls, struct mwi_tcp_stream *pair[2])
{
    int fds[2];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
                          0);
    bool is_proved[2] = {false, false};
    for (int i = 0; i < 2; i++) {
        pair[i] = mwi_tcp_tls_open(tls, fds[i], i == 1, false);
        CU_ASSERT_PTR_NOT_NULL_FATAL(pair[i]);
    }
    for (int i = 0; i < 2 * STEPS_MAX && !(is_proved[0] && is_proved[1]); i++) {
        int error = is_proved[i % 2] ? 0 : pair[i % 2]->api->prove(pair[i % 2]);
        CU_ASSERT_TRUE(error == 0 || error == EAGAIN);
        is_proved[i % 2] = error == 0;
    }
    CU_ASSERT_TRUE_FATAL(is_proved[0] && is_proved[1]);
}

static void pass(struct mwi_tcp_stream *from, struct mwi_tcp_stream *to)
{
    char bytes[] = "0123456789";
    const struct iovec piece = {bytes, sizeof bytes};
    CU_ASSERT_EQUAL(from->api->write(from, &piece, 1, sizeof bytes), (ssize_t)sizeof bytes);
    CU_ASSERT_EQUAL(to->api->read(to, &piece, 1), (ssize_t)sizeof bytes);
}

/* An encrypted connection that has been used and is idle takes a few KiB at each end: OpenSSL's
 * connection would take tens. */
static void test_idle_memory(void)
{
    enum { PAIRS = 100 };
    static struct mwi_tcp_stream *pairs[PAIRS][2];
    struct mwt_tcp_keys keys;
    mwt_tcp_keys_init(&keys, 1);
    struct mwi_tcp_tls *tls = mwi_tcp_tls_create(&keys.environment);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tls);
    struct mwi_tcp_stream *first[2];
    open_pair(tls, first);
    size_t before = mwt_heap_bytes();

    for (int i = 0; i < PAIRS; i++) {
        open_pair(tls, pairs[i]);
        pass(pairs[i][0], pairs[i][1]);
        pass(pairs[i][1], pairs[i][0]);
    }

    size_t used = mwt_heap_bytes() - before;
    printf("(%zu bytes an end) ", used / (2 * (size_t)PAIRS));
    CU_ASSERT_TRUE(used < 2 * (size_t)PAIRS * 4096);
    for (int i = 0; i < PAIRS; i++)
        for (int j = 0; j < 2; j++)
            pairs[i][j]->api->close(pairs[i][j]);
    first[0]->api->close(first[0]);
    first[1]->api->close(first[1]);
    mwi_tcp_tls_destroy(tls);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"proof", test_proof},
        {"no key", test_no_key},
        {"names", test_names},
        {"problems", test_problems},
        {"leases", test_leases},
#ifdef MWT_COUNTS_MEMORY
        {"memory of a proof", test_memory_of_proof},
        {"lost lease", test_lost_lease},
#endif
        {"idle memory", test_idle_memory},
        CU_TEST_INFO_NULL,
    };
#ifdef MWT_COUNTS_MEMORY
    return mwt_memory_run("tcp: parts of tls", tests);
#else
    return mwt_run("tcp: parts of tls", tests);
#endif
}
