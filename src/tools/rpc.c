/* rpc.c - the answer to a JSON-RPC request, alone or among Server-Sent Events. */
#include "tools/rpc.h"
#include "json/tree.h"
#include <stdio.h>

/* ---- messages ---- */

/* Clients number their requests; some servers give the number back as a text. */
static bool is_ours(const struct rpc_reader *r, struct json_object *id)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)r->id);
    if (json_object_is_type(id, json_type_int))
        return json_object_get_int64(id) == r->id;
    return tree_text(id).at && text_is(tree_text(id), number);
}

static void take_error(struct rpc_reader *r, struct json_object *error)
{
    struct text message = tree_text(tree_member(error, "message"));
    r->code = json_object_get_int64(tree_member(error, "code"));
    r->message = message.at ? message : TEXT("");
    r->found = true;
}

/* A server that could not read the request does not know its number. */
static void take_message(struct rpc_reader *r, struct json_object *message)
{
    struct json_object *id = tree_member(message, "id"),
                       *error = tree_member(message, "error");
    struct json_object *result = tree_member(message, "result");
    if (r->found || !(id ? is_ours(r, id) : error != NULL))
        return;
    if (error) {
        take_error(r, error);
    } else if (result && tree_is_sound(result)) {
        r->result = result;
        r->found = true;
    }
}

/* One message, or several in a list. False: it is no JSON. */
static bool take_json(struct rpc_reader *r, struct text json)
{
    struct error ignored;
    struct json_object *tree = json_parse(r->arena, arena_text(r->arena, json), &ignored);
    if (json_object_is_type(tree, json_type_array))
        for (size_t i = 0; i < json_object_array_length(tree); i++)
            take_message(r, json_object_array_get_idx(tree, i));
    else
        take_message(r, tree);
    return tree != NULL;
}

/* ---- events ---- */

static bool is_stream(struct text type)
{
    struct text rest, name = text_cut(type, ';', &rest);
    while (name.len && name.at[name.len - 1] == ' ')
        name.len--;
    return text_is_nocase(name, "text/event-stream");
}

/* "data: x" adds x and a line's end to the event; an empty line ends it. Other fields say
 * nothing here. */
static void take_line(struct rpc_reader *r, struct text line)
{
    struct text value, name = text_cut(line, ':', &value);
    if (line.len == 0) {
        if (r->data.len > 1)
            take_json(r, buf_view(&r->data));
        buf_clear(&r->data);
    } else if (text_is(name, "data")) {
        if (value.len && value.at[0] == ' ')
            value = text_slice(value, 1, value.len);
        buf_text(&r->data, value);
        buf_char(&r->data, '\n');
    }
}

/* The next line, up to LF, CR or CRLF; false: its end is not there yet. */
static bool next_line(struct rpc_reader *r, struct text body, bool complete,
                      struct text *line)
{
    size_t to = r->seen > r->at ? r->seen : r->at;
    while (to < body.len && body.at[to] != '\n' && body.at[to] != '\r')
        to++;
    r->seen = to;
    if (to == body.len && (!complete || to == r->at))
        return false;
    if (to + 1 == body.len && body.at[to] == '\r' && !complete)
        return false;
    *line = text_slice(body, r->at, to);
    if (to + 1 < body.len && body.at[to] == '\r' && body.at[to + 1] == '\n')
        to++;
    r->at = to < body.len ? to + 1 : to;
    return true;
}

static void take_lines(struct rpc_reader *r, struct text body, bool complete)
{
    struct text line;
    while (!r->found && next_line(r, body, complete, &line))
        take_line(r, line);
}

/* ---- the door ---- */

bool rpc_more(struct rpc_reader *r, struct text type, struct text body)
{
    if (is_stream(type))
        take_lines(r, body, false);
    return r->found;
}

bool rpc_end(struct rpc_reader *r, struct text type, struct text body, struct error *err)
{
    bool stream = is_stream(type), json = true;
    if (stream) {
        take_lines(r, body, true);
        take_line(r, TEXT("")); /* the last event may lack its end */
    } else if (!r->found) {
        json = take_json(r, body);
    }
    buf_free(&r->data);
    r->data = (struct buf){0};
    return r->found || error_set(err, ERROR_INVALID_ARGUMENT,
                                 json ? "It did not answer what it was asked."
                                      : "It answered with something else than JSON.");
}

struct text rpc_request(int64_t id, const char *method, struct text params,
                        struct arena *arena)
{
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    json_begin(&w, '{');
    json_key(&w, "jsonrpc");
    json_text(&w, TEXT("2.0"));
    if (id >= 0) {
        json_key(&w, "id");
        json_int(&w, id);
    }
    json_key(&w, "method");
    json_text(&w, text_of(method));
    if (params.at) {
        json_key(&w, "params");
        json_raw(&w, params);
    }
    json_end(&w, '}');
    return arena_take(arena, &json);
}
