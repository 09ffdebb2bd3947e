/* A table says what is done with each keyword. A schema's keywords are walked in the
 * order in which they stand, since the order of properties follows from it; what old
 * drafts or conditions say is put behind, as parts of an allOf. */
#include "chat/strict.h"
#include "chat/apart.h"
#include "chat/pattern.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A definition that some $ref names. */
struct target {
    struct target *next;
    struct json_object *schema;
    struct text name;            /* in $defs */
    const struct target *within; /* while it is walked */
};

struct node {
    struct json_object *in, *out;
    struct json_object *also; /* array: more that must hold */
    bool object_done, array_done;
};

struct keyword {
    const char *name;
    bool (*read)(struct walk *w, struct node *node, const struct keyword *keyword,
                 struct json_object *value);
    const char *why; /* what cannot be held to */
};

/* ---- trees ---- */

static void put_tree(void *tree)
{
    json_object_put(tree);
}

struct json_object *strict_made(struct walk *w, struct json_object *fresh)
{
    arena_defer(w->arena, put_tree, fresh);
    return fresh;
}

static struct json_object *new_object(struct walk *w)
{
    return strict_made(w, json_object_new_object());
}

static struct json_object *new_array(struct walk *w)
{
    return strict_made(w, json_object_new_array());
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
    struct json_object *list = new_array(w), *schema = new_object(w);
    strict_push(list, a);
    if (b)
        strict_push(list, b);
    strict_put(schema, keyword, list);
    return schema;
}

static bool is_false(struct json_object *schema)
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

static void back_to(struct walk *w, size_t mark)
{
    w->path.len = mark;
    w->path.at[mark] = '\0';
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
    back_to(w, mark);
    return false;
}

/* One step down: what refers from below to above is no circle. */
static struct json_object *walk_below(struct walk *w, const char *keyword,
                                      const char *key, int index,
                                      struct json_object *schema)
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
    back_to(w, mark);
    return out;
}

static struct json_object *walk_beside(struct walk *w, const char *keyword, int index,
                                       struct json_object *schema)
{
    size_t mark = w->path.len;
    add_keyword(w, keyword);
    if (index >= 0)
        buf_printf(&w->path, "[%d]", index);
    struct json_object *out = strict_walk(w, schema);
    back_to(w, mark);
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

static int type_bits(struct json_object *name)
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
        return type_bits(type);
    for (size_t i = 0; i < json_object_array_length(type); i++)
        bits |= type_bits(json_object_array_get_idx(type, i));
    return bits;
}

struct json_object *strict_typed(struct walk *w, int types)
{
    struct json_object *schema = new_object(w), *list = new_array(w);
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

static bool read_type(struct walk *w, struct node *node, const struct keyword *keyword,
                      struct json_object *value)
{
    bool list = json_object_is_type(value, json_type_array);
    size_t n = list ? json_object_array_length(value) : 1;
    for (size_t i = 0; i < n; i++)
        if (!type_bits(list ? json_object_array_get_idx(value, i) : value))
            return strict_refuse(w, keyword->name,
                                 "a type is one of null, boolean, string, number, "
                                 "integer, array, object");
    if (n == 0)
        return strict_refuse(w, keyword->name, "no type is named, so no value can be");
    int bits = strict_types(node->in);
    if (bits != IS_ANY)
        strict_put(node->out, "type", strict_get(strict_typed(w, bits), "type"));
    return true;
}

/* Numbers are doubles in the grammar: what is not exact as one would be another number.
 */
static bool is_exact(struct json_object *value)
{
    if (json_object_is_type(value, json_type_int))
        return llabs(json_object_get_int64(value)) <= (1LL << 53);
    return !json_object_is_type(value, json_type_double) || tree_is_sound(value);
}

static bool check_value(struct walk *w, const char *keyword, struct json_object *value)
{
    if (++w->n_values > STRICT_VALUES)
        return strict_refuse(w, keyword, "more than %d values of enums in one schema",
                             STRICT_VALUES);
    if (!is_exact(value))
        return strict_refuse(w, keyword, "a number of more than 53 bits");
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (!check_value(w, keyword, json_object_array_get_idx(value, i)))
                return false;
    } else if (json_object_is_type(value, json_type_object)) {
        for (struct lh_entry *e = tree_first(value); e; e = e->next)
            if (!check_value(w, keyword, tree_value(e)))
                return false;
    }
    return true;
}

static bool read_enum(struct walk *w, struct node *node, const struct keyword *keyword,
                      struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array) ||
        json_object_array_length(value) == 0)
        return strict_refuse(w, keyword->name, "a list of at least one value is wanted");
    if (!check_value(w, keyword->name, value))
        return false;
    strict_put(node->out, "enum", value);
    return true;
}

static bool read_const(struct walk *w, struct node *node, const struct keyword *keyword,
                       struct json_object *value)
{
    if (!check_value(w, keyword->name, value))
        return false;
    strict_put(node->out, "const", value);
    return true;
}

/* ---- numbers and strings ---- */

static bool read_bound(struct walk *w, struct node *node, const struct keyword *keyword,
                       struct json_object *value)
{
    bool number = json_object_is_type(value, json_type_int) ||
                  json_object_is_type(value, json_type_double);
    if (!number || !is_exact(value))
        return strict_refuse(w, keyword->name,
                             number ? "a number of more than 53 bits"
                                    : "a number is wanted");
    if (strcmp(keyword->name, "multipleOf") == 0 && json_object_get_double(value) <= 0)
        return strict_refuse(w, keyword->name, "a number above 0 is wanted");
    strict_put(node->out, keyword->name, value);
    double least = json_object_get_double(strict_get(node->in, "minimum"));
    double most = json_object_get_double(strict_get(node->in, "maximum"));
    if (strcmp(keyword->name, "maximum") == 0 && strict_get(node->in, "minimum") &&
        least > most)
        return strict_refuse(w, keyword->name, "minimum is %g: no number lies between",
                             least);
    return true;
}

/* In draft 4 it is true or false and speaks of minimum, or maximum. */
static bool read_exclusive(struct walk *w, struct node *node,
                           const struct keyword *keyword, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_boolean))
        return read_bound(w, node, keyword, value);
    const char *of =
        strcmp(keyword->name, "exclusiveMinimum") == 0 ? "minimum" : "maximum";
    struct json_object *bound = strict_get(node->in, of);
    if (json_object_get_boolean(value) && bound)
        strict_put(node->out, keyword->name, bound);
    return true;
}

static bool read_count(struct walk *w, struct node *node, const struct keyword *keyword,
                       struct json_object *value)
{
    double n = json_object_get_double(value);
    bool number = json_object_is_type(value, json_type_int) ||
                  json_object_is_type(value, json_type_double);
    if (!number || n < 0 || n != floor(n) || n > 1e9)
        return strict_refuse(w, keyword->name,
                             "a whole number from 0 to 1000000000 is "
                             "wanted");
    strict_put(node->out, keyword->name,
               strict_made(w, json_object_new_int64((int64_t)n)));
    return true;
}

/* A pair of bounds that no value can keep. */
static bool check_counts(struct walk *w, struct node *node, const char *least,
                         const char *most)
{
    struct json_object *min = strict_get(node->out, least),
                       *max = strict_get(node->out, most);
    if (min && max && json_object_get_int64(min) > json_object_get_int64(max))
        return strict_refuse(w, most, "%s is larger: nothing can be both", least);
    return true;
}

static bool read_pattern(struct walk *w, struct node *node, const struct keyword *keyword,
                         struct json_object *value)
{
    const char *why = NULL;
    struct buf words = {0};
    struct text pattern = tree_text(value);
    if (!pattern.at)
        return strict_refuse(w, keyword->name, "a regular expression is wanted");
    if (pattern_write(pattern, &words, &why))
        strict_put(node->out, "pattern",
                   strict_made(w, json_object_new_string_len(buf_view(&words).at,
                                                             (int)words.len)));
    buf_free(&words);
    return !why || strict_refuse(w, keyword->name,
                                 "answers cannot be held to '%.*s', which has %s",
                                 TEXT_ARG(text_slice(pattern, 0, 200)), why);
}

/* What llguidance can hold a string to; `cheap`: together with lengths as well. Other
 * formats are notes to the reader, as JSON Schema has it. */
static const struct format {
    const char *name;
    bool cheap;
} formats[] = {
    {"date-time", true}, {"date", true}, {"time", true},  {"duration", false},
    {"uuid", true},      {"ipv4", true}, {"ipv6", false}, {"email", false},
    {"hostname", false}, {"uri", false},
};

static bool read_format(struct walk *w, struct node *node, const struct keyword *keyword,
                        struct json_object *value)
{
    (void)keyword;
    struct text name = tree_text(value);
    bool lengths = strict_has(node->in, "minLength") || strict_has(node->in, "maxLength");
    if (text_is(name, "int32")) {
        struct json_object *range = new_object(w);
        strict_put(range, "minimum", strict_made(w, json_object_new_int64(INT32_MIN)));
        strict_put(range, "maximum", strict_made(w, json_object_new_int64(INT32_MAX)));
        strict_push(node->also, range);
    }
    if (strict_has(node->in, "pattern") || !(strict_types(node->in) & IS_STRING))
        return true;
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (text_is(name, formats[i].name) && (formats[i].cheap || !lengths))
            strict_put(node->out, "format", value);
    return true;
}

/* ---- arrays ---- */

static struct json_object *walk_list(struct walk *w, const char *keyword,
                                     struct json_object *list, bool below)
{
    struct json_object *out = new_array(w);
    if (!json_object_is_type(list, json_type_array)) {
        strict_refuse(w, keyword, "a list of schemas is wanted");
        return NULL;
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        one = below ? walk_below(w, keyword, NULL, (int)i, one)
                    : walk_beside(w, keyword, (int)i, one);
        if (!one)
            return NULL;
        strict_push(out, one);
    }
    return out;
}

static bool put_below(struct walk *w, struct node *node, const char *keyword,
                      const char *as)
{
    if (!strict_has(node->in, keyword))
        return true;
    struct json_object *one =
        walk_below(w, keyword, NULL, -1, strict_get(node->in, keyword));
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
               put_below(w, node, "additionalItems", "items");
    if (strict_has(node->in, "prefixItems") && !put_tuple(w, node, "prefixItems"))
        return false;
    return put_below(w, node, "items", "items");
}

/* ---- objects ---- */

static bool put_properties(struct walk *w, struct node *node)
{
    struct json_object *in = strict_get(node->in, "properties"), *out = new_object(w);
    if (!json_object_is_type(in, json_type_object))
        return strict_refuse(w, "properties", "an object with schemas is wanted");
    for (struct lh_entry *e = tree_first(in); e; e = e->next) {
        struct json_object *one =
            walk_below(w, "properties", tree_key(e), -1, tree_value(e));
        if (!one)
            return false;
        strict_put(out, tree_key(e), one);
    }
    strict_put(node->out, "properties", out);
    return true;
}

static bool put_patterns(struct walk *w, struct node *node)
{
    struct json_object *in = strict_get(node->in, "patternProperties"),
                       *out = new_object(w);
    if (!json_object_is_type(in, json_type_object))
        return strict_refuse(w, "patternProperties", "an object with schemas is wanted");
    for (struct lh_entry *e = tree_first(in); e; e = e->next) {
        const char *why = NULL;
        struct buf pattern = {0};
        struct json_object *one =
            walk_below(w, "patternProperties", tree_key(e), -1, tree_value(e));
        bool good = one && pattern_write(text_of(tree_key(e)), &pattern, &why);
        if (good)
            strict_put(out, buf_view(&pattern).at, one);
        buf_free(&pattern);
        if (!good)
            return one && strict_refuse(w, "patternProperties",
                                        "names cannot be held to '%.200s', which has %s",
                                        tree_key(e), why);
    }
    strict_put(node->out, "patternProperties", out);
    return true;
}

static bool put_required(struct walk *w, struct node *node)
{
    struct json_object *in = strict_get(node->in, "required"), *out = new_array(w);
    if (!json_object_is_type(in, json_type_array))
        return strict_refuse(w, "required", "a list of names is wanted");
    for (size_t i = 0; i < json_object_array_length(in); i++) {
        struct json_object *name = json_object_array_get_idx(in, i);
        if (!tree_text(name).at)
            return strict_refuse(w, "required", "a list of names is wanted");
        strict_push(out, name);
    }
    strict_put(node->out, "required", out);
    return true;
}

static int count_required(struct json_object *schema, bool optional)
{
    struct json_object *properties = strict_get(schema, "properties"),
                       *required = strict_get(schema, "required");
    struct json_object *names = json_object_new_object();
    size_t n_required = required ? json_object_array_length(required) : 0;
    for (size_t i = 0; i < n_required; i++)
        json_object_object_add(
            names, json_object_get_string(json_object_array_get_idx(required, i)), NULL);
    int n = json_object_object_length(names);
    if (optional) {
        n = 0;
        for (struct lh_entry *e = properties ? tree_first(properties) : NULL; e;
             e = e->next)
            n += !json_object_object_get_ex(names, tree_key(e), NULL);
    }
    json_object_put(names);
    return n;
}

/* At least one of the properties, or one that is not declared. */
static void put_at_least_one(struct walk *w, struct node *node)
{
    struct json_object *options = new_array(w), *none = new_object(w);
    struct json_object *barred = new_object(w), *any = new_object(w);
    for (struct lh_entry *e = tree_first(strict_get(node->out, "properties")); e;
         e = e->next) {
        struct json_object *names = new_array(w), *has = new_object(w);
        strict_push(names, strict_made(w, json_object_new_string(tree_key(e))));
        strict_put(has, "required", names);
        strict_push(options, has);
        strict_put(barred, tree_key(e), strict_made(w, json_object_new_boolean(0)));
    }
    strict_put(none, "properties", barred);
    strict_put(none, "minProperties", strict_made(w, json_object_new_int(1)));
    strict_push(options, none);
    strict_put(any, "anyOf", options);
    strict_push(node->also, any);
}

/* How many properties there are can be held to where they are all required, or all of
 * them undeclared; undeclared ones may come twice, so more than one cannot be counted. */
static bool fit_counts(struct walk *w, struct node *node)
{
    int required = count_required(node->out, false);
    int optional = count_required(node->out, true);
    bool closed = is_false(strict_get(node->out, "additionalProperties")) &&
                  !strict_has(node->out, "patternProperties");
    struct json_object *min = strict_get(node->out, "minProperties"),
                       *max = strict_get(node->out, "maxProperties");
    int64_t least = min ? json_object_get_int64(min) - required : 0;
    int64_t most = max ? json_object_get_int64(max) - required : INT32_MAX;
    if (least <= 0)
        json_object_object_del(node->out, "minProperties");
    if (least > 1)
        return strict_refuse(w, "minProperties",
                             "answers can be held to one property more than the "
                             "required ones, not to %d more",
                             (int)least);
    if (max && most < 0)
        return strict_refuse(w, "maxProperties", "%d are required", required);
    if (least == 1 && optional > 0 && !closed) {
        json_object_object_del(node->out, "minProperties");
        put_at_least_one(w, node);
    }
    if (!max || optional == 0)
        return true;
    if (most < optional && most > 1)
        return strict_refuse(w, "maxProperties",
                             "answers cannot be held to %d of %d optional properties",
                             (int)most, optional);
    if (!closed) {
        json_object_object_del(node->out, "patternProperties");
        strict_put(node->out, "additionalProperties",
                   strict_made(w, json_object_new_boolean(0)));
    }
    if (most >= optional)
        json_object_object_del(node->out, "maxProperties");
    return true;
}

/* All that is said of an object, where its properties stand. */
static bool read_object(struct walk *w, struct node *node, const struct keyword *keyword,
                        struct json_object *value)
{
    static const struct keyword counts[] = {{.name = "minProperties"},
                                            {.name = "maxProperties"}};
    (void)value;
    if (node->object_done ||
        (strict_has(node->in, "properties") && strcmp(keyword->name, "properties") != 0))
        return true;
    node->object_done = true;
    if ((strict_has(node->in, "properties") && !put_properties(w, node)) ||
        (strict_has(node->in, "patternProperties") && !put_patterns(w, node)) ||
        !put_below(w, node, "additionalProperties", "additionalProperties") ||
        (strict_has(node->in, "required") && !put_required(w, node)))
        return false;
    for (int i = 0; i < 2; i++)
        if (strict_has(node->in, counts[i].name) &&
            !read_count(w, node, &counts[i], strict_get(node->in, counts[i].name)))
            return false;
    return fit_counts(w, node);
}

/* Names that are not allowed are properties that may not be. */
static bool read_names(struct walk *w, struct node *node, const struct keyword *keyword,
                       struct json_object *value)
{
    struct json_object *holds = new_object(w), *names = new_object(w);
    struct json_object *yes = strict_made(w, json_object_new_boolean(1));
    struct json_object *list = strict_get(value, "enum");
    struct json_object *rule = walk_beside(w, keyword->name, -1, value);
    if (!rule)
        return false;
    for (size_t i = 0; list && i < json_object_array_length(list); i++)
        strict_put(names, json_object_get_string(json_object_array_get_idx(list, i)),
                   yes);
    if (strict_has(rule, "pattern")) {
        strict_put(names, json_object_get_string(strict_get(rule, "pattern")), yes);
    } else if (strict_has(rule, "minLength") || strict_has(rule, "maxLength")) {
        struct json_object *most = strict_get(rule, "maxLength");
        struct text words =
            arena_printf(w->arena, most ? "^(?s:.){%d,%s}$" : "^(?s:.){%d,}$",
                         json_object_get_int(strict_get(rule, "minLength")),
                         most ? json_object_get_string(most) : "");
        strict_put(names, words.at, yes);
    } else if (!list) {
        bool plain = json_object_is_type(rule, json_type_object) &&
                     strict_types(rule) & IS_STRING && !strict_has(rule, "const") &&
                     !strict_has(rule, "allOf") && !strict_has(rule, "anyOf") &&
                     !strict_has(rule, "$ref");
        return plain || strict_refuse(w, keyword->name,
                                      "names can be held to a pattern, to lengths or to "
                                      "an enum");
    }
    strict_put(holds, list ? "properties" : "patternProperties", names);
    strict_put(holds, "additionalProperties", strict_made(w, json_object_new_boolean(0)));
    strict_push(node->also, holds);
    return true;
}

/* {a: [b]} and {a: schema}: either a is not there, or the other holds. */
static bool read_dependent(struct walk *w, struct node *node,
                           const struct keyword *keyword, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_object))
        return strict_refuse(w, keyword->name, "an object is wanted");
    for (struct lh_entry *e = tree_first(value); e; e = e->next) {
        struct json_object *without = new_object(w), *barred = new_object(w), *with;
        strict_put(barred, tree_key(e), strict_made(w, json_object_new_boolean(0)));
        strict_put(without, "properties", barred);
        if (json_object_is_type(tree_value(e), json_type_array)) {
            struct node of = {.in = new_object(w), .out = new_object(w)};
            strict_put(of.in, "required", tree_value(e));
            if (!put_required(w, &of))
                return false;
            with = of.out;
        } else {
            with = walk_beside(w, keyword->name, -1, tree_value(e));
        }
        if (!with)
            return false;
        strict_push(node->also, strict_pair(w, "anyOf", without, with));
    }
    return true;
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
        return strict_made(w, json_object_new_boolean(1));
    return walk_beside(w, keyword, -1, strict_get(node->in, keyword));
}

/* Either the condition and what follows from it, or its opposite and what follows from
 * that; as far as the opposite cannot be said: what follows from both. */
static bool read_if(struct walk *w, struct node *node, const struct keyword *keyword,
                    struct json_object *value)
{
    bool all = true;
    struct json_object *condition = walk_beside(w, keyword->name, -1, value);
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

/* ---- references ---- */

static int from_hex(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* One step of a JSON pointer in a URI: %2F is /, and in that ~1 is / and ~0 is ~. */
static void unescape(struct text step, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < step.len; i++) {
        char c = step.at[i];
        if (c == '%' && i + 2 < step.len && from_hex(step.at[i + 1]) >= 0 &&
            from_hex(step.at[i + 2]) >= 0) {
            c = (char)(from_hex(step.at[i + 1]) << 4 | from_hex(step.at[i + 2]));
            i += 2;
        }
        if (c == '~' && i + 1 < step.len)
            c = step.at[++i] == '1' ? '/' : '~';
        buf_char(out, c);
    }
    buf_char(out, '\0');
}

static struct json_object *follow(struct json_object *from, struct text pointer)
{
    struct buf name = {0};
    struct text rest = text_slice(pointer, 1, pointer.len);
    while (from && rest.at) {
        unescape(text_cut(rest, '/', &rest), &name);
        if (json_object_is_type(from, json_type_array))
            from = json_object_array_get_idx(from, (size_t)strtoul(name.at, NULL, 10));
        else
            from = strict_get(from, name.at);
    }
    buf_free(&name);
    return from;
}

/* The schema that calls itself so. */
static struct json_object *named(struct json_object *in, struct text anchor)
{
    static const char *const ids[] = {"$anchor", "$id", "id"};
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        struct text id = tree_text(strict_get(in, ids[i]));
        if (i > 0 && id.at && text_starts(id, "#"))
            id = text_slice(id, 1, id.len);
        if (id.at && text_same(id, anchor))
            return in;
    }
    struct json_object *found = NULL;
    if (json_object_is_type(in, json_type_object)) {
        for (struct lh_entry *e = tree_first(in); e && !found; e = e->next)
            found = named(tree_value(e), anchor);
    } else if (json_object_is_type(in, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(in) && !found; i++)
            found = named(json_object_array_get_idx(in, i), anchor);
    }
    return found;
}

struct json_object *strict_target(struct walk *w, struct text ref)
{
    struct text id = tree_text(strict_get(w->root, "$id"));
    if (!id.at)
        id = tree_text(strict_get(w->root, "id"));
    if (id.at && id.len > 0 && ref.len >= id.len && memcmp(ref.at, id.at, id.len) == 0 &&
        !text_ends(id, "#"))
        ref = text_slice(ref, id.len, ref.len);
    struct json_object *schema = NULL;
    if (ref.len == 0 || text_is(ref, "#"))
        schema = w->root;
    else if (text_starts(ref, "#/"))
        schema = follow(w->root, text_slice(ref, 1, ref.len));
    else
        schema =
            named(w->root, text_starts(ref, "#") ? text_slice(ref, 1, ref.len) : ref);
    if (!json_object_is_type(schema, json_type_object) &&
        !json_object_is_type(schema, json_type_boolean)) {
        strict_refuse(w, "$ref",
                      "'%.*s' is no schema in this schema; others are not "
                      "fetched",
                      TEXT_ARG(text_slice(ref, 0, 200)));
        return NULL;
    }
    return schema;
}

/* The definition's own walk begins when it is first referred to. */
static struct target *target_of(struct walk *w, struct json_object *schema, bool *fresh)
{
    for (struct target *target = w->targets; target; target = target->next)
        if (target->schema == schema)
            return target;
    struct target *target = arena_new(w->arena, struct target);
    target->schema = schema;
    target->name = arena_printf(w->arena, "d%d", ++w->n_targets);
    target->next = w->targets;
    w->targets = target;
    *fresh = true;
    return target;
}

static bool read_ref(struct walk *w, struct node *node, const struct keyword *keyword,
                     struct json_object *value)
{
    bool fresh = false;
    struct text ref = tree_text(value);
    if (!ref.at)
        return strict_refuse(w, keyword->name, "a reference is wanted");
    struct json_object *schema = strict_target(w, ref);
    if (!schema)
        return false;
    struct target *target = target_of(w, schema, &fresh);
    for (const struct target *t = w->within; t; t = t->within)
        if (t == target)
            return strict_refuse(w, keyword->name, "'%.*s' leads back to itself",
                                 TEXT_ARG(text_slice(ref, 0, 200)));
    if (fresh) {
        target->within = w->within;
        w->within = target;
        struct json_object *definition = walk_beside(w, keyword->name, -1, schema);
        w->within = target->within;
        if (!definition)
            return false;
        strict_put(w->defs, target->name.at, definition);
    }
    struct text name = arena_printf(w->arena, "#/$defs/%s", target->name.at);
    strict_put(node->out, "$ref", strict_made(w, json_object_new_string(name.at)));
    return true;
}

/* ---- the table ---- */

static bool refuse(struct walk *w, struct node *node, const struct keyword *keyword,
                   struct json_object *value)
{
    (void)node;
    if (is_false(value))
        return true;
    return strict_refuse(w, keyword->name, "answers cannot be held to %s: %s",
                         keyword->name, keyword->why);
}

/* clang-format off */
static const struct keyword keywords[] = {
    {"type",                 read_type,      NULL},
    {"enum",                 read_enum,      NULL},
    {"const",                read_const,     NULL},
    {"minimum",              read_bound,     NULL},
    {"maximum",              read_bound,     NULL},
    {"multipleOf",           read_bound,     NULL},
    {"exclusiveMinimum",     read_exclusive, NULL},
    {"exclusiveMaximum",     read_exclusive, NULL},
    {"minLength",            read_count,     NULL},
    {"maxLength",            read_count,     NULL},
    {"pattern",              read_pattern,   NULL},
    {"format",               read_format,    NULL},
    {"items",                read_array,     NULL},
    {"prefixItems",          read_array,     NULL},
    {"minItems",             read_count,     NULL},
    {"maxItems",             read_count,     NULL},
    {"properties",           read_object,    NULL},
    {"patternProperties",    read_object,    NULL},
    {"additionalProperties", read_object,    NULL},
    {"required",             read_object,    NULL},
    {"minProperties",        read_object,    NULL},
    {"maxProperties",        read_object,    NULL},
    {"propertyNames",        read_names,     NULL},
    {"dependentRequired",    read_dependent, NULL},
    {"dependentSchemas",     read_dependent, NULL},
    {"dependencies",         read_dependent, NULL},
    {"allOf",                read_all,       NULL},
    {"anyOf",                read_any,       NULL},
    {"oneOf",                read_one,       NULL},
    {"not",                  read_not,       NULL},
    {"if",                   read_if,        NULL},
    {"$ref",                 read_ref,       NULL},
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
    struct node node = {.in = schema, .out = new_object(w), .also = new_array(w)};
    for (struct lh_entry *e = tree_first(schema); e; e = e->next) {
        const struct keyword *keyword = keyword_of(tree_key(e));
        if (keyword && !(keyword->read(w, &node, keyword, tree_value(e))))
            return NULL;
    }
    if (!check_counts(w, &node, "minLength", "maxLength") ||
        !check_counts(w, &node, "minItems", "maxItems"))
        return NULL;
    if (json_object_array_length(node.also) > 0)
        strict_put(node.out, "allOf", node.also);
    return node.out;
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
    if (is_false(out))
        return strict_refuse(w, NULL, "no value is valid against this schema");
    if (json_object_is_type(out, json_type_boolean))
        out = new_object(w);
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
    w.defs = new_object(&w);
    buf_str(&w.path, path);
    struct json_object *strict = strict_walk(&w, schema);
    bool good = strict && write_out(&w, strict, out);
    buf_free(&w.path);
    return good;
}
