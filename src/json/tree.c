/* tree.c - json_parse and json_any_write: text to json-c's trees and back.
 *
 * json-c is more lenient than we want in three places, which are closed here: it stops at
 * a NUL byte, ignores what follows the first value, and lets malformed UTF-8 pass. */
#include "json/tree.h"
#include "json/scan.h"
#include <math.h>
#include <stdio.h>

static void put_tree(void *tree)
{
    json_object_put(tree);
}

struct json_object *tree_keep(struct arena *arena, struct json_object *tree)
{
    if (tree)
        arena_defer(arena, put_tree, tree);
    return tree;
}

struct lh_entry *tree_first(struct json_object *object)
{
    return json_object_is_type(object, json_type_object)
               ? json_object_get_object(object)->head
               : NULL;
}

const char *tree_key(const struct lh_entry *entry)
{
    return entry->k;
}

struct json_object *tree_value(const struct lh_entry *entry)
{
    return (struct json_object *)(uintptr_t)entry->v;
}

struct json_object *tree_member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, name, &value);
    return value;
}

struct text tree_text(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string))
        return (struct text){0};
    return (struct text){json_object_get_string(value),
                         (size_t)json_object_get_string_len(value)};
}

/* Reading. */

static const char *what_is_wrong(enum json_tokener_error code)
{
    switch (code) {
    case json_tokener_error_depth:
        return "Too many levels of nesting";
    case json_tokener_continue:
    case json_tokener_error_parse_eof:
        return "Unexpected end of input";
    case json_tokener_error_parse_number:
        return "Malformed number";
    case json_tokener_error_parse_array:
        return "Expected , or ] after array value";
    case json_tokener_error_parse_object_key_name:
        return "Expected an object key or }";
    case json_tokener_error_parse_object_key_sep:
        return "Expected : between key:value pair";
    case json_tokener_error_parse_object_value_sep:
        return "Expected , or } after key:value pair";
    case json_tokener_error_parse_string:
        return "Illegal escape in a string";
    default:
        return "Unexpected token";
    }
}

/* Columns count characters, both count from 1. */
static bool refuse_at(struct error *err, struct text text, size_t at, const char *what)
{
    int line = 1, column = 1;
    for (size_t i = 0; i < at && i < text.len; i++) {
        if (text.at[i] == '\n') {
            line++;
            column = 1;
        } else if ((text.at[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    return error_set(err, ERROR_INVALID_ARGUMENT,
                     "Invalid JSON payload received. %s at line %d, column %d.", what,
                     line, column);
}

static bool check_bytes(struct text text, struct error *err)
{
    if (text.len > INT32_MAX)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "Invalid JSON payload received. More than 2 GB.");
    const char *nul = text.len ? memchr(text.at, '\0', text.len) : NULL;
    if (nul)
        return refuse_at(err, text, (size_t)(nul - text.at), "Unexpected NUL byte");
    if (text_is_utf8(text))
        return true;
    size_t at = 0;
    for (size_t n; (n = text_utf8_char(text_slice(text, at, text.len))) > 0;)
        at += n;
    return refuse_at(err, text, at, "Malformed UTF-8");
}

static bool only_space(struct text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr(" \t\r\n", text.at[i]))
            return false;
    return true;
}

/* The value may be NULL, for null, also when all went well. */
static bool tokenize(struct json_tokener *tokener, struct text text,
                     struct json_object **value, struct error *err)
{
    *value = json_tokener_parse_ex(tokener, text.at, (int)text.len);
    enum json_tokener_error code = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    if (code == json_tokener_continue) {
        /* Only the NUL after it tells json-c that a number has ended. */
        *value = json_tokener_parse_ex(tokener, "", 1);
        code = json_tokener_get_error(tokener);
        end = text.len;
    }
    if (code != json_tokener_success)
        return refuse_at(err, text, end, what_is_wrong(code));
    if (!only_space(text_slice(text, end, text.len)))
        return refuse_at(err, text, end, "Unexpected text after the value");
    return true;
}

struct json_object *json_parse(struct arena *arena, struct text text, struct error *err)
{
    if (!check_bytes(text, err))
        return NULL;
    struct json_object *value = NULL;
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH + 1);
    bool good = tokenize(tokener, text, &value, err);
    json_tokener_free(tokener);
    if (!tree_keep(arena, value) && good)
        good = refuse_at(err, text, 0, "Unexpected null");
    return good ? value : NULL;
}

bool tree_is_sound(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_double:
        return isfinite(json_object_get_double(value));
    case json_type_int:
        return json_object_get_int64(value) != INT64_MIN &&
               json_object_get_uint64(value) != UINT64_MAX;
    case json_type_array:
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (!tree_is_sound(json_object_array_get_idx(value, i)))
                return false;
        return true;
    case json_type_object:
        for (struct lh_entry *e = tree_first(value); e; e = e->next)
            if (!tree_is_sound(tree_value(e)))
                return false;
        return true;
    default:
        return true;
    }
}

/* Writing. */

static bool is_real(struct text number)
{
    for (size_t i = 0; i < number.len; i++)
        if (strchr(".eE", number.at[i]))
            return scan_is_number(number);
    return false;
}

/* json-c keeps the text of a number that it read, so 1.0 can stay 1.0. It forgives an
 * exponent that is not there ("1E"), and drops the E: what is left reads as an integer.
 */
static void write_double(struct json_writer *w, struct json_object *value)
{
    struct text as_read = text_of(json_object_get_userdata(value));
    if (as_read.at && is_real(as_read))
        json_raw(w, as_read);
    else
        json_number(w, json_object_get_double(value));
}

static void write_int(struct json_writer *w, struct json_object *value)
{
    uint64_t large = json_object_get_uint64(value);
    if (large <= INT64_MAX) {
        json_int(w, json_object_get_int64(value));
        return;
    }
    char digits[24];
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)large);
    json_raw(w, text_of(digits));
}

static void write_object(struct json_writer *w, struct json_object *object)
{
    json_begin(w, '{');
    for (struct lh_entry *e = tree_first(object); e; e = e->next) {
        json_key(w, tree_key(e));
        tree_write(w, tree_value(e));
    }
    json_end(w, '}');
}

static void write_array(struct json_writer *w, struct json_object *array)
{
    json_begin(w, '[');
    for (size_t i = 0; i < json_object_array_length(array); i++)
        tree_write(w, json_object_array_get_idx(array, i));
    json_end(w, ']');
}

void tree_write(struct json_writer *w, struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        json_raw(w, TEXT("null"));
        break;
    case json_type_boolean:
        json_bool(w, json_object_get_boolean(value));
        break;
    case json_type_double:
        write_double(w, value);
        break;
    case json_type_int:
        write_int(w, value);
        break;
    case json_type_string:
        json_text(w, tree_text(value));
        break;
    case json_type_object:
        write_object(w, value);
        break;
    case json_type_array:
        write_array(w, value);
        break;
    }
}

void json_any_write(struct json_object *value, struct buf *out)
{
    struct json_writer w = json_writer(out, false);
    tree_write(&w, value);
}
