/* Grammars over a real vocabulary (SmolLM2's): compiled once, kept, shared by threads. */
#include "base/loop.h"
#include "engine/constrain.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROOM = 64, MASK_ROOM = 1 << 13 };

static struct llm *llm;
static struct constrain *constrain;

static const char *const person =
    "start: %json {\"x-guidance\": {\"whitespace_flexible\": false, \"item_separator\": "
    "\", \", \"key_separator\": \": \"}, \"type\": \"object\", \"properties\": "
    "{\"first_name\": {\"type\": \"string\"}, \"age\": {\"type\": \"integer\"}}, "
    "\"required\": [\"first_name\", \"age\"], \"additionalProperties\": false}";

static struct grammar *compiled(const char *lark)
{
    struct error err = {0};
    struct grammar *grammar = constrain_grammar(constrain, text_of(lark), &err);
    if (!grammar)
        fail_msg("%s", err.message);
    return grammar;
}

/* Takes the tokens of `text`, each of which the mask must allow; how many it took. */
static int say(struct matcher *matcher, const char *text, bool special)
{
    int32_t tokens[ROOM];
    uint32_t mask[MASK_ROOM];
    char err[200] = "";
    int n = llm_tokenize(llm, text_of(text), special, tokens, ROOM);
    for (int i = 0; i < n; i++) {
        if (!matcher_mask(matcher, mask, err, sizeof(err)))
            fail_msg("%s", err);
        bool may = mask[tokens[i] / 32] >> (tokens[i] % 32) & 1;
        bool took = matcher_take(matcher, tokens[i], err, sizeof(err));
        if (may != took)
            fail_msg("token %d of %s: mask says %d, matcher %d: %s", i, text, may, took,
                     err);
        if (!may)
            return i;
    }
    return n;
}

static bool says(const char *lark, const char *text, bool special)
{
    struct grammar *grammar = compiled(lark);
    struct matcher *matcher = matcher_open(grammar);
    constrain_release(constrain, grammar);
    int n = llm_tokenize(llm, text_of(text), special, NULL, 0);
    bool all = say(matcher, text, special) == n && matcher_is_over(matcher);
    matcher_close(matcher);
    return all;
}

#define NEEDS_MODEL(state)                                                               \
    do {                                                                                 \
        (void)(state);                                                                   \
        if (!llm)                                                                        \
            skip();                                                                      \
    } while (0)

static void a_real_tokenizer_answers_by_a_schema(void **state)
{
    NEEDS_MODEL(state);
    assert_true(says(person,
                     "{\"first_name\": \"Zo\xc3\xab \xf0\x9f\x98\x80\", "
                     "\"age\": 42}",
                     false));
    assert_false(says(person, "{\"first_name\": 42}", false));
}

static void forced_tokens_are_those_that_the_tokenizer_makes(void **state)
{
    NEEDS_MODEL(state);
    int32_t forced[ROOM], whole[ROOM];
    struct grammar *grammar = compiled(person);
    struct matcher *matcher = matcher_open(grammar);
    size_t n = matcher_forced(matcher, forced, ROOM);
    assert_in_range(n, 3, ROOM);
    llm_tokenize(llm, TEXT("{\"first_name\": \"A\""), false, whole, ROOM);
    assert_memory_equal(forced, whole, n * sizeof(*forced));
    matcher_close(matcher);
    constrain_release(constrain, grammar);
}

static void control_tokens_are_no_text_but_have_names(void **state)
{
    NEEDS_MODEL(state);
    assert_true(says("start: \"a\" <|im_start|> \"b\"", "a<|im_start|>b", true));
    assert_false(says("start: \"a\" <|im_start|> \"b\"", "a<|im_start|>b", false));
    assert_true(says("start: \"a<|im_start|>b\"", "a<|im_start|>b", false));
    assert_false(says("start: \"a<|im_start|>b\"", "a<|im_start|>b", true));
    assert_true(says("start: /a*/ <|im_end|>", "aaa<|im_end|>", true));
}

static void every_token_has_bytes_or_a_name(void **state)
{
    NEEDS_MODEL(state);
    struct buf bytes = {0};
    int n_control = 0;
    for (int i = 0; i < llm_info(llm)->n_vocab; i++) {
        buf_clear(&bytes);
        bool control = llm_token_bytes(llm, i, &bytes);
        struct text piece = llm_piece(llm, i);
        n_control += control;
        if (!control)
            assert_true(text_same(buf_view(&bytes), piece));
        assert_true(bytes.len > 0);
    }
    assert_int_equal(n_control, llm_info(llm)->n_specials);
    assert_true(llm_is_end(llm, llm_usual_end(llm)));
    buf_free(&bytes);
}

static void a_control_token_can_be_shown(void **state)
{
    NEEDS_MODEL(state);
    int32_t token;
    assert_int_equal(llm_tokenize(llm, TEXT("<|im_start|>"), true, &token, 1), 1);
    assert_int_equal(llm_piece(llm, token).len, 0);
    llm_show(llm, TEXT("<|im_start|>"));
    assert_true(text_is(llm_piece(llm, token), "<|im_start|>"));
    assert_int_equal(llm_piece(llm, llm_usual_end(llm)).len, 0);
}

static void the_same_text_is_compiled_once(void **state)
{
    NEEDS_MODEL(state);
    struct grammar *grammar = compiled("start: \"once\"");
    struct grammar *again = compiled("start: \"once\"");
    assert_ptr_equal(grammar, again);
    constrain_hold(constrain, grammar);
    for (int i = 0; i < 3; i++)
        constrain_release(constrain, grammar);
    again = compiled("start: \"once\"");
    assert_ptr_equal(grammar, again);
    constrain_release(constrain, again);
}

static void what_is_held_outlives_what_is_not(void **state)
{
    NEEDS_MODEL(state);
    struct grammar *held = compiled("start: \"held\"");
    char lark[64];
    for (int i = 0; i < 2 * CONSTRAIN_KEPT; i++) {
        snprintf(lark, sizeof(lark), "start: \"number %d\"", i);
        constrain_release(constrain, compiled(lark));
    }
    struct grammar *again = compiled("start: \"held\"");
    assert_ptr_equal(held, again);
    struct matcher *matcher = matcher_open(held);
    constrain_release(constrain, held);
    constrain_release(constrain, held);
    for (int i = 0; i < 2 * CONSTRAIN_KEPT; i++) {
        snprintf(lark, sizeof(lark), "start: \"number %d\"", i);
        constrain_release(constrain, compiled(lark));
    }
    assert_int_equal(say(matcher, "held", false), 1); /* a matcher needs no grammar */
    matcher_close(matcher);
}

static void what_does_not_compile_says_why_each_time(void **state)
{
    NEEDS_MODEL(state);
    for (int i = 0; i < 2; i++) {
        struct error err = {0};
        struct text lark = TEXT("start: %json {\"type\": \"strung\"}");
        assert_null(constrain_grammar(constrain, lark, &err));
        assert_int_equal(err.code, ERROR_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "strung"));
    }
}

static void *ask_often(void *arg)
{
    char lark[64];
    unsigned seed = *(unsigned *)arg;
    for (int i = 0; i < 60; i++) {
        struct error err = {0};
        int n = rand_r(&seed) % 90;
        snprintf(lark, sizeof(lark), n % 9 ? "start: \"%d\" /[0-9]{%d}/" : "start: (%d%d",
                 n, n % 7 + 1);
        struct grammar *grammar = constrain_grammar(constrain, text_of(lark), &err);
        if ((n % 9 == 0) != (grammar == NULL))
            return "compiled or refused wrongly";
        if (!grammar)
            continue;
        struct matcher *matcher = matcher_open(grammar);
        int32_t forced[ROOM];
        matcher_forced(matcher, forced, ROOM);
        matcher_close(matcher);
        constrain_release(constrain, grammar);
    }
    return NULL;
}

static void threads_ask_for_the_same_and_for_others(void **state)
{
    NEEDS_MODEL(state);
    pthread_t threads[4];
    unsigned seeds[4] = {1, 2, 3, 4};
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, ask_often, &seeds[i]);
    for (int i = 0; i < 4; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        if (wrong)
            fail_msg("%s", (char *)wrong);
    }
}

static int open_model(void **state)
{
    (void)state;
    char path[1024];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    snprintf(path, sizeof(path), "%s%s/pollux/models/smollm2-135m-instruct-q4_1.gguf",
             cache ? cache : home, cache ? "" : "/.cache");
    if (getenv("POLLUX_TEST_NO_MODEL"))
        return 0;
    struct llm_options options = {.path = path, .only_vocab = true};
    struct error err = {0};
    llm = llm_open(&options, &err);
    if (!llm) {
        print_error("%s\n", err.message);
        return -1;
    }
    constrain = constrain_open(llm);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    constrain_close(constrain);
    llm_close(llm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_tokenizer_answers_by_a_schema),
        cmocka_unit_test(forced_tokens_are_those_that_the_tokenizer_makes),
        cmocka_unit_test(control_tokens_are_no_text_but_have_names),
        cmocka_unit_test(every_token_has_bytes_or_a_name),
        cmocka_unit_test(a_control_token_can_be_shown),
        cmocka_unit_test(the_same_text_is_compiled_once),
        cmocka_unit_test(what_is_held_outlives_what_is_not),
        cmocka_unit_test(what_does_not_compile_says_why_each_time),
        cmocka_unit_test(threads_ask_for_the_same_and_for_others),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
