#include "base/loop.h"
#include "engine/engine.h"
#include "engine/words.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* An engine on a script that is written here. */
static struct engine *open_script(const char *json, struct error *err)
{
    char path[] = "/tmp/script_test.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, json, strlen(json)), strlen(json));
    close(fd);
    struct engine *engine = script_open(path, err);
    unlink(path);
    return engine;
}

static struct engine *must_open(const char *json)
{
    struct error err = {0};
    struct engine *engine = open_script(json, &err);
    if (!engine)
        fail_msg("%s", err.message);
    return engine;
}

static void assert_refused(const char *json, const char *words)
{
    struct error err = {0};
    assert_null(open_script(json, &err));
    if (!strstr(err.message, words))
        fail_msg("\"%s\" is not in \"%s\"", words, err.message);
}

/* What a candidate said in the end. */
struct heard {
    char text[2000];
    int n_texts, n_steps, n_output;
    enum finish finish;
    struct error error;
    float first_logprob;
};

static struct job *ask(struct engine *engine, const char *prompt, struct queue *to,
                       struct job_spec spec, struct error *err)
{
    static int32_t tokens[4000];
    spec.prompt = text_of(prompt);
    spec.tokens = tokens;
    spec.n_tokens = engine_tokenize(engine, spec.prompt, true, tokens, 4000);
    spec.model = spec.model.at ? spec.model : TEXT("gemini-test");
    spec.n_candidates = spec.n_candidates ? spec.n_candidates : 1;
    spec.max_tokens = spec.max_tokens ? spec.max_tokens : 1000;
    return engine_submit(engine, &spec, to, NULL, err);
}

static void note(struct heard *heard, const struct job_event *event)
{
    struct heard *h = &heard[event->candidate];
    strncat(h->text, event->text.at, event->text.len);
    h->n_texts += event->text.len > 0;
    if (h->n_steps == 0 && event->n_steps > 0)
        h->first_logprob = event->steps[0].chosen.logprob;
    h->n_steps += event->n_steps;
    h->n_output = event->n_output;
    if (event->kind != JOB_END)
        return;
    h->finish = event->finish;
    h->error = event->error;
}

static void hear(struct queue *from, int n_ends, struct heard *heard)
{
    while (n_ends > 0) {
        struct message *next, *m = queue_wait(from, 5000);
        assert_non_null(m);
        for (; m; m = next) {
            next = m->next;
            n_ends -= ((struct job_event *)m)->kind == JOB_END;
            note(heard, (struct job_event *)m);
            free(m);
        }
    }
}

static struct heard say_with(struct engine *engine, const char *prompt,
                             struct job_spec spec)
{
    struct error err = {0};
    struct heard heard = {0};
    struct queue *to = queue_open();
    struct job *job = ask(engine, prompt, to, spec, &err);
    assert_non_null(job);
    hear(to, 1, &heard);
    engine_release(job);
    queue_close(to);
    return heard;
}

static struct heard say(struct engine *engine, const char *prompt)
{
    return say_with(engine, prompt, (struct job_spec){.sampling.n_top = -1});
}

static void the_first_reply_that_matches_wins(void **state)
{
    (void)state;
    struct engine *e =
        must_open("{'replies': [{'match': {'prompt': 'tide'}, 'text': 'High.'},"
                  "{'match': {'prompt_regex': '^[0-9]+$'}, 'text': 'A number.'},"
                  "{'match': {'model': 'gemini-*'}, 'text': 'Gemini.'}],"
                  "'default': {'text': 'Who?'}}");
    assert_string_equal(say(e, "When is the tide in?").text, "High.");
    assert_string_equal(say(e, "42").text, "A number.");
    assert_string_equal(say(e, "hello").text, "Gemini.");
    struct job_spec other = {.model = TEXT("gemma-3"), .sampling.n_top = -1};
    assert_string_equal(say_with(e, "hello", other).text, "Who?");
    engine_close(e);
}

static void a_prompt_without_a_reply_is_named(void **state)
{
    (void)state;
    struct engine *e =
        must_open("{'replies': [{'match': {'prompt': 'tide'}, 'text': 'High.'}]}");
    struct heard h = say(e, "<|im_start|>user\nGood morning<|im_end|>\n");
    assert_int_equal(h.finish, FINISH_ERROR);
    assert_int_equal(h.error.code, ERROR_NOT_FOUND);
    assert_non_null(strstr(h.error.message, "matches the prompt \"Good morning\""));
    engine_close(e);
}

static void a_reply_is_used_as_often_as_it_says(void **state)
{
    (void)state;
    struct engine *e = must_open("{'replies': [{'times': 2, 'text': 'a'}, {'times': 1, "
                                 "'text': 'b'}, {'text': 'c'}]}");
    static const char *const expected[] = {"a", "a", "b", "c", "c"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(say(e, "x").text, expected[i]);
    engine_close(e);
}

#define SYSTEM "<|im_start|>system\nBe brief.<|im_end|>\n"
#define USER(text) "<|im_start|>user\n" text "<|im_end|>\n"
#define MODEL(text) "<|im_start|>assistant\n" text "<|im_end|>\n"
#define TOOL(text) "<|im_start|>tool\n" text "<|im_end|>\n"
#define ANSWER "<|im_start|>assistant\n"

static void system_words_and_results_are_matched_where_they_stand(void **state)
{
    (void)state;
    struct engine *e =
        must_open("{'replies': [{'match': {'system': 'brief'}, 'text': 'system'},"
                  "{'match': {'result': 'sunny'}, 'text': 'result'},"
                  "{'match': {'prompt': 'weather'}, 'text': 'prompt'}],"
                  "'default': {'text': 'none'}}");
    assert_string_equal(say(e, SYSTEM USER("hi") ANSWER).text, "system");
    assert_string_equal(say(e, USER("brief") ANSWER).text, "none");
    assert_string_equal(say(e, USER("weather?") ANSWER).text, "prompt");
    assert_string_equal(
        say(e, USER("weather?") MODEL("") TOOL("{\"w\":\"sunny\"}") ANSWER).text,
        "result");
    assert_string_equal(say(e, USER("weather?") MODEL("") TOOL("rain") ANSWER).text,
                        "none");
    assert_string_equal(say(e, USER("weather?") MODEL("x") USER("thanks") ANSWER).text,
                        "none");
    engine_close(e);
}

static void chunks_thoughts_and_calls_come_in_order(void **state)
{
    (void)state;
    struct engine *e = must_open(
        "{'default': {'thought': 'hm', 'chunks': ['one ', 'two'],"
        "'calls': [{'name': 'f', 'args': {'b': 1.0, 'a': [2]}}, {'name': 'g'}]}}");
    struct heard h = say(e, "x");
    assert_string_equal(
        h.text,
        "<think>hm</think>one two"
        "<tool_call>{\"name\":\"f\",\"arguments\":{\"b\":1.0,\"a\":[2]}}</tool_call>"
        "<tool_call>{\"name\":\"g\",\"arguments\":{}}</tool_call>");
    assert_int_equal(h.n_texts, 5);
    assert_int_equal(h.finish, FINISH_STOP);
    engine_close(e);
}

static void echo_says_what_the_user_said_last(void **state)
{
    (void)state;
    struct engine *e = must_open("{'default': {'echo': true}}");
    assert_string_equal(
        say(e, SYSTEM USER("a") MODEL("b") USER("na\xc3\xafve") ANSWER).text,
        "na\xc3\xafve");
    engine_close(e);
}

static void an_answer_ends_at_max_tokens_and_at_stop_sequences(void **state)
{
    (void)state;
    struct engine *e =
        must_open("{'default': {'chunks': ['one two', ' three', ' four']}}");
    struct job_spec few = {.max_tokens = 3, .sampling.n_top = -1};
    struct heard h = say_with(e, "x", few);
    assert_string_equal(h.text, "one two three");
    assert_int_equal(h.finish, FINISH_MAX_TOKENS);
    assert_int_equal(h.n_output, 3);
    struct text stop = TEXT("o thr");
    h = say_with(e, "x",
                 (struct job_spec){.stops = &stop, .n_stops = 1, .sampling.n_top = -1});
    assert_string_equal(h.text, "one tw");
    assert_int_equal(h.finish, FINISH_STOP);
    h = say_with(e, "x", (struct job_spec){.max_tokens = 4, .sampling.n_top = -1});
    assert_int_equal(h.finish, FINISH_STOP);
    engine_close(e);
}

static void faults_come_when_they_are_due(void **state)
{
    (void)state;
    struct engine *e = must_open(
        "{'replies': ["
        "{'match': {'prompt': 'quota'}, 'error': {'status': 429, 'retry_ms': 4000}},"
        "{'match': {'prompt': 'late'}, 'chunks': ['a', 'b', 'c'],"
        " 'error': {'status': 'INTERNAL', 'message': 'boom', 'after_chunks': 2}},"
        "{'match': {'prompt': 'drop'}, 'chunks': ['a', 'b'], 'drop': {'after_chunks': "
        "1}},"
        "{'match': {'prompt': 'gone'}, 'drop': true},"
        "{'match': {'prompt': 'block'}, 'block': 'PROHIBITED_CONTENT'},"
        "{'match': {'prompt': 'recite'}, 'text': 'To be', 'finish': 'RECITATION'}]}");
    struct heard h = say(e, "quota");
    assert_int_equal(h.error.code, ERROR_RESOURCE_EXHAUSTED);
    assert_int_equal(h.error.retry_ms, 4000);
    h = say(e, "late");
    assert_string_equal(h.text, "ab");
    assert_string_equal(h.error.message, "boom");
    assert_int_equal(h.error.code, ERROR_INTERNAL);
    h = say(e, "drop");
    assert_string_equal(h.text, "a");
    assert_int_equal(h.finish, FINISH_DROP);
    assert_int_equal(say(e, "gone").finish, FINISH_DROP);
    h = say(e, "block");
    assert_int_equal(h.finish, FINISH_BLOCKED);
    assert_string_equal(h.error.message, "PROHIBITED_CONTENT");
    h = say(e, "recite");
    assert_int_equal(h.finish, FINISH_SAFETY);
    assert_string_equal(h.error.message, "RECITATION");
    assert_string_equal(h.text, "To be");
    engine_close(e);
}

static void candidates_differ_when_the_script_says_so(void **state)
{
    (void)state;
    struct engine *e =
        must_open("{'default': {'candidates': [{'text': 'a'}, {'text': 'b'}]}}");
    struct error err = {0};
    struct heard heard[3] = {0};
    struct queue *to = queue_open();
    struct job *job =
        ask(e, "x", to, (struct job_spec){.n_candidates = 3, .sampling.n_top = -1}, &err);
    hear(to, 3, heard);
    engine_release(job);
    queue_close(to);
    assert_string_equal(heard[0].text, "a");
    assert_string_equal(heard[1].text, "b");
    assert_string_equal(heard[2].text, "a");
    engine_close(e);
}

static void a_cancelled_job_ends_at_once(void **state)
{
    (void)state;
    struct engine *e = must_open("{'default': {'text': 'late', 'delay_ms': 60000}}");
    struct error err = {0};
    struct heard heard = {0};
    struct queue *to = queue_open();
    int64_t start = now_ms();
    struct job *job = ask(e, "x", to, (struct job_spec){.sampling.n_top = -1}, &err);
    engine_cancel(job);
    hear(to, 1, &heard);
    engine_cancel(job);
    engine_release(job);
    assert_int_equal(heard.finish, FINISH_CANCELLED);
    assert_true(now_ms() - start < 1000);
    queue_close(to);
    engine_close(e);
}

static void only_so_many_speak_and_only_so_many_wait(void **state)
{
    (void)state;
    struct engine *e = must_open(
        "{'slots': 1, 'queue': 1, 'default': {'text': 'x', 'delay_ms': 60000}}");
    struct job_spec spec = {.sampling.n_top = -1};
    struct error err = {0};
    struct heard heard = {0};
    struct queue *to = queue_open();
    struct job *first = ask(e, "x", to, spec, &err),
               *second = ask(e, "x", to, spec, &err);
    int n_running, n_waiting;
    engine_load(e, &n_running, &n_waiting);
    assert_int_equal(n_running, 1);
    assert_int_equal(n_waiting, 1);
    assert_null(ask(e, "x", to, spec, &err));
    assert_int_equal(err.code, ERROR_RESOURCE_EXHAUSTED);
    assert_true(err.retry_ms > 0);
    engine_cancel(first);
    engine_cancel(second);
    hear(to, 2, &heard);
    engine_release(second);
    engine_release(first);
    queue_close(to);
    engine_close(e);
}

static void words_come_one_by_one_when_chunks_have_a_delay(void **state)
{
    (void)state;
    struct engine *e =
        must_open("{'default': {'text': 'one two three', 'chunk_delay_ms': 5}}");
    int64_t start = now_ms();
    struct heard h = say(e, "x");
    assert_string_equal(h.text, "one two three");
    assert_int_equal(h.n_texts, 3);
    assert_true(now_ms() - start >= 10);
    engine_close(e);
}

static void logprobs_are_those_of_the_script(void **state)
{
    (void)state;
    struct engine *e =
        must_open("{'default': {'text': 'one two', 'logprobs': [-0.5, -0.25]}}");
    struct heard h = say_with(e, "x", (struct job_spec){.sampling.n_top = 3});
    assert_int_equal(h.n_steps, 2);
    assert_true(h.first_logprob == -0.5f);
    engine_close(e);
}

static void jobs_that_nobody_releases_end_with_the_engine(void **state)
{
    (void)state;
    struct engine *e =
        must_open("{'slots': 1, 'default': {'text': 'x', 'delay_ms': 60000}}");
    struct error err = {0};
    struct heard heard = {0};
    struct queue *to = queue_open();
    for (int i = 0; i < 3; i++)
        assert_non_null(ask(e, "x", to, (struct job_spec){.sampling.n_top = -1}, &err));
    engine_close(e);
    hear(to, 3, &heard);
    assert_int_equal(heard.finish, FINISH_CANCELLED);
    queue_close(to);
}

static void what_is_wrong_in_a_file_is_said_with_its_line(void **state)
{
    (void)state;
    assert_refused("{\"replies\": [\n {\"text\": \"a\",\n  \"tiems\": 2}]}",
                   ":3: Unknown name \"tiems\" at 'replies[0]'");
    assert_refused("{\"replies\": [\n {\"delay_ms\": \"soon\", 'text': 'x'}]}",
                   ":2: Invalid value at 'replies[0].delay_ms'");
    assert_refused("{", "at line 1");
    assert_refused("{}", "has no replies");
    assert_refused("{'replies': [{'times': 1}]}", "replies[0] says nothing");
    assert_refused("{'replies': [{'text': 'a', 'chunks': ['b']}]}",
                   "more than one of text");
    assert_refused("{'replies': [{'drop': true, 'block': 'SAFETY'}]}",
                   "more than one of error");
    assert_refused("{'replies': [{'error': {'status': 'NO'}}]}", "no google.rpc code");
    assert_refused("{'replies': [{'calls': [{'name': 'f', 'args': 1}]}]}", "no object");
    assert_refused("{'replies': [{'match': {'prompt_regex': '('}, 'text': 'x'}]}",
                   "prompt_regex");
    struct error err = {0};
    assert_null(script_open("/nowhere/script.json", &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void tokens_are_whole_characters_and_add_up(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int n;
    } cases[] = {
        {"Hello, world!", 4},
        {"temperature", 2},
        {"", 0},
        {"<|im_end|><|im_end|>", 2},
        {"  two", 2},
        {"\xc3\xa9\xe2\x82\xac", 2},
        {"12 34", 5},
        {"a\n\nb", 4},
    };
    struct engine *e = must_open("{'default': {'echo': true}}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(engine_tokenize(e, text_of(cases[i].text), true, NULL, 0),
                         cases[i].n);
    int32_t tokens[2];
    engine_tokenize(e, TEXT("<|im_end|>"), false, tokens, 2);
    assert_true(tokens[0] >= WORDS_SPECIALS);
    engine_close(e);
}

static void the_examples_can_be_opened(void **state)
{
    (void)state;
    static const char *const examples[] = {"tests/scripts/app.json",
                                           "tests/scripts/echo.json"};
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        struct error err = {0};
        struct engine *engine = script_open(examples[i], &err);
        if (!engine)
            fail_msg("%s", err.message);
        engine_close(engine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_reply_that_matches_wins),
        cmocka_unit_test(a_prompt_without_a_reply_is_named),
        cmocka_unit_test(a_reply_is_used_as_often_as_it_says),
        cmocka_unit_test(system_words_and_results_are_matched_where_they_stand),
        cmocka_unit_test(chunks_thoughts_and_calls_come_in_order),
        cmocka_unit_test(echo_says_what_the_user_said_last),
        cmocka_unit_test(an_answer_ends_at_max_tokens_and_at_stop_sequences),
        cmocka_unit_test(faults_come_when_they_are_due),
        cmocka_unit_test(candidates_differ_when_the_script_says_so),
        cmocka_unit_test(a_cancelled_job_ends_at_once),
        cmocka_unit_test(only_so_many_speak_and_only_so_many_wait),
        cmocka_unit_test(words_come_one_by_one_when_chunks_have_a_delay),
        cmocka_unit_test(logprobs_are_those_of_the_script),
        cmocka_unit_test(jobs_that_nobody_releases_end_with_the_engine),
        cmocka_unit_test(what_is_wrong_in_a_file_is_said_with_its_line),
        cmocka_unit_test(tokens_are_whole_characters_and_add_up),
        cmocka_unit_test(the_examples_can_be_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
