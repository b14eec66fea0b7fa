/* SPDX-License-Identifier: Apache-2.0
 *
 * The clock of the transport.
 */
#ifndef MWI_TCP_CLOCK_H
#define MWI_TCP_CLOCK_H

#include <stdint.h>
#include <time.h>

#define MWI_TCP_SECOND_NS ((int64_t)1000 * 1000 * 1000)

static inline int64_t mwi_tcp_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MWI_TCP_SECOND_NS + now.tv_nsec;
}

#endif
