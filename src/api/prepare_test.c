#include "api/fake_http.h"
#include "base/log.h"
#include "media/media.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Text needs no reader: it is read by whoever gathers it. */
static struct media *media;

static int open_world(void **state)
{
    (void)state;
    static const struct media_config config = {
        .folder = "/nowhere", .mode = SANDBOX_BARE, .deadline_s = 5};
    media = media_open(&config);
    const struct api_options options = {.defaults = {1, 0.95, 40, LEVEL_NONE},
                                        .media = media};
    log_setup(LOG_ERROR, LOG_TEXT);
    fake_open("{\"default\":{\"echo\":true}}", &options);
    return 0;
}

static int shut_world(void **state)
{
    (void)state;
    fake_world.api->n_reading = 0;
    fake_shut();
    media_close(media);
    return 0;
}

/* The bytes of "the tide table" as a file of text, in both dialects. */
#define DATA "\"dGhlIHRpZGUgdGFibGU=\""
#define PART                                                                             \
    "{\"contents\":[{\"parts\":[{\"inlineData\":{\"mimeType\":\"text/plain\",\"data\":"  \
    "" DATA "}}]}]}"
#define BLOCK                                                                            \
    "{\"model\":\"gemini-2.5-flash\",\"store\":false,\"input\":[{\"type\":\"document\"," \
    "\"mime_type\":\"text/plain\",\"data\":" DATA "}]}"

static const struct {
    const char *target, *body;
} asked[] = {
    {"/v1beta/models/gemini-2.5-flash:generateContent", PART},
    {"/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", PART},
    {"/v1beta/models/gemini-2.5-flash:countTokens", PART},
    {"/v1beta/interactions", BLOCK},
};

enum { N_ASKED = sizeof asked / sizeof asked[0], COUNT = 2 };

static struct fake *ask(int i)
{
    return fake_send("POST", asked[i].target, NULL, text_of(asked[i].body));
}

static void assert_says(const struct fake *fake, const char *words)
{
    if (!strstr(fake->body.at, words))
        fail_msg("%s is not in\n%s", words, fake->body.at);
}

static void media_become_words_before_the_prompt_is_made(void **state)
{
    (void)state;
    for (int i = 0; i < N_ASKED; i++) {
        struct fake *fake = ask(i);
        assert_false(fake->complete); /* not on the loop */
        fake_wait(fake);
        assert_int_equal(fake->rq.status, 200);
        assert_non_null(strstr(fake->set.at, "x-pollux-media: "));
        assert_non_null(strstr(fake->set.at, "=text/plain; reader="));
        assert_says(fake, i == COUNT ? "totalTokens" : "the tide table");
        fake_close(fake);
    }
    assert_int_equal(fake_world.api->n_reading, 0);
}

static void too_many_that_wait_are_told_to_come_again(void **state)
{
    (void)state;
    fake_world.api->n_reading = 64;
    for (int i = 0; i < N_ASKED; i++) {
        struct fake *fake = ask(i);
        fake_wait(fake);
        assert_int_equal(fake->rq.status, 429);
        assert_non_null(strstr(fake->set.at, "Retry-After: 5"));
        assert_says(fake, "of 64 requests wait to be read already.");
        fake_close(fake);
    }
    assert_int_equal(fake_world.api->n_reading, 64);
}

static void who_leaves_meanwhile_leaves_nothing_behind(void **state)
{
    (void)state;
    for (int i = 0; i < N_ASKED; i++)
        fake_leave(ask(i));
    assert_true(fake_settle());
    assert_int_equal(fake_world.api->n_reading, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_world, shut_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(media_become_words_before_the_prompt_is_made),
        TEST(too_many_that_wait_are_told_to_come_again),
        TEST(who_leaves_meanwhile_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
