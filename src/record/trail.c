/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses the audit trail of a process from its options and its transport. In a simulation the
 * trail has virtual time, as if the world had begun in 1970 in UTC, so that the same run gives the
 * same bytes everywhere.
 */
#include "record/trail.h"

#include <string.h>

static bool is_simulated(const char *scheme)
{
    return strcmp(scheme, "sim") == 0;
}

/* Whether the pattern has %n or %p; the "%%n" of a file named "%n" is neither. */
static bool has_own_file(const char *pattern)
{
    const char *percent = pattern == NULL ? NULL : strchr(pattern, '%');
    while (percent != NULL && percent[1] != 'n' && percent[1] != 'p')
        percent = percent[1] == '\0' ? NULL : strchr(percent + 2, '%');
    return percent != NULL;
}

mw_error mwi_trail_open(struct mwi_audit_file **trail, const mw_options *options,
                        enum mwi_role role, enum mwi_mode mode, const char *scheme, mw_reason *why)
{
    const char *pattern = mwi_options_text(options, MWI_OPTION_AUDIT_FILE);
    bool is_companion = mode == MWI_MODE_CHANNEL_SLAVE || mode == MWI_MODE_MPI_SLAVE;
    bool is_silent = is_companion && !has_own_file(pattern);
    struct mwi_audit_file_config config = {
        .pattern = is_silent ? NULL : pattern,
        .node = role == MWI_ROLE_SLAVE ? NULL : "master",
        .member_id = mwi_options_text(options, MWI_OPTION_MEMBER_ID),
        .is_quiet = is_silent || mwi_options_flag(options, MWI_OPTION_QUIET),
        .is_json = strcmp(mwi_options_text(options, MWI_OPTION_AUDIT_FORMAT), "json") == 0,
        .is_utc = is_simulated(scheme),
    };
    return mwi_audit_file_open(trail, &config, why);
}

void mwi_trail_set_clock(struct mwi_audit_file *trail, const char *scheme, int64_t now_ns,
                         int64_t wall_ns)
{
    if (!is_simulated(scheme))
        mwi_audit_file_set_offset(trail, wall_ns - now_ns);
}
