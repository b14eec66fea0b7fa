/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom a master or slave on the network trusts: its keys, and the environment of the transport tcp
 * that asks for them. With --mw-insecure there are no keys, and the environment only bounds what
 * strangers cost.
 */
#ifndef MWI_TRUST_H
#define MWI_TRUST_H

#include <mw/transport.h>

#include "base/buffer.h"
#include "loop/loop.h"
#include "options/settings.h"
#include "record/keyring.h"

/* Embedded in a master or a slave, which does not move. All zero: it is not on the network. */
struct mwi_trust {
    mw_tcp_environment environment;
    struct mwi_keyring *keyring; /* NULL: nothing is encrypted */
    struct mwi_loop *loop;       /* its clock is the keyring's */
    struct mwi_buffer refusal;   /* a master's frame for peers that do not encrypt */
    char *key_file;              /* its path; NULL if none is known */
    mw_reason problem;           /* a master's key file is of no use: why; or "" */
};

/* Makes the keys of a master: with `has_resource_file` one for its farm, and in any case those of
 * the key file, which is made if there is none. Without a resource file that must succeed; with one
 * trust->problem says why it did not. `farm`, the member id, and the loop are borrowed until close;
 * the settings for the call. Errors, with a sentence: MW_EUNAVAILABLE if this build cannot encrypt;
 * those of the key file; MW_ENOMEM. After an error close is due all the same. */
mw_error mwi_trust_open_master(struct mwi_trust *trust, const struct mwi_tcp_settings *settings,
                               bool has_resource_file, const char *farm, struct mwi_loop *loop,
                               mw_reason *why) MW_USE_RESULT;

/* The same for a slave, which reads its key when it connects: from the key file, unless
 * mwi_keyring_take_farm_key was called. Without a resource file the place of the key file must be
 * known. `farm` may change between two connections. */
mw_error mwi_trust_open_slave(struct mwi_trust *trust, const struct mwi_tcp_settings *settings,
                              bool has_resource_file, const char *farm, struct mwi_loop *loop,
                              mw_reason *why) MW_USE_RESULT;

void mwi_trust_close(struct mwi_trust *trust);

/* Writes to the trail that nothing is encrypted, or why the key file is of no use, if so. */
void mwi_trust_audit(const struct mwi_trust *trust, enum mwi_role role);

#endif
