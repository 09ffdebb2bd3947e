/* tuned_adapter.c - tunedModels.export and import: two methods of our own.
 *
 * An export is the adapter's bytes, read in pieces by a disk worker as they leave. An
 * import is of a file that was uploaded before (files.*), however large. */
#include "api/send.h"
#include "api/tuned.h"
#include "tuning/import.h"
#include "json/tree.h"

/* ---- export ---- */

struct export
{
    struct tuned tuned;
    struct send_range range;
};

static bool run_open(struct task *task)
{
    struct export *export = task->own;
    return tuned_get(tuned_tuning(task), task->who, task->id, TUNED_READER, task->arena,
                     &export->tuned, &task->err) &&
           tuned_export(tuned_tuning(task), &export->tuned, task->arena,
                        &export->range.fd, &export->range.end, &task->err);
}

static void begin_export(struct task *task)
{
    const struct export *export = task->own;
    if (!task_heard(task))
        return;
    http_set(task->call->rq, "Content-Disposition",
             arena_printf(task->arena, "attachment; filename=\"%.*s.gguf\"",
                          TEXT_ARG(export->tuned.id))
                 .at);
    send_file(task, 200, "application/octet-stream", &export->range);
}

void tuned_route_export(struct call *call)
{
    struct task *task = task_open(call);
    task->own = arena_new(task->arena, struct export);
    task_start(task, run_open, begin_export);
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
    const struct {
        bool is;
        const char *name;
    } others[] = {
        {wire->dora.is, "use_dora"},
        {wire->transposed.is, "fan_in_fan_out"},
        {is_something(wire->ranks), "rank_pattern"},
        {is_something(wire->alphas), "alpha_pattern"},
        {is_something(wire->saved), "modules_to_save"},
        {is_something(wire->replication), "layer_replication"},
        {wire->kind.len && !text_is(wire->kind, "LORA"), "peft_type"},
    };
    const char *what = NULL;
    for (size_t i = 0; i < sizeof others / sizeof others[0] && !what; i++)
        what = others[i].is ? others[i].name : NULL;
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

static bool run_import(struct task *task)
{
    struct wire_import wire;
    struct wire_tuned none = {0};
    struct import_config config;
    struct tuned_wish wish = {0};
    struct tuned made;
    struct file file;
    struct text id;
    int fd;
    if (!tuned_asked_id(task, &id) ||
        !json_read(&import_type, task->body, &wire, task->arena, &task->err) ||
        !check_config(wire.config, &config, &task->err))
        return false;
    const struct wire_tuned *tuned = wire.tuned ? wire.tuned : &none;
    if (!tuning_options(tuned_tuning(task))->base)
        return error_set(&task->err, ERROR_FAILED_PRECONDITION,
                         "This server replays a script and has no model that an adapter "
                         "could be for.");
    if (tuned->base.len || tuned->source || tuned->pre || tuned->task)
        return error_at(&task->err, "tuned_model",
                        "An adapter is imported for the model that this server runs: "
                        "only names and settings can be set.");
    struct text own = engine_info(runner_engine(task->api->runner))->model;
    wish.tuned = (struct tuned){
        .id = id,
        .display_name = tuned->display_name,
        .description = tuned->description,
        .base = arena_printf(task->arena, "models/%.*s", TEXT_ARG(own)),
        .engine = own,
    };
    tuned_settings(task, tuned, &wish.tuned);
    if (!files_find(task->api->options.files, wire.file, task->arena, &file, &fd,
                    &task->err) ||
        !tuned_import(tuned_tuning(task), task->who, &wish, fd, &config, task->arena,
                      &made, &task->err))
        return false;
    struct wire_tuned answer = wire_tuned_of(&made, NULL, 0, task->arena);
    return task_answer(task, &wire_tuned_type, &answer);
}

void tuned_route_import(struct call *call)
{
    task_start(tuned_open(call), run_import, NULL);
}
