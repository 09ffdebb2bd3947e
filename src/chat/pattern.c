/* Character by character, since the two languages differ in what is a letter and what a
 * sign: in ECMA-262 "{" may stand for itself, "[" and "&&" in a class do, and "\s" is
 * another set of characters. Where engines differ (what is white space), the narrower
 * reading is taken, so that every one of them finds a match. */
#include "chat/pattern.h"
#include "base/arena.h"
#include <stdint.h>
#include <stdlib.h>

enum { REPEAT_MOST = 100000 };

struct reader {
    struct text in;
    size_t at;
    struct buf *out;
    const char *why;
};

#define SPACES " \\t\\n\\x0B\\f\\r"              /* white space to everybody */
#define ALL_SPACES "\\s\\x{FEFF}\\x{1C}-\\x{1F}" /* white space to anybody */

static bool refuse(struct reader *r, const char *why)
{
    r->why = why;
    return false;
}

static int peek(const struct reader *r, size_t ahead)
{
    size_t at = r->at + ahead;
    return at < r->in.len ? (unsigned char)r->in.at[at] : -1;
}

static bool eat(struct reader *r, const char *what)
{
    size_t n = strlen(what);
    if (r->in.len - r->at < n || memcmp(r->in.at + r->at, what, n) != 0)
        return false;
    r->at += n;
    return true;
}

/* One character that stands for itself, inside a class or out of it. */
static void write_char(struct buf *out, uint32_t c)
{
    if (c < 0x20 || c == 0x7f || c >= 0x80)
        buf_printf(out, "\\x{%X}", c);
    else if (strchr("\\.+*?()|[]{}^$&-~#", (int)c))
        buf_printf(out, "\\%c", (int)c);
    else
        buf_char(out, (char)c);
}

static uint32_t read_utf8(struct reader *r)
{
    size_t n = text_utf8_char(text_slice(r->in, r->at, r->in.len));
    if (n == 0)
        n = 1;
    uint32_t c = (unsigned char)r->in.at[r->at++];
    if (n > 1)
        c &= 0x7fu >> n;
    while (--n > 0)
        c = c << 6 | ((unsigned char)r->in.at[r->at++] & 0x3f);
    return c;
}

static bool read_hex(struct reader *r, int digits, uint32_t *value)
{
    char copy[9] = "", *end = NULL;
    if (r->in.len - r->at < (size_t)digits)
        return false;
    memcpy(copy, r->in.at + r->at, (size_t)digits);
    *value = (uint32_t)strtoul(copy, &end, 16);
    if (end != copy + digits || strchr("+- ", copy[0]))
        return false;
    r->at += (size_t)digits;
    return true;
}

/* After "\u". Two halves of a pair are one character. */
static bool read_unicode(struct reader *r, uint32_t *c)
{
    if (eat(r, "{")) {
        int n = 0;
        while (peek(r, (size_t)n) >= 0 && peek(r, (size_t)n) != '}')
            n++;
        return n >= 1 && n <= 6 && read_hex(r, n, c) && eat(r, "}");
    }
    if (!read_hex(r, 4, c))
        return false;
    uint32_t low = 0;
    if (*c < 0xd800 || *c >= 0xdc00 || !eat(r, "\\u"))
        return true;
    if (!read_hex(r, 4, &low) || low < 0xdc00 || low >= 0xe000)
        return false;
    *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

/* What an escape may be. */
enum escape { ESCAPE_CHAR, ESCAPE_SET, ESCAPE_BAD };

struct named {
    char name, is;
};

static const struct named controls[] = {
    {'t', '\t'}, {'n', '\n'}, {'r', '\r'}, {'f', '\f'}, {'v', '\v'}, {0},
};

/* \p{...}, whose names are the same in both. */
static bool copy_property(struct reader *r)
{
    size_t start = r->at;
    if (!eat(r, "{"))
        return false;
    while (peek(r, 0) >= 0 && peek(r, 0) != '}')
        r->at++;
    if (!eat(r, "}"))
        return false;
    buf_char(r->out, '\\');
    buf_text(r->out, text_slice(r->in, start - 1, r->at));
    return true;
}

static enum escape bad(struct reader *r, const char *why)
{
    refuse(r, why);
    return ESCAPE_BAD;
}

static enum escape char_by_number(struct reader *r, int letter, uint32_t *c)
{
    bool good = letter == 'u' ? read_unicode(r, c) : read_hex(r, 2, c);
    if (!good || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
        return bad(r, "an escape that is no character");
    return ESCAPE_CHAR;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(int c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* After "\c". */
static enum escape control_char(struct reader *r, uint32_t *c)
{
    int letter = peek(r, 0);
    if (!is_letter(letter))
        return bad(r, "an escape that is no character");
    r->at++;
    *c = (uint32_t)(letter & 0x1f);
    return ESCAPE_CHAR;
}

/* After a backslash, in a class or out of it; sets are written at once. `excluded`: the
 * set is taken away from what may come (in [^...]), so the wider reading is the safe one.
 */
static enum escape read_escape(struct reader *r, bool in_class, bool excluded,
                               uint32_t *c)
{
    int letter = peek(r, 0);
    if (letter < 0)
        return bad(r, "a backslash at its end");
    if (letter >= 0x80) {
        *c = read_utf8(r);
        return ESCAPE_CHAR;
    }
    r->at++;
    *c = (uint32_t)letter;
    for (const struct named *control = controls; control->name; control++) {
        if (control->name == letter) {
            *c = (uint32_t)control->is;
            return ESCAPE_CHAR;
        }
    }
    switch (letter) {
    case 'd':
    case 'D':
    case 'w':
    case 'W':
        buf_printf(r->out, "\\%c", letter);
        return ESCAPE_SET;
    case 's':
        buf_printf(r->out, in_class ? "%s" : "[%s]", excluded ? ALL_SPACES : SPACES);
        return ESCAPE_SET;
    case 'S':
        buf_printf(r->out, "[^%s]", excluded ? SPACES : ALL_SPACES);
        return ESCAPE_SET;
    case 'p':
    case 'P':
        return copy_property(r) ? ESCAPE_SET : bad(r, "an escape that is no character");
    case 'u':
    case 'x':
        return char_by_number(r, letter, c);
    case 'c':
        return control_char(r, c);
    case '0':
        *c = 0;
        return is_digit(peek(r, 0)) ? bad(r, "an escape that is no character")
                                    : ESCAPE_CHAR;
    case 'b':
        *c = '\b';
        return in_class ? ESCAPE_CHAR : bad(r, "a word boundary (\\b)");
    case 'B':
        return bad(r, "a word boundary (\\B)");
    case 'k':
        return bad(r, "a back reference");
    default:
        if (is_digit(letter))
            return bad(r, "a back reference");
        if (is_letter(letter))
            return bad(r, "an escape that ECMA-262 does not know");
        return ESCAPE_CHAR;
    }
}

/* ---- classes ---- */

/* One thing in a class. A set is written at once. */
static enum escape read_member(struct reader *r, bool excluded, uint32_t *c)
{
    if (eat(r, "\\"))
        return read_escape(r, true, excluded, c);
    *c = read_utf8(r);
    return ESCAPE_CHAR;
}

static bool read_members(struct reader *r, bool excluded)
{
    while (peek(r, 0) >= 0 && peek(r, 0) != ']') {
        uint32_t from = 0, to = 0;
        enum escape first = read_member(r, excluded, &from);
        if (first == ESCAPE_BAD)
            return false;
        if (first == ESCAPE_SET)
            continue;
        write_char(r->out, from);
        if (peek(r, 0) != '-' || peek(r, 1) < 0 || peek(r, 1) == ']')
            continue;
        r->at++;
        size_t before = r->out->len;
        enum escape last = read_member(r, excluded, &to);
        if (last == ESCAPE_BAD)
            return false;
        if (last == ESCAPE_SET) { /* [a-\d]: the hyphen is one of the characters */
            buf_str(r->out, "\\-");
            continue;
        }
        if (to < from)
            return refuse(r, "a range that is the wrong way round");
        buf_cut(r->out, before);
        buf_char(r->out, '-');
        write_char(r->out, to);
    }
    return eat(r, "]") || refuse(r, "a [ without its ]");
}

static bool read_class(struct reader *r)
{
    bool excluded = eat(r, "^");
    if (eat(r, "]")) {
        if (!excluded)
            return refuse(r, "a class that holds nothing");
        buf_str(r->out, "(?s:.)");
        return true;
    }
    buf_str(r->out, excluded ? "[^" : "[");
    if (!read_members(r, excluded))
        return false;
    buf_char(r->out, ']');
    return true;
}

/* ---- groups and repetitions ---- */

static bool read_group(struct reader *r)
{
    static const char *const around[] = {"?=", "?!", "?<=", "?<!"};
    for (size_t i = 0; i < sizeof(around) / sizeof(*around); i++)
        if (eat(r, around[i]))
            return refuse(r, "a lookahead or lookbehind");
    if (eat(r, "?<") || eat(r, "?P<")) {
        while (peek(r, 0) >= 0 && peek(r, 0) != '>')
            r->at++;
        r->at++;
    } else if (!eat(r, "?:") && peek(r, 0) == '?') {
        return refuse(r, "inline flags");
    }
    buf_str(r->out, "(?:");
    return true;
}

/* {n}, {n,} or {n,m}; anything else that begins with { is only a brace. */
static bool read_braces(struct reader *r)
{
    size_t start = r->at, commas = 0;
    long counts[2] = {0, 0};
    bool any = false;
    while (peek(r, 0) >= 0 && strchr("0123456789,", peek(r, 0))) {
        if (eat(r, ",")) {
            commas++;
            continue;
        }
        any = any || commas == 0;
        long *count = &counts[commas > 0];
        *count = *count * 10 + (peek(r, 0) - '0');
        if (*count > REPEAT_MOST)
            return refuse(r, "a repetition of more than 100000");
        r->at++;
    }
    if (!any || commas > 1 || !eat(r, "}")) {
        r->at = start;
        buf_str(r->out, "\\{");
        return true;
    }
    buf_text(r->out, text_slice(r->in, start - 1, r->at));
    eat(r, "?"); /* lazy or not, the same texts match */
    return true;
}

static bool read_one(struct reader *r, int *depth)
{
    uint32_t c = 0;
    if (eat(r, "\\")) {
        enum escape escape = read_escape(r, false, false, &c);
        if (escape == ESCAPE_CHAR)
            write_char(r->out, c);
        return escape != ESCAPE_BAD;
    }
    if (eat(r, "["))
        return read_class(r);
    if (eat(r, "("))
        return ++*depth <= 100 ? read_group(r) : refuse(r, "more than 100 groups in one");
    if (eat(r, "{"))
        return read_braces(r);
    c = read_utf8(r);
    switch (c) {
    case ')':
        buf_char(r->out, ')');
        return --*depth >= 0 || refuse(r, "a ) without its (");
    case '.':
        buf_str(r->out, "[^\\n\\r]");
        return true;
    case '*':
    case '+':
    case '?':
        buf_char(r->out, (char)c);
        eat(r, "?");
        return true;
    case '^':
    case '$':
    case '|':
        buf_char(r->out, (char)c);
        return true;
    default:
        write_char(r->out, c);
        return true;
    }
}

bool pattern_write(struct text pattern, struct buf *out, const char **why)
{
    struct reader r = {.in = pattern, .out = out};
    int depth = 0;
    while (r.at < r.in.len) {
        if (!read_one(&r, &depth)) {
            *why = r.why;
            return false;
        }
    }
    if (depth == 0)
        return true;
    *why = "a ( without its )";
    return false;
}

/* ---- everything but some texts ---- */

static int by_bytes(const void *a, const void *b)
{
    const struct text *x = a, *y = b;
    int order = memcmp(x->at, y->at, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* What may follow the first `at` bytes that texts[0..n) share, so that none of them comes
 * out whole: nothing (unless one ends here), a character that none has here and then
 * anything, or one that some have and then again such a rest. */
static void write_rest(const struct text *texts, int n, size_t at, struct buf *out)
{
    bool ends = texts[0].len == at;
    if (ends) {
        texts++;
        n--;
    }
    buf_str(out, ends ? "(?:" : "(?:|");
    struct buf known = {0};
    for (int i = 0, same; i < n; i += same) {
        size_t len = text_utf8_char(text_slice(texts[i], at, texts[i].len));
        struct text c = text_slice(texts[i], at, at + len);
        for (same = 1; i + same < n; same++)
            if (!text_same(text_slice(texts[i + same], at, at + len), c))
                break;
        struct reader r = {.in = c};
        struct buf one = {0};
        write_char(&one, read_utf8(&r));
        buf_text(&known, buf_view(&one));
        buf_text(out, buf_view(&one));
        buf_free(&one);
        write_rest(texts + i, same, at + len, out);
        buf_char(out, '|');
    }
    if (known.len)
        buf_printf(out, "[^%s](?s:.)*)", known.at);
    else
        buf_str(out, "(?s:.)+)");
    buf_free(&known);
}

void pattern_others(const struct text *texts, int n, struct buf *out)
{
    struct text *sorted = mem_alloc(sizeof(*sorted) * (size_t)n);
    int kept = 0;
    memcpy(sorted, texts, sizeof(*sorted) * (size_t)n);
    qsort(sorted, (size_t)n, sizeof(*sorted), by_bytes);
    for (int i = 0; i < n; i++)
        if (i == 0 || !text_same(sorted[i], sorted[kept - 1]))
            sorted[kept++] = sorted[i];
    buf_char(out, '^');
    write_rest(sorted, kept, 0, out);
    buf_char(out, '$');
    free(sorted);
}
