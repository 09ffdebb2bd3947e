#include "engine/plan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Milliseconds of a step by rows, measured with Q4_K_M on 2 cores. */
static const int measured[] = {0, 16, 39, 47, 54, 69, 76, 83, 69, 85, 88, 91, 86};

static struct plan plan_of(int n_slots, bool can_pad)
{
    struct plan plan;
    plan_init(&plan, n_slots, can_pad);
    for (int n; (n = plan_untimed(&plan)) > 0;) {
        int known =
            n < (int)(sizeof(measured) / sizeof(*measured)) ? measured[n] : 80 + n;
        plan_time(&plan, (int64_t)known * 1000 + rand() % 900);
    }
    return plan;
}

static int runs_for(const struct plan *plan, const char *slots, struct run *runs)
{
    bool speaks[PLAN_SLOTS_MAX] = {0}, alone[PLAN_SLOTS_MAX] = {0};
    for (int i = 0; slots[i]; i++) {
        speaks[i] = slots[i] != '.';
        alone[i] = slots[i] == 'a';
    }
    return plan_runs(plan, speaks, alone, runs);
}

static void two_go_one_after_the_other(void **state)
{
    (void)state;
    struct plan plan = plan_of(8, true);
    struct run runs[8];
    assert_int_equal(runs_for(&plan, "xx......", runs), 2);
    assert_int_equal(runs[0].n, 1);
    assert_int_equal(runs[1].n, 1);
}

static void six_are_padded_to_eight(void **state)
{
    (void)state;
    struct plan plan = plan_of(8, true);
    struct run runs[8];
    assert_int_equal(runs_for(&plan, "xx.xxx.x", runs), 1);
    assert_int_equal(runs[0].first, 0);
    assert_int_equal(runs[0].n, 8);
    assert_int_equal(runs_for(&plan, "..xxxxxx", runs), 1);
    assert_int_equal(runs[0].n, 8);
}

static void without_padding_a_gap_ends_a_run(void **state)
{
    (void)state;
    struct plan plan = plan_of(8, false);
    struct run runs[8];
    assert_int_equal(runs_for(&plan, "xxxx.xxx", runs), 2);
}

static void who_must_be_alone_is(void **state)
{
    (void)state;
    struct plan plan = plan_of(8, true);
    struct run runs[8];
    assert_int_equal(runs_for(&plan, "xxaxxxxx", runs), 2);
    assert_int_equal(runs[0].first, 2);
    assert_int_equal(runs[0].n, 1);
}

static void every_speaker_is_covered_once_or_padded(void **state)
{
    (void)state;
    srand(3);
    for (int round = 0; round < 5000; round++) {
        int n_slots = 1 + rand() % 20;
        struct plan plan = plan_of(n_slots, rand() % 2);
        bool speaks[PLAN_SLOTS_MAX] = {0}, alone[PLAN_SLOTS_MAX] = {0};
        bool covered[PLAN_SLOTS_MAX] = {0};
        for (int i = 0; i < n_slots; i++) {
            speaks[i] = rand() % 2;
            alone[i] = rand() % 4 == 0;
        }
        struct run runs[PLAN_SLOTS_MAX];
        int n_runs = plan_runs(&plan, speaks, alone, runs);
        for (int i = 0; i < n_runs; i++) {
            assert_true(runs[i].first >= 0 && runs[i].first + runs[i].n <= n_slots);
            for (int j = runs[i].first; j < runs[i].first + runs[i].n; j++)
                covered[j] |= !alone[j] || runs[i].n == 1;
        }
        for (int i = 0; i < n_slots; i++)
            assert_true(covered[i] || !speaks[i]);
    }
}

static void rows_of_one_slot_come_in_the_cheapest_pieces(void **state)
{
    (void)state;
    struct plan plan = plan_of(8, true);
    assert_int_equal(plan_piece(&plan, 1), 1);
    assert_int_equal(plan_piece(&plan, 2), 1); /* twice 16 ms, not 39 */
    assert_int_equal(plan_piece(&plan, 8), 8); /* 69 ms, not 8 times 16 */
    assert_int_equal(plan_piece(&plan, 300), 300);
    int left = 7, n_steps = 0;
    for (int piece; left > 0; left -= piece, n_steps++) {
        piece = plan_piece(&plan, left);
        assert_true(piece >= 1 && piece <= left);
    }
    assert_true(n_steps <= 3);
}

static void neighbours_cost_less_than_strangers(void **state)
{
    (void)state;
    struct plan plan = plan_of(16, true);
    bool together[PLAN_SLOTS_MAX] = {0}, apart[PLAN_SLOTS_MAX] = {0};
    for (int i = 0; i < 8; i++)
        together[i] = apart[i < 4 ? i : i + 8] = true;
    assert_true(plan_step_cost(&plan, together) < plan_step_cost(&plan, apart));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_go_one_after_the_other),
        cmocka_unit_test(six_are_padded_to_eight),
        cmocka_unit_test(without_padding_a_gap_ends_a_run),
        cmocka_unit_test(who_must_be_alone_is),
        cmocka_unit_test(every_speaker_is_covered_once_or_padded),
        cmocka_unit_test(rows_of_one_slot_come_in_the_cheapest_pieces),
        cmocka_unit_test(neighbours_cost_less_than_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
