/* interact.c - the Interactions API: interactions.create, get, cancel, delete.
 *
 * Each call of one that is over is a job on a disk worker. A job has an arena of its own,
 * for its client may go while the disk is at work. */
#include "api/interact.h"
#include "api/interact_log.h"
#include "api/interact_request.h"
#include "api/interact_run.h"
#include "json/write.h"
#include <stdio.h>
#include <stdlib.h>

struct interact_job {
    struct work work; /* first */
    struct arena *arena;
    struct api *api;
    struct call *call; /* NULL: the client is gone */
    void (*done)(struct interact_job *job);
    bool (*run)(struct interact_job *job);
    bool at_work, good;
    struct error err;

    struct text id;
    int64_t after; /* the last event that is known already */
    bool include_input;
    struct interaction row;
    struct buf lines; /* of events */
};

/* ---- errors ---- */

/* Clients try again, for seconds, what these statuses say; so what will not be better
 * then has another one. */
static int status_of(const struct error *err)
{
    if (err->http_status)
        return err->http_status;
    if (err->code == ERROR_UNIMPLEMENTED || err->code == ERROR_DATA_LOSS)
        return 400;
    return error_row(err->code)->http_status;
}

static void set_retry(struct call *call, int retry_ms)
{
    char number[16];
    snprintf(number, sizeof number, "%d", retry_ms);
    http_set(call->rq, "retry-after-ms", number);
    snprintf(number, sizeof number, "%d", retry_ms / 1000 + (retry_ms % 1000 > 0));
    http_set(call->rq, "Retry-After", number);
}

void interact_error(struct call *call, const struct error *err)
{
    struct buf body = {0};
    struct json_writer w = json_writer(&body, call->pretty);
    json_begin(&w, '{');
    json_key(&w, "error");
    json_begin(&w, '{');
    json_key(&w, "code");
    json_text(&w, text_of(ilog_error_code(err)));
    json_key(&w, "message");
    json_text(&w, text_of(err->message[0] ? err->message : error_row(err->code)->name));
    json_end(&w, '}');
    json_end(&w, '}');
    if (call->pretty)
        buf_char(&body, '\n');
    if (err->retry_ms > 0)
        set_retry(call, err->retry_ms);
    if (err->code == ERROR_UNAUTHENTICATED)
        http_set(call->rq, "WWW-Authenticate", "Bearer");
    http_reply(call->rq, status_of(err), API_JSON, buf_view(&body));
    buf_free(&body);
}

/* ---- the life of a job ---- */

static void release(struct interact_job *job)
{
    if (job->call || job->at_work)
        return;
    buf_free(&job->lines);
    arena_close(job->arena);
}

static void on_closed(struct call *call)
{
    struct interact_job *job = call->own;
    if (!job)
        return;
    call->own = NULL;
    job->call = NULL;
    release(job);
}

static void run_job(struct work *work)
{
    struct interact_job *job = (struct interact_job *)work;
    job->good = job->run(job);
}

static void finish_job(struct work *work)
{
    struct interact_job *job = (struct interact_job *)work;
    job->at_work = false;
    if (!job->call)
        release(job);
    else if (job->good)
        job->done(job);
    else
        api_error(job->call, &job->err);
}

static struct interact_job *open_job(struct call *call)
{
    struct arena *arena = arena_open();
    struct interact_job *job = arena_new(arena, struct interact_job);
    job->arena = arena;
    job->api = call->api;
    job->call = call;
    job->id = arena_text(arena, call->name);
    call->own = job;
    call->gone = on_closed;
    call->closed = on_closed;
    return job;
}

static void start(struct interact_job *job, bool (*run)(struct interact_job *),
                  void (*done)(struct interact_job *))
{
    job->run = run;
    job->done = done;
    job->at_work = true;
    job->work = (struct work){.run = run_job, .done = finish_job};
    workers_push(job->api->options.disk, &job->work);
}

/* ---- create ---- */

void interact_create(struct call *call)
{
    irun_create(call, text_is(http_query(call->rq, "alt"), "sse"));
}

/* ---- get ---- */

static bool is_id(struct text id)
{
    bool good = id.len > 0 && id.len <= INTERACTION_ID_MOST;
    for (size_t i = 0; good && i < id.len; i++) {
        char c = id.at[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c >= '0' && c <= '9') || c == '-' || c == '_';
    }
    return good;
}

/* False: answered. */
static bool can_be(struct call *call)
{
    struct error err;
    if (call->api->options.interactions && is_id(call->name))
        return true;
    error_set(&err, ERROR_NOT_FOUND, "Interaction %.*s was not found.",
              TEXT_ARG(text_slice(call->name, 0, 100)));
    api_error(call, &err);
    return false;
}

static bool run_get(struct interact_job *job)
{
    return interactions_get(job->api->options.interactions, job->id, job->arena,
                            &job->row, &job->err);
}

static void reply_row(struct interact_job *job)
{
    irun_reply(job->call, &job->row, job->include_input);
}

static void add_lines(struct interact_job *job, struct text lines, int64_t first)
{
    for (; lines.len && first <= job->after; first++)
        text_cut(lines, '\n', &lines);
    buf_text(&job->lines, lines);
}

/* The log, or, where there is none, one that is made up. */
static bool run_replay(struct interact_job *job)
{
    struct interactions *is = job->api->options.interactions;
    struct log_piece *pieces;
    struct buf made_up = {0};
    int n;
    if (!run_get(job) ||
        !interactions_log(is, job->id, job->after, job->arena, &pieces, &n, &job->err))
        return false;
    for (int i = 0; i < n; i++)
        add_lines(job, pieces[i].lines, pieces[i].first);
    if (n > 0 || job->row.status == STATUS_IN_PROGRESS)
        return true;
    if (!interactions_log(is, job->id, 0, job->arena, &pieces, &n, &job->err))
        return false;
    if (n > 0)
        return true;
    ilog_made_up(&job->row, interact_model(job->row.request, job->arena), job->arena,
                 &made_up);
    add_lines(job, buf_view(&made_up), 1);
    buf_free(&made_up);
    return true;
}

static void write_replay(struct interact_job *job)
{
    struct http_request *rq = job->call->rq;
    struct buf bytes = {0};
    ilog_sse(buf_view(&job->lines), &bytes);
    buf_text(&bytes, ILOG_SSE_END);
    irun_begin_stream(job->call);
    http_write(rq, buf_view(&bytes));
    http_end(rq);
    buf_free(&bytes);
}

static bool read_after(const struct call *call, int64_t *after, struct error *err)
{
    struct text digits = http_query(call->rq, "last_event_id");
    bool good = digits.len <= 18;
    *after = 0;
    for (size_t i = 0; good && i < digits.len; i++) {
        good = digits.at[i] >= '0' && digits.at[i] <= '9';
        *after = *after * 10 + (digits.at[i] - '0');
    }
    return good || error_at(err, "last_event_id",
                            "last_event_id is the event_id of an event of this "
                            "interaction.");
}

void interact_get(struct call *call)
{
    struct error err;
    int64_t after;
    bool stream = api_flag(call, "stream", false);
    bool include_input = api_flag(call, "include_input", false);
    if (!can_be(call))
        return;
    if (!read_after(call, &after, &err)) {
        api_error(call, &err);
        return;
    }
    struct irun *run = irun_find(call->api, call->name);
    if (run && stream) {
        irun_follow(run, call, after);
    } else if (run) {
        irun_get(run, call, include_input);
    } else {
        struct interact_job *job = open_job(call);
        job->after = after;
        job->include_input = include_input;
        start(job, stream ? run_replay : run_get, stream ? write_replay : reply_row);
    }
}

/* ---- cancel, delete ---- */

static void refuse_cancel(struct interact_job *job)
{
    struct error err;
    error_set(&err, ERROR_FAILED_PRECONDITION,
              "Interaction %.*s is over, its status is %s: there is nothing to cancel.",
              TEXT_ARG(job->id), status_name(job->row.status));
    api_error(job->call, &err);
}

void interact_cancel(struct call *call)
{
    if (!can_be(call))
        return;
    struct irun *run = irun_find(call->api, call->name);
    if (run)
        irun_cancel(run, call);
    else
        start(open_job(call), run_get, refuse_cancel);
}

static bool run_delete(struct interact_job *job)
{
    return interactions_delete(job->api->options.interactions, job->id, &job->err);
}

static void reply_nothing(struct interact_job *job)
{
    http_reply(job->call->rq, 200, API_JSON, TEXT("{}\n"));
}

void interact_delete(struct call *call)
{
    if (!can_be(call))
        return;
    struct irun *run = irun_find(call->api, call->name);
    if (run)
        irun_delete(run, call);
    else
        start(open_job(call), run_delete, reply_nothing);
}
