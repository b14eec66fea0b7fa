/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the audit trail. The loop writes records here and flushes around each wait; the face opens
 * and closes the trail. audit.c formats the lines.
 *
 * Invariants: the trail is in one of three states, and never goes back. NAMELESS: the file's name
 * is not complete, lines wait in the buffer. WRITING. STOPPED: nobody wants the trail, or it
 * failed; the buffer stays empty. The buffer holds whole lines, each with its newline, so that one
 * write() does not tear the lines of other processes in the same file.
 *
 * A new % of the pattern is a letter in check_pattern, in fail_usage and in print_expansion, and a
 * sentence in the option's help.
 */
#include "record/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"

#define OPTION "--mw-audit-file"
#define BUFFER_BYTES 65536
#define HOST_BYTES 256

enum trail_state { TRAIL_NAMELESS, TRAIL_WRITING, TRAIL_STOPPED };

struct mwi_audit_file {
    enum trail_state state;
    uint64_t kinds;
    int fd;
    bool is_json;
    bool is_simulated;
    int64_t wall_offset_ns;
    /* The values that complete the name, and the name; NULL for standard error. */
    char *pattern;
    char *member_id;
    char *path;
    /* The stamp of the last line's second. Making one takes longer than the rest of a line. */
    int64_t stamp_second;
    char stamp[32];
    size_t used;
    char *buffer;
};

static mw_error fail_usage(mw_reason *why, const char *pattern, const char *at)
{
    snprintf(why->text, sizeof why->text,
             OPTION " %.120s: \"%.2s\" is none of %%n (node), %%p (pid), %%h (host), %%m (member "
                    "id) and %%%%",
             pattern, at);
    return MW_EUSAGE;
}

static mw_error fail_memory(mw_reason *why)
{
    snprintf(why->text, sizeof why->text, OPTION ": out of memory");
    return MW_ENOMEM;
}

/* Checks the pattern, and finds out whether it has a %n. */
static mw_error check_pattern(const char *pattern, bool *has_node, mw_reason *why)
{
    *has_node = false;
    for (const char *at = strchr(pattern, '%'); at != NULL; at = strchr(at + 2, '%')) {
        if (at[1] == '\0' || strchr("nphm%", at[1]) == NULL)
            return fail_usage(why, pattern, at);
        *has_node = *has_node || at[1] == 'n';
    }
    return MW_OK;
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

static void print_member_id(FILE *stream, const char *member_id)
{
    for (; *member_id != '\0'; member_id++)
        putc(*member_id == '/' ? '_' : *member_id, stream);
}

static void print_expansion(FILE *stream, const struct mwi_audit_file *file, char letter,
                            const char *node)
{
    switch (letter) {
    case 'n':
        fputs(node, stream);
        break;
    case 'p':
        fprintf(stream, "%ld", (long)getpid());
        break;
    case 'h':
        print_host(stream);
        break;
    case 'm':
        print_member_id(stream, file->member_id);
        break;
    default:
        putc('%', stream);
    }
}

/* Makes a path from the pattern, which was checked. The path is malloc'd; NULL out of memory. */
static char *expand_pattern(const struct mwi_audit_file *file, const char *node)
{
    char *path = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&path, &size);
    if (stream == NULL)
        return NULL;
    for (const char *at = file->pattern; *at != '\0'; at++) {
        if (*at == '%')
            print_expansion(stream, file, *++at, node);
        else
            putc(*at, stream);
    }
    bool has_failed = ferror(stream) != 0;
    if (fclose(stream) == 0 && !has_failed)
        return path;
    free(path);
    return NULL;
}

static mw_error open_path(struct mwi_audit_file *file, const char *node, mw_reason *why)
{
    file->path = expand_pattern(file, node);
    if (file->path == NULL)
        return fail_memory(why);
    file->fd = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    if (file->fd < 0) {
        snprintf(why->text, sizeof why->text, OPTION " %.120s: %s", file->path, strerror(errno));
        return MW_EIO;
    }
    file->state = TRAIL_WRITING;
    return MW_OK;
}

static mw_error set_up_file(struct mwi_audit_file *file, const struct mwi_audit_settings *settings,
                            mw_reason *why)
{
    bool has_node;
    mw_error error = check_pattern(settings->pattern, &has_node, why);
    if (error != MW_OK)
        return error;
    file->pattern = strdup(settings->pattern);
    file->member_id = strdup(settings->member_id != NULL ? settings->member_id : "");
    if (file->pattern == NULL || file->member_id == NULL)
        return fail_memory(why);
    if (has_node && settings->node == NULL)
        return MW_OK;
    return open_path(file, settings->node, why);
}

/* Finds out where to write, if anywhere. */
static mw_error set_up(struct mwi_audit_file *file, const struct mwi_audit_settings *settings,
                       mw_reason *why)
{
    if (file->kinds == 0) {
        file->state = TRAIL_STOPPED;
        return MW_OK;
    }
    file->buffer = malloc(BUFFER_BYTES);
    if (file->buffer == NULL)
        return fail_memory(why);
    if (settings->pattern != NULL)
        return set_up_file(file, settings, why);
    file->fd = STDERR_FILENO;
    file->state = TRAIL_WRITING;
    return MW_OK;
}

/* Returns the result of close(), since an error of writing may come this late. */
static int close_fd(struct mwi_audit_file *file)
{
    int status = 0;
    if (file->path != NULL && file->fd >= 0)
        status = close(file->fd);
    file->fd = -1;
    return status;
}

static void destroy_file(struct mwi_audit_file *file)
{
    close_fd(file);
    free(file->pattern);
    free(file->member_id);
    free(file->path);
    free(file->buffer);
    free(file);
}

mw_error mwi_audit_file_open(struct mwi_audit_file **file,
                             const struct mwi_audit_settings *settings, mw_reason *why)
{
    struct mwi_audit_file *opened = malloc(sizeof *opened);
    if (opened == NULL)
        return fail_memory(why);
    *opened = (struct mwi_audit_file){
        .state = TRAIL_NAMELESS,
        .kinds = mwi_audit_kinds(settings->level),
        .fd = -1,
        .is_json = settings->is_json,
        .is_simulated = settings->is_simulated,
        .stamp_second = INT64_MIN,
    };
    mw_error error = set_up(opened, settings, why);
    if (error != MW_OK) {
        destroy_file(opened);
        return error;
    }
    *file = opened;
    return MW_OK;
}

void mwi_audit_file_set_offset(struct mwi_audit_file *file, int64_t wall_offset_ns)
{
    file->wall_offset_ns = wall_offset_ns;
}

/* A warning that cannot be written is lost: there is no other place for it. */
static void warn(const char *line, int length)
{
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
}

/* Ends the trail. If standard error failed, a warning there would fail too. */
static void stop(struct mwi_audit_file *file, int error)
{
    if (file->path != NULL) {
        char line[512];
        int length = snprintf(line, sizeof line,
                              "mw: audit file %.300s: %s; the audit trail stops here, the farm "
                              "goes on\n",
                              file->path, strerror(error));
        warn(line, length);
    }
    close_fd(file);
    file->state = TRAIL_STOPPED;
    file->used = 0;
}

void mwi_audit_file_name(struct mwi_audit_file *file, const char *node)
{
    if (file->state != TRAIL_NAMELESS)
        return;

    mw_reason why;
    if (open_path(file, node, &why) != MW_OK) {
        char line[512];
        int length = snprintf(line, sizeof line,
                              "mw: %s; there is no audit trail, the farm goes on\n", why.text);
        warn(line, length);
        file->state = TRAIL_STOPPED;
        file->used = 0;
    }
}

uint64_t mwi_audit_file_kinds(const struct mwi_audit_file *file)
{
    return file->state == TRAIL_STOPPED ? 0 : file->kinds;
}

/* Standard error is shared, and another process may have made it non-blocking. */
static void wait_for_room(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int ignored = poll(&poll_fd, 1, -1);
    (void)ignored;
}

/* Writes some of the bytes and returns their number, 0 to try again; -1 with errno set. */
static ssize_t write_some(int fd, const char *bytes, size_t size)
{
    ssize_t written = write(fd, bytes, size);
    if (written > 0)
        return written;
    if (written == 0)
        errno = EIO;
    else if (errno == EINTR)
        return 0;
    else if (errno == EAGAIN) {
        wait_for_room(fd);
        return 0;
    }
    return -1;
}

static void write_buffer(struct mwi_audit_file *file)
{
    size_t done = 0;
    while (done < file->used) {
        ssize_t written = write_some(file->fd, file->buffer + done, file->used - done);
        if (written < 0) {
            stop(file, errno);
            return;
        }
        done += (size_t)written;
    }
    file->used = 0;
}

void mwi_audit_file_flush(struct mwi_audit_file *file)
{
    if (file->state == TRAIL_WRITING && file->used > 0)
        write_buffer(file);
}

/* Uses the name of a slave without a number from a master: several such slaves must not share a
 * file. */
static void take_own_name(struct mwi_audit_file *file)
{
    char host[HOST_BYTES], node[HOST_BYTES + 32];
    get_host(host);
    snprintf(node, sizeof node, "slave-%s-%ld", host, (long)getpid());
    mwi_audit_file_name(file, node);
}

/* Flushes even if the name is not complete. */
static void flush_anyway(struct mwi_audit_file *file)
{
    if (file->state == TRAIL_NAMELESS)
        take_own_name(file);
    mwi_audit_file_flush(file);
}

static void make_stamp(struct mwi_audit_file *file, int64_t second)
{
    time_t time = (time_t)second;
    struct tm tm;
    struct tm *result = file->is_simulated ? gmtime_r(&time, &tm) : localtime_r(&time, &tm);
    file->stamp_second = second;
    if (result == NULL || strftime(file->stamp, sizeof file->stamp, "%m/%d/%Y %H:%M:%S", &tm) == 0)
        strcpy(file->stamp, "00/00/0000 00:00:00");
}

static size_t format_text(struct mwi_audit_file *file, const struct mwi_audit_record *record,
                          int64_t wall_ns, char *line)
{
    int64_t second = wall_ns / MWI_NS_PER_S - (wall_ns % MWI_NS_PER_S < 0);
    if (second != file->stamp_second)
        make_stamp(file, second);
    return mwi_audit_text(record, file->stamp, line, MWI_AUDIT_LINE_BYTES);
}

void mwi_audit_file_write(struct mwi_audit_file *file, const struct mwi_audit_record *record)
{
    if ((file->kinds >> record->kind & 1) == 0)
        return;
    if (file->state != TRAIL_STOPPED && BUFFER_BYTES - file->used < MWI_AUDIT_LINE_BYTES)
        flush_anyway(file);
    if (file->state == TRAIL_STOPPED)
        return;

    int64_t wall_ns = record->time_ns + file->wall_offset_ns;
    char *line = file->buffer + file->used;
    size_t length = file->is_json ? mwi_audit_json(record, wall_ns, line, MWI_AUDIT_LINE_BYTES)
                                  : format_text(file, record, wall_ns, line);
    line[length] = '\n'; /* in place of the NUL */
    file->used += length + 1;
}

void mwi_audit_file_close(struct mwi_audit_file *file)
{
    if (file == NULL)
        return;

    if (file->used > 0)
        flush_anyway(file);
    if (close_fd(file) != 0 && errno != EINTR)
        stop(file, errno);
    destroy_file(file);
}
