/* SPDX-License-Identifier: Apache-2.0
 *
 * Normal deviates from the random numbers of mwt_random.h. A test that draws some links the library
 * of mathematics.
 */
#ifndef MWT_NORMAL_H
#define MWT_NORMAL_H

#include <math.h>

#include "mwt_random.h"

/* A number between 0 and 1, neither of them. */
static inline double mwt_normal_uniform(struct mwt_random *random)
{
    return ((double)(mwt_random_next(random) >> 11) + 0.5) / 9007199254740992.0;
}

/* Of mean 0 and deviation 1, by Box and Muller, "A Note on the Generation of Random Normal
 * Deviates", 1958. */
static inline double mwt_normal(struct mwt_random *random)
{
    return sqrt(-2 * log(mwt_normal_uniform(random))) *
           cos(6.283185307179586 * mwt_normal_uniform(random));
}

#endif
