/* filter.c - parses a filter by recursive descent into a tree, and asks it.
 *
 *     expression = sequence {"AND" sequence}
 *     sequence   = factor {factor}              (AND)
 *     factor     = term {"OR" term}
 *     term       = ["NOT" | "-"] ("(" expression ")" | key comparator value) */
#include "index/filter.h"
#include <math.h>
#include <stdlib.h>

enum kind { AND, OR, NOT, COMPARE };
enum comparator { EQUALS, DIFFERS, LESS, LESS_EQUAL, MORE, MORE_EQUAL, HAS };

struct filter {
    enum kind kind;
    struct filter *left, *right; /* of NOT the left */
    struct text key, value;
    enum comparator comparator;
    bool is_number, any;
    double number;
};

struct parser {
    struct text text;
    size_t at;
    struct arena *arena;
    struct error *err;
    int depth;
};

/* ---- tokens ---- */

static void skip_space(struct parser *p)
{
    while (p->at < p->text.len && strchr(" \t\r\n", p->text.at[p->at]) &&
           p->text.at[p->at])
        p->at++;
}

static char peek(struct parser *p)
{
    skip_space(p);
    return (char)(p->at < p->text.len ? p->text.at[p->at] : '\0');
}

static bool ends_word(char c)
{
    return !c || strchr(" \t\r\n()=!<>:\",'", c) != NULL;
}

static struct text word_at(struct parser *p)
{
    skip_space(p);
    size_t to = p->at;
    while (to < p->text.len && !ends_word(p->text.at[to]))
        to++;
    return text_slice(p->text, p->at, to);
}

static bool take_word(struct parser *p, const char *word)
{
    struct text at = word_at(p);
    if (!text_is(at, word))
        return false;
    p->at += at.len;
    return true;
}

static struct filter *fail(struct parser *p, const char *what)
{
    error_at(p->err, "metadata_filter",
             "metadataFilter: at character %zu there must be %s. An example: author = "
             "\"Robert Graves\" AND year >= 1934",
             text_characters(text_slice(p->text, 0, p->at)) + 1, what);
    return NULL;
}

/* "a \"quoted\" text" or 'one'; false: it does not end. */
static bool take_quoted(struct parser *p, struct text *value)
{
    char quote = p->text.at[p->at++];
    char *to = arena_alloc(p->arena, p->text.len - p->at + 1);
    size_t n = 0;
    for (; p->at < p->text.len && p->text.at[p->at] != quote; p->at++) {
        if (p->text.at[p->at] == '\\' && p->at + 1 < p->text.len)
            p->at++;
        to[n++] = p->text.at[p->at];
    }
    *value = (struct text){to, n};
    return p->at++ < p->text.len;
}

/* A word or a quoted text; *quoted says which. False: an error was set. */
static bool take_value(struct parser *p, const char *what, struct text *value,
                       bool *quoted)
{
    char c = peek(p);
    *quoted = c == '"' || c == '\'';
    if (*quoted)
        return take_quoted(p, value) || fail(p, "the end of a quoted text");
    *value = word_at(p);
    p->at += value->len;
    return value->len > 0 || fail(p, what);
}

static bool take_comparator(struct parser *p, enum comparator *comparator)
{
    static const struct {
        const char *sign;
        enum comparator is;
    } signs[] = {{"!=", DIFFERS}, {"<=", LESS_EQUAL}, {">=", MORE_EQUAL}, {"==", EQUALS},
                 {"=", EQUALS},   {"<", LESS},        {">", MORE},        {":", HAS}};
    skip_space(p);
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (!text_starts(text_slice(p->text, p->at, p->text.len), signs[i].sign))
            continue;
        p->at += strlen(signs[i].sign);
        *comparator = signs[i].is;
        return true;
    }
    return fail(p, "one of = != < <= > >= :");
}

/* ---- the grammar ---- */

static struct filter *expression(struct parser *p);

static struct filter *node(struct parser *p, enum kind kind, struct filter *left,
                           struct filter *right)
{
    struct filter *filter = arena_new(p->arena, struct filter);
    *filter = (struct filter){.kind = kind, .left = left, .right = right};
    return filter;
}

static bool read_number(struct parser *p, struct text value, double *number)
{
    const char *string = arena_text(p->arena, value).at;
    char *end;
    if (!value.len || !strchr("+-.0123456789", value.at[0]) || value.len > 40)
        return false;
    *number = strtod(string, &end);
    return *end == '\0' && isfinite(*number);
}

static struct filter *comparison(struct parser *p)
{
    struct filter *filter = node(p, COMPARE, NULL, NULL);
    bool quoted;
    if (!take_value(p, "the key of a document's metadata", &filter->key, &quoted) ||
        !take_comparator(p, &filter->comparator) ||
        !take_value(p, "a text in quotes or a number", &filter->value, &quoted))
        return NULL;
    filter->is_number = !quoted && read_number(p, filter->value, &filter->number);
    filter->any = !quoted && filter->comparator == HAS && text_is(filter->value, "*");
    return filter;
}

static struct filter *term(struct parser *p)
{
    if (p->depth >= FILTER_DEPTH)
        return fail(p, "fewer levels");
    p->depth++;
    struct filter *filter;
    bool minus = peek(p) == '-';
    if (minus)
        p->at++;
    if (minus || take_word(p, "NOT")) {
        filter = term(p);
        filter = filter ? node(p, NOT, filter, NULL) : NULL;
    } else if (peek(p) == '(') {
        p->at++;
        filter = expression(p);
        if (filter && peek(p) != ')')
            filter = fail(p, "a )");
        p->at++;
    } else {
        filter = comparison(p);
    }
    p->depth--;
    return filter;
}

static struct filter *factor(struct parser *p)
{
    struct filter *filter = term(p);
    while (filter && take_word(p, "OR")) {
        struct filter *right = term(p);
        filter = right ? node(p, OR, filter, right) : NULL;
    }
    return filter;
}

static struct filter *expression(struct parser *p)
{
    struct filter *filter = factor(p);
    while (filter && peek(p) && peek(p) != ')') {
        take_word(p, "AND"); /* or nothing */
        struct filter *right = factor(p);
        filter = right ? node(p, AND, filter, right) : NULL;
    }
    return filter;
}

struct filter *filter_parse(struct text text, struct arena *arena, struct error *err)
{
    struct parser p = {.text = text, .arena = arena, .err = err};
    if (text.len > FILTER_MOST) {
        error_at(err, "metadata_filter", "metadataFilter may have at most %d bytes.",
                 FILTER_MOST);
        return NULL;
    }
    struct filter *filter = expression(&p);
    return filter && peek(&p) ? fail(&p, "AND, OR or the end") : filter;
}

/* ---- asking ---- */

static bool holds(enum comparator comparator, int order)
{
    switch (comparator) {
    case EQUALS:
    case HAS:
        return order == 0;
    case DIFFERS:
        return order != 0;
    case LESS:
        return order < 0;
    case LESS_EQUAL:
        return order <= 0;
    case MORE:
        return order > 0;
    case MORE_EQUAL:
        return order >= 0;
    }
    return false;
}

static int text_order(struct text a, struct text b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.at, b.at, n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* * at either end of what is asked for. */
static bool fits_pattern(struct text pattern, struct text text)
{
    bool before = text_starts(pattern, "*");
    bool after = text_ends(pattern, "*") && pattern.len > 1;
    struct text middle = text_slice(pattern, before, pattern.len - after);
    if (before && after)
        return text_find(text, middle, 0) != SIZE_MAX;
    if (text.len < middle.len)
        return false;
    return before ? text_same(text_slice(text, text.len - middle.len, text.len), middle)
                  : text_same(text_slice(text, 0, middle.len), middle);
}

static bool compare_text(const struct filter *f, struct text text)
{
    bool pattern = text_starts(f->value, "*") || text_ends(f->value, "*");
    if (pattern && (f->comparator == EQUALS || f->comparator == HAS))
        return fits_pattern(f->value, text);
    if (pattern && f->comparator == DIFFERS)
        return !fits_pattern(f->value, text);
    return holds(f->comparator, text_order(text, f->value));
}

/* One of the texts; != asks that none is. */
static bool compare_list(const struct filter *f, const struct metadata_strings *strings)
{
    const struct text *values = strings->values.at;
    bool all = f->comparator == DIFFERS;
    for (size_t i = 0; i < strings->values.n; i++)
        if (compare_text(f, values[i]) != all)
            return !all;
    return all;
}

static bool compare(const struct filter *f, const struct metadata_entry *entry)
{
    if (f->any)
        return true;
    if (entry->number.set)
        return f->is_number && holds(f->comparator, (entry->number.is > f->number) -
                                                        (entry->number.is < f->number));
    return entry->strings ? compare_list(f, entry->strings)
                          : compare_text(f, entry->string);
}

static bool compare_key(const struct filter *f, const struct metadata *metadata)
{
    const struct metadata_entry *entries = metadata ? metadata->entries.at : NULL;
    for (size_t i = 0; metadata && i < metadata->entries.n; i++)
        if (text_same(entries[i].key, f->key))
            return compare(f, &entries[i]);
    return false;
}

bool filter_fits(const struct filter *f, const struct metadata *metadata)
{
    if (!f)
        return true;
    switch (f->kind) {
    case AND:
        return filter_fits(f->left, metadata) && filter_fits(f->right, metadata);
    case OR:
        return filter_fits(f->left, metadata) || filter_fits(f->right, metadata);
    case NOT:
        return !filter_fits(f->left, metadata);
    default:
        return compare_key(f, metadata);
    }
}
