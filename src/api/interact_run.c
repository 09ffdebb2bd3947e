/* interact_run.c - an interaction under way: its turn, its readers, its way to the disk.
 *
 *     read -> looked up, added to the disk -> media -> prompt -> turn -> written -> told
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
 * When the server dies, runs are found in progress on the disk by the next one, and run
 * again or failed (interact_recover.c).
 *
 * I1  One write at a time; a run's writes reach the disk in order.
 * I2  Nothing is written behind the end, nothing at all behind a deletion.
 * I3  A run is freed when no reader, thread, turn or write has it any more. */
#include "api/interact_inside.h"
#include "api/print.h"
#include "api/webhook.h"
#include "base/clock.h"
#include "base/log.h"
#include "chat/rounds.h"
#include <assert.h>

enum {
    WRITE_MS = 100,
    TROUBLE_MS = 2000, /* the same when the disk has failed */
};

/* ---- its life ---- */

void irun_release(struct irun *run)
{
    if (run->readers || run->at_work || run->prepare.at_work || run->running ||
        run->writing || !run->concluded || !(run->told || run->left))
        return;
    *run->at = run->next;
    if (run->next)
        run->next->at = run->at;
    arena_close(run->prepare.arena);
    arena_close(run->arena);
}

struct irun *irun_open(struct api *api)
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
void irun_silence(struct irun *run, const char *end)
{
    run->concluded = true;
    atomic_store(&run->prepare.cancelled, true);
    stop_timers(run);
    if (run->known && run->listed)
        log_turn(run, end);
    if (run->turn)
        rounds_cancel(run->turn);
    cached_leave(&run->wait);
}

/* From its beginning on. */
bool irun_is_kept(const struct irun *run)
{
    return run->request.store && (run->request.stream || run->request.background);
}

/* What is known of it, the steps being those said so far. */
struct interaction irun_row_now(const struct irun *run, const struct error *error,
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

void irun_write_now(struct irun *run)
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
    job->work.run = run_write;
    job->work.done = end_write;
    workers_push(run->api->options.disk, &job->work);
}

static void on_flush(void *arg)
{
    struct irun *run = arg;
    run->flush = NULL;
    irun_write_now(run);
}

/* An end is written at once, what is said in between a little later. */
static void write_next(struct irun *run)
{
    if (run->concluded || run->deleted)
        irun_write_now(run);
    else if (!run->flush && what_to_write(run) == DOES_LOG)
        run->flush = loop_after(run->api->loop, run->write_ms, on_flush, run);
    if (run->concluded)
        irun_release(run);
}

/* ---- its end ---- */

/* It is on the disk, or could not be brought there. */
static void announce(struct irun *run, const struct error *trouble)
{
    if (!trouble && !run->deleted && run->log)
        irun_publish(run);
    run->told = true; /* behind publish, which may lose the last reader: I3 */
    while (run->readers)
        irun_tell(run->readers, trouble);
    irun_release(run);
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
    run->row = irun_row_now(run, error, run->arena);
    run->row.request = interact_without_headers(run->row.request, run->arena);
    if (run->known)
        webhook_make(run->request.wire.webhook, &run->row, run->arena);
    irun_silence(run, status_name(run->row.status));
    if (run->stored || run->request.store) /* what is stored may not be known yet */
        irun_write_now(run);
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
    irun_silence(run, error_row(err->code)->name);
    while (run->readers)
        irun_answer_error(run->readers, err);
    irun_write_now(run);
    irun_release(run);
}

void irun_fail(struct irun *run, const struct error *err)
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
void irun_acknowledge(struct irun *run)
{
    if (run->request.background && !run->acknowledged) {
        run->acknowledged = true;
        for (struct reader *reader = run->readers, *next; reader; reader = next) {
            next = reader->next;
            if (reader->owner && reader->wish == WANTS_END)
                irun_answer_row(reader);
        }
    }
    begin_streams(run);
    irun_publish(run);
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
        irun_detach(run->readers);
        http_drop(call->rq);
    }
    error_set(&err, ERROR_INTERNAL, "The line was dropped.");
    irun_fail(run, &err);
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
        irun_fail(run, &err);
    }
}

/* It was to say again what an earlier server has told of it. */
static void fail_strayed(struct irun *run)
{
    struct error err = irun_interrupted(
        ". It was run again, and did not say again what it had said: there may be "
        "another model, or other settings.");
    irun_fail(run, &err);
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
        bool good = event->finish == FINISH_STOP || event->finish == FINISH_MAX_TOKENS;
        if (good && !ilog_caught_up(run->log))
            fail_strayed(run);
        else
            end_turn(run, event);
        return;
    }
    ilog_part(run->log, event->part);
    if (ilog_strayed(run->log)) {
        fail_strayed(run);
        return;
    }
    irun_publish(run);
    write_next(run);
}

static void on_event(const struct turn_event *event, void *arg)
{
    struct irun *run = arg;
    bool last = event->last;
    if (last)
        run->turn = NULL;
    cached_let_go(&run->cached); /* the engine has them, or does not need them */
    if (!run->concluded)
        handle(run, event);
    if (last) {
        run->running = false;
        irun_release(run);
    }
}

void irun_start_turn(struct irun *run)
{
    bool media = run->prepare.attached.n > 0 || run->cached.has_media;
    if (run->cached.lacks) {
        irun_make_rows(run);
        return;
    }
    ilog_set_prompt(run->log, print_of(0, run->prepare.prompt.text));
    run->usage.n_media = media ? run->prepare.attached.n_tokens : NULL;
    run->chat.rows = run->cached.rows;
    run->chat.n_rows = run->cached.n_rows;
    run->running = true;
    const struct rounds_spec spec = {
        .runner = run->api->runner,
        .box = run->api->options.tools,
        .chat = &run->chat,
        .prompt = &run->prepare.prompt,
        .arena = run->arena,
        .on = on_event,
        .arg = run,
    };
    run->turn = rounds_start(&spec, &run->err);
    if (!run->turn) {
        run->running = false;
        irun_fail(run, &run->err);
        return;
    }
    for (struct reader *reader = run->readers; reader; reader = reader->next)
        reader->call->logged = reader->owner; /* as the run, at its end */
    irun_acknowledge(run);
    write_next(run);
}

/* ---- calls ---- */

void irun_get(struct irun *run, struct call *call, bool include_input)
{
    if (run->concluded || !run->log) { /* its end is on its way to the disk */
        irun_attach(run, call, WANTS_END)->include_input = include_input;
        return;
    }
    struct interaction row = irun_row_now(run, NULL, call->rq->arena);
    irun_reply(call, &row, include_input);
}

void irun_follow(struct irun *run, struct call *call, int64_t after)
{
    struct reader *reader = irun_attach(run, call, WANTS_STREAM);
    reader->after = after;
    reader->begun = true;
    irun_begin_stream(call);
    irun_pump(reader);
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
    irun_attach(run, call, WANTS_END);
    conclude(run, HAPPENS_CANCEL, NULL);
}

void irun_delete(struct irun *run, struct call *call)
{
    irun_attach(run, call, WANTS_DELETION);
    run->deleted = true;
    if (!run->concluded)
        irun_silence(run, "DELETED");
    irun_write_now(run);
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
    irun_write_now(run);
    run->left = true;
    irun_silence(run, "LEFT");
    while (run->readers)
        irun_tell(run->readers, &err);
    irun_release(run);
}

void irun_stop_all(struct api *api)
{
    for (struct irun *run = api->iruns, *next; run; run = next) {
        next = run->next;
        if (!run->concluded)
            leave(run);
    }
}
