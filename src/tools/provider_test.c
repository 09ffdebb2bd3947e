#include "base/buf.h"
#include "tools/provider.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena *arena;
static struct passage *passages;
static int n;

static int begin(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static bool reads(enum provider_kind kind, const char *json)
{
    return provider_read(kind, text_of(json), arena, &passages, &n);
}

static void assert_text(struct text got, const char *wanted)
{
    assert_string_equal(arena_text(arena, got).at, wanted);
}

static void results_are_passages_without_marks(void **state)
{
    (void)state;
    assert_true(
        reads(PROVIDER_SEARXNG,
              "{\"query\":\"q\",\"results\":[{\"url\":\"https://a.org/\",\"title\":\"A "
              "&amp; B\","
              "\"content\":\"one <b>two</b>\\n\\n three &lt;4 a < b &c; 5&#39;\"}]}"));
    assert_int_equal(n, 1);
    assert_text(passages[0].uri, "https://a.org/");
    assert_text(passages[0].title, "A & B");
    assert_text(passages[0].text, "one two three <4 a < b &c; 5'");
    assert_true(reads(PROVIDER_BRAVE,
                      "{\"web\":{\"results\":[{\"url\":\"http://b.org\",\"description\":"
                      "\"<strong>x</strong>y\"}]}}"));
    assert_text(passages[0].title, "http://b.org");
    assert_text(passages[0].text, "xy");
}

static void what_is_no_result_is_left_out(void **state)
{
    (void)state;
    assert_true(reads(
        PROVIDER_SEARXNG,
        "{\"results\":[1,null,{},{\"url\":\"ftp://a\",\"content\":\"x\"},"
        "{\"url\":\"http://a\"},{\"url\":\"http://a\",\"content\":\"<p></p>\"},"
        "{\"url\":5,\"content\":\"x\"},{\"url\":\"http://a\",\"content\":\"good\"}]}"));
    assert_int_equal(n, 1);
    assert_text(passages[0].text, "good");
}

static void nothing_found_is_an_answer_and_nonsense_is_none(void **state)
{
    (void)state;
    assert_true(reads(PROVIDER_SEARXNG, "{\"results\":[]}"));
    assert_true(reads(PROVIDER_BRAVE, "{\"type\":\"search\"}"));
    assert_int_equal(n, 0);
    assert_false(reads(PROVIDER_SEARXNG, "{\"results\":{}}"));
    assert_false(reads(PROVIDER_SEARXNG, "<html>"));
    assert_false(reads(PROVIDER_BRAVE, "[]"));
    assert_false(reads(PROVIDER_BRAVE, ""));
}

static void long_words_are_cut_between_characters(void **state)
{
    (void)state;
    struct buf json = {0};
    buf_str(&json, "{\"results\":[{\"url\":\"http://a\",\"content\":\"x");
    for (int i = 0; i < 2000; i++)
        buf_str(&json, "\xc3\xa9");
    buf_str(&json, "\"}]}");
    assert_true(reads(PROVIDER_SEARXNG, json.at));
    assert_true(text_is_utf8(passages[0].text));
    assert_int_equal(passages[0].text.len, 1999);
    buf_free(&json);
}

static void settings_must_go_together(void **state)
{
    (void)state;
    static const struct {
        struct provider_config config;
        const char *says; /* NULL: it opens */
    } rows[] = {
        {{PROVIDER_LOCAL, NULL, NULL, NULL}, NULL},
        {{PROVIDER_LOCAL, "http://a", NULL, NULL}, "--search searxng"},
        {{PROVIDER_OFF, NULL, "k", NULL}, "--search searxng"},
        {{PROVIDER_SEARXNG, NULL, NULL, NULL}, "--search-url"},
        {{PROVIDER_SEARXNG, "a.org", NULL, NULL}, "--search-url: 'a.org'"},
        {{PROVIDER_SEARXNG, "http://[::1]:8/x", NULL, NULL}, NULL},
        {{PROVIDER_BRAVE, NULL, NULL, NULL}, "--search-key"},
        {{PROVIDER_BRAVE, NULL, "k", NULL}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error err = {0};
        struct provider *provider = provider_open(&rows[i].config, &err);
        if ((provider == NULL) != (rows[i].says != NULL))
            fail_msg("row %zu", i);
        if (rows[i].says && !strstr(err.message, rows[i].says))
            fail_msg("row %zu: %s", i, err.message);
        provider_close(provider);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(results_are_passages_without_marks),
        TEST(what_is_no_result_is_left_out),
        TEST(nothing_found_is_an_answer_and_nonsense_is_none),
        TEST(long_words_are_cut_between_characters),
        TEST(settings_must_go_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
