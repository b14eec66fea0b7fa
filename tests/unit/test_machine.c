/* SPDX-License-Identifier: Apache-2.0
 *
 * A process reads where it runs: the name of its machine, the id of the machine's boot, and its own
 * number.
 */
#include "loop/machine.h"

#include <string.h>
#include <unistd.h>

#include "mwt_run.h"

/* The host's name, the boot id without its newline, and the process's own number. */
static void test_read(void)
{
    struct mwi_greeting_origin origin;
    char host[256];
    CU_ASSERT_EQUAL_FATAL(gethostname(host, sizeof host), 0);
    memset(&origin, '?', sizeof origin);

    mwi_machine_read(&origin);

    CU_ASSERT_STRING_EQUAL(origin.host, host);
    CU_ASSERT_EQUAL(origin.pid, (uint32_t)getpid());
    bool has_boot_id = access("/proc/sys/kernel/random/boot_id", R_OK) == 0;
    CU_ASSERT_EQUAL(strlen(origin.boot_id), has_boot_id ? 36 : 0);
    CU_ASSERT_PTR_NULL(strchr(origin.boot_id, '\n'));
}

/* Two reads on one machine say the same, so that processes of one boot are known as such. */
static void test_same_boot(void)
{
    struct mwi_greeting_origin first, second;

    mwi_machine_read(&first);
    mwi_machine_read(&second);

    CU_ASSERT_STRING_EQUAL(first.boot_id, second.boot_id);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"read", test_read},
        {"same boot", test_same_boot},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("machine", tests);
}
