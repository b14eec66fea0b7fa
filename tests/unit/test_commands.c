/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of a slave's tasks end with the slave, whatever became of their parents. Nothing
 * else does, and the environment is left as it was.
 */
#include "loop/commands.h"

#include <stdlib.h>
#include <string.h>

#include "mwt_marked.h"
#include "mwt_run.h"

/* Starts a shell line whose processes hold a pipe open; returns the other end. */
static int start_line(const char *line)
{
    int ends[2];
    char text[256];
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    snprintf(text, sizeof text, "exec 9>&%d; %s", ends[1], line);
    CU_ASSERT_EQUAL(system(text), 0);
    close(ends[1]);
    return ends[0];
}

static void check_gone(int end)
{
    char byte;
    CU_ASSERT_EQUAL(read(end, &byte, 1), 0);
    close(end);
}

/* A child that has a child, both without running another program. */
static pid_t start_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)fork();
        for (;;)
            pause();
    }
    return pid;
}

/* Orphans, daemons, and children that only fork are ended; children from before are not, nor is
 * anything else. */
static void test_end(void)
{
    struct mwi_commands commands;
    struct mwt_marked stranger;
    pid_t before = start_child();
    mwt_marked_start(&stranger, "1-a:1", true);
    mwi_commands_begin(&commands);
    int group = start_line("sleep 1000 & sleep 1000 &");
    int daemon = start_line("(setsid sh -c 'sleep 1000 & sleep 1000' &)");
    pid_t child = start_child();

    mwi_commands_end(&commands);

    check_gone(group);
    check_gone(daemon);
    CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
    CU_ASSERT_EQUAL(waitpid(before, NULL, WNOHANG), 0);
    CU_ASSERT_TRUE(mwt_marked_is_alive(&stranger));
    mwt_marked_end(&stranger);
    mwi_commands_fini(&commands);
    mwi_commands_begin(&commands);
    mwi_commands_fini(&commands);
    commands.before_count = 0;
    mwi_commands_end(&commands);
    CU_ASSERT_EQUAL(waitpid(before, NULL, 0), before);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

/* The environment is as before afterwards, and marks of farms around are handed on. */
static void test_environment(void)
{
    struct mwi_commands commands;
    for (int has_others = 0; has_others < 2; has_others++) {
        unsetenv(MWI_FAMILY_VARIABLE);
        if (has_others)
            setenv(MWI_FAMILY_VARIABLE, "5-b:3", 1);

        mwi_commands_begin(&commands);
        const char *marks = getenv(MWI_FAMILY_VARIABLE);

        CU_ASSERT_PTR_NOT_NULL_FATAL(marks);
        CU_ASSERT_EQUAL(strncmp(marks, commands.name, strlen(commands.name)), 0);
        CU_ASSERT_EQUAL(strstr(marks, " 5-b:3") != NULL, has_others);
        mwi_commands_fini(&commands);
        const char *after = getenv(MWI_FAMILY_VARIABLE);
        CU_ASSERT_TRUE(has_others ? after != NULL && strcmp(after, "5-b:3") == 0 : after == NULL);
    }
    unsetenv(MWI_FAMILY_VARIABLE);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"end", test_end},
        {"environment", test_environment},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("commands", tests);
}
