/* event.c - what a trainer says. */
#include "tuning/event.h"
#include "tuning/inside.h"
#include "json/schema.h"

struct line {
    struct text event, status, message;
    struct json_int total, completed, step, epoch, computed;
    struct json_number loss;
};

/* clang-format off */
#define AT(member) offsetof(struct line, member)
static const struct json_field fields[] = {
    {"event",          JSON_STRING,    AT(event),     JSON_REQUIRED, 0, 0, NULL, NULL},
    {"totalSteps",     JSON_INT,       AT(total),     0, 0, 2e9, NULL, NULL},
    {"completedSteps", JSON_INT,       AT(completed), 0, 0, 2e9, NULL, NULL},
    {"step",           JSON_INT,       AT(step),      0, 0, 2e9, NULL, NULL},
    {"epoch",          JSON_INT,       AT(epoch),     0, 0, 2e9, NULL, NULL},
    {"meanLoss",       JSON_NUMBER,    AT(loss),      0, 0, 0, NULL, NULL},
    {"computeTime",    JSON_TIMESTAMP, AT(computed),  0, 0, 0, NULL, NULL},
    {"status",         JSON_STRING,    AT(status),    0, 0, 0, NULL, NULL},
    {"message",        JSON_STRING,    AT(message),   0, 0, 0, NULL, NULL},
    {0},
};
#undef AT
/* clang-format on */

static const struct json_type line_type = {"Event", sizeof(struct line), fields, true};

static const char *const names[] = {
    [TRAINER_START] = "start",
    [TRAINER_STEP] = "step",
    [TRAINER_DONE] = "done",
    [TRAINER_ERROR] = "error",
};

static bool is_known(const struct line *line, enum trainer_event_kind *kind)
{
    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++)
        if (text_is(line->event, names[i])) {
            *kind = (enum trainer_event_kind)i;
            return true;
        }
    return false;
}

static void read_error(const struct line *line, struct error *error)
{
    char name[40] = "";
    if (line->status.len < sizeof name)
        memcpy(name, line->status.at ? line->status.at : "", line->status.len);
    const struct error_row *row = error_row_named(name);
    error_set(error, row && row->code != ERROR_OK ? row->code : ERROR_INTERNAL, "%.*s",
              TEXT_ARG(line->message.len ? line->message
                                         : TEXT("The trainer failed and said nothing.")));
}

bool trainer_event_read(struct text text, struct trainer_event *event)
{
    struct arena *arena = arena_open();
    struct line line = {0};
    struct error err;
    *event = (struct trainer_event){0};
    bool good =
        json_read(&line_type, text, &line, arena, &err) && is_known(&line, &event->kind);
    if (good) {
        event->total = line.total.is;
        event->n_completed = line.completed.is;
        event->step = (struct tuned_snapshot){
            .step = line.step.is,
            .epoch = line.epoch.is,
            .computed = line.computed.set ? line.computed.is : tuning_now(),
            .loss = line.loss.is,
        };
        good = event->kind != TRAINER_STEP || (line.step.set && line.loss.set);
        if (event->kind == TRAINER_ERROR)
            read_error(&line, &event->error);
    }
    arena_close(arena);
    return good;
}
