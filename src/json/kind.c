/* kind.c - how one value of each kind is read and written. */
#include "json/kind.h"
#include "json/scan.h"
#include "json/tree.h"
#include <math.h>
#include <stdio.h>

/* Reading. */

static bool read_string(const struct json_source *from, void *to)
{
    struct text *text = to;
    *text = tree_text(from->tree);
    return text->at != NULL;
}

static bool read_bytes(const struct json_source *from, void *to)
{
    struct text base64 = tree_text(from->tree);
    return base64.at && scan_base64(base64, from->arena, to);
}

static bool read_bool(const struct json_source *from, void *to)
{
    bool *value = to;
    struct text word = tree_text(from->tree);
    if (json_object_is_type(from->tree, json_type_boolean))
        *value = json_object_get_boolean(from->tree);
    else if (text_is(word, "true") || text_is(word, "false"))
        *value = word.len == 4;
    else
        return false;
    return true;
}

static bool read_int64(const struct json_source *from, void *to)
{
    int64_t *value = to;
    double real;
    switch (json_object_get_type(from->tree)) {
    case json_type_int:
        *value = json_object_get_int64(from->tree);
        return tree_is_sound(from->tree) &&
               json_object_get_uint64(from->tree) <= INT64_MAX;
    case json_type_double:
        real = json_object_get_double(from->tree);
        if (!(fabs(real) < 0x1p63) || real != nearbyint(real))
            return false;
        *value = (int64_t)real;
        return true;
    default:
        return scan_int(tree_text(from->tree), value);
    }
}

static bool read_int32(const struct json_source *from, void *to)
{
    int64_t *value = to;
    return read_int64(from, to) && *value >= INT32_MIN && *value <= INT32_MAX;
}

static bool read_number(const struct json_source *from, void *to)
{
    double *value = to;
    if (json_object_is_type(from->tree, json_type_string))
        return scan_double(tree_text(from->tree), value);
    *value = json_object_get_double(from->tree);
    return (json_object_is_type(from->tree, json_type_int) ||
            json_object_is_type(from->tree, json_type_double)) &&
           tree_is_sound(from->tree);
}

static bool read_enum(const struct json_source *from, void *to)
{
    int *value = to;
    int64_t number;
    if (json_object_is_type(from->tree, json_type_string))
        return (*value = json_enum_number(from->of, tree_text(from->tree))) >= 0;
    if (!read_int32(from, &number))
        return false;
    *value = (int)number;
    return number == 0 || json_enum_name(from->of, *value);
}

static bool read_duration(const struct json_source *from, void *to)
{
    return scan_duration(tree_text(from->tree), to);
}

static bool read_timestamp(const struct json_source *from, void *to)
{
    return scan_timestamp(tree_text(from->tree), to);
}

static bool read_any(const struct json_source *from, void *to)
{
    *(struct json_object **)to = from->tree;
    return tree_is_sound(from->tree);
}

/* Writing. */

static void write_string(struct json_writer *w, const void *from)
{
    json_text(w, *(const struct text *)from);
}

static void write_bytes(struct json_writer *w, const void *from)
{
    json_base64(w, *(const struct text *)from);
}

static void write_bool(struct json_writer *w, const void *from)
{
    json_bool(w, *(const bool *)from);
}

static void write_int(struct json_writer *w, const void *from)
{
    json_int(w, *(const int64_t *)from);
}

static void write_int64(struct json_writer *w, const void *from)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%lld", (long long)*(const int64_t *)from);
    json_text(w, text_of(digits));
}

static void write_number(struct json_writer *w, const void *from)
{
    json_number(w, *(const double *)from);
}

static void write_duration(struct json_writer *w, const void *from)
{
    json_duration(w, *(const int64_t *)from);
}

static void write_timestamp(struct json_writer *w, const void *from)
{
    json_timestamp(w, *(const int64_t *)from);
}

static void write_any(struct json_writer *w, const void *from)
{
    tree_write(w, *(struct json_object *const *)from);
}

/* The table. */

enum {
    IN_BOOL = offsetof(struct json_bool, is),
    IN_INT = offsetof(struct json_int, is),
    IN_NUMBER = offsetof(struct json_number, is),
};

#define PROTOBUF "type.googleapis.com/google.protobuf."

/* clang-format off */
const struct json_kind_row json_kinds[] = {
    [JSON_STRING]    = {"TYPE_STRING",        sizeof(struct text), 0,         read_string,    write_string},
    [JSON_BYTES]     = {"TYPE_BYTES",         sizeof(struct text), 0,         read_bytes,     write_bytes},
    [JSON_BOOL]      = {"TYPE_BOOL",          sizeof(bool),        IN_BOOL,   read_bool,      write_bool},
    [JSON_INT]       = {"TYPE_INT32",         sizeof(int64_t),     IN_INT,    read_int32,     write_int},
    [JSON_INT64]     = {"TYPE_INT64",         sizeof(int64_t),     IN_INT,    read_int64,     write_int64},
    [JSON_NUMBER]    = {"TYPE_FLOAT",         sizeof(double),      IN_NUMBER, read_number,    write_number},
    [JSON_ENUM]      = {"TYPE_ENUM",          sizeof(int),         0,         read_enum,      NULL},
    [JSON_DURATION]  = {PROTOBUF "Duration",  sizeof(int64_t),     IN_INT,    read_duration,  write_duration},
    [JSON_TIMESTAMP] = {PROTOBUF "Timestamp", sizeof(int64_t),     IN_INT,    read_timestamp, write_timestamp},
    [JSON_MESSAGE]   = {"",                   0,                   0,         NULL,           NULL},
    [JSON_ANY]       = {PROTOBUF "Value",     sizeof(void *),      0,         read_any,       write_any},
};
/* clang-format on */
