/* SPDX-License-Identifier: Apache-2.0
 *
 * Very many tasks that do nothing but answer, to measure how fast a farm is: ping [--pings N]
 *
 * A target number keeps the master small: it submits new tasks only as the old ones are sent, so
 * that about ten thousand wait in its memory, whatever the number of pings.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mw/mw.h>

#define PINGS_DEFAULT 1000000
#define PINGS_MAX 1000000000
#define TARGET 10000

struct count {
    long need, good, bad, submitted;
};

/* Runs in a slave: answers with the number that it got. */
static void ping(mw_call *call)
{
    int64_t number;
    if (mw_call_args(call, "l", &number) == MW_OK)
        mw_call_return(call, "l", number);
}

/* Submits as many pings as the target number asks for now, but not more than are needed. */
static void submit_some(mw_master *farm, struct count *count)
{
    int64_t upto = mw_master_upto(farm, NULL);
    while (upto-- > 0 && count->submitted < count->need) {
        int64_t number = count->submitted;
        mw_error error =
            mw_master_submit(farm, &(mw_task){.algorithm = "ping", .tag = number}, "l", number);
        if (error != MW_OK)
            return;
        count->submitted++;
    }
}

/* The tag is the number that the answer must be. */
static void take_answer(const mw_result *result, struct count *count)
{
    int64_t number;
    if (result->outcome == MW_DONE && mw_result_get(result, "l", &number) == MW_OK &&
        number == result->tag)
        count->good++;
    else
        count->bad++;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* mw_main has taken mw's own options out; the arguments that are left are the program's. */
static bool read_options(int argc, char **argv, long *pings)
{
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        char *end;
        if (strcmp(argv[i], "--pings") != 0) {
            fprintf(stderr, "ping: unknown argument \"%s\"; usage: ping [--pings N]\n", argv[i]);
            return false;
        }
        errno = 0;
        *pings = strtol(value, &end, 10);
        if (end == value || *end != '\0' || errno != 0 || *pings < 1 || *pings > PINGS_MAX) {
            fprintf(stderr, "ping: --pings \"%s\" is not a number in 1..%d\n", value, PINGS_MAX);
            return false;
        }
    }
    return true;
}

static int master(mw_master *farm, int argc, char **argv)
{
    struct count count = {.need = PINGS_DEFAULT};
    const mw_result *result;
    if (!read_options(argc, argv, &count.need))
        return 2;

    double start_s = now_s();
    mw_master_set_target(farm, NULL, TARGET);
    submit_some(farm, &count);
    while ((result = mw_master_next(farm)) != NULL) {
        take_answer(result, &count);
        submit_some(farm, &count);
    }
    double seconds = now_s() - start_s;

    printf("Got need=%ld good=%ld bad=%ld sub=%ld pings.\n", count.need, count.good, count.bad,
           count.submitted);
    printf("This took %.3f seconds to compute with %.1f tasks per second.\n", seconds,
           (double)(count.good + count.bad) / seconds);
    return count.good == count.need ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"ping", ping}, {0}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = master}, argc, argv);
}
