/* SPDX-License-Identifier: Apache-2.0
 *
 * The disk of base/disk.h on a real file. Its environment is NULL. A new file has mode 0600.
 *
 * A thread writes the file and makes it durable, so that nobody waits for the disk. It does nothing
 * else, and handles no signals. The lock is one of Linux's open file descriptions, which NFS
 * carries, and which does not outlive the processes that have the file open.
 */
#ifndef MWI_DISK_FILE_H
#define MWI_DISK_FILE_H

#include "base/disk.h"

extern const struct mwi_disk_api mwi_disk_file_api;

/* For record/journal_compact alone. The file `by`, whose bytes are durable, takes the place of the
 * file `disk`, durably: whoever opens that path gets it. It gets the mode of the old file, too.
 * MW_EIO, with a sentence: nothing has changed, as far as that can be told. The path must not be a
 * link, or lead to another file by now. */
mw_error mwi_disk_file_replace(void *disk, void *by, mw_reason *why) MW_USE_RESULT;

#endif
