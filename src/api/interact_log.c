/* interact_log.c - what an interaction said: its steps, and the events that tell of them.
 *
 * A step is begun by a part of another kind than the one before, and ended by the next
 * or the end. Calls come whole: one delta has all of their arguments. A thought is always
 * told of; what was thought only to those who ask for summaries. */
#include "api/interact_log.h"
#include "api/answer.h"
#include "api/built_in.h"
#include "api/grounding.h"
#include "api/message.h"
#include "api/print.h"
#include "json/tree.h"
#include <stdio.h>
#include <stdlib.h>

struct said_step {
    enum part_kind kind; /* TEXT, THOUGHT, CALL, RESULT; MEDIA: a picture */
    struct buf text;     /* TEXT, THOUGHT; of a CALL its arguments, of a RESULT its value:
                          * JSON; of MEDIA base64 */
    struct text id, name;
    struct text tool; /* CALL, RESULT of the server's own: its steps' name; else absent */
    struct text server;      /* of an MCP server's tool */
    bool is_error;           /* RESULT */
    struct text mime;        /* MEDIA */
    struct text signature;   /* base64; of a THOUGHT that is over, of a tool's RESULT */
    struct text annotations; /* TEXT: what it rests on, JSON; absent: nothing */
};

struct ilog {
    struct arena *arena;
    struct ilog_options options;
    struct said_step *steps;
    int n_steps, room_steps;
    bool open;           /* the last step goes on */
    int n_calls;         /* of the client's functions */
    int n_tool_calls;    /* of tools */
    struct text tool_id; /* of the last call of a tool */
    uint64_t thought;    /* fingerprint of what was thought */

    struct buf lines; /* all events */
    struct event {
        int64_t number;
        size_t at; /* where its line begins */
    } * events;    /* numbers grow */
    int n_events, room_events;
    int64_t last; /* the number of the last one, or of what it leaps from */
};

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

static void note_event(struct ilog *log, int64_t number)
{
    if (log->n_events == log->room_events) {
        log->room_events = log->room_events ? log->room_events * 2 : 64;
        log->events =
            mem_grow(log->events, sizeof *log->events * (size_t)log->room_events);
    }
    log->events[log->n_events++] = (struct event){number, log->lines.len};
    log->last = number;
}

static struct json_writer begin_event(struct ilog *log, const char *type)
{
    struct json_writer w = json_writer(&log->lines, false);
    note_event(log, log->last + 1);
    json_begin(&w, '{');
    json_key(&w, "event_type");
    json_text(&w, text_of(type));
    return w;
}

static void end_event(struct ilog *log, struct json_writer *w)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)log->last);
    json_key(w, "event_id");
    json_text(w, text_of(number));
    json_end(w, '}');
    buf_char(&log->lines, '\n');
}

static void put(struct json_writer *w, const char *key, struct text value)
{
    json_key(w, key);
    json_text(w, value);
}

static struct json_writer begin_delta(struct ilog *log, const char *type)
{
    struct json_writer w = begin_event(log, "step.delta");
    json_key(&w, "index");
    json_int(&w, log->n_steps - 1);
    json_key(&w, "delta");
    json_begin(&w, '{');
    put(&w, "type", text_of(type));
    return w;
}

static void end_delta(struct ilog *log, struct json_writer *w)
{
    json_end(w, '}');
    end_event(log, w);
}

/* `annotations` may be absent. */
static void put_text_block(struct json_writer *w, struct text text,
                           struct text annotations)
{
    json_begin(w, '{');
    put(w, "type", TEXT("text"));
    put(w, "text", text);
    if (annotations.len) {
        json_key(w, "annotations");
        json_raw(w, annotations);
    }
    json_end(w, '}');
}

static void put_time(struct json_writer *w, const char *key, int64_t ns)
{
    json_key(w, key);
    json_timestamp(w, ns - ns % 1000000000);
}

static void put_head(const struct ilog *log, struct json_writer *w, enum status status,
                     int64_t updated)
{
    put(w, "id", log->options.id);
    put(w, "object", TEXT("interaction"));
    put(w, "model", log->options.model);
    put(w, "status", text_of(status_name(status)));
    put_time(w, "created", log->options.created);
    put_time(w, "updated", updated);
}

void ilog_begin(struct ilog *log)
{
    if (!log->options.events)
        return;
    struct json_writer w = begin_event(log, "interaction.created");
    json_key(&w, "interaction");
    json_begin(&w, '{');
    put_head(log, &w, STATUS_IN_PROGRESS, log->options.created);
    json_end(&w, '}');
    end_event(log, &w);
    ilog_status(log);
}

void ilog_status(struct ilog *log)
{
    struct json_writer w = begin_event(log, "interaction.status_update");
    put(&w, "interaction_id", log->options.id);
    put(&w, "status", text_of(status_name(STATUS_IN_PROGRESS)));
    end_event(log, &w);
}

/* ---- steps ---- */

static struct said_step *last_step(struct ilog *log)
{
    return &log->steps[log->n_steps - 1];
}

static void add_step(struct ilog *log, const struct said_step *step)
{
    if (log->n_steps == log->room_steps) {
        log->room_steps = log->room_steps ? log->room_steps * 2 : 4;
        log->steps = mem_grow(log->steps, sizeof *log->steps * (size_t)log->room_steps);
    }
    log->steps[log->n_steps++] = *step;
    log->open = true;
}

static void put_type(struct json_writer *w, struct text tool, const char *what)
{
    char type[80];
    snprintf(type, sizeof type, "%.*s_%s", TEXT_ARG(text_slice(tool, 0, 60)), what);
    put(w, "type", text_of(type));
}

static void put_image(struct json_writer *w, const struct said_step *step)
{
    put(w, "type", TEXT("image"));
    put(w, "mime_type", step->mime);
    put(w, "data", buf_view(&step->text));
}

/* A tool's call or result, as a step or as a delta of one. */
static void put_value(struct json_writer *w, const struct said_step *step, bool all)
{
    bool call = step->kind == PART_CALL;
    if (step->name.len)
        put(w, "name", step->name);
    if (step->server.len)
        put(w, "server_name", step->server);
    json_key(w, call ? "arguments" : "result");
    json_raw(w, all && step->text.len ? buf_view(&step->text)
                : call                ? TEXT("{}")
                                      : TEXT("\"\""));
    if (call)
        return;
    json_key(w, "is_error");
    json_bool(w, step->is_error);
    if (all && step->signature.len)
        put(w, "signature", step->signature);
}

static void write_tool_step(const struct said_step *step, bool all, struct json_writer *w)
{
    bool call = step->kind == PART_CALL;
    put_type(w, step->tool, call ? "call" : "result");
    put(w, call ? "id" : "call_id", step->id);
    put_value(w, step, all);
}

/* As it begins, or, with `all`, as it is. */
static void write_step(const struct said_step *step, bool all, struct json_writer *w)
{
    json_begin(w, '{');
    switch (step->tool.at ? PART_RESULT : step->kind) {
    case PART_RESULT:
        write_tool_step(step, all, w);
        break;
    case PART_MEDIA:
        put(w, "type", TEXT("model_output"));
        json_key(w, "content");
        json_begin(w, '[');
        if (all) {
            json_begin(w, '{');
            put_image(w, step);
            json_end(w, '}');
        }
        json_end(w, ']');
        break;
    case PART_CALL:
        put(w, "type", TEXT("function_call"));
        put(w, "id", step->id);
        put(w, "name", step->name);
        json_key(w, "arguments");
        json_raw(w, all ? buf_view(&step->text) : TEXT("{}"));
        break;
    case PART_THOUGHT:
        put(w, "type", TEXT("thought"));
        if (all && step->text.len) {
            json_key(w, "summary");
            json_begin(w, '[');
            put_text_block(w, buf_view(&step->text), (struct text){0});
            json_end(w, ']');
        }
        if (all && step->signature.len)
            put(w, "signature", step->signature);
        break;
    default:
        put(w, "type", TEXT("model_output"));
        json_key(w, "content");
        json_begin(w, '[');
        if (all)
            put_text_block(w, buf_view(&step->text), step->annotations);
        json_end(w, ']');
    }
    json_end(w, '}');
}

static void begin_step(struct ilog *log, const struct said_step *step)
{
    add_step(log, step);
    if (!log->options.events)
        return;
    struct json_writer w = begin_event(log, "step.start");
    json_key(&w, "index");
    json_int(&w, log->n_steps - 1);
    json_key(&w, "step");
    write_step(step, false, &w);
    end_event(log, &w);
}

static struct text base64(struct arena *arena, struct text bytes)
{
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    json_base64(&w, bytes);
    struct text quoted = buf_view(&json);
    struct text text = arena_text(arena, text_slice(quoted, 1, quoted.len - 1));
    buf_free(&json);
    return text;
}

static void sign(struct ilog *log)
{
    struct said_step *step = last_step(log);
    if (!step->signature.len)
        step->signature =
            base64(log->arena, print_signature(log->arena, log->thought, NULL));
    if (!log->options.events)
        return;
    struct json_writer w = begin_delta(log, "thought_signature");
    put(&w, "signature", step->signature);
    end_delta(log, &w);
}

static void end_step(struct ilog *log)
{
    if (!log->open)
        return;
    if (last_step(log)->kind == PART_THOUGHT)
        sign(log);
    log->open = false;
    if (!log->options.events)
        return;
    struct json_writer w = begin_event(log, "step.stop");
    json_key(&w, "index");
    json_int(&w, log->n_steps - 1);
    end_event(log, &w);
}

/* ---- parts ---- */

static void go_on(struct ilog *log, enum part_kind kind)
{
    if (log->open && last_step(log)->kind == kind)
        return;
    end_step(log);
    begin_step(log, &(struct said_step){.kind = kind});
}

static void add_text(struct ilog *log, struct text text)
{
    if (text.len == 0)
        return;
    go_on(log, PART_TEXT);
    buf_text(&last_step(log)->text, text);
    if (!log->options.events)
        return;
    struct json_writer w = begin_delta(log, "text");
    put(&w, "text", text);
    end_delta(log, &w);
}

static void add_thought(struct ilog *log, struct text text)
{
    if (text.len == 0)
        return;
    go_on(log, PART_THOUGHT);
    log->thought = print_of(log->thought, text);
    if (!log->options.thoughts)
        return;
    buf_text(&last_step(log)->text, text);
    if (!log->options.events)
        return;
    struct json_writer w = begin_delta(log, "thought_summary");
    json_key(&w, "content");
    put_text_block(&w, text, (struct text){0});
    end_delta(log, &w);
}

static void add_call(struct ilog *log, const struct part *call)
{
    struct said_step step = {
        .kind = PART_CALL,
        .id = call->id.len ? arena_text(log->arena, call->id)
                           : print_call_id(log->arena, log->options.prompt, 0,
                                           log->n_calls + log->n_tool_calls, call),
        .name = arena_text(log->arena, call->name),
    };
    log->n_calls++;
    end_step(log);
    begin_step(log, &step);
    buf_text(&last_step(log)->text, call->json);
    if (log->options.events) {
        struct json_writer w = begin_delta(log, "arguments_delta");
        put(&w, "arguments", call->json);
        end_delta(log, &w);
    }
    end_step(log);
}

/* ---- tools of the server's own ---- */

static void delta_of_tool(struct ilog *log)
{
    const struct said_step *step = last_step(log);
    char type[80];
    if (!log->options.events)
        return;
    snprintf(type, sizeof type, "%.*s_%s", TEXT_ARG(text_slice(step->tool, 0, 60)),
             step->kind == PART_CALL ? "call" : "result");
    struct json_writer w = begin_delta(log, type);
    put_value(&w, step, true);
    end_delta(log, &w);
}

/* `step` without its text, which is `value`. */
static void add_tool_step(struct ilog *log, const struct said_step *step,
                          struct text value)
{
    end_step(log);
    begin_step(log, step);
    buf_text(&last_step(log)->text, value);
    delta_of_tool(log);
    end_step(log);
}

/* A server that knows no table of names has none but the tool's own. */
static struct text steps_of(const struct tool *tool)
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
        .tool = steps_of(call->tool),
        .name = arena_text(log->arena, call->tool->own_name),
        .server = arena_text(log->arena, call->tool->server),
    };
    log->tool_id = step.id;
    add_tool_step(log, &step, call->json);
}

static void add_picture(struct ilog *log, struct text mime, struct text data)
{
    end_step(log);
    begin_step(log, &(struct said_step){.kind = PART_MEDIA,
                                        .mime = arena_text(log->arena, mime)});
    buf_text(&last_step(log)->text, data);
    if (log->options.events) {
        struct json_writer w = begin_event(log, "step.delta");
        json_key(&w, "index");
        json_int(&w, log->n_steps - 1);
        json_key(&w, "delta");
        json_begin(&w, '{');
        put_image(&w, last_step(log));
        end_delta(log, &w);
    }
    end_step(log);
}

static void add_tool_result(struct ilog *log, const struct part *part)
{
    const struct tool_result *result = part->result;
    const struct said_step step = {
        .kind = PART_RESULT,
        .id = log->tool_id,
        .tool = steps_of(part->tool),
        .name = arena_text(log->arena, part->tool->own_name),
        .server = arena_text(log->arena, part->tool->server),
        .signature = result->wire.at
                         ? base64(log->arena, built_in_sign(result->words, log->arena))
                         : (struct text){0},
        .is_error = result->outcome != TOOL_OK,
    };
    struct buf value = {0};
    struct json_writer w = json_writer(&value, false);
    if (result->wire.at)
        json_raw(&w, result->wire);
    else
        json_text(&w, result->words);
    add_tool_step(log, &step, buf_view(&value));
    buf_free(&value);
    for (int i = 0; i < result->n_blobs; i++)
        add_picture(log, result->blobs[i].mime_type,
                    base64(log->arena, result->blobs[i].bytes));
}

/* They are of the text that was said last, and its last delta. */
static void annotate(struct ilog *log, struct text annotations)
{
    struct said_step *step = log->n_steps ? last_step(log) : NULL;
    if (!step || !log->open || step->kind != PART_TEXT || annotations.len <= 2)
        return;
    step->annotations = arena_text(log->arena, annotations);
    if (!log->options.events)
        return;
    struct json_writer w = begin_delta(log, "text_annotation_delta");
    json_key(&w, "annotations");
    json_raw(&w, annotations);
    end_delta(log, &w);
}

static void add_grounds(struct ilog *log, const struct grounding *grounding)
{
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    grounding_annotations(&w, grounding);
    annotate(log, buf_view(&json));
    buf_free(&json);
}

void ilog_part(struct ilog *log, const struct part *part)
{
    if (part->kind == PART_GROUNDS)
        add_grounds(log, part->grounding);
    else if (part->tool && part->kind == PART_CALL)
        add_tool_call(log, part);
    else if (part->tool)
        add_tool_result(log, part);
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

/* ---- the end ---- */

/* Names that the clients' documentation suggests; others are google.rpc's in small
 * letters. */
static const struct {
    enum error_code code;
    const char *name;
} error_names[] = {
    {ERROR_INVALID_ARGUMENT, "invalid_request"},
    {ERROR_NOT_FOUND, "not_found"},
    {ERROR_FAILED_PRECONDITION, "failed_precondition"},
    {ERROR_OUT_OF_RANGE, "out_of_range"},
    {ERROR_UNAUTHENTICATED, "unauthenticated"},
    {ERROR_PERMISSION_DENIED, "permission_denied"},
    {ERROR_RESOURCE_EXHAUSTED, "resource_exhausted"},
    {ERROR_ALREADY_EXISTS, "already_exists"},
    {ERROR_ABORTED, "aborted"},
    {ERROR_CANCELLED, "cancelled"},
    {ERROR_DEADLINE_EXCEEDED, "deadline_exceeded"},
    {ERROR_UNIMPLEMENTED, "unimplemented"},
    {ERROR_UNAVAILABLE, "unavailable"},
    {ERROR_DATA_LOSS, "data_loss"},
};

const char *ilog_error_code(const struct error *error)
{
    if (error->reason) /* ours are slugs already, but for one that all dialects have */
        return strcmp(error->reason, "API_KEY_INVALID") == 0 ? "api_key_invalid"
                                                             : error->reason;
    for (size_t i = 0; i < sizeof error_names / sizeof error_names[0]; i++)
        if (error_names[i].code == error->code)
            return error_names[i].name;
    return "internal";
}

static void put_error(struct json_writer *w, const struct error *error)
{
    json_begin(w, '{');
    put(w, "code", text_of(ilog_error_code(error)));
    put(w, "message", text_of(error->message));
    json_end(w, '}');
}

static void put_count(struct json_writer *w, const char *key, int n)
{
    json_key(w, key);
    json_int(w, n);
}

static const char *const modality_names[WIRE_MODALITIES] = {
    [WIRE_MODALITY_TEXT] = "text",         [WIRE_MODALITY_IMAGE] = "image",
    [WIRE_MODALITY_AUDIO] = "audio",       [WIRE_MODALITY_VIDEO] = "video",
    [WIRE_MODALITY_DOCUMENT] = "document",
};

static void put_modalities(struct json_writer *w, const char *key, const int *n_media,
                           int n)
{
    struct wire_modality_count counts[WIRE_MODALITIES];
    struct json_list list = answer_modalities(n_media, n, counts);
    if (list.n == 0)
        return;
    json_key(w, key);
    json_begin(w, '[');
    for (size_t i = 0; i < list.n; i++) {
        json_begin(w, '{');
        put(w, "modality", text_of(modality_names[counts[i].modality]));
        put_count(w, "tokens", (int)counts[i].n.is);
        json_end(w, '}');
    }
    json_end(w, ']');
}

static void put_usage(struct json_writer *w, const struct ilog_usage *u)
{
    json_key(w, "usage");
    json_begin(w, '{');
    put_count(w, "total_input_tokens", u->n_prompt);
    put_count(w, "total_output_tokens", u->n_output - u->n_thought);
    put_count(w, "total_thought_tokens", u->n_thought);
    put_count(w, "total_cached_tokens", u->n_cached);
    put_count(w, "total_tool_use_tokens", u->n_tools);
    put_count(w, "total_tokens", u->n_prompt + u->n_output + u->n_tools);
    put_modalities(w, "input_tokens_by_modality", u->n_media, u->n_prompt);
    put_modalities(w, "output_tokens_by_modality", NULL, u->n_output - u->n_thought);
    put_modalities(w, "tool_use_tokens_by_modality", NULL, u->n_tools);
    if (!u->n_media) /* of whose tokens the cached ones are is not known */
        put_modalities(w, "cached_tokens_by_modality", NULL, u->n_cached);
    json_end(w, '}');
}

void ilog_outcome(const struct ilog_usage *usage, const struct error *error,
                  struct buf *out)
{
    struct json_writer w = json_writer(out, false);
    json_begin(&w, '{');
    put_usage(&w, usage);
    if (error) {
        json_key(&w, "errors");
        json_begin(&w, '[');
        put_error(&w, error);
        json_end(&w, ']');
    }
    json_end(&w, '}');
}

void ilog_end(struct ilog *log, enum status status, int64_t updated,
              const struct ilog_usage *usage, const struct error *error)
{
    if (log->open && error) /* it broke off, which no stop tells */
        log->open = false;
    end_step(log);
    if (!log->options.events)
        return;
    struct json_writer w = begin_event(log, error ? "error" : "interaction.completed");
    if (error) {
        json_key(&w, "error");
        put_error(&w, error);
    } else {
        json_key(&w, "interaction");
        json_begin(&w, '{');
        put_head(log, &w, status, updated);
        put_usage(&w, usage);
        json_end(&w, '}');
    }
    end_event(log, &w);
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
    for (int i = 0; i < log->n_steps; i++)
        write_step(&log->steps[i], true, &w);
    json_end(&w, ']');
}

/* ---- reading back ---- */

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, name, &value);
    return value;
}

static struct text text_member(struct json_object *object, const char *name)
{
    return tree_text(member(object, name));
}

/* "mcp_server_tool_call" is a call of mcp_server_tool's. Absent: no tool's step. */
static struct text tool_of(struct text type, enum part_kind *kind)
{
    const struct built_in *call = built_in_step(type, "_call");
    const struct built_in *result = built_in_step(type, "_result");
    if (!call && !result)
        return (struct text){0};
    *kind = call ? PART_CALL : PART_RESULT;
    return text_of(call ? call->steps : result->steps);
}

static void replay_start(struct ilog *log, struct json_object *event)
{
    struct json_object *from = member(event, "step");
    struct text type = text_member(from, "type");
    struct said_step step = {
        .kind = text_is(type, "function_call") ? PART_CALL
                : text_is(type, "thought")     ? PART_THOUGHT
                                               : PART_TEXT,
        .id = arena_text(log->arena, text_member(from, "id")),
        .name = arena_text(log->arena, text_member(from, "name")),
    };
    step.tool = tool_of(type, &step.kind);
    step.server = arena_text(log->arena, text_member(from, "server_name"));
    if (step.tool.at && step.kind == PART_RESULT)
        step.id = arena_text(log->arena, text_member(from, "call_id"));
    log->n_tool_calls += step.kind == PART_CALL && step.tool.at;
    log->n_calls += step.kind == PART_CALL && !step.tool.at;
    add_step(log, &step);
}

static struct text json_of(struct ilog *log, struct json_object *value)
{
    struct buf json = {0};
    json_any_write(value, &json);
    struct text text = arena_text(log->arena, buf_view(&json));
    buf_free(&json);
    return text;
}

static void replay_delta(struct ilog *log, struct json_object *event)
{
    struct json_object *delta = member(event, "delta");
    struct said_step *step = log->n_steps ? last_step(log) : NULL;
    if (!step)
        return;
    if (step->tool.at) {
        json_any_write(member(delta, step->kind == PART_CALL ? "arguments" : "result"),
                       &step->text);
        step->is_error = json_object_get_boolean(member(delta, "is_error"));
        step->signature = arena_text(log->arena, text_member(delta, "signature"));
        return;
    }
    if (member(delta, "annotations")) {
        step->annotations = json_of(log, member(delta, "annotations"));
        return;
    }
    if (text_is(text_member(delta, "type"), "image")) {
        step->kind = PART_MEDIA;
        step->mime = arena_text(log->arena, text_member(delta, "mime_type"));
        buf_text(&step->text, text_member(delta, "data"));
        return;
    }
    buf_text(&step->text, text_member(delta, "text"));
    buf_text(&step->text, text_member(delta, "arguments"));
    buf_text(&step->text, text_member(member(delta, "content"), "text"));
    struct text signature = text_member(delta, "signature");
    if (signature.at)
        step->signature = arena_text(log->arena, signature);
}

static void replay_line(struct ilog *log, struct text line)
{
    struct error err;
    struct arena *arena = arena_open();
    struct json_object *event = json_parse(arena, line, &err);
    struct text type = text_member(event, "event_type");
    if (text_is(type, "step.start"))
        replay_start(log, event);
    else if (text_is(type, "step.delta"))
        replay_delta(log, event);
    else if (text_is(type, "step.stop"))
        log->open = false;
    arena_close(arena);
}

/* A call whose arguments are not all there is none. */
static void drop_half_call(struct ilog *log)
{
    struct said_step *step = log->open ? last_step(log) : NULL;
    if (!step || (step->kind != PART_CALL && step->kind != PART_RESULT))
        return;
    log->n_calls -= step->kind == PART_CALL && !step->tool.at;
    buf_free(&step->text);
    log->n_steps--;
    log->open = false;
}

void ilog_replay(struct ilog *log, const struct log_piece *pieces, int n)
{
    for (int i = 0; i < n; i++) {
        struct text rest = pieces[i].lines;
        for (int64_t number = pieces[i].first; rest.len; number++) {
            struct text line = text_cut(rest, '\n', &rest);
            note_event(log, number);
            replay_line(log, line);
            buf_text(&log->lines, line);
            buf_char(&log->lines, '\n');
        }
    }
    drop_half_call(log);
    log->last += ILOG_LEAP;
}

/* ---- made up from steps ---- */

static void made_up_step(struct ilog *log, struct json_object *step)
{
    struct text type = text_member(step, "type");
    struct buf json = {0};
    if (text_is(type, "function_call")) {
        json_any_write(member(step, "arguments"), &json);
        struct part part = {PART_CALL, .id = text_member(step, "id"),
                            .name = text_member(step, "name"), .json = buf_view(&json)};
        ilog_part(log, &part);
        buf_free(&json);
        return;
    }
    enum part_kind kind;
    if (tool_of(type, &kind).at) {
        bool call = kind == PART_CALL;
        const struct said_step of = {
            .kind = kind,
            .id = text_member(step, call ? "id" : "call_id"),
            .tool = tool_of(type, &kind),
            .name = text_member(step, "name"),
            .server = text_member(step, "server_name"),
            .signature = text_member(step, "signature"),
            .is_error = json_object_get_boolean(member(step, "is_error")),
        };
        json_any_write(member(step, call ? "arguments" : "result"), &json);
        add_tool_step(log, &of, buf_view(&json));
        buf_free(&json);
        return;
    }
    bool thought = text_is(type, "thought");
    struct json_object *blocks = member(step, thought ? "summary" : "content");
    struct json_object *first = json_object_is_type(blocks, json_type_array)
                                    ? json_object_array_get_idx(blocks, 0)
                                    : NULL;
    if (text_is(text_member(first, "type"), "image")) {
        add_picture(log, text_member(first, "mime_type"), text_member(first, "data"));
        return;
    }
    go_on(log, thought ? PART_THOUGHT : PART_TEXT);
    last_step(log)->signature = text_member(step, "signature");
    size_t n = json_object_is_type(blocks, json_type_array)
                   ? json_object_array_length(blocks)
                   : 0;
    for (size_t i = 0; i < n; i++) {
        struct text text = text_member(json_object_array_get_idx(blocks, i), "text");
        ilog_part(log, &(struct part){thought ? PART_THOUGHT : PART_TEXT, .text = text});
    }
    if (member(first, "annotations"))
        annotate(log, json_of(log, member(first, "annotations")));
    end_step(log);
}

/* Its last event is the row's own outcome. */
static void made_up_end(struct ilog *log, const struct interaction *row)
{
    struct error err;
    struct json_object *outcome = json_parse(log->arena, row->outcome, &err);
    struct json_object *errors = member(outcome, "errors");
    bool failed = json_object_is_type(errors, json_type_array) &&
                  json_object_array_length(errors) > 0;
    struct json_writer w = begin_event(log, failed ? "error" : "interaction.completed");
    if (failed) {
        json_key(&w, "error");
        tree_write(&w, json_object_array_get_idx(errors, 0));
    } else {
        json_key(&w, "interaction");
        json_begin(&w, '{');
        put_head(log, &w, row->status, row->updated);
        if (member(outcome, "usage")) {
            json_key(&w, "usage");
            tree_write(&w, member(outcome, "usage"));
        }
        json_end(&w, '}');
    }
    end_event(log, &w);
}

void ilog_made_up(const struct interaction *row, struct text model, struct arena *arena,
                  struct buf *lines)
{
    const struct ilog_options options = {row->id, model, row->created, .events = true,
                                         .thoughts = true};
    struct error err;
    struct ilog *log = ilog_open(arena, &options);
    struct json_object *steps = json_parse(arena, row->steps, &err);
    ilog_begin(log);
    for (size_t i = 0; steps && i < json_object_array_length(steps); i++)
        made_up_step(log, json_object_array_get_idx(steps, i));
    made_up_end(log, row);
    buf_text(lines, buf_view(&log->lines));
}

/* ---- Server-Sent Events ---- */

/* A line begins with {"event_type":"..." */
static struct text type_of_line(struct text line)
{
    struct text rest, type;
    text_cut(line, ':', &rest);
    text_cut(rest, '"', &type);
    return text_cut(type, '"', &rest);
}

void ilog_sse(struct text lines, struct buf *out)
{
    while (lines.len) {
        struct text line = text_cut(lines, '\n', &lines);
        buf_str(out, "event: ");
        buf_text(out, type_of_line(line));
        buf_str(out, "\ndata: ");
        buf_text(out, line);
        buf_str(out, "\n\n");
    }
}

/* It has no number: it is not in the log. */
void ilog_sse_error(const struct error *error, struct buf *out)
{
    struct buf line = {0};
    struct json_writer w = json_writer(&line, false);
    json_begin(&w, '{');
    put(&w, "event_type", TEXT("error"));
    json_key(&w, "error");
    put_error(&w, error);
    json_end(&w, '}');
    buf_char(&line, '\n');
    ilog_sse(buf_view(&line), out);
    buf_free(&line);
}
