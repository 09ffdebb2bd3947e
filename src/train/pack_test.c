#include "train/pack.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct example example_of(int32_t *tokens, int n, int n_prompt)
{
    return (struct example){tokens, n, n_prompt};
}

static void
the_last_prompt_token_and_all_answer_tokens_but_the_last_have_targets(void **state)
{
    (void)state;
    struct pack pack = {0};
    int32_t tokens[] = {7, 8, 9, 4, 5};
    struct example e = example_of(tokens, 5, 3);
    assert_int_equal(pack_add(&pack, &e, 0.5f), 4);
    assert_int_equal(pack.n_targets, 2);
    assert_int_equal(pack.targets[0].row, 2);
    assert_int_equal(pack.targets[0].token, 4);
    assert_int_equal(pack.targets[1].row, 3);
    assert_int_equal(pack.targets[1].token, 5);
    assert_true(pack.targets[1].weight == 0.5f);
    pack_free(&pack);
}

static void what_examples_have_in_common_at_their_beginning_is_there_once(void **state)
{
    (void)state;
    struct pack pack = {0};
    int32_t a[] = {1, 2, 3, 4, 5}, b[] = {1, 2, 9, 4, 5}, c[] = {2, 2, 3, 4, 5};
    struct example ea = example_of(a, 5, 3), eb = example_of(b, 5, 3),
                   ec = example_of(c, 5, 3);
    assert_int_equal(pack_add(&pack, &ea, 1), 4);
    assert_int_equal(pack_cost(&pack, &eb), 2);
    assert_int_equal(pack_add(&pack, &eb, 1), 2);
    assert_int_equal(pack_add(&pack, &ec, 1), 4);
    assert_int_equal(pack_cost(&pack, &ea), 0);
    assert_int_equal(pack_add(&pack, &ea, 1), 0); /* the same again: targets only */
    assert_int_equal(pack.n, 10);
    assert_int_equal(pack.n_targets, 8);
    const int before[] = {-1, 0, 1, 2, 1, 4, -1, 6, 7, 8};
    const int positions[] = {0, 1, 2, 3, 2, 3, 0, 1, 2, 3};
    for (int i = 0; i < pack.n; i++) {
        assert_int_equal(pack.before[i], before[i]);
        assert_int_equal(pack.positions[i], positions[i]);
    }
    pack_free(&pack);
}

static void padding_sees_itself_and_is_not_seen(void **state)
{
    (void)state;
    struct pack pack = {0};
    int32_t a[] = {1, 2, 3};
    struct example e = example_of(a, 3, 1);
    float mask[16];
    pack_add(&pack, &e, 1);
    pack_pad(&pack, 4);
    assert_int_equal(pack.n, 4);
    assert_int_equal(pack.n_targets, 2);
    pack_pad(&pack, 4);
    assert_int_equal(pack.n, 4);
    pack_mask(&pack, 0, mask);
    const char *seen = "x..."
                       "xx.."
                       "..x."
                       "...x";
    for (int i = 0; i < 16; i++)
        assert_true(mask[i] == (seen[i] == 'x' ? 0 : -INFINITY));
    pack_free(&pack);
}

static void a_row_sees_its_own_line_and_no_further_than_the_window(void **state)
{
    (void)state;
    struct pack pack = {0};
    int32_t a[] = {1, 2, 3, 4}, b[] = {1, 2, 9, 4};
    struct example ea = example_of(a, 4, 2), eb = example_of(b, 4, 2);
    pack_add(&pack, &ea, 1);
    pack_add(&pack, &eb, 1);
    assert_int_equal(pack.n, 4); /* 1 2 3 9 */
    const char *seen[] = {"x...", "xx..", "xxx.", "xx.x"};
    const char *window[] = {"x...", "xx..", ".xx.", ".x.x"};
    float mask[16];
    for (int wide = 0; wide < 2; wide++) {
        pack_mask(&pack, wide ? 0 : 2, mask);
        for (int i = 0; i < 16; i++)
            assert_true(mask[i] ==
                        ((wide ? seen : window)[i / 4][i % 4] == 'x' ? 0 : -INFINITY));
    }
    pack_free(&pack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_last_prompt_token_and_all_answer_tokens_but_the_last_have_targets),
        cmocka_unit_test(what_examples_have_in_common_at_their_beginning_is_there_once),
        cmocka_unit_test(padding_sees_itself_and_is_not_seen),
        cmocka_unit_test(a_row_sees_its_own_line_and_no_further_than_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
