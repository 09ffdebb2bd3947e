#include "base/buf.h"
#include "chat/reply.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Parts written down: deltas of one kind run together, [T:..] thought, [C:name args]
 * call, in front of it [P:name and its pieces. */
struct notes {
    struct buf text;
    enum part_kind last;
};

static void write_down(const struct part *part, void *arg)
{
    struct notes *notes = arg;
    if (part->piece && part->json.len == 0)
        buf_printf(&notes->text, "[P:%.*s ", TEXT_ARG(part->name));
    else if (part->piece)
        buf_text(&notes->text, part->json);
    else if (part->kind == PART_CALL)
        buf_printf(&notes->text, "[C:%.*s %.*s]", TEXT_ARG(part->name),
                   TEXT_ARG(part->json));
    else if (part->kind == notes->last)
        buf_text(&notes->text, part->text);
    else
        buf_printf(&notes->text, "%s%.*s", part->kind == PART_THOUGHT ? "[T]" : "[S]",
                   TEXT_ARG(part->text));
    notes->last = part->kind;
}

static const struct family *family_like(const char *template, const char *model)
{
    return family_of(
        &(struct engine_info){.template = text_of(template), .model = text_of(model)});
}

/* What is read, and how. */
struct case_of {
    const char *template, *model; /* say which family */
    const char *prompt;
    enum calling calling;
    enum answer_kind shape;
    bool functions;
    bool cut; /* there was no room for more */
    bool pieces;
};

static bool read_in_pieces(struct text text, size_t size, const struct case_of *how,
                           struct notes *notes)
{
    struct function f[] = {{.name = TEXT("f")}, {.name = TEXT("g")}};
    struct chat chat = {.functions = f,
                        .n_functions = how->functions ? 2 : 0,
                        .shape = {.kind = how->shape}};
    struct arena *arena = arena_open();
    *notes = (struct notes){.last = PART_RESULT};
    const struct reply_spec spec = {
        .chat = &chat,
        .family = family_like(how->template, how->model),
        .calling = how->calling,
        .prompt = text_of(how->prompt ? how->prompt : ""),
        .pieces = how->pieces,
    };
    struct reply *reply = reply_open(arena, &spec, write_down, notes);
    for (size_t at = 0; at < text.len; at += size)
        reply_feed(reply, text_slice(text, at, at + size));
    bool good = reply_end(reply, how->cut);
    arena_close(arena);
    return good;
}

/* Whatever the size of the pieces. */
static void assert_reads_as(const struct case_of *how, const char *text, bool good,
                            const char *expected)
{
    size_t len = strlen(text);
    for (size_t size = 1; size <= len + 1; size++) {
        struct notes notes;
        bool was_good = read_in_pieces(text_of(text), size, how, &notes);
        assert_string_equal(notes.text.len ? notes.text.at : "", expected);
        assert_int_equal(was_good, good);
        buf_free(&notes.text);
    }
}

#define HERMES "<tool_call>"

static void assert_reads(const char *text, bool functions, bool good,
                         const char *expected)
{
    assert_reads_as(&(struct case_of){.template = HERMES, .functions = functions}, text,
                    good, expected);
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
    struct case_of how = {.template = HERMES, .prompt = "assistant\n<think>\n"};
    assert_reads_as(&how, "Hm.</think>Yes.", true, "[T]Hm.[S]Yes.");
    assert_reads_as(&how, "Hm.</think>So </think>\nyes </thin", true,
                    "[T]Hm.[S]So yes </thin");
    assert_reads_as(&how, "Hm.</think><think>\nYes", true, "[T]Hm.[S]Yes");
    how.prompt = "assistant\n<think>\n\n</think>\n\n";
    assert_reads_as(&how, "Yes.", true, "[S]Yes.");
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

/* ---- other families ---- */

static void calls_without_a_mark_are_the_whole_answer(void **state)
{
    (void)state;
    struct case_of how = {.template = "<|start_header_id|> tools", .functions = true};
#define F "{\"name\": \"f\", \"parameters\": {\"a\": 1}}"
#define G "{\"name\": \"g\", \"parameters\": {}}"
    assert_reads_as(&how, F, true, "[C:f {\"a\":1}]");
    assert_reads_as(&how, "\n" F "; " G, true, "[C:f {\"a\":1}][C:g {}]");
    assert_reads_as(&how, F "\n" G, true, "[C:f {\"a\":1}][C:g {}]");
    assert_reads_as(&how, "<|python_tag|>" F, true, "[C:f {\"a\":1}]");
    assert_reads_as(&how, "<think>h</think>\n" F, true, "[T]h[C:f {\"a\":1}]");
    assert_reads_as(&how, "Say " F, true, "[S]Say " F);
    assert_reads_as(&how, F "; so", true, "[C:f {\"a\":1}][S]; so");
    assert_reads_as(&how, "{\"name\": \"Bob\"} is a person", true,
                    "[S]{\"name\": \"Bob\"} is a person");
    assert_reads_as(&how, "{\"a\": [", true, "[S]{\"a\": [");
    assert_reads_as(&how, "<|python_tag|>print(1)", false, "[S]<|python_tag|>print(1)");
    how.shape = ANSWER_JSON;
    assert_reads_as(&how, F, true, "[S]" F);
    assert_reads_as(&how, "<|python_tag|>" F, true, "[C:f {\"a\":1}]");
    how.calling = CALLING_ANY;
    assert_reads_as(&how, F, true, "[C:f {\"a\":1}]");
    how.calling = CALLING_NONE;
    assert_reads_as(&how, F, true, "[S]" F);
#undef F
#undef G
}

static void an_array_of_calls_ends_with_its_bracket(void **state)
{
    (void)state;
    struct case_of how = {.template = "[TOOL_CALLS]", .functions = true};
#define CALLS                                                                            \
    "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": \"]\"}, \"id\": \"1\"}, "    \
    "{\"name\": \"g\", \"arguments\": {}}]"
    assert_reads_as(&how, CALLS, true, "[C:f {\"a\":\"]\"}][C:g {}]");
    assert_reads_as(&how, "Well.\n" CALLS "\nx", true,
                    "[S]Well.[C:f {\"a\":\"]\"}][C:g {}][S]x");
    assert_reads_as(&how, "[TOOL_CALLS] no", false, "[S][TOOL_CALLS] no");
    assert_reads_as(&how, "[TOOL_CALLS] []", false, "[S][TOOL_CALLS] []");
    assert_reads_as(&how, "[TOOL", true, "[S][TOOL");
#undef CALLS
    /* Without a mark, where a call is wanted. */
    how = (struct case_of){.template = HERMES,
                           .model = "qwen2.5-coder-1.5b",
                           .calling = CALLING_ANY,
                           .functions = true};
    assert_reads_as(&how,
                    "[{\"name\": \"f\", \"arguments\": {\"a\": [\"]\"]}}, "
                    "{\"name\": \"g\", \"arguments\": {}}]",
                    true, "[C:f {\"a\":[\"]\"]}][C:g {}]");
    /* Cut short, what is whole is given; in the first call, there is no telling. */
    assert_reads_as(&how,
                    "[{\"name\": \"f\", \"arguments\": {}}, {\"name\": \"g\", \"arg",
                    false, "[C:f {}]");
    assert_reads_as(&how, "[{\"name\": \"f\", \"arguments\": {}}, ", true, "[C:f {}]");
    assert_reads_as(&how, "[{\"name\": \"f\", \"arg", true,
                    "[S][{\"name\": \"f\", \"arg");
    assert_reads_as(&how, "[{\"name\": \"f\"} x", false, "[C:f {}][S]x");
    assert_reads_as(&how, "[{\"name\": \"h\"}]", true, "[S][{\"name\": \"h\"}]");
    assert_reads_as(&how, "[{\"a\": 1}, {\"b\": 2}]", true,
                    "[S][{\"a\": 1}, {\"b\": 2}]");
    assert_reads_as(&how, "[", true, "[S][");
    how.calling = CALLING_NONE;
    assert_reads_as(&how, "[1, 2]", true, "[S][1, 2]");
}

static void names_may_stand_outside_of_the_arguments(void **state)
{
    (void)state;
    struct case_of how = {.template = "[TOOL_CALLS] [ARGS]", .functions = true};
    assert_reads_as(&how,
                    "[TOOL_CALLS]f[ARGS]{\"a\": \"}\"}[TOOL_CALLS]g[CALL_ID]1[ARGS]{}",
                    true, "[C:f {\"a\":\"}\"}][C:g {}]");
    assert_reads_as(&how, "[TOOL_CALLS]f[ARGS]{\"a\"", false,
                    "[S][TOOL_CALLS]f[ARGS]{\"a\"");
    how.template = "<｜tool▁calls▁begin｜> ```json";
#define BEGIN "<｜tool▁calls▁begin｜>"
#define END "<｜tool▁calls▁end｜>"
#define CALL_OF(name, args)                                                              \
    "<｜tool▁call▁begin｜>function<｜tool▁sep｜>" name "\n```json\n" args                \
    "\n```<｜tool▁call▁end｜>"
    assert_reads_as(&how,
                    "So.\n" BEGIN CALL_OF("f", "{\"a\":\"" END
                                               "\"}") "\n" CALL_OF("g", "{}") END "\n",
                    true, "[S]So.[C:f {\"a\":\"" END "\"}][C:g {}]");
    assert_reads_as(&how, BEGIN CALL_OF("f", "{\"a\":}") END, false,
                    "[S]" BEGIN CALL_OF("f", "{\"a\":}") END);
    assert_reads_as(&how, BEGIN END, false, "[S]" BEGIN END);
#undef CALL_OF
    how.template = "<｜tool▁calls▁begin｜>";
#define CALL_OF(name, args)                                                              \
    "<｜tool▁call▁begin｜>" name "<｜tool▁sep｜>" args "<｜tool▁call▁end｜>"
    assert_reads_as(&how, BEGIN CALL_OF("f", "{\"a\":1}") CALL_OF("g", "{}") END, true,
                    "[C:f {\"a\":1}][C:g {}]");
#undef CALL_OF
#undef BEGIN
#undef END
}

/* What is there after each piece, and that all is well in the end. */
static void assert_given(const char *model, enum calling calling, const char *const *rows)
{
    struct function f = {.name = TEXT("f")};
    struct chat chat = {.functions = &f, .n_functions = 1};
    struct notes notes = {.last = PART_RESULT};
    struct arena *arena = arena_open();
    const struct reply_spec spec = {.chat = &chat,
                                    .family = family_like(HERMES, model),
                                    .calling = calling,
                                    .prompt = TEXT("")};
    struct reply *reply = reply_open(arena, &spec, write_down, &notes);
    for (; *rows; rows += 2) {
        reply_feed(reply, text_of(rows[0]));
        assert_string_equal(notes.text.at, rows[1]);
    }
    assert_true(reply_end(reply, false));
    arena_close(arena);
    buf_free(&notes.text);
}
#define ASSERT_GIVEN(model, calling, ...)                                                \
    assert_given(model, calling, (const char *const[]){__VA_ARGS__, NULL})

static void words_are_given_as_soon_as_they_are_known(void **state)
{
    (void)state;
    ASSERT_GIVEN(NULL, CALLING_AUTO, "One two <", "[S]One two", "three",
                 "[S]One two <three");
}

static void a_call_of_an_array_is_given_when_it_is_whole(void **state)
{
    (void)state;
    ASSERT_GIVEN("qwen2.5-coder-7b", CALLING_ANY, "[{\"name\": \"f\"}", "[C:f {}]",
                 ", {\"name\": \"f\"}]", "[C:f {}][C:f {}]");
}

static void a_call_is_told_in_pieces_to_who_wants_them(void **state)
{
    (void)state;
    const struct case_of how = {.template = HERMES, .functions = true, .pieces = true};
    assert_reads_as(&how,
                    "I look.\n" CALL("{\"name\":\"f\", \"arguments\": {\"a\": \"}\"} }"),
                    true, "[S]I look.[P:f {\"a\": \"}\"}[C:f {\"a\":\"}\"}]");
    assert_reads_as(&how,
                    CALL("{\"name\": \"f\", \"arguments\": {}}") "\n" CALL(
                        "{\"name\": \"g\", \"arguments\": {\"b\": [1]}}"),
                    true, "[P:f {}[C:f {}][P:g {\"b\": [1]}[C:g {\"b\":[1]}]");
    static const char *const whole[] = {
        "{\"arguments\": {\"a\": 1}, \"name\": \"f\"}",
        "[{\"name\": \"f\", \"arguments\": {\"a\": 1}}]",
        "{\"name\": \"f\", \"parameters\": {\"a\": 1}}",
        "{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 1}\"}",
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        char text[100];
        snprintf(text, sizeof text, CALL("%s"), whole[i]);
        assert_reads_as(&how, text, true, "[C:f {\"a\":1}]");
    }
}

static void pieces_that_do_not_add_up_are_no_call(void **state)
{
    (void)state;
    struct case_of how = {.template = HERMES, .functions = true, .pieces = true};
    assert_reads_as(&how, CALL("{\"name\": \"f\", \"arguments\": {\"a\": oops}}"), false,
                    "[P:f {\"a\": oops}");
    assert_reads_as(
        &how, CALL("{\"name\": \"f\", \"arguments\": {}, \"arguments\": {\"a\": 1}}"),
        false, "[P:f {}");
    /* Found by fuzzing: pieces went on behind the block's end, when that came at once. */
    assert_reads_as(&how,
                    CALL("{\"name\": \"f\", \"arguments\": {\"a\": 1") "; {\"b\": 2}}",
                    false, "[P:f {\"a\": 1[S]; {\"b\": 2}}");
    how.cut = true;
    assert_reads_as(&how, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": ", true,
                    "[P:f {\"a\": ");
}

/* Without a mark only where a call must come. */
static void calls_of_an_array_are_told_in_pieces(void **state)
{
    (void)state;
    struct case_of how = {.template = HERMES,
                          .model = "qwen2.5-coder-7b",
                          .functions = true,
                          .pieces = true,
                          .calling = CALLING_ANY};
    static const char text[] =
        "[{\"name\": \"f\", \"arguments\": {\"a\": 1}}, {\"name\": "
        "\"g\", \"arguments\": {}}]";
    assert_reads_as(&how, text, true, "[P:f {\"a\": 1}[C:f {\"a\":1}][P:g {}[C:g {}]");
    how.calling = CALLING_AUTO; /* only behind one that was a call */
    assert_reads_as(&how, text, true, "[C:f {\"a\":1}][P:g {}[C:g {}]");
}

/* What stands before a half call is given, the call is not; nor is its mark. */
static void a_call_that_is_cut_short_does_not_come_out(void **state)
{
    (void)state;
    struct case_of how = {.template = HERMES, .functions = true, .cut = true};
#define F "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}"
    assert_reads_as(&how, "<tool_call>\n{\"name\": \"f\", \"argum", true, "");
    assert_reads_as(&how, "So.\n" F "\n</tool_call>\n<tool_call>\n{\"na", true,
                    "[S]So.[C:f {\"a\":1}]");
    assert_reads_as(&how, F "\n</tool", true, "[C:f {\"a\":1}]");
    assert_reads_as(&how, "So.\n<tool_call>", true, "[S]So.");
    assert_reads_as(&how, "So.\n<tool_ca", true, "[S]So.");
    assert_reads_as(&how, "If a <to", true, "[S]If a <to");
    assert_reads_as(&how, "<think>f or </thi", true, "[T]f or </thi");
#undef F
    how.functions = false;
    assert_reads_as(&how, "<tool_call>{", true, "[S]<tool_call>{");
    how.functions = true;
    how.template = "<|start_header_id|> tools";
    assert_reads_as(&how, "{\"name\": \"f\", \"para", true, "");
    assert_reads_as(&how, "{\"name\": \"f\", \"parameters\": {}}; {\"n", true,
                    "[C:f {}]");
    assert_reads_as(&how, "<|python_tag|>{\"na", true, "");
    assert_reads_as(&how, "Not {\"na", true, "[S]Not {\"na");
    how.template = "<start_of_turn>";
    assert_reads_as(&how, "```tool_call\n{\"name\"", true, "");
    assert_reads_as(&how, "Code:\n```", true, "[S]Code:\n```");
    how.template = "[TOOL_CALLS] [ARGS]";
    assert_reads_as(&how, "[TOOL_CALLS]f[ARGS]{\"a\": 1}[TOOL_CALLS]g[ARGS]{", true,
                    "[C:f {\"a\":1}]");
    /* A block of several. */
    how.template = "<｜tool▁calls▁begin｜>";
#define CALL_OF(name, args) "<｜tool▁call▁begin｜>" name "<｜tool▁sep｜>" args
    assert_reads_as(&how,
                    "<｜tool▁calls▁begin｜>" CALL_OF("f", "{\"a\":1}<｜tool▁call▁end｜>")
                        CALL_OF("g", "{\"b\":"),
                    true, "[C:f {\"a\":1}]");
    assert_reads_as(&how, "<｜tool▁calls▁begin｜>" CALL_OF("f", "{\"a"), true, "");
#undef CALL_OF
    how = (struct case_of){.template = HERMES,
                           .model = "qwen2.5-coder-1.5b",
                           .calling = CALLING_ANY,
                           .functions = true,
                           .cut = true};
    assert_reads_as(&how, "[", true, "");
    assert_reads_as(&how, "[{\"name\": \"f\", \"arg", true, "");
    assert_reads_as(&how, "[{\"name\": \"f\"}, {\"na", false, "[C:f {}]");
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
        cmocka_unit_test(calls_without_a_mark_are_the_whole_answer),
        cmocka_unit_test(an_array_of_calls_ends_with_its_bracket),
        cmocka_unit_test(a_call_of_an_array_is_given_when_it_is_whole),
        cmocka_unit_test(a_call_is_told_in_pieces_to_who_wants_them),
        cmocka_unit_test(pieces_that_do_not_add_up_are_no_call),
        cmocka_unit_test(calls_of_an_array_are_told_in_pieces),
        cmocka_unit_test(names_may_stand_outside_of_the_arguments),
        cmocka_unit_test(words_are_given_as_soon_as_they_are_known),
        cmocka_unit_test(a_call_that_is_cut_short_does_not_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
