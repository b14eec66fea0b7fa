/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads where this process runs. face/slave_open calls it once, when it opens a slave. The boot id
 * is Linux's: a random number that the kernel draws when it starts, so two processes with one boot
 * id share a kernel, whatever their hosts are called.
 *
 * Invariants: a simulated slave does not call this, since two runs of one seed would differ; every
 * text ends with a NUL, and is empty if it is unknown. To tell the master more of a slave's
 * machine, read it here and add it to HELLO (engine/greeting).
 */
#include "loop/machine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void read_host(char *host, size_t size)
{
    if (gethostname(host, size) != 0)
        host[0] = '\0';
    host[size - 1] = '\0';
}

static void read_boot_id(char *boot_id, size_t size)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    boot_id[0] = '\0';
    if (file == NULL)
        return;
    if (fgets(boot_id, (int)size, file) == NULL)
        boot_id[0] = '\0';
    boot_id[strcspn(boot_id, "\n")] = '\0';
    fclose(file);
}

void mwi_machine_read(struct mwi_greeting_origin *origin)
{
    read_host(origin->host, sizeof origin->host);
    read_boot_id(origin->boot_id, sizeof origin->boot_id);
    origin->pid = (uint32_t)getpid();
}
