#include "json/tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena *arena;
static struct error err;

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

static void assert_reads_as(const char *text, const char *json)
{
    struct buf out = {0};
    struct json_object *value = json_parse(arena, text_of(text), &err);
    assert_non_null(value);
    json_any_write(value, &out);
    assert_string_equal(out.at, json);
    buf_free(&out);
}

static void assert_refused(struct text text, const char *why)
{
    assert_null(json_parse(arena, text, &err));
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_true(text_starts(text_of(err.message), "Invalid JSON payload received. "));
    assert_string_equal(err.message + strlen("Invalid JSON payload received. "), why);
}

static void what_the_public_service_tolerates_is_read(void **state)
{
    (void)state;
    assert_reads_as("{'file': {'display_name': 'AUDIO'},}",
                    "{\"file\":{\"display_name\":\"AUDIO\"}}");
    assert_reads_as("[1, 2, ]", "[1,2]");
    assert_reads_as(" /* why */ [true, NULL] // end\n", "[true,null]");
}

static void values_alone_are_read(void **state)
{
    (void)state;
    assert_reads_as("12", "12");
    assert_reads_as(" -1.50", "-1.50");
    assert_reads_as("\"x\" ", "\"x\"");
    assert_reads_as("true", "true");
}

static void numbers_come_out_as_they_went_in(void **state)
{
    (void)state;
    assert_reads_as("[1.0, 1.50, 1e5, -0.0, 18446744073709551614, -7]",
                    "[1.0,1.50,1e5,-0.0,18446744073709551614,-7]");
    /* No JSON, but json-c takes it; as an integer it would be too large to be read again.
     */
    assert_reads_as("[28197105843297379196E, 2.]", "[2.819710584329738e+19,2]");
    assert_reads_as("[1., 01.5, 1.5e+, -0]", "[1,1.5,1.5,0]");
}

static void keys_keep_their_order(void **state)
{
    (void)state;
    assert_reads_as("{\"z\":1,\"a\":{\"y\":[],\"b\":{}},\"m\":\"\\u00e9\\u0000\"}",
                    "{\"z\":1,\"a\":{\"y\":[],\"b\":{}},\"m\":\"\xc3\xa9\\u0000\"}");
}

static void a_malformed_text_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused(TEXT(""), "Unexpected end of input at line 1, column 1.");
    assert_refused(TEXT("{\"a\":1"), "Unexpected end of input at line 1, column 7.");
    assert_refused(TEXT("null"), "Unexpected null at line 1, column 1.");
    assert_refused(TEXT("{\n \"\xc3\xa9\" 1}"),
                   "Expected : between key:value pair at line 2, column 6.");
    assert_refused(TEXT("[1 2]"),
                   "Expected , or ] after array value at line 1, column 4.");
    assert_refused(TEXT("{\"a\":1 \"b\":2}"),
                   "Expected , or } after key:value pair at line 1, column 8.");
    assert_refused(TEXT("{a:1}"), "Expected an object key or } at line 1, column 2.");
    assert_refused(TEXT("[,]"), "Unexpected token at line 1, column 2.");
    assert_refused(TEXT("[tru]"), "Unexpected token at line 1, column 5.");
    assert_refused(TEXT("[1.2.3]"), "Malformed number at line 1, column 5.");
    assert_refused(TEXT("[\"\\x\"]"), "Illegal escape in a string at line 1, column 4.");
}

static void text_after_the_value_is_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("{} x"), "Unexpected text after the value at line 1, column 4.");
    assert_refused(TEXT("[1]]"), "Unexpected text after the value at line 1, column 4.");
    assert_refused(TEXT("1 2"), "Unexpected text after the value at line 1, column 3.");
}

static void a_nul_byte_is_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("[1]\0"), "Unexpected NUL byte at line 1, column 4.");
    assert_refused(TEXT("[\"a\0b\"]"), "Unexpected NUL byte at line 1, column 4.");
}

static void malformed_utf8_is_refused(void **state)
{
    (void)state;
    assert_refused(TEXT("[\"\xc3\xa9\xff\"]"), "Malformed UTF-8 at line 1, column 4.");
    assert_refused(TEXT("[\"\xed\xa0\x80\"]"), "Malformed UTF-8 at line 1, column 3.");
    assert_refused(TEXT("[\"\xc0\xaf\"]"), "Malformed UTF-8 at line 1, column 3.");
}

static void nesting_is_limited(void **state)
{
    (void)state;
    struct buf deep = {0};
    for (int i = 0; i < JSON_DEPTH; i++)
        buf_char(&deep, '[');
    buf_char(&deep, '1');
    for (int i = 0; i < JSON_DEPTH; i++)
        buf_char(&deep, ']');
    assert_non_null(json_parse(arena, buf_view(&deep), &err));
    buf_clear(&deep);
    for (int i = 0; i < 100000; i++)
        buf_char(&deep, '[');
    assert_refused(buf_view(&deep), "Too many levels of nesting at line 1, column 202.");
    buf_free(&deep);
}

static void a_text_need_not_end_in_a_nul(void **state)
{
    (void)state;
    const char exact[] = {'4', '2'};
    struct json_object *value = json_parse(arena, (struct text){exact, 2}, &err);
    assert_int_equal(json_object_get_int64(value), 42);
}

static void numbers_that_lost_something_are_not_sound(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool sound;
    } cases[] = {
        {"[1, 1.5, \"x\", {\"a\": null}]", true},
        {"18446744073709551614", true},
        {"{\"a\": [NaN]}", false},
        {"[-Infinity]", false},
        {"[1e999]", false},
        {"[123456789012345678901234567890]", false},
        {"[-123456789012345678901234567890]", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_object *value = json_parse(arena, text_of(cases[i].text), &err);
        assert_int_equal(tree_is_sound(value), cases[i].sound);
    }
}

static void trees_made_by_hand_are_written_too(void **state)
{
    (void)state;
    struct json_object *list = json_object_new_array();
    json_object_array_add(list, json_object_new_double(0.1));
    json_object_array_add(list, json_object_new_uint64(UINT64_MAX));
    json_object_array_add(list, NULL);
    struct buf out = {0};
    json_any_write(list, &out);
    assert_string_equal(out.at, "[0.1,18446744073709551615,null]");
    buf_free(&out);
    json_object_put(list);
}

int main(void)
{
#define TREE_TEST(test) cmocka_unit_test_setup_teardown(test, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        TREE_TEST(what_the_public_service_tolerates_is_read),
        TREE_TEST(values_alone_are_read),
        TREE_TEST(numbers_come_out_as_they_went_in),
        TREE_TEST(keys_keep_their_order),
        TREE_TEST(a_malformed_text_is_refused_with_its_place),
        TREE_TEST(text_after_the_value_is_refused),
        TREE_TEST(a_nul_byte_is_refused),
        TREE_TEST(malformed_utf8_is_refused),
        TREE_TEST(nesting_is_limited),
        TREE_TEST(a_text_need_not_end_in_a_nul),
        TREE_TEST(numbers_that_lost_something_are_not_sound),
        TREE_TEST(trees_made_by_hand_are_written_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
