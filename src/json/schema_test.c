#include "json/sample.h"
#include "json/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena *arena;
static struct error err;
static struct sample sample;
static struct buf out;

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
    buf_free(&out);
    return 0;
}

static bool reads(const char *text)
{
    buf_clear(&out);
    if (json_read(&sample_type, text_of(text), &sample, arena, &err)) {
        json_encode(&sample_type, &sample, false, &out);
        return true;
    }
    return false;
}

static void assert_becomes(const char *text, const char *json)
{
    if (!reads(text))
        fail_msg("%s: %s", text, err.message);
    assert_string_equal(out.at, json);
}

static void assert_same(const char *json)
{
    assert_becomes(json, json);
}

static void assert_refused(const char *text, const char *message, const char *field)
{
    assert_false(reads(text));
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.message, message);
    assert_string_equal(err.field, field);
}

static void every_kind_comes_back_as_it_went_in(void **state)
{
    (void)state;
    assert_same(
        "{\"name\":\"a\",\"data\":\"AP8=\",\"shortTag\":\"abc\",\"isBig\":false,"
        "\"count\":-7,\"totalBytes\":\"9007199254740993\",\"wait\":\"3.5s\","
        "\"when\":\"2026-12-01T00:00:00Z\",\"ratio\":0.7,\"color\":\"LIGHT_BLUE\","
        "\"args\":{\"z\":[1.0,null],\"a\":{}},\"child\":{},"
        "\"owner\":{\"display_name\":\"x\",\"sub_parts\":[{\"name\":\"\"},{}]}}");
}

static void lists_of_every_kind_come_back_too(void **state)
{
    (void)state;
    assert_same(
        "{\"names\":[\"a\",\"\"],\"datas\":[\"\",\"QQ==\"],\"flags\":[true,false],"
        "\"counts\":[1,-2],\"totals\":[\"1\",\"-2\"],\"ratios\":[0.1,2],"
        "\"colors\":[\"RED\",\"COLOR_UNSPECIFIED\"],\"waits\":[\"0s\",\"-1s\"],"
        "\"whens\":[\"1970-01-01T00:00:00Z\"],\"children\":[{\"count\":1},{}],"
        "\"anyValues\":[null,1,[]],\"onlyLists\":[1]}");
}

static void an_empty_text_is_an_empty_message(void **state)
{
    (void)state;
    assert_becomes("", "{}");
    assert_becomes("{}", "{}");
    assert_becomes("{\"names\":[]}", "{}");
    assert_null(sample.name.at);
    assert_false(sample.count.set);
}

static void null_equals_absent(void **state)
{
    (void)state;
    assert_becomes("{\"name\":null,\"child\":null,\"names\":null,\"args\":null,"
                   "\"isBig\":null,\"audioOut\":null}",
                   "{}");
}

static void names_are_taken_in_camel_and_in_snake_case(void **state)
{
    (void)state;
    assert_becomes("{\"total_bytes\":1,\"is_big\":true,\"short_tag\":\"ab\"}",
                   "{\"shortTag\":\"ab\",\"isBig\":true,\"totalBytes\":\"1\"}");
    assert_becomes("{\"owner\":{\"displayName\":\"x\",\"subParts\":[]}}",
                   "{\"owner\":{\"display_name\":\"x\"}}");
    assert_false(reads("{\"TotalBytes\":1}"));
    assert_false(reads("{\"total__bytes\":1}"));
    assert_false(reads("{\"totalbytes\":1}"));
    assert_false(reads("{\"_name\":1}"));
    assert_false(reads("{\"total_\":1}"));
    assert_false(reads("{\"\":1}"));
}

static void a_single_value_may_stand_for_a_list(void **state)
{
    (void)state;
    assert_becomes("{\"children\":{\"names\":\"a\"},\"colors\":\"red\"}",
                   "{\"colors\":[\"RED\"],\"children\":[{\"names\":[\"a\"]}]}");
    assert_refused("{\"onlyLists\":1}", "Invalid value at 'only_lists' (TYPE_INT32), 1",
                   "only_lists");
}

static void enums_are_taken_by_name_in_any_case_alias_or_number(void **state)
{
    (void)state;
    assert_becomes("{\"color\":\"light_blue\"}", "{\"color\":\"LIGHT_BLUE\"}");
    assert_becomes("{\"color\":\"Rouge\"}", "{\"color\":\"RED\"}");
    assert_becomes("{\"color\":8}", "{\"color\":\"LIGHT_BLUE\"}");
    assert_becomes("{\"color\":0}", "{}");
    assert_refused("{\"color\":\"GREEN\"}",
                   "Invalid value at 'color' (TYPE_ENUM), \"GREEN\"", "color");
    assert_refused("{\"color\":2}", "Invalid value at 'color' (TYPE_ENUM), 2", "color");
    assert_string_equal(json_enum_name(sample_colors, 1), "RED");
    assert_null(json_enum_name(sample_colors, 2));
    assert_int_equal(json_enum_number(sample_colors, TEXT("rouge")), 1);
    assert_int_equal(json_enum_number(sample_colors, TEXT("")), -1);
}

static void integers_may_come_as_reals_and_strings(void **state)
{
    (void)state;
    assert_becomes("{\"count\":40.0}", "{\"count\":40}");
    assert_becomes("{\"count\":\"40\"}", "{\"count\":40}");
    assert_becomes("{\"count\":1e3,\"totalBytes\":11}",
                   "{\"count\":1000,\"totalBytes\":\"11\"}");
    assert_becomes("{\"totalBytes\":\"-9223372036854775808\"}",
                   "{\"totalBytes\":\"-9223372036854775808\"}");
    assert_becomes("{\"totalBytes\":9223372036854775807}",
                   "{\"totalBytes\":\"9223372036854775807\"}");
}

static void booleans_may_come_as_strings(void **state)
{
    (void)state;
    assert_becomes("{\"flags\":[\"true\",\"false\"]}", "{\"flags\":[true,false]}");
}

static void output_and_ignored_fields_are_skipped(void **state)
{
    (void)state;
    assert_becomes("{\"made\":5,\"noted\":{\"x\":1}}", "{}");
    sample.made = TEXT("by us");
    buf_clear(&out);
    json_encode(&sample_type, &sample, false, &out);
    assert_string_equal(out.at, "{\"made\":\"by us\"}");
}

static void an_unknown_field_is_named_with_its_path(void **state)
{
    (void)state;
    assert_refused(
        "{\"foo\":1}",
        "Invalid JSON payload received. Unknown name \"foo\": Cannot find field.", "");
    assert_refused("{\"children\":[{},{\"child\":{\"foo\":1}}]}",
                   "Invalid JSON payload received. Unknown name \"foo\" at "
                   "'children[1].child': Cannot find field.",
                   "children[1].child");
    assert_refused("{\"owner\":{\"sub_parts\":{\"foo\":1}}}",
                   "Invalid JSON payload received. Unknown name \"foo\" at "
                   "'owner.sub_parts[0]': Cannot find field.",
                   "owner.sub_parts[0]");
}

static void a_wrong_value_is_told_with_its_path_and_type(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message, *field;
    } cases[] = {
        {"{\"name\":5}", "(TYPE_STRING), 5", "name"},
        {"{\"data\":5}", "(TYPE_BYTES), 5", "data"},
        {"{\"data\":\"Q!\"}", "(TYPE_BYTES), Base64 decoding failed for \"Q!\"", "data"},
        {"{\"isBig\":1}", "(TYPE_BOOL), 1", "is_big"},
        {"{\"count\":1.5}", "(TYPE_INT32), 1.5", "count"},
        {"{\"count\":3000000000}", "(TYPE_INT32), 3000000000", "count"},
        {"{\"count\":1e999}", "(TYPE_INT32), 1e999", "count"},
        {"{\"totalBytes\":9223372036854775808}", "(TYPE_INT64), 9223372036854775808",
         "total_bytes"},
        {"{\"totalBytes\":{}}", "(TYPE_INT64), {}", "total_bytes"},
        {"{\"ratio\":\"x\"}", "(TYPE_FLOAT), \"x\"", "ratio"},
        {"{\"ratio\":1e999}", "(TYPE_FLOAT), 1e999", "ratio"},
        {"{\"ratio\":NaN}", "(TYPE_FLOAT), \"NaN\"", "ratio"},
        {"{\"ratio\":true}", "(TYPE_FLOAT), true", "ratio"},
        {"{\"counts\":[1,null]}", "(TYPE_INT32), null", "counts[1]"},
        {"{\"wait\":\"3\"}", "(type.googleapis.com/google.protobuf.Duration), \"3\"",
         "wait"},
        {"{\"when\":\"now\"}", "(type.googleapis.com/google.protobuf.Timestamp), \"now\"",
         "when"},
        {"{\"args\":{\"x\":1e999}}",
         "(type.googleapis.com/google.protobuf.Value), {\"x\":1e999}", "args"},
        {"{\"children\":[[]]}",
         "(type.googleapis.com/google.ai.generativelanguage.v1beta.Sample), []",
         "children[0]"},
        {"{\"child\":{\"owner\":\"me\"}}",
         "(type.googleapis.com/google.ai.generativelanguage.v1beta.Owner), \"me\"",
         "child.owner"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char message[300];
        snprintf(message, sizeof(message), "Invalid value at '%s' %s", cases[i].field,
                 cases[i].message);
        assert_refused(cases[i].text, message, cases[i].field);
    }
}

static void a_long_value_is_shown_in_part(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_str(&text, "{\"count\":\"");
    for (int i = 0; i < 5000; i++)
        buf_str(&text, "\xe2\x82\xac");
    buf_str(&text, "\"}");
    assert_false(reads(text.at));
    assert_true(strlen(err.message) < 200);
    assert_true(text_ends(text_of(err.message), "\xe2\x82\xac..."));
    assert_true(text_is_utf8(text_of(err.message)));
    buf_free(&text);
}

static void a_list_where_one_value_belongs_is_refused(void **state)
{
    (void)state;
    assert_refused(
        "{\"child\":{\"shortTag\":[\"a\"]}}",
        "Invalid JSON payload received. Unknown name \"short_tag\" at 'child': "
        "Proto field is not repeating, cannot start list.",
        "child");
    assert_same("{\"args\":[1]}");
}

static void a_root_that_is_no_message_is_refused(void **state)
{
    (void)state;
    assert_refused("[]",
                   "Invalid JSON payload received. Unknown name \"\": "
                   "Root element must be a message.",
                   "");
}

static void values_are_held_to_their_range(void **state)
{
    (void)state;
    assert_refused("{\"ratio\":3}", "* Sample.ratio: 3 is outside of -1 to 2", "ratio");
    assert_refused("{\"child\":{\"ratio\":-1.5}}",
                   "* Sample.child.ratio: -1.5 is outside of -1 to 2", "child.ratio");
    assert_refused("{\"shortTag\":\"a\"}",
                   "* Sample.short_tag: a length of 1 is outside of 2 to 5", "short_tag");
    assert_becomes("{\"shortTag\":\"\xe2\x82\xac\xe2\x82\xac\"}",
                   "{\"shortTag\":\"\xe2\x82\xac\xe2\x82\xac\"}");
    assert_refused("{\"names\":[\"\",\"\",\"\",\"\"]}",
                   "* Sample.names: a count of 4 is outside of 0 to 3", "names");
}

static void a_required_field_must_say_something(void **state)
{
    (void)state;
    static const char *const empty[] = {"{\"owner\":{}}",
                                        "{\"owner\":{\"display_name\":\"\"}}",
                                        "{\"owner\":{\"display_name\":null}}"};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
        assert_refused(empty[i],
                       "* Sample.owner.display_name: owner.display_name is not specified",
                       "owner.display_name");
}

static void a_field_without_support_is_refused_with_the_reason(void **state)
{
    (void)state;
    assert_refused(
        "{\"child\":{\"audioOut\":true}}",
        "'child.audio_out' is not supported by Pollux yet: it only writes text",
        "child.audio_out");
    assert_becomes("{\"audioOut\":false}", "{}");
    assert_becomes("{\"audioOut\":[]}", "{}");
}

static void a_long_path_is_cut_but_whole_characters_stay(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 150; i++)
        buf_str(&text, "{\"child\":");
    buf_str(&text, "{\"\xe2\x82\xac\":1}");
    for (int i = 0; i < 150; i++)
        buf_str(&text, "}");
    assert_false(reads(text.at));
    assert_true(text_starts(text_of(err.field), "child.child.child"));
    assert_int_equal(strlen(err.field), sizeof(err.field) - 1);
    buf_free(&text);
}

static void unknown_names_may_be_skipped_where_the_type_says_so(void **state)
{
    (void)state;
    const struct json_type loose = {"Loose", sizeof(struct sample), sample_fields, true};
    assert_true(
        json_read(&loose, TEXT("{\"foo\":{},\"count\":2}"), &sample, arena, &err));
    assert_int_equal(sample.count.is, 2);
}

static void an_enum_without_a_name_is_written_as_its_number(void **state)
{
    (void)state;
    sample = (struct sample){.color = 77};
    json_encode(&sample_type, &sample, false, &out);
    assert_string_equal(out.at, "{\"color\":77}");
}

static void pretty_output_is_indented(void **state)
{
    (void)state;
    assert_true(reads("{\"names\":[\"a\"],\"args\":{\"k\":1},\"child\":{}}"));
    buf_clear(&out);
    json_encode(&sample_type, &sample, true, &out);
    assert_string_equal(out.at, "{\n  \"args\": {\n    \"k\": 1\n  },\n  \"child\": {},\n"
                                "  \"names\": [\n    \"a\"\n  ]\n}");
}

int main(void)
{
#define SCHEMA_TEST(test) cmocka_unit_test_setup_teardown(test, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        SCHEMA_TEST(every_kind_comes_back_as_it_went_in),
        SCHEMA_TEST(lists_of_every_kind_come_back_too),
        SCHEMA_TEST(an_empty_text_is_an_empty_message),
        SCHEMA_TEST(null_equals_absent),
        SCHEMA_TEST(names_are_taken_in_camel_and_in_snake_case),
        SCHEMA_TEST(a_single_value_may_stand_for_a_list),
        SCHEMA_TEST(enums_are_taken_by_name_in_any_case_alias_or_number),
        SCHEMA_TEST(integers_may_come_as_reals_and_strings),
        SCHEMA_TEST(booleans_may_come_as_strings),
        SCHEMA_TEST(output_and_ignored_fields_are_skipped),
        SCHEMA_TEST(an_unknown_field_is_named_with_its_path),
        SCHEMA_TEST(a_wrong_value_is_told_with_its_path_and_type),
        SCHEMA_TEST(a_long_value_is_shown_in_part),
        SCHEMA_TEST(a_list_where_one_value_belongs_is_refused),
        SCHEMA_TEST(a_root_that_is_no_message_is_refused),
        SCHEMA_TEST(values_are_held_to_their_range),
        SCHEMA_TEST(a_required_field_must_say_something),
        SCHEMA_TEST(a_field_without_support_is_refused_with_the_reason),
        SCHEMA_TEST(a_long_path_is_cut_but_whole_characters_stay),
        SCHEMA_TEST(unknown_names_may_be_skipped_where_the_type_says_so),
        SCHEMA_TEST(an_enum_without_a_name_is_written_as_its_number),
        SCHEMA_TEST(pretty_output_is_indented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
