/* hold.c - holds texts to schemas, token by token, as the engine does; for
 * tests/schemas/check.py.
 *
 *     hold MODEL.gguf < questions > answers
 *
 * A question is one JSON object a line: {"id", "schema", "own": whether it is the API's
 * Schema and no JSON Schema, "texts": [...], "samples": how many}. The answer to it, one
 * line: {"id", "error", "field", "ms": to compile, "held": for each text whether it is a
 * whole answer, "at": how many bytes of it were allowed, "samples": answers made of
 * tokens drawn at random}. The last line has the times of all masks, in microseconds. */
#include "base/loop.h"
#include "chat/shape.h"
#include "engine/constrain.h"
#include "json/tree.h"
#include <stdio.h>
#include <stdlib.h>

enum { MASK_WORDS = 1 << 13, LONGEST_TOKEN = 64, SAMPLE_TOKENS = 400, TABLE = 1 << 20 };

static struct llm *llm;
static struct constrain *constrain;
static struct text *words; /* of each token; absent: of none */
static int32_t table[TABLE];
static uint32_t mask[MASK_WORDS];
static struct buf times;
static const char *asked = ""; /* id of the question */

static uint32_t hash_of(struct text text)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static void read_words(struct arena *arena)
{
    int n = llm_info(llm)->n_vocab;
    words = arena_array(arena, struct text, (size_t)n);
    for (int i = 0; i < n; i++) {
        struct buf bytes = {0};
        if (!llm_token_bytes(llm, i, &bytes) && bytes.len > 0) {
            words[i] = arena_text(arena, buf_view(&bytes));
            uint32_t at = hash_of(words[i]) % TABLE;
            while (table[at])
                at = (at + 1) % TABLE;
            table[at] = i + 1;
        }
        buf_free(&bytes);
    }
}

static int32_t token_of(struct text text)
{
    for (uint32_t at = hash_of(text) % TABLE; table[at]; at = (at + 1) % TABLE)
        if (text_same(words[table[at] - 1], text))
            return table[at] - 1;
    return -1;
}

static bool may(int32_t token)
{
    return mask[token / 32] >> (token % 32) & 1;
}

static bool look(struct matcher *matcher)
{
    char why[200];
    int64_t began = now_us();
    bool good = matcher_mask(matcher, mask, why, sizeof(why));
    buf_printf(&times, "%s%lld", times.len ? "," : "", (long long)(now_us() - began));
    if (!good)
        fprintf(stderr, "hold: %s: %s\n", asked, why);
    return good;
}

/* Takes the text in the longest tokens that the masks allow; how many bytes it took. */
static size_t take(struct matcher *matcher, struct text text)
{
    size_t at = 0;
    char why[200];
    while (at < text.len && look(matcher)) {
        int32_t token = -1;
        size_t len = text.len - at < LONGEST_TOKEN ? text.len - at : LONGEST_TOKEN;
        for (; len > 0; len--) {
            token = token_of(text_slice(text, at, at + len));
            if (token >= 0 && may(token))
                break;
        }
        if (len == 0 || !matcher_take(matcher, token, why, sizeof(why)))
            break;
        at += len;
    }
    return at;
}

static bool can_end(struct matcher *matcher)
{
    return matcher_is_over(matcher) || (look(matcher) && may(llm_usual_end(llm)));
}

/* Tokens that lead somewhere: the short ones that close and part, mostly. */
static int32_t draw(unsigned *seed)
{
    static const char *const closing[] = {"\"", "}", "]", ", ", "\":", ": ", "1", "a"};
    int n = llm_info(llm)->n_vocab;
    if (may(llm_usual_end(llm)) && rand_r(seed) % 2)
        return llm_usual_end(llm);
    for (int i = 0; i < 12 && rand_r(seed) % 3; i++) {
        int32_t token = token_of(text_of(closing[rand_r(seed) % 8]));
        if (token >= 0 && may(token))
            return token;
    }
    int32_t start = (int32_t)((unsigned)rand_r(seed) % (unsigned)n);
    for (int i = 0; i < n; i++)
        if (may((start + i) % n))
            return (start + i) % n;
    return -1;
}

static bool sample(const struct grammar *grammar, unsigned seed, struct buf *out)
{
    struct matcher *matcher = matcher_open(grammar);
    char why[200];
    bool whole = false;
    for (int i = 0; i < SAMPLE_TOKENS && !whole; i++) {
        int32_t forced[64];
        size_t n = matcher_forced(matcher, forced, 64);
        for (size_t j = 0; j < n; j++)
            buf_text(out, words[forced[j]]);
        whole = matcher_is_over(matcher);
        if (whole)
            break;
        if (!look(matcher)) {
            fprintf(stderr, "hold: after %s\n", buf_view(out).at);
            break;
        }
        int32_t token = draw(&seed);
        if (token < 0 || !matcher_take(matcher, token, why, sizeof(why)))
            break;
        if (words[token].at)
            buf_text(out, words[token]);
        whole = matcher_is_over(matcher) || llm_is_end(llm, token);
    }
    matcher_close(matcher);
    return whole;
}

static void write_samples(const struct grammar *grammar, int n, struct json_writer *w)
{
    json_key(w, "samples");
    json_begin(w, '[');
    for (int i = 0; i < n; i++) {
        struct buf text = {0};
        if (sample(grammar, (unsigned)i + 1, &text) && text_is_utf8(buf_view(&text)))
            json_text(w, buf_view(&text));
        buf_free(&text);
    }
    json_end(w, ']');
}

static void write_held(const struct grammar *grammar, struct json_object *texts,
                       struct json_writer *w)
{
    struct buf held = {0};
    size_t n = texts ? json_object_array_length(texts) : 0;
    json_key(w, "at");
    json_begin(w, '[');
    for (size_t i = 0; i < n; i++) {
        struct matcher *matcher = matcher_open(grammar);
        struct text text = tree_text(json_object_array_get_idx(texts, i));
        size_t at = take(matcher, text);
        bool whole = at == text.len && can_end(matcher);
        buf_str(&held, whole ? ",true" : ",false");
        json_int(w, (int64_t)at);
        matcher_close(matcher);
    }
    json_end(w, ']');
    json_key(w, "held");
    json_begin(w, '[');
    if (held.len)
        json_raw(w, text_slice(buf_view(&held), 1, held.len));
    json_end(w, ']');
    buf_free(&held);
}

static struct grammar *compile(struct json_object *question, struct arena *arena,
                               struct text *shape, struct error *err)
{
    struct json_object *schema = NULL, *own = NULL;
    json_object_object_get_ex(question, "schema", &schema);
    json_object_object_get_ex(question, "own", &own);
    bool good = (json_object_get_boolean(own) ? shape_of_schema : shape_of_json_schema)(
        schema, "generation_config.schema", arena, shape, err);
    if (!good)
        return NULL;
    return constrain_grammar(
        constrain, arena_printf(arena, "start: %%json %.*s", TEXT_ARG(*shape)), err);
}

static void answer(struct json_object *question, struct arena *arena)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out, false);
    struct error err = {0};
    struct text shape = {0};
    struct json_object *id = NULL, *texts = NULL, *samples = NULL;
    json_object_object_get_ex(question, "id", &id);
    json_object_object_get_ex(question, "texts", &texts);
    json_object_object_get_ex(question, "samples", &samples);
    asked = json_object_get_string(id);
    int64_t began = now_us();
    struct grammar *grammar = compile(question, arena, &shape, &err);
    double ms = (double)(now_us() - began) / 1000;
    json_begin(&w, '{');
    json_key(&w, "id");
    json_text(&w, tree_text(id));
    json_key(&w, "ms");
    json_number(&w, ms);
    if (shape.at) {
        json_key(&w, "shape");
        json_raw(&w, shape);
    }
    if (grammar) {
        write_held(grammar, texts, &w);
        write_samples(grammar, json_object_get_int(samples), &w);
        constrain_release(constrain, grammar);
    } else {
        json_key(&w, "error");
        json_text(&w, text_of(err.message));
        json_key(&w, "field");
        json_text(&w, text_of(err.field));
    }
    json_end(&w, '}');
    printf("%s\n", out.at);
    fflush(stdout);
    buf_free(&out);
}

int main(int argc, char **argv)
{
    struct llm_options options = {.path = argc > 1 ? argv[1] : "", .only_vocab = true};
    struct error err = {0};
    struct arena *arena = arena_open();
    llm = llm_open(&options, &err);
    if (!llm) {
        fprintf(stderr, "hold: %s\n", err.message);
        return 1;
    }
    read_words(arena);
    constrain = constrain_open(llm);
    int64_t began = now_us();
    constrain_release(constrain,
                      constrain_grammar(constrain, TEXT("start: \"a\""), &err));
    double ms = (double)(now_us() - began) / 1000;
    char *line = NULL;
    size_t room = 0;
    for (ssize_t len; (len = getline(&line, &room, stdin)) > 0;) {
        struct arena *own = arena_open();
        struct json_object *question =
            json_parse(own, (struct text){line, (size_t)len}, &err);
        if (question)
            answer(question, own);
        else
            printf("{\"error\": \"no question\"}\n");
        arena_close(own);
    }
    printf("{\"vocabulary_ms\": %.1f, \"masks\": [%s]}\n", ms, buf_view(&times).at);
    free(line);
    buf_free(&times);
    constrain_close(constrain);
    llm_close(llm);
    arena_close(arena);
    return 0;
}
