/* Regular expressions of ECMA-262, as grammars take them. */
#include "chat/pattern.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

struct example {
    const char *in, *out; /* or why it cannot be */
};

static void assert_written(const struct example *examples, size_t n, bool good)
{
    for (size_t i = 0; i < n; i++) {
        struct buf out = {0};
        const char *why = NULL;
        assert_int_equal(pattern_write(text_of(examples[i].in), &out, &why), good);
        assert_string_equal(good ? buf_view(&out).at : why, examples[i].out);
        buf_free(&out);
    }
}

#define ASSERT_WRITTEN(examples, good)                                                   \
    assert_written(examples, sizeof(examples) / sizeof(*(examples)), good)

static void plain_patterns_stay_as_they_are(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"", ""},
        {"^[a-z0-9_]+$", "^[a-z0-9_]+$"},
        {"^\\d{3}-\\d{4,}$", "^\\d{3}\\-\\d{4,}$"},
        {"a|b|", "a|b|"},
        {"(?:ab)*c?", "(?:ab)*c?"},
        {"\\p{L}\\P{Lu}", "\\p{L}\\P{Lu}"},
    };
    ASSERT_WRITTEN(examples, true);
}

static void what_only_groups_names_or_hurries_is_left_out(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"(ab)", "(?:ab)"},
        {"(?<year>\\d+)", "(?:\\d+)"},
        {"(?P<year>\\d+)", "(?:\\d+)"},
        {"a*?b+?c??d{2}?", "a*b+c?d{2}"},
    };
    ASSERT_WRITTEN(examples, true);
}

static void signs_that_mean_more_to_the_other_are_escaped(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"a{b}", "a\\{b\\}"},
        {"a{,2}", "a\\{,2\\}"},
        {"x]", "x\\]"},
        {"[[\\]{}]", "[\\[\\]\\{\\}]"},
        {"[a&&b]", "[a\\&\\&b]"},
        {"[+--]", "[\\+-\\-]"},
        {"[\\w-]", "[\\w\\-]"},
        {"[a-\\d]", "[a\\d\\-]"},
        {"\\/\\-\\_", "/\\-_"},
        {"\\x41\\u0042\\u{43}", "ABC"},
        {"\\ud83d\\ude00", "\\x{1F600}"},
        {"\\cA\\0\\t", "\\x{1}\\x{0}\\x{9}"},
        {"é", "\\x{E9}"},
        {"[é-ü]", "[\\x{E9}-\\x{FC}]"},
        {"[\\b]", "[\\x{8}]"},
    };
    ASSERT_WRITTEN(examples, true);
}

static void where_engines_differ_the_narrower_reading_is_taken(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {".", "[^\\n\\r]"},
        {"[^]", "(?s:.)"},
        {"\\s", "[ \\t\\n\\x0B\\f\\r]"},
        {"[\\s,]", "[ \\t\\n\\x0B\\f\\r,]"},
        {"[^\\s]", "[^\\s\\x{FEFF}\\x{1C}-\\x{1F}]"},
        {"\\S", "[^\\s\\x{FEFF}\\x{1C}-\\x{1F}]"},
        {"[^\\S]", "[^[^ \\t\\n\\x0B\\f\\r]]"},
    };
    ASSERT_WRITTEN(examples, true);
}

static void what_cannot_be_said_is_refused_with_its_reason(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"(?=a)", "a lookahead or lookbehind"},
        {"a(?<!b)", "a lookahead or lookbehind"},
        {"(a)\\1", "a back reference"},
        {"\\k<a>", "a back reference"},
        {"\\bword", "a word boundary (\\b)"},
        {"(?i)a", "inline flags"},
        {"[a", "a [ without its ]"},
        {"(a", "a ( without its )"},
        {"a)", "a ) without its ("},
        {"[z-a]", "a range that is the wrong way round"},
        {"[]", "a class that holds nothing"},
        {"a\\", "a backslash at its end"},
        {"\\Z", "an escape that ECMA-262 does not know"},
        {"\\u12", "an escape that is no character"},
        {"\\ud800", "an escape that is no character"},
        {"\\ud800\\u0041", "an escape that is no character"},
        {"\\c1", "an escape that is no character"},
        {"\\c", "an escape that is no character"},
        {"\\012", "an escape that is no character"},
        {"a{100001}", "a repetition of more than 100000"},
    };
    ASSERT_WRITTEN(examples, false);
}

static void all_but_some_texts_is_a_pattern(void **state)
{
    (void)state;
    struct text texts[] = {TEXT("ab"), TEXT("a"), TEXT("ab"), TEXT("c.")};
    struct buf out = {0};
    pattern_others(texts, 4, &out);
    assert_string_equal(
        out.at, "^(?:|a(?:b(?:(?s:.)+)|[^b](?s:.)*)|c(?:|\\.(?:(?s:.)+)|[^\\.](?s:.)*)|"
                "[^ac](?s:.)*)$");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_patterns_stay_as_they_are),
        cmocka_unit_test(what_only_groups_names_or_hurries_is_left_out),
        cmocka_unit_test(signs_that_mean_more_to_the_other_are_escaped),
        cmocka_unit_test(where_engines_differ_the_narrower_reading_is_taken),
        cmocka_unit_test(what_cannot_be_said_is_refused_with_its_reason),
        cmocka_unit_test(all_but_some_texts_is_a_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
