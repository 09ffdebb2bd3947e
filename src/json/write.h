/* write.h - writes JSON as it is told, straight into a buffer.
 *
 *     struct json_writer w = json_writer(&buf, true);
 *     json_begin(&w, '{');
 *     json_key(&w, "name");
 *     json_text(&w, TEXT("x"));
 *     json_end(&w, '}');
 *
 * Commas and indentation are its business. Strings are escaped; bytes that are not UTF-8
 * become U+FFFD. Used by schema.c for tables and by hand where there is none. */
#ifndef POLLUX_JSON_WRITE_H
#define POLLUX_JSON_WRITE_H

#include "base/arena.h"
#include "base/buf.h"
#include <stdint.h>

struct json_writer {
    struct buf *out;
    bool pretty;
    bool first; /* nothing written yet at this level */
    bool after_key;
    int depth;
};

struct json_writer json_writer(struct buf *out, bool pretty);
void json_begin(struct json_writer *w, char bracket); /* '{' or '[' */
void json_end(struct json_writer *w, char bracket);   /* '}' or ']' */
void json_key(struct json_writer *w, const char *name);
void json_text(struct json_writer *w, struct text value);
void json_int(struct json_writer *w, int64_t value);
void json_number(struct json_writer *w, double value); /* fewest digits that read back */
void json_bool(struct json_writer *w, bool value);
void json_raw(struct json_writer *w, struct text value); /* already JSON */
void json_put(struct json_writer *w, const char *key, struct text value); /* a text */

/* RFC 3339 in UTC with as many of 3, 6 or 9 fraction digits as are needed, or none. */
void json_timestamp(struct json_writer *w, int64_t ns_since_1970);
void json_duration(struct json_writer *w, int64_t ns); /* "3.5s" */
void json_base64(struct json_writer *w, struct text bytes);
struct text json_base64_of(struct text bytes, struct arena *arena); /* without quotes */

#endif
