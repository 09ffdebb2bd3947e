/* embed.c - embedContent and batchEmbedContents.
 *
 * A request is decoded and checked (a body over API_LARGE on a worker), its texts go to
 * the embedder as one job, and the job's one event becomes the answer. As a generation
 * does, an embedding outlives its call: the client may leave while a worker reads or the
 * embedder computes. It is over when its call is closed, no worker has it and its event
 * came; from the moment it is `silent` nothing is written. */
#include "api/embed.h"
#include "api/models.h"
#include "base/log.h"
#include "json/write.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { DECIMALS = 9 };

struct embedding {
    struct work work; /* first: a worker's message is the embedding */
    struct arena *arena;
    struct api *api;
    struct call *call;  /* NULL: closed, or there was none */
    struct aside aside; /* told: whoever asked without a call still waits */
    int64_t since_us;
    bool batch;
    bool at_work, silent;
    bool good; /* so far; else err says why not */
    struct error err;
    struct text body, name;
    struct embed_text *texts;
    int n_texts;
    struct embed_job *job; /* NULL: none runs */
    struct timer *deadline;
    int deadline_s;
    struct embedding *next, **at; /* in api->embeddings */
};

/* ---- its life ---- */

static void release(struct embedding *m)
{
    if (m->call || m->aside.told || m->at_work || m->job)
        return;
    *m->at = m->next;
    if (m->next)
        m->next->at = m->at;
    arena_close(m->arena);
}

static void log_embedding(const struct embedding *m, const struct embed_event *event,
                          const char *end)
{
    int n_tokens = 0;
    for (int i = 0; event && i < event->n_texts; i++)
        n_tokens += event->vectors[i].n_tokens;
    log_line(LOG_INFO, "embed",
             "model=%.*s texts=%d tokens=%d ms=%.3f queue_ms=%.3f run_ms=%.3f end=%s",
             TEXT_ARG(m->name), m->n_texts, n_tokens,
             (double)(now_us() - m->since_us) / 1000,
             event ? (double)event->queued_us / 1000 : 0,
             event ? (double)event->run_us / 1000 : 0, end);
}

/* Nothing more is said, whatever still happens. */
static void conclude(struct embedding *m, const struct embed_event *event,
                     const char *end)
{
    if (m->silent)
        return;
    m->silent = true;
    loop_cancel(m->api->loop, m->deadline);
    m->deadline = NULL;
    log_embedding(m, event, end);
    if (m->job && !event)
        embed_cancel(m->job);
}

static void on_gone(struct call *call)
{
    conclude(call->embedding, NULL, "GONE");
}

static void on_closed(struct call *call)
{
    struct embedding *m = call->embedding;
    conclude(m, NULL, "GONE");
    m->call = NULL;
    release(m);
}

static void tell(struct embedding *m, const struct error *err, struct text json)
{
    struct aside to = m->aside;
    m->aside.told = NULL;
    to.told(to.arg, err, json);
}

static void fail(struct embedding *m, const struct error *err)
{
    if (m->silent)
        return;
    if (m->call)
        api_error(m->call, err);
    else
        tell(m, err, TEXT(""));
    conclude(m, NULL, error_row(err->code)->name);
}

static struct embedding *link_embedding(struct api *api, struct text name,
                                        struct text body)
{
    struct arena *arena = arena_open();
    struct embedding *m = arena_new(arena, struct embedding);
    m->arena = arena;
    m->api = api;
    m->name = arena_text(arena, name);
    m->body = arena_text(arena, body); /* the request's own may go first */
    m->since_us = now_us();
    m->at = &api->embeddings;
    m->next = *m->at;
    if (m->next)
        m->next->at = &m->next;
    *m->at = m;
    return m;
}

static struct embedding *open_embedding(struct call *call, bool batch)
{
    struct embedding *m = link_embedding(call->api, call->name, call->rq->body);
    m->call = call;
    m->since_us = call->rq->since_us;
    m->batch = batch;
    call->embedding = m;
    call->gone = on_gone;
    call->closed = on_closed;
    call->logged = true;
    return m;
}

/* ---- reading: any thread ---- */

static bool refuse(struct error *err, const char *field, const char *member,
                   const char *why)
{
    char path[200];
    snprintf(path, sizeof path, "%s%s%s", field, *field ? "." : "", member);
    return error_at(err, path, "%s", why);
}

/* A text is all parts' texts, each on a line of its own. */
static bool read_parts(const struct wire_content *content, const char *field,
                       struct arena *arena, struct text *text, struct error *err)
{
    const struct wire_part *parts = content->parts.at;
    struct buf all = {0};
    char member[60];
    bool good = true;
    for (size_t i = 0; good && i < content->parts.n; i++) {
        snprintf(member, sizeof member, "content.parts[%zu]", i);
        const struct wire_part *part = &parts[i];
        if (!part->text.at || part->call || part->result || part->blob || part->image ||
            part->file || part->video)
            good = refuse(err, field, member,
                          "Only parts with text can be embedded: this model reads no "
                          "media and no function calls.");
        if (good && i > 0)
            buf_char(&all, '\n');
        if (good)
            buf_text(&all, parts[i].text);
    }
    *text = arena_take(arena, &all);
    return good && (text->len > 0 || refuse(err, field, "content",
                                            "The content is empty: there is no text to "
                                            "embed."));
}

/* What one request asks the embedder for. `field` is the request's place in the body, for
 * errors: "" or "requests[3]". Texts point into the request or the arena. */
static bool read_request(const struct wire_embed *request, struct text model,
                         const char *field, struct arena *arena, struct embed_text *text,
                         struct error *err)
{
    struct text named = models_plain(request->model);
    if (named.len > 0 && !text_same(named, model))
        return refuse(err, field, "model",
                      "A request's model must be that of the path, or left out.");
    if (request->title.len > 0 && request->task != EMBED_DOCUMENT)
        return refuse(err, field, "title",
                      "title goes only with the taskType RETRIEVAL_DOCUMENT.");
    *text = (struct embed_text){
        .title = request->title,
        .task = (enum embed_task)request->task,
        .n_dims = request->dimensions.set ? (int)request->dimensions.is : 0,
    };
    return read_parts(request->content, field, arena, &text->text, err);
}

static bool read_one(struct embedding *m)
{
    struct wire_embed request;
    m->n_texts = 1;
    m->texts = arena_new(m->arena, struct embed_text);
    return json_read(&wire_embed_type, m->body, &request, m->arena, &m->err) &&
           read_request(&request, m->name, "", m->arena, m->texts, &m->err);
}

static bool read_batch(struct embedding *m)
{
    struct wire_embed_batch batch;
    if (!json_read(&wire_embed_batch_type, m->body, &batch, m->arena, &m->err))
        return false;
    const struct wire_embed *requests = batch.requests.at;
    m->n_texts = (int)batch.requests.n;
    m->texts = arena_array(m->arena, struct embed_text, batch.requests.n);
    for (int i = 0; i < m->n_texts; i++) {
        char field[40];
        snprintf(field, sizeof field, "requests[%d]", i);
        if (!read_request(&requests[i], m->name, field, m->arena, &m->texts[i], &m->err))
            return false;
    }
    return true;
}

static void read_body(struct embedding *m)
{
    m->good = m->batch ? read_batch(m) : read_one(m);
}

/* ---- writing ---- */

/* Nine decimals: a vector of length 1 needs no more, and printf would take longer than
 * the model. */
static void write_number(struct buf *out, double value)
{
    char digits[DECIMALS + 2];
    long long n = llround(fabs(value) * 1e9);
    int last = DECIMALS;
    if (value < 0 && n > 0)
        buf_char(out, '-');
    digits[0] = (char)('0' + n / 1000000000);
    for (int i = DECIMALS; i >= 1; i--, n /= 10)
        digits[i] = (char)('0' + n % 10);
    while (last > 0 && digits[last] == '0')
        last--;
    buf_char(out, digits[0]);
    if (last > 0) {
        buf_char(out, '.');
        buf_add(out, digits + 1, (size_t)last);
    }
}

/* {"values":[...]}, as an answer has it for each text. */
static void write_vector(struct json_writer *w, const struct embed_vector *vector)
{
    struct buf values = {0};
    buf_char(&values, '[');
    for (int i = 0; i < vector->n_dims; i++) {
        if (i > 0)
            buf_str(&values, w->pretty ? ", " : ",");
        write_number(&values, (double)vector->at[i]);
    }
    buf_char(&values, ']');
    json_begin(w, '{');
    json_key(w, "values");
    json_raw(w, buf_view(&values)); /* on one line, also when pretty */
    json_end(w, '}');
    buf_free(&values);
}

static void write_answer(struct embedding *m, const struct embed_event *event)
{
    struct buf body = {0};
    bool pretty = m->call && m->call->pretty;
    struct json_writer w = json_writer(&body, pretty);
    json_begin(&w, '{');
    json_key(&w, m->batch ? "embeddings" : "embedding");
    if (m->batch)
        json_begin(&w, '[');
    for (int i = 0; i < event->n_texts; i++)
        write_vector(&w, &event->vectors[i]);
    if (m->batch)
        json_end(&w, ']');
    if (!m->call) { /* only a batch's answer has it */
        json_key(&w, "tokenCount");
        json_int(&w, event->vectors[0].n_tokens);
    }
    json_end(&w, '}');
    if (pretty)
        buf_char(&body, '\n');
    if (m->call)
        http_reply(m->call->rq, 200, API_JSON, buf_view(&body));
    else
        tell(m, NULL, buf_view(&body));
    buf_free(&body);
    conclude(m, event, "OK");
}

/* ---- the job ---- */

/* What the embedder finds wrong with a text is said at the text's place. */
static void end_badly(struct embedding *m, const struct embed_event *event)
{
    struct error err = event->error;
    if (event->at_fault >= 0 && m->batch)
        snprintf(err.field, sizeof err.field, "requests[%d]", event->at_fault);
    else if (event->at_fault >= 0)
        snprintf(err.field, sizeof err.field, "content");
    fail(m, &err);
}

static void on_event(struct embedding *m, const struct embed_event *event)
{
    embed_release(m->job);
    m->job = NULL;
    if (!m->silent && event->error.code == ERROR_OK)
        write_answer(m, event);
    else if (!m->silent)
        end_badly(m, event);
    release(m);
}

static void on_ready(void *arg, uint32_t events)
{
    (void)events;
    struct api *api = arg;
    for (struct message *msg = queue_take(api->embedded), *next; msg; msg = next) {
        next = msg->next;
        struct embed_event *event = (struct embed_event *)msg;
        on_event(event->user, event);
        free(event);
    }
}

/* ---- calls ---- */

static void proceed(struct embedding *m)
{
    if (m->good)
        m->job = embed_submit(m->api->options.embedder, m->texts, m->n_texts,
                              m->api->embedded, m, &m->err);
    if (!m->job)
        fail(m, &m->err);
}

static void go_on(struct embedding *m)
{
    if (!m->silent)
        proceed(m);
    release(m);
}

static void work_run(struct work *work)
{
    read_body((struct embedding *)work);
}

static void work_done(struct work *work)
{
    struct embedding *m = (struct embedding *)work;
    m->at_work = false;
    go_on(m);
}

static void on_deadline(void *arg)
{
    struct embedding *m = arg;
    struct error err;
    m->deadline = NULL;
    api_late(&err, m->deadline_s);
    fail(m, &err);
}

static void begin_work(struct embedding *m)
{
    m->at_work = true;
    m->work.run = work_run;
    m->work.done = work_done;
    workers_push(m->api->workers, &m->work);
}

static void begin(struct call *call, bool batch, const char *method)
{
    struct error err;
    if (!models_embed(call->api, call->version, call->name, method, &err)) {
        api_error(call, &err);
        return;
    }
    struct embedding *m = open_embedding(call, batch);
    m->deadline_s = api_timeout_s(call);
    if (m->deadline_s > 0)
        m->deadline =
            loop_after(m->api->loop, (int64_t)m->deadline_s * 1000, on_deadline, m);
    if (m->body.len <= API_LARGE) {
        read_body(m);
        go_on(m);
        return;
    }
    begin_work(m);
}

struct embedding *embed_aside(struct api *api, struct text model, struct text body,
                              const struct aside *aside)
{
    struct embedding *m = link_embedding(api, model, body);
    m->aside = *aside;
    begin_work(m);
    return m;
}

void embed_leave(struct embedding *m)
{
    m->aside.told = NULL;
    conclude(m, NULL, "GONE");
    release(m);
}

void embed_one(struct call *call)
{
    begin(call, false, "embedContent");
}

void embed_batch(struct call *call)
{
    begin(call, true, "batchEmbedContents");
}

void embed_begin(struct api *api)
{
    if (!api->options.embedder)
        return;
    api->embedded = queue_open();
    api->embedded_watch =
        loop_watch(api->loop, queue_fd(api->embedded), EPOLLIN, on_ready, api);
}

void embed_end(struct api *api)
{
    if (!api->embedded)
        return;
    loop_unwatch(api->loop, api->embedded_watch);
    queue_close(api->embedded);
}

void embed_cancel_all(struct api *api)
{
    struct error err;
    api_stops(&err);
    for (struct embedding *m = api->embeddings; m; m = m->next)
        fail(m, &err);
}

int embed_count(const struct api *api)
{
    int n = 0;
    for (const struct embedding *m = api->embeddings; m; m = m->next)
        n++;
    return n;
}
