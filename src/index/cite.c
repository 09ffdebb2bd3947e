/* cite.c - sentences against passages. */
#include "index/cite.h"
#include "base/buf.h"
#include "index/chunk.h"
#include "index/terms.h"
#include <stdlib.h>

enum {
    SENTENCES_MOST = 512, /* of the answer, and of all passages together */
    WORDS_MOST = 200,     /* of a sentence that are looked at */
    FEWEST_WORDS = 3,     /* with fewer that mean something a sentence says nothing */
};

/* How much of the score is the cosine's when there is one; what is enough; and how near
 * to a sentence's best source another one must be to stand beside it. With the default
 * embedding model, 11 sentences of ours that passages say in other words score 0.66 to
 * 0.93, and 13 that they do not, half of them about the same things, 0.05 to 0.52. */
#define COSINE_PART 0.5
#define ENOUGH 0.55
#define BESIDE 0.85

struct sentence {
    struct text text;
    int passage;         /* of a passage's; of the answer's -1 */
    const float *vector; /* NULL: none */
};

struct word_set {
    uint64_t *hashes; /* sorted */
    size_t n;
};

struct cite {
    const struct passage *passages;
    int n_passages;
    struct arena *arena;
    struct sentence *sentences; /* the answer's, then the passages' */
    int n_own, n;
    struct word_set *words; /* of each passage */
    int n_dims;
};

/* ---- words ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Letters' case does not count, nor an s at the end. */
static uint64_t hash_of(struct text word)
{
    uint64_t hash = TEXT_HASH;
    if (word.len > 3 && (word.at[word.len - 1] | 0x20) == 's')
        word.len--;
    for (size_t i = 0; i < word.len; i++) {
        char c = word.at[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        hash = text_hash(hash, (struct text){&c, 1});
    }
    return hash;
}

static bool has_digit(struct text word)
{
    for (size_t i = 0; i < word.len; i++)
        if (is_digit(word.at[i]))
            return true;
    return false;
}

/* Short words are mostly those that every sentence has; numbers are never idle. */
static bool means_something(struct text word)
{
    static const char *const idle[] = {
        "that",  "this", "with", "from",  "have", "been", "were", "which", "their",
        "there", "also", "they", "about", "into", "than", "then", "such",  "these"};
    if (word.len < 4)
        return has_digit(word);
    for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++)
        if (text_is_nocase(word, idle[i]))
            return false;
    return true;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static struct word_set words_of(struct text text, struct arena *arena)
{
    struct buf hashes = {0};
    size_t at = 0;
    for (struct text word; (word = terms_next(text, &at)).at;) {
        uint64_t hash = hash_of(word);
        buf_add(&hashes, &hash, sizeof hash);
    }
    struct word_set set = {arena_alloc(arena, hashes.len + 1),
                           hashes.len / sizeof(uint64_t)};
    if (hashes.len)
        memcpy(set.hashes, hashes.at, hashes.len);
    buf_free(&hashes);
    qsort(set.hashes, set.n, sizeof *set.hashes, by_value);
    return set;
}

static bool has_word(const struct word_set *set, struct text word)
{
    uint64_t hash = hash_of(word);
    return bsearch(&hash, set->hashes, set->n, sizeof hash, by_value) != NULL;
}

/* The share of the sentence's words that the passage has; *numbers: whether it has all of
 * its numbers. Negative: the sentence says too little. */
static double overlap_of(struct text sentence, const struct word_set *passage,
                         bool *numbers)
{
    int n = 0, n_shared = 0;
    size_t at = 0;
    *numbers = true;
    for (struct text word; n < WORDS_MOST && (word = terms_next(sentence, &at)).at;) {
        if (!means_something(word))
            continue;
        bool shared = has_word(passage, word);
        n++;
        n_shared += shared;
        if (!shared && has_digit(word))
            *numbers = false;
    }
    return n >= FEWEST_WORDS ? (double)n_shared / n : -1;
}

/* ---- sentences ---- */

static void add_sentences(struct cite *c, struct text text, int passage)
{
    size_t n;
    struct text *found = chunk_sentences(text, c->arena, &n);
    for (size_t i = 0; i < n && c->n < 2 * SENTENCES_MOST; i++)
        if (passage < 0 || c->n - c->n_own < SENTENCES_MOST)
            c->sentences[c->n++] = (struct sentence){found[i], passage, NULL};
    if (passage < 0) {
        c->n = c->n < SENTENCES_MOST ? c->n : SENTENCES_MOST;
        c->n_own = c->n;
    }
}

static bool embed(struct cite *c, struct embedder *embedder, struct error *err)
{
    struct embed_text texts[INDEX_EMBED_MOST];
    for (int at = 0; at < c->n; at += INDEX_EMBED_MOST) {
        int n = c->n - at < INDEX_EMBED_MOST ? c->n - at : INDEX_EMBED_MOST;
        float *vectors;
        for (int i = 0; i < n; i++)
            texts[i] = (struct embed_text){.text = c->sentences[at + i].text,
                                           .task = EMBED_SIMILARITY};
        if (!index_embed(embedder, texts, n, c->arena, &vectors, &c->n_dims, err))
            return false;
        for (int i = 0; i < n; i++)
            c->sentences[at + i].vector = vectors + (size_t)i * (size_t)c->n_dims;
    }
    return true;
}

static double product(const float *a, const float *b, int n)
{
    float sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return (double)sum;
}

/* With the nearest sentence of the passage; -1: there are no vectors. */
static double cosine_of(const struct cite *c, const struct sentence *own, int passage)
{
    double best = -1;
    for (int i = c->n_own; own->vector && i < c->n; i++) {
        if (c->sentences[i].passage != passage)
            continue;
        double cosine = product(own->vector, c->sentences[i].vector, c->n_dims);
        best = cosine > best ? cosine : best;
    }
    return best;
}

/* ---- scores ---- */

static double score_of(const struct cite *c, const struct sentence *own, int passage)
{
    bool numbers;
    double overlap = overlap_of(own->text, &c->words[passage], &numbers);
    double cosine = cosine_of(c, own, passage);
    if (overlap < 0)
        return 0;
    double score = overlap;
    if (cosine > -1)
        score = COSINE_PART * (cosine > 0 ? cosine : 0) + (1 - COSINE_PART) * overlap;
    score = score > 1 ? 1 : score;
    return numbers ? score : score / 2;
}

static void put_source(struct citation *citation, int passage, double score)
{
    int at = citation->n;
    while (at > 0 && citation->confidence[at - 1] < score)
        at--;
    if (at == CITE_SOURCES)
        return;
    int last = citation->n < CITE_SOURCES ? citation->n++ : CITE_SOURCES - 1;
    for (int i = last; i > at; i--) {
        citation->passages[i] = citation->passages[i - 1];
        citation->confidence[i] = citation->confidence[i - 1];
    }
    citation->passages[at] = passage;
    citation->confidence[at] = score;
}

static void cite_one(const struct cite *c, const struct sentence *own,
                     struct citation *citation)
{
    for (int i = 0; i < c->n_passages; i++) {
        double score = score_of(c, own, i);
        if (score >= ENOUGH)
            put_source(citation, i, score);
    }
    while (citation->n > 1 &&
           citation->confidence[citation->n - 1] < BESIDE * citation->confidence[0])
        citation->n--;
}

bool cite_find(struct text answer, const struct passage *passages, int n,
               struct embedder *embedder, struct arena *arena,
               struct citation **citations, int *n_citations, struct error *err)
{
    struct cite c = {.passages = passages, .n_passages = n, .arena = arena};
    *n_citations = 0;
    *citations = NULL;
    if (n == 0 || answer.len > CITE_ANSWER_MOST || !text_is_utf8(answer))
        return true;
    c.sentences = arena_array(arena, struct sentence, (size_t)SENTENCES_MOST * 2);
    c.words = arena_array(arena, struct word_set, (size_t)n);
    add_sentences(&c, answer, -1);
    for (int i = 0; i < n; i++) {
        c.words[i] = words_of(passages[i].text, arena);
        add_sentences(&c, passages[i].text, i);
    }
    if (embedder && c.n_own > 0 && !embed(&c, embedder, err))
        return false;
    *citations = arena_array(arena, struct citation, (size_t)c.n_own + 1);
    for (int i = 0; i < c.n_own; i++) {
        struct text own = c.sentences[i].text;
        struct citation *citation = &(*citations)[*n_citations];
        *citation = (struct citation){.from = (size_t)(own.at - answer.at),
                                      .to = (size_t)(own.at - answer.at) + own.len};
        cite_one(&c, &c.sentences[i], citation);
        *n_citations += citation->n > 0;
    }
    return true;
}
