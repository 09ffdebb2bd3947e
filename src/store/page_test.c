#include "store/page.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_token_finds_its_place_again(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 1, 1764345600000000000, INT64_MAX};
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct error err = {0};
        struct text id;
        int64_t created;
        struct text token = page_token(times[i], TEXT("a-9"), arena);
        assert_true(page_read(token, -1, &created, &id, &err));
        assert_int_equal(created, times[i]);
        assert_true(text_is(id, "a-9"));
    }
    arena_close(arena);
}

static void no_token_is_the_beginning(void **state)
{
    (void)state;
    struct error err = {0};
    struct text id;
    int64_t created;
    assert_true(page_read((struct text){0}, INT64_MAX, &created, &id, &err));
    assert_true(created == INT64_MAX && id.len == 0 && id.at);
    assert_true(page_read(TEXT(""), -1, &created, &id, &err));
    assert_int_equal(created, -1);
}

static void other_tokens_are_refused(void **state)
{
    (void)state;
    static const char *const tokens[] = {
        "5",
        "5-",
        "-a",
        "x-a",
        "5x-a",
        "9223372036854775808-a",
        "18446744073709551621-a",
        "5-A",
        "5-../a",
        "5-a b",
        " 5-a",
        "5-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        struct error err = {0};
        struct text id;
        int64_t created;
        assert_false(page_read(text_of(tokens[i]), 0, &created, &id, &err));
        assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_finds_its_place_again),
        cmocka_unit_test(no_token_is_the_beginning),
        cmocka_unit_test(other_tokens_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
