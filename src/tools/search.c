/* search.c - the tool google_search. */
#include "tools/search.h"
#include "base/log.h"
#include "base/loop.h"
#include "json/tree.h"
#include <stdlib.h>

enum {
    MOST_QUERIES = 4,
    MOST_QUERY = 400, /* bytes */
    MOST_PASSAGES = 6,
    MOST_WORDS = TOOL_MOST_SAID - 200,
};

static const char description[] =
    "Searches the web, or the documents that take its place here, and returns the "
    "passages that say most about the queries. Of use for facts, news, names, numbers "
    "and dates, and for whatever may have changed or must be right.\n\n"
    "A query is a few words. One query is enough for one question.";

static const char parameters[] =
    "{\"type\":\"object\",\"properties\":{\"queries\":{\"type\":\"array\",\"items\":"
    "{\"type\":\"string\"},\"minItems\":1,\"maxItems\":2,\"description\":\"What to look "
    "for.\"}},\"required\":[\"queries\"],\"additionalProperties\":false}";

struct search_tool {
    struct tool tool;
    const struct provider *provider;
};

static bool ready(const struct tool *tool, struct error *err)
{
    const struct search_tool *search = tool->own;
    return provider_ready(search->provider, err);
}

/* ---- what a request says ---- */

struct wish {
    struct json_object *types;
};

/* clang-format off */
static const struct json_field wish_fields[] = {
    {"searchTypes",     JSON_ANY, offsetof(struct wish, types), 0, 0, 0, NULL, "[web_search], or {webSearch: {}}"},
    {"timeRangeFilter", JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "a range of time"},
    {"excludeDomains",  JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "domains that are left out"},
    {"blockingConfidence", JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "blocking by confidence"},
    {"dynamicRetrievalConfig", JSON_ANY, 0, JSON_IGNORED, 0, 0, NULL, "the model says whether it searches"},
    {0},
};
/* clang-format on */
static const struct json_type wish_type = {"GoogleSearch", sizeof(struct wish),
                                           wish_fields, false};

static bool is_web(struct text type)
{
    return text_is(type, "web_search") || text_is(type, "webSearch");
}

/* A list of names in one dialect, an object with a member for each in the other. */
static bool only_web(struct json_object *types)
{
    bool list = json_object_is_type(types, json_type_array);
    bool web = !types || list || json_object_is_type(types, json_type_object);
    for (size_t i = 0; list && web && i < json_object_array_length(types); i++)
        web = is_web(tree_text(json_object_array_get_idx(types, i)));
    for (struct lh_entry *e = list ? NULL : tree_first(types); e && web; e = e->next)
        web = is_web(text_of(tree_key(e)));
    return web;
}

static bool accept(const struct tool *tool, struct json_object *from, const char *where,
                   struct arena *arena, const void **settings, struct error *err)
{
    struct wish wish = {0};
    const char *path = arena_printf(arena, "%s.search_types", where).at;
    (void)tool;
    *settings = NULL;
    if (from && !json_decode_at(&wish_type, from, where, &wish, arena, err))
        return false;
    return only_web(wish.types) ||
           error_at(err, path,
                    "'%s' is not supported by Pollux here: it searches the web alone, "
                    "web_search",
                    path);
}

/* Before there is a prompt: a search that cannot find anything is an error at once. */
static bool look(const struct tool *tool, const struct tool_call *call,
                 const struct tool **tools, int *n, struct error *err)
{
    const struct search_tool *search = tool->own;
    struct tool *opened = arena_new(call->arena, struct tool);
    if (!provider_look(search->provider, call->arena, err))
        return false;
    *opened = *tool;
    opened->open = NULL;
    *tools = opened;
    *n = 1;
    return true;
}

/* ---- what is told ---- */

static void add_escaped(struct buf *html, struct text text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.at[i]) {
        case '<':
            buf_str(html, "&lt;");
            break;
        case '>':
            buf_str(html, "&gt;");
            break;
        case '&':
            buf_str(html, "&amp;");
            break;
        case '"':
            buf_str(html, "&quot;");
            break;
        default:
            buf_char(html, text.at[i]);
        }
    }
}

void search_suggestions(const struct text *queries, int n, struct buf *html)
{
    buf_str(html, "<div class=\"container\">");
    for (int i = 0; i < n; i++) {
        buf_str(html, "<span class=\"chip\">");
        add_escaped(html, queries[i]);
        buf_str(html, "</span>");
    }
    buf_str(html, "</div>");
}

static struct text wire_of(const struct text *queries, int n, struct arena *arena)
{
    struct buf json = {0}, html = {0};
    struct json_writer w = json_writer(&json, false);
    search_suggestions(queries, n, &html);
    json_begin(&w, '[');
    json_begin(&w, '{');
    json_key(&w, "search_suggestions");
    json_text(&w, buf_view(&html));
    json_end(&w, '}');
    json_end(&w, ']');
    struct text wire = arena_text(arena, buf_view(&json));
    buf_free(&json);
    buf_free(&html);
    return wire;
}

/* How many of the passages fit into what a model is told. */
static int tell(const struct passage *passages, int n, struct arena *arena,
                struct text *told)
{
    struct buf words = {0};
    int n_told = 0;
    for (; n_told < n; n_told++) {
        const struct passage *p = &passages[n_told];
        size_t len = p->title.len + p->uri.len + p->text.len + 20;
        if (n_told > 0 && words.len + len > MOST_WORDS)
            break;
        buf_printf(&words, "%s[%d] %.*s (%.*s)\n", n_told ? "\n\n" : "", n_told + 1,
                   TEXT_ARG(p->title), TEXT_ARG(p->uri));
        buf_text(&words, p->text);
    }
    *told = n_told ? arena_text(arena, buf_view(&words)) : TEXT("Nothing was found.");
    buf_free(&words);
    return n_told;
}

/* ---- searching ---- */

static int read_queries(struct text args, struct arena *arena, struct text *queries)
{
    struct error err;
    struct json_object *list = tree_member(json_parse(arena, args, &err), "queries");
    int n = 0;
    if (tree_text(list).len) { /* what a model without a grammar may write */
        queries[0] = tool_cut(tree_text(list), MOST_QUERY);
        return 1;
    }
    for (size_t i = 0; json_object_is_type(list, json_type_array) &&
                       i < json_object_array_length(list) && n < MOST_QUERIES;
         i++) {
        struct text query = tree_text(json_object_array_get_idx(list, i));
        if (query.len)
            queries[n++] = tool_cut(query, MOST_QUERY);
    }
    return n;
}

static bool is_there(const struct passage *passages, int n, const struct passage *one)
{
    for (int i = 0; i < n; i++)
        if (text_same(passages[i].uri, one->uri) &&
            text_same(passages[i].text, one->text))
            return true;
    return false;
}

/* The best of each query in turn, each once. */
static int join(struct passage *const *found, const int *n_found, int n,
                struct passage *out)
{
    int n_out = 0;
    for (int rank = 0; rank < PROVIDER_MOST; rank++)
        for (int i = 0; i < n && n_out < MOST_PASSAGES; i++)
            if (rank < n_found[i] && !is_there(out, n_out, &found[i][rank]))
                out[n_out++] = found[i][rank];
    return n_out;
}

static void run(const struct tool *tool, const struct tool_call *call,
                struct tool_result *result)
{
    const struct search_tool *search = tool->own;
    struct arena *arena = call->arena;
    struct text *queries = arena_array(arena, struct text, MOST_QUERIES);
    struct passage *found[MOST_QUERIES];
    struct error err = {0};
    int n_found[MOST_QUERIES], n = read_queries(call->args, arena, queries);
    int64_t since = now_ms();
    bool good = n > 0;
    *result = (struct tool_result){.outcome = TOOL_FAILED};
    for (int i = 0; good && i < n; i++)
        good = provider_find(search->provider, queries[i], call, &found[i], &n_found[i],
                             &err);
    if (good) {
        struct passage *passages = arena_array(arena, struct passage, MOST_PASSAGES);
        struct tool_sources *sources = arena_new(arena, struct tool_sources);
        int n_passages =
            tell(passages, join(found, n_found, n, passages), arena, &result->words);
        *sources = (struct tool_sources){queries, n, passages, n_passages};
        result->outcome = TOOL_OK;
        result->sources = sources;
    } else {
        result->words = n ? arena_text(arena, text_of(err.message))
                          : TEXT("There is no query: the argument 'queries' is a list of "
                                 "texts.");
    }
    result->wire = wire_of(queries, n, arena);
    log_line(good ? LOG_INFO : LOG_WARN, "search", "queries=%d passages=%d ms=%lld%s%s%s",
             n, good ? result->sources->n_passages : 0, (long long)(now_ms() - since),
             good ? "" : " why=\"", good ? "" : err.message, good ? "" : "\"");
}

/* ---- the door ---- */

struct search_tool *search_open(const struct provider *provider)
{
    struct search_tool *search = mem_alloc(sizeof *search);
    search->provider = provider;
    search->tool = (struct tool){
        .use = TOOL_LOOKS_UP,
        .name = SEARCH_NAME,
        .description = description,
        .parameters = parameters,
        .ready = ready,
        .accept = accept,
        .open = look,
        .run = run,
        .own = search,
    };
    return search;
}

void search_close(struct search_tool *search)
{
    free(search);
}

const struct tool *search_tool(const struct search_tool *search)
{
    return &search->tool;
}
