/* text.c - looking into texts, and what UTF-8 allows where. */
#include "base/text.h"
#include <strings.h>

bool text_is_nocase(struct text text, const char *string)
{
    return text.len == strlen(string) &&
           (text.len == 0 || strncasecmp(text.at, string, text.len) == 0);
}

bool text_starts(struct text text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && (len == 0 || memcmp(text.at, prefix, len) == 0);
}

bool text_ends(struct text text, const char *suffix)
{
    size_t len = strlen(suffix);
    return text.len >= len &&
           (len == 0 || memcmp(text.at + text.len - len, suffix, len) == 0);
}

size_t text_find(struct text text, struct text needle, size_t from)
{
    if (from > text.len)
        return SIZE_MAX;
    if (needle.len == 0)
        return from;
    if (from == text.len)
        return SIZE_MAX;
    const char *found = memmem(text.at + from, text.len - from, needle.at, needle.len);
    return found ? (size_t)(found - text.at) : SIZE_MAX;
}

struct text text_slice(struct text text, size_t from, size_t to)
{
    if (!text.at)
        return text;
    if (to > text.len)
        to = text.len;
    if (from > to)
        from = to;
    return (struct text){text.at + from, to - from};
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct text text_trim(struct text text)
{
    size_t from = 0, to = text.len;
    while (from < to && is_space(text.at[from]))
        from++;
    while (to > from && is_space(text.at[to - 1]))
        to--;
    return text_slice(text, from, to);
}

uint64_t text_hash(uint64_t hash, struct text text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * 0x100000001b3u;
    return hash;
}

struct text text_cut(struct text text, char at, struct text *rest)
{
    const char *found = text.len ? memchr(text.at, at, text.len) : NULL;
    if (!found) {
        *rest = (struct text){0};
        return text;
    }
    size_t before = (size_t)(found - text.at);
    *rest = text_slice(text, before + 1, text.len);
    return text_slice(text, 0, before);
}

/* How many bytes the character that begins with `lead` has; 0: none begins so. */
static size_t utf8_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2)
        return 0; /* a continuation, or overlong */
    if (lead < 0xe0)
        return 2;
    if (lead < 0xf0)
        return 3;
    return lead <= 0xf4 ? 4 : 0;
}

/* Whether `next` may follow `lead`. Only the second byte depends on the first: it keeps
 * out overlong forms, surrogates and what lies above U+10FFFF. */
static bool utf8_follows(unsigned char lead, unsigned char next)
{
    switch (lead) {
    case 0xe0:
        return next >= 0xa0 && next <= 0xbf;
    case 0xed:
        return next >= 0x80 && next <= 0x9f;
    case 0xf0:
        return next >= 0x90 && next <= 0xbf;
    case 0xf4:
        return next >= 0x80 && next <= 0x8f;
    default:
        return next >= 0x80 && next <= 0xbf;
    }
}

/* How many of `len` bytes, the first a lead, some well-formed character begins with. */
static size_t utf8_common(const unsigned char *at, size_t len)
{
    if (len < 2 || !utf8_follows(at[0], at[1]))
        return 1;
    size_t n = 2;
    while (n < len && (at[n] & 0xc0) == 0x80)
        n++;
    return n;
}

size_t text_utf8_char(struct text text)
{
    if (text.len == 0)
        return 0;
    const unsigned char *at = (const unsigned char *)text.at;
    size_t len = utf8_length(at[0]);
    if (len < 2)
        return len;
    return len <= text.len && utf8_common(at, len) == len ? len : 0;
}

static size_t skip_ascii(struct text text, size_t i)
{
    uint64_t eight;
    for (; i + sizeof(eight) <= text.len; i += sizeof(eight)) {
        memcpy(&eight, text.at + i, sizeof(eight));
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

bool text_number(struct text text, int64_t *number)
{
    *number = 0;
    bool good = text.len > 0 && text.len <= 18;
    for (size_t i = 0; good && i < text.len; i++) {
        good = text.at[i] >= '0' && text.at[i] <= '9';
        *number = *number * 10 + (text.at[i] - '0');
    }
    return good;
}

size_t text_characters(struct text text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.at[i] & 0xc0) != 0x80;
    return n;
}

bool text_is_utf8(struct text text)
{
    for (size_t i = skip_ascii(text, 0); i < text.len; i = skip_ascii(text, i)) {
        size_t n = text_utf8_char(text_slice(text, i, text.len));
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t text_utf8_pending(struct text text)
{
    if (text.len == 0)
        return 0;
    const unsigned char *end = (const unsigned char *)text.at + text.len;
    for (size_t back = 1; back <= 3 && back <= text.len; back++) {
        size_t len = utf8_length(end[-(ptrdiff_t)back]);
        if (len == 0)
            continue; /* perhaps a continuation: its lead is further back */
        return len > back && utf8_common(end - back, back) == back ? back : 0;
    }
    return 0;
}
