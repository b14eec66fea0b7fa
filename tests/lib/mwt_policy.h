/* SPDX-License-Identifier: Apache-2.0
 *
 * The policy that a task has unless the user says otherwise.
 */
#ifndef MWT_POLICY_H
#define MWT_POLICY_H

#include "policy.h"

static inline struct mwi_policy mwt_policy_default(void)
{
    return (struct mwi_policy){
        .sid = MWI_NO_SID, .max_attempts = 3, .is_retried = true, .is_done_anyway = true};
}

#endif
