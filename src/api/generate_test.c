#include "api/fake_http.h"
#include "base/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MODEL "/v1beta/models/gemini-2.0-flash:"
#define SSE MODEL "streamGenerateContent?alt=sse"
#define ARRAY MODEL "streamGenerateContent"
#define WHOLE MODEL "generateContent?prettyPrint=false"

static const char script[] =
    "{\"model\":\"m\",\"replies\":["
    "{\"match\":{\"prompt\":\"hello\"},\"text\":\"Hello there.\"},"
    "{\"match\":{\"prompt\":\"count\"},\"chunks\":[\"One, \",\"two, \",\"three.\"]},"
    "{\"match\":{\"prompt\":\"slow\"},\"chunks\":[\"One, \",\"two, \",\"three.\"],"
    "\"chunkDelayMs\":60000},"
    "{\"match\":{\"prompt\":\"pause\"},\"chunks\":[\"One, \",\"two, \",\"three.\"],"
    "\"chunkDelayMs\":250},"
    "{\"match\":{\"prompt\":\"busy\"},\"error\":{\"status\":429,\"message\":\"Later.\","
    "\"retryMs\":1200}},"
    "{\"match\":{\"prompt\":\"midway\"},\"chunks\":[\"One, \",\"two, \"],\"error\":{"
    "\"status\":503,\"message\":\"Overloaded.\",\"afterChunks\":2}},"
    "{\"match\":{\"prompt\":\"block\"},\"block\":\"BLOCKLIST\"},"
    "{\"match\":{\"prompt\":\"unsafe\"},\"text\":\"\",\"finish\":\"RECITATION\"},"
    "{\"match\":{\"prompt\":\"drop\"},\"chunks\":[\"a\",\"b\"],\"drop\":{\"afterChunks\":"
    "1}},"
    "{\"match\":{\"prompt\":\"tide\"},\"calls\":[{\"name\":\"get_tide\",\"args\":{\"b\":"
    "1.0,"
    "\"a_c\":\"x\"}}]},"
    "{\"match\":{\"prompt\":\"think\"},\"thought\":\"Hmm.\",\"text\":\"Yes.\"},"
    "{\"match\":{\"prompt\":\"coins\"},\"candidates\":[{\"text\":\"Heads\"},{\"text\":"
    "\"Tails\"}]}],"
    "\"default\":{\"echo\":true}}";

static int open_world(void **state)
{
    (void)state;
    static const struct api_options options = {.defaults = {1, 0.95, 40, LEVEL_NONE}};
    log_setup(LOG_ERROR, LOG_TEXT);
    fake_open(script, &options);
    return 0;
}

static int shut_world(void **state)
{
    (void)state;
    fake_shut();
    return 0;
}

/* `more` follows the contents; its quotes are written as '. */
static struct fake *send_prompt(const char *target, const char *prompt, const char *more,
                                const char *headers)
{
    struct buf body = {0};
    buf_printf(&body, "{'contents':[{'parts':[{'text':'%s'}]}]%s}", prompt, more);
    for (size_t i = 0; i < body.len; i++)
        if (body.at[i] == '\'')
            body.at[i] = '"';
    struct fake *fake = fake_send("POST", target, headers, buf_view(&body));
    buf_free(&body);
    return fake;
}

/* The answer without what is different each time. */
static char *plain(struct fake *fake)
{
    static char out[8192];
    size_t n = 0;
    for (const char *c = fake->body.at; *c && n + 1 < sizeof out; c++) {
        if (strncmp(c, ",\"responseId\":\"", 15) == 0)
            c = strchr(c + 15, '"') + 1;
        out[n++] = *c;
    }
    out[n] = '\0';
    return out;
}

static void assert_answer(const char *target, const char *prompt, const char *more,
                          int status, const char *body)
{
    struct fake *fake = send_prompt(target, prompt, more, NULL);
    fake_wait(fake);
    assert_string_equal(plain(fake), body);
    assert_int_equal(fake->rq.status, status);
    fake_close(fake);
}

static void assert_says(const char *target, const char *prompt, const char *more,
                        const char *part, const char *not_part)
{
    struct fake *fake = send_prompt(target, prompt, more, NULL);
    fake_wait(fake);
    if (part && !strstr(fake->body.at, part))
        fail_msg("%s is not in\n%s", part, fake->body.at);
    if (not_part && strstr(fake->body.at, not_part))
        fail_msg("%s is in\n%s", not_part, fake->body.at);
    fake_close(fake);
}

#define USAGE(prompt, output, total)                                                     \
    "\"usageMetadata\":{\"promptTokenCount\":" #prompt                                   \
    ",\"candidatesTokenCount\":" #output ",\"totalTokenCount\":" #total                  \
    ",\"promptTokensDetails\":[{\"modality\":\"TEXT\","                                  \
    "\"tokenCount\":" #prompt "}],\"candidatesTokensDetails\":[{\"modality\":\"TEXT\","  \
    "\"tokenCount\":" #output "}]},\"modelVersion\":\"m\"}"

#define CHUNK(text, usage)                                                               \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" text                        \
    "\"}],\"role\":\"model\"},\"index\":0}]," usage

#define LAST(text, prompt, output, total)                                                \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"" text                        \
    "\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0,"                    \
    "\"tokenCount\":" #output "}]," USAGE(prompt, output, total)

static void a_whole_answer_is_one_object(void **state)
{
    (void)state;
    assert_answer(WHOLE, "hello", "", 200, LAST("Hello there.", 10, 3, 13));
    assert_says(MODEL "generateContent", "hello", "", "\n            \"text\": \"Hello",
                "\r");
}

static void each_event_of_a_stream_is_one_line_and_the_last_has_text(void **state)
{
    (void)state;
    assert_answer(
        SSE, "count", "", 200,
        "data: " CHUNK(
            "One, ", USAGE(10, 3, 13)) "\r\n\r\n"
                                       "data: " CHUNK(
                                           "two, ", USAGE(10, 6, 16)) "\r\n\r\n"
                                                                      "data: " LAST(
                                                                          "three.", 10, 8,
                                                                          18) "\r\n\r\n");
}

static void an_array_grows_by_elements_and_ends_with_its_bracket(void **state)
{
    (void)state;
    assert_answer(ARRAY, "count", "", 200,
                  "[" CHUNK("One, ", USAGE(10, 3, 13)) ",\r\n" CHUNK(
                      "two, ", USAGE(10, 6, 16)) ",\r\n" LAST("three.", 10, 8, 18) "\n]");
}

static void the_first_words_of_a_stream_do_not_wait(void **state)
{
    (void)state;
    struct fake *fake = send_prompt(SSE, "slow", "", NULL);
    fake_wait_writes(fake, 1);
    assert_non_null(strstr(fake->body.at, "One, "));
    fake_leave(fake);
}

static void a_held_piece_goes_out_after_a_while(void **state)
{
    (void)state;
    struct fake *fake = send_prompt(SSE, "pause", "", NULL);
    int64_t since = now_ms();
    fake_wait_writes(fake, 2);
    assert_non_null(strstr(fake->body.at, "two, "));
    assert_null(strstr(fake->body.at, "three."));
    assert_true(now_ms() - since < 10000);
    fake_wait(fake);
    fake_close(fake);
}

static void a_client_that_leaves_ends_the_turn(void **state)
{
    (void)state;
    static const char *const targets[] = {SSE, ARRAY, WHOLE};
    for (size_t i = 0; i < 3; i++) {
        struct fake *fake = send_prompt(targets[i], "slow", "", NULL);
        if (i < 2)
            fake_wait_writes(fake, 1);
        int64_t since = now_ms();
        fake_leave(fake);
        fake_settle();
        assert_true(now_ms() - since < 5000);
    }
}

/* A reader who is too slow is dropped from within a write, the last one, too. */
static void a_client_may_be_lost_in_any_write(void **state)
{
    (void)state;
    static const char *const prompts[] = {"count", "midway"};
    for (int n = 1; n <= 4; n++)
        for (size_t i = 0; i < 2; i++) {
            struct fake *fake = send_prompt(ARRAY, prompts[i], "", NULL);
            fake->lost_at = n;
            fake_wait_writes(fake, n);
            assert_true(fake->gone);
            fake_leave(fake);
            assert_true(fake_settle());
        }
}

static void an_error_before_the_first_words_is_an_ordinary_reply(void **state)
{
    (void)state;
    static const char *const targets[] = {SSE, ARRAY, WHOLE};
    for (size_t i = 0; i < 3; i++) {
        struct fake *fake = send_prompt(targets[i], "busy", "", NULL);
        fake_wait(fake);
        assert_int_equal(fake->rq.status, 429);
        assert_non_null(strstr(fake->set.at, "Retry-After: 2\n"));
        assert_non_null(strstr(fake->body.at, "RetryInfo"));
        fake_close(fake);
    }
}

#define OVERLOADED                                                                       \
    "{\"error\":{\"code\":503,\"message\":\"Overloaded.\",\"status\":\"UNAVAILABLE\"}}"

static void an_error_midway_is_the_streams_last_element(void **state)
{
    (void)state;
    assert_answer(
        SSE, "midway", "", 200,
        "data: " CHUNK(
            "One, ", USAGE(10, 3, 13)) "\r\n\r\n"
                                       "data: " CHUNK(
                                           "two, ", USAGE(10, 6, 16)) "\r\n\r\n"
                                                                      "data: " OVERLOADED
                                                                      "\r\n\r\n");
    assert_answer(ARRAY, "midway", "", 200,
                  "[" CHUNK("One, ", USAGE(10, 3, 13)) ",\r\n" CHUNK(
                      "two, ", USAGE(10, 6, 16)) ",\r\n" OVERLOADED "\n]");
    struct fake *fake = send_prompt(WHOLE, "midway", "", NULL);
    fake_wait(fake);
    assert_int_equal(fake->rq.status, 503);
    fake_close(fake);
}

static void a_blocked_prompt_has_no_candidates(void **state)
{
    (void)state;
    assert_says(WHOLE, "block", "", "{\"promptFeedback\":{\"blockReason\":\"BLOCKLIST\"}",
                "candidates");
    assert_says(SSE, "block", ",'generationConfig':{'candidateCount':3}",
                "data: {\"promptFeedback\":{\"blockReason\":\"BLOCKLIST\"}",
                "candidates");
    assert_says(
        WHOLE, "unsafe", "",
        "\"candidates\":[{\"finishReason\":\"RECITATION\",\"index\":0,\"tokenCount\":0}]",
        "content");
}

static void a_dropped_connection_is_not_ended(void **state)
{
    (void)state;
    static const char *const targets[] = {SSE, ARRAY, WHOLE};
    for (size_t i = 0; i < 3; i++) {
        struct fake *fake = send_prompt(targets[i], "drop", "", NULL);
        fake_wait(fake);
        assert_true(fake->dropped);
        fake_close(fake);
    }
}

#define TIDE ",'tools':[{'functionDeclarations':[{'name':'get_tide'}]}]"

static void a_call_comes_whole(void **state)
{
    (void)state;
    assert_says(SSE, "tide", TIDE,
                "\"name\":\"get_tide\",\"args\":{\"b\":1.0,\"a_c\":\"x\"}},"
                "\"thoughtSignature\":\"",
                NULL);
    assert_says(SSE, "tide", TIDE, "}],\"role\":\"model\"},\"finishReason\":\"STOP\"",
                NULL);
}

/* What follows `from` in the answer, up to the next quote. */
static const char *between(const char *target, const char *prompt, const char *more,
                           const char *from)
{
    static char found[4][64];
    static int turn;
    struct fake *fake = send_prompt(target, prompt, more, NULL);
    fake_wait(fake);
    char *out = found[turn++ % 4];
    struct text rest, body = buf_view(&fake->body);
    size_t at = text_find(body, text_of(from), 0);
    if (at == SIZE_MAX)
        fail_msg("%s is not in\n%s", from, fake->body.at);
    body = text_cut(text_slice(body, at + strlen(from), body.len), '"', &rest);
    snprintf(out, sizeof found[0], "%.*s", TEXT_ARG(body));
    fake_close(fake);
    return out;
}

static void calls_have_ids_that_repeat_with_the_request_only(void **state)
{
    (void)state;
    static const char id[] = "\"functionCall\":{\"id\":\"";
    const char *first = between(WHOLE, "tide", TIDE, id);
    assert_int_equal(strlen(first), 9);
    assert_int_equal(strspn(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789"),
                     9);
    assert_string_equal(between(SSE, "tide", TIDE, id), first);
    assert_string_equal(between(ARRAY, "tide", TIDE, id), first);
    assert_string_not_equal(between(WHOLE, "tide again", TIDE, id), first);
}

static void signatures_are_of_what_was_thought(void **state)
{
    (void)state;
    static const char text[] = "\"text\":\"Yes.\",\"thoughtSignature\":\"";
    static const char show[] =
        ",'generationConfig':{'thinkingConfig':{'includeThoughts':true}}";
    const char *shown = between(WHOLE, "think", show, text);
    assert_int_equal(strlen(shown), 24);
    assert_string_equal(between(WHOLE, "think", "", text), shown);
    assert_string_equal(between(SSE, "think", "", text), shown);
    assert_says(WHOLE, "hello", "", "Hello there.", "thoughtSignature");
    assert_says(WHOLE, "think", show, "{\"text\":\"Hmm.\",\"thought\":true},", NULL);
}

static void thoughts_are_shown_when_asked_for_and_counted_always(void **state)
{
    (void)state;
    assert_says(
        WHOLE, "think", ",'generationConfig':{'thinkingConfig':{'includeThoughts':true}}",
        "\"parts\":[{\"text\":\"Hmm.\",\"thought\":true},{\"text\":\"Yes.\"", NULL);
    assert_says(WHOLE, "think", "", "\"thoughtsTokenCount\":", "Hmm.");
    assert_says(SSE, "think", "", "\"thoughtsTokenCount\":", "Hmm.");
    assert_says(WHOLE, "think", ",'generationConfig':{'responseLogprobs':true}",
                "\"token\":\"Yes\"", "Hmm");
}

static void candidates_are_in_the_order_of_their_indices(void **state)
{
    (void)state;
    assert_says(WHOLE, "coins", ",'generationConfig':{'candidateCount':2}",
                "[{\"content\":{\"parts\":[{\"text\":\"Heads\"}],\"role\":\"model\"},"
                "\"finishReason\":\"STOP\",\"index\":0,\"tokenCount\":1},{\"content\":{"
                "\"parts\":[{\"text\":\"Tails\"}],\"role\":\"model\"},"
                "\"finishReason\":\"STOP\",\"index\":1,\"tokenCount\":1}]",
                NULL);
    assert_says(SSE, "coins", ",'generationConfig':{'candidateCount':2}",
                "\"finishReason\":\"STOP\",\"index\":1,\"tokenCount\":1}]", NULL);
}

static void an_end_without_text_has_an_empty_part_in_a_stream_only(void **state)
{
    (void)state;
    assert_says(SSE, "hello", ",'generationConfig':{'stopSequences':['Hello']}",
                "{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},"
                "\"finishReason\":\"STOP\"",
                NULL);
    assert_says(WHOLE, "hello", ",'generationConfig':{'stopSequences':['Hello']}",
                "{\"content\":{\"role\":\"model\"},\"finishReason\":\"STOP\"", NULL);
}

static void logprobs_come_with_their_text(void **state)
{
    (void)state;
    const char *more = ",'generationConfig':{'responseLogprobs':true,'logprobs':1}";
    assert_says(WHOLE, "hello", more, "\"avgLogprobs\":-0.1", NULL);
    assert_says(SSE, "count", more, "\"chosenCandidates\":[{\"token\":\"One\",", NULL);
    assert_says(WHOLE, "hello", ",'generationConfig':{'responseLogprobs':true}",
                "\"chosenCandidates\"", "topCandidates");
}

static void a_deadline_is_kept(void **state)
{
    (void)state;
    static const char *const targets[] = {WHOLE, SSE};
    for (size_t i = 0; i < 2; i++) {
        struct fake *fake = send_prompt(targets[i], "slow", "", "x-server-timeout: 1\n");
        fake_wait(fake);
        assert_int_equal(fake->rq.status, i == 0 ? 504 : 200);
        assert_non_null(strstr(fake->body.at, "DEADLINE_EXCEEDED"));
        fake_close(fake);
    }
}

static void counting_agrees_with_the_answer(void **state)
{
    (void)state;
    struct fake *fake =
        send_prompt(MODEL "countTokens?prettyPrint=false", "hello", "", NULL);
    assert_true(fake->complete); /* at once, without waiting for anything */
    assert_string_equal(
        fake->body.at,
        "{\"totalTokens\":10,\"promptTokensDetails\":[{\"modality\":\"TEXT\","
        "\"tokenCount\":10}]}");
    fake_close(fake);
    fake = fake_send("POST", MODEL "countTokens?prettyPrint=false", NULL,
                     TEXT("{'generateContentRequest':{'model':'models/gemini-2.0-flash',"
                          "'contents':{'parts':{'text':'hello'}},'systemInstruction':{"
                          "'parts':{'text':'cat'}}}}"));
    assert_int_equal(fake->rq.status, 200);
    assert_non_null(strstr(fake->body.at, "{\"totalTokens\":"));
    fake_close(fake);
}

static void what_cannot_be_counted_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{}",
        "{'generateContentRequest':{}}",
        "{'contents':[]}",
        "{'contents':{'parts':{'text':'a'}},'generateContentRequest':{}}",
        "{'contents':{'parts':{'text':'a'}},'model':'models/other'}",
        "{'generateContentRequest':{'model':'x','contents':{'parts':{'text':'a'}}}}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct fake *fake =
            fake_send("POST", MODEL "countTokens", NULL, text_of(bodies[i]));
        assert_int_equal(fake->rq.status, 400);
        fake_close(fake);
    }
}

static struct fake *send_large(const char *target)
{
    struct buf text = {0};
    for (int i = 0; i < 20000; i++)
        buf_str(&text, "word ");
    struct fake *fake = send_prompt(target, text.at, "", NULL);
    buf_free(&text);
    return fake;
}

static void a_large_body_is_prepared_elsewhere(void **state)
{
    (void)state;
    struct fake *fake = send_large(MODEL "countTokens");
    assert_false(fake->complete);
    fake_wait(fake);
    assert_int_equal(fake->rq.status, 200);
    fake_close(fake);
    fake = send_large(WHOLE);
    fake_leave(fake); /* while a worker has it */
    fake_settle();
}

static void stopping_tells_those_who_wait(void **state)
{
    (void)state;
    struct fake *whole = send_prompt(WHOLE, "slow", "", NULL);
    struct fake *sse = send_prompt(SSE, "slow", "", NULL);
    fake_wait_writes(sse, 1);
    api_cancel(fake_world.api);
    assert_true(whole->complete && sse->complete);
    assert_int_equal(whole->rq.status, 503);
    assert_non_null(strstr(sse->body.at, "data: {\"error\":{\"code\":503"));
    fake_close(whole);
    fake_close(sse);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_world, shut_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_answer_is_one_object),
        TEST(each_event_of_a_stream_is_one_line_and_the_last_has_text),
        TEST(an_array_grows_by_elements_and_ends_with_its_bracket),
        TEST(the_first_words_of_a_stream_do_not_wait),
        TEST(a_held_piece_goes_out_after_a_while),
        TEST(a_client_that_leaves_ends_the_turn),
        TEST(a_client_may_be_lost_in_any_write),
        TEST(an_error_before_the_first_words_is_an_ordinary_reply),
        TEST(an_error_midway_is_the_streams_last_element),
        TEST(a_blocked_prompt_has_no_candidates),
        TEST(a_dropped_connection_is_not_ended),
        TEST(a_call_comes_whole),
        TEST(calls_have_ids_that_repeat_with_the_request_only),
        TEST(signatures_are_of_what_was_thought),
        TEST(thoughts_are_shown_when_asked_for_and_counted_always),
        TEST(candidates_are_in_the_order_of_their_indices),
        TEST(an_end_without_text_has_an_empty_part_in_a_stream_only),
        TEST(logprobs_come_with_their_text),
        TEST(a_deadline_is_kept),
        TEST(counting_agrees_with_the_answer),
        TEST(what_cannot_be_counted_is_refused),
        TEST(a_large_body_is_prepared_elsewhere),
        TEST(stopping_tells_those_who_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
