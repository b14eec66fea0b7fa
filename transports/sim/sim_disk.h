/* SPDX-License-Identifier: Apache-2.0
 *
 * The disk of base/disk.h in a simulated world: one file, which outlives the hosts that open it,
 * and faults from a plan and from the world's seed. The environment of its table is the struct
 * mwi_sim_disk; the path is ignored.
 *
 * As on a real machine, bytes are in one of three places: queued in the process since append, in
 * the memory of the machine since sync, durable when the sync is done. A kill of the host loses the
 * queued bytes. A power cut loses these, and of the bytes in memory some pages of 4 KiB.
 *
 * The end of a sync wakes the host that has opened the disk, if one has.
 */
#ifndef MWI_SIM_DISK_H
#define MWI_SIM_DISK_H

#include <mw/sim.h>

#include "base/disk.h"

#define MWI_SIM_DISK_PAGE_BYTES 4096

struct mwi_sim_disk;

/* All zero: a disk without faults, whose syncs take no time. */
struct mwi_sim_disk_plan {
    uint64_t room_bytes;   /* a write beyond this size fails as on a full disk; 0: no limit */
    uint64_t failing_sync; /* the sync of this number, counted from 1, fails; 0: none */
    int64_t sync_min_ns;   /* how long a sync takes, evenly spread; min <= max */
    int64_t sync_max_ns;
};

extern const struct mwi_disk_api mwi_sim_disk_api;

/* Makes an empty disk, valid until the world is destroyed; whoever opens it outside of all hosts
 * must close it before. Copies the plan. NULL out of memory. */
struct mwi_sim_disk *mwi_sim_disk_create(mw_sim *sim, const struct mwi_sim_disk_plan *plan);

/* Cuts the power: each page that is not durable is kept, lost, or kept up to some byte, drawn from
 * the world's chance, whatever becomes of the pages before it. If the disk is opened, it fails from
 * now on and can only be closed. Kill the hosts of the machine at the same time. */
void mwi_sim_disk_cut_power(struct mwi_sim_disk *disk);

/* Faults that begin now, until the repair: there is room for no more than this many bytes, or the
 * next sync that begins fails. */
void mwi_sim_disk_fill(struct mwi_sim_disk *disk, uint64_t left_bytes);
void mwi_sim_disk_break(struct mwi_sim_disk *disk);
void mwi_sim_disk_repair(struct mwi_sim_disk *disk);

/* Frees all disks of a world whose hosts are all gone. */
void mwi_sim_disk_fini(mw_sim *sim);

#endif
