/* tuned_operation.c - tunedModels.operations.*: get, list, cancel, wait.
 *
 * A wait asks again every so often; the clients' own loops do the same from afar. */
#include "api/tuned.h"
#include "tuning/supervisor.h"

enum { ASK_MS = 100, WAIT_MOST_MS = 10 * 60 * 1000 };

/* The model that came of it, when it has. */
static bool read_model(struct tuned_job *job, const struct tuned_operation *operation,
                       struct tuned **tuned)
{
    *tuned = NULL;
    if (!operation->ended || operation->error_code != ERROR_OK)
        return true;
    *tuned = arena_new(job->arena, struct tuned);
    return tuned_get(tuning_of(job), job->who, operation->model, TUNED_READER, job->arena,
                     *tuned, &job->err);
}

static bool tell(struct tuned_job *job, const struct tuned_operation *operation,
                 struct wire_operation *wire)
{
    struct tuned_snapshot *snapshots;
    struct tuned *tuned;
    int n;
    if (!tuned_snapshots(tuning_of(job), operation->id, 2 * TUNED_SNAPSHOTS_MOST,
                         job->arena, &snapshots, &n, &job->err) ||
        !read_model(job, operation, &tuned))
        return false;
    *wire = wire_operation_of(operation, tuned, snapshots, n, job->arena);
    return true;
}

/* ---- get ---- */

static bool run_get(struct tuned_job *job)
{
    struct tuned_operation operation;
    return tuned_operation_get(tuning_of(job), job->who, job->id, job->sub, job->arena,
                               &operation, &job->err) &&
           tell(job, &operation, &job->wire);
}

static void reply(struct tuned_job *job)
{
    if (tuned_job_heard(job))
        api_reply(job->call, &wire_operation_type, &job->wire);
}

void tuned_route_operation(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_get, reply);
}

/* ---- list ---- */

/* A model has one operation, so there is one page. */
static bool run_list(struct tuned_job *job)
{
    struct tuned_operation *list;
    if (job->token.len > 0)
        return error_at(&job->err, "page_token",
                        "pageToken is not one that an earlier answer gave.");
    if (!tuned_operations(tuning_of(job), job->who, job->id, job->arena, &list, &job->n,
                          &job->err))
        return false;
    job->operations = arena_array(job->arena, struct wire_operation, (size_t)job->n + 1);
    for (int i = 0; i < job->n; i++)
        if (!tell(job, &list[i], &job->operations[i]))
            return false;
    return true;
}

static void reply_list(struct tuned_job *job)
{
    struct wire_operations list = {{job->operations, (size_t)job->n}, {0}};
    if (tuned_job_heard(job))
        api_reply(job->call, &wire_operations_type, &list);
}

void tuned_route_operations(struct call *call)
{
    struct tuned_job *job = tuned_job_open(call);
    if (tuned_job_page(job))
        tuned_job_start(job, run_list, reply_list);
}

/* ---- cancel ---- */

static bool run_cancel(struct tuned_job *job)
{
    job->operation = job->sub;
    return tuned_cancel(tuning_of(job), job->who, job->id, job->arena, &job->operation,
                        &job->err);
}

static void cancelled(struct tuned_job *job)
{
    supervisor_stop(job->api->options.supervisor, job->operation);
    tuned_job_reply_nothing(job);
}

void tuned_route_operation_cancel(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_cancel, cancelled);
}

/* ---- wait ---- */

static void look_again(struct tuned_job *job);

static void on_due(void *arg)
{
    struct tuned_job *job = arg;
    job->timer = NULL;
    tuned_job_start(job, run_get, look_again);
}

static void look_again(struct tuned_job *job)
{
    bool over = job->wire.done.set || now_ms() >= job->until_ms || job->api->stopping;
    if (!tuned_job_heard(job))
        return;
    if (over)
        reply(job);
    else
        job->timer = loop_after(job->api->loop, ASK_MS, on_due, job);
}

void tuned_route_operation_wait(struct call *call)
{
    struct tuned_job *job = tuned_job_open(call);
    struct wire_wait wait;
    if (!json_read(&wire_wait_type, job->body, &wait, job->arena, &job->err)) {
        api_error(call, &job->err);
        return;
    }
    int64_t ms = wait.timeout.set ? wait.timeout.is / 1000000 : WAIT_MOST_MS;
    job->until_ms = now_ms() + (ms < 0 ? 0 : ms < WAIT_MOST_MS ? ms : WAIT_MOST_MS);
    tuned_job_start(job, run_get, look_again);
}
