/* SPDX-License-Identifier: Apache-2.0
 *
 * The ceiling for a farm with a journal: appends --tasks records of --bytes to a file in /tmp,
 * in blocks of 64 KiB, while a thread syncs what is written every 5 ms. There is no farm, no
 * checksum and nothing to look up. The clock stops when the last block is written.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define BLOCK_BYTES ((size_t)64 * 1024)
#define SYNC_NS 5000000

struct log {
    int fd;
    size_t used;
    unsigned char block[BLOCK_BYTES];
    atomic_bool is_over;
};

static void *sync_often(void *context)
{
    struct log *log = context;
    while (!atomic_load(&log->is_over)) {
        if (fdatasync(log->fd) != 0)
            mwt_bench_die("fdatasync");
        nanosleep(&(struct timespec){.tv_nsec = SYNC_NS}, NULL);
    }
    return NULL;
}

static void flush(struct log *log)
{
    if (write(log->fd, log->block, log->used) != (ssize_t)log->used)
        mwt_bench_die("write");
    log->used = 0;
}

static void append(struct log *log, const void *data, size_t size)
{
    if (log->used + size > BLOCK_BYTES)
        flush(log);
    memcpy(log->block + log->used, data, size);
    log->used += size;
}

static void run(struct log *log, struct mwt_bench *bench)
{
    pthread_t thread;
    unsigned char *record = mwt_bench_alloc(bench->bytes);
    if (pthread_create(&thread, NULL, sync_often, log) != 0)
        mwt_bench_die("pthread_create");
    mwt_bench_begin(bench);
    for (size_t i = 0; i < bench->tasks; i++) {
        mwt_bench_write(record, bench->bytes, i);
        append(log, record, bench->bytes);
        mwt_bench_take(bench, i, record, bench->bytes);
    }
    flush(log);
    mwt_bench_end(bench);
    atomic_store(&log->is_over, true);
    pthread_join(thread, NULL);
    free(record);
}

int main(int argc, char **argv)
{
    struct mwt_bench bench = {.program = "append_log", .tasks = 1000000, .bytes = 92};
    const struct mwt_bench_option own[] = {{"workers", &bench.workers, 1}, {NULL, NULL, 0}};
    char path[] = "/tmp/append_log_XXXXXX";
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return 2;
    struct log *log = mwt_bench_alloc(sizeof *log);
    log->fd = mkostemp(path, O_CLOEXEC);
    if (log->fd < 0 || unlink(path) != 0)
        mwt_bench_die(path);
    if (bench.bytes > BLOCK_BYTES)
        return 2;
    run(log, &bench);
    close(log->fd);
    free(log);
    return mwt_bench_report(&bench);
}
