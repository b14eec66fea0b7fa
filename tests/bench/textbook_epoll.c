/* SPDX-License-Identifier: Apache-2.0
 *
 * The textbook task farm over TCP on the loopback interface, as one would write it by hand for one
 * job: a master with epoll and non-blocking sockets, and --workers processes forked by it that
 * block in recv() and send(). A worker has at most --out tasks at a time, and up to --batch frames
 * go into one send(). With 1 and 1, the default, it is the farm of the textbooks; with 64 and 64 it
 * is what an expert would do. It keeps no queue and survives nothing: it is there to compare with.
 *
 * A frame is a header of eight bytes, in the machine's own byte order, and the payload. A worker
 * ends when the master closes the connection.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define EVENTS_MAX 64
#define READ_BYTES_MIN ((size_t)256 * 1024)

struct header {
    uint32_t bytes;
    uint32_t number;
};

/* Bytes on their way in or out. data[begin..end) are still needed. */
struct buffer {
    unsigned char *data;
    size_t begin, end, size;
};

struct worker {
    pid_t pid;
    int fd;
    size_t out; /* tasks that it has */
    struct buffer in, unsent;
    bool waits_for_room; /* epoll tells when the socket takes more */
};

struct farm {
    struct mwt_bench bench;
    size_t out_max, batch;
    size_t sent;    /* tasks, so far */
    size_t allowed; /* tasks that may be sent by now */
    int epoll_fd;
    struct worker *workers;
    unsigned char *arguments;
};

static void buffer_init(struct buffer *buffer, size_t size)
{
    *buffer = (struct buffer){.data = mwt_bench_alloc(size), .size = size};
}

/* Makes room for `bytes` more at the end. The caller knows that the buffer is large enough. */
static unsigned char *buffer_room(struct buffer *buffer, size_t bytes)
{
    if (buffer->size - buffer->end < bytes) {
        memmove(buffer->data, buffer->data + buffer->begin, buffer->end - buffer->begin);
        buffer->end -= buffer->begin;
        buffer->begin = 0;
    }
    return buffer->data + buffer->end;
}

static void append_frame(struct buffer *buffer, uint32_t number, const void *payload, size_t bytes)
{
    struct header header = {(uint32_t)bytes, number};
    unsigned char *room = buffer_room(buffer, sizeof header + bytes);
    memcpy(room, &header, sizeof header);
    memcpy(room + sizeof header, payload, bytes);
    buffer->end += sizeof header + bytes;
}

/* The payload of the next whole frame, or NULL if there is none yet. */
static unsigned char *next_frame(struct buffer *buffer, struct header *header)
{
    size_t there = buffer->end - buffer->begin;
    if (there < sizeof *header)
        return NULL;
    unsigned char *frame = buffer->data + buffer->begin;
    memcpy(header, frame, sizeof *header);
    if (there - sizeof *header < header->bytes)
        return NULL;
    buffer->begin += sizeof *header + header->bytes;
    if (buffer->begin == buffer->end)
        buffer->begin = buffer->end = 0;
    return frame + sizeof *header;
}

/* Reads as much as the buffer holds. Returns 0 if the other end has closed, and below 0 if a
 * non-blocking socket has nothing. */
static ssize_t read_more(int fd, struct buffer *buffer, size_t frame_bytes)
{
    unsigned char *room = buffer_room(buffer, frame_bytes);
    ssize_t got = recv(fd, room, buffer->size - buffer->end, 0);
    if (got < 0 && errno != EAGAIN)
        mwt_bench_die("recv");
    if (got > 0)
        buffer->end += (size_t)got;
    return got;
}

/* Sends everything on a blocking socket, and as much as the kernel takes on a non-blocking one. */
static void send_all(int fd, struct buffer *buffer)
{
    while (buffer->begin < buffer->end) {
        ssize_t sent =
            send(fd, buffer->data + buffer->begin, buffer->end - buffer->begin, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0)
            mwt_bench_die("send");
        buffer->begin += (size_t)sent;
    }
    buffer->begin = buffer->end = 0;
}

/* The worker. */

/* The task: its result is its arguments. */
static void run_tasks(int fd, struct buffer *in, struct buffer *results, size_t batch)
{
    struct header header;
    unsigned char *arguments;
    size_t waiting = 0;
    while ((arguments = next_frame(in, &header)) != NULL) {
        append_frame(results, header.number, arguments, header.bytes);
        if (++waiting == batch) {
            send_all(fd, results);
            waiting = 0;
        }
    }
    send_all(fd, results);
}

static void set_nodelay(int fd)
{
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) < 0)
        mwt_bench_die("setsockopt");
}

static int work(const struct farm *farm, const struct sockaddr_in *address)
{
    size_t frame_bytes = sizeof(struct header) + farm->bench.bytes;
    struct buffer in, results;
    buffer_init(&in, READ_BYTES_MIN + 2 * frame_bytes);
    buffer_init(&results, farm->batch * frame_bytes);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        mwt_bench_die("connect");
    set_nodelay(fd);

    while (read_more(fd, &in, frame_bytes) > 0)
        run_tasks(fd, &in, &results, farm->batch);

    close(fd);
    free(in.data);
    free(results.data);
    return 0;
}

/* The master. */

static void flush(struct farm *farm, struct worker *worker)
{
    send_all(worker->fd, &worker->unsent);
    bool has_unsent = worker->unsent.end > 0;
    if (has_unsent == worker->waits_for_room)
        return;
    worker->waits_for_room = has_unsent;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = worker};
    if (has_unsent)
        event.events |= EPOLLOUT;
    if (epoll_ctl(farm->epoll_fd, EPOLL_CTL_MOD, worker->fd, &event) < 0)
        mwt_bench_die("epoll_ctl");
}

static void give_tasks(struct farm *farm, struct worker *worker)
{
    size_t waiting = 0;
    for (; worker->out < farm->out_max && farm->sent < farm->allowed; worker->out++) {
        uint32_t number = (uint32_t)farm->sent++;
        mwt_bench_write(farm->arguments, farm->bench.bytes, number);
        append_frame(&worker->unsent, number, farm->arguments, farm->bench.bytes);
        if (++waiting == farm->batch) {
            flush(farm, worker);
            waiting = 0;
        }
    }
    if (waiting > 0)
        flush(farm, worker);
}

static void take_results(struct farm *farm, struct worker *worker)
{
    struct header header;
    unsigned char *result;
    if (read_more(worker->fd, &worker->in, sizeof header + farm->bench.bytes) == 0) {
        fprintf(stderr, "textbook_epoll: a worker is gone\n");
        exit(1);
    }
    while ((result = next_frame(&worker->in, &header)) != NULL) {
        mwt_bench_take(&farm->bench, header.number, result, header.bytes);
        worker->out--;
    }
}

static void turn(struct farm *farm)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(farm->epoll_fd, events, EVENTS_MAX, -1);
    if (count < 0)
        mwt_bench_die("epoll_wait");
    for (int i = 0; i < count; i++) {
        struct worker *worker = events[i].data.ptr;
        if ((events[i].events & EPOLLOUT) != 0)
            flush(farm, worker);
        if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0)
            take_results(farm, worker);
        give_tasks(farm, worker);
    }
}

static void run_throughput(struct farm *farm)
{
    farm->allowed = farm->bench.tasks;
    for (size_t i = 0; i < farm->bench.workers; i++)
        give_tasks(farm, &farm->workers[i]);
    while (farm->bench.results < farm->bench.tasks)
        turn(farm);
}

static void run_latency(struct farm *farm)
{
    while (farm->allowed < farm->bench.tasks) {
        struct worker *worker = &farm->workers[farm->allowed % farm->bench.workers];
        int64_t since_ns = mwt_bench_now_ns();
        farm->allowed++;
        give_tasks(farm, worker);
        while (farm->bench.results < farm->allowed)
            turn(farm);
        mwt_bench_lap(&farm->bench, since_ns);
    }
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

/* Forks all workers before it accepts the first, so that no worker inherits the connection of
 * another and keeps it open. */
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

static void open_worker(struct farm *farm, struct worker *worker)
{
    size_t frame_bytes = sizeof(struct header) + farm->bench.bytes;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = worker};
    buffer_init(&worker->in, READ_BYTES_MIN + 2 * frame_bytes);
    buffer_init(&worker->unsent, 2 * farm->out_max * frame_bytes);
    set_nodelay(worker->fd);
    if (epoll_ctl(farm->epoll_fd, EPOLL_CTL_ADD, worker->fd, &event) < 0)
        mwt_bench_die("epoll_ctl");
}

static void open_farm(struct farm *farm)
{
    farm->workers = mwt_bench_alloc(farm->bench.workers * sizeof *farm->workers);
    start_workers(farm);
    farm->arguments = mwt_bench_alloc(farm->bench.bytes);
    farm->epoll_fd = epoll_create1(0);
    if (farm->epoll_fd < 0)
        mwt_bench_die("epoll_create1");
    for (size_t i = 0; i < farm->bench.workers; i++)
        open_worker(farm, &farm->workers[i]);
}

static void close_worker(struct worker *worker)
{
    close(worker->fd);
    free(worker->in.data);
    free(worker->unsent.data);
}

/* Closes all connections before it waits for the first process: connections come in any order, so a
 * worker's pid need not belong to the other end of its fd. */
static bool close_farm(struct farm *farm)
{
    bool has_failed = false;
    for (size_t i = 0; i < farm->bench.workers; i++)
        close_worker(&farm->workers[i]);
    for (size_t i = 0; i < farm->bench.workers; i++) {
        int status = -1;
        if (waitpid(farm->workers[i].pid, &status, 0) < 0 || status != 0)
            has_failed = true;
    }
    close(farm->epoll_fd);
    free(farm->workers);
    free(farm->arguments);
    return has_failed;
}

int main(int argc, char **argv)
{
    struct farm farm = {
        .bench = {.program = "textbook_epoll", .tasks = 20000, .bytes = 64, .workers = 1},
        .out_max = 1,
        .batch = 1};
    const struct mwt_bench_option own[] = {{"workers", &farm.bench.workers, 1},
                                           {"out", &farm.out_max, 1},
                                           {"batch", &farm.batch, 1},
                                           {NULL, NULL, 0}};
    if (!mwt_bench_parse(&farm.bench, own, argc, argv))
        return 2;
    open_farm(&farm);

    mwt_bench_begin(&farm.bench);
    if (farm.bench.mode == MWT_BENCH_LATENCY)
        run_latency(&farm);
    else
        run_throughput(&farm);
    mwt_bench_end(&farm.bench);

    bool has_failed = close_farm(&farm);
    return mwt_bench_report(&farm.bench) != 0 || has_failed;
}
