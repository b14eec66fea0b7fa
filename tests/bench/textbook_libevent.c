/* SPDX-License-Identifier: Apache-2.0
 *
 * The batched task farm that an expert writes with the libraries that mw uses too: a master with
 * libevent's events, recv() into its own buffers and one send() a message, messages in msgpack,
 * over TCP on the loopback interface. It forks --workers processes that block in recv() and
 * send().
 *
 * A message is four bytes of length and an array of up to --batch tasks or results, each of them a
 * number and bytes. A worker has at most --out tasks. The farm keeps no queue and survives no
 * failure: it is there to compare mw with.
 */
#include <errno.h>
#include <event2/event.h>
#include <msgpack.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define LENGTH_BYTES 4
#define READ_BYTES_MIN ((size_t)256 * 1024)
#define TASK_FIELDS 2

/* Bytes that came. data[begin..end) are still needed. */
struct inbox {
    unsigned char *data;
    size_t begin, end, size;
};

struct farm;

struct worker {
    struct farm *farm;
    pid_t pid;
    int fd;
    size_t out; /* tasks that it has */
    struct inbox in;
    msgpack_sbuffer unsent;
    size_t sent; /* of unsent */
    struct event *readable, *writable;
};

struct farm {
    struct mwt_bench bench;
    size_t out_max, batch;
    size_t sent; /* tasks, so far */
    struct event_base *base;
    struct worker *workers;
    unsigned char *arguments;
};

/* Both ends. */

static size_t message_bytes_max(const struct farm *farm)
{
    return LENGTH_BYTES + 8 + farm->batch * (farm->bench.bytes + 16);
}

static void inbox_init(struct inbox *in, const struct farm *farm)
{
    in->begin = in->end = 0;
    in->size = READ_BYTES_MIN + 2 * message_bytes_max(farm);
    in->data = mwt_bench_alloc(in->size);
}

/* Reads as much as the buffer holds. Returns 0 if the other end has closed, and below 0 if there is
 * nothing yet. */
static ssize_t read_more(int fd, struct inbox *in, size_t room)
{
    if (in->begin == in->end)
        in->begin = in->end = 0;
    if (in->size - in->end < room) {
        memmove(in->data, in->data + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }
    ssize_t got = recv(fd, in->data + in->end, in->size - in->end, 0);
    if (got < 0 && errno != EAGAIN)
        mwt_bench_die("recv");
    if (got > 0)
        in->end += (size_t)got;
    return got;
}

/* Sets the fields of the next whole message. Returns false if there is none yet. */
static bool next_message(struct inbox *in, msgpack_unpacked *message)
{
    uint32_t length;
    size_t there = in->end - in->begin;
    if (there < sizeof length)
        return false;
    memcpy(&length, in->data + in->begin, sizeof length);
    size_t size = ntohl(length);
    if (there - LENGTH_BYTES < size)
        return false;
    if (msgpack_unpack_next(message, (const char *)in->data + in->begin + LENGTH_BYTES, size,
                            NULL) != MSGPACK_UNPACK_SUCCESS ||
        message->data.type != MSGPACK_OBJECT_ARRAY) {
        fprintf(stderr, "textbook_libevent: this is no message\n");
        exit(1);
    }
    in->begin += LENGTH_BYTES + size;
    return true;
}

static size_t begin_message(msgpack_sbuffer *out, msgpack_packer *packer, size_t count)
{
    static const char no_length[LENGTH_BYTES];
    size_t at = out->size;
    msgpack_packer_init(packer, out, msgpack_sbuffer_write);
    msgpack_sbuffer_write(out, no_length, sizeof no_length);
    msgpack_pack_array(packer, count * TASK_FIELDS);
    return at;
}

static void pack_task(msgpack_packer *packer, uint64_t number, const void *data, size_t bytes)
{
    msgpack_pack_uint64(packer, number);
    msgpack_pack_bin(packer, bytes);
    msgpack_pack_bin_body(packer, data, bytes);
}

static void end_message(msgpack_sbuffer *out, size_t at)
{
    uint32_t length = htonl((uint32_t)(out->size - at - LENGTH_BYTES));
    memcpy(out->data + at, &length, sizeof length);
}

/* Sends everything on a blocking socket, and as much as the kernel takes on a non-blocking one.
 * Returns whether everything went. */
static bool send_all(int fd, msgpack_sbuffer *out, size_t *sent)
{
    while (*sent < out->size) {
        ssize_t now = send(fd, out->data + *sent, out->size - *sent, MSG_NOSIGNAL);
        if (now < 0 && errno == EAGAIN)
            return false;
        if (now < 0)
            mwt_bench_die("send");
        *sent += (size_t)now;
    }
    msgpack_sbuffer_clear(out);
    *sent = 0;
    return true;
}

static void set_nodelay(int fd)
{
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) < 0)
        mwt_bench_die("setsockopt");
}

/* The worker: the result of a task is its arguments. */

static void run_tasks(int fd, const msgpack_object_array *tasks, msgpack_sbuffer *results)
{
    msgpack_packer packer;
    size_t sent = 0;
    size_t at = begin_message(results, &packer, tasks->size / TASK_FIELDS);
    for (uint32_t i = 0; i < tasks->size; i += TASK_FIELDS)
        pack_task(&packer, tasks->ptr[i].via.u64, tasks->ptr[i + 1].via.bin.ptr,
                  tasks->ptr[i + 1].via.bin.size);
    end_message(results, at);
    send_all(fd, results, &sent);
}

static int work(const struct farm *farm, const struct sockaddr_in *address)
{
    struct inbox in;
    msgpack_sbuffer results;
    msgpack_unpacked message;
    inbox_init(&in, farm);
    msgpack_sbuffer_init(&results);
    msgpack_unpacked_init(&message);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        mwt_bench_die("connect");
    set_nodelay(fd);

    while (read_more(fd, &in, message_bytes_max(farm)) > 0)
        while (next_message(&in, &message))
            run_tasks(fd, &message.data.via.array, &results);

    close(fd);
    msgpack_unpacked_destroy(&message);
    msgpack_sbuffer_destroy(&results);
    free(in.data);
    return 0;
}

/* The master. */

static void flush(struct worker *worker)
{
    if (!send_all(worker->fd, &worker->unsent, &worker->sent))
        event_add(worker->writable, NULL);
}

static void give_batch(struct worker *worker, size_t count)
{
    struct farm *farm = worker->farm;
    msgpack_packer packer;
    size_t at = begin_message(&worker->unsent, &packer, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = farm->sent++;
        mwt_bench_write(farm->arguments, farm->bench.bytes, number);
        pack_task(&packer, number, farm->arguments, farm->bench.bytes);
    }
    end_message(&worker->unsent, at);
    worker->out += count;
    flush(worker);
}

static void give_tasks(struct worker *worker)
{
    struct farm *farm = worker->farm;
    while (farm->sent < farm->bench.tasks && worker->out + farm->batch <= farm->out_max) {
        size_t left = farm->bench.tasks - farm->sent;
        give_batch(worker, left < farm->batch ? left : farm->batch);
    }
}

static void on_writable(evutil_socket_t fd, short events, void *context)
{
    (void)fd, (void)events;
    flush(context);
}

static void take_results(struct worker *worker, const msgpack_object_array *results)
{
    struct farm *farm = worker->farm;
    for (uint32_t i = 0; i < results->size; i += TASK_FIELDS)
        mwt_bench_take(&farm->bench, results->ptr[i].via.u64,
                       (const unsigned char *)results->ptr[i + 1].via.bin.ptr,
                       results->ptr[i + 1].via.bin.size);
    worker->out -= results->size / TASK_FIELDS;
    if (farm->bench.results == farm->bench.tasks)
        event_base_loopbreak(farm->base);
}

static void on_readable(evutil_socket_t fd, short events, void *context)
{
    struct worker *worker = context;
    msgpack_unpacked message;
    (void)events;
    if (read_more(fd, &worker->in, message_bytes_max(worker->farm)) == 0) {
        fprintf(stderr, "textbook_libevent: a worker is gone\n");
        exit(1);
    }
    msgpack_unpacked_init(&message);
    while (next_message(&worker->in, &message))
        take_results(worker, &message.data.via.array);
    msgpack_unpacked_destroy(&message);
    give_tasks(worker);
}

/* Setting up and down. */

static int listen_on_loopback(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof *address;
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)address, size) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) < 0)
        mwt_bench_die("listen");
    return fd;
}

/* Forks all workers before it accepts the first, so that no worker inherits a connection. */
static void start_workers(struct farm *farm)
{
    struct sockaddr_in address;
    int listener = listen_on_loopback(&address);
    for (size_t i = 0; i < farm->bench.workers; i++) {
        farm->workers[i].pid = fork();
        if (farm->workers[i].pid < 0)
            mwt_bench_die("fork");
        if (farm->workers[i].pid == 0) {
            close(listener);
            _exit(work(farm, &address));
        }
    }
    for (size_t i = 0; i < farm->bench.workers; i++) {
        farm->workers[i].fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (farm->workers[i].fd < 0)
            mwt_bench_die("accept4");
    }
    close(listener);
}

static void open_farm(struct farm *farm)
{
    farm->workers = mwt_bench_alloc(farm->bench.workers * sizeof *farm->workers);
    start_workers(farm);
    farm->arguments = mwt_bench_alloc(farm->bench.bytes);
    farm->base = event_base_new();
    for (size_t i = 0; i < farm->bench.workers; i++) {
        struct worker *worker = &farm->workers[i];
        worker->farm = farm;
        inbox_init(&worker->in, farm);
        msgpack_sbuffer_init(&worker->unsent);
        set_nodelay(worker->fd);
        worker->readable =
            event_new(farm->base, worker->fd, EV_READ | EV_PERSIST, on_readable, worker);
        worker->writable = event_new(farm->base, worker->fd, EV_WRITE, on_writable, worker);
        if (worker->readable == NULL || worker->writable == NULL ||
            event_add(worker->readable, NULL) != 0)
            mwt_bench_die("event_new");
    }
}

/* All connections are closed before the first process is waited for. */
static bool close_farm(struct farm *farm)
{
    bool has_failed = false;
    for (size_t i = 0; i < farm->bench.workers; i++) {
        struct worker *worker = &farm->workers[i];
        event_free(worker->readable);
        event_free(worker->writable);
        close(worker->fd);
        free(worker->in.data);
        msgpack_sbuffer_destroy(&worker->unsent);
    }
    for (size_t i = 0; i < farm->bench.workers; i++) {
        int status = -1;
        if (waitpid(farm->workers[i].pid, &status, 0) < 0 || status != 0)
            has_failed = true;
    }
    event_base_free(farm->base);
    free(farm->workers);
    free(farm->arguments);
    return has_failed;
}

int main(int argc, char **argv)
{
    struct farm farm = {
        .bench = {.program = "textbook_libevent", .tasks = 20000, .bytes = 64, .workers = 1},
        .out_max = 128,
        .batch = 64};
    const struct mwt_bench_option own[] = {{"workers", &farm.bench.workers, 1},
                                           {"out", &farm.out_max, 1},
                                           {"batch", &farm.batch, 1},
                                           {NULL, NULL, 0}};
    if (!mwt_bench_parse(&farm.bench, own, argc, argv))
        return 2;
    if (farm.batch > farm.out_max || farm.bench.mode != MWT_BENCH_THROUGHPUT) {
        fprintf(stderr, "textbook_libevent: --batch is larger than --out, or not throughput\n");
        return 2;
    }
    open_farm(&farm);

    mwt_bench_begin(&farm.bench);
    for (size_t i = 0; i < farm.bench.workers; i++)
        give_tasks(&farm.workers[i]);
    event_base_dispatch(farm.base);
    mwt_bench_end(&farm.bench);

    bool has_failed = close_farm(&farm);
    return mwt_bench_report(&farm.bench) != 0 || has_failed;
}
