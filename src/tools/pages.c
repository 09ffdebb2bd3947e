/* pages.c - the tool url_context. */
#include "tools/pages.h"
#include "base/log.h"
#include "base/loop.h"
#include "index/index.h"
#include "tools/urls.h"
#include "json/tree.h"
#include <stdlib.h>

enum {
    MOST_WORDS = TOOL_MOST_SAID - 200, /* bytes of all pages together */
    MOST_REDIRECTS = 5,
    MOST_TITLE = 300,
};

static const char description[] =
    "Reads pages and documents on the web by their addresses, and returns their text. Of "
    "use when the user names an address, or when a page whose address is known would "
    "answer the question.";

static const char parameters[] =
    "{\"type\":\"object\",\"properties\":{\"urls\":{\"type\":\"array\",\"items\":"
    "{\"type\":\"string\"},\"minItems\":1,\"maxItems\":4,\"description\":\"Whole "
    "addresses: https://example.com/page\"}},\"required\":[\"urls\"],"
    "\"additionalProperties\":false}";

struct pages_tool {
    struct tool tool;
    struct pages_config config;
};

static bool ready(const struct tool *tool, struct error *err)
{
    const struct pages_tool *pages = tool->own;
    return !pages->config.off || error_set(err, ERROR_INVALID_ARGUMENT,
                                           "this server fetches nothing (--fetch off)");
}

static const struct json_field no_fields[] = {{0}};
static const struct json_type settings_type = {"UrlContext", 0, no_fields, false};

static bool accept(const struct tool *tool, struct json_object *from, const char *where,
                   struct arena *arena, const void **settings, struct error *err)
{
    char nothing[1];
    (void)tool;
    *settings = NULL;
    return !from || json_decode_at(&settings_type, from, where, nothing, arena, err);
}

/* ---- arguments ---- */

static struct text begin(struct text said, struct arena *arena)
{
    struct text urls[URLS_MOST];
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    int n = urls_find(said, urls);
    if (n == 0)
        return (struct text){0};
    json_begin(&w, '{');
    json_key(&w, "urls");
    json_begin(&w, '[');
    for (int i = 0; i < n; i++)
        json_text(&w, urls[i]);
    json_end(&w, ']');
    json_end(&w, '}');
    struct text args = arena_text(arena, buf_view(&json));
    buf_free(&json);
    return args;
}

static int read_urls(struct text args, struct arena *arena, struct text *urls)
{
    struct error err;
    struct json_object *list = tree_member(json_parse(arena, args, &err), "urls");
    bool is_list = json_object_is_type(list, json_type_array);
    size_t n_list = is_list ? json_object_array_length(list) : 0;
    int n = 0;
    for (size_t i = 0; i < n_list && n < URLS_MOST; i++) {
        struct text url = tree_text(json_object_array_get_idx(list, i));
        if (url.len)
            urls[n++] = url;
    }
    return n;
}

/* ---- a page ---- */

struct visit {
    const struct pages_tool *pages;
    const struct tool_call *call;
    int64_t left; /* bytes that pages may still have */
    struct tool_page *page;
    struct passage *passage; /* what it says: absent, it could not be read */
    struct error err;
};

static bool takes(struct text type)
{
    const struct media_type *known = media_type_of(type);
    return !type.len ||
           (known && (known->kind == MEDIA_TEXT || known->kind == MEDIA_DOCUMENT ||
                      known->kind == MEDIA_IMAGE));
}

static enum page_status status_of(const struct fetched *fetched)
{
    return fetched->status == 401 || fetched->status == 402 ? PAGE_PAYWALL : PAGE_ERROR;
}

static bool get(struct visit *v, struct fetched *fetched)
{
    const struct pages_config *config = &v->pages->config;
    int64_t left_ms = v->call->until_ms - now_ms(),
            most_ms = config->timeout_s * INT64_C(1000);
    const struct fetch_request request = {
        .url = v->page->url,
        .most = v->left,
        .timeout_ms = (int)(left_ms < 1         ? 1
                            : left_ms < most_ms ? left_ms
                                                : most_ms),
        .redirects = MOST_REDIRECTS,
        .takes = takes,
        .cancelled = v->call->cancelled,
    };
    if (!fetch_run(config->fetcher, &request, v->call->arena, fetched, &v->err)) {
        v->page->status = fetched->forbidden ? PAGE_UNSAFE : PAGE_ERROR;
        return false;
    }
    v->left -= (int64_t)fetched->body.len;
    if (fetched->status == 200)
        return true;
    v->page->status = status_of(fetched);
    return error_set(&v->err, ERROR_INVALID_ARGUMENT, "It answers with HTTP status %d.",
                     fetched->status);
}

static void visit(struct visit *v)
{
    struct fetched fetched = {0};
    struct media_reading reading;
    const struct media_options options = {0};
    struct arena *arena = v->call->arena;
    v->page->status = PAGE_ERROR;
    if (!get(v, &fetched))
        return;
    const struct media_type *seen = fetched.type.len ? NULL : media_sniff(fetched.body);
    const struct media_source source = {
        .bytes = fetched.body,
        .mime = seen ? text_of(seen->name) : fetched.type,
    };
    if (!media_read(v->pages->config.media, &source, &options, v->call->cancelled, arena,
                    &reading, &v->err))
        return;
    struct text title = tool_cut(reading_title(&reading), MOST_TITLE);
    *v->passage = (struct passage){
        .title = title.len ? title : v->page->url,
        .uri = v->page->url,
        .text = reading_body(&reading),
    };
    v->page->status = PAGE_SUCCESS;
}

/* ---- what is told ---- */

/* Each page has its share; what one does not need, those behind it may have. */
static struct text tell(struct visit *visits, int n, struct arena *arena)
{
    struct buf words = {0};
    for (int i = 0; i < n; i++) {
        struct passage *passage = visits[i].passage;
        size_t room = MOST_WORDS > words.len ? MOST_WORDS - words.len : 0;
        size_t share = room / (size_t)(n - i);
        buf_printf(&words, "%s%.*s", i ? "\n\n" : "", TEXT_ARG(visits[i].page->url));
        if (visits[i].page->status == PAGE_SUCCESS) {
            size_t len = passage->text.len;
            passage->text = tool_cut(passage->text, share);
            buf_printf(&words, " (%.*s)\n", TEXT_ARG(passage->title));
            buf_text(&words, passage->text);
            buf_str(&words, passage->text.len < len ? " [...]" : "");
        } else {
            buf_printf(&words, "\nIt cannot be read: %s", visits[i].err.message);
        }
    }
    struct text told = arena_text(arena, buf_view(&words));
    buf_free(&words);
    return told;
}

static struct text wire_of(const struct tool_page *pages, int n, struct arena *arena)
{
    static const char *const statuses[] = {
        [PAGE_SUCCESS] = "success",
        [PAGE_ERROR] = "error",
        [PAGE_PAYWALL] = "paywall",
        [PAGE_UNSAFE] = "unsafe",
    };
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    json_begin(&w, '[');
    for (int i = 0; i < n; i++) {
        json_begin(&w, '{');
        json_key(&w, "url");
        json_text(&w, pages[i].url);
        json_key(&w, "status");
        json_text(&w, text_of(statuses[pages[i].status]));
        json_end(&w, '}');
    }
    json_end(&w, ']');
    struct text wire = arena_text(arena, buf_view(&json));
    buf_free(&json);
    return wire;
}

/* ---- running ---- */

static bool is_over(const struct tool_call *call)
{
    return now_ms() >= call->until_ms || atomic_load(call->cancelled);
}

static int visit_all(const struct pages_tool *pages, const struct tool_call *call,
                     struct visit *visits, int n)
{
    int64_t left = pages->config.most;
    int n_read = 0;
    for (int i = 0; i < n; i++) {
        visits[i].left = left;
        if (is_over(call))
            error_set(&visits[i].err, ERROR_DEADLINE_EXCEEDED, "There was no time left.");
        else
            visit(&visits[i]);
        left = visits[i].left;
        n_read += visits[i].page->status == PAGE_SUCCESS;
    }
    return n_read;
}

/* The texts of those that were read, for the answer to rest on. */
static const struct tool_sources *sources_of(const struct visit *visits, int n,
                                             struct arena *arena)
{
    struct passage *passages = arena_array(arena, struct passage, (size_t)n);
    struct tool_sources *sources = arena_new(arena, struct tool_sources);
    int n_passages = 0;
    for (int i = 0; i < n; i++)
        if (visits[i].page->status == PAGE_SUCCESS)
            passages[n_passages++] = *visits[i].passage;
    *sources = (struct tool_sources){NULL, 0, passages, n_passages};
    return sources;
}

static void run(const struct tool *tool, const struct tool_call *call,
                struct tool_result *result)
{
    const struct pages_tool *pages = tool->own;
    struct arena *arena = call->arena;
    struct text *urls = arena_array(arena, struct text, URLS_MOST);
    int n = read_urls(call->args, arena, urls);
    struct visit *visits = arena_array(arena, struct visit, (size_t)n + 1);
    struct tool_page *told = arena_array(arena, struct tool_page, (size_t)n + 1);
    *result = (struct tool_result){.outcome = TOOL_FAILED};
    if (n == 0) {
        result->words = TEXT("There is no address: the argument 'urls' is a list of "
                             "texts.");
        return;
    }
    for (int i = 0; i < n; i++) {
        told[i] = (struct tool_page){urls[i], PAGE_ERROR};
        visits[i] = (struct visit){.pages = pages,
                                   .call = call,
                                   .page = &told[i],
                                   .passage = arena_new(arena, struct passage)};
    }
    int n_read = visit_all(pages, call, visits, n);
    result->outcome = n_read ? TOOL_OK : TOOL_FAILED;
    result->words = tell(visits, n, arena);
    result->wire = wire_of(told, n, arena);
    result->pages = told;
    result->n_pages = n;
    if (n_read)
        result->sources = sources_of(visits, n, arena);
    log_line(LOG_INFO, "pages", "asked=%d read=%d", n, n_read);
}

/* ---- the door ---- */

struct pages_tool *pages_open(const struct pages_config *config)
{
    struct pages_tool *pages = mem_alloc(sizeof *pages);
    pages->config = *config;
    pages->tool = (struct tool){
        .name = PAGES_NAME,
        .description = description,
        .parameters = parameters,
        .ready = ready,
        .accept = accept,
        .run = run,
        .begin = begin,
        .own = pages,
    };
    return pages;
}

void pages_close(struct pages_tool *pages)
{
    free(pages);
}

const struct tool *pages_tool(const struct pages_tool *pages)
{
    return &pages->tool;
}
