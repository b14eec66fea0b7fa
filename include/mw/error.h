/* SPDX-License-Identifier: Apache-2.0
 *
 * All errors in one list, from which the enumerators and their texts are made; docs/guide.md has
 * the same list as a table. A function that can fail returns an mw_error. A sentence for humans
 * goes with it: the master, slave or options that the function works on keep it (mw_master_error,
 * mw_slave_error, mw_options_error), or the function writes it to an mw_reason.
 */
#ifndef MW_ERROR_H
#define MW_ERROR_H

#include <mw/export.h>

/* clang-format off */
#define MW_ERRORS(X)                                                                               \
    X(EINVAL,       "an argument of the call is invalid")                                          \
    X(ENOMEM,       "out of memory")                                                               \
    X(EUSAGE,       "wrong usage of an option")                                                    \
    X(EFORMAT,      "the values are of another type or number than the format asks for")           \
    X(ETOOBIG,      "larger than the limit")                                                       \
    X(EALGORITHM,   "no task algorithm of that name")                                              \
    X(ESTATE,       "the call is not allowed at this point")                                       \
    X(EUNAVAILABLE, "not available in this build or on this machine")                              \
    X(ENETWORK,     "the network or the message layer failed")                                     \
    X(EPEER,        "no such peer")                                                                \
    X(EPROTOCOL,    "a message breaks the protocol")                                               \
    X(EREFUSED,     "the master refused this slave")                                               \
    X(ETIMEOUT,     "the time is up")                                                              \
    X(EIO,          "a file could not be read or written")                                         \
    X(ENOSLAVES,    "no slave is left and none can come")                                          \
    X(EINTERRUPTED, "the program was asked to end")                                                \
    X(EGONE,        "the master is gone")
/* clang-format on */

typedef enum mw_error {
    MW_OK = 0,
#define MW_ERROR_ENUMERATOR(name, text) MW_##name,
    MW_ERRORS(MW_ERROR_ENUMERATOR)
#undef MW_ERROR_ENUMERATOR
} mw_error;

/* Room for one sentence about an error: the cause, the thing concerned, and the remedy. The caller
 * owns it. The function that receives it writes to it on an error, always with a NUL at the end. */
typedef struct mw_reason {
    char text[512];
} mw_reason;

MW_BEGIN_DECLS

/* The name of an error, such as "MW_ENOMEM", and its text, as constant strings. Never NULL: a
 * number outside of the list gives "MW_E?" and "unknown error". May be called from any thread at
 * any time. */
MW_API const char *mw_error_name(mw_error error);
MW_API const char *mw_error_text(mw_error error);

MW_END_DECLS

#endif
