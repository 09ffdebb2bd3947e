/* embedding.c - waits for vectors, and makes one of a text that is too long for the
 * model.
 *
 * How many tokens a text has only the model knows, and it says so by refusing. So a text
 * that is refused is cut in two at a space, and again; its vector is the mean of its
 * pieces', each weighed by its bytes. */
#include "index/index.h"
#include <math.h>
#include <stdlib.h>

enum { PIECES_MOST = 256, SHORTEST = 16 /* bytes of a piece that is cut */ };

struct piece {
    struct text text;
    int of; /* which of the texts */
};

struct pieces {
    struct piece at[PIECES_MOST];
    int n;
};

/* Near the middle, on a character, at a space if there is one in the second half. */
static size_t middle_of(struct text text)
{
    size_t half = text.len / 2;
    for (size_t i = half; i < text.len - 1; i++)
        if (text.at[i] == ' ' || text.at[i] == '\n')
            return i;
    while (half > 0 && ((unsigned char)text.at[half] & 0xc0) == 0x80)
        half--;
    return half;
}

static bool is_blank(struct text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr(" \t\r\n\f\v", text.at[i]) || !text.at[i])
            return false;
    return true;
}

/* False: it cannot be cut any more. */
static bool halve(struct pieces *pieces, int which)
{
    struct piece *piece = &pieces->at[which];
    if (piece->text.len < SHORTEST || pieces->n == PIECES_MOST)
        return false;
    size_t middle = middle_of(piece->text);
    struct text rest = text_slice(piece->text, middle, piece->text.len);
    if (middle == 0 || rest.len == 0)
        return false;
    piece->text.len = middle;
    if (is_blank(piece->text))
        piece->text = rest;
    else if (!is_blank(rest))
        pieces->at[pieces->n++] = (struct piece){rest, piece->of};
    return true;
}

static struct embed_event *ask(struct embedder *embedder, const struct embed_text *texts,
                               int n, struct error *err)
{
    struct queue *to = queue_open();
    struct embed_job *job = embed_submit(embedder, texts, n, to, NULL, err);
    struct embed_event *event = job ? (struct embed_event *)queue_wait(to, -1) : NULL;
    if (job)
        embed_release(job);
    queue_close(to);
    return event;
}

static void add(float *to, const struct embed_vector *vector, size_t weight)
{
    for (int i = 0; i < vector->n_dims; i++)
        to[i] += vector->at[i] * (float)weight;
}

static void settle(float *vector, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)vector[i] * (double)vector[i];
    float scale = sum > 0 ? (float)(1 / sqrt(sum)) : 0;
    for (int i = 0; i < n; i++)
        vector[i] *= scale;
}

static float *join(const struct embed_event *event, const struct pieces *pieces, int n,
                   struct arena *arena)
{
    size_t n_dims = (size_t)event->vectors[0].n_dims;
    float *vectors = arena_array(arena, float, (size_t)n *n_dims);
    for (int i = 0; i < pieces->n; i++)
        add(vectors + (size_t)pieces->at[i].of * n_dims, &event->vectors[i],
            pieces->at[i].text.len);
    for (int i = 0; i < n; i++)
        settle(vectors + (size_t)i * n_dims, (int)n_dims);
    return vectors;
}

bool index_embed(struct embedder *embedder, const struct embed_text *texts, int n,
                 struct arena *arena, float **vectors, int *n_dims, struct error *err)
{
    struct pieces pieces = {.n = n};
    for (int i = 0; i < n; i++)
        pieces.at[i] = (struct piece){texts[i].text, i};
    for (;;) {
        struct embed_text asked[PIECES_MOST];
        for (int i = 0; i < pieces.n; i++) {
            asked[i] = texts[pieces.at[i].of];
            asked[i].text = pieces.at[i].text;
        }
        struct embed_event *event = ask(embedder, asked, pieces.n, err);
        if (!event)
            return false;
        bool good = event->error.code == ERROR_OK;
        int at_fault = event->at_fault;
        if (good) {
            *n_dims = event->vectors[0].n_dims;
            *vectors = join(event, &pieces, n, arena);
        } else {
            *err = event->error;
        }
        free(event);
        if (good || err->code != ERROR_INVALID_ARGUMENT || at_fault < 0 ||
            !halve(&pieces, at_fault))
            return good;
    }
}
