/* SPDX-License-Identifier: Apache-2.0
 *
 * Completes the names of files: of the audit trail, and of the output of slaves. Invariant: a
 * pattern that was accepted can be expanded at any time, and the result does not depend on a
 * chdir() in between.
 *
 * A new % is a letter in mwi_file_pattern_check, in fail_usage and in print_expansion, and a
 * sentence in the help of the options.
 */
#include "options/file_pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"

#define HOST_BYTES 256

static mw_error fail_usage(mw_reason *why, const char *option, const char *text, const char *at)
{
    snprintf(why->text, sizeof why->text,
             "%s %.120s: \"%.2s\" is none of %%n (node), %%p (pid), %%h (host), %%m (member id) "
             "and %%%%",
             option, text, at);
    return MW_EUSAGE;
}

mw_error mwi_file_pattern_check(const char *option, const char *text, mw_reason *why)
{
    for (const char *at = strchr(text, '%'); at != NULL; at = strchr(at + 2, '%'))
        if (at[1] == '\0' || strchr("nphm%", at[1]) == NULL)
            return fail_usage(why, option, text, at);
    return MW_OK;
}

/* The text that was written to the stream of open_memstream; NULL out of memory. */
static char *close_text(FILE *stream, char **text)
{
    bool has_failed = ferror(stream) != 0;
    if (fclose(stream) == 0 && !has_failed)
        return *text;
    free(*text);
    return NULL;
}

bool mwi_file_pattern_has(const char *text, char letter)
{
    const char *at = strchr(text, '%');
    while (at != NULL && at[1] != letter)
        at = strchr(at + 2, '%');
    return at != NULL;
}

/* The folder of a relative name is the current one, with a slash at its end. An empty name, which
 * names no file, stays empty. */
static char *find_folder(const char *text)
{
    return text[0] == '/' || text[0] == '\0' ? strdup("") : mwi_path_absolute("");
}

/* A % in the name of the folder stands for itself. */
char *mwi_file_pattern_absolute(const char *text)
{
    char *absolute = NULL;
    size_t size = 0;
    char *folder = find_folder(text);
    FILE *stream = folder == NULL ? NULL : open_memstream(&absolute, &size);
    for (const char *at = folder; stream != NULL && *at != '\0'; at++) {
        if (*at == '%')
            putc('%', stream);
        putc(*at, stream);
    }
    free(folder);
    if (stream == NULL)
        return NULL;
    fputs(text, stream);
    return close_text(stream, &absolute);
}

mw_error mwi_file_pattern_init(struct mwi_file_pattern *pattern, const char *option,
                               const char *text, const char *member_id, mw_reason *why)
{
    *pattern = (struct mwi_file_pattern){0};
    mw_error error = mwi_file_pattern_check(option, text, why);
    if (error != MW_OK)
        return error;
    pattern->has_node = mwi_file_pattern_has(text, 'n');
    pattern->pattern = mwi_file_pattern_absolute(text);
    pattern->member_id = strdup(member_id == NULL ? "" : member_id);
    if (pattern->pattern != NULL && pattern->member_id != NULL)
        return MW_OK;
    mwi_file_pattern_fini(pattern);
    snprintf(why->text, sizeof why->text, "%s: out of memory", option);
    return MW_ENOMEM;
}

void mwi_file_pattern_fini(struct mwi_file_pattern *pattern)
{
    free(pattern->pattern);
    free(pattern->member_id);
    *pattern = (struct mwi_file_pattern){0};
}

static void get_host(char host[HOST_BYTES])
{
    host[HOST_BYTES - 1] = '\0';
    if (gethostname(host, HOST_BYTES - 1) != 0 || host[0] == '\0')
        strcpy(host, "unknown");
}

static void print_host(FILE *stream)
{
    char host[HOST_BYTES];
    get_host(host);
    fputs(host, stream);
}

static void print_node(FILE *stream, const char *node)
{
    char host[HOST_BYTES];
    if (node != NULL) {
        fputs(node, stream);
        return;
    }
    get_host(host);
    fprintf(stream, "slave-%s-%ld", host, (long)getpid());
}

static void print_member_id(FILE *stream, const char *member_id)
{
    for (; *member_id != '\0'; member_id++)
        putc(*member_id == '/' ? '_' : *member_id, stream);
}

static void print_expansion(FILE *stream, const struct mwi_file_pattern *pattern, char letter,
                            const char *node)
{
    switch (letter) {
    case 'n':
        print_node(stream, node);
        break;
    case 'p':
        fprintf(stream, "%ld", (long)getpid());
        break;
    case 'h':
        print_host(stream);
        break;
    case 'm':
        print_member_id(stream, pattern->member_id);
        break;
    default:
        putc('%', stream);
    }
}

char *mwi_file_pattern_expand(const struct mwi_file_pattern *pattern, const char *node)
{
    char *path = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&path, &size);
    if (stream == NULL)
        return NULL;
    for (const char *at = pattern->pattern; *at != '\0'; at++) {
        if (*at == '%')
            print_expansion(stream, pattern, *++at, node);
        else
            putc(*at, stream);
    }
    return close_text(stream, &path);
}
