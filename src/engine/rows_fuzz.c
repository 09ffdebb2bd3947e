/* Whatever bytes are taken for rows: what they say of themselves lies inside of them, and
 * rows that are made again of what was read are the same bytes. */
#include "engine/rows.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct saved_rows *rows = rows_blank(size);
    if (size)
        memcpy(rows_room(rows), data, size);
    if (rows_parse(rows)) {
        struct saved_rows *again =
            rows_make(rows->tokens, rows->n_tokens, rows->n_exact, rows->state.len);
        memcpy(rows_state(again), rows->state.at, rows->state.len);
        if (!text_same(again->bytes, rows->bytes) ||
            rows_common(rows, again->tokens, again->n_tokens) != rows->n_tokens)
            abort();
        rows_release(again);
    }
    rows_release(rows);
    return 0;
}
