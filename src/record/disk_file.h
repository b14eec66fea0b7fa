/* SPDX-License-Identifier: Apache-2.0
 *
 * The disk of base/disk.h on a real file. Its environment is NULL. A new file has mode 0600.
 *
 * Its sync does the work itself: it returns when the bytes are durable or have failed. The contract
 * allows a thread that does so in the background, and callers must not rely on its absence.
 */
#ifndef MWI_DISK_FILE_H
#define MWI_DISK_FILE_H

#include "base/disk.h"

extern const struct mwi_disk_api mwi_disk_file_api;

#endif
