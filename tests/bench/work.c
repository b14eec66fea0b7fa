/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws the lengths of tasks, computes for that long, forks workers for programs without a farm,
 * and finds the time that list scheduling would need; see work.h. The same --seed gives the same
 * lengths in every program.
 */
#include "work.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PI 3.14159265358979323846
#define NS_PER_US 1000.0
#define ATTEMPTS 20
#define ATTEMPT_ROUNDS 200000

/* splitmix64: https://prng.di.unimi.it/splitmix64.c */
static uint64_t next_random(uint64_t *state)
{
    uint64_t mixed = (*state += 0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

/* A random number in (0, 1). */
static double next_uniform(uint64_t *state)
{
    return ((double)(next_random(state) >> 11) + 0.5) / 9007199254740992.0;
}

/* A normally distributed random number, by the method of Box and Muller. */
static double next_normal(uint64_t *state)
{
    double radius = sqrt(-2 * log(next_uniform(state)));
    return radius * cos(2 * PI * next_uniform(state));
}

int64_t *mwt_work_draw(const struct mwt_work *work, size_t count)
{
    int64_t *lengths_ns = mwt_bench_alloc(count * sizeof *lengths_ns);
    uint64_t state = work->seed;
    double sigma = (double)work->sigma_percent / 100;
    for (size_t i = 0; i < count; i++) {
        double factor = sigma > 0 ? exp(sigma * next_normal(&state) - sigma * sigma / 2) : 1;
        lengths_ns[i] = (int64_t)((double)work->mean_us * NS_PER_US * factor);
    }
    return lengths_ns;
}

static int64_t used_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

void mwt_work_spin(int64_t duration_ns)
{
    int64_t end_ns = used_ns() + duration_ns;
    while (used_ns() < end_ns)
        continue;
}

uint64_t mwt_work_compute(uint64_t rounds)
{
    uint64_t product = rounds;
    for (; rounds > 0; rounds--)
        product = product * 6364136223846793005 + 1442695040888963407;
    return product;
}

double mwt_work_rounds_per_ns(void)
{
    double best = 0;
    volatile uint64_t sink;
    for (int i = 0; i < ATTEMPTS; i++) {
        int64_t begin_ns = used_ns();
        sink = mwt_work_compute(ATTEMPT_ROUNDS);
        double rate = ATTEMPT_ROUNDS / (double)(used_ns() - begin_ns);
        if (rate > best)
            best = rate;
    }
    (void)sink;
    return best;
}

bool mwt_work_fork(size_t workers, void (*compute)(void *context), void *context)
{
    bool ran = true;
    size_t started = 0;
    for (; ran && started < workers; started++) {
        pid_t pid = fork();
        if (pid == 0) {
            compute(context);
            _exit(0);
        }
        ran = pid > 0;
    }
    for (size_t i = 0; i < started; i++) {
        int status;
        ran = wait(&status) > 0 && status == 0 && ran;
    }
    return ran;
}

double mwt_work_ideal_s(const int64_t *lengths_ns, size_t count, size_t workers)
{
    int64_t *free_at_ns = mwt_bench_alloc(workers * sizeof *free_at_ns);
    int64_t last_ns = 0;
    for (size_t i = 0; i < count; i++) {
        size_t first = 0;
        for (size_t worker = 1; worker < workers; worker++)
            if (free_at_ns[worker] < free_at_ns[first])
                first = worker;
        free_at_ns[first] += lengths_ns[i];
        if (free_at_ns[first] > last_ns)
            last_ns = free_at_ns[first];
    }
    free(free_at_ns);
    return (double)last_ns / 1e9;
}

static bool is_complete(const struct mwt_bench *bench)
{
    if (bench->results == bench->tasks &&
        bench->numbers_sum == (uint64_t)bench->tasks * (bench->tasks - 1) / 2)
        return true;
    fprintf(stderr, "%s: not every task came back exactly once\n", bench->program);
    return false;
}

int mwt_work_report(const struct mwt_bench *bench, const struct mwt_work *work,
                    const int64_t *lengths_ns)
{
    if (!is_complete(bench))
        return 1;
    double seconds = (double)(bench->end_ns - bench->begin_ns) / 1e9;
    printf("{\"program\": \"%s\", \"tasks\": %zu, \"workers\": %zu, \"mean_us\": %zu, "
           "\"sigma_percent\": %zu, \"seed\": %zu, \"seconds\": %.6f, \"ideal_s\": %.6f}\n",
           bench->program, bench->tasks, bench->workers, work->mean_us, work->sigma_percent,
           work->seed, seconds, mwt_work_ideal_s(lengths_ns, bench->tasks, bench->workers));
    return fflush(stdout) == 0 ? 0 : 1;
}

int mwt_work_report_rounds(const struct mwt_bench *bench, uint64_t rounds)
{
    if (!is_complete(bench))
        return 1;
    double seconds = (double)(bench->end_ns - bench->begin_ns) / 1e9;
    printf("{\"program\": \"%s\", \"tasks\": %zu, \"workers\": %zu, \"rounds\": %llu, "
           "\"seconds\": %.6f, \"tasks_per_s\": %.1f, \"rounds_per_s\": %.0f}\n",
           bench->program, bench->tasks, bench->workers, (unsigned long long)rounds, seconds,
           (double)bench->tasks / seconds, (double)bench->tasks * (double)rounds / seconds);
    return fflush(stdout) == 0 ? 0 : 1;
}
