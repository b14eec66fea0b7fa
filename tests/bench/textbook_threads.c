/* SPDX-License-Identifier: Apache-2.0
 *
 * The task farm that an expert writes inside of one process: --workers threads, and for each two
 * rings in shared memory, one of tasks and one of results. A ring has one writer and one reader,
 * so it needs no lock; each publishes many items at once. Nothing leaves the process and nothing
 * survives it: this is the ceiling for a farm on one machine.
 *
 * A slot is a number and the payload. A thread that finds nothing to do looks again SPINS times,
 * and then yields its processor.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define SLOTS ((size_t)1024) /* a power of two */
#define SPINS 64
#define LINE_BYTES 64

/* Slots written..read are free, read..written hold items. Each side keeps what it last saw of the
 * other, and looks again when that does not suffice. */
struct ring {
    _Alignas(LINE_BYTES) atomic_size_t written;
    size_t read_seen;
    _Alignas(LINE_BYTES) atomic_size_t read;
    size_t written_seen;
    _Alignas(LINE_BYTES) unsigned char *slots;
    size_t slot_bytes;
};

struct worker {
    struct ring tasks, results;
    pthread_t thread;
    struct farm *farm;
    size_t out; /* tasks that it has */
};

struct farm {
    struct mwt_bench bench;
    size_t sent;    /* tasks, so far */
    size_t allowed; /* tasks that may be sent by now */
    atomic_bool has_ended;
    struct worker *workers;
};

static void ring_init(struct ring *ring, size_t bytes)
{
    ring->slot_bytes = sizeof(uint64_t) + bytes;
    ring->slots = mwt_bench_alloc(SLOTS * ring->slot_bytes);
}

static unsigned char *slot_at(const struct ring *ring, size_t index)
{
    return ring->slots + index % SLOTS * ring->slot_bytes;
}

/* How many slots the writer may fill. */
static size_t room(struct ring *ring, size_t written)
{
    if (written - ring->read_seen == SLOTS)
        ring->read_seen = atomic_load_explicit(&ring->read, memory_order_acquire);
    return SLOTS - (written - ring->read_seen);
}

/* How many items the reader may take. */
static size_t there(struct ring *ring, size_t read)
{
    if (ring->written_seen == read)
        ring->written_seen = atomic_load_explicit(&ring->written, memory_order_acquire);
    return ring->written_seen - read;
}

static void rest(size_t *idle)
{
    if (++*idle % SPINS == 0)
        sched_yield();
}

/* The worker: the result of a task is its arguments. A worker never has more tasks than there are
 * slots, so its results always fit. */
static size_t run_tasks(struct worker *worker)
{
    size_t at = atomic_load_explicit(&worker->tasks.read, memory_order_relaxed);
    size_t count = there(&worker->tasks, at);
    for (size_t i = at; i < at + count; i++)
        memcpy(slot_at(&worker->results, i), slot_at(&worker->tasks, i), worker->tasks.slot_bytes);
    if (count > 0) {
        atomic_store_explicit(&worker->tasks.read, at + count, memory_order_release);
        atomic_store_explicit(&worker->results.written, at + count, memory_order_release);
    }
    return count;
}

static void *work(void *context)
{
    struct worker *worker = context;
    size_t idle = 0;
    while (!atomic_load_explicit(&worker->farm->has_ended, memory_order_relaxed)) {
        if (run_tasks(worker) > 0)
            idle = 0;
        else
            rest(&idle);
    }
    return NULL;
}

/* The master. */

static size_t give_tasks(struct farm *farm, struct worker *worker)
{
    size_t at = atomic_load_explicit(&worker->tasks.written, memory_order_relaxed);
    size_t count = room(&worker->tasks, at);
    if (count > SLOTS - worker->out)
        count = SLOTS - worker->out;
    if (count > farm->allowed - farm->sent)
        count = farm->allowed - farm->sent;
    for (size_t i = at; i < at + count; i++) {
        uint64_t number = farm->sent++;
        unsigned char *slot = slot_at(&worker->tasks, i);
        memcpy(slot, &number, sizeof number);
        mwt_bench_write(slot + sizeof number, farm->bench.bytes, number);
    }
    worker->out += count;
    if (count > 0)
        atomic_store_explicit(&worker->tasks.written, at + count, memory_order_release);
    return count;
}

static size_t take_results(struct farm *farm, struct worker *worker)
{
    size_t at = atomic_load_explicit(&worker->results.read, memory_order_relaxed);
    size_t count = there(&worker->results, at);
    for (size_t i = at; i < at + count; i++) {
        const unsigned char *slot = slot_at(&worker->results, i);
        uint64_t number;
        memcpy(&number, slot, sizeof number);
        mwt_bench_take(&farm->bench, number, slot + sizeof number, farm->bench.bytes);
    }
    worker->out -= count;
    if (count > 0)
        atomic_store_explicit(&worker->results.read, at + count, memory_order_release);
    return count;
}

/* Runs until all tasks that are allowed are back. */
static void run(struct farm *farm)
{
    size_t idle = 0;
    while (farm->bench.results < farm->allowed) {
        size_t moved = 0;
        for (size_t i = 0; i < farm->bench.workers; i++) {
            moved += take_results(farm, &farm->workers[i]);
            moved += give_tasks(farm, &farm->workers[i]);
        }
        if (moved > 0)
            idle = 0;
        else
            rest(&idle);
    }
}

static void run_latency(struct farm *farm)
{
    while (farm->allowed < farm->bench.tasks) {
        int64_t since_ns = mwt_bench_now_ns();
        farm->allowed++;
        run(farm);
        mwt_bench_lap(&farm->bench, since_ns);
    }
}

static void open_farm(struct farm *farm)
{
    size_t size = farm->bench.workers * sizeof *farm->workers;
    farm->workers = aligned_alloc(LINE_BYTES, size);
    if (farm->workers == NULL)
        mwt_bench_die("aligned_alloc");
    memset(farm->workers, 0, size);
    for (size_t i = 0; i < farm->bench.workers; i++) {
        struct worker *worker = &farm->workers[i];
        worker->farm = farm;
        ring_init(&worker->tasks, farm->bench.bytes);
        ring_init(&worker->results, farm->bench.bytes);
        if (pthread_create(&worker->thread, NULL, work, worker) != 0)
            mwt_bench_die("pthread_create");
    }
}

static void close_farm(struct farm *farm)
{
    atomic_store(&farm->has_ended, true);
    for (size_t i = 0; i < farm->bench.workers; i++) {
        pthread_join(farm->workers[i].thread, NULL);
        free(farm->workers[i].tasks.slots);
        free(farm->workers[i].results.slots);
    }
    free(farm->workers);
}

int main(int argc, char **argv)
{
    struct farm farm = {
        .bench = {.program = "textbook_threads", .tasks = 20000, .bytes = 64, .workers = 1}};
    const struct mwt_bench_option own[] = {{"workers", &farm.bench.workers, 1}, {NULL, NULL, 0}};
    if (!mwt_bench_parse(&farm.bench, own, argc, argv))
        return 2;
    open_farm(&farm);

    mwt_bench_begin(&farm.bench);
    if (farm.bench.mode == MWT_BENCH_LATENCY) {
        run_latency(&farm);
    } else {
        farm.allowed = farm.bench.tasks;
        run(&farm);
    }
    mwt_bench_end(&farm.bench);

    close_farm(&farm);
    return mwt_bench_report(&farm.bench);
}
