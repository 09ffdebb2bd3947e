/* tuned_permission.c - tunedModels.permissions.*. */
#include "api/tuned.h"

static void reply(struct tuned_job *job)
{
    if (!tuned_job_heard(job))
        return;
    struct wire_permission wire =
        wire_permission_of(&job->permission, job->id, job->arena);
    api_reply(job->call, &wire_permission_type, &wire);
}

/* ---- create ---- */

static bool check_role(int role, int grantee, struct error *err)
{
    if (role != TUNED_WRITER && role != TUNED_READER)
        return error_at(err, "permission.role",
                        role == TUNED_OWNER
                            ? "A model has one owner: transferOwnership changes it."
                            : "role is required: WRITER or READER.");
    return grantee != TUNED_EVERYONE || role == TUNED_READER ||
           error_at(err, "permission.role", "EVERYONE can only be READER.");
}

static bool check(const struct wire_permission *wire, struct error *err)
{
    bool everyone = wire->grantee == TUNED_EVERYONE;
    if (wire->grantee == 0)
        return error_at(err, "permission.grantee_type",
                        "granteeType is required: USER, GROUP or EVERYONE.");
    if (everyone && wire->address.len > 0)
        return error_at(err, "permission.email_address", "EVERYONE has no emailAddress.");
    if (!everyone &&
        (wire->address.len == 0 || text_find(wire->address, TEXT("@"), 0) == SIZE_MAX))
        return error_at(err, "permission.email_address",
                        "USER and GROUP need an emailAddress.");
    return check_role(wire->role, wire->grantee, err);
}

static bool run_grant(struct tuned_job *job)
{
    struct wire_permission wire;
    if (!json_read(&wire_permission_type, job->body, &wire, job->arena, &job->err) ||
        !check(&wire, &job->err))
        return false;
    job->permission = (struct tuned_permission){
        .grantee = wire.grantee, .role = wire.role, .address = wire.address};
    return tuned_permission_create(tuning_of(job), job->who, job->id, &job->permission,
                                   job->arena, &job->err);
}

void tuned_route_grant(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_grant, reply);
}

/* ---- get, list ---- */

static bool run_get(struct tuned_job *job)
{
    return tuned_permission_get(tuning_of(job), job->who, job->id, job->sub, job->arena,
                                &job->permission, &job->err);
}

void tuned_route_permission(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_get, reply);
}

static bool run_list(struct tuned_job *job)
{
    return tuned_permissions(tuning_of(job), job->who, job->id, job->page_size,
                             job->token, job->arena, &job->permissions, &job->n,
                             &job->next, &job->err);
}

static void reply_list(struct tuned_job *job)
{
    if (!tuned_job_heard(job))
        return;
    struct wire_permission *wires =
        arena_array(job->arena, struct wire_permission, (size_t)job->n + 1);
    for (int i = 0; i < job->n; i++)
        wires[i] = wire_permission_of(&job->permissions[i], job->id, job->arena);
    struct wire_permissions list = {{wires, (size_t)job->n}, job->next};
    api_reply(job->call, &wire_permissions_type, &list);
}

void tuned_route_permissions(struct call *call)
{
    struct tuned_job *job = tuned_job_open(call);
    if (tuned_job_page(job))
        tuned_job_start(job, run_list, reply_list);
}

/* ---- patch, delete ---- */

static bool run_patch(struct tuned_job *job)
{
    struct wire_permission wire;
    struct text mask = job->mask;
    if (mask.len > 0 && !text_is(mask, "role") && !text_is(mask, "*"))
        return error_at(&job->err, "update_mask",
                        "'%.*s' cannot be changed; only role can.",
                        TEXT_ARG(text_slice(mask, 0, 100)));
    return json_read(&wire_permission_type, job->body, &wire, job->arena, &job->err) &&
           tuned_permission_get(tuning_of(job), job->who, job->id, job->sub, job->arena,
                                &job->permission, &job->err) &&
           check_role(wire.role, job->permission.grantee, &job->err) &&
           tuned_permission_update(tuning_of(job), job->who, job->id, job->sub, wire.role,
                                   job->arena, &job->permission, &job->err);
}

void tuned_route_permission_patch(struct call *call)
{
    struct tuned_job *job = tuned_job_open(call);
    job->mask = arena_text(job->arena, http_query(call->rq, "updateMask"));
    tuned_job_start(job, run_patch, reply);
}

static bool run_delete(struct tuned_job *job)
{
    return tuned_permission_delete(tuning_of(job), job->who, job->id, job->sub,
                                   &job->err);
}

void tuned_route_permission_delete(struct call *call)
{
    tuned_job_start(tuned_job_open(call), run_delete, tuned_job_reply_nothing);
}
