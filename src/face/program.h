/* SPDX-License-Identifier: Apache-2.0
 *
 * The user's mw_program, as master and slave read it.
 */
#ifndef MWI_PROGRAM_H
#define MWI_PROGRAM_H

#include <mw/mw.h>

/* The program's table of task algorithms, ended by a NULL name; an empty one if the program has
 * none. Borrowed from the program, or constant. */
const mw_algorithm *mwi_program_algorithms(const mw_program *program);

/* MW_EINVAL, with a sentence, for a table that has a name twice. */
mw_error mwi_program_check(const mw_program *program, mw_reason *why) MW_USE_RESULT;

#endif
