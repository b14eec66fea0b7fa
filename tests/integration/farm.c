/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm for tests that break things: farm SPECS TASKS [ATTEMPTS]
 *
 * SPECS is a list of task algorithms with an argument each, "big:100000,echo:0", which the tasks
 * take in turn. Each finished task is a line on standard output, so that a test can follow the run
 * and choose its moments. The exit status is 0 if each task came back exactly once with the right
 * result, 3 if some tasks failed or are unrunnable, and 1 if a task was lost, came twice, or was
 * wrong. The variable FARM makes it another program; see main.
 *
 * A test that needs another kind of task adds an algorithm to the table.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mw/mw.h>

#define LIST_SIZE 8192

/* Prints where every descriptor of this process leads, as "0=/dev/null 1=pipe:[123] ". */
static void list_descriptors(char *list, size_t size)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    size_t length = 0;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char target[512];
        ssize_t target_size = readlinkat(dirfd(directory), entry->d_name, target, sizeof target);
        if (target_size < 0 || atoi(entry->d_name) == dirfd(directory))
            continue;
        length += (size_t)snprintf(list + length, size - length, "%s=%.*s ", entry->d_name,
                                   (int)target_size, target);
        if (length >= size)
            break;
    }
    if (directory != NULL)
        closedir(directory);
}

static void sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0)
        ;
}

/* The task algorithms. Each gets a tag and an argument, and returns the tag first. */

static void echo(mw_call *call)
{
    int64_t tag, argument;
    if (mw_call_args(call, "ll", &tag, &argument) == MW_OK)
        mw_call_return(call, "l", tag);
}

/* Sleeps for its argument in milliseconds. */
static void nap(mw_call *call)
{
    int64_t tag, argument;
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    sleep_ms(argument);
    mw_call_return(call, "l", tag);
}

/* The same, and prints a line when it begins. */
static void doze(mw_call *call)
{
    int64_t tag, argument;
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    fprintf(stderr, "task %d runs, pid %ld\n", (int)tag, (long)getpid());
    sleep_ms(argument);
    mw_call_return(call, "l", tag);
}

/* Like nap, but task 0 waits until somebody opens the FIFO that FARM_GATE names to write. */
static void gate(mw_call *call)
{
    int64_t tag, argument;
    const char *path = getenv("FARM_GATE");
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    if (tag == 0 && path != NULL) {
        fprintf(stderr, "task 0 runs, pid %ld\n", (long)getpid());
        close(open(path, O_RDONLY | O_CLOEXEC));
    } else {
        sleep_ms(argument);
    }
    mw_call_return(call, "l", tag);
}

/* Prints a line when it begins. Ends when it has read a byte from the FIFO that FARM_TOKENS names,
 * which another process keeps open: each byte ends one task. */
static void token(mw_call *call)
{
    int64_t tag, argument;
    char byte;
    const char *path = getenv("FARM_TOKENS");
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    fprintf(stderr, "task %d runs, pid %ld\n", (int)tag, (long)getpid());
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &byte, 1) != 1)
        mw_call_fail(call, "no token");
    else
        mw_call_return(call, "l", tag);
    if (fd >= 0)
        close(fd);
}

/* Prints a line, and runs the command that FARM_COMMAND names. */
static void shell(mw_call *call)
{
    int64_t tag, argument;
    const char *line = getenv("FARM_COMMAND");
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    fprintf(stderr, "task %d runs, pid %ld\n", (int)tag, (long)getpid());
    if (line == NULL || system(line) != 0)
        mw_call_fail(call, "the command has failed");
    else
        mw_call_return(call, "l", tag);
}

/* Ends the slave by the signal that its argument names, or by an exit with status 3. */
static void crash(mw_call *call)
{
    int64_t tag, argument;
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    if (argument == 0)
        _exit(3);
    raise((int)argument);
}

/* Sends the signal that its argument names to the process group, as "kill 0" of a script does. */
static void group(mw_call *call)
{
    int64_t tag, argument;
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    kill(0, (int)argument);
    sleep_ms(60000);
}

static void fail(mw_call *call)
{
    int64_t tag, argument;
    if (mw_call_args(call, "ll", &tag, &argument) == MW_OK)
        mw_call_fail(call, "task %d cannot be done", (int)tag);
}

/* Expects other arguments than it gets. */
static void mismatch(mw_call *call)
{
    const char *text;
    if (mw_call_args(call, "s", &text) == MW_OK)
        mw_call_return(call, "l", (int64_t)-1);
}

/* Returns as many bytes as its argument says. */
static void big(mw_call *call)
{
    int64_t tag, argument;
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    char *bytes = malloc((size_t)argument + 1);
    if (bytes == NULL)
        return;
    memset(bytes, (int)(tag % 100), (size_t)argument);
    mw_call_return(call, "ly", tag, bytes, (size_t)argument);
    free(bytes);
}

/* Returns a list of the slave's descriptors. */
static void descriptors(mw_call *call)
{
    int64_t tag, argument;
    char list[LIST_SIZE] = "";
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    list_descriptors(list, sizeof list);
    mw_call_return(call, "ls", tag, list);
}

/* Returns a list of the descriptors of a program that the slave starts. */
static void descriptors_of_child(mw_call *call)
{
    int64_t tag, argument;
    char list[LIST_SIZE] = "";
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    FILE *child = popen("for d in /proc/$$/fd/*; do printf '%s ' \"$(readlink $d)\"; done", "r");
    if (child == NULL || fgets(list, sizeof list, child) == NULL)
        mw_call_fail(call, "cannot run a program");
    else
        mw_call_return(call, "ls", tag, list);
    if (child != NULL)
        pclose(child);
}

/* Returns the slave's working directory. */
static void where(mw_call *call)
{
    int64_t tag, argument;
    char folder[LIST_SIZE];
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    if (getcwd(folder, sizeof folder) == NULL)
        mw_call_fail(call, "no working directory");
    else
        mw_call_return(call, "ls", tag, folder);
}

/* Returns the first line that the command in FARM_COMMAND prints. */
static void command(mw_call *call)
{
    int64_t tag, argument;
    char line[LIST_SIZE] = "";
    const char *text = getenv("FARM_COMMAND");
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    FILE *child = text == NULL ? NULL : popen(text, "r");
    if (child == NULL || fgets(line, sizeof line, child) == NULL)
        mw_call_fail(call, "the command prints nothing");
    line[strcspn(line, "\n")] = '\0';
    mw_call_return(call, "ls", tag, line);
    if (child != NULL)
        pclose(child);
}

/* Prints to both streams. */
static void say(mw_call *call)
{
    int64_t tag, argument;
    if (mw_call_args(call, "ll", &tag, &argument) != MW_OK)
        return;
    printf("task %d to output\n", (int)tag);
    fprintf(stderr, "task %d to error output\n", (int)tag);
    mw_call_return(call, "l", tag);
}

/* The master. */

/* Submits task `tag`, whose place in the specifications is `tag` modulo their number. */
static void submit(mw_master *farm, const char *specs, int tag, unsigned attempts)
{
    char list[256], *rest = list, *spec = NULL;
    int specs_count = 1;
    mw_policy policy = {.max_attempts = attempts};
    snprintf(list, sizeof list, "%s", specs);
    for (const char *at = specs; (at = strchr(at, ',')) != NULL; at++)
        specs_count++;
    for (int i = 0; i <= tag % specs_count; i++)
        spec = strsep(&rest, ",");
    char *argument = strchr(spec, ':');
    if (argument != NULL)
        *argument++ = '\0';
    mw_master_submit(farm, &(mw_task){.algorithm = spec, .tag = tag, .policy = &policy}, "ll",
                     (int64_t)tag, argument == NULL ? 0 : (int64_t)atoll(argument));
}

/* Whether the value of a result is the right one for its task. Reads it from a copy of the struct
 * on the heap, where valgrind notices an access beyond it. */
static bool is_right(const mw_result *result)
{
    mw_result *copy = malloc(sizeof *copy);
    if (copy == NULL)
        return false;
    *copy = *result;
    const msgpack_object *tag = mw_result_value(copy, 0);
    bool is_same = tag != NULL && tag->type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
                   tag->via.u64 == (uint64_t)result->tag;
    free(copy);
    return is_same;
}

static void print_result(const mw_result *result)
{
    static const char *const outcomes[] = {"done", "failed", "unrunnable"};
    const msgpack_object *more = mw_result_value(result, 1);
    printf("task %d %s by %s", (int)result->tag, outcomes[result->outcome],
           result->sid == NULL ? "nobody" : result->sid);
    if (result->message != NULL)
        printf(": %s", result->message);
    else if (more != NULL && more->type == MSGPACK_OBJECT_STR)
        printf(": %.*s", (int)more->via.str.size, more->via.str.ptr);
    else if (more != NULL && more->type == MSGPACK_OBJECT_BIN)
        printf(": %u bytes", (unsigned)more->via.bin.size);
    putchar('\n');
}

/* Takes all results. Returns the number of tasks that were wrong, came twice, or are missing. */
static int take_results(mw_master *farm, int tasks_count, int outcomes[3])
{
    int bad_count = 0;
    const mw_result *result;
    bool *came = calloc((size_t)tasks_count + 1, sizeof *came);
    while (came != NULL && (result = mw_master_next(farm)) != NULL) {
        if (result->tag < 0 || result->tag >= tasks_count || came[result->tag] ||
            (result->outcome == MW_DONE && !is_right(result))) {
            printf("farm: a wrong result, tag %d\n", (int)result->tag);
            bad_count++;
            continue;
        }
        came[result->tag] = true;
        outcomes[result->outcome]++;
        print_result(result);
    }
    for (int i = 0; i < tasks_count; i++)
        bad_count += came == NULL || !came[i];
    free(came);
    return bad_count;
}

static int master(mw_master *farm, int argc, char **argv)
{
    int outcomes[3] = {0};
    int tasks_count = argc > 2 ? atoi(argv[2]) : 0;
    unsigned attempts = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
    char list[LIST_SIZE] = "";
    list_descriptors(list, sizeof list);
    printf("master: %s\n", list);
    for (int i = 0; i < tasks_count; i++)
        submit(farm, argv[1], i, attempts);
    int bad_count = take_results(farm, tasks_count, outcomes);
    printf("farm: %d done, %d failed, %d unrunnable, %d lost or wrong\n", outcomes[MW_DONE],
           outcomes[MW_FAILED], outcomes[MW_UNRUNNABLE], bad_count);
    /* The error that ended the farm early makes the exit status itself. */
    if (mw_master_num_runnable_tasks(farm) > 0)
        return 0;
    return bad_count > 0 ? 1 : outcomes[MW_DONE] < tasks_count ? 3 : 0;
}

/* Changes its working directory first. */
static int wandering_master(mw_master *farm, int argc, char **argv)
{
    return chdir("/") == 0 ? master(farm, argc, argv) : 1;
}

/* Has a child of its own, which must be left alone, in a session of its own. */
static int parental_master(mw_master *farm, int argc, char **argv)
{
    int child_status = 0;
    pid_t child = fork();
    if (child == 0) {
        setsid();
        for (;;)
            pause();
    }
    int status = master(farm, argc, argv);
    bool is_left_alone = system("exit 3") == 3 << 8 && waitpid(child, NULL, WNOHANG) == 0;
    kill(child, SIGTERM);
    is_left_alone = is_left_alone && waitpid(child, &child_status, 0) == child &&
                    WIFSIGNALED(child_status) && WTERMSIG(child_status) == SIGTERM;
    printf("farm: its child was %s\n", is_left_alone ? "left alone" : "touched");
    return status;
}

/* Computes for ever when it has its first result, without looking at the farm. */
static int thinking_master(mw_master *farm, int argc, char **argv)
{
    for (int i = 0; argc > 2 && i < atoi(argv[2]); i++)
        submit(farm, argv[1], i, 0);
    if (mw_master_next(farm) == NULL)
        return 1;
    printf("farm: thinks\n");
    for (volatile unsigned thoughts = 0;; thoughts++)
        ;
}

/* Returns before all its results have come. */
static int hasty_master(mw_master *farm, int argc, char **argv)
{
    for (int i = 0; argc > 2 && i < atoi(argv[2]); i++)
        submit(farm, argv[1], i, 0);
    return mw_master_next(farm) == NULL ? 1 : 7;
}

/* The first two slaves end before they look for tasks. */
static int stumbling_slave(mw_slave *slave, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (strcmp(mw_slave_id(slave), "SLAVE-0") == 0 || strcmp(mw_slave_id(slave), "SLAVE-1") == 0)
        _exit(3);
    return mw_slave_loop_simple(slave);
}

/* Ends the process before it looks for tasks. */
static int quitting_slave(mw_slave *slave, int argc, char **argv)
{
    (void)slave;
    (void)argc;
    (void)argv;
    fprintf(stderr, "a slave algorithm quits\n");
    exit(4);
}

static bool is_slave(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--mw-slave") == 0)
            return true;
    return false;
}

static mw_master_fn *find_master(const char *kind)
{
    if (strcmp(kind, "no-master") == 0)
        return NULL;
    if (strcmp(kind, "wander") == 0)
        return wandering_master;
    if (strcmp(kind, "parent") == 0)
        return parental_master;
    if (strcmp(kind, "think") == 0)
        return thinking_master;
    return strcmp(kind, "hasty") == 0 ? hasty_master : master;
}

/* FARM=no-master: without a master algorithm. FARM=hasty: with one that returns after the first
 * result. FARM=wander: with one that changes its working directory. FARM=parent: with one that has
 * a child. FARM=think: with one that computes for ever. FARM=other: with other task algorithms.
 * FARM=die: a slave ends before it has begun. FARM=stumble: the first two end once they have found
 * their master. FARM=quit: slaves exit once they have found their master. */
int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"echo", echo},
                                              {"nap", nap},
                                              {"doze", doze},
                                              {"gate", gate},
                                              {"token", token},
                                              {"shell", shell},
                                              {"crash", crash},
                                              {"group", group},
                                              {"fail", fail},
                                              {"mismatch", mismatch},
                                              {"big", big},
                                              {"descriptors", descriptors},
                                              {"descriptors_of_child", descriptors_of_child},
                                              {"command", command},
                                              {"say", say},
                                              {"where", where},
                                              {0}};
    static const mw_algorithm other_algorithms[] = {{"reverse", echo}, {"echo", echo}, {0}};
    const char *kind = getenv("FARM") == NULL ? "" : getenv("FARM");
    mw_program program = {
        .algorithms = strcmp(kind, "other") == 0 ? other_algorithms : algorithms,
        .master = find_master(kind),
    };
    if (strcmp(kind, "stumble") == 0)
        program.slave = stumbling_slave;
    if (strcmp(kind, "quit") == 0)
        program.slave = quitting_slave;
    if (strcmp(kind, "die") == 0 && is_slave(argc, argv))
        _exit(3);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return mw_main(&program, argc, argv);
}
