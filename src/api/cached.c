/* cached.c - what a request's cachedContent brings to it.
 *
 * Rows are missing when the model, its settings or this program have changed since they
 * were made, when their place was needed, or when the disk has lost them. They are made
 * of the contents: a worker renders (one of those that read media, when there are
 * pictures), the engine computes, whoever waits goes on, a disk worker saves. */
#include "api/cached.h"
#include "api/attach.h"
#include "api/content.h"
#include "base/log.h"
#include "tools/mcp.h"

/* ---- reading ---- */

void cached_let_go(struct cached *cached)
{
    for (int i = 0; i < cached->n_rows; i++)
        rows_release(cached->rows[i]);
    cached->n_rows = 0;
}

static void let_go(void *cached)
{
    cached_let_go(cached);
}

static bool read_body(struct cached *cached, struct arena *arena, struct error *err)
{
    if (!json_read(&wire_kept_type, cached->entry.body, &cached->kept, arena, err))
        return error_set(err, ERROR_DATA_LOSS,
                         "cachedContents/%.*s cannot be read any more.",
                         TEXT_ARG(cached->entry.id));
    const int64_t *n = cached->kept.n_media.at;
    for (size_t i = 0; i < cached->kept.n_media.n && i < WIRE_MODALITIES; i++) {
        cached->n_media[i] = (int)n[i];
        cached->has_media = cached->has_media || n[i] > 0;
    }
    return true;
}

struct text cached_model(const struct cache_entry *entry)
{
    return text_starts(entry->model, "models/")
               ? text_slice(entry->model, strlen("models/"), SIZE_MAX)
               : entry->model;
}

bool cached_read(struct api *api, struct text name, struct text model,
                 const struct cache_adapter *adapter, bool rows, struct arena *arena,
                 struct cached *cached, struct error *err)
{
    struct caches *caches = api->options.caches;
    struct text id;
    if (!caches)
        return error_set(err, ERROR_UNIMPLEMENTED,
                         "This server has no place for caches.");
    if (!text_starts(name, "cachedContents/"))
        return error_at(err, "cached_content",
                        "* GenerateContentRequest.cached_content: Invalid cached content "
                        "name: '%.*s'. It must be of the form cachedContents/{id}.\n",
                        TEXT_ARG(text_slice(name, 0, 100)));
    id = text_slice(name, strlen("cachedContents/"), name.len);
    *cached = (struct cached){0};
    if (!caches_get(caches, id, arena, &cached->entry, err))
        return false;
    cached->adapter = *adapter;
    if (!text_same(cached->entry.model, model))
        return error_at(err, "model",
                        "Model used by GenerateContent request (%.*s) and CachedContent "
                        "(%.*s) has to be the same.",
                        TEXT_ARG(model), TEXT_ARG(cached->entry.model));
    arena_defer(arena, let_go, cached);
    cached->lacks =
        rows && !caches_rows(caches, cached->entry.id, runner_engine(api->runner),
                             adapter, cached->rows, &cached->n_rows);
    return read_body(cached, arena, err);
}

/* ---- merging ---- */

static struct json_list joined(struct arena *arena, struct json_list a,
                               struct json_list b, size_t size)
{
    char *both = arena_alloc(arena, (a.n + b.n + 1) * size);
    if (a.n)
        memcpy(both, a.at, a.n * size);
    if (b.n)
        memcpy(both + a.n * size, b.at, b.n * size);
    return (struct json_list){both, a.n + b.n};
}

bool cached_merge(const struct cached *cached, struct wire_generate *request,
                  struct chat *chat, struct arena *arena, struct error *err)
{
    const struct wire_kept *kept = &cached->kept;
    if (request->system)
        return error_at(err, "system_instruction",
                        "CachedContent can not be used with GenerateContent request "
                        "setting system_instruction: the cache has its own. Proposed "
                        "fix: move it to CachedContent from GenerateContent request.");
    request->system = kept->system;
    request->contents =
        joined(arena, kept->contents, request->contents, sizeof(struct wire_content));
    request->tools = joined(arena, kept->tools, request->tools, sizeof(struct wire_tool));
    if (!request->tool_config)
        request->tool_config = kept->tool_config;
    chat->kept = true;
    chat->kept_turns = (int)kept->contents.n;
    chat->kept_tools = (int)kept->tools.n;
    return true;
}

/* What a server offers may be something else tomorrow. */
static bool is_lasting(const struct chat *chat, struct error *err)
{
    for (int i = 0; i < chat->n_functions; i++) {
        const struct function *f = &chat->functions[i];
        if (f->tool && text_is(text_of(f->tool->name), MCP_NAME))
            return error_at(err, f->path,
                            "'%s' is not supported by Pollux here: in a cache. Name it "
                            "in the requests that use the cache.",
                            f->path);
    }
    return true;
}

bool cached_chat(struct api *api, const struct wire_kept *kept, struct arena *arena,
                 struct chat *chat, struct error *err)
{
    const struct wire_generate request = {
        .contents = kept->contents,
        .system = kept->system,
        .tools = kept->tools,
        .tool_config = kept->tool_config,
    };
    struct content_rules rules = content_rules(api);
    rules.is_cache = true;
    return content_chat(&request, &rules, arena, chat, err) && is_lasting(chat, err);
}

/* ---- making ---- */

struct making {
    struct work work; /* first */
    struct api *api;
    struct arena *arena;
    struct text id, body, model;
    struct cache_adapter adapter; /* held */
    struct chat chat;
    struct prefix prefixes[PROMPT_FORMS];
    int n_prefixes;
    bool good;
    atomic_bool cancelled; /* for whoever reads */
    struct error err;
    struct prefix_work *computing; /* NULL: not now */
    struct saved_rows *rows[PROMPT_FORMS];
    int n_rows;
    struct cached_wait *waits;
    struct making *next, **at; /* in api->makings */
};

static void close_making(struct making *m)
{
    for (int i = 0; i < m->n_rows; i++)
        rows_release(m->rows[i]);
    engine_adapter_release(m->adapter.loaded);
    *m->at = m->next;
    if (m->next)
        m->next->at = m->at;
    arena_close(m->arena);
}

/* Those who come later find the rows in the engine, or on the disk. */
static void tell_waits(struct making *m)
{
    struct cached_wait *wait = m->waits, *next;
    m->waits = NULL;
    for (; wait; wait = next) {
        next = wait->next;
        wait->making = NULL;
        cached_let_go(wait->cached);
        for (int i = 0; i < m->n_rows; i++)
            wait->cached->rows[wait->cached->n_rows++] = rows_hold(m->rows[i]);
        if (m->n_rows > 0)
            wait->cached->entry.n_tokens = m->prefixes[0].n;
        wait->on(wait);
    }
}

/* Pictures are all that is left of media. */
static bool show_pictures(struct making *m)
{
    const struct attach_from from = {
        .engine = runner_engine(m->api->runner),
        .media = m->api->options.media,
    };
    struct attached attached = {0};
    return attach_read(&from, &m->chat, &m->cancelled, m->arena, &attached, &m->err);
}

static void run_find(struct work *work)
{
    struct making *m = (struct making *)work;
    struct wire_kept kept;
    m->good = json_read(&wire_kept_type, m->body, &kept, m->arena, &m->err) &&
              cached_chat(m->api, &kept, m->arena, &m->chat, &m->err) &&
              show_pictures(m) &&
              prefix_find(runner_prompter(m->api->runner), &m->chat, m->arena,
                          m->prefixes, &m->n_prefixes, &m->err);
}

static void run_save(struct work *work)
{
    struct making *m = (struct making *)work;
    m->good = caches_save(m->api->options.caches, m->id, &m->adapter, m->prefixes[0].n,
                          m->rows, m->n_rows, &m->err);
}

static void end(struct making *m)
{
    log_line(m->good ? LOG_INFO : LOG_WARN, "caches", "id=%.*s rows=%s tokens=%d%s%s",
             TEXT_ARG(m->id), m->good ? "made" : "not_made",
             m->n_prefixes > 0 ? m->prefixes[0].n : 0,
             m->good ? "" : " why=", m->good ? "" : error_row(m->err.code)->name);
    tell_waits(m);
    close_making(m);
}

static void save_done(struct work *work)
{
    end((struct making *)work);
}

static void on_made(struct saved_rows **rows, int n, const struct error *error, void *arg)
{
    struct making *m = arg;
    m->computing = NULL;
    m->good = !error;
    if (error) {
        m->err = *error;
        end(m);
        return;
    }
    m->n_rows = n;
    for (int i = 0; i < n; i++)
        m->rows[i] = rows[i];
    tell_waits(m);
    m->work.run = run_save;
    m->work.done = save_done;
    workers_push(m->api->options.disk, &m->work);
}

static void find_done(struct work *work)
{
    struct making *m = (struct making *)work;
    if (m->good && m->n_prefixes > 0 && !m->api->stopping)
        m->computing = prefix_start(m->api->runner, m->prefixes, m->n_prefixes, m->model,
                                    m->adapter.loaded, m->arena, on_made, m, &m->err);
    m->good = m->computing != NULL;
    if (!m->computing)
        end(m);
}

static bool has_pictures(const struct wire_kept *kept)
{
    const struct wire_content *contents = kept->contents.at;
    for (size_t i = 0; i < kept->contents.n; i++) {
        const struct wire_part *parts = contents[i].parts.at;
        for (size_t k = 0; k < contents[i].parts.n; k++)
            if (parts[k].blob)
                return true;
    }
    return false;
}

static struct making *open_making(struct api *api, const struct cached *cached)
{
    struct arena *arena = arena_open();
    struct making *m = arena_new(arena, struct making);
    m->arena = arena;
    m->api = api;
    m->id = arena_text(arena, cached->entry.id);
    m->body = arena_text(arena, cached->entry.body);
    m->model = arena_text(arena, cached_model(&cached->entry));
    m->adapter = (struct cache_adapter){arena_text(arena, cached->adapter.name),
                                        cached->adapter.loaded};
    engine_adapter_hold(m->adapter.loaded);
    m->at = &api->makings;
    m->next = *m->at;
    if (m->next)
        m->next->at = &m->next;
    *m->at = m;
    m->work.run = run_find;
    m->work.done = find_done;
    workers_push(has_pictures(&cached->kept) && api->options.readers
                     ? api->options.readers
                     : api->workers,
                 &m->work);
    return m;
}

/* A tuned model that was deleted and made again has another adapter. */
static bool is_for(const struct making *m, const struct cached *cached)
{
    return text_same(m->id, cached->entry.id) &&
           text_same(m->adapter.name, cached->adapter.name);
}

void cached_make(struct api *api, struct cached_wait *wait)
{
    struct making *m = api->makings;
    while (m && !is_for(m, wait->cached))
        m = m->next;
    if (!m)
        m = open_making(api, wait->cached);
    if (m->n_rows > 0) { /* they are being saved */
        struct saved_rows **rows = wait->cached->rows;
        cached_let_go(wait->cached);
        for (int i = 0; i < m->n_rows; i++)
            rows[wait->cached->n_rows++] = rows_hold(m->rows[i]);
        wait->on(wait);
        return;
    }
    wait->making = m;
    wait->next = m->waits;
    m->waits = wait;
}

void cached_leave(struct cached_wait *wait)
{
    struct cached_wait **at = wait->making ? &wait->making->waits : NULL;
    while (at && *at && *at != wait)
        at = &(*at)->next;
    if (at && *at)
        *at = wait->next;
    wait->making = NULL;
}

void cached_cancel_all(struct api *api)
{
    for (struct making *m = api->makings; m; m = m->next) {
        atomic_store(&m->cancelled, true);
        if (m->computing)
            prefix_cancel(m->computing);
    }
}

int cached_count(const struct api *api)
{
    int n = 0;
    for (const struct making *m = api->makings; m; m = m->next)
        n++;
    return n;
}
