/* multipart.c - a body of several parts, taken apart as it arrives.
 *
 * What was not decided yet lies in `held`. The body begins as if a line had ended before
 * it, so that a boundary is always "\n--boundary": what is before the "\n", without a CR,
 * is the part's. Behind it comes "--" (the end), or blanks and a line's end; anything
 * else means that it is no boundary but bytes that look like one. */
#include "http/multipart.h"
#include <stdint.h>

/* ---- header values ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Up to a semicolon outside quotes. */
static struct text cut_parameter(struct text *rest)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->len && (quoted || rest->at[i] != ';'); i++) {
        if (rest->at[i] == '"')
            quoted = !quoted;
        else if (quoted && rest->at[i] == '\\' && i + 1 < rest->len)
            i++;
    }
    struct text one = text_slice(*rest, 0, i);
    *rest = text_slice(*rest, i + 1, rest->len);
    return text_trim(one);
}

static bool unquote(struct text value, char *to, size_t room)
{
    bool quoted = value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"';
    size_t n = 0;
    if (quoted)
        value = text_slice(value, 1, value.len - 1);
    for (size_t i = 0; i < value.len; i++) {
        if (quoted && value.at[i] == '\\' && i + 1 < value.len)
            i++;
        if (n + 1 >= room || value.at[i] == '\0')
            return false;
        to[n++] = value.at[i];
    }
    to[n] = '\0';
    return n > 0;
}

/* The value of `name` in "type/subtype; name=value; other=\"a b\"", unquoted into `to`;
 * false when there is none or it has no room. */
static bool parameter(struct text header, const char *name, char *to, size_t room)
{
    cut_parameter(&header); /* the type */
    while (header.len) {
        struct text value;
        struct text one = cut_parameter(&header);
        struct text key = text_trim(text_cut(one, '=', &value));
        if (value.at && text_is_nocase(key, name))
            return unquote(text_trim(value), to, room);
    }
    return false;
}

/* ---- opening ---- */

bool multipart_open(struct multipart *m, struct text content_type, struct error *err)
{
    char boundary[MULTIPART_BOUNDARY + 1];
    *m = (struct multipart){0};
    if (!parameter(content_type, "boundary", boundary, sizeof boundary))
        return error_set(
            err, ERROR_INVALID_ARGUMENT,
            "The Content-Type of a multipart body must tell its boundary, of "
            "1 to %d characters.",
            MULTIPART_BOUNDARY);
    memcpy(m->mark, "\n--", 3);
    memcpy(m->mark + 3, boundary, strlen(boundary) + 1);
    m->mark_len = strlen(m->mark);
    buf_char(&m->held, '\n');
    return true;
}

void multipart_close(struct multipart *m)
{
    buf_free(&m->held);
}

/* ---- boundaries ---- */

struct found {
    enum { NONE, PERHAPS, DELIMITER, LAST } kind;
    size_t from, to; /* of the bytes that are the boundary's, CR included */
};

/* What the boundary at `at` (of its "\n") turns out to be. */
static struct found judge(struct text all, size_t at, size_t mark_len)
{
    size_t i = at + mark_len;
    struct found found = {PERHAPS, at, i};
    if (at > 0 && all.at[at - 1] == '\r')
        found.from--;
    if (all.len - i >= 2 && all.at[i] == '-' && all.at[i + 1] == '-') {
        found.kind = LAST;
        return found;
    }
    if (all.len - i == 1 && all.at[i] == '-')
        return found;
    while (i < all.len && (is_blank(all.at[i]) || all.at[i] == '\r'))
        i++;
    if (i - at > MULTIPART_HELD || (i < all.len && all.at[i] != '\n'))
        found.kind = NONE;
    else if (i < all.len)
        found = (struct found){DELIMITER, found.from, i + 1};
    return found;
}

/* Whether the end of `all` may be the begin of a boundary, and from where. */
static size_t may_begin(struct text all, struct text mark)
{
    size_t from = all.len > mark.len ? all.len - mark.len : 0;
    for (size_t i = from; i < all.len; i++) {
        struct text end = text_slice(all, i, all.len);
        if (text_same(end, text_slice(mark, 0, end.len)))
            return i > 0 && all.at[i - 1] == '\r' ? i - 1 : i;
    }
    return all.len > 0 && all.at[all.len - 1] == '\r' ? all.len - 1 : all.len;
}

/* The first boundary. NONE: all before `from` is certainly not one's. */
static struct found find_boundary(const struct multipart *m)
{
    struct text all = buf_view(&m->held), mark = {m->mark, m->mark_len};
    for (size_t at = 0; (at = text_find(all, mark, at)) != SIZE_MAX; at++) {
        struct found found = judge(all, at, m->mark_len);
        if (found.kind != NONE)
            return found;
    }
    size_t safe = may_begin(all, mark);
    return (struct found){NONE, safe, safe};
}

/* ---- parts ---- */

/* The first byte of a fresh part's is the end of its header's last line. */
static bool give(struct multipart *m, size_t len, struct error *err)
{
    size_t from = m->fresh && len > 0;
    m->fresh = m->fresh && len == 0;
    return m->state != MULTIPART_BODY || len == from ||
           m->bytes(m->arg, m->n_parts - 1, text_slice(buf_view(&m->held), from, len),
                    err);
}

/* Bytes up to the next boundary. *more: something was decided, go on. */
static bool read_bytes(struct multipart *m, bool *more, struct error *err)
{
    struct found found = find_boundary(m);
    if (!give(m, found.from, err))
        return false;
    *more = found.kind == DELIMITER || found.kind == LAST;
    buf_drop(&m->held, *more ? found.to : found.from);
    if (*more)
        m->state = found.kind == LAST ? MULTIPART_END : MULTIPART_HEADERS;
    return true;
}

static bool begin_part(struct multipart *m, struct text lines, struct error *err)
{
    struct text type = {0}, encoding = {0};
    while (lines.len) {
        struct text value;
        struct text name =
            text_trim(text_cut(text_cut(lines, '\n', &lines), ':', &value));
        if (text_is_nocase(name, "content-type"))
            type = text_trim(value);
        else if (text_is_nocase(name, "content-transfer-encoding"))
            encoding = text_trim(value);
    }
    m->state = MULTIPART_BODY;
    return m->begin(m->arg, m->n_parts++, type, encoding, err);
}

/* Where the blank line ends: SIZE_MAX when it did not come yet. */
static size_t end_of_header(struct text held, size_t *lines)
{
    for (size_t line = 0, end; line < held.len; line = end + 1) {
        end = text_find(held, TEXT("\n"), line);
        if (end == SIZE_MAX)
            break;
        if (end == line || (end == line + 1 && held.at[line] == '\r')) {
            *lines = line;
            return end + 1;
        }
    }
    return SIZE_MAX;
}

static bool read_header(struct multipart *m, bool *more, struct error *err)
{
    struct text held = buf_view(&m->held);
    size_t lines = 0, end = end_of_header(held, &lines);
    if ((end == SIZE_MAX ? held.len : end) > MULTIPART_HEADER)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "A part's header is longer than %d bytes.", MULTIPART_HEADER);
    *more = end != SIZE_MAX;
    if (!*more)
        return true;
    if (!begin_part(m, text_slice(held, 0, lines), err))
        return false;
    /* The line's end stays: a part without bytes has its boundary at once. */
    buf_drop(&m->held, end - 1);
    m->fresh = true;
    return true;
}

bool multipart_add(struct multipart *m, struct text bytes, struct error *err)
{
    bool more = m->state != MULTIPART_END;
    if (more)
        buf_text(&m->held, bytes);
    while (more && m->state != MULTIPART_END)
        if (!(m->state == MULTIPART_HEADERS ? read_header : read_bytes)(m, &more, err))
            return false;
    return true;
}

bool multipart_finish(const struct multipart *m, struct error *err)
{
    return m->state == MULTIPART_END ||
           error_set(err, ERROR_INVALID_ARGUMENT,
                     "The multipart body ends before its last boundary.");
}
