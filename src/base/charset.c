/* charset.c - text of other encodings, as UTF-8, by the C library's iconv. */
#include "base/charset.h"
#include <errno.h>
#include <iconv.h>

static const struct {
    const char *mark;
    size_t len;
    const char *charset;
} marks[] = {
    {"\xef\xbb\xbf", 3, "UTF-8"},    {"\xff\xfe\0\0", 4, "UTF-32LE"},
    {"\0\0\xfe\xff", 4, "UTF-32BE"}, {"\xff\xfe", 2, "UTF-16LE"},
    {"\xfe\xff", 2, "UTF-16BE"},
};

/* Names that the web uses for more than they say. */
static const char *wider(struct text name)
{
    if (text_is_nocase(name, "iso-8859-1") || text_is_nocase(name, "latin1") ||
        text_is_nocase(name, "us-ascii") || text_is_nocase(name, "ascii"))
        return "WINDOWS-1252";
    return NULL;
}

/* iconv takes suffixes such as //IGNORE, and paths of modules: a name is plain. */
static bool is_plain(struct text name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || (c != '\0' && strchr("-_.:", c));
        if (!plain)
            return false;
    }
    return name.len > 0 && name.len < 40;
}

static bool convert(struct text bytes, const char *charset, struct buf *out)
{
    iconv_t how = iconv_open("UTF-8", charset);
    if (how == (iconv_t)-1) /* NOLINT(performance-no-int-to-ptr): iconv's own idiom */
        return false;
    char *from = (char *)bytes.at;
    size_t left = bytes.len, before = out->len;
    bool good = true;
    while (good && left > 0) {
        size_t room = left * 2 + 64;
        char *to = buf_reserve(out, room), *at = to;
        size_t code = iconv(how, &from, &left, &at, &room);
        out->len += (size_t)(at - to);
        good = code != (size_t)-1 || errno == E2BIG;
    }
    iconv_close(how);
    if (!good)
        out->len = before;
    return good;
}

static bool decode_unmarked(struct text bytes, struct text charset, struct buf *out)
{
    char name[40];
    bool utf8 = charset.len == 0 || text_is_nocase(charset, "utf-8") ||
                text_is_nocase(charset, "utf8");
    const char *wide = wider(charset);
    if (text_is_utf8(bytes) && (utf8 || text_is_nocase(charset, "us-ascii"))) {
        buf_text(out, bytes);
        return true;
    }
    if (charset.len == 0)
        return convert(bytes, "WINDOWS-1252", out);
    if (utf8 || !is_plain(charset))
        return false;
    memcpy(name, charset.at, charset.len);
    name[charset.len] = '\0';
    return convert(bytes, wide ? wide : name, out);
}

bool charset_decode(struct text bytes, struct text charset, struct buf *out)
{
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        struct text mark = {marks[i].mark, marks[i].len};
        if (!text_same(text_slice(bytes, 0, mark.len), mark))
            continue;
        struct text rest = text_slice(bytes, mark.len, bytes.len);
        if (i > 0)
            return convert(rest, marks[i].charset, out);
        if (!text_is_utf8(rest))
            return false;
        buf_text(out, rest);
        return true;
    }
    return decode_unmarked(bytes, charset, out);
}
