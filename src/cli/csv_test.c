#include "cli/csv.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena *arena;
static struct csv csv;
static struct error err;

static bool read_text(const char *text)
{
    return csv_read(text_of(text), arena, &csv, &err);
}

static void fields_are_parted_by_commas_and_line_ends(void **state)
{
    (void)state;
    assert_true(read_text("\xef\xbb\xbfinput,output\r\n1,2\n\n3,\n"));
    assert_int_equal(csv.n, 3);
    assert_true(text_is(csv.rows[0].fields[0], "input"));
    assert_true(text_is(csv.rows[0].fields[1], "output"));
    assert_true(text_is(csv.rows[1].fields[1], "2"));
    assert_int_equal(csv.rows[2].n, 2);
    assert_int_equal(csv.rows[2].line, 4);
    assert_int_equal(csv.rows[2].fields[1].len, 0);
}

static void quotes_hold_commas_line_ends_and_quotes(void **state)
{
    (void)state;
    assert_true(read_text("\"a, \"\"b\"\"\n c\",\"\"\nx,y"));
    assert_int_equal(csv.n, 2);
    assert_true(text_is(csv.rows[0].fields[0], "a, \"b\"\n c"));
    assert_int_equal(csv.rows[0].fields[1].len, 0);
    assert_int_equal(csv.rows[1].line, 3);
}

static void a_broken_quote_is_named_with_its_line(void **state)
{
    (void)state;
    assert_false(read_text("a,b\n\"c,d\n"));
    assert_string_equal(err.message, "line 2: a quote is opened and never closed");
    assert_false(read_text("\"a\"b,c\n"));
    assert_string_equal(err.message, "line 1: there is text behind a closing quote");
}

static int open_arena(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_parted_by_commas_and_line_ends),
        cmocka_unit_test(quotes_hold_commas_line_ends_and_quotes),
        cmocka_unit_test(a_broken_quote_is_named_with_its_line),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
