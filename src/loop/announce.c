/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps a master's resource file up to date. face/master_open opens and starts it, face/master_loop
 * says how many slaves are needed, and the loop tends it as a chore. Most strings of the file are
 * made when it is opened; each writing has a new time, status and number of needed slaves. The file
 * is written again when its interval has passed or that number has changed.
 *
 * Invariants: once the file says that the farm has failed or is finished, it is not written again.
 * That last writing is left out if another master has written the file since. A new field is a
 * field of struct mwi_resource, which write_file fills.
 */
#include "loop/announce.h"

#include <assert.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"
#include "base/time.h"
#include "record/private_file.h"
#include "record/resource_file.h"

/* The most arguments that follow the words of the executable, see make_arguments. */
#define ARGUMENTS_MAX 9

/* The number of slaves that are needed may change all the time; the file is not written for it more
 * often than this. */
#define CHANGES_EVERY_NS MWI_NS_PER_S

/* The paths of the shared libraries that the program has loaded, without those of the system. */
struct libraries {
    const char **paths;
    size_t count;
    bool has_failed; /* out of memory */
};

struct mwi_announce {
    struct mwi_loop *loop;
    char *path;
    char *member_id;
    char *key_file; /* an absolute path, so that slaves may start anywhere; or NULL */
    const struct mwi_executable *executable;
    char *host; /* NULL if the transport has no address */
    char port[8];
    const char **arguments; /* borrowed from this struct and the executable */
    size_t arguments_count, arguments_max;
    const char *transport;
    struct mwi_keyring *keyring; /* NULL if connections are not encrypted */
    int64_t interval_ns;
    int64_t due_ns;
    bool is_written;
    bool is_finished; /* the farm has ended well: to be written at close */
    size_t slaves_needed;
    int64_t written_ns; /* when it was written the last time */
    struct libraries libraries;
    struct mwi_resource_file_last last; /* for a signal handler: writes that the farm has failed */
};

/* Whether the library is left out of the file: every system has it, or it must fit the kernel and
 * the C library of the machine. */
static bool is_of_the_system(const char *path)
{
    static const char *const names[] = {"ld-linux", "libc.so",       "libm.so",      "libdl.so",
                                        "librt.so", "libpthread.so", "libresolv.so", "linux-vdso"};
    const char *name = mwi_path_name(path);
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
    assert(announce->arguments_count < announce->arguments_max);
    announce->arguments[announce->arguments_count++] = argument;
}

/* All that a slave needs on the network but the key. */
static void add_network(struct mwi_announce *announce, bool is_insecure)
{
    add_argument(announce, "--mw-master-host");
    add_argument(announce, announce->host);
    add_argument(announce, "--mw-master-port");
    add_argument(announce, announce->port);
    if (is_insecure)
        add_argument(announce, "--mw-insecure");
    if (announce->key_file != NULL) {
        add_argument(announce, "--mw-key-file");
        add_argument(announce, announce->key_file);
    }
}

static bool make_arguments(struct mwi_announce *announce,
                           const struct mwi_announce_settings *settings)
{
    size_t words_count;
    char *const *words = mwi_executable_words(announce->executable, &words_count);
    announce->arguments_max = words_count + ARGUMENTS_MAX;
    announce->arguments = calloc(announce->arguments_max, sizeof *announce->arguments);
    if (announce->arguments == NULL)
        return false;
    for (size_t i = 1; i < words_count; i++)
        add_argument(announce, words[i]);
    add_argument(announce, "--mw-slave");
    if (announce->host != NULL)
        add_network(announce, settings->is_insecure);
    if (settings->has_member_id) {
        add_argument(announce, "--mw-member-id");
        add_argument(announce, announce->member_id);
    }
    return true;
}

static int own_port(const struct mwi_announce *announce)
{
    return announce->host == NULL ? 0 : atoi(announce->port);
}

/* Slaves need the key only as long as the farm runs. */
static const mw_tcp_key *key_of(const struct mwi_announce *announce,
                                enum mwi_computation_status status)
{
    if (announce->keyring == NULL || status != MWI_COMPUTATION_IN_PROGRESS)
        return NULL;
    return mwi_keyring_farm_key(announce->keyring);
}

/* The contents of the file with this status. */
static struct mwi_resource describe(const struct mwi_announce *announce,
                                    enum mwi_computation_status status)
{
    return (struct mwi_resource){
        .computation_status = status,
        .timestamp_s = (int64_t)time(NULL),
        .member_id = announce->member_id,
        .update_interval_s = mwi_time_to_seconds(announce->interval_ns),
        .slaves_needed =
            status == MWI_COMPUTATION_IN_PROGRESS ? (int64_t)announce->slaves_needed : 0,
        .slave_executable = mwi_executable_path(announce->executable),
        .shared_libraries = announce->libraries.paths,
        .shared_libraries_count = announce->libraries.count,
        .slave_arguments = announce->arguments,
        .slave_arguments_count = announce->arguments_count,
        .transport = announce->transport,
        .host = announce->host,
        .port = own_port(announce),
        .pid = getpid(),
        .protocol_version = MW_PROTOCOL_VERSION,
        .encryption = announce->keyring != NULL ? MWI_ENCRYPTION_TLS : MWI_ENCRYPTION_NONE,
        .key = key_of(announce, status),
    };
}

static mw_error write_file(struct mwi_announce *announce, enum mwi_computation_status status,
                           mw_reason *why)
{
    struct mwi_resource resource = describe(announce, status);
    announce->written_ns = mwi_loop_now(announce->loop);
    announce->due_ns = announce->written_ns + announce->interval_ns;
    mw_error error = mwi_resource_file_write(announce->path, &resource, why);
    if (error == MW_OK) {
        announce->is_written = true;
        mwi_resource_file_note(&announce->last);
        mwi_loop_audit(announce->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_RESFILE_WRITTEN,
                                                                 .path = announce->path});
    }
    return error;
}

static void audit_problem(const struct mwi_announce *announce, const mw_reason *why)
{
    mwi_loop_audit(announce->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_RESFILE_PROBLEM,
                                                             .path = announce->path,
                                                             .reason = why->text});
}

/* Whether the file, if there is one, was written by another master. */
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

/* Writes the file for the last time, unless it never was written. */
static void write_end(struct mwi_announce *announce, enum mwi_computation_status status)
{
    mw_reason why;
    mw_error error;
    if (!announce->is_written)
        return;
    if (is_of_another(announce))
        error = mwi_private_file_fail(&why, MW_ESTATE, MWI_RESOURCE_KIND, announce->path,
                                      "it belongs to another master now");
    else
        error = write_file(announce, status, &why);
    announce->due_ns = INT64_MAX;
    mwi_resource_file_fini_last(&announce->last);
    if (error != MW_OK)
        audit_problem(announce, &why);
}

static void tend(void *context, int64_t now_ns)
{
    struct mwi_announce *announce = context;
    mw_reason why;
    if (now_ns >= announce->due_ns &&
        write_file(announce, MWI_COMPUTATION_IN_PROGRESS, &why) != MW_OK)
        audit_problem(announce, &why);
}

static int64_t deadline(const void *context)
{
    return ((const struct mwi_announce *)context)->due_ns;
}

/* Writes a failure at once, and not at close: whoever ends the master may kill it before that. */
static void stop(void *context, bool is_finished)
{
    struct mwi_announce *announce = context;
    announce->is_finished = is_finished;
    announce->slaves_needed = 0;
    if (!is_finished)
        write_end(announce, MWI_COMPUTATION_FAILED);
}

static void free_announce(struct mwi_announce *announce)
{
    free(announce->path);
    free(announce->member_id);
    free(announce->key_file);
    free(announce->arguments);
    free(announce->host);
    free_libraries(&announce->libraries);
    mwi_resource_file_fini_last(&announce->last);
    free(announce);
}

static void close_announce(void *context, int64_t deadline_ns)
{
    struct mwi_announce *announce = context;
    (void)deadline_ns;
    if (announce->is_finished)
        write_end(announce, MWI_COMPUTATION_FINISHED);
    free_announce(announce);
}

static mw_error fail_memory(mw_reason *why)
{
    snprintf(why->text, sizeof why->text, "%s", mw_error_text(MW_ENOMEM));
    return MW_ENOMEM;
}

mw_error mwi_announce_open(struct mwi_announce **announce, struct mwi_loop *loop,
                           const struct mwi_announce_settings *settings,
                           const struct mwi_executable *executable, const char *transport,
                           const char *bound, struct mwi_keyring *keyring, mw_reason *why)
{
    *announce = NULL;
    if (settings->path == NULL)
        return MW_OK;
    struct mwi_announce *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return fail_memory(why);
    opened->loop = loop;
    opened->due_ns = INT64_MAX;
    mw_error error = mwi_resource_file_locate(settings->path, &opened->path, why);
    opened->member_id = strdup(settings->member_id);
    if (settings->key_file != NULL)
        opened->key_file = mwi_path_absolute(settings->key_file);
    opened->executable = executable;
    opened->transport = transport;
    opened->keyring = keyring;
    dl_iterate_phdr(add_library, &opened->libraries);
    opened->interval_ns = settings->interval_ns;
    bool has_key_file = (opened->key_file != NULL) == (settings->key_file != NULL);
    if (opened->member_id == NULL || !has_key_file || !split_address(opened, bound) ||
        opened->libraries.has_failed || !make_arguments(opened, settings))
        error = error != MW_OK ? error : fail_memory(why);
    if (error == MW_OK && keyring != NULL && !mwi_keyring_remember_farm(keyring, opened->path))
        error = fail_memory(why);
    if (error != MW_OK) {
        free_announce(opened);
        return error;
    }
    mwi_chores_add(mwi_loop_chores(loop), &(struct mwi_chore_entry){.context = opened,
                                                                    .tend = tend,
                                                                    .deadline = deadline,
                                                                    .stop = stop,
                                                                    .close = close_announce});
    *announce = opened;
    return MW_OK;
}

mw_error mwi_announce_start(struct mwi_announce *announce, mw_reason *why)
{
    if (announce == NULL)
        return MW_OK;
    mw_error error = write_file(announce, MWI_COMPUTATION_IN_PROGRESS, why);
    if (error != MW_OK)
        return error;
    mw_reason warning;
    if (mwi_resource_file_warn(announce->path, &warning))
        audit_problem(announce, &warning);
    struct mwi_resource failed = describe(announce, MWI_COMPUTATION_FAILED);
    return mwi_resource_file_prepare(&announce->last, announce->path, &failed, why);
}

void mwi_announce_fail_now(const void *announce)
{
    mwi_resource_file_write_last(&((const struct mwi_announce *)announce)->last);
}

void mwi_announce_need(struct mwi_announce *announce, size_t slaves_needed)
{
    if (announce == NULL || announce->slaves_needed == slaves_needed)
        return;
    announce->slaves_needed = slaves_needed;
    announce->due_ns = mwi_time_earlier(announce->due_ns, announce->written_ns + CHANGES_EVERY_NS);
}
