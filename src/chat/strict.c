/* A table says what is done with each keyword. A schema's keywords are walked in the
 * order in which they stand, since the order of properties follows from it; what old
 * drafts or conditions say is put behind, as parts of an allOf. */
#include "chat/strict.h"
#include "chat/apart.h"
#include "chat/object_keys.h"
#include "chat/refs.h"
#include "chat/value_keys.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- trees ---- */

struct json_object *strict_made(struct walk *w, struct json_object *fresh)
{
    return tree_keep(w->arena, fresh);
}

struct json_object *strict_object(struct walk *w)
{
    return strict_made(w, json_object_new_object());
}

struct json_object *strict_array(struct walk *w)
{
    return strict_made(w, json_object_new_array());
}

struct json_object *strict_bool(struct walk *w, bool is)
{
    return strict_made(w, json_object_new_boolean(is));
}

struct json_object *strict_get(struct json_object *schema, const char *keyword)
{
    struct json_object *value = NULL;
    if (json_object_is_type(schema, json_type_object))
        json_object_object_get_ex(schema, keyword, &value);
    return value;
}

bool strict_has(struct json_object *schema, const char *keyword)
{
    return json_object_is_type(schema, json_type_object) &&
           json_object_object_get_ex(schema, keyword, NULL);
}

void strict_put(struct json_object *object, const char *key, struct json_object *value)
{
    json_object_object_add(object, key, json_object_get(value));
}

void strict_push(struct json_object *array, struct json_object *value)
{
    json_object_array_add(array, json_object_get(value));
}

struct json_object *strict_pair(struct walk *w, const char *keyword,
                                struct json_object *a, struct json_object *b)
{
    struct json_object *list = strict_array(w), *schema = strict_object(w);
    strict_push(list, a);
    if (b)
        strict_push(list, b);
    strict_put(schema, keyword, list);
    return schema;
}

bool strict_is_false(struct json_object *schema)
{
    return json_object_is_type(schema, json_type_boolean) &&
           !json_object_get_boolean(schema);
}

/* ---- paths and refusals ---- */

static void add_keyword(struct walk *w, const char *keyword)
{
    buf_char(&w->path, '.');
    for (const char *c = keyword; *c; c++) {
        if (w->snake && *c >= 'A' && *c <= 'Z')
            buf_printf(&w->path, "_%c", *c | 0x20);
        else
            buf_char(&w->path, *c);
    }
}

bool strict_refuse(struct walk *w, const char *keyword, const char *format, ...)
{
    char words[400];
    va_list args;
    size_t mark = w->path.len;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    if (keyword)
        add_keyword(w, keyword);
    error_at(w->err, w->path.at, "* GenerateContentRequest.%s: %s\n", w->path.at, words);
    buf_cut(&w->path, mark);
    return false;
}

/* One step down: what refers from below to above is no circle. */
struct json_object *strict_below(struct walk *w, const char *keyword, const char *key,
                                 int index, struct json_object *schema)
{
    size_t mark = w->path.len;
    const struct target *within = w->within;
    w->within = NULL;
    add_keyword(w, keyword);
    if (key)
        buf_printf(&w->path, "[%s]", key);
    else if (index >= 0)
        buf_printf(&w->path, "[%d]", index);
    struct json_object *out = strict_walk(w, schema);
    w->within = within;
    buf_cut(&w->path, mark);
    return out;
}

struct json_object *strict_beside(struct walk *w, const char *keyword, int index,
                                  struct json_object *schema)
{
    size_t mark = w->path.len;
    add_keyword(w, keyword);
    if (index >= 0)
        buf_printf(&w->path, "[%d]", index);
    struct json_object *out = strict_walk(w, schema);
    buf_cut(&w->path, mark);
    return out;
}

/* ---- types and values ---- */

static const struct type_name {
    const char *name;
    int bits;
} type_names[] = {
    {"null", IS_NULL},       {"boolean", IS_BOOLEAN}, {"string", IS_STRING},
    {"array", IS_ARRAY},     {"object", IS_OBJECT},   {"number", IS_NUMBER},
    {"integer", IS_INTEGER}, {"any", IS_ANY},
};

int strict_type(struct json_object *name)
{
    struct text text = tree_text(name);
    for (size_t i = 0; text.at && i < sizeof(type_names) / sizeof(*type_names); i++)
        if (text_is(text, type_names[i].name))
            return type_names[i].bits;
    return 0;
}

int strict_types(struct json_object *schema)
{
    struct json_object *type = strict_get(schema, "type");
    int bits = 0;
    if (!type)
        return IS_ANY;
    if (!json_object_is_type(type, json_type_array))
        return strict_type(type);
    for (size_t i = 0; i < json_object_array_length(type); i++)
        bits |= strict_type(json_object_array_get_idx(type, i));
    return bits;
}

int strict_type_of(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return IS_NULL;
    case json_type_boolean:
        return IS_BOOLEAN;
    case json_type_double: {
        double n = json_object_get_double(value);
        return n == floor(n) ? IS_INTEGER : IS_FRACTION;
    }
    case json_type_int:
        return IS_INTEGER;
    case json_type_string:
        return IS_STRING;
    case json_type_array:
        return IS_ARRAY;
    default:
        return IS_OBJECT;
    }
}

struct json_object *strict_typed(struct walk *w, int types)
{
    struct json_object *schema = strict_object(w), *list = strict_array(w);
    for (size_t i = 0; i < sizeof(type_names) / sizeof(*type_names); i++) {
        int bits = type_names[i].bits;
        bool skip = bits == IS_ANY || (bits == IS_INTEGER && (types & IS_FRACTION));
        if (!skip && (types & bits) == bits)
            strict_push(list, strict_made(w, json_object_new_string(type_names[i].name)));
    }
    if (json_object_array_length(list) == 1)
        list = json_object_array_get_idx(list, 0);
    strict_put(schema, "type", list);
    return schema;
}

/* ---- arrays ---- */

static struct json_object *walk_list(struct walk *w, const char *keyword,
                                     struct json_object *list, bool below)
{
    struct json_object *out = strict_array(w);
    if (!json_object_is_type(list, json_type_array)) {
        strict_refuse(w, keyword, "a list of schemas is wanted");
        return NULL;
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        one = below ? strict_below(w, keyword, NULL, (int)i, one)
                    : strict_beside(w, keyword, (int)i, one);
        if (!one)
            return NULL;
        strict_push(out, one);
    }
    return out;
}

bool strict_put_below(struct walk *w, struct node *node, const char *keyword,
                      const char *as)
{
    if (!strict_has(node->in, keyword))
        return true;
    struct json_object *one =
        strict_below(w, keyword, NULL, -1, strict_get(node->in, keyword));
    if (one)
        strict_put(node->out, as, one);
    return one != NULL;
}

static bool put_tuple(struct walk *w, struct node *node, const char *keyword)
{
    struct json_object *list = walk_list(w, keyword, strict_get(node->in, keyword), true);
    if (list && json_object_array_length(list) > 0)
        strict_put(node->out, "prefixItems", list);
    return list != NULL;
}

/* A list of items is what prefixItems is today, and additionalItems the items then. */
static bool read_array(struct walk *w, struct node *node, const struct keyword *keyword,
                       struct json_object *value)
{
    (void)keyword;
    (void)value;
    if (node->array_done)
        return true;
    node->array_done = true;
    if (json_object_is_type(strict_get(node->in, "items"), json_type_array))
        return put_tuple(w, node, "items") &&
               strict_put_below(w, node, "additionalItems", "items");
    if (strict_has(node->in, "prefixItems") && !put_tuple(w, node, "prefixItems"))
        return false;
    return strict_put_below(w, node, "items", "items");
}

/* ---- schemas side by side ---- */

static bool read_all(struct walk *w, struct node *node, const struct keyword *keyword,
                     struct json_object *value)
{
    struct json_object *list = walk_list(w, keyword->name, value, false);
    for (size_t i = 0; list && i < json_object_array_length(list); i++)
        strict_push(node->also, json_object_array_get_idx(list, i));
    if (list)
        strict_put(node->out, "allOf", node->also); /* in its place */
    return list != NULL;
}

static bool read_any(struct walk *w, struct node *node, const struct keyword *keyword,
                     struct json_object *value)
{
    struct json_object *list = walk_list(w, keyword->name, value, false);
    if (list && json_object_array_length(list) == 0)
        return strict_refuse(w, keyword->name, "no schema is named, so no value can be");
    if (list)
        strict_put(node->out, "anyOf", list);
    return list != NULL;
}

static bool read_one(struct walk *w, struct node *node, const struct keyword *keyword,
                     struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array) ||
        json_object_array_length(value) == 0)
        return strict_refuse(w, keyword->name, "a list of schemas is wanted");
    struct json_object *list = walk_list(w, keyword->name, value, false);
    struct json_object *one = list ? apart_one_of(w, value, list) : NULL;
    if (one && strict_has(node->in, "anyOf"))
        strict_push(node->also, one);
    else if (one)
        strict_put(node->out, "anyOf", strict_get(one, "anyOf"));
    return one != NULL;
}

static bool read_not(struct walk *w, struct node *node, const struct keyword *keyword,
                     struct json_object *value)
{
    bool all = true;
    struct json_object *other = apart_from(w, value, &all);
    if (!other)
        return strict_refuse(w, keyword->name,
                             "answers cannot be held to the opposite of this schema");
    strict_push(node->also, other);
    return true;
}

static struct json_object *walk_or_true(struct walk *w, struct node *node,
                                        const char *keyword)
{
    if (!strict_has(node->in, keyword))
        return strict_bool(w, true);
    return strict_beside(w, keyword, -1, strict_get(node->in, keyword));
}

/* Either the condition and what follows from it, or its opposite and what follows from
 * that; as far as the opposite cannot be said: what follows from both. */
static bool read_if(struct walk *w, struct node *node, const struct keyword *keyword,
                    struct json_object *value)
{
    bool all = true;
    struct json_object *condition = strict_beside(w, keyword->name, -1, value);
    struct json_object *then = walk_or_true(w, node, "then");
    struct json_object *otherwise = walk_or_true(w, node, "else");
    if (!condition || !then || !otherwise)
        return false;
    struct json_object *opposite = apart_from(w, value, &all);
    struct json_object *any =
        strict_pair(w, "anyOf", strict_pair(w, "allOf", condition, then), NULL);
    struct json_object *options = strict_get(any, "anyOf");
    if (opposite)
        strict_push(options, strict_pair(w, "allOf", opposite, otherwise));
    if (!opposite || !all)
        strict_push(options, strict_pair(w, "allOf", then, otherwise));
    strict_push(node->also, any);
    return true;
}

/* ---- the table ---- */

static bool refuse(struct walk *w, struct node *node, const struct keyword *keyword,
                   struct json_object *value)
{
    (void)node;
    if (strict_is_false(value))
        return true;
    return strict_refuse(w, keyword->name, "answers cannot be held to %s: %s",
                         keyword->name, keyword->why);
}

/* A model reads it, a grammar does not. */
static bool keep(struct walk *w, struct node *node, const struct keyword *keyword,
                 struct json_object *value)
{
    (void)w;
    strict_put(node->out, keyword->name, value);
    return true;
}

/* clang-format off */
static const struct keyword keywords[] = {
    {"title",                keep,                 NULL},
    {"description",          keep,                 NULL},
    {"default",              keep,                 NULL},
    {"type",                 value_keys_type,      NULL},
    {"enum",                 value_keys_enum,      NULL},
    {"const",                value_keys_const,     NULL},
    {"minimum",              value_keys_bound,     NULL},
    {"maximum",              value_keys_bound,     NULL},
    {"multipleOf",           value_keys_bound,     NULL},
    {"exclusiveMinimum",     value_keys_exclusive, NULL},
    {"exclusiveMaximum",     value_keys_exclusive, NULL},
    {"minLength",            value_keys_count,     NULL},
    {"maxLength",            value_keys_count,     NULL},
    {"pattern",              value_keys_pattern,   NULL},
    {"format",               value_keys_format,    NULL},
    {"items",                read_array,     NULL},
    {"prefixItems",          read_array,     NULL},
    {"minItems",             value_keys_count,     NULL},
    {"maxItems",             value_keys_count,     NULL},
    {"properties",           object_keys_read,    NULL},
    {"patternProperties",    object_keys_read,    NULL},
    {"additionalProperties", object_keys_read,    NULL},
    {"required",             object_keys_read,    NULL},
    {"minProperties",        object_keys_read,    NULL},
    {"maxProperties",        object_keys_read,    NULL},
    {"propertyNames",        object_keys_names,     NULL},
    {"dependentRequired",    object_keys_dependent, NULL},
    {"dependentSchemas",     object_keys_dependent, NULL},
    {"dependencies",         object_keys_dependent, NULL},
    {"allOf",                read_all,       NULL},
    {"anyOf",                read_any,       NULL},
    {"oneOf",                read_one,       NULL},
    {"not",                  read_not,       NULL},
    {"if",                   read_if,        NULL},
    {"$ref",                 refs_read,       NULL},
    {"uniqueItems",          refuse, "what an item may be depends on all before it"},
    {"contains",             refuse, "whether an item is needed depends on all before it"},
    {"unevaluatedItems",     refuse, "give items or prefixItems instead"},
    {"unevaluatedProperties", refuse, "give additionalProperties instead"},
    {"$dynamicRef",          refuse, "give $ref instead"},
    {"$recursiveRef",        refuse, "give $ref instead"},
};
/* clang-format on */

static const struct keyword *keyword_of(const char *name)
{
    for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
        if (strcmp(keywords[i].name, name) == 0)
            return &keywords[i];
    return NULL; /* a note to the reader */
}

static struct json_object *walk_object(struct walk *w, struct json_object *schema)
{
    struct node node = {.in = schema, .out = strict_object(w), .also = strict_array(w)};
    for (struct lh_entry *e = tree_first(schema); e; e = e->next) {
        const struct keyword *keyword = keyword_of(tree_key(e));
        if (keyword && !(keyword->read(w, &node, keyword, tree_value(e))))
            return NULL;
    }
    if (!value_keys_check(w, &node, "minLength", "maxLength") ||
        !value_keys_check(w, &node, "minItems", "maxItems"))
        return NULL;
    if (json_object_array_length(node.also) > 0)
        strict_put(node.out, "allOf", node.also);
    return node.impossible ? strict_bool(w, false) : node.out;
}

struct json_object *strict_walk(struct walk *w, struct json_object *schema)
{
    if (json_object_is_type(schema, json_type_boolean))
        return schema;
    if (!json_object_is_type(schema, json_type_object)) {
        strict_refuse(w, NULL, "a schema is wanted: an object");
        return NULL;
    }
    if (++w->n_nodes > STRICT_NODES || w->depth >= STRICT_DEPTH) {
        strict_refuse(w, NULL,
                      w->depth >= STRICT_DEPTH ? "more than %d schemas in one another"
                                               : "more than %d schemas",
                      w->depth >= STRICT_DEPTH ? STRICT_DEPTH : STRICT_NODES);
        return NULL;
    }
    w->depth++;
    struct json_object *out = walk_object(w, schema);
    w->depth--;
    return out;
}

/* ---- what has no end ---- */

/* Whether a value that keeps to it would hold another that does, and so on. `within`: the
 * definitions that are being looked at, as keys. */
static bool endless(struct walk *w, struct json_object *schema,
                    struct json_object *within);

static bool any_endless(struct walk *w, struct json_object *list, size_t n,
                        struct json_object *within)
{
    for (size_t i = 0; i < n && i < json_object_array_length(list); i++)
        if (endless(w, json_object_array_get_idx(list, i), within))
            return true;
    return false;
}

static bool endless_options(struct walk *w, struct json_object *list,
                            struct json_object *within)
{
    size_t i = 0, n = json_object_array_length(list);
    while (i < n && endless(w, json_object_array_get_idx(list, i), within))
        i++;
    return n > 0 && i == n;
}

static bool endless_object(struct walk *w, struct json_object *schema,
                           struct json_object *within)
{
    struct json_object *required = strict_get(schema, "required"),
                       *properties = strict_get(schema, "properties");
    for (size_t i = 0; required && i < json_object_array_length(required); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(required, i));
        if (endless(w, strict_get(properties, name), within))
            return true;
    }
    return false;
}

static bool endless_array(struct walk *w, struct json_object *schema,
                          struct json_object *within)
{
    struct json_object *tuple = strict_get(schema, "prefixItems");
    size_t least = (size_t)json_object_get_int64(strict_get(schema, "minItems"));
    size_t n = tuple ? json_object_array_length(tuple) : 0;
    return (tuple && any_endless(w, tuple, least, within)) ||
           (least > n && endless(w, strict_get(schema, "items"), within));
}

static bool endless_ref(struct walk *w, struct json_object *schema,
                        struct json_object *within)
{
    const char *ref = json_object_get_string(strict_get(schema, "$ref"));
    const char *name = ref + strlen("#/$defs/");
    if (strict_has(within, name))
        return true;
    strict_put(within, name, NULL);
    bool is = endless(w, strict_get(w->defs, name), within);
    json_object_object_del(within, name);
    return is;
}

static bool endless(struct walk *w, struct json_object *schema,
                    struct json_object *within)
{
    if (!json_object_is_type(schema, json_type_object) || ++w->n_looks > STRICT_NODES)
        return false;
    struct json_object *all = strict_get(schema, "allOf"),
                       *any = strict_get(schema, "anyOf");
    int types = strict_types(schema);
    return (strict_has(schema, "$ref") && endless_ref(w, schema, within)) ||
           (all && any_endless(w, all, SIZE_MAX, within)) ||
           (any && endless_options(w, any, within)) ||
           (types == IS_OBJECT && endless_object(w, schema, within)) ||
           (types == IS_ARRAY && endless_array(w, schema, within));
}

/* Definitions that no finite value keeps to become false, so that no answer enters them.
 */
static bool bar_endless(struct walk *w, struct json_object *root)
{
    struct json_object *within = strict_object(w), *barred = strict_array(w);
    if (endless(w, root, within))
        return strict_refuse(w, NULL,
                             "every value of it would hold another of its kind, "
                             "without end");
    for (struct lh_entry *e = tree_first(w->defs); e; e = e->next) {
        strict_put(within, tree_key(e), NULL);
        if (endless(w, tree_value(e), within))
            strict_push(barred, strict_made(w, json_object_new_string(tree_key(e))));
        json_object_object_del(within, tree_key(e));
    }
    for (size_t i = 0; i < json_object_array_length(barred); i++)
        strict_put(w->defs, json_object_get_string(json_object_array_get_idx(barred, i)),
                   strict_bool(w, false));
    return true;
}

/* ---- the whole ---- */

static int depth_of(struct json_object *value)
{
    int most = 0, depth;
    if (json_object_is_type(value, json_type_object)) {
        for (struct lh_entry *e = tree_first(value); e; e = e->next)
            if ((depth = depth_of(tree_value(e))) > most)
                most = depth;
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if ((depth = depth_of(json_object_array_get_idx(value, i))) > most)
                most = depth;
    }
    return most + 1;
}

/* Separators as models write them; nothing else between the tokens of an answer. It comes
 * last: llguidance takes the key out and puts the last one in its place, which would
 * change the order of properties. */
static const char *const guidance =
    "\"x-guidance\":{\"whitespace_flexible\":false,\"item_separator\":\", \","
    "\"key_separator\":\": \"}}";

enum { OUT_DEPTH = 120 }; /* serde_json reads 127 */

static bool write_out(struct walk *w, struct json_object *out, struct text *text)
{
    struct buf json = {0};
    if (strict_is_false(out))
        return strict_refuse(w, NULL, "no value is valid against this schema");
    if (json_object_is_type(out, json_type_boolean))
        out = strict_object(w);
    if (json_object_object_length(w->defs) > 0)
        strict_put(out, "$defs", w->defs);
    if (depth_of(out) > OUT_DEPTH)
        return strict_refuse(w, NULL, "the schema is nested too deeply");
    json_any_write(out, &json);
    struct text most = text_slice(buf_view(&json), 0, json.len - 1);
    *text = arena_printf(w->arena, "%.*s%s%s", TEXT_ARG(most), most.len > 1 ? "," : "",
                         guidance);
    buf_free(&json);
    return true;
}

bool strict_write(struct json_object *schema, const char *path, bool snake,
                  struct arena *arena, struct text *out, struct error *err)
{
    struct walk w = {.arena = arena, .err = err, .snake = snake, .root = schema};
    w.defs = strict_object(&w);
    buf_str(&w.path, path);
    struct json_object *strict = strict_walk(&w, schema);
    bool good = strict && bar_endless(&w, strict) && write_out(&w, strict, out);
    buf_free(&w.path);
    return good;
}
