/* SPDX-License-Identifier: Apache-2.0
 *
 * The command mwkey: shows, makes and changes the user's key file, see docs/man/mwkey.1.in. All
 * work on the file is done by record/key_file.c, which is compiled into this program, so that the
 * form of the file lives once. Invariant: no byte of a key is ever printed.
 *
 * A new command is a row of `commands`.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/secret.h"
#include "record/key_file.h"

#define USAGE "usage: mwkey [--file FILE] show | create | rotate [--drop]"

#define EXIT_USAGE 2

struct request {
    const char *command;
    const char *path; /* NULL: the default one */
    bool must_drop;
    bool needs_help;
};

/* Does a command on the file at `path`. */
typedef mw_error command_function(const struct request *request, const char *path, mw_reason *why);

static int fail_usage(const char *problem, const char *word)
{
    fprintf(stderr, "mwkey: %s%s; %s\n", problem, word, USAGE);
    return EXIT_USAGE;
}

static int fail(const mw_reason *why)
{
    fprintf(stderr, "mwkey: %s\n", why->text);
    return EXIT_FAILURE;
}

static void print_list(const char *path, const struct mwi_key_list *list)
{
    struct stat status;
    printf("%s", path);
    if (stat(path, &status) == 0)
        printf(" (mode %04o)", (unsigned)(status.st_mode & 07777));
    printf("\n  %s  is proved by slaves, and taken by masters\n", list->keys[0].name);
    for (size_t i = 1; i < list->count; i++)
        printf("  %s  is still taken by masters, until mwkey rotate --drop\n", list->keys[i].name);
}

static mw_error show(const struct request *request, const char *path, mw_reason *why)
{
    struct mwi_secret secret;
    (void)request;
    if (!mwi_secret_init(&secret, sizeof(struct mwi_key_list))) {
        snprintf(why->text, sizeof why->text, "out of memory");
        return MW_ENOMEM;
    }
    mw_error error = mwi_key_file_read(path, secret.data, why);
    if (error == MW_OK)
        print_list(path, secret.data);
    mwi_secret_fini(&secret);
    return error;
}

static mw_error create(const struct request *request, const char *path, mw_reason *why)
{
    bool is_new;
    mw_error error = mwi_key_file_create(path, &is_new, why);
    if (error != MW_OK)
        return error;
    if (!is_new)
        printf("it is there already:\n");
    return show(request, path, why);
}

static mw_error rotate(const struct request *request, const char *path, mw_reason *why)
{
    mw_error error =
        request->must_drop ? mwi_key_file_drop(path, why) : mwi_key_file_rotate(path, why);
    return error == MW_OK ? show(request, path, why) : error;
}

static const struct {
    const char *name;
    command_function *run;
} commands[] = {{"show", show}, {"create", create}, {"rotate", rotate}};

static command_function *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run;
    return NULL;
}

/* Reads the word `*index` of the command line, and the value behind it. Returns 0, or the exit
 * status of a wrong usage. */
static int take_word(struct request *request, int argc, char **argv, int *index)
{
    static const char file[] = "--file=";
    const char *word = argv[*index];
    if (strcmp(word, "--help") == 0) {
        request->needs_help = true;
    } else if (strcmp(word, "--drop") == 0) {
        request->must_drop = true;
    } else if (strncmp(word, file, sizeof file - 1) == 0) {
        request->path = word + sizeof file - 1;
    } else if (strcmp(word, "--file") == 0) {
        if (*index + 1 == argc)
            return fail_usage("--file lacks its value", "");
        request->path = argv[++*index];
    } else if (word[0] == '-') {
        return fail_usage("unknown option: ", word);
    } else if (request->command != NULL) {
        return fail_usage("one command is enough: ", word);
    } else {
        request->command = word;
    }
    return 0;
}

static int check_request(const struct request *request)
{
    if (request->command == NULL)
        return fail_usage("a command is missing", "");
    if (find_command(request->command) == NULL)
        return fail_usage("unknown command: ", request->command);
    if (request->must_drop && strcmp(request->command, "rotate") != 0)
        return fail_usage("--drop belongs to rotate, not to ", request->command);
    return request->path != NULL && request->path[0] == '\0'
               ? fail_usage("--file lacks its value", "")
               : 0;
}

static mw_error default_path(char **path, mw_reason *why)
{
    mw_error error =
        mwi_key_file_default_path(getenv("XDG_CONFIG_HOME"), getenv("HOME"), path, why);
    if (error == MW_EUNAVAILABLE)
        snprintf(why->text, sizeof why->text,
                 "neither HOME nor XDG_CONFIG_HOME is an absolute path: name the key file with "
                 "--file");
    return error;
}

static int run(const struct request *request)
{
    mw_reason why = {""};
    char *path = NULL;
    mw_error error = MW_OK;
    if (request->path == NULL)
        error = default_path(&path, &why);
    if (error == MW_OK)
        error = find_command(request->command)(request, path != NULL ? path : request->path, &why);
    free(path);
    if (error != MW_OK)
        return fail(&why);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct request request = {.command = NULL};
    for (int i = 1; i < argc; i++) {
        int status = take_word(&request, argc, argv, &i);
        if (status != 0)
            return status;
    }
    if (request.needs_help) {
        puts(USAGE);
        return EXIT_SUCCESS;
    }
    int status = check_request(&request);
    return status != 0 ? status : run(&request);
}
