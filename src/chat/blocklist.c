/* blocklist.c - words that must not pass, from a file.
 *
 * Words are kept folded (lower case, one space for white space), as characters, in order.
 * At each place of a text where a word may begin, the walk narrows the range of words
 * that agree with the characters so far by binary search, one character at a time: no
 * automaton to build, and a list of thousands costs a text as much as one of ten, nearly.
 *
 * A word is whole when no letter or digit touches its own first and last ones. Where
 * words are written without spaces (Chinese, Japanese, Thai...) nothing is ever whole, so
 * there a word is found anywhere.
 *
 * In a text that grows, a place is done with when the walk from it failed; while it could
 * go on past the end, or needs the next character to see that the word is whole, the
 * place waits. Expressions see a line when it is complete. */
#include "chat/blocklist.h"
#include "base/arena.h"
#include "base/file.h"
#include <locale.h>
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <wctype.h>

enum { MOST_FILE = 16 << 20, LONGEST_WORD = 200 };

struct word {
    uint32_t *chars;
    size_t n;
};

struct expression {
    struct expression *next;
    regex_t regex;
};

struct blocklist {
    struct arena *arena;
    locale_t locale;
    struct word *words; /* in order */
    size_t n_words, words_room;
    struct expression *expressions;
};

/* ---- characters ---- */

static uint32_t decode(const char *at, size_t len)
{
    const unsigned char *b = (const unsigned char *)at;
    switch (len) {
    case 2:
        return (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
    case 3:
        return (b[0] & 0x0fu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
    case 4:
        return (b[0] & 0x07u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 |
               (b[3] & 0x3fu);
    default:
        return b[0];
    }
}

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0 || c == 0x3000 ||
           (c >= 0x2000 && c <= 0x200a);
}

/* One folded character of the text at *at, which moves on; white space is one, however
 * long. */
static uint32_t next_char(const struct blocklist *list, struct text text, size_t *at)
{
    size_t len = text_utf8_char(text_slice(text, *at, text.len));
    uint32_t c = decode(text.at + *at, len);
    *at += len ? len : 1;
    if (!is_space(c))
        return (uint32_t)towlower_l((wint_t)c, list->locale);
    while (*at < text.len) {
        len = text_utf8_char(text_slice(text, *at, text.len));
        if (!is_space(decode(text.at + *at, len)))
            break;
        *at += len ? len : 1;
    }
    return ' ';
}

/* Letters that stand next to one another within a word only. */
static bool is_letter(const struct blocklist *list, uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } unspaced[] = {{0x0e00, 0x0eff}, {0x1000, 0x109f}, {0x1780, 0x17ff}, {0x2e80, ~0u}};
    for (size_t i = 0; i < sizeof unspaced / sizeof *unspaced; i++)
        if (c >= unspaced[i].from && c <= unspaced[i].to)
            return false;
    return c == '_' || iswalnum_l((wint_t)c, list->locale);
}

/* The character that ends before `at`; 0: none. */
static uint32_t char_before(const struct blocklist *list, struct text text, size_t at)
{
    size_t start = at;
    while (start > 0 && at - start < 4) {
        start--;
        if ((text.at[start] & 0xc0) != 0x80)
            return next_char(list, text_slice(text, 0, at), &start);
    }
    return 0;
}

/* ---- words ---- */

static int compare(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    for (size_t i = 0; i < x->n && i < y->n; i++)
        if (x->chars[i] != y->chars[i])
            return x->chars[i] < y->chars[i] ? -1 : 1;
    return (x->n > y->n) - (x->n < y->n);
}

/* The first word of [from, to) whose k-th character is c or more; a word that is shorter
 * comes before all others. */
static size_t lower_bound(const struct blocklist *list, size_t from, size_t to, size_t k,
                          uint32_t c)
{
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const struct word *word = &list->words[middle];
        if (word->n <= k || word->chars[k] < c)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

enum found { FOUND_NOT, FOUND_PERHAPS, FOUND };

/* Whether a word that ends here, with `last`, is whole. */
static enum found ends_here(const struct blocklist *list, struct text text, size_t at,
                            uint32_t last, bool final)
{
    if (!is_letter(list, last))
        return FOUND;
    if (at >= text.len)
        return final ? FOUND : FOUND_PERHAPS;
    return is_letter(list, next_char(list, text, &at)) ? FOUND_NOT : FOUND;
}

static bool may_begin(const struct blocklist *list, struct text text, size_t at)
{
    size_t next = at;
    uint32_t first = next_char(list, text, &next);
    return first != ' ' &&
           !(is_letter(list, first) && is_letter(list, char_before(list, text, at)));
}

static enum found word_at(const struct blocklist *list, struct text text, size_t at,
                          bool final)
{
    enum found found = FOUND_NOT;
    size_t from = 0, to = list->n_words;
    if (!may_begin(list, text, at))
        return FOUND_NOT;
    for (size_t k = 0; from < to; k++) {
        if (at >= text.len)
            return final ? found : FOUND_PERHAPS;
        uint32_t c = next_char(list, text, &at);
        from = lower_bound(list, from, to, k, c);
        to = lower_bound(list, from, to, k, c + 1);
        if (from == to || list->words[from].n != k + 1)
            continue;
        enum found whole = ends_here(list, text, at, c, final);
        if (whole == FOUND)
            return FOUND;
        found = whole == FOUND_PERHAPS ? whole : found;
    }
    return found;
}

static bool scan_words(const struct blocklist *list, struct text text, bool final,
                       size_t *at)
{
    while (*at < text.len) {
        switch (word_at(list, text, *at, final)) {
        case FOUND:
            return true;
        case FOUND_PERHAPS:
            return false;
        case FOUND_NOT:
            break;
        }
        size_t len = text_utf8_char(text_slice(text, *at, text.len));
        *at += len ? len : 1;
    }
    return false;
}

/* ---- expressions ---- */

static bool regex_finds(const regex_t *regex, struct text line)
{
    regmatch_t range = {.rm_so = 0, .rm_eo = (regoff_t)line.len};
    return regexec(regex, line.at, 1, &range, REG_STARTEND) == 0;
}

static bool line_matches(const struct blocklist *list, struct text line)
{
    for (const struct expression *e = list->expressions; e; e = e->next)
        if (regex_finds(&e->regex, line))
            return true;
    return false;
}

static bool scan_lines(const struct blocklist *list, struct text text, bool final,
                       size_t *at)
{
    while (*at < text.len) {
        size_t end = text_find(text, TEXT("\n"), *at);
        if (end == SIZE_MAX && !final)
            return false;
        if (line_matches(list, text_slice(text, *at, end)))
            return true;
        *at = end == SIZE_MAX ? text.len : end + 1;
    }
    return false;
}

/* ---- looking ---- */

/* Expressions go by this thread's locale. */
static bool scan_lines_in(const struct blocklist *list, struct text text, bool final,
                          size_t *at)
{
    locale_t own = uselocale(list->locale);
    bool found = scan_lines(list, text, final, at);
    uselocale(own);
    return found;
}

bool blocklist_scan(const struct blocklist *list, struct text text, bool final,
                    struct blocklist_scan *scan)
{
    if (scan_words(list, text, final, &scan->words))
        return true;
    if (!list->expressions)
        scan->lines = text.len;
    else if (scan_lines_in(list, text, final, &scan->lines))
        return true;
    scan->clear = scan->words < scan->lines ? scan->words : scan->lines;
    return false;
}

bool blocklist_finds(const struct blocklist *list, struct text text)
{
    struct blocklist_scan scan = {0};
    return blocklist_scan(list, text, true, &scan);
}

/* ---- reading ---- */

static bool add_word(struct blocklist *list, struct text text, struct error *err)
{
    if (text.len > LONGEST_WORD)
        return error_set(err, ERROR_INVALID_ARGUMENT, "longer than %d bytes",
                         LONGEST_WORD);
    struct word word = {arena_array(list->arena, uint32_t, text.len), 0};
    for (size_t at = 0; at < text.len;)
        word.chars[word.n++] = next_char(list, text, &at);
    if (list->n_words == list->words_room) {
        list->words_room = list->words_room ? list->words_room * 2 : 64;
        list->words = mem_grow(list->words, list->words_room * sizeof *list->words);
    }
    list->words[list->n_words++] = word;
    return true;
}

static void free_regex(void *what)
{
    regfree(what);
}

static bool add_expression(struct blocklist *list, struct text source, struct error *err)
{
    struct expression *e = arena_new(list->arena, struct expression);
    if (memchr(source.at, 0, source.len))
        return error_set(err, ERROR_INVALID_ARGUMENT, "a NUL byte");
    const char *string = arena_text(list->arena, source).at;
    int failed = regcomp(&e->regex, string, REG_EXTENDED | REG_ICASE);
    if (failed) {
        char words[200];
        regerror(failed, &e->regex, words, sizeof words);
        return error_set(err, ERROR_INVALID_ARGUMENT, "%s", words);
    }
    arena_defer(list->arena, free_regex, &e->regex);
    if (regex_finds(&e->regex, TEXT("")))
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "this matches the empty text, so it would block everything");
    e->next = list->expressions;
    list->expressions = e;
    return true;
}

static bool add_line(struct blocklist *list, struct text line, struct error *err)
{
    line = text_trim(line);
    if (line.len == 0 || line.at[0] == '#')
        return true;
    if (!text_is_utf8(line))
        return error_set(err, ERROR_INVALID_ARGUMENT, "not UTF-8");
    if (line.len > 2 && line.at[0] == '/' && text_ends(line, "/"))
        return add_expression(list, text_slice(line, 1, line.len - 1), err);
    return add_word(list, line, err);
}

static bool add_lines(struct blocklist *list, struct text file, const char *path,
                      struct error *err)
{
    struct error why;
    for (int n = 1; file.at; n++)
        if (!add_line(list, text_cut(file, '\n', &file), &why))
            return error_set(err, why.code, "%s:%d: %s", path, n, why.message);
    return true;
}

struct blocklist *blocklist_read(struct text file, const char *path, struct error *err)
{
    struct blocklist *list = mem_alloc(sizeof *list);
    list->arena = arena_open();
    list->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!list->locale) {
        error_set(err, ERROR_INTERNAL, "no locale C.UTF-8: %m");
        blocklist_close(list);
        return NULL;
    }
    locale_t own = uselocale(list->locale);
    bool good = add_lines(list, file, path, err);
    uselocale(own);
    if (!good) {
        blocklist_close(list);
        return NULL;
    }
    if (list->n_words > 0)
        qsort(list->words, list->n_words, sizeof *list->words, compare);
    return list;
}

struct blocklist *blocklist_open(const char *path, struct error *err)
{
    struct buf all = {0};
    struct blocklist *list = NULL;
    if (file_read(path, MOST_FILE, &all, err))
        list = blocklist_read(buf_view(&all), path, err);
    buf_free(&all);
    return list;
}

void blocklist_close(struct blocklist *list)
{
    if (!list)
        return;
    if (list->locale)
        freelocale(list->locale);
    free(list->words);
    arena_close(list->arena);
    free(list);
}
