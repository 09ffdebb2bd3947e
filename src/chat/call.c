#include "chat/call.h"
#include "json/tree.h"
#include <stdint.h>

/* ---- where a block ends ---- */

/* Steps over one character of JSON, or of what stands around it. */
static void step(struct call_scan *scan, char c, bool squares)
{
    if (scan->in_string) {
        scan->in_string = scan->escaped || c != '"';
        scan->escaped = !scan->escaped && c == '\\';
        return;
    }
    scan->in_string = c == '"';
    scan->depth += c == '{' || (squares && c == '[');
    scan->depth -= c == '}' || (squares && c == ']');
}

/* Marks hold square brackets; then only braces say where the arguments end. */
static bool counts_squares(const struct family *family)
{
    return family->form == FORM_JSON;
}

/* A mark counts outside of strings. */
static bool find_mark(struct call_scan *scan, struct text text, struct text mark)
{
    for (; scan->at < text.len; scan->at++) {
        struct text rest = text_slice(text, scan->at, text.len);
        size_t n = rest.len < mark.len ? rest.len : mark.len;
        if (!scan->in_string && memcmp(rest.at, mark.at, n) == 0)
            return n == mark.len;
        step(scan, text.at[scan->at], false);
    }
    return false;
}

bool call_ends(struct call_scan *scan, const struct family *family, struct text text,
               size_t *to, size_t *behind)
{
    struct text mark = text_of(family->end_mark);
    if (mark.len > 0) {
        bool found = find_mark(scan, text, mark);
        *to = scan->at;
        *behind = scan->at + mark.len;
        return found;
    }
    bool squares = counts_squares(family);
    while (scan->at < text.len) {
        int before = scan->depth;
        step(scan, text.at[scan->at++], squares);
        *to = *behind = scan->at;
        if (scan->depth <= 0 && before > 0)
            return true;
    }
    return false;
}

bool call_object_ends(struct call_scan *scan, struct text text)
{
    while (scan->at < text.len) {
        step(scan, text.at[scan->at++], false);
        if (scan->depth == 0)
            return true;
    }
    return false;
}

/* ---- what a block begins with ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Steps over `words` in the text, white space aside. False: it says something else, or,
 * if *at is its end, it is too short. */
static bool goes_on(struct text text, size_t *at, struct text words)
{
    for (size_t i = 0; i < words.len; i++) {
        if (is_space(words.at[i]))
            continue;
        while (*at < text.len && is_space(text.at[*at]))
            ++*at;
        if (*at == text.len || text.at[*at] != words.at[i])
            return false;
        ++*at;
    }
    return true;
}

const struct function *call_begins(const struct family *family,
                                   const struct function *functions, int n_functions,
                                   struct text block, size_t *args, bool *more)
{
    *more = false;
    for (int i = 0; i < n_functions; i++) {
        size_t at = 0;
        if (!functions[i].tool && goes_on(block, &at, text_of(family->before)) &&
            goes_on(block, &at, functions[i].name) &&
            goes_on(block, &at, text_of(family->between)) &&
            goes_on(block, &at, TEXT("{"))) {
            *args = at - 1;
            return &functions[i];
        }
        *more = *more || (!functions[i].tool && at == block.len);
    }
    return NULL;
}

/* ---- a call ---- */

static bool fill(struct part *call, struct text name, struct json_object *args,
                 struct arena *arena)
{
    struct error err;
    if (tree_text(args).at)
        args = json_parse(arena, tree_text(args), &err);
    else if (!args)
        args = json_parse(arena, TEXT("{}"), &err);
    if (name.len == 0 || !json_object_is_type(args, json_type_object))
        return false;
    struct buf json = {0};
    json_any_write(args, &json);
    *call =
        (struct part){.kind = PART_CALL, .name = name, .json = arena_take(arena, &json)};
    return true;
}

/* {"name": ..., "arguments": {...}} */
static bool read_object(struct json_object *tree, struct arena *arena, struct part *call)
{
    struct json_object *name, *args = NULL;
    if (!json_object_is_type(tree, json_type_object) ||
        !json_object_object_get_ex(tree, "name", &name))
        return false;
    if (!json_object_object_get_ex(tree, "arguments", &args))
        json_object_object_get_ex(tree, "parameters", &args);
    return fill(call, tree_text(name), args, arena);
}

static int read_json(struct text block, struct arena *arena, struct part **calls)
{
    struct error err;
    struct json_object *tree = json_parse(arena, block, &err);
    bool many = json_object_is_type(tree, json_type_array);
    size_t n = many ? json_object_array_length(tree) : 1;
    *calls = arena_array(arena, struct part, n + 1);
    for (size_t i = 0; i < n; i++)
        if (!read_object(many ? json_object_array_get_idx(tree, i) : tree, arena,
                         &(*calls)[i]))
            return 0;
    return (int)n;
}

/* The name in what stands before the arguments: behind the last of the marks that precede
 * a name, up to whatever cannot be part of one. */
static struct text name_in(const struct family *family, struct text head)
{
    struct text before = text_trim(text_of(family->before));
    for (size_t at; before.len > 0 && (at = text_find(head, before, 0)) != SIZE_MAX;)
        head = text_slice(head, at + before.len, head.len);
    head = text_trim(head);
    size_t n = 0;
    while (n < head.len &&
           strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                  "0123456789_.:-",
                  head.at[n]) &&
           head.at[n])
        n++;
    return text_slice(head, 0, n);
}

/* The length of the object that the text begins with; 0: it does not end. */
static size_t object_len(struct text text)
{
    struct call_scan scan = {0};
    return call_object_ends(&scan, text) ? scan.at : 0;
}

static int read_named(const struct family *family, struct text block, bool cut,
                      struct arena *arena, struct part **calls)
{
    int n = 0, room = 0;
    for (size_t at, from = 0; (at = text_find(block, TEXT("{"), from)) != SIZE_MAX;) {
        size_t len = object_len(text_slice(block, at, block.len));
        if (cut && len == 0)
            return n;
        struct error err;
        struct json_object *args =
            len ? json_parse(arena, text_slice(block, at, at + len), &err) : NULL;
        if (n == room) {
            room = room ? 2 * room : 4;
            struct part *more = arena_array(arena, struct part, (size_t)room);
            if (n > 0)
                memcpy(more, *calls, sizeof *more * (size_t)n);
            *calls = more;
        }
        if (!args || !fill(&(*calls)[n++], name_in(family, text_slice(block, from, at)),
                           args, arena))
            return 0;
        from = at + len;
    }
    return n;
}

int call_read(const struct family *family, struct text block, bool cut,
              struct arena *arena, struct part **calls)
{
    switch (family->form) {
    case FORM_JSON:
        return read_json(block, arena, calls);
    case FORM_NAMED:
        return read_named(family, block, cut, arena, calls);
    }
    return 0;
}
