/* interact_log.c - what an interaction said: its steps, and the events that tell of them.
 *
 * A step is begun by a part of another kind than the one before, and ended by the next
 * or the end. A call's arguments come in pieces, where the turn has them, or whole; one
 * that breaks off was none, and what follows has its index. A thought is always told of;
 * what was thought only to those who ask for summaries. */
#include "api/built_in.h"
#include "api/grounding.h"
#include "api/interact_log_inside.h"
#include "api/print.h"
#include <stdio.h>
#include <stdlib.h>

static void close_log(void *arg)
{
    struct ilog *log = arg;
    for (int i = 0; i < log->n_steps; i++)
        buf_free(&log->steps[i].text);
    free(log->steps);
    free(log->events);
    buf_free(&log->lines);
}

struct ilog *ilog_open(struct arena *arena, const struct ilog_options *options)
{
    struct ilog *log = arena_new(arena, struct ilog);
    log->arena = arena;
    log->options = *options;
    arena_defer(arena, close_log, log);
    return log;
}

void ilog_set_prompt(struct ilog *log, uint64_t prompt)
{
    log->options.prompt = prompt;
}

/* ---- writing events ---- */

void ilog_note_event(struct ilog *log, int64_t number)
{
    if (log->n_events == log->room_events) {
        log->room_events = log->room_events ? log->room_events * 2 : 64;
        log->events =
            mem_grow(log->events, sizeof *log->events * (size_t)log->room_events);
    }
    log->events[log->n_events++] = (struct event){number, log->lines.len};
    log->last = number;
}

struct json_writer ilog_begin_event(struct ilog *log, const char *type)
{
    struct json_writer w = json_writer(&log->lines, false);
    ilog_note_event(log, log->last + 1);
    json_begin(&w, '{');
    json_key(&w, "event_type");
    json_text(&w, text_of(type));
    return w;
}

void ilog_end_event(struct ilog *log, struct json_writer *w)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)log->last);
    json_key(w, "event_id");
    json_text(w, text_of(number));
    json_end(w, '}');
    buf_char(&log->lines, '\n');
}

static struct json_writer begin_delta(struct ilog *log)
{
    struct json_writer w = ilog_begin_event(log, "step.delta");
    json_key(&w, "index");
    json_int(&w, log->n_steps - 1);
    json_key(&w, "delta");
    json_begin(&w, '{');
    return w;
}

static void end_delta(struct ilog *log, struct json_writer *w)
{
    json_end(w, '}');
    ilog_end_event(log, w);
}

static void put_time(struct json_writer *w, const char *key, int64_t ns)
{
    json_key(w, key);
    json_timestamp(w, ns - ns % 1000000000);
}

void ilog_put_head(const struct ilog *log, struct json_writer *w, enum status status,
                   int64_t updated)
{
    json_put(w, "id", log->options.id);
    json_put(w, "object", TEXT("interaction"));
    json_put(w, "model", log->options.model);
    json_put(w, "status", text_of(status_name(status)));
    put_time(w, "created", log->options.created);
    put_time(w, "updated", updated);
}

void ilog_begin(struct ilog *log)
{
    if (!log->options.events)
        return;
    struct json_writer w = ilog_begin_event(log, "interaction.created");
    json_key(&w, "interaction");
    json_begin(&w, '{');
    ilog_put_head(log, &w, STATUS_IN_PROGRESS, log->options.created);
    json_end(&w, '}');
    ilog_end_event(log, &w);
    ilog_status(log);
}

void ilog_status(struct ilog *log)
{
    struct json_writer w = ilog_begin_event(log, "interaction.status_update");
    json_put(&w, "interaction_id", log->options.id);
    json_put(&w, "status", text_of(status_name(STATUS_IN_PROGRESS)));
    ilog_end_event(log, &w);
}

/* ---- steps ---- */

struct said_step *ilog_last_step(struct ilog *log)
{
    return &log->steps[log->n_steps - 1];
}

void ilog_add_step(struct ilog *log, const struct said_step *step)
{
    if (log->n_steps == log->room_steps) {
        log->room_steps = log->room_steps ? log->room_steps * 2 : 4;
        log->steps = mem_grow(log->steps, sizeof *log->steps * (size_t)log->room_steps);
    }
    log->steps[log->n_steps++] = *step;
    log->open = true;
}

void ilog_begin_step(struct ilog *log, const struct said_step *step)
{
    ilog_add_step(log, step);
    if (!log->options.events)
        return;
    struct json_writer w = ilog_begin_event(log, "step.start");
    json_key(&w, "index");
    json_int(&w, log->n_steps - 1);
    json_key(&w, "step");
    said_write(step, false, &w);
    ilog_end_event(log, &w);
}

struct text ilog_signature(const struct ilog *log)
{
    return json_base64_of(print_signature(log->arena, log->thought, NULL), log->arena);
}

static void sign(struct ilog *log)
{
    struct said_step *step = ilog_last_step(log);
    if (!step->signature.len)
        step->signature = ilog_signature(log);
    if (!log->options.events)
        return;
    struct json_writer w = begin_delta(log);
    json_put(&w, "type", TEXT("thought_signature"));
    json_put(&w, "signature", step->signature);
    end_delta(log, &w);
}

void ilog_drop_half(struct ilog *log)
{
    if (!log->half)
        return;
    buf_free(&ilog_last_step(log)->text);
    log->n_steps--;
    log->open = log->half = false;
}

void ilog_end_step(struct ilog *log)
{
    ilog_drop_half(log);
    if (!log->open)
        return;
    if (ilog_last_step(log)->kind == PART_THOUGHT)
        sign(log);
    log->open = false;
    if (!log->options.events)
        return;
    struct json_writer w = ilog_begin_event(log, "step.stop");
    json_key(&w, "index");
    json_int(&w, log->n_steps - 1);
    ilog_end_event(log, &w);
}

/* ---- parts ---- */

void ilog_go_on(struct ilog *log, enum part_kind kind)
{
    if (log->open && ilog_last_step(log)->kind == kind)
        return;
    ilog_end_step(log);
    ilog_begin_step(log, &(struct said_step){.kind = kind});
}

static void add_text(struct ilog *log, struct text text)
{
    if (text.len == 0)
        return;
    ilog_go_on(log, PART_TEXT);
    buf_text(&ilog_last_step(log)->text, text);
    if (!log->options.events)
        return;
    struct json_writer w = begin_delta(log);
    json_put(&w, "type", TEXT("text"));
    json_put(&w, "text", text);
    end_delta(log, &w);
}

static void add_thought(struct ilog *log, struct text text)
{
    if (text.len == 0)
        return;
    ilog_go_on(log, PART_THOUGHT);
    log->thought = print_of(log->thought, text);
    if (!log->options.thoughts)
        return;
    buf_text(&ilog_last_step(log)->text, text);
    if (!log->options.events)
        return;
    struct json_writer w = begin_delta(log);
    json_put(&w, "type", TEXT("thought_summary"));
    json_key(&w, "content");
    said_put_text(&w, text, (struct text){0});
    end_delta(log, &w);
}

/* Its id is there before its arguments are. */
static void begin_call(struct ilog *log, const struct part *call)
{
    const struct part named = {PART_CALL, .name = call->name};
    const struct said_step step = {
        .kind = PART_CALL,
        .id = call->id.len ? arena_text(log->arena, call->id)
                           : print_call_id(log->arena, log->options.prompt, 0,
                                           log->n_calls + log->n_tool_calls, &named),
        .name = arena_text(log->arena, call->name),
    };
    ilog_end_step(log);
    ilog_begin_step(log, &step);
    log->half = true;
}

static void add_arguments(struct ilog *log, struct text json)
{
    buf_text(&ilog_last_step(log)->text, json);
    if (!log->options.events || json.len == 0)
        return;
    struct json_writer w = begin_delta(log);
    json_put(&w, "type", TEXT("arguments_delta"));
    json_put(&w, "arguments", json);
    end_delta(log, &w);
}

static void add_piece(struct ilog *log, const struct part *piece)
{
    if (piece->json.len == 0)
        begin_call(log, piece);
    if (log->half)
        add_arguments(log, piece->json);
}

/* Its pieces, if there were any, may have been spaced otherwise. */
static void add_call(struct ilog *log, const struct part *call)
{
    if (!call->told || !log->half) {
        begin_call(log, call);
        add_arguments(log, call->json);
    }
    struct said_step *step = ilog_last_step(log);
    buf_clear(&step->text);
    buf_text(&step->text, call->json);
    log->n_calls++;
    log->half = false;
    ilog_end_step(log);
}

/* ---- tools of the server's own ---- */

void ilog_add_whole(struct ilog *log, const struct said_step *step, struct text value)
{
    ilog_end_step(log);
    ilog_begin_step(log, step);
    buf_text(&ilog_last_step(log)->text, value);
    if (log->options.events) {
        struct json_writer w = begin_delta(log);
        said_put_delta(ilog_last_step(log), &w);
        end_delta(log, &w);
    }
    ilog_end_step(log);
}

/* A server that knows no table of names has none but the tool's own. */
struct text ilog_steps_of(const struct tool *tool)
{
    const struct built_in *built_in = built_in_find(text_of(tool->name));
    return text_of(built_in ? built_in->steps : tool->name);
}

static void add_tool_call(struct ilog *log, const struct part *call)
{
    int n = log->n_calls + log->n_tool_calls++;
    const struct said_step step = {
        .kind = PART_CALL,
        .id = print_call_id(log->arena, log->options.prompt, 0, n, call),
        .tool = ilog_steps_of(call->tool),
        .name = arena_text(log->arena, call->tool->own_name),
        .server = arena_text(log->arena, call->tool->server),
    };
    log->tool_id = step.id;
    ilog_add_whole(log, &step, call->json);
}

static void add_picture(struct ilog *log, const struct tool_blob *blob)
{
    const struct said_step step = {
        .kind = PART_MEDIA,
        .mime = arena_text(log->arena, blob->mime_type),
    };
    ilog_add_whole(log, &step, json_base64_of(blob->bytes, log->arena));
}

struct text ilog_result_value(const struct ilog *log, const struct tool_result *result)
{
    struct buf value = {0};
    struct json_writer w = json_writer(&value, false);
    if (result->wire.at)
        json_raw(&w, result->wire);
    else
        json_text(&w, result->words);
    struct text json = arena_text(log->arena, buf_view(&value));
    buf_free(&value);
    return json;
}

static void add_tool_result(struct ilog *log, const struct part *part)
{
    const struct tool_result *result = part->result;
    const struct said_step step = {
        .kind = PART_RESULT,
        .id = log->tool_id,
        .tool = ilog_steps_of(part->tool),
        .name = arena_text(log->arena, part->tool->own_name),
        .server = arena_text(log->arena, part->tool->server),
        .signature =
            result->wire.at
                ? json_base64_of(built_in_sign(result->words, log->arena), log->arena)
                : (struct text){0},
        .is_error = result->outcome != TOOL_OK,
    };
    ilog_add_whole(log, &step, ilog_result_value(log, result));
    for (int i = 0; i < result->n_blobs; i++)
        add_picture(log, &result->blobs[i]);
}

/* They are of the text that was said last, and its last delta. */
void ilog_annotate(struct ilog *log, struct text annotations)
{
    struct said_step *step = log->n_steps ? ilog_last_step(log) : NULL;
    if (!step || !log->open || step->kind != PART_TEXT || annotations.len <= 2)
        return;
    step->annotations = arena_text(log->arena, annotations);
    if (!log->options.events)
        return;
    struct json_writer w = begin_delta(log);
    json_put(&w, "type", TEXT("text_annotation_delta"));
    json_key(&w, "annotations");
    json_raw(&w, annotations);
    end_delta(log, &w);
}

static void add_grounds(struct ilog *log, const struct grounding *grounding)
{
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    grounding_annotations(&w, grounding);
    ilog_annotate(log, buf_view(&json));
    buf_free(&json);
}

void ilog_part(struct ilog *log, const struct part *part)
{
    struct part rest = *part;
    if (log->again.on && !ilog_say_again(log, &rest))
        return;
    part = &rest;
    if (part->kind == PART_GROUNDS)
        add_grounds(log, part->grounding);
    else if (part->tool && part->kind == PART_CALL)
        add_tool_call(log, part);
    else if (part->tool)
        add_tool_result(log, part);
    else if (part->piece)
        add_piece(log, part);
    else if (part->kind == PART_CALL)
        add_call(log, part);
    else if (part->kind == PART_THOUGHT)
        add_thought(log, part->text);
    else
        add_text(log, part->text);
}

bool ilog_has_steps(const struct ilog *log)
{
    return log->n_steps > 0;
}

bool ilog_has_calls(const struct ilog *log)
{
    return log->n_calls > 0;
}

void ilog_end(struct ilog *log, enum status status, int64_t updated,
              const struct ilog_usage *usage, const struct error *error)
{
    ilog_drop_half(log);
    if (log->open && error) /* it broke off, which no stop tells */
        log->open = false;
    ilog_end_step(log);
    if (!log->options.events)
        return;
    struct json_writer w =
        ilog_begin_event(log, error ? "error" : "interaction.completed");
    if (error) {
        json_key(&w, "error");
        ilog_put_error(&w, error);
    } else {
        json_key(&w, "interaction");
        json_begin(&w, '{');
        ilog_put_head(log, &w, status, updated);
        ilog_put_usage(&w, usage);
        json_end(&w, '}');
    }
    ilog_end_event(log, &w);
}

/* ---- reading ---- */

int64_t ilog_last(const struct ilog *log)
{
    return log->last;
}

/* How many events have numbers up to this one. */
static int n_upto(const struct ilog *log, int64_t number)
{
    int low = 0, high = log->n_events;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (log->events[middle].number <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t place_of(const struct ilog *log, int event)
{
    return event < log->n_events ? log->events[event].at : log->lines.len;
}

struct log_piece ilog_since(const struct ilog *log, int64_t after, int64_t upto)
{
    int from = n_upto(log, after), to = n_upto(log, upto);
    if (from >= to)
        return (struct log_piece){0};
    return (struct log_piece){
        .first = log->events[from].number,
        .n = to - from,
        .lines =
            text_slice(buf_view(&log->lines), place_of(log, from), place_of(log, to)),
    };
}

void ilog_steps(const struct ilog *log, struct buf *out)
{
    struct json_writer w = json_writer(out, false);
    json_begin(&w, '[');
    for (int i = 0; i < log->n_steps - log->half; i++)
        said_write(&log->steps[i], true, &w);
    json_end(&w, ']');
}
