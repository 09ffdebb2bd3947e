/* Answers alone and among events, and what is none. */
#include "tools/rpc.h"
#include "json/tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define JSON TEXT("application/json")
#define EVENTS TEXT("Text/Event-Stream ; charset=utf-8")

static struct arena *arena;
static struct error err;

static int begin(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static struct rpc_reader answer_to(int64_t id, struct text type, const char *body)
{
    struct rpc_reader reader = {.arena = arena, .id = id};
    bool found = rpc_end(&reader, type, text_of(body), &err);
    assert_int_equal(found, reader.found);
    return reader;
}

static int value_of(const struct rpc_reader *reader)
{
    return reader->result ? json_object_get_int(tree_member(reader->result, "v")) : -1;
}

static void an_answer_is_known_by_its_number(void **state)
{
    (void)state;
    static const struct {
        struct text type;
        const char *body;
        int value; /* -1: it is not there */
    } rows[] = {
        {JSON, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"v\":5}}", 5},
        {JSON, "{\"id\":\"3\",\"result\":{\"v\":5}}", 5},
        {JSON,
         "[{\"method\":\"x\"},{\"id\":2,\"result\":{\"v\":1}},"
         "{\"id\":3,\"result\":{\"v\":6}}]",
         6},
        {JSON, "{\"id\":4,\"result\":{\"v\":5}}", -1},
        {JSON, "{\"id\":3,\"result\":null}", -1},
        {JSON, "{\"id\":3,\"result\":{\"v\":1e999}}", -1},
        {JSON, "{\"id\":3,\"method\":\"ping\"}", -1},
        {JSON, "data: {\"id\":3,\"result\":{\"v\":5}}\n\n", -1},
        {JSON, "", -1},
        {JSON, "<html>", -1},
        {EVENTS, "data: {\"id\":3,\"result\":{\"v\":7}}\n\n", 7},
        {EVENTS, "data:{\"id\":3,\"result\":{\"v\":7}}", 7},
        {EVENTS,
         ": hello\r\nid: 1\r\nevent: message\r\ndata: {\"id\":3,\r\n"
         "data: \"result\":{\"v\":8}}\r\n\r\n",
         8},
        {EVENTS,
         "id: 0\rdata:\r\rdata: no json\r\rdata: {\"id\":3,\"result\":{\"v\":9}}\r\r", 9},
        {EVENTS,
         "data: {\"method\":\"notifications/progress\"}\n\n"
         "data: {\"id\":3,\"result\":{\"v\":1}}\n\ndata: "
         "{\"id\":3,\"result\":{\"v\":2}}\n\n",
         1},
        {EVENTS, "{\"id\":3,\"result\":{\"v\":7}}", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rpc_reader reader = answer_to(3, rows[i].type, rows[i].body);
        if (value_of(&reader) != rows[i].value)
            fail_msg("row %zu gave %d", i, value_of(&reader));
    }
}

static void an_error_is_an_answer(void **state)
{
    (void)state;
    struct rpc_reader reader =
        answer_to(1, JSON, "{\"id\":1,\"error\":{\"code\":-32602,\"message\":\"no\"}}");
    assert_true(reader.found && !reader.result && reader.code == -32602);
    assert_true(text_is(reader.message, "no"));
    reader = answer_to(1, JSON, "{\"id\":null,\"error\":{}}");
    assert_true(reader.found && !reader.result && text_is(reader.message, ""));
    assert_false(answer_to(1, JSON, "{\"id\":2,\"error\":{}}").found);
    assert_non_null(strstr(err.message, "did not answer what it was asked"));
    assert_false(answer_to(1, JSON, "oops").found);
    assert_non_null(strstr(err.message, "else than JSON"));
}

static void an_answer_is_found_before_the_stream_ends(void **state)
{
    (void)state;
    static const char body[] =
        ": one\r\n\r\ndata: {\"id\":3,\"result\":{\"v\":7}}\r\n\r\n";
    for (size_t piece = 1; piece < sizeof body; piece++) {
        struct rpc_reader reader = {.arena = arena, .id = 3};
        size_t at = 0;
        while (!rpc_more(&reader, EVENTS, text_slice(text_of(body), 0, at)))
            at += piece;
        assert_true(at >= sizeof body - 3 && value_of(&reader) == 7);
        assert_true(rpc_end(&reader, EVENTS, text_slice(text_of(body), 0, at), &err));
    }
    struct rpc_reader reader = {.arena = arena, .id = 3};
    assert_false(rpc_more(&reader, JSON, TEXT("{\"id\":3,\"result\":{}}")));
}

static void a_request_has_a_number_and_a_notification_has_none(void **state)
{
    (void)state;
    assert_string_equal(
        rpc_request(2, "a/b", TEXT("{\"x\":1}"), arena).at,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"a/b\",\"params\":{\"x\":1}}");
    assert_string_equal(rpc_request(-1, "n", (struct text){0}, arena).at,
                        "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_is_known_by_its_number, begin, end),
        cmocka_unit_test_setup_teardown(an_error_is_an_answer, begin, end),
        cmocka_unit_test_setup_teardown(an_answer_is_found_before_the_stream_ends, begin,
                                        end),
        cmocka_unit_test_setup_teardown(
            a_request_has_a_number_and_a_notification_has_none, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
