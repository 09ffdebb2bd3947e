#include "base/buf.h"
#include "batches/lines.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static int file_of(struct text bytes)
{
    int fd = memfd_create("lines", MFD_CLOEXEC);
    assert_int_equal(write(fd, bytes.at, bytes.len), (ssize_t)bytes.len);
    return fd;
}

/* "0:a 1:b+" for the lines a and b, the latter too long. */
static void expect(const char *input, size_t most, const char *expected)
{
    struct lines *lines = lines_open(file_of(text_of(input)), most);
    struct line_found found;
    struct error err;
    struct buf got = {0};
    while (lines_next(lines, &found, &err))
        buf_printf(&got, "%s%d:%.*s%s", got.len ? " " : "", (int)found.number,
                   TEXT_ARG(found.bytes), found.too_long ? "+" : "");
    assert_int_equal(err.code, ERROR_OK);
    assert_string_equal(got.at ? got.at : "", expected);
    buf_free(&got);
    lines_close(lines);
}

static void lines_end_with_or_without_a_line_end(void **state)
{
    (void)state;
    expect("", 10, "");
    expect("\n", 10, "");
    expect("a", 10, "0:a");
    expect("a\n", 10, "0:a");
    expect("a\nb", 10, "0:a 1:b");
}

static void blank_lines_are_none(void **state)
{
    (void)state;
    expect("\n\na\n \t\r\n\nb\n\n", 10, "0:a 1:b");
}

static void a_byte_order_mark_is_no_part_of_the_first_line(void **state)
{
    (void)state;
    expect("\xef\xbb\xbf"
           "a\nb\n",
           10, "0:a 1:b");
    expect("\xef\xbb\xbf\na\n", 10, "0:a");
}

static void a_line_that_is_too_long_is_one_line(void **state)
{
    (void)state;
    struct buf input = {0};
    buf_str(&input, "a\n");
    for (int i = 0; i < 300000; i++)
        buf_char(&input, 'x');
    buf_str(&input, "\nb\n");
    struct lines *lines = lines_open(file_of(buf_view(&input)), 1000);
    struct line_found found;
    struct error err;
    assert_true(lines_next(lines, &found, &err) && !found.too_long);
    assert_true(lines_next(lines, &found, &err) && found.too_long);
    assert_int_equal(found.number, 1);
    assert_true(lines_next(lines, &found, &err) && !found.too_long);
    assert_int_equal(found.number, 2);
    assert_true(text_is(found.bytes, "b"));
    assert_false(lines_next(lines, &found, &err));
    lines_close(lines);
    buf_free(&input);
    expect("abc\nabcd\nab", 3, "0:abc 1:abcd+ 2:ab");
}

static void lines_to_skip_are_passed_over(void **state)
{
    (void)state;
    struct lines *lines = lines_open(file_of(TEXT("a\nb\nc\nd\n")), 10);
    struct line_found found;
    struct error err;
    lines_skip(lines, 0);
    lines_skip(lines, 2);
    lines_skip(lines, 100);
    assert_true(lines_next(lines, &found, &err));
    assert_true(found.number == 1 && text_is(found.bytes, "b"));
    assert_true(lines_next(lines, &found, &err));
    assert_true(found.number == 3 && text_is(found.bytes, "d"));
    assert_false(lines_next(lines, &found, &err));
    lines_close(lines);
}

/* Whatever the lengths, lines come out as they went in. */
static void a_long_input_comes_out_whole(void **state)
{
    (void)state;
    struct buf input = {0};
    for (int i = 0; i < 20000; i++) {
        buf_printf(&input, "%d:", i);
        for (int k = 0; k < i % 97; k++)
            buf_char(&input, 'y');
        buf_char(&input, '\n');
    }
    struct lines *lines = lines_open(file_of(buf_view(&input)), 1000);
    struct line_found found;
    struct error err;
    int n = 0;
    for (; lines_next(lines, &found, &err); n++) {
        char expected[16];
        int len = snprintf(expected, sizeof expected, "%d:", n);
        assert_int_equal(found.number, n);
        assert_int_equal(found.bytes.len, len + n % 97);
        assert_true(text_starts(found.bytes, expected));
    }
    assert_int_equal(n, 20000);
    lines_close(lines);
    buf_free(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_with_or_without_a_line_end),
        cmocka_unit_test(blank_lines_are_none),
        cmocka_unit_test(a_byte_order_mark_is_no_part_of_the_first_line),
        cmocka_unit_test(a_line_that_is_too_long_is_one_line),
        cmocka_unit_test(lines_to_skip_are_passed_over),
        cmocka_unit_test(a_long_input_comes_out_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
