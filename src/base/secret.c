/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps keys in pages of their own. record/keyring holds the keys of a process in one, and the
 * rooms that read and write files with keys have their buffers in others.
 *
 * Invariant: the pages are never in a core, and never have contents in a child of fork(). Kernels
 * before 4.14 cannot wipe pages at a fork; there the child has no such pages at all, so it must not
 * touch them either way. So zeros are never taken for a key: mwi_secret_is_lost compares the
 * process, and looks at a mark behind the data as well, for a child may have the parent's number in
 * a namespace of its own.
 */
#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define MARK 1

static char *mark_of(const struct mwi_secret *secret)
{
    return (char *)secret->data + secret->size;
}

/* The limit of locked memory is small on many systems, and a page that is swapped out is still
 * better than a farm without a key. */
static bool protect(void *data, size_t size)
{
    (void)mlock(data, size);
    return madvise(data, size, MADV_DONTDUMP) == 0 &&
           (madvise(data, size, MADV_WIPEONFORK) == 0 || madvise(data, size, MADV_DONTFORK) == 0);
}

bool mwi_secret_init(struct mwi_secret *secret, size_t size)
{
    assert(size > 0);
    *secret = (struct mwi_secret){.data = NULL};
    void *data = mmap(NULL, size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return false;
    if (!protect(data, size + 1)) {
        munmap(data, size + 1);
        return false;
    }
    *secret = (struct mwi_secret){.data = data, .size = size, .owner = getpid()};
    *mark_of(secret) = MARK;
    return true;
}

/* In a child, the pages may be gone and their place taken by others. */
void mwi_secret_fini(struct mwi_secret *secret)
{
    if (secret->data != NULL && !mwi_secret_is_lost(secret)) {
        mwi_secret_wipe(secret->data, secret->size);
        munmap(secret->data, secret->size + 1);
    }
    *secret = (struct mwi_secret){.data = NULL};
}

bool mwi_secret_is_lost(const struct mwi_secret *secret)
{
    return secret->data != NULL && (secret->owner != getpid() || *mark_of(secret) != MARK);
}

void mwi_secret_wipe(void *data, size_t size)
{
    if (size > 0)
        explicit_bzero(data, size);
}

void mwi_secret_copy(void *to, const void *from, size_t size)
{
    volatile unsigned char *target = to;
    const unsigned char *source = from;
    for (size_t i = 0; i < size; i++)
        target[i] = source[i];
}

bool mwi_secret_fill(void *data, size_t size)
{
    unsigned char *bytes = data;
    while (size > 0) {
        ssize_t length = getrandom(bytes, size, 0);
        if (length < 0 && errno != EINTR)
            return false;
        if (length > 0) {
            bytes += length;
            size -= (size_t)length;
        }
    }
    return true;
}

void mwi_secret_to_hex(const void *data, size_t size, char *digits)
{
    static const char all[] = "0123456789abcdef";
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        digits[2 * i] = all[bytes[i] >> 4];
        digits[2 * i + 1] = all[bytes[i] & 15];
    }
}

/* The value of a digit, 16 or more for another character. */
static unsigned value_of(char digit)
{
    if (digit >= '0' && digit <= '9')
        return (unsigned)(digit - '0');
    return digit >= 'a' && digit <= 'f' ? (unsigned)(digit - 'a') + 10 : 16;
}

bool mwi_secret_from_hex(const char *digits, void *data, size_t size)
{
    unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        unsigned high = value_of(digits[2 * i]), low = value_of(digits[2 * i + 1]);
        if (high > 15 || low > 15)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
