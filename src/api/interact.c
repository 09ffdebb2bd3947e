/* interact.c - the Interactions API: interactions.create, get, cancel, delete.
 *
 * One that is under way is a run (interact_run.h); each call of one that is over is a
 * task (task.h) on a disk worker. */
#include "api/interact.h"
#include "api/interact_log.h"
#include "api/interact_request.h"
#include "api/interact_run.h"
#include "api/task.h"
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
    ilog_put_error(&w, err);
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

/* task->own of each. */
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

static struct task *open_look(struct call *call)
{
    struct task *task = task_open(call);
    struct look *look = arena_new(task->arena, struct look);
    arena_defer(task->arena, free_lines, look);
    task->own = look;
    return task;
}

static bool run_get(struct task *task)
{
    struct look *look = task->own;
    return interactions_get(task->api->options.interactions, task->id, task->arena,
                            &look->row, &task->err);
}

static void reply_row(struct task *task)
{
    const struct look *look = task->own;
    if (task_heard(task))
        irun_reply(task->call, &look->row, look->include_input);
}

static void add_lines(struct look *look, struct text lines, int64_t first)
{
    for (; lines.len && first <= look->after; first++)
        text_cut(lines, '\n', &lines);
    buf_text(&look->lines, lines);
}

/* The log, or, where there is none, one that is made up. */
static bool run_replay(struct task *task)
{
    struct look *look = task->own;
    struct interactions *is = task->api->options.interactions;
    struct log_piece *pieces;
    struct buf made_up = {0};
    int n;
    if (!run_get(task) || !interactions_log(is, task->id, look->after, task->arena,
                                            &pieces, &n, &task->err))
        return false;
    for (int i = 0; i < n; i++)
        add_lines(look, pieces[i].lines, pieces[i].first);
    if (n > 0 || look->row.status == STATUS_IN_PROGRESS)
        return true;
    if (!interactions_log(is, task->id, 0, task->arena, &pieces, &n, &task->err))
        return false;
    if (n > 0)
        return true;
    ilog_made_up(&look->row, interact_model(look->row.request, task->arena), task->arena,
                 &made_up);
    add_lines(look, buf_view(&made_up), 1);
    buf_free(&made_up);
    return true;
}

static void write_replay(struct task *task)
{
    const struct look *look = task->own;
    struct buf bytes = {0};
    if (!task_heard(task))
        return;
    struct http_request *rq = task->call->rq;
    ilog_sse(buf_view(&look->lines), &bytes);
    buf_text(&bytes, ILOG_SSE_END);
    irun_begin_stream(task->call);
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
        struct task *task = open_look(call);
        struct look *look = task->own;
        look->after = after;
        look->include_input = include_input;
        task_start(task, stream ? run_replay : run_get,
                   stream ? write_replay : reply_row);
    }
}

/* ---- cancel, delete ---- */

static void refuse_cancel(struct task *task)
{
    const struct look *look = task->own;
    struct error err;
    error_set(&err, ERROR_FAILED_PRECONDITION,
              "Interaction %.*s is over, its status is %s: there is nothing to cancel.",
              TEXT_ARG(task->id), status_name(look->row.status));
    task_fail(task, &err);
}

void interact_cancel(struct call *call)
{
    if (!can_be(call))
        return;
    struct irun *run = irun_find(call->api, call->name);
    if (run)
        irun_cancel(run, call);
    else
        task_start(open_look(call), run_get, refuse_cancel);
}

static bool run_delete(struct task *task)
{
    return interactions_delete(task->api->options.interactions, task->id, &task->err) &&
           task_answer_nothing(task);
}

void interact_delete(struct call *call)
{
    if (!can_be(call))
        return;
    struct irun *run = irun_find(call->api, call->name);
    if (run)
        irun_delete(run, call);
    else
        task_run_call(call, run_delete, NULL);
}
