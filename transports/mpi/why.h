/* SPDX-License-Identifier: Apache-2.0
 *
 * Sentences about errors, and MPI's error codes as errors.
 */
#ifndef MWI_MPI_WHY_H
#define MWI_MPI_WHY_H

#include <mpi.h>

#include <mw/error.h>

/* Writes a sentence to `why` and returns `error`. */
mw_error mwi_mpi_why_fail(mw_reason *why, mw_error error, const char *format, ...) MW_PRINTF(3, 4);

/* Writes `call` and MPI's text for the code to `why`. Returns MW_ENETWORK. */
mw_error mwi_mpi_why_explain(int code, const char *call, mw_reason *why);

/* Returns MW_OK for MPI_SUCCESS, and explains other codes. It is inline because it is around each
 * call of a look. */
static inline mw_error mwi_mpi_why_check(int code, const char *call, mw_reason *why)
{
    return code == MPI_SUCCESS ? MW_OK : mwi_mpi_why_explain(code, call, why);
}

#endif
