/* interact.c - the Interactions API: interactions.create, get, cancel, delete.
 *
 * One that is under way is a run (interact_run.h); each call of one that is over is a job
 * (job.h) on a disk worker. */
#include "api/interact.h"
#include "api/interact_log.h"
#include "api/interact_request.h"
#include "api/interact_run.h"
#include "api/job.h"
#include "json/write.h"
#include <stdio.h>

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

/* job->own of each. */
struct look {
    int64_t after; /* the last event that is known already */
    bool include_input;
    struct interaction row;
    struct buf lines; /* of events */
};

static void free_lines(void *arg)
{
    buf_free(&((struct look *)arg)->lines);
}

static struct job *open_look(struct call *call)
{
    struct job *job = job_open(call);
    struct look *look = arena_new(job->arena, struct look);
    arena_defer(job->arena, free_lines, look);
    job->own = look;
    return job;
}

static bool run_get(struct job *job)
{
    struct look *look = job->own;
    return interactions_get(job->api->options.interactions, job->id, job->arena,
                            &look->row, &job->err);
}

static void reply_row(struct job *job)
{
    const struct look *look = job->own;
    if (job_heard(job))
        irun_reply(job->call, &look->row, look->include_input);
}

static void add_lines(struct look *look, struct text lines, int64_t first)
{
    for (; lines.len && first <= look->after; first++)
        text_cut(lines, '\n', &lines);
    buf_text(&look->lines, lines);
}

/* The log, or, where there is none, one that is made up. */
static bool run_replay(struct job *job)
{
    struct look *look = job->own;
    struct interactions *is = job->api->options.interactions;
    struct log_piece *pieces;
    struct buf made_up = {0};
    int n;
    if (!run_get(job) ||
        !interactions_log(is, job->id, look->after, job->arena, &pieces, &n, &job->err))
        return false;
    for (int i = 0; i < n; i++)
        add_lines(look, pieces[i].lines, pieces[i].first);
    if (n > 0 || look->row.status == STATUS_IN_PROGRESS)
        return true;
    if (!interactions_log(is, job->id, 0, job->arena, &pieces, &n, &job->err))
        return false;
    if (n > 0)
        return true;
    ilog_made_up(&look->row, interact_model(look->row.request, job->arena), job->arena,
                 &made_up);
    add_lines(look, buf_view(&made_up), 1);
    buf_free(&made_up);
    return true;
}

static void write_replay(struct job *job)
{
    const struct look *look = job->own;
    struct buf bytes = {0};
    if (!job_heard(job))
        return;
    struct http_request *rq = job->call->rq;
    ilog_sse(buf_view(&look->lines), &bytes);
    buf_text(&bytes, ILOG_SSE_END);
    irun_begin_stream(job->call);
    http_write(rq, buf_view(&bytes));
    http_end(rq);
    buf_free(&bytes);
}

static bool read_after(const struct call *call, int64_t *after, struct error *err)
{
    struct text digits = http_query(call->rq, "last_event_id");
    *after = 0;
    return digits.len == 0 || text_number(digits, after) ||
           error_at(err, "last_event_id",
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
        struct job *job = open_look(call);
        struct look *look = job->own;
        look->after = after;
        look->include_input = include_input;
        job_start(job, stream ? run_replay : run_get, stream ? write_replay : reply_row);
    }
}

/* ---- cancel, delete ---- */

static void refuse_cancel(struct job *job)
{
    const struct look *look = job->own;
    struct error err;
    error_set(&err, ERROR_FAILED_PRECONDITION,
              "Interaction %.*s is over, its status is %s: there is nothing to cancel.",
              TEXT_ARG(job->id), status_name(look->row.status));
    job_fail(job, &err);
}

void interact_cancel(struct call *call)
{
    if (!can_be(call))
        return;
    struct irun *run = irun_find(call->api, call->name);
    if (run)
        irun_cancel(run, call);
    else
        job_start(open_look(call), run_get, refuse_cancel);
}

static bool run_delete(struct job *job)
{
    return interactions_delete(job->api->options.interactions, job->id, &job->err) &&
           job_answer_nothing(job);
}

void interact_delete(struct call *call)
{
    if (!can_be(call))
        return;
    struct irun *run = irun_find(call->api, call->name);
    if (run)
        irun_delete(run, call);
    else
        job_run_call(call, run_delete, NULL);
}
