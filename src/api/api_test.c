#include "api/fake_http.h"
#include "base/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ASK "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}]}"
#define GENERATE "/v1beta/models/gemini-2.0-flash:generateContent"

static const struct api_options open_to_all = {.defaults = {1, 0.95, 40, LEVEL_NONE},
                                               .request_limit = 20971520};

static int open_world(void **state)
{
    (void)state;
    log_setup(LOG_ERROR, LOG_TEXT);
    fake_open("{\"default\":{\"echo\":true}}", &open_to_all);
    return 0;
}

static int open_locked(void **state)
{
    (void)state;
    static const char *const keys[] = {"first-key", "second"};
    struct api_options options = open_to_all;
    options.keys = keys;
    options.n_keys = 2;
    log_setup(LOG_ERROR, LOG_TEXT);
    fake_open("{\"default\":{\"echo\":true}}", &options);
    return 0;
}

static int shut_world(void **state)
{
    (void)state;
    fake_shut();
    return 0;
}

static struct fake *ask(const char *method, const char *target, const char *headers)
{
    struct fake *fake = fake_send(method, target, headers, TEXT(ASK));
    fake_wait(fake);
    return fake;
}

static void assert_status(const char *method, const char *target, const char *headers,
                          int status)
{
    struct fake *fake = ask(method, target, headers);
    if (fake->rq.status != status)
        fail_msg("%s %s: %d, not %d\n%s", method, target, fake->rq.status, status,
                 fake->body.at);
    assert_non_null(strstr(fake->set.at, "Access-Control-Allow-Origin: *\n"));
    fake_close(fake);
}

static void routes_are_found_in_all_versions(void **state)
{
    (void)state;
    assert_status("POST", GENERATE, NULL, 200);
    assert_status("POST", "/v1/models/gemini-2.0-flash:generateContent", NULL, 200);
    assert_status("POST", "/v1alpha/models/gemini-1.5-pro-001:countTokens", NULL, 200);
    assert_status("POST", "/v1/models/gemma-3:streamGenerateContent", NULL, 200);
    assert_status("GET", "/v1/models", NULL, 200);
    assert_status("HEAD", "/v1/models/gemini-2.0-flash", NULL, 200);
    assert_status("GET", "/healthz", NULL, 200);
    assert_status("HEAD", "/healthz", NULL, 200);
    assert_status("GET", "/", NULL, 200);
}

static void what_is_no_route_is_not_found(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "/v2/models",
        "/v1",
        "/v1/",
        "/models",
        "//models",
        "/v1/models/",
        "/v1/models/a/b",
        "/v1/models/gemini-2.0-flash:",
        "/v1/models/gemini-2.0-flash:predict",
        "/v1/models/:generateContent",
        "/v1/models/a/b:generateContent",
        "/healthz/",
        "*",
        "",
        "/v1/models/gemini-2.0-flash:generateContent/",
        "/v1/nothing",
        "/v1/models/other:generateContent",
        "/v1/tunedModels/t:predict",
        "/v1/tunedModels/t/operations/o/p",
        "/v1/tunedModels//operations/o:cancel",
    };
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        assert_status("POST", targets[i], NULL, 404);
}

static void a_wrong_method_is_told_the_right_ones(void **state)
{
    (void)state;
    struct fake *fake = ask("GET", GENERATE, NULL);
    assert_int_equal(fake->rq.status, 405);
    assert_non_null(strstr(fake->set.at, "Allow: POST, OPTIONS\n"));
    assert_non_null(strstr(fake->body.at, "\"code\": 405"));
    assert_non_null(strstr(fake->body.at, "\"status\": \"UNIMPLEMENTED\""));
    fake_close(fake);
    fake = ask("DELETE", "/v1/models", NULL);
    assert_non_null(strstr(fake->set.at, "Allow: GET, HEAD, OPTIONS\n"));
    fake_close(fake);
}

static void browsers_may_ask_first(void **state)
{
    (void)state;
    struct fake *fake =
        ask("OPTIONS", GENERATE, "access-control-request-headers: x-goog-api-key\n");
    assert_int_equal(fake->rq.status, 200);
    assert_non_null(
        strstr(fake->set.at, "Access-Control-Allow-Headers: x-goog-api-key\n"));
    assert_non_null(strstr(fake->set.at, "POST"));
    fake_close(fake);
}

static void health_fails_when_the_server_stops(void **state)
{
    (void)state;
    api_stop(fake_world.api);
    assert_status("GET", "/healthz", NULL, 503);
    assert_status("POST", GENERATE, NULL, 200);
}

static void either_key_in_any_place_lets_in(void **state)
{
    (void)state;
    assert_status("POST", GENERATE "?key=first-key", NULL, 200);
    assert_status("POST", GENERATE "?key=second&alt=json", NULL, 200);
    assert_status("POST", GENERATE, "x-goog-api-key: second\n", 200);
    assert_status("POST", GENERATE, "authorization: Bearer first-key\n", 200);
    assert_status("POST", GENERATE, "authorization: bearer second\n", 200);
    assert_status("POST", GENERATE "?key=bad", "x-goog-api-key: second\n", 200);
    assert_status("POST", GENERATE "?key=second", "authorization: Bearer bad\n", 200);
    assert_status("GET", "/healthz", NULL, 200);
    assert_status("OPTIONS", GENERATE, NULL, 200);
}

static void a_wrong_key_a_wrong_token_and_none_are_told_apart(void **state)
{
    (void)state;
    static const char *const wrong[] = {"first-ke", "first-keyy", "FIRST-KEY", "s"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char header[64];
        snprintf(header, sizeof header, "x-goog-api-key: %s\n", wrong[i]);
        assert_status("POST", GENERATE, header, 400);
    }
    assert_status("POST", GENERATE "?key=wrong", NULL, 400);
    assert_status("POST", GENERATE, NULL, 403);
    assert_status("POST", GENERATE "?key=", "x-goog-api-key:\n", 403);
    assert_status("POST", GENERATE, "authorization: Bearer wrong\n", 401);
    assert_status("POST", GENERATE, "authorization: Basic first-key\n", 403);
    assert_status("GET", "/v1/models", NULL, 403);
    assert_status("GET", "/v1/nothing", NULL, 404);
}

static void an_invalid_key_has_the_reason_as_a_detail(void **state)
{
    (void)state;
    struct fake *fake = ask("POST", GENERATE "?key=wrong&prettyPrint=false", NULL);
    assert_string_equal(
        fake->body.at,
        "{\"error\":{\"code\":400,\"message\":\"API key not valid. Please pass a valid "
        "API "
        "key.\",\"status\":\"INVALID_ARGUMENT\",\"details\":[{\"@type\":\"type."
        "googleapis."
        "com/"
        "google.rpc.ErrorInfo\",\"reason\":\"API_KEY_INVALID\",\"domain\":\"googleapis."
        "com\",\"metadata\":{\"service\":\"generativelanguage.googleapis.com\"}}]}}");
    fake_close(fake);
}

static void what_http_refuses_has_the_shape_of_errors(void **state)
{
    (void)state;
    struct buf body = {0};
    api_refuse(413, "too large", &body, fake_world.api);
    assert_non_null(
        strstr(body.at, "\"Request payload size exceeds the limit: 20971520 bytes.\""));
    assert_non_null(strstr(body.at, "\"code\": 413"));
    buf_clear(&body);
    api_refuse(408, "too \"slow\"", &body, fake_world.api);
    assert_non_null(strstr(body.at, "\"too \\\"slow\\\"\""));
    assert_non_null(strstr(body.at, "\"DEADLINE_EXCEEDED\""));
    buf_free(&body);
}

static void an_error_tells_its_field_and_when_to_come_back(void **state)
{
    (void)state;
    struct error err;
    struct buf text = {0};
    error_at(&err, "contents[0]", "It is wrong.");
    err.retry_ms = 1500;
    api_error_text(&err, false, &text);
    assert_string_equal(
        text.at,
        "{\"error\":{\"code\":400,\"message\":\"It is wrong.\",\"status\":\"INVALID_"
        "ARGUMENT\",\"details\":[{\"@type\":\"type.googleapis.com/"
        "google.rpc.BadRequest\","
        "\"fieldViolations\":[{\"field\":\"contents[0]\",\"description\":\"It is "
        "wrong.\"}]"
        "},{\"@type\":\"type.googleapis.com/"
        "google.rpc.RetryInfo\",\"retryDelay\":\"1.5s"
        "\"}]}}");
    buf_free(&text);
}

#define OPEN(test) cmocka_unit_test_setup_teardown(test, open_world, shut_world)
#define LOCKED(test) cmocka_unit_test_setup_teardown(test, open_locked, shut_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPEN(routes_are_found_in_all_versions),
        OPEN(what_is_no_route_is_not_found),
        OPEN(a_wrong_method_is_told_the_right_ones),
        OPEN(browsers_may_ask_first),
        OPEN(health_fails_when_the_server_stops),
        LOCKED(either_key_in_any_place_lets_in),
        LOCKED(a_wrong_key_a_wrong_token_and_none_are_told_apart),
        LOCKED(an_invalid_key_has_the_reason_as_a_detail),
        OPEN(what_http_refuses_has_the_shape_of_errors),
        OPEN(an_error_tells_its_field_and_when_to_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
