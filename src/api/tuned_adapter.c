/* tuned_adapter.c - tunedModels.export and import: two methods of our own.
 *
 * An export is the adapter's bytes, read in pieces by a disk worker as they leave. An
 * import is of a file that was uploaded before (files.*), however large. */
#include "api/tuned.h"
#include "tuning/import.h"
#include "json/tree.h"
#include <errno.h>
#include <unistd.h>

enum { PIECE = 256 * 1024 };

/* ---- export ---- */

static bool run_open(struct tuned_job *job)
{
    job->piece = arena_alloc(job->arena, PIECE);
    return tuned_get(tuning_of(job), job->who, job->id, TUNED_READER, job->arena,
                     &job->tuned, &job->err) &&
           tuned_export(tuning_of(job), &job->tuned, job->arena, &job->fd, &job->end,
                        &job->err);
}

static bool run_read(struct tuned_job *job)
{
    int64_t most = job->end - job->at < PIECE ? job->end - job->at : PIECE;
    ssize_t n;
    do
        n = pread(job->fd, job->piece, (size_t)most, job->at);
    while (n < 0 && errno == EINTR);
    job->piece_len = n > 0 ? (size_t)n : 0;
    return true;
}

/* When the disk fails here the answer has begun: all that is left is to break it off. */
static void write_piece(struct tuned_job *job)
{
    if (!tuned_job_heard(job))
        return;
    struct http_request *rq = job->call->rq;
    if (job->piece_len == 0) {
        http_drop(rq);
        return;
    }
    job->at += (int64_t)job->piece_len;
    http_write(rq, (struct text){job->piece, job->piece_len});
    if (job->call && job->at == job->end)
        http_end(rq);
}

static void on_drained(struct http_request *rq)
{
    struct tuned_job *job = ((struct call *)rq->user)->own;
    if (!job->at_work && job->at < job->end)
        tuned_job_start(job, run_read, write_piece);
}

static void begin_export(struct tuned_job *job)
{
    if (!tuned_job_heard(job))
        return;
    struct http_request *rq = job->call->rq;
    http_set(rq, "Content-Disposition",
             arena_printf(job->arena, "attachment; filename=\"%.*s.gguf\"",
                          TEXT_ARG(job->tuned.id))
                 .at);
    rq->drained = on_drained;
    http_stream_of(rq, 200, "application/octet-stream", job->end);
}

void tuned_route_export(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_open, begin_export);
}

/* ---- import ---- */

struct wire_config {
    struct json_int rank;
    struct json_number alpha;
    struct json_bool root, dora, transposed;
    struct json_object *ranks, *alphas, *saved, *replication;
    struct text kind;
};

struct wire_import {
    struct text file;
    struct wire_config *config;
    struct wire_tuned *tuned;
};

/* clang-format off */
#define AT(type, member) offsetof(struct type, member)
static const struct json_field config_fields[] = {
    {"r",                 JSON_INT,    AT(wire_config, rank),        0, 1, 1024, NULL, NULL},
    {"lora_alpha",        JSON_NUMBER, AT(wire_config, alpha),       0, 0, 1e6, NULL, NULL},
    {"use_rslora",        JSON_BOOL,   AT(wire_config, root),        0, 0, 0, NULL, NULL},
    {"use_dora",          JSON_BOOL,   AT(wire_config, dora),        0, 0, 0, NULL, NULL},
    {"fan_in_fan_out",    JSON_BOOL,   AT(wire_config, transposed),  0, 0, 0, NULL, NULL},
    {"rank_pattern",      JSON_ANY,    AT(wire_config, ranks),       0, 0, 0, NULL, NULL},
    {"alpha_pattern",     JSON_ANY,    AT(wire_config, alphas),      0, 0, 0, NULL, NULL},
    {"modules_to_save",   JSON_ANY,    AT(wire_config, saved),       0, 0, 0, NULL, NULL},
    {"layer_replication", JSON_ANY,    AT(wire_config, replication), 0, 0, 0, NULL, NULL},
    {"peft_type",         JSON_STRING, AT(wire_config, kind),        0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type config_type = {
    "AdapterConfig", sizeof(struct wire_config), config_fields, true};

static const struct json_field import_fields[] = {
    {"file",          JSON_STRING,  AT(wire_import, file),   JSON_REQUIRED, 0, 0, NULL, "files/{id}"},
    {"adapterConfig", JSON_MESSAGE, AT(wire_import, config), 0, 0, 0, &config_type, "PEFT's adapter_config.json"},
    {"tunedModel",    JSON_MESSAGE, AT(wire_import, tuned),  0, 0, 0, &wire_tuned_type, "names and settings"},
    {0},
};
static const struct json_type import_type = {
    "ImportTunedModelRequest", sizeof(struct wire_import), import_fields, false};
/* clang-format on */

static bool is_something(struct json_object *value)
{
    return (json_object_is_type(value, json_type_object) &&
            json_object_object_length(value) > 0) ||
           (json_object_is_type(value, json_type_array) &&
            json_object_array_length(value) > 0);
}

static bool check_config(const struct wire_config *wire, struct import_config *config,
                         struct error *err)
{
    *config = (struct import_config){0};
    if (!wire)
        return true;
    const char *what = wire->dora.is                     ? "use_dora"
                       : wire->transposed.is             ? "fan_in_fan_out"
                       : is_something(wire->ranks)       ? "rank_pattern"
                       : is_something(wire->alphas)      ? "alpha_pattern"
                       : is_something(wire->saved)       ? "modules_to_save"
                       : is_something(wire->replication) ? "layer_replication"
                       : wire->kind.len && !text_is(wire->kind, "LORA") ? "peft_type"
                                                                        : NULL;
    if (what)
        return error_at(err, "adapter_config",
                        "The adapter's %s is not supported: only plain LoRAs can be "
                        "imported.",
                        what);
    *config = (struct import_config){
        .rank = (int)wire->rank.is,
        .alpha = wire->alpha.is,
        .root = wire->root.is,
    };
    return true;
}

static bool run_import(struct tuned_job *job)
{
    struct wire_import wire;
    struct wire_tuned none = {0};
    struct import_config config;
    struct tuned_wish wish = {0};
    struct file file;
    if (!tuned_asked_id(job) ||
        !json_read(&import_type, job->body, &wire, job->arena, &job->err) ||
        !check_config(wire.config, &config, &job->err))
        return false;
    const struct wire_tuned *tuned = wire.tuned ? wire.tuned : &none;
    if (!tuning_options(tuning_of(job))->base)
        return error_set(&job->err, ERROR_FAILED_PRECONDITION,
                         "This server replays a script and has no model that an adapter "
                         "could be for.");
    if (tuned->base.len || tuned->source || tuned->pre || tuned->task)
        return error_at(&job->err, "tuned_model",
                        "An adapter is imported for the model that this server runs: "
                        "only names and settings can be set.");
    struct text own = engine_info(runner_engine(job->api->runner))->model;
    wish.tuned = (struct tuned){
        .id = job->tuned.id,
        .display_name = tuned->display_name,
        .description = tuned->description,
        .base = arena_printf(job->arena, "models/%.*s", TEXT_ARG(own)),
        .engine = own,
    };
    tuned_settings(job, tuned, &wish.tuned);
    return files_find(job->api->options.files, wire.file, job->arena, &file, &job->fd,
                      &job->err) &&
           tuned_import(tuning_of(job), job->who, &wish, job->fd, &config, job->arena,
                        &job->tuned, &job->err);
}

static void reply_import(struct tuned_job *job)
{
    if (!tuned_job_heard(job))
        return;
    struct wire_tuned wire = wire_tuned_of(&job->tuned, NULL, 0, job->arena);
    api_reply(job->call, &wire_tuned_type, &wire);
}

void tuned_route_import(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_import, reply_import);
}
