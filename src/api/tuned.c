/* tuned.c - tunedModels.*: create, get, list, patch, delete, cancel, transfer.
 *
 * What has changed in the database is then told to whoever runs the trainings, on the
 * loop, also when the client is gone meanwhile. */
#include "api/tuned.h"
#include "api/models.h"
#include "tuning/supervisor.h"

/* ---- get ---- */

static bool answer_tuned(struct job *job, const struct tuned *tuned)
{
    struct tuned_snapshot *snapshots = NULL;
    int n = 0;
    if (!tuned_snapshots(tuned_tuning(job), tuned->operation, job->arena, &snapshots, &n,
                         &job->err))
        return false;
    struct wire_tuned wire = wire_tuned_of(tuned, snapshots, n, job->arena);
    return job_answer(job, &wire_tuned_type, &wire);
}

static bool run_get(struct job *job)
{
    struct tuned tuned;
    return tuned_get(tuned_tuning(job), job->who, job->id, TUNED_READER, job->arena,
                     &tuned, &job->err) &&
           answer_tuned(job, &tuned);
}

void tuned_route_get(struct call *call)
{
    job_run_call(call, run_get, NULL);
}

/* ---- create ---- */

struct job *tuned_open(struct call *call)
{
    struct job *job = job_open(call);
    struct text *id = arena_new(job->arena, struct text);
    *id = http_query(call->rq, "tunedModelId");
    if (!id->at)
        *id = http_query(call->rq, "tuned_model_id");
    *id = arena_text(job->arena, *id);
    job->own = id;
    return job;
}

bool tuned_asked_id(struct job *job, struct text *id)
{
    struct text asked = *(const struct text *)job->own;
    *id = asked.len > 0 ? asked : (struct text){0};
    return !id->at || tuned_id_is_good(*id) ||
           error_at(&job->err, "tuned_model_id",
                    "tunedModelId must match [a-z]([a-z0-9-]{0,38}[a-z0-9])?: lower-case "
                    "letters, digits and dashes, a letter first, no dash last, at most "
                    "%d.",
                    TUNED_ID_MOST);
}

/* Which model of this server it is made from: the one that writes, under any name. */
static bool check_base(struct job *job, struct tuned *tuned)
{
    const struct api *api = job->api;
    struct text own = engine_info(runner_engine(api->runner))->model;
    tuned->engine = own;
    if (!tuning_options(tuned_tuning(job))->base)
        return error_set(&job->err, ERROR_FAILED_PRECONDITION,
                         "This server replays a script and has no model that could be "
                         "tuned.");
    if (!tuned->source.at)
        return models_serve(api, job->version,
                            text_slice(tuned->base, strlen("models/"), tuned->base.len),
                            "createTunedModel", &job->err);
    struct tuned source;
    if (!tuned_get(tuned_tuning(job), job->who, tuned->source, TUNED_READER, job->arena,
                   &source, &job->err))
        return false;
    if (source.state != TUNED_ACTIVE || !text_same(source.engine, own))
        return error_set(&job->err, ERROR_FAILED_PRECONDITION,
                         "tunedModels/%.*s cannot be tuned further: it is %s.",
                         TEXT_ARG(source.id),
                         source.state != TUNED_ACTIVE ? "not ACTIVE"
                                                      : "of another model than this "
                                                        "server runs");
    tuned->base = source.base;
    return true;
}

/* What is left out is the base model's. */
void tuned_settings(const struct job *job, const struct wire_tuned *wire,
                    struct tuned *tuned)
{
    const struct api_defaults *defaults = &job->api->options.defaults;
    tuned->temperature =
        wire->temperature.set ? wire->temperature.is : defaults->temperature;
    tuned->top_p = wire->top_p.set ? wire->top_p.is : defaults->top_p;
    tuned->top_k = wire->top_k.set ? (int)wire->top_k.is : defaults->top_k;
    if (tuned->temperature > 1 && !wire->temperature.set)
        tuned->temperature = 1; /* the field's range */
}

static bool run_create(struct job *job)
{
    struct wire_tuned wire;
    struct tuned_wish wish = {0};
    struct tuned tuned;
    struct text id;
    if (!tuned_asked_id(job, &id) ||
        !json_read(&wire_tuned_type, job->body, &wire, job->arena, &job->err))
        return false;
    wish.tuned.id = id;
    if (!tuned_check(&wire, job->arena, &wish, &job->err) ||
        !check_base(job, &wish.tuned))
        return false;
    tuned_settings(job, &wire, &wish.tuned);
    if (!tuned_create(tuned_tuning(job), job->who, &wish, job->arena, &tuned, &job->err))
        return false;
    const struct tuned_operation operation = {
        .id = tuned.operation, .model = tuned.id, .total = tuned.total};
    struct wire_operation answer =
        wire_operation_of(&operation, NULL, NULL, 0, job->arena);
    return job_answer(job, &wire_operation_type, &answer);
}

static void created(struct job *job)
{
    supervisor_kick(job->api->options.supervisor);
}

void tuned_route_create(struct call *call)
{
    job_start(tuned_open(call), run_create, created);
}

/* ---- list ---- */

/* job->own is the filter. */
static bool run_list(struct job *job)
{
    const struct tuned_filter *filter = job->own;
    struct wire_tuned_list wire = {0};
    struct tuned *list;
    int n;
    if (!tuned_list(tuned_tuning(job), job->who, filter, job->page_size, job->token,
                    job->arena, &list, &n, &wire.next_page, &job->err))
        return false;
    struct wire_tuned *models = arena_array(job->arena, struct wire_tuned, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        models[i] = wire_tuned_of(&list[i], NULL, 0, job->arena);
    wire.models = (struct json_list){models, (size_t)n};
    return job_answer(job, &wire_tuned_list_type, &wire);
}

void tuned_route_list(struct call *call)
{
    struct job *job = job_open(call);
    struct tuned_filter *filter = arena_new(job->arena, struct tuned_filter);
    job->own = filter;
    if (!job_page(job, TUNED_PAGE, TUNED_PAGE_MOST))
        return;
    if (tuned_check_filter(http_query(call->rq, "filter"), job->arena, filter, &job->err))
        job_start(job, run_list, NULL);
    else
        job_fail(job, &job->err);
}

/* ---- patch ---- */

static bool run_patch(struct job *job)
{
    struct wire_tuned wire;
    struct tuned tuned;
    return json_read(&wire_tuned_type, job->body, &wire, job->arena, &job->err) &&
           tuned_get(tuned_tuning(job), job->who, job->id, TUNED_WRITER, job->arena,
                     &tuned, &job->err) &&
           tuned_check_patch(&wire, job->mask, &job->api->options.defaults, job->arena,
                             &tuned, &job->err) &&
           tuned_update(tuned_tuning(job), &tuned, &job->err) &&
           answer_tuned(job, &tuned);
}

void tuned_route_patch(struct call *call)
{
    job_run_call(call, run_patch, NULL);
}

/* ---- delete, cancel ---- */

/* job->own of both: the operation that is to stop. */
static void start_stopping(struct call *call, job_run *run, job_done *done)
{
    struct job *job = job_open(call);
    job->own = arena_new(job->arena, struct text);
    job_start(job, run, done);
}

static bool run_delete(struct job *job)
{
    return tuned_delete(tuned_tuning(job), job->who, job->id, job->arena, job->own,
                        &job->err) &&
           job_answer_nothing(job);
}

static void stopped(struct job *job)
{
    supervisor_stop(job->api->options.supervisor, *(const struct text *)job->own);
}

void tuned_route_delete(struct call *call)
{
    start_stopping(call, run_delete, stopped);
}

/* google-genai's tunings.cancel: of the model, not of its operation. */
static bool run_cancel(struct job *job)
{
    struct text *operation = job->own;
    struct tuned tuned;
    if (!tuned_get(tuned_tuning(job), job->who, job->id, TUNED_WRITER, job->arena, &tuned,
                   &job->err))
        return false;
    *operation = tuned.operation;
    return tuned_cancel(tuned_tuning(job), job->who, job->id, *operation, &job->err) &&
           job_answer_nothing(job);
}

void tuned_route_cancel(struct call *call)
{
    start_stopping(call, run_cancel, stopped);
}

/* ---- transferOwnership ---- */

static bool run_transfer(struct job *job)
{
    struct wire_transfer transfer;
    return json_read(&wire_transfer_type, job->body, &transfer, job->arena, &job->err) &&
           tuned_transfer(tuned_tuning(job), job->who, job->id, transfer.address,
                          &job->err) &&
           job_answer_nothing(job);
}

void tuned_route_transfer(struct call *call)
{
    job_run_call(call, run_transfer, NULL);
}
