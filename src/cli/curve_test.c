#include "cli/curve.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void few_steps_are_drawn_wide(void **state)
{
    (void)state;
    struct buf out = {0};
    const double losses[] = {2, 1, 0};
    curve_draw(&(struct curve){losses, 3, 1, 3}, 20, 2, &out);
    assert_string_equal(out.at, "  2.00 ┤██    \n"
                                "  0.00 ┤████▁▁\n"
                                "        loss, steps 1 to 3\n");
    buf_free(&out);
}

static void many_steps_share_columns(void **state)
{
    (void)state;
    struct buf out = {0};
    const double losses[] = {4, 4, 2, 2, 1, 1, 0, 2};
    curve_draw(&(struct curve){losses, 8, 5, 40}, 4, 1, &out);
    assert_string_equal(out.at, "  4.00 ┤█▄▂▂\n"
                                "        loss, steps 5 to 40\n");
    buf_free(&out);
}

static void nothing_and_zeros_draw_nothing(void **state)
{
    (void)state;
    struct buf out = {0};
    const double losses[] = {0, 0};
    curve_draw(&(struct curve){losses, 0, 1, 0}, 20, 2, &out);
    curve_draw(&(struct curve){losses, 2, 1, 2}, 20, 2, &out);
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

static void a_bar_fills(void **state)
{
    (void)state;
    struct buf out = {0};
    curve_bar(0, 8, 4, &out);
    curve_bar(5, 8, 4, &out);
    curve_bar(8, 8, 4, &out);
    assert_string_equal(out.at, "[....][##..][####]");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_steps_are_drawn_wide),
        cmocka_unit_test(many_steps_share_columns),
        cmocka_unit_test(nothing_and_zeros_draw_nothing),
        cmocka_unit_test(a_bar_fills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
