#include "base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void what_is_added_is_there_and_ends_with_a_nul(void **state)
{
    (void)state;
    struct buf buf = {0};
    assert_true(text_is(buf_view(&buf), ""));
    buf_str(&buf, "ab");
    buf_char(&buf, 'c');
    buf_text(&buf, TEXT("de"));
    buf_add(&buf, "\0f", 2);
    buf_text(&buf, (struct text){0});
    assert_int_equal(buf.len, 7);
    assert_memory_equal(buf.at, "abcde\0f", 8);
    buf_free(&buf);
    assert_null(buf.at);
}

static void it_grows_past_any_size(void **state)
{
    (void)state;
    struct buf buf = {0};
    for (int i = 0; i < 100000; i++)
        buf_char(&buf, (char)('a' + i % 26));
    assert_int_equal(buf.len, 100000);
    assert_int_equal(strlen(buf.at), 100000);
    assert_int_equal(buf.at[99999], 'a' + 99999 % 26);
    buf_free(&buf);
}

static void printing_fits_at_every_length(void **state)
{
    (void)state;
    for (int len = 0; len < 600; len++) {
        struct buf buf = {0};
        buf_printf(&buf, "%*d", len, 7);
        buf_printf(&buf, "%s", "!");
        assert_int_equal(buf.len, (len ? len : 1) + 1);
        assert_string_equal(buf.at + buf.len - 2, "7!");
        buf_free(&buf);
    }
}

static void dropping_moves_the_rest_to_the_front(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_drop(&buf, 0);
    buf_str(&buf, "one two");
    buf_drop(&buf, 4);
    assert_string_equal(buf.at, "two");
    buf_drop(&buf, 3);
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf.at, "");
    buf_free(&buf);
}

static void cutting_keeps_the_front(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_cut(&buf, 0);
    buf_str(&buf, "abc");
    buf_cut(&buf, 2);
    assert_string_equal(buf.at, "ab");
    assert_int_equal(buf.len, 2);
    buf_free(&buf);
}

static void clearing_keeps_the_memory(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_clear(&buf);
    buf_str(&buf, "x");
    const char *at = buf.at;
    buf_clear(&buf);
    assert_ptr_equal(buf.at, at);
    assert_string_equal(buf.at, "");
    buf_free(&buf);
}

static void reserved_room_can_be_written_by_hand(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_str(&buf, "a");
    char *at = buf_reserve(&buf, 1000);
    memset(at, 'b', 1000);
    at[1000] = '\0';
    buf.len += 1000;
    buf_str(&buf, "c");
    assert_int_equal(buf.len, 1002);
    assert_string_equal(buf.at + 1000, "bc");
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_there_and_ends_with_a_nul),
        cmocka_unit_test(it_grows_past_any_size),
        cmocka_unit_test(printing_fits_at_every_length),
        cmocka_unit_test(dropping_moves_the_rest_to_the_front),
        cmocka_unit_test(cutting_keeps_the_front),
        cmocka_unit_test(clearing_keeps_the_memory),
        cmocka_unit_test(reserved_room_can_be_written_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
