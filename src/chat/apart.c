/* oneOf says that exactly one option holds, which no grammar can count. Where no value
 * can be valid against two options, it is anyOf. Elsewhere each option is taken together
 * with the opposites of those that it is not apart from.
 *
 * The opposite of a schema is the anyOf of the opposites of its keywords: not
 * {"required": ["a"]} is an object without a. For some keywords there is none to be
 * written (the opposite of a pattern); leaving it out makes the opposite narrower, never
 * wider, so every answer still keeps to the schema. */
#include "chat/apart.h"
#include "chat/pattern.h"
#include "chat/refs.h"
#include <math.h>

enum {
    FUEL = 400, /* pairs of schemas that one question may look at */
    OPTIONS_MOST = 64,
    PARTS_MOST = 8,    /* of an opposite, kept when it stands beside an option */
    TEXTS_MOST = 8000, /* bytes of texts that a string must not be */
    IN_MOST = 6        /* opposites in one another */
};

/* ---- looking at schemas ---- */

static size_t length(struct json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array)
                                                       : 0;
}

static struct json_object *item(struct json_object *array, size_t i)
{
    return json_object_array_get_idx(array, i);
}

/* Follows references that lead somewhere; what does not, the walk refuses. */
static struct json_object *resolve(const struct walk *w, struct json_object *schema)
{
    for (int i = 0; i < 16 && strict_has(schema, "$ref"); i++) {
        struct text ref = tree_text(strict_get(schema, "$ref"));
        struct json_object *to = ref.at ? refs_find(w, ref) : NULL;
        if (!to)
            break;
        schema = to;
    }
    return schema;
}

/* The values that it lists, as an array; NULL: it lists none. `made` must be put. */
static struct json_object *values_of(struct json_object *schema,
                                     struct json_object **made)
{
    *made = NULL;
    if (strict_has(schema, "const")) {
        *made = json_object_new_array();
        strict_push(*made, strict_get(schema, "const"));
        return *made;
    }
    struct json_object *list = strict_get(schema, "enum");
    return json_object_is_type(list, json_type_array) ? list : NULL;
}

static int types_of(struct json_object *schema)
{
    struct json_object *made, *values = values_of(schema, &made);
    int types = strict_types(schema), listed = 0;
    for (size_t i = 0; i < length(values); i++)
        listed |= strict_type_of(item(values, i));
    if (values)
        types &= listed;
    json_object_put(made);
    return types;
}

static bool same_value(struct json_object *a, struct json_object *b)
{
    int types = strict_type_of(a) | strict_type_of(b);
    if ((types & ~IS_NUMBER) == 0)
        return json_object_get_double(a) == json_object_get_double(b);
    return json_object_equal(a, b);
}

static bool is_required(struct json_object *schema, const char *name)
{
    struct json_object *list = strict_get(schema, "required");
    for (size_t i = 0; i < length(list); i++)
        if (text_is(tree_text(item(list, i)), name))
            return true;
    return false;
}

/* What a property must be; NULL: anything, or it is not plain. */
static struct json_object *property(struct json_object *schema, const char *name)
{
    struct json_object *properties = strict_get(schema, "properties");
    if (strict_has(properties, name))
        return strict_get(properties, name);
    return strict_has(schema, "patternProperties")
               ? NULL
               : strict_get(schema, "additionalProperties");
}

/* ---- apart ---- */

static bool apart_in(struct walk *w, struct json_object *a, struct json_object *b,
                     int *fuel);

static bool values_apart(struct json_object *a, struct json_object *b, int type)
{
    for (size_t i = 0; i < length(a); i++)
        for (size_t j = 0; j < length(b); j++)
            if (strict_type_of(item(a, i)) & type && same_value(item(a, i), item(b, j)))
                return false;
    return true;
}

static double bound(struct json_object *schema, const char *keyword, double otherwise)
{
    struct json_object *value = strict_get(schema, keyword);
    bool number = json_object_is_type(value, json_type_int) ||
                  json_object_is_type(value, json_type_double);
    return number ? json_object_get_double(value) : otherwise;
}

static bool ranges_apart(struct json_object *a, struct json_object *b, const char *least,
                         const char *most)
{
    return bound(a, most, INFINITY) < bound(b, least, -INFINITY) ||
           bound(b, most, INFINITY) < bound(a, least, -INFINITY);
}

static bool touch_apart(struct json_object *low, struct json_object *high)
{
    double most =
        fmin(bound(low, "maximum", INFINITY), bound(low, "exclusiveMaximum", INFINITY));
    double least = fmax(bound(high, "minimum", -INFINITY),
                        bound(high, "exclusiveMinimum", -INFINITY));
    return most < least ||
           (most == least && (bound(low, "exclusiveMaximum", INFINITY) == most ||
                              bound(high, "exclusiveMinimum", -INFINITY) == least));
}

/* Formats are kept where the grammar knows them; no text is in two of these. */
static bool formats_apart(struct json_object *a, struct json_object *b)
{
    static const char *const known[] = {"date-time", "date", "time",
                                        "uuid",      "ipv4", "email"};
    struct text x = tree_text(strict_get(a, "format")),
                y = tree_text(strict_get(b, "format"));
    bool x_known = false, y_known = false;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        x_known = x_known || (x.at && text_is(x, known[i]));
        y_known = y_known || (y.at && text_is(y, known[i]));
    }
    bool alone = !strict_has(a, "pattern") && !strict_has(b, "pattern") &&
                 !strict_has(a, "minLength") && !strict_has(b, "minLength") &&
                 !strict_has(a, "maxLength") && !strict_has(b, "maxLength");
    return x_known && y_known && alone && !text_same(x, y);
}

static bool arrays_apart(struct walk *w, struct json_object *a, struct json_object *b,
                         int *fuel)
{
    if (ranges_apart(a, b, "minItems", "maxItems"))
        return true;
    struct json_object *x = strict_get(a, "items"), *y = strict_get(b, "items");
    bool some = bound(a, "minItems", 0) >= 1 || bound(b, "minItems", 0) >= 1;
    return some && x && y && !json_object_is_type(x, json_type_array) &&
           !json_object_is_type(y, json_type_array) && !strict_has(a, "prefixItems") &&
           !strict_has(b, "prefixItems") && apart_in(w, x, y, fuel);
}

/* A property that must be there and cannot be what both say. */
static bool objects_apart(struct walk *w, struct json_object *a, struct json_object *b,
                          int *fuel)
{
    for (int i = 0; i < 2; i++) {
        struct json_object *list = strict_get(i ? b : a, "required");
        for (size_t j = 0; j < length(list); j++) {
            const char *name = json_object_get_string(item(list, j));
            struct json_object *x = property(a, name), *y = property(b, name);
            if (x && y && apart_in(w, x, y, fuel))
                return true;
            if (strict_is_false(x) || strict_is_false(y))
                return true;
        }
    }
    return false;
}

static bool apart_as(struct walk *w, struct json_object *a, struct json_object *b,
                     int type, int *fuel)
{
    struct json_object *made_a, *made_b;
    struct json_object *x = values_of(a, &made_a), *y = values_of(b, &made_b);
    bool apart = x && y && values_apart(x, y, type);
    json_object_put(made_a);
    json_object_put(made_b);
    if (apart)
        return true;
    switch (type) {
    case IS_FRACTION:
    case IS_INTEGER:
        return touch_apart(a, b) || touch_apart(b, a);
    case IS_STRING:
        return ranges_apart(a, b, "minLength", "maxLength") || formats_apart(a, b);
    case IS_ARRAY:
        return arrays_apart(w, a, b, fuel);
    case IS_OBJECT:
        return objects_apart(w, a, b, fuel);
    default:
        return false;
    }
}

/* Whether all options of a, or one of its parts, are apart from b. */
static bool parts_apart(struct walk *w, struct json_object *a, struct json_object *b,
                        int *fuel)
{
    static const char *const any[] = {"anyOf", "oneOf"};
    struct json_object *all = strict_get(a, "allOf");
    for (size_t i = 0; i < length(all); i++)
        if (apart_in(w, item(all, i), b, fuel))
            return true;
    for (int k = 0; k < 2; k++) {
        struct json_object *list = strict_get(a, any[k]);
        size_t i = 0;
        while (i < length(list) && apart_in(w, item(list, i), b, fuel))
            i++;
        if (length(list) > 0 && i == length(list))
            return true;
    }
    return false;
}

static bool apart_in(struct walk *w, struct json_object *a, struct json_object *b,
                     int *fuel)
{
    if (--*fuel <= 0)
        return false;
    a = resolve(w, a);
    b = resolve(w, b);
    if (!json_object_is_type(a, json_type_object) ||
        !json_object_is_type(b, json_type_object))
        return strict_is_false(a) || strict_is_false(b);
    if (parts_apart(w, a, b, fuel) || parts_apart(w, b, a, fuel))
        return true;
    int common = types_of(a) & types_of(b);
    for (int type = 1; type < IS_ANY; type <<= 1)
        if (common & type && !apart_as(w, a, b, type, fuel))
            return false;
    return true;
}

bool apart(struct walk *w, struct json_object *a, struct json_object *b)
{
    int fuel = FUEL;
    return apart_in(w, a, b, &fuel);
}

/* ---- opposites ---- */

struct opposite {
    struct walk *w;
    struct json_object *parts; /* of an anyOf */
    bool all;
    int types; /* of the schema: what its opposite need not say again */
};

static struct json_object *names(struct walk *w, const char *name)
{
    struct json_object *list = strict_array(w);
    strict_push(list, strict_made(w, json_object_new_string(name)));
    return list;
}

/* An object in which `name` is as `schema` says. */
static struct json_object *with(struct walk *w, const char *name,
                                struct json_object *schema, bool required)
{
    struct json_object *out = strict_typed(w, IS_OBJECT), *properties = strict_object(w);
    strict_put(properties, name, schema);
    strict_put(out, "properties", properties);
    if (required)
        strict_put(out, "required", names(w, name));
    return out;
}

static void not_required(struct opposite *o, struct json_object *list)
{
    for (size_t i = 0; i < length(list); i++)
        strict_push(o->parts, with(o->w, json_object_get_string(item(list, i)),
                                   strict_bool(o->w, false), false));
}

static void not_properties(struct opposite *o, struct json_object *properties)
{
    if (!json_object_is_type(properties, json_type_object))
        return;
    for (struct lh_entry *e = tree_first(properties); e; e = e->next) {
        bool all = true;
        struct json_object *value = apart_from(o->w, tree_value(e), &all);
        o->all = o->all && all;
        if (value && !strict_is_false(value))
            strict_push(o->parts, with(o->w, tree_key(e), value, true));
    }
}

static void not_types(struct opposite *o, int types)
{
    if ((types & IS_INTEGER) && !(types & IS_FRACTION))
        o->all = false; /* fractions alone have no name */
    int others = IS_ANY & ~types;
    if ((others & IS_NUMBER) != IS_NUMBER)
        others &= ~IS_FRACTION;
    if (others)
        strict_push(o->parts, strict_typed(o->w, others));
}

/* Numbers other than these: what lies between them. */
static void not_numbers(struct opposite *o, struct json_object *values)
{
    struct json_object *all = strict_array(o->w);
    for (size_t i = 0; i < length(values); i++) {
        if (!(strict_type_of(item(values, i)) & IS_NUMBER))
            continue;
        struct json_object *below = strict_typed(o->w, IS_NUMBER),
                           *above = strict_typed(o->w, IS_NUMBER);
        strict_put(below, "exclusiveMaximum", item(values, i));
        strict_put(above, "exclusiveMinimum", item(values, i));
        strict_push(all, strict_pair(o->w, "anyOf", below, above));
    }
    struct json_object *numbers = strict_typed(o->w, IS_NUMBER);
    if (length(all) > 0)
        strict_put(numbers, "allOf", all);
    strict_push(o->parts, numbers);
}

static void not_strings(struct opposite *o, struct json_object *values)
{
    struct json_object *strings = strict_typed(o->w, IS_STRING);
    struct text *texts = arena_array(o->w->arena, struct text, length(values) + 1);
    size_t bytes = 0;
    int n = 0;
    for (size_t i = 0; i < length(values); i++) {
        struct text text = tree_text(item(values, i));
        if (text.at)
            texts[n++] = text;
        bytes += text.len;
    }
    if (bytes > TEXTS_MOST) {
        o->all = false;
        return;
    }
    struct buf pattern = {0};
    if (n > 0) {
        pattern_others(texts, n, &pattern);
        strict_put(strings, "pattern",
                   strict_made(o->w, json_object_new_string(pattern.at)));
    }
    buf_free(&pattern);
    strict_push(o->parts, strings);
}

static void not_values(struct opposite *o, struct json_object *values)
{
    bool listed[2] = {false, false};
    int types = 0;
    for (size_t i = 0; i < length(values); i++) {
        types |= strict_type_of(item(values, i));
        if (json_object_is_type(item(values, i), json_type_boolean))
            listed[json_object_get_boolean(item(values, i))] = true;
    }
    int whole = IS_ANY & ~IS_STRING & ~IS_NUMBER & ~IS_BOOLEAN & ~types & o->types;
    if (whole)
        strict_push(o->parts, strict_typed(o->w, whole));
    if (types & (IS_ARRAY | IS_OBJECT))
        o->all = false;
    for (int is = 0; is < 2; is++) {
        if (!(o->types & IS_BOOLEAN) || listed[is])
            continue;
        struct json_object *other = strict_object(o->w);
        strict_put(other, "const", strict_bool(o->w, is));
        strict_push(o->parts, other);
    }
    if (o->types & IS_NUMBER)
        not_numbers(o, values);
    if (o->types & IS_STRING)
        not_strings(o, values);
}

/* Keywords whose opposite is another bound. */
static const struct bound_pair {
    const char *keyword, *opposite;
    int type, step; /* counts differ by one */
} bound_pairs[] = {
    {"minimum", "exclusiveMaximum", IS_NUMBER, 0},
    {"maximum", "exclusiveMinimum", IS_NUMBER, 0},
    {"exclusiveMinimum", "maximum", IS_NUMBER, 0},
    {"exclusiveMaximum", "minimum", IS_NUMBER, 0},
    {"minLength", "maxLength", IS_STRING, -1},
    {"maxLength", "minLength", IS_STRING, 1},
    {"minItems", "maxItems", IS_ARRAY, -1},
    {"maxItems", "minItems", IS_ARRAY, 1},
};

static bool not_bound(struct opposite *o, const char *keyword, struct json_object *value)
{
    for (size_t i = 0; i < sizeof(bound_pairs) / sizeof(*bound_pairs); i++) {
        const struct bound_pair *pair = &bound_pairs[i];
        if (strcmp(pair->keyword, keyword) != 0 ||
            json_object_is_type(value, json_type_boolean))
            continue;
        struct json_object *out = strict_typed(o->w, pair->type);
        int64_t n = json_object_get_int64(value) + pair->step;
        if (pair->step != 0)
            value = strict_made(o->w, json_object_new_int64(n));
        strict_put(out, pair->opposite, value);
        if (pair->step == 0 || n >= 0)
            strict_push(o->parts, out);
        return true;
    }
    return false;
}

/* Not any of them: all of their opposites. */
static void not_any(struct opposite *o, struct json_object *list)
{
    struct json_object *out = strict_object(o->w), *all = strict_array(o->w);
    for (size_t i = 0; i < length(list); i++) {
        bool whole = true;
        struct json_object *one = apart_from(o->w, item(list, i), &whole);
        o->all = o->all && whole;
        if (!one)
            return;
        strict_push(all, one);
    }
    strict_put(out, "allOf", all);
    strict_push(o->parts, out);
}

static void not_schema(struct opposite *o, struct json_object *schema)
{
    bool whole = true;
    struct json_object *one = apart_from(o->w, schema, &whole);
    o->all = o->all && whole;
    if (one)
        strict_push(o->parts, one);
}

/* Keywords that say nothing of a value, or what another one says with them. */
static bool says_nothing(const char *keyword)
{
    static const char *const notes[] = {
        "title",    "description", "default",     "examples",   "example",
        "$comment", "$id",         "id",          "$schema",    "$anchor",
        "$defs",    "definitions", "deprecated",  "readOnly",   "writeOnly",
        "then",     "else",        "minContains", "maxContains"};
    for (size_t i = 0; i < sizeof(notes) / sizeof(*notes); i++)
        if (strcmp(notes[i], keyword) == 0)
            return true;
    return strncmp(keyword, "x-", 2) == 0;
}

static void not_keyword(struct opposite *o, const char *keyword,
                        struct json_object *value)
{
    if (strcmp(keyword, "required") == 0) {
        not_required(o, value);
    } else if (strcmp(keyword, "properties") == 0) {
        not_properties(o, value);
    } else if (strcmp(keyword, "type") == 0) {
        not_types(o, o->types);
    } else if (strcmp(keyword, "enum") == 0) {
        not_values(o, value);
    } else if (strcmp(keyword, "const") == 0) {
        struct json_object *list = strict_array(o->w);
        strict_push(list, value);
        not_values(o, list);
    } else if (strcmp(keyword, "allOf") == 0) {
        for (size_t i = 0; i < length(value); i++)
            not_schema(o, item(value, i));
    } else if (strcmp(keyword, "anyOf") == 0) {
        not_any(o, value);
    } else if (strcmp(keyword, "not") == 0) {
        struct error *err = o->w->err, ignored = {0};
        o->w->err = &ignored;
        struct json_object *yes = strict_walk(o->w, value);
        o->w->err = err;
        if (yes)
            strict_push(o->parts, yes);
        else
            o->all = false;
    } else if (!not_bound(o, keyword, value) && !says_nothing(keyword)) {
        o->all = false;
    }
}

struct json_object *apart_from(struct walk *w, struct json_object *schema, bool *all)
{
    schema = resolve(w, schema);
    *all = true;
    if (json_object_is_type(schema, json_type_boolean))
        return strict_bool(w, !json_object_get_boolean(schema));
    if (!json_object_is_type(schema, json_type_object) || w->opposites >= IN_MOST ||
        ++w->n_nodes > STRICT_NODES) {
        *all = false;
        return NULL;
    }
    struct opposite o = {.w = w, .all = true, .types = strict_types(schema)};
    o.parts = strict_array(w);
    w->opposites++;
    bool speaks = false;
    for (struct lh_entry *e = tree_first(schema); e; e = e->next) {
        speaks = speaks || !says_nothing(tree_key(e));
        not_keyword(&o, tree_key(e), tree_value(e));
    }
    w->opposites--;
    *all = o.all;
    if (!speaks)
        return strict_bool(w, false);
    if (length(o.parts) == 0)
        return o.all ? strict_bool(w, false) : NULL;
    struct json_object *out = strict_object(w);
    strict_put(out, "anyOf", o.parts);
    return out;
}

/* ---- oneOf ---- */

/* How good a part of an opposite is at being small: a property that is not there, then
 * one that has another value, then the others. */
static int rank_of(struct json_object *part)
{
    struct json_object *properties = strict_get(part, "properties");
    if (!properties)
        return strict_has(part, "type") ? 1 : 3;
    struct json_object *value = tree_value(tree_first(properties));
    return json_object_is_type(value, json_type_boolean) ? 0 : 2;
}

/* The parts that can hold together with the option, the best of them. */
static struct json_object *best_parts(struct walk *w, struct json_object *opposite,
                                      struct json_object *option)
{
    struct json_object *parts = strict_get(opposite, "anyOf"), *out = strict_object(w),
                       *kept = strict_array(w);
    if (!parts)
        return opposite;
    option = resolve(w, option);
    for (int rank = 0; rank < 4; rank++) {
        for (size_t i = 0; i < length(parts); i++) {
            struct json_object *part = item(parts, i);
            if (rank_of(part) != rank || length(kept) >= PARTS_MOST)
                continue;
            const char *name =
                rank == 0 ? tree_key(tree_first(strict_get(part, "properties"))) : NULL;
            bool held = name ? is_required(option, name) : apart(w, option, part);
            if (!held)
                strict_push(kept, part);
        }
    }
    strict_put(out, "anyOf", kept);
    return length(kept) > 0 ? out : NULL;
}

/* A property that both know and that cannot be what both say: an object that has it, is
 * of one of them only. */
static const char *telling(struct walk *w, struct json_object *a, struct json_object *b)
{
    a = resolve(w, a);
    b = resolve(w, b);
    struct json_object *properties = strict_get(a, "properties");
    if (!json_object_is_type(properties, json_type_object) ||
        (types_of(a) & types_of(b)) != IS_OBJECT)
        return NULL;
    for (struct lh_entry *e = tree_first(properties); e; e = e->next) {
        struct json_object *other = property(b, tree_key(e));
        if (other && apart(w, tree_value(e), other))
            return tree_key(e);
    }
    return NULL;
}

static void put_needed(struct walk *w, struct json_object *needed, const char *name)
{
    struct json_object *list = strict_get(needed, "required");
    if (!list) {
        strict_put(needed, "required", names(w, name));
        return;
    }
    if (!is_required(needed, name))
        strict_push(list, strict_made(w, json_object_new_string(name)));
}

/* The option, and none of the others. NULL: that cannot be said. */
static struct json_object *alone(struct walk *w, struct json_object *options, size_t at,
                                 struct json_object *strict)
{
    struct json_object *all = strict_array(w), *needed = strict_object(w);
    strict_push(all, strict);
    for (size_t i = 0; i < length(options); i++) {
        bool whole = true;
        if (i == at || apart(w, item(options, at), item(options, i)))
            continue;
        const char *name = telling(w, item(options, at), item(options, i));
        if (name) {
            put_needed(w, needed, name);
            continue;
        }
        struct json_object *other = apart_from(w, item(options, i), &whole);
        if (other)
            other = best_parts(w, other, item(options, at));
        if (!other)
            return NULL;
        strict_push(all, other);
    }
    if (strict_has(needed, "required"))
        strict_push(all, needed);
    if (length(all) == 1)
        return strict;
    struct json_object *out = strict_object(w);
    strict_put(out, "allOf", all);
    return out;
}

struct json_object *apart_one_of(struct walk *w, struct json_object *options,
                                 struct json_object *strict)
{
    struct json_object *out = strict_object(w), *kept = strict_array(w);
    if (length(options) > OPTIONS_MOST) {
        strict_refuse(w, "oneOf", "more than %d options", OPTIONS_MOST);
        return NULL;
    }
    for (size_t i = 0; i < length(options); i++) {
        struct json_object *one = alone(w, options, i, item(strict, i));
        if (one)
            strict_push(kept, one);
    }
    if (length(kept) == 0) {
        strict_refuse(w, "oneOf",
                      "the options cannot be told apart; a required property "
                      "with another const in each would do");
        return NULL;
    }
    strict_put(out, "anyOf", kept);
    return out;
}
