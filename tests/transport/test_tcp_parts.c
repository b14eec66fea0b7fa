/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of the tcp transport that use no connections: addresses, the inbox that makes frames
 * from bytes, the outbox that makes bytes from frames, when a host is given up, names of hosts, and
 * the poller.
 * Random cases print their seed; MW_TEST_SEED replays one.
 */
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "address.h"
#include "base/clock.h"
#include "end.h"
#include "getent.h"
#include "inbox.h"
#include "outbox.h"
#include "poller.h"
#include "resolve.h"
#include "silence.h"

#define SHARED_BYTES 1000
#define LIMIT_BYTES ((size_t)64 * 1024 * 1024)

static uint64_t choose_seed(void)
{
    const char *given = getenv("MW_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000003;

    printf("(MW_TEST_SEED=%llu) ", (unsigned long long)seed);
    return seed;
}

/* Every form of address that there is. */
static void test_address_forms(void)
{
    static const struct {
        const char *text;
        enum mwi_tcp_address_kind kind;
        const char *host;
        unsigned port, port_last;
        int fd;
    } forms[] = {
        {"127.0.0.1:7000", MWI_TCP_ADDRESS_HOST, "127.0.0.1", 7000, 7000, -1},
        {"localhost:0", MWI_TCP_ADDRESS_HOST, "localhost", 0, 0, -1},
        {"node-17.cluster.example:65535", MWI_TCP_ADDRESS_HOST, "node-17.cluster.example", 65535,
         65535, -1},
        {"[::1]:0", MWI_TCP_ADDRESS_HOST, "::1", 0, 0, -1},
        {"[fe80::1%eth0]:80", MWI_TCP_ADDRESS_HOST, "fe80::1%eth0", 80, 80, -1},
        {"*:7000", MWI_TCP_ADDRESS_ANY, "*", 7000, 7000, -1},
        {"localhost:7000-7009", MWI_TCP_ADDRESS_HOST, "localhost", 7000, 7009, -1},
        {"[::1]:1-65535", MWI_TCP_ADDRESS_HOST, "::1", 1, 65535, -1},
        {"*:7000-7000", MWI_TCP_ADDRESS_ANY, "*", 7000, 7000, -1},
        {"fd:5", MWI_TCP_ADDRESS_FD, "", 0, 0, 5},
        {"fd:0", MWI_TCP_ADDRESS_FD, "", 0, 0, 0},
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct mwi_tcp_address address;
        mw_reason why;

        CU_ASSERT_EQUAL(mwi_tcp_address_parse(forms[i].text, &address, &why), MW_OK);

        CU_ASSERT_EQUAL(address.kind, forms[i].kind);
        CU_ASSERT_STRING_EQUAL(address.host, forms[i].host);
        CU_ASSERT_EQUAL(address.port, forms[i].port);
        CU_ASSERT_EQUAL(address.port_last, forms[i].port_last);
        CU_ASSERT_EQUAL(address.fd, forms[i].fd);
    }
}

/* Malformed addresses of any length are refused with a sentence that quotes them. */
static void test_address_errors(void)
{
    static const char *const bad[] = {
        "",
        "host",
        ":7000",
        "host:",
        "host:x",
        "host:65536",
        "host:-1",
        "host:+1",
        "host: 1",
        "host:1 ",
        "host:0x10",
        "host:0-1",
        "host:2-1",
        "host:1-",
        "host:-",
        "host:1-65536",
        "host:1-2-3",
        "host:1-x",
        "host:0000000000000001-2",
        "::1:7000",
        "::1",
        "[::1]",
        "[::1]7000",
        "[::1:70",
        "[]:7000",
        "fd:",
        "fd:x",
        "fd:-1",
        "fd:99999999999",
        "a:b:c",
        "host:99999999999999999999",
    };
    struct mwi_tcp_address address = {.port = 77};
    char long_host[400];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mw_reason why = {""};
        CU_ASSERT_EQUAL(mwi_tcp_address_parse(bad[i], &address, &why), MW_EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, bad[i]));
    }
    memset(long_host, 'h', sizeof long_host);
    strcpy(long_host + 390, ":7000");
    mw_reason why = {""};
    CU_ASSERT_EQUAL(mwi_tcp_address_parse(long_host, &address, &why), MW_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "too long"));
    CU_ASSERT_EQUAL(address.port, 77);
}

/* Addresses are printed in the form in which users write them. An IPv4 address that an IPv6 socket
 * reports is printed as IPv4. */
static void test_address_format(void)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(36107)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(4000)};
    char name[256];
    char text[300];

    ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    mwi_tcp_address_format((struct sockaddr *)&ipv4, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "127.0.0.1:36107");
    mwi_tcp_address_format_bound((struct sockaddr *)&ipv4, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "127.0.0.1:36107");

    ipv6.sin6_addr = in6addr_loopback;
    mwi_tcp_address_format((struct sockaddr *)&ipv6, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "[::1]:4000");

    ipv6.sin6_scope_id = if_nametoindex("lo");
    mwi_tcp_address_format((struct sockaddr *)&ipv6, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "[::1%lo]:4000");
    ipv6.sin6_scope_id = 999999999;
    mwi_tcp_address_format((struct sockaddr *)&ipv6, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "[::1%999999999]:4000");
    ipv6.sin6_scope_id = 0;

    static const unsigned char mapped[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1};
    memcpy(&ipv6.sin6_addr, mapped, sizeof mapped);
    mwi_tcp_address_format((struct sockaddr *)&ipv6, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "10.0.0.1:4000");

    ipv6.sin6_addr = in6addr_any;
    gethostname(name, sizeof name);
    mwi_tcp_address_format_bound((struct sockaddr *)&ipv6, text, sizeof text);
    CU_ASSERT_EQUAL(strncmp(text, name, strlen(name)), 0);
    CU_ASSERT_STRING_EQUAL(strrchr(text, ':'), ":4000");
}

/* A stream of frames in memory. */
struct stream {
    unsigned char *bytes;
    size_t size;
    size_t room;
};

static void put_header(unsigned char *at, size_t size)
{
    at[0] = (unsigned char)(size >> 24);
    at[1] = (unsigned char)(size >> 16);
    at[2] = (unsigned char)(size >> 8);
    at[3] = (unsigned char)size;
}

static void append(struct stream *stream, size_t size, uint64_t seed, uint64_t index)
{
    if (stream->size + size + MWI_TCP_HEADER_BYTES > stream->room) {
        stream->room = 2 * (stream->size + size + MWI_TCP_HEADER_BYTES);
        stream->bytes = realloc(stream->bytes, stream->room);
        CU_ASSERT_PTR_NOT_NULL_FATAL(stream->bytes);
    }
    put_header(stream->bytes + stream->size, size);
    mwt_pattern_fill(stream->bytes + stream->size + MWI_TCP_HEADER_BYTES, size, seed, index);
    stream->size += size + MWI_TCP_HEADER_BYTES;
}

static size_t random_size(uint64_t *state, size_t most)
{
    uint64_t chance = mwt_random(state);

    if (chance % 4 == 0)
        return chance / 4 % 8;
    return (size_t)(chance / 4 % (most + 1));
}

/* As readv does: fills the pieces in turn, up to `size` bytes. */
static void scatter(const struct iovec *pieces, int count, const unsigned char *from, size_t size)
{
    for (int i = 0; i < count && size > 0; i++) {
        size_t part = size < pieces[i].iov_len ? size : pieces[i].iov_len;
        memcpy(pieces[i].iov_base, from, part);
        from += part;
        size -= part;
    }
}

static size_t room_of(const struct iovec *pieces, int count)
{
    size_t room = 0;

    for (int i = 0; i < count; i++)
        room += pieces[i].iov_len;
    return room;
}

/* Receives up to `size` bytes. Returns how many the inbox took. */
static size_t receive(struct mwi_tcp_inbox *inbox, unsigned char *shared, const unsigned char *from,
                      size_t size, struct mwi_tcp_cursor *cursor)
{
    struct iovec pieces[2];
    int count = mwi_tcp_inbox_room(inbox, shared, SHARED_BYTES, pieces);
    size_t room = room_of(pieces, count);

    if (size > room)
        size = room;
    scatter(pieces, count, from, size);
    mwi_tcp_inbox_received(inbox, size, shared, cursor);
    return size;
}

/* However a stream is cut, its frames come out whole and in order. */
static void test_inbox_any_cut(void)
{
    enum { FRAMES = 2000 };
    uint64_t seed = choose_seed();
    uint64_t state = seed;
    struct stream stream = {0};
    struct mwi_tcp_inbox inbox = {0};
    unsigned char shared[SHARED_BYTES];
    size_t sizes[FRAMES];
    uint64_t next = 0;

    for (uint64_t i = 0; i < FRAMES; i++) {
        sizes[i] = random_size(&state, i % 100 == 0 ? 300000 : 1500);
        append(&stream, sizes[i], seed, i);
    }
    for (size_t at = 0; at < stream.size;) {
        struct mwi_tcp_cursor cursor;
        size_t most = 1 + random_size(&state, 2000);
        if (most > stream.size - at)
            most = stream.size - at;
        at += receive(&inbox, shared, stream.bytes + at, most, &cursor);

        mw_frame frame;
        memset(&frame, 0x5a, sizeof frame);
        while (mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame) == MWI_TCP_INBOX_FRAME) {
            CU_ASSERT_TRUE(frame.release == NULL);
            CU_ASSERT_TRUE(next < FRAMES && frame.size == sizes[next] &&
                           mwt_pattern_matches(frame.data, frame.size, seed, next));
            next++;
            free(frame.block);
        }
        CU_ASSERT_EQUAL(cursor.left, 0);
    }

    CU_ASSERT_EQUAL(next, FRAMES);
    CU_ASSERT_FALSE(mwi_tcp_inbox_is_inside_frame(&inbox));
    mwi_tcp_inbox_clear(&inbox);
    free(stream.bytes);
}

/* Frames that have arrived whole are handed out in the shared memory, without a copy. */
static void test_inbox_borrows(void)
{
    struct stream stream = {0};
    struct mwi_tcp_inbox inbox = {0};
    unsigned char shared[SHARED_BYTES];
    struct mwi_tcp_cursor cursor;
    mw_frame frame;
    memset(&frame, 0x5a, sizeof frame);
    for (uint64_t i = 0; i < 10; i++)
        append(&stream, 50, 1, i);

    receive(&inbox, shared, stream.bytes, stream.size, &cursor);

    for (uint64_t i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, 50, &frame), MWI_TCP_INBOX_FRAME);
        CU_ASSERT_PTR_NULL(frame.block);
        CU_ASSERT_TRUE(frame.release == NULL);
        CU_ASSERT_PTR_EQUAL(frame.data, shared + i * 54 + 4);
    }
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, 50, &frame), MWI_TCP_INBOX_MORE);
    free(stream.bytes);
}

/* A stranger that announces a large frame and sends little gets little memory. The memory grows
 * with the bytes that come. */
static void test_inbox_memory_in_proportion(void)
{
    const size_t announced = (size_t)60 * 1024 * 1024;
    struct mwi_tcp_inbox inbox = {0};
    unsigned char shared[SHARED_BYTES];
    unsigned char bytes[SHARED_BYTES] = {0};
    struct mwi_tcp_cursor cursor;
    size_t came = 0;
    mw_frame frame;
    put_header(bytes, announced);

    receive(&inbox, shared, bytes, 10, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame), MWI_TCP_INBOX_MORE);
    CU_ASSERT_EQUAL(inbox.room, 64 * 1024);

    for (came = 6; came < 4 * 1024 * 1024;) {
        came += receive(&inbox, shared, bytes, sizeof bytes, &cursor);
        CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame),
                        MWI_TCP_INBOX_MORE);
        CU_ASSERT_TRUE(inbox.room <= 2 * came + 64 * 1024);
    }
    CU_ASSERT_EQUAL(inbox.have, came);
    mwi_tcp_inbox_clear(&inbox);
}

/* A peer that has sent a large frame before gets room for the next of that size at once. */
static void test_inbox_trusts_what_came(void)
{
    const size_t size = 1024 * 1024;
    struct stream stream = {0};
    struct mwi_tcp_inbox inbox = {0};
    unsigned char shared[SHARED_BYTES];
    struct mwi_tcp_cursor cursor;
    enum mwi_tcp_inbox_result result = MWI_TCP_INBOX_MORE;
    mw_frame frame;
    append(&stream, size, 1, 1);

    for (size_t at = 0; at < stream.size;) {
        at += receive(&inbox, shared, stream.bytes + at, stream.size - at, &cursor);
        result = mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame);
    }
    CU_ASSERT_EQUAL(result, MWI_TCP_INBOX_FRAME);
    CU_ASSERT_PTR_NOT_NULL(frame.block);
    CU_ASSERT_TRUE(frame.size == size && mwt_pattern_matches(frame.data, size, 1, 1));
    free(frame.block);
    receive(&inbox, shared, stream.bytes, 10, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame), MWI_TCP_INBOX_MORE);

    CU_ASSERT_EQUAL(inbox.room, size);
    CU_ASSERT_TRUE(mwi_tcp_inbox_is_inside_frame(&inbox));
    mwi_tcp_inbox_clear(&inbox);
    free(stream.bytes);
}

/* A frame as large as the limit is accepted. One byte more is refused before memory is spent. */
static void test_inbox_limit(void)
{
    struct mwi_tcp_inbox inbox = {0};
    unsigned char shared[SHARED_BYTES];
    unsigned char header[4];
    struct mwi_tcp_cursor cursor;
    mw_frame frame;

    put_header(header, 5000);
    receive(&inbox, shared, header, sizeof header, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, 5000, &frame), MWI_TCP_INBOX_MORE);
    mwi_tcp_inbox_clear(&inbox);

    put_header(header, 5001);
    receive(&inbox, shared, header, sizeof header, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, 5000, &frame), MWI_TCP_INBOX_TOO_BIG);
    CU_ASSERT_EQUAL(inbox.size, 5001);
    CU_ASSERT_PTR_NULL(inbox.block);
}

static void put_long_header(unsigned char *at, uint64_t size)
{
    memset(at, 0xff, MWI_TCP_HEADER_BYTES);
    for (int i = MWI_TCP_LONG_HEADER_BYTES; i-- > MWI_TCP_HEADER_BYTES; size >>= 8)
        at[i] = (unsigned char)size;
}

/* A length of 8 bytes is read however it is cut, and what follows it is found. */
static void test_inbox_long_header(void)
{
    enum { SIZE = 20 };
    unsigned char stream[MWI_TCP_LONG_HEADER_BYTES + SIZE + 1] = {0};
    const size_t limit = (size_t)1 << 40;
    put_long_header(stream, SIZE);
    mwt_pattern_fill(stream + MWI_TCP_LONG_HEADER_BYTES, SIZE, 1, 1);

    for (size_t cut = 1; cut < sizeof stream; cut++) {
        struct mwi_tcp_inbox inbox = {0};
        unsigned char shared[SHARED_BYTES];
        struct mwi_tcp_cursor cursor;
        mw_frame frame;
        size_t frames_count = 0;
        for (size_t at = 0; at < sizeof stream;) {
            size_t size = at + cut <= sizeof stream ? cut : sizeof stream - at;
            at += receive(&inbox, shared, stream + at, size, &cursor);
            while (mwi_tcp_inbox_next(&inbox, &cursor, limit, &frame) == MWI_TCP_INBOX_FRAME) {
                CU_ASSERT_TRUE(frame.size == SIZE && mwt_pattern_matches(frame.data, SIZE, 1, 1));
                frames_count++;
                free(frame.block);
            }
        }
        CU_ASSERT_EQUAL(frames_count, 1);
        CU_ASSERT_TRUE(mwi_tcp_inbox_is_inside_frame(&inbox));
        mwi_tcp_inbox_clear(&inbox);
    }
}

/* A limit over 4 GiB holds to the byte too, and memory grows with the bytes that come. If the limit
 * allows no long length, a frame with one is refused before the 8 bytes of its length have come. */
static void test_inbox_long_limit(void)
{
    const uint64_t limit = UINT64_C(5) << 30;
    unsigned char shared[SHARED_BYTES];
    unsigned char header[MWI_TCP_LONG_HEADER_BYTES];
    struct mwi_tcp_inbox inbox = {0};
    struct mwi_tcp_cursor cursor;
    mw_frame frame;

    put_long_header(header, limit);
    receive(&inbox, shared, header, sizeof header, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, limit, &frame), MWI_TCP_INBOX_MORE);
    CU_ASSERT_EQUAL(inbox.size, limit);
    CU_ASSERT_EQUAL(inbox.room, 64 * 1024);
    mwi_tcp_inbox_clear(&inbox);

    put_long_header(header, limit + 1);
    receive(&inbox, shared, header, sizeof header, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, limit, &frame), MWI_TCP_INBOX_TOO_BIG);
    CU_ASSERT_EQUAL(inbox.size, limit + 1);

    receive(&inbox, shared, header, MWI_TCP_HEADER_BYTES, &cursor);
    CU_ASSERT_EQUAL(mwi_tcp_inbox_next(&inbox, &cursor, LIMIT_BYTES, &frame),
                    MWI_TCP_INBOX_TOO_BIG);
    mwi_tcp_inbox_clear(&inbox);
}

/* However large a frame is, a bounded part of it is received at once. */
static void test_inbox_bounded_turn(void)
{
    const size_t size = (size_t)16 * 1024 * 1024;
    struct mwi_tcp_inbox inbox = {.block = malloc(size), .size = size, .room = size};
    unsigned char shared[SHARED_BYTES];
    struct iovec pieces[2];

    CU_ASSERT_EQUAL(mwi_tcp_inbox_room(&inbox, shared, SHARED_BYTES, pieces), 1);
    CU_ASSERT_EQUAL(pieces[0].iov_len, 1024 * 1024);
    inbox.have = size - 10;
    CU_ASSERT_EQUAL(mwi_tcp_inbox_room(&inbox, shared, SHARED_BYTES, pieces), 2);
    CU_ASSERT_EQUAL(pieces[0].iov_len, 10);

    mwi_tcp_inbox_clear(&inbox);
}

static void push_pattern(struct mwi_tcp_outbox *outbox, size_t size, uint64_t seed, uint64_t index)
{
    unsigned char *frame = malloc(size + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
    mwt_pattern_fill(frame, size, seed, index);
    CU_ASSERT_TRUE(mwi_tcp_outbox_push(outbox, frame, size, NULL));
}

/* Pushes the same frame, with all but its first bytes as a body. */
static void push_cut_pattern(struct mwi_tcp_outbox *outbox, size_t size, uint64_t seed,
                             uint64_t index)
{
    size_t head_size = size < 20 ? size : 20;
    unsigned char *frame = malloc(head_size + 1);
    unsigned char *whole = malloc(size + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
    CU_ASSERT_PTR_NOT_NULL_FATAL(whole);
    mwt_pattern_fill(whole, size, seed, index);
    memcpy(frame, whole, head_size);
    const mw_body body = {whole + head_size, size - head_size, free, whole};
    CU_ASSERT_TRUE(mwi_tcp_outbox_push(outbox, frame, head_size, &body));
}

/* Whether the first `size` bytes of the batch are those of the stream. */
static bool batch_matches(const struct mwi_tcp_batch *batch, const unsigned char *stream,
                          size_t size)
{
    for (size_t i = 0; i < batch->count && size > 0; i++) {
        size_t part = batch->pieces[i].iov_len < size ? batch->pieces[i].iov_len : size;
        if (memcmp(batch->pieces[i].iov_base, stream, part) != 0)
            return false;
        stream += part;
        size -= part;
    }
    return size == 0;
}

/* However little the network takes at a time, the right bytes follow. */
static void test_outbox_any_cut(void)
{
    enum { FRAMES = 3000 };
    uint64_t seed = choose_seed();
    uint64_t state = seed;
    struct stream stream = {0};
    struct mwi_tcp_outbox outbox = {0};
    struct mwi_tcp_batch *batch = malloc(sizeof *batch);
    CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
    for (uint64_t i = 0; i < FRAMES; i++) {
        size_t size = random_size(&state, i % 100 == 0 ? 100000 : 1500);
        append(&stream, size, seed, i);
        if (i % 3 == 0)
            push_cut_pattern(&outbox, size, seed, i);
        else
            push_pattern(&outbox, size, seed, i);
    }

    for (size_t at = 0; at < stream.size;) {
        CU_ASSERT_EQUAL(outbox.bytes, stream.size - at);
        mwi_tcp_outbox_gather(&outbox, batch);
        CU_ASSERT_TRUE_FATAL(batch->bytes > 0);
        size_t gone = mwt_random(&state) % 4 == 0
                          ? batch->bytes
                          : (size_t)(mwt_random(&state) % (batch->bytes + 1));
        CU_ASSERT_TRUE(batch_matches(batch, stream.bytes + at, gone));
        mwi_tcp_outbox_advance(&outbox, gone);
        at += gone;
    }

    CU_ASSERT_EQUAL(outbox.count, 0);
    CU_ASSERT_EQUAL(outbox.bytes, 0);
    mwi_tcp_outbox_clear(&outbox);
    free(batch);
    free(stream.bytes);
}

static void do_nothing(void *owner)
{
    (void)owner;
}

/* Tiny frames go side by side in one piece; a large one, or a body, goes from where it lies. */
static void test_outbox_pieces(void)
{
    struct mwi_tcp_outbox outbox = {0};
    struct mwi_tcp_batch *batch = malloc(sizeof *batch);
    CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
    for (uint64_t i = 0; i < 100; i++)
        push_pattern(&outbox, 64, 1, i);
    unsigned char *large = calloc(1, 100000);
    CU_ASSERT_TRUE(mwi_tcp_outbox_push(&outbox, large, 100000, NULL));

    mwi_tcp_outbox_gather(&outbox, batch);

    CU_ASSERT_EQUAL(batch->count, 2);
    CU_ASSERT_EQUAL(batch->bytes, 100 * 68 + 100004);
    CU_ASSERT_PTR_EQUAL(batch->pieces[1].iov_base, large);

    const mw_body body = {large, 100000, do_nothing, NULL};
    CU_ASSERT_TRUE(mwi_tcp_outbox_push(&outbox, calloc(1, 20), 20, &body));
    mwi_tcp_outbox_gather(&outbox, batch);
    CU_ASSERT_EQUAL(batch->count, 4);
    CU_ASSERT_EQUAL(batch->pieces[2].iov_len, 4 + 20);
    CU_ASSERT_PTR_EQUAL(batch->pieces[3].iov_base, large);
    mwi_tcp_outbox_clear(&outbox);
    CU_ASSERT_EQUAL(outbox.bytes, 0);
    free(batch);
}

/* A frame of 2^32 - 1 bytes has a long length, and goes out in batches of a bounded size. */
static void test_outbox_huge(void)
{
    static const unsigned char header[] = "\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff";
    const size_t size = MWI_TCP_LONG_SIZE;
    struct mwi_tcp_outbox outbox = {0};
    struct mwi_tcp_batch *batch = malloc(sizeof *batch);
    unsigned char *frame = malloc(size); /* never touched: it takes no memory */
    size_t gone = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
    CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
    CU_ASSERT_TRUE(mwi_tcp_outbox_push(&outbox, frame, size, NULL));
    push_pattern(&outbox, 5, 1, 1);

    mwi_tcp_outbox_gather(&outbox, batch);
    CU_ASSERT_TRUE(batch_matches(batch, header, MWI_TCP_LONG_HEADER_BYTES));
    CU_ASSERT_PTR_EQUAL(batch->pieces[1].iov_base, frame);
    while (outbox.count > 1) {
        mwi_tcp_outbox_gather(&outbox, batch);
        CU_ASSERT_TRUE(batch->bytes <= (size_t)4 * 1024 * 1024);
        size_t part = batch->bytes > 100 ? batch->bytes - 100 : 1;
        mwi_tcp_outbox_advance(&outbox, part);
        gone += part;
    }

    CU_ASSERT_TRUE(gone >= size + MWI_TCP_LONG_HEADER_BYTES);
    CU_ASSERT_EQUAL(outbox.bytes, size + MWI_TCP_LONG_HEADER_BYTES + 9 - gone);
    mwi_tcp_outbox_clear(&outbox);
    free(batch);
}

/* Returns the number of the look at which a host is given up; 1000 if it is not. An answer comes
 * before the look `answered_at`; 0: none comes. At the first look the last answer is `idle_ms`
 * old. */
static unsigned count_looks(unsigned answered_at, uint32_t idle_ms)
{
    struct mwi_tcp_silence silence = {0};
    uint32_t last_answer_ms = idle_ms;

    for (unsigned look = 1; look < 1000; look++) {
        if (look == answered_at)
            last_answer_ms = 100;
        if (mwi_tcp_silence_is_lost(&silence, true, last_answer_ms))
            return look;
        last_answer_ms += MWI_TCP_SILENCE_LOOK_MS;
    }
    return 1000;
}

/* A host is given up after 45 s of silence, counted from when it first owed an answer. */
static void test_watch_silence(void)
{
    CU_ASSERT_EQUAL(count_looks(0, 0), 10);
    CU_ASSERT_EQUAL(count_looks(0, 1000 * 1000), 10);
    CU_ASSERT_EQUAL(count_looks(5, 0), 14);
}

/* A host that answers is never given up, however little it reads. */
static void test_watch_answers(void)
{
    struct mwi_tcp_silence silence = {0};

    for (int look = 0; look < 1000; look++) {
        CU_ASSERT_FALSE(mwi_tcp_silence_is_lost(&silence, look % 8 != 0, 40000));
        CU_ASSERT_FALSE(mwi_tcp_silence_is_lost(&silence, true, 300));
    }
}

/* Puts bytes into the inbox as if they had been received. */
static void put_bytes(struct mwi_tcp_inbox *inbox, const void *bytes, size_t size)
{
    unsigned char shared[SHARED_BYTES];
    struct iovec pieces[2];
    struct mwi_tcp_cursor cursor;
    mw_frame frame;
    (void)mwi_tcp_inbox_room(inbox, shared, sizeof shared, pieces);
    memcpy(pieces[0].iov_base, bytes, size);
    mwi_tcp_inbox_received(inbox, size, shared, &cursor);
    while (mwi_tcp_inbox_next(inbox, &cursor, LIMIT_BYTES, &frame) == MWI_TCP_INBOX_FRAME)
        free(frame.block);
}

/* Returns the number of the look at which a frame whose beginning is `first` is too slow, if a byte
 * of it comes before each look. */
static unsigned count_trickle(const char first[4])
{
    struct mwi_tcp_inbox inbox = {0};
    put_bytes(&inbox, first, 4);
    unsigned look = 1;
    for (; look < 1000 && !mwi_tcp_inbox_is_slow(&inbox); look++)
        put_bytes(&inbox, "", 1);
    mwi_tcp_inbox_clear(&inbox);
    return look;
}

/* A frame that trickles in has 30 s, and a second for each 16 KiB. */
static void test_slow_frame(void)
{
    CU_ASSERT_EQUAL(count_trickle("\0\0\x7\xd0"), 7);
    CU_ASSERT_EQUAL(count_trickle("\1\0\0\0"), 7 + 1024 / 5);
    CU_ASSERT_EQUAL(count_trickle("\4\0\0\0"), 7 + 4096 / 5);
}

/* Half a frame may stay while nothing more of it comes, and each frame has its time anew. */
static void test_patient_frame(void)
{
    struct mwi_tcp_inbox inbox = {0};
    for (int look = 0; look < 1000; look++)
        CU_ASSERT_FALSE(mwi_tcp_inbox_is_slow(&inbox));

    put_bytes(&inbox, "\0\0\0\7a", 5);
    for (int look = 0; look < 1000; look++)
        CU_ASSERT_FALSE(mwi_tcp_inbox_is_slow(&inbox));
    for (int frame = 0; frame < 1000; frame++) {
        put_bytes(&inbox, "bcdefg", 6);
        put_bytes(&inbox, "\0\0", 2);
        CU_ASSERT_FALSE(mwi_tcp_inbox_is_slow(&inbox));
        put_bytes(&inbox, "\0\7a", 3);
        CU_ASSERT_FALSE(mwi_tcp_inbox_is_slow(&inbox));
    }

    mwi_tcp_inbox_clear(&inbox);
}

struct answer {
    struct mwi_tcp_getent *getent;
    bool has_come, is_found;
};

static void take_answer(void *context, struct evutil_addrinfo *found)
{
    struct answer *answer = context;
    answer->has_come = true;
    answer->is_found = found != NULL;
    if (found != NULL)
        evutil_freeaddrinfo(found);
    mwi_tcp_getent_destroy(answer->getent);
}

/* Whether the system's program knows the host. */
static bool is_known(struct event_base *base, const char *host)
{
    struct answer answer = {.has_come = false};
    answer.getent = mwi_tcp_getent_begin(base, host, "80", take_answer, &answer);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer.getent);
    while (!answer.has_come)
        CU_ASSERT_EQUAL_FATAL(event_base_loop(base, EVLOOP_ONCE), 0);
    return answer.is_found;
}

/* The system's program `getent` finds a name and a number of this machine. No process of it is
 * left, even if the look-up is given up. */
static void test_getent(void)
{
    struct answer answer = {.has_come = false};
    struct event_base *base = mwi_tcp_poller_create_base();
    CU_ASSERT_PTR_NOT_NULL_FATAL(base);

    CU_ASSERT_TRUE(is_known(base, "localhost"));
    CU_ASSERT_TRUE(is_known(base, "127.0.0.1"));
    CU_ASSERT_FALSE(is_known(base, ""));
    CU_ASSERT_PTR_NULL(mwi_tcp_getent_begin(base, "-s", "80", take_answer, &answer));
    mwi_tcp_getent_destroy(mwi_tcp_getent_begin(base, "localhost", "80", take_answer, &answer));

    CU_ASSERT_FALSE(answer.has_come);
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
    event_base_free(base);
}

/* A look-up that blocks returns the addresses of a name or number, or an error message. */
static void test_resolve_now(void)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};
    char problem[200];
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct evutil_addrinfo *found = mwi_tcp_resolve_now(hosts[i], 0, problem, sizeof problem);
        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        evutil_freeaddrinfo(found);
    }

    CU_ASSERT_PTR_NULL(mwi_tcp_resolve_now("no-such-host.invalid", 0, problem, sizeof problem));

    CU_ASSERT_PTR_NOT_NULL(strstr(problem, "host \"no-such-host.invalid\": "));
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
}

#define MS INT64_C(1000000)

/* A pipe that a poller waits for, and how often its turns found it readable. */
struct ear {
    struct mwi_tcp_poller poller;
    struct mwi_tcp_awaited awaited;
    int fds[2];
    int heard_count;
};

static void hear(void *context, uint32_t events)
{
    struct ear *ear = context;
    char byte;
    CU_ASSERT((events & EPOLLIN) != 0);
    CU_ASSERT_EQUAL(read(ear->awaited.fd, &byte, 1), 1);
    ear->heard_count++;
}

static void open_ear(struct ear *ear)
{
    memset(ear, 0, sizeof *ear);
    CU_ASSERT_EQUAL_FATAL(pipe(ear->fds), 0);
    CU_ASSERT_EQUAL_FATAL(mwi_tcp_poller_open(&ear->poller), MW_OK);
    ear->awaited = (struct mwi_tcp_awaited){.fd = ear->fds[0], .ready = hear, .context = ear};
    CU_ASSERT_TRUE_FATAL(mwi_tcp_set_change(&ear->poller.set, &ear->awaited, EPOLLIN));
}

static void close_ear(struct ear *ear)
{
    mwi_tcp_poller_close(&ear->poller);
    close(ear->fds[0]);
    close(ear->fds[1]);
}

/* A turn hears what is there, and nothing that was taken out; one that hears nothing waits for as
 * long as it was told. */
static void check_turns(struct ear *ear)
{
    ear->heard_count = 0;
    CU_ASSERT_EQUAL(write(ear->fds[1], "xy", 2), 2);
    CU_ASSERT_TRUE(mwi_tcp_poller_turn(&ear->poller, INT64_MAX));
    CU_ASSERT_TRUE(mwi_tcp_poller_turn(&ear->poller, 0));
    CU_ASSERT_EQUAL(ear->heard_count, 2);

    int64_t began_ns = mwi_clock_monotonic_ns();
    CU_ASSERT_TRUE(mwi_tcp_poller_turn(&ear->poller, 2 * MS));
    CU_ASSERT(mwi_clock_monotonic_ns() - began_ns >= 2 * MS);
    CU_ASSERT_EQUAL(ear->heard_count, 2);

    CU_ASSERT_EQUAL(write(ear->fds[1], "z", 1), 1);
    CU_ASSERT_TRUE(mwi_tcp_set_change(&ear->poller.set, &ear->awaited, 0));
    CU_ASSERT_TRUE(mwi_tcp_poller_turn(&ear->poller, 0));
    CU_ASSERT_EQUAL(ear->heard_count, 2);
    CU_ASSERT_TRUE(mwi_tcp_set_change(&ear->poller.set, &ear->awaited, EPOLLIN));
    CU_ASSERT_TRUE(mwi_tcp_poller_turn(&ear->poller, 1000 * MS));
    CU_ASSERT_EQUAL(ear->heard_count, 3);
}

static void ignore_event(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

/* The three ways to wait hear the same: with the newest call of the kernel, with older ones, and in
 * libevent's loop while that waits for something else. */
static void test_poller_ways(void)
{
    struct ear ear;
    const struct timeval later = {.tv_sec = 1000};
    open_ear(&ear);
    check_turns(&ear);

    ear.poller.set.has_no_pwait2 = true;
    check_turns(&ear);

    struct event *event = evtimer_new(ear.poller.base, ignore_event, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL_FATAL(event_add(event, &later), 0);
    check_turns(&ear);
    event_free(event);

    close_ear(&ear);
}

int main(void)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;

    CU_TestInfo tests[] = {
        {"address forms", test_address_forms},
        {"address errors", test_address_errors},
        {"address format", test_address_format},
        {"inbox: any cut", test_inbox_any_cut},
        {"inbox: borrows", test_inbox_borrows},
        {"inbox: memory in proportion", test_inbox_memory_in_proportion},
        {"inbox: trusts what came", test_inbox_trusts_what_came},
        {"inbox: limit", test_inbox_limit},
        {"inbox: long header", test_inbox_long_header},
        {"inbox: long limit", test_inbox_long_limit},
        {"inbox: bounded turn", test_inbox_bounded_turn},
        {"outbox: any cut", test_outbox_any_cut},
        {"outbox: pieces", test_outbox_pieces},
        {"outbox: huge", test_outbox_huge},
        {"watch: silence", test_watch_silence},
        {"watch: answers", test_watch_answers},
        {"inbox: slow frame", test_slow_frame},
        {"inbox: patient frame", test_patient_frame},
        {"getent", test_getent},
        {"resolve now", test_resolve_now},
        {"poller: ways to wait", test_poller_ways},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"tcp parts", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    if (CU_register_suites(suites) != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
