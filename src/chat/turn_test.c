#include "base/buf.h"
#include "chat/turn.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* A turn on the scripted engine, and all that its reader was told. */
struct scene {
    struct arena *arena;
    struct loop *loop;
    struct engine *engine;
    struct runner *runner;
    struct engine *guard_engine; /* NULL: nothing is judged */
    struct runner *guard_runner;
    struct blocklist *words;
    struct chat chat;
    struct turn *turn;
    struct error err;

    struct buf said; /* [0:T]thought[0:S]text[0:C]name json[0:END] */
    int n_events, n_last, n_ends;
    struct turn_event end;
    struct error failure;
    int n_steps;
    int cancel_at; /* the event at which the reader goes away; 0: never */
};

static const struct verdict unrated;

static int open_scene(void **state)
{
    struct arena *arena = arena_open();
    struct scene *scene = arena_new(arena, struct scene);
    scene->arena = arena;
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    buf_free(&scene->said);
    runner_close(scene->runner);
    engine_close(scene->engine);
    runner_close(scene->guard_runner);
    if (scene->guard_engine)
        engine_close(scene->guard_engine);
    blocklist_close(scene->words);
    loop_close(scene->loop);
    arena_close(scene->arena);
    return 0;
}

static struct engine *script_of(const char *script)
{
    struct error err;
    char path[] = "/tmp/turn_test.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, script, strlen(script)), strlen(script));
    close(fd);
    struct engine *engine = script_open(path, &err);
    unlink(path);
    if (!engine)
        fail_msg("%s", err.message);
    return engine;
}

static struct scene *set_up(void **state, const char *script, const char *words)
{
    struct scene *scene = *state;
    scene->engine = script_of(script);
    scene->loop = loop_open();
    scene->runner = runner_open(scene->loop, scene->engine, &scene->err);
    assert_non_null(scene->runner);
    struct part *part = arena_new(scene->arena, struct part);
    *part = (struct part){.kind = PART_TEXT, .text = text_of(words)};
    struct turn_of *turn = arena_new(scene->arena, struct turn_of);
    *turn = (struct turn_of){ROLE_USER, part, 1};
    scene->chat = (struct chat){.model = TEXT("gemini-test"),
                                .turns = turn,
                                .n_turns = 1,
                                .n_candidates = 1,
                                .sampling.n_top = -1};
    return scene;
}

static void on_event(const struct turn_event *event, void *arg)
{
    struct scene *scene = arg;
    static const char marks[] = "STCR";
    scene->n_events++;
    scene->n_steps += event->n_steps;
    assert_int_equal(scene->n_last, 0);
    if (event->kind == TURN_PART) {
        const struct part *part = event->part;
        buf_printf(&scene->said, "[%d:%c]%.*s", event->candidate, marks[part->kind],
                   TEXT_ARG(part->kind == PART_CALL ? part->json : part->text));
    } else {
        buf_printf(&scene->said, "[%d:END]", event->candidate);
        scene->n_ends++;
        scene->end = *event;
        if (event->error)
            scene->failure = *event->error;
    }
    if (scene->n_events == scene->cancel_at)
        turn_cancel(scene->turn);
    if (event->last) {
        scene->n_last++;
        loop_stop(scene->loop);
    }
}

static void give_up(void *arg)
{
    loop_stop(arg);
}

static void cancel_turn(void *arg)
{
    turn_cancel(arg);
}

static bool start(struct scene *scene)
{
    struct prompt prompt;
    assert_true(prompt_make(runner_prompter(scene->runner), &scene->chat, scene->arena,
                            &prompt, &scene->err));
    scene->turn = turn_start(scene->runner, &scene->chat, &prompt, scene->arena, on_event,
                             scene, &scene->err);
    return scene->turn != NULL;
}

static void finish(struct scene *scene)
{
    struct timer *timer = loop_after(scene->loop, 5000, give_up, scene->loop);
    loop_run(scene->loop);
    assert_int_equal(scene->n_last, 1);
    loop_cancel(scene->loop, timer);
}

static void run(struct scene *scene)
{
    if (!start(scene))
        fail_msg("%s", scene->err.message);
    finish(scene);
}

static void a_turn_gives_parts_and_then_its_end(void **state)
{
    struct scene *scene =
        set_up(state,
               "{'default': {'thought': 'Hm.', 'chunks': ['Yes', ', sir.'],"
               "'calls': [{'name': 'f', 'args': {'a': 1}}]}}",
               "Well?");
    struct function f = {.name = TEXT("f")};
    scene->chat.functions = &f;
    scene->chat.n_functions = 1;
    run(scene);
    assert_string_equal(scene->said.at,
                        "[0:T]Hm.[0:S]Yes[0:S], sir.[0:C]{\"a\":1}[0:END]");
    assert_int_equal(scene->end.finish, FINISH_STOP);
    assert_false(scene->end.bad_call);
    assert_true(scene->end.last);
    assert_null(scene->end.error);
    assert_int_equal(scene->end.n_thought, 4); /* <think>, Hm, ., </think> */
    assert_true(scene->end.n_output > 8);
    assert_true(scene->end.n_prompt > 4);
}

static void every_candidate_ends_and_one_of_them_is_last(void **state)
{
    struct scene *scene = set_up(
        state, "{'default': {'candidates': [{'text': 'a'}, {'text': 'b'}]}}", "Well?");
    scene->chat.n_candidates = 2;
    run(scene);
    assert_string_equal(scene->said.at, "[0:S]a[0:END][1:S]b[1:END]");
    assert_int_equal(scene->n_ends, 2);
}

static void a_malformed_call_is_told(void **state)
{
    struct scene *scene =
        set_up(state, "{'default': {'text': '<tool_call>{no</tool_call>'}}", "Well?");
    struct function f = {.name = TEXT("f")};
    scene->chat.functions = &f;
    scene->chat.n_functions = 1;
    run(scene);
    assert_true(scene->end.bad_call);
}

static void a_call_that_is_cut_short_is_not_told(void **state)
{
    struct scene *scene = set_up(
        state, "{'default': {'text': 'So.', 'calls': [{'name': 'f', 'args': {'a': 1}}]}}",
        "Well?");
    struct function f = {.name = TEXT("f")};
    scene->chat.functions = &f;
    scene->chat.n_functions = 1;
    scene->chat.max_tokens = 8;
    run(scene);
    assert_string_equal(scene->said.at, "[0:S]So.[0:END]");
    assert_int_equal(scene->end.finish, FINISH_MAX_TOKENS);
    assert_int_equal(scene->end.n_output, 8);
    assert_false(scene->end.bad_call);
}

static void an_error_of_the_engine_arrives_with_the_end(void **state)
{
    struct scene *scene = set_up(
        state, "{'default': {'text': 'a', 'error': {'status': 503, 'after_chunks': 1}}}",
        "Well?");
    run(scene);
    assert_string_equal(scene->said.at, "[0:S]a[0:END]");
    assert_int_equal(scene->end.finish, FINISH_ERROR);
    assert_int_equal(scene->failure.code, ERROR_UNAVAILABLE);
}

static void a_cancelled_turn_says_only_that_it_is_over(void **state)
{
    struct scene *scene = set_up(
        state, "{'default': {'chunks': ['a', 'b'], 'chunk_delay_ms': 60000}}", "Well?");
    scene->chat.n_candidates = 3;
    scene->cancel_at = 1;
    int64_t before = now_ms();
    run(scene);
    assert_true(now_ms() - before < 1000);
    assert_int_equal(scene->n_events, 2);
    assert_int_equal(scene->end.finish, FINISH_CANCELLED);
}

static void a_turn_cancelled_before_it_speaks_ends_once(void **state)
{
    struct scene *scene =
        set_up(state, "{'default': {'text': 'a', 'delay_ms': 60000}}", "Well?");
    assert_true(start(scene));
    turn_cancel(scene->turn);
    turn_cancel(scene->turn);
    finish(scene);
    assert_string_equal(scene->said.at, "[0:END]");
    assert_int_equal(scene->end.finish, FINISH_CANCELLED);
}

static void a_prompt_that_does_not_fit_is_refused_with_both_numbers(void **state)
{
    struct scene *scene =
        set_up(state, "{'context': 10, 'default': {'text': 'a'}}", "1 2 3 4 5");
    assert_false(start(scene));
    assert_int_equal(scene->err.code, ERROR_INVALID_ARGUMENT);
    /* <|im_start|>user\n 1 2 3 4 5 <|im_end|>\n <|im_start|>assistant\n */
    assert_string_equal(
        scene->err.message,
        "The input token count (18) exceeds the maximum number of tokens allowed (9).");
}

static void an_answer_fills_the_context_at_most(void **state)
{
    struct scene *scene =
        set_up(state, "{'context': 20, 'default': {'text': '123456789012'}}", "Well?");
    scene->chat.max_tokens = 1000;
    run(scene);
    assert_int_equal(scene->end.finish, FINISH_MAX_TOKENS);
    assert_int_equal(scene->end.n_prompt + scene->end.n_output, 20);
}

static void a_full_queue_refuses_the_turn(void **state)
{
    struct scene *scene = set_up(
        state, "{'slots': 1, 'queue': 0, 'default': {'text': 'a', 'delay_ms': 60000}}",
        "Well?");
    assert_true(start(scene));
    struct turn *first = scene->turn;
    assert_false(start(scene));
    assert_int_equal(scene->err.code, ERROR_RESOURCE_EXHAUSTED);
    turn_cancel(first);
    finish(scene);
}

/* "<" could begin a call, so its token comes out with a later one. */
static void logprobs_of_text_that_is_held_back_are_not_lost(void **state)
{
    struct scene *scene = set_up(
        state, "{'default': {'chunks': ['a', ' ', '<', 'b', '<tool', ' c']}}", "Well?");
    struct function f = {.name = TEXT("f")};
    scene->chat.functions = &f;
    scene->chat.n_functions = 1;
    scene->chat.sampling.n_top = 2;
    run(scene);
    assert_string_equal(scene->said.at, "[0:S]a[0:S] <b[0:S]<tool c[0:END]");
    assert_int_equal(scene->n_steps, scene->end.n_output);
}

/* ---- what is blocked ---- */

/* Words are listed, one a line; a judge looks for one harm, which is what it says Yes to.
 */
static void set_guard(struct scene *scene, const char *words, const char *judge)
{
    if (words)
        scene->words = blocklist_read(text_of(words), "list", &scene->err);
    if (judge) {
        scene->guard_engine = script_of(judge);
        scene->guard_runner = runner_open(scene->loop, scene->guard_engine, &scene->err);
        scene->chat.safety.block_from[HARM_DANGEROUS] = LEVEL_MEDIUM;
    }
    struct guard guard = {scene->guard_runner, scene->words};
    runner_guard(scene->runner, &guard);
}

/* Whoever asks it sees an error. */
#define SILENT "{'default': {'error': {'status': 503}}}"
/* Answers Yes to texts with the word. */
#define JUDGE(word)                                                                      \
    "{'replies': [{'match': {'prompt': '" word                                           \
    "'}, 'text': 'Yes', 'logprobs': [-0.001]}],"                                         \
    "'default': {'text': 'No', 'logprobs': [-0.001]}}"
#define SENTENCE "This is a sentence of some length, and so it takes its time. "

static void assert_end(const struct scene *scene, enum finish finish, const char *reason)
{
    assert_int_equal(scene->end.finish, finish);
    assert_string_equal(scene->failure.message, reason);
}

static void a_listed_word_in_the_prompt_blocks_it_before_the_engine_is_asked(void **state)
{
    struct scene *scene = set_up(state, SILENT, "Where is the RED apple?");
    set_guard(scene, "red", JUDGE("red"));
    run(scene);
    assert_string_equal(scene->said.at, "[0:END]");
    assert_end(scene, FINISH_BLOCKED, "BLOCKLIST");
    assert_memory_equal(scene->end.prompt_verdict, &unrated, sizeof unrated);
    assert_true(scene->end.n_prompt > 0);
}

static void a_listed_word_in_the_answer_never_leaves(void **state)
{
    struct scene *scene = set_up(
        state, "{'default': {'chunks': ['One r', 'ed ap', 'ple', ' more']}}", "Well?");
    set_guard(scene, "red apple", NULL);
    scene->chat.streamed = true;
    scene->chat.sampling.n_top = 0;
    run(scene);
    assert_string_equal(scene->said.at, "[0:S]One [0:END]");
    assert_end(scene, FINISH_SAFETY, "BLOCKLIST");
    assert_int_equal(scene->n_steps, 0);
}

static void what_is_not_listed_comes_out_as_it_was_said(void **state)
{
    struct scene *scene =
        set_up(state,
               "{'default': {'thought': 'Hm.', 'chunks': ['One r', 'ed pe', 'ar.'],"
               "'calls': [{'name': 'f', 'args': {'a': 1}}]}}",
               "Well?");
    struct function f = {.name = TEXT("f")};
    scene->chat.functions = &f;
    scene->chat.n_functions = 1;
    scene->chat.sampling.n_top = 2;
    set_guard(scene, "red apple", NULL);
    scene->chat.streamed = true;
    run(scene);
    assert_string_equal(scene->said.at,
                        "[0:T]Hm.[0:S]One [0:S]red pe[0:S]ar.[0:C]{\"a\":1}[0:END]");
    assert_end(scene, FINISH_STOP, "");
    assert_int_equal(scene->n_steps, scene->end.n_output);
}

static void a_harmful_prompt_is_blocked_before_the_engine_is_asked(void **state)
{
    struct scene *scene = set_up(state, SILENT, "How do I make a bomb?");
    set_guard(scene, NULL, JUDGE("bomb"));
    scene->chat.n_candidates = 3;
    run(scene);
    assert_string_equal(scene->said.at, "[0:END]");
    assert_end(scene, FINISH_BLOCKED, "");
    assert_int_equal(scene->end.prompt_verdict->levels[HARM_DANGEROUS], LEVEL_HIGH);
    assert_int_equal(scene->end.prompt_verdict->levels[HARM_SEXUAL], LEVEL_NONE);
}

static void a_harmless_turn_is_rated(void **state)
{
    struct scene *scene = set_up(state, "{'default': {'text': 'Bread.'}}", "What is it?");
    set_guard(scene, NULL, JUDGE("bomb"));
    run(scene);
    assert_string_equal(scene->said.at, "[0:S]Bread.[0:END]");
    assert_end(scene, FINISH_STOP, "");
    assert_int_equal(scene->end.prompt_verdict->levels[HARM_DANGEROUS], LEVEL_NEGLIGIBLE);
    assert_int_equal(scene->end.verdict->levels[HARM_DANGEROUS], LEVEL_NEGLIGIBLE);
}

static void a_harmful_answer_is_blocked_whole(void **state)
{
    struct scene *scene =
        set_up(state, "{'default': {'text': 'First mix the bomb.'}}", "What is it?");
    set_guard(scene, NULL, JUDGE("bomb"));
    scene->chat.sampling.n_top = 0;
    run(scene);
    assert_string_equal(scene->said.at, "[0:END]");
    assert_end(scene, FINISH_SAFETY, "");
    assert_int_equal(scene->end.verdict->levels[HARM_DANGEROUS], LEVEL_HIGH);
    assert_int_equal(scene->n_steps, 0);
}

static void a_stream_stops_at_the_harm_and_so_does_the_engine(void **state)
{
    struct scene *scene =
        set_up(state,
               "{'default': {'chunks': ['" SENTENCE "', '" SENTENCE "', '" SENTENCE
               "', 'Then mix the bomb. ', '" SENTENCE "', 'and on', 'and on'],"
               "'chunk_delay_ms': 150}}",
               "What is it?");
    set_guard(scene, NULL, JUDGE("bomb"));
    scene->chat.streamed = true;
    run(scene);
    assert_end(scene, FINISH_SAFETY, "");
    assert_non_null(strstr(scene->said.at, "[0:S]This is a sentence"));
    assert_null(strstr(scene->said.at, "bomb"));
    assert_true(scene->end.n_output < 100);
}

static void of_several_candidates_only_the_harmful_one_is_blocked(void **state)
{
    struct scene *scene = set_up(
        state, "{'default': {'candidates': [{'text': 'a bomb'}, {'text': 'a loaf'}]}}",
        "What is it?");
    set_guard(scene, NULL, JUDGE("bomb"));
    scene->chat.n_candidates = 2;
    run(scene);
    assert_non_null(strstr(scene->said.at, "[0:END]"));
    assert_non_null(strstr(scene->said.at, "[1:S]a loaf[1:END]"));
    assert_null(strstr(scene->said.at, "bomb"));
    assert_int_equal(scene->n_ends, 2);
}

static void a_thought_that_is_not_shown_is_not_held(void **state)
{
    struct scene *scene = set_up(
        state, "{'default': {'thought': 'No bomb.', 'text': 'Bread.'}}", "What is it?");
    set_guard(scene, NULL, JUDGE("bomb"));
    run(scene);
    assert_string_equal(scene->said.at, "[0:T]No bomb.[0:S]Bread.[0:END]");
}

static void a_thought_that_is_shown_is_judged(void **state)
{
    struct scene *scene = set_up(
        state, "{'default': {'thought': 'No bomb.', 'text': 'Bread.'}}", "What is it?");
    set_guard(scene, NULL, JUDGE("bomb"));
    scene->chat.safety.thoughts = true;
    run(scene);
    assert_string_equal(scene->said.at, "[0:END]");
    assert_end(scene, FINISH_SAFETY, "");
}

static void without_a_threshold_no_judge_is_asked(void **state)
{
    struct scene *scene = set_up(state, "{'default': {'text': 'Bread.'}}", "What is it?");
    set_guard(scene, NULL, "{'default': {'error': {'status': 503}}}");
    scene->chat.safety.block_from[HARM_DANGEROUS] = LEVEL_NONE;
    run(scene);
    assert_string_equal(scene->said.at, "[0:S]Bread.[0:END]");
    assert_memory_equal(scene->end.verdict, &unrated, sizeof unrated);
}

static void a_judge_that_fails_ends_the_turn_with_its_error(void **state)
{
    struct scene *scene = set_up(state, "{'default': {'text': 'Bread.'}}", "What is it?");
    set_guard(scene, NULL, "{'default': {'error': {'status': 503}}}");
    run(scene);
    assert_string_equal(scene->said.at, "[0:END]");
    assert_int_equal(scene->end.finish, FINISH_ERROR);
    assert_int_equal(scene->failure.code, ERROR_UNAVAILABLE);
}

static void a_judge_whose_queue_is_full_refuses_the_turn(void **state)
{
    struct scene *scene = set_up(state, "{'default': {'text': 'Bread.'}}", "What is it?");
    set_guard(scene, NULL,
              "{'slots': 1, 'queue': 0, 'default': {'text': 'No', 'delay_ms': 60000}}");
    assert_true(start(scene));
    struct turn *first = scene->turn;
    assert_false(start(scene));
    assert_int_equal(scene->err.code, ERROR_RESOURCE_EXHAUSTED);
    turn_cancel(first);
    finish(scene);
    assert_string_equal(scene->said.at, "[0:END]");
    assert_int_equal(scene->end.finish, FINISH_CANCELLED);
}

static void a_turn_cancelled_while_its_answer_is_judged_ends_once(void **state)
{
    struct scene *scene = set_up(state, "{'default': {'text': 'Bread.'}}", "What is it?");
    set_guard(scene, NULL,
              "{'replies': [{'times': 1, 'text': 'No', 'logprobs': [-0.001]}],"
              "'default': {'text': 'No', 'delay_ms': 60000}}");
    assert_true(start(scene));
    loop_after(scene->loop, 100, cancel_turn, scene->turn);
    int64_t before = now_ms();
    finish(scene);
    assert_true(now_ms() - before < 1000);
    assert_string_equal(scene->said.at, "[0:END]");
    assert_int_equal(scene->n_ends, 1);
}

static void a_turn_cancelled_when_its_prompt_was_listed_ends_once(void **state)
{
    struct scene *scene = set_up(state, SILENT, "red");
    set_guard(scene, "red", NULL);
    assert_true(start(scene));
    turn_cancel(scene->turn);
    finish(scene);
    assert_int_equal(scene->end.finish, FINISH_CANCELLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

/* ---- whether to call ---- */

#define ASKED(answer)                                                                    \
    "{'replies': [{'match': {'prompt_regex': 'May I'}, " answer "},"                     \
    "{'match': {'prompt_regex': 'Without'}, 'text': 'words'},"                           \
    "{'match': {'prompt_regex': 'With'}, 'calls': [{'name': 'f', 'args': {}}]}]}"

/* The prompt "With" brings the question "May I?", and "Without" for when the answer is
 * no.
 */
static int start_with_question(struct scene *scene)
{
    static const char *const texts[] = {"With", "Without", "May I?"};
    struct prompt *prompts = arena_array(scene->arena, struct prompt, 3);
    struct function *f = arena_new(scene->arena, struct function);
    f->name = TEXT("f");
    scene->chat.functions = f;
    scene->chat.n_functions = 1;
    for (int i = 0; i < 3; i++) {
        scene->chat.turns->parts->text = text_of(texts[i]);
        assert_true(prompt_make(runner_prompter(scene->runner), &scene->chat,
                                scene->arena, &prompts[i], &scene->err));
    }
    prompts[2].yes_from = 0.5;
    prompts[0].otherwise = &prompts[1];
    prompts[0].questions = &prompts[2];
    prompts[0].n_questions = 1;
    scene->turn = turn_start(scene->runner, &scene->chat, &prompts[0], scene->arena,
                             on_event, scene, &scene->err);
    assert_non_null(scene->turn);
    return prompts[0].n_tokens;
}

static void yes_goes_on_with_the_prompt(void **state)
{
    struct scene *scene = set_up(state, ASKED("'text': 'Yes', 'logprobs': [-0.1]"), "");
    int n_prompt = start_with_question(scene);
    finish(scene);
    assert_string_equal(scene->said.at, "[0:C]{}[0:END]");
    assert_int_equal(scene->end.n_prompt, n_prompt);
}

static void no_goes_on_with_the_other_prompt(void **state)
{
    struct scene *scene = set_up(state, ASKED("'text': 'No', 'logprobs': [-0.1]"), "");
    scene->chat.n_candidates = 2;
    int n_prompt = start_with_question(scene);
    finish(scene);
    assert_int_equal(scene->n_ends, 2);
    assert_non_null(strstr(scene->said.at, "[0:S]words"));
    assert_non_null(strstr(scene->said.at, "[1:S]words"));
    assert_int_equal(scene->end.n_prompt,
                     n_prompt); /* as that of the prompt that was given */
}

static void a_turn_cancelled_while_the_model_is_asked_ends_once(void **state)
{
    struct scene *scene = set_up(state, ASKED("'text': 'Yes', 'delay_ms': 1000"), "");
    start_with_question(scene);
    turn_cancel(scene->turn);
    finish(scene);
    assert_string_equal(scene->said.at, "[0:END]");
    assert_int_equal(scene->end.finish, FINISH_CANCELLED);
}

static void a_question_that_fails_fails_the_turn(void **state)
{
    struct scene *scene =
        set_up(state, ASKED("'error': {'status': 503, 'message': 'Busy.'}"), "");
    start_with_question(scene);
    finish(scene);
    assert_int_equal(scene->end.finish, FINISH_ERROR);
    assert_string_equal(scene->failure.message, "Busy.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_turn_gives_parts_and_then_its_end),
        TEST(every_candidate_ends_and_one_of_them_is_last),
        TEST(a_malformed_call_is_told),
        TEST(a_call_that_is_cut_short_is_not_told),
        TEST(an_error_of_the_engine_arrives_with_the_end),
        TEST(a_cancelled_turn_says_only_that_it_is_over),
        TEST(a_turn_cancelled_before_it_speaks_ends_once),
        TEST(a_prompt_that_does_not_fit_is_refused_with_both_numbers),
        TEST(an_answer_fills_the_context_at_most),
        TEST(a_full_queue_refuses_the_turn),
        TEST(logprobs_of_text_that_is_held_back_are_not_lost),
        TEST(a_listed_word_in_the_prompt_blocks_it_before_the_engine_is_asked),
        TEST(a_listed_word_in_the_answer_never_leaves),
        TEST(what_is_not_listed_comes_out_as_it_was_said),
        TEST(a_harmful_prompt_is_blocked_before_the_engine_is_asked),
        TEST(a_harmless_turn_is_rated),
        TEST(a_harmful_answer_is_blocked_whole),
        TEST(a_stream_stops_at_the_harm_and_so_does_the_engine),
        TEST(of_several_candidates_only_the_harmful_one_is_blocked),
        TEST(a_thought_that_is_not_shown_is_not_held),
        TEST(a_thought_that_is_shown_is_judged),
        TEST(without_a_threshold_no_judge_is_asked),
        TEST(a_judge_that_fails_ends_the_turn_with_its_error),
        TEST(a_judge_whose_queue_is_full_refuses_the_turn),
        TEST(a_turn_cancelled_while_its_answer_is_judged_ends_once),
        TEST(a_turn_cancelled_when_its_prompt_was_listed_ends_once),
        TEST(yes_goes_on_with_the_prompt),
        TEST(no_goes_on_with_the_other_prompt),
        TEST(a_turn_cancelled_while_the_model_is_asked_ends_once),
        TEST(a_question_that_fails_fails_the_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
