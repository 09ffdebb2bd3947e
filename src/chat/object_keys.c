/* A grammar reads properties in their order and cannot count those that are optional, so
 * what is said of their number is told in other words where there are some. */
#include "chat/object_keys.h"
#include "chat/pattern.h"
#include "chat/value_keys.h"

static bool put_properties(struct walk *w, struct node *node)
{
    struct json_object *in = strict_get(node->in, "properties"), *out = strict_object(w);
    if (!json_object_is_type(in, json_type_object))
        return strict_refuse(w, "properties", "an object with schemas is wanted");
    for (struct lh_entry *e = tree_first(in); e; e = e->next) {
        struct json_object *one =
            strict_below(w, "properties", tree_key(e), -1, tree_value(e));
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
                       *out = strict_object(w);
    if (!json_object_is_type(in, json_type_object))
        return strict_refuse(w, "patternProperties", "an object with schemas is wanted");
    for (struct lh_entry *e = tree_first(in); e; e = e->next) {
        const char *why = NULL;
        struct buf pattern = {0};
        struct json_object *one =
            strict_below(w, "patternProperties", tree_key(e), -1, tree_value(e));
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
    struct json_object *in = strict_get(node->in, "required"), *out = strict_array(w);
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

/* The names that are required, each once. */
static struct json_object *required_names(struct walk *w, struct json_object *schema)
{
    struct json_object *list = strict_get(schema, "required"), *names = strict_object(w);
    for (size_t i = 0; list && i < json_object_array_length(list); i++)
        strict_put(names, json_object_get_string(json_object_array_get_idx(list, i)),
                   NULL);
    return names;
}

/* The declared properties that are not, as schemas that take anything. */
static struct json_object *optional_names(struct walk *w, struct json_object *schema,
                                          struct json_object *required)
{
    struct json_object *properties = strict_get(schema, "properties"),
                       *names = strict_object(w);
    for (struct lh_entry *e = properties ? tree_first(properties) : NULL; e; e = e->next)
        if (!strict_has(required, tree_key(e)))
            strict_put(names, tree_key(e), strict_bool(w, true));
    return names;
}

/* At least one of the optional properties, or one that is not declared. */
static void put_at_least_one(struct walk *w, struct node *node,
                             struct json_object *optional, int required)
{
    struct json_object *options = strict_array(w), *none = strict_object(w);
    struct json_object *barred = strict_object(w), *any = strict_object(w);
    for (struct lh_entry *e = tree_first(optional); e; e = e->next) {
        struct json_object *names = strict_array(w), *has = strict_object(w);
        strict_push(names, strict_made(w, json_object_new_string(tree_key(e))));
        strict_put(has, "required", names);
        strict_push(options, has);
        strict_put(barred, tree_key(e), strict_bool(w, false));
    }
    strict_put(none, "properties", barred);
    strict_put(none, "minProperties", strict_made(w, json_object_new_int(required + 1)));
    strict_push(options, none);
    strict_put(any, "anyOf", options);
    strict_push(node->also, any);
}

/* No properties but those that are declared. */
static void close_object(struct walk *w, struct node *node)
{
    struct json_object *only = strict_object(w), *names = strict_object(w);
    struct json_object *properties = strict_get(node->out, "properties");
    if (!strict_has(node->out, "patternProperties")) {
        strict_put(node->out, "additionalProperties", strict_bool(w, false));
        return;
    }
    for (struct lh_entry *e = properties ? tree_first(properties) : NULL; e; e = e->next)
        strict_put(names, tree_key(e), strict_bool(w, true));
    strict_put(only, "properties", names);
    strict_put(only, "additionalProperties", strict_bool(w, false));
    strict_push(node->also, only);
}

/* How many properties there are can be held to where they are all required, or all of
 * them undeclared; undeclared ones may come twice, so more than one cannot be counted. */
static bool fit_counts(struct walk *w, struct node *node)
{
    struct json_object *names = required_names(w, node->out);
    struct json_object *others = optional_names(w, node->out, names);
    int required = json_object_object_length(names);
    int optional = json_object_object_length(others);
    bool closed = strict_is_false(strict_get(node->out, "additionalProperties")) &&
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
        put_at_least_one(w, node, others, required);
    }
    if (!max || optional == 0)
        return true;
    if (most < optional && most > 1)
        return strict_refuse(w, "maxProperties",
                             "answers cannot be held to %d of %d optional properties",
                             (int)most, optional);
    if (!closed)
        close_object(w, node);
    if (most >= optional)
        json_object_object_del(node->out, "maxProperties");
    return true;
}

/* A name that must be there and may not, or with no value. */
static bool check_required(struct walk *w, struct node *node)
{
    struct json_object *names = strict_get(node->out, "required"),
                       *properties = strict_get(node->out, "properties");
    bool closed = !strict_has(node->in, "patternProperties") &&
                  strict_is_false(strict_get(node->out, "additionalProperties"));
    if (strict_types(node->in) != IS_OBJECT)
        return true;
    for (size_t i = 0; names && i < json_object_array_length(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        if (closed && !strict_has(properties, name))
            return strict_refuse(w, "required",
                                 "'%.100s' is no property, and additionalProperties is "
                                 "false",
                                 name);
        if (strict_is_false(strict_get(properties, name)))
            return strict_refuse(w, "required", "no value is valid for '%.100s'", name);
    }
    return true;
}

/* All that is said of an object, where its properties stand. */
bool object_keys_read(struct walk *w, struct node *node, const struct keyword *keyword,
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
        !strict_put_below(w, node, "additionalProperties", "additionalProperties") ||
        (strict_has(node->in, "required") && !put_required(w, node)) ||
        !check_required(w, node))
        return false;
    for (int i = 0; i < 2; i++)
        if (strict_has(node->in, counts[i].name) &&
            !value_keys_count(w, node, &counts[i], strict_get(node->in, counts[i].name)))
            return false;
    return fit_counts(w, node);
}

/* Names that are not allowed are properties that may not be. */
bool object_keys_names(struct walk *w, struct node *node, const struct keyword *keyword,
                       struct json_object *value)
{
    struct json_object *holds = strict_object(w), *names = strict_object(w);
    struct json_object *yes = strict_bool(w, true);
    struct json_object *list = strict_get(value, "enum");
    struct json_object *rule = strict_beside(w, keyword->name, -1, value);
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
    strict_put(holds, "additionalProperties", strict_bool(w, false));
    strict_push(node->also, holds);
    return true;
}

/* {a: [b]} and {a: schema}: either a is not there, or the other holds. */
bool object_keys_dependent(struct walk *w, struct node *node,
                           const struct keyword *keyword, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_object))
        return strict_refuse(w, keyword->name, "an object is wanted");
    for (struct lh_entry *e = tree_first(value); e; e = e->next) {
        struct json_object *without = strict_object(w), *barred = strict_object(w), *with;
        strict_put(barred, tree_key(e), strict_bool(w, false));
        strict_put(without, "properties", barred);
        if (json_object_is_type(tree_value(e), json_type_array)) {
            struct node of = {.in = strict_object(w), .out = strict_object(w)};
            strict_put(of.in, "required", tree_value(e));
            if (!put_required(w, &of))
                return false;
            with = of.out;
        } else {
            with = strict_beside(w, keyword->name, -1, tree_value(e));
        }
        if (!with)
            return false;
        strict_push(node->also, strict_pair(w, "anyOf", without, with));
    }
    return true;
}
