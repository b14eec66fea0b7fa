/* SPDX-License-Identifier: Apache-2.0
 *
 * A master that opens its farm and becomes a daemon then: a child of fork() goes on with the farm.
 * It waits for two slaves. With --mw-slave it is a slave. test_keys runs both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <mw/embed.h>
#include <mw/mw.h>

#include "mwt_await.h"

#define TASKS_COUNT 20
#define SLAVES_COUNT 2

static void echo(mw_call *call)
{
    int tag;
    if (mw_call_args(call, "i", &tag) == MW_OK)
        mw_call_return(call, "i", tag);
}

static const mw_algorithm algorithms[] = {{"echo", echo}, {0}};
static const mw_program program = {.algorithms = algorithms};

static int fail(const mw_options *options)
{
    fprintf(stderr, "%s\n", mw_options_error(options));
    return EXIT_FAILURE;
}

static int run_master(mw_options *options)
{
    mw_master *master;
    const mw_result *result;
    int done_count = 0;
    if (mw_master_open(&master, &program, options) != MW_OK)
        return fail(options);
    if (fork() != 0)
        _exit(EXIT_SUCCESS);
    printf("daemon %ld\n", (long)getpid());
    fflush(stdout);
    if (!mwt_await_slaves(master, SLAVES_COUNT))
        return EXIT_FAILURE;
    for (int i = 0; i < TASKS_COUNT; i++)
        if (mw_master_submit(master, &(mw_task){.algorithm = "echo"}, "i", i) != MW_OK)
            return EXIT_FAILURE;
    while ((result = mw_master_next(master)) != NULL)
        done_count += result->outcome == MW_DONE;
    mw_master_close(master);
    printf("daemon: %d done\n", done_count);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    mw_options *options;
    bool is_slave;
    int status;
    if (mw_options_create(&options) != MW_OK)
        return EXIT_FAILURE;
    if (mw_options_parse(options, &argc, argv) != MW_OK ||
        mw_options_is_slave(options, &is_slave) != MW_OK)
        return fail(options);
    if (!is_slave)
        status = run_master(options);
    else if (mw_run_slave(&program, options, argc, argv, &status) != MW_OK)
        status = fail(options);
    mw_options_destroy(options);
    return status;
}
