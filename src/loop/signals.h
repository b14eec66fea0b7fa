/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGINT and SIGTERM while mw_main runs. The first one asks the program to end. The second one ends
 * it at once, as if there were no handler. A signal handler can reach global variables only: this
 * room has state of the whole process, and mw_main is its one user.
 */
#ifndef MWI_SIGNALS_H
#define MWI_SIGNALS_H

#include <stdbool.h>

#include <mw/error.h>

#include "loop/loop.h"

/* Installs the handlers. SIGTERM asks the program to end in any case, even if it was ignored or
 * blocked. SIGINT does so unless it was ignored. A local slave takes no notice of SIGINT: the
 * terminal sends it to all processes, and the master will tell its slaves. If SIGPIPE and SIGXFSZ
 * would end the process, they are caught and have no effect. MW_EIO. */
mw_error mwi_signals_install(bool is_local_slave);

/* After install, for a process that has a file that may be rotated: programs that rotate logs send
 * SIGHUP, which has no effect then. If the terminal hangs up, SIGHUP ends the process nevertheless.
 * Does nothing if SIGHUP is ignored or caught. */
void mwi_signals_keep_hangup(void);

/* Puts back the signals as they were, blocked or not. The loops that watch signals are closed by
 * then. Does nothing in a process that was forked off meanwhile. */
void mwi_signals_restore(void);

/* Between fork and exec: the program that is started gets signals and mask as mwi_signals_install
 * has found them. If the handlers are not installed it gets SIGPIPE and SIGXFSZ as usual, and no
 * signal blocked. Safe in a signal handler. */
void mwi_signals_hand_on(void);

/* The first signal calls `act` in its handler, once it is caught; NULL: nothing. `act` must be safe
 * there. */
void mwi_signals_set_first_act(void (*act)(void *context), void *context);

/* The second signal calls `act` before it ends the process; NULL: nothing. `act` must be safe in a
 * signal handler. */
void mwi_signals_set_last_act(void (*act)(const void *context), const void *context);

/* A descriptor that is readable after a signal, until mwi_signals_caught is called. */
int mwi_signals_fd(void);

/* While a farm is being opened there is no loop to ask, and a call may wait for a module or an MPI
 * that does not come up. Nothing is lost yet, so from mwi_signals_set_opening(true) until (false)
 * the first signal ends the process. */
void mwi_signals_set_opening(bool is_begun);

/* Lets a signal end the waits of the loop, which has no transport yet. Errors, with a sentence:
 * those of mwi_loop_open_descriptors and mwi_descriptors_add. */
mw_error mwi_signals_watch(struct mwi_loop *loop, mw_reason *why) MW_USE_RESULT;

/* The signal that came, 0 if none did. */
int mwi_signals_caught(void);

/* "SIGINT"; constant. */
const char *mwi_signals_name(int number);

#endif
