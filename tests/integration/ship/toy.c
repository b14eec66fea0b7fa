/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that mw-ship packs with its libraries: it prints the sum of their numbers, so that the
 * test sees whether it found the right ones.
 */
#include <stdio.h>

int nameless(void);
int outer(void);

int main(void)
{
    printf("toy %d\n", nameless() + outer());
    return 0;
}
