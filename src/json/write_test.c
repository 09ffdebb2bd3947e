#include "json/write.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct buf out;

static struct json_writer writer(bool pretty)
{
    buf_clear(&out);
    return json_writer(&out, pretty);
}

static int free_out(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

static void write_sample(struct json_writer *w)
{
    json_begin(w, '{');
    json_key(w, "list");
    json_begin(w, '[');
    json_int(w, 1);
    json_begin(w, '{');
    json_end(w, '}');
    json_begin(w, '[');
    json_end(w, ']');
    json_end(w, ']');
    json_key(w, "yes");
    json_bool(w, true);
    json_key(w, "raw");
    json_raw(w, TEXT("null"));
    json_end(w, '}');
}

static void compact_output_has_no_spaces(void **state)
{
    (void)state;
    struct json_writer w = writer(false);
    write_sample(&w);
    assert_string_equal(out.at, "{\"list\":[1,{},[]],\"yes\":true,\"raw\":null}");
}

static void pretty_output_has_a_key_a_line_and_two_spaces(void **state)
{
    (void)state;
    struct json_writer w = writer(true);
    write_sample(&w);
    assert_string_equal(out.at, "{\n  \"list\": [\n    1,\n    {},\n    []\n  ],\n"
                                "  \"yes\": true,\n  \"raw\": null\n}");
}

static void assert_string(struct text value, const char *json)
{
    struct json_writer w = writer(false);
    json_text(&w, value);
    assert_string_equal(out.at, json);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    assert_string(TEXT(""), "\"\"");
    assert_string((struct text){0}, "\"\"");
    assert_string(TEXT("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    assert_string(TEXT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    assert_string(TEXT("\0\x1f\x7f"), "\"\\u0000\\u001f\x7f\"");
    assert_string(TEXT("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

static void bytes_that_are_not_utf8_become_the_replacement_character(void **state)
{
    (void)state;
    assert_string(TEXT("a\x80z"), "\"a\xef\xbf\xbdz\"");
    assert_string(TEXT("\xc3"), "\"\xef\xbf\xbd\"");
    assert_string(TEXT("\xc3\"x"), "\"\xef\xbf\xbd\\\"x\"");
}

static void assert_number(double value, const char *json)
{
    struct json_writer w = writer(false);
    json_number(&w, value);
    assert_string_equal(out.at, json);
}

static void numbers_are_as_short_as_they_can_be(void **state)
{
    (void)state;
    assert_number(0, "0");
    assert_number(-0.0, "0");
    assert_number(1, "1");
    assert_number(-40, "-40");
    assert_number(0.1, "0.1");
    assert_number(0.1 + 0.2, "0.30000000000000004");
    assert_number(-1.25, "-1.25");
    assert_number(0.05, "0.05");
    assert_number(-0.00012345, "-0.00012345");
    assert_number(1.0 / 3, "0.3333333333333333");
    assert_number(123456789.125, "123456789.125");
    assert_number(9007199254740992, "9007199254740992");
    assert_number(1e21, "1e+21");
    assert_number(5e-324, "4.94065645841247e-324");
    assert_number(1.7976931348623157e308, "1.7976931348623157e+308");
}

static void what_json_cannot_say_is_a_string(void **state)
{
    (void)state;
    assert_number(NAN, "\"NaN\"");
    assert_number(INFINITY, "\"Infinity\"");
    assert_number(-INFINITY, "\"-Infinity\"");
}

static void any_number_reads_back_equal(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (i % 2)
            value = (double)(int64_t)(bits >> 20) / (double)(1 + i % 1000000);
        if (!isfinite(value))
            continue;
        struct json_writer w = writer(false);
        json_number(&w, value);
        assert_true(strtod(out.at, NULL) == value);
    }
}

static void integers_are_whole_to_the_ends(void **state)
{
    (void)state;
    struct json_writer w = writer(false);
    json_begin(&w, '[');
    json_int(&w, 0);
    json_int(&w, -7);
    json_int(&w, INT64_MAX);
    json_int(&w, INT64_MIN);
    json_end(&w, ']');
    assert_string_equal(out.at, "[0,-7,9223372036854775807,-9223372036854775808]");
}

static void assert_timestamp(int64_t ns, const char *json)
{
    struct json_writer w = writer(false);
    json_timestamp(&w, ns);
    assert_string_equal(out.at, json);
}

static void timestamps_have_no_more_digits_than_they_need(void **state)
{
    (void)state;
    assert_timestamp(0, "\"1970-01-01T00:00:00Z\"");
    assert_timestamp(1700000000500000000, "\"2023-11-14T22:13:20.500Z\"");
    assert_timestamp(1700000000000001000, "\"2023-11-14T22:13:20.000001Z\"");
    assert_timestamp(1700000000000000001, "\"2023-11-14T22:13:20.000000001Z\"");
    assert_timestamp(-1, "\"1969-12-31T23:59:59.999999999Z\"");
    assert_timestamp(INT64_MIN, "\"1677-09-21T00:12:43.145224192Z\"");
    assert_timestamp(INT64_MAX, "\"2262-04-11T23:47:16.854775807Z\"");
}

static void assert_duration(int64_t ns, const char *json)
{
    struct json_writer w = writer(false);
    json_duration(&w, ns);
    assert_string_equal(out.at, json);
}

static void durations_are_seconds(void **state)
{
    (void)state;
    assert_duration(0, "\"0s\"");
    assert_duration(300000000000, "\"300s\"");
    assert_duration(3500000000, "\"3.5s\"");
    assert_duration(-50000000, "\"-0.05s\"");
    assert_duration(1, "\"0.000000001s\"");
    assert_duration(INT64_MIN, "\"-9223372036.854775808s\"");
}

static void bytes_are_base64_with_padding(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "\"\"", "\"AA==\"", "\"AP8=\"", "\"AP8Q\"", "\"AP8Qgw==\"",
    };
    for (size_t len = 0; len < 5; len++) {
        struct json_writer w = writer(false);
        json_base64(&w, (struct text){"\x00\xff\x10\x83", len});
        assert_string_equal(out.at, expected[len]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compact_output_has_no_spaces),
        cmocka_unit_test(pretty_output_has_a_key_a_line_and_two_spaces),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(bytes_that_are_not_utf8_become_the_replacement_character),
        cmocka_unit_test(numbers_are_as_short_as_they_can_be),
        cmocka_unit_test(what_json_cannot_say_is_a_string),
        cmocka_unit_test(any_number_reads_back_equal),
        cmocka_unit_test(integers_are_whole_to_the_ends),
        cmocka_unit_test(timestamps_have_no_more_digits_than_they_need),
        cmocka_unit_test(durations_are_seconds),
        cmocka_unit_test(bytes_are_base64_with_padding),
    };
    return cmocka_run_group_tests(tests, NULL, free_out);
}
