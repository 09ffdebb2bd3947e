#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void comparing_ignores_case_only_where_it_says_so(void **state)
{
    (void)state;
    assert_true(text_is(TEXT("Bearer"), "Bearer"));
    assert_false(text_is(TEXT("bearer"), "Bearer"));
    assert_true(text_is_nocase(TEXT("bEARER"), "Bearer"));
    assert_false(text_is_nocase(TEXT("Bearer "), "Bearer"));
    assert_true(text_is_nocase((struct text){0}, ""));
    assert_true(text_same(TEXT(""), (struct text){0}));
}

static void a_text_starts_and_ends_with_what_it_holds(void **state)
{
    (void)state;
    assert_true(text_starts(TEXT("models/x"), "models/"));
    assert_false(text_starts(TEXT("model"), "models/"));
    assert_true(text_starts((struct text){0}, ""));
    assert_true(text_ends(TEXT("a.gguf"), ".gguf"));
    assert_false(text_ends(TEXT("f"), ".gguf"));
    assert_true(text_ends(TEXT("f"), ""));
}

static void finding_begins_at_the_offset(void **state)
{
    (void)state;
    struct text text = TEXT("a--b--c");
    assert_int_equal(text_find(text, TEXT("--"), 0), 1);
    assert_int_equal(text_find(text, TEXT("--"), 2), 4);
    assert_true(text_find(text, TEXT("--"), 5) == SIZE_MAX);
    assert_true(text_find(text, TEXT("--"), 99) == SIZE_MAX);
    assert_int_equal(text_find(text, TEXT(""), 7), 7);
    assert_true(text_find((struct text){0}, TEXT("x"), 0) == SIZE_MAX);
}

static void slices_are_clamped(void **state)
{
    (void)state;
    assert_true(text_is(text_slice(TEXT("abcdef"), 2, 4), "cd"));
    assert_true(text_is(text_slice(TEXT("abcdef"), 4, 99), "ef"));
    assert_int_equal(text_slice(TEXT("abc"), 7, 9).len, 0);
    assert_int_equal(text_slice(TEXT("abc"), 2, 1).len, 0);
    assert_null(text_slice((struct text){0}, 0, 9).at);
}

static void trimming_takes_white_space_off_both_ends(void **state)
{
    (void)state;
    assert_true(text_is(text_trim(TEXT(" \t\r\n a b\v\f ")), "a b"));
    assert_true(text_is(text_trim(TEXT("ab")), "ab"));
    assert_true(text_is(text_trim(TEXT("voilà")), "voilà"));
    assert_non_null(text_trim(TEXT(" ")).at);
    assert_int_equal(text_trim(TEXT(" ")).len, 0);
    assert_null(text_trim((struct text){0}).at);
}

/* Of the published test vectors. */
static void hashes_are_those_of_fnv(void **state)
{
    (void)state;
    assert_true(text_hash(TEXT_HASH, TEXT("")) == 0xcbf29ce484222325u);
    assert_true(text_hash(TEXT_HASH, TEXT("a")) == 0xaf63dc4c8601ec8cu);
    assert_true(text_hash(TEXT_HASH, TEXT("foobar")) == 0x85944171f73967e8u);
    assert_true(text_hash(text_hash(TEXT_HASH, TEXT("foo")), TEXT("bar")) ==
                0x85944171f73967e8u);
}

static void cutting_leaves_what_follows_the_first_cut(void **state)
{
    (void)state;
    struct text rest;
    assert_true(text_is(text_cut(TEXT("k=v=w"), '=', &rest), "k"));
    assert_true(text_is(rest, "v=w"));
    assert_true(text_is(text_cut(TEXT("k="), '=', &rest), "k"));
    assert_non_null(rest.at);
    assert_int_equal(rest.len, 0);
    assert_true(text_is(text_cut(TEXT("k"), '=', &rest), "k"));
    assert_null(rest.at);
}

static const struct {
    const char *bytes;
    size_t first;   /* text_utf8_char */
    bool good;      /* text_is_utf8 */
    size_t pending; /* text_utf8_pending */
} utf8[] = {
    {"", 0, true, 0},
    {"a", 1, true, 0},
    {"\xc3\xa9", 2, true, 0},
    {"\xe2\x82\xac", 3, true, 0},
    {"\xf0\x9f\x98\x80", 4, true, 0},
    {"\xf4\x8f\xbf\xbf", 4, true, 0},
    {"\xed\x9f\xbf", 3, true, 0},
    {"\xc3", 0, false, 1},
    {"\xe2\x82", 0, false, 2},
    {"\xf0\x9f\x98", 0, false, 3},
    {"ok\xf0\x9f", 1, false, 2},
    {"\x80", 0, false, 0},             /* no lead */
    {"\xc0\xaf", 0, false, 0},         /* overlong */
    {"\xe0\x80", 0, false, 0},         /* overlong: no third byte can help */
    {"\xed\xa0\x80", 0, false, 0},     /* a surrogate */
    {"\xed\xa0", 0, false, 0},         /* half of one */
    {"\xf4\x90\x80\x80", 0, false, 0}, /* above U+10FFFF */
    {"\xf5", 0, false, 0},
    {"\xff", 0, false, 0},
    {"\xc3\xa9\x80", 2, false, 0},
    {"\xe2\x28", 0, false, 0},
    {"12345678\xc3", 1, false, 1},
};

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(utf8) / sizeof(utf8[0]); i++) {
        struct text text = text_of(utf8[i].bytes);
        assert_int_equal(text_utf8_char(text), utf8[i].first);
        assert_int_equal(text_is_utf8(text), utf8[i].good);
        assert_int_equal(text_utf8_pending(text), utf8[i].pending);
    }
}

static void malformed_bytes_are_found_at_every_offset(void **state)
{
    (void)state;
    for (size_t len = 0; len < 40; len++) {
        char bytes[41];
        memset(bytes, 'x', sizeof(bytes));
        bytes[len] = (char)0x80;
        assert_true(text_is_utf8((struct text){bytes, len}));
        assert_false(text_is_utf8((struct text){bytes, len + 1}));
    }
}

static void a_number_is_digits_and_nothing_else(void **state)
{
    (void)state;
    int64_t n;
    assert_true(text_number(TEXT("0"), &n) && n == 0);
    assert_true(text_number(TEXT("999999999999999999"), &n) && n == 999999999999999999);
    assert_false(text_number(TEXT("1000000000000000000"), &n)); /* 19 of them */
    static const char *const bad[] = {"", " 1", "1 ", "-1", "+1", "1e3", "0x1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(text_number(text_of(bad[i]), &n));
}

static void characters_are_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(text_characters(TEXT("")), 0);
    assert_int_equal(text_characters(TEXT("a\u00e4\u20ac\U0001f600")), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_digits_and_nothing_else),
        cmocka_unit_test(characters_are_not_bytes),
        cmocka_unit_test(comparing_ignores_case_only_where_it_says_so),
        cmocka_unit_test(a_text_starts_and_ends_with_what_it_holds),
        cmocka_unit_test(finding_begins_at_the_offset),
        cmocka_unit_test(slices_are_clamped),
        cmocka_unit_test(trimming_takes_white_space_off_both_ends),
        cmocka_unit_test(cutting_leaves_what_follows_the_first_cut),
        cmocka_unit_test(hashes_are_those_of_fnv),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(malformed_bytes_are_found_at_every_offset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
