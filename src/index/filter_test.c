#include "index/filter.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena *arena;
static struct metadata metadata;

static void read_metadata(void)
{
    struct error err;
    if (!json_read(&metadata_type,
                   TEXT("{'customMetadata': ["
                        "{'key': 'author', 'stringValue': 'Robert Graves'},"
                        "{'key': 'year', 'numericValue': 1934},"
                        "{'key': 'lang', 'stringListValue': {'values': ['en', 'de']}},"
                        "{'key': 'two words', 'stringValue': ''}]}"),
                   &metadata, arena, &err))
        fail_msg("%s", err.message);
}

static bool fits(const char *text)
{
    struct error err = {0};
    struct filter *filter = filter_parse(text_of(text), arena, &err);
    if (!filter)
        fail_msg("%s: %s", text, err.message);
    return filter_fits(filter, &metadata);
}

static void what_fits_fits(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "author = \"Robert Graves\"",
        "author=\"Robert Graves\"",
        "author = 'Robert Graves'",
        "year = 1934",
        "year >= 1934 AND year <= 1934.0",
        "year > 1900 year < 2000",
        "year < 1900 OR year = 1934",
        "year = 1 OR year = 1934 AND author : \"Robert*\"",
        "NOT year = 1",
        "-year = 1",
        "NOT (year = 1 OR author = \"x\")",
        "lang : \"de\"",
        "lang = de",
        "lang != \"fr\"",
        "author = \"*Graves\"",
        "author = \"*bert*\"",
        "author : *",
        "\"two words\" = \"\"",
        "author != \"x\"",
        "NOT nothing = 1",
        "author > \"Q\" AND author < \"S\"",
        "((year = 1934))",
    };
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        if (!fits(yes[i]))
            fail_msg("%s does not fit", yes[i]);
}

static void what_does_not_fit_does_not(void **state)
{
    (void)state;
    static const char *const no[] = {
        "author = \"robert graves\"",
        "year = \"1934\"",
        "year = x",
        "year != 1934",
        "nothing = 1",
        "nothing != 1",
        "nothing : *",
        "lang != \"de\"",
        "lang = \"fr\"",
        /* OR binds tighter: (a OR b) AND c */
        "year = 1934 OR year = 1 AND author = \"x\"",
        "NOT author = \"Robert Graves\" AND year = 1934",
        "author = \"*Graves*x\"",
    };
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        if (fits(no[i]))
            fail_msg("%s fits", no[i]);
}

static void what_is_no_filter_is_told(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "author",  "author =", "= 1",       "author = \"x",       "(a = 1",
        "a = 1)",  "a ~ 1",    "a = 1 AND", "a = 1 OR",           "NOT",
        "\"x\" 1", "a = 1,",   "",          "a = 1 AND AND b = 2"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct error err = {0};
        if (filter_parse(text_of(wrong[i]), arena, &err))
            fail_msg("%s was taken", wrong[i]);
        assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
        assert_string_equal(err.field, "metadata_filter");
    }
}

static void deep_ones_are_refused_not_followed(void **state)
{
    (void)state;
    char deep[FILTER_MOST];
    struct error err = {0};
    memset(deep, '(', sizeof deep);
    assert_null(filter_parse((struct text){deep, sizeof deep}, arena, &err));
    memset(deep, '-', sizeof deep);
    assert_null(filter_parse((struct text){deep, sizeof deep}, arena, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_fits),
        cmocka_unit_test(what_does_not_fit_does_not),
        cmocka_unit_test(what_is_no_filter_is_told),
        cmocka_unit_test(deep_ones_are_refused_not_followed),
    };
    arena = arena_open();
    read_metadata();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(arena);
    return failed;
}
