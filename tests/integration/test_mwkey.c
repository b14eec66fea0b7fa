/* SPDX-License-Identifier: Apache-2.0
 *
 * The command mwkey, as users call it: it makes, shows and changes the key file, its statuses tell
 * what happened, and no key is ever printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <CUnit/Basic.h>

#include "mwt_folder.h"
#include "mwt_process.h"
#include "mwt_run.h"

#define COMMANDS_MAX 5

/* Starts mwkey with these words and the settings of a user whose home directory is the crew's
 * folder. */
static struct mwt_process *start(struct mwt_crew *crew, const char *words)
{
    static char text[COMMANDS_MAX + 2][256];
    const char *argv[COMMANDS_MAX + 3] = {MWT_MWKEY};
    int count = 1, length = 0;
    for (; sscanf(words, "%255s%n", text[count], &length) == 1; words += length, count++)
        argv[count] = text[count];
    argv[count] = NULL;
    const char *environment[] = {mwt_format(crew, "HOME=%s", mwt_path(crew, ".")),
                                 "XDG_CONFIG_HOME=", NULL};
    return mwt_start(crew, &(struct mwt_start){.argv = argv, .environment = environment});
}

/* Runs mwkey to its end, checks its status, and that a part is in its output or its complaint. */
static void check(struct mwt_crew *crew, const char *words, int status, const char *part)
{
    struct mwt_process *process = start(crew, words);
    CU_ASSERT_EQUAL(mwt_await_end(process), status);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(process, status == 0 ? MWT_OUT : MWT_ERR), part));
}

static const char *key_path(struct mwt_crew *crew)
{
    return mwt_format(crew, "%s/.config/mw/key", mwt_path(crew, "."));
}

/* A file is made where the standard says, shown, rotated and dropped. */
static void test_life_of_a_file(void)
{
    struct mwt_crew *crew = mwt_crew_create();

    check(crew, "show", 1, "No such file or directory: a TCP master of this user makes it");
    check(crew, "create", 0, "is proved by slaves");
    check(crew, "show", 0, "(mode 0600)");
    char *first = mwt_file_read(key_path(crew));
    check(crew, "create", 0, "it is there already");
    check(crew, "rotate", 0, "is still taken by masters");
    char *second = mwt_file_read(key_path(crew));
    check(crew, "rotate", 1, "mwkey rotate --drop");
    check(crew, "rotate --drop", 0, "is proved by slaves");
    char *third = mwt_file_read(key_path(crew));

    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_PTR_NOT_NULL_FATAL(third);
    CU_ASSERT_PTR_NOT_NULL(strstr(second, strchr(first, '\n') + 1));
    CU_ASSERT_EQUAL(strncmp(second, third, strlen(third)), 0);
    CU_ASSERT_STRING_NOT_EQUAL(first, third);
    free(first);
    free(second);
    free(third);
    mwt_crew_destroy(crew);
}

/* Neither a command nor a complaint prints a part of a key. */
static void test_no_key_is_printed(void)
{
    static const char *const commands[] = {"create", "show", "create", "rotate", "rotate"};
    struct mwt_crew *crew = mwt_crew_create();

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct mwt_process *process = start(crew, commands[i]);
        (void)mwt_await_end(process);
        char *file = mwt_file_read(key_path(crew));
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        char *digits = strchr(strchr(file, ' ') + 1, ' ') + 1;
        digits[8] = '\0';
        CU_ASSERT_PTR_NULL(strstr(mwt_output(process, MWT_OUT), digits));
        CU_ASSERT_PTR_NULL(strstr(mwt_output(process, MWT_ERR), digits));
        free(file);
    }
    mwt_crew_destroy(crew);
}

/* Wrong usage has a status of its own and shows the right one. */
static void test_wrong_usage(void)
{
    static const char *const wrong[] = {"",       "list",         "show show", "show --drop",
                                        "--file", "--file= show", "-f x show", "create --now"};
    struct mwt_crew *crew = mwt_crew_create();

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check(crew, wrong[i], 2, "usage: mwkey");
    check(crew, "--help", 0, "usage: mwkey");
    CU_ASSERT_EQUAL(access(key_path(crew), F_OK), -1);
    mwt_crew_destroy(crew);
}

/* --file names another file, before the command or behind it. */
static void test_file_option(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = mwt_path(crew, "farm-key");

    check(crew, mwt_format(crew, "--file %s create", path), 0, path);
    check(crew, mwt_format(crew, "show --file=%s", path), 0, path);
    CU_ASSERT_EQUAL(chmod(path, 0640), 0);
    check(crew, mwt_format(crew, "show --file=%s", path), 1,
          mwt_format(crew, "chmod 600 %s", path));
    check(crew, mwt_format(crew, "rotate --file=%s", path), 1, "chmod 600");
    CU_ASSERT_EQUAL(access(key_path(crew), F_OK), -1);
    mwt_crew_destroy(crew);
}

/* Without a home directory the sentence names the option. */
static void test_no_home(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *process = mwt_start(
        crew, &(struct mwt_start){.argv = MWT_ARGV(MWT_MWKEY, "create"),
                                  .environment = MWT_ARGV("HOME=", "XDG_CONFIG_HOME=x/y")});

    CU_ASSERT_EQUAL(mwt_await_end(process), 1);

    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(process, MWT_ERR), "name the key file with --file"));
    mwt_crew_destroy(crew);
}

/* Of commands at once, one rotates; the others hear that the old key must be dropped first, and the
 * file stays whole. */
static void test_two_at_once(void)
{
    enum { ROUNDS = 5, AT_ONCE = 4 };
    struct mwt_crew *crew = mwt_crew_create();
    check(crew, "create", 0, "");

    for (int round = 0; round < ROUNDS; round++) {
        struct mwt_process *processes[AT_ONCE];
        int done_count = 0;
        for (int i = 0; i < AT_ONCE; i++)
            processes[i] = start(crew, "rotate");
        for (int i = 0; i < AT_ONCE; i++)
            done_count += mwt_await_end(processes[i]) == 0;
        CU_ASSERT_EQUAL(done_count, 1);
        check(crew, "rotate --drop", 0, "");
    }

    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"life of a file", test_life_of_a_file},
        {"no key is printed", test_no_key_is_printed},
        {"wrong usage", test_wrong_usage},
        {"--file", test_file_option},
        {"no home", test_no_home},
        {"two at once", test_two_at_once},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("mwkey", tests);
}
