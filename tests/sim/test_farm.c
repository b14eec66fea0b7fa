/* SPDX-License-Identifier: Apache-2.0
 *
 * Farms under random faults: `test_farm [--seed FIRST] [--seeds COUNT]`. ctest runs a few hundred
 * seeds, a soak thousands; a failure says how to replay it.
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mwt_folder.h"

static uint64_t first_seed = 1;
static uint64_t seeds_count = 300;
