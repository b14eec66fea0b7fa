/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm for tests of what it hands on to the processes that it starts:
 *
 *   handing_farm task COMMAND    a task runs the shell command, and its first line is printed
 *   handing_farm master COMMAND  the master algorithm does
 *   handing_farm plain COMMAND   main does, without mw_main
 *   handing_farm twice           calls mw_main two times with one argv, which must stay as it was
 *
 * The exit status is 0 if all went well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mw/mw.h>

/* Reads the first line of what the command prints, and waits for its end. */
static void run_command(const char *command, char *line, int size)
{
    line[0] = '\0';
    FILE *output = popen(command, "r");
    if (output == NULL || fgets(line, size, output) == NULL)
        snprintf(line, (size_t)size, "nothing\n");
    if (output != NULL)
        pclose(output);
    line[strcspn(line, "\n")] = '\0';
}

static void command(mw_call *call)
{
    const char *text;
    char line[256];
    if (mw_call_args(call, "s", &text) != MW_OK)
        return;
    run_command(text, line, sizeof line);
    mw_call_return(call, "s", line);
}

static int run_task(mw_master *farm, const char *text)
{
    const char *line;
    mw_master_submit(farm, &(mw_task){.algorithm = "command"}, "s", text);
    const mw_result *result = mw_master_next(farm);
    if (result == NULL || mw_result_get(result, "s", &line) != MW_OK)
        return 1;
    printf("line: %s\n", line);
    return 0;
}

static int run_here(const char *text)
{
    char line[256];
    run_command(text, line, sizeof line);
    printf("line: %s\n", line);
    return 0;
}

static int master(mw_master *farm, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "twice") == 0)
        return run_task(farm, "echo once more");
    if (argc != 3)
        return 2;
    return strcmp(argv[1], "task") == 0 ? run_task(farm, argv[2]) : run_here(argv[2]);
}

/* Runs the program a second time, unless the caller's array was touched. */
static int run_again(const mw_program *program, int argc, char **argv)
{
    char *before[16];
    if (argc >= 16)
        return 1;
    memcpy(before, argv, ((size_t)argc + 1) * sizeof before[0]);
    int status = mw_main(program, argc, argv);
    if (memcmp(before, argv, ((size_t)argc + 1) * sizeof before[0]) != 0)
        return 1;
    return status != 0 ? status : mw_main(program, argc, argv);
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"command", command}, {0}};
    const mw_program program = {.algorithms = algorithms, .master = master};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 2 && strcmp(argv[argc - 2], "plain") == 0)
        return run_here(argv[argc - 1]);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "twice") == 0)
            return run_again(&program, argc, argv);
    return mw_main(&program, argc, argv);
}
