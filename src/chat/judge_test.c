#include "base/buf.h"
#include "chat/judge.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* A scripted judge, and what it found. */
struct scene {
    struct arena *arena;
    struct loop *loop;
    struct engine *engine;
    struct runner *runner;
    struct judge_request request;
    struct judgement *judgement;
    struct error err;
    int n_calls;
    bool good;
    struct verdict verdict;
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
    runner_close(scene->runner);
    engine_close(scene->engine);
    loop_close(scene->loop);
    arena_close(scene->arena);
    return 0;
}

static struct scene *set_up(void **state, const char *script)
{
    struct scene *scene = *state;
    char path[] = "/tmp/judge_test.XXXXXX";
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
    scene->request = (struct judge_request){
        .text = TEXT("Some text."),
        .safety = {.block_from = {LEVEL_HIGH, LEVEL_HIGH}},
        .model = TEXT("gemini-test"),
    };
    return scene;
}

static void on_verdict(const struct verdict *verdict, const struct error *error,
                       void *arg)
{
    struct scene *scene = arg;
    scene->n_calls++;
    scene->good = verdict != NULL;
    assert_true((verdict == NULL) == (error != NULL));
    if (verdict)
        scene->verdict = *verdict;
    else if (error)
        scene->err = *error;
    loop_stop(scene->loop);
}

static bool start(struct scene *scene)
{
    scene->judgement =
        judge_start(scene->runner, &scene->request, on_verdict, scene, &scene->err);
    return scene->judgement != NULL;
}

static void give_up(void *arg)
{
    loop_stop(arg);
}

static void finish(struct scene *scene)
{
    struct timer *timer = loop_after(scene->loop, 5000, give_up, scene->loop);
    loop_run(scene->loop);
    loop_cancel(scene->loop, timer);
    assert_int_equal(scene->n_calls, 1);
}

static void run(struct scene *scene)
{
    assert_true(start(scene));
    assert_int_equal(scene->n_calls, 0);
    finish(scene);
}

static void has_levels(const struct scene *scene, const struct verdict *wanted)
{
    assert_true(scene->good);
    for (int i = 0; i < N_HARMS; i++)
        assert_int_equal(scene->verdict.levels[i], wanted->levels[i]);
}

/* ---- the answer ---- */

static double yes_of(const char *const *tokens, const double *p, int n)
{
    struct token_prob top[8];
    for (int i = 0; i < n; i++)
        top[i] = (struct token_prob){i, (float)log(p[i]), text_of(tokens[i])};
    return judge_yes(&(struct token_step){top[0], top, n});
}

static void every_spelling_of_yes_and_no_counts(void **state)
{
    (void)state;
    static const char *const tokens[] = {"Yes", "no", " yes", "NO", "Well", "\nYES"};
    static const double p[] = {0.3, 0.2, 0.1, 0.1, 0.2, 0.05};
    assert_float_equal(yes_of(tokens, p, 6), 0.45 / 0.75, 1e-6);
}

static void what_is_not_likely_enough_to_be_told_has_the_rest(void **state)
{
    (void)state;
    static const char *const yes[] = {"Yes", "Sure"}, *const no[] = {"No", "Nothing"},
                             *const neither[] = {"Hm", "Well"};
    static const double p[] = {0.9, 0.05};
    assert_float_equal(yes_of(yes, p, 2), 0.9, 1e-6);
    assert_float_equal(yes_of(no, p, 2), 0.1, 1e-6);
    assert_float_equal(yes_of(neither, p, 2), 0.5, 1e-6);
}

/* ---- judging ---- */

static void only_what_is_asked_for_is_rated(void **state)
{
    struct scene *scene =
        set_up(state, "{'replies': [{'match': {'prompt': 'harassment'}, 'text': 'Yes', "
                      "'logprobs': [-0.001]}],"
                      "'default': {'text': 'No', 'logprobs': [-0.001]}}");
    run(scene);
    has_levels(scene, &(struct verdict){{LEVEL_HIGH, LEVEL_NEGLIGIBLE}});
}

/* The script answers only what it finds in a prompt, so it tells what was asked. */
static void the_text_stands_before_the_question(void **state)
{
    struct scene *scene = set_up(
        state,
        "{'replies': [{'match': {'prompt_regex': 'Some text.*harassment.*Yes or No'},"
        "'text': ' yes', 'logprobs': [-0.001]}]}");
    scene->request.safety = (struct safety){.block_from[HARM_HARASSMENT] = LEVEL_LOW};
    run(scene);
    has_levels(scene, &(struct verdict){{LEVEL_HIGH}});
}

static struct text long_text(struct arena *arena, const char *end)
{
    struct buf text = {0};
    for (int i = 0; i < 2000; i++)
        buf_str(&text, "Grüße ");
    buf_str(&text, end);
    return arena_take(arena, &text);
}

static void a_long_text_is_judged_to_its_end(void **state)
{
    struct scene *scene =
        set_up(state, "{'replies': [{'match': {'prompt': 'poison'}, 'text': 'Yes', "
                      "'logprobs': [-0.001]}],"
                      "'default': {'text': 'No', 'logprobs': [-0.001]}}");
    scene->request.text = long_text(scene->arena, "poison");
    scene->request.safety = (struct safety){.block_from[HARM_DANGEROUS] = LEVEL_LOW};
    run(scene);
    has_levels(scene, &(struct verdict){.levels[HARM_DANGEROUS] = LEVEL_HIGH});
}

static void windows_get_smaller_for_a_model_with_a_small_context(void **state)
{
    struct scene *scene = set_up(state, "{'context': 600, 'default': {'text': 'No', "
                                        "'logprobs': [-0.001]}}");
    scene->request.text = long_text(scene->arena, "");
    run(scene);
    has_levels(scene, &(struct verdict){{LEVEL_NEGLIGIBLE, LEVEL_NEGLIGIBLE}});
}

/* The script answers Yes once, then breaks: whoever asked on would see it. */
static void after_a_window_that_is_blocked_no_other_is_opened(void **state)
{
    struct scene *scene =
        set_up(state, "{'replies': [{'times': 2, 'text': 'Yes', 'logprobs': [-0.001]},"
                      "{'error': {'status': 503}}]}");
    scene->request.text = long_text(scene->arena, "");
    run(scene);
    has_levels(scene, &(struct verdict){{LEVEL_HIGH, LEVEL_HIGH}});
}

static void a_judge_that_says_neither_is_undecided(void **state)
{
    struct scene *scene = set_up(state, "{'default': {'text': 'Perhaps'}}");
    run(scene);
    enum level level = safety_level(HARM_HARASSMENT, 0.5);
    assert_int_equal(scene->verdict.levels[HARM_HARASSMENT], level);
}

static void an_error_of_the_judge_is_told(void **state)
{
    struct scene *scene = set_up(state, "{'default': {'error': {'status': 503}}}");
    run(scene);
    assert_false(scene->good);
    assert_int_equal(scene->err.code, ERROR_UNAVAILABLE);
}

static void a_full_queue_refuses_the_first_question(void **state)
{
    struct scene *scene = set_up(
        state, "{'slots': 1, 'queue': 0, 'default': {'text': 'No', 'delay_ms': 60000}}");
    assert_true(start(scene));
    struct judgement *first = scene->judgement;
    assert_false(start(scene));
    assert_int_equal(scene->err.code, ERROR_RESOURCE_EXHAUSTED);
    judge_cancel(first);
    judge_cancel(first);
    finish(scene);
    assert_false(scene->good);
    assert_int_equal(scene->err.code, ERROR_CANCELLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_of_yes_and_no_counts),
        cmocka_unit_test(what_is_not_likely_enough_to_be_told_has_the_rest),
        TEST(only_what_is_asked_for_is_rated),
        TEST(the_text_stands_before_the_question),
        TEST(a_long_text_is_judged_to_its_end),
        TEST(windows_get_smaller_for_a_model_with_a_small_context),
        TEST(after_a_window_that_is_blocked_no_other_is_opened),
        TEST(a_judge_that_says_neither_is_undecided),
        TEST(an_error_of_the_judge_is_told),
        TEST(a_full_queue_refuses_the_first_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
