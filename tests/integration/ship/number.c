/* SPDX-License-Identifier: Apache-2.0
 *
 * A library of one function, called NAME, that returns NUMBER plus the value of the function NEXT.
 * The test compiles it several times, as libraries that need each other.
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
