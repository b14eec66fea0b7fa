/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds transports by their scheme: the built-in ones in a table, others in modules. The face calls
 * it when it opens a master or a slave.
 *
 * Invariant: a module stays loaded, because MPI libraries do not survive unloading, and loading one
 * again gives the same table. A new built-in transport is a row of `built_in`; a transport that a
 * build can leave out is a row of `optional` too, with the sentence for users who ask for it.
 */
#include "registry.h"

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mw/sim.h>

#include "inproc/inproc.h"

#ifdef MW_WITH_TCP
#include "tcp/tcp.h"
#endif

#define PATH_SIZE 4096

static const mw_transport_api *const built_in[] = {
    &mw_sim_transport,
    &mwi_inproc_transport,
#ifdef MW_WITH_TCP
    &mwi_tcp_transport,
#endif
    NULL,
};

/* The transports that this build leaves out. */
static const struct {
    const char *scheme;
    const char *what;
} optional[] = {
    {"tcp", "this mw was built without TCP (MW_WITH_TCP=OFF), and local mode needs it too: use "
            "--mw-transport mpi or --mw-local 0, or a build with libevent"},
#ifndef MW_WITH_MPI
    {"mpi",
     "this mw was built without MPI (MW_WITH_MPI=OFF): use --mw-transport tcp or local, or a "
     "build with Open MPI or MPICH"},
#endif
};

static mw_error unavailable(mw_reason *why, const char *text)
{
    snprintf(why->text, sizeof why->text, "%s", text);
    return MW_EUNAVAILABLE;
}

static mw_error check_module(const char *path, const mw_transport_api *found, mw_reason *why,
                             const mw_transport_api **api)
{
    if (found == NULL || found->version != MW_TRANSPORT_VERSION) {
        snprintf(why->text, sizeof why->text,
                 "the module %.150s is not of this version of mw: install both from one build",
                 path);
        return MW_EUNAVAILABLE;
    }
    *api = found;
    return MW_OK;
}

/* The file of this code: the shared library, or the program that contains it. */
static void own_folder(char *folder, size_t size)
{
    Dl_info info;
    folder[0] = '\0';
    if (dladdr(built_in, &info) == 0 || info.dli_fname == NULL)
        return;
    /* A program that contains this code bears the name by which it was called: without a slash if
     * it was found through PATH. */
    bool is_name_only = strchr(info.dli_fname, '/') == NULL;
    char *path = realpath(is_name_only ? "/proc/self/exe" : info.dli_fname, NULL);
    char *slash = path == NULL ? NULL : strrchr(path, '/');
    if (slash != NULL)
        snprintf(folder, size, "%.*s/mw", (int)(slash - path), path);
    free(path);
}

/* Sets *context, a bool, to whether the first object, which is the program, names no loader. */
static int look_at_program(struct dl_phdr_info *object, size_t size, void *context)
{
    bool *is_static = context;
    (void)size;
    *is_static = true;
    for (size_t i = 0; i < object->dlpi_phnum; i++)
        *is_static = *is_static && object->dlpi_phdr[i].p_type != PT_INTERP;
    return 1;
}

/* In a program without a loader (cc -static), a module that needs other libraries crashes it. */
static bool is_static_program(void)
{
    bool is_static = false;
    dl_iterate_phdr(look_at_program, &is_static);
    return is_static;
}

static mw_error load_module(const char *scheme, const mw_transport_api **api, mw_reason *why)
{
    char beside[PATH_SIZE];
    if (is_static_program())
        return unavailable(why, "a static program cannot load the MPI module: link it with the "
                                "shared C library, or choose --mw-transport tcp or --mw-local");
    own_folder(beside, sizeof beside);
    const char *folders[] = {getenv("MW_MODULE_PATH"), beside, MW_MODULE_DIR};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[PATH_SIZE + 64];
        if (folders[i] == NULL || folders[i][0] == '\0')
            continue;
        snprintf(path, sizeof path, "%.4000s/mw_%.32s.so", folders[i], scheme);
        if (access(path, F_OK) != 0)
            continue;
        void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (module == NULL) {
            snprintf(why->text, sizeof why->text, "cannot load the transport %.32s: %.200s", scheme,
                     dlerror());
            return MW_EUNAVAILABLE;
        }
        return check_module(path, dlsym(module, MW_TRANSPORT_MODULE_SYMBOL), why, api);
    }
    snprintf(why->text, sizeof why->text,
             "the module mw_%.32s.so was not found (looked in %.80s and %.80s): install it, or set "
             "MW_MODULE_PATH to its folder",
             scheme, beside, MW_MODULE_DIR);
    return MW_EUNAVAILABLE;
}

mw_error mwi_registry_find(const char *scheme, const mw_transport_api **api, mw_reason *why)
{
    for (size_t i = 0; built_in[i] != NULL; i++) {
        if (strcmp(built_in[i]->scheme, scheme) == 0) {
            *api = built_in[i];
            return MW_OK;
        }
    }
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++)
        if (strcmp(optional[i].scheme, scheme) == 0)
            return unavailable(why, optional[i].what);
    return load_module(scheme, api, why);
}

mw_error mwi_registry_can_encrypt(mw_reason *why)
{
#ifdef MW_WITH_TLS
    (void)why;
    return MW_OK;
#else
    return unavailable(why, "this mw was built without OpenSSL (MW_WITH_TLS=OFF), and cannot "
                            "encrypt connections over TCP: use --mw-insecure, or a build with "
                            "OpenSSL");
#endif
}

const char *mwi_registry_sim_host(const mw_transport_api *api, const void *environment)
{
    return api == &mw_sim_transport ? mw_sim_host_name(environment) : NULL;
}
