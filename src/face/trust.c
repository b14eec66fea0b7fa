/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes the keyring of a master or slave on the network, and the environment of the transport tcp.
 * face/master_open and face/slave_open own one each. Which file has the key is decided here; how
 * keys are read and found is for record/keyring, and how they are proved for transports/tcp. A
 * master's keyring is tended by a chore of its loop.
 *
 * Invariant: an environment without functions for keys, which lets tcp encrypt nothing, is made for
 * --mw-insecure alone.
 */
#include "face/trust.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/key_file.h"
#include "transports/registry.h"
#include "wire/message.h"

static void audit_problem(const struct mwi_trust *trust)
{
    if (trust->problem.text[0] != '\0')
        mwi_loop_audit(trust->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_KEY_PROBLEM,
                                                              .path = trust->key_file,
                                                              .reason = trust->problem.text});
}

static bool find_key(void *context, const char *name, mw_tcp_key *key)
{
    struct mwi_trust *trust = context;
    return mwi_keyring_find(trust->keyring, name, key);
}

/* The option that leads out, for sentences about the key file that do not name it. */
static void name_option(mw_reason *why)
{
    size_t length = strlen(why->text);
    if (strstr(why->text, "--mw-key-file") == NULL)
        snprintf(why->text + length, sizeof why->text - length, " (see --mw-key-file)");
}

static bool own_key(void *context, mw_tcp_key *key, mw_reason *why)
{
    struct mwi_trust *trust = context;
    mw_error error = mwi_keyring_own(trust->keyring, mwi_loop_now(trust->loop), key, why);
    if (error == MW_EUNAVAILABLE)
        name_option(why);
    return error == MW_OK;
}

static mw_error find_key_file(struct mwi_trust *trust, const struct mwi_tcp_settings *settings,
                              mw_reason *why)
{
    if (settings->key_file == NULL)
        return mwi_key_file_default_path(getenv("XDG_CONFIG_HOME"), getenv("HOME"),
                                         &trust->key_file, why);
    trust->key_file = strdup(settings->key_file);
    if (trust->key_file != NULL)
        return MW_OK;
    snprintf(why->text, sizeof why->text, "%s", mw_error_text(MW_ENOMEM));
    return MW_ENOMEM;
}

/* Finds the key file and uses it. */
static mw_error open_key_file(struct mwi_trust *trust, const struct mwi_tcp_settings *settings,
                              bool may_create, mw_reason *why)
{
    mw_error error = find_key_file(trust, settings, why);
    if (error == MW_OK)
        error = mwi_keyring_use_file(trust->keyring, trust->key_file, may_create, why);
    if (error != MW_OK && error != MW_ENOMEM)
        name_option(why);
    return error;
}

/* Looks at the key file, whose keys may have changed, and audits what is newly wrong with it. */
static void tend(void *context, int64_t now_ns)
{
    struct mwi_trust *trust = context;
    if (now_ns < mwi_keyring_deadline(trust->keyring))
        return;
    mwi_keyring_tend(trust->keyring, now_ns);
    mw_reason problem;
    snprintf(problem.text, sizeof problem.text, "%s", mwi_keyring_problem(trust->keyring));
    if (problem.text[0] != '\0')
        name_option(&problem);
    if (strcmp(problem.text, trust->problem.text) == 0)
        return;
    trust->problem = problem;
    audit_problem(trust);
}

static int64_t deadline(const void *context)
{
    return mwi_keyring_deadline(((const struct mwi_trust *)context)->keyring);
}

static void stop(void *context, bool is_finished)
{
    (void)context;
    (void)is_finished;
}

/* The master closes the trust after its transports. */
static void close_chore(void *context, int64_t deadline_ns)
{
    (void)context;
    (void)deadline_ns;
}

/* Makes an environment without keys, and a keyring unless there is to be no encryption. */
static mw_error open_keyring(struct mwi_trust *trust, const struct mwi_tcp_settings *settings,
                             const char *farm, struct mwi_loop *loop, mw_reason *why)
{
    assert(trust->loop == NULL);
    trust->loop = loop;
    mwi_buffer_init(&trust->refusal);
    trust->environment = (mw_tcp_environment){.context = trust, .farm = farm};
    if (settings->is_insecure)
        return MW_OK;
    if (mwi_registry_can_encrypt(why) != MW_OK)
        return MW_EUNAVAILABLE;
    return mwi_keyring_open(&trust->keyring, why);
}

/* Versions of mw that cannot encrypt read this answer, too. */
static mw_error write_refusal(struct mwi_trust *trust, mw_reason *why)
{
    mwi_message_write_reason(&trust->refusal, MWI_MESSAGE_REFUSE,
                             "this farm is encrypted: use the same version of mw on both sides, "
                             "and no --mw-insecure");
    if (trust->refusal.has_failed) {
        snprintf(why->text, sizeof why->text, "%s", mw_error_text(MW_ENOMEM));
        return MW_ENOMEM;
    }
    trust->environment.refusal = trust->refusal.data;
    trust->environment.refusal_size = trust->refusal.size;
    return MW_OK;
}

mw_error mwi_trust_open_master(struct mwi_trust *trust, const struct mwi_tcp_settings *settings,
                               bool has_resource_file, const char *farm, struct mwi_loop *loop,
                               mw_reason *why)
{
    mw_error error = open_keyring(trust, settings, farm, loop, why);
    if (error != MW_OK || trust->keyring == NULL)
        return error;
    trust->environment.find_key = find_key;
    error = write_refusal(trust, why);
    if (error == MW_OK && has_resource_file)
        error = mwi_keyring_make_farm_key(trust->keyring, why);
    if (error != MW_OK)
        return error;
    error = open_key_file(trust, settings, true, why);
    if (error != MW_OK && !has_resource_file)
        return error;
    if (error != MW_OK)
        trust->problem = *why;
    mwi_chores_add(mwi_loop_chores(loop), &(struct mwi_chore_entry){.context = trust,
                                                                    .tend = tend,
                                                                    .deadline = deadline,
                                                                    .stop = stop,
                                                                    .close = close_chore});
    return MW_OK;
}

mw_error mwi_trust_open_slave(struct mwi_trust *trust, const struct mwi_tcp_settings *settings,
                              bool has_resource_file, const char *farm, struct mwi_loop *loop,
                              mw_reason *why)
{
    mw_error error = open_keyring(trust, settings, farm, loop, why);
    if (error != MW_OK || trust->keyring == NULL)
        return error;
    trust->environment.own_key = own_key;
    error = open_key_file(trust, settings, false, why);
    return has_resource_file && error != MW_ENOMEM ? MW_OK : error;
}

void mwi_trust_close(struct mwi_trust *trust)
{
    mwi_keyring_close(trust->keyring);
    mwi_buffer_fini(&trust->refusal);
    free(trust->key_file);
    memset(trust, 0, sizeof *trust);
}

void mwi_trust_audit(const struct mwi_trust *trust, enum mwi_role role)
{
    if (trust->loop == NULL)
        return;
    if (trust->keyring == NULL)
        mwi_loop_audit(trust->loop,
                       (struct mwi_audit_record){.kind = MWI_AUDIT_INSECURE, .role = role});
    audit_problem(trust);
}
