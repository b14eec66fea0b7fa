/* SPDX-License-Identifier: Apache-2.0
 *
 * Masters and slaves inside a program of the caller's own, without mw_main: make options, open a
 * master or a slave from them, use it as a master or slave algorithm would, close it. One process
 * may have any number of them. No function here handles signals or exits the process, and only
 * mw_options_parse reads argv.
 *
 * A program with an event loop of its own waits until mw_master_fd is readable, but no longer than
 * mw_master_timeout, and then calls mw_master_loop_iterate with a timeout of 0, which serves the
 * slaves and never waits. mw/event.h does this on an event_base of libevent.
 *
 * Threads: as in mw/mw.h. One thread at a time may use an mw_options.
 */
#ifndef MW_EMBED_H
#define MW_EMBED_H

#include <stdio.h>

#include <mw/mw.h>
#include <mw/transport.h>

MW_BEGIN_DECLS

typedef struct mw_options mw_options;

/* Makes options with all defaults at *options, to be freed by mw_options_destroy. The latter may be
 * called once masters and slaves are open; NULL is legal. Errors: MW_ENOMEM. */
MW_API mw_error mw_options_create(mw_options **options) MW_USE_RESULT;
MW_API void mw_options_destroy(mw_options *options);

/* Sets an option by its long name, with or without "--mw-": mw_options_set(options, "master-port",
 * "7000"). The value of a flag is "1" or "0". A later setting replaces an earlier one. Copies.
 * After an error the option is unchanged and mw_options_error has a sentence. Errors: MW_EUSAGE for
 * an unknown name or a value that is not allowed; MW_EINVAL if `name` or `value` is NULL;
 * MW_ENOMEM. */
MW_API mw_error mw_options_set(mw_options *options, const char *name, const char *value);

/* Sets options from the environment: --mw-master-port from MW_MASTER_PORT, and so on. Options that
 * mw_options_set has set stay; mw_options_parse overrides the environment, whichever of the two is
 * called first. Errors: as mw_options_set; the sentence names the variable. */
MW_API mw_error mw_options_environment(mw_options *options);

/* Sets options from argv, where they stand as "--mw-x V" or "--mw-x=V", and takes them out of it.
 * The other words keep their order, *argc is lowered, and argv[*argc] becomes NULL. Words behind
 * "--" are the program's and stay, as does the "--". Copies the values. Errors: as mw_options_set;
 * argv is then unchanged, but options before the wrong one are set.
 * --mw-help and --mw-version-string are taken out too, but nothing is printed: mw_options_get then
 * gives "1" for "help" or "version-string". */
MW_API mw_error mw_options_parse(mw_options *options, int *argc, char **argv);

/* Prints the text of --mw-help to `stream`; `program` is the program's name in it. Both are
 * borrowed for the call. If it cannot write all of it, ferror(stream) is set. */
MW_API void mw_options_print_help(FILE *stream, const char *program);

/* Sets *is_slave to the role that mw_main would give to this process: true for a slave
 * (mw_run_slave, mw_slave_open), false for a master (mw_run_master, mw_master_open). A process is a
 * slave with --mw-slave, which a local master also gives to the slaves that it starts, and, unless
 * an option says otherwise, as a rank other than 0 under an MPI launcher. Call it when all options
 * are set. Errors, with a sentence in mw_options_error: MW_EUSAGE for options that contradict each
 * other; MW_ESTATE for options with a communicator (mw/mpi.h), whose ranks have the roles. */
MW_API mw_error mw_options_is_slave(mw_options *options, bool *is_slave) MW_USE_RESULT;

/* The value of an option as text, borrowed until the option is set again or the options are
 * destroyed. NULL if there is no such option, or if it is not set and has no default. `name` is as
 * for mw_options_set. */
MW_API const char *mw_options_get(const mw_options *options, const char *name);

/* The sentence of the last error, "" if there was none. Borrowed until the next call with these
 * options. */
MW_API const char *mw_options_error(const mw_options *options);

/* Adds a transport, in place of those that --mw-transport names. mw_master_open makes an object of
 * each transport that was added, and listens on `address`; mw_slave_open makes one of the first and
 * connects to `address`. `environment` becomes mw_transport_config.environment. Borrows `api` and
 * `environment` until the masters and slaves opened from the options are closed; copies `address`.
 * Errors, with a sentence in mw_options_error: MW_EINVAL for an api of another MW_TRANSPORT_VERSION
 * or without one of its functions, no address or one of more than 511 bytes, or too many
 * transports; MW_ENOMEM. Options that have an MPI communicator too are refused by open with
 * MW_EUSAGE. */
MW_API mw_error mw_options_use_transport(mw_options *options, const mw_transport_api *api,
                                         void *environment, const char *address);

/* Says that this process may be forked when it becomes a slave, and that the algorithms of the
 * program may run in the forked process. Then mw_run_slave, and so mw_mpi_run, accept
 * --mw-slave-isolate; otherwise they refuse it with MW_EUSAGE, and mw_slave_open always does. It is
 * not safe while other threads of the process run (those of OpenMP, too) or while MPI or a device
 * such as a GPU uses memory of the process; the algorithms must call no MPI. The forked processes
 * never return to the caller: when the slave algorithm returns, they flush the standard streams and
 * end by _exit. */
MW_API void mw_options_allow_fork(mw_options *options, bool is_safe);

/* For the inline functions of mw/mpi.h, mw_mpi_use, mw_mpi_run and mw_mpi_end_job: use those, which
 * have the right types and the contract. `comm` is an `MPI_Comm *`, which has ranks_count ranks; 0:
 * not known. `kind` is as mw_mpi_environment.kind, a constant. */
MW_API void mw_options_set_communicator(mw_options *options, void *comm, int master_rank,
                                        int ranks_count, const char *kind);
MW_API void mw_options_end_job(mw_options *options, bool ends_job);
MW_API bool mw_options_must_decline(const mw_options *options);

/* Opens a master at *master, to be closed by mw_master_close: starts to listen, or in local mode
 * starts the slaves. The program's master algorithm is not called; the caller uses the master in
 * its place. Borrows `options` for the call, `program` until the master is closed. With the option
 * "local" at 0 the slave runs in this thread: every function on the master that serves slaves, also
 * with a timeout of 0, may run a task to its end, and the slave algorithm gets no arguments.
 *
 * The kernel kills a local slave when the thread that started it ends. So in local mode the thread
 * that opens the master is the one that uses it, and must live until the master is closed.
 *
 * After an error *master is unchanged and mw_options_error has a sentence:
 *   MW_EUSAGE        the options contradict each other or make this process a slave
 *   MW_EUNAVAILABLE  this build or this machine lacks something that the options ask for, or no
 *                    other rank takes part
 *   MW_EINVAL        an address that makes no sense, or a task algorithm that is there twice
 *   MW_ENETWORK      the address cannot be listened on, or MPI failed
 *   MW_EIO           a file cannot be written, or a slave cannot be started
 *   MW_ENOMEM        out of memory
 *
 * mpi: collective; the ranks that become slaves call mw_slave_open. */
MW_API mw_error mw_master_open(mw_master **master, const mw_program *program,
                               mw_options *options) MW_USE_RESULT;

/* A descriptor for poll(2) and similar functions. It is readable when a slave has sent something
 * that mw_master_loop_iterate with a timeout of 0 would handle. -1 if the transports have none, as
 * over MPI, or if it could not be made at the first call. The answer stays the same until the
 * master is closed. The caller only waits for it. */
MW_API int mw_master_fd(mw_master *master);

/* The time in seconds, 0..1, after which mw_master_loop_iterate is to be called even if the
 * descriptor is not readable. Each submission or other change, and each mw_master_loop_iterate, may
 * change it: it is 0 while there is something to send. In between it only runs down.
 *
 * If a transport has no descriptor, or mw_master_fd was never called, it is the time to nap: 0 just
 * after something happened, and growing to some milliseconds while nothing happens. With --mw-wait
 * spin or yield it is then always 0, so the loop takes a whole core. After mw_master_loop_iterate
 * has returned an error it stays 0: leave the loop. */
MW_API double mw_master_timeout(const mw_master *master);

/* Tells the slaves to stop, waits for them up to --mw-shutdown-timeout, writes the last audit
 * records and the resource file, and frees the master with all that was borrowed from it. NULL is
 * legal. mpi: collective; the slaves call mw_slave_close. */
MW_API void mw_master_close(mw_master *master);

/* Opens a slave at *slave, to be closed by mw_slave_close: looks for a master and waits until one
 * has accepted the slave, at most --mw-connect-timeout over TCP. Pointers and errors are as for
 * mw_master_open (MW_EUSAGE also if the options do not make this process a slave), and:
 *   MW_ETIMEOUT  no master accepted the slave in time
 *   MW_EREFUSED  the master refused the slave
 *   MW_EGONE     the resource file says that the computation is finished; over MPI, the master is
 *                gone
 *
 * mpi: collective; the rank that becomes the master calls mw_master_open. */
MW_API mw_error mw_slave_open(mw_slave **slave, const mw_program *program,
                              mw_options *options) MW_USE_RESULT;

/* Says goodbye to the master and frees the slave with all that was borrowed from it. NULL is legal.
 *
 * mpi: collective; the master calls mw_master_close. */
MW_API void mw_slave_close(mw_slave *slave);

/* Opens a master, runs the program's master algorithm with argc and argv, and closes the master, as
 * mw_main does, but without signals, without options from argv, and without printing errors.
 * *status is the exit status that mw_main would make of the number that the algorithm returned. All
 * pointers are borrowed for the call. Errors, with a sentence in mw_options_error: those of
 * mw_master_open; MW_EINVAL if the program has no master algorithm; the error of mw_master_status
 * after the algorithm has returned, and then *status is set too. mpi: collective. */
MW_API mw_error mw_run_master(const mw_program *program, mw_options *options, int argc, char **argv,
                              int *status);

/* The same for a slave: runs the slave algorithm, or mw_slave_loop_simple if the program has none.
 * If the resource file says that the computation is finished, *status is 0 and MW_OK is returned.
 * Errors: those of mw_slave_open; those of mw_slave_loop after the algorithm has returned, and then
 * *status is set too. mpi: collective. */
MW_API mw_error mw_run_slave(const mw_program *program, mw_options *options, int argc, char **argv,
                             int *status);

MW_END_DECLS

#endif
