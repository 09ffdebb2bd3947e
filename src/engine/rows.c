#include "engine/rows.h"
#include "base/arena.h"
#include <stdatomic.h>
#include <stdlib.h>

/* What stands before tokens and state; in the byte order of the machine, for the state is
 * of no use to another one. */
struct head {
    char magic[8];
    int32_t n_tokens, n_exact;
    uint64_t state_len;
};

static const char magic[8] = {'P', 'L', 'X', 'R', 'O', 'W', 'S', '1'};

struct shared {
    struct saved_rows rows; /* first */
    atomic_int holders;
    char *at;
};

struct saved_rows *rows_blank(size_t len)
{
    struct shared *shared = mem_alloc(sizeof *shared);
    shared->at = mem_alloc(len + 1);
    shared->rows.bytes = (struct text){shared->at, len};
    atomic_init(&shared->holders, 1);
    return &shared->rows;
}

char *rows_room(struct saved_rows *rows)
{
    return ((struct shared *)rows)->at;
}

char *rows_state(struct saved_rows *rows)
{
    return rows_room(rows) + (rows->bytes.len - rows->state.len);
}

bool rows_parse(struct saved_rows *rows)
{
    struct head head;
    struct text bytes = rows->bytes;
    if (bytes.len < sizeof head)
        return false;
    memcpy(&head, bytes.at, sizeof head);
    if (memcmp(head.magic, magic, sizeof magic) != 0 || head.n_tokens < 1 ||
        head.n_exact < 0 || head.n_exact > head.n_tokens)
        return false;
    size_t tokens = sizeof(int32_t) * (size_t)head.n_tokens;
    if (bytes.len - sizeof head < tokens ||
        bytes.len - sizeof head - tokens != head.state_len)
        return false;
    rows->n_tokens = head.n_tokens;
    rows->n_exact = head.n_exact;
    rows->tokens = (const int32_t *)(const void *)(bytes.at + sizeof head);
    rows->state = text_slice(bytes, sizeof head + tokens, bytes.len);
    return true;
}

struct saved_rows *rows_make(const int32_t *tokens, int n_tokens, int n_exact,
                             size_t state_len)
{
    struct head head = {.n_tokens = n_tokens, .n_exact = n_exact, .state_len = state_len};
    size_t size = sizeof(int32_t) * (size_t)n_tokens;
    struct saved_rows *rows = rows_blank(sizeof head + size + state_len);
    memcpy(head.magic, magic, sizeof magic);
    memcpy(rows_room(rows), &head, sizeof head);
    memcpy(rows_room(rows) + sizeof head, tokens, size);
    rows_parse(rows);
    return rows;
}

struct saved_rows *rows_hold(struct saved_rows *rows)
{
    if (rows)
        atomic_fetch_add(&((struct shared *)rows)->holders, 1);
    return rows;
}

void rows_release(struct saved_rows *rows)
{
    struct shared *shared = (struct shared *)rows;
    if (!rows || atomic_fetch_sub(&shared->holders, 1) > 1)
        return;
    free(shared->at);
    free(shared);
}

int rows_holders(struct saved_rows *rows)
{
    return atomic_load(&((struct shared *)rows)->holders);
}

int rows_common(const struct saved_rows *rows, const int32_t *tokens, int n)
{
    int i = 0;
    while (i < n && i < rows->n_tokens && rows->tokens[i] == tokens[i])
        i++;
    return i;
}
