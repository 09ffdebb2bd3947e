#include "cli/tune_data.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena *arena;
static struct buf lines;
static struct error err;

static bool read_as(const char *name, const char *text, int *n)
{
    lines.len = 0;
    return tune_data(name, text_of(text), arena, &lines, n, &err);
}

static void every_form_gives_the_same_lines(void **state)
{
    (void)state;
    static const char WANTED[] = "{\"textInput\":\"1\",\"output\":\"2\"}\n"
                                 "{\"textInput\":\"a, b\",\"output\":\"\\\"c\\\"\"}\n";
    static const struct {
        const char *name, *text;
    } forms[] = {
        {"a.csv", "1,2\r\n\"a, b\",\"\"\"c\"\"\"\r\n"},
        {"a.CSV", "input,output\n1,2\n\"a, b\",\"\"\"c\"\"\"\n"},
        {"a.csv", "id,Output,text_input\n7,2,1\n8,\"\"\"c\"\"\",\"a, b\"\n"},
        {"a.csv", "textInput,other,output\n1,,2\n\"a, b\",x,\"\"\"c\"\"\"\n"},
        {"a.json", "[{\"textInput\": \"1\", \"output\": \"2\"},\n"
                   " {\"textInput\": \"a, b\", \"output\": \"\\\"c\\\"\"}]"},
        {"a.jsonl", "{\"textInput\":\"1\",\"output\":\"2\"}\n\n\r\n"
                    "{\"textInput\":\"a, b\",\"output\":\"\\\"c\\\"\"}"},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        int n;
        assert_true(read_as(forms[i].name, forms[i].text, &n));
        assert_int_equal(n, 2);
        assert_true(text_is(buf_view(&lines), WANTED));
    }
}

static void nothing_is_no_examples(void **state)
{
    (void)state;
    static const char *const names[] = {"a.csv", "a.jsonl"};
    for (size_t i = 0; i < 2; i++) {
        int n;
        assert_true(read_as(names[i], "", &n));
        assert_int_equal(n, 0);
    }
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *words;
    } wrong[] = {
        {"a.csv", "1,2\nonly\n", "line 2 has 1 columns"},
        {"a.csv", "id,output,input\n1,2\n", "line 2 has 2 columns"},
        {"a.json", "{}", "not a list of examples"},
        {"a.json", "[", "JSON"},
        {"a.jsonl", "\xff\n", "not UTF-8"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int n;
        assert_false(read_as(wrong[i].name, wrong[i].text, &n));
        assert_non_null(strstr(err.message, wrong[i].words));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_gives_the_same_lines),
        cmocka_unit_test(nothing_is_no_examples),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    arena = arena_open();
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(arena);
    buf_free(&lines);
    return n_failed;
}
