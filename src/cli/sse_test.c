/* sse_test.c - events come out the same wherever the stream is cut. */
#include "cli/sse.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static bool collect(struct text data, void *arg)
{
    buf_printf(arg, "<%.*s>", TEXT_ARG(data));
    return true;
}

static bool collect_one(struct text data, void *arg)
{
    collect(data, arg);
    return false;
}

static void expect_in_pieces(struct text stream, size_t piece, const char *expected)
{
    struct buf got = {0};
    struct sse sse = {.event = collect, .arg = &got};
    for (size_t i = 0; i < stream.len; i += piece)
        assert_true(sse_feed(&sse, text_slice(stream, i, i + piece)));
    sse_end(&sse);
    assert_string_equal(got.at ? got.at : "", expected);
    buf_free(&got);
}

static void expect(const char *stream, const char *expected)
{
    for (size_t piece = 1; piece <= strlen(stream) + 1; piece++)
        expect_in_pieces(text_of(stream), piece, expected);
}

static void every_kind_of_line_end_is_taken(void **state)
{
    (void)state;
    expect("data: a\n\ndata: b\n\n", "<a><b>");
    expect("data: a\r\n\r\ndata: b\r\n\r\n", "<a><b>");
    expect("data: a\r\rdata: b\r\r", "<a><b>");
}

static void lines_of_one_event_are_joined(void **state)
{
    (void)state;
    expect("data: {\ndata:  \"a\"}\n\n", "<{\n \"a\"}>");
    expect("data\n\n", "<>");
}

static void what_is_not_data_is_skipped(void **state)
{
    (void)state;
    expect(": hello\nevent: x\nid: 7\n\ndata:a\n\n", "<a>");
    expect("\n\n\n", "");
}

static void a_last_event_without_blank_line_counts(void **state)
{
    (void)state;
    expect("data: a\n\ndata: b\n", "<a><b>");
    expect("data: a\n\ndata: b", "<a><b>");
}

static void the_receiver_may_stop(void **state)
{
    (void)state;
    struct buf got = {0};
    struct sse sse = {.event = collect_one, .arg = &got};
    assert_false(sse_feed(&sse, TEXT("data: a\n\ndata: b\n\n")));
    sse_end(&sse);
    assert_string_equal(got.at, "<a>");
    buf_free(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_line_end_is_taken),
        cmocka_unit_test(lines_of_one_event_are_joined),
        cmocka_unit_test(what_is_not_data_is_skipped),
        cmocka_unit_test(a_last_event_without_blank_line_counts),
        cmocka_unit_test(the_receiver_may_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
