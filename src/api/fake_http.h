/* fake_http.h - for tests: the http room without a socket, and an api on a scripted
 * engine.
 *
 * Defines what http/server.h declares for handlers, so a program that includes it must
 * not be linked with the real ones. A request is made from its parts; what is answered is
 * collected. `done` comes when the answer is complete or the client left, never from
 * within an http_ function, as with the real server. */
#ifndef POLLUX_API_FAKE_HTTP_H
#define POLLUX_API_FAKE_HTTP_H

#include "api/api.h"
#include "base/queue.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define UNUSED __attribute__((unused)) /* by some tests */

struct fake {
    struct http_request rq;
    const char *query;   /* "key=a&alt=sse", not encoded */
    const char *headers; /* "name: value\n", names in small letters */
    struct buf set;      /* headers of the answer, the same way */
    struct buf body;
    int n_writes;
    int lost_at; /* the client is found gone in this write; 0: never */
    bool streaming, complete, dropped, gone, closed;
};

static struct {
    struct engine *engine;
    struct loop *loop;
    struct workers *workers;
    struct runner *runner;
    struct api *api;
    bool running;
} fake_world;

/* ---- http/server.h ---- */

static struct text fake_find(const char *list, const char *name, char between, char end)
{
    for (const char *row = list; row && *row;) {
        size_t len = strlen(name), row_len = strcspn(row, (char[]){end, 0});
        if (row_len > len && strncmp(row, name, len) == 0 && row[len] == between) {
            struct text value = {row + len + 1, row_len - len - 1};
            return value.len && *value.at == ' ' ? text_slice(value, 1, value.len)
                                                 : value;
        }
        row += row_len + (row[row_len] != '\0');
    }
    return (struct text){0};
}

struct text http_header(const struct http_request *rq, const char *name)
{
    char lower[64] = "";
    for (size_t i = 0; name[i] && i + 1 < sizeof lower; i++)
        lower[i] =
            (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    struct text value = fake_find(((const struct fake *)rq)->headers, lower, ':', '\n');
    return arena_text(rq->arena, value); /* ends in a NUL */
}

struct text http_query(const struct http_request *rq, const char *name)
{
    return arena_text(rq->arena,
                      fake_find(((const struct fake *)rq)->query, name, '=', '&'));
}

void http_set(struct http_request *rq, const char *name, const char *value)
{
    buf_printf(&((struct fake *)rq)->set, "%s: %s\n", name, value);
}

static void fake_wake(void)
{
    if (fake_world.running)
        loop_stop(fake_world.loop);
}

static void fake_begin(struct fake *fake, int status, const char *type)
{
    assert(!fake->gone && !fake->rq.status && status >= 200);
    fake->rq.status = status;
    if (type)
        http_set(&fake->rq, "Content-Type", type);
}

static void fake_complete(struct fake *fake)
{
    fake->complete = true;
    fake_wake();
}

void http_reply(struct http_request *rq, int status, const char *type, struct text body)
{
    struct fake *fake = (struct fake *)rq;
    fake_begin(fake, status, type);
    buf_text(&fake->body, body);
    fake_complete(fake);
}

void http_stream(struct http_request *rq, int status, const char *type)
{
    fake_begin((struct fake *)rq, status, type);
    ((struct fake *)rq)->streaming = true;
}

void http_stream_of(struct http_request *rq, int status, const char *type, int64_t length)
{
    (void)length;
    http_stream(rq, status, type);
}

/* No request of these tests has a body that comes in pieces. */
void http_more(struct http_request *rq)
{
    (void)rq;
    abort();
}

void http_write(struct http_request *rq, struct text bytes)
{
    struct fake *fake = (struct fake *)rq;
    if (fake->gone || !bytes.len)
        return;
    assert(fake->streaming && !fake->complete);
    buf_text(&fake->body, bytes);
    if (++fake->n_writes == fake->lost_at) {
        fake->gone = true;
        fake->rq.gone(rq);
    }
    fake_wake();
}

void http_end(struct http_request *rq)
{
    if (((struct fake *)rq)->gone)
        return;
    assert(((struct fake *)rq)->streaming);
    fake_complete((struct fake *)rq);
}

void http_drop(struct http_request *rq)
{
    ((struct fake *)rq)->dropped = true;
    fake_complete((struct fake *)rq);
}

/* ---- requests ---- */

static void fake_turn_loop(void)
{
    fake_world.running = true;
    loop_run(fake_world.loop);
    fake_world.running = false;
}

/* target: "/v1/models?pageSize=2"; headers may be NULL. */
UNUSED static struct fake *fake_send(const char *method, const char *target,
                                     const char *headers, struct text body)
{
    struct arena *arena = arena_open();
    struct fake *fake = arena_new(arena, struct fake);
    struct text query, path = text_cut(text_of(target), '?', &query);
    fake->rq = (struct http_request){
        .arena = arena,
        .method = text_of(method),
        .path = arena_text(arena, path),
        .body = arena_text(arena, body),
        .peer = TEXT("test"),
        .since_us = now_us(),
    };
    fake->query = arena_text(arena, query).at;
    fake->headers = headers;
    api_handle(&fake->rq, fake_world.api);
    return fake;
}

static void fake_close(struct fake *fake)
{
    if (!fake->closed) {
        fake->closed = true;
        fake->rq.done(&fake->rq);
    }
    buf_free(&fake->set);
    buf_free(&fake->body);
    arena_close(fake->rq.arena);
}

/* The client hangs up. */
UNUSED static void fake_leave(struct fake *fake)
{
    if (!fake->complete && !fake->gone && fake->rq.gone)
        fake->rq.gone(&fake->rq);
    fake->gone = true;
    fake_close(fake);
}

UNUSED static void fake_wait(struct fake *fake)
{
    while (!fake->complete)
        fake_turn_loop();
}

UNUSED static void fake_wait_writes(const struct fake *fake, int n)
{
    while (fake->n_writes < n && !fake->complete)
        fake_turn_loop();
}

static void fake_look(void *arg)
{
    const int64_t *until_ms = arg;
    if (api_busy(fake_world.api) == 0 || now_ms() > *until_ms)
        loop_stop(fake_world.loop);
    else
        loop_after(fake_world.loop, 1, fake_look, arg);
}

/* Until every turn is over; false: some call was left open, by a test that failed. */
static bool fake_settle(void)
{
    int64_t until_ms = now_ms() + 10000;
    if (api_busy(fake_world.api) == 0)
        return true;
    loop_after(fake_world.loop, 0, fake_look, &until_ms);
    loop_run(fake_world.loop);
    return api_busy(fake_world.api) == 0;
}

/* ---- the world ---- */

static void fake_finish_work(void *arg, uint32_t events)
{
    (void)events;
    workers_finish(arg);
}

static struct engine *fake_engine(const char *script, struct error *err)
{
    char path[] = "/tmp/pollux-script-XXXXXX";
    int fd = mkstemp(path);
    assert(fd >= 0);
    ssize_t written = write(fd, script, strlen(script));
    assert(written == (ssize_t)strlen(script));
    close(fd);
    struct engine *engine = script_open(path, err);
    unlink(path);
    return engine;
}

/* A scripted one, for the options of fake_open(). */
UNUSED static struct embedder *fake_embedder(const char *script)
{
    struct error err = {0};
    char path[] = "/tmp/pollux-script-XXXXXX";
    int fd = mkstemp(path);
    ssize_t written = write(fd, script, strlen(script));
    assert(fd >= 0 && written == (ssize_t)strlen(script));
    close(fd);
    struct embed_options options = {
        .name = "embedder", .path = path, .script = true, .queue_limit = 100};
    struct embedder *embedder = embed_open(&options, &err);
    unlink(path);
    assert(embedder);
    return embedder;
}

static void fake_open(const char *script, const struct api_options *options)
{
    struct error err = {0};
    fake_world.engine = fake_engine(script, &err);
    if (!fake_world.engine)
        fprintf(stderr, "%s\n", err.message);
    assert(fake_world.engine);
    fake_world.loop = loop_open();
    fake_world.workers = workers_open(1);
    loop_watch(fake_world.loop, workers_fd(fake_world.workers), EPOLLIN, fake_finish_work,
               fake_world.workers);
    fake_world.runner = runner_open(fake_world.loop, fake_world.engine, &err);
    assert(fake_world.runner);
    fake_world.api =
        api_open(fake_world.loop, fake_world.runner, fake_world.workers, options);
}

UNUSED static void fake_shut(void)
{
    if (!fake_settle())
        return;
    workers_close(fake_world.workers);
    api_close(fake_world.api);
    runner_close(fake_world.runner);
    engine_close(fake_world.engine);
    loop_close(fake_world.loop);
}

#endif
