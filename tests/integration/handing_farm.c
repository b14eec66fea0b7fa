/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm for tests of what it hands on to the processes that it starts and forks off:
 *
 *   handing_farm task COMMAND    a task runs the shell command, and its first line is printed
 *   handing_farm master COMMAND  the master algorithm does
 *   handing_farm plain COMMAND   main does, without mw_main
 *   handing_farm twice           calls mw_main two times with one argv, which must stay as it was
 *   handing_farm die MARK        a task forks a helper and kills its slave, unless the file MARK is
 *                                there already
 *   handing_farm end             the master does so, when a task has been done
 *   handing_farm return          tasks and the master fork processes that return as they do
 *
 * A helper prints "helper PID" and lives until it is killed. HANDING=embedded makes the slave one
 * without mw_main. The exit status is 0 if all went well.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mw/embed.h>
#include <mw/mw.h>

#define TASKS_COUNT 20
#define FORKED_STATUS 5

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

/* Forks a process that goes on, as a daemon does: it keeps no output of the test open. */
static void fork_helper(void)
{
    if (fork() != 0)
        return;
    fprintf(stderr, "helper %ld\n", (long)getpid());
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        close(fd);
    for (;;)
        pause();
}

static void die(mw_call *call)
{
    const char *mark;
    if (mw_call_args(call, "s", &mark) != MW_OK)
        return;
    int fd = open(mark, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) {
        fork_helper();
        raise(SIGKILL);
    }
    mw_call_return(call, "s", "here");
}

/* The forked process returns too, and the result that it leaves is a wrong one. */
static void bifurcate(mw_call *call)
{
    int64_t number;
    int status = -1;
    if (mw_call_args(call, "l", &number) != MW_OK)
        return;
    pid_t pid = fork();
    if (pid != 0 && waitpid(pid, &status, 0) != pid)
        mw_call_fail(call, "the forked process cannot be awaited");
    else
        mw_call_return(call, "ll", pid == 0 ? -1 : number, (int64_t)status);
}

static int run_task(mw_master *farm, const char *algorithm, const char *text)
{
    const char *line;
    mw_master_submit(farm, &(mw_task){.algorithm = algorithm}, "s", text);
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

static int end_with_helper(mw_master *farm)
{
    if (run_task(farm, "command", "echo here") != 0)
        return 1;
    fork_helper();
    raise(SIGKILL);
    return 1;
}

/* Whether each task has come back once, and no process that was forked off had a part in it. */
static bool take_numbers(mw_master *farm)
{
    const mw_result *result;
    int64_t number, status;
    int right_count = 0, results_count = 0;
    for (int64_t i = 0; i < TASKS_COUNT; i++)
        mw_master_submit(farm, &(mw_task){.algorithm = "bifurcate", .tag = i}, "l", i);
    while ((result = mw_master_next(farm)) != NULL) {
        results_count++;
        if (mw_result_get(result, "ll", &number, &status) == MW_OK && number == result->tag)
            right_count++;
    }
    return right_count == TASKS_COUNT && results_count == TASKS_COUNT;
}

static int bifurcate_master(mw_master *farm)
{
    int status = 0;
    mw_master_submit(farm, &(mw_task){.algorithm = "command"}, "s", "echo here");
    pid_t pid = fork();
    if (pid == 0)
        return mw_master_next(farm) == NULL ? FORKED_STATUS : 1;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != FORKED_STATUS)
        return 1;
    return mw_master_next(farm) != NULL && take_numbers(farm) ? 0 : 1;
}

static int master(mw_master *farm, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "twice") == 0)
        return run_task(farm, "command", "echo once more");
    if (strcmp(what, "end") == 0)
        return end_with_helper(farm);
    if (strcmp(what, "return") == 0)
        return bifurcate_master(farm);
    if (argc != 3)
        return 2;
    if (strcmp(what, "die") == 0)
        return run_task(farm, "die", argv[2]);
    return strcmp(what, "task") == 0 ? run_task(farm, "command", argv[2]) : run_here(argv[2]);
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

/* The slave is insecure if the test says so: only mw_main reads the environment. */
static int run_embedded(const mw_program *program, int argc, char **argv)
{
    mw_options *options;
    int status = 1;
    if (mw_options_create(&options) == MW_OK && mw_options_parse(options, &argc, argv) == MW_OK &&
        (getenv("MW_INSECURE") == NULL || mw_options_set(options, "insecure", "1") == MW_OK) &&
        mw_run_slave(program, options, argc, argv, &status) != MW_OK)
        status = 1;
    mw_options_destroy(options);
    return status;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {
        {"command", command}, {"die", die}, {"bifurcate", bifurcate}, {0}};
    const mw_program program = {.algorithms = algorithms, .master = master};
    const char *kind = getenv("HANDING");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 2 && strcmp(argv[argc - 2], "plain") == 0)
        return run_here(argv[argc - 1]);
    if (kind != NULL && strcmp(kind, "embedded") == 0)
        return run_embedded(&program, argc, argv);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "twice") == 0)
            return run_again(&program, argc, argv);
    return mw_main(&program, argc, argv);
}
