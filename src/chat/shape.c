/* A Schema is made into a JSON Schema with the same keys in the same places, so that what
 * strict.c then refuses has the path that the caller wrote. */
#include "chat/shape.h"
#include "chat/strict.h"
#include <stdlib.h>

struct reader {
    struct arena *arena;
    struct error *err;
    int depth;
};

static struct json_object *made(const struct reader *r, struct json_object *fresh)
{
    return tree_keep(r->arena, fresh);
}

static struct json_object *string(const struct reader *r, const char *text)
{
    return made(r, json_object_new_string(text));
}

static const char *below(const struct reader *r, const char *path, const char *name)
{
    return arena_printf(r->arena, "%s.%s", path, name).at;
}

static bool refuse(const struct reader *r, const char *path, const char *why)
{
    return error_at(r->err, path, "* GenerateContentRequest.%s: %s\n", path, why);
}

static struct json_object *read_schema(struct reader *r, struct json_object *schema,
                                       const char *path);

/* ---- the fields of a Schema ---- */

struct field {
    const char *name, *snake;
    bool (*read)(struct reader *r, const struct field *field, struct json_object *value,
                 const char *path, struct json_object *out);
    const char *as; /* JSON Schema's name */
};

static const char *const types[] = {NULL,      "string", "number", "integer",
                                    "boolean", "array",  "object", "null"};

/* The name of a type that is written in any case or as its number; "" for none. */
static const char *type_name(struct json_object *value)
{
    struct text text = tree_text(value);
    int number =
        json_object_is_type(value, json_type_int) ? json_object_get_int(value) : -1;
    if (number == 0 || (text.at && text_is_nocase(text, "TYPE_UNSPECIFIED")))
        return "";
    for (int i = 1; i < (int)(sizeof(types) / sizeof(*types)); i++)
        if (number == i || (text.at && text_is_nocase(text, types[i])))
            return types[i];
    return NULL;
}

static bool read_type(struct reader *r, const struct field *field,
                      struct json_object *value, const char *path,
                      struct json_object *out)
{
    const char *name = type_name(value);
    if (!name)
        return refuse(r, path,
                      "a type is one of STRING, NUMBER, INTEGER, BOOLEAN, "
                      "ARRAY, OBJECT, NULL");
    if (*name)
        strict_put(out, field->as, string(r, name));
    return true;
}

/* int64 and numbers may be written as strings. */
static bool read_number(struct reader *r, const struct field *field,
                        struct json_object *value, const char *path,
                        struct json_object *out)
{
    struct text text = tree_text(value);
    if (text.at) {
        char *end = NULL;
        double number = strtod(text.at, &end);
        if (text.len == 0 || end != text.at + text.len)
            return refuse(r, path, "a number is wanted");
        bool whole = !strpbrk(text.at, ".eEnNxX");
        value = made(r, whole ? json_object_new_int64(strtoll(text.at, NULL, 10))
                              : json_object_new_double(number));
    }
    strict_put(out, field->as, value);
    return true;
}

static bool read_same(struct reader *r, const struct field *field,
                      struct json_object *value, const char *path,
                      struct json_object *out)
{
    (void)r;
    (void)path;
    strict_put(out, field->as, value);
    return true;
}

static bool read_note(struct reader *r, const struct field *field,
                      struct json_object *value, const char *path,
                      struct json_object *out)
{
    (void)r;
    (void)field;
    (void)value;
    (void)path;
    (void)out;
    return true;
}

static bool read_one(struct reader *r, const struct field *field,
                     struct json_object *value, const char *path, struct json_object *out)
{
    if (json_object_is_type(value, json_type_boolean) &&
        strcmp(field->as, "additionalProperties") == 0) {
        strict_put(out, field->as, value);
        return true;
    }
    struct json_object *schema = read_schema(r, value, path);
    if (schema)
        strict_put(out, field->as, schema);
    return schema != NULL;
}

static bool read_map(struct reader *r, const struct field *field,
                     struct json_object *value, const char *path, struct json_object *out)
{
    struct json_object *map = made(r, json_object_new_object());
    if (!json_object_is_type(value, json_type_object))
        return refuse(r, path, "an object with schemas is wanted");
    for (struct lh_entry *e = tree_first(value); e; e = e->next) {
        const char *here = arena_printf(r->arena, "%s[%s]", path, tree_key(e)).at;
        struct json_object *one = read_schema(r, tree_value(e), here);
        if (!one)
            return false;
        strict_put(map, tree_key(e), one);
    }
    strict_put(out, field->as, map);
    return true;
}

static bool read_list(struct reader *r, const struct field *field,
                      struct json_object *value, const char *path,
                      struct json_object *out)
{
    struct json_object *list = made(r, json_object_new_array());
    if (!json_object_is_type(value, json_type_array))
        return refuse(r, path, "a list of schemas is wanted");
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        const char *here = arena_printf(r->arena, "%s[%zu]", path, i).at;
        struct json_object *one =
            read_schema(r, json_object_array_get_idx(value, i), here);
        if (!one)
            return false;
        strict_push(list, one);
    }
    strict_put(out, field->as, list);
    return true;
}

static bool read_ref(struct reader *r, const struct field *field,
                     struct json_object *value, const char *path, struct json_object *out)
{
    struct text ref = tree_text(value);
    if (!ref.at)
        return refuse(r, path, "a reference is wanted");
    if (text_starts(ref, "#/defs/"))
        ref = arena_printf(r->arena, "#/$defs/%.*s",
                           TEXT_ARG(text_slice(ref, strlen("#/defs/"), ref.len)));
    strict_put(out, field->as, string(r, arena_text(r->arena, ref).at));
    return true;
}

/* clang-format off */
static const struct field fields[] = {
    {"type",                 "type",                  read_type,   "type"},
    {"format",               "format",                read_same,   "format"},
    {"title",                "title",                 read_same,   "title"},
    {"description",          "description",           read_same,   "description"},
    {"default",              "default",               read_same,   "default"},
    {"example",              "example",               read_note,   NULL},
    {"nullable",             "nullable",              read_note,   NULL}, /* see fit_null */
    {"propertyOrdering",     "property_ordering",     read_note,   NULL}, /* see in_order */
    {"enum",                 "enum",                  read_same,   "enum"},
    {"items",                "items",                 read_one,    "items"},
    {"minItems",             "min_items",             read_number, "minItems"},
    {"maxItems",             "max_items",             read_number, "maxItems"},
    {"properties",           "properties",            read_map,    "properties"},
    {"required",             "required",              read_same,   "required"},
    {"minProperties",        "min_properties",        read_number, "minProperties"},
    {"maxProperties",        "max_properties",        read_number, "maxProperties"},
    {"additionalProperties", "additional_properties", read_one,    "additionalProperties"},
    {"minLength",            "min_length",            read_number, "minLength"},
    {"maxLength",            "max_length",            read_number, "maxLength"},
    {"pattern",              "pattern",               read_same,   "pattern"},
    {"minimum",              "minimum",               read_number, "minimum"},
    {"maximum",              "maximum",               read_number, "maximum"},
    {"anyOf",                "any_of",                read_list,   "anyOf"},
    {"ref",                  "$ref",                  read_ref,    "$ref"},
    {"defs",                 "$defs",                 read_map,    "$defs"},
};
/* clang-format on */

static const struct field *field_of(const char *name)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
        if (strcmp(fields[i].name, name) == 0 || strcmp(fields[i].snake, name) == 0)
            return &fields[i];
    return NULL;
}

/* In either spelling. */
static struct json_object *get(struct json_object *schema, const char *name)
{
    const struct field *field = field_of(name);
    struct json_object *value = strict_get(schema, field->name);
    return value ? value : strict_get(schema, field->snake);
}

/* ---- what several fields say together ---- */

static bool has_text(struct json_object *list, struct text text)
{
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (text_same(tree_text(json_object_array_get_idx(list, i)), text))
            return true;
    return false;
}

static bool check_names(const struct reader *r, struct json_object *list,
                        struct json_object *properties, const char *path)
{
    if (!json_object_is_type(list, json_type_array))
        return refuse(r, path, "a list of names is wanted");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct text name = tree_text(json_object_array_get_idx(list, i));
        if (!name.at || !strict_has(properties, name.at))
            return refuse(r, arena_printf(r->arena, "%s[%zu]", path, i).at,
                          "it names no property of this schema");
    }
    return true;
}

/* The properties in the order that propertyOrdering tells, then the others. */
static bool in_order(const struct reader *r, struct json_object *schema, const char *path,
                     struct json_object *out)
{
    struct json_object *order = get(schema, "propertyOrdering");
    struct json_object *properties = strict_get(out, "properties");
    struct json_object *ordered = made(r, json_object_new_object());
    if (!order)
        return true;
    if (!check_names(r, order, properties, below(r, path, "property_ordering")))
        return false;
    for (size_t i = 0; i < json_object_array_length(order); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(order, i));
        strict_put(ordered, name, strict_get(properties, name));
    }
    for (struct lh_entry *e = properties ? tree_first(properties) : NULL; e; e = e->next)
        if (!has_text(order, text_of(tree_key(e))))
            strict_put(ordered, tree_key(e), tree_value(e));
    if (properties)
        strict_put(out, "properties", ordered);
    return true;
}

/* An enum's values are strings on the wire, of whatever type they are. */
static bool read_values(const struct reader *r, struct json_object *out, const char *path)
{
    struct json_object *list = strict_get(out, "enum"),
                       *numbers = made(r, json_object_new_array());
    struct text type = tree_text(strict_get(out, "type"));
    if (!list || !json_object_is_type(list, json_type_array) || !type.at ||
        !(text_is(type, "integer") || text_is(type, "number")))
        return true;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        static const struct field value = {.as = "value"};
        struct json_object *one = made(r, json_object_new_object());
        struct reader copy = *r;
        const char *here = arena_printf(r->arena, "%s.enum[%zu]", path, i).at;
        if (!read_number(&copy, &value, json_object_array_get_idx(list, i), here, one))
            return false;
        strict_push(numbers, strict_get(one, "value"));
    }
    strict_put(out, "enum", numbers);
    return true;
}

static struct json_object *copy_with(const struct reader *r, struct json_object *list,
                                     struct json_object *more)
{
    struct json_object *copy = made(r, json_object_new_array());
    for (size_t i = 0;
         json_object_is_type(list, json_type_array) && i < json_object_array_length(list);
         i++)
        strict_push(copy, json_object_array_get_idx(list, i));
    strict_push(copy, more);
    return copy;
}

static void fit_null(const struct reader *r, struct json_object *out)
{
    struct json_object *type = strict_get(out, "type"), *any = strict_get(out, "anyOf");
    struct json_object *null = made(r, json_object_new_object());
    strict_put(null, "type", string(r, "null"));
    if (type) {
        struct json_object *pair = copy_with(r, NULL, type);
        strict_put(out, "type", copy_with(r, pair, string(r, "null")));
    }
    if (any)
        strict_put(out, "anyOf", copy_with(r, any, null));
    if (strict_get(out, "enum"))
        strict_put(out, "enum", copy_with(r, strict_get(out, "enum"), NULL));
}

/* What a schema without a type is about. */
static void fit_type(const struct reader *r, struct json_object *out)
{
    static const struct hint {
        const char *field, *type;
    } hints[] = {{"properties", "object"}, {"items", "array"}, {"enum", "string"}};
    for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++)
        if (!strict_has(out, "type") && !strict_has(out, "anyOf") &&
            strict_has(out, hints[i].field))
            strict_put(out, "type", string(r, hints[i].type));
}

static bool is_true(struct json_object *value)
{
    struct text text = tree_text(value);
    return text.at ? text_is_nocase(text, "true")
                   : json_object_is_type(value, json_type_boolean) &&
                         json_object_get_boolean(value);
}

static bool fit(const struct reader *r, struct json_object *schema, const char *path,
                struct json_object *out)
{
    fit_type(r, out);
    if (!in_order(r, schema, path, out) || !read_values(r, out, path))
        return false;
    if (strict_has(out, "required") && strict_has(out, "properties") &&
        !check_names(r, strict_get(out, "required"), strict_get(out, "properties"),
                     below(r, path, "required")))
        return false;
    if (strict_has(out, "properties") && !strict_has(out, "additionalProperties"))
        strict_put(out, "additionalProperties", made(r, json_object_new_boolean(0)));
    if (is_true(get(schema, "nullable")))
        fit_null(r, out);
    return true;
}

static struct json_object *read_schema(struct reader *r, struct json_object *schema,
                                       const char *path)
{
    struct json_object *out = made(r, json_object_new_object());
    if (!json_object_is_type(schema, json_type_object) || r->depth >= STRICT_DEPTH) {
        refuse(r, path,
               r->depth >= STRICT_DEPTH ? "too many schemas in one another"
                                        : "a schema is wanted: an object");
        return NULL;
    }
    r->depth++;
    for (struct lh_entry *e = tree_first(schema); e; e = e->next) {
        const struct field *field = field_of(tree_key(e));
        if (!tree_value(e) || strncmp(tree_key(e), "x-", 2) == 0)
            continue;
        if (!field) {
            error_at(r->err, path,
                     "Invalid JSON payload received. Unknown name \"%.100s\" at '%s': "
                     "Cannot find field.",
                     tree_key(e), path);
            return NULL;
        }
        if (!field->read(r, field, tree_value(e), below(r, path, field->snake), out))
            return NULL;
    }
    r->depth--;
    return fit(r, schema, path, out) ? out : NULL;
}

/* ---- what the header offers ---- */

bool shape_of_schema(struct json_object *schema, const char *path, struct arena *arena,
                     struct text *out, struct error *err)
{
    struct reader r = {.arena = arena, .err = err};
    struct json_object *same = read_schema(&r, schema, path);
    return same && strict_write(same, path, true, arena, out, err);
}

bool shape_of_json_schema(struct json_object *schema, const char *path,
                          struct arena *arena, struct text *out, struct error *err)
{
    return strict_write(schema, path, false, arena, out, err);
}

bool shape_choices(struct json_object *schema, const char *path, struct arena *arena,
                   struct shape *shape, struct error *err)
{
    struct reader r = {.arena = arena, .err = err};
    struct json_object *list = strict_get(schema, "enum");
    const char *here = below(&r, path, "enum");
    if (!json_object_is_type(list, json_type_array) ||
        json_object_array_length(list) == 0)
        return refuse(&r, here, "text/x.enum needs the values to choose from");
    size_t n = json_object_array_length(list);
    shape->choices = arena_array(arena, struct text, n);
    shape->n_choices = 0;
    for (size_t i = 0; i < n; i++) {
        struct text choice = tree_text(json_object_array_get_idx(list, i));
        if (choice.len == 0)
            return refuse(&r, arena_printf(arena, "%s[%zu]", here, i).at,
                          "a text is wanted, and not an empty one");
        int same = 0;
        while (same < shape->n_choices && !text_same(shape->choices[same], choice))
            same++;
        if (same == shape->n_choices)
            shape->choices[shape->n_choices++] = arena_text(arena, choice);
    }
    shape->kind = ANSWER_CHOICE;
    return true;
}
