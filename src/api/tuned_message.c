/* tuned_message.c - the tables of tuned models' messages. */
#include "api/tuned_message.h"
#include "api/message.h"
#include <stdlib.h>

#define PACKAGE "type.googleapis.com/google.ai.generativelanguage.v1beta."

/* clang-format off */

#define AT(type, member) offsetof(struct type, member)

static const struct json_enum states[] = {
    {"STATE_UNSPECIFIED", 0, NULL},
    {"CREATING",          TUNED_CREATING, NULL},
    {"ACTIVE",            TUNED_ACTIVE, NULL},
    {"FAILED",            TUNED_FAILED, NULL},
    {0},
};

static const struct json_enum grantees[] = {
    {"GRANTEE_TYPE_UNSPECIFIED", 0, NULL},
    {"USER",                     TUNED_USER, NULL},
    {"GROUP",                    TUNED_GROUP, NULL},
    {"EVERYONE",                 TUNED_EVERYONE, NULL},
    {0},
};

static const struct json_enum roles[] = {
    {"ROLE_UNSPECIFIED", 0, NULL},
    {"OWNER",            TUNED_OWNER, NULL},
    {"WRITER",           TUNED_WRITER, NULL},
    {"READER",           TUNED_READER, NULL},
    {0},
};

static const struct json_field example_fields[] = {
    {"textInput", JSON_STRING, AT(wire_example, input),  0, 0, TUNED_INPUT_MOST, NULL, NULL},
    {"output",    JSON_STRING, AT(wire_example, output), 0, 0, TUNED_OUTPUT_MOST, NULL, NULL},
    {0},
};
static const struct json_type example_type = {
    "TuningExample", sizeof(struct wire_example), example_fields, false};

static const struct json_field examples_fields[] = {
    {"examples",          JSON_MESSAGE, AT(wire_examples, examples), JSON_LIST, 0, 0, &example_type, NULL},
    {"multiturnExamples", JSON_ANY, 0, JSON_REFUSED, 0, 0, NULL, "tuning with conversations"},
    {0},
};
static const struct json_type examples_type = {
    "TuningExamples", sizeof(struct wire_examples), examples_fields, false};

static const struct json_field dataset_fields[] = {
    {"examples", JSON_MESSAGE, AT(wire_dataset, examples), 0, 0, 0, &examples_type, NULL},
    {0},
};
static const struct json_type dataset_type = {
    "Dataset", sizeof(struct wire_dataset), dataset_fields, false};

static const struct json_field hyper_fields[] = {
    {"learningRate",           JSON_NUMBER, AT(wire_hyper, rate),       0, 0, 1, NULL, "0.001, or 0.0002 from 1000 examples on"},
    {"learningRateMultiplier", JSON_NUMBER, AT(wire_hyper, multiplier), 0, 0, 100, NULL, "of the default rate"},
    {"epochCount",             JSON_INT,    AT(wire_hyper, epochs),     0, 1, 1000, NULL, "5"},
    {"batchSize",              JSON_INT,    AT(wire_hyper, batch),      0, 1, 4096, NULL, "4, or 16 from 1000 examples on"},
    {0},
};
static const struct json_type hyper_type = {
    "Hyperparameters", sizeof(struct wire_hyper), hyper_fields, false};

static const struct json_field snapshot_fields[] = {
    {"step",        JSON_INT,       AT(wire_snapshot, step),     JSON_OUTPUT, 0, 0, NULL, NULL},
    {"epoch",       JSON_INT,       AT(wire_snapshot, epoch),    JSON_OUTPUT, 0, 0, NULL, NULL},
    {"meanLoss",    JSON_NUMBER,    AT(wire_snapshot, loss),     JSON_OUTPUT, 0, 0, NULL, NULL},
    {"computeTime", JSON_TIMESTAMP, AT(wire_snapshot, computed), JSON_OUTPUT, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type snapshot_type = {
    "TuningSnapshot", sizeof(struct wire_snapshot), snapshot_fields, false};

static const struct json_field task_fields[] = {
    {"startTime",       JSON_TIMESTAMP, AT(wire_task, started),   JSON_OUTPUT, 0, 0, NULL, NULL},
    {"completeTime",    JSON_TIMESTAMP, AT(wire_task, completed), JSON_OUTPUT, 0, 0, NULL, NULL},
    {"snapshots",       JSON_MESSAGE,   AT(wire_task, snapshots), JSON_LIST | JSON_OUTPUT, 0, 0, &snapshot_type, "one for each step, at most some 1000"},
    {"trainingData",    JSON_MESSAGE,   AT(wire_task, data),      0, 0, 0, &dataset_type, "never told again"},
    {"hyperparameters", JSON_MESSAGE,   AT(wire_task, hyper),     0, 0, 0, &hyper_type, NULL},
    {0},
};
static const struct json_type task_type = {
    "TuningTask", sizeof(struct wire_task), task_fields, false};

static const struct json_field source_fields[] = {
    {"tunedModel", JSON_STRING, AT(wire_source, tuned), 0, 0, 0, NULL, "tunedModels/{id}"},
    {"baseModel",  JSON_STRING, AT(wire_source, base),  0, 0, 0, NULL, "output only"},
    {0},
};
static const struct json_type source_type = {
    "TunedModelSource", sizeof(struct wire_source), source_fields, false};

/* How one of the newer clients names a tuned model to begin with. */
static const struct json_field pre_fields[] = {
    {"tunedModelName", JSON_STRING, AT(wire_source, tuned), 0, 0, 0, NULL, NULL},
    {"checkpointId",   JSON_ANY,    0, JSON_REFUSED, 0, 0, NULL, "checkpoints of tuned models"},
    {0},
};
static const struct json_type pre_type = {
    "PreTunedModel", sizeof(struct wire_source), pre_fields, false};

static const struct json_field tuned_fields[] = {
    {"@type",                JSON_STRING,    AT(wire_tuned, type),         JSON_OUTPUT, 0, 0, NULL, NULL},
    {"name",                 JSON_STRING,    AT(wire_tuned, name),         JSON_OUTPUT, 0, 0, NULL, NULL},
    {"displayName",          JSON_STRING,    AT(wire_tuned, display_name), 0, 0, TUNED_NAME_MOST, NULL, "at most 40 characters"},
    {"description",          JSON_STRING,    AT(wire_tuned, description),  0, 0, 10000, NULL, NULL},
    {"state",                JSON_ENUM,      AT(wire_tuned, state),        JSON_OUTPUT, 0, 0, states, NULL},
    {"createTime",           JSON_TIMESTAMP, AT(wire_tuned, created),      JSON_OUTPUT, 0, 0, NULL, NULL},
    {"updateTime",           JSON_TIMESTAMP, AT(wire_tuned, updated),      JSON_OUTPUT, 0, 0, NULL, NULL},
    {"tuningTask",           JSON_MESSAGE,   AT(wire_tuned, task),         0, 0, 0, &task_type, NULL},
    {"tunedModelSource",     JSON_MESSAGE,   AT(wire_tuned, source),       0, 0, 0, &source_type, NULL},
    {"preTunedModel",        JSON_MESSAGE,   AT(wire_tuned, pre),          0, 0, 0, &pre_type, "taken for tunedModelSource"},
    {"baseModel",            JSON_STRING,    AT(wire_tuned, base),         0, 0, 0, NULL, NULL},
    {"temperature",          JSON_NUMBER,    AT(wire_tuned, temperature),  0, 0, 1, NULL, "the base model's when absent"},
    {"topP",                 JSON_NUMBER,    AT(wire_tuned, top_p),        0, 0, 1, NULL, "the base model's when absent"},
    {"topK",                 JSON_INT,       AT(wire_tuned, top_k),        0, 1, 1000000, NULL, "the base model's when absent"},
    {"readerProjectNumbers", JSON_INT64,     AT(wire_tuned, readers),      JSON_LIST, 0, 0, NULL, "kept and told; lets nobody in"},
    {0},
};
const struct json_type wire_tuned_type = {
    "TunedModel", sizeof(struct wire_tuned), tuned_fields, false};

static const struct json_field list_fields[] = {
    {"tunedModels",   JSON_MESSAGE, AT(wire_tuned_list, models),    JSON_LIST, 0, 0, &wire_tuned_type, NULL},
    {"nextPageToken", JSON_STRING,  AT(wire_tuned_list, next_page), 0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_tuned_list_type = {
    "ListTunedModelsResponse", sizeof(struct wire_tuned_list), list_fields, false};

static const struct json_field progress_fields[] = {
    {"@type",            JSON_STRING,  AT(wire_tuned_progress, type),      0, 0, 0, NULL, NULL},
    {"tunedModel",       JSON_STRING,  AT(wire_tuned_progress, model),     0, 0, 0, NULL, NULL},
    {"totalSteps",       JSON_INT,     AT(wire_tuned_progress, total),     0, 0, 0, NULL, NULL},
    {"completedSteps",   JSON_INT,     AT(wire_tuned_progress, completed), 0, 0, 0, NULL, NULL},
    {"completedPercent", JSON_NUMBER,  AT(wire_tuned_progress, percent),   0, 0, 0, NULL, NULL},
    {"snapshots",        JSON_MESSAGE, AT(wire_tuned_progress, snapshots), JSON_LIST, 0, 0, &snapshot_type, NULL},
    {0},
};
static const struct json_type progress_type = {
    "CreateTunedModelMetadata", sizeof(struct wire_tuned_progress), progress_fields, false};

static const struct json_field error_fields[] = {
    {"code",    JSON_INT,    AT(wire_operation_error, code),    0, 0, 0, NULL, NULL},
    {"message", JSON_STRING, AT(wire_operation_error, message), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type error_type = {
    "Status", sizeof(struct wire_operation_error), error_fields, false};

static const struct json_field operation_fields[] = {
    {"name",     JSON_STRING,  AT(wire_operation, name),     0, 0, 0, NULL, NULL},
    {"metadata", JSON_MESSAGE, AT(wire_operation, metadata), 0, 0, 0, &progress_type, NULL},
    {"done",     JSON_BOOL,    AT(wire_operation, done),     0, 0, 0, NULL, NULL},
    {"error",    JSON_MESSAGE, AT(wire_operation, error),    0, 0, 0, &error_type, NULL},
    {"response", JSON_MESSAGE, AT(wire_operation, response), 0, 0, 0, &wire_tuned_type, NULL},
    {0},
};
const struct json_type wire_operation_type = {
    "Operation", sizeof(struct wire_operation), operation_fields, false};

static const struct json_field operations_fields[] = {
    {"operations",    JSON_MESSAGE, AT(wire_operations, operations), JSON_LIST, 0, 0, &wire_operation_type, NULL},
    {"nextPageToken", JSON_STRING,  AT(wire_operations, next_page),  0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_operations_type = {
    "ListOperationsResponse", sizeof(struct wire_operations), operations_fields, false};

static const struct json_field wait_fields[] = {
    {"name",    JSON_STRING,   AT(wire_wait, name),    0, 0, 0, NULL, NULL},
    {"timeout", JSON_DURATION, AT(wire_wait, timeout), 0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_wait_type = {
    "WaitOperationRequest", sizeof(struct wire_wait), wait_fields, false};

static const struct json_field permission_fields[] = {
    {"name",         JSON_STRING, AT(wire_permission, name),    JSON_OUTPUT, 0, 0, NULL, NULL},
    {"granteeType",  JSON_ENUM,   AT(wire_permission, grantee), 0, 0, 0, grantees, NULL},
    {"emailAddress", JSON_STRING, AT(wire_permission, address), 0, 0, 320, NULL, "absent for EVERYONE"},
    {"role",         JSON_ENUM,   AT(wire_permission, role),    0, 0, 0, roles, NULL},
    {0},
};
const struct json_type wire_permission_type = {
    "Permission", sizeof(struct wire_permission), permission_fields, false};

static const struct json_field permissions_fields[] = {
    {"permissions",   JSON_MESSAGE, AT(wire_permissions, permissions), JSON_LIST, 0, 0, &wire_permission_type, NULL},
    {"nextPageToken", JSON_STRING,  AT(wire_permissions, next_page),   0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_permissions_type = {
    "ListPermissionsResponse", sizeof(struct wire_permissions), permissions_fields, false};

static const struct json_field transfer_fields[] = {
    {"emailAddress", JSON_STRING, AT(wire_transfer, address), JSON_REQUIRED, 0, 320, NULL, NULL},
    {0},
};
const struct json_type wire_transfer_type = {
    "TransferOwnershipRequest", sizeof(struct wire_transfer), transfer_fields, false};
/* clang-format on */

/* ---- what is told ---- */

static struct json_list snapshots_of(const struct tuned_snapshot *from, int n,
                                     struct arena *arena)
{
    struct wire_snapshot *to = arena_array(arena, struct wire_snapshot, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        to[i] = (struct wire_snapshot){
            .step = {true, from[i].step},
            .epoch = {true, from[i].epoch},
            .computed = wire_time(from[i].computed),
            .loss = {true, from[i].loss},
        };
    return (struct json_list){to, (size_t)n};
}

static struct wire_task *task_of(const struct tuned *tuned, struct arena *arena)
{
    struct wire_task *task = arena_new(arena, struct wire_task);
    struct wire_hyper *hyper = arena_new(arena, struct wire_hyper);
    *hyper = (struct wire_hyper){
        .rate = {!tuned->has_multiplier && tuned->rate > 0, tuned->rate},
        .multiplier = {tuned->has_multiplier, tuned->multiplier},
        .epochs = {tuned->epochs > 0, tuned->epochs},
        .batch = {tuned->batch > 0, tuned->batch},
    };
    task->started = wire_time(tuned->started);
    task->completed = wire_time(tuned->completed);
    task->hyper = hyper;
    return task;
}

static struct json_list readers_of(struct text readers, struct arena *arena)
{
    int64_t *numbers = arena_array(arena, int64_t, readers.len / 2 + 1);
    size_t n = 0;
    for (struct text rest = readers; rest.len > 0;) {
        struct text number = text_cut(rest, ',', &rest);
        numbers[n++] = strtoll(number.at, NULL, 10); /* ends at the comma or the NUL */
    }
    return (struct json_list){numbers, n};
}

struct wire_tuned wire_tuned_of(const struct tuned *tuned,
                                const struct tuned_snapshot *snapshots, int n,
                                struct arena *arena)
{
    struct wire_tuned wire = {
        .name = arena_printf(arena, "tunedModels/%.*s", TEXT_ARG(tuned->id)),
        .display_name = tuned->display_name,
        .description = tuned->description,
        .state = tuned->state,
        .created = wire_time(tuned->created),
        .updated = wire_time(tuned->updated),
        .task = task_of(tuned, arena),
        .base = tuned->base,
        .temperature = {true, tuned->temperature},
        .top_p = {true, tuned->top_p},
        .top_k = {tuned->top_k > 0, tuned->top_k},
        .readers = readers_of(tuned->readers, arena),
    };
    wire.task->snapshots = snapshots_of(snapshots, n, arena);
    if (tuned->source.at) {
        wire.source = arena_new(arena, struct wire_source);
        wire.source->tuned =
            arena_printf(arena, "tunedModels/%.*s", TEXT_ARG(tuned->source));
        wire.source->base = tuned->base;
        wire.base = (struct text){0};
    }
    return wire;
}

static struct wire_tuned_progress *progress_of(const struct tuned_operation *operation,
                                               const struct tuned_snapshot *snapshots,
                                               int n, struct arena *arena)
{
    struct wire_tuned_progress *progress = arena_new(arena, struct wire_tuned_progress);
    double total = (double)operation->total;
    *progress = (struct wire_tuned_progress){
        .type = TEXT(PACKAGE "CreateTunedModelMetadata"),
        .model = arena_printf(arena, "tunedModels/%.*s", TEXT_ARG(operation->model)),
        .total = {true, operation->total},
        .completed = {true, operation->n_completed},
        .percent = {true, total > 0 ? 100.0 * (double)operation->n_completed / total : 0},
        .snapshots = snapshots_of(snapshots, n, arena),
    };
    return progress;
}

struct wire_operation wire_operation_of(const struct tuned_operation *operation,
                                        const struct tuned *tuned,
                                        const struct tuned_snapshot *snapshots, int n,
                                        struct arena *arena)
{
    struct wire_operation wire = {
        .name = arena_printf(arena, "tunedModels/%.*s/operations/%.*s",
                             TEXT_ARG(operation->model), TEXT_ARG(operation->id)),
        .metadata = progress_of(operation, snapshots, n, arena),
        .done = {operation->ended != 0, true},
    };
    if (operation->ended && operation->error_code != ERROR_OK) {
        wire.error = arena_new(arena, struct wire_operation_error);
        *wire.error = (struct wire_operation_error){{true, operation->error_code},
                                                    operation->error};
    } else if (operation->ended && tuned) {
        wire.response = arena_new(arena, struct wire_tuned);
        *wire.response = wire_tuned_of(tuned, snapshots, n, arena);
        wire.response->type = TEXT(PACKAGE "TunedModel");
    }
    return wire;
}

struct wire_permission wire_permission_of(const struct tuned_permission *permission,
                                          struct text model, struct arena *arena)
{
    return (struct wire_permission){
        .name = arena_printf(arena, "tunedModels/%.*s/permissions/%.*s", TEXT_ARG(model),
                             TEXT_ARG(permission->id)),
        .grantee = permission->grantee,
        .role = permission->role,
        .address = permission->address,
    };
}
