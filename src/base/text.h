/* text.h - a view of bytes with a length.
 *
 * Nobody owns what a text points to; whoever made the bytes says how long they live.
 * Texts are UTF-8 by convention, may hold NUL bytes, and need not end in one. An absent
 * text has `at == NULL`; an empty one has `at != NULL && len == 0`. */
#ifndef POLLUX_BASE_TEXT_H
#define POLLUX_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *at;
    size_t len;
};

#define TEXT(literal) ((struct text){"" literal, sizeof(literal) - 1})

/* For printf: "%.*s" with TEXT_ARG(text). */
#define TEXT_ARG(text) (int)(text).len, (text).at

static inline struct text text_of(const char *string)
{
    return (struct text){string, string ? strlen(string) : 0};
}

static inline bool text_same(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool text_is(struct text text, const char *string)
{
    return text_same(text, text_of(string));
}

bool text_is_nocase(struct text text, const char *string); /* ASCII letters only */
bool text_starts(struct text text, const char *prefix);
bool text_ends(struct text text, const char *suffix);

/* The offset of `needle` in `text` at or after `from`, or SIZE_MAX. */
size_t text_find(struct text text, struct text needle, size_t from);

/* Bytes [from, to) of text; both are clamped to its length. */
struct text text_slice(struct text text, size_t from, size_t to);

/* Without the white space (ASCII's) at either end. */
struct text text_trim(struct text text);

/* Cuts `text` at the first `at`: returns what is before it and leaves in *rest what is
 * after it. Without `at` the whole text is returned and *rest becomes absent. */
struct text text_cut(struct text text, char at, struct text *rest);

/* Reads 1 to 18 decimal digits and nothing else. */
bool text_number(struct text text, int64_t *number);

/* FNV-1a over 64 bits: begins with TEXT_HASH, or goes on with the hash of what came
 * before. */
#define TEXT_HASH 0xcbf29ce484222325u
uint64_t text_hash(uint64_t hash, struct text text);

/* How many characters it has. */
size_t text_characters(struct text text);

/* Whether all of it is well-formed UTF-8 (no surrogates, no overlong forms). */
bool text_is_utf8(struct text text);

/* Length of the well-formed character that `text` begins with, 1 to 4; 0: none. */
size_t text_utf8_char(struct text text);

/* How many bytes at the end belong to a character that is not complete yet: 0 to 3.
 * Bytes that can never become a character count as complete. */
size_t text_utf8_pending(struct text text);

#endif
