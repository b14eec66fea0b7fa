/* SPDX-License-Identifier: Apache-2.0
 *
 * The version of the library and of the protocol between master and slaves.
 */
#ifndef MW_VERSION_H
#define MW_VERSION_H

#include <mw/export.h>

/* The version of these headers. The build system reads it from here. */
#define MW_VERSION_MAJOR 0
#define MW_VERSION_MINOR 1
#define MW_VERSION_PATCH 0
#define MW_VERSION_STRING "0.1.0"

/* The version of the protocol. A master refuses a slave that has another one, with a reason. */
#define MW_PROTOCOL_VERSION 5

MW_BEGIN_DECLS

/* The version of the library that the program has loaded, such as "0.1.0", as a constant string. It
 * may differ from MW_VERSION_STRING, the version of the headers that the program was compiled with.
 * May be called from any thread at any time. */
MW_API const char *mw_version(void);

MW_END_DECLS

#endif
