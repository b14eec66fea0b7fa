/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures mw through its public interface, as a user's program would use it, over the transport
 * that the --mw-* options choose. The task is the same as in the textbook farms beside it: its
 * result is its arguments.
 *
 * The clock starts when --workers slaves are connected. At most --ahead tasks are submitted and
 * not yet back, so that memory is bounded; in latency mode at most one.
 */
#include <mw/mw.h>

#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "mwt_await.h"

#define AHEAD_MAX ((size_t)100000)
#define AHEAD_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct flow {
    struct mwt_bench bench;
    mw_master *master;
    size_t ahead;
    size_t submitted;
    unsigned char *arguments;
};

static void echo(mw_call *call)
{
    void *data;
    size_t size;
    if (mw_call_bytes(call, &data, &size) == MW_OK)
        mw_call_return_bytes_take(call, data, size);
}

static bool submit(struct flow *flow)
{
    size_t number = flow->submitted++;
    mwt_bench_write(flow->arguments, flow->bench.bytes, number);
    return mw_master_submit_bytes(flow->master,
                                  &(mw_task){.algorithm = "echo", .tag = (int64_t)number},
                                  flow->arguments, flow->bench.bytes) == MW_OK;
}

static bool take(struct flow *flow)
{
    const mw_result *result = mw_master_next(flow->master);
    if (result == NULL)
        return false;
    if (result->outcome != MW_DONE) {
        fprintf(stderr, "mw_bench: a task came back undone: %s\n", result->message);
        return false;
    }
    mwt_bench_take(&flow->bench, (uint64_t)result->tag, result->data, result->size);
    return true;
}

static bool run_throughput(struct flow *flow)
{
    while (flow->bench.results < flow->bench.tasks) {
        while (flow->submitted < flow->bench.tasks &&
               flow->submitted - flow->bench.results < flow->ahead)
            if (!submit(flow))
                return false;
        if (!take(flow))
            return false;
    }
    return true;
}

static bool run_latency(struct flow *flow)
{
    while (flow->bench.results < flow->bench.tasks) {
        int64_t since_ns = mwt_bench_now_ns();
        if (!submit(flow) || !take(flow))
            return false;
        mwt_bench_lap(&flow->bench, since_ns);
    }
    return true;
}

static bool run(struct flow *flow)
{
    mwt_bench_begin(&flow->bench);
    bool ran = flow->bench.mode == MWT_BENCH_LATENCY ? run_latency(flow) : run_throughput(flow);
    mwt_bench_end(&flow->bench);
    return ran;
}

static bool parse(struct flow *flow, int argc, char **argv)
{
    const struct mwt_bench_option own[] = {
        {"workers", &flow->bench.workers, 1}, {"ahead", &flow->ahead, 1}, {NULL, NULL, 0}};
    if (!mwt_bench_parse(&flow->bench, own, argc, argv))
        return false;
    size_t fit = AHEAD_BYTES_MAX / (flow->bench.bytes + 1) + 1;
    if (flow->ahead == 0)
        flow->ahead = fit < AHEAD_MAX ? fit : AHEAD_MAX;
    return true;
}

static int direct(mw_master *master, int argc, char **argv)
{
    struct flow flow = {.bench = {.program = "mw_bench", .tasks = 20000, .bytes = 64, .workers = 1},
                        .master = master};
    if (!parse(&flow, argc, argv))
        return 2;
    flow.arguments = mwt_bench_alloc(flow.bench.bytes);
    bool ran = mwt_await_slaves(master, flow.bench.workers);
    flow.bench.workers = mw_master_num_slaves(master);
    ran = ran && run(&flow);
    free(flow.arguments);
    if (ran)
        return mwt_bench_report(&flow.bench);
    if (*mw_master_error(master))
        fprintf(stderr, "mw_bench: %s\n", mw_master_error(master));
    free(flow.bench.latencies_ns);
    return 1;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"echo", echo}, {NULL, NULL}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = direct}, argc, argv);
}
