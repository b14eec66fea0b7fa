/* SPDX-License-Identifier: Apache-2.0
 *
 * Masters and slaves inside a program of the caller's own, in place of mw_main: make options, open
 * a master or a slave from them, use it as its algorithm would, close it. Any number of them may
 * live in one process. Nothing here handles signals, parses argv unasked, or exits.
 *
 * A program with an event loop of its own waits for mw_master_fd to become readable, for at most
 * mw_master_timeout, and then calls mw_master_loop_iterate with a timeout of 0, which never waits:
 * slaves are served only there. mw/event.h does so on an event_base of libevent.
 *
 * Threads: as in mw/mw.h; an mw_options belongs to one thread at a time.
 */
#ifndef MW_EMBED_H
#define MW_EMBED_H

#include <stdio.h>

#include <mw/mw.h>
#include <mw/transport.h>

MW_BEGIN_DECLS

typedef struct mw_options mw_options;

/* Makes options with all defaults at *options; MW_ENOMEM. Destroy frees them; NULL is legal. */
MW_API mw_error mw_options_create(mw_options **options) MW_USE_RESULT;
MW_API void mw_options_destroy(mw_options *options);

/* Sets an option by its long name, with "--mw-" before it or without: mw_options_set(o,
 * "master-port", "7000"). A flag takes "1" or "0". Copies. Errors, with a sentence in
 * mw_options_error and the option unchanged: MW_EUSAGE for an unknown name or a value that is not
 * allowed; MW_EINVAL if one of them is NULL; MW_ENOMEM. */
MW_API mw_error mw_options_set(mw_options *options, const char *name, const char *value);

/* Sets options from the environment: MW_MASTER_PORT for --mw-master-port, and so on. Call it before
 * mw_options_parse, whose word is the last. Errors as mw_options_set, naming the variable. */
MW_API mw_error mw_options_environment(mw_options *options);

/* Takes the --mw-* options out of argv, in both forms, "--mw-x V" and "--mw-x=V", and sets them;
 * the rest stays, in order, with *argc lowered and argv[*argc] NULL. What follows "--" is the
 * user's; the "--" itself stays. Copies. Errors as mw_options_set; argv is then untouched.
 * --mw-help and --mw-version-string are taken out as well, and nothing is printed: mw_options_get
 * gives "1" for "help" or "version-string" if they were there. */
MW_API mw_error mw_options_parse(mw_options *options, int *argc, char **argv);

/* Prints the text of --mw-help, in which the program is called `program`. Whether all of it was
 * written, ferror(stream) says. Both are borrowed for the call. */
MW_API void mw_options_print_help(FILE *stream, const char *program);

/* Sets *is_slave to what mw_main would make of this process: a slave, for mw_run_slave or
 * mw_slave_open (true), or a master, for mw_run_master or mw_master_open (false). That is a slave
 * with --mw-slave, as the slaves that a local master starts have it, and, unless an option says
 * otherwise, every rank but 0 under an MPI launcher. Call it when all options are set. Errors:
 * MW_EUSAGE, for options that contradict each other; MW_ESTATE, for options with a communicator
 * (mw/mpi.h), of which the rank is asked. */
MW_API mw_error mw_options_is_slave(mw_options *options, bool *is_slave) MW_USE_RESULT;

/* An option's value as text, NULL if it is not set and has no default; borrowed until the option is
 * set again. */
MW_API const char *mw_options_get(const mw_options *options, const char *name);

/* The sentence of the last error, "" if there was none. Borrowed until the next call. */
MW_API const char *mw_options_error(const mw_options *options);

/* Adds a transport object that open shall make from `api`, in place of those that --mw-transport
 * names; the first of them for a slave, which has one master. The master listens on `address`, the
 * slave connects to it. `environment` is mw_transport_config.environment. `api` and `environment`
 * are borrowed until master and slave are closed; `address` is copied. MW_ENOMEM; MW_EINVAL for an
 * api of another MW_TRANSPORT_VERSION. Options that also have an MPI communicator are refused by
 * open, MW_EUSAGE: a farm is on its ranks or over such transports. */
MW_API mw_error mw_options_use_transport(mw_options *options, const mw_transport_api *api,
                                         void *environment, const char *address);

/* Farms on MPI communicators. `comm` is an `MPI_Comm *`: mw/mpi.h has these with their right types
 * and says what they do. */
MW_API void mw_options_set_communicator(mw_options *options, void *comm, int master_rank);
MW_API bool mw_options_must_decline(const mw_options *options);

/* Opens a master and starts to listen, and in local mode starts the slaves. `options` is borrowed
 * for the call, `program` until close. Its algorithms table counts; its master algorithm is not
 * called: use the master as it would. In local mode a slave dies, killed by the kernel, when the
 * thread ends that started it: so the thread that opens a master must live as long as it, and be
 * the one that uses it. On failure *master is untouched and the sentence is in mw_options_error.
 * Errors: MW_EUSAGE, MW_EUNAVAILABLE, MW_ENETWORK, MW_EIO, MW_ENOMEM. mpi: collective with the
 * slaves' mw_slave_open. */
MW_API mw_error mw_master_open(mw_master **master, const mw_program *program,
                               mw_options *options) MW_USE_RESULT;

/* A descriptor for poll(2) and its like, readable while mw_master_loop_iterate with a timeout of 0
 * would find that a slave wants something; -1 if there is none, as over MPI, or if at the first
 * call no descriptor could be had. Only to be waited for, and the same answer until the master is
 * closed. */
MW_API int mw_master_fd(mw_master *master);

/* In how many seconds mw_master_loop_iterate is to be called although the descriptor did not become
 * readable: 0..1. It is 0 while there is something to send, so it changes with each call that
 * submits or changes something, and after each mw_master_loop_iterate; asked in between, it only
 * runs down. Where a transport has no descriptor, or mw_master_fd was not asked, it says how long
 * to nap: not at all when something has just happened, and longer and longer, at most some
 * milliseconds, while nothing does; with --mw-wait spin or yield not at all ever, so that the loop
 * takes a whole core. When mw_master_loop_iterate has said that the farm is broken it stays 0:
 * stop. */
MW_API double mw_master_timeout(const mw_master *master);

/* Tells the slaves to stop, waits for them up to --mw-shutdown-timeout, writes the last audit
 * records and resource file, and frees all. What was borrowed from the master is gone. NULL is
 * legal. mpi: collective with mw_slave_close. */
MW_API void mw_master_close(mw_master *master);

/* Opens a slave and waits until a master has accepted it, at most --mw-connect-timeout. Otherwise
 * as mw_master_open, and: MW_ETIMEOUT, MW_EREFUSED, MW_EINTERRUPTED; MW_EGONE: the resource file
 * says that the computation is finished, there is nothing to do. */
MW_API mw_error mw_slave_open(mw_slave **slave, const mw_program *program,
                              mw_options *options) MW_USE_RESULT;

/* Says goodbye to the master and frees all. NULL is legal. */
MW_API void mw_slave_close(mw_slave *slave);

/* Opens a master, runs the program's master algorithm with these arguments, which are not looked
 * at, and closes it: what mw_main does for a master, but for signals, options in argv, and
 * messages. *status is what the algorithm returned, as mw_main makes an exit status of it. All is
 * borrowed for the call. Errors, with a sentence in mw_options_error: those of mw_master_open;
 * MW_EINVAL: the program has no master algorithm; what mw_master_status says after the algorithm
 * has returned, and then *status is set too. */
MW_API mw_error mw_run_master(const mw_program *program, mw_options *options, int argc, char **argv,
                              int *status);

/* The same with a slave and the slave algorithm, or mw_slave_loop_simple if the program has none.
 * MW_OK with *status 0 if the resource file says that there is nothing left to do. Errors: those
 * of mw_slave_open; MW_EGONE, MW_EREFUSED and the like as mw_slave_loop, with *status set. */
MW_API mw_error mw_run_slave(const mw_program *program, mw_options *options, int argc, char **argv,
                             int *status);

MW_END_DECLS

#endif
