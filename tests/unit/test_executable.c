/* SPDX-License-Identifier: Apache-2.0
 *
 * The program that slaves run: the one that the user asks for, or the program itself as it was
 * started, even if its file was removed or replaced. Some cases run a copy of this program, which
 * says by its exit status whether all was right.
 */
#include "loop/executable.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_run.h"

/* NULL out of memory; then the test crashes. */
static struct mwi_executable *open_executable(const char *asked, int argc, char **argv)
{
    struct mwi_executable *executable = NULL;
    struct mwi_executable_settings settings = {.asked = asked, .argc = argc, .argv = argv};
    return mwi_executable_open(&executable, &settings) == MW_OK ? executable : NULL;
}

/* The path that is started now; "" with the sentence in *why if there is none. */
static const char *start_path(const struct mwi_executable *executable, mw_reason *why)
{
    const char *path = "";
    return mwi_executable_to_start(executable, &path, why) == MW_OK ? path : "";
}

/* A path that the user asked for is made absolute, and is not checked. */
static void test_asked(void)
{
    char name[] = "called", *argv[] = {name, NULL};
    char *folder = getcwd(NULL, 0), expected[4096];
    mw_reason why = {""};
    size_t count;
    snprintf(expected, sizeof expected, "%s/no/such program", folder);

    struct mwi_executable *executable = open_executable("no/such program", 1, argv);

    CU_ASSERT_STRING_EQUAL(mwi_executable_path(executable), expected);
    CU_ASSERT_STRING_EQUAL(start_path(executable, &why), expected);
    CU_ASSERT_STRING_EQUAL(mwi_executable_words(executable, &count)[0], "called");
    CU_ASSERT_EQUAL(count, 1);
    free(folder);
    mwi_executable_close(executable);
    mwi_executable_close(NULL);
}

/* Only a program that the user asked for is named with the option. */
static void test_option(void)
{
    struct mwi_executable *asked = open_executable("/p", 0, NULL);
    struct mwi_executable *own = open_executable(NULL, 0, NULL);
    mw_reason why = {"it fails"};

    mwi_executable_name_option(own, &why);
    CU_ASSERT_STRING_EQUAL(why.text, "it fails");
    mwi_executable_name_option(asked, &why);
    CU_ASSERT_STRING_EQUAL(why.text, "--mw-slave-executable: it fails");

    mwi_executable_close(own);
    mwi_executable_close(asked);
}

/* Otherwise it is this program, under its absolute path and the name by which it was called. */
static void test_own(void)
{
    struct mwi_executable *executable = open_executable(NULL, 0, NULL);
    const char *path = mwi_executable_path(executable);
    mw_reason why = {""};
    size_t count;

    CU_ASSERT_EQUAL(path[0], '/');
    CU_ASSERT_PTR_NOT_NULL(strstr(path, "/test_executable"));
    CU_ASSERT_STRING_EQUAL(start_path(executable, &why), path);
    CU_ASSERT_STRING_EQUAL(mwi_executable_words(executable, &count)[0], program_invocation_name);
    CU_ASSERT_EQUAL(count, 1);
    mwi_executable_close(executable);
}

/* Whether both paths lead to one file. */
static bool is_same_file(const char *path, const char *other)
{
    struct stat status, other_status;
    return stat(path, &status) == 0 && stat(other, &other_status) == 0 &&
           status.st_dev == other_status.st_dev && status.st_ino == other_status.st_ino;
}

/* Puts another file in the place of this one. */
static bool replace_file(const char *path)
{
    FILE *file = unlink(path) == 0 ? fopen(path, "w") : NULL;
    return file != NULL && fputs("another program", file) >= 0 && fclose(file) == 0;
}

/* In a copy of this program: its own file is removed, and then another one is in its place. It can
 * still be started, and is the same. */
static int be_removed(void)
{
    struct mwi_executable *executable = open_executable(NULL, 0, NULL);
    const char *path = mwi_executable_path(executable);
    mw_reason why;
    bool is_right = is_same_file(start_path(executable, &why), "/proc/self/exe");
    is_right = is_right && unlink(path) == 0;
    is_right = is_right && is_same_file(start_path(executable, &why), "/proc/self/exe");
    is_right = is_right && symlink("/dev/null", path) == 0 && replace_file(path);
    is_right = is_right && is_same_file(start_path(executable, &why), "/proc/self/exe");
    mwi_executable_close(executable);
    return is_right ? 0 : 1;
}

/* In a copy that a loader has started: a slave is started by the loader, too, but not once another
 * file is in the program's place. */
static int be_loaded(int argc, char **argv)
{
    struct mwi_executable *executable = open_executable(NULL, argc, argv);
    mw_reason why = {""};
    size_t count;
    char *const *words = mwi_executable_words(executable, &count);
    bool is_right = count == 2 && is_same_file(words[0], "/proc/self/exe") && words[1][0] == '/' &&
                    is_same_file(words[1], argv[0]);
    is_right = is_right && is_same_file(start_path(executable, &why), "/proc/self/exe");
    is_right = is_right && replace_file(argv[0]) && start_path(executable, &why)[0] == '\0' &&
               strstr(why.text, "has changed since the farm began") != NULL;
    mwi_executable_close(executable);
    return is_right ? 0 : 1;
}

/* In a copy: main has handed on `name` and the last two arguments. Whether the words in front are
 * all others. */
static bool are_in_front(int argc, char **argv, char *name)
{
    char *given[] = {name, argv[argc - 2], argv[argc - 1], NULL};
    struct mwi_executable *executable = open_executable(NULL, 3, given);
    size_t count;
    char *const *words = mwi_executable_words(executable, &count);
    bool is_right = count == (size_t)argc - 2;
    for (size_t i = 0; i < count && is_right; i++)
        is_right = strcmp(words[i], argv[i]) == 0;
    mwi_executable_close(executable);
    return is_right;
}

/* In a copy: a program with sub-commands hands on its arguments from the command on, and an
 * interpreter a name of its own. A plain program hands on its own name, and may have kept arguments
 * to itself. */
static int be_command(int argc, char **argv)
{
    char name[] = "script";
    bool is_right = are_in_front(argc, argv, argv[2]) && are_in_front(argc, argv, name) &&
                    !are_in_front(argc, argv, argv[0]);
    return is_right ? 0 : 1;
}

/* Runs a copy of this program with these arguments, by the loader if `is_loaded`. */
static void check_copy(bool is_loaded, const char *arguments)
{
    struct mwt_folder folder;
    struct mwi_executable *executable = open_executable(NULL, 0, NULL);
    char command[9000];
    Dl_info loader = {.dli_fname = ""};
    mwt_folder_create(&folder);
    const char *copy = mwt_folder_file(&folder, "copy");
    CU_ASSERT_NOT_EQUAL(dladdr((void *)(uintptr_t)getauxval(AT_BASE), &loader), 0);

    snprintf(command, sizeof command, "cp '%s' %s && %s %s %s", mwi_executable_path(executable),
             copy, is_loaded ? loader.dli_fname : "", copy, arguments);
    CU_ASSERT_EQUAL(system(command), 0);

    mwi_executable_close(executable);
    mwt_folder_destroy(&folder);
}

/* A program whose file was removed or replaced since it started is the one that slaves run. */
static void test_removed(void)
{
    check_copy(false, "removed");
}

/* A program that the loader has started is started by the loader. */
static void test_loader(void)
{
    check_copy(true, "loaded 1 2");
}

/* The words in front are all that stands before the arguments that main hands on. */
static void test_words(void)
{
    check_copy(false, "command run a b");
    check_copy(false, "command run a ''");
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "removed") == 0)
        return be_removed();
    if (argc > 1 && strcmp(argv[1], "loaded") == 0)
        return be_loaded(argc, argv);
    if (argc == 5 && strcmp(argv[1], "command") == 0)
        return be_command(argc, argv);
    CU_TestInfo tests[] = {
        {"asked", test_asked},     {"option", test_option}, {"own", test_own},
        {"removed", test_removed}, {"loader", test_loader}, {"words", test_words},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("executable", tests);
}
