/* SPDX-License-Identifier: Apache-2.0
 *
 * mw_main installs the handlers before it opens a master or a slave, whose loop then watches a
 * pipe: the handler writes a byte into it, which ends a wait. The face asks mwi_signals_caught
 * after each turn of the loop.
 *
 * Programs that tasks start inherit ignored and blocked signals, and most cannot undo that. So no
 * signal is ignored or blocked here: SIGPIPE and SIGXFSZ, which would end the process, get a
 * handler that does nothing, and exec takes it away. A process that is forked off without exec gets
 * back the actions and the blocked signals that mw_main has found.
 *
 * Invariants: at most one loop watches the pipe at a time; the handlers and let_go_in_child call
 * only functions that are safe in a signal handler; only the process that called
 * mwi_signals_install writes into the pipe; mwi_signals_restore leaves the process as it was
 * before. To catch another signal, add it to `numbers`, handler_for and mwi_signals_name.
 */
#include "loop/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

static const int numbers[] = {SIGINT, SIGTERM, SIGPIPE, SIGXFSZ, SIGHUP};

#define NUMBERS_COUNT (sizeof numbers / sizeof numbers[0])

/* The signals as mwi_signals_install has found them. */
struct found {
    sigset_t mask;
    struct sigaction actions[NUMBERS_COUNT]; /* of `numbers` */
};

static volatile sig_atomic_t caught;
static volatile sig_atomic_t is_opening;
static volatile sig_atomic_t is_repeatable; /* a second signal is heard */
static volatile sig_atomic_t is_repeated;   /* it has come */
static volatile pid_t owner; /* the process that has installed the handlers; 0: none has */
static int wake_pipe[2] = {-1, -1};
static struct mwi_watch watch; /* in the one loop that is open */
static struct found found;
static void (*volatile first_act)(void *context);
static void *volatile first_context;
static void (*volatile last_act)(const void *context);
static const void *volatile last_context;
static pthread_once_t is_registered = PTHREAD_ONCE_INIT;

static const struct sigaction *found_action(int number)
{
    size_t i = 0;
    while (numbers[i] != number)
        i++;
    return &found.actions[i];
}

static bool is_found_ignored(int number)
{
    const struct sigaction *action = found_action(number);
    return (action->sa_flags & SA_SIGINFO) == 0 && action->sa_handler == SIG_IGN;
}

static void wake(void)
{
    ssize_t written = write(wake_pipe[1], "", 1);
    (void)written;
}

/* A process made by other means than fork() still has this handler, since let_go_in_child did not
 * run there. It must not write into the parent's pipe: the signal does what it did before. */
static void on_signal(int number)
{
    int error = errno;
    if (owner != getpid()) {
        sigaction(number, found_action(number), NULL);
        raise(number);
    } else if (caught == SIGTERM && number == SIGTERM && is_repeatable != 0 && is_repeated == 0) {
        is_repeated = 1;
        wake();
    } else if (caught != 0 || is_opening != 0) {
        if (last_act != NULL)
            last_act(last_context);
        signal(number, SIG_DFL);
        raise(number);
    } else {
        caught = number;
        wake();
        if (first_act != NULL)
            first_act(first_context);
    }
    errno = error;
}

/* The kernel sends SIGHUP when the terminal is gone: then it does what it did before. Other
 * processes send it after they have rotated logs: then it has no effect. */
static void on_hangup(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (owner == getpid() && info->si_code != SI_KERNEL)
        return;
    sigaction(number, found_action(number), NULL);
    raise(number);
}

/* Whether the sender of a signal is no process of this one's session. A sender that cannot be seen
 * from here, because it is in another container, is 0. */
static bool is_outsider(pid_t sender)
{
    pid_t session = sender == 0 ? 0 : getsid(sender);
    return session >= 0 && session != getsid(0);
}

/* In a process for tasks, which leads a session. A signal of the task itself, or of a command of
 * it, does what it did before. A batch system sends the signal to all processes: then it has no
 * effect here, since the slave hears it too, and ends its tasks if it has to. */
static void on_task_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    int error = errno;
    bool has_sender =
        info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL;
    bool is_for_slave = owner == getpid() && has_sender && is_outsider(info->si_pid);
    if (!is_for_slave) {
        sigaction(number, found_action(number), NULL);
        raise(number);
    }
    errno = error;
}

static void pass_over(int number)
{
    (void)number;
}

/* The handler for a signal whose action was `action`; NULL: the signal stays as it is. An ignored
 * SIGINT stays ignored: a shell does that for a program in the background. SIGTERM is handled even
 * if it was ignored, so that there is always a way to end the farm. */
static void (*handler_for(int number, const struct sigaction *action,
                          enum mwi_signals_user user))(int)
{
    bool is_plain = (action->sa_flags & SA_SIGINFO) == 0;
    bool is_of_tasks = user == MWI_SIGNALS_OF_TASKS;
    if (number == SIGHUP || (is_of_tasks && (number == SIGTERM || number == SIGINT)))
        return NULL;
    if (number == SIGTERM)
        return on_signal;
    if (number == SIGINT)
        return is_plain && action->sa_handler == SIG_IGN ? NULL
               : user == MWI_SIGNALS_OF_LOCAL_SLAVE      ? pass_over
                                                         : on_signal;
    return is_plain && action->sa_handler == SIG_DFL ? pass_over : NULL;
}

static void find_signals(void)
{
    for (size_t i = 0; i < NUMBERS_COUNT; i++)
        sigaction(numbers[i], NULL, &found.actions[i]);
    pthread_sigmask(SIG_SETMASK, NULL, &found.mask);
}

static void set_task_handlers(void)
{
    static const int ending[] = {SIGTERM, SIGINT};
    struct sigaction action = {.sa_sigaction = on_task_signal, .sa_flags = SA_RESTART | SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        if (!is_found_ignored(ending[i]))
            sigaction(ending[i], &action, NULL);
}

static void set_handlers(enum mwi_signals_user user)
{
    struct sigaction action = {.sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    for (size_t i = 0; i < NUMBERS_COUNT; i++) {
        action.sa_handler = handler_for(numbers[i], &found.actions[i], user);
        if (action.sa_handler != NULL)
            sigaction(numbers[i], &action, NULL);
    }
    if (user == MWI_SIGNALS_OF_TASKS)
        set_task_handlers();
}

/* The program may have been started with SIGTERM or SIGINT blocked. */
static void unblock(void)
{
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    if (!is_found_ignored(SIGINT))
        sigaddset(&ending, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &ending, NULL);
}

static void block_again(void)
{
    sigset_t ending;
    sigemptyset(&ending);
    if (sigismember(&found.mask, SIGTERM) == 1)
        sigaddset(&ending, SIGTERM);
    if (sigismember(&found.mask, SIGINT) == 1)
        sigaddset(&ending, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
}

static void close_pipe(void)
{
    if (wake_pipe[0] >= 0) {
        close(wake_pipe[0]);
        close(wake_pipe[1]);
    }
    wake_pipe[0] = wake_pipe[1] = -1;
}

/* Puts a signal back, unless the program has set a handler of its own meanwhile. */
static void put_back_ours(size_t i)
{
    struct sigaction now;
    sigaction(numbers[i], NULL, &now);
    bool is_asking = (now.sa_flags & SA_SIGINFO) != 0 &&
                     (now.sa_sigaction == on_hangup || now.sa_sigaction == on_task_signal);
    if (is_asking || now.sa_handler == on_signal || now.sa_handler == pass_over)
        sigaction(numbers[i], &found.actions[i], NULL);
}

/* In a forked process: the signals are as they were found, and the pipe is the parent's alone. */
static void let_go_in_child(void)
{
    if (owner == 0 || owner == getpid())
        return;
    for (size_t i = 0; i < NUMBERS_COUNT; i++)
        put_back_ours(i);
    block_again();
    close_pipe();
}

static void register_child(void)
{
    (void)pthread_atfork(NULL, NULL, let_go_in_child);
}

mw_error mwi_signals_install(enum mwi_signals_user user)
{
    if (pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return MW_EIO;
    (void)pthread_once(&is_registered, register_child);
    caught = 0;
    is_opening = 0;
    is_repeatable = is_repeated = 0;
    find_signals();
    owner = getpid();
    set_handlers(user);
    if (user != MWI_SIGNALS_OF_TASKS)
        unblock();
    return MW_OK;
}

void mwi_signals_keep_hangup(void)
{
    struct sigaction action = {.sa_sigaction = on_hangup, .sa_flags = SA_RESTART | SA_SIGINFO};
    const struct sigaction *as_found = found_action(SIGHUP);
    sigemptyset(&action.sa_mask);
    if ((as_found->sa_flags & SA_SIGINFO) == 0 && as_found->sa_handler == SIG_DFL)
        sigaction(SIGHUP, &action, NULL);
}

void mwi_signals_restore(void)
{
    if (owner != getpid())
        return;
    block_again();
    for (size_t i = 0; i < NUMBERS_COUNT; i++)
        if (numbers[i] == SIGHUP)
            put_back_ours(i);
        else
            sigaction(numbers[i], &found.actions[i], NULL);
    owner = 0;
    close_pipe();
}

void mwi_signals_hand_on(void)
{
    sigset_t none;
    sigemptyset(&none);
    let_go_in_child();
    if (owner == 0) {
        signal(SIGPIPE, SIG_DFL);
        signal(SIGXFSZ, SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, owner == 0 ? &none : &found.mask, NULL);
}

void mwi_signals_set_first_act(void (*act)(void *context), void *context)
{
    first_act = NULL;
    first_context = context;
    first_act = act;
}

void mwi_signals_set_opening(bool is_begun)
{
    is_opening = is_begun;
}

void mwi_signals_set_last_act(void (*act)(const void *context), const void *context)
{
    last_act = NULL;
    last_context = context;
    last_act = act;
}

void mwi_signals_set_repeatable(bool is_to_be_heard)
{
    is_repeatable = is_to_be_heard;
}

bool mwi_signals_are_repeated(void)
{
    return is_repeated != 0;
}

int mwi_signals_fd(void)
{
    return wake_pipe[0];
}

static void empty_pipe(void)
{
    char byte;
    while (read(wake_pipe[0], &byte, 1) > 0)
        ;
}

/* Empties the pipe, so that it does not end the next wait too. */
static void hear_signal(void *context)
{
    (void)context;
    empty_pipe();
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
    if (caught != 0)
        empty_pipe();
    return caught;
}

const char *mwi_signals_name(int number)
{
    return number == SIGINT ? "SIGINT" : "SIGTERM";
}
