/* provider.c - how each is asked, and where in its answer the results stand. */
#include "tools/provider.h"
#include "base/buf.h"
#include "base/loop.h"
#include "fetch/fetch.h"
#include "json/tree.h"
#include <stdlib.h>

enum {
    MOST_BYTES = 4 << 20,
    MOST_MS = 20000,
    MOST_WORDS = 2000, /* bytes of a result */
    MOST_TITLE = 300,
};

/* How a server is asked, and what of its answer is wanted: members' names. */
struct dialect {
    const char *url;           /* when the owner names none */
    const char *query;         /* the path, up to the query */
    const char *key;           /* the header that carries the key; NULL: none is needed */
    const char *outer, *list;  /* results are in outer.list; outer NULL: in list */
    const char *title, *words; /* of a result */
};

/* clang-format off */
static const struct dialect dialects[] = {
    [PROVIDER_SEARXNG] = {NULL, "/search?format=json&q=", NULL,
                          NULL, "results", "title", "content"},
    [PROVIDER_BRAVE] = {"https://api.search.brave.com", "/res/v1/web/search?count=8&q=", "X-Subscription-Token",
                        "web", "results", "title", "description"},
    [PROVIDER_OFF] = {0},
};
/* clang-format on */

struct provider {
    struct provider_config config;
    const struct dialect *dialect; /* NULL: nobody elsewhere is asked */
    struct arena *arena;
    const char *allow[1]; /* its host */
    struct fetcher *fetcher;
};

/* ---- what a server says ---- */

/* An entity's character, or '\0'. */
static char entity_of(struct text name)
{
    static const struct {
        const char *name;
        char is;
    } known[] = {{"amp", '&'},  {"lt", '<'},    {"gt", '>'},    {"quot", '"'},
                 {"#39", '\''}, {"#x27", '\''}, {"apos", '\''}, {"nbsp", ' '}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (text_is(name, known[i].name))
            return known[i].is;
    return '\0';
}

/* Where the tag that begins here ends; `at`, when it is none. */
static size_t behind_tag(struct text html, size_t at)
{
    char next = (char)(at + 1 < html.len ? html.at[at + 1] : ' ');
    bool tag = next == '/' || ((next | 0x20) >= 'a' && (next | 0x20) <= 'z');
    size_t end = tag ? text_find(html, TEXT(">"), at) : SIZE_MAX;
    return end == SIZE_MAX ? at : end + 1;
}

/* Results mark the words that were looked for, and some servers write HTML. */
static struct text plain(struct text html, size_t most, struct arena *arena)
{
    struct buf out = {0};
    for (size_t at = 0; at < html.len && out.len <= most;) {
        size_t behind = html.at[at] == '<' ? behind_tag(html, at) : at;
        size_t end = html.at[at] == '&' ? text_find(html, TEXT(";"), at) : SIZE_MAX;
        char is =
            (char)(end != SIZE_MAX ? entity_of(text_slice(html, at + 1, end)) : '\0');
        bool space = html.at[at] == ' ' || html.at[at] == '\n' || html.at[at] == '\t';
        if (behind > at) {
            at = behind;
        } else if (is) {
            buf_char(&out, is);
            at = end + 1;
        } else {
            if (!space || (out.len && out.at[out.len - 1] != ' '))
                buf_char(&out, (char)(space ? ' ' : html.at[at]));
            at++;
        }
    }
    struct text text = arena_text(arena, tool_cut(buf_view(&out), most));
    buf_free(&out);
    return text.at ? text : TEXT("");
}

static bool read_result(const struct dialect *d, struct json_object *from,
                        struct arena *arena, struct passage *passage)
{
    struct text url = tree_text(tree_member(from, "url"));
    struct text title = tree_text(tree_member(from, d->title));
    struct text words = tree_text(tree_member(from, d->words));
    *passage = (struct passage){
        .title = plain(title, MOST_TITLE, arena),
        .uri = arena_text(arena, url),
        .text = plain(words, MOST_WORDS, arena),
    };
    if (!passage->title.len)
        passage->title = passage->uri;
    return fetch_is_url(url) && passage->text.len > 0;
}

bool provider_read(enum provider_kind kind, struct text json, struct arena *arena,
                   struct passage **passages, int *n)
{
    const struct dialect *d = &dialects[kind];
    struct error err;
    struct json_object *answer = json_parse(arena, json, &err);
    struct json_object *outer = d->outer ? tree_member(answer, d->outer) : answer;
    struct json_object *list = tree_member(outer, d->list);
    bool is_list = json_object_is_type(list, json_type_array);
    size_t n_results = is_list ? json_object_array_length(list) : 0;
    *n = 0;
    *passages = arena_array(arena, struct passage, PROVIDER_MOST);
    for (size_t i = 0; i < n_results && *n < PROVIDER_MOST; i++)
        *n += read_result(d, json_object_array_get_idx(list, i), arena, &(*passages)[*n]);
    /* Where nothing was found, an outer object is missing. */
    return is_list || (d->outer && json_object_is_type(answer, json_type_object));
}

/* ---- asking it ---- */

static struct text url_of(const struct provider *p, struct text query,
                          struct arena *arena)
{
    static const char digits[] = "0123456789ABCDEF";
    static const char plainly[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-._~";
    struct buf url = {0};
    struct text base = text_of(p->config.url);
    while (base.len && base.at[base.len - 1] == '/')
        base.len--;
    buf_text(&url, base);
    buf_str(&url, p->dialect->query);
    for (size_t i = 0; i < query.len; i++) {
        unsigned char c = (unsigned char)query.at[i];
        if (c && strchr(plainly, c)) {
            buf_char(&url, (char)c);
        } else {
            buf_char(&url, '%');
            buf_char(&url, digits[c >> 4]);
            buf_char(&url, digits[c & 15]);
        }
    }
    struct text text = arena_text(arena, buf_view(&url));
    buf_free(&url);
    return text;
}

static bool ask(const struct provider *p, struct text query, const struct tool_call *call,
                struct passage **passages, int *n, struct error *err)
{
    struct arena *arena = call->arena;
    struct fetched fetched;
    int64_t left = call->until_ms - now_ms();
    const char *key =
        p->dialect->key ? arena_printf(arena, "%s: %s", p->dialect->key, p->config.key).at
                        : NULL;
    const char *const headers[] = {"Accept: application/json", key, NULL};
    const struct fetch_request request = {
        .url = url_of(p, query, arena),
        .most = MOST_BYTES,
        .timeout_ms = left < 1         ? 1
                      : left > MOST_MS ? MOST_MS
                                       : (int)left,
        .headers = headers,
        .cancelled = call->cancelled,
    };
    if (!fetch_run(p->fetcher, &request, arena, &fetched, err))
        return error_set(err, ERROR_UNAVAILABLE, "The search server does not answer.");
    if (fetched.status != 200)
        return error_set(err, ERROR_UNAVAILABLE,
                         "The search server answers with HTTP status %d.",
                         fetched.status);
    return provider_read((enum provider_kind)p->config.kind, fetched.body, arena,
                         passages, n) ||
           error_set(err, ERROR_UNAVAILABLE, "The search server gives no sound answer.");
}

/* ---- the owner's own ---- */

/* To the client it is a search like any other: no stores, no metadata. */
static bool look_up(const struct provider *p, struct text query,
                    const struct tool_call *call, struct passage **passages, int *n,
                    struct error *err)
{
    static const struct text local = TEXT(INDEX_LOCAL);
    const struct index_query asked = {
        .text = tool_cut(query, INDEX_QUERY_MOST),
        .stores = &local,
        .n_stores = 1,
        .top = PROVIDER_MOST,
    };
    if (!index_search(p->config.index, &asked, call->arena, passages, n, err))
        return false;
    for (int i = 0; i < *n; i++)
        (*passages)[i].store = (*passages)[i].document = (*passages)[i].metadata =
            (struct text){0};
    return true;
}

bool provider_find(const struct provider *p, struct text query,
                   const struct tool_call *call, struct passage **passages, int *n,
                   struct error *err)
{
    *n = 0;
    return p->dialect ? ask(p, query, call, passages, n, err)
                      : look_up(p, query, call, passages, n, err);
}

bool provider_ready(const struct provider *p, struct error *err)
{
    return p->config.kind != PROVIDER_OFF ||
           error_set(err, ERROR_INVALID_ARGUMENT,
                     "search is switched off on this server (--search)");
}

bool provider_look(const struct provider *p, struct arena *arena, struct error *err)
{
    struct index_store local;
    struct error why;
    if (p->dialect)
        return true;
    return (index_get(p->config.index, TEXT(INDEX_LOCAL), arena, &local, &why) &&
            local.n_active > 0) ||
           error_set(err, ERROR_INVALID_ARGUMENT,
                     "the search of this server (--search local) is in documents of the "
                     "owner, and there are none yet. On the server: pollux index add "
                     "PATH|URL");
}

/* ---- the door ---- */

static bool set_up(struct provider *p, struct error *err)
{
    const struct dialect *d = p->dialect;
    if (!p->config.url)
        p->config.url = d->url;
    if (!p->config.url)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "--search needs --search-url, the server that is to be asked");
    if (d->key && !p->config.key)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "--search needs --search-key, the key of the search API");
    p->allow[0] = fetch_host(text_of(p->config.url), p->arena).at;
    if (!p->allow[0])
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "--search-url: '%s' is not an http or https address",
                         p->config.url);
    const struct fetch_config fetch = {.allow = p->allow, .n_allow = 1};
    p->fetcher = fetch_open(&fetch, err);
    return p->fetcher != NULL;
}

struct provider *provider_open(const struct provider_config *config, struct error *err)
{
    struct provider *p = mem_alloc(sizeof *p);
    bool elsewhere = config->kind == PROVIDER_SEARXNG || config->kind == PROVIDER_BRAVE;
    p->config = *config;
    p->arena = arena_open();
    p->dialect = elsewhere ? &dialects[config->kind] : NULL;
    if (!elsewhere && (config->url || config->key))
        error_set(err, ERROR_INVALID_ARGUMENT,
                  "--search-url and --search-key go with --search searxng or brave");
    else if (!elsewhere || set_up(p, err))
        return p;
    provider_close(p);
    return NULL;
}

void provider_close(struct provider *p)
{
    if (!p)
        return;
    fetch_close(p->fetcher);
    arena_close(p->arena);
    free(p);
}
