/* scene.h - for tests: a chat, an engine that does nothing but tokenise, and what the
 * prompt room makes of the two. */
#ifndef POLLUX_CHAT_SCENE_H
#define POLLUX_CHAT_SCENE_H

#include "base/buf.h"
#include "chat/prompt.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Bytes are tokens, and so are the control texts. */
enum { SCENE_CONTROLS = 8, SCENE_TOKENS = 1000 };

/* What is asked of a prompt, and what comes. */
struct scene {
    struct engine engine; /* first: the engine's functions find the scene by it */
    struct arena *arena;
    struct text controls[SCENE_CONTROLS];
    struct chat chat;
    struct turn_of turns[10];
    struct part parts[20];
    int n_parts;
    struct prompt prompt;
    struct error err;
    bool good;
    int n_grammars;   /* compiled and not released */
    struct buf shown; /* control tokens, their names in a row */
    struct buf lark;  /* the last one; one that says "refuse" is refused */
};

static inline int scene_tokenize(struct engine *engine, struct text text, bool special,
                                 int32_t *tokens, int room)
{
    const struct scene *scene = (struct scene *)engine;
    int n = 0;
    for (size_t at = 0; at < text.len; n++) {
        int32_t token = (unsigned char)text.at[at];
        size_t len = 1;
        for (int i = 0; special && i < engine->info.n_specials; i++) {
            if (text_starts(text_slice(text, at, text.len), scene->controls[i].at)) {
                token = SCENE_TOKENS + i;
                len = scene->controls[i].len;
            }
        }
        if (n < room)
            tokens[n] = token;
        at += len;
    }
    return n;
}

static inline struct grammar *scene_grammar(struct engine *engine, struct text lark,
                                            struct error *err)
{
    struct scene *scene = (struct scene *)engine;
    if (text_find(lark, TEXT("refuse"), 0) != SIZE_MAX) {
        error_set(err, ERROR_INVALID_ARGUMENT, "refused");
        return NULL;
    }
    scene->n_grammars++;
    buf_clear(&scene->lark);
    buf_text(&scene->lark, lark);
    return (struct grammar *)scene; /* some address */
}

static inline void scene_release(struct engine *engine, struct grammar *grammar)
{
    struct scene *scene = (struct scene *)engine;
    assert_ptr_equal(scene, grammar);
    scene->n_grammars--;
}

static inline void scene_show(struct engine *engine, const struct text *names, int n)
{
    struct scene *scene = (struct scene *)engine;
    for (int i = 0; i < n; i++)
        buf_text(&scene->shown, names[i]);
}

static inline struct scene *set_up(void **state, const char *template)
{
    static const struct engine_ops ops = {.tokenize = scene_tokenize,
                                          .grammar = scene_grammar,
                                          .grammar_release = scene_release,
                                          .show = scene_show};
    struct scene *scene = *state;
    scene->controls[0] = TEXT("<|im_start|>");
    scene->controls[1] = TEXT("<|im_end|>");
    scene->controls[2] = TEXT("<s>");
    scene->engine = (struct engine){
        .ops = &ops,
        .info = {.model = TEXT("test-model"),
                 .template = text_of(template),
                 .bos = TEXT("<s>"),
                 .eos = TEXT("<|im_end|>"),
                 .specials = scene->controls,
                 .n_specials = 3,
                 .n_ctx = 1000},
    };
    scene->chat = (struct chat){.turns = scene->turns};
    scene->n_parts = 0;
    return scene;
}

static inline void add_part(struct scene *scene, enum role role, struct part part)
{
    struct chat *chat = &scene->chat;
    struct turn_of *turn = &scene->turns[chat->n_turns++];
    scene->parts[scene->n_parts] = part;
    *turn = (struct turn_of){role, &scene->parts[scene->n_parts++], 1};
}

static inline void add(struct scene *scene, enum role role, const char *text)
{
    add_part(scene, role, (struct part){.kind = PART_TEXT, .text = text_of(text)});
}

/* Another part of the last turn. */
static inline void more(struct scene *scene, struct part part)
{
    scene->parts[scene->n_parts++] = part;
    scene->turns[scene->chat.n_turns - 1].n_parts++;
}

static inline void make(struct scene *scene)
{
    struct prompter *prompter = prompter_open(&scene->engine, &scene->err);
    assert_non_null(prompter);
    scene->good =
        prompt_make(prompter, &scene->chat, scene->arena, &scene->prompt, &scene->err);
    prompter_close(prompter);
}

static inline void assert_prompt(struct scene *scene, const char *expected)
{
    make(scene);
    if (!scene->good)
        fail_msg("%s", scene->err.message);
    assert_string_equal(scene->prompt.text.at, expected);
}

static inline int count_token(const struct scene *scene, int32_t token)
{
    int n = 0;
    for (int i = 0; i < scene->prompt.n_tokens; i++)
        n += scene->prompt.tokens[i] == token;
    return n;
}

static inline int open_scene(void **state)
{
    struct scene *scene = mem_alloc(sizeof *scene);
    scene->arena = arena_open();
    *state = scene;
    return 0;
}

static inline int close_scene(void **state)
{
    struct scene *scene = *state;
    arena_close(scene->arena);
    assert_int_equal(scene->n_grammars, 0);
    buf_free(&scene->lark);
    buf_free(&scene->shown);
    free(scene);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

#endif
