/* tuned_permission.c - tunedModels.permissions.*. */
#include "api/tuned.h"

static bool answer_permission(struct task *task,
                              const struct tuned_permission *permission)
{
    struct wire_permission wire = wire_permission_of(permission, task->id, task->arena);
    return task_answer(task, &wire_permission_type, &wire);
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

static bool run_grant(struct task *task)
{
    struct wire_permission wire;
    if (!json_read(&wire_permission_type, task->body, &wire, task->arena, &task->err) ||
        !check(&wire, &task->err))
        return false;
    struct tuned_permission permission = {
        .grantee = wire.grantee, .role = wire.role, .address = wire.address};
    return tuned_permission_create(tuned_tuning(task), task->who, task->id, &permission,
                                   task->arena, &task->err) &&
           answer_permission(task, &permission);
}

void tuned_route_grant(struct call *call)
{
    task_run_call(call, run_grant, NULL);
}

/* ---- get, list ---- */

static bool get(struct task *task, struct tuned_permission *permission)
{
    return tuned_permission_get(tuned_tuning(task), task->who, task->id, task->sub,
                                task->arena, permission, &task->err);
}

static bool run_get(struct task *task)
{
    struct tuned_permission permission;
    return get(task, &permission) && answer_permission(task, &permission);
}

void tuned_route_permission(struct call *call)
{
    task_run_call(call, run_get, NULL);
}

static bool run_list(struct task *task)
{
    struct wire_permissions wire = {0};
    struct tuned_permission *list;
    int n;
    if (!tuned_permissions(tuned_tuning(task), task->who, task->id, task->page_size,
                           task->token, task->arena, &list, &n, &wire.next_page,
                           &task->err))
        return false;
    struct wire_permission *permissions =
        arena_array(task->arena, struct wire_permission, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        permissions[i] = wire_permission_of(&list[i], task->id, task->arena);
    wire.permissions = (struct json_list){permissions, (size_t)n};
    return task_answer(task, &wire_permissions_type, &wire);
}

void tuned_route_permissions(struct call *call)
{
    struct task *task = task_open(call);
    if (task_page(task, TUNED_PAGE, TUNED_PAGE_MOST))
        task_start(task, run_list, NULL);
}

/* ---- patch, delete ---- */

static bool run_patch(struct task *task)
{
    struct wire_permission wire;
    struct tuned_permission permission;
    struct text mask = task->mask;
    if (mask.len > 0 && !text_is(mask, "role") && !text_is(mask, "*"))
        return error_at(&task->err, "update_mask",
                        "'%.*s' cannot be changed; only role can.",
                        TEXT_ARG(text_slice(mask, 0, 100)));
    return json_read(&wire_permission_type, task->body, &wire, task->arena, &task->err) &&
           get(task, &permission) &&
           check_role(wire.role, permission.grantee, &task->err) &&
           tuned_permission_update(tuned_tuning(task), task->who, task->id, task->sub,
                                   wire.role, task->arena, &permission, &task->err) &&
           answer_permission(task, &permission);
}

void tuned_route_permission_patch(struct call *call)
{
    task_run_call(call, run_patch, NULL);
}

static bool run_delete(struct task *task)
{
    return tuned_permission_delete(tuned_tuning(task), task->who, task->id, task->sub,
                                   &task->err) &&
           task_answer_nothing(task);
}

void tuned_route_permission_delete(struct call *call)
{
    task_run_call(call, run_delete, NULL);
}
