/* SPDX-License-Identifier: Apache-2.0
 *
 * Long simulations that go on where they were: long_simulation [--rods N] [--steps S]
 * [--save-every S]
 *
 * Each task simulates a hot rod that cools down, step by step. Every --save-every steps it saves
 * the whole rod. If its slave is lost, because a node has failed or its walltime is over, the task
 * goes on at another slave from the rod that was saved last. The output is the same then. A line on
 * standard error tells where a task went on.
 *
 * A simulation should save every few minutes, or when it has done so much that it would be a pity
 * to do it again. Saving costs the time to send the bytes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mw/mw.h>

#define CELLS 1000

struct settings {
    uint64_t rods, steps, save_every;
};

/* All that it takes to go on: the bytes that a task saves. */
struct rod {
    uint64_t step;
    double heat[CELLS];
};

/* The ends of the rod are cold. One half of it is hot at first, the first half of odd rods. */
static void begin_rod(struct rod *rod, uint64_t number)
{
    rod->step = 0;
    for (size_t i = 0; i < CELLS; i++)
        rod->heat[i] = (i < CELLS / 2) == (number % 2 == 1) ? 100.0 : 0.0;
    rod->heat[0] = rod->heat[CELLS - 1] = 0.0;
}

/* Heat flows between neighbours. */
static void cool(struct rod *rod)
{
    double before = rod->heat[0];
    for (size_t i = 1; i + 1 < CELLS; i++) {
        double here = rod->heat[i];
        rod->heat[i] = here + 0.25 * (before - 2.0 * here + rod->heat[i + 1]);
        before = here;
    }
    rod->step++;
}

/* Runs in a slave. */
static void simulate(mw_call *call)
{
    uint64_t number, steps, save_every, began_at;
    struct rod rod;
    const void *saved;
    size_t size;
    if (mw_call_args(call, "uuu", &number, &steps, &save_every) != MW_OK)
        return;
    begin_rod(&rod, number);
    if (mw_call_saved(call, &saved, &size) && size == sizeof rod)
        memcpy(&rod, saved, sizeof rod);
    began_at = rod.step;
    while (rod.step < steps) {
        cool(&rod);
        bool must_save = save_every > 0 && rod.step % save_every == 0 && rod.step < steps;
        /* Without a master nobody waits for the result: the simulation ends early. */
        if (must_save && mw_call_save(call, &rod, sizeof rod) == MW_EGONE)
            return;
    }
    mw_call_return(call, "ud", began_at, rod.heat[CELLS / 2]);
}

static int take_results(mw_master *farm, const struct settings *settings, double *heat)
{
    const mw_result *result;
    uint64_t began_at;
    int status = 0;
    while ((result = mw_master_next(farm)) != NULL) {
        unsigned long long number = (unsigned long long)result->tag;
        if (mw_result_get(result, "ud", &began_at, &heat[result->tag]) != MW_OK) {
            fprintf(stderr, "rod %llu: %s\n", number, mw_master_error(farm));
            heat[result->tag] = -1.0;
            status = 1;
        } else if (began_at > 0) {
            fprintf(stderr, "rod %llu went on at step %llu of %llu at %s\n", number,
                    (unsigned long long)began_at, (unsigned long long)settings->steps, result->sid);
        }
    }
    return status;
}

static int run(mw_master *farm, const struct settings *settings)
{
    /* A walltime may end a task again and again: that shall not make it unrunnable. */
    mw_policy policy = {.max_attempts = 255};
    double *heat = calloc(settings->rods, sizeof *heat);
    if (heat == NULL)
        return 1;
    for (uint64_t i = 0; i < settings->rods; i++) {
        mw_task task = {.algorithm = "simulate", .tag = (int64_t)i, .policy = &policy};
        mw_master_submit(farm, &task, "uuu", i, settings->steps, settings->save_every);
    }
    int status = take_results(farm, settings, heat);
    for (uint64_t i = 0; status == 0 && i < settings->rods; i++)
        printf("rod %llu: %.12f\n", (unsigned long long)i, heat[i]);
    free(heat);
    return status;
}

/* Sets the setting of that name; false, with a sentence, if there is none or it is no number. */
static bool read_setting(struct settings *settings, const char *name, const char *text)
{
    uint64_t *setting = strcmp(name, "--rods") == 0         ? &settings->rods
                        : strcmp(name, "--steps") == 0      ? &settings->steps
                        : strcmp(name, "--save-every") == 0 ? &settings->save_every
                                                            : NULL;
    char *end;
    if (setting == NULL) {
        fprintf(stderr, "long_simulation: unknown argument \"%s\"\n", name);
        return false;
    }
    errno = 0;
    *setting = strtoull(text, &end, 10);
    if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *setting < 1000000000)
        return true;
    fprintf(stderr, "long_simulation: %s \"%s\" is not a number\n", name, text);
    return false;
}

static int master_algorithm(mw_master *farm, int argc, char **argv)
{
    struct settings settings = {.rods = 4, .steps = 200000, .save_every = 20000};
    for (int i = 1; i < argc; i += 2)
        if (!read_setting(&settings, argv[i], i + 1 < argc ? argv[i + 1] : ""))
            return 2;
    return run(farm, &settings);
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"simulate", simulate}, {0}};
    static const mw_program program = {.algorithms = algorithms, .master = master_algorithm};
    return mw_main(&program, argc, argv);
}
