/* file_search.c - the tool file_search. */
#include "tools/file_search.h"
#include "base/log.h"
#include "base/loop.h"
#include "index/filter.h"
#include "json/tree.h"
#include <stdlib.h>

enum { MOST_STORES = 32 };

static const char description[] =
    "Searches the documents that the user has put in, and returns the passages that say "
    "most about a query. Of use for every question that these documents may answer: what "
    "they say, facts, names, numbers, rules, how something is done.\n\n"
    "The query is a few words or a question, in the language of the documents.";

static const char parameters[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"query\":{\"type\":\"string\",\"description\":\"What to look for.\"}},"
    "\"required\":[\"query\"],\"additionalProperties\":false}";

struct file_search {
    struct tool tool;
    struct index *index;
};

/* Of one request. */
struct wish {
    struct json_list stores; /* struct text */
    struct json_int top;
    struct text filter;
};

/* ---- what a request says ---- */

/* clang-format off */
static const struct json_field wish_fields[] = {
    {"fileSearchStoreNames", JSON_STRING, offsetof(struct wish, stores), JSON_LIST | JSON_REQUIRED, 1, MOST_STORES, NULL, "fileSearchStores/{id}"},
    {"topK",                 JSON_INT,    offsetof(struct wish, top),    0, 1, INDEX_TOP_MOST, NULL, "passages; 5 when absent"},
    {"metadataFilter",       JSON_STRING, offsetof(struct wish, filter), 0, 0, FILTER_MOST, NULL, "docs/wire.md has its language"},
    {0},
};
/* clang-format on */
static const struct json_type wish_type = {"FileSearch", sizeof(struct wish), wish_fields,
                                           false};

static bool ready(const struct tool *tool, struct error *err)
{
    const struct file_search *search = tool->own;
    return search->index || error_set(err, ERROR_INVALID_ARGUMENT,
                                      "this server keeps no documents (--data-dir)");
}

static bool accept(const struct tool *tool, struct json_object *from, const char *where,
                   struct arena *arena, const void **settings, struct error *err)
{
    struct wish *wish = arena_new(arena, struct wish);
    struct error why;
    const char *filter = arena_printf(arena, "%s.metadata_filter", where).at;
    (void)tool;
    *settings = wish;
    return json_decode_at(&wish_type, from, where, wish, arena, err) &&
           (!wish->filter.len || filter_parse(wish->filter, arena, &why) ||
            error_at(err, filter, "'%s': %s", filter, why.message));
}

/* ---- what is told ---- */

static void add_words(struct buf *words, int nth, struct text title, struct text text)
{
    buf_printf(words, "%s[%d] %.*s\n", nth > 1 ? "\n\n" : "", nth, TEXT_ARG(title));
    buf_text(words, text);
}

static const struct text nothing_found = {"Nothing was found.", 18};

/* How many of the passages fit into what a model is told. */
static int tell(const struct passage *passages, int n, struct arena *arena,
                struct text *told)
{
    struct buf words = {0};
    int i = 0;
    for (; i < n; i++) {
        size_t before = words.len;
        add_words(&words, i + 1, passages[i].title, passages[i].text);
        if (words.len <= TOOL_MOST_SAID || i == 0)
            continue;
        buf_cut(&words, before);
        break;
    }
    *told = n ? arena_text(arena, buf_view(&words)) : nothing_found;
    buf_free(&words);
    return i;
}

static void key_text(struct json_writer *w, const char *key, struct text value)
{
    json_key(w, key);
    json_text(w, value);
}

static struct text wire_of(const struct passage *passages, int n, struct arena *arena)
{
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    json_begin(&w, '[');
    for (int i = 0; i < n; i++) {
        json_begin(&w, '{');
        key_text(&w, "title", passages[i].title);
        key_text(&w, "text", passages[i].text);
        key_text(&w, "uri", passages[i].uri);
        key_text(
            &w, "file_search_store",
            arena_printf(arena, "fileSearchStores/%.*s", TEXT_ARG(passages[i].store)));
        json_end(&w, '}');
    }
    json_end(&w, ']');
    return arena_take(arena, &json);
}

/* ---- searching ---- */

/* A tool that was opened: of one request. */
struct opened {
    struct index *index;
    const struct wish *wish;
};

static struct index_query query_of(const struct opened *opened, struct text query)
{
    return (struct index_query){
        .text = query,
        .stores = opened->wish->stores.at,
        .n_stores = (int)opened->wish->stores.n,
        .filter = opened->wish->filter,
        .top = (int)opened->wish->top.is,
    };
}

static void run(const struct tool *tool, const struct tool_call *call,
                struct tool_result *result)
{
    const struct opened *opened = tool->own;
    struct error err;
    struct passage *passages;
    struct json_object *args = json_parse(call->arena, call->args, &err);
    const struct index_query query =
        query_of(opened, tree_text(tree_member(args, "query")));
    int64_t since = now_ms();
    int n = 0;
    *result = (struct tool_result){.outcome = TOOL_FAILED};
    if (!query.text.len || query.text.len > INDEX_QUERY_MOST) {
        result->words =
            TEXT("There is no query, or it is too long: the argument 'query' is a text.");
        return;
    }
    if (!index_search(opened->index, &query, call->arena, &passages, &n, &err)) {
        result->words = arena_text(call->arena, text_of(err.message));
        return;
    }
    struct tool_sources *sources = arena_new(call->arena, struct tool_sources);
    n = tell(passages, n, call->arena, &result->words);
    *sources = (struct tool_sources){NULL, 0, passages, n};
    result->sources = sources;
    result->wire = wire_of(passages, n, call->arena);
    result->outcome = TOOL_OK;
    log_line(LOG_INFO, "file_search", "stores=%d passages=%d ms=%lld", query.n_stores, n,
             (long long)(now_ms() - since));
}

/* ---- the door ---- */

static bool open_stores(const struct tool *tool, const struct tool_call *call,
                        const struct tool **tools, int *n, struct error *err)
{
    const struct file_search *search = tool->own;
    struct opened *opened = arena_new(call->arena, struct opened);
    struct tool *one = arena_new(call->arena, struct tool);
    *opened = (struct opened){search->index, call->settings};
    const struct text *names = opened->wish->stores.at;
    for (size_t i = 0; i < opened->wish->stores.n; i++) {
        struct index_store store;
        if (!index_get(search->index, index_plain_id(names[i]), call->arena, &store, err))
            return false;
    }
    *one = *tool;
    one->open = NULL;
    one->own = opened;
    *tools = one;
    *n = 1;
    return true;
}

struct file_search *file_search_open(struct index *index)
{
    struct file_search *search = mem_alloc(sizeof *search);
    search->index = index;
    search->tool = (struct tool){
        .use = TOOL_LOOKS_UP,
        .name = FILE_SEARCH_NAME,
        .description = description,
        .parameters = parameters,
        .ready = ready,
        .accept = accept,
        .run = run,
        .own = search,
        .open = open_stores,
    };
    return search;
}

void file_search_close(struct file_search *search)
{
    free(search);
}

const struct tool *file_search_tool(const struct file_search *search)
{
    return &search->tool;
}
