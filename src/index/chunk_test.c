#include "base/buf.h"
#include "index/chunk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena *arena;

static void passages_overlap_and_lose_nothing(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "w%d%s ", i, i % 9 == 0 ? "." : "");
    size_t n;
    struct text *cuts = chunk_cut(buf_view(&text), (struct chunking){50, 10}, arena, &n);
    assert_true(n >= 25 && n < 60);
    assert_true(text_starts(cuts[0], "w0."));
    assert_true(text_ends(cuts[n - 1], "w999."));
    for (size_t i = 1; i < n; i++) {
        assert_true(cuts[i].at > cuts[i - 1].at);
        assert_true(cuts[i].at < cuts[i - 1].at + cuts[i - 1].len);
    }
    assert_true(text_ends(cuts[0], ".")); /* a sentence's end is preferred */
    buf_free(&text);
}

static void white_space_is_no_passage(void **state)
{
    (void)state;
    size_t n;
    chunk_cut(TEXT(" \n\t "), (struct chunking){5, 1}, arena, &n);
    assert_int_equal(n, 0);
    chunk_cut(TEXT(""), (struct chunking){5, 1}, arena, &n);
    assert_int_equal(n, 0);
}

static void scripts_without_spaces_are_cut(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 300; i++)
        buf_str(&text, "\xe6\xbd\xae"); /* one character */
    size_t n;
    struct text *cuts = chunk_cut(buf_view(&text), (struct chunking){100, 0}, arena, &n);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(cuts[i].len, 300);
        assert_true(text_is_utf8(cuts[i]));
    }
    buf_free(&text);
}

static void sentences_end_where_they_do(void **state)
{
    (void)state;
    size_t n;
    struct text *s = chunk_sentences(TEXT("Pi is 3.14, they say. \"Really?\" Yes!\nA "
                                          "line\n\nLast \xe6\xbd\xae\xe3\x80\x82"
                                          "\xe6\xbd\xae"),
                                     arena, &n);
    static const char *const wanted[] = {
        "Pi is 3.14, they say.",         "\"Really?\"", "Yes!", "A line",
        "Last \xe6\xbd\xae\xe3\x80\x82", "\xe6\xbd\xae"};
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++)
        assert_true(text_is(s[i], wanted[i]));
}

/* Bytes at random: cuts are in order, within, on characters where there are any. */
static void anything_is_cut(void **state)
{
    (void)state;
    static const char *const bits[] = {
        "a",    " ",    ".", "\n", "\xc3\xa9", "\xe6\xbd\xae", "\xf0\x9f\x90\x99",
        "\xe2", "\xff", "\0"};
    srand(3);
    for (int round = 0; round < 2000; round++) {
        struct buf text = {0};
        int n_bits = rand() % 60;
        for (int i = 0; i < n_bits; i++)
            buf_str(&text, bits[rand() % 10]);
        struct text all = buf_view(&text);
        size_t n;
        int words = 1 + rand() % 6;
        struct text *cuts =
            chunk_cut(all, (struct chunking){words, rand() % words}, arena, &n);
        for (size_t i = 0; i < n; i++) {
            assert_true(cuts[i].len > 0 && cuts[i].at >= all.at &&
                        cuts[i].at + cuts[i].len <= all.at + all.len);
            assert_true(!text_is_utf8(all) || text_is_utf8(cuts[i]));
        }
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passages_overlap_and_lose_nothing),
        cmocka_unit_test(white_space_is_no_passage),
        cmocka_unit_test(scripts_without_spaces_are_cut),
        cmocka_unit_test(sentences_end_where_they_do),
        cmocka_unit_test(anything_is_cut),
    };
    arena = arena_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(arena);
    return failed;
}
