/* The memory is a table of slots that newer pieces take over from older ones: no lists,
 * no ages, a bounded size. Pieces over PIECE_MOST are rarely seen twice and are not kept.
 */
#include "engine/tokens.h"
#include <pthread.h>
#include <stdlib.h>

enum { N_PIECES = 2048, PIECE_MOST = 2048 };

struct piece {
    uint64_t hash;
    struct text text; /* malloc'ed together with the tokens */
    int32_t *tokens;
    int n;
};

struct tokens {
    const struct llm *llm;
    bool begins[256]; /* a control token begins with this byte */
    pthread_mutex_t lock;
    struct piece pieces[N_PIECES];
};

struct tokens *tokens_open(const struct llm *llm)
{
    struct tokens *tokens = mem_alloc(sizeof(*tokens));
    const struct llm_info *info = llm_info(llm);
    tokens->llm = llm;
    pthread_mutex_init(&tokens->lock, NULL);
    for (int i = 0; i < info->n_specials; i++)
        if (info->specials[i].len > 0)
            tokens->begins[(unsigned char)info->specials[i].at[0]] = true;
    return tokens;
}

void tokens_close(struct tokens *tokens)
{
    if (!tokens)
        return;
    for (int i = 0; i < N_PIECES; i++)
        free(tokens->pieces[i].tokens);
    pthread_mutex_destroy(&tokens->lock);
    free(tokens);
}

static uint64_t hash_of(struct text text)
{
    uint64_t hash = text_hash(TEXT_HASH, text);
    return hash ^ hash >> 32;
}

static bool recall(struct tokens *tokens, struct text text, uint64_t hash, int32_t *out,
                   int room, int *n)
{
    pthread_mutex_lock(&tokens->lock);
    const struct piece *piece = &tokens->pieces[hash % N_PIECES];
    bool known = piece->tokens && piece->hash == hash && text_same(piece->text, text);
    if (known) {
        *n = piece->n;
        size_t fit = (size_t)(piece->n < room ? piece->n : room);
        if (fit > 0)
            memcpy(out, piece->tokens, sizeof(int32_t) * fit);
    }
    pthread_mutex_unlock(&tokens->lock);
    return known;
}

static void remember(struct tokens *tokens, struct text text, uint64_t hash,
                     const int32_t *from, int n)
{
    size_t size = sizeof(int32_t) * (size_t)n;
    int32_t *copy = mem_alloc(size + text.len);
    memcpy(copy, from, size);
    memcpy((char *)copy + size, text.at, text.len);
    struct piece fresh = {hash, {(char *)copy + size, text.len}, copy, n};
    pthread_mutex_lock(&tokens->lock);
    struct piece *piece = &tokens->pieces[hash % N_PIECES];
    struct piece old = *piece;
    *piece = fresh;
    pthread_mutex_unlock(&tokens->lock);
    free(old.tokens);
}

/* The count, and as many as there is room for: what does not fit is only counted. */
static int piece_tokens(struct tokens *tokens, struct text text, int32_t *out, int room)
{
    int n = 0;
    if (text.len == 0)
        return 0;
    if (text.len > PIECE_MOST)
        return llm_tokenize(tokens->llm, text, true, out, room);
    uint64_t hash = hash_of(text);
    if (recall(tokens, text, hash, out, room, &n))
        return n;
    int32_t few[PIECE_MOST]; /* a token has at least one byte */
    n = llm_tokenize(tokens->llm, text, true, few, PIECE_MOST);
    if (room > 0) /* else there may be nothing to copy to */
        memcpy(out, few, sizeof(int32_t) * (size_t)(n < room ? n : room));
    remember(tokens, text, hash, few, n);
    return n;
}

/* The next control token at or after *at: its index, *at moved to it. -1: none. */
static int next_special(const struct tokens *tokens, struct text text, size_t *at)
{
    const struct llm_info *info = llm_info(tokens->llm);
    for (; *at < text.len; (*at)++) {
        if (!tokens->begins[(unsigned char)text.at[*at]])
            continue;
        struct text rest = text_slice(text, *at, text.len);
        int low = 0, high = info->n_specials; /* sorted; none begins another */
        while (low < high) {
            int middle = low + (high - low) / 2;
            struct text special = info->specials[middle];
            size_t n = special.len < rest.len ? special.len : rest.len;
            int order = memcmp(special.at, rest.at, n);
            if (order == 0 && special.len <= rest.len)
                return middle;
            if (order < 0)
                low = middle + 1;
            else
                high = middle;
        }
    }
    return -1;
}

int tokens_of(struct tokens *tokens, struct text text, bool special, int32_t *out,
              int room)
{
    const struct llm_info *info = llm_info(tokens->llm);
    if (!info->parts || !special)
        return llm_tokenize(tokens->llm, text, special, out, room);
    int n = 0;
    for (size_t from = 0, at = 0; from < text.len; from = at) {
        int found = next_special(tokens, text, &at);
        struct text piece = text_slice(text, from, at);
        n += piece_tokens(tokens, piece, out + (n < room ? n : room),
                          n < room ? room - n : 0);
        if (found < 0)
            break;
        if (n < room)
            out[n] = info->special_ids[found];
        n++;
        at += info->specials[found].len;
    }
    return n;
}
