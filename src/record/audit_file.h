/* SPDX-License-Identifier: Apache-2.0
 *
 * The place where the audit trail goes. Records become lines in a buffer, and a flush writes them
 * with one system call, to a file or to standard error. It never fails the farm and never holds it
 * up for longer than a moment: records that cannot be written are lost, and the trail says how many
 * as soon as it can be written again.
 */
#ifndef MWI_AUDIT_FILE_H
#define MWI_AUDIT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <mw/error.h>

#include "options/settings.h"
#include "record/audit.h"

struct mwi_audit_file;

/* Opens the trail at *file; a file is made with mode 0644 and appended to. The settings are
 * borrowed for the call. While %n of the pattern is not known, nothing is opened and lines are kept
 * in memory. A relative name is one of the current folder. On failure *file is untouched. Errors,
 * with a sentence that names --mw-audit-file: MW_EUSAGE for an unknown % in the pattern, MW_EIO for
 * a file that cannot be opened, MW_ENOMEM. */
mw_error mwi_audit_file_open(struct mwi_audit_file **file,
                             const struct mwi_audit_settings *settings,
                             mw_reason *why) MW_USE_RESULT;

/* Sets the offset that is added to the time of later records to get nanoseconds since 1970; 0 until
 * then. */
void mwi_audit_file_set_offset(struct mwi_audit_file *file, int64_t wall_offset_ns);

/* Opens the file that waited for its node, for %n: see mwi_file_pattern_expand. If that fails,
 * there is a warning on standard error and no trail. Has no effect once the file is open. */
void mwi_audit_file_name(struct mwi_audit_file *file, const char *node);

/* The kinds of records that are written, as bits: 1 << kind. 0 if nobody wants any. The caller need
 * not make others. */
uint64_t mwi_audit_file_kinds(const struct mwi_audit_file *file);

/* Formats a record into the buffer, and borrows nothing after that. Does nothing if its kind is not
 * wanted. A full buffer is flushed, to the file of a slave without a number if the node is not
 * known yet. */
void mwi_audit_file_write(struct mwi_audit_file *file, const struct mwi_audit_record *record);

/* Writes all lines since the last flush with one write(), more only if the system takes less at a
 * time. Waits less than half a second for a reader; lines that it does not take wait for the
 * next flush. Nothing happens while the name is not known. */
void mwi_audit_file_flush(struct mwi_audit_file *file);

/* Flushes, with "slave-HOST-PID" for %n if that is not known yet, and frees all. NULL is legal. */
void mwi_audit_file_close(struct mwi_audit_file *file);

#endif
