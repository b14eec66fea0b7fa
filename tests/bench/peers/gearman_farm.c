/* SPDX-License-Identifier: Apache-2.0
 *
 * The benchmark's task over Gearman, with libgearman's defaults. This process is the client, and
 * forks --workers processes. All talk to a gearmand on this host at --port, which farms.py starts.
 * For throughput the client adds up to --ahead tasks and runs them together.
 */
#include <libgearman/gearman.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

struct farm {
    struct mwt_bench bench;
    size_t port, ahead;
    pid_t *pids;
    gearman_client_st *client;
};

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "gearman_farm: %s failed\n", what);
    exit(1);
}

/* libgearman frees the result. */
static void *echo(gearman_job_st *job, void *context, size_t *size, gearman_return_t *status)
{
    (void)context;
    *size = gearman_job_workload_size(job);
    void *result = malloc(*size + 1);
    if (result != NULL)
        memcpy(result, gearman_job_workload(job), *size);
    *status = result != NULL ? GEARMAN_SUCCESS : GEARMAN_WORK_FAIL;
    return result;
}

_Noreturn static void work(const struct farm *farm)
{
    gearman_worker_st *worker = gearman_worker_create(NULL);
    require(gearman_worker_add_server(worker, "127.0.0.1", (in_port_t)farm->port) ==
                    GEARMAN_SUCCESS &&
                gearman_worker_add_function(worker, "echo", 0, echo, NULL) == GEARMAN_SUCCESS,
            "a worker");
    for (;;)
        require(gearman_worker_work(worker) == GEARMAN_SUCCESS, "gearman_worker_work");
}

static gearman_return_t take(gearman_task_st *task)
{
    struct farm *farm = gearman_task_context(task);
    uint64_t number;
    const unsigned char *data = gearman_task_data(task);
    require(gearman_task_data_size(task) >= sizeof number, "a result");
    memcpy(&number, data, sizeof number);
    mwt_bench_take(&farm->bench, number, data, gearman_task_data_size(task));
    return GEARMAN_SUCCESS;
}

/* Runs the tasks first to last - 1. libgearman borrows the arguments until they have run. */
static void run_tasks(struct farm *farm, size_t first, size_t last)
{
    unsigned char *arguments = mwt_bench_alloc((last - first) * farm->bench.bytes);
    for (size_t number = first; number < last; number++) {
        unsigned char *data = arguments + (number - first) * farm->bench.bytes;
        gearman_return_t status;
        mwt_bench_write(data, farm->bench.bytes, number);
        gearman_client_add_task(farm->client, NULL, farm, "echo", NULL, data, farm->bench.bytes,
                                &status);
        require(status == GEARMAN_SUCCESS, "gearman_client_add_task");
    }
    require(gearman_client_run_tasks(farm->client) == GEARMAN_SUCCESS, "gearman_client_run_tasks");
    gearman_client_task_free_all(farm->client);
    free(arguments);
}

static void open_farm(struct farm *farm)
{
    farm->pids = mwt_bench_alloc(farm->bench.workers * sizeof *farm->pids);
    for (size_t i = 0; i < farm->bench.workers; i++) {
        farm->pids[i] = fork();
        require(farm->pids[i] >= 0, "fork");
        if (farm->pids[i] == 0)
            work(farm);
    }
    farm->client = gearman_client_create(NULL);
    require(gearman_client_add_server(farm->client, "127.0.0.1", (in_port_t)farm->port) ==
                GEARMAN_SUCCESS,
            "gearman_client_add_server");
    gearman_client_set_complete_fn(farm->client, take);
}

static void close_farm(struct farm *farm)
{
    gearman_client_free(farm->client);
    for (size_t i = 0; i < farm->bench.workers; i++) {
        kill(farm->pids[i], SIGKILL);
        waitpid(farm->pids[i], NULL, 0);
    }
    free(farm->pids);
}

/* Runs some tasks before the clock starts, so that the workers are at work. */
static void warm_up(struct farm *farm)
{
    struct mwt_bench bench = farm->bench;
    farm->bench.tasks = 100;
    run_tasks(farm, 0, farm->bench.tasks);
    farm->bench = bench;
}

int main(int argc, char **argv)
{
    struct farm farm = {
        .bench = {.program = "gearman_farm", .tasks = 2000, .bytes = 64, .workers = 1},
        .ahead = 1000};
    const struct mwt_bench_option own[] = {{"workers", &farm.bench.workers, 1},
                                           {"port", &farm.port, 1},
                                           {"ahead", &farm.ahead, 1},
                                           {NULL, NULL, 0}};
    if (!mwt_bench_parse(&farm.bench, own, argc, argv))
        return 2;
    bool is_alone = farm.bench.mode == MWT_BENCH_LATENCY;
    size_t step = is_alone ? 1 : farm.ahead;
    open_farm(&farm);
    warm_up(&farm);

    mwt_bench_begin(&farm.bench);
    while (farm.bench.results < farm.bench.tasks) {
        size_t first = farm.bench.results, left = farm.bench.tasks - first;
        int64_t since_ns = mwt_bench_now_ns();
        run_tasks(&farm, first, first + (left < step ? left : step));
        if (is_alone)
            mwt_bench_lap(&farm.bench, since_ns);
    }
    mwt_bench_end(&farm.bench);

    close_farm(&farm);
    return mwt_bench_report(&farm.bench);
}
