/* SPDX-License-Identifier: Apache-2.0
 *
 * mw_main, which the user's main calls. It turns the command line into options, and the options
 * into settings. It opens a master or a slave with the settings, runs the user's algorithm, closes,
 * and returns the exit status.
 *
 * Invariants: this is the only place of the library that writes to standard output, for --mw-help
 * and --mw-version-string alone, and the only one besides the audit trail that writes to standard
 * error. Of the ranks of an MPI job, one prints a mistake that all find. No other file installs the
 * handlers of signals.c, or restores the signals.
 *
 * Another option that prints and ends is a case in print_asked. A new way to be a master or a slave
 * is a mode in options/role.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fork_guard.h"
#include "base/path.h"
#include "base/utf8.h"
#include "face/isolation.h"
#include "face/job.h"
#include "face/master_journal.h"
#include "face/master_loop.h"
#include "face/master_open.h"
#include "face/master_stop.h"
#include "face/slave.h"
#include "face/slave_error.h"
#include "loop/commands.h"
#include "loop/redirect.h"
#include "loop/signals.h"
#include "options/check.h"
#include "options/settings.h"
#include "record/outlet.h"

#define STATUS_USAGE 2
#define STATUS_FAILURE 255
#define FLUSH_WAIT_MS 500

/* The launcher of an MPI job ends all ranks once one of them has failed. So a rank that leaves the
 * error message to rank 0 waits this long before it fails. */
#define TELLING_NS INT64_C(200000000)

/* The process as it was started. */
struct launch {
    struct mwi_launch launcher;
    struct mwi_job job;
    int given_argc; /* the arguments of main */
    char **given_argv;
    struct mwi_zygote *zygote; /* of an isolated slave; NULL: none */
    /* Of a process that runs the tasks of an isolated slave; NULL in any other. */
    struct mwi_relay_page *page;
    int channel; /* to that slave */
    int argc;    /* the user's arguments: those that are not ours */
    char **argv;
};

/* Replaces bytes that a terminal cannot show by '?'. A sentence may quote a path, or the reason for
 * which a master refuses a slave, and both may contain any bytes. */
static void make_printable(char *text)
{
    size_t length;
    for (; *text != '\0'; text += length) {
        uint32_t code;
        length = mwi_utf8_decode(text, &code);
        bool is_printable = length != 0 && mwi_utf8_is_printable(code);
        if (length == 0)
            length = 1;
        if (!is_printable)
            memset(text, '?', length);
    }
}

static void print_sentence(const struct launch *launch, const char *sentence)
{
    const char *program = launch->argc > 0 ? launch->argv[0] : "mw";
    char line[256 + sizeof(mw_reason)];
    snprintf(line, sizeof line, "%.200s: %s", mwi_path_name(program), sentence);
    make_printable(line);
    mwi_outlet_say(line);
}

static void print_notice(const void *context, const char *sentence)
{
    print_sentence(context, sentence);
}

static bool is_first(const struct launch *launch)
{
    return (launch->job.api != NULL ? launch->job.self.rank : launch->launcher.rank) <= 0;
}

/* Every rank of an MPI job finds the same mistake: rank 0 prints it, and the others only wait. */
static void complain(const struct launch *launch, const char *sentence)
{
    if (is_first(launch))
        print_sentence(launch, sentence);
    else
        nanosleep(&(struct timespec){.tv_nsec = TELLING_NS}, NULL);
}

static void give_up(void *launch, const char *sentence)
{
    complain(launch, sentence);
}

static int status_of(mw_error error)
{
    return error == MW_EUSAGE || error == MW_EUNAVAILABLE ? STATUS_USAGE : STATUS_FAILURE;
}

/* Says once that nothing is encrypted, unless the trail says it on standard error. */
static void tell_insecure(const struct launch *launch, enum mwi_mode mode,
                          const struct mwi_tcp_settings *tcp,
                          const struct mwi_audit_settings *audit)
{
    bool is_told = audit->pattern == NULL && audit->level != MWI_AUDIT_LEVEL_NONE;
    if (mwi_role_is_on_network(mode) && tcp->is_insecure && !is_told)
        print_sentence(launch, "--mw-insecure: nothing is encrypted, and nobody needs a key");
}

static mw_error open_master(mw_master **master, const mw_program *program,
                            const mw_options *options, const struct launch *launch,
                            enum mwi_mode mode, bool *has_joined, mw_reason *why)
{
    struct mwi_master_settings settings;
    *has_joined = false;
    mw_error error = mwi_settings_read_master(&settings, options, mode, launch->argc, launch->argv);
    if (error != MW_OK) {
        snprintf(why->text, sizeof why->text, "%s", mw_error_text(error));
        return error;
    }
    settings.ends_job = launch->job.api != NULL;
    settings.executable.argc = launch->given_argc;
    settings.executable.argv = launch->given_argv;
    tell_insecure(launch, mode, &settings.tcp, &settings.audit);
    error = mwi_master_open(master, program, &settings, true, has_joined, why);
    mwi_settings_fini_master(&settings);
    return error;
}

/* Writes out what the master has printed, so that it stands before what slaves print when they end.
 * If standard output takes nothing for FLUSH_WAIT_MS, such as a pipe that nobody reads, the text
 * stays in the buffer: the farm must end in any case. */
static void flush_output(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&output, 1, FLUSH_WAIT_MS) > 0)
        fflush(stdout);
}

/* The status of a process that cannot open its master or slave. Other ranks of an MPI job wait for
 * it in vain unless it has joined them, so it ends the job. */
static int fail_open(const struct launch *launch, mw_error error, bool has_joined,
                     const char *sentence)
{
    int status = status_of(error);
    print_sentence(launch, sentence);
    if (!has_joined)
        mwi_job_abort(&launch->job, status);
    return status;
}

static int run_master(const mw_program *program, const mw_options *options,
                      const struct launch *launch, enum mwi_mode mode)
{
    mw_master *master;
    mw_reason why = {""};
    bool has_joined;
    mw_error error = open_master(&master, program, options, launch, mode, &has_joined, &why);
    if (error != MW_OK)
        return fail_open(launch, error, has_joined, why.text);
    master->notice = (struct mwi_notice){print_notice, launch};
    mwi_master_journal_tell(master);
    int returned = STATUS_FAILURE;
    if (program->master == NULL) {
        mwi_loop_audit(master->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_NO_MASTER});
        print_sentence(launch, "the program has no master algorithm");
    } else {
        returned = program->master(master, launch->argc, launch->argv);
    }
    if (mwi_loop_is_disowned(master->loop))
        return returned;
    flush_output();
    if (!mwi_master_stop_is_urgent(master))
        (void)mwi_master_journal_await(master);
    int status = mwi_master_status(master, returned);
    bool is_broken = master->broken != MW_OK;
    if (master->misuse != MW_OK)
        print_sentence(launch, master->misuse_sentence.text);
    if (is_broken)
        print_sentence(launch, master->broken_sentence.text);
    mwi_master_stop_audit(master);
    mwi_master_close(master, !is_broken && mwi_signals_caught() == 0, status);
    return status;
}

static void end_commands(const void *context)
{
    mwi_commands_end(context);
}

/* Runs the slave algorithm. Standard output and standard error go to the file that the pattern
 * `output` names, unless `output` is NULL. */
static int run_slave_algorithm(mw_slave *slave, const struct launch *launch, const char *output)
{
    const mw_program *program = slave->program;
    struct mwi_redirect redirect;
    mw_reason why;
    const char *node = slave->id[0] == '\0' ? NULL : slave->id;
    if (mwi_redirect_open(&redirect, output, slave->member_id, node, &why) != MW_OK)
        print_sentence(launch, why.text);
    int returned = program->slave == NULL ? mw_slave_loop_simple(slave)
                                          : program->slave(slave, launch->argc, launch->argv);
    mwi_redirect_close(&redirect);
    return returned;
}

/* Runs the slave algorithm, and closes the slave. The status of an MPI job is to be the master's.
 * So a rank that the master has dropped returns 0: the master knows what that rank did not do. */
static int run_opened_slave(mw_slave *slave, const struct launch *launch,
                            const struct mwi_slave_settings *settings)
{
    int returned = launch->zygote == NULL ? run_slave_algorithm(slave, launch, settings->output)
                                          : mwi_isolation_serve(slave, launch->zygote);
    if (mwi_loop_is_disowned(slave->loop))
        return returned;
    mw_error why = mwi_slave_error_check(slave);
    bool is_dropped = why == MW_EGONE && launch->job.api != NULL;
    /* A process for tasks leaves that to its slave. */
    if (why != MW_OK && !is_dropped && launch->page == NULL)
        print_sentence(launch, slave->error.text);
    mw_slave_close(slave);
    if (is_dropped)
        return 0;
    return returned >= 0 && returned <= 255 ? returned : STATUS_FAILURE;
}

/* The same for a slave that no local master has started. When the slave ends, it ends the commands
 * that its tasks have started; for a local slave the master does that. A process that a task has
 * forked off returns from here too, and leaves the commands alone. */
static int run_guest(mw_slave *slave, const struct launch *launch,
                     const struct mwi_slave_settings *settings)
{
    struct mwi_commands commands;
    mwi_commands_begin(&commands);
    mwi_signals_set_last_act(end_commands, &commands);
    int status = run_opened_slave(slave, launch, settings);
    if (getpid() != commands.self)
        return status;
    mwi_signals_set_last_act(NULL, NULL);
    mwi_commands_end(&commands);
    mwi_commands_fini(&commands);
    return status;
}

static int run_slave(const mw_program *program, const mw_options *options,
                     const struct launch *launch, enum mwi_mode mode)
{
    mw_slave *slave;
    mw_reason reason = {""};
    struct mwi_slave_settings settings;
    bool has_joined;
    mwi_settings_read_slave(&settings, options, mode);
    settings.is_isolated = launch->zygote != NULL;
    settings.page = settings.is_isolated ? launch->zygote->page : NULL;
    if (launch->page != NULL)
        mwi_isolation_read_child(&settings, options, launch->page, launch->channel);
    tell_insecure(launch, mode, &settings.tcp, &settings.audit);
    mw_error error = mwi_slave_open(&slave, program, &settings, mode != MWI_MODE_MPI_SLAVE,
                                    &has_joined, &reason);
    bool is_free = mode == MWI_MODE_TCP_SLAVE || mode == MWI_MODE_MPI_SLAVE || launch->page != NULL;
    if (error == MW_EGONE && is_free)
        return 0;
    if (error != MW_OK)
        return fail_open(launch, error, has_joined, reason.text);
    return mode == MWI_MODE_CHANNEL_SLAVE || settings.is_isolated
               ? run_opened_slave(slave, launch, &settings)
               : run_guest(slave, launch, &settings);
}

static enum mwi_signals_user user_of_signals(const struct launch *launch, enum mwi_mode mode)
{
    if (launch->page != NULL)
        return MWI_SIGNALS_OF_TASKS;
    return mode == MWI_MODE_CHANNEL_SLAVE ? MWI_SIGNALS_OF_LOCAL_SLAVE : MWI_SIGNALS_OF_FARM;
}

static int run_mode(const mw_program *program, const mw_options *options,
                    const struct launch *launch, enum mwi_mode mode)
{
    if (mwi_signals_install(user_of_signals(launch, mode)) != MW_OK) {
        print_sentence(launch, "cannot handle signals: no descriptors are left");
        return STATUS_FAILURE;
    }
    if (mwi_options_text(options, MWI_OPTION_AUDIT_FILE) != NULL)
        mwi_signals_keep_hangup();
    /* A process that an algorithm forks off does not keep the farm's sockets. */
    static const bool is_closed = true;
    struct mwi_fork_guard guard;
    mwi_fork_guard_init(&guard, &is_closed, NULL, NULL);
    int status = mwi_role_is_slave(mode) ? run_slave(program, options, launch, mode)
                                         : run_master(program, options, launch, mode);
    mwi_fork_guard_fini(&guard);
    mwi_signals_restore();
    return status;
}

/* Starts MPI before the handlers of signals are installed: so a signal that comes while the ranks
 * wait for each other in MPI_Init ends the process. */
static int run_rank(const mw_program *program, const mw_options *options, struct launch *launch)
{
    mw_reason why;
    mw_error error =
        mwi_job_start(&launch->job, launch->launcher, give_up, launch, STATUS_USAGE, &why);
    if (error != MW_OK) {
        complain(launch, why.text);
        return status_of(error);
    }
    enum mwi_mode mode =
        mwi_role_mode_of_rank(options, launch->job.self.rank, launch->job.self.size);
    if (mwi_role_is_alone(options, launch->launcher, launch->job.self.size)) {
        mwi_job_end(&launch->job);
        mode = MWI_MODE_LOCAL;
    }
    pid_t rank = getpid();
    int status = run_mode(program, options, launch, mode);
    /* A process that an algorithm has forked off is no rank. */
    if (getpid() == rank)
        mwi_job_end(&launch->job);
    return status;
}

static int run_as(const mw_program *program, const mw_options *options, struct launch *launch,
                  enum mwi_mode mode)
{
    return mode == MWI_MODE_RANK ? run_rank(program, options, launch)
                                 : run_mode(program, options, launch, mode);
}

/* Whether the process may turn out to be an isolated slave. */
static bool may_be_isolated(const mw_options *options, const struct launch *launch,
                            enum mwi_mode mode)
{
    bool may_be_slave =
        mwi_role_is_slave(mode) || (mode == MWI_MODE_RANK && launch->launcher.rank != 0);
    return may_be_slave && mwi_options_flag(options, MWI_OPTION_SLAVE_ISOLATE);
}

/* The same with a zygote, which is forked off before all else. Returns in each process that comes
 * from it, too. The program's streams are flushed first, or else each of those processes would
 * write the text in their buffers. */
static int run_isolated(const mw_program *program, const mw_options *options, struct launch *launch,
                        enum mwi_mode mode)
{
    struct mwi_zygote zygote;
    enum mwi_zygote_side side;
    mw_reason why;
    const struct mwi_zygote_plan plan = mwi_isolation_plan(options, mode);
    fflush(NULL);
    mw_error error = mwi_zygote_open(&zygote, &plan, &side, &launch->channel, &why);
    if (error != MW_OK) {
        complain(launch, why.text);
        return STATUS_FAILURE;
    }
    if (side == MWI_ZYGOTE_OF_CHILD) {
        launch->page = zygote.page;
        return run_mode(program, options, launch, MWI_MODE_CHANNEL_SLAVE);
    }
    launch->zygote = &zygote;
    int status = run_as(program, options, launch, mode);
    mwi_zygote_close(&zygote);
    return status;
}

static int run(const mw_program *program, const mw_options *options, struct launch *launch)
{
    enum mwi_mode mode = mwi_role_mode(options, launch->launcher);
    mwi_job_mark();
    return may_be_isolated(options, launch, mode) ? run_isolated(program, options, launch, mode)
                                                  : run_as(program, options, launch, mode);
}

/* Prints the help or the version, if the options ask for it; returns whether they do. */
static bool print_asked(const mw_options *options, const struct launch *launch)
{
    if (mwi_options_flag(options, MWI_OPTION_HELP)) {
        if (is_first(launch))
            mw_options_print_help(stdout, launch->argc > 0 ? launch->argv[0] : "PROGRAM");
        return true;
    }
    if (mwi_options_flag(options, MWI_OPTION_VERSION_STRING)) {
        if (is_first(launch))
            printf("mw %s\n", mw_version());
        return true;
    }
    return false;
}

/* Opens /dev/null for each standard stream that is closed. Otherwise the next file or connection
 * would get its descriptor, and would receive what the program prints. */
static void open_closed_streams(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Takes our options out of launch->argv, and runs the program by them. */
static int run_by_argv(const mw_program *program, mw_options *options, struct launch *launch)
{
    mw_error error = mw_options_environment(options);
    if (error == MW_OK)
        error = mw_options_parse(options, &launch->argc, launch->argv);
    if (error == MW_OK && print_asked(options, launch))
        return 0;
    if (error == MW_OK)
        error = mwi_check_options(options);
    if (error == MW_OK)
        return run(program, options, launch);
    complain(launch, mw_options_error(options));
    return error == MW_EUSAGE ? STATUS_USAGE : STATUS_FAILURE;
}

/* Copies the array, not its strings: our options are taken out of the copy, and the caller's array
 * stays whole. NULL out of memory. */
static char **copy_arguments(int argc, char **argv)
{
    char **copy = calloc((size_t)argc + 1, sizeof *copy);
    if (copy != NULL && argc > 0)
        memcpy(copy, argv, (size_t)argc * sizeof *copy);
    return copy;
}

int mw_main(const mw_program *program, int argc, char **argv)
{
    mw_options *options = NULL;
    int status = STATUS_FAILURE;
    struct launch launch = {.launcher = mwi_job_launch(),
                            .given_argc = argc,
                            .given_argv = argv,
                            .argc = argc,
                            .argv = argv};
    open_closed_streams();
    char **copy = copy_arguments(argc, argv);
    if (copy == NULL || mw_options_create(&options) != MW_OK) {
        complain(&launch, mw_error_text(MW_ENOMEM));
    } else {
        launch.argv = copy;
        status = run_by_argv(program, options, &launch);
    }
    mw_options_destroy(options);
    free(copy);
    return status;
}
