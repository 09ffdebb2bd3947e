/* tuned_operation.c - tunedModels.operations.*: get, list, cancel, wait.
 *
 * A wait asks again every so often; the clients' own loops do the same from afar. */
#include "api/tuned.h"
#include "tuning/supervisor.h"

enum { ASK_MS = 100, WAIT_MOST_MS = 10 * 60 * 1000 };

/* The model that came of it, when it has. */
static bool read_model(struct job *job, const struct tuned_operation *operation,
                       struct tuned **tuned)
{
    *tuned = NULL;
    if (!operation->ended || operation->error_code != ERROR_OK)
        return true;
    *tuned = arena_new(job->arena, struct tuned);
    return tuned_get(tuned_tuning(job), job->who, operation->model, TUNED_READER,
                     job->arena, *tuned, &job->err);
}

static bool answer_operation(struct job *job, const struct tuned_operation *operation)
{
    struct tuned_snapshot *snapshots = NULL;
    struct tuned *tuned;
    int n = 0;
    if (!tuned_snapshots(tuned_tuning(job), operation->id, job->arena, &snapshots, &n,
                         &job->err) ||
        !read_model(job, operation, &tuned))
        return false;
    struct wire_operation wire =
        wire_operation_of(operation, tuned, snapshots, n, job->arena);
    return job_answer(job, &wire_operation_type, &wire);
}

/* ---- get ---- */

static bool run_get(struct job *job)
{
    struct tuned_operation operation;
    return tuned_operation_get(tuned_tuning(job), job->who, job->id, job->sub, job->arena,
                               &operation, &job->err) &&
           answer_operation(job, &operation);
}

void tuned_route_operation(struct call *call)
{
    job_run_call(call, run_get, NULL);
}

/* ---- list ---- */

/* All on one page: a model has few. */
static bool run_list(struct job *job)
{
    struct tuned_operation *operations;
    int n;
    if (!tuned_operations(tuned_tuning(job), job->who, job->id, job->arena, &operations,
                          &n, &job->err))
        return false;
    struct wire_operation *wires =
        arena_array(job->arena, struct wire_operation, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        wires[i] = wire_operation_of(&operations[i], NULL, NULL, 0, job->arena);
    struct wire_operations list = {{wires, (size_t)n}, {0}};
    return job_answer(job, &wire_operations_type, &list);
}

void tuned_route_operations(struct call *call)
{
    struct job *job = job_open(call);
    if (job_page(job, TUNED_PAGE, TUNED_PAGE_MOST))
        job_start(job, run_list, NULL);
}

/* ---- cancel ---- */

static bool run_cancel(struct job *job)
{
    return tuned_cancel(tuned_tuning(job), job->who, job->id, job->sub, &job->err) &&
           job_answer_nothing(job);
}

static void cancelled(struct job *job)
{
    supervisor_stop(job->api->options.supervisor, job->sub);
}

void tuned_route_operation_cancel(struct call *call)
{
    job_run_call(call, run_cancel, cancelled);
}

/* ---- wait ---- */

struct waiting {
    int64_t since_ms, until_ms; /* the latter is 0 until the body was read */
};

static bool read_wait(struct job *job, struct waiting *w)
{
    struct wire_wait wait;
    if (!json_read(&wire_wait_type, job->body, &wait, job->arena, &job->err))
        return false;
    int64_t ms = wait.timeout.set ? wait.timeout.is / 1000000 : WAIT_MOST_MS;
    w->until_ms = w->since_ms + (ms < 0 ? 0 : ms < WAIT_MOST_MS ? ms : WAIT_MOST_MS);
    return true;
}

static bool run_wait(struct job *job)
{
    struct waiting *w = job->own;
    struct tuned_operation operation;
    if (!w->until_ms && !read_wait(job, w))
        return false;
    struct arena *arena = arena_open(); /* of its own: there may be thousands of looks */
    bool good = tuned_operation_get(tuned_tuning(job), job->who, job->id, job->sub, arena,
                                    &operation, &job->err);
    bool over = good && (operation.ended || now_ms() >= w->until_ms);
    arena_close(arena);
    return good && (!over || run_get(job));
}

static void look_again(struct job *job)
{
    struct waiting *w = job->own;
    if (!job_heard(job) || job->answer.len > 0)
        return;
    if (job->api->stopping)
        w->until_ms = 1; /* what is known now is the answer */
    job_start_later(job, job->api->stopping ? 0 : ASK_MS, run_wait, look_again);
}

void tuned_route_operation_wait(struct call *call)
{
    struct job *job = job_open(call);
    struct waiting *w = arena_new(job->arena, struct waiting);
    w->since_ms = now_ms();
    job->own = w;
    job_start(job, run_wait, look_again);
}
