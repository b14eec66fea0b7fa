/* SPDX-License-Identifier: Apache-2.0
 *
 * One file on a simulated disk.
 *
 * - file.data[0 .. durable_bytes) survives everything; the rest of it is in the memory of the
 *   machine and survives a kill; the queue of an opened disk survives nothing.
 * - At most one sync is under way. It covers syncing_bytes; if more was synced meanwhile
 *   (wanted_bytes), the next one begins when it is done.
 * - An opened disk that was cut off by a power cut has no disk any more, and fails.
 *
 * A new fault is a member of struct mwi_sim_disk_plan that write_queue or fire_sync looks at. For
 * more than one file (a rewrite that is renamed) the disk needs a table of files by path.
 */
#include "sim_disk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agenda.h"
#include "base/buffer.h"
#include "base/time.h"
#include "sim_host.h"

struct mwi_sim_disk {
    struct mwi_sim_event done; /* of the sync that is under way; first, so that it is the disk */
    mw_sim *sim;
    struct mwi_sim_disk *next; /* in the world */
    struct mwi_sim_disk_plan plan;
    struct mwi_buffer file;
    uint64_t durable_bytes, syncing_bytes, wanted_bytes;
    uint64_t syncs_count; /* that have begun */
    struct open_disk *opened;
};

/* The disk as the host that has opened it sees it. */
struct open_disk {
    struct mwi_sim_disk *disk; /* NULL: the power was cut */
    mw_sim_host *host;         /* NULL: opened outside of all hosts */
    struct mwi_buffer queue;
    uint64_t durable_bytes;
    mw_error error;
    mw_reason why;
};

static mw_error set_reason(mw_reason *why, mw_error error, const char *text)
{
    snprintf(why->text, sizeof why->text, "%s", text);
    return error;
}

/* The first failure stays. */
static void fail(struct open_disk *opened, mw_error error, const char *text)
{
    if (opened->error == MW_OK)
        opened->error = set_reason(&opened->why, error, text);
}

static void begin_sync(struct mwi_sim_disk *disk, int64_t within_ns)
{
    mw_sim *sim = disk->sim;
    uint64_t spread = (uint64_t)(disk->plan.sync_max_ns - disk->plan.sync_min_ns);
    int64_t duration_ns = mwi_time_after(
        within_ns, disk->plan.sync_min_ns + (int64_t)(mw_sim_random(sim) % (spread + 1)));
    disk->syncs_count++;
    disk->syncing_bytes = disk->wanted_bytes;
    mwi_sim_agenda_put(&sim->agenda, &disk->done, mwi_time_after(sim->now_ns, duration_ns),
                       mwi_sim_agenda_order(&sim->agenda));
}

/* The sync that was under way is done. After one that has failed there is no other until the disk
 * is opened anew. */
static void fire_done(mw_sim *sim, struct mwi_sim_event *event)
{
    (void)sim;
    struct mwi_sim_disk *disk = (struct mwi_sim_disk *)event;
    struct open_disk *opened = disk->opened;
    assert(disk->durable_bytes < disk->syncing_bytes && disk->syncing_bytes <= disk->file.size);
    bool has_failed = disk->syncs_count == disk->plan.failing_sync;
    if (!has_failed)
        disk->durable_bytes = disk->syncing_bytes;
    else if (opened != NULL)
        fail(opened, MW_EIO, "the simulated disk has an input/output error");
    if (!has_failed && disk->durable_bytes < disk->wanted_bytes)
        begin_sync(disk, 0);
    if (opened != NULL && opened->host != NULL)
        mwi_sim_host_wake(opened->host);
}

struct mwi_sim_disk *mwi_sim_disk_create(mw_sim *sim, const struct mwi_sim_disk_plan *plan)
{
    assert(plan->sync_min_ns >= 0 && plan->sync_min_ns <= plan->sync_max_ns);
    struct mwi_sim_disk *disk = calloc(1, sizeof *disk);
    if (disk == NULL || !mwi_sim_agenda_reserve(&sim->agenda, 1)) {
        free(disk);
        return NULL;
    }
    disk->done.fire = fire_done;
    disk->sim = sim;
    disk->plan = *plan;
    mwi_buffer_init(&disk->file);
    disk->next = sim->disks;
    sim->disks = disk;
    return disk;
}

/* No sync is under way any more, and all that the file has counts as durable. */
static void settle(struct mwi_sim_disk *disk)
{
    mwi_sim_agenda_remove(&disk->sim->agenda, &disk->done);
    disk->durable_bytes = disk->file.size;
    disk->wanted_bytes = disk->file.size;
}

/* Draws what becomes of the page's bytes from `begin` to `end`; zeros those that are lost. Returns
 * the end of the kept bytes, 0 if no byte is kept. */
static size_t draw_page(struct mwi_sim_disk *disk, size_t begin, size_t end)
{
    size_t kept_end = end;
    uint64_t fate = mw_sim_random(disk->sim) % 3;
    if (fate == 1)
        kept_end = begin;
    else if (fate == 2)
        kept_end = begin + (size_t)(mw_sim_random(disk->sim) % (end - begin));
    memset(disk->file.data + kept_end, 0, end - kept_end);
    return kept_end > begin ? kept_end : 0;
}

void mwi_sim_disk_cut_power(struct mwi_sim_disk *disk)
{
    assert(disk->durable_bytes <= disk->file.size);
    struct open_disk *opened = disk->opened;
    if (opened != NULL) {
        opened->durable_bytes = disk->durable_bytes;
        opened->disk = NULL;
        fail(opened, MW_EIO, "the power of the simulated disk was cut");
        disk->opened = NULL;
    }
    size_t kept_end = (size_t)disk->durable_bytes;
    for (size_t begin = kept_end, end; begin < disk->file.size; begin = end) {
        end = (begin / MWI_SIM_DISK_PAGE_BYTES + 1) * MWI_SIM_DISK_PAGE_BYTES;
        if (end > disk->file.size)
            end = disk->file.size;
        size_t page_end = draw_page(disk, begin, end);
        kept_end = page_end > 0 ? page_end : kept_end;
    }
    disk->file.size = kept_end;
    settle(disk);
}

/* A limit of 0 would be none. */
void mwi_sim_disk_fill(struct mwi_sim_disk *disk, uint64_t left_bytes)
{
    uint64_t room_bytes = disk->file.size + left_bytes;
    disk->plan.room_bytes = room_bytes > 0 ? room_bytes : 1;
}

void mwi_sim_disk_break(struct mwi_sim_disk *disk)
{
    disk->plan.failing_sync = disk->syncs_count + 1;
}

void mwi_sim_disk_repair(struct mwi_sim_disk *disk)
{
    disk->plan.room_bytes = 0;
    disk->plan.failing_sync = 0;
}

void mwi_sim_disk_fini(mw_sim *sim)
{
    while (sim->disks != NULL) {
        struct mwi_sim_disk *disk = sim->disks;
        assert(disk->opened == NULL);
        sim->disks = disk->next;
        mwi_sim_agenda_remove(&sim->agenda, &disk->done);
        mwi_sim_agenda_release(&sim->agenda, 1);
        mwi_buffer_fini(&disk->file);
        free(disk);
    }
}

static mw_error disk_open(void **opened, const char *path, void *environment, mw_reason *why)
{
    (void)path;
    struct mwi_sim_disk *disk = environment;
    assert(disk != NULL);
    if (mwi_sim_host_is_silenced(disk->sim))
        return set_reason(why, MW_EIO, "killed: the simulated host is no more");
    if (disk->opened != NULL)
        return set_reason(why, MW_ESTATE, "another process has the simulated disk");
    struct open_disk *made = malloc(sizeof *made);
    if (made == NULL)
        return set_reason(why, MW_ENOMEM, "out of memory");
    *made = (struct open_disk){.disk = disk, .host = disk->sim->current};
    mwi_buffer_init(&made->queue);
    settle(disk);
    disk->opened = made;
    *opened = made;
    return MW_OK;
}

static uint64_t disk_size(void *opened)
{
    const struct open_disk *self = opened;
    return (self->disk != NULL ? self->disk->file.size : self->durable_bytes) + self->queue.size;
}

static mw_error disk_read(void *opened, uint64_t offset, void *data, size_t size, mw_reason *why)
{
    const struct open_disk *self = opened;
    const struct mwi_sim_disk *disk = self->disk;
    if (disk == NULL)
        return set_reason(why, MW_EIO, self->why.text);
    assert(offset <= disk->durable_bytes && size <= disk->durable_bytes - offset);
    if (size > 0)
        memcpy(data, disk->file.data + offset, size);
    return MW_OK;
}

static mw_error disk_truncate(void *opened, uint64_t size, mw_reason *why)
{
    struct open_disk *self = opened;
    struct mwi_sim_disk *disk = self->disk;
    if (disk == NULL)
        return set_reason(why, MW_EIO, self->why.text);
    assert(self->queue.size == 0 && size <= disk->durable_bytes);
    disk->file.size = (size_t)size;
    settle(disk);
    return MW_OK;
}

static void disk_append(void *opened, const void *data, size_t size)
{
    struct open_disk *self = opened;
    if (self->error != MW_OK)
        return;
    mwi_buffer_append(&self->queue, data, size);
    if (self->queue.has_failed)
        fail(self, MW_ENOMEM, "out of memory");
}

/* Moves as much of the queue to the file as the disk has room for. */
static void write_queue(struct open_disk *opened)
{
    struct mwi_sim_disk *disk = opened->disk;
    uint64_t room = disk->plan.room_bytes > 0 ? disk->plan.room_bytes : UINT64_MAX;
    size_t size = opened->queue.size;
    room = room > disk->file.size ? room - disk->file.size : 0;
    if (size > room) {
        fail(opened, MW_EIO, "the simulated disk is full");
        size = (size_t)room;
    }
    mwi_buffer_append(&disk->file, opened->queue.data, size);
    if (disk->file.has_failed)
        fail(opened, MW_ENOMEM, "out of memory");
    disk->file.has_failed = false;
    mwi_buffer_clear(&opened->queue);
}

/* A host that is killed can do nothing any more. */
static void disk_sync(void *opened, int64_t within_ns)
{
    struct open_disk *self = opened;
    struct mwi_sim_disk *disk = self->disk;
    if (self->error != MW_OK || mwi_sim_host_is_silenced(disk->sim))
        return;
    write_queue(self);
    if (self->error != MW_OK)
        return;
    bool is_under_way = disk->wanted_bytes > disk->durable_bytes;
    disk->wanted_bytes = disk->file.size;
    if (!is_under_way && disk->wanted_bytes > disk->durable_bytes)
        begin_sync(disk, within_ns);
}

/* A sync that takes no time. */
static mw_error disk_await(void *opened, mw_reason *why)
{
    struct open_disk *self = opened;
    if (self->error == MW_OK && mwi_sim_host_is_silenced(self->disk->sim))
        return MW_OK;
    if (self->error == MW_OK)
        write_queue(self);
    if (self->error == MW_OK && ++self->disk->syncs_count == self->disk->plan.failing_sync)
        fail(self, MW_EIO, "the simulated disk has an input/output error");
    if (self->error == MW_OK)
        settle(self->disk);
    return self->error == MW_OK ? MW_OK : set_reason(why, self->error, self->why.text);
}

static int disk_descriptor(void *opened)
{
    (void)opened;
    return -1;
}

static struct mwi_disk_progress disk_done(void *opened)
{
    const struct open_disk *self = opened;
    return (struct mwi_disk_progress){
        .durable_bytes = self->disk != NULL ? self->disk->durable_bytes : self->durable_bytes,
        .error = self->error,
        .why = self->why.text};
}

static void disk_close(void *opened)
{
    struct open_disk *self = opened;
    if (self == NULL)
        return;
    if (self->disk != NULL)
        self->disk->opened = NULL;
    mwi_buffer_fini(&self->queue);
    free(self);
}

const struct mwi_disk_api mwi_sim_disk_api = {
    .open = disk_open,
    .size = disk_size,
    .read = disk_read,
    .truncate = disk_truncate,
    .append = disk_append,
    .sync = disk_sync,
    .await = disk_await,
    .descriptor = disk_descriptor,
    .done = disk_done,
    .close = disk_close,
};
