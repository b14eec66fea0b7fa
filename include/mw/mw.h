/* SPDX-License-Identifier: Apache-2.0
 *
 * mw, a master/slave (task farm) library. Four calls make a farm:
 *
 *     mw_main            in main(): runs this process as master or slave, as the options say
 *     mw_master_submit   in the master algorithm: a task algorithm's name and its arguments
 *     mw_master_next     in the master algorithm: waits for the next finished task
 *     mw_call_return     in a task algorithm: its result
 *
 * examples/hello_world.c is a whole program. The rest of this header is for those who want the full
 * loops, raw bytes, msgpack, or a farm inside a program of their own (mw/embed.h).
 *
 * Threads: a master, a slave, a call and what they hand out belong to the thread that uses them;
 * different masters and slaves are independent of each other. There is no global state.
 *
 * Memory: of every pointer given to a function it is said that the function copies, borrows or
 * takes what is behind it. "borrowed until X" of a pointer handed out: the library owns it, and it
 * is gone after X.
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
 * result (mw_call_return) or a failure (mw_call_fail). Leaving nothing means a result of no values.
 */
typedef void mw_task_fn(mw_call *call);

/* The master algorithm: runs in the master with the command line stripped of all --mw-* options,
 * argv[0] first and argv[argc] NULL. It returns the exit status of the program; what is not in
 * 0..255 becomes 255. When it returns, the slaves are told to stop. */
typedef int mw_master_fn(mw_master *master, int argc, char **argv);

/* The slave algorithm: runs in every slave once it is connected, with the same command line.
 * Between its own set-up and tear-down it calls mw_slave_loop_simple, or the finer loops. Its
 * return value is the exit status. */
typedef int mw_slave_fn(mw_slave *slave, int argc, char **argv);

/* A name for a task algorithm, by which tasks ask for it. */
typedef struct mw_algorithm {
    const char *name;
    mw_task_fn *run;
} mw_algorithm;

/* What a program is made of. Borrowed, with all that it points to, until mw_main returns or the
 * master or slave made from it is closed. */
typedef struct mw_program {
    /* The task algorithms, each name once, ended by one whose name is NULL; NULL: none. Master and
     * slaves need the same names, not the same order. */
    const mw_algorithm *algorithms;
    /* NULL: there is none; the audit trail says so, and the exit status is 255. */
    mw_master_fn *master;
    /* NULL: mw_slave_loop_simple. */
    mw_slave_fn *slave;
    /* For the algorithms: mw_master_user, mw_slave_user, mw_call_user. */
    void *user;
} mw_program;

/* Runs the program as what the options in argv say: a whole farm on this machine (the default), a
 * master, or a slave; `--mw-help` lists the options. Call it from main, once all else is set up,
 * and return what it returns:
 *
 *   master  what the master algorithm returned; 255 if there is none or the farm broke; 128 + the
 *           signal's number if SIGINT or SIGTERM asked it to end
 *   slave   what the slave algorithm returned: by default 0 if the master told it to stop or has
 *           finished already, else 255
 *   either  2 for wrong usage, with a message on standard error; 0 for --mw-help and
 *           --mw-version-string, which print to standard output (nothing else in the library does)
 *
 * While it runs it handles SIGINT and SIGTERM and ignores SIGPIPE and SIGXFSZ; what was set is put
 * back after.
 * mpi: collective over MPI_COMM_WORLD; initialises MPI, and finalises it again, if nobody has. */
MW_API int mw_main(const mw_program *program, int argc, char **argv);

/* Formats. */

/* Arguments and results are sequences of msgpack values. The functions with a `format` write or
 * read them, one letter a value; blanks are skipped:
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
 * Writing copies what the pointers point to; sizes are in bytes. Reading sets all outputs or none,
 * and the number of values must be the number of letters; an integer must fit. Strings, binary and
 * objects that were read are borrowed, for as long as the function says. The formats are checked:
 * an unknown letter is MW_EINVAL.
 *
 * Arguments may be optional, a rest of any number, or named, in this order:
 *
 *   "s|id"            after the "|", values that may be missing: their outputs keep what they hold
 *   "s*"              reading: the rest of the values, into const msgpack_object **, size_t *
 *   "s{depth:i b:b}"  named values, in any order, each of which may be missing when it is read; a
 *                     name that the format has not is MW_EFORMAT. Written as one map at the end of
 *                     the values, under the names given, which need not be those of variables
 *
 * `int depth = 10; bool verbose = false; mw_call_args(call, "s|i{verbose:b}", &s, &depth,
 * &verbose)` reads a required, an optional and a named argument with their defaults. */

/* In a task algorithm. */

/* Reads all arguments. On a mismatch the task is failed with a message that says what was expected
 * and what came, and the algorithm should return: `if (mw_call_args(call, "si", &s, &i)) return;`
 * Pointers read are borrowed until the algorithm returns. Errors: MW_EFORMAT, MW_EINVAL, MW_ENOMEM,
 * each of which has failed the task. */
MW_API mw_error mw_call_args(mw_call *call, const char *format, ...) MW_USE_RESULT;

/* The number of arguments; 0 also for raw bytes. */
MW_API size_t mw_call_args_count(mw_call *call);

/* Argument `index` from 0, as msgpack-c's object, borrowed until the algorithm returns; NULL if
 * there is none. */
MW_API const msgpack_object *mw_call_arg(mw_call *call, size_t index);

/* The raw bytes that mw_master_submit_bytes sent, where they were received, borrowed until the
 * algorithm returns, writable by the algorithm. 32 KiB or more are aligned as malloc's memory is,
 * for an array of any type; fewer are aligned for nothing. On a task that has values instead, the
 * task is failed and MW_EFORMAT returned. */
MW_API mw_error mw_call_bytes(mw_call *call, void **data, size_t *size) MW_USE_RESULT;

/* Leaves the result, replacing one that was left before. Copies. On an error the task is failed:
 * MW_EINVAL for the format, MW_ETOOBIG for a string or binary of 4 GiB or more, which msgpack
 * cannot hold, MW_ENOMEM. */
MW_API mw_error mw_call_return(mw_call *call, const char *format, ...);

/* Leaves raw bytes as the result, of any size that --mw-max-write-buffer-size and the master allow.
 * The first copies `data`. The second takes it, and nobody may write to it afterwards: it is either
 * a malloc'd block, which will be freed, also on an error, or lies in what mw_call_bytes gave, all
 * of it or a part, for a task that computes in place (what mw_call_args gave is neither). 32 KiB or
 * more are then sent from where they lie. Errors: MW_ETOOBIG, MW_ENOMEM; the task is failed then.
 */
MW_API mw_error mw_call_return_bytes(mw_call *call, const void *data, size_t size);
MW_API mw_error mw_call_return_bytes_take(mw_call *call, void *data, size_t size);

/* A msgpack-c packer that writes the values of the result straight into the message to the master,
 * replacing a result that was left before: any number of values, until the algorithm returns or
 * leaves another result. Borrowed until then. Never NULL: out of memory fails the task later. */
MW_API msgpack_packer *mw_call_packer(mw_call *call);

/* Fails the task, replacing a result that was left before. The master gets the message as
 * mw_result.message; the slave goes on with the next task. */
MW_API void mw_call_fail(mw_call *call, const char *format, ...) MW_PRINTF(2, 3);

/* A string made as printf makes it, borrowed until the algorithm returns. Never NULL: out of memory
 * fails the task and gives "". */
MW_API const char *mw_call_format(mw_call *call, const char *format, ...) MW_PRINTF(2, 3);

/* mw_program.user, and the slave that runs the task. */
MW_API void *mw_call_user(const mw_call *call);
MW_API mw_slave *mw_call_slave(const mw_call *call);

/* In the master algorithm: submitting. */

/* An answer that has a default of its own. */
typedef enum mw_choice {
    MW_DEFAULT,
    MW_YES,
    MW_NO,
} mw_choice;

/* Under which rules a task runs; what is left 0 is the default. One policy may serve many
 * submissions. Copied, with its string. */
typedef struct mw_policy {
    /* Run on this slave only, such as "SLAVE-3": the task is ordered. Ordered tasks of one slave
     * run in the order in which they were submitted. NULL: on any, the task is unordered. The slave
     * must be of the ordered or intermingle group; if it is not, or is not there, see do_it_anyway.
     */
    const char *sid;
    /* What becomes of an ordered task whose slave is lost, is not there, or takes no ordered tasks:
     * MW_YES runs it on any slave, MW_NO makes it unrunnable. By default no. */
    mw_choice do_it_anyway;
    /* Whether a task whose slave is lost while it has the task is run again; if not, it becomes
     * unrunnable. Asked before do_it_anyway. By default yes. */
    mw_choice retry;
    /* How many slaves may have the task and be lost before it becomes unrunnable, 1..255; 0
     * means 3. Of several tasks that a slave had, none counts, since nobody knows which it was
     * running, or with fixed groups (--mw-slave-task-group N) all do; after that each is sent
     * alone. A slave that says goodbye does not count. */
    unsigned max_attempts;
    /* Of the unordered tasks that wait, those of higher priority are sent first; within one
     * priority, those submitted first. */
    int priority;
    /* A slave that has the task for longer than so many seconds is dropped, and the task treated as
     * lost with it. 0: no limit. */
    double time_limit_s;
} mw_policy;

/* What to run; what is left 0 is the default. Copied, with what it points to. */
typedef struct mw_task {
    /* The name of the task algorithm. */
    const char *algorithm;
    /* Comes back unchanged in mw_result: a number, or if tag_size is above 0, so many bytes. */
    int64_t tag;
    const void *tag_data;
    size_t tag_size;
    /* NULL: all defaults. */
    const mw_policy *policy;
} mw_task;

/* The number of a task, for mw_master_cancel. Numbers count up from 1 in the order of submission; a
 * master never uses one twice. */
typedef uint64_t mw_task_id;

/* Submits a task with the values of the format as arguments. Copies. The task is sent to a slave in
 * a later mw_master_next or loop. Errors, with nothing submitted and a sentence in mw_master_error:
 *   MW_EALGORITHM  the program has no such algorithm       MW_EINVAL  a bad format, sid or limit
 *   MW_ETOOBIG     over --mw-max-write-buffer-size, or a string or binary of 4 GiB or more, which
 *                  msgpack cannot hold: submit it as raw bytes
 *   MW_ENOMEM
 * Ignoring one is safe: it shows again in mw_master_error, and the exit status of mw_main is then
 * 255 if the master algorithm returned 0. */
MW_API mw_error mw_master_submit(mw_master *master, const mw_task *task, const char *format, ...);

/* The same with arguments that the caller packed with msgpack-c: `size` bytes that hold whole
 * msgpack values one after the other, checked. Copies. */
MW_API mw_error mw_master_submit_values(mw_master *master, const mw_task *task, const void *data,
                                        size_t size);

/* The same with raw bytes for mw_call_bytes. The first copies `data`; the second takes a malloc'd
 * block and will free() it, also on an error. */
MW_API mw_error mw_master_submit_bytes(mw_master *master, const mw_task *task, const void *data,
                                       size_t size);
MW_API mw_error mw_master_submit_bytes_take(mw_master *master, const mw_task *task, void *data,
                                            size_t size);

/* The number of the task that was submitted last, 0 if none was. */
MW_API mw_task_id mw_master_last_task(const mw_master *master);

/* Cancels a task: one that waits is forgotten, one that runs goes on but its result is not taken.
 * After MW_OK nothing is ever handed out for it. MW_ESTATE: too late, it is finished or unrunnable
 * and has been handed out or will be; or there is no such task. */
MW_API mw_error mw_master_cancel(mw_master *master, mw_task_id task);

/* A string made as printf makes it, borrowed until the next mw_master_format. Never NULL: out of
 * memory gives "" and shows in mw_master_error. */
MW_API const char *mw_master_format(mw_master *master, const char *format, ...) MW_PRINTF(2, 3);

/* In the master algorithm: finished tasks. */

typedef enum mw_outcome {
    MW_DONE,       /* the task algorithm left a result: read it with mw_result_get and the like */
    MW_FAILED,     /* the task algorithm failed: see `message` */
    MW_UNRUNNABLE, /* no slave could run it under its policy: see `message`; `data` is what was
                      submitted: read it with mw_result_args and the like */
} mw_outcome;

/* A task that has ended. For reading only. A copy of the struct may be read like the original, for
 * as long as that is borrowed; its functions refuse it afterwards with MW_ESTATE, unless the master
 * is closed by then. */
typedef struct mw_result {
    mw_outcome outcome;
    mw_task_id task;       /* the task's number, as mw_master_last_task gave it */
    const char *algorithm; /* constant */
    const char *sid;       /* the slave, "SLAVE-3", kept until the master is closed; NULL if none */
    int64_t tag;           /* mw_task.tag; 0 if the tag is bytes */
    const void *tag_data;  /* the tag's bytes; NULL if it is a number */
    size_t tag_size;       /* their number */
    double seconds;        /* how long the task algorithm ran; 0 for an unrunnable task */
    const char *message;   /* what went wrong; NULL if the outcome is MW_DONE */
    bool is_bytes;         /* raw bytes, not values */
    const void *data;      /* the values as msgpack, or the raw bytes, where they were received; raw
                            * bytes are aligned as those of mw_call_bytes */
    size_t size;           /* their size in bytes */
    mw_master *master;     /* the master that handed it out */
} mw_result;

/* The usual loop is `while ((result = mw_master_next(master)))`: gives the next finished task,
 * waiting for it and serving the slaves meanwhile, until none is out any more; then NULL. The
 * result and all that was read from it are borrowed until the next call of mw_master_next,
 * mw_master_next_result or mw_master_next_unrunnable.
 *
 * NULL comes early if the farm broke or a signal asked the program to end: mw_master_error has the
 * sentence then, and the exit status of mw_main shows it without further ado. */
MW_API const mw_result *mw_master_next(mw_master *master);

/* Reads all values of a result whose outcome is MW_DONE. Pointers are borrowed as long as the
 * result. Errors, with a sentence in mw_master_error, which for a failed or unrunnable task has its
 * message: MW_EFORMAT, MW_EINVAL, MW_ENOMEM; MW_ESTATE for a copy of a result that is borrowed no
 * more. Unlike other errors these do not change the exit status. */
MW_API mw_error mw_result_get(const mw_result *result, const char *format, ...) MW_USE_RESULT;

/* Reads the arguments of an unrunnable task, likewise. */
MW_API mw_error mw_result_args(const mw_result *result, const char *format, ...) MW_USE_RESULT;

/* The number of values of a result, or of arguments of an unrunnable task; 0 for raw bytes and
 * failures. */
MW_API size_t mw_result_values_count(const mw_result *result);

/* Value or argument `index` from 0, as msgpack-c's object, borrowed as long as the result; NULL if
 * there is none. */
MW_API const msgpack_object *mw_result_value(const mw_result *result, size_t index);

/* In the master algorithm: the full loop. */

/* What there is to take. */
typedef struct mw_master_counts {
    size_t unrunnable;   /* mw_master_next_unrunnable */
    size_t results;      /* mw_master_next_result */
    size_t connected;    /* ordered slaves that connected since last asked */
    size_t disconnected; /* ordered slaves that disconnected since last asked */
} mw_master_counts;

/* Serves the slaves until at least one of the counts is above 0 or timeout_s seconds have passed;
 * below 0 waits for ever. *counts is set whatever is returned. Errors, with a sentence in
 * mw_master_error:
 *   MW_EINTERRUPTED  a signal asked the program to end; stays so
 *   MW_ENOSLAVES     no slave is left and none can come, and tasks are out or the wait would be for
 *                    ever; stays so
 *   MW_ENETWORK, MW_ENOMEM  the farm is broken; stays so */
MW_API mw_error mw_master_loop(mw_master *master, double timeout_s,
                               mw_master_counts *counts) MW_USE_RESULT;

/* One pass: as above, but returns after anything has happened, and the counts may all be 0. With
 * timeout_s 0 it never waits. */
MW_API mw_error mw_master_loop_iterate(mw_master *master, double timeout_s,
                                       mw_master_counts *counts) MW_USE_RESULT;

/* The next result (outcome MW_DONE or MW_FAILED) or unrunnable task that is there, or NULL. Never
 * waits and never serves a slave. Borrowed as with mw_master_next. */
MW_API const mw_result *mw_master_next_result(mw_master *master);
MW_API const mw_result *mw_master_next_unrunnable(mw_master *master);

/* The next slave of the ordered or intermingle group that connected, or disconnected, in the order
 * in which they did; NULL if there is no more. A slave may be in both lists. Kept until the master
 * is closed. */
MW_API const char *mw_master_next_connected(mw_master *master);
MW_API const char *mw_master_next_disconnected(mw_master *master);

/* Tasks that wait or run; tasks that are unrunnable and not taken yet. */
MW_API size_t mw_master_num_runnable_tasks(const mw_master *master);
MW_API size_t mw_master_num_unrunnable_tasks(const mw_master *master);

/* Slaves that are connected now, greeted and not told to stop. */
MW_API size_t mw_master_num_slaves(const mw_master *master);

/* In the master algorithm: groups of slaves. */

/* Which tasks a slave takes. */
typedef enum mw_group {
    MW_UNORDERED,   /* unordered ones */
    MW_INTERMINGLE, /* ordered ones that are for it, and when there is none, unordered ones */
    MW_ORDERED,     /* ordered ones that are for it */
} mw_group;

/* Raises, or lowers but not below 0, the number of slaves wanted in a group. A slave that connects
 * goes to the ordered if they want more than they have, else to the intermingle likewise, else to
 * the unordered. Slaves that are connected stay where they are. The resource file's slaves-needed
 * is what the groups want beyond what they have. */
MW_API void mw_master_allocate(mw_master *master, size_t slaves_count, mw_group group);
MW_API void mw_master_deallocate(mw_master *master, size_t slaves_count, mw_group group);

/* Moves an ordered or intermingle slave to the unordered ones and lowers the number that its group
 * wants by one. It finishes what it is running; its ordered tasks that wait are treated as if it
 * were lost. MW_ESTATE, with a sentence in mw_master_error: there is no such slave of these groups.
 */
MW_API mw_error mw_master_free_slave(mw_master *master, const char *sid);

/* Lowers the number that a group wants by one, as for a slave of it that is gone for good. */
MW_API void mw_master_free_group(mw_master *master, mw_group group);

/* In the master algorithm: target numbers. */

/* How many tasks the master algorithm wants to have waiting in memory: of one algorithm, or with
 * NULL, of all together. Advice for itself, to submit mw_master_upto more now and then instead of
 * all at first; the library refuses nothing because of it. By default 0; a negative number counts
 * as 0. An algorithm that the program has not is MW_EALGORITHM, and has the target 0. */
MW_API mw_error mw_master_set_target(mw_master *master, const char *algorithm, int64_t tasks_count);
MW_API int64_t mw_master_target(const mw_master *master, const char *algorithm);

/* Tasks that wait: in memory and not at a slave. */
MW_API size_t mw_master_pending(const mw_master *master, const char *algorithm);

/* How many more the target asks for: target less pending, at least 0. */
MW_API int64_t mw_master_upto(const mw_master *master, const char *algorithm);

/* mw_program.user. */
MW_API void *mw_master_user(const mw_master *master);

/* Whether the farm is sound: MW_OK; else what ended it, MW_EINTERRUPTED, MW_ENOSLAVES, MW_ENETWORK
 * or MW_ENOMEM; else the error of the first submission that was refused. Who opened the master
 * without mw_main asks at the end; mw_main turns it into the exit status. */
MW_API mw_error mw_master_status(const mw_master *master);

/* The sentence of the last error, "" if there was none. Borrowed until the next call on the master.
 */
MW_API const char *mw_master_error(const mw_master *master);

/* In the slave algorithm. */

/* What the slave's loops tell. */
typedef struct mw_slave_counts {
    bool master_gone;       /* no master any more, for whatever reason: leave the loop */
    bool shutdown;          /* the master said so */
    uint64_t results_total; /* results computed since the slave was opened */
    size_t tasks_waiting;   /* received and not yet run */
    size_t results_waiting; /* computed and not yet sent */
    size_t result_group;    /* results per message; 0: auto */
} mw_slave_counts;

/* Runs tasks until the master tells this slave to stop: 0; or until the master is gone: 255. These
 * are exit statuses: 0 means done, anything else "start me again" to a batch system. */
MW_API int mw_slave_loop_simple(mw_slave *slave);

/* Waits up to timeout_s seconds (below 0: for ever) for tasks, runs up to a result group of them,
 * sends the results, and tells how things stand. Errors, with a sentence in mw_slave_error and
 * *counts set all the same:
 *   MW_EGONE         the master is gone without having said why     MW_EREFUSED  it refused us
 *   MW_EINTERRUPTED  a signal asked the program to end
 *   MW_ESTATE        it was called by a task algorithm
 *   MW_ENETWORK, MW_ENOMEM  the connection is broken */
MW_API mw_error mw_slave_loop(mw_slave *slave, double timeout_s,
                              mw_slave_counts *counts) MW_USE_RESULT;

/* The same, but runs one task at most. */
MW_API mw_error mw_slave_loop_iterate(mw_slave *slave, double timeout_s,
                                      mw_slave_counts *counts) MW_USE_RESULT;

/* This slave's id as the master prints it, "SLAVE-3"; borrowed until the slave is closed. */
MW_API const char *mw_slave_id(const mw_slave *slave);

/* mw_program.user; may be set in the slave algorithm for the task algorithms to find. */
MW_API void *mw_slave_user(const mw_slave *slave);
MW_API void mw_slave_set_user(mw_slave *slave, void *user);

/* The sentence of the last error, "" if there was none. Borrowed until the next call on the slave.
 */
MW_API const char *mw_slave_error(const mw_slave *slave);

MW_END_DECLS

#endif
