/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of base/disk.h as far as a reader of journals calls it: open, size, read and close. The
 * size is that of the opening, so bytes that a master appends meanwhile are not seen.
 */
#include "record/journal_view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
    int fd;
    uint64_t size;
};

static mw_error view_open(void **disk, const char *path, void *environment, mw_reason *why)
{
    struct stat status;
    struct file *file = malloc(sizeof *file);
    (void)environment;
    if (file == NULL) {
        snprintf(why->text, sizeof why->text, "out of memory");
        return MW_ENOMEM;
    }
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool is_known = file->fd >= 0 && fstat(file->fd, &status) == 0;
    if (!is_known || !S_ISREG(status.st_mode)) {
        snprintf(why->text, sizeof why->text, "%s",
                 is_known ? "it is no regular file" : strerror(errno));
        if (file->fd >= 0)
            close(file->fd);
        free(file);
        return MW_EIO;
    }
    file->size = (uint64_t)status.st_size;
    *disk = file;
    return MW_OK;
}

static uint64_t view_size(void *disk)
{
    return ((const struct file *)disk)->size;
}

static mw_error view_read(void *disk, uint64_t offset, void *data, size_t size, mw_reason *why)
{
    const struct file *file = disk;
    for (size_t done = 0; done < size;) {
        ssize_t count = pread(file->fd, (char *)data + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            snprintf(why->text, sizeof why->text, "%s",
                     count < 0 ? strerror(errno) : "it was cut off meanwhile");
            return MW_EIO;
        }
        done += (size_t)count;
    }
    return MW_OK;
}

static void view_close(void *disk)
{
    struct file *file = disk;
    close(file->fd);
    free(file);
}

static const struct mwi_disk_api view_api = {
    .open = view_open, .size = view_size, .read = view_read, .close = view_close};

mw_error mwi_journal_view_open(struct mwi_journal_view *view, const char *path, mw_reason *why)
{
    mw_reason reason = {""};
    mw_error error = view_open(&view->disk, path, NULL, &reason);
    bool is_open = error == MW_OK;
    if (is_open)
        error = mwi_journal_form_recognise(&view_api, view->disk, &view->file_id, &reason);
    if (error == MW_OK &&
        !mwi_journal_reader_init(&view->reader, &view_api, view->disk, view->file_id)) {
        snprintf(reason.text, sizeof reason.text, "out of memory");
        error = MW_ENOMEM;
    }
    if (error == MW_OK)
        return MW_OK;
    if (is_open)
        view_close(view->disk);
    return mwi_journal_form_fail(why, path, error, reason.text);
}

void mwi_journal_view_close(struct mwi_journal_view *view)
{
    mwi_journal_reader_fini(&view->reader);
    view_close(view->disk);
}

bool mwi_journal_view_last_run(const char *path, struct mwi_journal_run *run,
                               struct mwi_buffer *body)
{
    struct mwi_journal_view view;
    struct mwi_journal_record record;
    enum mwi_journal_step step;
    mw_reason why;
    mwi_buffer_clear(body);
    if (mwi_journal_view_open(&view, path, &why) != MW_OK)
        return false;
    while ((step = mwi_journal_reader_next(&view.reader, &record, &why)) == MWI_JOURNAL_RECORD ||
           step == MWI_JOURNAL_DAMAGE) {
        if (step == MWI_JOURNAL_DAMAGE || record.kind != MWI_JOURNAL_RUN)
            continue;
        mwi_buffer_clear(body);
        mwi_buffer_append(body, record.body, record.size);
    }
    mwi_journal_view_close(&view);
    return !body->has_failed && mwi_journal_items_read_run(run, body->data, body->size);
}
