/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm over TCP: farm.c as the master and as slaves that find it through its resource file.
 */
#ifndef MWT_TCP_FARM_H
#define MWT_TCP_FARM_H

#include <string.h>

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

/* Checks that a farm of `tasks_count` tasks is done and no task was lost or came twice. */
static inline void check_done(struct mwt_crew *crew, struct mwt_process *master, int tasks_count)
{
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    mwt_await_line(
        master, MWT_OUT,
        mwt_format(crew, "farm: %d done, 0 failed, 0 unrunnable, 0 lost or wrong", tasks_count));
}

static inline void check_said(const struct mwt_process *process, const char *part)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(process, MWT_ERR), part));
}

#endif
