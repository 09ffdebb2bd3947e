/* schema.h - walks message tables: decode, check, encode; the path in every error.
 *
 * A message of the API is declared once: a C struct and a table whose rows say, for each
 * field, its JSON name, kind, place in the struct and range. From the table come decoding
 * (lowerCamelCase and snake_case; a single value where a list is expected; trailing
 * commas, single quotes: the API's own parser takes all of these), checking, and
 * encoding.
 *
 * Wire rules (docs/wire.md): null equals absent; enums by name in any case or by number;
 * int fields take 40.0 and "40"; bytes are base64 of either alphabet, padding optional,
 * white space skipped; Duration "3.5s"; Timestamp RFC 3339. Messages of errors use the
 * public service's wording with snake_case paths: Invalid JSON payload received. Unknown
 * name "foo" at 'contents[0].parts[0]': Cannot find field. */
#ifndef POLLUX_JSON_SCHEMA_H
#define POLLUX_JSON_SCHEMA_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include <stdint.h>

struct json_object; /* json-c's; for its functions include json/tree.h */

/* How a field lies in its struct. Every kind has a value for "absent". */
enum json_kind {
    JSON_STRING,    /* struct text; absent: at == NULL */
    JSON_BYTES,     /* struct text, decoded from base64 */
    JSON_BOOL,      /* struct json_bool */
    JSON_INT,       /* struct json_int; on the wire a number */
    JSON_INT64,     /* struct json_int; written as a string */
    JSON_NUMBER,    /* struct json_number */
    JSON_ENUM,      /* int; 0 is absent / unspecified; `of` is a struct json_enum[] */
    JSON_DURATION,  /* struct json_int, nanoseconds */
    JSON_TIMESTAMP, /* struct json_int, nanoseconds since 1970 */
    JSON_MESSAGE,   /* pointer to the message's struct; `of` is its struct json_type */
    JSON_ANY,       /* struct json_object *: kept as it came (args, schemas, Struct) */
};

struct json_bool {
    bool set, is;
};
struct json_int {
    bool set;
    int64_t is;
};
struct json_number {
    bool set;
    double is;
};

/* A repeated field: n elements side by side. Messages lie in the array as structs,
 * strings as struct text, enums as int, numbers as double, ints as int64_t, ANY as
 * pointers. */
struct json_list {
    void *at;
    size_t n;
};

enum {
    JSON_LIST = 1,      /* struct json_list of the kind */
    JSON_REQUIRED = 2,  /* absent: 400 */
    JSON_OUTPUT = 4,    /* output only: skipped when decoding */
    JSON_IGNORED = 8,   /* accepted by the API without effect: any value, not stored */
    JSON_REFUSED = 16,  /* known, not supported here yet: 400 that says so (note) */
    JSON_SINGULAR = 32, /* a list that does not take a single value in place of a list */
};

struct json_field {
    const char *name; /* camelCase, which is read in snake_case, too; or snake_case */
    enum json_kind kind;
    unsigned offset, flags;
    double least, most; /* numbers: range; strings: length; lists: count. Both 0: any */
    const void *of;     /* struct json_type or struct json_enum[] */
    const char *note;   /* documentation; for JSON_REFUSED what is not supported */
};

struct json_type {
    const char *name; /* "GenerationConfig" */
    size_t size;
    const struct json_field *fields; /* ends with name == NULL */
    bool any_keys; /* unknown names are skipped, not refused (rarely right) */
};

struct json_enum {
    const char *name;  /* ends with NULL */
    int number;        /* proto number on the wire; also the value in the struct */
    const char *alias; /* another accepted name, or NULL */
};

/* Parses leniently. At most JSON_DEPTH levels, valid UTF-8, no NUL byte outside strings,
 * one value and nothing after it. The tree lives as long as the arena. NULL and err on
 * failure: "Invalid JSON payload received. ..." with line and column. */
enum { JSON_DEPTH = 200 };
struct json_object *json_parse(struct arena *arena, struct text text, struct error *err);

/* Decodes an object into `into` (zeroed first). Strings are copied into the arena or
 * point into `from`, which must live as long. A non-object is an error. */
bool json_decode(const struct json_type *type, struct json_object *from, void *into,
                 struct arena *arena, struct error *err);

/* The same for an object that stands at `where` ("input[2]") in what came: errors tell.
 */
bool json_decode_at(const struct json_type *type, struct json_object *from,
                    const char *where, void *into, struct arena *arena,
                    struct error *err);

/* json_parse then json_decode; an empty text decodes as {}. */
bool json_read(const struct json_type *type, struct text text, void *into,
               struct arena *arena, struct error *err);

/* Appends the message. Absent fields are left out; so are empty lists and strings that
 * are absent. pretty: two-space indent, one key a line; otherwise one line without
 * spaces. */
void json_encode(const struct json_type *type, const void *from, bool pretty,
                 struct buf *out);

const char *json_enum_name(const struct json_enum *table, int number); /* NULL: unknown */
int json_enum_number(const struct json_enum *table, struct text name); /* -1: unknown */

/* Any JSON value kept by JSON_ANY, written compactly with its key order kept. */
void json_any_write(struct json_object *value, struct buf *out);

#endif
