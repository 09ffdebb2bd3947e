#include "tools/mend.h"
#include "base/buf.h"

enum { MOST_OPEN = 200 };

struct scan {
    struct text source;
    size_t at;
    char open[MOST_OPEN]; /* what must close, innermost last */
    int n_open;
    bool comment; /* it ends within one */
};

/* Behind a string that begins here; false: it has no end. */
static bool skip_string(struct scan *s)
{
    const char *at = s->source.at;
    char quote = at[s->at];
    bool three =
        s->at + 2 < s->source.len && at[s->at + 1] == quote && at[s->at + 2] == quote;
    size_t n = three ? 3 : 1;
    for (s->at += n; s->at < s->source.len; s->at++) {
        if (at[s->at] == '\\') {
            s->at++;
        } else if (at[s->at] == '\n' && !three) {
            return false;
        } else if (at[s->at] == quote &&
                   (!three || (s->at + 2 < s->source.len && at[s->at + 1] == quote &&
                               at[s->at + 2] == quote))) {
            s->at += n;
            return true;
        }
    }
    return false;
}

static char closer_of(char c)
{
    return (char)(c == '(' ? ')' : c == '[' ? ']' : c == '{' ? '}' : '\0');
}

/* To its last character. */
static void skip_comment(struct scan *s)
{
    while (s->at + 1 < s->source.len && s->source.at[s->at + 1] != '\n')
        s->at++;
}

/* Goes up to the first bracket that does not match, or the end. False: it is not to be
 * understood. */
static bool scan(struct scan *s)
{
    while (s->at < s->source.len) {
        char c = s->source.at[s->at], closer = closer_of(c);
        if (c == '"' || c == '\'') {
            if (!skip_string(s))
                return false;
            continue;
        }
        if (c == '#')
            skip_comment(s);
        s->comment = c == '#' && s->at + 1 == s->source.len;
        if (closer && s->n_open == MOST_OPEN)
            return false;
        if (closer)
            s->open[s->n_open++] = closer;
        if (c == ')' || c == ']' || c == '}') {
            if (s->n_open == 0 || s->open[s->n_open - 1] != c)
                return true;
            s->n_open--;
        }
        s->at++;
    }
    return true;
}

static bool is_debris(struct text rest)
{
    for (size_t i = 0; i < rest.len; i++)
        if (!strchr(")]}\"' \n", rest.at[i]) || rest.at[i] == '\0')
            return false;
    return true;
}

struct text mend_python(struct text source, struct arena *arena)
{
    struct scan s = {.source = source};
    struct buf mended = {0};
    if (source.len == 0 || !scan(&s) || (s.at == source.len && s.n_open == 0) ||
        !is_debris(text_slice(source, s.at, source.len)))
        return source;
    buf_text(&mended, text_slice(source, 0, s.at));
    if (s.comment && s.n_open > 0)
        buf_char(&mended, '\n');
    while (s.n_open > 0)
        buf_char(&mended, s.open[--s.n_open]);
    struct text text = arena_text(arena, buf_view(&mended));
    buf_free(&mended);
    return text.at ? text : TEXT("");
}
