#include "chat/safety.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void more_probable_harm_is_of_a_higher_level(void **state)
{
    (void)state;
    for (int harm = 0; harm < N_HARMS; harm++) {
        enum level before = LEVEL_NEGLIGIBLE;
        assert_int_equal(safety_level((enum harm)harm, 0), LEVEL_NEGLIGIBLE);
        assert_int_equal(safety_level((enum harm)harm, 1), LEVEL_HIGH);
        for (int i = 0; i <= 1000; i++) {
            enum level level = safety_level((enum harm)harm, i / 1000.0);
            assert_true(level == before || level == before + 1);
            before = level;
        }
        assert_int_equal(before, LEVEL_HIGH);
    }
}

static void a_harm_is_blocked_from_its_own_level_on(void **state)
{
    (void)state;
    static const struct {
        enum level from, found;
        bool blocks;
    } rows[] = {
        {LEVEL_LOW, LEVEL_NEGLIGIBLE, false}, {LEVEL_LOW, LEVEL_LOW, true},
        {LEVEL_LOW, LEVEL_HIGH, true},        {LEVEL_MEDIUM, LEVEL_LOW, false},
        {LEVEL_MEDIUM, LEVEL_MEDIUM, true},   {LEVEL_HIGH, LEVEL_MEDIUM, false},
        {LEVEL_HIGH, LEVEL_HIGH, true},       {LEVEL_NONE, LEVEL_HIGH, false},
        {LEVEL_LOW, LEVEL_NONE, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct safety safety = {.block_from[HARM_SEXUAL] = rows[i].from,
                                .block_from[HARM_CIVIC] = LEVEL_HIGH};
        struct verdict verdict = {.levels[HARM_SEXUAL] = rows[i].found,
                                  .levels[HARM_CIVIC] = LEVEL_LOW};
        assert_int_equal(verdict_blocks(&verdict, &safety, HARM_SEXUAL), rows[i].blocks);
        assert_int_equal(verdict_blocks_any(&verdict, &safety), rows[i].blocks);
    }
}

static void of_two_verdicts_the_worse_counts(void **state)
{
    (void)state;
    struct verdict a = {.levels = {LEVEL_LOW, LEVEL_HIGH}};
    struct verdict b = {.levels = {LEVEL_MEDIUM, LEVEL_LOW, LEVEL_NEGLIGIBLE}};
    verdict_add(&a, &b);
    struct verdict both = {.levels = {LEVEL_MEDIUM, LEVEL_HIGH, LEVEL_NEGLIGIBLE}};
    assert_memory_equal(&a, &both, sizeof a);
}

static void only_harms_that_may_be_blocked_are_asked_for(void **state)
{
    (void)state;
    assert_false(safety_asks(&(struct safety){.thoughts = true}));
    assert_true(safety_asks(&(struct safety){.block_from[HARM_CIVIC] = LEVEL_HIGH}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_probable_harm_is_of_a_higher_level),
        cmocka_unit_test(a_harm_is_blocked_from_its_own_level_on),
        cmocka_unit_test(of_two_verdicts_the_worse_counts),
        cmocka_unit_test(only_harms_that_may_be_blocked_are_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
