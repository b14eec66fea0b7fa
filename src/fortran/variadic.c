/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions for the Fortran module mw_c.f90, which cannot call C functions with a variable number
 * of arguments.
 *
 * Invariant: the names and arguments here are those of the interfaces in mw_c.f90, since no
 * compiler compares them. A new function of mw.h with a variable number of arguments gets a
 * counterpart with fixed ones here.
 */
#include <mw/mw.h>

void mw_fortran_call_fail(mw_call *call, const char *message);

/* The message is borrowed until the function returns. */
void mw_fortran_call_fail(mw_call *call, const char *message)
{
    mw_call_fail(call, "%s", message);
}
