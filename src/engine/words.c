#include "engine/words.h"

enum { MOST_LETTERS = 6, FIRST_WORD = 16 };

const struct text words_specials[WORDS_SPECIALS] = {
    {"<|im_start|>", 12}, {"<|im_end|>", 10},  {"<think>", 7},
    {"</think>", 8},      {"<tool_call>", 11}, {"</tool_call>", 12},
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct text words_next(struct text text, bool special)
{
    for (int i = 0; special && i < WORDS_SPECIALS; i++)
        if (text_starts(text, words_specials[i].at))
            return words_specials[i];
    size_t space = text.at[0] == ' ', len = space;
    while (len < text.len && len < space + MOST_LETTERS && is_letter(text.at[len]))
        len++;
    if (len == space) {
        len = text_utf8_char(text);
        len = len > 0 ? len : 1;
    }
    return text_slice(text, 0, len);
}

int32_t words_id(struct text token, bool special)
{
    for (int i = 0; special && i < WORDS_SPECIALS; i++)
        if (text_same(token, words_specials[i]))
            return i;
    return (int32_t)(FIRST_WORD +
                     text_hash(TEXT_HASH, token) % (WORDS_VOCAB - FIRST_WORD));
}
