/* SPDX-License-Identifier: Apache-2.0
 *
 * engine/slave_engine learns the algorithms when a master has welcomed the slave, and asks for them
 * when a task begins. Rules:
 *
 * - Algorithms are found by their names: the slave may be another program than the master, with
 *   other algorithms, or in another order.
 * - Names come from a stranger, and get into sentences for users. So they are kept printable.
 * - After learn has failed, the algorithms below `count` are whole.
 *
 * Something else that a slave is to know of an algorithm is a further array.
 */
#include "engine/repertoire.h"

#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "wire/content.h"

static mw_task_fn *find_algorithm(const mw_algorithm *own, struct mwi_text name)
{
    while (own->name != NULL &&
           (strlen(own->name) != name.size || memcmp(own->name, name.data, name.size) != 0))
        own++;
    return own->run;
}

/* A printable copy, which the caller frees; NULL out of memory. */
static char *copy_printable(struct mwi_text text)
{
    size_t size = mwi_printable_size(text.data, text.size);
    char *copy = malloc(size + 1);
    if (copy == NULL)
        return NULL;
    mwi_printable_write(copy, text.data, text.size);
    copy[size] = '\0';
    return copy;
}

void mwi_repertoire_fini(struct mwi_repertoire *repertoire)
{
    for (size_t i = 0; i < repertoire->count; i++)
        free(repertoire->names[i]);
    free(repertoire->names);
    free(repertoire->runs);
    free(repertoire->numbers);
    *repertoire = (struct mwi_repertoire){0};
}

bool mwi_repertoire_learn(struct mwi_repertoire *repertoire, const mw_algorithm *own,
                          const struct mwi_message *welcome)
{
    size_t count = welcome->welcome.algorithms_count;
    mwi_repertoire_fini(repertoire);
    repertoire->names = calloc(count + 1, sizeof *repertoire->names);
    repertoire->runs = calloc(count + 1, sizeof *repertoire->runs);
    repertoire->numbers = calloc(count + 1, sizeof *repertoire->numbers);
    if (repertoire->names == NULL || repertoire->runs == NULL || repertoire->numbers == NULL)
        return false;
    for (; repertoire->count < count; repertoire->count++) {
        struct mwi_text text = mwi_message_algorithm(welcome, repertoire->count);
        char *name = copy_printable(text);
        if (name == NULL)
            return false;
        repertoire->names[repertoire->count] = name;
        repertoire->runs[repertoire->count] = find_algorithm(own, text);
        repertoire->numbers[repertoire->count] = mwi_content_name(text.data, text.size);
    }
    return true;
}
