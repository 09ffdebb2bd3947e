/* interact_run.c - an interaction under way: its turn, its readers, its way to the disk.
 *
 *     read -> looked up, added to the disk -> media -> prompt -> turn -> end, written ->
 * told
 *
 * What is acknowledged is on the disk: a stream's first byte, and the answer to a
 * background request, come when the row is there; an end is told when it is there.
 * Between them events go out at once and to the disk in pieces, WRITE_MS after the first.
 * An answer that comes as a whole is written once, at its end: until then nobody knows of
 * it.
 *
 * A client that leaves ends what nobody keeps. What is kept goes on; a stream that broke
 * is followed again with irun_follow().
 *
 * When the server dies, runs are found in progress on the disk by the next one. A
 * background run of which nothing was said yet is run again, at most RERUNS times, for it
 * may be what the server dies of. Any other one has failed, with what was said of it.
 *
 * I1  One write at a time; a run's writes reach the disk in order.
 * I2  Nothing is written behind the end, nothing at all behind a deletion.
 * I3  A run is freed when no reader, thread, turn or write has it any more. */
#include "api/interact_run.h"
#include "api/attach.h"
#include "api/interact_log.h"
#include "api/interact_request.h"
#include "api/models.h"
#include "api/print.h"
#include "api/webhook.h"
#include "base/log.h"
#include "chat/rounds.h"
#include "json/tree.h"
#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum {
    LARGE = 64 * 1024, /* bytes of body */
    WRITE_MS = 100,
    TROUBLE_MS = 2000, /* the same when the disk has failed */
    MOST_READING = 64,
    RERUNS = 3,
};

enum wish { WANTS_END, WANTS_STREAM, WANTS_DELETION };

/* It lives in its call's arena; `run` is NULL when it has been answered. */
struct reader {
    struct irun *run;
    struct call *call;
    enum wish wish;
    bool owner; /* its call made the run */
    bool begun; /* its stream */
    bool include_input;
    int64_t after; /* the last event that it was given */
    struct reader *next, **at;
};

struct irun {
    struct work work; /* first: a worker's message is the run */
    struct arena *arena;
    struct api *api;
    struct text body, version;
    bool sse;

    bool at_work, running, writing; /* a worker has it; its turn is not over; I1 */
    bool good, read;                /* so far; else err says why not; its media */
    bool known, listed;             /* what is asked for; its id: no worker has them */
    bool stored;                    /* its row is on the disk */
    bool acknowledged;              /* somebody may know of it */
    bool resumed;                   /* an earlier server began it */
    bool concluded, told;           /* nothing more is said of it; and they know */
    bool deleted, left;             /* no row is wanted; the next server shall find it */
    atomic_bool cancelled;          /* for whoever reads */
    struct error err;

    struct interact_request request;
    struct interaction row;
    struct chat chat;
    struct prompt prompt;
    struct attached attached;
    struct rounds *turn; /* NULL: must not be cancelled any more */
    struct ilog *log;
    struct ilog_usage usage;
    int64_t n_public, n_stored; /* events */

    struct reader *readers;
    struct timer *deadline, *flush;
    int deadline_s, write_ms;
    int64_t since_us, first_us, queued_us, prefill_us, decode_us;

    struct irun *next, **at; /* in api->iruns */
};

/* ---- its life ---- */

static int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void release(struct irun *run)
{
    if (run->readers || run->at_work || run->running || run->writing || !run->concluded ||
        !(run->told || run->left))
        return;
    *run->at = run->next;
    if (run->next)
        run->next->at = run->at;
    arena_close(run->arena);
}

static struct irun *open_run(struct api *api)
{
    struct arena *arena = arena_open();
    struct irun *run = arena_new(arena, struct irun);
    run->arena = arena;
    run->api = api;
    run->since_us = now_us();
    run->row.created = run->row.updated = clock_ns();
    run->row.steps = TEXT("[]");
    run->row.outcome = TEXT("{}");
    run->write_ms = WRITE_MS;
    run->at = &api->iruns;
    run->next = *run->at;
    if (run->next)
        run->next->at = &run->next;
    *run->at = run;
    return run;
}

struct irun *irun_find(const struct api *api, struct text id)
{
    for (struct irun *run = api->iruns; run; run = run->next)
        if (run->listed && !run->told && text_same(run->row.id, id))
            return run;
    return NULL;
}

int irun_count(const struct api *api)
{
    int n = 0;
    for (const struct irun *run = api->iruns; run; run = run->next)
        n++;
    return n;
}

static void stop_timers(struct irun *run)
{
    loop_cancel(run->api->loop, run->deadline);
    loop_cancel(run->api->loop, run->flush);
    run->deadline = run->flush = NULL;
}

static void log_turn(const struct irun *run, const char *end)
{
    double first_ms = run->first_us ? (double)(run->first_us - run->since_us) / 1000 : 0;
    log_line(LOG_INFO, "interaction",
             "id=%.*s model=%.*s in=%d reused=%d out=%d ms=%.3f first_ms=%.3f "
             "queue_ms=%.3f prefill_ms=%.3f decode_ms=%.3f end=%s",
             TEXT_ARG(run->row.id), TEXT_ARG(text_slice(run->request.model, 0, 100)),
             run->usage.n_prompt, run->usage.n_cached, run->usage.n_output,
             (double)(now_us() - run->since_us) / 1000, first_ms,
             (double)run->queued_us / 1000, (double)run->prefill_us / 1000,
             (double)run->decode_us / 1000, end);
}

/* From here on its turn says nothing. */
static void silence(struct irun *run, const char *end)
{
    run->concluded = true;
    atomic_store(&run->cancelled, true);
    stop_timers(run);
    if (run->known && run->listed)
        log_turn(run, end);
    if (run->turn)
        rounds_cancel(run->turn);
}

/* ---- readers ---- */

static void detach(struct reader *reader)
{
    if (!reader->run)
        return;
    *reader->at = reader->next;
    if (reader->next)
        reader->next->at = reader->at;
    reader->run = NULL;
}

/* From its beginning on. */
static bool is_kept(const struct irun *run)
{
    return run->request.store && (run->request.stream || run->request.background);
}

/* Of what nobody keeps only the owner knows. */
static void lose(struct reader *reader)
{
    struct irun *run = reader->run;
    bool owner = reader->owner;
    if (!run)
        return;
    detach(reader);
    if (owner && !run->concluded && !(run->known && is_kept(run))) {
        run->told = true;
        silence(run, "GONE");
    }
    release(run);
}

static void on_gone(struct call *call)
{
    lose(call->own);
}

static struct reader *attach(struct irun *run, struct call *call, enum wish wish)
{
    struct reader *reader = arena_new(call->rq->arena, struct reader);
    *reader =
        (struct reader){.run = run, .call = call, .wish = wish, .at = &run->readers};
    reader->next = *reader->at;
    if (reader->next)
        reader->next->at = &reader->next;
    *reader->at = reader;
    call->own = reader;
    call->gone = on_gone;
    call->closed = on_gone;
    return reader;
}

static void answer_error(struct reader *reader, const struct error *err)
{
    struct call *call = reader->call;
    detach(reader);
    api_error(call, err);
}

/* What is known of it, the steps being those said so far. */
static struct interaction row_now(const struct irun *run, const struct error *error,
                                  struct arena *arena)
{
    struct interaction row = run->row;
    struct buf steps = {0}, outcome = {0};
    ilog_steps(run->log, &steps);
    ilog_outcome(&run->usage, error, &outcome);
    row.steps = arena_text(arena, buf_view(&steps));
    row.outcome = arena_text(arena, buf_view(&outcome));
    buf_free(&steps);
    buf_free(&outcome);
    return row;
}

static void write_row(const struct interaction *row, bool include_input, struct buf *out)
{
    struct json_writer w = json_writer(out, false);
    json_begin(&w, '{');
    json_key(&w, "id");
    json_text(&w, row->id);
    json_key(&w, "object");
    json_text(&w, TEXT("interaction"));
    json_key(&w, "status");
    json_text(&w, text_of(status_name(row->status)));
    json_key(&w, "created");
    json_timestamp(&w, row->created - row->created % 1000000000);
    json_key(&w, "updated");
    json_timestamp(&w, row->updated - row->updated % 1000000000);
    json_key(&w, "steps");
    json_raw(&w, row->steps);
    if (row->previous.len) {
        json_key(&w, "previous_interaction_id");
        json_text(&w, row->previous);
    }
    if (include_input) {
        json_key(&w, "input");
        json_raw(&w, row->input);
    }
    if (row->outcome.len > 2) { /* its members */
        buf_char(out, ',');
        buf_text(out, text_slice(row->outcome, 1, row->outcome.len - 1));
    }
    interact_echo(row->request, out);
    json_end(&w, '}');
}

void irun_reply(struct call *call, const struct interaction *row, bool include_input)
{
    struct buf body = {0}, pretty = {0};
    struct error err;
    write_row(row, include_input, &body);
    struct json_object *tree =
        call->pretty ? json_parse(call->rq->arena, buf_view(&body), &err) : NULL;
    if (tree) {
        struct json_writer w = json_writer(&pretty, true);
        tree_write(&w, tree);
        buf_char(&pretty, '\n');
    }
    http_reply(call->rq, 200, API_JSON, buf_view(tree ? &pretty : &body));
    buf_free(&body);
    buf_free(&pretty);
}

static void answer_row(struct reader *reader)
{
    struct call *call = reader->call;
    struct irun *run = reader->run;
    bool include_input = reader->include_input;
    detach(reader);
    irun_reply(call, &run->row, include_input);
}

void irun_begin_stream(struct call *call)
{
    http_set(call->rq, "Cache-Control", "no-cache");
    http_set(call->rq, "X-Accel-Buffering", "no"); /* or nginx would collect */
    http_stream(call->rq, 200, "text/event-stream");
}

/* A client that is too slow is lost in the middle of this. */
static void pump(struct reader *reader)
{
    struct irun *run = reader->run;
    struct log_piece piece = ilog_since(run->log, reader->after, run->n_public);
    struct buf bytes = {0};
    if (!reader->begun || piece.n == 0)
        return;
    ilog_sse(piece.lines, &bytes);
    reader->after = run->n_public;
    http_write(reader->call->rq, buf_view(&bytes));
    buf_free(&bytes);
}

/* `trouble`: what the log does not tell. */
static void end_stream(struct reader *reader, const struct error *trouble)
{
    struct call *call = reader->call;
    struct buf bytes = {0};
    detach(reader);
    if (trouble)
        ilog_sse_error(trouble, &bytes);
    buf_text(&bytes, ILOG_SSE_END);
    http_write(call->rq, buf_view(&bytes));
    http_end(call->rq);
    buf_free(&bytes);
}

static void publish(struct irun *run)
{
    run->n_public = ilog_last(run->log);
    for (struct reader *reader = run->readers, *next; reader; reader = next) {
        next = reader->next;
        if (reader->wish == WANTS_STREAM)
            pump(reader);
    }
}

/* ---- its way to the disk ---- */

enum doing { DOES_NOTHING, DOES_LOG, DOES_END, DOES_ALL, DOES_DELETE };

struct write_job {
    struct work work; /* first */
    struct arena *arena;
    struct irun *run;
    enum doing doing;
    struct log_piece log;
    int64_t upto;
    struct interaction row;
    bool good;
    struct error err;
};

static void announce(struct irun *run, const struct error *trouble);
static void write_next(struct irun *run);

static void run_write(struct work *work)
{
    struct write_job *job = (struct write_job *)work;
    struct interactions *is = job->run->api->options.interactions;
    switch (job->doing) {
    case DOES_ALL:
        job->good = interactions_add(is, &job->row, NULL, &job->err);
        break;
    case DOES_DELETE:
        job->good = interactions_delete(is, job->row.id, &job->err);
        break;
    default:
        job->good =
            interactions_write(is, job->row.id, &job->log,
                               job->doing == DOES_END ? &job->row : NULL, &job->err);
    }
}

static void end_write(struct work *work)
{
    struct write_job *job = (struct write_job *)work;
    struct irun *run = job->run;
    run->writing = false;
    run->write_ms = job->good ? WRITE_MS : TROUBLE_MS;
    if (!job->good)
        log_line(LOG_ERROR, "interaction", "id=%.*s why=\"%s\"", TEXT_ARG(run->row.id),
                 job->err.message);
    else if (job->doing == DOES_LOG || job->doing == DOES_END)
        run->n_stored = job->upto;
    bool over = job->doing != DOES_LOG && !(run->deleted && job->doing != DOES_DELETE);
    struct error err = job->err;
    bool good = job->good;
    if (good && job->row.n_hooks)
        webhooks_kick(run->api->webhooks);
    arena_close(job->arena);
    if (over)
        announce(run, good ? NULL : &err);
    else
        write_next(run);
}

static enum doing what_to_write(const struct irun *run)
{
    if (run->writing || run->told || run->left)
        return DOES_NOTHING;
    if (run->deleted)
        return DOES_DELETE;
    if (run->concluded)
        return run->stored ? DOES_END : DOES_ALL;
    return run->stored && !run->flush && ilog_last(run->log) > run->n_stored
               ? DOES_LOG
               : DOES_NOTHING;
}

static void write_now(struct irun *run)
{
    enum doing doing = what_to_write(run);
    if (doing == DOES_NOTHING)
        return;
    struct arena *arena = arena_open();
    struct write_job *job = arena_new(arena, struct write_job);
    job->arena = arena;
    job->run = run;
    job->doing = doing;
    job->row = run->row; /* its texts are not changed any more, or not looked at */
    if (doing == DOES_LOG || doing == DOES_END) {
        job->upto = ilog_last(run->log);
        job->log = ilog_since(run->log, run->n_stored, job->upto);
        job->log.lines = arena_text(arena, job->log.lines);
    }
    run->writing = true;
    job->work = (struct work){.run = run_write, .done = end_write};
    workers_push(run->api->options.disk, &job->work);
}

static void on_flush(void *arg)
{
    struct irun *run = arg;
    run->flush = NULL;
    write_now(run);
}

/* An end is written at once, what is said in between a little later. */
static void write_next(struct irun *run)
{
    if (run->concluded || run->deleted)
        write_now(run);
    else if (!run->flush && what_to_write(run) == DOES_LOG)
        run->flush = loop_after(run->api->loop, run->write_ms, on_flush, run);
    if (run->concluded)
        release(run);
}

/* ---- its end ---- */

static void tell(struct reader *reader, const struct error *trouble)
{
    struct irun *run = reader->run;
    struct error gone;
    if (reader->wish == WANTS_DELETION && !trouble) {
        struct call *call = reader->call;
        detach(reader);
        http_reply(call->rq, 200, API_JSON, TEXT("{}\n"));
    } else if (reader->wish == WANTS_STREAM && reader->begun) {
        end_stream(reader, trouble);
    } else if (trouble) {
        answer_error(reader, trouble);
    } else if (run->deleted) {
        error_set(&gone, ERROR_NOT_FOUND, "Interaction %.*s was deleted.",
                  TEXT_ARG(run->row.id));
        answer_error(reader, &gone);
    } else {
        answer_row(reader);
    }
}

/* It is on the disk, or could not be brought there. */
static void announce(struct irun *run, const struct error *trouble)
{
    if (!trouble && !run->deleted && run->log)
        publish(run);
    run->told = true; /* behind publish, which may lose the last reader: I3 */
    while (run->readers)
        tell(run->readers, trouble);
    release(run);
}

/* `error`: why it FAILED. */
static void conclude(struct irun *run, enum happening happening,
                     const struct error *error)
{
    if (run->concluded)
        return;
    run->row.status = status_after(run->row.status, happening);
    run->row.updated = clock_ns();
    assert(run->row.status != STATUS_NONE);
    ilog_end(run->log, run->row.status, run->row.updated, &run->usage, error);
    run->row = row_now(run, error, run->arena);
    if (run->known)
        webhook_make(run->request.wire.webhook, &run->row, run->arena);
    silence(run, status_name(run->row.status));
    if (run->stored || run->request.store) /* what is stored may not be known yet */
        write_now(run);
    else
        announce(run, NULL);
}

/* Nobody knows of it yet: what went wrong is the answer. While a worker has it, it may
 * just be adding the row: go_on() will see. */
static void refuse(struct irun *run, const struct error *err)
{
    bool stored = !run->at_work && run->stored;
    run->told = !stored;
    run->deleted = stored;
    silence(run, error_row(err->code)->name);
    while (run->readers)
        answer_error(run->readers, err);
    write_now(run);
    release(run);
}

static void fail(struct irun *run, const struct error *err)
{
    if (run->concluded)
        return;
    if (run->acknowledged)
        conclude(run, HAPPENS_FAULT, err);
    else
        refuse(run, err);
}

/* ---- its turn ---- */

static void begin_streams(struct irun *run)
{
    for (struct reader *reader = run->readers; reader; reader = reader->next) {
        if (reader->wish != WANTS_STREAM || reader->begun)
            continue;
        reader->begun = true;
        run->acknowledged = true;
        irun_begin_stream(reader->call);
    }
}

/* Its client is answered, and the run goes on. */
static void acknowledge(struct irun *run)
{
    if (run->request.background && !run->acknowledged) {
        run->acknowledged = true;
        for (struct reader *reader = run->readers, *next; reader; reader = next) {
            next = reader->next;
            if (reader->owner && reader->wish == WANTS_END)
                answer_row(reader);
        }
    }
    begin_streams(run);
    publish(run);
}

/* A script's name for why something is not shown. */
static struct error blocked(const struct turn_event *event, const char *what)
{
    struct error err;
    const char *why =
        event->error && event->error->message[0] ? event->error->message : "SAFETY";
    error_set(&err, ERROR_FAILED_PRECONDITION, "%s was blocked: %s.", what, why);
    err.reason = "content_blocked";
    return err;
}

static void drop(struct irun *run)
{
    struct error err;
    while (run->readers) {
        struct call *call = run->readers->call;
        detach(run->readers);
        http_drop(call->rq);
    }
    error_set(&err, ERROR_INTERNAL, "The line was dropped.");
    fail(run, &err);
}

static void end_turn(struct irun *run, const struct turn_event *event)
{
    struct error err;
    run->queued_us = event->queued_us;
    run->prefill_us = event->prefill_us;
    run->decode_us = event->decode_us;
    switch (event->finish) {
    case FINISH_STOP:
        if (event->too_many_calls) {
            error_set(&err, ERROR_INTERNAL, "The model went on calling built-in tools.");
            err.reason = "too_many_tool_calls";
            conclude(run, HAPPENS_FAULT, &err);
        } else if (event->bad_call) {
            error_set(&err, ERROR_INTERNAL, "The model's function call was malformed.");
            err.reason = "malformed_function_call";
            conclude(run, HAPPENS_FAULT, &err);
        } else {
            conclude(run, ilog_has_calls(run->log) ? HAPPENS_CALL : HAPPENS_STOP, NULL);
        }
        break;
    case FINISH_MAX_TOKENS:
        conclude(run, HAPPENS_CUT, NULL);
        break;
    case FINISH_SAFETY:
        err = blocked(event, "The answer");
        conclude(run, HAPPENS_FAULT, &err);
        break;
    case FINISH_BLOCKED:
        err = blocked(event, "The prompt");
        conclude(run, HAPPENS_FAULT, &err);
        break;
    case FINISH_DROP:
        drop(run);
        break;
    default:
        if (event->error)
            err = *event->error;
        else
            error_set(&err, ERROR_INTERNAL, "An internal error occurred.");
        fail(run, &err);
    }
}

static void handle(struct irun *run, const struct turn_event *event)
{
    run->usage.n_prompt = event->n_prompt;
    run->usage.n_cached = event->n_cached;
    run->usage.n_output = event->n_output;
    run->usage.n_thought = event->n_thought;
    run->usage.n_tools = event->n_tools;
    if (!run->first_us)
        run->first_us = now_us();
    if (event->kind == TURN_END) {
        end_turn(run, event);
        return;
    }
    ilog_part(run->log, event->part);
    publish(run);
    write_next(run);
}

static void on_event(const struct turn_event *event, void *arg)
{
    struct irun *run = arg;
    bool last = event->last;
    if (last)
        run->turn = NULL;
    if (!run->concluded)
        handle(run, event);
    if (last) {
        run->running = false;
        release(run);
    }
}

static void start_turn(struct irun *run)
{
    ilog_set_prompt(run->log, print_of(0, run->prompt.text));
    run->usage.n_media = run->attached.n > 0 ? run->attached.n_tokens : NULL;
    run->running = true;
    const struct rounds_spec spec = {
        .runner = run->api->runner,
        .box = run->api->options.tools,
        .chat = &run->chat,
        .prompt = &run->prompt,
        .arena = run->arena,
        .on = on_event,
        .arg = run,
    };
    run->turn = rounds_start(&spec, &run->err);
    if (!run->turn) {
        run->running = false;
        fail(run, &run->err);
        return;
    }
    for (struct reader *reader = run->readers; reader; reader = reader->next)
        reader->call->logged = reader->owner; /* as the run, at its end */
    acknowledge(run);
    write_next(run);
}

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
    run->good = run->good && webhook_check(run->api, request->wire.webhook, &run->err);
}

static bool needs_disk(const struct irun *run)
{
    return run->request.wire.previous.len || (is_kept(run) && !run->stored);
}

static bool make_chat(struct irun *run)
{
    const struct content_rules rules = {
        .thinks = prompter_thinks(runner_prompter(run->api->runner)),
        .defaults = run->api->options.defaults,
        .tools = run->api->options.tools,
    };
    struct interaction *rows = NULL;
    struct text previous = run->request.wire.previous;
    int n_rows = 0;
    return (!previous.len || interactions_chain(run->api->options.interactions, previous,
                                                run->arena, &rows, &n_rows, &run->err)) &&
           interact_chat(&run->request, &rules, rows, n_rows, run->arena, &run->chat,
                         &run->err);
}

static bool make_prompt(struct irun *run)
{
    return prompt_make(runner_prompter(run->api->runner), &run->chat, run->arena,
                       &run->prompt, &run->err);
}

static void open_log(struct irun *run)
{
    const struct ilog_options options = {
        .id = run->row.id,
        .model = run->request.model,
        .created = run->row.created,
        .events = run->request.stream || is_kept(run),
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
    run->row.request = run->request.kept;
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
    run->good = make_chat(run);
    if (run->good)
        run->attached.n = attach_find(&run->chat);
    if (run->good && run->attached.n == 0)
        run->good = make_prompt(run);
    if (!run->good || run->resumed)
        return;
    fill_request(run);
    open_log(run);
    if (is_kept(run))
        run->good = add_row(run);
}

/* On a thread that may wait for readers. */
static void prepare_media(struct irun *run)
{
    const struct attach_from from = {run->api->options.media, run->api->options.files};
    run->read = true;
    run->good = attach_read(&from, &run->chat, &run->cancelled, run->arena,
                            &run->attached, &run->err) &&
                make_prompt(run);
    if (run->good)
        attach_count(runner_engine(run->api->runner), &run->chat, &run->attached);
}

/* ---- from thread to thread ---- */

static void go_on(struct irun *run);

static void push(struct irun *run, struct workers *workers, void (*work)(struct work *),
                 void (*done)(struct work *))
{
    run->at_work = true;
    run->work = (struct work){.run = work, .done = done};
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

static void begin_preparing(struct irun *run)
{
    struct api *api = run->api;
    const struct wire_interact *wire = &run->request.wire;
    bool grammar = wire->tools || wire->format || wire->mime_type.len ||
                   (wire->config && (wire->config->level || wire->config->summaries)) ||
                   prompter_thinks(runner_prompter(api->runner));
    if (needs_disk(run)) {
        push(run, api->options.disk, run_prepare, end_prepare);
    } else if (grammar || run->body.len > LARGE) {
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
    error_set(&err, ERROR_DEADLINE_EXCEEDED,
              "The request took longer than the %d s that X-Server-Timeout gives it.",
              run->deadline_s);
    fail(run, &err);
}

static void run_decode(struct work *work)
{
    decode((struct irun *)work);
}

/* What is asked for is known now. */
static void decoded(struct irun *run)
{
    if (run->concluded) {
        release(run);
        return;
    }
    if (!run->good) {
        fail(run, &run->err);
        return;
    }
    run->known = true;
    if (run->request.stream && run->readers)
        run->readers->wish = WANTS_STREAM;
    if (run->deadline_s > 0 && !run->request.background)
        run->deadline =
            loop_after(run->api->loop, (int64_t)run->deadline_s * 1000, on_deadline, run);
    begin_preparing(run);
}

static void end_decode(struct work *work)
{
    struct irun *run = (struct irun *)work;
    run->at_work = false;
    decoded(run);
}

static void run_read(struct work *work)
{
    prepare_media((struct irun *)work);
}

static void end_read(struct work *work)
{
    struct irun *run = (struct irun *)work;
    run->api->n_reading--;
    run->at_work = false;
    go_on(run);
}

/* It takes seconds: who asked for no answer yet has one now. */
static void begin_reading(struct irun *run)
{
    struct api *api = run->api;
    if (api->n_reading >= MOST_READING) {
        error_set(&run->err, ERROR_RESOURCE_EXHAUSTED,
                  "The media of %d requests wait to be read already.", MOST_READING);
        run->err.retry_ms = 5000;
        fail(run, &run->err);
        return;
    }
    api->n_reading++;
    push(run, api->options.media ? api->options.readers : api->workers, run_read,
         end_read);
    if (run->request.background)
        acknowledge(run);
}

static void set_media_header(struct irun *run)
{
    for (struct reader *reader = run->readers; reader; reader = reader->next)
        if (reader->owner && !reader->begun)
            http_set(reader->call->rq, "x-pollux-media", run->attached.header.at);
}

static void go_on(struct irun *run)
{
    run->listed = run->listed || run->good;
    if (run->concluded) { /* meanwhile: its row may have been added */
        if (run->stored && run->told && !run->left && !run->deleted) {
            run->told = false;
            run->deleted = true;
            write_now(run);
        }
        release(run);
    } else if (!run->good) {
        fail(run, &run->err);
    } else if (run->attached.n > 0 && !run->read) {
        begin_reading(run);
    } else {
        if (run->attached.n > 0)
            set_media_header(run);
        start_turn(run);
    }
}

/* ---- calls ---- */

void irun_create(struct call *call, bool sse)
{
    struct irun *run = open_run(call->api);
    run->body = arena_text(run->arena, call->rq->body);
    run->version = arena_text(run->arena, call->version);
    run->sse = sse;
    run->deadline_s = api_timeout_s(call);
    attach(run, call, WANTS_END)->owner = true;
    if (run->body.len > LARGE) {
        push(run, call->api->workers, run_decode, end_decode);
        return;
    }
    decode(run);
    decoded(run);
}

void irun_get(struct irun *run, struct call *call, bool include_input)
{
    if (run->concluded || !run->log) { /* its end is on its way to the disk */
        attach(run, call, WANTS_END)->include_input = include_input;
        return;
    }
    struct interaction row = row_now(run, NULL, call->rq->arena);
    irun_reply(call, &row, include_input);
}

void irun_follow(struct irun *run, struct call *call, int64_t after)
{
    struct reader *reader = attach(run, call, WANTS_STREAM);
    reader->after = after;
    reader->begun = true;
    irun_begin_stream(call);
    pump(reader);
}

void irun_cancel(struct irun *run, struct call *call)
{
    struct error err;
    if (run->concluded) {
        error_set(&err, ERROR_FAILED_PRECONDITION,
                  "Interaction %.*s is over: there is nothing to cancel.",
                  TEXT_ARG(run->row.id));
        api_error(call, &err);
        return;
    }
    attach(run, call, WANTS_END);
    conclude(run, HAPPENS_CANCEL, NULL);
}

void irun_delete(struct irun *run, struct call *call)
{
    attach(run, call, WANTS_DELETION);
    run->deleted = true;
    if (!run->concluded)
        silence(run, "DELETED");
    write_now(run);
}

/* ---- what an earlier server left ---- */

static void run_again(struct api *api, const struct interaction *row, struct ilog *log,
                      struct irun *run)
{
    run->body = interact_body(row, run->arena);
    run->version = TEXT("v1beta");
    run->resumed = run->stored = run->acknowledged = true;
    run->row = *row;
    run->log = log;
    run->listed = true;
    run->n_stored = ilog_last(log);
    ilog_status(log); /* on the disk before it runs: it is counted */
    struct log_piece again = ilog_since(log, run->n_stored, ilog_last(log));
    if (!interactions_write(api->options.interactions, row->id, &again, NULL, &run->err))
        log_line(LOG_ERROR, "interaction", "id=%.*s why=\"%s\"", TEXT_ARG(row->id),
                 run->err.message);
    run->n_public = run->n_stored = ilog_last(log);
    log_line(LOG_INFO, "interaction", "id=%.*s resumed=1", TEXT_ARG(row->id));
    push(run, api->workers, run_decode, end_decode);
}

static void fail_cut_off(struct irun *run, const struct interaction *row,
                         struct ilog *log)
{
    struct error err, trouble = {0};
    struct interactions *is = run->api->options.interactions;
    int64_t before = ilog_last(log);
    error_set(&err, ERROR_UNAVAILABLE,
              "The server stopped before the interaction was over.");
    err.reason = "interrupted";
    run->log = log;
    run->row = *row;
    run->row.status = status_after(row->status, HAPPENS_FAULT);
    run->row.updated = clock_ns();
    ilog_end(log, run->row.status, run->row.updated, &run->usage, &err);
    run->row = row_now(run, &err, run->arena);
    webhook_make(run->request.wire.webhook, &run->row, run->arena);
    struct log_piece end = ilog_since(log, before, ilog_last(log));
    if (!interactions_write(is, row->id, &end, &run->row, &trouble))
        log_line(LOG_ERROR, "interaction", "id=%.*s why=\"%s\"", TEXT_ARG(row->id),
                 trouble.message);
    else
        log_line(LOG_WARN, "interaction", "id=%.*s end=interrupted", TEXT_ARG(row->id));
    run->concluded = run->told = true;
    release(run);
}

static void recover_one(struct api *api, struct arena *arena,
                        const struct interaction *from)
{
    struct error err;
    struct log_piece *pieces;
    int n;
    struct irun *run = open_run(api);
    struct interaction row = *from;
    row.id = arena_text(run->arena, from->id);
    row.previous = arena_text(run->arena, from->previous);
    row.request = arena_text(run->arena, from->request);
    row.input = arena_text(run->arena, from->input);
    interact_read(interact_body(&row, run->arena), false, run->arena, &run->request,
                  &err);
    const struct ilog_options options = {
        .id = row.id,
        .model = run->request.model,
        .created = row.created,
        .events = true,
        .thoughts = run->request.summaries,
    };
    struct ilog *log = ilog_open(run->arena, &options);
    bool good =
        interactions_log(api->options.interactions, row.id, 0, arena, &pieces, &n, &err);
    ilog_replay(log, pieces, good ? n : 0);
    if (row.background && !ilog_has_steps(log) && ilog_last(log) / ILOG_LEAP <= RERUNS)
        run_again(api, &row, log, run);
    else
        fail_cut_off(run, &row, log);
}

void irun_recover(struct api *api)
{
    struct interaction *rows;
    struct error err;
    int n;
    if (!api->options.interactions)
        return;
    struct arena *arena = arena_open();
    if (!interactions_cut_off(api->options.interactions, arena, &rows, &n, &err)) {
        log_line(LOG_ERROR, "interactions", "why=\"%s\"", err.message);
        n = 0;
    }
    for (int i = 0; i < n; i++)
        recover_one(api, arena, &rows[i]);
    arena_close(arena);
}

/* ---- stopping ---- */

/* Its readers are told, in the stream alone, and nothing is written: the next server
 * finds it in progress. */
static void leave(struct irun *run)
{
    struct error err;
    error_set(&err, ERROR_UNAVAILABLE, "The server is stopping.");
    if (!run->acknowledged) {
        refuse(run, &err);
        return;
    }
    loop_cancel(run->api->loop, run->flush);
    run->flush = NULL;
    write_now(run);
    run->left = true;
    silence(run, "LEFT");
    while (run->readers)
        tell(run->readers, &err);
    release(run);
}

void irun_stop_all(struct api *api)
{
    for (struct irun *run = api->iruns, *next; run; run = next) {
        next = run->next;
        if (!run->concluded)
            leave(run);
    }
}
