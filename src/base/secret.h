/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for keys. It is in no core dump, is not swapped out where the system allows that, and a
 * process that is made by fork() finds nothing in it. Wiping: keys that lay elsewhere for a short
 * time are overwritten.
 */
#ifndef MWI_SECRET_H
#define MWI_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Embedded in its owner; it holds no part of the secret itself. All zero: there is none. */
struct mwi_secret {
    void *data;
    size_t size;
    pid_t owner; /* the process that made it */
};

/* Makes `size` zero bytes at secret->data, aligned to a page. False if the system has no memory or
 * cannot keep it out of cores and children; *secret is all zero then. */
bool mwi_secret_init(struct mwi_secret *secret, size_t size);

/* Wipes and frees it, and makes it all zero. May be called again, and in a child of fork(). */
void mwi_secret_fini(struct mwi_secret *secret);

/* Whether this process is a child of the one that made the secret: the data is lost, and must not
 * be touched. Safe in a signal handler. */
bool mwi_secret_is_lost(const struct mwi_secret *secret);

/* Overwrites the bytes; the compiler does not leave it out. */
void mwi_secret_wipe(void *data, size_t size);

/* Copies the bytes one by one. memcpy and the copy of a struct use large registers, which the
 * dynamic loader saves on the stack when it first finds a function; the key would stay there. */
void mwi_secret_copy(void *to, const void *from, size_t size);

/* Fills the bytes with random ones of the kernel, fit for keys. Errors: false, with errno. */
bool mwi_secret_fill(void *data, size_t size);

/* Writes the bytes as 2 * size hexadecimal digits of lower case, without a NUL. */
void mwi_secret_to_hex(const void *data, size_t size, char *digits);

/* Reads 2 * size hexadecimal digits of lower case; false if others stand there. */
bool mwi_secret_from_hex(const char *digits, void *data, size_t size);

#endif
