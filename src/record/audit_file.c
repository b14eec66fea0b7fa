/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the audit trail. The loop writes records here and flushes around each wait; the face opens
 * and closes the trail. audit.c formats the lines, and outlet.c writes them without blocking.
 *
 * Invariants: the trail is in one of three states, and never goes back. NAMELESS: the file's name
 * is not complete, lines wait in the buffer. WRITING. STOPPED: nobody wants the trail, or nobody
 * can get it any more; the buffer stays empty. The buffer holds whole lines, each with its newline;
 * `begun` bytes of the first may be written already. A line that finds the buffer full is lost and
 * counted; as soon as there is room, a record tells how many were.
 *
 * Once a second, by the times of the records, the file is looked for by its path. So a file that
 * was renamed or removed is opened anew, and after an error, such as a full disk, it is tried
 * again.
 */
#include "record/audit_file.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "options/file_pattern.h"
#include "record/outlet.h"

#define OPTION "--mw-audit-file"
#define BUFFER_BYTES 65536
#define LOOK_EVERY_NS MWI_NS_PER_S
/* "MM/DD/YYYY HH:MM:SS" */
#define STAMP_BYTES 19

enum trail_state { TRAIL_NAMELESS, TRAIL_WRITING, TRAIL_STOPPED };

struct mwi_audit_file {
    enum trail_state state;
    uint64_t kinds;
    bool is_json;
    bool has_milliseconds;
    bool is_simulated;
    int64_t wall_offset_ns;
    struct mwi_file_pattern pattern;
    struct mwi_outlet outlet;
    bool is_failing; /* the last write ended in an error; the next is tried with the next look */
    int64_t now_ns;  /* of the last record */
    int64_t look_ns; /* when to look for the file again */
    uint64_t lost_count; /* records that were lost and not told of yet */
    /* The stamp of the last line's second. Making one takes longer than the rest of a line. */
    int64_t stamp_second;
    char stamp[32];
    size_t used;
    size_t begun; /* bytes of the first line that are written */
    char *buffer; /* NULL before the first record: many slaves of a simulated world write none */
};

static mw_error fail_memory(mw_reason *why)
{
    snprintf(why->text, sizeof why->text, OPTION ": out of memory");
    return MW_ENOMEM;
}

static mw_error open_path(struct mwi_audit_file *file, const char *node, mw_reason *why)
{
    char *path = mwi_file_pattern_expand(&file->pattern, node);
    if (path == NULL)
        return fail_memory(why);
    if (!mwi_outlet_open(&file->outlet, path)) {
        snprintf(why->text, sizeof why->text, OPTION " %.300s: %s", file->outlet.path,
                 strerror(file->outlet.error));
        return MW_EIO;
    }
    file->state = TRAIL_WRITING;
    return MW_OK;
}

static mw_error set_up_file(struct mwi_audit_file *file, const struct mwi_audit_settings *settings,
                            mw_reason *why)
{
    mw_error error =
        mwi_file_pattern_init(&file->pattern, OPTION, settings->pattern, settings->member_id, why);
    if (error != MW_OK || (file->pattern.has_node && settings->node == NULL))
        return error;
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
    if (settings->pattern != NULL)
        return set_up_file(file, settings, why);
    mwi_outlet_open_error(&file->outlet);
    if (settings->is_error_kept)
        mwi_outlet_pin(&file->outlet);
    file->state = TRAIL_WRITING;
    return MW_OK;
}

static void destroy_file(struct mwi_audit_file *file)
{
    mwi_outlet_close(&file->outlet);
    mwi_file_pattern_fini(&file->pattern);
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
        .kinds = mwi_audit_kinds(settings->level) |
                 (settings->has_tasks ? UINT64_C(1) << MWI_AUDIT_TASK_ENDED : 0),
        .has_milliseconds = settings->has_milliseconds,
        .is_json = settings->is_json,
        .is_simulated = settings->is_simulated,
        .outlet = {.fd = -1},
        .look_ns = INT64_MIN,
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

/* Ends the trail. */
static void stop(struct mwi_audit_file *file)
{
    (void)mwi_outlet_shut(&file->outlet);
    file->state = TRAIL_STOPPED;
    file->used = 0;
    file->begun = 0;
}

void mwi_audit_file_name(struct mwi_audit_file *file, const char *node)
{
    if (file->state != TRAIL_NAMELESS)
        return;

    mw_reason why;
    if (open_path(file, node, &why) != MW_OK) {
        char line[sizeof why + 64];
        snprintf(line, sizeof line, "mw: %s; there is no audit trail, the farm goes on", why.text);
        mwi_outlet_say(line);
        stop(file);
    }
}

uint64_t mwi_audit_file_kinds(const struct mwi_audit_file *file)
{
    return file->state == TRAIL_STOPPED ? 0 : file->kinds;
}

/* Takes what is written out of the buffer, up to `end`. A line that is written in part stays. */
static void take_out(struct mwi_audit_file *file, size_t end)
{
    assert(end <= file->used);
    const char *newline = end == 0 ? NULL : memrchr(file->buffer, '\n', end);
    size_t first = newline == NULL ? 0 : (size_t)(newline - file->buffer) + 1;
    memmove(file->buffer, file->buffer + first, file->used - first);
    file->used -= first;
    file->begun = end - first;
}

/* Whether writing may succeed again, once there is room on the disk or the file can be opened. A
 * standard error that is gone does not come back. */
static bool can_recover(const struct mwi_audit_file *file)
{
    int error = file->outlet.error;
    return file->outlet.path != NULL || error == ENOSPC || error == EDQUOT || error == EFBIG;
}

/* Tells of the first of several errors, if there is a place for that. */
static void fail(struct mwi_audit_file *file)
{
    const char *path = file->outlet.path;
    if (!can_recover(file)) {
        stop(file);
        return;
    }
    if (path != NULL && !file->is_failing) {
        char line[512];
        snprintf(line, sizeof line,
                 "mw: audit file %.300s: %s; records are lost until it can be written, the farm "
                 "goes on",
                 path, strerror(file->outlet.error));
        mwi_outlet_say(line);
    }
    file->is_failing = true;
    if (path != NULL)
        (void)mwi_outlet_shut(&file->outlet);
}

static void look(struct mwi_audit_file *file)
{
    file->look_ns = mwi_time_after(file->now_ns, LOOK_EVERY_NS);
    if (mwi_outlet_look(&file->outlet))
        file->begun = 0;
}

static void write_buffer(struct mwi_audit_file *file)
{
    bool must_look = file->now_ns >= file->look_ns;
    if (must_look)
        look(file);
    else if (file->is_failing)
        return;
    size_t rest = file->used - file->begun;
    size_t written = mwi_outlet_write(&file->outlet, file->buffer + file->begun, rest);
    take_out(file, file->begun + written);
    if (file->outlet.error != 0)
        fail(file);
    else
        file->is_failing = file->is_failing && written < rest;
}

void mwi_audit_file_flush(struct mwi_audit_file *file)
{
    if (file->state != TRAIL_WRITING || file->used == 0)
        return;
    mwi_outlet_renew(&file->outlet);
    write_buffer(file);
}

/* Writes what there is, even if the name is not complete. */
static void write_anyway(struct mwi_audit_file *file)
{
    if (file->state == TRAIL_NAMELESS)
        mwi_audit_file_name(file, NULL);
    if (file->state == TRAIL_WRITING && file->used > 0)
        write_buffer(file);
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
    if (file->has_milliseconds)
        snprintf(file->stamp + STAMP_BYTES, sizeof file->stamp - STAMP_BYTES, ".%03d",
                 (int)((wall_ns - second * MWI_NS_PER_S) / MWI_NS_PER_MS));
    return mwi_audit_text(record, file->stamp, line, MWI_AUDIT_LINE_BYTES);
}

static void append(struct mwi_audit_file *file, const struct mwi_audit_record *record)
{
    int64_t wall_ns = record->time_ns + file->wall_offset_ns;
    char *line = file->buffer + file->used;
    assert(BUFFER_BYTES - file->used >= MWI_AUDIT_LINE_BYTES);
    bool is_json = file->is_json || record->kind == MWI_AUDIT_TASK_ENDED;
    size_t length = is_json ? mwi_audit_json(record, wall_ns, line, MWI_AUDIT_LINE_BYTES)
                            : format_text(file, record, wall_ns, line);
    line[length] = '\n'; /* in place of the NUL */
    file->used += length + 1;
}

/* The record of the lost ones needs room, too. */
static bool has_room(const struct mwi_audit_file *file)
{
    size_t lines = file->lost_count > 0 ? 2 : 1;
    return file->buffer != NULL && BUFFER_BYTES - file->used >= lines * MWI_AUDIT_LINE_BYTES;
}

static void tell_lost(struct mwi_audit_file *file)
{
    if (file->lost_count == 0)
        return;
    append(file, &(struct mwi_audit_record){.kind = MWI_AUDIT_RECORDS_LOST,
                                            .time_ns = file->now_ns,
                                            .count = file->lost_count});
    file->lost_count = 0;
}

/* False out of memory. */
static bool make_buffer(struct mwi_audit_file *file)
{
    if (file->buffer == NULL)
        file->buffer = malloc(BUFFER_BYTES);
    return file->buffer != NULL;
}

void mwi_audit_file_write(struct mwi_audit_file *file, const struct mwi_audit_record *record)
{
    if (file->state == TRAIL_STOPPED || (file->kinds >> record->kind & 1) == 0)
        return;
    file->now_ns = record->time_ns;
    if (make_buffer(file) && !has_room(file))
        write_anyway(file);
    if (file->state == TRAIL_STOPPED)
        return;
    if (!has_room(file)) {
        file->lost_count++;
        return;
    }
    tell_lost(file);
    append(file, record);
}

static uint64_t count_lines(const struct mwi_audit_file *file)
{
    uint64_t count = 0;
    for (size_t i = 0; i < file->used; i++)
        count += file->buffer[i] == '\n';
    return count;
}

/* The last attempt to write what is left. */
static void write_rest(struct mwi_audit_file *file)
{
    file->look_ns = INT64_MIN;
    if (file->lost_count > 0 && has_room(file))
        tell_lost(file);
    mwi_outlet_renew(&file->outlet);
    write_anyway(file);
}

/* Tells on standard error of records that could not be written, unless the trail itself goes there.
 * Some file systems report that only when a file is closed. */
static void tell_losses(struct mwi_audit_file *file)
{
    char line[512] = "";
    uint64_t lost_count = file->lost_count + count_lines(file);
    const char *path = file->outlet.path;
    if (path == NULL)
        return;
    if (!mwi_outlet_shut(&file->outlet))
        snprintf(line, sizeof line, "mw: audit file %.300s: %s", path, strerror(errno));
    else if (lost_count > 0)
        snprintf(line, sizeof line, "mw: audit file %.300s: the last %llu records are lost", path,
                 (unsigned long long)lost_count);
    if (line[0] != '\0')
        mwi_outlet_say(line);
}

void mwi_audit_file_close(struct mwi_audit_file *file)
{
    if (file == NULL)
        return;

    if (file->state != TRAIL_STOPPED && file->used > 0)
        write_rest(file);
    if (file->state == TRAIL_WRITING)
        tell_losses(file);
    destroy_file(file);
}
