/* SPDX-License-Identifier: Apache-2.0
 *
 * One policy for many tasks: each of a hundred tasks multiplies a number by ten, and all share one
 * mw_policy with a priority, a time limit and a number of attempts.
 */
#include <stdio.h>

#include <mw/mw.h>

#define NUMBERS_COUNT 100

/* Runs in a slave. */
static void times10(mw_call *call)
{
    int number;
    if (mw_call_args(call, "i", &number) == MW_OK)
        mw_call_return(call, "i", 10 * number);
}

/* Submits a task for each number, all under the policy. The tag is the number. */
static void submit_numbers(mw_master *farm, const mw_policy *policy)
{
    for (int number = 1; number <= NUMBERS_COUNT; number++)
        mw_master_submit(farm, &(mw_task){.algorithm = "times10", .tag = number, .policy = policy},
                         "i", number);
}

/* Results come as slaves finish, in any order; returns how many came. */
static int take_products(mw_master *farm, int *products)
{
    const mw_result *result;
    int count = 0;
    while ((result = mw_master_next(farm)) != NULL) {
        if (result->outcome == MW_DONE &&
            mw_result_get(result, "i", &products[result->tag]) == MW_OK)
            count++;
        else
            fprintf(stderr, "with_task_policy: times10 of %d: %s\n", (int)result->tag,
                    result->outcome == MW_DONE ? mw_master_error(farm) : result->message);
    }
    return count;
}

static int master(mw_master *farm, int argc, char **argv)
{
    /* The tasks go before tasks of priority 0. times10 takes microseconds, so a slave that needs a
     * minute for one hangs and is lost. A task that has cost two slaves is not tried a third
     * time. */
    const mw_policy policy = {.priority = 1, .time_limit_s = 60, .max_attempts = 2};
    int products[NUMBERS_COUNT + 1];
    if (argc > 1) {
        fprintf(stderr, "with_task_policy: unknown argument \"%s\", it takes none\n", argv[1]);
        return 2;
    }
    submit_numbers(farm, &policy);
    if (take_products(farm, products) < NUMBERS_COUNT)
        return 1;
    for (int number = 1; number <= NUMBERS_COUNT; number++)
        printf("%d * 10 = %d\n", number, products[number]);
    return 0;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"times10", times10}, {0}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = master}, argc, argv);
}
