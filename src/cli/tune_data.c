#include "cli/tune_data.h"
#include "cli/csv.h"
#include "train/examples.h"
#include "json/tree.h"

/* ---- tables ---- */

static bool is_input(struct text name)
{
    return text_is_nocase(name, "textInput") || text_is_nocase(name, "text_input") ||
           text_is_nocase(name, "input");
}

/* The columns by the header's names, or the first two. Whether there is a header. */
static bool find_columns(const struct csv_row *row, int *input, int *output)
{
    int in = -1, out = -1;
    for (int i = 0; i < row->n; i++) {
        in = in < 0 && is_input(row->fields[i]) ? i : in;
        out = out < 0 && text_is_nocase(row->fields[i], "output") ? i : out;
    }
    bool found = in >= 0 && out >= 0;
    *input = found ? in : 0;
    *output = found ? out : 1;
    return found;
}

static bool from_table(struct text bytes, struct arena *arena, struct buf *lines, int *n,
                       struct error *err)
{
    struct csv csv;
    int input, output;
    if (!csv_read(bytes, arena, &csv, err))
        return false;
    if (csv.n == 0)
        return true;
    for (int i = find_columns(&csv.rows[0], &input, &output); i < csv.n; i++) {
        const struct csv_row *row = &csv.rows[i];
        if (row->n <= input || row->n <= output)
            return error_set(err, ERROR_INVALID_ARGUMENT,
                             "line %d has %d columns; an input and an output are needed",
                             row->line, row->n);
        examples_write(&(struct said_example){row->fields[input], row->fields[output]},
                       lines);
        ++*n;
    }
    return true;
}

/* ---- JSON ---- */

static bool from_list(struct text bytes, struct arena *arena, struct buf *lines, int *n,
                      struct error *err)
{
    struct json_object *list = json_parse(arena, bytes, err);
    if (!list)
        return false;
    if (!json_object_is_type(list, json_type_array))
        return error_set(err, ERROR_INVALID_ARGUMENT, "it is not a list of examples");
    for (size_t i = 0; i < json_object_array_length(list); i++, ++*n) {
        json_any_write(json_object_array_get_idx(list, i), lines);
        buf_char(lines, '\n');
    }
    return true;
}

static void from_lines(struct text bytes, struct buf *lines, int *n)
{
    for (struct text rest = bytes; rest.at;) {
        struct text line = text_cut(rest, '\n', &rest);
        if (line.len == 0 || text_is(line, "\r"))
            continue;
        buf_text(lines, line);
        buf_char(lines, '\n');
        ++*n;
    }
}

bool tune_data(const char *name, struct text bytes, struct arena *arena,
               struct buf *lines, int *n, struct error *err)
{
    *n = 0;
    if (!text_is_utf8(bytes))
        return error_set(err, ERROR_INVALID_ARGUMENT, "it is not UTF-8 text");
    if (text_ends(text_of(name), ".csv") || text_ends(text_of(name), ".CSV"))
        return from_table(bytes, arena, lines, n, err);
    if (text_ends(text_of(name), ".json"))
        return from_list(bytes, arena, lines, n, err);
    from_lines(bytes, lines, n);
    return true;
}
