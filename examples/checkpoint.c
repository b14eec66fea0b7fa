/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm that is stopped and goes on the next time: checkpoint FILE [--tasks N] [--ms N]. Each task
 * squares a number. FILE has a line for each square that is known, "7 49". Ctrl-C, SIGTERM and the
 * end of a batch job stop the farm: the tasks that run are finished and written down, and the next
 * run computes only those that are missing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mw/mw.h>

struct plan {
    const char *path;
    int tasks_count;
    int ms; /* that a task takes */
};

/* Runs in a slave. */
static void square(mw_call *call)
{
    int number, ms;
    if (mw_call_args(call, "ii", &number, &ms) != MW_OK)
        return;
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) != 0)
        ;
    mw_call_return(call, "l", (int64_t)number * number);
}

/* Marks the numbers whose squares the file has. A line that was not finished does not count. */
static int read_known(const struct plan *plan, char *is_known)
{
    char line[64], end;
    int number, count = 0;
    long long value;
    FILE *file = fopen(plan->path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%d %lld%c", &number, &value, &end) != 3 || end != '\n' || number < 1 ||
            number > plan->tasks_count || is_known[number])
            continue;
        is_known[number] = 1;
        count++;
    }
    if (file != NULL)
        fclose(file);
    return count;
}

/* A loop that submits much asks now and then whether the farm stops. */
static void submit_missing(mw_master *farm, const struct plan *plan, const char *is_known)
{
    for (int number = 1; number <= plan->tasks_count && !mw_master_is_stopping(farm); number++)
        if (!is_known[number])
            mw_master_submit(farm, &(mw_task){.algorithm = "square", .tag = number}, "ii", number,
                             plan->ms);
}

/* Appends each square when it comes. After a signal mw_master_next gives the squares of the tasks
 * that ran, and then NULL. */
static int take_squares(mw_master *farm, FILE *file)
{
    const mw_result *result;
    int64_t value;
    int count = 0;
    while ((result = mw_master_next(farm)) != NULL) {
        if (mw_result_get(result, "l", &value) != MW_OK) {
            fprintf(stderr, "checkpoint: %s\n", mw_master_error(farm));
            continue;
        }
        fprintf(file, "%lld %lld\n", (long long)result->tag, (long long)value);
        fflush(file);
        count++;
    }
    return count;
}

static int read_arguments(struct plan *plan, int argc, char **argv)
{
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--tasks") == 0)
            plan->tasks_count = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--ms") == 0)
            plan->ms = atoi(argv[i + 1]);
    }
    if (argc >= 2 && argc % 2 == 0 && plan->tasks_count >= 0 && plan->ms >= 0) {
        plan->path = argv[1];
        return 0;
    }
    fprintf(stderr, "usage: checkpoint FILE [--tasks N] [--ms N]\n");
    return 2;
}

static int master(mw_master *farm, int argc, char **argv)
{
    struct plan plan = {.tasks_count = 20, .ms = 100};
    if (read_arguments(&plan, argc, argv) != 0)
        return 2;
    char *is_known = calloc((size_t)plan.tasks_count + 1, 1);
    if (is_known == NULL)
        return 1;
    int known_count = read_known(&plan, is_known);
    FILE *file = fopen(plan.path, "a");
    if (file == NULL) {
        fprintf(stderr, "checkpoint: %s: %s\n", plan.path, strerror(errno));
        free(is_known);
        return 1;
    }
    submit_missing(farm, &plan, is_known);
    int new_count = take_squares(farm, file);
    printf("%d known, %d new, %d left\n", known_count, new_count,
           plan.tasks_count - known_count - new_count);
    free(is_known);
    return fclose(file) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"square", square}, {0}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = master}, argc, argv);
}
