/* SPDX-License-Identifier: Apache-2.0
 *
 * Real processes for tests: starts programs, catches their output, waits for a line of it or for
 * their end, and leaves no process behind.
 *
 * All processes of a test belong to its crew. A wait for one process serves the pipes of all, so
 * that no process is held up. A wait that fails is a failed check and says what it waited for.
 * Later waits of the same crew then fail at once, so that a test need not check each. When a check
 * of the test has failed, mwt_crew_destroy prints the output of the processes.
 */
#ifndef MWT_PROCESS_H
#define MWT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mwt_crew;
struct mwt_process;

/* The longest time that a wait lasts. It is far more than a busy machine needs. */
#define MWT_WAIT_S 60

enum mwt_stream { MWT_OUT, MWT_ERR };

/* The status of a process whose end was not seen. */
#define MWT_NO_STATUS (-1000)

struct mwt_start {
    const char *const *argv;        /* argv[0] is looked up in PATH; see MWT_ARGV */
    const char *const *environment; /* "NAME=VALUE" each, on top of the test's own; may be NULL */
    bool has_own_group;             /* the process gets its own process group, for mwt_kill_group */
    const char
        *closed; /* standard streams that are closed, such as "01"; otherwise input is /dev/null */
};

/* The warning of an insecure master or slave over TCP, behind `subject`. In a build without TLS
 * every process of a test is insecure. In other builds none is, and this is "". */
#ifdef MWT_WITHOUT_TLS
#define MWT_WARNING(subject) subject "--mw-insecure: nothing is encrypted, and nobody needs a key\n"
#else
#define MWT_WARNING(subject) ""
#endif

/* A list of strings that ends with NULL. */
#define MWT_ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A crew, with an empty folder for the files of the test. Never NULL. */
struct mwt_crew *mwt_crew_create(void);

/* Ends the processes that still run, removes the folder with everything in it, and frees the crew.
 * A descendant that outlived the processes of the test, and does not end by itself, is a failed
 * check. */
void mwt_crew_destroy(struct mwt_crew *crew);

/* Strings that live as long as the crew: a formatted one, and the path of a file in the crew's
 * folder. */
const char *mwt_format(struct mwt_crew *crew, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
const char *mwt_path(struct mwt_crew *crew, const char *name);

/* Starts a program. The variables of mw and of launchers that the test itself has are not handed
 * on; the variables that Open MPI needs on a small machine, and as root, are set. The process ends
 * when the test program does. Never NULL. */
struct mwt_process *mwt_start(struct mwt_crew *crew, const struct mwt_start *start);

/* The same with arguments only: mwt_run_program(crew, "ls", "-l", NULL). */
struct mwt_process *mwt_run_program(struct mwt_crew *crew, const char *path, ...)
    __attribute__((sentinel));

/* Watches a descendant that another process started, as a process without output. */
struct mwt_process *mwt_adopt(struct mwt_crew *crew, pid_t pid);

/* Waits for the next whole line that contains `text`, behind the line that was found last. The line
 * is valid until the next call for the process. Returns NULL, and fails the check, if the output
 * ends or the time is up. */
const char *mwt_await_line(struct mwt_process *process, enum mwt_stream stream, const char *text);

/* The same, but it is no failure if the output ends without such a line. */
const char *mwt_await_line_or_end(struct mwt_process *process, enum mwt_stream stream,
                                  const char *text);

/* Waits until the process has ended and no process holds its output open any more, neither itself
 * nor a process that it started. Returns the exit status, or minus the signal that ended it;
 * MWT_NO_STATUS, and a failed check, if the time is up. */
int mwt_await_end(struct mwt_process *process);

/* Sends a signal to the process, or to its own process group. */
void mwt_kill(struct mwt_process *process, int signal_number);
void mwt_kill_group(struct mwt_process *process, int signal_number);

/* Properties of the process. The output is borrowed until the crew's next wait. */
pid_t mwt_pid(const struct mwt_process *process);
bool mwt_has_ended(const struct mwt_process *process);
const char *mwt_output(const struct mwt_process *process, enum mwt_stream stream);

/* The times at which it started and ended, on the clock of mwt_now_ns. */
int64_t mwt_started_ns(const struct mwt_process *process);
int64_t mwt_ended_ns(const struct mwt_process *process);
int64_t mwt_now_ns(void);

/* Prints, on the test program's error output, that a case cannot run here, and why. */
void mwt_not_run(const char *what, const char *why);

/* The number of times that `part` is in the text. */
unsigned mwt_count(const char *text, const char *part);

#endif
