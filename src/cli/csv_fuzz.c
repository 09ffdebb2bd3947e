/* Whatever is read: no field reaches outside, and written again with quotes it is read as
 * the same table. */
#include "base/buf.h"
#include "cli/csv.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_row(const struct csv_row *row, struct buf *out)
{
    for (int i = 0; i < row->n; i++) {
        buf_str(out, i ? ",\"" : "\"");
        for (size_t k = 0; k < row->fields[i].len; k++) {
            char c = row->fields[i].at[k];
            if (c == '"')
                buf_char(out, c);
            buf_char(out, c);
        }
        buf_char(out, '"');
    }
    buf_char(out, '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct csv csv, again;
    struct error err;
    struct buf out = {0};
    if (csv_read((struct text){(const char *)data, size}, arena, &csv, &err)) {
        for (int i = 0; i < csv.n; i++)
            write_row(&csv.rows[i], &out);
        bool good = csv_read(buf_view(&out), arena, &again, &err);
        assert(good && again.n == csv.n);
        for (int i = 0; i < csv.n; i++) {
            assert(again.rows[i].n == csv.rows[i].n);
            for (int k = 0; k < csv.rows[i].n; k++)
                assert(text_same(again.rows[i].fields[k], csv.rows[i].fields[k]));
        }
    }
    buf_free(&out);
    arena_close(arena);
    return 0;
}
