/* interact_request.c - what a request of the Interactions API asks for. */
#include "api/interact_request.h"
#include "api/built_in.h"
#include "api/interact_step.h"
#include "api/message.h"
#include "api/tools.h"
#include "api/tools_open.h"
#include "api/webhook.h"
#include "chat/shape.h"
#include "tools/mcp.h"
#include "json/tree.h"
#include <float.h>
#include <stdio.h>

enum { MOST_LABELS = 64, LABEL_MOST = 63 };

struct reader {
    const struct interact_request *request;
    const struct content_rules *rules;
    struct arena *arena;
    struct chat *chat;
    struct error *err;
};

/* ---- the request ---- */

static struct text taken(struct arena *arena, struct buf *buf)
{
    struct text text = arena_text(arena, buf_view(buf));
    buf_free(buf);
    return text;
}

/* Without its input. */
static struct text keep(struct json_object *body, struct arena *arena)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out, false);
    json_begin(&w, '{');
    for (struct lh_entry *e = tree_first(body); e; e = e->next) {
        if (strcmp(tree_key(e), "input") == 0 || !tree_value(e))
            continue;
        json_key(&w, tree_key(e));
        tree_write(&w, tree_value(e));
    }
    json_end(&w, '}');
    return taken(arena, &out);
}

static bool check_model(struct interact_request *request, struct error *err)
{
    const struct wire_interact *wire = &request->wire;
    if ((wire->model.len > 0) == (wire->agent.len > 0))
        return error_at(err, "model", "Provide exactly one of model and agent.");
    if (wire->agent.len)
        return error_at(err, "agent",
                        "'agent' is not supported by Pollux: there is no agent "
                        "'%.*s' here. Name a model instead.",
                        TEXT_ARG(text_slice(wire->agent, 0, 100)));
    request->model = text_starts(wire->model, "models/")
                         ? text_slice(wire->model, strlen("models/"), wire->model.len)
                         : wire->model;
    return true;
}

static bool is_label(struct text text, bool key)
{
    bool good = text.len <= LABEL_MOST && (!key || text.len > 0);
    for (size_t i = 0; good && i < text.len; i++) {
        char c = text.at[i];
        bool letter = c >= 'a' && c <= 'z';
        good = letter ||
               (!(key && i == 0) && ((c >= '0' && c <= '9') || c == '_' || c == '-'));
    }
    return good;
}

static bool check_labels(struct json_object *labels, struct error *err)
{
    if (!labels)
        return true;
    bool good = json_object_is_type(labels, json_type_object) &&
                json_object_object_length(labels) <= MOST_LABELS;
    for (struct lh_entry *e = tree_first(labels); good && e; e = e->next)
        good = is_label(text_of(tree_key(e)), true) && tree_text(tree_value(e)).at &&
               is_label(tree_text(tree_value(e)), false);
    return good ||
           error_at(err, "labels",
                    "Invalid value at 'labels': at most %d, keys and values of at most "
                    "%d of a-z, 0-9, _ and -; a key begins with a letter.",
                    MOST_LABELS, LABEL_MOST);
}

static bool check_modalities(const struct wire_interact *wire, struct error *err)
{
    const struct text *names = wire->modalities.at;
    for (size_t i = 0; i < wire->modalities.n; i++)
        if (!text_is_nocase(names[i], "text"))
            return error_at(err, "response_modalities",
                            "'response_modalities' is not supported by Pollux yet: "
                            "answers other than text");
    return true;
}

bool interact_read(struct text body, bool sse, struct arena *arena,
                   struct interact_request *request, struct error *err)
{
    struct buf input = {0};
    *request = (struct interact_request){0};
    struct json_object *tree = body.len ? json_parse(arena, body, err) : NULL;
    if (body.len && !tree)
        return false;
    struct wire_interact *wire = &request->wire;
    if (!json_decode(&wire_interact_type, tree, wire, arena, err) ||
        !check_model(request, err) || !check_labels(wire->labels, err) ||
        !check_modalities(wire, err))
        return false;
    request->stream = sse || wire->stream.is;
    request->store = !wire->store.set || wire->store.is;
    request->background = wire->background.is;
    request->summaries = wire->config && wire->config->summaries == WIRE_SUMMARIES_AUTO;
    if (request->background && !request->store)
        return error_at(err, "background",
                        "background needs store: what nobody keeps nobody can get "
                        "later.");
    if (wire->webhook && wire->webhook->uris.n && !request->store)
        return error_at(err, "webhook_config", "webhook_config needs store.");
    bool good = steps_normal(wire->input, &input, err);
    request->input = taken(arena, &input);
    request->kept = keep(tree, arena);
    return good;
}

struct text interact_body(const struct interaction *row, struct arena *arena)
{
    struct text rest = text_slice(row->request, 1, row->request.len);
    return arena_printf(arena, "{\"input\":%.*s%s%.*s", TEXT_ARG(row->input),
                        text_is(rest, "}") ? "" : ",", TEXT_ARG(rest));
}

struct text interact_model(struct text kept, struct arena *arena)
{
    struct error err;
    struct json_object *model = NULL, *tree = json_parse(arena, kept, &err);
    json_object_object_get_ex(tree, "model", &model);
    struct text name = tree_text(model);
    return text_starts(name, "models/") ? text_slice(name, strlen("models/"), name.len)
                                        : name;
}

/* What an MCP server is told in headers are secrets mostly. */
static void hide_headers(struct json_object *tools)
{
    bool list = json_object_is_type(tools, json_type_array);
    size_t n = list ? json_object_array_length(tools) : 1;
    for (size_t i = 0; i < n; i++) {
        struct json_object *tool = list ? json_object_array_get_idx(tools, i) : tools;
        struct json_object *place = tree_member(tool, "streamable_http_transport");
        if (!text_is(tree_text(tree_member(tool, "type")), MCP_NAME))
            continue;
        json_object_object_del(tool, "headers");
        if (json_object_is_type(place, json_type_object))
            json_object_object_del(place, "headers");
        json_object_object_del(tool, "streamableHttpTransport");
    }
}

struct text interact_without_headers(struct text kept, struct arena *arena)
{
    struct error err;
    struct buf out = {0};
    if (text_find(kept, TEXT("eaders\""), 0) == SIZE_MAX) /* so it is with most */
        return kept;
    struct json_object *tools = NULL, *tree = json_parse(arena, kept, &err);
    if (!json_object_object_get_ex(tree, "tools", &tools) || !tools)
        return kept;
    hide_headers(tools);
    json_any_write(tree, &out);
    return taken(arena, &out);
}

void interact_echo(struct text kept, struct buf *out)
{
    static const char *const names[] = {
        "model",
        "system_instruction",
        "generation_config",
        "tools",
        "response_format",
        "response_mime_type",
        "response_modalities",
        "safety_settings",
        "service_tier",
        "labels",
    };
    struct arena *arena = arena_open();
    struct error err;
    struct json_object *tree = json_parse(arena, kept, &err);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct json_object *value = NULL;
        if (!json_object_object_get_ex(tree, names[i], &value) || !value)
            continue;
        if (strcmp(names[i], "tools") == 0)
            hide_headers(value);
        buf_printf(out, ",\"%s\":", names[i]);
        json_any_write(value, out);
    }
    arena_close(arena);
}

/* ---- the conversation ---- */

static bool read_array(const struct reader *r, struct steps *steps, struct text json,
                       const char *where)
{
    struct json_object *array = json_parse(r->arena, json, r->err);
    return array && steps_add(steps, array, where, r->err);
}

/* A cache's turns stand apart from the others, as they did when its rows were made. */
static void put_before(const struct reader *r, const struct chat *kept)
{
    struct chat *chat = r->chat;
    size_t n = (size_t)kept->n_turns + (size_t)chat->n_turns;
    if (kept->n_turns == 0)
        return;
    struct turn_of *turns = arena_array(r->arena, struct turn_of, n);
    memcpy(turns, kept->turns, sizeof *turns * (size_t)kept->n_turns);
    memcpy(turns + kept->n_turns, chat->turns, sizeof *turns * (size_t)chat->n_turns);
    chat->turns = turns;
    chat->n_turns = (int)n;
    chat->kept_turns = kept->n_turns;
}

static bool read_steps(const struct reader *r, const struct interaction *rows, int n)
{
    struct steps *steps = steps_open(r->arena);
    for (int i = 0; i < n; i++) {
        const char *input = arena_printf(r->arena, "previous_interaction_id(%.*s).input",
                                         TEXT_ARG(rows[i].id))
                                .at;
        const char *output = arena_printf(r->arena, "previous_interaction_id(%.*s).steps",
                                          TEXT_ARG(rows[i].id))
                                 .at;
        if (!read_array(r, steps, rows[i].input, input) ||
            !read_array(r, steps, rows[i].steps, output))
            return false;
    }
    if (!read_array(r, steps, r->request->input, "input"))
        return false;
    const struct chat kept = *r->chat;
    steps_turns(steps, r->chat);
    bool good = r->chat->n_turns > 0 || error_at(r->err, "input", "input is empty.");
    put_before(r, &kept);
    return good;
}

/* ---- tools ---- */

static bool is_object_schema(struct json_object *schema)
{
    struct json_object *type = NULL;
    return json_object_is_type(schema, json_type_object) &&
           (!json_object_object_get_ex(schema, "type", &type) ||
            text_is_nocase(tree_text(type), "object"));
}

/* Whether it names nothing that could be handed over. */
static bool takes_none(struct json_object *schema)
{
    for (struct lh_entry *e = tree_first(schema); e; e = e->next) {
        bool empty = json_object_is_type(tree_value(e), json_type_object) &&
                     json_object_object_length(tree_value(e)) == 0;
        if (strcmp(tree_key(e), "type") != 0 && strcmp(tree_key(e), "required") != 0 &&
            strcmp(tree_key(e), "description") != 0 && !empty)
            return false;
    }
    return true;
}

static bool read_function(const struct reader *r, struct json_object *from,
                          const char *where)
{
    struct wire_interact_function wire;
    if (!json_decode_at(&wire_interact_function_type, from, where, &wire, r->arena,
                        r->err))
        return false;
    struct function function = {.name = wire.name, .description = wire.description};
    const char *name = arena_printf(r->arena, "%s.name", where).at;
    const char *parameters = arena_printf(r->arena, "%s.parameters", where).at;
    if (!tools_is_name(wire.name))
        return error_at(r->err, name, "'%s': " TOOLS_NAME_RULE, name);
    if (tools_find(r->chat, wire.name))
        return error_at(r->err, name, "'%s': there is another function %.*s.", name,
                        TEXT_ARG(wire.name));
    if (wire.parameters && !is_object_schema(wire.parameters))
        return error_at(r->err, parameters,
                        "'%s': parameters are a schema of the type object.", parameters);
    if (wire.parameters && !takes_none(wire.parameters) &&
        !shape_of_json_schema(wire.parameters, parameters, r->arena, &function.parameters,
                              r->err))
        return false;
    r->chat->functions[r->chat->n_functions++] = function;
    return true;
}

/* What is said of a built-in tool, without its type. */
static bool read_built_in(const struct reader *r, struct text name,
                          struct json_object *from, const char *where)
{
    struct buf json = {0};
    struct json_writer w = json_writer(&json, false);
    json_begin(&w, '{');
    for (struct lh_entry *e = tree_first(from); e; e = e->next) {
        if (strcmp(tree_key(e), "type") == 0)
            continue;
        json_key(&w, tree_key(e));
        tree_write(&w, tree_value(e));
    }
    json_end(&w, '}');
    struct json_object *settings = json_parse(r->arena, taken(r->arena, &json), r->err);
    return settings &&
           tools_add(r->rules->tools, name, settings, where, r->arena, r->chat, r->err);
}

static bool read_tool(const struct reader *r, struct json_object *from, const char *where)
{
    struct json_object *type = NULL;
    if (json_object_is_type(from, json_type_object))
        json_object_object_get_ex(from, "type", &type);
    struct text name = tree_text(type);
    const char *path = arena_printf(r->arena, "%s.type", where).at;
    if (text_is(name, "function"))
        return read_function(r, from, where);
    const struct built_in *built_in = built_in_find(name);
    if (built_in && built_in->not_here)
        return error_at(r->err, path,
                        "'%s' is not supported by Pollux here: the built-in tool %s: "
                        "%s",
                        path, built_in->name, built_in->not_here);
    if (built_in)
        return read_built_in(r, name, from, where);
    return error_at(r->err, path, "Invalid value at '%s': '%.*s' is not a tool's type.",
                    path, TEXT_ARG(text_slice(name, 0, 60)));
}

static bool read_tools(const struct reader *r)
{
    struct json_object *tools = r->request->wire.tools;
    bool list = json_object_is_type(tools, json_type_array);
    size_t n = !tools ? 0 : list ? json_object_array_length(tools) : 1;
    if (n > WIRE_FUNCTIONS)
        return error_at(r->err, "tools", "'tools': at most %d are possible.",
                        WIRE_FUNCTIONS);
    size_t n_kept = (size_t)r->chat->n_functions; /* a cache's */
    struct function *functions = arena_array(r->arena, struct function, n_kept + n + 1);
    if (n_kept > 0)
        memcpy(functions, r->chat->functions, sizeof *functions * n_kept);
    r->chat->functions = functions;
    for (size_t i = 0; i < n; i++) {
        char where[40];
        snprintf(where, sizeof where, "tools[%zu]", i);
        if (!read_tool(r, list ? json_object_array_get_idx(tools, i) : tools, where))
            return false;
    }
    return true;
}

#define CHOICE "generation_config.tool_choice"

static const enum calling callings[] = {
    [WIRE_CALLING_UNSPECIFIED] = CALLING_AUTO,
    [WIRE_CALLING_AUTO] = CALLING_AUTO,
    [WIRE_CALLING_ANY] = CALLING_ANY,
    [WIRE_CALLING_NONE] = CALLING_NONE,
    [WIRE_CALLING_VALIDATED] = CALLING_VALIDATED,
};

/* Whoever is not named is barred; with mode none everyone is. */
/* Names that closed tools may turn out to have are looked at when they are open. */
static bool read_allowed(const struct reader *r, const struct wire_allowed_tools *allowed)
{
    const struct text *names = allowed->tools.at;
    bool closed = tools_are_closed(r->chat);
    if (closed) {
        r->chat->callable = names;
        r->chat->n_callable = (int)allowed->tools.n;
    }
    r->chat->calling = callings[allowed->mode];
    for (int i = 0; allowed->tools.n > 0 && i < r->chat->n_functions; i++)
        r->chat->functions[i].barred = true;
    for (size_t i = 0; i < allowed->tools.n; i++) {
        struct function *function = tools_find(r->chat, names[i]);
        if (!function && closed)
            continue;
        if (!function)
            return error_at(r->err, CHOICE ".allowed_tools.tools",
                            "'" CHOICE ".allowed_tools.tools[%zu]': %.*s is not among "
                            "the tools.",
                            i, TEXT_ARG(text_slice(names[i], 0, 100)));
        function->barred = false;
    }
    return true;
}

static bool read_choice(const struct reader *r, struct json_object *choice)
{
    struct wire_tool_choice wire = {0};
    struct wire_allowed_tools plain = {0};
    struct text name = tree_text(choice);
    if (!choice)
        return true;
    if (name.at) {
        plain.mode = json_enum_number(wire_choice_names, name);
        wire.allowed = &plain;
    } else if (!json_decode_at(&wire_tool_choice_type, choice, CHOICE, &wire, r->arena,
                               r->err)) {
        return false;
    }
    if (!wire.allowed || wire.allowed->mode < 0)
        return error_at(r->err, CHOICE,
                        "Invalid value at '" CHOICE "': auto, any, none, validated, or "
                        "{\"allowed_tools\": {\"mode\", \"tools\"}}.");
    if (r->chat->n_functions == 0 &&
        (wire.allowed->mode == WIRE_CALLING_ANY || wire.allowed->tools.n))
        return error_at(r->err, CHOICE, "'" CHOICE "': there are no tools to call.");
    return read_allowed(r, wire.allowed);
}

/* ---- the form of the answer ---- */

static bool read_format(const struct reader *r, struct text mime_type,
                        struct json_object *schema, const char *where)
{
    struct shape *shape = &r->chat->shape;
    bool json = text_is(mime_type, "application/json");
    const char *path = arena_printf(r->arena, "%s.mime_type", where).at;
    if (mime_type.len && !json && !text_is(mime_type, "text/plain"))
        return error_at(r->err, path,
                        "'%s' is not supported by Pollux yet: an answer as %.*s; there "
                        "are text/plain and application/json",
                        path, TEXT_ARG(text_slice(mime_type, 0, 60)));
    if (schema && mime_type.len && !json)
        return error_at(r->err, path, "'%s': a schema goes with application/json.", path);
    if (json || schema)
        shape->kind = ANSWER_JSON;
    return !schema ||
           shape_of_json_schema(schema, arena_printf(r->arena, "%s.schema", where).at,
                                r->arena, &shape->schema, r->err);
}

static bool is_format(struct json_object *format)
{
    static const char *const types[] = {"text", "image", "audio", "video", "document"};
    struct json_object *type = NULL;
    json_object_object_get_ex(format, "type", &type);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (text_is(tree_text(type), types[i]))
            return true;
    return false;
}

static bool read_one_format(const struct reader *r, struct json_object *format,
                            const char *where)
{
    struct wire_format wire;
    struct json_object *type = NULL;
    if (!json_object_is_type(format, json_type_object))
        return error_at(r->err, where, "Invalid value at '%s': it is an object.", where);
    if (!is_format(format)) { /* a bare schema */
        struct text mime_type = r->request->wire.mime_type;
        return json_object_object_length(format) == 0 ||
               read_format(r, mime_type.len ? mime_type : TEXT("application/json"),
                           format, where);
    }
    json_object_object_get_ex(format, "type", &type);
    if (!text_is(tree_text(type), "text"))
        return error_at(r->err, where,
                        "'%s' is not supported by Pollux yet: answers other than text",
                        where);
    return json_decode_at(&wire_format_type, format, where, &wire, r->arena, r->err) &&
           read_format(r, wire.mime_type, wire.schema, where);
}

static bool read_formats(const struct reader *r)
{
    struct json_object *format = r->request->wire.format;
    if (!format)
        return read_format(r, r->request->wire.mime_type, NULL, "response");
    if (!json_object_is_type(format, json_type_array))
        return read_one_format(r, format, "response_format");
    size_t n = json_object_array_length(format);
    if (n > 1)
        return error_at(r->err, "response_format",
                        "'response_format' is not supported by Pollux yet: more than one "
                        "form of answer");
    return n == 0 ||
           read_one_format(r, json_object_array_get_idx(format, 0), "response_format[0]");
}

/* ---- settings ---- */

#define CONFIG "generation_config."

static double number_or(struct json_number number, double otherwise)
{
    return number.set ? number.is : otherwise;
}

static void read_sampling(const struct reader *r,
                          const struct wire_interact_config *config)
{
    const struct api_defaults *defaults = &r->rules->defaults;
    double top_p = number_or(config->top_p, defaults->top_p);
    r->chat->sampling = (struct sampling){
        .temperature = number_or(config->temperature, defaults->temperature),
        .top_p = top_p > 0 ? top_p : DBL_MIN, /* the likeliest token alone */
        .top_k = config->top_k.set ? (int)config->top_k.is : defaults->top_k,
        .presence = number_or(config->presence, 0),
        .frequency = number_or(config->frequency, 0),
        .seeded = config->seed.set,
        .seed = (uint64_t)config->seed.is,
        .n_top = -1,
    };
}

/* As in generateContent: what is left out is for the model to say, and to want to see
 * thoughts is to ask for them. */
static void read_thinking(const struct reader *r,
                          const struct wire_interact_config *config)
{
    bool on = r->rules->thinks || r->request->summaries || config->level;
    r->chat->thinking =
        (struct thinking){on, config->level ? content_budget(config->level) : -1};
}

static bool read_config(const struct reader *r)
{
    static const struct wire_interact_config none;
    const struct wire_interact_config *config =
        r->request->wire.config ? r->request->wire.config : &none;
    r->chat->n_candidates = 1;
    r->chat->max_tokens = (int)config->max_tokens.is;
    r->chat->stops = config->stops.at;
    r->chat->n_stops = (int)config->stops.n;
    for (int i = 0; i < r->chat->n_stops; i++)
        if (r->chat->stops[i].len == 0)
            return error_at(r->err, CONFIG "stop_sequences",
                            "'" CONFIG "stop_sequences[%d]' is empty.", i);
    read_sampling(r, config);
    read_thinking(r, config);
    return read_choice(r, config->tool_choice);
}

/* ---- safety ---- */

static bool read_safety(const struct reader *r)
{
    const struct wire_interact_safety *settings = r->request->wire.safety.at;
    enum level otherwise = r->rules->defaults.block_from;
    struct safety *safety = &r->chat->safety;
    unsigned seen = 0;
    safety->thoughts = r->request->summaries;
    for (int i = 0; i < N_HARMS; i++)
        safety->block_from[i] = otherwise;
    for (size_t i = 0; i < r->request->wire.safety.n; i++) {
        char path[40];
        snprintf(path, sizeof path, "safety_settings[%zu]", i);
        enum level from = content_block_from(settings[i].threshold, otherwise);
        if (seen & 1u << settings[i].type)
            return error_at(r->err, path, "'%s': there is another one of this type.",
                            path);
        seen |= 1u << settings[i].type;
        if (settings[i].method == WIRE_METHOD_SEVERITY)
            return error_at(r->err, path,
                            "'%s' is not supported by Pollux yet: the method severity",
                            path);
        if (settings[i].type <= WIRE_HARM_LAST)
            safety->block_from[settings[i].type - WIRE_HARM_FIRST] = from;
        else if (from != LEVEL_NONE)
            return error_at(r->err, path,
                            "'%s' is not supported by Pollux yet: blocking of this type",
                            path);
    }
    return true;
}

bool interact_chat(const struct interact_request *request,
                   const struct content_rules *rules, const struct interaction *rows,
                   int n_rows, struct arena *arena, struct chat *chat, struct error *err)
{
    const struct reader r = {request, rules, arena, chat, err};
    if (request->wire.cached.len && request->wire.system.len)
        return error_at(err, "system_instruction",
                        "'system_instruction' cannot be given beside cached_content, "
                        "which has its own.");
    chat->model = request->model;
    if (!request->wire.cached.len)
        chat->system = request->wire.system;
    chat->streamed = request->stream;
    chat->call_pieces = request->stream || request->background;
    return read_steps(&r, rows, n_rows) && read_tools(&r) && read_config(&r) &&
           read_formats(&r) && read_safety(&r);
}
