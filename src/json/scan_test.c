#include "json/scan.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void numbers_follow_the_grammar_of_json(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "-0", "10", "1.5", "-0.05", "1e9", "1.0E-7"};
    static const char *const bad[] = {"",    "-",   "01",  "1.", ".5", "+1",    "1e",
                                      "1e+", "0x1", "NaN", " 1", "1 ", "1.5.2", "--1"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(scan_is_number(text_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(scan_is_number(text_of(bad[i])));
    assert_false(scan_is_number(TEXT("1\0")));
    assert_false(scan_is_number((struct text){0}));
}

static void integers_may_be_written_as_reals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t is;
    } good[] = {
        {"40", 40},
        {"40.0", 40},
        {"-4e1", -40},
        {"-0", 0},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t value = 99;
        assert_true(scan_int(text_of(good[i].text), &value));
        assert_true(value == good[i].is);
    }
    static const char *const bad[] = {"", "4x", "1.5", "9223372036854775808", "1e30"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t value = 99;
        assert_false(scan_int(text_of(bad[i]), &value));
        assert_int_equal(value, 99);
    }
}

static void reals_must_be_finite(void **state)
{
    (void)state;
    double value;
    assert_true(scan_double(TEXT("0.1"), &value));
    assert_true(value == 0.1);
    assert_false(scan_double(TEXT("1e999"), &value));
    assert_false(scan_double(TEXT("Infinity"), &value));
    assert_true(value == 0.1);
}

static void base64_of_either_alphabet_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
    } cases[] = {
        {"", ""},
        {"QQ==", "A"},
        {"QQ", "A"},
        {"QUI=", "AB"},
        {"QUI", "AB"},
        {"QUJD", "ABC"},
        {" Q\nU J\tD\r\n", "ABC"},
        {"QQ = =", "A"},
        {"++//", "\xfb\xef\xff"},
        {"--__", "\xfb\xef\xff"},
    };
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text bytes;
        assert_true(scan_base64(text_of(cases[i].text), arena, &bytes));
        assert_non_null(bytes.at);
        assert_true(text_is(bytes, cases[i].bytes));
    }
    arena_close(arena);
}

static void what_is_not_base64_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"Q", "QUJDR", "QQ===", "QQ=Q", "Q!Q=", "\xc3\xa9"};
    struct arena *arena = arena_open();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct text bytes = {0};
        assert_false(scan_base64(text_of(bad[i]), arena, &bytes));
        assert_null(bytes.at);
    }
    arena_close(arena);
}

static void durations_are_seconds_with_an_s(void **state)
{
    (void)state;
    int64_t ns = 7;
    assert_true(scan_duration(TEXT("300s"), &ns));
    assert_true(ns == 300000000000);
    assert_true(scan_duration(TEXT("-3.5s"), &ns));
    assert_true(ns == -3500000000);
    assert_true(scan_duration(TEXT("0.000000001s"), &ns));
    assert_true(ns == 1);
    static const char *const bad[] = {
        "",   "s",   "3",   "3.s",           ".5s",          "3.5",
        "3m", "3s ", "+3s", "3.0000000001s", "99999999999s", "1e3s"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(scan_duration(text_of(bad[i]), &ns));
    assert_true(ns == 1);
}

static void timestamps_have_a_zone(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"2023-11-14T22:13:20.5Z", 1700000000500000000},
        {"2023-11-15T00:13:20+02:00", 1700000000000000000},
        {"2023-11-14T19:43:20.000000001-02:30", 1700000000000000001},
        {"1969-12-31T23:59:59.999999999Z", -1},
        {"2024-02-29T00:00:00Z", 1709164800000000000},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ns = 7;
        assert_true(scan_timestamp(text_of(good[i].text), &ns));
        assert_true(ns == good[i].ns);
    }
    static const char *const bad[] = {
        "",
        "2023-11-14",
        "2023-11-14T22:13:20",
        "2023-11-14T22:13Z",
        "2023-02-30T00:00:00Z",
        "2023-13-01T00:00:00Z",
        "2023-11-14T24:00:00Z",
        "2023-11-14T22:13:20.Z",
        "2023-11-14T22:13:20.0123456789Z",
        "2023-11-14T22:13:20+0200",
        "2023-11-14T22:13:20Zx",
        "1600-01-01T00:00:00Z",
        "9999-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ns = 7;
        assert_false(scan_timestamp(text_of(bad[i]), &ns));
        assert_true(ns == 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_follow_the_grammar_of_json),
        cmocka_unit_test(integers_may_be_written_as_reals),
        cmocka_unit_test(reals_must_be_finite),
        cmocka_unit_test(base64_of_either_alphabet_is_read),
        cmocka_unit_test(what_is_not_base64_is_refused),
        cmocka_unit_test(durations_are_seconds_with_an_s),
        cmocka_unit_test(timestamps_have_a_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
