/* SPDX-License-Identifier: Apache-2.0
 *
 * The task algorithms of a slave, by the numbers that its master has given them. The master's
 * welcome says which names it has; messages of tasks have their numbers.
 */
#ifndef MWI_REPERTOIRE_H
#define MWI_REPERTOIRE_H

#include "wire/message.h"

/* All zero at first. The arrays are by the master's number of an algorithm, below `count`. */
struct mwi_repertoire {
    mw_task_fn **runs; /* NULL: the slave has no such algorithm */
    char **names;      /* as the master calls them, printable */
    uint64_t *numbers; /* of the names, see wire/content.h */
    size_t count;
};

void mwi_repertoire_fini(struct mwi_repertoire *repertoire);

/* Learns what the decoded WELCOME says, and forgets what a master before has said. `own`, ended by
 * a NULL name, is what the slave has; the functions are taken from there. False out of memory. */
bool mwi_repertoire_learn(struct mwi_repertoire *repertoire, const mw_algorithm *own,
                          const struct mwi_message *welcome);

/* The function of an algorithm, by any number; NULL if master or slave have no such algorithm. */
static inline mw_task_fn *mwi_repertoire_run(const struct mwi_repertoire *repertoire,
                                             size_t algorithm)
{
    return algorithm < repertoire->count ? repertoire->runs[algorithm] : NULL;
}

/* The name of an algorithm, by any number, borrowed until the next learn; "?" if the master has no
 * such algorithm. */
static inline const char *mwi_repertoire_name(const struct mwi_repertoire *repertoire,
                                              size_t algorithm)
{
    return algorithm < repertoire->count ? repertoire->names[algorithm] : "?";
}

#endif
