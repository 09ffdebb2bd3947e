/* write.c - writes JSON as it is told, straight into a buffer. */
#include "json/write.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { INDENT = 2 };

struct json_writer json_writer(struct buf *out, bool pretty)
{
    return (struct json_writer){.out = out, .pretty = pretty, .first = true};
}

static void new_line(struct json_writer *w)
{
    size_t spaces = (size_t)w->depth * INDENT;
    char *at = buf_reserve(w->out, spaces + 1);
    at[0] = '\n';
    memset(at + 1, ' ', spaces);
    w->out->len += spaces + 1;
}

/* What stands between the last thing written and the next. */
static void separate(struct json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth == 0)
        return;
    if (!w->first)
        buf_char(w->out, ',');
    w->first = false;
    if (w->pretty)
        new_line(w);
}

void json_begin(struct json_writer *w, char bracket)
{
    separate(w);
    buf_char(w->out, bracket);
    w->depth++;
    w->first = true;
}

void json_end(struct json_writer *w, char bracket)
{
    assert(w->depth > 0 && !w->after_key);
    w->depth--;
    if (w->pretty && !w->first)
        new_line(w);
    buf_char(w->out, bracket);
    w->first = false;
}

/* Strings. */

/* How many bytes from `from` on can be copied as they are. */
static size_t plain_run(struct text value, size_t from)
{
    size_t i = from;
    while (i < value.len) {
        unsigned char c = (unsigned char)value.at[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            i++;
            continue;
        }
        size_t n = c >= 0x80 ? text_utf8_char(text_slice(value, i, value.len)) : 0;
        if (n == 0)
            break;
        i += n;
    }
    return i - from;
}

static void add_escaped(struct buf *out, unsigned char c)
{
    static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = c ? strchr(special, c) : NULL;
    if (c >= 0x80) {
        buf_str(out, "\xef\xbf\xbd"); /* not UTF-8: U+FFFD */
    } else if (found) {
        buf_char(out, '\\');
        buf_char(out, letters[found - special]);
    } else {
        buf_printf(out, "\\u%04x", c);
    }
}

static void add_string(struct buf *out, struct text value)
{
    buf_char(out, '"');
    for (size_t i = 0; i < value.len; i++) {
        size_t run = plain_run(value, i);
        if (run)
            buf_add(out, value.at + i, run);
        i += run;
        if (i < value.len)
            add_escaped(out, (unsigned char)value.at[i]);
    }
    buf_char(out, '"');
}

void json_key(struct json_writer *w, const char *name)
{
    separate(w);
    add_string(w->out, text_of(name));
    buf_char(w->out, ':');
    if (w->pretty)
        buf_char(w->out, ' ');
    w->after_key = true;
}

void json_text(struct json_writer *w, struct text value)
{
    separate(w);
    add_string(w->out, value);
}

void json_put(struct json_writer *w, const char *key, struct text value)
{
    json_key(w, key);
    json_text(w, value);
}

void json_raw(struct json_writer *w, struct text value)
{
    separate(w);
    buf_text(w->out, value);
}

void json_bool(struct json_writer *w, bool value)
{
    separate(w);
    buf_str(w->out, value ? "true" : "false");
}

/* Numbers. */

/* Writes the digits backwards, ending at `end`; returns where they begin. */
static char *digits(char *end, uint64_t value, int at_least)
{
    char *at = end;
    while (value || end - at < at_least) {
        *--at = (char)('0' + value % 10);
        value /= 10;
    }
    return at;
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static void add_int(struct buf *out, int64_t value)
{
    char number[24], *end = number + sizeof(number);
    char *at = digits(end, magnitude(value), 1);
    if (value < 0)
        *--at = '-';
    buf_add(out, at, (size_t)(end - at));
}

void json_int(struct json_writer *w, int64_t value)
{
    separate(w);
    add_int(w->out, value);
}

/* Most numbers have few decimals: 0.7, -1.25. When value * 10^n, rounded, divided by 10^n
 * gives the value back, then that quotient of two exact doubles is also what a reader
 * computes, so these decimals suffice; and the first n that works is the shortest. */
static bool add_decimal(struct buf *out, double value)
{
    enum { MOST = 17 };
    static const double exact = 9007199254740992; /* 2^53 */
    double power = 1;
    for (int n = 0; n <= MOST; n++, power *= 10) {
        double scaled = nearbyint(fabs(value) * power);
        if (scaled > exact)
            return false;
        if (scaled == 0 || scaled / power != fabs(value))
            continue;
        char number[40], *end = number + sizeof(number);
        uint64_t whole = (uint64_t)scaled;
        uint64_t unit = (uint64_t)power;
        char *at = end;
        if (n > 0) {
            at = digits(end, whole % unit, n);
            *--at = '.';
        }
        at = digits(at, whole / unit, 1);
        if (value < 0)
            *--at = '-';
        buf_add(out, at, (size_t)(end - at));
        return true;
    }
    return false;
}

static void add_double(struct buf *out, double value)
{
    for (int precision = 15; precision <= 17; precision++) {
        char number[32];
        int len = snprintf(number, sizeof(number), "%.*g", precision, value);
        if (precision < 17 && strtod(number, NULL) != value)
            continue;
        buf_add(out, number, (size_t)len);
        return;
    }
}

void json_number(struct json_writer *w, double value)
{
    separate(w);
    if (isnan(value))
        buf_str(w->out, "\"NaN\""); /* proto JSON's way for what JSON cannot say */
    else if (isinf(value))
        buf_str(w->out, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    else if (value == 0)
        buf_char(w->out, '0'); /* also for -0: readers take "-0" for an integer */
    else if (!add_decimal(w->out, value))
        add_double(w->out, value);
}

/* Times. */

enum { NS_PER_S = 1000000000 };

/* ".5", ".25" or nothing; with `groups` in threes: ".500". */
static void add_fraction(struct buf *out, int ns, bool groups)
{
    if (ns == 0)
        return;
    char number[16], *end = number + sizeof(number);
    char *at = digits(end, (uint64_t)ns, 9);
    int step = groups ? 3 : 1;
    while (memcmp(end - step, "000", (size_t)step) == 0)
        end -= step;
    buf_char(out, '.');
    buf_add(out, at, (size_t)(end - at));
}

void json_timestamp(struct json_writer *w, int64_t ns_since_1970)
{
    int64_t ns = ns_since_1970 % NS_PER_S;
    time_t seconds = ns_since_1970 / NS_PER_S;
    if (ns < 0) {
        ns += NS_PER_S;
        seconds--;
    }
    struct tm utc;
    gmtime_r(&seconds, &utc);
    separate(w);
    buf_printf(w->out, "\"%04d-%02d-%02dT%02d:%02d:%02d", utc.tm_year + 1900,
               utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
    add_fraction(w->out, (int)ns, true);
    buf_str(w->out, "Z\"");
}

void json_duration(struct json_writer *w, int64_t ns)
{
    separate(w);
    buf_str(w->out, ns < 0 ? "\"-" : "\"");
    add_int(w->out, (int64_t)(magnitude(ns) / NS_PER_S));
    add_fraction(w->out, (int)(magnitude(ns) % NS_PER_S), false);
    buf_str(w->out, "s\"");
}

static size_t base64_len(struct text bytes)
{
    return (bytes.len + 2) / 3 * 4;
}

static void encode(struct text bytes, char *at)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.len; i += 3) {
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < bytes.len ? (unsigned char)bytes.at[i + j] : 0);
        *at++ = alphabet[bits >> 18];
        *at++ = alphabet[bits >> 12 & 63];
        *at++ = alphabet[bits >> 6 & 63];
        *at++ = alphabet[bits & 63];
    }
    for (size_t i = 0; i < (3 - bytes.len % 3) % 3; i++)
        at[-1 - (ptrdiff_t)i] = '=';
}

void json_base64(struct json_writer *w, struct text bytes)
{
    size_t len = base64_len(bytes);
    separate(w);
    buf_char(w->out, '"');
    encode(bytes, buf_reserve(w->out, len));
    w->out->len += len;
    buf_char(w->out, '"');
}

struct text json_base64_of(struct text bytes, struct arena *arena)
{
    size_t len = base64_len(bytes);
    char *at = arena_alloc(arena, len + 1);
    encode(bytes, at);
    at[len] = '\0';
    return (struct text){at, len};
}
