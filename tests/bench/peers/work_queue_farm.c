/* SPDX-License-Identifier: Apache-2.0
 *
 * The benchmark's task over Work Queue, with its defaults. Work Queue knows no function calls, so
 * the task is `cat` on a file of --bytes, which is sent from a buffer, and the result is its
 * output. This process starts --workers processes work_queue_worker of one core each. The clock
 * starts when each has run a task.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctools/work_queue.h>

#include "bench.h"

#define AHEAD 1000
#define WAIT_S 60

struct farm {
    struct mwt_bench bench;
    struct work_queue *queue;
    pid_t *pids;
    size_t submitted;
    unsigned char *arguments;
};

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "work_queue_farm: %s failed\n", what);
    exit(1);
}

/* Work Queue takes the output for text, so the number is written as digits and the rest as dots. */
static void submit(struct farm *farm)
{
    char *text = (char *)farm->arguments;
    memset(text, '.', farm->bench.bytes);
    snprintf(text, farm->bench.bytes, "%zu", farm->submitted++);
    struct work_queue_task *task = work_queue_task_create("cat in");
    require(task != NULL && work_queue_task_specify_buffer(task, text, (int)farm->bench.bytes, "in",
                                                           WORK_QUEUE_NOCACHE),
            "work_queue_task_create");
    work_queue_task_specify_cores(task, 1);
    work_queue_submit(farm->queue, task);
}

static void take(struct farm *farm)
{
    struct work_queue_task *task = work_queue_wait(farm->queue, WAIT_S);
    require(task != NULL && task->result == WORK_QUEUE_RESULT_SUCCESS && task->output != NULL,
            "a task");
    farm->bench.results++;
    farm->bench.numbers_sum += strtoull(task->output, NULL, 10);
    work_queue_task_delete(task);
}

static void run(struct farm *farm, size_t ahead)
{
    while (farm->bench.results < farm->bench.tasks) {
        int64_t since_ns = mwt_bench_now_ns();
        while (farm->submitted < farm->bench.tasks && farm->submitted - farm->bench.results < ahead)
            submit(farm);
        take(farm);
        if (farm->bench.latencies_ns != NULL)
            mwt_bench_lap(&farm->bench, since_ns);
    }
}

static void open_farm(struct farm *farm)
{
    char port[16];
    farm->arguments = mwt_bench_alloc(farm->bench.bytes + 1);
    farm->pids = mwt_bench_alloc(farm->bench.workers * sizeof *farm->pids);
    farm->queue = work_queue_create(0);
    require(farm->queue, "work_queue_create");
    snprintf(port, sizeof port, "%d", work_queue_port(farm->queue));
    for (size_t i = 0; i < farm->bench.workers; i++) {
        farm->pids[i] = fork();
        require(farm->pids[i] >= 0, "fork");
        if (farm->pids[i] == 0) {
            if (!freopen("/dev/null", "w", stdout))
                _exit(1);
            execlp("work_queue_worker", "work_queue_worker", "--cores=1", "--parent-death",
                   "127.0.0.1", port, (char *)NULL);
            _exit(127);
        }
    }
}

/* Runs tasks until all workers are connected. */
static void warm_up(struct farm *farm)
{
    struct mwt_bench bench = farm->bench;
    struct work_queue_stats stats = {0};
    for (farm->bench.tasks = 0; stats.workers_connected < (int)bench.workers;) {
        farm->bench.tasks += 4 * bench.workers;
        run(farm, AHEAD);
        work_queue_get_stats(farm->queue, &stats);
    }
    farm->bench = bench;
    farm->submitted = 0;
}

static void close_farm(struct farm *farm)
{
    for (size_t i = 0; i < farm->bench.workers; i++)
        kill(farm->pids[i], SIGTERM);
    for (size_t i = 0; i < farm->bench.workers; i++)
        waitpid(farm->pids[i], NULL, 0);
    work_queue_delete(farm->queue);
    free(farm->pids);
    free(farm->arguments);
}

int main(int argc, char **argv)
{
    struct farm farm = {
        .bench = {.program = "work_queue_farm", .tasks = 100, .bytes = 64, .workers = 1}};
    const struct mwt_bench_option own[] = {{"workers", &farm.bench.workers, 1}, {NULL, NULL, 0}};
    if (!mwt_bench_parse(&farm.bench, own, argc, argv))
        return 2;
    open_farm(&farm);
    warm_up(&farm);

    mwt_bench_begin(&farm.bench);
    run(&farm, farm.bench.mode == MWT_BENCH_LATENCY ? 1 : AHEAD);
    mwt_bench_end(&farm.bench);

    close_farm(&farm);
    return mwt_bench_report(&farm.bench);
}
