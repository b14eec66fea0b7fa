/* SPDX-License-Identifier: Apache-2.0
 *
 * Times and durations in nanoseconds. A time is a point on some clock and INT64_MAX is a time that
 * never comes; a duration is the distance of two times and never negative here. Nothing in this
 * header reads a clock: base/clock.h does.
 */
#ifndef MWI_TIME_H
#define MWI_TIME_H

#include <assert.h>
#include <stdint.h>

#define MWI_NS_PER_US INT64_C(1000)
#define MWI_NS_PER_MS INT64_C(1000000)
#define MWI_NS_PER_S INT64_C(1000000000)

/* The duration of `seconds`, rounded down to whole nanoseconds: 0 if it is negative, INT64_MAX if
 * it is infinite, not a number, or more than an int64_t can hold. */
static inline int64_t mwi_time_from_seconds(double seconds)
{
    double ns = seconds * (double)MWI_NS_PER_S;
    if (ns <= 0)
        return 0;
    /* The nearest double to INT64_MAX is 2^63, which an int64_t cannot hold. */
    return ns < (double)INT64_MAX ? (int64_t)ns : INT64_MAX;
}

static inline double mwi_time_to_seconds(int64_t duration_ns)
{
    return (double)duration_ns / (double)MWI_NS_PER_S;
}

/* The time that is `duration_ns` after `time_ns`; INT64_MAX if that is too late for an int64_t. */
static inline int64_t mwi_time_after(int64_t time_ns, int64_t duration_ns)
{
    assert(duration_ns >= 0);
    return time_ns > INT64_MAX - duration_ns ? INT64_MAX : time_ns + duration_ns;
}

static inline int64_t mwi_time_earlier(int64_t time_ns, int64_t other_ns)
{
    return time_ns < other_ns ? time_ns : other_ns;
}

#endif
