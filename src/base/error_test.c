#include "base/error.h"
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void every_code_has_its_row(void **state)
{
    (void)state;
    for (int code = ERROR_OK; code <= ERROR_UNAUTHENTICATED; code++) {
        const struct error_row *row = error_row(code);
        assert_int_equal(row->code, code);
        assert_ptr_equal(error_row_named(row->name), row);
    }
    assert_int_equal(error_row(ERROR_RESOURCE_EXHAUSTED)->http_status, 429);
    assert_int_equal(error_row(ERROR_CANCELLED)->http_status, 499);
}

static void an_unknown_code_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(error_row((enum error_code)99)->code, ERROR_UNKNOWN);
    assert_null(error_row_named("NO_SUCH_THING"));
}

static void setting_overwrites_everything_and_returns_false(void **state)
{
    (void)state;
    struct error err = {.retry_ms = 5, .reason = "X", .http_status = 405, .field = "a"};
    assert_false(error_set(&err, ERROR_NOT_FOUND, "no %s", "file"));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_string_equal(err.message, "no file");
    assert_string_equal(err.field, "");
    assert_null(err.reason);
    assert_int_equal(err.retry_ms + err.http_status, 0);
}

static void an_error_at_a_field_names_it(void **state)
{
    (void)state;
    struct error err;
    assert_false(error_at(&err, "contents[0]", "%d is wrong", 3));
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.field, "contents[0]");
    assert_string_equal(err.message, "3 is wrong");
}

static void an_error_may_quote_itself(void **state)
{
    (void)state;
    struct error err;
    error_at(&err, "name", "gone");
    error_at(&err, err.field, "could not open: %s", err.message);
    assert_string_equal(err.message, "could not open: gone");
    assert_string_equal(err.field, "name");
}

static void a_long_message_is_cut_at_a_character(void **state)
{
    (void)state;
    char euros[3 * 300 + 1] = "";
    for (int i = 0; i < 300; i++)
        memcpy(euros + (size_t)i * 3, "\xe2\x82\xac", 4);
    for (int shift = 0; shift < 3; shift++) {
        struct error err;
        error_at(&err, euros, "%.*s%s", shift, "xx", euros);
        assert_true(text_is_utf8(text_of(err.message)));
        assert_true(text_is_utf8(text_of(err.field)));
        assert_true(strlen(err.message) >= sizeof(err.message) - 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_row),
        cmocka_unit_test(an_unknown_code_is_unknown),
        cmocka_unit_test(setting_overwrites_everything_and_returns_false),
        cmocka_unit_test(an_error_at_a_field_names_it),
        cmocka_unit_test(an_error_may_quote_itself),
        cmocka_unit_test(a_long_message_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
