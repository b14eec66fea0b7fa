/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints what its libraries come to.
 */
#include <stdio.h>

int nameless(void);
int outer(void);

int main(void)
{
    printf("toy %d\n", nameless() + outer());
    return 0;
}
