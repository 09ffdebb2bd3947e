#include "tools/urls.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_found(const char *text, const char *wanted)
{
    struct text urls[URLS_MOST];
    char all[1000] = "";
    int n = urls_find(text_of(text), urls);
    for (int i = 0; i < n; i++) {
        strncat(all, i ? " " : "", 2);
        strncat(all, urls[i].at, urls[i].len);
    }
    assert_string_equal(all, wanted);
}

static void addresses_end_where_the_sentence_goes_on(void **state)
{
    (void)state;
    assert_found("Read https://a.org/x?q=1#y, and then (http://b.org/c).",
                 "https://a.org/x?q=1#y http://b.org/c");
    assert_found("**https://a.org/it's_(new)** is \"https://b.org\"!",
                 "https://a.org/it's_(new) https://b.org");
    assert_found("[here](https://a.org/b) <HTTP://c.org> https://d.org/\xc3\xa9t\xc3\xa9",
                 "https://a.org/b HTTP://c.org https://d.org/\xc3\xa9t\xc3\xa9");
}

static void what_only_looks_like_one_is_none(void **state)
{
    (void)state;
    assert_found("", "");
    assert_found("http:// https://. xhttp://a.org ftp://b.org www.c.org", "");
}

static void each_counts_once_and_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    struct text urls[URLS_MOST];
    char many[30 * 20 + 1] = "";
    size_t n = 0;
    assert_found("http://a.b http://a.b http://a.b/", "http://a.b http://a.b/");
    for (int i = 0; i < 30; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "http://a%02d.org ", i);
    assert_int_equal(urls_find(text_of(many), urls), URLS_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_end_where_the_sentence_goes_on),
        cmocka_unit_test(what_only_looks_like_one_is_none),
        cmocka_unit_test(each_counts_once_and_no_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
