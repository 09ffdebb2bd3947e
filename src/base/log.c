/* log.c - one line per thing that happened.
 *
 * Which spaces part two pairs and which belong to a value is known only before the values
 * are filled in. So the spaces of the format that stand before a key become a mark, and
 * the filled text is cut at the marks. A value that brings marks of its own, as a hostile
 * one may, would forge pairs: then the whole line is written as one value. */
#include "base/log.h"
#include "base/buf.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { MARK = 0x1f };

static _Atomic enum log_level least_level = LOG_INFO;
static _Atomic enum log_format line_format = LOG_TEXT;

void log_setup(enum log_level least, enum log_format format)
{
    least_level = least;
    line_format = format;
}

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* A pair; without a key it is plain words. */
struct pair {
    struct text key, value;
};

static struct pair pair_of(struct text word)
{
    struct text value;
    struct text key = text_cut(word, '=', &value);
    if (!value.at)
        return (struct pair){TEXT("text"), word};
    return (struct pair){key, value};
}

/* Turns the spaces before "key=" into marks; returns how many. */
static int mark_pairs(char *format)
{
    int n = 0;
    for (char *space = strchr(format, ' '); space;) {
        char *next = strchr(space + 1, ' ');
        char *equals = strchr(space + 1, '=');
        if (equals && (!next || equals < next)) {
            *space = MARK;
            n++;
        }
        space = next;
    }
    return n;
}

static int count_marks(struct text text)
{
    int n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.at[i] == MARK;
    return n;
}

/* Whether a value written by this part of the format is a number: "ms=%.0f". */
static bool is_numeric(struct text format)
{
    size_t len = format.len;
    return len >= 2 && format.at[0] == '%' && strchr("diufge", format.at[len - 1]) &&
           !memchr(format.at + 1, '%', len - 1);
}

static bool is_finite(struct text number)
{
    return number.len && strchr("0123456789", number.at[number.len - 1]);
}

static void add_quoted(struct buf *line, struct text value)
{
    buf_char(line, '"');
    for (size_t i = 0, n; i < value.len; i += n) {
        struct text rest = text_slice(value, i, value.len);
        unsigned char c = (unsigned char)rest.at[0];
        n = text_utf8_char(rest);
        if (n == 0) {
            buf_str(line, "\xef\xbf\xbd"); /* U+FFFD */
            n = 1;
        } else if (c == '"' || c == '\\') {
            buf_printf(line, "\\%c", c);
        } else if (c == '\n') {
            buf_str(line, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(line, "\\u%04x", c);
        } else {
            buf_add(line, rest.at, n);
        }
    }
    buf_char(line, '"');
}

static bool needs_quotes(struct text value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return true;
    }
    return value.len == 0;
}

static void add_pair(struct buf *line, struct pair pair, bool number)
{
    if (line_format == LOG_JSON) {
        buf_char(line, ',');
        add_quoted(line, pair.key);
        buf_char(line, ':');
    } else {
        buf_char(line, ' ');
        buf_text(line, pair.key);
        buf_char(line, '=');
    }
    bool bare = line_format == LOG_JSON ? number : !needs_quotes(pair.value);
    if (bare)
        buf_text(line, pair.value);
    else
        add_quoted(line, pair.value);
}

static void add_pairs(struct buf *line, struct text filled, struct text format)
{
    while (filled.at && filled.len) {
        struct pair pair = pair_of(text_cut(filled, MARK, &filled));
        struct pair made_by = pair_of(text_cut(format, MARK, &format));
        add_pair(line, pair, is_numeric(made_by.value) && is_finite(pair.value));
    }
}

static void add_head(struct buf *line, enum log_level level, const char *event)
{
    struct timespec now;
    struct tm utc;
    char day[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &utc);
    bool json = line_format == LOG_JSON;
    buf_printf(line, json ? "{\"time\":\"%s.%03ldZ\"" : "%s.%03ldZ", day,
               now.tv_nsec / 1000000);
    buf_printf(line, json ? ",\"level\":\"%s\",\"event\":\"%s\"" : " %s %s",
               level_names[level], event);
}

static void write_line(struct text line)
{
    while (write(STDERR_FILENO, line.at, line.len) < 0 && errno == EINTR)
        continue;
}

static void add_message(struct buf *line, const char *format, va_list args)
{
    struct buf marked = {0}, filled = {0};
    buf_str(&marked, format);
    int n_marks = mark_pairs(marked.at);
    buf_vprintf(&filled, marked.at, args);
    if (count_marks(buf_view(&filled)) == n_marks)
        add_pairs(line, buf_view(&filled), buf_view(&marked));
    else
        add_pair(line, (struct pair){TEXT("text"), buf_view(&filled)}, false);
    buf_free(&marked);
    buf_free(&filled);
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    if (level < least_level)
        return;
    int saved_errno = errno;
    struct buf line = {0};
    add_head(&line, level, event);
    va_list args;
    va_start(args, format);
    add_message(&line, format, args);
    va_end(args);
    buf_str(&line, line_format == LOG_JSON ? "}\n" : "\n");
    write_line(buf_view(&line));
    buf_free(&line);
    errno = saved_errno;
}
