/* SPDX-License-Identifier: Apache-2.0
 *
 * Role flags win over guesses; mwi_options_check has refused contradictions before.
 */
#include "launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int to_number(const char *text, int otherwise)
{
    char *end;
    if (text == NULL || text[0] == '\0')
        return otherwise;
    long number = strtol(text, &end, 10);
    return *end == '\0' && number >= 0 && number <= INT32_MAX ? (int)number : otherwise;
}

struct mwi_world mwi_launch_world(char *(*get)(const char *name))
{
    if (get("OMPI_COMM_WORLD_SIZE") != NULL)
        return (struct mwi_world){to_number(get("OMPI_COMM_WORLD_SIZE"), 1),
                                  to_number(get("OMPI_COMM_WORLD_RANK"), 0)};
    if (get("PMIX_RANK") != NULL && get("SLURM_STEP_NUM_TASKS") != NULL)
        return (struct mwi_world){to_number(get("SLURM_STEP_NUM_TASKS"), 1),
                                  to_number(get("PMIX_RANK"), 0)};
    return (struct mwi_world){1, 0};
}

enum mwi_mode mwi_launch_mode(const mw_options *options, struct mwi_world world)
{
    const char *transport = mwi_options_text(options, MWI_OPTION_TRANSPORT);
    bool is_auto = strcmp(transport, "auto") == 0;
    bool is_slave = mwi_options_flag(options, MWI_OPTION_SLAVE);
    bool is_master = mwi_options_flag(options, MWI_OPTION_MASTER);

    if (is_slave && mwi_options_is_set(options, MWI_OPTION_CHANNEL))
        return MWI_MODE_CHANNEL_SLAVE;
    if (is_slave)
        return MWI_MODE_TCP_SLAVE;
    if (is_master || strcmp(transport, "tcp") == 0)
        return MWI_MODE_TCP_MASTER;
    if (mwi_options_is_set(options, MWI_OPTION_LOCAL))
        return MWI_MODE_LOCAL;
    if (strcmp(transport, "mpi") == 0 || (is_auto && world.size > 1))
        return world.rank == 0 ? MWI_MODE_MPI_MASTER : MWI_MODE_MPI_SLAVE;
    return MWI_MODE_LOCAL;
}

bool mwi_mode_is_slave(enum mwi_mode mode)
{
    return mode == MWI_MODE_TCP_SLAVE || mode == MWI_MODE_CHANNEL_SLAVE ||
           mode == MWI_MODE_MPI_SLAVE;
}

const mw_algorithm *mwi_launch_algorithms(const mw_program *program)
{
    static const mw_algorithm none = {0};
    return program->algorithms == NULL ? &none : program->algorithms;
}

mw_error mwi_launch_check_program(const mw_program *program, mw_reason *why)
{
    const mw_algorithm *table = mwi_launch_algorithms(program);
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
