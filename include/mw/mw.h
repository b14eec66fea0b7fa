/* SPDX-License-Identifier: Apache-2.0
 *
 * mw, a master/slave (task farm) library. Four calls make a farm:
 *
 *     mw_main            in main(): runs this process as master or slave, as the options say
 *     mw_master_submit   in the master algorithm: a task algorithm's name and its arguments
 *     mw_master_next     in the master algorithm: waits for the next finished task
 *     mw_call_return     in a task algorithm: its result
 *
 * examples/hello_world.c is a whole program. The rest of this header serves the full loops, raw
 * bytes, msgpack and slave algorithms. mw/embed.h opens masters and slaves without mw_main.
 *
 * Threads: one thread at a time may use a master, a slave or a call, and everything that it hands
 * out. Different masters and slaves are independent of each other and may run in different threads.
 * The library has no global state, except the signal handlers of mw_main.
 *
 * Memory: of each pointer that a function receives, its comment says one of three words. The
 * function copies the data behind the pointer, borrows it until a named moment, or takes it: frees
 * it when it needs it no more. Where a comment says only "copies", that holds for all pointers.
 * Pointers that a function hands out are borrowed from the library until the moment named, and must
 * not be freed.
 *
 * MPI: unless its comment says that it is collective, a function concerns only the process that
 * calls it.
 */
#ifndef MW_MW_H
#define MW_MW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include <mw/error.h>
#include <mw/export.h>
#include <mw/version.h>

MW_BEGIN_DECLS

typedef struct mw_master mw_master;
typedef struct mw_slave mw_slave;
typedef struct mw_call mw_call;

/* The program. */

/* A task algorithm: runs in a slave, reads its arguments from `call` (mw_call_args) and leaves one
 * result (mw_call_return) or a failure (mw_call_fail). If it leaves neither, its result has no
 * values. `call` is borrowed until the algorithm returns. */
typedef void mw_task_fn(mw_call *call);

/* The master algorithm: runs once, in the master. argc and argv are the command line without the
 * --mw-* options; argv[0] is the program, argv[argc] is NULL. It returns the exit status of the
 * program; a number outside 0..255 becomes 255. When it returns, the library tells the slaves to
 * stop and closes the master. */
typedef int mw_master_fn(mw_master *master, int argc, char **argv);

/* The slave algorithm: runs in every slave as soon as a master has accepted the slave. argc and
 * argv are as for the master algorithm. Between its own set-up and tear-down it calls
 * mw_slave_loop_simple, or mw_slave_loop in a loop. It returns the exit status of the slave; a
 * number outside 0..255 becomes 255. */
typedef int mw_slave_fn(mw_slave *slave, int argc, char **argv);

/* A task algorithm and the name by which mw_task.algorithm asks for it. */
typedef struct mw_algorithm {
    const char *name;
    mw_task_fn *run;
} mw_algorithm;

/* The parts of a program. The library borrows the struct, and everything that it points to, until
 * mw_main returns or the master or slave opened from it is closed. */
typedef struct mw_program {
    /* The task algorithms. The entry after the last has the name NULL; no name may occur twice.
     * NULL: the program has no task algorithms. Master and slaves need the same names, in any
     * order. */
    const mw_algorithm *algorithms;
    /* NULL: the program cannot be a master; a process started as master exits with 255. */
    mw_master_fn *master;
    /* NULL: slaves run mw_slave_loop_simple. */
    mw_slave_fn *slave;
    /* The program's own: the library only hands it to mw_master_user, mw_slave_user and
     * mw_call_user. */
    void *user;
    /* For --mw-journal: the version of all that decides what a task's result is. A program that
     * gives one vouches that results of the same version stand for each other, also if its
     * arguments or its executable file have changed. NULL: a journal is for the same file and
     * arguments. */
    const char *version;
} mw_program;

/* Makes this process a whole farm on this machine (the default), a master, or a slave, as the
 * options in the environment and in argv say, and runs the program as that; `--mw-help` lists the
 * options. Call it first in main, and return what it returns. Everything in main before mw_main
 * runs in every slave too: so open files, and do all else that must happen once, in the master
 * algorithm.
 *
 * The algorithms get the arguments without the --mw-* options. The caller's array stays as it was,
 * so mw_main can be called with it once more. mw_main returns an exit status:
 *
 *   master  128 + the signal's number if SIGINT or SIGTERM asked it to end; else the number that
 *           the master algorithm returned, but 255 instead of 0 if the farm broke or a submission
 *           was refused; 255 if the program has no master algorithm
 *   slave   the number that the slave algorithm returned; without one, 0 if the master told the
 *           slave to stop, else 255; 0 if the resource file says that the computation is finished
 *   either  2 for wrong usage of an option, or an option for which this build or machine lacks
 *           something; 255 if the master or slave cannot be opened for another reason; 0 after
 *           --mw-help and --mw-version-string
 *
 * Errors are printed on standard error. Only --mw-help and --mw-version-string make the library
 * print on standard output.
 *
 * While mw_main runs it handles SIGTERM, even if the signal was ignored or blocked, and SIGINT
 * unless it was ignored. It catches SIGPIPE and SIGXFSZ, so that a write fails with an error
 * instead, unless they were caught or ignored already. Other signals stay as they were, SIGHUP for
 * instance; but with --mw-audit-file a SIGHUP that another process sends has no effect, since
 * programs that rotate logs send it. Before mw_main returns it restores the signals. Programs that
 * an algorithm starts, and processes that it forks off, get the signals as mw_main has found them.
 * There is one exception: a SIGTERM that was ignored or blocked is neither in a program started by
 * system, popen or posix_spawn; fork restores that, too. One mw_main at a time may run in a
 * process.
 *
 * mpi: collective over MPI_COMM_WORLD. If MPI is not initialised, mw_main initialises it, and
 * finalises it before it returns. */
MW_API int mw_main(const mw_program *program, int argc, char **argv);

/* Formats. */

/* Arguments and results are sequences of msgpack values. A function with a `format` writes or reads
 * them, one letter for each value; blanks in the format are skipped:
 *
 *   letter  msgpack      written from                     read into
 *   s       string       const char *                     const char **, NUL-terminated
 *   S       string       const char *, size_t             const char **, size_t *
 *   y       binary       const void *, size_t             const void **, size_t *
 *   i       integer      int                              int *
 *   l       integer      int64_t                          int64_t *
 *   u       integer      uint64_t                         uint64_t *
 *   d       float        double                           double *, from an integer too
 *   b       boolean      int (bool)                       bool *
 *   o       any          const msgpack_object *           const msgpack_object **
 *
 * Writing copies the data behind the pointers; sizes are in bytes. Reading sets all outputs or
 * none. The number of values must equal the number of letters, and an integer must fit its output.
 * Strings, binary data and objects that were read are borrowed until the moment that the function
 * names. An unknown letter in a format is MW_EINVAL.
 *
 * A format may go on with optional values, a rest of any number, and named values, in this order:
 *
 *   "s|id"            the values behind the "|" may be missing; their outputs then stay unchanged
 *   "s*"              only for reading: all further values, into const msgpack_object **, size_t *
 *   "s{depth:i b:b}"  named values. They are written as one map behind the other values. When they
 *                     are read, each may be missing, their order is free, and a name that is not in
 *                     the format is MW_EFORMAT. Names need not be those of variables
 *
 * `int depth = 10; bool verbose = false; mw_call_args(call, "s|i{verbose:b}", &s, &depth,
 * &verbose)` reads a required, an optional and a named argument with their defaults. */

/* In a task algorithm. */

/* The task algorithm may use its call until it returns, and in the thread that runs it. None of
 * these functions waits. */

/* Reads all arguments. Pointers that it sets are borrowed until the algorithm returns. An error has
 * already failed the task, with a message that names the expected and the received values, so the
 * algorithm returns: `if (mw_call_args(call, "si", &s, &i) != MW_OK) return;` Errors: MW_EFORMAT if
 * the arguments do not match the format or are raw bytes, MW_EINVAL for a bad format, MW_ENOMEM. */
MW_API mw_error mw_call_args(mw_call *call, const char *format, ...) MW_USE_RESULT;

/* The number of arguments; 0 for raw bytes. Out of memory fails the task and gives 0. */
MW_API size_t mw_call_args_count(mw_call *call);

/* Argument `index`, counted from 0, as msgpack-c's object, borrowed until the algorithm returns.
 * NULL if there is no such argument. */
MW_API const msgpack_object *mw_call_arg(mw_call *call, size_t index);

/* Sets *data and *size to the raw bytes that mw_master_submit_bytes sent. They lie where they were
 * received, are borrowed until the algorithm returns, and the algorithm may write to them. 32 KiB
 * or more are aligned as malloc aligns, for an array of any type; fewer may lie at any address. If
 * the task has values instead, the task is failed. Errors: MW_EFORMAT. */
MW_API mw_error mw_call_bytes(mw_call *call, void **data, size_t *size) MW_USE_RESULT;

/* Leaves values as the result, in place of a result left before. Copies. On an error the task is
 * failed: MW_EINVAL for a bad format; MW_ETOOBIG for a string or binary of 4 GiB or more, which
 * msgpack cannot hold; MW_ENOMEM. A result that is too large for a message fails the task when the
 * algorithm returns. */
MW_API mw_error mw_call_return(mw_call *call, const char *format, ...);

/* Leave raw bytes as the result, in place of a result left before: up to the smaller of the slave's
 * --mw-max-write-buffer-size and the master's --mw-max-read-buffer-size, less 128 bytes. The first
 * function copies `data`. The second takes it, and sends 32 KiB or more from where they lie: `data`
 * is a malloc'd block, which is freed also on an error, or points into the bytes of mw_call_bytes,
 * for a task that computes in place (but not into strings or data that mw_call_args read). Nobody
 * may write to the bytes afterwards. On an error the task is failed: MW_ETOOBIG, MW_ENOMEM. */
MW_API mw_error mw_call_return_bytes(mw_call *call, const void *data, size_t size);
MW_API mw_error mw_call_return_bytes_take(mw_call *call, void *data, size_t size);

/* A msgpack-c packer that writes the values of the result, any number of them, straight into the
 * message to the master, in place of a result left before. Borrowed until the algorithm returns or
 * leaves another result. Never NULL. Out of memory, or values that are not whole or nested more
 * than 32 arrays and maps deep, fail the task when the algorithm returns. */
MW_API msgpack_packer *mw_call_packer(mw_call *call);

/* Fails the task, in place of a result left before, with a message made as printf makes it. The
 * master finds the message in mw_result.message, where it is one line. The slave goes on with its
 * next task. */
MW_API void mw_call_fail(mw_call *call, const char *format, ...) MW_PRINTF(2, 3);

/* A string made as printf makes it, borrowed until the algorithm returns. Never NULL: out of memory
 * fails the task and gives "". */
MW_API const char *mw_call_format(mw_call *call, const char *format, ...) MW_PRINTF(2, 3);

/* Saves bytes for the next attempt of this task, in place of those that it saved before. If the
 * slave is lost, or leaves before the task has ended, the master sends them along with the task to
 * the next slave, where mw_call_saved gives them to the algorithm. They are freed when the task has
 * ended in any way. For a task that runs for hours: call it every few minutes, with all that it
 * takes to go on from there.
 *
 * Copies. The bytes leave while the task runs: the call returns when the network has taken them,
 * after a second at most. The rest leaves in the next calls; a call whose bytes have not begun to
 * leave is replaced by the next one. An error does not fail the task:
 *   MW_EGONE   the master is gone, or has told this slave to stop: nobody waits for the result, so
 *              the algorithm may return at once
 *   MW_ETOOBIG more bytes than the smaller of the slave's --mw-max-write-buffer-size and the
 *              master's --mw-max-read-buffer-size, less 64. A slave whose --mw-max-read-buffer-size
 *              is smaller starts from the beginning
 *   MW_ENOMEM  out of memory
 *   MW_ESTATE  the algorithm has forked off this process */
MW_API mw_error mw_call_save(mw_call *call, const void *data, size_t size);

/* Whether an earlier attempt of this task has saved bytes. Then sets *data and *size to those that
 * it saved last. They are aligned as malloc aligns, and borrowed until the algorithm returns. They
 * stay the same when this attempt saves others. */
MW_API bool mw_call_saved(const mw_call *call, const void **data, size_t *size);

/* The pointer of mw_slave_user (mw_program.user unless the slave algorithm set another), and the
 * slave that runs the task, borrowed until the algorithm returns. */
MW_API void *mw_call_user(const mw_call *call);
MW_API mw_slave *mw_call_slave(const mw_call *call);

/* In the master algorithm: submitting. */

/* The functions on a master may be called from the moment when the master algorithm begins, or
 * mw_master_open has returned, until the algorithm returns, or mw_master_close is called. Only
 * mw_master_next, mw_master_loop and mw_master_loop_iterate serve the slaves, and only the first
 * two, or the third with a timeout, wait. */

/* A yes or no; MW_DEFAULT takes the default that the field names. */
typedef enum mw_choice {
    MW_DEFAULT,
    MW_YES,
    MW_NO,
} mw_choice;

/* The rules under which a task runs. A field that is 0 means its default. Each submission copies
 * the policy and its string, so one policy may serve many submissions. */
typedef struct mw_policy {
    /* A slave's id, such as "SLAVE-3": the task is ordered, that is, it runs on this slave only,
     * after the ordered tasks that were submitted for the slave before. NULL: the task is
     * unordered and runs on any slave. The slave must be in the ordered or intermingle group; if it
     * is not, or is not connected, do_it_anyway decides. */
    const char *sid;
    /* If the slave of an ordered task is lost, is not connected or takes no ordered tasks: MW_YES
     * runs the task on any slave, MW_NO makes it unrunnable. The default is MW_NO. */
    mw_choice do_it_anyway;
    /* If a slave is lost while it has the task: MW_YES runs the task again, MW_NO makes it
     * unrunnable. This is decided before do_it_anyway. With --mw-journal that holds for the loss of
     * the master, too: in the next run such a task is unrunnable unless it has ended. The default
     * is MW_YES. */
    mw_choice retry;
    /* The task becomes unrunnable when this many slaves were lost while they had it: 1..255; 0
     * means 3. Losses at one host count as one while slaves of another host are connected that has
     * not had the task, but three times this many losses are always enough. If a lost slave had
     * several tasks, the loss counts for none of them, since nobody knows which one was running;
     * with fixed groups (--mw-slave-task-group N) it counts for all of them. From then on each of
     * these tasks is sent alone. A slave that says goodbye does not count, nor does one that had
     * not begun any task, nor one that was asked to end by a signal and is lost before it could.
     * But a task whose `retry` is MW_NO is never run again after its slave was lost without a
     * goodbye: the word that it has begun may have been lost, too. */
    unsigned max_attempts;
    /* Among the waiting unordered tasks, a higher priority is sent first; within one priority, the
     * task that was submitted first. */
    int priority;
    /* In seconds, at most 1e9: a slave that has run the task for longer is dropped, and the task
     * counts as lost with it. Time in which the master serves no slaves does not count. 0: no
     * limit. */
    double time_limit_s;
    /* MW_YES: when no task waits and another slave is idle, that slave runs the task a second time
     * if it is slow: it has run for longer than --mw-speculate-factor (2) times the median of its
     * algorithm's last tasks, and for at least 0.5 s. Tasks that wait behind it at its slave count
     * as slow with it. The first result counts, and the other one is dropped. Tasks with a `sid`,
     * and tasks whose `retry` is MW_NO, never run twice. The default is MW_NO; with --mw-speculate
     * it is MW_YES. */
    mw_choice speculate;
    /* MW_NO keeps the task out of the journal: its result is not recorded, and no recorded one is
     * taken for it. The default is MW_YES, but tasks with a `sid` are never recorded. */
    mw_choice journal;
} mw_policy;

/* A task to submit. A field that is 0 means its default. Each submission copies the struct and all
 * that it points to. */
typedef struct mw_task {
    /* The name of the task algorithm; must be set. */
    const char *algorithm;
    /* The program's own mark; comes back unchanged in mw_result: a number, or, if tag_size is above
     * 0, the tag_size bytes at tag_data. */
    int64_t tag;
    const void *tag_data;
    size_t tag_size;
    /* NULL: all defaults. */
    const mw_policy *policy;
} mw_task;

/* The number of a task, for mw_master_cancel. Numbers count up from 1 in the order of submission; a
 * master never uses one twice. */
typedef uint64_t mw_task_id;

/* Submits a task with the values of the format as its arguments. Copies. Never waits: the task is
 * sent to a slave in a later mw_master_next or mw_master_loop. After an error nothing was
 * submitted, and mw_master_error has a sentence:
 *   MW_EALGORITHM  the program has no task algorithm of that name
 *   MW_EINVAL      a bad format, policy.sid, max_attempts or time_limit_s, or no algorithm
 *   MW_ETOOBIG     the arguments are larger than --mw-max-write-buffer-size; or a string or binary
 *                  has 4 GiB or more, which msgpack cannot hold: submit it as raw bytes
 *   MW_ENOMEM      out of memory
 * A caller may ignore the error: mw_master_status keeps the first one, mw_main prints its sentence
 * and returns 255 if the master algorithm returned 0, and a loop tells of it before it waits for
 * nothing. */
MW_API mw_error mw_master_submit(mw_master *master, const mw_task *task, const char *format, ...);

/* The same with arguments that the caller has packed with msgpack-c: `size` bytes of `data` that
 * are whole msgpack values, one after the other, nested at most 32 arrays and maps deep; anything
 * else is MW_EINVAL. Copies. */
MW_API mw_error mw_master_submit_values(mw_master *master, const mw_task *task, const void *data,
                                        size_t size);

/* The same with raw bytes, which the task algorithm reads with mw_call_bytes. The first function
 * copies `data`. The second takes it: `data` is a malloc'd block, which is freed also on an error.
 */
MW_API mw_error mw_master_submit_bytes(mw_master *master, const mw_task *task, const void *data,
                                       size_t size);
MW_API mw_error mw_master_submit_bytes_take(mw_master *master, const mw_task *task, void *data,
                                            size_t size);

/* The number of the task that was submitted last, 0 if none was. */
MW_API mw_task_id mw_master_last_task(const mw_master *master);

/* With --mw-journal: the results of tasks that are submitted from now on belong to this scope, and
 * recorded ones are taken from it alone. So phases of a program whose tasks have the same
 * algorithms and arguments, but not the same results, are kept apart. `name` is any string; "" and
 * NULL are the scope of the beginning. Copies. The masters of mw_mpi_run, and all others over an
 * MPI communicator of the caller, share one journal: with --mw-journal each must name a scope
 * before it submits, or the submission is refused with MW_ESTATE. Without a journal the scope
 * matters to slaves that return (--mw-reconnect). */
MW_API void mw_master_journal_scope(mw_master *master, const char *name);

/* Cancels a task. A waiting task is forgotten. A running task runs to its end, but its result is
 * thrown away. After MW_OK the master never hands out anything for the task. Errors, with a
 * sentence in mw_master_error and without effect on the exit status: MW_ESTATE if there is no such
 * task, or it has ended already and was or will be handed out; MW_ENOMEM, after which the task is
 * as it was. */
MW_API mw_error mw_master_cancel(mw_master *master, mw_task_id task);

/* A string made as printf makes it, borrowed until the next mw_master_format on this master. Never
 * NULL: out of memory gives "" and counts as a refused submission (mw_master_status). */
MW_API const char *mw_master_format(mw_master *master, const char *format, ...) MW_PRINTF(2, 3);

/* In the master algorithm: finished tasks. */

/* How a task ended. */
typedef enum mw_outcome {
    MW_DONE,       /* the task algorithm left a result: read it with mw_result_get */
    MW_FAILED,     /* the task algorithm failed, or the task is too large for all slaves: `message`
                      says why */
    MW_UNRUNNABLE, /* no slave could run the task under its policy: `message` says why; read its
                      arguments with mw_result_args */
} mw_outcome;

/* A task that has ended. The fields are for reading only. The master hands out one at a time: it,
 * all that it points to, and all that was read from it are borrowed until the next call of
 * mw_master_next, mw_master_next_result or mw_master_next_unrunnable, or until the master is
 * closed. A copy of the struct may be read in place of the original, until that moment; later the
 * functions refuse the copy with MW_ESTATE, as long as the master is open. */
typedef struct mw_result {
    mw_outcome outcome;
    mw_task_id task;       /* the task's number, as mw_master_last_task gave it */
    const char *algorithm; /* the name in mw_program.algorithms */
    const char *sid;       /* the slave's id, valid until the master is closed; NULL if no slave
                            * had the task */
    int64_t tag;           /* mw_task.tag; 0 if the tag is bytes */
    const void *tag_data;  /* the tag's bytes; NULL if the tag is a number */
    size_t tag_size;       /* the number of the tag's bytes */
    double seconds;        /* how long the task algorithm ran; 0 for an unrunnable task. Tasks of an
                            * algorithm that takes less than about half a microsecond may be timed
                            * together, up to 8: each then has an equal share */
    const char *message;   /* why the task has no result; NULL if the outcome is MW_DONE. Safe to
                            * print, whatever the slave sent: a line break is shown as \n, another
                            * control character as \x1b, a mark of direction as \u202e, a byte that
                            * is no UTF-8 as \xff */
    bool is_bytes;         /* whether `data` is raw bytes, not msgpack values */
    const void *data;      /* MW_DONE: the result; MW_UNRUNNABLE: the arguments; MW_FAILED: NULL.
                            * Msgpack values, or raw bytes aligned as those of mw_call_bytes */
    size_t size;           /* of `data`, in bytes */
    mw_master *master;     /* the master that handed it out */
    bool is_replayed;      /* an earlier run has computed it, see --mw-journal; sid is NULL then */
} mw_result;

/* Stops the farm before its work is done, as a signal does under mw_main. From now on no task is
 * sent, and none that waits becomes unrunnable; submissions are accepted and not sent. The tasks
 * that slaves run are waited for up to --mw-shutdown-timeout and handed out, as long as the master
 * algorithm asks for them. When none runs any more, or the time is up, mw_master_next gives NULL
 * and the loops return MW_EINTERRUPTED. The tasks that wait are then left as they are:
 * mw_master_num_runnable_tasks counts them. Unlike after a signal, mw_master_status and the exit
 * status say nothing of the stop. A second call does nothing. */
MW_API void mw_master_stop(mw_master *master);

/* Whether the farm stops: a signal has come, or mw_master_stop was called. A master algorithm that
 * submits many tasks, or works long on its own, asks now and then. */
MW_API bool mw_master_is_stopping(const mw_master *master);

/* Gives the next task that has ended, result or unrunnable. If none is there, it serves the slaves
 * and waits for one. NULL when no task is out any more, so the usual loop is
 * `while ((result = mw_master_next(master)) != NULL)`.
 *
 * It also gives NULL, before that, when the farm broke, or has stopped because a signal asked for
 * it or the program did (mw_master_stop). mw_master_error then has a sentence. Except after
 * mw_master_stop, mw_master_status has the error and the exit status of mw_main shows it. */
MW_API const mw_result *mw_master_next(mw_master *master);

/* Reads all values of a result whose outcome is MW_DONE. Errors, with a sentence in
 * mw_master_error, and unlike those of a submission without effect on the exit status:
 *   MW_EFORMAT  the values do not match the format, are raw bytes, or the task failed or is
 *               unrunnable: the sentence then has its message
 *   MW_EINVAL   a bad format
 *   MW_ENOMEM   out of memory
 *   MW_ESTATE   `result` is a copy, and another result was handed out since */
MW_API mw_error mw_result_get(const mw_result *result, const char *format, ...) MW_USE_RESULT;

/* Reads the arguments of a task whose outcome is MW_UNRUNNABLE, with the errors of mw_result_get.
 */
MW_API mw_error mw_result_args(const mw_result *result, const char *format, ...) MW_USE_RESULT;

/* The number of values of a result, or of arguments of an unrunnable task; 0 for raw bytes, for
 * failed tasks, and where mw_result_get gives MW_ENOMEM or MW_ESTATE. */
MW_API size_t mw_result_values_count(const mw_result *result);

/* Value or argument `index`, counted from 0, as msgpack-c's object, borrowed as the result is. NULL
 * if there is no such value. */
MW_API const msgpack_object *mw_result_value(const mw_result *result, size_t index);

/* In the master algorithm: the full loop. */

/* How many things the master algorithm can take now, and by which function. */
typedef struct mw_master_counts {
    size_t unrunnable;   /* unrunnable tasks: mw_master_next_unrunnable */
    size_t results;      /* results: mw_master_next_result */
    size_t connected;    /* slaves' ids: mw_master_next_connected */
    size_t disconnected; /* slaves' ids: mw_master_next_disconnected */
} mw_master_counts;

/* Serves the slaves until at least one of the counts is above 0 or timeout_s seconds have passed; a
 * negative timeout_s waits for ever. *counts is set also on an error. Once an error was returned,
 * each later call returns it again, and mw_master_error has a sentence:
 *   MW_EINTERRUPTED  the farm has stopped: see mw_master_stop
 *   MW_ENOSLAVES     no slave is left and none can come, and there are tasks to run or the wait
 *                    would be for ever
 *   MW_ENETWORK      a transport broke
 *   MW_ENOMEM        out of memory
 * MW_EINVAL, for a timeout_s that is not a number, changes nothing.
 * If a submission was refused, no task is out and there is nothing to take, its error is returned
 * in place of a wait, with the sentence of the first that was refused. The next call waits. */
MW_API mw_error mw_master_loop(mw_master *master, double timeout_s,
                               mw_master_counts *counts) MW_USE_RESULT;

/* One pass of mw_master_loop: it returns after anything has happened, so all counts may be 0. With
 * a timeout_s of 0 it never waits. The errors are those of mw_master_loop. */
MW_API mw_error mw_master_loop_iterate(mw_master *master, double timeout_s,
                                       mw_master_counts *counts) MW_USE_RESULT;

/* The next result (its outcome is MW_DONE or MW_FAILED), and the next unrunnable task; NULL if none
 * is there. They never wait and never serve the slaves. Borrowed as mw_result says. */
MW_API const mw_result *mw_master_next_result(mw_master *master);
MW_API const mw_result *mw_master_next_unrunnable(mw_master *master);

/* The id of the next slave of the ordered or intermingle group that has connected, and that has
 * disconnected, in the order of these events; NULL if there are no more. One slave may be in both
 * lists. The ids are valid until the master is closed. */
MW_API const char *mw_master_next_connected(mw_master *master);
MW_API const char *mw_master_next_disconnected(mw_master *master);

/* The number of tasks that wait or run, and of tasks that are unrunnable and not yet taken. */
MW_API size_t mw_master_num_runnable_tasks(const mw_master *master);
MW_API size_t mw_master_num_unrunnable_tasks(const mw_master *master);

/* The number of slaves that the master has accepted, that are still connected, and that it has not
 * told to stop. */
MW_API size_t mw_master_num_slaves(const mw_master *master);

/* In the master algorithm: checkpoints. */

/* For master algorithms with a state of their own, such as a population or the best bound so far,
 * that does not follow from the arguments of their tasks alone. With a journal (--mw-journal) this
 * puts on disk, as one whole, the program's bytes, all tasks that wait or run, and all results and
 * unrunnable tasks that were not handed out. Results that were handed out before belong to the
 * state, and the journal forgets them. It returns when all of it is on disk; the slaves are served
 * meanwhile. It writes what has changed since the last checkpoint. Copies. Without a journal it
 * does nothing. Errors, with a sentence in mw_master_error: MW_EIO if the journal cannot be
 * written, MW_ENOMEM, MW_ENETWORK. */
MW_API mw_error mw_master_checkpoint(mw_master *master, const void *data,
                                     size_t size) MW_USE_RESULT;

/* Whether the journal has a checkpoint of an earlier run. Then sets *data and *size to the
 * program's bytes, borrowed until the master is closed. The tasks of the checkpoint wait again,
 * with their tags and policies, and its results wait to be handed out. Results that were recorded
 * after the checkpoint are given to tasks of their content, as always. Call it before the first
 * submission: after that it is false, and the checkpoint is passed over. It is also false if the
 * checkpoint cannot be read, and the farm is broken then: see mw_master_status. */
MW_API bool mw_master_restored(mw_master *master, const void **data, size_t *size);

/* In the master algorithm: groups of slaves. */

/* The tasks that a slave takes. */
typedef enum mw_group {
    MW_UNORDERED,   /* unordered tasks */
    MW_INTERMINGLE, /* the ordered tasks that are for it first, then unordered tasks */
    MW_ORDERED,     /* only the ordered tasks that are for it */
} mw_group;

/* Raise and lower, but not below 0, the number of slaves wanted in a group. A slave that connects
 * joins the ordered group if that has fewer slaves than wanted, else the intermingle group if that
 * has fewer, else the unordered group. Connected slaves stay in their group. The resource file's
 * slaves-needed is the number of slaves that could be used at once in addition: those that the
 * groups lack, or more if more tasks wait. */
MW_API void mw_master_allocate(mw_master *master, size_t slaves_count, mw_group group);
MW_API void mw_master_deallocate(mw_master *master, size_t slaves_count, mw_group group);

/* Moves an ordered or intermingle slave to the unordered group and lowers the number wanted in its
 * old group by one. The slave finishes the tasks that it has; its ordered tasks that still wait
 * are treated as if the slave were lost. Copies. Errors, with a sentence in mw_master_error:
 * MW_ESTATE if no slave of these groups has this id. */
MW_API mw_error mw_master_free_slave(mw_master *master, const char *sid);

/* Lowers the number of slaves wanted in a group by one: for a slave of the group that is gone and
 * that no other slave shall replace. */
MW_API void mw_master_free_group(mw_master *master, mw_group group);

/* In the master algorithm: target numbers. */

/* A target is the number of tasks that the master algorithm wants to have waiting in memory: of one
 * task algorithm, or, where `algorithm` is NULL, of all together. It is advice that the master
 * algorithm gives itself, so as to submit mw_master_upto more tasks now and then instead of all
 * tasks at once; the library refuses nothing because of it. The default is 0; a negative
 * tasks_count counts as 0. `algorithm` is borrowed for the call. Errors: MW_EALGORITHM if the
 * program has no such task algorithm; its target is 0. */
MW_API mw_error mw_master_set_target(mw_master *master, const char *algorithm, int64_t tasks_count);
MW_API int64_t mw_master_target(const mw_master *master, const char *algorithm);

/* The number of waiting tasks, which no slave has yet; `algorithm` as for a target. */
MW_API size_t mw_master_pending(const mw_master *master, const char *algorithm);

/* How many more tasks the target asks for: the target less the waiting tasks, but at least 0. */
MW_API int64_t mw_master_upto(const mw_master *master, const char *algorithm);

/* mw_program.user. */
MW_API void *mw_master_user(const mw_master *master);

/* MW_OK if the farm is sound. Else the error that ended it: MW_EINTERRUPTED, MW_ENOSLAVES,
 * MW_ENETWORK or MW_ENOMEM. Else the error of the first submission that was refused. mw_main turns
 * it into the exit status; a program that opened the master itself asks at the end. */
MW_API mw_error mw_master_status(const mw_master *master);

/* The sentence of the last error, "" if there was none. After mw_master_next has given NULL, and
 * after an error of a loop, it is the sentence of mw_master_status if that is an error. Borrowed
 * until the next call on the master. */
MW_API const char *mw_master_error(const mw_master *master);

/* In the slave algorithm. */

/* The state of a slave, as its loops report it. */
typedef struct mw_slave_counts {
    bool master_gone;       /* the slave has no master any more, for any reason, and looks for none:
                               leave the loop */
    bool shutdown;          /* the master told this slave to stop */
    uint64_t results_total; /* results computed since the slave was opened */
    size_t tasks_waiting;   /* received and not yet run */
    size_t results_waiting; /* computed and not yet sent */
    size_t result_group;    /* results in a message (--mw-slave-result-group); 0: auto */
} mw_slave_counts;

/* Runs tasks until the master tells this slave to stop, and returns 0; or until the master is gone
 * or a signal asks the program to end, and returns 255. These are exit statuses: to a batch system,
 * 0 means "done" and anything else means "start me again". Returns 255 at once if a task algorithm
 * calls it. */
MW_API int mw_slave_loop_simple(mw_slave *slave);

/* Waits up to timeout_s seconds for tasks (a negative timeout_s: for ever), runs up to
 * counts->result_group of them (auto: until a message of results is sent), sends results, and sets
 * *counts, also on an error. MW_OK is also returned when the master has told the slave to stop:
 * counts->shutdown says so. Errors, with a sentence in mw_slave_error:
 *   MW_EGONE         the master is gone without having told this slave to stop
 *   MW_EREFUSED      the master refused this slave
 *   MW_EINTERRUPTED  a signal asked the program to end
 *   MW_ESTATE        a task algorithm called it
 *   MW_EINVAL        timeout_s is not a number
 *   MW_ENETWORK      the transport broke
 *   MW_ENOMEM        out of memory */
MW_API mw_error mw_slave_loop(mw_slave *slave, double timeout_s,
                              mw_slave_counts *counts) MW_USE_RESULT;

/* The same, but runs one task at most. */
MW_API mw_error mw_slave_loop_iterate(mw_slave *slave, double timeout_s,
                                      mw_slave_counts *counts) MW_USE_RESULT;

/* This slave's id at its master, "SLAVE-3"; borrowed until the slave is closed. It changes when the
 * slave has lost its master and found it again, see --mw-reconnect. */
MW_API const char *mw_slave_id(const mw_slave *slave);

/* The program's own pointer: mw_program.user, until the slave algorithm sets another for the task
 * algorithms to find with mw_call_user. `user` is borrowed until the slave is closed. */
MW_API void *mw_slave_user(const mw_slave *slave);
MW_API void mw_slave_set_user(mw_slave *slave, void *user);

/* The sentence of the last error, "" if there was none. Borrowed until the next call on the slave.
 */
MW_API const char *mw_slave_error(const mw_slave *slave);

MW_END_DECLS

#endif
