/* schema.c - walks message tables: decode, check, encode.
 *
 * json/kind.c reads and writes single values; it only says whether a value fits. Where it
 * stood and what to tell the caller is the walk's business. The place is a chain of
 * struct path through the walk's stack frames: nothing is written out until something is
 * wrong. */
#include "json/schema.h"
#include "json/kind.h"
#include "json/tree.h"
#include <math.h>

/* Enums. */

const char *json_enum_name(const struct json_enum *table, int number)
{
    for (; table->name; table++)
        if (table->number == number)
            return table->name;
    return NULL;
}

int json_enum_number(const struct json_enum *table, struct text name)
{
    for (; table->name; table++)
        if (text_is_nocase(name, table->name) ||
            (table->alias && text_is_nocase(name, table->alias)))
            return table->number;
    return -1;
}

static size_t value_size(const struct json_field *field)
{
    const struct json_type *type = field->of;
    return field->kind == JSON_MESSAGE ? type->size : json_kinds[field->kind].size;
}

/* Fields of these flags have no place in the struct. */
static bool is_stored(const struct json_field *field)
{
    return !(field->flags & (JSON_IGNORED | JSON_REFUSED));
}

static bool is_absent(const struct json_field *field, const void *at)
{
    if (field->flags & JSON_LIST)
        return ((const struct json_list *)at)->n == 0;
    switch (field->kind) {
    case JSON_STRING:
    case JSON_BYTES:
        return ((const struct text *)at)->at == NULL;
    case JSON_ENUM:
        return *(const int *)at == 0;
    case JSON_MESSAGE:
    case JSON_ANY:
        return *(void *const *)at == NULL;
    default:
        return !*(const bool *)at; /* `set` comes first in all of them */
    }
}

/* Paths and errors. */

#define GEMINI "type.googleapis.com/google.ai.generativelanguage.v1beta."

/* Where the walk stands. */
struct path {
    const struct path *up; /* NULL at the top */
    const char *name;
    bool in_list;
    size_t index;
};

struct decoder {
    struct arena *arena;
    struct error *err;
    const struct json_type *root;
};

enum { MOST_SHOWN = 100 };

static void add_snake_case(struct buf *out, const char *name)
{
    for (; *name; name++) {
        bool large = *name >= 'A' && *name <= 'Z';
        if (large)
            buf_char(out, '_');
        buf_char(out, (char)(large ? *name - 'A' + 'a' : *name));
    }
}

static void add_path(struct buf *out, const struct path *path)
{
    if (!path)
        return;
    add_path(out, path->up);
    if (path->up)
        buf_char(out, '.');
    add_snake_case(out, path->name);
    if (path->in_list)
        buf_printf(out, "[%zu]", path->index);
}

static const char *path_text(const struct decoder *d, const struct path *path)
{
    struct buf out = {0};
    add_path(&out, path);
    return arena_take(d->arena, &out).at;
}

/* The value as it came, so far as it helps. */
static const char *value_text(const struct decoder *d, struct json_object *value)
{
    struct buf out = {0};
    json_any_write(value, &out);
    struct text shown = text_slice(buf_view(&out), 0, MOST_SHOWN);
    shown.len -= text_utf8_pending(shown);
    const char *more = shown.len < out.len ? "..." : "";
    const char *copy = arena_printf(d->arena, "%.*s%s", TEXT_ARG(shown), more).at;
    buf_free(&out);
    return copy;
}

static bool refuse_name(const struct decoder *d, const struct path *parent,
                        const char *name, const char *why)
{
    const char *path = path_text(d, parent);
    return error_at(d->err, path,
                    "Invalid JSON payload received. Unknown name \"%s\"%s%s%s: %s", name,
                    parent ? " at '" : "", path, parent ? "'" : "", why);
}

static bool refuse_value(const struct decoder *d, const struct path *here,
                         const struct json_field *field, struct json_object *value)
{
    const struct json_type *type = field->of;
    const char *path = path_text(d, here);
    bool message = field->kind == JSON_MESSAGE;
    bool base64 = field->kind == JSON_BYTES && tree_text(value).at;
    return error_at(d->err, path, "Invalid value at '%s' (%s%s), %s%s", path,
                    message ? GEMINI : "",
                    message ? type->name : json_kinds[field->kind].word,
                    base64 ? "Base64 decoding failed for " : "", value_text(d, value));
}

static bool refuse_range(const struct decoder *d, const struct path *here,
                         const struct json_field *field, const char *what, double value)
{
    const char *path = path_text(d, here);
    if (isinf(field->most))
        return error_at(d->err, path, "* %s.%s: %s%.15g is less than %.15g",
                        d->root->name, path, what, value, field->least);
    return error_at(d->err, path, "* %s.%s: %s%.15g is outside of %.15g to %.15g",
                    d->root->name, path, what, value, field->least, field->most);
}

/* Decoding. */

static bool in_range(const struct json_field *field, double value)
{
    bool any = field->least == 0 && field->most == 0;
    return any || (value >= field->least && value <= field->most);
}

static bool check_range(const struct decoder *d, const struct path *here,
                        const struct json_field *field, const void *at)
{
    if (field->least == 0 && field->most == 0)
        return true;
    const char *what = "";
    double value;
    if (field->flags & JSON_LIST) {
        what = "a count of ";
        value = (double)((const struct json_list *)at)->n;
    } else if (field->kind == JSON_STRING) {
        what = "a length of ";
        value = (double)text_characters(*(const struct text *)at);
    } else if (field->kind == JSON_NUMBER) {
        value = ((const struct json_number *)at)->is;
    } else if (field->kind == JSON_INT || field->kind == JSON_INT64) {
        value = (double)((const struct json_int *)at)->is;
    } else {
        return true;
    }
    return in_range(field, value) || refuse_range(d, here, field, what, value);
}

static bool read_message(const struct decoder *d, const struct path *here,
                         const struct json_type *type, struct json_object *from,
                         void *into);

static bool read_value(const struct decoder *d, const struct path *here,
                       const struct json_field *field, struct json_object *from, void *to)
{
    if (field->kind == JSON_MESSAGE) {
        if (json_object_is_type(from, json_type_object))
            return read_message(d, here, field->of, from, to);
        return refuse_value(d, here, field, from);
    }
    struct json_source source = {from, field->of, d->arena};
    return json_kinds[field->kind].read(&source, to) ||
           refuse_value(d, here, field, from);
}

static bool read_list(const struct decoder *d, const struct path *here,
                      const struct json_field *field, struct json_object *from,
                      struct json_list *list)
{
    bool array = json_object_is_type(from, json_type_array);
    if (!array && (field->flags & JSON_SINGULAR))
        return refuse_value(d, here, field, from);
    size_t size = value_size(field);
    size_t n = array ? json_object_array_length(from) : 1;
    *list = (struct json_list){n ? arena_alloc(d->arena, n * size) : NULL, n};
    struct path element = {here->up, here->name, true, 0};
    for (; element.index < n; element.index++) {
        struct json_object *one =
            array ? json_object_array_get_idx(from, element.index) : from;
        void *to = (char *)list->at + element.index * size;
        if (!read_value(d, &element, field, one, to))
            return false;
    }
    return true;
}

static bool read_single(const struct decoder *d, const struct path *here,
                        const struct json_field *field, struct json_object *from,
                        void *at)
{
    const struct json_kind_row *kind = &json_kinds[field->kind];
    if (json_object_is_type(from, json_type_array) && field->kind != JSON_ANY)
        return refuse_name(d, here->up, path_text(d, &(struct path){.name = here->name}),
                           "Proto field is not repeating, cannot start list.");
    if (field->kind == JSON_MESSAGE)
        at = *(void **)at = arena_alloc(d->arena, value_size(field));
    if (kind->is)
        *(bool *)at = true;
    return read_value(d, here, field, from, (char *)at + kind->is);
}

/* What says the same as leaving a field out. */
static bool says_nothing(struct json_object *value)
{
    return (json_object_is_type(value, json_type_boolean) &&
            !json_object_get_boolean(value)) ||
           (json_object_is_type(value, json_type_array) &&
            json_object_array_length(value) == 0);
}

static bool refuse_field(const struct decoder *d, const struct path *here,
                         const struct json_field *field)
{
    const char *path = path_text(d, here);
    return error_at(d->err, path, "'%s' is not supported by Pollux yet%s%s", path,
                    field->note ? ": " : ".", field->note ? field->note : "");
}

static bool read_field(const struct decoder *d, const struct path *parent,
                       const struct json_field *field, struct json_object *from,
                       void *into)
{
    struct path here = {.up = parent, .name = field->name};
    void *at = (char *)into + field->offset;
    if (!from || (field->flags & (JSON_OUTPUT | JSON_IGNORED)))
        return true;
    if (field->flags & JSON_REFUSED)
        return says_nothing(from) || refuse_field(d, &here, field);
    bool good = field->flags & JSON_LIST ? read_list(d, &here, field, from, at)
                                         : read_single(d, &here, field, from, at);
    return good && check_range(d, &here, field, at);
}

/* Whether they differ only in writing an X as _x. */
static bool is_same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        bool small = false; /* one of them said the next letter with a line before it */
        if (*a == '_' && *b != '_')
            small = *++a >= 'a' && *a <= 'z' && *a - 'a' + 'A' == *b;
        else if (*b == '_' && *a != '_')
            small = *++b >= 'a' && *b <= 'z' && *b - 'a' + 'A' == *a;
        if (!small && *a != *b)
            return false;
    }
    return *a == *b;
}

static const struct json_field *find_field(const struct json_type *type, const char *name)
{
    for (const struct json_field *field = type->fields; field->name; field++)
        if (field->name[0] == name[0] && strcmp(field->name, name) == 0)
            return field;
    for (const struct json_field *field = type->fields; field->name; field++)
        if (is_same_name(field->name, name))
            return field;
    return NULL;
}

/* proto3 cannot tell an empty string from none. */
static bool is_empty(const struct json_field *field, const void *at)
{
    bool text = field->kind == JSON_STRING || field->kind == JSON_BYTES;
    return is_absent(field, at) ||
           (text && !(field->flags & JSON_LIST) && ((const struct text *)at)->len == 0);
}

static bool check_required(const struct decoder *d, const struct path *parent,
                           const struct json_type *type, const void *into)
{
    for (const struct json_field *field = type->fields; field->name; field++) {
        if (!(field->flags & JSON_REQUIRED) || (field->flags & JSON_OUTPUT) ||
            !is_stored(field) || !is_empty(field, (const char *)into + field->offset))
            continue;
        const char *path =
            path_text(d, &(struct path){.up = parent, .name = field->name});
        return error_at(d->err, path, "* %s.%s: %s is not specified", d->root->name, path,
                        path);
    }
    return true;
}

static bool read_message(const struct decoder *d, const struct path *here,
                         const struct json_type *type, struct json_object *from,
                         void *into)
{
    for (struct lh_entry *e = from ? tree_first(from) : NULL; e; e = e->next) {
        const struct json_field *field = find_field(type, tree_key(e));
        if (!field && !type->any_keys)
            return refuse_name(d, here, tree_key(e), "Cannot find field.");
        if (field && !read_field(d, here, field, tree_value(e), into))
            return false;
    }
    return check_required(d, here, type, into);
}

bool json_decode(const struct json_type *type, struct json_object *from, void *into,
                 struct arena *arena, struct error *err)
{
    struct decoder d = {arena, err, type};
    memset(into, 0, type->size);
    if (from && !json_object_is_type(from, json_type_object))
        return refuse_name(&d, NULL, "", "Root element must be a message.");
    return read_message(&d, NULL, type, from, into);
}

bool json_decode_at(const struct json_type *type, struct json_object *from,
                    const char *where, void *into, struct arena *arena, struct error *err)
{
    struct decoder d = {arena, err, type};
    const struct path here = {.name = where};
    memset(into, 0, type->size);
    if (!json_object_is_type(from, json_type_object))
        return refuse_value(&d, &here,
                            &(const struct json_field){.kind = JSON_MESSAGE, .of = type},
                            from);
    return read_message(&d, &here, type, from, into);
}

bool json_read(const struct json_type *type, struct text text, void *into,
               struct arena *arena, struct error *err)
{
    struct json_object *from = NULL;
    if (text.len && !(from = json_parse(arena, text, err)))
        return false;
    return json_decode(type, from, into, arena, err);
}

/* Encoding. */

static void write_message(struct json_writer *w, const struct json_type *type,
                          const void *from);

static void write_enum(struct json_writer *w, const struct json_enum *table, int number)
{
    const char *name = json_enum_name(table, number);
    if (name)
        json_text(w, text_of(name));
    else
        json_int(w, number);
}

static void write_value(struct json_writer *w, const struct json_field *field,
                        const void *from)
{
    if (field->kind == JSON_MESSAGE)
        write_message(w, field->of, from);
    else if (field->kind == JSON_ENUM)
        write_enum(w, field->of, *(const int *)from);
    else
        json_kinds[field->kind].write(w, from);
}

static void write_list(struct json_writer *w, const struct json_field *field,
                       const struct json_list *list)
{
    json_begin(w, '[');
    for (size_t i = 0; i < list->n; i++)
        write_value(w, field, (const char *)list->at + i * value_size(field));
    json_end(w, ']');
}

static void write_field(struct json_writer *w, const struct json_field *field,
                        const char *at)
{
    json_key(w, field->name);
    if (field->flags & JSON_LIST)
        write_list(w, field, (const struct json_list *)at);
    else if (field->kind == JSON_MESSAGE)
        write_value(w, field, *(void *const *)at);
    else
        write_value(w, field, at + json_kinds[field->kind].is);
}

static void write_message(struct json_writer *w, const struct json_type *type,
                          const void *from)
{
    json_begin(w, '{');
    for (const struct json_field *field = type->fields; field->name; field++) {
        const char *at = (const char *)from + field->offset;
        if (is_stored(field) && !is_absent(field, at))
            write_field(w, field, at);
    }
    json_end(w, '}');
}

void json_encode(const struct json_type *type, const void *from, bool pretty,
                 struct buf *out)
{
    struct json_writer w = json_writer(out, pretty);
    write_message(&w, type, from);
}
