/* The prompt room asks an engine for a few facts and for tokens. This one has a
 * vocabulary and nothing else: no job is ever submitted to it. */
#include "train/words.h"
#include "chat/prompt.h"
#include "engine/llm.h"
#include "engine/tokens.h"
#include <stdint.h>

struct words {
    struct engine engine; /* first: the engine's functions find the rest by it */
    struct arena *arena;
    struct llm *llm;
    struct tokens *tokens;
    struct prompter *prompter;
};

static int tokenize(struct engine *engine, struct text text, bool special,
                    int32_t *tokens, int room)
{
    return tokens_of(((struct words *)engine)->tokens, text, special, tokens, room);
}

static const struct engine_ops ops = {.tokenize = tokenize};

static void fill_info(struct words *words, const char *path)
{
    const struct llm_info *llm = llm_info(words->llm);
    words->engine = (struct engine){
        .ops = &ops,
        .info = {.model = text_of(path),
                 .template = llm->template,
                 .bos = llm->bos,
                 .eos = llm->eos,
                 .specials = llm->specials,
                 .n_specials = llm->n_specials,
                 .n_ctx = LLM_CTX_DEFAULT,
                 .n_slots = 1,
                 .n_vocab = llm->n_vocab,
                 .add_bos = llm->add_bos},
    };
}

struct words *words_open(const char *path, struct error *err)
{
    struct arena *arena = arena_open();
    struct words *words = arena_new(arena, struct words);
    struct llm_options options = {.path = path, .only_vocab = true};
    words->arena = arena;
    words->llm = llm_open(&options, err);
    if (words->llm) {
        fill_info(words, path);
        words->tokens = tokens_open(words->llm);
        words->prompter = prompter_open(&words->engine, err);
    }
    if (words->prompter)
        return words;
    words_close(words);
    return NULL;
}

void words_close(struct words *words)
{
    if (!words)
        return;
    prompter_close(words->prompter);
    tokens_close(words->tokens);
    llm_close(words->llm);
    arena_close(words->arena);
}

/* The token that ends an answer: one that ends, and that the template itself writes; a
 * model may have several, and the usual one need not be the template's. */
static int32_t end_of(const struct words *words)
{
    const struct llm_info *info = llm_info(words->llm);
    struct text template = info->template;
    int32_t usual = llm_usual_end(words->llm), found = usual;
    for (int i = 0; i < info->n_specials; i++) {
        int32_t id = info->special_ids[i];
        if (!llm_is_end(words->llm, id) ||
            text_find(template, info->specials[i], 0) == SIZE_MAX)
            continue;
        if (id == usual)
            return usual;
        if (found == usual || text_same(info->specials[i], info->eos))
            found = id;
    }
    return found;
}

static bool make_prompt(const struct prompter *prompter, struct text input,
                        struct arena *arena, struct prompt *prompt, struct error *err)
{
    struct part part = {.kind = PART_TEXT, .text = input};
    struct turn_of turn = {ROLE_USER, &part, 1};
    const struct chat chat = {.turns = &turn, .n_turns = 1};
    return prompt_text(prompter, &chat, arena, prompt, err);
}

static void put_tokens(const struct words *words, const struct prompt *prompt,
                       struct text output, struct arena *arena, struct example *example)
{
    int n_answer = llm_tokenize(words->llm, output, false, NULL, 0);
    int n = prompt->n_tokens;
    example->tokens = arena_array(arena, int32_t, (size_t)(n + n_answer + 1));
    memcpy(example->tokens, prompt->tokens, sizeof(int32_t) * (size_t)n);
    llm_tokenize(words->llm, output, false, example->tokens + n, n_answer);
    example->tokens[n + n_answer] = end_of(words);
    example->n_prompt = n;
    example->n = n + n_answer + 1;
}

/* What renders leaves much behind, and there are thousands of examples. */
bool words_example(const struct words *words, const struct said_example *said,
                   struct arena *arena, struct example *example, struct error *err)
{
    struct arena *scratch = arena_open();
    struct prompt prompt;
    bool good = make_prompt(words->prompter, said->input, scratch, &prompt, err) &&
                (prompt.n_tokens > 0 ||
                 error_set(err, ERROR_FAILED_PRECONDITION,
                           "the base model's template makes an empty prompt"));
    if (good)
        put_tokens(words, &prompt, said->output, arena, example);
    arena_close(scratch);
    return good;
}

bool words_count(const struct prompter *prompter, struct engine *engine,
                 const struct said_example *said, int *n, struct error *err)
{
    struct arena *arena = arena_open();
    struct prompt prompt;
    bool good = make_prompt(prompter, said->input, arena, &prompt, err);
    if (good)
        *n = prompt.n_tokens + engine_tokenize(engine, said->output, false, NULL, 0) + 1;
    arena_close(arena);
    return good;
}
