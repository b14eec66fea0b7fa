/* SPDX-License-Identifier: Apache-2.0
 *
 * The hash map: keys of any bits, growth, removal, and walks over all entries. Random operations
 * are compared with a plain array.
 */
#include "base/map.h"

#include <string.h>

#include "mwt_random.h"
#include "mwt_run.h"

#define KEYS_COUNT 700

struct reference {
    uint64_t keys[KEYS_COUNT];
    void *values[KEYS_COUNT]; /* NULL: not in the map */
    size_t count;
};

/* Keys from 1 up, as peers are, the same in the upper bits, as those of a second transport are, and
 * any. */
static void make_keys(struct reference *reference, struct mwt_random *random)
{
    memset(reference, 0, sizeof *reference);
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        uint64_t number = i / 3 + 1;
        uint64_t kinds[] = {number, number << 56, mwt_random_next(random) | 1};
        reference->keys[i] = kinds[i % 3];
    }
    reference->keys[KEYS_COUNT - 1] = UINT64_MAX;
}

static void check_all(const struct mwi_map *map, const struct reference *reference)
{
    for (size_t i = 0; i < KEYS_COUNT; i++)
        CU_ASSERT_PTR_EQUAL(mwi_map_get(map, reference->keys[i]), reference->values[i]);
}

static void set_key(struct mwi_map *map, struct reference *reference, size_t i, void *value)
{
    CU_ASSERT_TRUE(mwi_map_set(map, reference->keys[i], value));
    reference->count += reference->values[i] == NULL;
    reference->values[i] = value;
}

static void remove_key(struct mwi_map *map, struct reference *reference, size_t i)
{
    CU_ASSERT_PTR_EQUAL(mwi_map_remove(map, reference->keys[i]), reference->values[i]);
    reference->count -= reference->values[i] != NULL;
    reference->values[i] = NULL;
}

/* After any sequence of sets and removals, every key has its latest pointer or none. */
static void test_like_a_table(void)
{
    static struct reference reference;
    static char places[4000];
    struct mwt_random random;
    struct mwi_map map;
    mwt_random_start(&random);
    make_keys(&reference, &random);
    mwi_map_init(&map);

    for (size_t step = 0; step < 40000; step++) {
        size_t i = mwt_random_below(&random, KEYS_COUNT);
        bool is_shrinking = step / 4000 % 2 == 1;
        if (mwt_random_below(&random, 8) < (is_shrinking ? 6u : 2u))
            remove_key(&map, &reference, i);
        else
            set_key(&map, &reference, i, &places[step % sizeof places]);
        if (step % 500 == 0)
            check_all(&map, &reference);
    }

    check_all(&map, &reference);
    CU_ASSERT_EQUAL(map.used_count, reference.count);
    mwi_map_fini(&map);
}

/* Keys that fall into the same slot are kept apart, also after some of them are gone. */
static void test_collisions(void)
{
    int values[8];
    struct mwi_map map;
    mwi_map_init(&map);
    for (uint64_t i = 0; i < 8; i++)
        CU_ASSERT_TRUE(mwi_map_set(&map, i << 40 | 7, &values[i]));

    for (uint64_t i = 0; i < 8; i += 2)
        CU_ASSERT_PTR_EQUAL(mwi_map_remove(&map, i << 40 | 7), &values[i]);

    for (uint64_t i = 0; i < 8; i++)
        CU_ASSERT_PTR_EQUAL(mwi_map_get(&map, i << 40 | 7), i % 2 == 0 ? NULL : &values[i]);
    mwi_map_fini(&map);
}

/* A map that holds nothing, or never held anything, has no key, least of all 0. */
static void test_empty(void)
{
    int value;
    size_t cursor = 0;
    struct mwi_map map;
    mwi_map_init(&map);

    CU_ASSERT_PTR_NULL(mwi_map_get(&map, 1));
    CU_ASSERT_PTR_NULL(mwi_map_remove(&map, 1));
    CU_ASSERT_PTR_NULL(mwi_map_next(&map, &cursor));
    CU_ASSERT_TRUE(mwi_map_set(&map, 1, &value));
    CU_ASSERT_PTR_NULL(mwi_map_get(&map, 0));
    CU_ASSERT_PTR_NULL(mwi_map_remove(&map, 0));
    CU_ASSERT_PTR_EQUAL(mwi_map_remove(&map, 1), &value);
    CU_ASSERT_PTR_NULL(mwi_map_remove(&map, 1));
    CU_ASSERT_EQUAL(map.used_count, 0);

    mwi_map_fini(&map);
    CU_ASSERT_PTR_NULL(mwi_map_get(&map, 1));
    mwi_map_fini(&map);
}

/* Walking over a map meets each pointer once. */
static void test_next(void)
{
    enum { COUNT = 1000 };
    static unsigned char met[COUNT];
    size_t cursor = 0, total = 0;
    struct mwi_map map;
    mwi_map_init(&map);
    memset(met, 0, sizeof met);
    for (uint64_t i = 0; i < COUNT; i++)
        CU_ASSERT_TRUE(mwi_map_set(&map, i * i + 1, &met[i]));

    for (unsigned char *value; (value = mwi_map_next(&map, &cursor)) != NULL; total++)
        ++*value;

    CU_ASSERT_EQUAL(total, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        CU_ASSERT_EQUAL(met[i], 1);
    CU_ASSERT_PTR_NULL(mwi_map_next(&map, &cursor));
    mwi_map_fini(&map);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"like a table", test_like_a_table},
        {"collisions", test_collisions},
        {"empty", test_empty},
        {"next", test_next},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("map", tests);
}
