/* Examples to tokens, with a vocabulary of letters and three control tokens. */
#include "train/words.h"
#include <gguf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXT_END, TURN, TURN_END, OTHER_END, LETTERS, N_TOKENS = LETTERS + 26 + 2 };
enum { NORMAL = 1, CONTROL = 3 }; /* the kinds that a GGUF names */

#define CHATML(turn_end)                                                                 \
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}" turn_end    \
    "\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"

static char path[64];
static struct arena *arena;

static void put_tokens(struct gguf_context *gguf)
{
    static const char *const controls[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>",
                                           "<|eot_id|>"};
    const char *tokens[N_TOKENS], *merges[] = {"h i"};
    static char letters[26][2];
    int32_t kinds[N_TOKENS];
    for (int i = 0; i < N_TOKENS; i++)
        kinds[i] = i < LETTERS ? CONTROL : NORMAL;
    for (int i = 0; i < LETTERS; i++)
        tokens[i] = controls[i];
    for (int i = 0; i < 26; i++) {
        letters[i][0] = (char)('a' + i);
        tokens[LETTERS + i] = letters[i];
    }
    tokens[LETTERS + 26] = "\u010a"; /* how such vocabularies write a newline */
    tokens[LETTERS + 27] = "hi";
    gguf_set_arr_str(gguf, "tokenizer.ggml.tokens", tokens, N_TOKENS);
    gguf_set_arr_data(gguf, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, kinds,
                      N_TOKENS);
    gguf_set_arr_str(gguf, "tokenizer.ggml.merges", merges, 1);
}

/* A model of words alone; `turn` ends a turn by its header's word, `text` a text. */
static struct words *words_of(const char *template, uint32_t turn, uint32_t text)
{
    struct error err;
    struct gguf_context *gguf = gguf_init_empty();
    gguf_set_val_str(gguf, "general.architecture", "llama");
    gguf_set_val_str(gguf, "tokenizer.ggml.model", "gpt2");
    gguf_set_val_str(gguf, "tokenizer.ggml.pre", "default");
    gguf_set_val_u32(gguf, "tokenizer.ggml.eos_token_id", text);
    gguf_set_val_u32(gguf, "tokenizer.ggml.eot_token_id", turn);
    gguf_set_val_str(gguf, "tokenizer.chat_template", template);
    put_tokens(gguf);
    assert_true(gguf_write_to_file(gguf, path, true));
    gguf_free(gguf);
    struct words *words = words_open(path, &err);
    if (!words)
        fail_msg("%s", err.message);
    return words;
}

static struct example example_of(const char *template, uint32_t turn, uint32_t text)
{
    struct words *words = words_of(template, turn, text);
    const struct said_example said = {TEXT("ab"), TEXT("hi")};
    struct example example;
    struct error err;
    if (!words_example(words, &said, arena, &example, &err))
        fail_msg("%s", err.message);
    words_close(words);
    return example;
}

static int32_t end_of(const char *template, uint32_t turn, uint32_t text)
{
    struct example example = example_of(template, turn, text);
    return example.tokens[example.n - 1];
}

static void an_example_is_its_prompt_its_answer_and_an_end(void **state)
{
    (void)state;
    struct example e = example_of(CHATML("<|im_end|>"), TURN_END, TEXT_END);
    assert_int_equal(e.tokens[0], TURN);
    assert_int_equal(e.n - e.n_prompt, 2); /* "hi", which is one token, and the end */
    assert_int_equal(e.tokens[e.n_prompt], LETTERS + 27);
    assert_int_equal(e.tokens[e.n_prompt - 1], LETTERS + 26); /* "assistant\n" */
    assert_int_equal(e.tokens[e.n - 1], TURN_END);
}

static void the_end_is_the_usual_one_when_the_template_writes_it(void **state)
{
    (void)state;
    assert_int_equal(end_of(CHATML("<|im_end|>"), TURN_END, TEXT_END), TURN_END);
    assert_int_equal(end_of(CHATML("<|endoftext|>"), TEXT_END, TURN_END), TEXT_END);
}

static void another_end_that_the_template_writes_is_taken_before_the_usual(void **state)
{
    (void)state; /* SmolLM2's case */
    assert_int_equal(end_of(CHATML("<|im_end|>"), TEXT_END, TEXT_END), TURN_END);
}

static void of_several_the_texts_end_is_taken(void **state)
{
    (void)state;
    const char *both = CHATML("<|im_end|><|eot_id|>");
    assert_int_equal(end_of(both, TEXT_END, OTHER_END), OTHER_END);
    assert_int_equal(end_of(both, TEXT_END, TURN_END), TURN_END);
}

static void a_template_without_any_gets_the_usual(void **state)
{
    (void)state; /* and <|im_start|>, which it writes, ends nothing */
    assert_int_equal(end_of(CHATML(""), OTHER_END, TEXT_END), OTHER_END);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/pollux-words-%d.gguf", (int)getpid());
    arena = arena_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_close(arena);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_example_is_its_prompt_its_answer_and_an_end),
        cmocka_unit_test(the_end_is_the_usual_one_when_the_template_writes_it),
        cmocka_unit_test(another_end_that_the_template_writes_is_taken_before_the_usual),
        cmocka_unit_test(of_several_the_texts_end_is_taken),
        cmocka_unit_test(a_template_without_any_gets_the_usual),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
