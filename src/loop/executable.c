/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the program that slaves run, for local.c, which starts it, and for announce.c, which writes
 * it into the resource file. face/master_open opens it. Invariants:
 *
 * - A path that the user asked for is passed on and not checked, since it may be a path of another
 *   machine; local.c reports if it cannot be run.
 * - All slaves of a farm run the same program. The kernel keeps the file of this process. Any other
 *   file is remembered when the farm is opened, and not started once another one is in its place.
 * - Only Linux's /proc and auxiliary vector are known here: another system needs another way to
 *   find this program's own path and command line.
 */
#include "loop/executable.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/path.h"

/* A symbolic link of the kernel's that leads to the file even if its path is gone. */
#define OWN_FILE "/proc/self/exe"
#define COMMAND_LINE "/proc/self/cmdline"
#define READ_BYTES 4096

struct mwi_executable {
    char *path;    /* "": not found */
    bool is_asked; /* --mw-slave-executable names it */
    bool is_kept;  /* the kernel has the file, whatever becomes of the path */
    char **words;  /* each an own string */
    size_t words_count;
    const char *watched; /* a file that must stay what it was; NULL: there is none */
    struct stat was;
};

static bool is_same(const struct stat *status, const struct stat *other)
{
    return status->st_dev == other->st_dev && status->st_ino == other->st_ino;
}

static bool is_regular(const char *path, struct stat *status)
{
    return stat(path, status) == 0 && S_ISREG(status->st_mode);
}

/* The command line of this process, as the kernel has it. */
struct command_line {
    struct mwi_buffer text;
    char **words; /* they lie in the text */
    size_t words_count;
};

/* Leaves the text empty if the system does not tell. */
static void read_text(struct mwi_buffer *text)
{
    char bytes[READ_BYTES];
    ssize_t size;
    int fd = open(COMMAND_LINE, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (size = read(fd, bytes, sizeof bytes)) > 0)
        mwi_buffer_append(text, bytes, (size_t)size);
    if (fd >= 0)
        close(fd);
}

/* Each word is ended by a NUL. False out of memory. */
static bool read_command_line(struct command_line *line)
{
    size_t count = 0;
    mwi_buffer_init(&line->text);
    read_text(&line->text);
    for (size_t i = 0; i < line->text.size; i++)
        count += line->text.data[i] == '\0';
    line->words_count = 0;
    line->words = calloc(count + 1, sizeof *line->words);
    if (line->words == NULL || line->text.has_failed)
        return false;
    char *at = (char *)line->text.data;
    for (; line->words_count < count; at += strlen(at) + 1)
        line->words[line->words_count++] = at;
    return true;
}

static void free_command_line(struct command_line *line)
{
    mwi_buffer_fini(&line->text);
    free(line->words);
}

/* Whether the command line ends with the arguments of main. argv[0] is not compared, since an
 * interpreter may put any text there. */
static bool ends_with(const struct command_line *line, int argc, char **argv)
{
    size_t tail = (size_t)argc - 1;
    if (tail >= line->words_count)
        return false;
    char **at = line->words + line->words_count - tail;
    for (size_t i = 0; i < tail; i++)
        if (strcmp(at[i], argv[i + 1]) != 0)
            return false;
    return true;
}

/* The number of words of the command line that stand before a slave's options; 0: unknown. It is 1
 * for a plain program: arguments that such a program takes away before it calls mw_main are not
 * handed to its slaves. */
static size_t count_front(const struct command_line *line,
                          const struct mwi_executable_settings *settings, const char *name)
{
    if (line->words_count > 0 && strcmp(line->words[0], name) == 0)
        return 1;
    if (settings->argc > 0 && ends_with(line, settings->argc, settings->argv))
        return line->words_count - (size_t)(settings->argc - 1);
    for (size_t i = 0; i < line->words_count; i++)
        if (strcmp(line->words[i], name) == 0)
            return i + 1;
    return 0;
}

/* Copies the words. Files behind the first one get absolute paths: a loader or an interpreter looks
 * for them again. */
static bool copy_words(struct mwi_executable *executable, char *const *words, size_t count)
{
    struct stat status;
    executable->words = calloc(count + 1, sizeof *executable->words);
    for (size_t i = 0; i < count && executable->words != NULL; i++) {
        bool is_file = i > 0 && is_regular(words[i], &status);
        char *word = is_file ? mwi_path_absolute(words[i]) : strdup(words[i]);
        if (word == NULL)
            return false;
        executable->words[executable->words_count++] = word;
    }
    return executable->words != NULL;
}

static bool find_words(struct mwi_executable *executable,
                       const struct mwi_executable_settings *settings)
{
    struct command_line line;
    bool has_arguments = settings->argc > 0;
    char *name = has_arguments ? settings->argv[0] : program_invocation_name;
    if (executable->is_asked)
        return copy_words(executable, has_arguments ? &name : &executable->path, 1);
    bool is_found = read_command_line(&line);
    if (is_found) {
        size_t count = count_front(&line, settings, name);
        is_found = count > 0 ? copy_words(executable, line.words, count)
                             : copy_words(executable, &name, 1);
    }
    free_command_line(&line);
    return is_found;
}

/* Whether the path is that of the dynamic loader, which cannot be started without a program. */
static bool is_loader(const char *path)
{
    const char *name = mwi_path_name(path);
    return strncmp(name, "ld-", strlen("ld-")) == 0 || strncmp(name, "ld.so", strlen("ld.so")) == 0;
}

/* The path by which the kernel was told to run this program, or argv[0], if it is a file that can
 * be run; else "". */
static char *guess_path(const struct mwi_executable_settings *settings)
{
    uintptr_t told = getauxval(AT_EXECFN);
    const char *candidates[] = {(const char *)told, settings->argc > 0 ? settings->argv[0] : NULL};
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        struct stat status;
        const char *path = candidates[i];
        if (path != NULL && !is_loader(path) && strchr(path, '/') != NULL &&
            is_regular(path, &status) && access(path, X_OK) == 0)
            return mwi_path_absolute(path);
    }
    return strdup("");
}

static char *find_path(struct mwi_executable *executable,
                       const struct mwi_executable_settings *settings)
{
    char path[PATH_MAX];
    struct stat named, own;
    if (executable->is_asked)
        return mwi_path_absolute(settings->asked);
    ssize_t size = readlink(OWN_FILE, path, sizeof path - 1);
    if (size <= 0)
        return guess_path(settings);
    path[size] = '\0';
    /* An emulator, such as valgrind, makes the link lead to the program and not to itself. */
    executable->is_kept =
        stat(path, &named) != 0 || (stat(OWN_FILE, &own) == 0 && is_same(&named, &own));
    return strdup(path);
}

/* Remembers the file that slaves run, if the kernel does not keep it for this process: the program
 * that a loader or an interpreter reads, or a program whose path was guessed. */
static void watch_file(struct mwi_executable *executable)
{
    const char *path = executable->is_kept ? "" : executable->path;
    if (executable->words_count > 1)
        path = executable->words[executable->words_count - 1];
    if (!executable->is_asked && is_regular(path, &executable->was))
        executable->watched = path;
}

mw_error mwi_executable_open(struct mwi_executable **executable,
                             const struct mwi_executable_settings *settings)
{
    struct mwi_executable *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return MW_ENOMEM;
    opened->is_asked = settings->asked != NULL;
    opened->path = find_path(opened, settings);
    if (opened->path == NULL || !find_words(opened, settings)) {
        mwi_executable_close(opened);
        return MW_ENOMEM;
    }
    watch_file(opened);
    *executable = opened;
    return MW_OK;
}

void mwi_executable_close(struct mwi_executable *executable)
{
    if (executable == NULL)
        return;
    for (size_t i = 0; i < executable->words_count; i++)
        free(executable->words[i]);
    free(executable->words);
    free(executable->path);
    free(executable);
}

const char *mwi_executable_path(const struct mwi_executable *executable)
{
    return executable->path;
}

char *const *mwi_executable_words(const struct mwi_executable *executable, size_t *count)
{
    assert(executable->words_count > 0);
    *count = executable->words_count;
    return executable->words;
}

static bool has_changed(const struct mwi_executable *executable)
{
    struct stat status;
    const struct stat *was = &executable->was;
    return !is_regular(executable->watched, &status) || !is_same(&status, was) ||
           status.st_size != was->st_size || status.st_mtim.tv_sec != was->st_mtim.tv_sec ||
           status.st_mtim.tv_nsec != was->st_mtim.tv_nsec;
}

/* Whether the path still leads to the file that the kernel keeps for this process. */
static bool is_in_place(const struct mwi_executable *executable)
{
    struct stat named, own;
    return stat(executable->path, &named) == 0 && stat(OWN_FILE, &own) == 0 &&
           is_same(&named, &own);
}

mw_error mwi_executable_to_start(const struct mwi_executable *executable, const char **path,
                                 mw_reason *why)
{
    if (executable->path[0] == '\0') {
        snprintf(why->text, sizeof why->text,
                 "cannot find this program's own file, since /proc is missing: name the program "
                 "that slaves run by --mw-slave-executable");
        return MW_EIO;
    }
    if (executable->watched != NULL && has_changed(executable)) {
        snprintf(why->text, sizeof why->text,
                 "cannot start the slave: %.300s has changed since the farm began",
                 executable->watched);
        return MW_EIO;
    }
    bool is_gone = executable->is_kept && !is_in_place(executable);
    *path = is_gone ? OWN_FILE : executable->path;
    return MW_OK;
}

void mwi_executable_name_option(const struct mwi_executable *executable, mw_reason *why)
{
    mw_reason named;
    if (!executable->is_asked)
        return;
    snprintf(named.text, sizeof named.text, "--mw-slave-executable: %.450s", why->text);
    *why = named;
}
