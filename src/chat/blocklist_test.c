#include "base/arena.h"
#include "chat/blocklist.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct blocklist *list_of(const char *lines)
{
    struct error err;
    struct blocklist *list = blocklist_read(text_of(lines), "list", &err);
    if (!list)
        fail_msg("%s", err.message);
    return list;
}

static void finds(const char *lines, const char *text, bool found)
{
    struct blocklist *list = list_of(lines);
    if (blocklist_finds(list, text_of(text)) != found)
        fail_msg("'%s' in '%s': should be %d", lines, text, found);
    blocklist_close(list);
}

static void a_listed_word_is_found_in_any_case(void **state)
{
    (void)state;
    finds("apple\nPear", "An APPLE a day", true);
    finds("apple\nPear", "pear", true);
    finds("apple\nPear", "plum", false);
    finds("apple", "", false);
    finds("", "apple", false);
    finds("Ärger", "viel ÄRGER hier", true);
    finds("ЖУК", "большой жук.", true);
    finds(" voilà \t\r\nplum", "Et voilà!", true); /* its last byte is 0xa0 */
}

static void a_word_is_found_only_whole(void **state)
{
    (void)state;
    finds("ass", "class assembly pass", false);
    finds("ass", "an ass.", true);
    finds("ass", "ass", true);
    finds("ass", "über-ass!", true);
    finds("ass", "ßass", false);
    finds("ass", "ass_", false);
    finds("ass\nassembly line", "assembly, line by line", false);
    finds("ass\nassembly line", "my assembly line", true);
    finds("c++", "c++11", true);
    finds("c++", "abc++", false);
}

static void a_phrase_is_found_whatever_white_space_it_has(void **state)
{
    (void)state;
    finds("red  apple", "a red\n \t apple", true);
    finds("red apple", "redapple", false);
    finds("red apple", "red-apple", false);
    finds("red apple", "red apples", false);
    finds("red apple",
          "a red\xc2\xa0"
          "apple",
          true);
}

static void where_words_have_no_spaces_a_word_is_found_anywhere(void **state)
{
    (void)state;
    finds("苹果", "我吃苹果了", true);
    finds("แอปเปิล", "ฉันกินแอปเปิลแล้ว", true);
}

static void an_expression_is_found_within_a_line(void **state)
{
    (void)state;
    finds("/a+pple/", "two AAAPPLES", true);
    finds("/^red.*apple$/", "first\nred and apple\nlast", true);
    finds("/^red.*apple$/", "red\napple", false);
    finds("/[0-9]{3}-[0-9]{4}/", "call 555-1234 now", true);
    finds("/gr.n/", "grün", true);
}

static void comments_and_empty_lines_list_nothing(void **state)
{
    (void)state;
    finds("# apple\n\n   \r\n  pear \r\n", "apple", false);
    finds("# apple\n\n   \r\n  pear \r\n", "pear", true);
    finds("/", "1 / 2", true);
}

static void a_bad_line_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *error;
    } cases[] = {
        {"apple\n/(/\n", "list:2: Unmatched ( or \\("},
        {"\n\n/a*/", "list:3: this matches the empty text, so it would block everything"},
        {"\xff", "list:1: not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        assert_null(blocklist_read(text_of(cases[i].lines), "list", &err));
        assert_string_equal(err.message, cases[i].error);
    }
}

static void a_file_is_read(void **state)
{
    (void)state;
    struct error err;
    char path[] = "/tmp/blocklist_test.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "apple\n", 6), 6);
    close(fd);
    struct blocklist *list = blocklist_open(path, &err);
    unlink(path);
    assert_non_null(list);
    assert_true(blocklist_finds(list, TEXT("apple")));
    blocklist_close(list);
    assert_null(blocklist_open(path, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

/* What is clear after each step, for a text that grows by a character. */
static void a_word_that_may_still_come_is_not_clear(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t clear;
        bool found;
    } steps[] = {
        {"a", 0, false},        {"a ", 0, false},         {"a r", 0, false},
        {"a re", 2, false},     {"a red", 2, false},      {"a rest", 6, false},
        {"a rest r", 7, false}, {"a rest red", 7, false}, {"a rest red,", 7, true},
    };
    struct blocklist *list = list_of("red\na rode\nred apple");
    struct blocklist_scan scan = {0};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        bool found = blocklist_scan(list, text_of(steps[i].text), false, &scan);
        assert_int_equal(found, steps[i].found);
        if (!found)
            assert_int_equal(scan.clear, steps[i].clear);
    }
    blocklist_close(list);
}

static void with_expressions_a_line_is_clear_when_it_is_whole(void **state)
{
    (void)state;
    struct blocklist *list = list_of("/apple$/");
    struct blocklist_scan scan = {0};
    assert_false(blocklist_scan(list, TEXT("one\ntwo"), false, &scan));
    assert_int_equal(scan.clear, 4);
    assert_false(blocklist_scan(list, TEXT("one\ntwo apple"), false, &scan));
    assert_true(blocklist_scan(list, TEXT("one\ntwo apple"), true, &scan));
    blocklist_close(list);
}

static void thousands_of_words_are_no_trouble(void **state)
{
    (void)state;
    char *lines = malloc((size_t)20000 * 8), *at = lines;
    for (int i = 0; i < 20000; i++)
        at += sprintf(at, "w%05d\n", (i * 7919) % 20000);
    *at = 0;
    struct blocklist *list = list_of(lines);
    free(lines);
    assert_true(blocklist_finds(list, TEXT("and W07919 too")));
    assert_false(blocklist_finds(list, TEXT("and w20000 too, w1")));
    blocklist_close(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listed_word_is_found_in_any_case),
        cmocka_unit_test(a_word_is_found_only_whole),
        cmocka_unit_test(a_phrase_is_found_whatever_white_space_it_has),
        cmocka_unit_test(where_words_have_no_spaces_a_word_is_found_anywhere),
        cmocka_unit_test(an_expression_is_found_within_a_line),
        cmocka_unit_test(comments_and_empty_lines_list_nothing),
        cmocka_unit_test(a_bad_line_is_named),
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(a_word_that_may_still_come_is_not_clear),
        cmocka_unit_test(with_expressions_a_line_is_clear_when_it_is_whole),
        cmocka_unit_test(thousands_of_words_are_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
