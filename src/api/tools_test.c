#include "api/tools.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct arena *arena;
static struct chat chat;
static struct error err;

static int open_arena(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int shut_arena(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static bool reads(const char *json)
{
    struct wire_generate request;
    chat = (struct chat){0};
    err = (struct error){0};
    return json_read(&wire_generate_type, text_of(json), &request, arena, &err) &&
           tools_read(&request, NULL, arena, &chat, &err);
}

static void assert_reads(const char *json)
{
    if (!reads(json))
        fail_msg("%s: %s", json, err.message);
}

/* Declarations of one tool; further fields of the request. */
static const char *with(const char *declarations, const char *more)
{
    return arena_printf(arena, "{\"tools\":{\"functionDeclarations\":[%s]}%s}",
                        declarations, more)
        .at;
}

static void assert_refused(const char *json, const char *field, const char *says)
{
    if (reads(json))
        fail_msg("%s was taken", json);
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    if (strcmp(err.field, field) != 0 || !strstr(err.message, says))
        fail_msg("%s: %s: %s", json, err.field, err.message);
}

static void functions_of_all_tools_are_one_list(void **state)
{
    (void)state;
    assert_reads(
        "{\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"},{\"name\":\"g\","
        "\"description\":\"d\",\"parameters\":{\"type\":\"object\",\"properties\":{"
        "\"city\":{\"type\":\"string\"}}}}]},{},{\"function_declarations\":{"
        "\"name\":\"h\",\"parameters_json_schema\":{\"properties\":{\"a_b\":{"
        "\"const\":1}}}}}]}");
    assert_int_equal(chat.n_functions, 3);
    assert_true(text_is(chat.functions[0].name, "f"));
    assert_null(chat.functions[0].parameters.at);
    assert_true(text_is(chat.functions[1].description, "d"));
    assert_non_null(strstr(chat.functions[1].parameters.at, "\"city\""));
    assert_non_null(strstr(chat.functions[2].parameters.at, "\"a_b\""));
    assert_int_equal(chat.calling, CALLING_AUTO);
    assert_reads("{\"tools\":[{}],\"toolConfig\":{\"functionCallingConfig\":{}}}");
    assert_int_equal(chat.n_functions, 0);
    assert_reads("{\"tools\":[],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":"
                 "\"none\"}}}"); /* as a sample of the documentation does */
}

static void a_function_of_no_properties_takes_no_arguments(void **state)
{
    (void)state;
    static const char *const none[] = {
        "{\"type\":\"object\"}",
        "{\"type\":\"OBJECT\",\"properties\":{}}",
        "{\"type\":6,\"properties\":null,\"required\":[]}",
        "{}",
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_reads(with(
            arena_printf(arena, "{\"name\":\"f\",\"parameters\":%s}", none[i]).at, ""));
        assert_null(chat.functions[0].parameters.at);
    }
    assert_reads(
        with("{\"name\":\"f\",\"parametersJsonSchema\":{\"type\":\"object\"}}", ""));
    assert_non_null(chat.functions[0].parameters.at); /* anything, in that language */
}

static void names_are_checked(void **state)
{
    (void)state;
    static const char *const good[] = {
        "f", "_", "math.hypot", "a:b-c_D9",
        "a234567890123456789012345678901234567890123456789012345678901234"};
    static const char *const bad[] = {
        "9f",
        "-f",
        ".f",
        "a b",
        "a/b",
        "gr\xc3\xbc\xc3\x9f",
        "a2345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_reads(with(arena_printf(arena, "{\"name\":\"%s\"}", good[i]).at, ""));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(
            with(arena_printf(arena, "{\"name\":\"g\"},{\"name\":\"%s\"}", bad[i]).at,
                 ""),
            "tools[0].function_declarations[1].name", "Invalid function name");
    assert_refused(with("{\"name\":\"\"}", ""), "tools[0].function_declarations[0].name",
                   "is not specified");
    assert_refused("{\"tools\":[{\"functionDeclarations\":{\"name\":\"f\"}},{"
                   "\"functionDeclarations\":[{\"name\":\"g\"},{\"name\":\"f\"}]}]}",
                   "tools[1].function_declarations[1].name",
                   "Duplicate function declaration found: f");
}

static void declarations_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *fields, *field, *says;
    } rows[] = {
        {"\"parameters\":{\"type\":\"object\"},\"parametersJsonSchema\":{}",
         "parameters_json_schema", "parameters is set, too"},
        {"\"response\":{\"type\":\"object\"},\"responseJsonSchema\":{}",
         "response_json_schema", "response is set, too"},
        {"\"parameters\":{\"type\":\"string\"}", "parameters",
         "should be of type OBJECT"},
        {"\"parameters\":{\"type\":5,\"items\":{\"type\":1}}", "parameters",
         "should be of type OBJECT"},
        {"\"parametersJsonSchema\":{\"type\":\"array\"}", "parameters_json_schema",
         "should be of type OBJECT"},
        {"\"parameters\":7", "parameters", "function_declarations[0].parameters"},
        {"\"response\":7", "response", "function_declarations[0].response"},
        {"\"behavior\":\"NON_BLOCKING\"", "behavior", "Live API"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(
            with(arena_printf(arena, "{\"name\":\"f\",%s}", rows[i].fields).at, ""),
            arena_printf(arena, "tools[0].function_declarations[0].%s", rows[i].field).at,
            rows[i].says);
    assert_reads(with("{\"name\":\"f\",\"behavior\":\"blocking\",\"response\":{\"type\":"
                      "\"string\"}},{\"name\":\"g\",\"behavior\":\"UNSPECIFIED\","
                      "\"responseJsonSchema\":{\"type\":\"object\"}}",
                      ""));
}

/* 60 functions of 100 KB together are fine; 513 are too many. */
static void many_functions_are_taken_and_too_many_are_not(void **state)
{
    (void)state;
    struct buf json = {0};
    for (int i = 0; i < 60; i++)
        buf_printf(&json,
                   "%s{\"name\":\"f%d\",\"description\":\"%01700d\",\"parameters\":{"
                   "\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"}}}}",
                   i ? "," : "", i, 0);
    assert_true(json.len > 100000);
    assert_reads(with(json.at, ""));
    assert_int_equal(chat.n_functions, 60);
    buf_clear(&json);
    for (int i = 0; i < 513; i++)
        buf_printf(&json, "%s{\"name\":\"f%d\"}", i ? "," : "", i);
    assert_refused(with(json.at, ""), "tools", "513 function declarations");
    buf_free(&json);
}

#define TWO "{\"name\":\"f\"},{\"name\":\"g\"}"

static const char *calling(const char *fields)
{
    return arena_printf(arena, ",\"toolConfig\":{\"functionCallingConfig\":{%s}}", fields)
        .at;
}

static void modes_of_calling_reach_the_chat(void **state)
{
    (void)state;
    static const struct {
        const char *mode;
        enum calling calling;
    } rows[] = {
        {"MODE_UNSPECIFIED", CALLING_AUTO},
        {"AUTO", CALLING_AUTO},
        {"any", CALLING_ANY},
        {"none", CALLING_NONE},
        {"VALIDATED", CALLING_VALIDATED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *mode = arena_printf(arena, "\"mode\":\"%s\"", rows[i].mode).at;
        assert_reads(with(TWO, calling(mode)));
        assert_int_equal(chat.calling, rows[i].calling);
        assert_false(chat.functions[0].barred || chat.functions[1].barred);
    }
}

static void functions_that_are_not_allowed_are_barred(void **state)
{
    (void)state;
    static const char *const modes[] = {"ANY", "VALIDATED"};
    for (size_t i = 0; i < 2; i++) {
        const char *config =
            arena_printf(arena, "\"mode\":\"%s\",\"allowedFunctionNames\":\"g\"",
                         modes[i])
                .at;
        assert_reads(with(TWO, calling(config)));
        assert_int_equal(chat.n_functions, 2);
        assert_true(chat.functions[0].barred);
        assert_false(chat.functions[1].barred);
    }
}

static void calling_is_checked(void **state)
{
    (void)state;
#define CONFIG "tool_config.function_calling_config"
    static const struct {
        const char *declarations, *calling, *field, *says;
    } rows[] = {
        {"", "\"mode\":\"ANY\"", CONFIG, "set without function_declarations"},
        {"", "\"allowedFunctionNames\":[\"f\"]", CONFIG,
         "set without function_declarations"},
        {TWO, "\"allowedFunctionNames\":[\"f\"]", CONFIG ".allowed_function_names",
         "only when function calling mode is ANY or VALIDATED"},
        {TWO, "\"mode\":\"AUTO\",\"allowedFunctionNames\":[\"f\"]",
         CONFIG ".allowed_function_names", "only when function calling mode"},
        {TWO, "\"mode\":\"NONE\",\"allowedFunctionNames\":[\"f\"]",
         CONFIG ".allowed_function_names", "only when function calling mode"},
        {TWO, "\"mode\":\"ANY\",\"allowedFunctionNames\":[\"f\",\"h\"]",
         CONFIG ".allowed_function_names[1]", "h is not among the function declarations"},
        {TWO, "\"mode\":\"PERHAPS\"", CONFIG ".mode", "PERHAPS"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(with(rows[i].declarations, calling(rows[i].calling)),
                       rows[i].field, rows[i].says);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_arena, shut_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(functions_of_all_tools_are_one_list),
        TEST(a_function_of_no_properties_takes_no_arguments),
        TEST(names_are_checked),
        TEST(declarations_are_checked),
        TEST(many_functions_are_taken_and_too_many_are_not),
        TEST(modes_of_calling_reach_the_chat),
        TEST(functions_that_are_not_allowed_are_barred),
        TEST(calling_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
