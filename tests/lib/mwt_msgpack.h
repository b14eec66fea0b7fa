/* SPDX-License-Identifier: Apache-2.0
 *
 * Random msgpack values, made with msgpack-c's own packer. All code is in this header, so that a
 * test needs no other source for it.
 */
#ifndef MWT_MSGPACK_H
#define MWT_MSGPACK_H

#include <string.h>

#include <msgpack.h>

#include "mwt_random.h"

static inline void mwt_pack_number(msgpack_packer *packer, struct mwt_random *random)
{
    uint64_t number = mwt_random_next(random) >> mwt_random_below(random, 64);
    switch (mwt_random_below(random, 4)) {
    case 0:
        msgpack_pack_uint64(packer, number);
        break;
    case 1:
        msgpack_pack_int64(packer, -(int64_t)(number >> 1));
        break;
    case 2:
        msgpack_pack_double(packer, (double)number);
        break;
    default:
        msgpack_pack_float(packer, (float)number);
        break;
    }
}

/* Packs a string, binary or extension of up to 300 bytes, now and then of up to 70,000. */
static inline void mwt_pack_bytes(msgpack_packer *packer, struct mwt_random *random)
{
    static char bytes[70000];
    size_t size = mwt_random_below(random, mwt_random_below(random, 30) == 0 ? sizeof bytes : 300);
    for (size_t i = 0; i < size; i += 7)
        bytes[i] = (char)mwt_random_next(random);
    switch (mwt_random_below(random, 3)) {
    case 0:
        msgpack_pack_str_with_body(packer, bytes, size);
        break;
    case 1:
        msgpack_pack_bin_with_body(packer, bytes, size);
        break;
    default:
        if (mwt_random_below(random, 2) == 0)
            size = (size_t)1 << mwt_random_below(random, 5);
        msgpack_pack_ext_with_body(packer, bytes, size, (int8_t)mwt_random_next(random));
        break;
    }
}

/* Packs any value, with containers at most `depth` deep. */
static inline void mwt_pack_any(msgpack_packer *packer, struct mwt_random *random, int depth)
{
    size_t kind = mwt_random_below(random, depth > 0 ? 9 : 7), count;
    switch (kind) {
    case 0:
        msgpack_pack_nil(packer);
        break;
    case 1:
        if (mwt_random_below(random, 2) == 0)
            msgpack_pack_true(packer);
        else
            msgpack_pack_false(packer);
        break;
    case 2:
    case 3:
    case 4:
        mwt_pack_number(packer, random);
        break;
    case 5:
    case 6:
        mwt_pack_bytes(packer, random);
        break;
    default:
        count = mwt_random_below(random, mwt_random_below(random, 10) == 0 ? 20 : 4);
        if (kind == 7)
            msgpack_pack_array(packer, count);
        else
            msgpack_pack_map(packer, count);
        for (size_t i = 0; i < count * (kind - 6); i++)
            mwt_pack_any(packer, random, depth - 1);
        break;
    }
}

#endif
