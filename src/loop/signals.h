/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGINT and SIGTERM while mw_main runs. The first one asks the program to end. The second one ends
 * it at once, as if there were no handler, unless a second SIGTERM is to be heard, too. A signal
 * handler can reach global variables only, so the state here belongs to the whole process. Only
 * mw_main installs the handlers and restores the signals. Masters and slaves that mw_main opens ask
 * whether a signal was caught. child.c hands the signals on to each process that it starts, with or
 * without mw_main.
 */
#ifndef MWI_SIGNALS_H
#define MWI_SIGNALS_H

#include <stdbool.h>

#include <mw/error.h>

#include "loop/loop.h"

/* Whose process it is. */
enum mwi_signals_user {
    /* A master's, or that of a slave that no local master has started. */
    MWI_SIGNALS_OF_FARM,
    /* SIGINT has no effect: the terminal sends it to the master, which tells its slaves. */
    MWI_SIGNALS_OF_LOCAL_SLAVE,
    /* A process for tasks, which leads a session. Of SIGTERM and SIGINT only those from the session
     * have an effect, the one that they had before. */
    MWI_SIGNALS_OF_TASKS
};

/* Installs the handlers. SIGTERM asks the program to end, even if it was ignored or blocked. SIGINT
 * does so unless it was ignored. If SIGPIPE and SIGXFSZ would end the process, they are caught and
 * have no effect. MW_EIO. */
mw_error mwi_signals_install(enum mwi_signals_user user);

/* After install, for a process that has a file that may be rotated: programs that rotate logs send
 * SIGHUP, which has no effect then. If the terminal hangs up, SIGHUP ends the process nevertheless.
 * Does nothing if SIGHUP is ignored or caught. */
void mwi_signals_keep_hangup(void);

/* Puts back the signals as they were, blocked or not. The loops that watch signals are closed by
 * then. Does nothing in a process that was forked off meanwhile. */
void mwi_signals_restore(void);

/* To be called between fork and exec. The program that is started gets the signal actions and the
 * mask that mwi_signals_install has found. If the handlers are not installed, the program gets the
 * default actions of SIGPIPE and SIGXFSZ, and an empty mask. Safe in a signal handler. */
void mwi_signals_hand_on(void);

/* The first signal calls `act` in its handler, after mwi_signals_caught tells of the signal; NULL:
 * nothing. `act` must be safe in a signal handler. */
void mwi_signals_set_first_act(void (*act)(void *context), void *context);

/* The second signal calls `act` before it ends the process; NULL: nothing. `act` must be safe in a
 * signal handler. */
void mwi_signals_set_last_act(void (*act)(const void *context), const void *context);

/* Whether a second SIGTERM is heard, and only a third one ends the process. */
void mwi_signals_set_repeatable(bool is_repeatable);

/* Whether that second SIGTERM has come. */
bool mwi_signals_are_repeated(void);

/* A descriptor that is readable after a signal, until mwi_signals_caught is called, or the loop
 * that watches it has woken up. -1 if the handlers are not installed. */
int mwi_signals_fd(void);

/* From mwi_signals_set_opening(true) until mwi_signals_set_opening(false) the first signal ends the
 * process. While a farm is being opened, no loop can react to a signal, a call may wait in vain for
 * a module or for MPI, and no work can be lost yet. */
void mwi_signals_set_opening(bool is_begun);

/* Lets a signal end the waits of the loop, which has no transport yet. Errors, with a sentence:
 * those of mwi_loop_open_descriptors and mwi_descriptors_add. */
mw_error mwi_signals_watch(struct mwi_loop *loop, mw_reason *why) MW_USE_RESULT;

/* The signal that came, 0 if none did. */
int mwi_signals_caught(void);

/* "SIGINT"; constant. */
const char *mwi_signals_name(int number);

#endif
