#include "tools/urls.h"

static bool is_letter(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9');
}

/* Where an address may begin; 0: not here. Else how long its scheme is. */
static size_t scheme_at(struct text text, size_t at)
{
    struct text rest = text_slice(text, at, text.len);
    if (at > 0 && is_letter(text.at[at - 1]))
        return 0;
    if (text_is_nocase(text_slice(rest, 0, 7), "http://"))
        return 7;
    return text_is_nocase(text_slice(rest, 0, 8), "https://") ? 8 : 0;
}

static bool may_be_in_url(char c)
{
    return (unsigned char)c > ' ' && c != '\x7f' && !strchr("<>\"`{}|\\^", c);
}

static int count(struct text text, char c)
{
    int n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.at[i] == c;
    return n;
}

/* Without what belongs to the sentence: dots, quotes, brackets that close none of its. */
static struct text trimmed(struct text url)
{
    for (; url.len; url.len--) {
        char last = url.at[url.len - 1];
        bool closes = (last == ')' && count(url, ')') > count(url, '(')) ||
                      (last == ']' && count(url, ']') > count(url, '['));
        if (!closes && !strchr(".,;:!?'*_", last))
            return url;
    }
    return url;
}

static bool is_known(const struct text *urls, int n, struct text url)
{
    for (int i = 0; i < n; i++)
        if (text_same(urls[i], url))
            return true;
    return false;
}

int urls_find(struct text text, struct text *urls)
{
    int n = 0;
    for (size_t at = 0; at < text.len && n < URLS_MOST; at++) {
        size_t scheme = scheme_at(text, at), end = at + scheme;
        if (!scheme)
            continue;
        while (end < text.len && may_be_in_url(text.at[end]))
            end++;
        struct text url = trimmed(text_slice(text, at, end));
        if (url.len > scheme && !is_known(urls, n, url))
            urls[n++] = url;
        at = end - 1;
    }
    return n;
}
