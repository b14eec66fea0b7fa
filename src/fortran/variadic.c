/* SPDX-License-Identifier: Apache-2.0
 *
 * For the Fortran module: what has a variable number of arguments in C, which Fortran cannot call.
 */
#include <mw/mw.h>

void mw_fortran_call_fail(mw_call *call, const char *message);

/* The message is borrowed until the function returns. */
void mw_fortran_call_fail(mw_call *call, const char *message)
{
    mw_call_fail(call, "%s", message);
}
