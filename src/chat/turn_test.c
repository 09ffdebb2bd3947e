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
    loop_close(scene->loop);
    arena_close(scene->arena);
    return 0;
}

static struct scene *set_up(void **state, const char *script, const char *words)
{
    struct scene *scene = *state;
    char path[] = "/tmp/turn_test.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, script, strlen(script)), strlen(script));
    close(fd);
    scene->engine = script_open(path, &scene->err);
    unlink(path);
    if (!scene->engine)
        fail_msg("%s", scene->err.message);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_turn_gives_parts_and_then_its_end),
        TEST(every_candidate_ends_and_one_of_them_is_last),
        TEST(a_malformed_call_is_told),
        TEST(an_error_of_the_engine_arrives_with_the_end),
        TEST(a_cancelled_turn_says_only_that_it_is_over),
        TEST(a_turn_cancelled_before_it_speaks_ends_once),
        TEST(a_prompt_that_does_not_fit_is_refused_with_both_numbers),
        TEST(an_answer_fills_the_context_at_most),
        TEST(a_full_queue_refuses_the_turn),
        TEST(logprobs_of_text_that_is_held_back_are_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
