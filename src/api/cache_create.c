/* cache_create.c - cachedContents.create.
 *
 * It is decoded and checked on a worker, its media are read where media are read, its
 * prefix is computed by the engine, and when that lies on the disk it is answered. What
 * is kept of media is what was read in them: the cache does not depend on files that
 * expire before it does. */
#include "api/attach.h"
#include "api/cached.h"
#include "api/caches.h"
#include "api/models.h"
#include "api/tuned_use.h"
#include "base/log.h"

enum { MOST_READING = 64 };

#define HOUR 3600000000000LL

struct creation {
    struct work work; /* first */
    struct arena *arena;
    struct api *api;
    struct call *call; /* NULL: closed */
    bool at_work, silent, good, reading;
    atomic_bool cancelled; /* for whoever reads */
    struct error err;
    struct timer *deadline;
    int deadline_s;

    struct text version, body, who;
    struct text tuned;            /* the model's name when it is a tuned one */
    struct cache_adapter adapter; /* its; held by the arena */
    struct wire_cache asked;
    struct wire_kept kept;
    struct cache_entry entry;
    struct chat chat;
    struct attached attached;
    struct prefix prefixes[PROMPT_FORMS];
    int n_prefixes;
    struct prefix_work *computing; /* NULL: not now */
    struct saved_rows *rows[PROMPT_FORMS];
    int n_rows;
    struct creation *next, **at; /* in api->creations */
};

/* ---- its life ---- */

static void release(struct creation *c)
{
    if (c->call || c->at_work || c->computing)
        return;
    for (int i = 0; i < c->n_rows; i++)
        rows_release(c->rows[i]);
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    arena_close(c->arena);
}

/* Nothing more is said, whatever still happens. */
static void conclude(struct creation *c)
{
    c->silent = true;
    atomic_store(&c->cancelled, true);
    loop_cancel(c->api->loop, c->deadline);
    c->deadline = NULL;
    if (c->computing)
        prefix_cancel(c->computing);
}

static void on_gone(struct call *call)
{
    conclude(call->own);
}

static void on_closed(struct call *call)
{
    struct creation *c = call->own;
    conclude(c);
    c->call = NULL;
    release(c);
}

static void fail(struct creation *c, const struct error *err)
{
    if (c->silent)
        return;
    struct call *call = c->call;
    struct error copy = *err;
    conclude(c);
    api_error(call, &copy);
}

/* False: it is over, and perhaps gone. */
static bool goes_on(struct creation *c)
{
    if (!c->silent && c->good)
        return true;
    if (c->silent)
        release(c);
    else
        fail(c, &c->err);
    return false;
}

/* ---- reading: any thread ---- */

static size_t n_characters(struct text text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.at[i] & 0xc0) != 0x80;
    return n;
}

static bool check(struct creation *c)
{
    struct wire_cache *asked = &c->asked;
    struct text name = asked->model;
    if (text_starts(name, "models/"))
        name = text_slice(name, strlen("models/"), name.len);
    if (!name.len)
        return error_at(&c->err, "model",
                        "* CreateCachedContentRequest.model: model is not specified\n");
    if (text_starts(name, "tunedModels/"))
        c->tuned = arena_text(c->arena, name);
    else if (!models_serve(c->api, c->version, name, "createCachedContent", &c->err))
        return false;
    if (n_characters(asked->display_name) > CACHE_DISPLAY_NAME_MOST)
        return error_at(&c->err, "display_name",
                        "displayName may have at most %d characters.",
                        CACHE_DISPLAY_NAME_MOST);
    if (!asked->contents.n && !asked->system && !asked->tools.n)
        return error_at(&c->err, "contents",
                        "* CreateCachedContentRequest.contents: there is nothing to be "
                        "cached: neither contents nor systemInstruction nor tools.\n");
    c->entry.model =
        c->tuned.at ? c->tuned : arena_printf(c->arena, "models/%.*s", TEXT_ARG(name));
    c->entry.display_name = asked->display_name;
    return caches_expiry(asked, HOUR, &c->entry.expires, &c->err);
}

static void run_decode(struct work *work)
{
    struct creation *c = (struct creation *)work;
    c->good =
        json_read(&wire_cache_type, c->body, &c->asked, c->arena, &c->err) && check(c);
    if (!c->good)
        return;
    c->kept = (struct wire_kept){
        .system = c->asked.system,
        .contents = c->asked.contents,
        .tools = c->asked.tools,
        .tool_config = c->asked.tool_config,
    };
    c->good = cached_chat(c->api, &c->kept, c->arena, &c->chat, &c->err);
    c->attached.n = c->good ? attach_find(&c->chat) : 0;
}

/* In the place of media stands what was read. */
static void keep_readings(struct creation *c)
{
    struct wire_content *contents = c->kept.contents.at;
    for (int i = 0; i < c->chat.n_turns; i++) {
        struct wire_part *parts = contents[i].parts.at;
        for (int k = 0; k < c->chat.turns[i].n_parts; k++)
            if (c->chat.turns[i].parts[k].media)
                parts[k] = (struct wire_part){.text = c->chat.turns[i].parts[k].text};
    }
    int64_t *n = arena_array(c->arena, int64_t, WIRE_MODALITIES);
    for (int i = 0; i < WIRE_MODALITIES; i++)
        n[i] = c->attached.n_tokens[i];
    c->kept.n_media = (struct json_list){n, WIRE_MODALITIES};
}

static bool read_media(struct creation *c)
{
    /* In words also where the model sees: a cache is kept longer than a picture. */
    const struct attach_from from = {
        .media = c->api->options.media,
        .files = c->api->options.files,
        .fetcher = c->api->options.fetcher,
        .fetch_limit = c->api->options.fetch_limit,
        .fetch_timeout_s = c->api->options.fetch_timeout_s,
    };
    if (c->attached.n == 0)
        return true;
    if (!attach_read(&from, &c->chat, &c->cancelled, c->arena, &c->attached, &c->err))
        return false;
    attach_count(runner_engine(c->api->runner), &c->chat, &c->attached);
    keep_readings(c);
    return true;
}

static void run_prepare(struct work *work)
{
    struct creation *c = (struct creation *)work;
    struct prompter *prompter = runner_prompter(c->api->runner);
    c->good = read_media(c) && prefix_find(prompter, &c->chat, c->arena, c->prefixes,
                                           &c->n_prefixes, &c->err);
    if (!c->good)
        return;
    struct buf body = {0};
    json_encode(&wire_kept_type, &c->kept, false, &body);
    c->entry.body = arena_text(c->arena, buf_view(&body));
    c->entry.n_tokens = c->n_prefixes > 0 ? c->prefixes[0].n : 0;
    buf_free(&body);
}

static void run_keep(struct work *work)
{
    struct creation *c = (struct creation *)work;
    c->good = !atomic_load(&c->cancelled) &&
              caches_create(c->api->options.caches, &c->entry, &c->adapter, c->rows,
                            c->n_rows, c->arena, &c->err);
}

/* ---- its stages: the loop ---- */

static void start(struct creation *c, struct workers *workers,
                  void (*run)(struct work *work), void (*done)(struct work *work))
{
    c->at_work = true;
    c->work = (struct work){.run = run, .done = done};
    workers_push(workers, &c->work);
}

static void on_kept(struct work *work)
{
    struct creation *c = (struct creation *)work;
    c->at_work = false;
    if (!goes_on(c))
        return;
    struct call *call = c->call;
    struct wire_cache cache = caches_wire(&c->entry, c->arena);
    log_line(LOG_INFO, "cache", "id=%.*s tokens=%d rows=%d ms=%.1f",
             TEXT_ARG(c->entry.id), c->entry.n_tokens, c->n_rows,
             (double)(now_us() - call->rq->since_us) / 1000);
    conclude(c);
    api_reply(call, &wire_cache_type, &cache);
}

static void on_computed(struct saved_rows **rows, int n, const struct error *error,
                        void *arg)
{
    struct creation *c = arg;
    c->computing = NULL;
    c->good = !error;
    if (error)
        c->err = *error;
    c->n_rows = n;
    for (int i = 0; i < n; i++)
        c->rows[i] = rows[i];
    if (goes_on(c))
        start(c, c->api->options.disk, run_keep, on_kept);
}

static void on_prepared(struct work *work)
{
    struct creation *c = (struct creation *)work;
    c->at_work = false;
    c->api->n_reading -= c->reading;
    c->reading = false;
    if (!goes_on(c))
        return;
    if (c->attached.n > 0)
        http_set(c->call->rq, "x-pollux-media", c->attached.header.at);
    if (c->n_prefixes == 0) {
        start(c, c->api->options.disk, run_keep, on_kept);
        return;
    }
    c->computing =
        prefix_start(c->api->runner, c->prefixes, c->n_prefixes, cached_model(&c->entry),
                     c->adapter.loaded, c->arena, on_computed, c, &c->err);
    if (!c->computing)
        fail(c, &c->err);
}

static void begin_preparing(struct creation *c)
{
    struct api *api = c->api;
    bool media = c->attached.n > 0 && api->options.media;
    if (media && api->n_reading >= MOST_READING) {
        error_set(&c->err, ERROR_RESOURCE_EXHAUSTED,
                  "The media of %d requests wait to be read already.", MOST_READING);
        c->err.retry_ms = 5000;
        fail(c, &c->err);
        return;
    }
    c->reading = media;
    api->n_reading += media;
    start(c, media ? api->options.readers : api->workers, run_prepare, on_prepared);
}

/* A tuned model is looked up, by a disk worker, and its adapter loaded if need be. */
static void run_tuned(struct work *work)
{
    struct creation *c = (struct creation *)work;
    struct tuned tuned = {0};
    c->good = tuned_use(c->api, c->who, c->tuned, c->arena, &tuned, &c->adapter.loaded,
                        &c->err);
    c->adapter.name = tuned.operation;
}

static void on_tuned(struct work *work)
{
    struct creation *c = (struct creation *)work;
    c->at_work = false;
    if (goes_on(c))
        begin_preparing(c);
}

static void on_decoded(struct work *work)
{
    struct creation *c = (struct creation *)work;
    c->at_work = false;
    if (!goes_on(c))
        return;
    if (c->tuned.at)
        start(c, c->api->options.disk, run_tuned, on_tuned);
    else
        begin_preparing(c);
}

static void on_deadline(void *arg)
{
    struct creation *c = arg;
    struct error err;
    c->deadline = NULL;
    error_set(&err, ERROR_DEADLINE_EXCEEDED,
              "The request took longer than the %d s that X-Server-Timeout gives it.",
              c->deadline_s);
    fail(c, &err);
}

void caches_route_create(struct call *call)
{
    struct arena *arena = arena_open();
    struct creation *c = arena_new(arena, struct creation);
    c->arena = arena;
    c->api = call->api;
    c->call = call;
    c->version = arena_text(arena, call->version);
    c->body = arena_text(arena, call->rq->body);
    c->who = api_caller(call, arena);
    c->at = &call->api->creations;
    c->next = *c->at;
    if (c->next)
        c->next->at = &c->next;
    *c->at = c;
    call->own = c;
    call->gone = on_gone;
    call->closed = on_closed;
    c->deadline_s = api_timeout_s(call);
    if (c->deadline_s > 0)
        c->deadline =
            loop_after(c->api->loop, (int64_t)c->deadline_s * 1000, on_deadline, c);
    start(c, c->api->workers, run_decode, on_decoded);
}

int caches_creating(const struct api *api)
{
    int n = 0;
    for (const struct creation *c = api->creations; c; c = c->next)
        n++;
    return n;
}

void caches_cancel_all(struct api *api)
{
    struct error err;
    error_set(&err, ERROR_UNAVAILABLE, "The server is stopping.");
    for (struct creation *c = api->creations, *next; c; c = next) {
        next = c->next;
        fail(c, &err);
    }
}
