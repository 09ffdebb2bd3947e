/* caches.c - cachedContents: get, list, patch, delete.
 *
 * Everything waits for the database, so each is a job for a disk worker; the loop reads
 * the request before and writes the answer after. A job outlives its call, when the
 * client leaves: it has an arena of its own. */
#include "api/caches.h"
#include <stdlib.h>

enum { PAGE = 50, PAGE_MOST = 1000 };

#define NS 1000000000LL

struct cache_job {
    struct work work; /* first */
    struct arena *arena;
    struct api *api;
    struct call *call; /* NULL: the client is gone */
    bool (*run)(struct cache_job *job);
    void (*done)(struct cache_job *job); /* it went well, and the client is there */
    bool at_work, good, over;
    struct error err;

    struct text id, token, body, mask; /* what is asked */
    int page_size;

    struct cache_entry entry, *list; /* what came of it */
    int n;
    struct text next;
};

/* ---- its life ---- */

static void release(struct cache_job *job)
{
    if (!job->call && !job->at_work)
        arena_close(job->arena);
}

static void on_closed(struct call *call)
{
    struct cache_job *job = call->own;
    job->call = NULL;
    release(job);
}

static void on_gone(struct call *call)
{
    ((struct cache_job *)call->own)->over = true;
}

static void run_job(struct work *work)
{
    struct cache_job *job = (struct cache_job *)work;
    job->good = job->run(job);
}

static void finish_job(struct work *work)
{
    struct cache_job *job = (struct cache_job *)work;
    job->at_work = false;
    if (!job->call || job->over)
        release(job);
    else if (job->good)
        job->done(job);
    else
        api_error(job->call, &job->err);
}

static struct cache_job *open_job(struct call *call)
{
    struct arena *arena = arena_open();
    struct cache_job *job = arena_new(arena, struct cache_job);
    job->arena = arena;
    job->api = call->api;
    job->call = call;
    job->id = arena_text(arena, call->name);
    call->own = job;
    call->gone = on_gone;
    call->closed = on_closed;
    return job;
}

static void start(struct cache_job *job, bool (*run)(struct cache_job *),
                  void (*done)(struct cache_job *))
{
    job->run = run;
    job->done = done;
    job->at_work = true;
    job->work.run = run_job;
    job->work.done = finish_job;
    workers_push(job->api->options.disk, &job->work);
}

/* ---- what is told ---- */

static struct json_int time_of(int64_t ns)
{
    return (struct json_int){true, ns / 1000 * 1000}; /* microseconds are what is shown */
}

struct wire_cache caches_wire(const struct cache_entry *entry, struct arena *arena)
{
    struct wire_cache_usage *usage = arena_new(arena, struct wire_cache_usage);
    usage->total = (struct json_int){true, entry->n_tokens};
    return (struct wire_cache){
        .name = arena_printf(arena, "cachedContents/%.*s", TEXT_ARG(entry->id)),
        .model = entry->model,
        .display_name = entry->display_name,
        .created = time_of(entry->created),
        .updated = time_of(entry->updated),
        .expires = time_of(entry->expires),
        .usage = usage,
    };
}

static void reply_entry(struct cache_job *job)
{
    struct wire_cache cache = caches_wire(&job->entry, job->arena);
    api_reply(job->call, &wire_cache_type, &cache);
}

/* ---- get, delete ---- */

static bool run_get(struct cache_job *job)
{
    return caches_get(job->api->options.caches, job->id, job->arena, &job->entry,
                      &job->err);
}

void caches_route_get(struct call *call)
{
    start(open_job(call), run_get, reply_entry);
}

static bool run_delete(struct cache_job *job)
{
    return caches_delete(job->api->options.caches, job->id, &job->err);
}

static void reply_nothing(struct cache_job *job)
{
    http_reply(job->call->rq, 200, API_JSON, TEXT("{}\n"));
}

void caches_route_delete(struct call *call)
{
    start(open_job(call), run_delete, reply_nothing);
}

/* ---- list ---- */

static bool run_list(struct cache_job *job)
{
    return caches_list(job->api->options.caches, job->page_size, job->token, job->arena,
                       &job->list, &job->n, &job->next, &job->err);
}

static void reply_list(struct cache_job *job)
{
    struct wire_cache *caches =
        arena_array(job->arena, struct wire_cache, (size_t)job->n + 1);
    for (int i = 0; i < job->n; i++)
        caches[i] = caches_wire(&job->list[i], job->arena);
    struct wire_caches list = {{caches, (size_t)job->n}, job->next};
    api_reply(job->call, &wire_caches_type, &list);
}

void caches_route_list(struct call *call)
{
    struct error err;
    int size;
    if (!api_page_size(call, PAGE, PAGE_MOST, &size, &err)) {
        api_error(call, &err);
        return;
    }
    struct cache_job *job = open_job(call);
    job->page_size = size;
    job->token = arena_text(job->arena, http_query(call->rq, "pageToken"));
    start(job, run_list, reply_list);
}

/* ---- patch ---- */

bool caches_expiry(const struct wire_cache *asked, int64_t otherwise, int64_t *expires,
                   struct error *err)
{
    int64_t now = caches_now(), ttl = asked->ttl.set ? asked->ttl.is : otherwise;
    if (asked->ttl.set && asked->expires.set)
        return error_at(err, "ttl",
                        "Invalid value at 'expiration' (oneof), oneof field 'expiration' "
                        "is already set. Cannot set 'ttl'");
    if (asked->ttl.set && ttl <= 0)
        return error_at(err, "ttl", "ttl must be more than 0s.");
    if (asked->expires.set && asked->expires.is <= now)
        return error_at(err, "expire_time", "expireTime must be in the future.");
    if (!asked->expires.set && ttl <= 0)
        return error_at(err, "ttl", "One of ttl and expireTime must be set.");
    if (asked->expires.set)
        *expires = asked->expires.is;
    else if (__builtin_add_overflow(now, ttl, expires))
        return error_at(err, "ttl",
                        "ttl is too long: the cache would outlive the "
                        "calendar.");
    return true;
}

/* The fields that a mask may name. */
enum { MASK_TTL = 1, MASK_EXPIRE = 2 };

static bool read_mask(struct text mask, unsigned *fields, struct error *err)
{
    static const struct {
        const char *name;
        unsigned field;
    } known[] = {{"ttl", MASK_TTL},
                 {"expireTime", MASK_EXPIRE},
                 {"expire_time", MASK_EXPIRE},
                 {"expiration", MASK_TTL | MASK_EXPIRE},
                 {"*", MASK_TTL | MASK_EXPIRE}};
    *fields = 0;
    while (mask.len > 0) {
        struct text rest, path = text_cut(mask, ',', &rest);
        unsigned field = 0;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            if (text_is(path, known[i].name))
                field = known[i].field;
        if (!field)
            return error_at(err, "update_mask",
                            "'%.*s' of a CachedContent cannot be changed: only its "
                            "expiration can, ttl or expireTime.",
                            TEXT_ARG(text_slice(path, 0, 100)));
        *fields |= field;
        mask = rest.at ? rest : TEXT("");
    }
    return true;
}

static bool stays(struct text asked, struct text is, const char *field, const char *name,
                  struct error *err)
{
    return !asked.len || text_same(asked, is) ||
           error_at(err, field,
                    "%s of a CachedContent cannot be changed: only its expiration can, "
                    "ttl or expireTime.",
                    name);
}

/* Without a mask all fields of the body are meant; those that cannot change may be sent
 * as they are. */
static bool check_unchanged(const struct wire_cache *asked,
                            const struct cache_entry *entry, struct error *err)
{
    bool holds =
        asked->contents.n || asked->tools.n || asked->system || asked->tool_config;
    if (holds)
        return error_at(err, "cached_content",
                        "What a CachedContent holds cannot be changed: only its "
                        "expiration can, ttl or expireTime.");
    return stays(asked->model, entry->model, "model", "model", err) &&
           stays(asked->display_name, entry->display_name, "display_name", "displayName",
                 err);
}

static bool run_patch(struct cache_job *job)
{
    struct caches *caches = job->api->options.caches;
    struct wire_cache asked;
    unsigned fields;
    int64_t expires;
    if (!read_mask(job->mask, &fields, &job->err) ||
        !json_read(&wire_cache_type, job->body, &asked, job->arena, &job->err) ||
        !caches_get(caches, job->id, job->arena, &job->entry, &job->err))
        return false;
    if (fields == MASK_TTL)
        asked.expires = (struct json_int){0};
    else if (fields == MASK_EXPIRE)
        asked.ttl = (struct json_int){0};
    else if (!fields && !check_unchanged(&asked, &job->entry, &job->err))
        return false;
    return caches_expiry(&asked, 0, &expires, &job->err) &&
           caches_set_expiry(caches, job->id, expires, job->arena, &job->entry,
                             &job->err);
}

void caches_route_patch(struct call *call)
{
    struct cache_job *job = open_job(call);
    struct text mask = http_query(call->rq, "updateMask");
    if (!mask.at)
        mask = http_query(call->rq, "update_mask");
    job->mask = arena_text(job->arena, mask);
    job->body = arena_text(job->arena, call->rq->body);
    start(job, run_patch, reply_entry);
}
