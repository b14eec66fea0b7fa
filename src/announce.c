/* SPDX-License-Identifier: Apache-2.0
 *
 * The strings are made once; each writing has a new time and status.
 */
#include "announce.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "resource_file.h"

#define ARGUMENTS_MAX 7

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
};

static char *executable_path(const mw_options *options)
{
    char path[PATH_MAX];
    const char *asked = mwi_options_text(options, MWI_OPTION_SLAVE_EXECUTABLE);
    if (asked != NULL)
        return strdup(asked);
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    return strndup(size < 0 ? "" : path, size < 0 ? 0 : (size_t)size);
}

/* "HOST:PORT" or "[HOST]:PORT" -> host and port. */
static bool split_address(struct mwi_announce *announce, const char *bound)
{
    const char *colon = strrchr(bound, ':');
    if (colon == NULL)
        return true;
    size_t size = (size_t)(colon - bound);
    bool is_bracketed = size >= 2 && bound[0] == '[';
    announce->host = strndup(bound + is_bracketed, size - 2 * (size_t)is_bracketed);
    snprintf(announce->port, sizeof announce->port, "%.7s", colon + 1);
    return announce->host != NULL;
}

static void add_argument(struct mwi_announce *announce, const char *argument)
{
    announce->arguments[announce->arguments_count++] = argument;
}

static void make_arguments(struct mwi_announce *announce, const mw_options *options)
{
    add_argument(announce, "--mw-slave");
    if (announce->host != NULL) {
        add_argument(announce, "--mw-master-host");
        add_argument(announce, announce->host);
        add_argument(announce, "--mw-master-port");
        add_argument(announce, announce->port);
    }
    if (mwi_options_is_set(options, MWI_OPTION_MEMBER_ID)) {
        add_argument(announce, "--mw-member-id");
        add_argument(announce, announce->member_id);
    }
}

mw_error mwi_announce_open(struct mwi_announce **announce, const mw_options *options,
                           const char *transport, const char *bound)
{
    const char *path = mwi_options_text(options, MWI_OPTION_RESOURCE_FILE);
    *announce = NULL;
    if (path == NULL)
        return MW_OK;
    struct mwi_announce *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return MW_ENOMEM;
    opened->path = strdup(path);
    opened->member_id = strdup(mwi_options_text(options, MWI_OPTION_MEMBER_ID));
    opened->executable = executable_path(options);
    opened->transport = transport;
    opened->interval_ns =
        mwi_options_duration_ns(options, MWI_OPTION_RESOURCE_FILE_UPDATE_INTERVAL);
    if (opened->path == NULL || opened->member_id == NULL || opened->executable == NULL ||
        !split_address(opened, bound)) {
        mwi_announce_close(opened);
        return MW_ENOMEM;
    }
    make_arguments(opened, options);
    *announce = opened;
    return MW_OK;
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
        .update_interval_s = (double)announce->interval_ns / 1e9,
        .slave_executable = announce->executable,
        .slave_arguments = announce->arguments,
        .slave_arguments_count = announce->arguments_count,
        .transport = announce->transport,
        .host = announce->host,
        .port = announce->host == NULL ? 0 : atoi(announce->port),
        .pid = getpid(),
        .protocol_version = MW_PROTOCOL_VERSION,
    };
    announce->due_ns = mwi_loop_now(loop) + announce->interval_ns;
    mw_error error = mwi_resource_file_write(announce->path, &resource, why);
    if (error == MW_OK)
        mwi_loop_audit(loop, (struct mwi_audit_record){.kind = MWI_AUDIT_RESFILE_WRITTEN,
                                                       .text = announce->path});
    return error;
}

void mwi_announce_tend(struct mwi_announce *announce, struct mwi_loop *loop)
{
    mw_reason why;
    if (announce == NULL || mwi_loop_now(loop) < announce->due_ns)
        return;
    if (mwi_announce_write(announce, loop, MWI_COMPUTATION_IN_PROGRESS, &why) != MW_OK)
        mwi_loop_audit(loop, (struct mwi_audit_record){.kind = MWI_AUDIT_RESFILE_PROBLEM,
                                                       .text = announce->path,
                                                       .reason = why.text});
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
    free(announce);
}
