/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens the audit trail that the options ask for.
 */
#ifndef MWI_TRAIL_H
#define MWI_TRAIL_H

#include "options/role.h"
#include "record/audit_file.h"

/* `scheme` is that of the transport whose clock stamps the records. Slaves that were started
 * together with their master (local, mpi) keep a trail only if --mw-audit-file gives each a file of
 * its own, by %n or %p: the master's trail tells the same, and theirs would be mixed into it. The
 * name of a slave is not known yet: see mwi_audit_file_name. Errors as mwi_audit_file_open. */
mw_error mwi_trail_open(struct mwi_audit_file **trail, const mw_options *options,
                        enum mwi_role role, enum mwi_mode mode, const char *scheme, mw_reason *why);

/* Call it before the first record. `now_ns` is the time now on the clock that stamps the records,
 * which is the transport's own; `wall_ns` is the time now by base/clock.h, from which the trail
 * knows the date. */
void mwi_trail_set_clock(struct mwi_audit_file *trail, const char *scheme, int64_t now_ns,
                         int64_t wall_ns);

#endif
