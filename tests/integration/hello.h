/* SPDX-License-Identifier: Apache-2.0
 *
 * The output of hello_world.
 */
#ifndef MWT_HELLO_H
#define MWT_HELLO_H

#include <stdio.h>

#include <CUnit/CUnit.h>

#include <mw/version.h>

#include "mwt_process.h"

#define HELLO_TASKS_COUNT 10
#define HELLO_MASTER_LINE "Master algo cleanup form.\n"
/* Without its end: a launcher may mix the lines of several slaves. */
#define HELLO_SLAVE_LINE "Slave algo cleanup form."

/* Checks standard output: each greeting and the master's line once for each master, the slave's
 * line once for each slave, nothing else. */
static inline void check_hello(struct mwt_process *process, unsigned masters_count,
                               unsigned slaves_count)
{
    const char *output = mwt_output(process, MWT_OUT);
    for (unsigned i = 0; i < HELLO_TASKS_COUNT; i++) {
        char line[80];
        snprintf(line, sizeof line, "Got result from slave: \"Hello World: Task %u\"\n", i);
        CU_ASSERT_EQUAL(mwt_count(output, line), masters_count);
    }
    CU_ASSERT_EQUAL(mwt_count(output, HELLO_MASTER_LINE), masters_count);
    CU_ASSERT_EQUAL(mwt_count(output, HELLO_SLAVE_LINE), slaves_count);
    CU_ASSERT_EQUAL(mwt_count(output, "\n"),
                    masters_count * (HELLO_TASKS_COUNT + 1) + slaves_count);
}

#endif
