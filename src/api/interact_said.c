/* interact_said.c - a step of an answer, and its JSON. */
#include "api/interact_said.h"
#include <stdio.h>

void said_put_text(struct json_writer *w, struct text text, struct text annotations)
{
    json_begin(w, '{');
    json_put(w, "type", TEXT("text"));
    json_put(w, "text", text);
    if (annotations.len) {
        json_key(w, "annotations");
        json_raw(w, annotations);
    }
    json_end(w, '}');
}

static void put_image(const struct said_step *step, struct json_writer *w)
{
    json_put(w, "type", TEXT("image"));
    json_put(w, "mime_type", step->mime);
    json_put(w, "data", buf_view(&step->text));
}

/* ---- steps of tools of the server's own ---- */

/* Their deltas have it, too: "code_execution_call". */
static void put_tool_type(const struct said_step *step, struct json_writer *w)
{
    char type[80];
    snprintf(type, sizeof type, "%.*s_%s", TEXT_ARG(text_slice(step->tool, 0, 60)),
             step->kind == PART_CALL ? "call" : "result");
    json_put(w, "type", text_of(type));
}

static void put_tool_value(const struct said_step *step, bool all, struct json_writer *w)
{
    bool call = step->kind == PART_CALL;
    if (step->name.len)
        json_put(w, "name", step->name);
    if (step->server.len)
        json_put(w, "server_name", step->server);
    json_key(w, call ? "arguments" : "result");
    json_raw(w, all && step->text.len ? buf_view(&step->text)
                : call                ? TEXT("{}")
                                      : TEXT("\"\""));
    if (call)
        return;
    json_key(w, "is_error");
    json_bool(w, step->is_error);
    if (all && step->signature.len)
        json_put(w, "signature", step->signature);
}

static void put_tool_step(const struct said_step *step, bool all, struct json_writer *w)
{
    put_tool_type(step, w);
    json_put(w, step->kind == PART_CALL ? "id" : "call_id", step->id);
    put_tool_value(step, all, w);
}

void said_put_delta(const struct said_step *step, struct json_writer *w)
{
    if (step->kind == PART_MEDIA) {
        put_image(step, w);
    } else {
        put_tool_type(step, w);
        put_tool_value(step, true, w);
    }
}

/* ---- steps of the model ---- */

static void put_call(const struct said_step *step, bool all, struct json_writer *w)
{
    json_put(w, "type", TEXT("function_call"));
    json_put(w, "id", step->id);
    json_put(w, "name", step->name);
    json_key(w, "arguments");
    json_raw(w, all ? buf_view(&step->text) : TEXT("{}"));
}

static void put_thought(const struct said_step *step, bool all, struct json_writer *w)
{
    json_put(w, "type", TEXT("thought"));
    if (all && step->text.len) {
        json_key(w, "summary");
        json_begin(w, '[');
        said_put_text(w, buf_view(&step->text), (struct text){0});
        json_end(w, ']');
    }
    if (all && step->signature.len)
        json_put(w, "signature", step->signature);
}

static void put_output(const struct said_step *step, bool all, struct json_writer *w)
{
    json_put(w, "type", TEXT("model_output"));
    json_key(w, "content");
    json_begin(w, '[');
    if (all && step->kind == PART_MEDIA) {
        json_begin(w, '{');
        put_image(step, w);
        json_end(w, '}');
    } else if (all) {
        said_put_text(w, buf_view(&step->text), step->annotations);
    }
    json_end(w, ']');
}

void said_write(const struct said_step *step, bool all, struct json_writer *w)
{
    json_begin(w, '{');
    if (step->tool.at)
        put_tool_step(step, all, w);
    else if (step->kind == PART_CALL)
        put_call(step, all, w);
    else if (step->kind == PART_THOUGHT)
        put_thought(step, all, w);
    else
        put_output(step, all, w);
    json_end(w, '}');
}
