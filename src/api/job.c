/* job.c - a call whose answer is made on another thread. */
#include "api/job.h"

/* ---- its life ---- */

static void release(struct job *job)
{
    if (job->call || job->at_work || job->later || job->n_holds > 0)
        return;
    buf_free(&job->answer);
    arena_close(job->arena);
}

/* Nobody waits any more: the client left, or was answered. */
static void end(struct job *job)
{
    if (job->over)
        return;
    job->over = true;
    loop_cancel(job->api->loop, job->deadline);
    job->deadline = NULL;
    if (job->left)
        job->left(job);
}

static void on_gone(struct call *call)
{
    end(call->own);
}

static void on_closed(struct call *call)
{
    struct job *job = call->own;
    end(job);
    job->call = NULL;
    loop_cancel(job->api->loop, job->later);
    job->later = NULL;
    release(job);
}

static struct text query_copy(const struct call *call, struct arena *arena,
                              const char *name, const char *other)
{
    struct text value = http_query(call->rq, name);
    if (!value.at && other)
        value = http_query(call->rq, other);
    return arena_text(arena, value);
}

struct job *job_open(struct call *call)
{
    struct arena *arena = arena_open();
    struct job *job = arena_new(arena, struct job);
    job->arena = arena;
    job->api = call->api;
    job->call = call;
    job->pretty = call->pretty;
    job->id = arena_text(arena, call->name);
    job->sub = arena_text(arena, call->sub);
    job->version = arena_text(arena, call->version);
    job->body = arena_text(arena, call->rq->body); /* the request's own may go first */
    job->who = api_caller(call, arena);
    job->mask = query_copy(call, arena, "updateMask", "update_mask");
    job->token = query_copy(call, arena, "pageToken", NULL);
    call->own = job;
    call->gone = on_gone;
    call->closed = on_closed;
    return job;
}

void job_hold(struct job *job)
{
    job->n_holds++;
}

void job_let_go(struct job *job)
{
    job->n_holds--;
    release(job);
}

bool job_heard(const struct job *job)
{
    return job->call && !job->over;
}

/* ---- answering ---- */

void job_fail(struct job *job, const struct error *err)
{
    if (!job_heard(job))
        return;
    struct error copy = *err; /* what `left` does may touch it */
    struct call *call = job->call;
    end(job);
    api_error(call, &copy);
}

bool job_answer(struct job *job, const struct json_type *type, const void *message)
{
    json_encode(type, message, job->pretty, &job->answer);
    if (job->pretty)
        buf_char(&job->answer, '\n');
    return true;
}

bool job_answer_nothing(struct job *job)
{
    buf_str(&job->answer, "{}\n");
    return true;
}

static void send_answer(struct job *job)
{
    if (!job_heard(job) || job->answer.len == 0)
        return;
    end(job);
    http_reply(job->call->rq, 200, API_JSON, buf_view(&job->answer));
}

/* ---- from thread to thread ---- */

static void run_job(struct work *work)
{
    struct job *job = (struct job *)work;
    buf_clear(&job->answer);
    job->good = job->run(job);
}

static void finish_job(struct work *work)
{
    struct job *job = (struct job *)work;
    job->at_work = false;
    job_hold(job);
    if (!job->good)
        job_fail(job, &job->err);
    else if (job->done)
        job->done(job);
    if (job->good && job->n_holds == 1 && !job->at_work && !job->later)
        send_answer(job);
    job_let_go(job);
}

static void push(struct job *job)
{
    job->at_work = true;
    job->work = (struct work){.run = run_job, .done = finish_job};
    workers_push(job->on, &job->work);
}

void job_start_on(struct job *job, struct workers *on, job_run *run, job_done *done)
{
    job->run = run;
    job->done = done;
    job->on = on;
    push(job);
}

void job_start(struct job *job, job_run *run, job_done *done)
{
    job_start_on(job, job->api->options.disk, run, done);
}

static void on_due(void *arg)
{
    struct job *job = arg;
    job->later = NULL;
    push(job);
}

void job_start_later(struct job *job, int ms, job_run *run, job_done *done)
{
    job->run = run;
    job->done = done;
    job->on = job->api->options.disk;
    job->later = loop_after(job->api->loop, ms, on_due, job);
}

void job_run_call(struct call *call, job_run *run, job_done *done)
{
    job_start(job_open(call), run, done);
}

/* ---- what is asked ---- */

bool job_page(struct job *job, int otherwise, int most)
{
    if (api_page_size(job->call, otherwise, most, &job->page_size, &job->err))
        return true;
    job_fail(job, &job->err);
    return false;
}

static void on_deadline(void *arg)
{
    struct job *job = arg;
    struct error err;
    job->deadline = NULL;
    api_late(&err, job->deadline_s);
    job_fail(job, &err);
}

void job_deadline(struct job *job)
{
    job->deadline_s = api_timeout_s(job->call);
    if (job->deadline_s > 0)
        job->deadline =
            loop_after(job->api->loop, (int64_t)job->deadline_s * 1000, on_deadline, job);
}
