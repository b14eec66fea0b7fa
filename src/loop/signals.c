/* SPDX-License-Identifier: Apache-2.0
 *
 * mw_main installs the handlers before it opens a master or a slave, whose loop then watches a
 * pipe: the handler writes a byte into it, which ends a wait. The face asks mwi_signals_caught
 * after each turn of the loop. SIGPIPE and SIGXFSZ are ignored: the write that would raise them
 * fails instead, with its own error.
 *
 * Invariants: at most one loop watches the pipe at a time; the handler calls only functions that
 * are safe in a signal handler; mwi_signals_restore leaves the process as it was before. To catch
 * another signal, add it to install, restore and mwi_signals_name.
 */
#include "loop/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static int wake_pipe[2] = {-1, -1};
static struct mwi_watch watch; /* in the one loop that is open */
static struct sigaction saved_int, saved_term, saved_pipe, saved_file_size;

static void on_signal(int number)
{
    int error = errno;
    if (caught != 0) {
        signal(number, SIG_DFL);
        raise(number);
    }
    caught = number;
    ssize_t written = write(wake_pipe[1], "", 1);
    (void)written;
    errno = error;
}

static void ignore_signal(int number)
{
    (void)number;
}

mw_error mwi_signals_install(bool is_local_slave)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction nothing = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return MW_EIO;
    caught = 0;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, is_local_slave ? &nothing : &action, &saved_int);
    sigaction(SIGTERM, &action, &saved_term);
    sigaction(SIGPIPE, &ignore, &saved_pipe);
    sigaction(SIGXFSZ, &ignore, &saved_file_size);
    return MW_OK;
}

void mwi_signals_restore(void)
{
    sigaction(SIGINT, &saved_int, NULL);
    sigaction(SIGTERM, &saved_term, NULL);
    sigaction(SIGPIPE, &saved_pipe, NULL);
    sigaction(SIGXFSZ, &saved_file_size, NULL);
    close(wake_pipe[0]);
    close(wake_pipe[1]);
    wake_pipe[0] = wake_pipe[1] = -1;
}

int mwi_signals_fd(void)
{
    return wake_pipe[0];
}

/* Empties the pipe, so that it does not end the next wait too. */
static void hear_signal(void *context)
{
    (void)context;
    (void)mwi_signals_caught();
}

mw_error mwi_signals_watch(struct mwi_loop *loop, mw_reason *why)
{
    mw_error error = mwi_loop_open_descriptors(loop, why);
    if (error != MW_OK)
        return error;
    watch = (struct mwi_watch){.fd = mwi_signals_fd(), .ready = hear_signal};
    error = mwi_descriptors_add(mwi_loop_descriptors(loop), &watch);
    if (error != MW_OK)
        snprintf(why->text, sizeof why->text, "cannot wait for signals");
    return error;
}

int mwi_signals_caught(void)
{
    char byte;
    if (caught != 0)
        while (read(wake_pipe[0], &byte, 1) > 0)
            ;
    return caught;
}

const char *mwi_signals_name(int number)
{
    return number == SIGINT ? "SIGINT" : "SIGTERM";
}
