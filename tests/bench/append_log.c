/* SPDX-License-Identifier: Apache-2.0
 *
 * The ceiling for a farm with a journal: appends --tasks records of --bytes to a file in /tmp,
 * whose room is allocated ahead. There is no farm, no checksum and nothing to look up. The clock
 * stops when the last record is written. With --sync 0 the syncs are a journal's: blocks of 64 KiB
 * are written while a thread syncs every 5 ms, and at most 64 MiB are not durable. With --sync N
 * each N records are written and synced, and only then the next ones.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define BLOCK_BYTES ((size_t)64 * 1024)
#define ROOM_BYTES ((off_t)4 * 1024 * 1024)
#define SYNC_NS 5000000
#define BEHIND_BYTES ((off_t)64 * 1024 * 1024)

struct log {
    int fd;
    size_t used, block_bytes;
    unsigned char *block;
    off_t room;
    bool has_thread;       /* which syncs; else each block is synced */
    pthread_mutex_t mutex; /* protects what follows */
    pthread_cond_t synced;
    off_t written, durable;
    bool is_over;
};

static void sync_file(struct log *log)
{
    pthread_mutex_lock(&log->mutex);
    off_t written = log->written;
    pthread_mutex_unlock(&log->mutex);
    if (fdatasync(log->fd) != 0)
        mwt_bench_die("fdatasync");
    pthread_mutex_lock(&log->mutex);
    log->durable = written;
    pthread_cond_signal(&log->synced);
    pthread_mutex_unlock(&log->mutex);
}

static bool is_over(struct log *log)
{
    pthread_mutex_lock(&log->mutex);
    bool is_over = log->is_over;
    pthread_mutex_unlock(&log->mutex);
    return is_over;
}

static void *sync_often(void *context)
{
    struct log *log = context;
    while (!is_over(log)) {
        sync_file(log);
        nanosleep(&(struct timespec){.tv_nsec = SYNC_NS}, NULL);
    }
    return NULL;
}

static void make_room(struct log *log)
{
    if (log->written + (off_t)log->used <= log->room)
        return;
    if (posix_fallocate(log->fd, log->room, ROOM_BYTES + (off_t)log->used) != 0)
        mwt_bench_die("posix_fallocate");
    log->room += ROOM_BYTES + (off_t)log->used;
}

static void flush(struct log *log)
{
    make_room(log);
    if (write(log->fd, log->block, log->used) != (ssize_t)log->used)
        mwt_bench_die("write");
    pthread_mutex_lock(&log->mutex);
    log->written += (off_t)log->used;
    while (log->has_thread && log->written - log->durable > BEHIND_BYTES)
        pthread_cond_wait(&log->synced, &log->mutex);
    pthread_mutex_unlock(&log->mutex);
    log->used = 0;
    if (!log->has_thread)
        sync_file(log);
}

static void append(struct log *log, const void *data, size_t size)
{
    if (log->used + size > log->block_bytes)
        flush(log);
    memcpy(log->block + log->used, data, size);
    log->used += size;
}

static void run(struct log *log, struct mwt_bench *bench)
{
    pthread_t thread;
    unsigned char *record = mwt_bench_alloc(bench->bytes);
    if (log->has_thread && pthread_create(&thread, NULL, sync_often, log) != 0)
        mwt_bench_die("pthread_create");
    mwt_bench_begin(bench);
    for (size_t i = 0; i < bench->tasks; i++) {
        mwt_bench_write(record, bench->bytes, i);
        append(log, record, bench->bytes);
        mwt_bench_take(bench, i, record, bench->bytes);
    }
    flush(log);
    mwt_bench_end(bench);
    pthread_mutex_lock(&log->mutex);
    log->is_over = true;
    pthread_mutex_unlock(&log->mutex);
    if (log->has_thread)
        pthread_join(thread, NULL);
    free(record);
}

int main(int argc, char **argv)
{
    struct mwt_bench bench = {.program = "append_log", .tasks = 1000000, .bytes = 92};
    size_t each = 0;
    const struct mwt_bench_option own[] = {
        {"workers", &bench.workers, 1}, {"sync", &each, 0}, {NULL, NULL, 0}};
    char path[] = "/tmp/append_log_XXXXXX";
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return 2;
    struct log *log = mwt_bench_alloc(sizeof *log);
    *log = (struct log){.has_thread = each == 0,
                        .mutex = PTHREAD_MUTEX_INITIALIZER,
                        .synced = PTHREAD_COND_INITIALIZER};
    log->block_bytes = log->has_thread ? BLOCK_BYTES : each * bench.bytes;
    log->block = mwt_bench_alloc(log->block_bytes);
    log->fd = mkostemp(path, O_CLOEXEC);
    if (log->fd < 0 || unlink(path) != 0)
        mwt_bench_die(path);
    if (bench.bytes > log->block_bytes)
        return 2;
    run(log, &bench);
    close(log->fd);
    free(log->block);
    free(log);
    return mwt_bench_report(&bench);
}
