/* interact_replay.c - logs that are made of what was kept: of another server's log, or of
 * the steps of an interaction that had none. */
#include "api/built_in.h"
#include "api/interact_log_inside.h"
#include "json/tree.h"

/* ---- reading back ---- */

static struct text text_member(struct json_object *object, const char *name)
{
    return tree_text(tree_member(object, name));
}

static size_t n_items(struct json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list)
                                                      : 0;
}

static struct json_object *item(struct json_object *list, size_t i)
{
    return i < n_items(list) ? json_object_array_get_idx(list, i) : NULL;
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
    struct json_object *from = tree_member(event, "step");
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
    ilog_drop_half(log);
    ilog_add_step(log, &step);
    log->half = step.kind == PART_CALL || step.kind == PART_RESULT;
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
    struct json_object *delta = tree_member(event, "delta");
    struct said_step *step = log->n_steps ? ilog_last_step(log) : NULL;
    if (!step)
        return;
    if (step->tool.at) {
        json_any_write(
            tree_member(delta, step->kind == PART_CALL ? "arguments" : "result"),
            &step->text);
        step->is_error = json_object_get_boolean(tree_member(delta, "is_error"));
        step->signature = arena_text(log->arena, text_member(delta, "signature"));
        return;
    }
    if (tree_member(delta, "annotations")) {
        step->annotations = json_of(log, tree_member(delta, "annotations"));
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
    buf_text(&step->text, text_member(tree_member(delta, "content"), "text"));
    struct text signature = text_member(delta, "signature");
    if (signature.at)
        step->signature = arena_text(log->arena, signature);
}

/* What came in pieces is written as what came whole. */
static void put_in_order(struct buf *json)
{
    struct error err;
    struct arena *arena = arena_open();
    struct json_object *tree = json_parse(arena, buf_view(json), &err);
    buf_clear(json);
    json_any_write(tree, json);
    arena_close(arena);
}

static void replay_stop(struct ilog *log)
{
    struct said_step *step = log->n_steps ? ilog_last_step(log) : NULL;
    bool call = step && log->half && step->kind == PART_CALL;
    log->n_tool_calls += call && step->tool.at;
    log->n_calls += call && !step->tool.at;
    if (call && !step->tool.at)
        put_in_order(&step->text);
    log->open = log->half = false;
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
        replay_stop(log);
    arena_close(arena);
}

void ilog_replay(struct ilog *log, const struct log_piece *pieces, int n)
{
    for (int i = 0; i < n; i++) {
        struct text rest = pieces[i].lines;
        for (int64_t number = pieces[i].first; rest.len; number++) {
            struct text line = text_cut(rest, '\n', &rest);
            ilog_note_event(log, number);
            replay_line(log, line);
            buf_text(&log->lines, line);
            buf_char(&log->lines, '\n');
        }
    }
    ilog_drop_half(log);
    log->last += ILOG_LEAP;
}

/* ---- made up from steps ---- */

static void made_up_call(struct ilog *log, struct json_object *step)
{
    struct buf json = {0};
    json_any_write(tree_member(step, "arguments"), &json);
    ilog_part(log,
              &(struct part){PART_CALL, .id = text_member(step, "id"),
                             .name = text_member(step, "name"), .json = buf_view(&json)});
    buf_free(&json);
}

static void made_up_tool_step(struct ilog *log, struct json_object *from,
                              struct text tool, enum part_kind kind)
{
    bool call = kind == PART_CALL;
    struct buf json = {0};
    const struct said_step step = {
        .kind = kind,
        .id = text_member(from, call ? "id" : "call_id"),
        .tool = tool,
        .name = text_member(from, "name"),
        .server = text_member(from, "server_name"),
        .signature = text_member(from, "signature"),
        .is_error = json_object_get_boolean(tree_member(from, "is_error")),
    };
    json_any_write(tree_member(from, call ? "arguments" : "result"), &json);
    ilog_add_whole(log, &step, buf_view(&json));
    buf_free(&json);
}

static void made_up_picture(struct ilog *log, struct json_object *image)
{
    const struct said_step step = {.kind = PART_MEDIA,
                                   .mime = text_member(image, "mime_type")};
    ilog_add_whole(log, &step, text_member(image, "data"));
}

static void made_up_words(struct ilog *log, struct json_object *step, enum part_kind kind,
                          struct json_object *blocks)
{
    ilog_go_on(log, kind);
    ilog_last_step(log)->signature = text_member(step, "signature");
    for (size_t i = 0; i < n_items(blocks); i++)
        ilog_part(log,
                  &(struct part){kind, .text = text_member(item(blocks, i), "text")});
    if (tree_member(item(blocks, 0), "annotations"))
        ilog_annotate(log, json_of(log, tree_member(item(blocks, 0), "annotations")));
    ilog_end_step(log);
}

static void made_up_step(struct ilog *log, struct json_object *step)
{
    struct text type = text_member(step, "type");
    bool thought = text_is(type, "thought");
    struct json_object *blocks = tree_member(step, thought ? "summary" : "content");
    enum part_kind kind;
    struct text tool = tool_of(type, &kind);
    if (tool.at)
        made_up_tool_step(log, step, tool, kind);
    else if (text_is(type, "function_call"))
        made_up_call(log, step);
    else if (text_is(text_member(item(blocks, 0), "type"), "image"))
        made_up_picture(log, item(blocks, 0));
    else
        made_up_words(log, step, thought ? PART_THOUGHT : PART_TEXT, blocks);
}

/* Its last event is the row's own outcome. */
static void made_up_end(struct ilog *log, const struct interaction *row)
{
    struct error err;
    struct json_object *outcome = json_parse(log->arena, row->outcome, &err);
    struct json_object *errors = tree_member(outcome, "errors");
    bool failed = n_items(errors) > 0;
    struct json_writer w =
        ilog_begin_event(log, failed ? "error" : "interaction.completed");
    if (failed) {
        json_key(&w, "error");
        tree_write(&w, item(errors, 0));
    } else {
        json_key(&w, "interaction");
        json_begin(&w, '{');
        ilog_put_head(log, &w, row->status, row->updated);
        if (tree_member(outcome, "usage")) {
            json_key(&w, "usage");
            tree_write(&w, tree_member(outcome, "usage"));
        }
        json_end(&w, '}');
    }
    ilog_end_event(log, &w);
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
    for (size_t i = 0; i < n_items(steps); i++)
        made_up_step(log, item(steps, i));
    made_up_end(log, row);
    buf_text(lines, buf_view(&log->lines));
}
