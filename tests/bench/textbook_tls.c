/* SPDX-License-Identifier: Apache-2.0
 *
 * Bare TLS streams with the same records as a farm's: the ceiling of a farm that encrypts. The
 * master has a connection to each of --workers processes that it forks, over TCP on the loopback
 * interface, and a worker sends back what comes. The master has at most --out messages of --bytes
 * bytes at each worker. A message has no head, and worker W of N gets each Nth message: there is
 * nothing to parse, to look up, or to choose. Encryption and keys are those of mw's tcp transport.
 */
#include <errno.h>
#include <fcntl.h>
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
#include "tls.h"

#define EVENTS_MAX 64

struct worker {
    pid_t pid;
    int fd;
    SSL *tls;
    size_t next_out, next_in; /* the messages that are on their way */
    size_t sent, got;         /* bytes of them */
    bool waits_for_room;      /* epoll tells when the socket takes more */
    unsigned char *out, *in;
};

struct farm {
    struct mwt_bench bench;
    size_t out_max;
    struct mwt_tls_psk psk;
    int epoll_fd;
    SSL_CTX *context;
    struct worker *workers;
};

/* The worker. */

static void transmit_all(SSL *tls, const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = mwt_tls_transmit(tls, data, size);
        if (sent <= 0)
            mwt_bench_die("the master is gone");
        data += sent;
        size -= (size_t)sent;
    }
}

/* Sends a message back when all of it is there, as a task's result is. */
static int work(struct farm *farm, const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) < 0)
        mwt_bench_die("connect");
    SSL_CTX *context = mwt_tls_open(false, &farm->psk);
    SSL *tls = mwt_tls_attach(context, false, fd);
    unsigned char *message = mwt_bench_alloc(farm->bench.bytes);
    size_t there = 0;
    for (;;) {
        ssize_t got = mwt_tls_receive(tls, message + there, farm->bench.bytes - there);
        if (got <= 0)
            break;
        there += (size_t)got;
        if (there == farm->bench.bytes) {
            transmit_all(tls, message, there);
            there = 0;
        }
    }
    free(message);
    SSL_free(tls);
    SSL_CTX_free(context);
    close(fd);
    return 0;
}

/* The master. */

static void watch(struct farm *farm, struct worker *worker, bool waits_for_room)
{
    if (worker->waits_for_room == waits_for_room)
        return;
    worker->waits_for_room = waits_for_room;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = worker};
    if (waits_for_room)
        event.events |= EPOLLOUT;
    if (epoll_ctl(farm->epoll_fd, EPOLL_CTL_MOD, worker->fd, &event) < 0)
        mwt_bench_die("epoll_ctl");
}

static void send_messages(struct farm *farm, struct worker *worker)
{
    size_t bytes = farm->bench.bytes, window = farm->out_max * farm->bench.workers;
    while (worker->next_out < farm->bench.tasks && worker->next_out < worker->next_in + window) {
        if (worker->sent == 0)
            mwt_bench_write(worker->out, bytes, worker->next_out);
        ssize_t sent =
            mwt_tls_transmit(worker->tls, worker->out + worker->sent, bytes - worker->sent);
        if (sent < 0) {
            watch(farm, worker, SSL_want_write(worker->tls));
            return;
        }
        worker->sent += (size_t)sent;
        if (worker->sent == bytes) {
            worker->sent = 0;
            worker->next_out += farm->bench.workers;
        }
    }
    watch(farm, worker, false);
}

static void take_messages(struct farm *farm, struct worker *worker)
{
    size_t bytes = farm->bench.bytes;
    ssize_t got;
    while ((got = mwt_tls_receive(worker->tls, worker->in + worker->got, bytes - worker->got)) >
           0) {
        worker->got += (size_t)got;
        if (worker->got == bytes) {
            mwt_bench_take(&farm->bench, worker->next_in, worker->in, bytes);
            worker->got = 0;
            worker->next_in += farm->bench.workers;
        }
    }
    if (got == 0) {
        fprintf(stderr, "textbook_tls: a worker is gone\n");
        exit(1);
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
        if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0)
            take_messages(farm, worker);
        send_messages(farm, worker);
    }
}

static void run(struct farm *farm)
{
    for (size_t i = 0; i < farm->bench.workers; i++)
        send_messages(farm, &farm->workers[i]);
    while (farm->bench.results < farm->bench.tasks)
        turn(farm);
}

/* Setting up and down. */

/* Forks all workers before it accepts the first, so that no worker inherits the connection of
 * another and keeps it open. */
static void start_workers(struct farm *farm)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, SOMAXCONN) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        mwt_bench_die("listen");
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
        farm->workers[i].fd = accept(listener, NULL, NULL);
        if (farm->workers[i].fd < 0)
            mwt_bench_die("accept");
    }
    close(listener);
}

/* Proves the key to a worker, and it to this master, before the clock starts. */
static void open_worker(struct farm *farm, struct worker *worker, size_t number)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = worker};
    worker->next_out = worker->next_in = number;
    worker->out = mwt_bench_alloc(farm->bench.bytes);
    worker->in = mwt_bench_alloc(farm->bench.bytes);
    worker->tls = mwt_tls_attach(farm->context, true, worker->fd);
    if (SSL_do_handshake(worker->tls) != 1)
        mwt_bench_die("handshake");
    if (setsockopt(worker->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) < 0 ||
        fcntl(worker->fd, F_SETFL, O_NONBLOCK) < 0 ||
        epoll_ctl(farm->epoll_fd, EPOLL_CTL_ADD, worker->fd, &event) < 0)
        mwt_bench_die("epoll_ctl");
}

static void open_farm(struct farm *farm)
{
    farm->workers = mwt_bench_alloc(farm->bench.workers * sizeof *farm->workers);
    start_workers(farm);
    farm->context = mwt_tls_open(true, &farm->psk);
    farm->epoll_fd = epoll_create1(0);
    if (farm->epoll_fd < 0)
        mwt_bench_die("epoll_create1");
    for (size_t i = 0; i < farm->bench.workers; i++)
        open_worker(farm, &farm->workers[i], i);
}

/* Closes all connections before it waits for the first process: connections come in any order, so a
 * worker's pid need not belong to the other end of its fd. */
static bool close_farm(struct farm *farm)
{
    bool has_failed = false;
    for (size_t i = 0; i < farm->bench.workers; i++) {
        SSL_free(farm->workers[i].tls);
        close(farm->workers[i].fd);
        free(farm->workers[i].out);
        free(farm->workers[i].in);
    }
    for (size_t i = 0; i < farm->bench.workers; i++) {
        int status = -1;
        if (waitpid(farm->workers[i].pid, &status, 0) < 0 || status != 0)
            has_failed = true;
    }
    close(farm->epoll_fd);
    SSL_CTX_free(farm->context);
    free(farm->workers);
    return has_failed;
}

int main(int argc, char **argv)
{
    struct farm farm = {
        .bench = {.program = "textbook_tls", .tasks = 2000, .bytes = 65536, .workers = 1},
        .out_max = 8,
        .psk = {.name = "textbook", .bytes = {1}}};
    const struct mwt_bench_option own[] = {
        {"workers", &farm.bench.workers, 1}, {"out", &farm.out_max, 1}, {NULL, NULL, 0}};
    if (!mwt_bench_parse(&farm.bench, own, argc, argv))
        return 2;
    open_farm(&farm);

    mwt_bench_begin(&farm.bench);
    run(&farm);
    mwt_bench_end(&farm.bench);

    bool has_failed = close_farm(&farm);
    return mwt_bench_report(&farm.bench) != 0 || has_failed;
}
