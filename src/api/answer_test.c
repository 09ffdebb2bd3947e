#include "api/answer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena *arena;
static struct answer *answer;
static struct buf out;
static const struct verdict unjudged;

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
    buf_free(&out);
    return 0;
}

static void begin(const char *prompt, bool streamed, bool thoughts)
{
    const struct answer_options options = {
        .n_candidates = 2,
        .model = TEXT("m"),
        .prompt = text_of(prompt),
        .thoughts = thoughts,
        .streamed = streamed,
        .holds_back = streamed,
    };
    answer = answer_open(arena, &options);
}

static void add(int candidate, enum part_kind kind, const char *text)
{
    const struct part part = {
        .kind = kind, .text = text_of(text), .name = TEXT("f"), .json = text_of(text)};
    const struct turn_event event = {.kind = TURN_PART,
                                     .candidate = candidate,
                                     .part = &part,
                                     .prompt_verdict = &unjudged};
    answer_add(answer, &event);
}

static void end(int candidate)
{
    const struct turn_event event = {.kind = TURN_END,
                                     .candidate = candidate,
                                     .finish = FINISH_STOP,
                                     .prompt_verdict = &unjudged,
                                     .verdict = &unjudged};
    answer_add(answer, &event);
}

/* What the candidate has to say now; "" when that is nothing. */
static const char *said(int candidate)
{
    buf_clear(&out);
    buf_str(&out, "");
    if (answer_has(answer, candidate))
        answer_write(answer, candidate, candidate + 1, false, &out);
    return out.len ? arena_text(arena, buf_view(&out)).at : "";
}

static void assert_in(const char *json, const char *part)
{
    if (!strstr(json, part))
        fail_msg("%s is not in\n%s", part, json);
}

static const char *member(const char *json, const char *name)
{
    size_t at = text_find(text_of(json), text_of(name), 0);
    assert_in(json, name);
    at += strlen(name) + strlen("\":\"");
    struct text rest,
        value = text_cut(text_slice(text_of(json), at, SIZE_MAX), '"', &rest);
    return arena_text(arena, value).at;
}

/* Clients want the finishReason together with something said. */
static void a_streams_last_call_waits_for_the_end(void **state)
{
    (void)state;
    begin("p", true, false);
    add(0, PART_TEXT, "Look:");
    assert_in(said(0), "\"text\":\"Look\"");
    add(0, PART_CALL, "{\"n\":1}");
    assert_string_equal(said(0), "");
    add(0, PART_CALL, "{\"n\":2}");
    const char *first = said(0);
    assert_in(first, "[{\"text\":\":\"},{\"functionCall\":{\"id\":\"");
    assert_in(first, "\"args\":{\"n\":1}}");
    assert_null(strstr(first, "finishReason"));
    end(0);
    const char *last = said(0);
    assert_in(last, "{\"parts\":[{\"functionCall\":{\"id\":\"");
    assert_in(last, "\"args\":{\"n\":2}}");
    assert_in(last, "\"finishReason\":\"STOP\"");
    assert_string_equal(said(0), "");
}

static void a_held_call_comes_out_when_the_stream_breaks_off(void **state)
{
    (void)state;
    begin("p", true, false);
    add(1, PART_CALL, "{}");
    assert_string_equal(said(1), "");
    answer_release(answer);
    assert_in(said(1), "\"functionCall\"");
    add(1, PART_CALL, "{}");
    assert_in(said(1), "\"functionCall\"");
}

static const char *id_of(const char *prompt, int candidate, int n_before)
{
    begin(prompt, false, false);
    for (int i = 0; i < n_before; i++)
        add(candidate, PART_CALL, "{}");
    said(candidate);
    add(candidate, PART_CALL, "{}");
    return member(said(candidate), "\"id");
}

static void ids_are_of_prompt_candidate_and_place(void **state)
{
    (void)state;
    const char *id = id_of("p", 0, 0);
    assert_int_equal(strlen(id), 9);
    assert_string_equal(id_of("p", 0, 0), id);
    assert_string_not_equal(id_of("q", 0, 0), id);
    assert_string_not_equal(id_of("p", 1, 0), id);
    assert_string_not_equal(id_of("p", 0, 1), id);
}

/* The text behind a thought, in one piece and letter by letter. */
static const char *signature_of(const char *thought, bool streamed, bool shown)
{
    begin("p", streamed, shown);
    for (const char *c = thought; *c; c++) {
        const char letter[2] = {*c, '\0'};
        add(0, PART_THOUGHT, streamed ? letter : thought);
        said(0);
        if (!streamed)
            break;
    }
    add(0, PART_TEXT, "a");
    const char *early = said(0);
    assert_null(strstr(early, streamed ? "\"a\"" : "\"b\""));
    add(0, PART_TEXT, "b");
    const char *json = said(0);
    const char *signature = member(streamed ? json : early, "thoughtSignature");
    end(0);
    assert_null(strstr(said(0), "thoughtSignature")); /* one only */
    return signature;
}

static void the_first_part_behind_a_thought_is_signed(void **state)
{
    (void)state;
    const char *signature = signature_of("Hm.", false, false);
    assert_int_equal(strlen(signature), 24);
    assert_string_equal(signature_of("Hm.", false, true), signature);
    assert_string_equal(signature_of("Hm.", true, false), signature);
    assert_string_equal(signature_of("Hm.", true, true), signature);
    assert_string_not_equal(signature_of("Hm!", true, true), signature);
}

static void a_call_is_signed_whether_it_was_thought_of_or_not(void **state)
{
    (void)state;
    begin("p", false, false);
    add(0, PART_CALL, "{}");
    const char *plain = member(said(0), "thoughtSignature");
    begin("p", false, false);
    add(0, PART_THOUGHT, "Hm.");
    add(0, PART_CALL, "{}");
    add(0, PART_TEXT, "Done.");
    const char *json = said(0);
    assert_string_not_equal(member(json, "thoughtSignature"), plain);
    assert_in(json, "{\"text\":\"Done.\"}");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_arena, shut_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_streams_last_call_waits_for_the_end),
        TEST(a_held_call_comes_out_when_the_stream_breaks_off),
        TEST(ids_are_of_prompt_candidate_and_place),
        TEST(the_first_part_behind_a_thought_is_signed),
        TEST(a_call_is_signed_whether_it_was_thought_of_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
