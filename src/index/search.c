/* search.c - two rankings of passages, and what they have in common.
 *
 * Words find names, numbers and rare terms that vectors blur; vectors find what is said
 * in other words. Their scores cannot be compared, their ranks can: reciprocal rank
 * fusion gives a passage 1 / (K + rank) from each ranking that has it, and the sum
 * decides. Each ranking is DEPTH long. A passage that only the vectors found must have a
 * cosine of NEAR_ENOUGH, for in a small store everything is among the nearest. */
#include "base/buf.h"
#include "index/filter.h"
#include "index/inside.h"
#include "index/terms.h"
#include <stdlib.h>

enum { DEPTH = 100, K = 60, QUERY_WORDS = 64 };
#define NEAR_ENOUGH 0.2

struct found {
    int64_t passage;
    double score, similarity;
    bool has_words;
};

struct search {
    struct index *index;
    const struct index_query *query;
    struct arena *arena;
    struct filter *filter;
    float *vector;
    int n_dims;
    bool *allowed; /* of each held document */
    struct hit hits[DEPTH];
    int n_hits;
    struct found found[2 * DEPTH];
    int n_found;
};

/* ---- the words of the query ---- */

/* Words that stand in every text: they cost time and say nothing. */
static bool is_common(struct text word)
{
    static const char *const common[] = {
        "a",     "an",    "and",   "are",  "as",   "at",   "be",   "by",   "can",
        "did",   "do",    "does",  "for",  "from", "has",  "have", "how",  "i",
        "in",    "is",    "it",    "its",  "me",   "my",   "of",   "on",   "or",
        "that",  "the",   "their", "this", "to",   "was",  "were", "what", "when",
        "where", "which", "who",   "why",  "will", "with", "you"};
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        if (text_is_nocase(word, common[i]))
            return true;
    return false;
}

static int add_words(struct text query, bool common, struct buf *match)
{
    size_t at = 0;
    int n = 0;
    for (struct text word; n < QUERY_WORDS && (word = terms_next(query, &at)).at;)
        if (common || !is_common(word))
            buf_printf(match, "%s\"%.*s\"", n++ ? " OR " : "", TEXT_ARG(word));
    return n;
}

/* FTS5's own language; each word in quotes, so that nothing of the query is an operator.
 */
static struct text match_of(struct text query, struct arena *arena)
{
    struct buf match = {0};
    if (add_words(query, false, &match) == 0)
        add_words(query, true, &match);
    struct text text = match.len ? arena_text(arena, buf_view(&match)) : (struct text){0};
    buf_free(&match);
    return text;
}

/* ---- which documents ---- */

static bool check_stores(struct search *s, struct error *err)
{
    static const char ask[] = "SELECT COUNT(*) FROM search_stores WHERE id = ?";
    for (int i = 0; i < s->query->n_stores; i++) {
        struct text id = index_plain_id(s->query->stores[i]);
        int64_t n = 0;
        if (!store_number(s->index->store, ask, STORE_VALUES(STORE_TEXT(id)), 0, &n, err))
            return false;
        if (n == 0)
            return error_set(err, ERROR_NOT_FOUND, "fileSearchStores/%.*s is not found.",
                             TEXT_ARG(text_slice(id, 0, 100)));
    }
    return true;
}

static bool is_asked(const struct search *s, const struct held *held)
{
    for (int i = 0; i < s->query->n_stores; i++)
        if (text_same(held->store, index_plain_id(s->query->stores[i])))
            return filter_fits(s->filter, held->meta);
    return false;
}

static int allow(struct search *s)
{
    const struct vectors *v = &s->index->vectors;
    int n = 0;
    s->allowed = arena_array(s->arena, bool, (size_t)v->n + 1);
    for (int i = 0; i < v->n; i++)
        n += s->allowed[i] = is_asked(s, &v->at[i]);
    return n;
}

/* ---- the two rankings ---- */

static struct found *find(struct search *s, int64_t passage)
{
    for (int i = 0; i < s->n_found; i++)
        if (s->found[i].passage == passage)
            return &s->found[i];
    s->found[s->n_found] = (struct found){.passage = passage};
    return &s->found[s->n_found++];
}

static void rank_vectors(struct search *s)
{
    s->n_hits = vectors_nearest(&s->index->vectors, s->vector, s->n_dims, s->allowed,
                                s->hits, DEPTH);
    for (int i = 0; i < s->n_hits; i++) {
        struct found *found = find(s, s->hits[i].passage);
        found->similarity = (double)s->hits[i].score;
        found->score += 1.0 / (K + i + 1);
    }
}

static bool rank_words(struct search *s, struct error *err)
{
    /* A word in the title counts twice. */
    static const char ask[] = "SELECT rowid FROM search_words WHERE search_words MATCH ? "
                              "ORDER BY bm25(search_words, 2.0, 1.0), rowid";
    struct text match = match_of(s->query->text, s->arena);
    if (!match.len)
        return true;
    struct rows *rows =
        store_ask(s->index->store, ask, STORE_VALUES(STORE_TEXT(match)), err);
    int rank = 0;
    while (rows && rank < DEPTH && store_next(rows, err)) {
        int64_t passage = store_int(rows, 0);
        int document = vectors_find(&s->index->vectors, passage);
        if (document < 0 || !s->allowed[document])
            continue;
        struct found *found = find(s, passage);
        found->has_words = true;
        found->score += 1.0 / (K + ++rank);
    }
    bool good = rows && (rank == DEPTH || err->code == ERROR_OK);
    store_done(rows);
    return good;
}

/* Those that only words found have a cosine, too. */
static void fill_similarity(struct search *s)
{
    const struct vectors *v = &s->index->vectors;
    for (int i = 0; i < s->n_found; i++) {
        struct found *found = &s->found[i];
        int document = vectors_find(v, found->passage);
        if (found->similarity != 0 || document < 0 || v->at[document].n_dims != s->n_dims)
            continue;
        const float *at =
            v->at[document].at +
            (size_t)(found->passage - v->at[document].first) * (size_t)s->n_dims;
        for (int k = 0; k < s->n_dims; k++)
            found->similarity += (double)at[k] * (double)s->vector[k];
    }
}

static int best_first(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->passage > y->passage ? 1 : -1;
}

static void join(struct search *s)
{
    int n = 0;
    for (int i = 0; i < s->n_found; i++)
        if (s->found[i].has_words || s->found[i].similarity >= NEAR_ENOUGH)
            s->found[n++] = s->found[i];
    s->n_found = n;
    qsort(s->found, (size_t)n, sizeof s->found[0], best_first);
}

/* ---- what is found ---- */

static bool read_passage(struct search *s, const struct found *found,
                         struct passage *passage, struct error *err)
{
    static const char ask[] =
        "SELECT d.store, d.id, d.display_name, d.uri, p.text, d.metadata "
        "FROM search_passages p JOIN search_documents d ON d.number = p.document "
        "WHERE p.number = ?";
    struct rows *rows =
        store_ask(s->index->store, ask, STORE_VALUES(STORE_INT(found->passage)), err);
    bool is_there = rows && store_next(rows, err);
    if (is_there) {
        *passage = (struct passage){
            .store = store_text(rows, 0, s->arena),
            .document = store_text(rows, 1, s->arena),
            .title = store_text(rows, 2, s->arena),
            .uri = store_text(rows, 3, s->arena),
            .text = store_text(rows, 4, s->arena),
            .metadata = store_text(rows, 5, s->arena),
            .score = found->score * (K + 1) / 2,
            .similarity = found->similarity,
        };
        if (!passage->title.len)
            passage->title = passage->document;
        if (!passage->uri.len)
            passage->uri =
                arena_printf(s->arena, "fileSearchStores/%.*s/documents/%.*s",
                             TEXT_ARG(passage->store), TEXT_ARG(passage->document));
    }
    store_done(rows);
    return is_there;
}

static bool read_passages(struct search *s, struct passage *passages, int most, int *n,
                          struct error *err)
{
    err->code = ERROR_OK;
    for (int i = 0; i < s->n_found && *n < most; i++)
        if (read_passage(s, &s->found[i], &passages[*n], err))
            ++*n;
        else if (err->code != ERROR_OK)
            return false;
    return true;
}

/* The vectors are held for reading all the while, so that a passage's document is the
 * one that it was found in. */
static bool look(struct search *s, struct passage *passages, int most, int *n,
                 struct error *err)
{
    pthread_rwlock_rdlock(&s->index->reading);
    bool any = allow(s) > 0;
    if (any && s->vector)
        rank_vectors(s);
    bool good = store_begin(s->index->store, err);
    if (good) {
        good = check_stores(s, err) && (!any || rank_words(s, err));
        if (good && any) {
            if (s->vector)
                fill_similarity(s);
            join(s);
            good = read_passages(s, passages, most, n, err);
        }
        good = store_end(s->index->store, good, err);
    }
    pthread_rwlock_unlock(&s->index->reading);
    return good;
}

static bool check_query(const struct index_query *query, struct error *err)
{
    if (query->text.len == 0 || query->text.len > INDEX_QUERY_MOST)
        return error_at(err, "query", "The query must have 1 to %d bytes.",
                        INDEX_QUERY_MOST);
    if (query->n_stores < 1)
        return error_at(err, "file_search_store_names",
                        "A search needs at least one file search store.");
    return (query->top >= 0 && query->top <= INDEX_TOP_MOST) ||
           error_at(err, "top_k", "topK must be from 1 to %d.", INDEX_TOP_MOST);
}

static bool is_empty(struct index *index)
{
    pthread_rwlock_rdlock(&index->reading);
    bool empty = index->vectors.n == 0;
    pthread_rwlock_unlock(&index->reading);
    return empty;
}

bool index_search(struct index *index, const struct index_query *query,
                  struct arena *arena, struct passage **passages, int *n,
                  struct error *err)
{
    struct search *s = arena_new(arena, struct search);
    *s = (struct search){.index = index, .query = query, .arena = arena};
    int most = query->top ? query->top : INDEX_TOP;
    *n = 0;
    if (!check_query(query, err))
        return false;
    if (query->filter.len && !(s->filter = filter_parse(query->filter, arena, err)))
        return false;
    const struct embed_text text = {.text = query->text, .task = EMBED_QUERY};
    if (!is_empty(index) && !index_embed(index->options.embedder, &text, 1, arena,
                                         &s->vector, &s->n_dims, err))
        return false;
    *passages = arena_array(arena, struct passage, (size_t)most);
    return look(s, *passages, most, n, err);
}
