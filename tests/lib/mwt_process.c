/* SPDX-License-Identifier: Apache-2.0
 *
 * The processes of mwt_process.h. One poll watches all pipes of a crew, and a descriptor for the
 * end of each process, so a wait for one process serves the pipes of all.
 *
 * After a failed wait the crew has failed, and all its later waits fail at once. Orphans are
 * mwt_orphans.c's business, starting is mwt_spawn.c's.
 */
#include "mwt_process.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "mwt_orphans.h"
#include "mwt_spawn.h"

#define PROCESSES_MAX 128
#define STRINGS_MAX 1024
#define ARGUMENTS_MAX 32
#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

struct output {
    int fd; /* -1: at its end */
    char *text;
    size_t size, capacity;
    size_t found; /* behind the line that was found last */
};

struct mwt_process {
    struct mwt_crew *crew;
    pid_t pid;
    int end_fd; /* readable when the process has ended; -1: that was seen */
    int status;
    int64_t started_ns, ended_ns;
    char *name;
    char *line;
    struct output outputs[2];
};

struct mwt_crew {
    struct mwt_process *processes[PROCESSES_MAX];
    size_t processes_count;
    char *strings[STRINGS_MAX];
    size_t strings_count;
    char folder[32];
    bool has_failed;
    unsigned failures_before;
};

/* A test without memory or descriptors cannot say anything, so the program ends. */
static void insist(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "the test cannot go on: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

int64_t mwt_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

struct mwt_crew *mwt_crew_create(void)
{
    struct mwt_crew *crew = calloc(1, sizeof *crew);
    insist(crew != NULL, "calloc");
    mwt_orphans_begin();
    strcpy(crew->folder, "/tmp/mwt-XXXXXX");
    insist(mkdtemp(crew->folder) != NULL, "mkdtemp");
    crew->failures_before = CU_get_number_of_failures();
    return crew;
}

static const char *keep_string(struct mwt_crew *crew, char *string)
{
    insist(string != NULL && crew->strings_count < STRINGS_MAX, "a string");
    crew->strings[crew->strings_count++] = string;
    return string;
}

const char *mwt_format(struct mwt_crew *crew, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    insist(vasprintf(&text, format, arguments) >= 0, "vasprintf");
    va_end(arguments);
    return keep_string(crew, text);
}

const char *mwt_path(struct mwt_crew *crew, const char *name)
{
    return mwt_format(crew, "%s/%s", crew->folder, name);
}

/* Fails the check: a wait has ended without success. */
static void fail_wait(struct mwt_process *process, const char *what, const char *text)
{
    fprintf(stderr, "\n%s: waited in vain for %s%s%s\n", process->name, what,
            text == NULL ? "" : ": ", text == NULL ? "" : text);
    process->crew->has_failed = true;
    CU_FAIL("a wait came to nothing");
}

static int open_end_fd(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    insist(fd >= 0 || errno == ESRCH, "pidfd_open");
    return fd;
}

static struct mwt_process *add_process(struct mwt_crew *crew, const char *name)
{
    struct mwt_process *process = calloc(1, sizeof *process);
    insist(process != NULL && crew->processes_count < PROCESSES_MAX, "a process");
    *process = (struct mwt_process){.crew = crew,
                                    .end_fd = -1,
                                    .status = MWT_NO_STATUS,
                                    .started_ns = mwt_now_ns(),
                                    .name = strdup(name),
                                    .outputs = {{.fd = -1}, {.fd = -1}}};
    crew->processes[crew->processes_count++] = process;
    return process;
}

struct mwt_process *mwt_start(struct mwt_crew *crew, const struct mwt_start *start)
{
    int pipes[2][2];
    struct mwt_process *process = add_process(crew, start->argv[0]);
    for (size_t i = 0; i < 2; i++)
        insist(pipe2(pipes[i], O_CLOEXEC) == 0, "pipe2");
    process->pid = mwt_spawn(start, (int[]){pipes[MWT_OUT][1], pipes[MWT_ERR][1]});
    insist(process->pid >= 0, "fork");
    for (size_t i = 0; i < 2; i++) {
        close(pipes[i][1]);
        process->outputs[i].fd = pipes[i][0];
    }
    process->end_fd = open_end_fd(process->pid);
    return process;
}

struct mwt_process *mwt_run_program(struct mwt_crew *crew, const char *path, ...)
{
    const char *argv[ARGUMENTS_MAX] = {path};
    va_list arguments;
    size_t count = 0;
    va_start(arguments, path);
    while (argv[count] != NULL && ++count < ARGUMENTS_MAX)
        argv[count] = va_arg(arguments, const char *);
    va_end(arguments);
    insist(count < ARGUMENTS_MAX, "arguments");
    return mwt_start(crew, &(struct mwt_start){.argv = argv});
}

struct mwt_process *mwt_adopt(struct mwt_crew *crew, pid_t pid)
{
    struct mwt_process *process = add_process(crew, "descendant");
    process->pid = pid;
    process->end_fd = open_end_fd(pid);
    return process;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void read_output(struct output *output)
{
    if (output->capacity - output->size < 4096) {
        output->capacity = output->capacity * 2 + 65536;
        output->text = realloc(output->text, output->capacity);
        insist(output->text != NULL, "realloc");
    }
    ssize_t got =
        read(output->fd, output->text + output->size, output->capacity - output->size - 1);
    if (got > 0)
        output->size += (size_t)got;
    else
        close_fd(&output->fd);
    output->text[output->size] = '\0';
}

/* Somebody else may reap an adopted process, now or never, so its status stays unknown. */
static void reap(struct mwt_process *process)
{
    int status;
    if (process->status == MWT_NO_STATUS && waitpid(process->pid, &status, WNOHANG) == process->pid)
        process->status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void see_end(struct mwt_process *process)
{
    process->ended_ns = mwt_now_ns();
    close_fd(&process->end_fd);
    reap(process);
}

/* Waits for something to happen. Reads the pipes, and notices the processes that have ended. */
static void serve(struct mwt_crew *crew, int timeout_ms)
{
    struct pollfd polls[3 * PROCESSES_MAX];
    for (size_t i = 0; i < crew->processes_count; i++) {
        struct mwt_process *process = crew->processes[i];
        polls[3 * i] = (struct pollfd){.fd = process->end_fd, .events = POLLIN};
        for (size_t j = 0; j < 2; j++)
            polls[3 * i + 1 + j] = (struct pollfd){.fd = process->outputs[j].fd, .events = POLLIN};
    }
    if (poll(polls, 3 * crew->processes_count, timeout_ms) <= 0)
        return;
    for (size_t i = 0; i < crew->processes_count; i++) {
        for (size_t j = 0; j < 2; j++)
            if (polls[3 * i + 1 + j].revents != 0)
                read_output(&crew->processes[i]->outputs[j]);
        if (polls[3 * i].revents != 0)
            see_end(crew->processes[i]);
    }
}

/* Serves the crew. Returns false once the deadline has passed. */
static bool serve_until(struct mwt_crew *crew, int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - mwt_now_ns();
    if (left_ns <= 0)
        return false;
    serve(crew, (int)(left_ns / NS_PER_MS) + 1);
    return true;
}

/* The next line with the text, or NULL. It looks at whole lines only, until the output has
 * ended. */
static const char *find_line(struct mwt_process *process, struct output *output, const char *text)
{
    while (output->found < output->size) {
        char *line = output->text + output->found;
        char *newline = strchr(line, '\n');
        if (newline == NULL && output->fd >= 0)
            return NULL;
        size_t length = newline == NULL ? strlen(line) : (size_t)(newline - line);
        output->found += length + (newline != NULL);
        free(process->line);
        process->line = strndup(line, length);
        insist(process->line != NULL, "strndup");
        if (strstr(process->line, text) != NULL)
            return process->line;
    }
    return NULL;
}

static const char *await_line(struct mwt_process *process, enum mwt_stream stream, const char *text,
                              bool may_end)
{
    struct output *output = &process->outputs[stream];
    int64_t deadline_ns = mwt_now_ns() + MWT_WAIT_S * NS_PER_S;
    const char *line = find_line(process, output, text);
    if (process->crew->has_failed)
        return NULL;
    while (line == NULL && output->fd >= 0 && serve_until(process->crew, deadline_ns))
        line = find_line(process, output, text);
    if (line == NULL && (output->fd >= 0 || !may_end))
        fail_wait(process, stream == MWT_OUT ? "the output" : "the error output", text);
    return line;
}

const char *mwt_await_line(struct mwt_process *process, enum mwt_stream stream, const char *text)
{
    return await_line(process, stream, text, false);
}

const char *mwt_await_line_or_end(struct mwt_process *process, enum mwt_stream stream,
                                  const char *text)
{
    return await_line(process, stream, text, true);
}

static bool is_over(const struct mwt_process *process)
{
    return process->end_fd < 0 && process->outputs[MWT_OUT].fd < 0 &&
           process->outputs[MWT_ERR].fd < 0;
}

int mwt_await_end(struct mwt_process *process)
{
    int64_t deadline_ns = mwt_now_ns() + MWT_WAIT_S * NS_PER_S;
    while (!is_over(process) && !process->crew->has_failed &&
           serve_until(process->crew, deadline_ns))
        ;
    if (is_over(process)) {
        reap(process);
        return process->status;
    }
    if (!process->crew->has_failed)
        fail_wait(process, process->end_fd >= 0 ? "its end" : "the end of its output", NULL);
    return MWT_NO_STATUS;
}

void mwt_kill(struct mwt_process *process, int signal_number)
{
    if (process->end_fd >= 0)
        kill(process->pid, signal_number);
}

void mwt_kill_group(struct mwt_process *process, int signal_number)
{
    if (process->end_fd >= 0)
        kill(-process->pid, signal_number);
}

pid_t mwt_pid(const struct mwt_process *process)
{
    return process->pid;
}

bool mwt_has_ended(const struct mwt_process *process)
{
    return process->end_fd < 0;
}

const char *mwt_output(const struct mwt_process *process, enum mwt_stream stream)
{
    const char *text = process->outputs[stream].text;
    return text == NULL ? "" : text;
}

int64_t mwt_started_ns(const struct mwt_process *process)
{
    return process->started_ns;
}

int64_t mwt_ended_ns(const struct mwt_process *process)
{
    return process->ended_ns;
}

void mwt_not_run(const char *what, const char *why)
{
    fprintf(stderr, "\nNOT RUN: %s: %s\n", what, why);
}

unsigned mwt_count(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + strlen(part), part))
        count++;
    return count;
}

static void end_process(struct mwt_process *process)
{
    if (process->end_fd < 0)
        return;
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    close_fd(&process->end_fd);
}

static void print_process(const struct mwt_process *process)
{
    fprintf(stderr, "--- %s, pid %ld, status %d, its output:\n%s", process->name,
            (long)process->pid, process->status, mwt_output(process, MWT_OUT));
    fprintf(stderr, "--- its error output:\n%s", mwt_output(process, MWT_ERR));
}

static void free_process(struct mwt_process *process)
{
    for (size_t i = 0; i < 2; i++) {
        close_fd(&process->outputs[i].fd);
        free(process->outputs[i].text);
    }
    free(process->name);
    free(process->line);
    free(process);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

void mwt_crew_destroy(struct mwt_crew *crew)
{
    for (size_t i = 0; i < crew->processes_count; i++)
        end_process(crew->processes[i]);
    mwt_orphans_end();
    bool is_bad = CU_get_number_of_failures() != crew->failures_before;
    for (size_t i = 0; i < crew->processes_count; i++) {
        if (is_bad)
            print_process(crew->processes[i]);
        free_process(crew->processes[i]);
    }
    nftw(crew->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < crew->strings_count; i++)
        free(crew->strings[i]);
    free(crew);
}
