/* tools.c - the functions that a request declares, and which of them may be called.
 *
 * A function's result is not described to the model: it will see the result itself, and
 * small models call better the less they read. Its schema is checked all the same, so
 * that a request which works here works elsewhere. */
#include "api/tools.h"
#include "api/built_in.h"
#include "api/content.h"
#include "chat/shape.h"
#include "json/tree.h"
#include <stdio.h>

enum { MOST_NAME = 64, TYPE_OBJECT = 6 };

struct reader {
    struct arena *arena;
    struct chat *chat;
    struct error *err;
};

static const char *below(const struct reader *r, const char *path, const char *field)
{
    return arena_printf(r->arena, "%s.%s", path, field).at;
}

/* ---- the server's own ---- */

static bool not_here(const char *path, const char *why, struct error *err)
{
    return error_at(err, path, "'%s' is not supported by Pollux here: %s", path, why);
}

bool tools_add(const struct toolbox *box, struct text name, struct json_object *settings,
               const char *path, struct arena *arena, struct chat *chat,
               struct error *err)
{
    struct error why;
    const struct built_in *built_in = built_in_find(name);
    const struct tool *tool = toolbox_find(box, name);
    struct function *old = built_in && built_in->many ? NULL : tools_find(chat, name);
    struct function function = {.tool = tool};
    function.path = arena_text(arena, text_of(path)).at;
    if (!tool)
        return not_here(path, "this server has no such tool", err);
    function.name = text_of(tool->name);
    if (!tool->ready(tool, &why))
        return not_here(path, why.message, err);
    if (old && !old->tool)
        return error_at(err, path, "'%s': there is a function of the name %s, too.", path,
                        tool->name);
    if (!tool->accept(tool, settings, path, arena, &function.settings, err))
        return false;
    function.description = text_of(tool->description);
    if (!shape_of_json_schema(json_parse(arena, text_of(tool->parameters), err), path,
                              arena, &function.parameters, err))
        return false;
    if (!old)
        old = &chat->functions[chat->n_functions++];
    *old = function;
    return true;
}

bool tools_check(const struct chat *chat, const char *path, struct error *err)
{
    for (int i = 0; chat->n_candidates > 1 && i < chat->n_functions; i++)
        if (chat->functions[i].tool)
            return error_at(err, path,
                            "'%s': with a built-in tool there is one candidate.", path);
    return true;
}

/* ---- declarations ---- */

bool tools_is_name(struct text name)
{
    static const char first[] = "_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char more[] = "0123456789.:-";
    if (name.len == 0 || name.len > MOST_NAME ||
        !memchr(first, name.at[0], sizeof first - 1))
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!memchr(first, name.at[i], sizeof first - 1) &&
            !memchr(more, name.at[i], sizeof more - 1))
            return false;
    return true;
}

struct function *tools_find(const struct chat *chat, struct text name)
{
    for (int i = 0; i < chat->n_functions; i++)
        if (text_same(chat->functions[i].name, name))
            return &chat->functions[i];
    return NULL;
}

static bool read_name(const struct reader *r, struct text name, const char *path)
{
    if (!tools_is_name(name))
        return content_broken_rule(r->err, below(r, path, "name"), TOOLS_NAME_RULE);
    if (!tools_find(r->chat, name))
        return true;
    const char *here = below(r, path, "name");
    return error_at(r->err, here,
                    "* GenerateContentRequest.%s: Duplicate function declaration found: "
                    "%.*s\n",
                    here, TEXT_ARG(name));
}

/* A schema in one of its two languages; the fields exclude each other. */
struct schema_pair {
    struct json_object *schema, *json;
    const char *name, *json_name; /* of the fields */
};

/* Both absent: out stays absent. */
static bool read_schema(const struct reader *r, const struct schema_pair *pair,
                        const char *path, struct text *out)
{
    if (pair->schema && pair->json)
        return error_at(r->err, below(r, path, pair->json_name),
                        "* GenerateContentRequest.%s.%s: %s is set, too; one of them may "
                        "be\n",
                        path, pair->json_name, pair->name);
    if (pair->schema)
        return shape_of_schema(pair->schema, below(r, path, pair->name), r->arena, out,
                               r->err);
    return !pair->json ||
           shape_of_json_schema(pair->json, below(r, path, pair->json_name), r->arena,
                                out, r->err);
}

/* Whether the schema says that it is something else than an object. */
static bool is_of_other_type(struct json_object *schema)
{
    struct json_object *type;
    if (!json_object_is_type(schema, json_type_object) ||
        !json_object_object_get_ex(schema, "type", &type))
        return false;
    if (json_object_is_type(type, json_type_int))
        return json_object_get_int(type) != TYPE_OBJECT;
    return tree_text(type).at && !text_is_nocase(tree_text(type), "object");
}

/* Whether a Schema tells of no property: there is nothing to hand over. */
static bool takes_none(struct json_object *schema)
{
    static const char *const telling[] = {
        "properties", "anyOf", "any_of", "additionalProperties", "additional_properties"};
    for (size_t i = 0; i < sizeof telling / sizeof telling[0]; i++) {
        struct json_object *value;
        if (json_object_object_get_ex(schema, telling[i], &value) && value &&
            !(json_object_is_type(value, json_type_object) &&
              json_object_object_length(value) == 0))
            return false;
    }
    return true;
}

static bool read_parameters(const struct reader *r, const struct wire_function *from,
                            const char *path, struct function *function)
{
    const struct schema_pair pair = {from->parameters, from->parameters_schema,
                                     "parameters", "parameters_json_schema"};
    bool json = pair.json != NULL;
    if (!read_schema(r, &pair, path, &function->parameters))
        return false;
    if (is_of_other_type(json ? pair.json : pair.schema))
        return content_broken_rule(
            r->err, below(r, path, json ? pair.json_name : pair.name),
            "functionDeclaration parameters schema should be of type "
            "OBJECT.");
    if (pair.schema && takes_none(pair.schema))
        function->parameters = (struct text){0};
    return true;
}

static bool check_response(const struct reader *r, const struct wire_function *from,
                           const char *path)
{
    struct text unused;
    const struct schema_pair pair = {from->response, from->response_schema, "response",
                                     "response_json_schema"};
    return read_schema(r, &pair, path, &unused);
}

static bool read_function(const struct reader *r, const struct wire_function *from,
                          const char *path)
{
    struct function function = {.name = from->name, .description = from->description};
    if (!read_name(r, from->name, path) || !read_parameters(r, from, path, &function) ||
        !check_response(r, from, path))
        return false;
    if (from->behavior == WIRE_NON_BLOCKING)
        return content_broken_rule(
            r->err, below(r, path, "behavior"),
            "NON_BLOCKING is for the Live API alone: in generateContent "
            "the model waits for the function's response.");
    r->chat->functions[r->chat->n_functions++] = function;
    return true;
}

/* How many tools a field asks for. */
static size_t n_mentions(struct json_object *field, int built_in)
{
    return !field                                        ? 0
           : !built_ins[built_in].many                   ? 1
           : json_object_is_type(field, json_type_array) ? json_object_array_length(field)
                                                         : 0;
}

/* In what the caller sent: a cache's stand before those. */
static size_t place_of_tool(const struct reader *r, size_t i)
{
    size_t kept = (size_t)r->chat->kept_tools;
    return i < kept ? i : i - kept;
}

static bool read_declarations(const struct reader *r, const struct json_list *list)
{
    const struct wire_tool *tools = list->at;
    size_t n = 0, n_own = 0;
    for (size_t i = 0; i < list->n; i++) {
        n += tools[i].functions.n;
        for (int k = 0; k < WIRE_BUILT_INS; k++)
            n_own += n_mentions(tools[i].own[k], k);
    }
    if (n + n_own > WIRE_FUNCTIONS)
        return error_at(r->err, "tools",
                        "* GenerateContentRequest.tools: %zu function declarations; at "
                        "most %d are possible.\n",
                        n + n_own, WIRE_FUNCTIONS);
    r->chat->functions = arena_array(r->arena, struct function, n + n_own + 1);
    for (size_t i = 0; i < list->n; i++) {
        const struct wire_function *functions = tools[i].functions.at;
        for (size_t k = 0; k < tools[i].functions.n; k++) {
            char path[80];
            snprintf(path, sizeof path, "tools[%zu].function_declarations[%zu]",
                     place_of_tool(r, i), k);
            if (!read_function(r, &functions[k], path))
                return false;
        }
    }
    return true;
}

static bool read_field(const struct reader *r, const struct toolbox *box,
                       struct json_object *field, int built_in, size_t nth)
{
    const struct built_in *of = &built_ins[built_in];
    const char *path = arena_printf(r->arena, "tools[%zu].%s", nth, of->field).at;
    if (!field)
        return true;
    if (!of->many)
        return tools_add(box, text_of(of->name), field, path, r->arena, r->chat, r->err);
    if (!json_object_is_type(field, json_type_array)) /* one is a list of one */
        return tools_add(box, text_of(of->name), field, path, r->arena, r->chat, r->err);
    for (size_t i = 0; i < json_object_array_length(field); i++) {
        const char *here = arena_printf(r->arena, "%s[%zu]", path, i).at;
        if (!tools_add(box, text_of(of->name), json_object_array_get_idx(field, i), here,
                       r->arena, r->chat, r->err))
            return false;
    }
    return true;
}

static bool read_built_in(const struct reader *r, const struct toolbox *box,
                          const struct json_list *list)
{
    const struct wire_tool *tools = list->at;
    for (size_t i = 0; i < list->n; i++)
        for (int k = 0; k < WIRE_BUILT_INS; k++)
            if (!read_field(r, box, tools[i].own[k], k, place_of_tool(r, i)))
                return false;
    return true;
}

/* ---- calling ---- */

#define CALLING "tool_config.function_calling_config"

static const enum calling callings[] = {
    [WIRE_CALLING_UNSPECIFIED] = CALLING_AUTO,
    [WIRE_CALLING_AUTO] = CALLING_AUTO,
    [WIRE_CALLING_ANY] = CALLING_ANY,
    [WIRE_CALLING_NONE] = CALLING_NONE,
    [WIRE_CALLING_VALIDATED] = CALLING_VALIDATED,
};

/* Whoever is not named is barred. */
static bool read_allowed(const struct reader *r, const struct json_list *list)
{
    const struct text *names = list->at;
    for (int i = 0; i < r->chat->n_functions; i++)
        r->chat->functions[i].barred = !r->chat->functions[i].tool;
    for (size_t i = 0; i < list->n; i++) {
        struct function *function = tools_find(r->chat, names[i]);
        if (!function) {
            char path[100];
            snprintf(path, sizeof path, CALLING ".allowed_function_names[%zu]", i);
            return error_at(r->err, path,
                            "* GenerateContentRequest.%s: %.*s is not among the function "
                            "declarations\n",
                            path, TEXT_ARG(text_slice(names[i], 0, 100)));
        }
        function->barred = false;
    }
    return true;
}

/* Mode NONE speaks of declared functions; tools may still be called. */
static bool bar_declared(const struct reader *r)
{
    r->chat->calling = CALLING_AUTO;
    for (int i = 0; i < r->chat->n_functions; i++)
        r->chat->functions[i].barred = !r->chat->functions[i].tool;
    return true;
}

static bool read_calling(const struct reader *r, const struct wire_calling_config *config)
{
    bool names_some = config->allowed.n > 0;
    bool tools = false, declared = false;
    for (int i = 0; i < r->chat->n_functions; i++) {
        tools = tools || r->chat->functions[i].tool;
        declared = declared || !r->chat->functions[i].tool;
    }
    if (!declared && (config->mode == WIRE_CALLING_ANY || names_some))
        return error_at(r->err, CALLING,
                        "Function calling config is set without function_declarations.");
    r->chat->calling = callings[config->mode];
    if (tools && config->mode == WIRE_CALLING_NONE)
        return bar_declared(r);
    if (!names_some)
        return true;
    if (config->mode != WIRE_CALLING_ANY && config->mode != WIRE_CALLING_VALIDATED)
        return content_broken_rule(r->err, CALLING ".allowed_function_names",
                                   "Please set allowed_function_names only when function "
                                   "calling mode is ANY or VALIDATED.");
    return read_allowed(r, &config->allowed);
}

bool tools_read(const struct wire_generate *request, const struct toolbox *box,
                struct arena *arena, struct chat *chat, struct error *err)
{
    const struct reader r = {arena, chat, err};
    const struct wire_tool_config *config = request->tool_config;
    return read_declarations(&r, &request->tools) &&
           read_built_in(&r, box, &request->tools) &&
           (!config || !config->calling || read_calling(&r, config->calling));
}
