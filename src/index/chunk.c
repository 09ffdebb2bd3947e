/* chunk.c - words, where sentences end, and the cuts between them. */
#include "index/chunk.h"
#include "base/buf.h"

/* One word: where it is, and whether a sentence ends with it. */
struct word {
    size_t from, to;
    bool ends;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_dense(struct text at)
{
    return at.len > 1 &&
           ((unsigned char)at.at[0] >= 0xe3 ||
            ((unsigned char)at.at[0] == 0xe2 && (unsigned char)at.at[1] >= 0xba));
}

static size_t char_len(struct text text, size_t at)
{
    size_t n = text_utf8_char(text_slice(text, at, text.len));
    return n ? n : 1;
}

static bool is_closing(char c)
{
    return c == '"' || c == '\'' || c == ')' || c == ']' || c == '}';
}

/* After a closing quote or bracket a sentence has ended, too. */
static bool is_end_mark(struct text word)
{
    static const char *const marks[] = {
        ".", "!", "?", "\xe2\x80\xa6", "\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f"};
    while (word.len > 1 && is_closing(word.at[word.len - 1]))
        word.len--;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (text_ends(word, marks[i]))
            return true;
    return false;
}

static size_t word_end(struct text text, size_t from)
{
    size_t to = from + char_len(text, from);
    if (is_dense(text_slice(text, from, text.len)))
        return to;
    while (to < text.len && !is_space(text.at[to]) && to - from < WORD_MOST &&
           !is_dense(text_slice(text, to, text.len)))
        to += char_len(text, to);
    return to;
}

static bool line_ends(struct text text, size_t from, size_t to)
{
    return from < to && memchr(text.at + from, '\n', to - from) != NULL;
}

static void find_words(struct text text, struct buf *words)
{
    struct word *last = NULL;
    for (size_t at = 0; at < text.len;) {
        size_t space = at;
        while (at < text.len && is_space(text.at[at]))
            at++;
        if (last && (line_ends(text, space, at)))
            last->ends = true;
        if (at == text.len)
            break;
        struct word word = {at, word_end(text, at), false};
        bool before_space = word.to == text.len || is_space(text.at[word.to]);
        struct text view = text_slice(text, word.from, word.to);
        word.ends = (before_space || is_dense(view)) && is_end_mark(view);
        buf_add(words, &word, sizeof word);
        last = (struct word *)(words->at + words->len) - 1;
        at = word.to;
    }
}

static const struct word *words_of(const struct buf *buf, size_t *n)
{
    *n = buf->len / sizeof(struct word);
    return (const struct word *)buf->at;
}

/* The word after the passage's last one. */
static size_t passage_end(const struct word *words, size_t n, size_t from, size_t most)
{
    size_t end = from + most < n ? from + most : n;
    for (size_t i = end; end < n && i > from + most - most / 3; i--)
        if (words[i - 1].ends)
            return i;
    return end;
}

struct text *chunk_cut(struct text text, struct chunking how, struct arena *arena,
                       size_t *n)
{
    struct buf found = {0}, cuts = {0};
    size_t n_words;
    find_words(text, &found);
    const struct word *words = words_of(&found, &n_words);
    for (size_t from = 0; from < n_words;) {
        size_t to = passage_end(words, n_words, from, (size_t)how.words);
        struct text cut = text_slice(text, words[from].from, words[to - 1].to);
        buf_add(&cuts, &cut, sizeof cut);
        if (to == n_words)
            break;
        size_t back = (size_t)how.overlap;
        from = to > from + back ? to - back : to; /* always goes on */
    }
    *n = cuts.len / sizeof(struct text);
    struct text *copy = arena_array(arena, struct text, *n + 1);
    if (*n)
        memcpy(copy, cuts.at, cuts.len);
    buf_free(&found);
    buf_free(&cuts);
    return copy;
}

struct text *chunk_sentences(struct text text, struct arena *arena, size_t *n)
{
    struct buf found = {0};
    size_t n_words, from = 0;
    find_words(text, &found);
    const struct word *words = words_of(&found, &n_words);
    struct text *sentences = arena_array(arena, struct text, n_words + 1);
    *n = 0;
    for (size_t i = 0; i < n_words; i++) {
        if (!words[i].ends && i + 1 < n_words)
            continue;
        sentences[(*n)++] = text_slice(text, words[from].from, words[i].to);
        from = i + 1;
    }
    buf_free(&found);
    return sentences;
}
