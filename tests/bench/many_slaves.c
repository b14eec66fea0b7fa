/* SPDX-License-Identifier: Apache-2.0
 *
 * Thousands of slaves in one process. It speaks the protocol of docs/protocol.md over TCP to a
 * master on this host, with one connection for each of --slaves, and answers every task with its
 * arguments. Thousands of processes would measure the kernel's scheduler instead of the master.
 *
 * With --tls 1 each connection is encrypted. The name and the hexadecimal digits of the master's
 * key then come on standard input, in a line each.
 *
 * When the master has welcomed all slaves, it prints one line of JSON with the time since the
 * first connect. It ends when the master has told all slaves to stop.
 */
#include <errno.h>
#include <msgpack.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mw/version.h>

#include "bench.h"
#include "tls.h"

#define EVENTS_MAX 256
#define LENGTH_BYTES 4
#define FRAME_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define READ_BYTES ((size_t)64 * 1024)
#define DESCRIPTORS_SPARE 64

/* Kinds and places of fields, see docs/protocol.md. */
enum { HELLO = 1, WELCOME = 2, REFUSE = 3, TASKS = 4, RESULTS = 5, SHUTDOWN = 6 };
enum { COUNT = 1, IDS = 2, FORMS = 4, SIZES = 5, ELEMENTS = 7 };

struct slave {
    int fd;
    SSL *tls; /* NULL: not encrypted */
    bool is_connecting;
    bool waits_for_room; /* epoll tells when the socket takes more */
    unsigned char *in;   /* bytes of frames that are not whole yet */
    size_t in_size, in_room;
    msgpack_sbuffer unsent;
    size_t sent; /* of unsent */
};

struct crowd {
    size_t port, slaves_count, at_once;
    const char *member_id;
    size_t is_encrypted;
    struct mwt_tls_psk psk;
    SSL_CTX *tls;
    struct slave *slaves;
    int epoll_fd;
    size_t started, welcomed, ended;
    int64_t begin_ns;
};

static void watch(struct crowd *crowd, struct slave *slave, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = slave};
    if (epoll_ctl(crowd->epoll_fd, operation, slave->fd, &event) < 0)
        mwt_bench_die("epoll_ctl");
}

static void leave(struct crowd *crowd, struct slave *slave)
{
    SSL_free(slave->tls);
    close(slave->fd);
    slave->fd = -1;
    free(slave->in);
    slave->in = NULL;
    msgpack_sbuffer_destroy(&slave->unsent);
    crowd->ended++;
}

static ssize_t transmit(struct slave *slave, const void *data, size_t size)
{
    if (slave->tls != NULL)
        return mwt_tls_transmit(slave->tls, data, size);
    return send(slave->fd, data, size, MSG_NOSIGNAL);
}

static ssize_t receive(struct slave *slave, void *data, size_t size)
{
    if (slave->tls != NULL)
        return mwt_tls_receive(slave->tls, data, size);
    return recv(slave->fd, data, size, 0);
}

static void flush(struct crowd *crowd, struct slave *slave)
{
    while (slave->sent < slave->unsent.size) {
        ssize_t sent =
            transmit(slave, slave->unsent.data + slave->sent, slave->unsent.size - slave->sent);
        if (sent < 0 && errno != EAGAIN) {
            leave(crowd, slave);
            return;
        }
        if (sent < 0)
            break;
        slave->sent += (size_t)sent;
    }
    bool has_unsent = slave->sent < slave->unsent.size;
    if (!has_unsent) {
        msgpack_sbuffer_clear(&slave->unsent);
        slave->sent = 0;
    }
    bool waits_for_room = has_unsent && (slave->tls == NULL || SSL_want_write(slave->tls));
    if (waits_for_room != slave->waits_for_room) {
        slave->waits_for_room = waits_for_room;
        watch(crowd, slave, EPOLL_CTL_MOD, waits_for_room ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

/* Frames are written behind one another in `unsent`; end_frame fills in the length. */
static size_t begin_frame(struct slave *slave)
{
    static const char no_length[LENGTH_BYTES];
    size_t at = slave->unsent.size;
    if (msgpack_sbuffer_write(&slave->unsent, no_length, sizeof no_length) != 0)
        mwt_bench_die("msgpack_sbuffer_write");
    return at;
}

static void end_frame(struct slave *slave, size_t at)
{
    uint32_t length = htonl((uint32_t)(slave->unsent.size - at - LENGTH_BYTES));
    memcpy(slave->unsent.data + at, &length, sizeof length);
}

static void pack_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str(packer, strlen(text));
    msgpack_pack_str_body(packer, text, strlen(text));
}

static void say_hello(struct crowd *crowd, struct slave *slave)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, &slave->unsent, msgpack_sbuffer_write);
    size_t at = begin_frame(slave);
    msgpack_pack_array(&packer, 10);
    msgpack_pack_uint8(&packer, HELLO);
    pack_text(&packer, "mw");
    msgpack_pack_uint32(&packer, MW_PROTOCOL_VERSION);
    pack_text(&packer, crowd->member_id);
    msgpack_pack_uint64(&packer, FRAME_BYTES_MAX);
    pack_text(&packer, ""); /* host and boot id: unknown */
    pack_text(&packer, "");
    for (int i = 0; i < 3; i++) /* no pid, no traits, no results to offer */
        msgpack_pack_uint32(&packer, 0);
    end_frame(slave, at);
    flush(crowd, slave);
}

/* Runs the tasks of one message. The result of each is its arguments, so the columns of the message
 * and the payloads behind it go back as they came. */
static void run_tasks(struct slave *slave, const msgpack_object_array *elements,
                      const unsigned char *payloads, size_t size)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, &slave->unsent, msgpack_sbuffer_write);
    size_t at = begin_frame(slave);
    msgpack_pack_array(&packer, ELEMENTS);
    msgpack_pack_uint8(&packer, RESULTS);
    msgpack_pack_object(&packer, elements->ptr[COUNT]);
    msgpack_pack_object(&packer, elements->ptr[IDS]);
    msgpack_pack_object(&packer, elements->ptr[FORMS]);
    msgpack_pack_uint8(&packer, 1); /* nanoseconds of each */
    msgpack_pack_object(&packer, elements->ptr[SIZES]);
    msgpack_pack_bin(&packer, 0);
    if (msgpack_sbuffer_write(&slave->unsent, (const char *)payloads, size) != 0)
        mwt_bench_die("msgpack_sbuffer_write");
    end_frame(slave, at);
}

static void start_next(struct crowd *crowd);

static void welcome(struct crowd *crowd)
{
    if (++crowd->welcomed == crowd->slaves_count) {
        double seconds = (double)(mwt_bench_now_ns() - crowd->begin_ns) / 1e9;
        printf("{\"program\": \"many_slaves\", \"slaves\": %zu, \"registered_s\": %.6f}\n",
               crowd->slaves_count, seconds);
        fflush(stdout);
    }
    start_next(crowd);
}

/* Returns false when the slave is to end. Ignores kinds of messages that it does not know. */
static bool take_message(struct crowd *crowd, struct slave *slave, const unsigned char *frame,
                         size_t size)
{
    msgpack_unpacked message;
    size_t end = 0;
    msgpack_unpacked_init(&message);
    if (msgpack_unpack_next(&message, (const char *)frame, size, &end) != MSGPACK_UNPACK_SUCCESS ||
        message.data.type != MSGPACK_OBJECT_ARRAY || message.data.via.array.size == 0) {
        fprintf(stderr, "many_slaves: the master sent what is no message\n");
        exit(1);
    }
    const msgpack_object_array *fields = &message.data.via.array;
    uint64_t kind = fields->ptr[0].via.u64;
    if (kind == REFUSE) {
        fprintf(stderr, "many_slaves: the master refused a slave\n");
        exit(1);
    }
    if (kind == WELCOME)
        welcome(crowd);
    else if (kind == TASKS)
        run_tasks(slave, fields, frame + end, size - end);
    msgpack_unpacked_destroy(&message);
    return kind != SHUTDOWN;
}

static bool take_frames(struct crowd *crowd, struct slave *slave)
{
    size_t begin = 0;
    bool goes_on = true;
    while (goes_on && slave->in_size - begin >= LENGTH_BYTES) {
        uint32_t length;
        memcpy(&length, slave->in + begin, sizeof length);
        size_t size = ntohl(length);
        if (slave->in_size - begin - LENGTH_BYTES < size)
            break;
        goes_on = take_message(crowd, slave, slave->in + begin + LENGTH_BYTES, size);
        begin += LENGTH_BYTES + size;
    }
    memmove(slave->in, slave->in + begin, slave->in_size - begin);
    slave->in_size -= begin;
    return goes_on;
}

static void read_more(struct crowd *crowd, struct slave *slave)
{
    if (slave->in_room - slave->in_size < READ_BYTES / 2) {
        slave->in_room = slave->in_room * 2 + READ_BYTES;
        slave->in = realloc(slave->in, slave->in_room);
        if (!slave->in)
            mwt_bench_die("realloc");
    }
    ssize_t got = receive(slave, slave->in + slave->in_size, slave->in_room - slave->in_size);
    bool has_closed = got == 0 || (got < 0 && errno != EAGAIN);
    if (got > 0)
        slave->in_size += (size_t)got;
    if (has_closed || !take_frames(crowd, slave))
        leave(crowd, slave);
    else
        flush(crowd, slave);
}

/* Connects the next slave. At most --at-once slaves wait for their welcome: if more connect than
 * the listener's backlog holds, the kernel drops connections and tries them again a second
 * later. */
static void start_next(struct crowd *crowd)
{
    if (crowd->started == crowd->slaves_count)
        return;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)crowd->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct slave *slave = &crowd->slaves[crowd->started++];
    msgpack_sbuffer_init(&slave->unsent);
    slave->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (slave->fd < 0)
        mwt_bench_die("socket");
    if (setsockopt(slave->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) < 0)
        mwt_bench_die("setsockopt");
    if (connect(slave->fd, (const struct sockaddr *)&address, sizeof address) < 0 &&
        errno != EINPROGRESS)
        mwt_bench_die("connect");
    slave->is_connecting = true;
    watch(crowd, slave, EPOLL_CTL_ADD, EPOLLOUT);
}

static void finish_connect(struct crowd *crowd, struct slave *slave)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(slave->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        errno = error;
        mwt_bench_die("connect");
    }
    slave->is_connecting = false;
    if (crowd->tls != NULL)
        slave->tls = mwt_tls_attach(crowd->tls, false, slave->fd);
    watch(crowd, slave, EPOLL_CTL_MOD, EPOLLIN);
    say_hello(crowd, slave);
}

static void serve(struct crowd *crowd)
{
    struct epoll_event events[EVENTS_MAX];
    crowd->begin_ns = mwt_bench_now_ns();
    for (size_t i = 0; i < crowd->at_once; i++)
        start_next(crowd);
    while (crowd->ended < crowd->slaves_count) {
        int count = epoll_wait(crowd->epoll_fd, events, EVENTS_MAX, -1);
        if (count < 0 && errno != EINTR)
            mwt_bench_die("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct slave *slave = events[i].data.ptr;
            if (slave->is_connecting)
                finish_connect(crowd, slave);
            else if ((events[i].events & EPOLLOUT) != 0)
                flush(crowd, slave);
            if (slave->fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT) != 0)
                read_more(crowd, slave);
        }
    }
}

static void raise_limit(size_t slaves_count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        mwt_bench_die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        mwt_bench_die("setrlimit");
    if (limit.rlim_cur < slaves_count + DESCRIPTORS_SPARE) {
        fprintf(stderr, "many_slaves: %zu slaves need more descriptors than ulimit -Hn allows\n",
                slaves_count);
        exit(1);
    }
}

static void read_key(struct crowd *crowd)
{
    unsigned char key[sizeof crowd->psk.bytes];
    bool is_read = scanf("%63s", crowd->psk.name) == 1;
    for (size_t i = 0; is_read && i < sizeof key; i++)
        is_read = scanf("%2hhx", &key[i]) == 1;
    if (!is_read) {
        fprintf(stderr, "many_slaves: no key on standard input\n");
        exit(1);
    }
    mwt_tls_psk_derive(&crowd->psk, key, crowd->member_id);
    crowd->tls = mwt_tls_open(false, &crowd->psk);
}

int main(int argc, char **argv)
{
    struct mwt_bench bench = {.program = "many_slaves"};
    struct crowd crowd = {.slaves_count = 1000, .at_once = 1000, .member_id = "default-member-id"};
    const struct mwt_bench_option own[] = {{"port", &crowd.port, 1},
                                           {"slaves", &crowd.slaves_count, 1},
                                           {"at-once", &crowd.at_once, 1},
                                           {"tls", &crowd.is_encrypted, 0},
                                           {NULL, NULL, 0}};
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return 2;
    raise_limit(crowd.slaves_count);
    if (crowd.is_encrypted != 0)
        read_key(&crowd);
    crowd.slaves = mwt_bench_alloc(crowd.slaves_count * sizeof *crowd.slaves);
    crowd.epoll_fd = epoll_create1(0);
    if (crowd.epoll_fd < 0)
        mwt_bench_die("epoll_create1");
    serve(&crowd);
    close(crowd.epoll_fd);
    SSL_CTX_free(crowd.tls);
    free(crowd.slaves);
    return crowd.welcomed == crowd.slaves_count ? 0 : 1;
}
