#include "chat/special.h"
#include <stdlib.h>

struct specials {
    struct engine *engine;
    /* Sorted. None begins with another of them, so the one that a text begins with, if
     * any, is the greatest that is not greater than the text. */
    struct text *at;
    int n;
    bool begins[256]; /* whether one of them begins with this byte */
};

static int text_order(struct text a, struct text b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_text(const void *a, const void *b)
{
    return text_order(*(const struct text *)a, *(const struct text *)b);
}

static bool begins_with(struct text text, struct text prefix)
{
    return prefix.len <= text.len && memcmp(text.at, prefix.at, prefix.len) == 0;
}

struct specials *specials_open(struct engine *engine)
{
    const struct engine_info *info = engine_info(engine);
    struct specials *s = mem_alloc(sizeof *s);
    s->engine = engine;
    s->at = mem_alloc(((size_t)info->n_specials + 1) * sizeof *s->at);
    int n = 0;
    for (int i = 0; i < info->n_specials; i++)
        if (info->specials[i].len > 0)
            s->at[n++] = info->specials[i];
    qsort(s->at, (size_t)n, sizeof *s->at, by_text);
    for (int i = 0; i < n; i++) {
        struct text it = s->at[i];
        if (s->n && begins_with(it, s->at[s->n - 1]))
            continue;
        s->at[s->n++] = it;
        s->begins[(unsigned char)it.at[0]] = true;
    }
    return s;
}

void specials_close(struct specials *s)
{
    if (!s)
        return;
    free(s->at);
    free(s);
}

size_t special_at(const struct specials *s, struct text text)
{
    int low = 0, high = s->n; /* the first that is greater than text */
    while (low < high) {
        int middle = (low + high) / 2;
        if (text_order(s->at[middle], text) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && begins_with(text, s->at[low - 1]) ? s->at[low - 1].len : 0;
}

size_t special_next(const struct specials *s, struct text text, size_t from)
{
    for (size_t i = from; i < text.len; i++)
        if (s->begins[(unsigned char)text.at[i]] &&
            special_at(s, (struct text){text.at + i, text.len - i}) > 0)
            return i;
    return text.len;
}

int32_t special_token(const struct specials *s, struct text spelling)
{
    int32_t token;
    if (spelling.len == 0 || special_at(s, spelling) != spelling.len)
        return -1;
    return engine_tokenize(s->engine, spelling, true, &token, 1) == 1 ? token : -1;
}

void special_break(const struct specials *s, struct text text, struct text sentinel,
                   struct buf *out)
{
    size_t from = 0;
    for (size_t at; (at = special_next(s, text, from)) < text.len;) {
        size_t first = text_utf8_char((struct text){text.at + at, text.len - at});
        at += first ? first : 1;
        buf_add(out, text.at + from, at - from);
        buf_text(out, sentinel);
        from = at;
    }
    buf_add(out, text.at + from, text.len - from);
}
