#include "base/buf.h"
#include "chat/reply.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Parts written down: deltas of one kind run together, [T:..] thought, [C:name args]
 * call. */
struct notes {
    struct buf text;
    enum part_kind last;
};

static void write_down(const struct part *part, void *arg)
{
    struct notes *notes = arg;
    if (part->kind == PART_CALL)
        buf_printf(&notes->text, "[C:%.*s %.*s]", TEXT_ARG(part->name),
                   TEXT_ARG(part->json));
    else if (part->kind == notes->last)
        buf_text(&notes->text, part->text);
    else
        buf_printf(&notes->text, "%s%.*s", part->kind == PART_THOUGHT ? "[T]" : "[S]",
                   TEXT_ARG(part->text));
    notes->last = part->kind;
}

static const struct family *hermes(void)
{
    return family_of(&(struct engine_info){.template = TEXT("<tool_call>")});
}

/* What comes of `text` in pieces of the given size, with or without functions. */
static bool read_in_pieces(struct text text, size_t size, bool functions,
                           const char *prompt, struct notes *notes)
{
    struct function f = {.name = TEXT("f")};
    struct chat chat = {.functions = &f, .n_functions = functions};
    struct arena *arena = arena_open();
    *notes = (struct notes){.last = PART_RESULT};
    struct reply *reply = reply_open(arena, &chat, hermes(), write_down, notes);
    if (prompt)
        reply_follows(reply, text_of(prompt));
    for (size_t at = 0; at < text.len; at += size)
        reply_feed(reply, text_slice(text, at, at + size));
    bool good = reply_end(reply);
    arena_close(arena);
    return good;
}

static void assert_reads(const char *text, bool functions, bool good,
                         const char *expected)
{
    size_t len = strlen(text);
    for (size_t size = 1; size <= len + 1; size++) {
        struct notes notes;
        bool was_good = read_in_pieces(text_of(text), size, functions, NULL, &notes);
        assert_string_equal(notes.text.len ? notes.text.at : "", expected);
        assert_int_equal(was_good, good);
        buf_free(&notes.text);
    }
}

#define CALL(json) "<tool_call>" json "</tool_call>"

static void plain_text_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const texts[] = {
        " Hello,  world\n\n", "a < b <thin <tool", "\n\n",
        "2 <think> 1",        "</think> alone",    "na\xc3\xafve",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf expected = {0};
        buf_printf(&expected, "[S]%s", texts[i]);
        assert_reads(texts[i], false, true, expected.at);
        assert_reads(texts[i], true, true, expected.at);
        buf_free(&expected);
    }
    assert_reads("", true, true, "");
}

static void a_thought_comes_first_and_without_the_space_around_it(void **state)
{
    (void)state;
    assert_reads("<think>\nHm. So\n</think>\n\nYes.", false, true, "[T]Hm. So[S]Yes.");
    assert_reads("\n<think>a</think>b", true, true, "[T]a[S]b");
    assert_reads("<think>\n\n</think>\n\nYes.", false, true, "[S]Yes.");
    assert_reads("<think>cut sho", false, true, "[T]cut sho");
    assert_reads("<think>a</think>", false, true, "[T]a");
    assert_reads("No <think>a</think>", false, true, "[S]No <think>a</think>");
}

static void a_thought_may_have_been_opened_by_the_prompt(void **state)
{
    (void)state;
    struct notes notes;
    read_in_pieces(TEXT("Hm.</think>Yes."), 4, false, "assistant\n<think>\n", &notes);
    assert_string_equal(notes.text.at, "[T]Hm.[S]Yes.");
    buf_free(&notes.text);
    read_in_pieces(TEXT("Yes."), 4, false, "assistant\n<think>\n\n</think>\n\n", &notes);
    assert_string_equal(notes.text.at, "[S]Yes.");
    buf_free(&notes.text);
}

static void calls_are_found_among_words(void **state)
{
    (void)state;
    assert_reads(CALL("\n{\"name\": \"f\", \"arguments\": {\"a\": [1.0, \"x\"]}}\n"),
                 true, true, "[C:f {\"a\":[1.0,\"x\"]}]");
    assert_reads("Let me see.\n" CALL("{\"name\":\"f\"}") "\n" CALL(
                     "{\"name\":\"g\",\"arguments\":{}}") "\nDone.\n",
                 true, true, "[S]Let me see.[C:f {}][C:g {}][S]Done.\n");
    assert_reads(
        "<think>f it is</think>\n\n" CALL("{'name':'f','arguments':'{\"a\":1}'}"), true,
        true, "[T]f it is[C:f {\"a\":1}]");
    assert_reads(CALL("{\"name\":\"f\",\"parameters\":{\"a\":1}}"), true, true,
                 "[C:f {\"a\":1}]");
}

static void the_end_mark_inside_a_string_is_part_of_the_call(void **state)
{
    (void)state;
    assert_reads(CALL("{\"name\":\"f\",\"arguments\":{\"a\":\"\\\"</tool_call>\"}}") "x",
                 true, true, "[C:f {\"a\":\"\\\"</tool_call>\"}][S]x");
}

static void a_whole_call_needs_no_end_mark(void **state)
{
    (void)state;
    assert_reads("<tool_call>\n{\"name\":\"f\",\"arguments\":{\"a\":1}}\n", true, true,
                 "[C:f {\"a\":1}]");
}

static void a_bad_call_comes_out_as_text(void **state)
{
    (void)state;
    static const char *const texts[] = {
        CALL("{\"name\":}"),
        CALL("{\"name\":\"\"}"),
        CALL("[1]"),
        CALL("{\"name\":\"f\",\"arguments\":[1]}"),
        CALL("{\"name\":\"f\",\"arguments\":\"no\"}"),
        CALL(""),
        "<tool_call>{\"name\":\"f\",\"argum",
        "<tool_call>",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf expected = {0};
        buf_printf(&expected, "[S]%s", texts[i]);
        assert_reads(texts[i], true, false, expected.at);
        buf_free(&expected);
    }
    assert_reads(CALL("{") " then " CALL("{\"name\":\"f\"}"), true, false,
                 "[S]" CALL("{") " then[C:f {}]");
}

static void without_functions_a_call_is_text(void **state)
{
    (void)state;
    assert_reads("Say " CALL("{\"name\":\"f\"}") ".", false, true,
                 "[S]Say " CALL("{\"name\":\"f\"}") ".");
}

static void words_are_given_as_soon_as_they_are_known(void **state)
{
    (void)state;
    struct function f = {.name = TEXT("f")};
    struct chat chat = {.functions = &f, .n_functions = 1};
    struct notes notes = {.last = PART_RESULT};
    struct arena *arena = arena_open();
    struct reply *reply = reply_open(arena, &chat, hermes(), write_down, &notes);
    reply_feed(reply, TEXT("One two <"));
    assert_string_equal(notes.text.at, "[S]One two");
    reply_feed(reply, TEXT("three"));
    assert_string_equal(notes.text.at, "[S]One two <three");
    assert_true(reply_end(reply));
    arena_close(arena);
    buf_free(&notes.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays_as_it_is),
        cmocka_unit_test(a_thought_comes_first_and_without_the_space_around_it),
        cmocka_unit_test(a_thought_may_have_been_opened_by_the_prompt),
        cmocka_unit_test(calls_are_found_among_words),
        cmocka_unit_test(the_end_mark_inside_a_string_is_part_of_the_call),
        cmocka_unit_test(a_whole_call_needs_no_end_mark),
        cmocka_unit_test(a_bad_call_comes_out_as_text),
        cmocka_unit_test(without_functions_a_call_is_text),
        cmocka_unit_test(words_are_given_as_soon_as_they_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
