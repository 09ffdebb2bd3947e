/* tools_open.c - tools that a request names and only somebody else knows.
 *
 * A server's tools keep the names that it gives them, as far as a function may be called
 * so; where two would have one name, the later one's begins with its server's. */
#include "api/tools_open.h"
#include "api/tools.h"
#include "base/log.h"
#include "base/loop.h"
#include "chat/shape.h"
#include "json/tree.h"

enum { MOST_NAME = 64 };

struct opening {
    struct chat *chat; /* its functions are the new ones */
    const struct function *old;
    int n_old;
    struct tool_call call;
    struct error *err;
};

bool tools_are_closed(const struct chat *chat)
{
    for (int i = 0; i < chat->n_functions; i++)
        if (chat->functions[i].tool && chat->functions[i].tool->open)
            return true;
    return false;
}

/* ---- names ---- */

/* What of a name a function may be called. */
static struct text clean(struct text name, struct arena *arena)
{
    char *copy = arena_alloc(arena, MOST_NAME + 2);
    size_t n = 0;
    bool letter = name.len && ((name.at[0] | 0x20) >= 'a' && (name.at[0] | 0x20) <= 'z');
    if (!letter && !(name.len && name.at[0] == '_'))
        copy[n++] = '_';
    for (size_t i = 0; i < name.len && n < MOST_NAME; i++) {
        char c = name.at[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '-' || c == '.';
        copy[n] = '_';
        if (good)
            copy[n] = c;
        n++;
    }
    return (struct text){copy, n};
}

static bool is_taken(const struct opening *o, struct text name)
{
    for (int i = 0; i < o->n_old; i++)
        if (!(o->old[i].tool && o->old[i].tool->open) && text_same(o->old[i].name, name))
            return true;
    return tools_find(o->chat, name) != NULL;
}

/* False: there is another one. */
static bool name_it(const struct opening *o, const struct tool *tool, struct text *name)
{
    struct arena *arena = o->call.arena;
    *name = tool->own_name.len ? clean(tool->own_name, arena) : text_of(tool->name);
    if (is_taken(o, *name) && tool->server.len)
        *name = clean(arena_printf(arena, "%.*s_%.*s", TEXT_ARG(tool->server),
                                   TEXT_ARG(tool->own_name)),
                      arena);
    return !is_taken(o, *name);
}

/* ---- functions ---- */

/* A stranger's schema may be one that no grammar can be made of; then the arguments are
 * any object, and whoever runs the tool checks them. */
static bool shape(const struct opening *o, const struct tool *tool, const char *path,
                  struct text *parameters)
{
    static const struct text any = {"{\"type\":\"object\"}", 17};
    struct arena *arena = o->call.arena;
    struct json_object *schema = json_parse(arena, text_of(tool->parameters), o->err);
    if (schema && shape_of_json_schema(schema, path, arena, parameters, o->err))
        return true;
    if (!tool->server.len)
        return false;
    log_line(LOG_INFO, "mcp", "server=%.*s tool=%.*s schema=loose why=\"%s\"",
             TEXT_ARG(tool->server), TEXT_ARG(tool->own_name), o->err->message);
    return shape_of_json_schema(json_parse(arena, any, o->err), path, arena, parameters,
                                o->err);
}

/* Those that tool_choice names are known by now. */
static bool is_barred(const struct chat *chat, const struct function *from,
                      const struct function *made)
{
    if (chat->n_callable == 0)
        return from->barred;
    for (int i = 0; i < chat->n_callable; i++)
        if (text_same(chat->callable[i], made->name) ||
            text_same(chat->callable[i], made->tool->own_name) ||
            text_same(chat->callable[i], from->name))
            return false;
    return true;
}

static bool add(const struct opening *o, const struct function *from,
                const struct tool *tool)
{
    struct function made = {
        .tool = tool,
        .description = text_of(tool->description),
        .settings = from->settings,
        .path = from->path,
    };
    if (!name_it(o, tool, &made.name))
        return error_at(o->err, from->path,
                        "'%s': there is another function of the name %.*s.", from->path,
                        TEXT_ARG(made.name));
    if (!shape(o, tool, from->path, &made.parameters))
        return false;
    made.barred = is_barred(o->chat, from, &made);
    o->chat->functions[o->chat->n_functions++] = made;
    return true;
}

/* ---- opening ---- */

static bool blame(const struct function *function, struct error *err)
{
    struct error why = *err;
    if (why.code != ERROR_INVALID_ARGUMENT && why.code != ERROR_NOT_FOUND)
        return false;
    error_at(err, function->path, "'%s': %s", function->path, why.message);
    err->code = why.code;
    return false;
}

static bool open_one(struct opening *o, const struct function *function)
{
    const struct tool *tools = NULL;
    int n = 0;
    o->call.settings = function->settings;
    if (!function->tool->open(function->tool, &o->call, &tools, &n, o->err))
        return blame(function, o->err);
    if (o->chat->n_functions + n > WIRE_FUNCTIONS)
        return error_at(o->err, function->path,
                        "'%s': with its tools there are more than the %d functions that "
                        "are possible.",
                        function->path, WIRE_FUNCTIONS);
    for (int i = 0; i < n; i++)
        if (!add(o, function, &tools[i]))
            return false;
    return true;
}

/* A history names tools as their servers do. */
static void name_past(const struct opening *o, struct part *part)
{
    for (int i = 0; part->server.len && i < o->chat->n_functions; i++) {
        const struct tool *tool = o->chat->functions[i].tool;
        if (tool && text_same(tool->server, part->server) &&
            text_same(tool->own_name, part->name)) {
            part->name = o->chat->functions[i].name;
            return;
        }
    }
}

static void name_all_past(const struct opening *o)
{
    for (int i = 0; i < o->chat->n_turns; i++)
        for (int k = 0; k < o->chat->turns[i].n_parts; k++)
            name_past(o, &o->chat->turns[i].parts[k]);
}

static bool check_callable(const struct opening *o)
{
    for (int i = 0; i < o->chat->n_callable; i++) {
        bool known = false;
        for (int k = 0; !known && k < o->chat->n_functions; k++) {
            const struct function *f = &o->chat->functions[k];
            known = text_same(f->name, o->chat->callable[i]) ||
                    (f->tool && text_same(f->tool->own_name, o->chat->callable[i]));
        }
        for (int k = 0; !known && k < o->n_old; k++)
            known = text_same(o->old[k].name, o->chat->callable[i]);
        if (!known)
            return error_at(o->err, "generation_config.tool_choice",
                            "'%.*s' is not among the tools.",
                            TEXT_ARG(text_slice(o->chat->callable[i], 0, 100)));
    }
    return true;
}

bool tools_open(struct chat *chat, int wait_s, const atomic_bool *cancelled,
                struct arena *arena, struct error *err)
{
    struct opening o = {
        .chat = chat,
        .old = chat->functions,
        .n_old = chat->n_functions,
        .call = {.until_ms = now_ms() + (int64_t)wait_s * 1000,
                 .cancelled = cancelled,
                 .arena = arena},
        .err = err,
    };
    if (!tools_are_closed(chat))
        return true;
    chat->functions = arena_array(arena, struct function,
                                  (size_t)WIRE_FUNCTIONS + (size_t)chat->n_functions);
    chat->n_functions = 0;
    for (int i = 0; i < o.n_old; i++) {
        if (!o.old[i].tool || !o.old[i].tool->open)
            chat->functions[chat->n_functions++] = o.old[i];
        else if (!open_one(&o, &o.old[i]))
            return false;
    }
    name_all_past(&o);
    return check_callable(&o);
}
