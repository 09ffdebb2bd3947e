/* grounding.c - what an answer rests on: found, and written straight as groundingMetadata
 * and annotations. */
#include "api/grounding.h"
#include "base/log.h"
#include "index/metadata.h"
#include "tools/search.h"

static void key_text(struct json_writer *w, const char *key, struct text value)
{
    json_key(w, key);
    json_text(w, value);
}

static void key_int(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, key);
    json_int(w, value);
}

/* Three digits say all that there is to know. */
static double rounded(double confidence)
{
    return (double)(int)(confidence * 1000 + 0.5) / 1000;
}

/* ---- the entry point ---- */

/* sdkBlob is a list of pairs, query and address, in base64. */
static void write_blob(struct json_writer *w, const struct grounding *g)
{
    struct buf blob = {0};
    struct json_writer inner = json_writer(&blob, false);
    json_begin(&inner, '[');
    for (int i = 0; i < g->n_queries; i++) {
        json_begin(&inner, '[');
        json_text(&inner, g->queries[i]);
        json_text(&inner, g->n_passages ? g->passages[0].uri : TEXT(""));
        json_end(&inner, ']');
    }
    json_end(&inner, ']');
    json_key(w, "sdkBlob");
    json_base64(w, buf_view(&blob));
    buf_free(&blob);
}

static void write_entry_point(struct json_writer *w, const struct grounding *g)
{
    struct buf html = {0};
    search_suggestions(g->queries, g->n_queries, &html);
    json_key(w, "searchEntryPoint");
    json_begin(w, '{');
    key_text(w, "renderedContent", buf_view(&html));
    write_blob(w, g);
    json_end(w, '}');
    buf_free(&html);
}

/* ---- chunks ---- */

/* Of metadata as they are kept; NULL as its beginning: there are none. */
static struct json_list entries_of(struct text json, struct arena *arena)
{
    struct metadata metadata;
    struct error ignored;
    bool good = json.len && json_read(&metadata_type, json, &metadata, arena, &ignored);
    return good ? metadata.entries : (struct json_list){NULL, 0};
}

/* The metadata is JSON in the wire's own form; what is wanted of it is the list. */
static void write_metadata(struct json_writer *w, const char *key, struct text json)
{
    struct arena *arena = arena_open();
    struct json_list list = entries_of(json, arena);
    const struct metadata_entry *entries = list.at;
    if (entries) {
        json_key(w, key);
        json_begin(w, '[');
        for (size_t i = 0; i < list.n; i++) {
            struct buf entry = {0};
            json_encode(&metadata_entry_type, &entries[i], false, &entry);
            json_raw(w, buf_view(&entry));
            buf_free(&entry);
        }
        json_end(w, ']');
    }
    arena_close(arena);
}

static void write_store_name(struct json_writer *w, const char *key, struct text store)
{
    struct buf name = {0};
    buf_printf(&name, "fileSearchStores/%.*s", TEXT_ARG(store));
    key_text(w, key, buf_view(&name));
    buf_free(&name);
}

static void write_chunk(struct json_writer *w, const struct passage *passage)
{
    bool web = !passage->store.len;
    json_begin(w, '{');
    json_key(w, web ? "web" : "retrievedContext");
    json_begin(w, '{');
    key_text(w, "uri", passage->uri);
    key_text(w, "title", passage->title);
    if (!web) {
        key_text(w, "text", passage->text);
        write_store_name(w, "fileSearchStore", passage->store);
        write_metadata(w, "customMetadata", passage->metadata);
    }
    json_end(w, '}');
    json_end(w, '}');
}

/* ---- supports ---- */

static void write_segment(struct json_writer *w, const struct grounding *g,
                          const struct citation *citation)
{
    json_key(w, "segment");
    json_begin(w, '{');
    if (g->part)
        key_int(w, "partIndex", g->part);
    key_int(w, "startIndex", (int64_t)citation->from);
    key_int(w, "endIndex", (int64_t)citation->to);
    key_text(w, "text", text_slice(g->answer, citation->from, citation->to));
    json_end(w, '}');
}

static void write_support(struct json_writer *w, const struct grounding *g,
                          const struct citation *citation)
{
    json_begin(w, '{');
    write_segment(w, g, citation);
    json_key(w, "groundingChunkIndices");
    json_begin(w, '[');
    for (int i = 0; i < citation->n; i++)
        json_int(w, citation->passages[i]);
    json_end(w, ']');
    json_key(w, "confidenceScores");
    json_begin(w, '[');
    for (int i = 0; i < citation->n; i++)
        json_number(w, rounded(citation->confidence[i]));
    json_end(w, ']');
    json_end(w, '}');
}

void grounding_write(struct json_writer *w, const struct grounding *g)
{
    json_begin(w, '{');
    if (g->n_queries) {
        json_key(w, "webSearchQueries");
        json_begin(w, '[');
        for (int i = 0; i < g->n_queries; i++)
            json_text(w, g->queries[i]);
        json_end(w, ']');
        write_entry_point(w, g);
    }
    if (g->n_passages) {
        json_key(w, "groundingChunks");
        json_begin(w, '[');
        for (int i = 0; i < g->n_passages; i++)
            write_chunk(w, &g->passages[i]);
        json_end(w, ']');
    }
    if (g->n_citations) {
        json_key(w, "groundingSupports");
        json_begin(w, '[');
        for (int i = 0; i < g->n_citations; i++)
            write_support(w, g, &g->citations[i]);
        json_end(w, ']');
    }
    json_end(w, '}');
}

/* ---- annotations ---- */

static void write_value(struct json_writer *w, const struct metadata_entry *entry)
{
    const struct text *texts = entry->strings ? entry->strings->values.at : NULL;
    if (entry->number.set) {
        json_number(w, entry->number.is);
    } else if (!entry->strings) {
        json_text(w, entry->string);
    } else {
        json_begin(w, '[');
        for (size_t i = 0; i < entry->strings->values.n; i++)
            json_text(w, texts[i]);
        json_end(w, ']');
    }
}

/* The same metadata as one object: values under their keys. */
static void write_values(struct json_writer *w, const char *key, struct text json)
{
    struct arena *arena = arena_open();
    struct json_list list = entries_of(json, arena);
    const struct metadata_entry *entries = list.at;
    if (entries) {
        json_key(w, key);
        json_begin(w, '{');
        for (size_t i = 0; i < list.n; i++) {
            json_key(w, arena_text(arena, entries[i].key).at);
            write_value(w, &entries[i]);
        }
        json_end(w, '}');
    }
    arena_close(arena);
}

static void write_annotation(struct json_writer *w, const struct citation *citation,
                             const struct passage *passage)
{
    bool web = !passage->store.len;
    json_begin(w, '{');
    key_text(w, "type", web ? TEXT("url_citation") : TEXT("file_citation"));
    key_text(w, web ? "url" : "document_uri", passage->uri);
    key_text(w, web ? "title" : "file_name", passage->title);
    if (!web) {
        write_store_name(w, "source", passage->store);
        write_values(w, "custom_metadata", passage->metadata);
    }
    key_int(w, "start_index", (int64_t)citation->from);
    key_int(w, "end_index", (int64_t)citation->to);
    json_end(w, '}');
}

void grounding_annotations(struct json_writer *w, const struct grounding *g)
{
    json_begin(w, '[');
    for (int i = 0; i < g->n_citations; i++)
        for (int k = 0; k < g->citations[i].n; k++)
            write_annotation(w, &g->citations[i],
                             &g->passages[g->citations[i].passages[k]]);
    json_end(w, ']');
}

/* ---- finding ---- */

static bool is_known(const struct text *list, int n, struct text one)
{
    for (int i = 0; i < n; i++)
        if (text_same(list[i], one))
            return true;
    return false;
}

/* All sources behind one another; what was found twice, once. */
static void collect(const struct tool_sources *const *sources, int n, struct arena *arena,
                    struct grounding *g, struct passage **passages)
{
    size_t n_queries = 0, n_passages = 0;
    for (int i = 0; i < n; i++) {
        n_queries += (size_t)sources[i]->n_queries;
        n_passages += (size_t)sources[i]->n_passages;
    }
    struct text *queries = arena_array(arena, struct text, n_queries + 1);
    *passages = arena_array(arena, struct passage, n_passages + 1);
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < sources[i]->n_queries; k++)
            if (!is_known(queries, g->n_queries, sources[i]->queries[k]))
                queries[g->n_queries++] = sources[i]->queries[k];
        for (int k = 0; k < sources[i]->n_passages; k++)
            (*passages)[g->n_passages++] = sources[i]->passages[k];
    }
    g->queries = queries;
}

/* A page of the web is one chunk, whatever of it was found. */
static bool are_one(const struct passage *a, const struct passage *b)
{
    return text_same(a->uri, b->uri) && text_same(a->store, b->store) &&
           (!a->store.len || text_same(a->text, b->text));
}

/* One chunk for each; `to` says where each passage has gone. */
static int join(struct passage *passages, int n, int *to)
{
    int n_joined = 0;
    for (int i = 0; i < n; i++) {
        int k = 0;
        while (k < n_joined && !are_one(&passages[k], &passages[i]))
            k++;
        to[i] = k;
        if (k == n_joined)
            passages[n_joined++] = passages[i];
    }
    return n_joined;
}

/* Best first: what a source supports best counts. */
static void point_at_joined(struct citation *citation, const int *to)
{
    int n = 0;
    for (int i = 0; i < citation->n; i++) {
        int chunk = to[citation->passages[i]], k = 0;
        while (k < n && citation->passages[k] != chunk)
            k++;
        if (k < n)
            continue;
        citation->passages[n] = chunk;
        citation->confidence[n++] = citation->confidence[i];
    }
    citation->n = n;
}

const struct grounding *grounding_find(const struct toolbox *box, struct text words,
                                       const struct tool_sources *const *sources, int n,
                                       struct arena *arena)
{
    struct error err;
    struct grounding *g = arena_new(arena, struct grounding);
    struct passage *passages;
    struct citation *citations = NULL;
    collect(sources, n, arena, g, &passages);
    g->answer = arena_text(arena, words);
    if (!cite_find(g->answer, passages, g->n_passages, box->embedder, arena, &citations,
                   &g->n_citations, &err)) {
        log_line(LOG_WARN, "cite", "by=words why=\"%s\"", err.message);
        cite_find(g->answer, passages, g->n_passages, NULL, arena, &citations,
                  &g->n_citations, &err); /* which cannot fail */
    }
    int *to = arena_array(arena, int, (size_t)g->n_passages + 1);
    g->n_passages = join(passages, g->n_passages, to);
    for (int i = 0; i < g->n_citations; i++)
        point_at_joined(&citations[i], to);
    g->passages = passages;
    g->citations = citations;
    return g->n_passages || g->n_queries ? g : NULL;
}
