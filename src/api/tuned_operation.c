/* tuned_operation.c - tunedModels.operations.*: get, list, cancel, wait.
 *
 * A wait asks again every so often; the clients' own loops do the same from afar. */
#include "api/tuned.h"
#include "tuning/supervisor.h"

enum { ASK_MS = 100, WAIT_MOST_MS = 10 * 60 * 1000 };

/* The model that came of it, when it has. */
static bool read_model(struct task *task, const struct tuned_operation *operation,
                       struct tuned **tuned)
{
    *tuned = NULL;
    if (!operation->ended || operation->error_code != ERROR_OK)
        return true;
    *tuned = arena_new(task->arena, struct tuned);
    return tuned_get(tuned_tuning(task), task->who, operation->model, TUNED_READER,
                     task->arena, *tuned, &task->err);
}

static bool make_wire(struct task *task, const struct tuned_operation *operation,
                      struct wire_operation *wire)
{
    struct tuned_snapshot *snapshots;
    struct tuned *tuned;
    int n;
    if (!tuned_snapshots(tuned_tuning(task), operation->id, TUNED_SNAPSHOTS_MOST,
                         task->arena, &snapshots, &n, &task->err) ||
        !read_model(task, operation, &tuned))
        return false;
    *wire = wire_operation_of(operation, tuned, snapshots, n, task->arena);
    return true;
}

/* ---- get ---- */

static bool run_get(struct task *task)
{
    struct tuned_operation operation;
    struct wire_operation wire;
    return tuned_operation_get(tuned_tuning(task), task->who, task->id, task->sub,
                               task->arena, &operation, &task->err) &&
           make_wire(task, &operation, &wire) &&
           task_answer(task, &wire_operation_type, &wire);
}

void tuned_route_operation(struct call *call)
{
    task_run_call(call, run_get, NULL);
}

/* ---- list ---- */

/* All on one page: a model has one. */
static bool run_list(struct task *task)
{
    struct tuned_operation *operations;
    int n;
    if (task->token.len > 0)
        return error_at(&task->err, "page_token",
                        "pageToken is not one that an earlier answer gave.");
    if (!tuned_operations(tuned_tuning(task), task->who, task->id, task->arena,
                          &operations, &n, &task->err))
        return false;
    struct wire_operation *wires =
        arena_array(task->arena, struct wire_operation, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        if (!make_wire(task, &operations[i], &wires[i]))
            return false;
    struct wire_operations list = {{wires, (size_t)n}, {0}};
    return task_answer(task, &wire_operations_type, &list);
}

void tuned_route_operations(struct call *call)
{
    struct task *task = task_open(call);
    if (task_page(task, TUNED_PAGE, TUNED_PAGE_MOST))
        task_start(task, run_list, NULL);
}

/* ---- cancel ---- */

static bool run_cancel(struct task *task)
{
    return tuned_cancel(tuned_tuning(task), task->who, task->id, task->arena, &task->sub,
                        &task->err) &&
           task_answer_nothing(task);
}

static void cancelled(struct task *task)
{
    supervisor_stop(task->api->options.supervisor, task->sub);
}

void tuned_route_operation_cancel(struct call *call)
{
    task_run_call(call, run_cancel, cancelled);
}

/* ---- wait ---- */

struct waiting {
    int64_t since_ms, until_ms; /* the latter is 0 until the body was read */
};

static bool read_wait(struct task *task, struct waiting *w)
{
    struct wire_wait wait;
    if (!json_read(&wire_wait_type, task->body, &wait, task->arena, &task->err))
        return false;
    int64_t ms = wait.timeout.set ? wait.timeout.is / 1000000 : WAIT_MOST_MS;
    w->until_ms = w->since_ms + (ms < 0 ? 0 : ms < WAIT_MOST_MS ? ms : WAIT_MOST_MS);
    return true;
}

static bool run_wait(struct task *task)
{
    struct waiting *w = task->own;
    struct tuned_operation operation;
    if (!w->until_ms && !read_wait(task, w))
        return false;
    struct arena *arena = arena_open(); /* of its own: there may be thousands of looks */
    bool good = tuned_operation_get(tuned_tuning(task), task->who, task->id, task->sub,
                                    arena, &operation, &task->err);
    bool over = good && (operation.ended || now_ms() >= w->until_ms);
    arena_close(arena);
    return good && (!over || run_get(task));
}

static void look_again(struct task *task)
{
    struct waiting *w = task->own;
    if (!task_heard(task) || task->answer.len > 0)
        return;
    if (task->api->stopping)
        w->until_ms = 1; /* what is known now is the answer */
    task_start_later(task, task->api->stopping ? 0 : ASK_MS, run_wait, look_again);
}

void tuned_route_operation_wait(struct call *call)
{
    struct task *task = task_open(call);
    struct waiting *w = arena_new(task->arena, struct waiting);
    w->since_ms = now_ms();
    task->own = w;
    task_start(task, run_wait, look_again);
}
