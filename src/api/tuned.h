/* tuned.h - tunedModels.*, with their operations and permissions. */
#ifndef POLLUX_API_TUNED_H
#define POLLUX_API_TUNED_H

#include "api/api.h"
#include "api/tuned_message.h"

void tuned_route_create(struct call *call);
void tuned_route_list(struct call *call);
void tuned_route_get(struct call *call);
void tuned_route_patch(struct call *call);
void tuned_route_delete(struct call *call);
void tuned_route_cancel(struct call *call);
void tuned_route_transfer(struct call *call);

/* Of our own: an adapter out, and one in (tuned_adapter.c). */
void tuned_route_export(struct call *call);
void tuned_route_import(struct call *call);

void tuned_route_operation(struct call *call);
void tuned_route_operations(struct call *call);
void tuned_route_operation_cancel(struct call *call);
void tuned_route_operation_wait(struct call *call);

void tuned_route_grant(struct call *call);
void tuned_route_permissions(struct call *call);
void tuned_route_permission(struct call *call);
void tuned_route_permission_patch(struct call *call);
void tuned_route_permission_delete(struct call *call);

/* ---- for the files of tuned models ---- */

/* Each call is a task (task.h) on a disk worker. */
#include "api/task.h"

enum {
    TUNED_PAGE = 10,
    TUNED_PAGE_MOST = 1000,
    TUNED_PAGE_SNAPSHOTS = 20000, /* of all models of a page */
};

static inline struct tuning *tuned_tuning(const struct task *task)
{
    return task->api->options.tuning;
}

/* A task that is to make a model, and the id that was asked for it; absent: any. The
 * second is for run(). */
struct task *tuned_open(struct call *call);
bool tuned_asked_id(struct task *task, struct text *id);

/* The base model's, where the message leaves a setting out. */
void tuned_settings(const struct task *task, const struct wire_tuned *wire,
                    struct tuned *tuned);

/* What a table cannot say of a model that is to be made (tuned_check.c): examples,
 * source, hyperparameters. Fills the wish. Any thread. */
bool tuned_check(const struct wire_tuned *wire, struct arena *arena,
                 struct tuned_wish *wish, struct error *err);

/* Whether the trainer can take each example: INVALID_ARGUMENT at the first that is too
 * long. Takes a while. */
bool tuned_check_lengths(const struct api *api, const struct tuned_wish *wish,
                         struct error *err);

/* Fields of a patch, by the mask or as they are there, into *tuned. */
bool tuned_check_patch(const struct wire_tuned *wire, struct text mask,
                       const struct api_defaults *defaults, struct arena *arena,
                       struct tuned *tuned, struct error *err);

/* The list's filter: words and owner:me, writers:me, readers:me, readers:everyone. */
bool tuned_check_filter(struct text words, struct arena *arena,
                        struct tuned_filter *filter, struct error *err);

#endif
