/* interact_prepare.c - from a request's body to a prompt.
 *
 * Reading a large body, the chain on the disk, media (prepare.h) and grammars all take
 * their time, each on threads of its kind; between them the run comes back to the loop.
 * While a worker has it, the loop touches neither its request nor its row (`known`,
 * `listed`). */
#include "api/interact_inside.h"
#include "api/models.h"
#include "api/webhook.h"
#include <stdlib.h>

/* ---- preparing: any thread ---- */

static void decode(struct irun *run)
{
    struct interact_request *request = &run->request;
    run->good =
        interact_read(run->body, run->sse, run->arena, request, &run->err) &&
        models_serve(run->api, run->version, request->model, "interactions", &run->err);
    if (run->good && (request->store || request->wire.previous.len) &&
        !run->api->options.interactions)
        run->good = error_at(&run->err, "store",
                             "This server keeps no interactions: store must be false.");
    run->good = run->good && webhook_check(run->api, request->wire.webhook,
                                           "webhook_config", &run->err);
}

static bool needs_disk(const struct irun *run)
{
    return run->request.wire.previous.len || run->request.wire.cached.len ||
           (irun_is_kept(run) && !run->stored);
}

static bool make_chat(struct irun *run)
{
    const struct content_rules rules = content_rules(run->api);
    struct interaction *rows = NULL;
    struct text previous = run->request.wire.previous;
    int n_rows = 0;
    return (!run->request.wire.cached.len || irun_read_cache(run, &run->chat)) &&
           (!previous.len || interactions_chain(run->api->options.interactions, previous,
                                                run->arena, &rows, &n_rows, &run->err)) &&
           interact_chat(&run->request, &rules, rows, n_rows, run->arena, &run->chat,
                         &run->err);
}

static void open_log(struct irun *run)
{
    const struct ilog_options options = {
        .id = run->row.id,
        .model = run->request.model,
        .created = run->row.created,
        .events = run->request.stream || irun_is_kept(run),
        .thoughts = run->request.summaries,
    };
    run->log = ilog_open(run->arena, &options);
    ilog_begin(run->log);
}

static void fill_request(struct irun *run)
{
    run->row.id = interactions_new_id(run->arena);
    run->row.previous = run->request.wire.previous;
    run->row.background = run->request.background;
    run->row.request = run->row.background
                           ? run->request.kept
                           : interact_without_headers(run->request.kept, run->arena);
    run->row.input = run->request.input;
    run->row.status = status_after(STATUS_NONE, HAPPENS_BEGIN);
}

static bool add_row(struct irun *run)
{
    struct log_piece begin = ilog_since(run->log, 0, ilog_last(run->log));
    run->stored =
        interactions_add(run->api->options.interactions, &run->row, &begin, &run->err);
    run->n_stored = ilog_last(run->log);
    return run->stored;
}

/* All but the media. */
static void prepare(struct irun *run)
{
    run->good = make_chat(run) && prepare_begin(&run->prepare);
    if (!run->good || run->resumed)
        return;
    fill_request(run);
    open_log(run);
    if (irun_is_kept(run))
        run->good = add_row(run);
}

/* ---- from thread to thread ---- */

static void go_on(struct irun *run);

static void push(struct irun *run, struct workers *workers, void (*work)(struct work *),
                 void (*done)(struct work *))
{
    run->at_work = true;
    run->work.run = work;
    run->work.done = done;
    workers_push(workers, &run->work);
}

static void run_prepare(struct work *work)
{
    prepare((struct irun *)work);
}

static void end_prepare(struct work *work)
{
    struct irun *run = (struct irun *)work;
    run->at_work = false;
    go_on(run);
}

static void on_media(struct prepare *p)
{
    struct irun *run = p->host;
    run->good = p->good;
    go_on(run);
}

/* Its arena is its own: while media are read the loop may end the run. */
static void open_prepare(struct irun *run)
{
    struct prepare *p = &run->prepare;
    p->api = run->api;
    p->arena = arena_open();
    p->chat = &run->chat;
    p->err = &run->err;
    p->make = prepare_prompt;
    p->done = on_media;
    p->host = run;
}

static void begin_preparing(struct irun *run)
{
    struct api *api = run->api;
    const struct wire_interact *wire = &run->request.wire;
    bool grammar = wire->tools || wire->format || wire->mime_type.len ||
                   (wire->config && (wire->config->level || wire->config->summaries)) ||
                   prompter_thinks(runner_prompter(api->runner));
    if (needs_disk(run)) {
        push(run, api->options.disk, run_prepare, end_prepare);
    } else if (grammar || run->body.len > API_LARGE) {
        push(run, api->workers, run_prepare, end_prepare);
    } else {
        prepare(run);
        go_on(run);
    }
}

static void on_deadline(void *arg)
{
    struct irun *run = arg;
    struct error err;
    run->deadline = NULL;
    api_late(&err, run->deadline_s);
    irun_fail(run, &err);
}

static void run_decode(struct work *work)
{
    decode((struct irun *)work);
}

/* What is asked for is known now. */
static void decoded(struct irun *run)
{
    if (run->concluded) {
        irun_release(run);
        return;
    }
    if (!run->good) {
        irun_fail(run, &run->err);
        return;
    }
    run->known = true;
    if (run->request.stream && run->readers)
        run->readers->wish = WANTS_STREAM;
    if (run->deadline_s > 0 && !run->request.background)
        run->deadline =
            loop_after(run->api->loop, (int64_t)run->deadline_s * 1000, on_deadline, run);
    open_prepare(run);
    begin_preparing(run);
}

static void end_decode(struct work *work)
{
    struct irun *run = (struct irun *)work;
    run->at_work = false;
    decoded(run);
}

void irun_decode(struct irun *run)
{
    push(run, run->api->workers, run_decode, end_decode);
}

/* It takes seconds: who asked for no answer yet has one now. */
static void begin_reading(struct irun *run)
{
    if (!prepare_read(&run->prepare))
        irun_fail(run, &run->err);
    else if (run->request.background)
        irun_acknowledge(run);
}

static void set_media_header(struct irun *run)
{
    for (struct reader *reader = run->readers; reader; reader = reader->next)
        if (reader->owner && !reader->begun)
            http_set(reader->call->rq, "x-pollux-media", run->prepare.attached.header.at);
}

static void go_on(struct irun *run)
{
    run->listed = run->listed || run->good;
    if (run->concluded) { /* meanwhile: its row may have been added */
        if (run->stored && run->told && !run->left && !run->deleted) {
            run->told = false;
            run->deleted = true;
            irun_write_now(run);
        }
        irun_release(run);
    } else if (!run->good) {
        irun_fail(run, &run->err);
    } else if (prepare_waits(&run->prepare)) {
        begin_reading(run);
    } else {
        if (run->prepare.attached.n > 0)
            set_media_header(run);
        irun_start_turn(run);
    }
}

void irun_create(struct call *call, bool sse)
{
    struct irun *run = irun_open(call->api);
    run->body = arena_text(run->arena, call->rq->body);
    run->version = arena_text(run->arena, call->version);
    run->sse = sse;
    run->deadline_s = api_timeout_s(call);
    irun_attach(run, call, WANTS_END)->owner = true;
    if (run->body.len > API_LARGE) {
        irun_decode(run);
        return;
    }
    decode(run);
    decoded(run);
}
