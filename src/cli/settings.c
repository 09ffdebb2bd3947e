/* settings.c - two tables over one struct: how a setting is typed, and how it is sent. */
#include "cli/settings.h"
#include <math.h>
#include <stdlib.h>

/* Model and system have commands of their own. */
static const struct option set_table[] = {SETTINGS_OPTIONS, {0}};
enum { FIRST_SETTABLE = 2 };

/* As generationConfig has them. */
struct settings_saved {
    struct json_number temperature, top_p, presence_penalty, frequency_penalty;
    struct json_int top_k, max_tokens, seed;
    struct json_list stop; /* of struct text */
};

#define SAVED(name, kind, member, flags)                                                 \
    {                                                                                    \
        name, kind, offsetof(struct settings_saved, member), flags, 0, 0, NULL, NULL     \
    }

static const struct json_field saved_fields[] = {
    SAVED("temperature", JSON_NUMBER, temperature, 0),
    SAVED("topP", JSON_NUMBER, top_p, 0),
    SAVED("topK", JSON_INT, top_k, 0),
    SAVED("maxOutputTokens", JSON_INT, max_tokens, 0),
    SAVED("seed", JSON_INT, seed, 0),
    SAVED("presencePenalty", JSON_NUMBER, presence_penalty, 0),
    SAVED("frequencyPenalty", JSON_NUMBER, frequency_penalty, 0),
    SAVED("stopSequences", JSON_STRING, stop, JSON_LIST),
    {0},
};

const struct json_type settings_saved_type = {
    "GenerationConfig", sizeof(struct settings_saved), saved_fields, false};

/* saved_fields[i] is set_table[FIRST_SETTABLE + i]. */
static const struct option *option_of(size_t i)
{
    return &set_table[FIRST_SETTABLE + i];
}

static void *place(const struct settings *settings, const struct option *option)
{
    return (char *)(uintptr_t)settings + option->offset;
}

static bool is_set(const struct settings *settings, const struct option *option)
{
    const void *at = place(settings, option);
    if (option->kind == OPTION_NUMBER)
        return !isnan(*(const double *)at);
    if (option->kind == OPTION_INT)
        return *(const int64_t *)at != SETTINGS_UNSET;
    return ((const struct option_list *)at)->n > 0;
}

static void unset(struct settings *settings, const struct option *option)
{
    void *at = place(settings, option);
    if (option->kind == OPTION_NUMBER)
        *(double *)at = NAN;
    else if (option->kind == OPTION_INT)
        *(int64_t *)at = SETTINGS_UNSET;
    else
        option_free((struct option[]){*option, {0}}, settings);
}

void settings_init(struct settings *settings)
{
    *settings = (struct settings){.model = SETTINGS_MODEL};
    for (size_t i = 0; saved_fields[i].name; i++)
        unset(settings, option_of(i));
}

void settings_free(struct settings *settings)
{
    option_free(set_table, settings);
}

/* The model's name. */

static void add_for_url(struct buf *url, struct text name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-._~/";
    for (size_t i = 0; i < name.len; i++)
        if (strchr(plain, name.at[i]) && name.at[i])
            buf_char(url, name.at[i]);
        else
            buf_printf(url, "%%%02X", (unsigned)(unsigned char)name.at[i]);
}

struct text settings_model(const struct settings *settings, struct arena *arena)
{
    struct text name = text_of(settings->model);
    struct buf url = {0};
    if (text_ends(name, ".gguf"))
        name = TEXT(SETTINGS_MODEL);
    if (!text_starts(name, "models/") && !text_starts(name, "tunedModels/"))
        buf_str(&url, "models/");
    add_for_url(&url, name);
    return arena_take(arena, &url);
}

/* /set. */

/* "max-tokens", "max_tokens" and "maxTokens" are one name. */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += *a == '-' || *a == '_';
        b += *b == '-' || *b == '_';
        if ((*a | 0x20) != (*b | 0x20))
            return false;
        if (*a == '\0' || *b == '\0')
            return *a == *b;
    }
}

static const struct option *find(const char *name)
{
    for (size_t i = 0; saved_fields[i].name; i++)
        if (same_name(name, option_of(i)->name) || same_name(name, saved_fields[i].name))
            return option_of(i);
    return NULL;
}

bool settings_set(struct settings *settings, const char *name, const char *value,
                  struct error *err)
{
    const struct option *option = find(name);
    if (!option)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "there is no setting '%s'; /set lists them", name);
    if (!value) {
        unset(settings, option);
        return true;
    }
    if (option->kind == OPTION_LIST)
        unset(settings, option); /* option_read forgets a list that is there */
    /* A table of one row with its own command line: the same checks, the same words. */
    struct option one[] = {*option, {0}};
    struct settings made = *settings;
    struct buf word = {0};
    char set[] = "set";
    buf_printf(&word, "--%s=%s", option->name, value);
    char *argv[] = {set, word.at, NULL};
    const char *words[2];
    int n_words;
    bool good = option_read(one, 2, argv, &made, words, &n_words, err);
    if (good)
        *settings = made;
    buf_free(&word);
    return good;
}

static void list_value(const struct settings *settings, const struct option *option,
                       struct buf *out)
{
    const void *at = place(settings, option);
    const struct option_list *list = at;
    if (!is_set(settings, option))
        buf_str(out, "-");
    else if (option->kind == OPTION_NUMBER)
        buf_printf(out, "%.15g", *(const double *)at);
    else if (option->kind == OPTION_INT)
        buf_printf(out, "%lld", (long long)*(const int64_t *)at);
    else
        for (int i = 0; i < list->n; i++)
            buf_printf(out, "%s%s", i ? ", " : "", list->at[i]);
}

void settings_list(const struct settings *settings, struct buf *out)
{
    for (size_t i = 0; saved_fields[i].name; i++) {
        struct buf value = {0};
        list_value(settings, option_of(i), &value);
        buf_printf(out, "  %-18s %-8s %s\n", option_of(i)->name, value.at,
                   option_of(i)->help);
        buf_free(&value);
    }
}

/* On the wire. */

static void write_value(const struct settings *settings, const struct option *option,
                        struct json_writer *w)
{
    const void *at = place(settings, option);
    const struct option_list *list = at;
    if (option->kind == OPTION_NUMBER) {
        json_number(w, *(const double *)at);
    } else if (option->kind == OPTION_INT) {
        json_int(w, *(const int64_t *)at);
    } else {
        json_begin(w, '[');
        for (int i = 0; i < list->n; i++)
            json_text(w, text_of(list->at[i]));
        json_end(w, ']');
    }
}

void settings_write(const struct settings *settings, struct json_writer *w)
{
    bool any = false;
    for (size_t i = 0; saved_fields[i].name; i++) {
        if (!is_set(settings, option_of(i)))
            continue;
        if (!any) {
            json_key(w, "generationConfig");
            json_begin(w, '{');
        }
        any = true;
        json_key(w, saved_fields[i].name);
        write_value(settings, option_of(i), w);
    }
    if (any)
        json_end(w, '}');
}

static void restore_stop(struct settings *settings, const struct json_list *stop)
{
    const struct text *texts = stop->at;
    const char **copies = NULL;
    size_t bytes = stop->n * sizeof(*copies);
    for (size_t i = 0; i < stop->n; i++)
        bytes += texts[i].len + 1;
    if (!stop->n)
        return;
    copies = mem_alloc(bytes); /* one block, as option_free wants it */
    char *at = (char *)(copies + stop->n);
    for (size_t i = 0; i < stop->n; i++) {
        memcpy(at, texts[i].at, texts[i].len);
        copies[i] = at;
        at += texts[i].len + 1;
    }
    settings->stop = (struct option_list){copies, (int)stop->n};
}

void settings_restore(struct settings *settings, const struct settings_saved *saved)
{
    for (size_t i = 0; saved_fields[i].name; i++) {
        const struct option *option = option_of(i);
        const void *from = (const char *)saved + saved_fields[i].offset;
        const struct json_number *number = from;
        const struct json_int *integer = from;
        unset(settings, option);
        if (option->kind == OPTION_NUMBER && number->set)
            *(double *)place(settings, option) = number->is;
        else if (option->kind == OPTION_INT && integer->set)
            *(int64_t *)place(settings, option) = integer->is;
        else if (option->kind == OPTION_LIST)
            restore_stop(settings, from);
    }
}
