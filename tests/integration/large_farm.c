/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm that moves one large payload each way: large_farm BYTES bytes|values SLAVES
 *
 * It waits for SLAVES slaves. While the large task is out, it submits small tasks, each when the
 * one before has come back. Each process prints at its end the most memory that it had. The exit
 * status is 1 if a payload was wrong. The slave with the large task makes the file that LARGE_MARK
 * names when it begins to send the result.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mw/mw.h>

#include "mwt_await.h"

#define LARGE_TAG 1
/* The mask that makes a result's words from those of the arguments. */
#define RESULT_MASK UINT64_C(0x5555555555555555)

/* Fills with words that depend on their place, so that a word in a wrong place is noticed. */
static void fill(unsigned char *data, size_t size, uint64_t mask)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = (at * UINT64_C(0x9e3779b97f4a7c15)) ^ mask;
        memcpy(data + at, &word, size - at < sizeof word ? size - at : sizeof word);
    }
}

/* Whether the words are those that fill wrote, from place `start` on. */
static bool is_filled(const unsigned char *data, size_t size, size_t start, uint64_t mask)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = ((start + at) * UINT64_C(0x9e3779b97f4a7c15)) ^ mask;
        if (memcmp(data + at, &word, size - at < sizeof word ? size - at : sizeof word) != 0)
            return false;
    }
    return true;
}

static void mark(void)
{
    const char *path = getenv("LARGE_MARK");
    if (path != NULL)
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static bool is_marked(void)
{
    const char *path = getenv("LARGE_MARK");
    return path != NULL && access(path, F_OK) == 0;
}

/* Returns other bytes of the same size. */
static void bytes(mw_call *call)
{
    void *data;
    size_t size;
    if (mw_call_bytes(call, &data, &size) != MW_OK)
        return;
    unsigned char *result = malloc(size);
    if (result == NULL || !is_filled(data, size, 0, 0)) {
        free(result);
        mw_call_fail(call, "wrong arguments, or out of memory");
        return;
    }
    fill(result, size, RESULT_MASK);
    mw_call_return_bytes_take(call, result, size);
    mark();
}

/* The payload as values is two binaries, because a binary has less than 4 GiB. */
static size_t size_of_first(size_t size)
{
    return size / 2 / sizeof(uint64_t) * sizeof(uint64_t);
}

/* Returns its arguments. */
static void values(mw_call *call)
{
    const void *first, *second;
    size_t first_size, second_size;
    if (mw_call_args(call, "yy", &first, &first_size, &second, &second_size) != MW_OK)
        return;
    if (!is_filled(first, first_size, 0, 0) || !is_filled(second, second_size, first_size, 0)) {
        mw_call_fail(call, "wrong arguments");
        return;
    }
    mw_call_return(call, "yy", first, first_size, second, second_size);
    mark();
}

static void ping(mw_call *call)
{
    mw_call_return(call, "");
}

static bool submit_large(mw_master *farm, const char *form, size_t size)
{
    const mw_task task = {.algorithm = form, .tag = LARGE_TAG};
    unsigned char *data = malloc(size);
    if (data == NULL)
        return false;
    fill(data, size, 0);
    if (strcmp(form, "bytes") == 0)
        return mw_master_submit_bytes_take(farm, &task, data, size) == MW_OK;
    size_t first_size = size_of_first(size);
    bool is_submitted = mw_master_submit(farm, &task, "yy", data, first_size, data + first_size,
                                         size - first_size) == MW_OK;
    free(data);
    return is_submitted;
}

static bool is_right(const mw_result *result, size_t size)
{
    const void *first, *second;
    size_t first_size, second_size;
    if (result->outcome != MW_DONE) {
        fprintf(stderr, "large: %s\n", result->message);
        return false;
    }
    if (result->is_bytes)
        return result->size == size && is_filled(result->data, size, 0, RESULT_MASK);
    return mw_result_get(result, "yy", &first, &first_size, &second, &second_size) == MW_OK &&
           first_size + second_size == size && is_filled(first, first_size, 0, 0) &&
           is_filled(second, second_size, first_size, 0);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int master(mw_master *farm, int argc, char **argv)
{
    const mw_task small = {.algorithm = "ping"};
    unsigned small_count = 0;
    const mw_result *result;
    if (argc != 4 || !mwt_await_slaves(farm, (size_t)atoi(argv[3])))
        return 2;
    size_t size = (size_t)strtoull(argv[1], NULL, 10);
    if (!submit_large(farm, argv[2], size))
        return 2;
    double began_s = now_s();
    mw_master_submit(farm, &small, "");
    while ((result = mw_master_next(farm)) != NULL && result->tag != LARGE_TAG) {
        if (is_marked())
            small_count++;
        mw_master_submit(farm, &small, "");
    }
    double took_s = now_s() - began_s;
    if (result == NULL || !is_right(result, size))
        return 1;
    printf("large: %zu bytes each way in %.2f s, %u small results while the result came\n", size,
           took_s, small_count);
    while (mw_master_next(farm) != NULL)
        ;
    return 0;
}

static int slave(mw_slave *slave, int argc, char **argv)
{
    (void)argc, (void)argv;
    int status = mw_slave_loop_simple(slave);
    bool *is_slave = mw_slave_user(slave);
    *is_slave = true;
    return status;
}

/* The most memory that this process had, in KiB; 0 if it is not known. */
static long memory_peak(void)
{
    char line[256];
    long peak = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "VmHWM: %ld", &peak) == 1)
            break;
    if (status != NULL)
        fclose(status);
    return peak;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {
        {"bytes", bytes}, {"values", values}, {"ping", ping}, {0}};
    bool is_slave = false;
    const mw_program program = {
        .algorithms = algorithms, .master = master, .slave = slave, .user = &is_slave};
    int status = mw_main(&program, argc, argv);
    fprintf(stderr, "large: %s had %ld KiB\n", is_slave ? "slave" : "master", memory_peak());
    return status;
}
