#include "api/fake_http.h"
#include "api/models.h"
#include "base/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct text aliases[] = {{"m-alias", 7}};

static int open_with(bool strict)
{
    struct api_options options = {.aliases = aliases,
                                  .n_aliases = 1,
                                  .strict_names = strict,
                                  .display_name = TEXT("Model M"),
                                  .defaults = {0.7, 0.8, 20, LEVEL_NONE}};
    log_setup(LOG_ERROR, LOG_TEXT);
    fake_open("{\"model\":\"own-model\",\"context\":1000,\"default\":{\"echo\":true}}",
              &options);
    return 0;
}

static int open_lenient(void **state)
{
    (void)state;
    return open_with(false);
}

static int open_strict(void **state)
{
    (void)state;
    return open_with(true);
}

static int shut_world(void **state)
{
    (void)state;
    fake_shut();
    return 0;
}

static bool is_served(const char *name)
{
    struct error err;
    return models_serve(fake_world.api, TEXT("v1"), text_of(name), "generateContent",
                        &err);
}

static void documented_names_mean_the_loaded_model(void **state)
{
    (void)state;
    assert_true(is_served("own-model"));
    assert_true(is_served("m-alias"));
    assert_true(is_served("default"));
    assert_true(is_served("gemini-2.0-flash"));
    assert_true(is_served("gemini-99.9-not-yet"));
    assert_true(is_served("gemma-3-1b-it"));
    assert_false(is_served("gpt-4"));
    assert_false(is_served("gemini"));
    assert_false(is_served(""));
    assert_false(is_served("gemini-x y"));
    assert_false(is_served("gemini-\n"));
}

static void strict_names_are_the_models_own(void **state)
{
    (void)state;
    assert_true(is_served("own-model"));
    assert_true(is_served("m-alias"));
    assert_true(is_served("default"));
    assert_false(is_served("gemini-2.0-flash"));
}

static void a_name_with_something_strange_in_it_is_not_served(void **state)
{
    (void)state;
    struct error err;
    assert_true(is_served("gemini-2.0_x.y"));
    assert_false(is_served("gemini-2.0/x"));
    assert_false(is_served("gemini-2.0 "));
    assert_false(models_serve(fake_world.api, TEXT("v1beta"), TEXT("gemini-2.0\0x"),
                              "countTokens", &err));
}

static void an_unknown_name_is_told_where_to_look(void **state)
{
    (void)state;
    struct error err;
    assert_false(
        models_serve(fake_world.api, TEXT("v1beta"), TEXT("foo"), "countTokens", &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_string_equal(err.message,
                        "models/foo is not found for API version v1beta, or is not "
                        "supported for countTokens. Call ListModels to see the list of "
                        "available models and their supported methods.");
}

static struct fake *get(const char *target)
{
    struct fake *fake = fake_send("GET", target, NULL, TEXT(""));
    assert_true(fake->complete);
    return fake;
}

static void a_model_has_the_numbers_of_the_loaded_one(void **state)
{
    (void)state;
    struct fake *fake = get("/v1/models/gemini-2.0-flash?prettyPrint=false");
    assert_string_equal(
        fake->body.at,
        "{\"name\":\"models/gemini-2.0-flash\",\"baseModelId\":\"own-model\",\"version\":"
        "\"001\",\"displayName\":\"gemini-2.0-flash (Model M)\",\"description\":\"Served "
        "by "
        "Pollux.\",\"inputTokenLimit\":1000,\"outputTokenLimit\":1000,"
        "\"supportedGenerationMethods\":[\"generateContent\",\"streamGenerateContent\","
        "\"countTokens\",\"batchGenerateContent\",\"createCachedContent\"],"
        "\"temperature\":0.7,\"maxTemperature\":2,\"topP\":0.8,\"topK\":"
        "20}");
    fake_close(fake);
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static void pages_together_are_the_whole_list(void **state)
{
    (void)state;
    struct fake *whole = get("/v1/models?prettyPrint=false");
    int n = count(whole->body.at, "\"name\":"), seen = 0;
    assert_non_null(
        strstr(whole->body.at, "{\"models\":[{\"name\":\"models/own-model\""));
    assert_null(strstr(whole->body.at, "nextPageToken"));
    char target[100] = "/v1/models?prettyPrint=false&pageSize=5";
    for (bool more = true; more;) {
        struct fake *page = get(target);
        seen += count(page->body.at, "\"name\":");
        const char *token = strstr(page->body.at, "\"nextPageToken\":\"");
        more = token != NULL;
        if (more)
            snprintf(target, sizeof target,
                     "/v1/models?prettyPrint=false&pageSize=5&pageToken=%.*s",
                     (int)strcspn(token + 17, "\""), token + 17);
        fake_close(page);
    }
    assert_int_equal(seen, n);
    fake_close(whole);
}

static void a_page_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static const char *const queries[] = {"pageSize=-1",  "pageSize=x",
                                          "pageSize=1.5", "pageToken=1000",
                                          "pageToken=x",  "pageSize=99999999999999"};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        char target[100];
        snprintf(target, sizeof target, "/v1/models?%s", queries[i]);
        struct fake *fake = get(target);
        assert_int_equal(fake->rq.status, 400);
        fake_close(fake);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_lenient, shut_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(documented_names_mean_the_loaded_model),
        cmocka_unit_test_setup_teardown(strict_names_are_the_models_own, open_strict,
                                        shut_world),
        TEST(a_name_with_something_strange_in_it_is_not_served),
        TEST(an_unknown_name_is_told_where_to_look),
        TEST(a_model_has_the_numbers_of_the_loaded_one),
        TEST(pages_together_are_the_whole_list),
        TEST(a_page_that_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
