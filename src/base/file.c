/* file.c - all of a file at once. */
#include "base/file.h"
#include <stdio.h>

enum { STEP = 64 * 1024 };

bool file_read(const char *path, size_t most, struct buf *out, struct error *err)
{
    size_t before = out->len, n = 1;
    FILE *file = fopen(path, "rbe");
    if (!file)
        return error_set(err, ERROR_NOT_FOUND, "%s: %m", path);
    while (n > 0 && out->len - before <= most) {
        n = fread(buf_reserve(out, STEP), 1, STEP, file);
        out->len += n;
        out->at[out->len] = '\0';
    }
    bool good = true;
    if (ferror(file))
        good = error_set(err, ERROR_NOT_FOUND, "%s: %m", path);
    else if (out->len - before > most)
        good = error_set(err, ERROR_INVALID_ARGUMENT, "%s: longer than %zu bytes", path,
                         most);
    fclose(file);
    if (!good)
        buf_cut(out, before);
    return good;
}
