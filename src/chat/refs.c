/* Definitions are walked when they are first referred to, and then known by a short name.
 * Those that are on the way down to themselves are a circle only if no step into a
 * property or an item lies between: such a schema would say nothing. */
#include "chat/refs.h"
#include <stdlib.h>

/* A definition that some $ref names. */
struct target {
    struct target *next;
    struct json_object *schema;
    struct text name;            /* in $defs */
    const struct target *within; /* while it is walked */
};

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

struct json_object *refs_find(const struct walk *w, struct text ref)
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
    bool is = json_object_is_type(schema, json_type_object) ||
              json_object_is_type(schema, json_type_boolean);
    return is ? schema : NULL;
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

bool refs_read(struct walk *w, struct node *node, const struct keyword *keyword,
               struct json_object *value)
{
    bool fresh = false;
    struct text ref = tree_text(value);
    if (!ref.at)
        return strict_refuse(w, keyword->name, "a reference is wanted");
    struct json_object *schema = refs_find(w, ref);
    if (!schema)
        return strict_refuse(w, keyword->name,
                             "'%.*s' is no schema in this schema; others are not fetched",
                             TEXT_ARG(text_slice(ref, 0, 200)));
    struct target *target = target_of(w, schema, &fresh);
    for (const struct target *t = w->within; t; t = t->within)
        if (t == target)
            return strict_refuse(w, keyword->name, "'%.*s' leads back to itself",
                                 TEXT_ARG(text_slice(ref, 0, 200)));
    if (fresh) {
        target->within = w->within;
        w->within = target;
        struct json_object *definition = strict_beside(w, keyword->name, -1, schema);
        w->within = target->within;
        if (!definition)
            return false;
        strict_put(w->defs, target->name.at, definition);
    }
    struct text name = arena_printf(w->arena, "#/$defs/%s", target->name.at);
    strict_put(node->out, "$ref", strict_made(w, json_object_new_string(name.at)));
    return true;
}
