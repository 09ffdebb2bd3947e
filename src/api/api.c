/* api.c - the life of a call, and of the api.
 *
 * Routes are in route.c, keys in key.c, error replies in reply.c, what is asked beside
 * the body in query.c. */
#include "api/api.h"
#include "api/batch_run.h"
#include "api/cached.h"
#include "api/caches.h"
#include "api/embed.h"
#include "api/generate.h"
#include "api/interact_run.h"
#include "api/route.h"
#include "api/upload.h"
#include "api/webhook.h"
#include "base/log.h"
#include <assert.h>
#include <stdlib.h>

/* ---- who is refused ---- */

static void refuse_route(struct call *call, struct buf *others)
{
    const struct http_request *rq = call->rq;
    struct error err;
    if (others->len) {
        buf_str(others, "OPTIONS");
        http_set(call->rq, "Allow", others->at);
        error_set(&err, ERROR_UNIMPLEMENTED, "%.*s does not go with %.*s; try %s.",
                  TEXT_ARG(text_slice(rq->method, 0, 20)),
                  TEXT_ARG(text_slice(rq->path, 0, 300)), others->at);
        err.http_status = 405;
    } else {
        error_set(&err, ERROR_NOT_FOUND,
                  "There is no method %.*s %.*s in this API; docs/wire.md lists those "
                  "that there are.",
                  TEXT_ARG(text_slice(rq->method, 0, 20)),
                  TEXT_ARG(text_slice(rq->path, 0, 300)));
    }
    api_error(call, &err);
}

static void refuse_place(struct call *call, const char *things)
{
    struct error err;
    error_set(&err, ERROR_UNIMPLEMENTED, "This server has no place for %s.", things);
    api_error(call, &err);
}

static bool is_open(const struct api *api, const struct route *route)
{
    return route->flags & OPEN || (route->flags & OPEN_FILE && api->options.open_files);
}

static void route_call(struct call *call)
{
    struct buf others = {0};
    struct error err = {0};
    const char *lacking;
    const struct route *route = route_find(call, &others);
    if (!route)
        refuse_route(call, &others);
    else if (!is_open(call->api, route) && !api_let_in(call, &err))
        api_error(call, &err);
    else if ((lacking = route_lacks(&call->api->options, route)))
        refuse_place(call, lacking);
    else
        route->handle(call);
    buf_free(&others);
}

/* ---- browsers ---- */

/* Any page may call: a key, not an origin, is what lets in. */
static void preflight(struct call *call)
{
    struct text asked = http_header(call->rq, "Access-Control-Request-Headers");
    http_set(call->rq, "Access-Control-Allow-Methods",
             "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    http_set(call->rq, "Access-Control-Allow-Headers", asked.at ? asked.at : "*");
    http_set(call->rq, "Access-Control-Max-Age", "86400");
    http_reply(call->rq, 200, NULL, TEXT(""));
}

/* ---- calls ---- */

static void on_gone(struct http_request *rq)
{
    struct call *call = rq->user;
    if (call->gone)
        call->gone(call);
}

static void on_done(struct http_request *rq)
{
    struct call *call = rq->user;
    call->api->n_calls--;
    bool trouble = rq->status >= 500 || rq->status == 429;
    if (!call->logged)
        log_line(trouble ? LOG_WARN : LOG_DEBUG, "http",
                 "method=%.*s path=%.*s status=%d bytes=%lld ms=%.1f",
                 TEXT_ARG(rq->method), TEXT_ARG(rq->path), rq->status,
                 (long long)rq->n_sent, (double)(now_us() - rq->since_us) / 1000);
    if (call->closed)
        call->closed(call);
}

static struct call *open_call(struct http_request *rq, struct api *api)
{
    struct call *call = arena_new(rq->arena, struct call);
    *call = (struct call){.api = api, .rq = rq};
    call->pretty = api_flag(call, "prettyPrint", api_flag(call, "$prettyPrint", true));
    rq->user = call;
    rq->gone = on_gone;
    rq->done = on_done;
    api->n_calls++;
    http_set(rq, "Access-Control-Allow-Origin", "*");
    return call;
}

/* Only of those whose body is to come in pieces. */
void api_arrive(struct http_request *rq, void *arg)
{
    struct api *api = arg;
    struct buf others = {0};
    struct call asked = {.api = api, .rq = rq};
    if (!text_starts(rq->path, "/upload/") &&
        !text_starts(rq->path, "/resumable/upload/"))
        return;
    const struct route *route = route_find(&asked, &others);
    buf_free(&others);
    if (!route || !(route->flags & ARRIVES) || route_lacks(&api->options, route))
        return;
    struct call *call = open_call(rq, api);
    call->version = asked.version;
    call->name = asked.name;
    route->handle(call);
}

void api_handle(struct http_request *rq, void *arg)
{
    struct call *call = open_call(rq, arg);
    if (text_is(rq->method, "OPTIONS"))
        preflight(call);
    else
        route_call(call);
}

/* ---- the api ---- */

enum { SWEEP_MS = 60000 };

struct sweep {
    struct work work; /* first */
    struct api *api;
};

static void on_sweep(void *arg);

static void run_sweep(struct work *work)
{
    const struct api_options *options = &((struct sweep *)work)->api->options;
    if (options->files)
        files_sweep(options->files);
    if (options->batches)
        batches_sweep(options->batches);
    if (options->interactions)
        interactions_sweep(options->interactions);
    if (options->caches)
        caches_sweep(options->caches);
}

static void end_sweep(struct work *work)
{
    struct api *api = ((struct sweep *)work)->api;
    free(work);
    batch_run_look(api);
    if (!api->stopping)
        api->sweep = loop_after(api->loop, SWEEP_MS, on_sweep, api);
}

static void on_sweep(void *arg)
{
    struct api *api = arg;
    struct sweep *sweep = mem_alloc(sizeof *sweep);
    *sweep = (struct sweep){{.run = run_sweep, .done = end_sweep}, api};
    api->sweep = NULL;
    workers_push(api->options.disk, &sweep->work);
}

struct api *api_open(struct loop *loop, struct runner *runner, struct workers *workers,
                     const struct api_options *options)
{
    struct api *api = mem_alloc(sizeof *api);
    *api = (struct api){
        .loop = loop, .runner = runner, .workers = workers, .options = *options};
    embed_begin(api);
    if (options->files || options->interactions)
        api->sweep = loop_after(loop, SWEEP_MS, on_sweep, api);
    irun_recover(api);
    api->webhooks = webhooks_open(api);
    batch_run_open(api);
    return api;
}

void api_close(struct api *api)
{
    if (!api)
        return;
    assert(api_busy(api) == 0);
    batch_run_close(api);
    embed_end(api);
    webhooks_close(api->webhooks);
    loop_cancel(api->loop, api->sweep);
    free(api);
}

void api_stop(struct api *api)
{
    api->stopping = true;
    batch_run_stop(api);
}

void api_cancel(struct api *api)
{
    for (struct generation *g = api->generations; g; g = generate_next(g))
        generate_cancel(g);
    embed_cancel_all(api);
    irun_stop_all(api);
    webhooks_stop(api->webhooks);
    for (struct upload_call *u = api->uploads; u; u = upload_next(u))
        upload_stop(u);
    caches_cancel_all(api);
    cached_cancel_all(api);
}

int api_busy(const struct api *api)
{
    int n = api->n_calls;
    for (const struct generation *g = api->generations; g; g = generate_next(g))
        n++;
    for (const struct upload_call *u = api->uploads; u; u = upload_next(u))
        n++;
    return n + embed_count(api) + batch_run_busy(api) + irun_count(api) +
           webhooks_busy(api->webhooks) + caches_creating(api) + cached_count(api);
}
