#include "api/interact_log.h"
#include "json/tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(arena);
    return 0;
}

static struct ilog *opened(bool thoughts)
{
    const struct ilog_options options = {TEXT("v1_a"), TEXT("m"), INT64_C(1000000000), 7,
                                         true,         thoughts};
    return ilog_open(arena, &options);
}

static struct text steps_of(const struct ilog *log)
{
    struct buf out = {0};
    ilog_steps(log, &out);
    struct text text = arena_text(arena, buf_view(&out));
    buf_free(&out);
    return text;
}

static struct text lines_of(const struct ilog *log)
{
    return arena_text(arena, ilog_since(log, 0, ilog_last(log)).lines);
}

static void say(struct ilog *log, enum part_kind kind, const char *text)
{
    ilog_part(log, &(struct part){kind, .text = text_of(text)});
}

static void call(struct ilog *log, const char *name, const char *json)
{
    ilog_part(log,
              &(struct part){PART_CALL, .name = text_of(name), .json = text_of(json)});
}

static bool has(struct text text, const char *what)
{
    return text_find(text, text_of(what), 0) != SIZE_MAX;
}

static const struct ilog_usage usage = {.n_prompt = 5, .n_output = 2};

static void a_text_is_one_step_of_many_deltas(void **state)
{
    (void)state;
    struct ilog *log = opened(false);
    ilog_begin(log);
    say(log, PART_TEXT, "Hel");
    say(log, PART_TEXT, "lo");
    ilog_end(log, STATUS_COMPLETED, 0, &usage, NULL);
    assert_true(text_is(steps_of(log),
                        "[{\"type\":\"model_output\",\"content\":[{\"type\":\"text\","
                        "\"text\":\"Hello\"}]}]"));
    assert_true(has(lines_of(log),
                    "{\"event_type\":\"step.delta\",\"index\":0,\"delta\":"
                    "{\"type\":\"text\",\"text\":\"lo\"},\"event_id\":\"5\"}"));
    assert_true(ilog_last(log) == 7);
}

static void what_was_thought_is_signed_and_shown_to_those_who_ask(void **state)
{
    (void)state;
    struct ilog *shown = opened(true), *hidden = opened(false);
    say(shown, PART_THOUGHT, "hm");
    say(hidden, PART_THOUGHT, "hm");
    say(shown, PART_TEXT, "a");
    say(hidden, PART_TEXT, "a");
    assert_true(has(steps_of(shown), "\"summary\":[{\"type\":\"text\",\"text\":\"hm\"}],"
                                     "\"signature\":\""));
    assert_true(has(steps_of(hidden), "[{\"type\":\"thought\",\"signature\":\""));
    assert_true(has(lines_of(shown), "thought_summary"));
    assert_false(has(lines_of(hidden), "thought_summary"));
    assert_true(has(lines_of(hidden), "thought_signature"));
}

static void a_call_has_an_id_and_arguments(void **state)
{
    (void)state;
    struct ilog *log = opened(false);
    call(log, "f", "{\"a\":1}");
    call(log, "f", "{\"a\":1}");
    assert_true(ilog_has_calls(log));
    struct text steps = steps_of(log);
    assert_true(has(steps, "\"arguments\":{\"a\":1}"));
    assert_true(has(lines_of(log), "\"arguments\":\"{\\\"a\\\":1}\""));
    struct error err;
    struct json_object *list = json_parse(arena, steps, &err), *a, *b;
    json_object_object_get_ex(json_object_array_get_idx(list, 0), "id", &a);
    json_object_object_get_ex(json_object_array_get_idx(list, 1), "id", &b);
    assert_true(tree_text(a).len == 9 && !text_same(tree_text(a), tree_text(b)));
}

static void piece(struct ilog *log, const char *name, const char *json)
{
    ilog_part(log, &(struct part){PART_CALL, .name = text_of(name), .json = text_of(json),
                                  .piece = true});
}

/* The whole of what came in pieces. */
static void told(struct ilog *log, const char *name, const char *json)
{
    ilog_part(log, &(struct part){PART_CALL, .name = text_of(name), .json = text_of(json),
                                  .told = true});
}

static void a_call_in_pieces_is_the_one_that_comes_whole(void **state)
{
    (void)state;
    struct ilog *log = opened(false), *whole = opened(false);
    piece(log, "f", "");
    assert_true(text_is(steps_of(log), "[]") && !ilog_has_calls(log));
    piece(log, "f", "{\"a\":");
    piece(log, "f", " 1}");
    assert_true(text_is(steps_of(log), "[]"));
    told(log, "f", "{\"a\":1}");
    call(whole, "f", "{\"a\":1}");
    assert_true(text_same(steps_of(log), steps_of(whole)) && ilog_has_calls(log));
    assert_true(has(lines_of(log), "\"arguments\":\"{\\\"a\\\":\""));
    assert_true(has(lines_of(log), "\"arguments\":\" 1}\""));
    assert_true(ilog_last(log) == 4 && ilog_last(whole) == 3);
}

static void what_follows_a_call_that_broke_off_has_its_place(void **state)
{
    (void)state;
    struct ilog *log = opened(false);
    piece(log, "f", "");
    piece(log, "f", "{\"a\":");
    say(log, PART_TEXT, "no");
    ilog_end(log, STATUS_COMPLETED, 0, &usage, NULL);
    assert_true(text_is(steps_of(log), "[{\"type\":\"model_output\",\"content\":[{"
                                       "\"type\":\"text\",\"text\":\"no\"}]}]"));
    struct log_piece all = ilog_since(log, 0, ilog_last(log));
    struct ilog *again = opened(false);
    ilog_replay(again, &all, 1);
    assert_true(text_same(steps_of(again), steps_of(log)) && !ilog_has_calls(again));
}

static void an_error_is_the_last_event(void **state)
{
    (void)state;
    struct error err;
    struct ilog *log = opened(false);
    error_set(&err, ERROR_UNAVAILABLE, "gone");
    say(log, PART_TEXT, "Hel");
    ilog_end(log, STATUS_FAILED, 0, &usage, &err);
    assert_true(text_ends(lines_of(log),
                          "{\"event_type\":\"error\",\"error\":{\"code\":\"unavailable\","
                          "\"message\":\"gone\"},\"event_id\":\"3\"}\n"));
    assert_true(has(steps_of(log), "Hel"));
}

static void sse_names_the_event_of_each_line(void **state)
{
    (void)state;
    struct buf out = {0};
    struct ilog *log = opened(false);
    ilog_status(log);
    ilog_sse(lines_of(log), &out);
    assert_string_equal(out.at,
                        "event: interaction.status_update\ndata: {\"event_type\":"
                        "\"interaction.status_update\",\"interaction_id\":\"v1_a\","
                        "\"status\":\"in_progress\",\"event_id\":\"1\"}\n\n");
    buf_free(&out);
}

/* ---- properties ---- */

static uint64_t seed = 1;

static unsigned drawn(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

static void say_something(struct ilog *log)
{
    static const char *const words[] = {"a",  "\"q\\", "Gr\xc3\xbc\xc3\x9f",
                                        "\n", "x y",   ""};
    switch (drawn(6)) {
    case 0:
        piece(log, "g", "");
        piece(log, "g", "{ ");
        piece(log, "g", "\"a\": [1]}");
        if (drawn(4)) /* else it breaks off */
            told(log, "g", "{\"a\":[1]}");
        break;
    case 5:
        call(log, "f", "{\"a\":[1,\"\\n\"]}");
        break;
    case 1:
        say(log, PART_THOUGHT, words[drawn(6)]);
        break;
    default:
        say(log, PART_TEXT, words[drawn(6)]);
    }
}

/* Cut after any event, a log that another server reads back has the steps up to there,
 * and, complete, all of them. */
static void what_the_events_add_up_to_are_the_steps(void **state)
{
    (void)state;
    for (int life = 0; life < 500; life++) {
        struct ilog *log = opened(drawn(2));
        ilog_begin(log);
        for (unsigned i = drawn(12); i > 0; i--)
            say_something(log);
        ilog_end(log, STATUS_COMPLETED, 0, &usage, NULL);
        struct log_piece all = ilog_since(log, 0, ilog_last(log));
        struct ilog *again = opened(true);
        ilog_replay(again, &all, 1);
        assert_true(text_same(steps_of(again), steps_of(log)));
        assert_true(ilog_last(again) == ilog_last(log) + ILOG_LEAP);
        struct log_piece some = ilog_since(log, 0, drawn((unsigned)all.n + 1));
        struct ilog *cut = opened(true);
        struct error err;
        ilog_replay(cut, &some, 1);
        assert_non_null(json_parse(arena, steps_of(cut), &err));
    }
}

/* What a model says, and how it is cut. */
static void speak(struct ilog *log, uint64_t words, unsigned n, unsigned cut)
{
    static const char *const texts[] = {"One, two, ", "\"q\\", "Gr\xc3\xbc\xc3\x9f", "x"};
    uint64_t before = seed;
    seed = words;
    for (unsigned i = 0; i < n; i++) {
        unsigned what = drawn(4), which = drawn(4);
        struct text text = text_of(texts[which]);
        size_t at = cut % 3 == 0 || text.len < 4 ? 0 : 4;
        enum part_kind kind = what == 0 ? PART_THOUGHT : PART_TEXT;
        if (what == 3 && cut % 2) {
            piece(log, "f", "");
            piece(log, "f", which % 2 ? "{}" : "{\"a\": 1}");
            told(log, "f", which % 2 ? "{}" : "{\"a\":1}");
            continue;
        }
        if (what == 3) {
            call(log, "f", which % 2 ? "{}" : "{\"a\":1}");
            continue;
        }
        ilog_part(log, &(struct part){kind, .text = text_slice(text, 0, at)});
        ilog_part(log, &(struct part){kind, .text = text_slice(text, at, text.len)});
    }
    seed = before;
}

/* Cut anywhere, a log goes on behind the cut when the same is said again, however it is
 * cut into parts then; and when something else is said, it is found out. */
static void what_is_said_again_is_not_told_again(void **state)
{
    (void)state;
    int n_strayed = 0;
    for (unsigned life = 0; life < 500; life++) {
        bool thoughts = drawn(2);
        unsigned n = 1 + drawn(8);
        uint64_t words = seed + (uint64_t)life * 977;
        struct ilog *log = opened(thoughts);
        ilog_begin(log);
        speak(log, words, n, life);
        int64_t upto = drawn((unsigned)ilog_last(log) + 1);
        struct log_piece some = ilog_since(log, 0, upto);
        struct ilog *again = opened(thoughts), *other = opened(thoughts);
        ilog_replay(again, &some, 1);
        ilog_again(again);
        speak(again, words, n, life + 1);
        assert_false(ilog_strayed(again));
        assert_true(ilog_caught_up(again));
        ilog_replay(other, &some, 1); /* before its log grows */
        ilog_end(log, STATUS_COMPLETED, 0, &usage, NULL);
        ilog_end(again, STATUS_COMPLETED, 0, &usage, NULL);
        assert_true(text_same(steps_of(again), steps_of(log)));
        struct text before = steps_of(other);
        ilog_again(other);
        speak(other, words + 1, n, life);
        if (ilog_strayed(other)) {
            n_strayed++;
            assert_true(text_same(steps_of(other), before));
        }
    }
    assert_true(n_strayed > 50);
}

static void whatever_was_read_up_to_an_event_goes_on_behind_it(void **state)
{
    (void)state;
    for (int life = 0; life < 200; life++) {
        struct ilog *log = opened(true);
        ilog_begin(log);
        for (unsigned i = drawn(12); i > 0; i--)
            say_something(log);
        struct text whole = lines_of(log);
        int64_t last = ilog_last(log), at = drawn((unsigned)last + 1);
        struct log_piece a = ilog_since(log, 0, at), b = ilog_since(log, at, last);
        assert_true(a.n == at && b.n == last - at);
        assert_true(text_same(a.lines, text_slice(whole, 0, a.lines.len)));
        assert_true(text_same(b.lines, text_slice(whole, a.lines.len, whole.len)));
        assert_true(b.n == 0 || b.first == at + 1);
    }
}

/* The stream that is made up of what was said whole adds up to the same steps. */
static void a_made_up_log_has_the_steps_of_the_row(void **state)
{
    (void)state;
    for (int life = 0; life < 200; life++) {
        struct ilog *log = opened(drawn(2));
        struct buf outcome = {0}, lines = {0};
        for (unsigned i = drawn(8); i > 0; i--)
            say_something(log);
        ilog_end(log, STATUS_COMPLETED, 0, &usage, NULL);
        ilog_outcome(&usage, NULL, &outcome);
        struct interaction row = {.id = TEXT("v1_a"),
                                  .status = STATUS_COMPLETED,
                                  .steps = steps_of(log),
                                  .outcome = arena_text(arena, buf_view(&outcome))};
        ilog_made_up(&row, TEXT("m"), arena, &lines);
        struct ilog *again = opened(true);
        int n = 0;
        for (size_t i = 0; i < lines.len; i++)
            n += lines.at[i] == '\n';
        struct log_piece piece = {1, n, buf_view(&lines)};
        ilog_replay(again, &piece, 1);
        assert_true(text_same(steps_of(again), row.steps));
        assert_true(has(buf_view(&lines), "\"total_tokens\":7"));
        buf_free(&outcome);
        buf_free(&lines);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_text_is_one_step_of_many_deltas),
        TEST(what_was_thought_is_signed_and_shown_to_those_who_ask),
        TEST(a_call_has_an_id_and_arguments),
        TEST(a_call_in_pieces_is_the_one_that_comes_whole),
        TEST(what_follows_a_call_that_broke_off_has_its_place),
        TEST(an_error_is_the_last_event),
        TEST(sse_names_the_event_of_each_line),
        TEST(what_the_events_add_up_to_are_the_steps),
        TEST(what_is_said_again_is_not_told_again),
        TEST(whatever_was_read_up_to_an_event_goes_on_behind_it),
        TEST(a_made_up_log_has_the_steps_of_the_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
