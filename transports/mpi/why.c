/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the sentences of the transport's errors. All rooms of the transport call it. A sentence
 * names what failed, and MPI's own text where MPI failed.
 */
#include "why.h"

#include <stdarg.h>
#include <stdio.h>

mw_error mwi_mpi_why_fail(mw_reason *why, mw_error error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    return error;
}

mw_error mwi_mpi_why_explain(int code, const char *call, mw_reason *why)
{
    char text[MPI_MAX_ERROR_STRING] = "unknown error";
    int length;
    MPI_Error_string(code, text, &length);
    return mwi_mpi_why_fail(why, MW_ENETWORK, "%s: %.200s", call, text);
}
