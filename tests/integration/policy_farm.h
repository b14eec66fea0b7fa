/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts policy_farm over TCP: a master with options and steps, and its slaves.
 */
#ifndef MWT_POLICY_FARM_H
#define MWT_POLICY_FARM_H

#include "mwt_process.h"
#include "mwt_run.h"

#define MINUTE "60000"

/* A list of words that always ends with NULL, and that is filled as far as there is room. */
struct words {
    const char *argv[48];
    size_t count;
};

static inline void add_words(struct words *words, const char *const *more)
{
    while (*more != NULL && words->count < 47)
        words->argv[words->count++] = *more++;
    words->argv[words->count] = NULL;
}

/* Starts a master on the loopback interface with the options and steps, and its resource file. */
static inline struct mwt_process *start_master(struct mwt_crew *crew, const char *const *rest)
{
    struct words words = {.count = 0};
    add_words(&words, MWT_ARGV(MWT_POLICY_FARM, "--mw-master", "--mw-master-host", "127.0.0.1",
                               "--mw-resource-file", mwt_path(crew, "farm.rsc")));
    add_words(&words, rest);
    return mwt_start(crew, &(struct mwt_start){.argv = words.argv});
}

/* Starts a slave that may be killed. Its memory is lost with it, which is no leak. */
static inline struct mwt_process *start_slave(struct mwt_crew *crew, const char *const *options)
{
    struct words words = {.count = 0};
    add_words(&words, MWT_ARGV(MWT_POLICY_FARM, "--mw-slave", "--mw-resource-file",
                               mwt_path(crew, "farm.rsc")));
    add_words(&words, options);
    return mwt_start(crew, &(struct mwt_start){.argv = words.argv});
}

/* The same, and waits until it is welcome, so that slaves are numbered in the order in which they
 * start. */
static inline struct mwt_process *start_welcome_slave(struct mwt_crew *crew)
{
    struct mwt_process *slave = start_slave(crew, MWT_ARGV(NULL));
    mwt_await_line(slave, MWT_ERR, "MASTER -> ID SLAVE-");
    return slave;
}

/* Checks that the master did all its steps. */
static inline void check_steps(struct mwt_process *master)
{
    mwt_await_line(master, MWT_OUT, "farm: all steps are done");
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
}

#endif
