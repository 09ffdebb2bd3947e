#include "train/examples.h"
#include "train/spec.h"
#include "json/schema.h"
#include <stdio.h>
#include <stdlib.h>

/* clang-format off */
static const struct json_field line_fields[] = {
    {"textInput", JSON_STRING, offsetof(struct said_example, input),  0, 0, 0, NULL, NULL},
    {"output",    JSON_STRING, offsetof(struct said_example, output), 0, 0, 0, NULL, NULL},
    {0},
};
/* clang-format on */

static const struct json_type line_type = {"TuningExample", sizeof(struct said_example),
                                           line_fields, false};

void examples_write(const struct said_example *example, struct buf *lines)
{
    json_encode(&line_type, example, false, lines);
    buf_char(lines, '\n');
}

static bool read_line(struct text text, int i, struct arena *arena,
                      struct said_example *into, struct error *err)
{
    struct error why;
    if (!json_read(&line_type, text, into, arena, &why))
        return error_set(err, ERROR_INVALID_ARGUMENT, "examples[%d]: %s", i, why.message);
    return (into->input.len > 0 && into->output.len > 0) ||
           error_set(err, ERROR_INVALID_ARGUMENT, "examples[%d].%s is empty or not there",
                     i, into->input.len == 0 ? "textInput" : "output");
}

static bool is_blank(struct text line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.at[i] != ' ' && line.at[i] != '\t' && line.at[i] != '\r')
            return false;
    return true;
}

bool examples_read(struct text lines, struct arena *arena, struct examples *examples,
                   struct error *err)
{
    size_t most = 0;
    for (size_t i = 0; i < lines.len; i++)
        most += lines.at[i] == '\n';
    most = most + 1 < TRAIN_EXAMPLES_MOST ? most + 1 : TRAIN_EXAMPLES_MOST;
    examples->at = arena_array(arena, struct said_example, most);
    examples->n = 0;
    for (struct text rest = lines; rest.at;) {
        struct text line = text_cut(rest, '\n', &rest);
        if (is_blank(line))
            continue;
        if (examples->n == TRAIN_EXAMPLES_MOST)
            return error_set(err, ERROR_INVALID_ARGUMENT,
                             "there are more than %d examples; take a part of them",
                             TRAIN_EXAMPLES_MOST);
        if (!read_line(line, examples->n, arena, &examples->at[examples->n], err))
            return false;
        examples->n++;
    }
    return examples->n > 0 ||
           error_set(err, ERROR_INVALID_ARGUMENT, "there are no examples");
}

enum { FILE_MOST = 256 << 20 };

bool examples_file(const char *path, struct arena *arena, struct text *bytes,
                   struct error *err)
{
    struct buf buf = {0};
    FILE *file = fopen(path, "rbe");
    if (!file)
        return error_set(err, ERROR_NOT_FOUND, "cannot read %s: %m", path);
    size_t n = 1;
    while (n > 0 && buf.len <= FILE_MOST) {
        n = fread(buf_reserve(&buf, 65536), 1, 65536, file);
        buf.len += n;
    }
    bool good = !ferror(file) && buf.len <= FILE_MOST;
    fclose(file);
    if (good)
        *bytes = arena_text(arena, buf_view(&buf));
    else
        error_set(err, ERROR_INVALID_ARGUMENT, "%s cannot be read, or has over 256 MB",
                  path);
    buf_free(&buf);
    return good;
}
