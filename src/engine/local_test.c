/* The scheduler on a real, tiny model: SmolLM2-135M. The words do not matter here;
 * counts, ends, repetition and cancelling do. */
#include "base/buf.h"
#include "base/loop.h"
#include "engine/engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_CTX = 512, N_SLOTS = 8, LONGEST = 4096 };

static struct engine *engine;
static struct queue *events;

/* What a candidate said and how it ended. */
struct answer {
    struct buf text;
    struct job_event end; /* its pointers are not valid */
    int n_steps;
    double logprob_sum;
    int n_texts;
    int64_t end_us;
};

struct request {
    const char *prompt;
    struct job_spec spec;
    int32_t tokens[LONGEST];
    struct answer answers[4];
    struct job *job;
    int n_left;
};

static struct request *request_new(const char *prompt, int max_tokens)
{
    if (!engine)
        skip(); /* no models where sanitizers make them take minutes */
    struct request *request = mem_alloc(sizeof(*request));
    request->prompt = prompt;
    int n = engine_tokenize(engine, text_of(prompt), true, request->tokens, LONGEST);
    request->spec = (struct job_spec){
        .tokens = request->tokens,
        .n_tokens = n,
        .prompt = text_of(prompt),
        .n_candidates = 1,
        .max_tokens = max_tokens,
        .sampling = {.temperature = 1, .top_p = 1, .top_k = 40, .n_top = -1},
    };
    return request;
}

static struct request *seeded(const char *prompt, int max_tokens, uint64_t seed)
{
    struct request *request = request_new(prompt, max_tokens);
    request->spec.sampling.seeded = true;
    request->spec.sampling.seed = seed;
    return request;
}

static void submit(struct request *request)
{
    struct error err = {0};
    request->job = engine_submit(engine, &request->spec, events, request, &err);
    if (!request->job)
        fail_msg("%s", err.message);
    request->n_left = request->spec.n_candidates;
}

static void receive(struct job_event *event)
{
    struct request *request = event->user;
    struct answer *answer = &request->answers[event->candidate];
    assert_true(answer->end_us == 0);
    assert_true(text_is_utf8(event->text));
    buf_text(&answer->text, event->text);
    answer->n_texts += event->text.len > 0;
    for (int i = 0; i < event->n_steps; i++)
        answer->logprob_sum += (double)event->steps[i].chosen.logprob;
    answer->n_steps += event->n_steps;
    if (event->kind == JOB_END) {
        assert_int_not_equal(event->finish, FINISH_ERROR);
        answer->end = *event;
        answer->end_us = now_us();
        if (--request->n_left == 0)
            engine_release(request->job);
    }
    free(event);
}

static void finish(struct request *request)
{
    while (request->n_left > 0) {
        struct message *message = queue_wait(events, 60000);
        assert_non_null(message);
        while (message) {
            struct message *next = message->next;
            receive((struct job_event *)message);
            message = next;
        }
    }
}

static void request_free(struct request *request)
{
    for (int i = 0; i < 4; i++)
        buf_free(&request->answers[i].text);
    free(request);
}

static const char *story =
    "<|im_start|>user\nTell me a long story about a lighthouse keeper "
    "and a storm, with many details.<|im_end|>\n"
    "<|im_start|>assistant\n";

/* A prompt of several hundred tokens, different for each n. */
static const char *long_prompt(int n)
{
    static struct buf buf;
    buf_clear(&buf);
    buf_printf(&buf, "<|im_start|>user\nList %d: ", n);
    for (int i = 0; i < 24; i++)
        buf_printf(&buf, "item %d is %d; ", i, i * n);
    buf_str(&buf, "Say which item is the largest.<|im_end|>\n<|im_start|>assistant\n");
    return buf.at;
}

static void max_tokens_is_kept_and_said(void **state)
{
    (void)state;
    struct request *request = request_new(story, 12);
    submit(request);
    finish(request);
    struct answer *answer = &request->answers[0];
    assert_int_equal(answer->end.finish, FINISH_MAX_TOKENS);
    assert_int_equal(answer->end.n_output, 12);
    assert_int_equal(answer->end.n_prompt, request->spec.n_tokens);
    assert_true(answer->text.len > 12);
    request_free(request);
}

static void the_contexts_end_ends_the_answer(void **state)
{
    (void)state;
    struct request *request = request_new(long_prompt(3), 100000);
    for (int i = request->spec.n_tokens; i < N_CTX; i++)
        request->tokens[i] = request->tokens[i % 100];
    request->spec.n_tokens = N_CTX - 5;
    submit(request);
    finish(request);
    assert_true(request->answers[0].end.finish == FINISH_MAX_TOKENS ||
                request->answers[0].end.finish == FINISH_STOP);
    assert_true(request->answers[0].end.n_output <= 5);
    request_free(request);
}

static void a_prompt_too_long_is_refused_with_both_numbers(void **state)
{
    (void)state;
    struct request *request = request_new(story, 10);
    struct error err = {0};
    request->spec.n_tokens = N_CTX;
    assert_null(engine_submit(engine, &request->spec, events, request, &err));
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "(512)"));
    assert_non_null(strstr(err.message, "(511)"));
    request_free(request);
}

static struct text answer_alone(struct request *request)
{
    submit(request);
    finish(request);
    return buf_view(&request->answers[0].text);
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    (void)state;
    struct request *cold = seeded(long_prompt(7), 12, 42);
    struct text first = answer_alone(cold);
    struct request *warm = seeded(long_prompt(7), 12, 42);
    warm->spec.sampling.n_top = 5;
    struct text second = answer_alone(warm);
    assert_true(text_same(first, second));
    assert_true(warm->answers[0].end.n_cached >= 64);
    assert_int_equal(warm->answers[0].n_steps, warm->answers[0].end.n_output);
    struct request *other = seeded(long_prompt(7), 12, 43);
    assert_false(text_same(answer_alone(other), first));
    request_free(warm);
    request_free(other);

    /* In company: seven others, some seeded, some not, some that share its prefix. */
    struct request *crowd[8];
    for (int i = 0; i < 8; i++) {
        crowd[i] = i == 4   ? seeded(long_prompt(7), 12, 42)
                   : i == 5 ? request_new(long_prompt(7), 10)
                   : i % 2  ? seeded(long_prompt(20 + i), 10, 1)
                            : request_new(long_prompt(20 + i), 14);
        submit(crowd[i]);
    }
    for (int i = 0; i < 8; i++)
        finish(crowd[i]);
    assert_true(text_same(buf_view(&crowd[4]->answers[0].text), first));
    for (int i = 0; i < 8; i++)
        request_free(crowd[i]);
    request_free(cold);
}

static void a_repeated_prompt_is_not_computed_again(void **state)
{
    (void)state;
    struct request *first = request_new(long_prompt(11), 4);
    answer_alone(first);
    struct request *again = request_new(long_prompt(11), 4);
    answer_alone(again);
    assert_int_equal(again->answers[0].end.n_cached, again->spec.n_tokens - 1);
    request_free(first);
    request_free(again);
}

/* Other prompts take every slot, so that none has the rows of these tokens any more. One
 * may have ended before the last comes and its slot be taken twice: then once more. */
static void forget(const int32_t *tokens, int n)
{
    struct request *others[N_SLOTS];
    for (int round = 0; round == 0 || engine_cached(engine, NULL, tokens, n) >= 64;
         round++) {
        assert_true(round < 20);
        for (int i = 0; i < N_SLOTS; i++) {
            char prompt[64];
            snprintf(prompt, sizeof(prompt), "%d other words take its place, and %d.", i,
                     round);
            others[i] = request_new(prompt, 4);
        }
        for (int i = 0; i < N_SLOTS; i++)
            submit(others[i]);
        for (int i = 0; i < N_SLOTS; i++) {
            finish(others[i]);
            request_free(others[i]);
        }
    }
}

static void rows_that_left_come_back_bit_for_bit(void **state)
{
    (void)state;
    struct request *cold = seeded(long_prompt(31), 30, 42);
    struct text first = answer_alone(cold);
    forget(cold->tokens, cold->spec.n_tokens);
    struct request *maker = seeded(long_prompt(31), 1, 0);
    maker->spec.n_tokens -= 10;
    maker->spec.want_rows = true;
    answer_alone(maker);
    struct saved_rows *rows = maker->answers[0].end.rows;
    assert_non_null(rows);
    assert_int_equal(rows->n_tokens, maker->spec.n_tokens);
    assert_int_equal(rows->n_exact, maker->spec.n_tokens / 64 * 64);
    assert_int_equal(rows_common(rows, cold->tokens, cold->spec.n_tokens),
                     maker->spec.n_tokens);
    assert_int_equal(engine_cached(engine, NULL, rows->tokens, rows->n_tokens),
                     rows->n_tokens);
    forget(rows->tokens, rows->n_tokens);

    struct request *exact = seeded(long_prompt(31), 30, 42);
    exact->spec.rows = &rows;
    exact->spec.n_rows = 1;
    assert_true(text_same(answer_alone(exact), first));
    assert_int_equal(exact->answers[0].end.n_cached, rows->n_exact);
    forget(rows->tokens, rows->n_tokens);
    struct request *fast = request_new(long_prompt(31), 1);
    fast->spec.rows = &rows;
    fast->spec.n_rows = 1;
    fast->spec.n_candidates = 3;
    answer_alone(fast);
    assert_int_equal(fast->answers[0].end.n_cached, rows->n_tokens);
    assert_int_equal(rows_holders(rows), 1); /* the jobs have let go */
    rows_release(rows);
    request_free(cold);
    request_free(maker);
    request_free(exact);
    request_free(fast);
}

static void rows_of_no_use_are_left_alone(void **state)
{
    (void)state;
    struct request *maker = seeded(long_prompt(41), 1, 0);
    maker->spec.want_rows = true;
    answer_alone(maker);
    struct saved_rows *rows = maker->answers[0].end.rows;
    size_t half = rows->state.len / 2;
    struct saved_rows *broken = rows_make(rows->tokens, 100, 64, half);
    memcpy(rows_state(broken), rows->state.at, half);
    rows_release(rows);
    request_free(maker);
    forget(broken->tokens, broken->n_tokens);
    struct request *request = request_new(long_prompt(41), 4);
    request->spec.rows = &broken;
    request->spec.n_rows = 1;
    answer_alone(request); /* libllama refuses them: it is computed */
    assert_true(request->answers[0].end.n_cached < 64);
    assert_int_equal(request->answers[0].end.finish == FINISH_ERROR, 0);
    struct request *again = request_new(long_prompt(41), 4);
    again->spec.rows = &broken; /* a slot has more */
    again->spec.n_rows = 1;
    answer_alone(again);
    assert_int_equal(again->answers[0].end.n_cached, again->spec.n_tokens - 1);
    rows_release(broken);
    request_free(request);
    request_free(again);
}

static void candidates_fork_after_the_prompt(void **state)
{
    (void)state;
    struct request *request = seeded(story, 20, 5);
    request->spec.n_candidates = 4;
    submit(request);
    finish(request);
    int same = 0;
    for (int i = 0; i < 4; i++) {
        assert_true(request->answers[i].text.len > 0);
        for (int j = 0; j < i; j++)
            same += text_same(buf_view(&request->answers[i].text),
                              buf_view(&request->answers[j].text));
    }
    assert_int_equal(same, 0);
    struct request *again = seeded(story, 20, 5);
    again->spec.n_candidates = 4;
    submit(again);
    finish(again);
    for (int i = 0; i < 4; i++)
        assert_true(text_same(buf_view(&request->answers[i].text),
                              buf_view(&again->answers[i].text)));
    request_free(request);
    request_free(again);
}

static void more_than_fit_wait_and_are_all_served(void **state)
{
    (void)state;
    struct request *requests[3 * N_SLOTS];
    for (int i = 0; i < 3 * N_SLOTS; i++) {
        requests[i] = request_new(story, 1 + i % 7);
        submit(requests[i]);
    }
    for (int i = 0; i < 3 * N_SLOTS; i++) {
        finish(requests[i]);
        const struct job_event *end = &requests[i]->answers[0].end;
        if (end->finish == FINISH_STOP) /* a random answer may end by itself */
            assert_true(end->n_output < 1 + i % 7);
        else
            assert_int_equal(end->n_output, 1 + i % 7);
        request_free(requests[i]);
    }
    int n_running, n_waiting;
    engine_load(engine, &n_running, &n_waiting);
    assert_int_equal(n_running + n_waiting, 0);
}

static void a_full_queue_says_so(void **state)
{
    (void)state;
    struct request *requests[100];
    int n = 0;
    struct error err = {0};
    for (; n < 100; n++) {
        requests[n] = request_new(story, 2);
        requests[n]->job =
            engine_submit(engine, &requests[n]->spec, events, requests[n], &err);
        if (!requests[n]->job)
            break;
        requests[n]->n_left = 1;
    }
    assert_true(n < 100);
    assert_int_equal(err.code, ERROR_RESOURCE_EXHAUSTED);
    assert_true(err.retry_ms > 0);
    request_free(requests[n]);
    for (int i = 0; i < n; i++) {
        finish(requests[i]);
        request_free(requests[i]);
    }
}

static void a_cancelled_answer_frees_its_slot_soon(void **state)
{
    (void)state;
    struct request *request = request_new(story, 400);
    request->spec.n_candidates = 2;
    submit(request);
    while (request->answers[0].n_texts < 3) {
        struct message *message = queue_wait(events, 60000);
        while (message) {
            struct message *next = message->next;
            receive((struct job_event *)message);
            message = next;
        }
    }
    int64_t began = now_us();
    engine_cancel(request->job);
    engine_cancel(request->job);
    finish(request);
    assert_true(now_us() - began < 200000);
    assert_int_equal(request->answers[0].end.finish, FINISH_CANCELLED);
    assert_int_equal(request->answers[1].end.finish, FINISH_CANCELLED);
    request_free(request);
}

static void a_stop_sequence_ends_the_answer(void **state)
{
    (void)state;
    struct request *request = request_new(story, 300);
    struct text stop = TEXT("e");
    request->spec.stops = &stop;
    request->spec.n_stops = 1;
    submit(request);
    finish(request);
    assert_int_equal(request->answers[0].end.finish, FINISH_STOP);
    assert_true(text_find(buf_view(&request->answers[0].text), stop, 0) == SIZE_MAX);
    request_free(request);
}

/* ---- grammars ---- */

static void hold_to(struct request *request, const char *lark)
{
    struct error err = {0};
    request->spec.grammar = engine_grammar(engine, text_of(lark), &err);
    if (!request->spec.grammar)
        fail_msg("%s", err.message);
}

/* Runs it; the grammar's hold goes before the answer is there. */
static const char *said_of(struct request *request)
{
    submit(request);
    if (request->spec.grammar)
        engine_grammar_release(engine, request->spec.grammar);
    finish(request);
    return request->answers[0].text.at;
}

static const char order[] =
    "start: \"{\\\"colour\\\": \\\"\" (\"red\" | \"green\") \"\\\", "
    "\\\"size in centimetres\\\": \" /[1-9]/ \"}\"";

static void an_answer_keeps_to_its_grammar_and_ends_with_it(void **state)
{
    (void)state;
    struct request *request = request_new(story, 100);
    hold_to(request, order);
    const char *said = said_of(request);
    char colour[8], more[8];
    int size = 0;
    assert_int_equal(
        sscanf(said, "{\"colour\": \"%5[a-z]\", \"size in centimetres\": %1d%1[}]%1s",
               colour, &size, more, more + 4),
        3);
    assert_int_equal(request->answers[0].end.finish, FINISH_STOP);
    assert_true(request->answers[0].end.n_output > 10);
    request_free(request);
}

static void what_a_grammar_forces_takes_no_steps(void **state)
{
    (void)state;
    static const char long_one[] =
        "start: \"Four score and seven years ago our fathers brought forth, upon this "
        "continent, a new nation, conceived in liberty, and dedicated to the proposition "
        "that all men are created equal. Now we are engaged in a great civil war, "
        "testing "
        "whether that nation, or any nation so conceived, can \" /(long )+/ \"endure.\"";
    struct request *free_one = request_new(story, 60), *held = request_new(story, 100);
    hold_to(held, long_one);
    const char *said = said_of(held);
    assert_non_null(strstr(said, "so conceived, can long "));
    said_of(free_one);
    double held_us =
        (double)held->answers[0].end.decode_us / held->answers[0].end.n_output;
    double free_us =
        (double)free_one->answers[0].end.decode_us / free_one->answers[0].end.n_output;
    assert_true(held_us < free_us);
    request_free(free_one);
    request_free(held);
}

static void a_seed_repeats_a_grammars_answer_with_and_without_logprobs(void **state)
{
    (void)state;
    struct request *plain = seeded(story, 100, 11), *told = seeded(story, 100, 11);
    told->spec.sampling.n_top = 2;
    hold_to(plain, order);
    hold_to(told, order);
    assert_string_equal(said_of(plain), said_of(told));
    assert_int_equal(told->answers[0].n_steps, told->answers[0].end.n_output);
    request_free(plain);
    request_free(told);
}

static void each_candidate_has_its_own_place_in_the_grammar(void **state)
{
    (void)state;
    struct request *request = request_new(story, 100);
    request->spec.n_candidates = 3;
    request->spec.sampling.temperature = 2;
    hold_to(request, order);
    said_of(request);
    for (int i = 0; i < 3; i++) {
        const char *said = request->answers[i].text.at;
        assert_true(strncmp(said, "{\"colour\": \"", 12) == 0);
        assert_int_equal(said[strlen(said) - 1], '}');
    }
    request_free(request);
}

static void max_tokens_cuts_what_is_forced(void **state)
{
    (void)state;
    struct request *request = request_new(story, 5);
    hold_to(request, order);
    said_of(request);
    assert_int_equal(request->answers[0].end.finish, FINISH_MAX_TOKENS);
    assert_int_equal(request->answers[0].end.n_output, 5);
    request_free(request);
}

static void a_stop_sequence_ends_a_grammars_answer(void **state)
{
    (void)state;
    struct request *request = request_new(story, 100);
    struct text stop = TEXT("\", \"size");
    request->spec.stops = &stop;
    request->spec.n_stops = 1;
    hold_to(request, order);
    const char *said = said_of(request);
    assert_true(strcmp(said, "{\"colour\": \"red") == 0 ||
                strcmp(said, "{\"colour\": \"green") == 0);
    request_free(request);
}

static void a_grammar_that_is_none_is_refused(void **state)
{
    (void)state;
    struct error err = {0};
    if (!engine)
        skip();
    assert_null(engine_grammar(engine, TEXT("start: ("), &err));
    assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
    assert_true(err.message[0] != '\0');
}

static int open_engine(void **state)
{
    (void)state;
    char path[1024];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"),
               *threads = getenv("TEST_THREADS");
    snprintf(path, sizeof(path), "%s%s/pollux/models/smollm2-135m-instruct-q4_1.gguf",
             cache ? cache : home, cache ? "" : "/.cache");
    struct local_options options = {.path = path,
                                    .name = "smollm2",
                                    .n_threads = threads ? atoi(threads) : 0,
                                    .n_ctx = N_CTX,
                                    .n_slots = N_SLOTS,
                                    .queue_limit = 40};
    struct error err = {0};
    if (getenv("POLLUX_TEST_NO_MODEL"))
        return 0;
    engine = local_open(&options, &err);
    if (!engine)
        print_error("%s\n", err.message);
    events = queue_open();
    return engine ? 0 : -1;
}

static int close_engine(void **state)
{
    (void)state;
    if (!engine)
        return 0;
    engine_close(engine);
    queue_close(events);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_tokens_is_kept_and_said),
        cmocka_unit_test(the_contexts_end_ends_the_answer),
        cmocka_unit_test(a_prompt_too_long_is_refused_with_both_numbers),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(a_repeated_prompt_is_not_computed_again),
        cmocka_unit_test(rows_that_left_come_back_bit_for_bit),
        cmocka_unit_test(rows_of_no_use_are_left_alone),
        cmocka_unit_test(candidates_fork_after_the_prompt),
        cmocka_unit_test(more_than_fit_wait_and_are_all_served),
        cmocka_unit_test(a_full_queue_says_so),
        cmocka_unit_test(a_cancelled_answer_frees_its_slot_soon),
        cmocka_unit_test(a_stop_sequence_ends_the_answer),
        cmocka_unit_test(an_answer_keeps_to_its_grammar_and_ends_with_it),
        cmocka_unit_test(what_a_grammar_forces_takes_no_steps),
        cmocka_unit_test(a_seed_repeats_a_grammars_answer_with_and_without_logprobs),
        cmocka_unit_test(each_candidate_has_its_own_place_in_the_grammar),
        cmocka_unit_test(max_tokens_cuts_what_is_forced),
        cmocka_unit_test(a_stop_sequence_ends_a_grammars_answer),
        cmocka_unit_test(a_grammar_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, open_engine, close_engine);
}
