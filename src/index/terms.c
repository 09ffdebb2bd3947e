#include "index/terms.h"

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80;
}

struct text terms_next(struct text text, size_t *at)
{
    while (*at < text.len && !is_word_byte(text.at[*at]))
        ++*at;
    size_t from = *at;
    while (*at < text.len && is_word_byte(text.at[*at]))
        ++*at;
    return *at > from ? text_slice(text, from, *at) : (struct text){0};
}
