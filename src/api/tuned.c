/* tuned.c - tunedModels.*: create, get, list, patch, delete, cancel, transfer.
 *
 * Each is one job on a disk worker, as with files (files.c); the bodies of creates, which
 * may have thousands of examples, are decoded there, too. What has changed in the
 * database is then told to whoever runs the trainings, on the loop, also when the client
 * is gone meanwhile. */
#include "api/tuned.h"
#include "api/models.h"
#include "tuning/supervisor.h"

enum {
    PAGE = 10,
    PAGE_MOST = 1000,
    SNAPSHOTS_MOST = 20000, /* of a page; a long one has fewer of each model */
    ALL_SNAPSHOTS = 2 * TUNED_SNAPSHOTS_MOST,
};

/* ---- a job's life ---- */

static void release(struct tuned_job *job)
{
    if (job->call || job->at_work || job->timer)
        return;
    arena_close(job->arena);
}

static void on_gone(struct call *call)
{
    ((struct tuned_job *)call->own)->over = true;
}

static void on_closed(struct call *call)
{
    struct tuned_job *job = call->own;
    job->call = NULL;
    loop_cancel(job->api->loop, job->timer);
    job->timer = NULL;
    release(job);
}

bool tuned_job_heard(const struct tuned_job *job)
{
    return job->call && !job->over;
}

static void run_job(struct work *work)
{
    struct tuned_job *job = (struct tuned_job *)work;
    job->good = job->run(job);
}

static void finish_job(struct work *work)
{
    struct tuned_job *job = (struct tuned_job *)work;
    bool alone = !job->call;
    job->at_work = false;
    if (job->good)
        job->done(job); /* an answer may be the end of the call, and so of the job */
    else if (tuned_job_heard(job))
        api_error(job->call, &job->err);
    if (alone)
        release(job);
}

void tuned_job_start(struct tuned_job *job, bool (*run)(struct tuned_job *),
                     void (*done)(struct tuned_job *))
{
    job->run = run;
    job->done = done;
    job->at_work = true;
    job->work = (struct work){.run = run_job, .done = finish_job};
    workers_push(job->api->options.disk, &job->work);
}

struct tuned_job *tuned_job_open(struct call *call)
{
    struct arena *arena = arena_open();
    struct tuned_job *job = arena_new(arena, struct tuned_job);
    job->arena = arena;
    job->api = call->api;
    job->call = call;
    job->who = api_caller(call, arena);
    job->version = arena_text(arena, call->version);
    job->id = arena_text(arena, call->name);
    job->sub = arena_text(arena, call->sub);
    job->body = arena_text(arena, call->rq->body);
    job->asked_id = arena_text(arena, http_query(call->rq, "tunedModelId"));
    if (!job->asked_id.at)
        job->asked_id = arena_text(arena, http_query(call->rq, "tuned_model_id"));
    call->own = job;
    call->gone = on_gone;
    call->closed = on_closed;
    return job;
}

void tuned_job_reply_nothing(struct tuned_job *job)
{
    if (tuned_job_heard(job))
        http_reply(job->call->rq, 200, API_JSON, TEXT("{}\n"));
}

bool tuned_job_page(struct tuned_job *job)
{
    if (!api_page_size(job->call, PAGE, PAGE_MOST, &job->page_size, &job->err)) {
        api_error(job->call, &job->err);
        return false;
    }
    job->token = arena_text(job->arena, http_query(job->call->rq, "pageToken"));
    return true;
}

/* ---- get ---- */

static bool tell(struct tuned_job *job)
{
    struct tuned_snapshot *snapshots;
    int n;
    if (!tuned_snapshots(tuning_of(job), job->tuned.operation, ALL_SNAPSHOTS, job->arena,
                         &snapshots, &n, &job->err))
        return false;
    job->wire.response = arena_new(job->arena, struct wire_tuned);
    *job->wire.response = wire_tuned_of(&job->tuned, snapshots, n, job->arena);
    return true;
}

static void reply_tuned(struct tuned_job *job)
{
    if (tuned_job_heard(job))
        api_reply(job->call, &wire_tuned_type, job->wire.response);
}

static bool run_get(struct tuned_job *job)
{
    return tuned_get(tuning_of(job), job->who, job->id, TUNED_READER, job->arena,
                     &job->tuned, &job->err) &&
           tell(job);
}

void tuned_route_get(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_get, reply_tuned);
}

/* ---- create ---- */

bool tuned_asked_id(struct tuned_job *job)
{
    job->tuned.id = job->asked_id.len > 0 ? job->asked_id : (struct text){0};
    return !job->tuned.id.at || tuned_id_is_good(job->tuned.id) ||
           error_at(&job->err, "tuned_model_id",
                    "tunedModelId must match [a-z]([a-z0-9-]{0,38}[a-z0-9])?: lower-case "
                    "letters, digits and dashes, a letter first, no dash last, at most "
                    "%d.",
                    TUNED_ID_MOST);
}

/* Which model of this server it is made from: the one that writes, under any name. */
static bool check_base(struct tuned_job *job, struct tuned *tuned)
{
    const struct api *api = job->api;
    struct text own = engine_info(runner_engine(api->runner))->model;
    tuned->engine = own;
    if (!tuning_options(tuning_of(job))->base)
        return error_set(&job->err, ERROR_FAILED_PRECONDITION,
                         "This server replays a script and has no model that could be "
                         "tuned.");
    if (!tuned->source.at)
        return models_serve(api, job->version,
                            text_slice(tuned->base, strlen("models/"), tuned->base.len),
                            "createTunedModel", &job->err);
    struct tuned source;
    if (!tuned_get(tuning_of(job), job->who, tuned->source, TUNED_READER, job->arena,
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
void tuned_settings(const struct tuned_job *job, const struct wire_tuned *wire,
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

static bool run_create(struct tuned_job *job)
{
    struct wire_tuned wire;
    struct tuned_wish wish = {0};
    if (!tuned_asked_id(job) ||
        !json_read(&wire_tuned_type, job->body, &wire, job->arena, &job->err))
        return false;
    wish.tuned.id = job->tuned.id;
    if (!tuned_check(&wire, job->arena, &wish, &job->err) ||
        !check_base(job, &wish.tuned) || !tuned_check_lengths(job->api, &wish, &job->err))
        return false;
    tuned_settings(job, &wire, &wish.tuned);
    if (!tuned_create(tuning_of(job), job->who, &wish, job->arena, &job->tuned,
                      &job->err))
        return false;
    const struct tuned_operation operation = {
        .id = job->tuned.operation, .model = job->tuned.id, .total = job->tuned.total};
    job->wire = wire_operation_of(&operation, NULL, NULL, 0, job->arena);
    return true;
}

static void created(struct tuned_job *job)
{
    supervisor_kick(job->api->options.supervisor);
    if (tuned_job_heard(job))
        api_reply(job->call, &wire_operation_type, &job->wire);
}

void tuned_route_create(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_create, created);
}

/* ---- list ---- */

static bool run_list(struct tuned_job *job)
{
    struct tuned *list;
    if (!tuned_list(tuning_of(job), job->who, &job->filter, job->page_size, job->token,
                    job->arena, &list, &job->n, &job->next, &job->err))
        return false;
    job->models = arena_array(job->arena, struct wire_tuned, (size_t)job->n + 1);
    for (int i = 0; i < job->n; i++) {
        struct tuned_snapshot *snapshots;
        int n, most = SNAPSHOTS_MOST / job->n;
        if (!tuned_snapshots(tuning_of(job), list[i].operation,
                             most < ALL_SNAPSHOTS ? most : ALL_SNAPSHOTS, job->arena,
                             &snapshots, &n, &job->err))
            return false;
        job->models[i] = wire_tuned_of(&list[i], snapshots, n, job->arena);
    }
    return true;
}

static void reply_list(struct tuned_job *job)
{
    struct wire_tuned_list list = {{job->models, (size_t)job->n}, job->next};
    if (tuned_job_heard(job))
        api_reply(job->call, &wire_tuned_list_type, &list);
}

void tuned_route_list(struct call *call)
{
    struct tuned_job *job = tuned_job_open(call);
    if (!tuned_job_page(job))
        return;
    if (tuned_check_filter(http_query(call->rq, "filter"), job->arena, &job->filter,
                           &job->err))
        tuned_job_start(job, run_list, reply_list);
    else
        api_error(call, &job->err);
}

/* ---- patch ---- */

struct patching {
    struct tuned_job *job;
    struct wire_tuned wire;
};

static bool change(struct tuned *tuned, void *arg, struct error *err)
{
    const struct patching *patching = arg;
    struct tuned_job *job = patching->job;
    return tuned_check_patch(&patching->wire, job->mask, &job->api->options.defaults,
                             job->arena, tuned, err);
}

static bool run_patch(struct tuned_job *job)
{
    struct patching patching = {.job = job};
    return json_read(&wire_tuned_type, job->body, &patching.wire, job->arena,
                     &job->err) &&
           tuned_patch(tuning_of(job), job->who, job->id, change, &patching, job->arena,
                       &job->tuned, &job->err) &&
           tell(job);
}

void tuned_route_patch(struct call *call)
{
    struct tuned_job *job = tuned_job_open(call);
    job->mask = arena_text(job->arena, http_query(call->rq, "updateMask"));
    if (!job->mask.at)
        job->mask = arena_text(job->arena, http_query(call->rq, "update_mask"));
    tuned_job_start(job, run_patch, reply_tuned);
}

/* ---- delete, cancel ---- */

static bool run_delete(struct tuned_job *job)
{
    return tuned_delete(tuning_of(job), job->who, job->id, job->arena, &job->operation,
                        &job->err);
}

static void stopped(struct tuned_job *job)
{
    supervisor_stop(job->api->options.supervisor, job->operation);
    tuned_job_reply_nothing(job);
}

void tuned_route_delete(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_delete, stopped);
}

/* google-genai's tunings.cancel: of the model, not of its operation. */
static bool run_cancel(struct tuned_job *job)
{
    return tuned_cancel(tuning_of(job), job->who, job->id, job->arena, &job->operation,
                        &job->err);
}

void tuned_route_cancel(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_cancel, stopped);
}

/* ---- transferOwnership ---- */

static bool run_transfer(struct tuned_job *job)
{
    struct wire_transfer transfer;
    return json_read(&wire_transfer_type, job->body, &transfer, job->arena, &job->err) &&
           tuned_transfer(tuning_of(job), job->who, job->id, transfer.address, &job->err);
}

void tuned_route_transfer(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_transfer, tuned_job_reply_nothing);
}
