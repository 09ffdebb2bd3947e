/* option.c - settings from defaults, then the environment, then the command line.
 *
 * All three go through set_value(), which checks kind and range; `source` is what its
 * errors call the setting: "--port" or "POLLUX_PORT". */
#include "base/option.h"
#include "base/arena.h"
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_OPTIONS = 128, HELP_COLUMN = 26, HELP_WIDTH = 80 };

struct reader {
    const struct option *table;
    void *into;
    struct error *err;
    char **next, **end; /* the words of the command line not read yet */
    const char **words;
    int n_words;
    bool seen[MOST_OPTIONS]; /* rows given on the command line */
};

/* Values. */

static bool is_unbounded(const struct option *option)
{
    return option->least == 0 && option->most == 0;
}

static bool in_range(const struct option *option, double value)
{
    return is_unbounded(option) || (value >= option->least && value <= option->most);
}

static bool refuse_number(const struct option *option, const char *source,
                          const char *value, struct error *err)
{
    const char *what = option->kind == OPTION_INT ? "a whole number" : "a number";
    if (is_unbounded(option))
        return error_set(err, ERROR_INVALID_ARGUMENT, "%s is '%s'; it must be %s", source,
                         value, what);
    return error_set(err, ERROR_INVALID_ARGUMENT,
                     "%s is '%s'; it must be %s from %.15g to %.15g", source, value, what,
                     option->least, option->most);
}

static bool set_int(const struct option *option, void *at, const char *source,
                    const char *value, struct error *err)
{
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (end == value || *end || errno || !in_range(option, (double)number))
        return refuse_number(option, source, value, err);
    *(int64_t *)at = number;
    return true;
}

static bool set_number(const struct option *option, void *at, const char *source,
                       const char *value, struct error *err)
{
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end || !isfinite(number) || !in_range(option, number))
        return refuse_number(option, source, value, err);
    *(double *)at = number;
    return true;
}

static bool set_switch(void *at, const char *source, const char *value, struct error *err)
{
    static const char *const words[] = {"false", "true", "no", "yes",
                                        "off",   "on",   "0",  "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!text_is_nocase(text_of(value), words[i]))
            continue;
        *(bool *)at = i % 2;
        return true;
    }
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s is '%s'; it must be true or false",
                     source, value);
}

static bool set_choice(const struct option *option, void *at, const char *source,
                       const char *value, struct error *err)
{
    int i = 0;
    for (struct text rest = text_of(option->choices); rest.at; i++) {
        if (!text_is_nocase(text_cut(rest, ' ', &rest), value))
            continue;
        *(int *)at = i;
        return true;
    }
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s is '%s'; it must be one of: %s",
                     source, value, option->choices);
}

/* A list is one block: the pointers, then copies of the strings, so that one free() ends
 * it. */
static void list_add(struct option_list *list, struct text value)
{
    size_t bytes = value.len + 1;
    for (int i = 0; i < list->n; i++)
        bytes += strlen(list->at[i]) + 1;
    size_t n = (size_t)list->n + 1;
    const char **at = mem_alloc(n * sizeof(*at) + bytes);
    char *copy = (char *)(at + n);
    for (size_t i = 0; i < n; i++) {
        struct text string = i + 1 < n ? text_of(list->at[i]) : value;
        memcpy(copy, string.at, string.len);
        at[i] = copy;
        copy += string.len + 1;
    }
    free(list->at);
    *list = (struct option_list){at, (int)n};
}

static void list_clear(struct option_list *list)
{
    free(list->at);
    *list = (struct option_list){0};
}

static void set_list(struct option_list *list, const char *commas)
{
    list_clear(list);
    for (struct text rest = text_of(commas); rest.at;) {
        struct text value = text_cut(rest, ',', &rest);
        if (value.len)
            list_add(list, value);
    }
}

static bool set_value(const struct option *option, void *into, const char *source,
                      const char *value, struct error *err)
{
    void *at = (char *)into + option->offset;
    switch (option->kind) {
    case OPTION_SWITCH:
        return set_switch(at, source, value, err);
    case OPTION_INT:
        return set_int(option, at, source, value, err);
    case OPTION_NUMBER:
        return set_number(option, at, source, value, err);
    case OPTION_CHOICE:
        return set_choice(option, at, source, value, err);
    case OPTION_STRING:
        *(const char **)at = value;
        return true;
    case OPTION_LIST:
        set_list(at, value);
        return true;
    }
    return false;
}

/* Defaults and the environment. */

static void set_fallback(const struct option *option, void *into)
{
    if (option->kind == OPTION_LIST)
        *(struct option_list *)((char *)into + option->offset) = (struct option_list){0};
    if (!option->fallback)
        return;
    struct error err;
    bool good = set_value(option, into, option->name, option->fallback, &err);
    assert(good);
    (void)good;
}

static char variable_letter(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    if (c == '-')
        return '_';
    return c;
}

/* "api-key" is POLLUX_API_KEY. */
static void variable_name(const struct option *option, struct buf *out)
{
    buf_str(out, "POLLUX_");
    for (const char *c = option->name; *c; c++)
        buf_char(out, variable_letter(*c));
}

/* An empty variable counts as unset, as in most programs. */
const char *option_env(const char *name)
{
    size_t len = strlen(name);
    for (char **row = environ; row && *row; row++)
        if (strncmp(*row, name, len) == 0 && (*row)[len] == '=')
            return (*row)[len + 1] ? *row + len + 1 : NULL;
    return NULL;
}

static bool set_from_variable(const struct option *option, void *into, struct error *err)
{
    struct buf name = {0};
    variable_name(option, &name);
    const char *value = option_env(name.at);
    bool good = !value || set_value(option, into, name.at, value, err);
    buf_free(&name);
    return good;
}

/* The command line. */

static bool set_from_word(struct reader *reader, const struct option *option,
                          const char *value)
{
    bool first = !reader->seen[option - reader->table];
    reader->seen[option - reader->table] = true;
    if (option->kind == OPTION_LIST) {
        struct option_list *list = (void *)((char *)reader->into + option->offset);
        if (first)
            list_clear(list); /* what the environment said */
        list_add(list, text_of(value));
        return true;
    }
    struct buf source = {0};
    buf_printf(&source, "--%s", option->name);
    bool good = set_value(option, reader->into, source.at, value, reader->err);
    buf_free(&source);
    return good;
}

static bool set_from_next_word(struct reader *reader, const struct option *option)
{
    if (reader->next == reader->end)
        return error_set(reader->err, ERROR_INVALID_ARGUMENT, "--%s needs a value",
                         option->name);
    return set_from_word(reader, option, *reader->next++);
}

static const struct option *find_name(const struct option *table, struct text name)
{
    for (; table->name; table++)
        if (text_is(name, table->name))
            return table;
    return NULL;
}

static const struct option *find_letter(const struct option *table, char letter)
{
    for (; table->name; table++)
        if (table->letter == letter)
            return table;
    return NULL;
}

/* "json", "no-json", "port=80" or, with the value in the next word, "port". */
static bool read_long(struct reader *reader, const char *word)
{
    struct text value;
    struct text name = text_cut(text_of(word), '=', &value);
    const struct option *option = find_name(reader->table, name);
    if (option && value.at)
        return set_from_word(reader, option, value.at);
    if (option && option->kind != OPTION_SWITCH)
        return set_from_next_word(reader, option);
    if (option)
        return set_from_word(reader, option, "true");
    if (text_starts(name, "no-") && !value.at)
        option = find_name(reader->table, text_slice(name, 3, name.len));
    if (option && option->kind == OPTION_SWITCH)
        return set_from_word(reader, option, "false");
    return error_set(reader->err, ERROR_INVALID_ARGUMENT, "there is no option --%.*s",
                     TEXT_ARG(name));
}

/* "v", "vq", "p80" or, with the value in the next word, "p". */
static bool read_letters(struct reader *reader, const char *letters)
{
    for (const char *c = letters; *c; c++) {
        const struct option *option = find_letter(reader->table, *c);
        if (!option)
            return error_set(reader->err, ERROR_INVALID_ARGUMENT,
                             "there is no option -%c", *c);
        if (option->kind != OPTION_SWITCH)
            return c[1] ? set_from_word(reader, option, c + 1)
                        : set_from_next_word(reader, option);
        if (!set_from_word(reader, option, "true"))
            return false;
    }
    return true;
}

static bool read_words(struct reader *reader)
{
    bool only_words = false;
    while (reader->next < reader->end) {
        const char *word = *reader->next++;
        bool good = true;
        if (only_words || word[0] != '-' || word[1] == '\0')
            reader->words[reader->n_words++] = word;
        else if (strcmp(word, "--") == 0)
            only_words = true;
        else if (word[1] == '-')
            good = read_long(reader, word + 2);
        else
            good = read_letters(reader, word + 1);
        if (!good)
            return false;
    }
    return true;
}

bool option_read(const struct option *table, int argc, char **argv, void *into,
                 const char **words, int *n_words, struct error *err)
{
    struct reader reader = {
        .table = table,
        .into = into,
        .err = err,
        .next = argv + (argc > 0),
        .end = argv + argc,
        .words = words,
    };
    for (const struct option *row = table; row->name; row++) {
        assert(row - table < MOST_OPTIONS);
        set_fallback(row, into);
    }
    for (const struct option *row = table; row->name; row++)
        if (!set_from_variable(row, into, err))
            return false;
    bool good = read_words(&reader);
    *n_words = reader.n_words;
    return good;
}

void option_free(const struct option *table, void *into)
{
    for (; table->name; table++)
        if (table->kind == OPTION_LIST)
            list_clear((void *)((char *)into + table->offset));
}

/* Help. */

static void pad_to(struct buf *out, size_t line, size_t column)
{
    if (out->len - line >= column) {
        buf_char(out, '\n');
        line = out->len;
    }
    while (out->len - line < column)
        buf_char(out, ' ');
}

/* Words in the help column, broken before the width. `line` is where the line began. */
static void add_paragraph(struct buf *out, size_t line, struct text words)
{
    pad_to(out, line, HELP_COLUMN);
    size_t at = HELP_COLUMN;
    while (words.at) {
        struct text word = text_cut(words, ' ', &words);
        if (at + word.len > HELP_WIDTH && at > HELP_COLUMN) {
            buf_char(out, '\n');
            pad_to(out, out->len, HELP_COLUMN);
            at = HELP_COLUMN;
        }
        buf_text(out, word);
        if (words.at)
            buf_char(out, ' ');
        at += word.len + 1;
    }
    buf_char(out, '\n');
}

static void add_names(const struct option *option, struct buf *out)
{
    if (option->letter)
        buf_printf(out, "  -%c, ", option->letter);
    else
        buf_str(out, "      ");
    buf_printf(out, "--%s", option->name);
    if (option->kind != OPTION_SWITCH)
        buf_printf(out, " %s", option->value ? option->value : "VALUE");
}

static void add_limits(const struct option *option, struct buf *out)
{
    bool number = option->kind == OPTION_INT || option->kind == OPTION_NUMBER;
    buf_char(out, '[');
    variable_name(option, out);
    if (option->fallback && *option->fallback)
        buf_printf(out, "; default %s", option->fallback);
    if (option->kind == OPTION_CHOICE)
        buf_printf(out, "; one of: %s", option->choices);
    if (number && !is_unbounded(option))
        buf_printf(out, "; %.15g to %.15g", option->least, option->most);
    if (option->kind == OPTION_LIST)
        buf_str(out, "; may be repeated");
    buf_char(out, ']');
}

void option_help(const struct option *table, struct buf *out)
{
    for (; table->name; table++) {
        size_t line = out->len;
        struct buf words = {0};
        buf_printf(&words, "%s ", table->help ? table->help : "");
        add_limits(table, &words);
        add_names(table, out);
        add_paragraph(out, line, buf_view(&words));
        buf_free(&words);
    }
}
