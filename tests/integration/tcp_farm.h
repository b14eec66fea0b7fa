/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm over TCP: farm.c as the master and as slaves that find it through its resource file.
 */
#ifndef MWT_TCP_FARM_H
#define MWT_TCP_FARM_H

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "mwt_process.h"

/* Without this a sanitizer would turn the signal of a crash into an exit of its own. */
#define PLAIN_CRASHES "ASAN_OPTIONS=handle_segv=0:handle_abort=0:detect_leaks=0"

/* Starts a master on the loopback interface with the options and arguments, and its resource
 * file. */
static inline struct mwt_process *start_master(struct mwt_crew *crew, const char *const *rest)
{
    const char *argv[24] = {MWT_FARM,    "--mw-master",        "--mw-master-host",
                            "127.0.0.1", "--mw-resource-file", mwt_path(crew, "farm.rsc")};
    for (size_t i = 6; *rest != NULL && i < 23; i++)
        argv[i] = *rest++;
    return mwt_start(crew, &(struct mwt_start){.argv = argv});
}

static inline struct mwt_process *start_slave(struct mwt_crew *crew)
{
    return mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                   mwt_path(crew, "farm.rsc")),
                                  .environment = MWT_ARGV(PLAIN_CRASHES)});
}

/* Starts a slave that gets all but the address from the resource file: it goes to this port. */
static inline struct mwt_process *start_slave_at(struct mwt_crew *crew, const char *port)
{
    return mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                   mwt_path(crew, "farm.rsc"), "--mw-master-host",
                                                   "127.0.0.1", "--mw-master-port", port),
                                  .environment = MWT_ARGV(PLAIN_CRASHES)});
}

/* Starts a slave that takes task 0 of the algorithm "gate" and keeps it until open_gate, so that
 * the farm cannot end before, however slow the test is. */
static inline struct mwt_process *start_keeper(struct mwt_crew *crew)
{
    const char *gate = mwt_path(crew, "gate");
    CU_ASSERT_EQUAL(mkfifo(gate, 0600), 0);
    struct mwt_process *keeper = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_FARM, "--mw-slave", "--mw-resource-file",
                                                   mwt_path(crew, "farm.rsc")),
                                  .environment = MWT_ARGV(mwt_format(crew, "FARM_GATE=%s", gate))});
    mwt_await_line(keeper, MWT_ERR, "task 0 runs");
    return keeper;
}

static inline void open_gate(struct mwt_crew *crew)
{
    int fd = open(mwt_path(crew, "gate"), O_WRONLY | O_CLOEXEC);
    CU_ASSERT(fd >= 0);
    close(fd);
}

/* Checks that a farm of `tasks_count` tasks is done and no task was lost or came twice. */
static inline void check_done(struct mwt_crew *crew, struct mwt_process *master, int tasks_count)
{
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    mwt_await_line(
        master, MWT_OUT,
        mwt_format(crew, "farm: %d done, 0 failed, 0 unrunnable, 0 lost or wrong", tasks_count));
}

/* The port at which the master listens: "1", where nobody listens, if it does not. */
static inline const char *await_port(struct mwt_crew *crew, struct mwt_process *master)
{
    const char *line = mwt_await_line(master, MWT_ERR, "MASTER READY 127.0.0.1:");
    return mwt_format(crew, "%s", line == NULL ? "1" : strrchr(line, ':') + 1);
}

static inline void check_said(const struct mwt_process *process, const char *part)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(process, MWT_ERR), part));
}

#endif
