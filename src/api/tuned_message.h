/* tuned_message.h - the messages of tuned models, as structs and tables; see message.h.
 */
#ifndef POLLUX_API_TUNED_MESSAGE_H
#define POLLUX_API_TUNED_MESSAGE_H

#include "tuning/tuning.h"
#include "json/schema.h"

struct wire_example {
    struct text input, output;
};

struct wire_examples {
    struct json_list examples; /* struct wire_example */
};

struct wire_dataset {
    struct wire_examples *examples;
};

struct wire_hyper {
    struct json_number rate, multiplier;
    struct json_int epochs, batch;
};

struct wire_snapshot {
    struct json_int step, epoch, computed;
    struct json_number loss;
};

struct wire_task {
    struct json_int started, completed;
    struct json_list snapshots; /* struct wire_snapshot */
    struct wire_dataset *data;
    struct wire_hyper *hyper;
};

struct wire_source {
    struct text tuned, base;
};

struct wire_tuned {
    struct text type; /* "@type", where it stands in an Any */
    struct text name, display_name, description;
    int state;
    struct json_int created, updated; /* nanoseconds */
    struct wire_task *task;
    struct wire_source *source, *pre;
    struct text base;
    struct json_number temperature, top_p;
    struct json_int top_k;
    struct json_list readers; /* int64_t */
};

struct wire_tuned_list {
    struct json_list models; /* struct wire_tuned */
    struct text next_page;
};

struct wire_tuned_progress {
    struct text type, model;
    struct json_int total, completed;
    struct json_number percent;
    struct json_list snapshots;
};

struct wire_operation_error {
    struct json_int code; /* google.rpc's */
    struct text message;
};

struct wire_operation {
    struct text name;
    struct wire_tuned_progress *metadata;
    struct json_bool done;
    struct wire_operation_error *error;
    struct wire_tuned *response;
};

struct wire_operations {
    struct json_list operations; /* struct wire_operation */
    struct text next_page;
};

struct wire_wait {
    struct text name;
    struct json_int timeout; /* nanoseconds */
};

struct wire_permission {
    struct text name, address;
    int grantee, role;
};

struct wire_permissions {
    struct json_list permissions; /* struct wire_permission */
    struct text next_page;
};

struct wire_transfer {
    struct text address;
};

extern const struct json_type wire_tuned_type, wire_tuned_list_type, wire_operation_type,
    wire_operations_type, wire_wait_type, wire_permission_type, wire_permissions_type,
    wire_transfer_type;

/* Snapshots may be absent: they are left out then. */
struct wire_tuned wire_tuned_of(const struct tuned *tuned,
                                const struct tuned_snapshot *snapshots, int n,
                                struct arena *arena);

/* `tuned`: the model that came of it, when the operation has ended well; else NULL. */
struct wire_operation wire_operation_of(const struct tuned_operation *operation,
                                        const struct tuned *tuned,
                                        const struct tuned_snapshot *snapshots, int n,
                                        struct arena *arena);

struct wire_permission wire_permission_of(const struct tuned_permission *permission,
                                          struct text model, struct arena *arena);

#endif
