#include "cli/csv.h"
#include "base/buf.h"
#include <stdlib.h>

struct reading {
    struct text text;
    size_t at;
    int line;
    struct arena *arena;
    struct error *err;
    struct text *fields; /* of the row that is read */
    int n_fields, room;
    struct buf value;
};

static bool is_end(const struct reading *r)
{
    return r->at >= r->text.len || r->text.at[r->at] == '\n' ||
           (r->text.at[r->at] == '\r' && r->at + 1 < r->text.len &&
            r->text.at[r->at + 1] == '\n');
}

static void skip_end(struct reading *r)
{
    if (r->at < r->text.len && r->text.at[r->at] == '\r')
        r->at++;
    if (r->at < r->text.len)
        r->at++;
    r->line++;
}

/* What is between quotes; a doubled quote is one. */
static bool read_quoted(struct reading *r)
{
    int line = r->line;
    for (r->at++; r->at < r->text.len; r->at++) {
        char c = r->text.at[r->at];
        if (c == '"' && r->at + 1 < r->text.len && r->text.at[r->at + 1] == '"')
            r->at++;
        else if (c == '"')
            break;
        r->line += c == '\n';
        buf_char(&r->value, c);
    }
    if (r->at >= r->text.len)
        return error_set(r->err, ERROR_INVALID_ARGUMENT,
                         "line %d: a quote is opened and never closed", line);
    r->at++;
    if (!is_end(r) && r->text.at[r->at] != ',')
        return error_set(r->err, ERROR_INVALID_ARGUMENT,
                         "line %d: there is text behind a closing quote", r->line);
    return true;
}

static void keep_field(struct reading *r)
{
    if (r->n_fields == r->room) {
        r->room = r->room ? 2 * r->room : 8;
        r->fields = mem_grow(r->fields, sizeof(*r->fields) * (size_t)r->room);
    }
    r->fields[r->n_fields++] = arena_text(r->arena, buf_view(&r->value));
    buf_clear(&r->value);
}

static bool read_row(struct reading *r)
{
    r->n_fields = 0;
    for (;;) {
        if (r->at < r->text.len && r->text.at[r->at] == '"') {
            if (!read_quoted(r))
                return false;
        } else {
            while (!is_end(r) && r->text.at[r->at] != ',')
                buf_char(&r->value, r->text.at[r->at++]);
        }
        keep_field(r);
        if (is_end(r))
            break;
        r->at++; /* the comma */
    }
    skip_end(r);
    return true;
}

static void keep_row(const struct reading *r, int line, struct csv *csv, int *room)
{
    if (r->n_fields == 1 && r->fields[0].len == 0)
        return;
    if (csv->n == *room) {
        *room = *room ? 2 * *room : 64;
        csv->rows = mem_grow(csv->rows, sizeof(*csv->rows) * (size_t)*room);
    }
    struct csv_row *row = &csv->rows[csv->n++];
    *row = (struct csv_row){arena_array(r->arena, struct text, (size_t)r->n_fields),
                            r->n_fields, line};
    memcpy(row->fields, r->fields, sizeof(*r->fields) * (size_t)r->n_fields);
}

bool csv_read(struct text text, struct arena *arena, struct csv *csv, struct error *err)
{
    struct reading r = {.text = text, .line = 1, .arena = arena, .err = err};
    bool good = true;
    int room = 0;
    *csv = (struct csv){0};
    if (text_starts(text, "\xef\xbb\xbf"))
        r.at = 3;
    while (good && r.at < text.len) {
        int line = r.line;
        good = read_row(&r);
        if (good)
            keep_row(&r, line, csv, &room);
    }
    if (csv->rows)
        arena_defer(arena, free, csv->rows);
    free(r.fields);
    buf_free(&r.value);
    return good;
}
