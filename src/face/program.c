/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the mw_program that the user wrote. A master and a slave check it when they are opened, and
 * borrow its table until they are closed. A rule that every program must keep is checked here.
 */
#include "face/program.h"

#include <stdio.h>
#include <string.h>

const mw_algorithm *mwi_program_algorithms(const mw_program *program)
{
    static const mw_algorithm none = {0};
    return program->algorithms == NULL ? &none : program->algorithms;
}

mw_error mwi_program_check(const mw_program *program, mw_reason *why)
{
    const mw_algorithm *table = mwi_program_algorithms(program);
    for (size_t i = 0; table[i].name != NULL; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(table[i].name, table[j].name) != 0)
                continue;
            snprintf(why->text, sizeof why->text,
                     "the task algorithm \"%.100s\" is in the program's table twice",
                     table[i].name);
            return MW_EINVAL;
        }
    }
    return MW_OK;
}
