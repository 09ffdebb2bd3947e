/* caches.c - cachedContents: get, list, patch, delete.
 *
 * Each waits for the database, and so is a task (task.h) on a disk worker. */
#include "api/caches.h"
#include "api/task.h"
#include "base/clock.h"

enum { PAGE = 50, PAGE_MOST = 1000 };

/* ---- what is told ---- */

struct wire_cache caches_wire(const struct cache_entry *entry, struct arena *arena)
{
    struct wire_cache_usage *usage = arena_new(arena, struct wire_cache_usage);
    usage->total = (struct json_int){true, entry->n_tokens};
    return (struct wire_cache){
        .name = arena_printf(arena, "cachedContents/%.*s", TEXT_ARG(entry->id)),
        .model = entry->model,
        .display_name = entry->display_name,
        .created = wire_time(entry->created),
        .updated = wire_time(entry->updated),
        .expires = wire_time(entry->expires),
        .usage = usage,
    };
}

static bool answer_entry(struct task *task, const struct cache_entry *entry)
{
    struct wire_cache cache = caches_wire(entry, task->arena);
    return task_answer(task, &wire_cache_type, &cache);
}

/* ---- get, delete ---- */

static bool run_get(struct task *task)
{
    struct cache_entry entry;
    return caches_get(task->api->options.caches, task->id, task->arena, &entry,
                      &task->err) &&
           answer_entry(task, &entry);
}

void caches_route_get(struct call *call)
{
    task_run_call(call, run_get, NULL);
}

static bool run_delete(struct task *task)
{
    return caches_delete(task->api->options.caches, task->id, &task->err) &&
           task_answer_nothing(task);
}

void caches_route_delete(struct call *call)
{
    task_run_call(call, run_delete, NULL);
}

/* ---- list ---- */

static bool run_list(struct task *task)
{
    struct cache_entry *list;
    struct wire_caches wire = {0};
    int n;
    if (!caches_list(task->api->options.caches, task->page_size, task->token, task->arena,
                     &list, &n, &wire.next_page, &task->err))
        return false;
    struct wire_cache *caches =
        arena_array(task->arena, struct wire_cache, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        caches[i] = caches_wire(&list[i], task->arena);
    wire.caches = (struct json_list){caches, (size_t)n};
    return task_answer(task, &wire_caches_type, &wire);
}

void caches_route_list(struct call *call)
{
    struct task *task = task_open(call);
    if (task_page(task, PAGE, PAGE_MOST))
        task_start(task, run_list, NULL);
}

/* ---- patch ---- */

bool caches_expiry(const struct wire_cache *asked, int64_t otherwise, int64_t *expires,
                   struct error *err)
{
    int64_t now = clock_ns(), ttl = asked->ttl.set ? asked->ttl.is : otherwise;
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

static bool run_patch(struct task *task)
{
    struct caches *caches = task->api->options.caches;
    struct cache_entry entry;
    struct wire_cache asked;
    unsigned fields;
    int64_t expires = 0;
    if (!read_mask(task->mask, &fields, &task->err) ||
        !json_read(&wire_cache_type, task->body, &asked, task->arena, &task->err) ||
        !caches_get(caches, task->id, task->arena, &entry, &task->err))
        return false;
    if (fields == MASK_TTL)
        asked.expires = (struct json_int){0};
    else if (fields == MASK_EXPIRE)
        asked.ttl = (struct json_int){0};
    else if (!fields && !check_unchanged(&asked, &entry, &task->err))
        return false;
    return caches_expiry(&asked, 0, &expires, &task->err) &&
           caches_set_expiry(caches, task->id, expires, task->arena, &entry,
                             &task->err) &&
           answer_entry(task, &entry);
}

void caches_route_patch(struct call *call)
{
    task_run_call(call, run_patch, NULL);
}
