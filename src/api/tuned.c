/* tuned.c - tunedModels.*: create, get, list, patch, delete, cancel, transfer.
 *
 * What has changed in the database is then told to whoever runs the trainings, on the
 * loop, also when the client is gone meanwhile. */
#include "api/tuned.h"
#include "api/models.h"
#include "tuning/supervisor.h"

/* ---- get ---- */

/* With at most so many snapshots. */
static bool make_wire(struct task *task, const struct tuned *tuned, int most,
                      struct wire_tuned *wire)
{
    struct tuned_snapshot *snapshots;
    int n;
    if (!tuned_snapshots(tuned_tuning(task), tuned->operation,
                         most < TUNED_SNAPSHOTS_MOST ? most : TUNED_SNAPSHOTS_MOST,
                         task->arena, &snapshots, &n, &task->err))
        return false;
    *wire = wire_tuned_of(tuned, snapshots, n, task->arena);
    return true;
}

static bool answer_tuned(struct task *task, const struct tuned *tuned)
{
    struct wire_tuned wire;
    return make_wire(task, tuned, TUNED_SNAPSHOTS_MOST, &wire) &&
           task_answer(task, &wire_tuned_type, &wire);
}

static bool run_get(struct task *task)
{
    struct tuned tuned;
    return tuned_get(tuned_tuning(task), task->who, task->id, TUNED_READER, task->arena,
                     &tuned, &task->err) &&
           answer_tuned(task, &tuned);
}

void tuned_route_get(struct call *call)
{
    task_run_call(call, run_get, NULL);
}

/* ---- create ---- */

struct task *tuned_open(struct call *call)
{
    struct task *task = task_open(call);
    struct text *id = arena_new(task->arena, struct text);
    *id = http_query(call->rq, "tunedModelId");
    if (!id->at)
        *id = http_query(call->rq, "tuned_model_id");
    *id = arena_text(task->arena, *id);
    task->own = id;
    return task;
}

bool tuned_asked_id(struct task *task, struct text *id)
{
    struct text asked = *(const struct text *)task->own;
    *id = asked.len > 0 ? asked : (struct text){0};
    return !id->at || tuned_id_is_good(*id) ||
           error_at(&task->err, "tuned_model_id",
                    "tunedModelId must match [a-z]([a-z0-9-]{0,38}[a-z0-9])?: lower-case "
                    "letters, digits and dashes, a letter first, no dash last, at most "
                    "%d.",
                    TUNED_ID_MOST);
}

/* Which model of this server it is made from: the one that writes, under any name. */
static bool check_base(struct task *task, struct tuned *tuned)
{
    const struct api *api = task->api;
    struct text own = engine_info(runner_engine(api->runner))->model;
    tuned->engine = own;
    if (!tuning_options(tuned_tuning(task))->base)
        return error_set(&task->err, ERROR_FAILED_PRECONDITION,
                         "This server replays a script and has no model that could be "
                         "tuned.");
    if (!tuned->source.at)
        return models_serve(api, task->version,
                            text_slice(tuned->base, strlen("models/"), tuned->base.len),
                            "createTunedModel", &task->err);
    struct tuned source;
    if (!tuned_get(tuned_tuning(task), task->who, tuned->source, TUNED_READER,
                   task->arena, &source, &task->err))
        return false;
    if (source.state != TUNED_ACTIVE || !text_same(source.engine, own))
        return error_set(&task->err, ERROR_FAILED_PRECONDITION,
                         "tunedModels/%.*s cannot be tuned further: it is %s.",
                         TEXT_ARG(source.id),
                         source.state != TUNED_ACTIVE ? "not ACTIVE"
                                                      : "of another model than this "
                                                        "server runs");
    tuned->base = source.base;
    return true;
}

/* What is left out is the base model's. */
void tuned_settings(const struct task *task, const struct wire_tuned *wire,
                    struct tuned *tuned)
{
    const struct api_defaults *defaults = &task->api->options.defaults;
    tuned->temperature =
        wire->temperature.set ? wire->temperature.is : defaults->temperature;
    tuned->top_p = wire->top_p.set ? wire->top_p.is : defaults->top_p;
    tuned->top_k = wire->top_k.set ? (int)wire->top_k.is : defaults->top_k;
    if (tuned->temperature > 1 && !wire->temperature.set)
        tuned->temperature = 1; /* the field's range */
}

static bool run_create(struct task *task)
{
    struct wire_tuned wire;
    struct tuned_wish wish = {0};
    struct tuned tuned;
    struct text id;
    if (!tuned_asked_id(task, &id) ||
        !json_read(&wire_tuned_type, task->body, &wire, task->arena, &task->err))
        return false;
    wish.tuned.id = id;
    if (!tuned_check(&wire, task->arena, &wish, &task->err) ||
        !check_base(task, &wish.tuned) ||
        !tuned_check_lengths(task->api, &wish, &task->err))
        return false;
    tuned_settings(task, &wire, &wish.tuned);
    if (!tuned_create(tuned_tuning(task), task->who, &wish, task->arena, &tuned,
                      &task->err))
        return false;
    const struct tuned_operation operation = {
        .id = tuned.operation, .model = tuned.id, .total = tuned.total};
    struct wire_operation answer =
        wire_operation_of(&operation, NULL, NULL, 0, task->arena);
    return task_answer(task, &wire_operation_type, &answer);
}

static void created(struct task *task)
{
    supervisor_kick(task->api->options.supervisor);
}

void tuned_route_create(struct call *call)
{
    task_start(tuned_open(call), run_create, created);
}

/* ---- list ---- */

/* task->own is the filter. */
static bool run_list(struct task *task)
{
    const struct tuned_filter *filter = task->own;
    struct wire_tuned_list wire = {0};
    struct tuned *list;
    int n;
    if (!tuned_list(tuned_tuning(task), task->who, filter, task->page_size, task->token,
                    task->arena, &list, &n, &wire.next_page, &task->err))
        return false;
    struct wire_tuned *models =
        arena_array(task->arena, struct wire_tuned, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        if (!make_wire(task, &list[i], TUNED_PAGE_SNAPSHOTS / n, &models[i]))
            return false;
    wire.models = (struct json_list){models, (size_t)n};
    return task_answer(task, &wire_tuned_list_type, &wire);
}

void tuned_route_list(struct call *call)
{
    struct task *task = task_open(call);
    struct tuned_filter *filter = arena_new(task->arena, struct tuned_filter);
    task->own = filter;
    if (!task_page(task, TUNED_PAGE, TUNED_PAGE_MOST))
        return;
    if (tuned_check_filter(http_query(call->rq, "filter"), task->arena, filter,
                           &task->err))
        task_start(task, run_list, NULL);
    else
        task_fail(task, &task->err);
}

/* ---- patch ---- */

struct patching {
    struct task *task;
    struct wire_tuned wire;
};

static bool change(struct tuned *tuned, void *arg, struct error *err)
{
    const struct patching *patching = arg;
    struct task *task = patching->task;
    return tuned_check_patch(&patching->wire, task->mask, &task->api->options.defaults,
                             task->arena, tuned, err);
}

static bool run_patch(struct task *task)
{
    struct patching patching = {.task = task};
    struct tuned tuned;
    return json_read(&wire_tuned_type, task->body, &patching.wire, task->arena,
                     &task->err) &&
           tuned_patch(tuned_tuning(task), task->who, task->id, change, &patching,
                       task->arena, &tuned, &task->err) &&
           answer_tuned(task, &tuned);
}

void tuned_route_patch(struct call *call)
{
    task_run_call(call, run_patch, NULL);
}

/* ---- delete, cancel ---- */

/* task->own of both: the operation that is to stop. */
static void start_stopping(struct call *call, task_run *run, task_done *done)
{
    struct task *task = task_open(call);
    task->own = arena_new(task->arena, struct text);
    task_start(task, run, done);
}

static bool run_delete(struct task *task)
{
    return tuned_delete(tuned_tuning(task), task->who, task->id, task->arena, task->own,
                        &task->err) &&
           task_answer_nothing(task);
}

static void stopped(struct task *task)
{
    supervisor_stop(task->api->options.supervisor, *(const struct text *)task->own);
}

void tuned_route_delete(struct call *call)
{
    start_stopping(call, run_delete, stopped);
}

/* google-genai's tunings.cancel: of the model, not of its operation. */
static bool run_cancel(struct task *task)
{
    return tuned_cancel(tuned_tuning(task), task->who, task->id, task->arena, task->own,
                        &task->err) &&
           task_answer_nothing(task);
}

void tuned_route_cancel(struct call *call)
{
    start_stopping(call, run_cancel, stopped);
}

/* ---- transferOwnership ---- */

static bool run_transfer(struct task *task)
{
    struct wire_transfer transfer;
    return json_read(&wire_transfer_type, task->body, &transfer, task->arena,
                     &task->err) &&
           tuned_transfer(tuned_tuning(task), task->who, task->id, transfer.address,
                          &task->err) &&
           task_answer_nothing(task);
}

void tuned_route_transfer(struct call *call)
{
    task_run_call(call, run_transfer, NULL);
}
