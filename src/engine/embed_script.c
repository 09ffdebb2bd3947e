/* embed_script.c - vectors without weights, for tests of applications.
 *
 * A word's hash decides a direction, a text's vector is the sum of its words'. So the
 * same text has the same vector on every machine, and texts that share words are nearer
 * to each other than others. */
#include "engine/embed_model.h"
#include "engine/script_file.h"
#include "engine/words.h"
#include <stdlib.h>
#include <time.h>

enum { DIMENSIONS = 384, CONTEXT = 2048, STEP_TOKENS = 4096, STEP_PIECES = 64 };

struct embed_script {
    struct embed_model model;
    int delay_ms;
};

/* Words count in letters of any case, wherever they stand; white space does not. */
static int32_t id_of(struct text word)
{
    char lower[16];
    size_t n = 0;
    for (size_t i = 0; i < word.len && n < sizeof lower; i++) {
        char c = word.at[i];
        if (c != ' ' && c != '\n' && c != '\t')
            lower[n++] = (char)(c >= 'A' && c <= 'Z' ? c ^ 'A' ^ 'a' : c);
    }
    return n ? words_id((struct text){lower, n}, false) : -1;
}

static int script_tokenize(struct embed_model *model, struct text text, int32_t *tokens,
                           int room)
{
    (void)model;
    int n = 0;
    if (n++ < room)
        tokens[0] = WORDS_START; /* so that no text has none */
    while (text.len > 0) {
        struct text word = words_next(text, false);
        int32_t id = id_of(word);
        if (id >= 0 && n++ < room)
            tokens[n - 1] = id;
        text = text_slice(text, word.len, text.len);
    }
    return n;
}

/* Sebastiano Vigna's splitmix64. */
static uint64_t next_bits(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void add_word(int32_t token, float *vector, int n)
{
    uint64_t state = (uint64_t)(uint32_t)token, bits = 0;
    float step = token == WORDS_START ? 0.25f : 1; /* what all texts share counts less */
    for (int i = 0; i < n; i++) {
        if (i % 64 == 0)
            bits = next_bits(&state);
        vector[i] += (bits >> (i % 64)) & 1 ? step : -step;
    }
}

static bool rest(int ms, const atomic_bool *stop)
{
    for (; ms > 0 && !atomic_load(stop); ms -= 5)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    return !atomic_load(stop);
}

static enum embed_result script_run(struct embed_model *model,
                                    const struct embed_piece *pieces, int n_pieces,
                                    int n_threads, const atomic_bool *stop,
                                    float *vectors)
{
    (void)n_threads;
    if (!rest(((struct embed_script *)model)->delay_ms, stop))
        return EMBED_STOPPED;
    for (int i = 0; i < n_pieces; i++) {
        float *vector = vectors + (size_t)i * (size_t)model->n_dims;
        memset(vector, 0, sizeof(float) * (size_t)model->n_dims);
        for (int j = 0; j < pieces[i].n_tokens; j++)
            add_word(pieces[i].tokens[j], vector, model->n_dims);
    }
    return EMBED_DONE;
}

static void script_close(struct embed_model *model)
{
    free(model);
}

static const struct embed_model_ops script_ops = {
    .tokenize = script_tokenize,
    .run = script_run,
    .close = script_close,
};

static int or_else(const struct json_int *value, int otherwise)
{
    return value && value->set ? (int)value->is : otherwise;
}

struct embed_model *embed_script_open(const char *path, struct error *err)
{
    struct arena *arena = arena_open();
    struct script *script = script_from_file(path, arena, err);
    struct embed_script *made = NULL;
    if (script) {
        const struct script_embeddings *says = script->embeddings;
        made = mem_alloc(sizeof *made);
        made->delay_ms = or_else(says ? &says->delay_ms : NULL, 0);
        made->model = (struct embed_model){
            .ops = &script_ops,
            .family = embed_family_of(""),
            .n_dims = or_else(says ? &says->dimensions : NULL, DIMENSIONS),
            .n_ctx = or_else(says ? &says->context : NULL, CONTEXT),
            .n_batch = STEP_TOKENS,
            .n_pieces = STEP_PIECES,
        };
    }
    arena_close(arena);
    return made ? &made->model : NULL;
}
