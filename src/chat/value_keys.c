/* Mostly copied; what is checked is what a grammar would not take, or would take as
 * something else. */
#include "chat/value_keys.h"
#include "chat/pattern.h"
#include <math.h>
#include <stdlib.h>

bool value_keys_type(struct walk *w, struct node *node, const struct keyword *keyword,
                     struct json_object *value)
{
    bool list = json_object_is_type(value, json_type_array);
    size_t n = list ? json_object_array_length(value) : 1;
    for (size_t i = 0; i < n; i++)
        if (!strict_type(list ? json_object_array_get_idx(value, i) : value))
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

/* A list that has no value of the schema's type is met in the wild; no value is valid. */
static bool is_of_type(const struct node *node, struct json_object *list)
{
    int types = strict_types(node->in);
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (strict_type_of(json_object_array_get_idx(list, i)) & types)
            return true;
    return false;
}

bool value_keys_enum(struct walk *w, struct node *node, const struct keyword *keyword,
                     struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array) ||
        json_object_array_length(value) == 0)
        return strict_refuse(w, keyword->name, "a list of at least one value is wanted");
    if (!check_value(w, keyword->name, value))
        return false;
    node->impossible = node->impossible || !is_of_type(node, value);
    strict_put(node->out, "enum", value);
    return true;
}

bool value_keys_const(struct walk *w, struct node *node, const struct keyword *keyword,
                      struct json_object *value)
{
    struct json_object *list = strict_array(w);
    strict_push(list, value);
    if (!check_value(w, keyword->name, value))
        return false;
    node->impossible = node->impossible || !is_of_type(node, list);
    strict_put(node->out, "const", value);
    return true;
}

/* ---- numbers and strings ---- */

bool value_keys_bound(struct walk *w, struct node *node, const struct keyword *keyword,
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
bool value_keys_exclusive(struct walk *w, struct node *node,
                          const struct keyword *keyword, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_boolean))
        return value_keys_bound(w, node, keyword, value);
    const char *of =
        strcmp(keyword->name, "exclusiveMinimum") == 0 ? "minimum" : "maximum";
    struct json_object *bound = strict_get(node->in, of);
    if (json_object_get_boolean(value) && bound)
        strict_put(node->out, keyword->name, bound);
    return true;
}

bool value_keys_count(struct walk *w, struct node *node, const struct keyword *keyword,
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
bool value_keys_check(struct walk *w, struct node *node, const char *least,
                      const char *most)
{
    struct json_object *min = strict_get(node->out, least),
                       *max = strict_get(node->out, most);
    if (min && max && json_object_get_int64(min) > json_object_get_int64(max))
        return strict_refuse(w, most, "%s is larger: nothing can be both", least);
    return true;
}

bool value_keys_pattern(struct walk *w, struct node *node, const struct keyword *keyword,
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

bool value_keys_format(struct walk *w, struct node *node, const struct keyword *keyword,
                       struct json_object *value)
{
    (void)keyword;
    struct text name = tree_text(value);
    bool lengths = strict_has(node->in, "minLength") || strict_has(node->in, "maxLength");
    if (text_is(name, "int32")) {
        struct json_object *range = strict_object(w);
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
