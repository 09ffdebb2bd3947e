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

/* One call, most of which is done by a disk worker. It has an arena of its own, for its
 * client may go while the disk is at work. */
struct tuned_job {
    struct work work; /* first */
    struct arena *arena;
    struct api *api;
    struct call *call; /* NULL: the client is gone */
    bool (*run)(struct tuned_job *job);
    void (*done)(struct tuned_job *job); /* it went well; job->call may be NULL */
    bool at_work, good, over;
    struct error err;

    struct text who, version, id, sub, body; /* what is asked */
    struct text asked_id, mask, token;
    int page_size;
    struct tuned_filter filter;
    int64_t until_ms; /* of a wait */
    struct timer *timer;

    struct tuned tuned; /* what came of it */
    int n;
    struct text next, operation;
    struct wire_tuned *models;
    struct wire_operation wire, *operations;
    struct tuned_permission permission, *permissions;

    int fd; /* an export's: closed with the arena */
    int64_t at, end;
    char *piece;
    size_t piece_len;
};

struct tuned_job *tuned_job_open(struct call *call);

static inline struct tuning *tuning_of(const struct tuned_job *job)
{
    return job->api->options.tuning;
}
void tuned_job_start(struct tuned_job *job, bool (*run)(struct tuned_job *),
                     void (*done)(struct tuned_job *));

/* Whether somebody still waits for the answer. */
bool tuned_job_heard(const struct tuned_job *job);
void tuned_job_reply_nothing(struct tuned_job *job); /* {} */

/* pageSize and pageToken into the job. False: answered already. */
bool tuned_job_page(struct tuned_job *job);

/* The base model's, where the message leaves a setting out. */
void tuned_settings(const struct tuned_job *job, const struct wire_tuned *wire,
                    struct tuned *tuned);

/* tunedModelId into job->tuned.id. Any thread. */
bool tuned_asked_id(struct tuned_job *job);

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
