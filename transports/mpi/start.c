/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes MPI usable, for ranks.c and for start_job in mpi.c, and knows the two kinds of MPI whose
 * programs cannot be mixed: Open MPI, whose handles are pointers, and MPICH with its descendants
 * (Intel MPI, MVAPICH, Cray MPICH), whose handles are numbers.
 *
 * A program may have loaded another MPI than this module is linked with. The linker then gives the
 * module the program's functions, but its own library's variables, and the first call with a handle
 * would crash. Invariant: no function with a handle is called unless check_library has succeeded.
 * MPI_Get_library_version, MPI_Initialized and MPI_Finalized take none.
 *
 * To support another MPI of one of the two kinds, add a row to `kinds`. A third kind needs an
 * OWN_KIND too.
 */
#include "start.h"

#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "why.h"

#ifdef OPEN_MPI
#define OWN_KIND "Open MPI"
#else
#define OWN_KIND "MPICH"
#endif

/* Room for the text of any MPI: Open MPI promises at most 256 bytes, and MPICH writes thousands. */
#define VERSION_BYTES 16384

/* A kind, and a word by which it is known in the text of MPI_Get_library_version. */
static const char *const kinds[][2] = {
    {"Open MPI", "Open MPI"}, {"Open MPI", "Spectrum MPI"}, {"MPICH", "MPICH"},
    {"MPICH", "Intel"},       {"MPICH", "MVAPICH"},
};

bool mwi_mpi_start_is_usable(void)
{
    int initialized = 0;
    int finalized = 0;
    MPI_Initialized(&initialized);
    MPI_Finalized(&finalized);
    return initialized != 0 && finalized == 0;
}

void mwi_mpi_start_name(char *name, size_t size)
{
    char text[VERSION_BYTES] = "";
    int length = 0;
    MPI_Get_library_version(text, &length);
    text[strcspn(text, ",\n")] = '\0';
    for (char *tab = strchr(text, '\t'); tab != NULL; tab = strchr(tab, '\t'))
        *tab = ' ';
    snprintf(name, size, "%s", text);
}

/* The kind of the MPI whose functions this module calls. An unknown MPI is taken to be of
 * OWN_KIND. */
static const char *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strstr(name, kinds[i][1]) != NULL)
            return kinds[i][0];
    return OWN_KIND;
}

static mw_error check_library(mw_reason *why)
{
    char name[96];
    mwi_mpi_start_name(name, sizeof name);
    if (strcmp(find_kind(name), OWN_KIND) == 0)
        return MW_OK;
    return mwi_mpi_why_fail(
        why, MW_EUNAVAILABLE,
        "this program uses %s, but the MPI module of this mw was built for " OWN_KIND
        ": build both with the same MPI",
        name);
}

mw_error mwi_mpi_start_check_kind(const char *kind, mw_reason *why)
{
    if (kind == NULL || strcmp(kind, OWN_KIND) == 0)
        return MW_OK;
    return mwi_mpi_why_fail(why, MW_EUNAVAILABLE,
                            "this program was compiled with %.50s, but the MPI module of this mw "
                            "was built for " OWN_KIND ": build both with the same MPI",
                            kind);
}

#ifdef OPEN_MPI
/* Finds files by a pattern, which is relative to the folder of the MPI library. */
static void find_beside(const char *library, const char *pattern, int flags, glob_t *found)
{
    char whole[PATH_MAX + 64];
    const char *slash = strrchr(library, '/');
    snprintf(whole, sizeof whole, "%.*s/%s", (int)(slash - library), library, pattern);
    (void)glob(whole, flags, NULL, found);
}

/* Whether this Open MPI has a plug-in for PMI-1 or PMI-2, by which Slurm started ranks before PMIx.
 * True if no plug-ins are found at all. */
static bool has_old_pmi(void)
{
    glob_t found = {0};
    Dl_info info;
    void *start = dlsym(RTLD_DEFAULT, "MPI_Init");
    char *path = start != NULL && dladdr(start, &info) != 0 ? realpath(info.dli_fname, NULL) : NULL;
    if (path == NULL)
        return true;
    find_beside(path, "openmpi*/mca_pmix_*.so", 0, &found);
    find_beside(path, "openmpi*/lib/openmpi*/mca_pmix_*.so", GLOB_APPEND, &found); /* Debian */
    free(path);
    bool has_one = found.gl_pathc == 0;
    for (size_t i = 0; i < found.gl_pathc; i++)
        has_one = has_one || strstr(found.gl_pathv[i], "mca_pmix_s1.so") != NULL ||
                  strstr(found.gl_pathv[i], "mca_pmix_s2.so") != NULL ||
                  strstr(found.gl_pathv[i], "mca_pmix_cray.so") != NULL;
    globfree(&found);
    return has_one;
}

/* Fails if MPI_Init would end the process: Open MPI 4 does that if srun has started the process,
 * and srun offers no PMI server for which Open MPI has a plug-in. */
static mw_error check_srun(mw_reason *why)
{
    bool is_step = getenv("SLURM_STEP_ID") != NULL && getenv("SLURM_NODELIST") != NULL;
    if (!is_step || getenv("PMIX_NAMESPACE") != NULL || has_old_pmi())
        return MW_OK;
    return mwi_mpi_why_fail(why, MW_EUNAVAILABLE,
                            "this " OWN_KIND " does not start under srun without --mpi=pmix");
}
#else
static mw_error check_srun(mw_reason *why)
{
    (void)why;
    return MW_OK;
}
#endif

static mw_error initialize(bool *must_finalize, mw_reason *why)
{
    int provided;
    mw_error error = check_srun(why);
    if (error == MW_OK)
        error = mwi_mpi_why_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided),
                                  "MPI_Init", why);
    *must_finalize = error == MW_OK;
    return error;
}

mw_error mwi_mpi_start(bool may_initialize, bool *must_finalize, mw_reason *why)
{
    int finalized = 0;
    mw_error error = check_library(why);
    *must_finalize = false;
    if (error != MW_OK)
        return error;
    MPI_Finalized(&finalized);
    if (finalized != 0)
        return mwi_mpi_why_fail(
            why, MW_EUNAVAILABLE,
            "MPI was already finalised: it cannot be used again in this process");
    if (mwi_mpi_start_is_usable())
        return MW_OK;
    if (!may_initialize)
        return mwi_mpi_why_fail(why, MW_EUNAVAILABLE,
                                "a communicator is given, but MPI is not initialised");
    return initialize(must_finalize, why);
}

mw_error mwi_mpi_start_fail_thread(mw_reason *why)
{
    return mwi_mpi_why_fail(why, MW_EUNAVAILABLE,
                            "MPI was initialised by another thread, at a level that lets no other "
                            "thread call it: ask MPI_Init_thread for MPI_THREAD_SERIALIZED");
}

/* Below MPI_THREAD_SERIALIZED only the thread that initialised MPI may call it. MPI_THREAD_SINGLE
 * says that there is no other thread: mw makes none, so that is enough. */
mw_error mwi_mpi_start_threads(struct mwi_mpi_threads *threads, mw_reason *why)
{
    int provided = MPI_THREAD_SINGLE;
    int is_main = 0;
    mw_error error = mwi_mpi_why_check(MPI_Query_thread(&provided), "MPI_Query_thread", why);
    if (error == MW_OK)
        error = mwi_mpi_why_check(MPI_Is_thread_main(&is_main), "MPI_Is_thread_main", why);
    if (error != MW_OK)
        return error;
    *threads = (struct mwi_mpi_threads){.only = pthread_self(),
                                        .is_bound = provided < MPI_THREAD_SERIALIZED};
    return threads->is_bound && !is_main ? mwi_mpi_start_fail_thread(why) : MW_OK;
}
