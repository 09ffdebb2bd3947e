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

/* The same on a machine on which every row costs more. */
static const int even[] = {0,  18, 37,  43, 46,  63,  69,  76, 77,
                           94, 98, 102, 96, 113, 119, 125, 112};

static struct plan plan_by(const int *ms, int n_ms, int n_slots, bool can_pad)
{
    struct plan plan;
    plan_init(&plan, n_slots, can_pad);
    for (int n; (n = plan_untimed(&plan)) > 0;) {
        int known = n < n_ms ? ms[n] : 80 + n;
        plan_time(&plan, (int64_t)known * 1000 + rand() % 900);
    }
    return plan;
}

static struct plan plan_of(int n_slots, bool can_pad)
{
    return plan_by(measured, sizeof measured / sizeof *measured, n_slots, can_pad);
}

static struct plan even_plan(void)
{
    return plan_by(even, sizeof even / sizeof *even, 16, true);
}

/* Steps until all sizes are known, when those before `quiet` take twice as long. */
static int n_steps(struct plan *plan, int n_slots, int quiet)
{
    int n = 0;
    plan_init(plan, n_slots, true);
    for (int rows; (rows = plan_untimed(plan)) > 0; n++)
        plan_time(plan,
                  (int64_t)measured[rows] * (n < quiet ? 2000 : 1000) + rand() % 300);
    return n;
}

static void timing_ends_when_nothing_gets_cheaper(void **state)
{
    (void)state;
    struct plan plan;
    assert_int_equal(n_steps(&plan, 8, 0), 16);
    assert_int_equal(n_steps(&plan, 8, 3), 24); /* the second pass mends the first */
    assert_true(plan_cost(&plan, 5) < 70000);
    assert_int_equal(n_steps(&plan, 8, 13), 32);
    assert_true(plan_cost(&plan, 5) < 70000);
    assert_int_equal(n_steps(&plan, 8, 16), 16); /* all of it equally busy */
    plan_init(&plan, 4, true);
    for (int i = 0; i < 4 * PLAN_PASSES; i++) { /* ever quicker: it ends all the same */
        assert_int_equal(plan_untimed(&plan), 1 + i % 4);
        plan_time(&plan, 1000000 >> (i / 4));
    }
    assert_int_equal(plan_untimed(&plan), 0);
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

static void what_costs_nearly_the_same_goes_together(void **state)
{
    (void)state;
    struct plan plan = even_plan();
    struct run runs[16];
    assert_int_equal(runs_for(&plan, "xx..............", runs), 1); /* 37, not 18 + 18 */
    assert_int_equal(runs_for(&plan, "xxxxx...........", runs), 1); /* 63, not 46 + 18 */
    assert_int_equal(runs_for(&plan, "x..............x", runs), 2);
}

/* The best places for one more, as letters; all of them are free. */
static void assert_best(const struct plan *plan, const char *slots, const char *best)
{
    bool speaks[PLAN_SLOTS_MAX] = {0};
    char got[PLAN_SLOTS_MAX + 1] = "";
    struct place least = {0};
    bool any = false;
    for (int i = 0; slots[i]; i++)
        speaks[i] = slots[i] == 'x';
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; slots[i]; i++) {
            struct place place = plan_place(plan, speaks, i);
            got[i] = slots[i];
            if (slots[i] == 'x')
                continue;
            if (!any || plan_compare(place, least) < 0)
                least = place;
            any = true;
            got[i] = plan_compare(place, least) == 0 ? 'o' : '.';
        }
    assert_string_equal(got, best);
}

static void who_comes_next_sits_beside_the_others(void **state)
{
    (void)state;
    struct plan rough = plan_of(16, true), plan = even_plan();
    assert_best(&plan, "................", "oooooooooooooooo");
    assert_best(&plan, "...........x....", "..........oxo...");
    assert_best(&plan, "............xxxx", "...........oxxxx");
    assert_best(&plan, "..xx.xx.........", "..xxoxx.........");
    assert_best(&plan, "x..............x", "xo............ox");
    assert_best(&rough, "....xxxxxxx.....", "...oxxxxxxxo....");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timing_ends_when_nothing_gets_cheaper),
        cmocka_unit_test(two_go_one_after_the_other),
        cmocka_unit_test(six_are_padded_to_eight),
        cmocka_unit_test(without_padding_a_gap_ends_a_run),
        cmocka_unit_test(who_must_be_alone_is),
        cmocka_unit_test(every_speaker_is_covered_once_or_padded),
        cmocka_unit_test(rows_of_one_slot_come_in_the_cheapest_pieces),
        cmocka_unit_test(what_costs_nearly_the_same_goes_together),
        cmocka_unit_test(who_comes_next_sits_beside_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
