/* SPDX-License-Identifier: Apache-2.0
 *
 * One task at a time between two processes that spin on a Unix stream socket: the least that a
 * task of a local farm can cost with --mw-wait spin. There is no farm around it: no queue, no
 * frame, no second worker.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* Returns false if the other end has closed. */
static bool receive(int fd, unsigned char *data, size_t bytes)
{
    for (size_t got = 0; got < bytes;) {
        ssize_t more = recv(fd, data + got, bytes - got, MSG_DONTWAIT);
        if (more == 0)
            return false;
        if (more < 0 && errno != EAGAIN)
            mwt_bench_die("recv");
        if (more > 0)
            got += (size_t)more;
    }
    return true;
}

static void transmit(int fd, const unsigned char *data, size_t bytes)
{
    for (size_t sent = 0; sent < bytes;) {
        ssize_t more = send(fd, data + sent, bytes - sent, MSG_NOSIGNAL);
        if (more < 0)
            mwt_bench_die("send");
        sent += (size_t)more;
    }
}

/* The worker: the result of a task is its arguments. */
static void work(int fd, unsigned char *data, size_t bytes)
{
    while (receive(fd, data, bytes))
        transmit(fd, data, bytes);
}

static void run(struct mwt_bench *bench, int fd, unsigned char *data)
{
    for (size_t i = 0; i < bench->tasks; i++) {
        int64_t since_ns = mwt_bench_now_ns();
        mwt_bench_write(data, bench->bytes, i);
        transmit(fd, data, bench->bytes);
        if (!receive(fd, data, bench->bytes))
            mwt_bench_die("the worker is gone");
        mwt_bench_take(bench, i, data, bench->bytes);
        mwt_bench_lap(bench, since_ns);
    }
}

int main(int argc, char **argv)
{
    struct mwt_bench bench = {.program = "textbook_unix",
                              .mode = MWT_BENCH_LATENCY,
                              .tasks = 20000,
                              .bytes = 64,
                              .workers = 1};
    const struct mwt_bench_option own[] = {{"workers", &bench.workers, 1}, {NULL, NULL, 0}};
    int ends[2], status = 0;
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return 2;
    if (bench.workers != 1 || bench.bytes == 0 || bench.mode != MWT_BENCH_LATENCY) {
        fprintf(stderr, "textbook_unix: one worker, some bytes, and one task at a time only\n");
        return 2;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        mwt_bench_die("socketpair");
    unsigned char *data = mwt_bench_alloc(bench.bytes);
    pid_t pid = fork();
    if (pid < 0)
        mwt_bench_die("fork");
    close(ends[pid == 0 ? 0 : 1]);
    if (pid == 0) {
        work(ends[1], data, bench.bytes);
        _exit(0);
    }
    mwt_bench_begin(&bench);
    run(&bench, ends[0], data);
    mwt_bench_end(&bench);
    close(ends[0]);
    free(data);
    bool has_failed = waitpid(pid, &status, 0) < 0 || status != 0;
    return mwt_bench_report(&bench) != 0 || has_failed;
}
