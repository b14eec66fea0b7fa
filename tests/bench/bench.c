/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts that all benchmark programs share; see bench.h.
 *
 * It does little per task, because its own work is measured too: writing or checking a task
 * touches only the first and last eight bytes.
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static bool parse_size(const char *text, size_t min, size_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || strchr(text, '-') != NULL || number < min ||
        number > UINT32_MAX)
        return false;
    *value = (size_t)number;
    return true;
}

static bool parse_mode(const char *text, enum mwt_bench_mode *mode)
{
    if (strcmp(text, "throughput") == 0)
        *mode = MWT_BENCH_THROUGHPUT;
    else if (strcmp(text, "latency") == 0)
        *mode = MWT_BENCH_LATENCY;
    else
        return false;
    return true;
}

static bool parse_number(const struct mwt_bench_option *options, const char *name,
                         const char *value)
{
    for (; options->name != NULL; options++)
        if (strcmp(name, options->name) == 0)
            return parse_size(value, options->min, options->value);
    return false;
}

bool mwt_bench_parse(struct mwt_bench *bench, const struct mwt_bench_option *own, int argc,
                     char **argv)
{
    const struct mwt_bench_option common[] = {
        {"tasks", &bench->tasks, 1}, {"bytes", &bench->bytes, 0}, {NULL, NULL, 0}};
    for (int i = 1; i < argc; i += 2) {
        const char *name = strncmp(argv[i], "--", 2) == 0 ? argv[i] + 2 : "";
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(name, "mode") == 0
                ? parse_mode(value, &bench->mode)
                : parse_number(common, name, value) || parse_number(own, name, value))
            continue;
        fprintf(stderr,
                "%s: \"%s %s\" is not understood; the options are --tasks N --bytes N"
                " --mode throughput|latency",
                bench->program, argv[i], value);
        for (; own->name != NULL; own++)
            fprintf(stderr, " --%s N", own->name);
        fprintf(stderr, "\n");
        return false;
    }
    return true;
}

int64_t mwt_bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void *mwt_bench_alloc(size_t size)
{
    void *memory = calloc(1, size != 0 ? size : 1);
    if (memory == NULL)
        mwt_bench_die("calloc");
    return memory;
}

void mwt_bench_die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

void mwt_bench_write(unsigned char *data, size_t bytes, uint64_t number)
{
    size_t size = bytes < sizeof number ? bytes : sizeof number;
    memcpy(data, &number, size);
    memcpy(data + bytes - size, &number, size);
}

static bool is_echo(const unsigned char *data, size_t bytes, uint64_t number)
{
    unsigned char expected[2 * sizeof number];
    size_t size = bytes < sizeof number ? bytes : sizeof number;
    if (bytes >= sizeof expected)
        return memcmp(data, &number, size) == 0 && memcmp(data + bytes - size, &number, size) == 0;
    mwt_bench_write(expected, bytes, number);
    return memcmp(data, expected, bytes) == 0;
}

void mwt_bench_take(struct mwt_bench *bench, uint64_t number, const unsigned char *data,
                    size_t bytes)
{
    if (bytes != bench->bytes || number >= bench->tasks || !is_echo(data, bytes, number)) {
        fprintf(stderr, "%s: the result of task %llu is not its arguments\n", bench->program,
                (unsigned long long)number);
        exit(1);
    }
    bench->results++;
    bench->numbers_sum += number;
}

void mwt_bench_begin(struct mwt_bench *bench)
{
    if (bench->mode == MWT_BENCH_LATENCY)
        bench->latencies_ns = mwt_bench_alloc(bench->tasks * sizeof *bench->latencies_ns);
    bench->begin_ns = mwt_bench_now_ns();
}

void mwt_bench_lap(struct mwt_bench *bench, int64_t since_ns)
{
    bench->latencies_ns[bench->results - 1] = mwt_bench_now_ns() - since_ns;
}

void mwt_bench_end(struct mwt_bench *bench)
{
    bench->end_ns = mwt_bench_now_ns();
}

static int compare_ns(const void *left, const void *right)
{
    int64_t first_ns = *(const int64_t *)left, second_ns = *(const int64_t *)right;
    return (first_ns > second_ns) - (first_ns < second_ns);
}

static void print_latencies(struct mwt_bench *bench)
{
    if (bench->latencies_ns == NULL) {
        printf("\"latency_median_us\": null, \"latency_p99_us\": null");
        return;
    }
    qsort(bench->latencies_ns, bench->tasks, sizeof *bench->latencies_ns, compare_ns);
    printf("\"latency_median_us\": %.3f, \"latency_p99_us\": %.3f",
           (double)bench->latencies_ns[bench->tasks / 2] / 1e3,
           (double)bench->latencies_ns[bench->tasks * 99 / 100] / 1e3);
}

int mwt_bench_report(struct mwt_bench *bench)
{
    uint64_t tasks = bench->tasks;
    if (bench->results != tasks || bench->numbers_sum != tasks * (tasks - 1) / 2) {
        fprintf(stderr, "%s: not every task came back exactly once\n", bench->program);
        free(bench->latencies_ns);
        return 1;
    }
    double seconds = (double)(bench->end_ns - bench->begin_ns) / 1e9;
    printf("{\"program\": \"%s\", \"mode\": \"%s\", \"tasks\": %zu, \"bytes\": %zu, "
           "\"workers\": %zu, \"seconds\": %.6f, \"tasks_per_s\": %.1f, ",
           bench->program, bench->mode == MWT_BENCH_LATENCY ? "latency" : "throughput",
           bench->tasks, bench->bytes, bench->workers, seconds, (double)tasks / seconds);
    print_latencies(bench);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf(", \"resident_max_gb\": %.3f}\n", (double)used.ru_maxrss * 1024 / 1e9);
    free(bench->latencies_ns);
    return fflush(stdout) == 0 ? 0 : 1;
}
