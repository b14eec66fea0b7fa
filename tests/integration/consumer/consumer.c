/* SPDX-License-Identifier: Apache-2.0
 *
 * A user's program, built against the installed package: it prints sums of squares, and the
 * library with which it was linked.
 */
#include <mw/embed.h>
#include <mw/error.h>
#include <mw/mw.h>
#include <mw/sim.h>
#include <mw/transport.h>
#include <mw/version.h>

#include <stdio.h>
#include <string.h>

static void square(mw_call *call)
{
    int64_t number;
    if (mw_call_args(call, "l", &number) == MW_OK)
        mw_call_return(call, "l", number * number);
}

static int master(mw_master *farm, int argc, char **argv)
{
    int64_t value, sum = 0;
    const mw_result *result;
    (void)argc, (void)argv;
    for (int64_t i = 1; i <= 10; i++)
        mw_master_submit(farm, &(mw_task){.algorithm = "square", .tag = i}, "l", i);
    while ((result = mw_master_next(farm)) != NULL)
        if (mw_result_get(result, "l", &value) == MW_OK)
            sum += value;
    printf("sum %d, library %s\n", (int)sum,
           strcmp(mw_version(), MW_VERSION_STRING) == 0 ? "as the headers" : mw_version());
    return 0;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"square", square}, {0}};
    mw_program program = {.algorithms = algorithms, .master = master};
    return mw_main(&program, argc, argv);
}
