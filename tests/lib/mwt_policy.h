/* SPDX-License-Identifier: Apache-2.0
 *
 * The policy that a task has unless the user says otherwise.
 */
#ifndef MWT_POLICY_H
#define MWT_POLICY_H

#include "farm/policies.h"

static inline struct mwi_task_policy mwt_policy_default(void)
{
    return (struct mwi_task_policy){
        .sid = MWI_NO_SID, .max_attempts = 3, .is_retried = true, .is_done_anyway = true};
}

#endif
