/* Remembered or not, the tokens are those of libllama. */
#include "base/buf.h"
#include "base/loop.h"
#include "engine/tokens.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ROOM = 8192 };

static struct llm *llm;
static struct tokens *tokens;

static void assert_same_tokens(struct text text)
{
    int32_t expected[ROOM], got[ROOM];
    int n = llm_tokenize(llm, text, true, expected, ROOM);
    for (int repeat = 0; repeat < 2; repeat++) {
        assert_int_equal(tokens_of(tokens, text, true, got, ROOM), n);
        assert_memory_equal(got, expected, sizeof(int32_t) * (size_t)n);
    }
}

static void a_chat_has_the_same_tokens(void **state)
{
    (void)state;
    if (!llm)
        skip();
    assert_true(llm_info(llm)->parts);
    assert_same_tokens(
        TEXT("<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>"
             "user\n  Na\xc3\xafve?  <|im_end|>\n<|im_start|>assistant\n"));
    assert_same_tokens(TEXT(""));
    assert_same_tokens(TEXT("no control token at all"));
    assert_same_tokens(TEXT("<|im_start|><|im_end|><|im_en|<<|im_end|>>"));
}

static void random_mixtures_have_the_same_tokens(void **state)
{
    (void)state;
    if (!llm)
        skip();
    static const char *const words[] = {
        "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<",  "<|", " ",
        "\n",           "hello",      " world",        "  ", "é",  "1",
        "<|im_",        "end|>",
    };
    srand(5);
    for (int round = 0; round < 500; round++) {
        struct buf text = {0};
        for (int n = rand() % 30; n > 0; n--)
            buf_str(&text, words[(size_t)rand() % (sizeof(words) / sizeof(*words))]);
        assert_same_tokens(buf_view(&text));
        buf_free(&text);
    }
}

static void too_little_room_is_only_counted(void **state)
{
    (void)state;
    if (!llm)
        skip();
    struct text text = TEXT("<|im_start|>user\nHow are you today?<|im_end|>\n");
    int32_t whole[ROOM], few[4] = {0, 0, -7, -7};
    int n = tokens_of(tokens, text, true, whole, ROOM);
    assert_int_equal(tokens_of(tokens, text, true, few, 2), n);
    assert_memory_equal(few, whole, 2 * sizeof(int32_t));
    assert_int_equal(few[2], -7);
}

static void what_a_prompt_costs(void **state)
{
    (void)state;
    if (!llm)
        skip();
    struct text text =
        TEXT("<|im_start|>system\nYou are a helpful AI assistant named SmolLM, "
             "trained by Hugging Face<|im_end|>\n<|im_start|>user\nHello"
             "<|im_end|>\n<|im_start|>assistant\n");
    int32_t out[ROOM];
    enum { ROUNDS = 2000 };
    int64_t began = now_us();
    for (int i = 0; i < ROUNDS; i++)
        llm_tokenize(llm, text, true, out, ROOM);
    int64_t plain = now_us() - began;
    began = now_us();
    for (int i = 0; i < ROUNDS; i++)
        tokens_of(tokens, text, true, out, ROOM);
    print_message("libllama %.1f us, remembered %.1f us\n", (double)plain / ROUNDS,
                  (double)(now_us() - began) / ROUNDS);
}

static int open_model(void **state)
{
    (void)state;
    char path[1024];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    snprintf(path, sizeof(path), "%s%s/pollux/models/smollm2-135m-instruct-q4_1.gguf",
             cache ? cache : home, cache ? "" : "/.cache");
    struct llm_options options = {.path = path, .n_ctx = 256, .n_slots = 1};
    struct error err = {0};
    if (getenv("POLLUX_TEST_NO_MODEL"))
        return 0;
    llm = llm_open(&options, &err);
    if (!llm)
        print_error("%s\n", err.message);
    else
        tokens = tokens_open(llm);
    return llm ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    tokens_close(tokens);
    llm_close(llm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chat_has_the_same_tokens),
        cmocka_unit_test(random_mixtures_have_the_same_tokens),
        cmocka_unit_test(too_little_room_is_only_counted),
        cmocka_unit_test(what_a_prompt_costs),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
