/* tuned_operation.c - tunedModels.operations.*: get, list, cancel, wait.
 *
 * A wait asks again every so often; the clients' own loops do the same from afar. */
#include "api/tuned.h"
#include "tuning/supervisor.h"

enum { ASK_MS = 100, WAIT_MOST_MS = 10 * 60 * 1000 };

static struct tuning *tuning_of(const struct tuned_job *job)
{
    return job->api->options.tuning;
}

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
    struct tuned_snapshot *snapshots = NULL;
    struct tuned *tuned;
    int n = 0;
    if (!tuned_snapshots(tuning_of(job), operation->id, job->arena, &snapshots, &n,
                         &job->err) ||
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

static bool run_list(struct tuned_job *job)
{
    return tuned_operations(tuning_of(job), job->who, job->id, job->arena,
                            &job->operations, &job->n, &job->err);
}

static void reply_list(struct tuned_job *job)
{
    if (!tuned_job_heard(job))
        return;
    struct wire_operation *wires =
        arena_array(job->arena, struct wire_operation, (size_t)job->n + 1);
    for (int i = 0; i < job->n; i++)
        wires[i] = wire_operation_of(&job->operations[i], NULL, NULL, 0, job->arena);
    struct wire_operations list = {{wires, (size_t)job->n}, {0}};
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
    return tuned_cancel(tuning_of(job), job->who, job->id, job->sub, &job->err);
}

static void cancelled(struct tuned_job *job)
{
    supervisor_stop(job->api->options.supervisor, job->sub);
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
