/* SPDX-License-Identifier: Apache-2.0
 *
 * The smallest farm: the master sends ten strings, the slaves send ten greetings back. main lists
 * the task algorithms and hands the program to mw_main, which runs it as master or as slave.
 */
#include <stdio.h>

#include <mw/mw.h>

/* Runs in a slave, once for each task. */
static void hello(mw_call *call)
{
    const char *name;
    if (mw_call_args(call, "s", &name) == MW_OK)
        mw_call_return(call, "s", mw_call_format(call, "Hello World: %s", name));
}

/* Runs in the master: submits the tasks and takes their results as they come. */
static int master(mw_master *farm, int argc, char **argv)
{
    const mw_result *result;
    const char *greeting;
    (void)argc, (void)argv;

    for (int i = 0; i < 10; i++)
        mw_master_submit(farm, &(mw_task){.algorithm = "hello", .tag = i}, "s",
                         mw_master_format(farm, "Task %d", i));
    while ((result = mw_master_next(farm)) != NULL) {
        if (mw_result_get(result, "s", &greeting) == MW_OK)
            printf("Got result from slave: \"%s\"\n", greeting);
        else
            fprintf(stderr, "%s\n", mw_master_error(farm));
    }
    printf("Master algo cleanup form.\n");
    return 0;
}

/* Runs in each slave, around its tasks. A program without it gets mw_slave_loop_simple alone. */
static int slave(mw_slave *self, int argc, char **argv)
{
    (void)argc, (void)argv;
    int status = mw_slave_loop_simple(self);
    printf("Slave algo cleanup form.\n");
    return status;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"hello", hello}, {0}};
    mw_program program = {.algorithms = algorithms, .master = master, .slave = slave};
    return mw_main(&program, argc, argv);
}
