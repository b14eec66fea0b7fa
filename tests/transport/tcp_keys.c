/* SPDX-License-Identifier: Apache-2.0
 *
 * One key, for both sides of a connection. Its bytes are one repeated byte, so that a test makes
 * two that differ.
 */
#include "tcp_keys.h"

#include <stdio.h>
#include <string.h>

static bool find_key(void *context, const char *name, mw_tcp_key *key)
{
    struct mwt_tcp_keys *keys = context;
    keys->finds_count++;
    if (!keys->has_key || strcmp(name, keys->key.name) != 0)
        return false;
    *key = keys->key;
    return true;
}

static bool own_key(void *context, mw_tcp_key *key, mw_reason *why)
{
    struct mwt_tcp_keys *keys = context;
    snprintf(why->text, sizeof why->text, "there is no key yet");
    *key = keys->key;
    return keys->has_key;
}

void mwt_tcp_keys_init(struct mwt_tcp_keys *keys, unsigned seed)
{
    *keys = (struct mwt_tcp_keys){.key = {.name = "key:test"}, .has_key = true};
    for (size_t i = 0; i < sizeof keys->key.bytes; i++)
        keys->key.bytes[i] = (unsigned char)(seed + i);
    keys->environment = (mw_tcp_environment){
        .find_key = find_key, .own_key = own_key, .context = keys, .farm = "the farm"};
}
