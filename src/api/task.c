/* task.c - a call whose answer is made on another thread. */
#include "api/task.h"

/* ---- its life ---- */

static void release(struct task *task)
{
    if (task->call || task->at_work || task->later || task->n_holds > 0)
        return;
    buf_free(&task->answer);
    arena_close(task->arena);
}

/* Nobody waits any more: the client left, or was answered. */
static void end(struct task *task)
{
    if (task->over)
        return;
    task->over = true;
    loop_cancel(task->api->loop, task->deadline);
    task->deadline = NULL;
    if (task->left)
        task->left(task);
}

static void on_gone(struct call *call)
{
    end(call->own);
}

static void on_closed(struct call *call)
{
    struct task *task = call->own;
    end(task);
    task->call = NULL;
    loop_cancel(task->api->loop, task->later);
    task->later = NULL;
    release(task);
}

static struct text query_copy(const struct call *call, struct arena *arena,
                              const char *name, const char *other)
{
    struct text value = http_query(call->rq, name);
    if (!value.at && other)
        value = http_query(call->rq, other);
    return arena_text(arena, value);
}

struct task *task_open(struct call *call)
{
    struct arena *arena = arena_open();
    struct task *task = arena_new(arena, struct task);
    task->arena = arena;
    task->api = call->api;
    task->call = call;
    task->pretty = call->pretty;
    task->id = arena_text(arena, call->name);
    task->sub = arena_text(arena, call->sub);
    task->version = arena_text(arena, call->version);
    task->body = arena_text(arena, call->rq->body); /* the request's own may go first */
    task->who = api_caller(call, arena);
    task->mask = query_copy(call, arena, "updateMask", "update_mask");
    task->token = query_copy(call, arena, "pageToken", NULL);
    call->own = task;
    call->gone = on_gone;
    call->closed = on_closed;
    return task;
}

void task_hold(struct task *task)
{
    task->n_holds++;
}

void task_let_go(struct task *task)
{
    task->n_holds--;
    release(task);
}

bool task_heard(const struct task *task)
{
    return task->call && !task->over;
}

/* ---- answering ---- */

void task_fail(struct task *task, const struct error *err)
{
    if (!task_heard(task))
        return;
    struct error copy = *err; /* what `left` does may touch it */
    struct call *call = task->call;
    end(task);
    api_error(call, &copy);
}

bool task_answer(struct task *task, const struct json_type *type, const void *message)
{
    json_encode(type, message, task->pretty, &task->answer);
    if (task->pretty)
        buf_char(&task->answer, '\n');
    return true;
}

bool task_answer_nothing(struct task *task)
{
    buf_str(&task->answer, "{}\n");
    return true;
}

static void send_answer(struct task *task)
{
    if (!task_heard(task) || task->answer.len == 0)
        return;
    end(task);
    http_reply(task->call->rq, 200, API_JSON, buf_view(&task->answer));
}

/* ---- from thread to thread ---- */

static void run_task(struct work *work)
{
    struct task *task = (struct task *)work;
    buf_clear(&task->answer);
    task->good = task->run(task);
}

static void finish_task(struct work *work)
{
    struct task *task = (struct task *)work;
    task->at_work = false;
    task_hold(task);
    if (!task->good)
        task_fail(task, &task->err);
    else if (task->done)
        task->done(task);
    /* done() may have started it anew: then all else is the worker's. */
    if (!task->at_work && !task->later && task->good && task->n_holds == 1)
        send_answer(task);
    task_let_go(task);
}

static void push(struct task *task)
{
    task->at_work = true;
    task->work.run = run_task;
    task->work.done = finish_task;
    workers_push(task->on, &task->work);
}

void task_start_on(struct task *task, struct workers *on, task_run *run, task_done *done)
{
    task->run = run;
    task->done = done;
    task->on = on;
    push(task);
}

void task_start(struct task *task, task_run *run, task_done *done)
{
    task_start_on(task, task->api->options.disk, run, done);
}

static void on_due(void *arg)
{
    struct task *task = arg;
    task->later = NULL;
    push(task);
}

void task_start_later(struct task *task, int ms, task_run *run, task_done *done)
{
    task->run = run;
    task->done = done;
    task->on = task->api->options.disk;
    task->later = loop_after(task->api->loop, ms, on_due, task);
}

void task_run_call(struct call *call, task_run *run, task_done *done)
{
    task_start(task_open(call), run, done);
}

/* ---- what is asked ---- */

bool task_page(struct task *task, int otherwise, int most)
{
    if (api_page_size(task->call, otherwise, most, &task->page_size, &task->err))
        return true;
    task_fail(task, &task->err);
    return false;
}

static void on_deadline(void *arg)
{
    struct task *task = arg;
    struct error err;
    task->deadline = NULL;
    api_late(&err, task->deadline_s);
    task_fail(task, &err);
}

void task_deadline(struct task *task)
{
    task->deadline_s = api_timeout_s(task->call);
    if (task->deadline_s > 0)
        task->deadline = loop_after(task->api->loop, (int64_t)task->deadline_s * 1000,
                                    on_deadline, task);
}
