#include "chat/signature.h"
#include "chat/family.h"
#include "chat/strict.h"
#include "json/tree.h"

struct writer {
    struct buf *out;
    int depth; /* of objects, for the indentation */
};

static void put_type(struct writer *w, struct json_object *schema);

static void put_json(struct writer *w, struct json_object *value)
{
    struct buf json = {0};
    json_any_write(value, &json);
    family_write_json(buf_view(&json), w->out);
    buf_free(&json);
}

/* One line, whatever it was. */
static void put_line(struct writer *w, struct text text)
{
    for (size_t i = 0; i < text.len; i++)
        buf_char(w->out,
                 (char)(text.at[i] == '\n' || text.at[i] == '\r' ? ' ' : text.at[i]));
}

static void put_indent(struct writer *w)
{
    for (int i = 0; i < w->depth; i++)
        buf_str(w->out, "  ");
}

/* ---- types ---- */

static void put_joined(struct writer *w, struct json_object *array, const char *between,
                       void (*put)(struct writer *, struct json_object *))
{
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        buf_str(w->out, i ? between : "");
        put(w, json_object_array_get_idx(array, i));
    }
}

/* Of "#/$defs/Name": chat/refs.c leaves no others. */
static void put_ref(struct writer *w, struct json_object *ref)
{
    struct text text = tree_text(ref);
    static const size_t before = sizeof("#/$defs/") - 1;
    buf_text(w->out, text_slice(text, before, text.len));
}

static void put_any_of(struct writer *w, struct json_object *parts)
{
    put_joined(w, parts, " | ", put_type);
}

static void put_all_of(struct writer *w, struct json_object *parts)
{
    put_joined(w, parts, " & ", put_type);
}

static void put_enum(struct writer *w, struct json_object *values)
{
    put_joined(w, values, " | ", put_json);
}

static bool is_union(struct json_object *schema)
{
    return strict_get(schema, "enum") || strict_get(schema, "anyOf") ||
           strict_get(schema, "oneOf") || strict_get(schema, "allOf") ||
           json_object_is_type(strict_get(schema, "type"), json_type_array);
}

static void put_array(struct writer *w, struct json_object *schema)
{
    struct json_object *places = strict_get(schema, "prefixItems"),
                       *items = strict_get(schema, "items");
    if (json_object_is_type(places, json_type_array)) {
        buf_char(w->out, '[');
        put_joined(w, places, ", ", put_type);
        buf_char(w->out, ']');
        return;
    }
    bool closed = is_union(items);
    buf_str(w->out, closed ? "(" : "");
    put_type(w, items);
    buf_str(w->out, closed ? ")[]" : "[]");
}

static bool is_required(struct json_object *schema, const char *key)
{
    struct json_object *required = strict_get(schema, "required");
    if (!json_object_is_type(required, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(required); i++)
        if (text_is(tree_text(json_object_array_get_idx(required, i)), key))
            return true;
    return false;
}

/* What a type does not say: a description, and in brackets the rest. */
static void put_comment(struct writer *w, struct json_object *schema)
{
    static const char *const said[] = {
        "default",   "format",    "pattern",          "minimum",          "maximum",
        "minLength", "maxLength", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minItems",  "maxItems",  "minProperties",    "maxProperties",
    };
    struct text description = tree_text(strict_get(schema, "description"));
    const char *before = " // (", *end = "";
    if (description.len > 0) {
        buf_str(w->out, " // ");
        put_line(w, description);
        before = " (";
    }
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        struct json_object *value = strict_get(schema, said[i]);
        if (!value)
            continue;
        buf_printf(w->out, "%s%s: ", before, said[i]);
        put_json(w, value);
        before = ", ";
        end = ")";
    }
    buf_str(w->out, end);
}

static void put_property(struct writer *w, const char *key, const char *mark,
                         struct json_object *schema)
{
    put_indent(w);
    buf_printf(w->out, "%s%s: ", key, mark);
    put_type(w, schema);
    buf_char(w->out, ',');
    put_comment(w, schema);
    buf_char(w->out, '\n');
}

static void put_object(struct writer *w, struct json_object *schema)
{
    struct json_object *properties = strict_get(schema, "properties"),
                       *more = strict_get(schema, "additionalProperties");
    bool open = json_object_is_type(more, json_type_object);
    if (!open && (!properties || json_object_object_length(properties) == 0)) {
        buf_str(w->out, json_object_is_type(more, json_type_boolean) &&
                                !json_object_get_boolean(more)
                            ? "{}"
                            : "object");
        return;
    }
    buf_str(w->out, "{\n");
    w->depth++;
    for (struct lh_entry *e = tree_first(properties); e; e = e->next)
        put_property(w, tree_key(e), is_required(schema, tree_key(e)) ? "" : "?",
                     tree_value(e));
    if (open)
        put_property(w, "[key: string]", "", more);
    w->depth--;
    put_indent(w);
    buf_char(w->out, '}');
}

static void put_named(struct writer *w, struct text name, struct json_object *schema)
{
    if (text_is(name, "object"))
        put_object(w, schema);
    else if (text_is(name, "array"))
        put_array(w, schema);
    else
        buf_text(w->out, name);
}

static void put_own_type(struct writer *w, struct json_object *schema)
{
    struct json_object *type = strict_get(schema, "type");
    if (json_object_is_type(type, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(type); i++) {
            buf_str(w->out, i ? " | " : "");
            put_named(w, tree_text(json_object_array_get_idx(type, i)), schema);
        }
    } else if (type) {
        put_named(w, tree_text(type), schema);
    } else if (strict_get(schema, "properties")) {
        put_object(w, schema);
    } else {
        buf_str(w->out, "any");
    }
}

/* What stands beside these is narrowed by them, and not shown. */
static void put_type(struct writer *w, struct json_object *schema)
{
    static const struct {
        const char *keyword;
        void (*put)(struct writer *w, struct json_object *value);
    } kinds[] = {
        {"$ref", put_ref},     {"const", put_json},   {"enum", put_enum},
        {"anyOf", put_any_of}, {"oneOf", put_any_of},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct json_object *value = strict_get(schema, kinds[i].keyword);
        if (value) {
            kinds[i].put(w, value);
            return;
        }
    }
    struct json_object *parts = strict_get(schema, "allOf");
    if (!parts || strict_get(schema, "type"))
        put_own_type(w, schema);
    if (parts && strict_get(schema, "type"))
        buf_str(w->out, " & ");
    if (parts)
        put_all_of(w, parts);
}

/* ---- functions ---- */

struct text signature_of(const struct function *function, struct arena *arena)
{
    struct buf out = {0};
    struct writer w = {&out, 0};
    struct error err;
    struct json_object *schema = function->parameters.len > 0
                                     ? json_parse(arena, function->parameters, &err)
                                     : NULL;
    for (struct lh_entry *e = tree_first(strict_get(schema, "$defs")); e; e = e->next) {
        buf_printf(&out, "type %s = ", tree_key(e));
        put_type(&w, tree_value(e));
        buf_char(&out, '\n');
    }
    if (function->description.len > 0) {
        buf_str(&out, "/** ");
        put_line(&w, function->description);
        buf_str(&out, " */\n");
    }
    buf_printf(&out, "function %.*s(args: ", TEXT_ARG(function->name));
    if (schema)
        put_type(&w, schema);
    else
        buf_str(&out, "{}");
    buf_str(&out, ")\n");
    return arena_take(arena, &out);
}
