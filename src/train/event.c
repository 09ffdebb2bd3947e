/* event.c - what a trainer says: one table for who writes and who reads. */
#include "train/event.h"
#include "base/loop.h"
#include "json/schema.h"

struct line {
    struct text event, adapter, status, message;
    struct json_int total, completed, step, epoch, computed, tokens;
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
    {"tokens",         JSON_INT,       AT(tokens),    0, 0, 2e9, NULL, NULL},
    {"adapter",        JSON_STRING,    AT(adapter),   0, 0, 0, NULL, NULL},
    {"status",         JSON_STRING,    AT(status),    0, 0, 0, NULL, NULL},
    {"message",        JSON_STRING,    AT(message),   0, 0, 0, NULL, NULL},
    {0},
};
#undef AT
/* clang-format on */

static const struct json_type line_type = {"Event", sizeof(struct line), fields, true};

static const char *const names[] = {
    [TRAIN_START] = "start",
    [TRAIN_STEP] = "step",
    [TRAIN_DONE] = "done",
    [TRAIN_ERROR] = "error",
};

static int64_t now(void)
{
    return clock_ms() * 1000000;
}

/* ---- reading ---- */

static bool is_known(const struct line *line, enum train_event_kind *kind)
{
    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++)
        if (text_is(line->event, names[i])) {
            *kind = (enum train_event_kind)i;
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

bool train_event_read(struct text text, struct train_event *event)
{
    struct arena *arena = arena_open();
    struct line line = {0};
    struct error err;
    *event = (struct train_event){0};
    bool good =
        json_read(&line_type, text, &line, arena, &err) && is_known(&line, &event->kind);
    if (good) {
        event->total = line.total.is;
        event->n_completed = line.completed.is;
        event->step = line.step.is;
        event->epoch = line.epoch.is;
        event->n_tokens = line.tokens.is;
        event->computed = line.computed.set ? line.computed.is : now();
        event->loss = line.loss.is;
        good = event->kind != TRAIN_STEP || (line.step.set && line.loss.set);
        if (event->kind == TRAIN_ERROR)
            read_error(&line, &event->error);
    }
    arena_close(arena);
    return good;
}

/* ---- writing ---- */

static struct json_int number(int64_t is)
{
    return (struct json_int){true, is};
}

void train_event_write(const struct train_event *event, struct buf *out)
{
    struct line line = {.event = text_of(names[event->kind])};
    switch (event->kind) {
    case TRAIN_START:
        line.total = number(event->total);
        line.completed = number(event->n_completed);
        break;
    case TRAIN_STEP:
        line.step = number(event->step);
        line.epoch = number(event->epoch);
        line.loss = (struct json_number){true, event->loss};
        line.computed = number(event->computed ? event->computed : now());
        line.tokens = number(event->n_tokens);
        break;
    case TRAIN_DONE:
        line.adapter = TEXT("adapter.gguf");
        break;
    case TRAIN_ERROR:
        line.status = text_of(error_row(event->error.code)->name);
        line.message = text_of(event->error.message);
        break;
    }
    json_encode(&line_type, &line, false, out);
    buf_char(out, '\n');
}
