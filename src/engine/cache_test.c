#include "engine/cache.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS = 6, LONGEST = 24 };

static void a_prompt_finds_the_longest_prefix_of_each_slot(void **state)
{
    (void)state;
    struct cache *cache = cache_open();
    const int32_t chat[] = {1, 2, 3, 4, 5}, other[] = {1, 2, 9},
                  prompt[] = {1, 2, 3, 4, 8};
    int common[SLOTS];
    cache_put(cache, 0, chat, 5);
    cache_put(cache, 3, other, 3);
    cache_match(cache, prompt, 5, common, SLOTS);
    assert_int_equal(common[0], 4);
    assert_int_equal(common[1], 0);
    assert_int_equal(common[3], 2);
    cache_close(cache);
}

static void a_slot_put_again_is_forgotten_first(void **state)
{
    (void)state;
    struct cache *cache = cache_open();
    const int32_t a[] = {1, 2, 3, 4}, b[] = {1, 2, 7, 7};
    int common[SLOTS];
    cache_put(cache, 0, a, 4);
    cache_put(cache, 1, b, 4);
    cache_put(cache, 1, b, 0);
    assert_int_equal(cache_nodes(cache), 1); /* split nodes are merged again */
    cache_match(cache, a, 4, common, SLOTS);
    assert_int_equal(common[0], 4);
    assert_int_equal(common[1], 0);
    cache_close(cache);
}

static int common_prefix(const int32_t *a, int n_a, const int32_t *b, int n_b)
{
    int i = 0;
    while (i < n_a && i < n_b && a[i] == b[i])
        i++;
    return i;
}

static void it_agrees_with_comparing_every_slot(void **state)
{
    (void)state;
    struct cache *cache = cache_open();
    int32_t held[SLOTS][LONGEST];
    int n_held[SLOTS] = {0};
    srand(11);
    for (int round = 0; round < 20000; round++) {
        int slot = rand() % SLOTS, n = rand() % (LONGEST + 1), common[SLOTS];
        int32_t tokens[LONGEST];
        for (int i = 0; i < LONGEST; i++)
            tokens[i] = rand() % 8 == 0;
        cache_match(cache, tokens, n, common, SLOTS);
        for (int i = 0; i < SLOTS; i++)
            assert_int_equal(common[i], common_prefix(held[i], n_held[i], tokens, n));
        memcpy(held[slot], tokens, sizeof(tokens));
        n_held[slot] = n;
        cache_put(cache, slot, tokens, n);
        assert_true(cache_nodes(cache) <= 2 * SLOTS);
    }
    cache_close(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prompt_finds_the_longest_prefix_of_each_slot),
        cmocka_unit_test(a_slot_put_again_is_forgotten_first),
        cmocka_unit_test(it_agrees_with_comparing_every_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
