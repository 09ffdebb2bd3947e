#include "engine/rows.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const int32_t tokens[] = {7, 8, 9};

static struct saved_rows *make(void)
{
    struct saved_rows *rows = rows_make(tokens, 3, 2, 5);
    memcpy(rows_state(rows), "state", 5);
    return rows;
}

static struct saved_rows *read_back(struct text bytes)
{
    struct saved_rows *rows = rows_blank(bytes.len);
    memcpy(rows_room(rows), bytes.at, bytes.len);
    return rows;
}

static void what_was_kept_is_read_back(void **state)
{
    (void)state;
    struct saved_rows *rows = make(), *again = read_back(rows->bytes);
    assert_true(rows_parse(again));
    assert_int_equal(again->n_tokens, 3);
    assert_int_equal(again->n_exact, 2);
    assert_memory_equal(again->tokens, tokens, sizeof tokens);
    assert_true(text_is(again->state, "state"));
    rows_release(rows);
    rows_release(again);
}

static void what_is_cut_or_changed_in_its_head_is_refused(void **state)
{
    (void)state;
    struct saved_rows *rows = make();
    for (size_t len = 0; len < rows->bytes.len; len++) {
        struct saved_rows *cut = read_back(text_slice(rows->bytes, 0, len));
        assert_false(rows_parse(cut));
        rows_release(cut);
    }
    for (size_t at = 0; at < 24; at++) {
        struct saved_rows *bad = read_back(rows->bytes);
        rows_room(bad)[at] ^= 0x40;
        assert_false(rows_parse(bad));
        rows_release(bad);
    }
    rows_release(rows);
}

static void a_prompt_has_so_much_in_common(void **state)
{
    (void)state;
    static const int32_t longer[] = {7, 8, 9, 10}, other[] = {7, 1, 9};
    struct saved_rows *rows = make();
    assert_int_equal(rows_common(rows, longer, 4), 3);
    assert_int_equal(rows_common(rows, longer, 2), 2);
    assert_int_equal(rows_common(rows, other, 3), 1);
    assert_int_equal(rows_holders(rows_hold(rows)), 2);
    rows_release(rows);
    assert_int_equal(rows_holders(rows), 1);
    rows_release(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_is_read_back),
        cmocka_unit_test(what_is_cut_or_changed_in_its_head_is_refused),
        cmocka_unit_test(a_prompt_has_so_much_in_common),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
