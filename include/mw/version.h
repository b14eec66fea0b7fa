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

/* A master refuses a slave that speaks another number, and tells it so. */
#define MW_PROTOCOL_VERSION 2

MW_BEGIN_DECLS

/* The version of the library that is linked, as "0.1.0": may differ from MW_VERSION_STRING, which
 * is that of the headers. The string is constant. From any thread, at any time. */
MW_API const char *mw_version(void);

MW_END_DECLS

#endif
