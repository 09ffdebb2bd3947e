/* status.c - what an interaction may become, and what not. */
#include "interactions/status.h"

static const struct {
    const char *name;
    enum status after[N_HAPPENINGS]; /* NONE: it cannot happen */
} statuses[N_STATUSES] = {
    [STATUS_NONE] = {NULL, {[HAPPENS_BEGIN] = STATUS_IN_PROGRESS}},
    [STATUS_IN_PROGRESS] = {"in_progress",
                            {
                                [HAPPENS_STOP] = STATUS_COMPLETED,
                                [HAPPENS_CALL] = STATUS_REQUIRES_ACTION,
                                [HAPPENS_CUT] = STATUS_INCOMPLETE,
                                [HAPPENS_FAULT] = STATUS_FAILED,
                                [HAPPENS_CANCEL] = STATUS_CANCELLED,
                            }},
    [STATUS_REQUIRES_ACTION] = {.name = "requires_action"},
    [STATUS_COMPLETED] = {.name = "completed"},
    [STATUS_FAILED] = {.name = "failed"},
    [STATUS_CANCELLED] = {.name = "cancelled"},
    [STATUS_INCOMPLETE] = {.name = "incomplete"},
};

enum status status_after(enum status status, enum happening happening)
{
    return statuses[status].after[happening];
}

bool status_is_over(enum status status)
{
    for (int i = 0; i < N_HAPPENINGS; i++)
        if (statuses[status].after[i] != STATUS_NONE)
            return false;
    return true;
}

const char *status_name(enum status status)
{
    return statuses[status].name;
}
