/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps a master's resource file up to date. The strings in it are made when the room is opened;
 * each writing has a new time, status and number of slaves that are needed. The file is written
 * again when its interval has passed or that number has changed, but at the end only if no other
 * master has written it since.
 *
 * A new field is a field of struct mwi_resource, which mwi_announce_write fills.
 */
#include "loop/announce.h"

#include <assert.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "loop/executable.h"
#include "record/resource_file.h"

#define ARGUMENTS_MAX 7

/* The program's own libraries, as the loader has them. */
struct libraries {
    const char **paths;
    size_t count;
    bool has_failed; /* out of memory */
};

struct mwi_announce {
    char *path;
    char *member_id;
    char *executable;
    char *host; /* NULL if the transport has no address */
    char port[8];
    const char *arguments[ARGUMENTS_MAX];
    size_t arguments_count;
    const char *transport;
    int64_t interval_ns;
    int64_t due_ns;
    bool is_written;
    size_t slaves_needed;
    struct libraries libraries;
};

/* Libraries that every system has, or that must fit its kernel and C library, are not shipped. */
static bool is_of_the_system(const char *path)
{
    static const char *const names[] = {"ld-linux", "libc.so",       "libm.so",      "libdl.so",
                                        "librt.so", "libpthread.so", "libresolv.so", "linux-vdso"};
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static int add_library(struct dl_phdr_info *info, size_t size, void *context)
{
    struct libraries *libraries = context;
    (void)size;
    if (info->dlpi_name == NULL || info->dlpi_name[0] != '/' || is_of_the_system(info->dlpi_name))
        return 0;
    const char **paths = realloc(libraries->paths, (libraries->count + 1) * sizeof(const char *));
    char *path = strdup(info->dlpi_name);
    if (paths != NULL)
        libraries->paths = paths;
    if (paths == NULL || path == NULL) {
        free(path);
        libraries->has_failed = true;
        return 1;
    }
    libraries->paths[libraries->count++] = path;
    return 0;
}

static void free_libraries(struct libraries *libraries)
{
    for (size_t i = 0; i < libraries->count; i++)
        free((void *)(uintptr_t)libraries->paths[i]);
    free(libraries->paths);
}

/* Splits "HOST:PORT" or "[HOST]:PORT" into host and port; without a colon there is no address. */
static bool split_address(struct mwi_announce *announce, const char *bound)
{
    const char *colon = strrchr(bound, ':');
    if (colon == NULL)
        return true;
    const char *host = bound;
    size_t length = (size_t)(colon - bound);
    if (length >= 2 && bound[0] == '[') {
        host++;
        length -= strlen("[]");
    }
    announce->host = strndup(host, length);
    snprintf(announce->port, sizeof announce->port, "%.7s", colon + 1);
    return announce->host != NULL;
}

static void add_argument(struct mwi_announce *announce, const char *argument)
{
    assert(announce->arguments_count < ARGUMENTS_MAX);
    announce->arguments[announce->arguments_count++] = argument;
}

static void make_arguments(struct mwi_announce *announce, bool has_member_id)
{
    add_argument(announce, "--mw-slave");
    if (announce->host != NULL) {
        add_argument(announce, "--mw-master-host");
        add_argument(announce, announce->host);
        add_argument(announce, "--mw-master-port");
        add_argument(announce, announce->port);
    }
    if (has_member_id) {
        add_argument(announce, "--mw-member-id");
        add_argument(announce, announce->member_id);
    }
}

mw_error mwi_announce_open(struct mwi_announce **announce,
                           const struct mwi_announce_settings *settings, const char *transport,
                           const char *bound)
{
    *announce = NULL;
    if (settings->path == NULL)
        return MW_OK;
    struct mwi_announce *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return MW_ENOMEM;
    opened->path = strdup(settings->path);
    opened->member_id = strdup(settings->member_id);
    opened->executable = mwi_executable_path(settings->executable);
    opened->transport = transport;
    dl_iterate_phdr(add_library, &opened->libraries);
    opened->interval_ns = settings->interval_ns;
    if (opened->path == NULL || opened->member_id == NULL || opened->executable == NULL ||
        !split_address(opened, bound) || opened->libraries.has_failed) {
        mwi_announce_close(opened);
        return MW_ENOMEM;
    }
    make_arguments(opened, settings->has_member_id);
    *announce = opened;
    return MW_OK;
}

static int own_port(const struct mwi_announce *announce)
{
    return announce->host == NULL ? 0 : atoi(announce->port);
}

mw_error mwi_announce_write(struct mwi_announce *announce, struct mwi_loop *loop,
                            enum mwi_computation_status status, mw_reason *why)
{
    if (announce == NULL)
        return MW_OK;
    struct mwi_resource resource = {
        .computation_status = status,
        .timestamp_s = (int64_t)time(NULL),
        .member_id = announce->member_id,
        .update_interval_s = mwi_time_to_seconds(announce->interval_ns),
        .slaves_needed =
            status == MWI_COMPUTATION_IN_PROGRESS ? (int64_t)announce->slaves_needed : 0,
        .slave_executable = announce->executable,
        .shared_libraries = announce->libraries.paths,
        .shared_libraries_count = announce->libraries.count,
        .slave_arguments = announce->arguments,
        .slave_arguments_count = announce->arguments_count,
        .transport = announce->transport,
        .host = announce->host,
        .port = own_port(announce),
        .pid = getpid(),
        .protocol_version = MW_PROTOCOL_VERSION,
    };
    announce->due_ns = mwi_loop_now(loop) + announce->interval_ns;
    mw_error error = mwi_resource_file_write(announce->path, &resource, why);
    if (error == MW_OK) {
        announce->is_written = true;
        mwi_loop_audit(loop, (struct mwi_audit_record){.kind = MWI_AUDIT_RESFILE_WRITTEN,
                                                       .text = announce->path});
    }
    return error;
}

static void audit_problem(const struct mwi_announce *announce, struct mwi_loop *loop,
                          const mw_reason *why)
{
    mwi_loop_audit(loop, (struct mwi_audit_record){.kind = MWI_AUDIT_RESFILE_PROBLEM,
                                                   .text = announce->path,
                                                   .reason = why->text});
}

/* Whether the file, if there is one, is not what this master wrote. */
static bool is_of_another(const struct mwi_announce *announce)
{
    struct mwi_resource resource;
    mw_reason why;
    if (mwi_resource_file_read(announce->path, &resource, &why) != MW_OK)
        return false;
    bool is_same_host = announce->host == NULL || resource.host == NULL
                            ? announce->host == resource.host
                            : strcmp(announce->host, resource.host) == 0;
    bool is_ours = is_same_host && resource.port == own_port(announce) && resource.pid == getpid();
    mwi_resource_fini(&resource);
    return !is_ours;
}

void mwi_announce_end(struct mwi_announce *announce, struct mwi_loop *loop,
                      enum mwi_computation_status status)
{
    mw_reason why;
    mw_error error;
    if (announce == NULL || !announce->is_written)
        return;
    if (is_of_another(announce))
        error =
            mwi_resource_fail(&why, MW_ESTATE, announce->path, "it belongs to another master now");
    else
        error = mwi_announce_write(announce, loop, status, &why);
    if (error != MW_OK)
        audit_problem(announce, loop, &why);
}

void mwi_announce_need(struct mwi_announce *announce, size_t slaves_needed)
{
    if (announce == NULL || announce->slaves_needed == slaves_needed)
        return;
    announce->slaves_needed = slaves_needed;
    announce->due_ns = INT64_MIN;
}

void mwi_announce_tend(struct mwi_announce *announce, struct mwi_loop *loop)
{
    mw_reason why;
    if (announce == NULL || mwi_loop_now(loop) < announce->due_ns)
        return;
    if (mwi_announce_write(announce, loop, MWI_COMPUTATION_IN_PROGRESS, &why) != MW_OK)
        audit_problem(announce, loop, &why);
}

int64_t mwi_announce_deadline(const struct mwi_announce *announce)
{
    return announce == NULL ? INT64_MAX : announce->due_ns;
}

void mwi_announce_close(struct mwi_announce *announce)
{
    if (announce == NULL)
        return;
    free(announce->path);
    free(announce->member_id);
    free(announce->executable);
    free(announce->host);
    free_libraries(&announce->libraries);
    free(announce);
}
