/* SPDX-License-Identifier: Apache-2.0
 *
 * A genetic algorithm that survives its master: genetic [--evaluations N] [--checkpoint-every N]
 * [--task-ms N], with --mw-journal FILE
 *
 * It looks for the lowest point of Rastrigin's function, which has very many low ones. Each task
 * evaluates one point. The master keeps the best points, and makes each new one out of two of them
 * and of chance. So which tasks it submits depends on the order in which results come, and on its
 * random numbers: the arguments of its tasks do not say where it was, its state does. Therefore it
 * makes checkpoints. After kill -9 it is started again with the same command, and goes on.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mw/mw.h>

#define DIMENSIONS 10
#define POPULATION 50
#define PI 3.14159265358979323846

struct point {
    double place[DIMENSIONS];
    double value;
};

/* All that the algorithm knows; the bytes of a checkpoint. */
struct state {
    uint64_t random;
    uint64_t submitted, evaluated;
    struct point best[POPULATION]; /* the first is the best; the first `evaluated` are set */
};

struct settings {
    uint64_t evaluations, checkpoint_every, task_ms;
};

/* A number from 0 to 1. */
static double draw(struct state *state)
{
    uint64_t mixed = state->random += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return (double)((mixed ^ mixed >> 31) >> 11) * 0x1p-53;
}

static double rastrigin(const double *place)
{
    double sum = 10.0 * DIMENSIONS;
    for (int i = 0; i < DIMENSIONS; i++)
        sum += place[i] * place[i] - 10.0 * cos(2.0 * PI * place[i]);
    return sum;
}

/* Runs in a slave. The time stands for a simulation that the point is tried in. */
static void evaluate(mw_call *call)
{
    const void *place;
    size_t size;
    uint64_t task_ms;
    if (mw_call_args(call, "yu", &place, &size, &task_ms) != MW_OK)
        return;
    struct timespec pause = {.tv_sec = (time_t)(task_ms / 1000),
                             .tv_nsec = (long)(task_ms % 1000) * 1000000};
    double point[DIMENSIONS];
    if (size != sizeof point) {
        mw_call_fail(call, "%zu bytes are no point", size);
        return;
    }
    memcpy(point, place, sizeof point);
    nanosleep(&pause, NULL);
    mw_call_return(call, "yd", place, size, rastrigin(point));
}

static size_t parents_count(const struct state *state)
{
    return state->evaluated < POPULATION ? (size_t)state->evaluated : POPULATION;
}

/* The first points are drawn from everywhere, the others are children of good ones. */
static void make_point(struct state *state, double *place)
{
    size_t parents = parents_count(state);
    const double *mother = state->best[(size_t)(draw(state) * (double)parents)].place;
    const double *father = state->best[(size_t)(draw(state) * (double)parents)].place;
    bool is_first = state->submitted < POPULATION;
    for (int i = 0; i < DIMENSIONS; i++) {
        double from_parent = draw(state) < 0.5 ? mother[i] : father[i];
        double change = draw(state) < 0.2 ? (draw(state) - 0.5) * draw(state) : 0.0;
        place[i] = is_first ? draw(state) * 10.24 - 5.12 : from_parent + change;
    }
}

static void submit(mw_master *farm, struct state *state, const struct settings *settings)
{
    double place[DIMENSIONS];
    make_point(state, place);
    state->submitted++;
    mw_master_submit(farm, &(mw_task){.algorithm = "evaluate"}, "yu", place, sizeof place,
                     settings->task_ms);
}

/* Puts a point in its place among the best. */
static void insert(struct state *state, const struct point *point)
{
    size_t count = parents_count(state), place = count < POPULATION ? count : POPULATION - 1;
    state->evaluated++;
    if (count == POPULATION && point->value >= state->best[place].value)
        return;
    for (; place > 0 && state->best[place - 1].value > point->value; place--)
        state->best[place] = state->best[place - 1];
    state->best[place] = *point;
}

static bool take(mw_master *farm, struct state *state, const mw_result *result)
{
    struct point point;
    const void *place;
    size_t size;
    if (mw_result_get(result, "yd", &place, &size, &point.value) != MW_OK ||
        size != sizeof point.place) {
        fprintf(stderr, "genetic: %s\n", mw_master_error(farm));
        return false;
    }
    memcpy(point.place, place, sizeof point.place);
    insert(state, &point);
    return true;
}

/* Evaluates until enough points are; there are always as many out as the population has. */
static int search(mw_master *farm, struct state *state, const struct settings *settings)
{
    const mw_result *result;
    while (state->submitted < settings->evaluations &&
           state->submitted < state->evaluated + POPULATION)
        submit(farm, state, settings);
    while ((result = mw_master_next(farm)) != NULL) {
        if (!take(farm, state, result))
            return 1;
        if (state->submitted < settings->evaluations)
            submit(farm, state, settings);
        if (state->evaluated % settings->checkpoint_every == 0 &&
            mw_master_checkpoint(farm, state, sizeof *state) != MW_OK)
            return 1;
    }
    printf("%llu points were evaluated, and the lowest is at %.4f\n",
           (unsigned long long)state->evaluated, state->best[0].value);
    return state->evaluated == settings->evaluations ? 0 : 1;
}

/* Sets the setting of that name; false, with a sentence, if there is none or it is no number. */
static bool read_setting(struct settings *settings, const char *name, const char *text)
{
    uint64_t *setting = strcmp(name, "--evaluations") == 0        ? &settings->evaluations
                        : strcmp(name, "--checkpoint-every") == 0 ? &settings->checkpoint_every
                        : strcmp(name, "--task-ms") == 0          ? &settings->task_ms
                                                                  : NULL;
    char *end;
    if (setting == NULL) {
        fprintf(stderr, "genetic: unknown argument \"%s\"\n", name);
        return false;
    }
    errno = 0;
    *setting = strtoull(text, &end, 10);
    if (errno == 0 && text[0] >= '1' && text[0] <= '9' && *end == '\0' && *setting < 1000000000)
        return true;
    fprintf(stderr, "genetic: %s \"%s\" is not a number\n", name, text);
    return false;
}

static int master_algorithm(mw_master *farm, int argc, char **argv)
{
    struct settings settings = {.evaluations = 20000, .checkpoint_every = 500, .task_ms = 0};
    static struct state state = {.random = 1};
    const void *data;
    size_t size;
    for (int i = 1; i < argc; i += 2)
        if (!read_setting(&settings, argv[i], i + 1 < argc ? argv[i + 1] : ""))
            return 2;
    if (mw_master_restored(farm, &data, &size) && size == sizeof state) {
        memcpy(&state, data, sizeof state);
        fprintf(stderr, "genetic: goes on after %llu points\n",
                (unsigned long long)state.evaluated);
    }
    return search(farm, &state, &settings);
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"evaluate", evaluate}, {0}};
    static const mw_program program = {.algorithms = algorithms, .master = master_algorithm};
    return mw_main(&program, argc, argv);
}
