/* SPDX-License-Identifier: Apache-2.0
 *
 * The function that every tests/fuzz/fuzz_NAME.c defines, and that driver.c or libFuzzer calls.
 */
#ifndef MWT_FUZZ_H
#define MWT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Feeds the bytes to the code under test and aborts if a promise is broken. Borrows `data` for the
 * call. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Traps if the condition is false, in release builds too. */
#define MWT_FUZZ_PROMISE(condition) ((condition) ? (void)0 : __builtin_trap())

#endif
