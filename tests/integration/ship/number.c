/* SPDX-License-Identifier: Apache-2.0
 *
 * A library of one function, called NAME, that returns NUMBER and what the function NEXT returns.
 */
int NAME(void);

#ifdef NEXT
int NEXT(void);
#else
#define NEXT() 0
#endif

int NAME(void)
{
    return NUMBER + NEXT();
}
