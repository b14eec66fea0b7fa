/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of transports: the built-in ones, and modules that are loaded when somebody asks for
 * them.
 */
#ifndef MWI_REGISTRY_H
#define MWI_REGISTRY_H

#include <mw/transport.h>

/* Sets *api to the transport of that scheme, which stays valid for good. A module mw_SCHEME.so is
 * looked for in the folder that the environment variable MW_MODULE_PATH names, in the folder mw
 * beside the library (or the program, if it contains the library), and in the folder where the
 * library was to be installed. Errors: MW_EUNAVAILABLE, with a sentence that says what is
 * missing. */
mw_error mwi_registry_find(const char *scheme, const mw_transport_api **api, mw_reason *why);

/* MW_EUNAVAILABLE, with a sentence, if this build can encrypt no connection over TCP. */
mw_error mwi_registry_can_encrypt(mw_reason *why);

/* The name of the simulated host that the transport works in, borrowed until its world is
 * destroyed; NULL for a transport of the real world. `environment` is the one that the transport is
 * opened with. */
const char *mwi_registry_sim_host(const mw_transport_api *api, const void *environment);

#endif
