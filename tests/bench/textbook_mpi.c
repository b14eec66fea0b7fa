/* SPDX-License-Identifier: Apache-2.0
 *
 * The textbook task farm over MPI, as one would write it by hand for one job: rank 0 is the master
 * and receives from MPI_ANY_SOURCE, the other ranks are its workers. A worker has at most --out
 * tasks at a time, and up to --batch of them go into one message. With 1 and 1, the default, it is
 * the farm of the textbooks; with 64 and 64 messages are worth their while; with 4 and 1 the next
 * task is there before the last is done. It keeps no queue and survives nothing: it is there to
 * compare with.
 *
 * A message is a number of tasks or results, each of eight bytes for its number and the payload; an
 * empty one tells a worker to end. A message with results is answered with as many tasks, so that
 * messages of tasks have `slots` places per worker, which are used in turn.
 */
#include <limits.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define MASTER 0
#define TAG 1

struct slot {
    unsigned char *message;
    MPI_Request sent;
};

struct farm {
    struct mwt_bench bench;
    size_t out_max, batch;
    size_t task_bytes, slots;
    size_t sent;       /* tasks, so far */
    size_t allowed;    /* tasks that may be sent by now */
    struct slot *slot; /* worker 1's, worker 2's, ... */
    size_t *next_slot; /* of each worker */
    unsigned char *results;
};

/* The worker: the result of a task is its arguments. */
static void work(const struct farm *farm)
{
    int size_max = (int)(farm->batch * farm->task_bytes);
    unsigned char *tasks = mwt_bench_alloc((size_t)size_max);
    int size;
    do {
        MPI_Status status;
        MPI_Recv(tasks, size_max, MPI_BYTE, MASTER, TAG, MPI_COMM_WORLD, &status);
        MPI_Get_count(&status, MPI_BYTE, &size);
        if (size > 0)
            MPI_Send(tasks, size, MPI_BYTE, MASTER, TAG, MPI_COMM_WORLD);
    } while (size > 0);
    free(tasks);
}

/* The master. */

/* The worker's next place for a message. Its places are used in turn, so the earlier message in
 * this place has been answered and the wait ends at once. */
static struct slot *take_slot(struct farm *farm, size_t worker)
{
    size_t index = farm->next_slot[worker - 1]++ % farm->slots;
    struct slot *slot = &farm->slot[(worker - 1) * farm->slots + index];
    MPI_Wait(&slot->sent, MPI_STATUS_IGNORE);
    return slot;
}

static int write_tasks(struct farm *farm, unsigned char *message, size_t count)
{
    size_t size = 0;
    for (; count > 0; count--, size += farm->task_bytes) {
        uint64_t number = farm->sent++;
        memcpy(message + size, &number, sizeof number);
        mwt_bench_write(message + size + sizeof number, farm->bench.bytes, number);
    }
    return (int)size;
}

/* With one message at a time the worker is waiting for it, so a blocking send does. With more, both
 * ends could block in a send of a large message, each waiting for the other to receive. */
static void give_tasks(struct farm *farm, size_t worker, size_t count)
{
    if (count > farm->allowed - farm->sent)
        count = farm->allowed - farm->sent;
    if (count == 0)
        return;
    struct slot *slot = take_slot(farm, worker);
    int size = write_tasks(farm, slot->message, count);
    if (farm->slots == 1)
        MPI_Send(slot->message, size, MPI_BYTE, (int)worker, TAG, MPI_COMM_WORLD);
    else
        MPI_Isend(slot->message, size, MPI_BYTE, (int)worker, TAG, MPI_COMM_WORLD, &slot->sent);
}

static void take_results(struct farm *farm, size_t *worker, size_t *count)
{
    int size_max = (int)(farm->batch * farm->task_bytes), size;
    MPI_Status status;
    MPI_Recv(farm->results, size_max, MPI_BYTE, MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, MPI_BYTE, &size);
    *worker = (size_t)status.MPI_SOURCE;
    *count = (size_t)size / farm->task_bytes;
    for (size_t i = 0; i < *count; i++) {
        const unsigned char *result = farm->results + i * farm->task_bytes;
        uint64_t number;
        memcpy(&number, result, sizeof number);
        mwt_bench_take(&farm->bench, number, result + sizeof number, farm->bench.bytes);
    }
}

static void run_throughput(struct farm *farm)
{
    farm->allowed = farm->bench.tasks;
    for (size_t i = 0; i < farm->slots; i++)
        for (size_t worker = 1; worker <= farm->bench.workers; worker++)
            give_tasks(farm, worker, farm->batch);
    while (farm->bench.results < farm->bench.tasks) {
        size_t worker, count;
        take_results(farm, &worker, &count);
        give_tasks(farm, worker, count);
    }
}

static void run_latency(struct farm *farm)
{
    while (farm->allowed < farm->bench.tasks) {
        size_t worker = 1 + farm->allowed % farm->bench.workers, count;
        int64_t since_ns = mwt_bench_now_ns();
        farm->allowed++;
        give_tasks(farm, worker, 1);
        take_results(farm, &worker, &count);
        mwt_bench_lap(&farm->bench, since_ns);
    }
}

/* Setting up and down. */

static void open_farm(struct farm *farm)
{
    size_t slots = farm->bench.workers * farm->slots;
    farm->results = mwt_bench_alloc(farm->batch * farm->task_bytes);
    farm->next_slot = mwt_bench_alloc(farm->bench.workers * sizeof *farm->next_slot);
    farm->slot = mwt_bench_alloc(slots * sizeof *farm->slot);
    for (size_t i = 0; i < slots; i++) {
        farm->slot[i].message = mwt_bench_alloc(farm->batch * farm->task_bytes);
        farm->slot[i].sent = MPI_REQUEST_NULL;
    }
}

static void close_farm(struct farm *farm)
{
    size_t slots = farm->bench.workers * farm->slots;
    for (size_t i = 0; i < slots; i++) {
        MPI_Wait(&farm->slot[i].sent, MPI_STATUS_IGNORE);
        free(farm->slot[i].message);
    }
    for (size_t worker = 1; worker <= farm->bench.workers; worker++)
        MPI_Send(NULL, 0, MPI_BYTE, (int)worker, TAG, MPI_COMM_WORLD);
    free(farm->slot);
    free(farm->next_slot);
    free(farm->results);
}

static int direct(struct farm *farm)
{
    open_farm(farm);

    mwt_bench_begin(&farm->bench);
    if (farm->bench.mode == MWT_BENCH_LATENCY)
        run_latency(farm);
    else
        run_throughput(farm);
    mwt_bench_end(&farm->bench);

    close_farm(farm);
    return mwt_bench_report(&farm->bench);
}

static bool parse(struct farm *farm, int argc, char **argv)
{
    const struct mwt_bench_option own[] = {
        {"out", &farm->out_max, 1}, {"batch", &farm->batch, 1}, {NULL, NULL, 0}};
    if (!mwt_bench_parse(&farm->bench, own, argc, argv))
        return false;
    farm->task_bytes = sizeof(uint64_t) + farm->bench.bytes;
    if (farm->batch > farm->out_max || farm->batch > (size_t)INT_MAX / farm->task_bytes) {
        fprintf(stderr, "textbook_mpi: --batch is larger than --out or than a message can be\n");
        return false;
    }
    farm->slots = farm->out_max / farm->batch;
    return true;
}

int main(int argc, char **argv)
{
    struct farm farm = {.bench = {.program = "textbook_mpi", .tasks = 200000, .bytes = 64},
                        .out_max = 1,
                        .batch = 1};
    if (!parse(&farm, argc, argv))
        return 2;
    int rank, size, status = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    farm.bench.workers = (size_t)size - 1;
    if (size < 2)
        fprintf(stderr, "textbook_mpi: needs mpirun and at least two ranks\n");
    MPI_Barrier(MPI_COMM_WORLD);
    if (size < 2)
        status = 2;
    else if (rank == MASTER)
        status = direct(&farm);
    else
        work(&farm);
    MPI_Finalize();
    return status;
}
