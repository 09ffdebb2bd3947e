#include "tools/picture.h"
#include "media/type.h"

static const char *const kinds[] = {"image/png", "image/jpeg", "image/webp", "image/gif"};

/* "image/png 123": false when it is no such line. */
static bool read_head(struct text line, struct text *kind, size_t *len)
{
    struct text number;
    *kind = text_cut(line, ' ', &number);
    *len = 0;
    bool known = false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        known = known || text_is(*kind, kinds[i]);
    if (!known || !number.at || number.len == 0 || number.len > 9)
        return false;
    for (size_t i = 0; i < number.len; i++) {
        if (number.at[i] < '0' || number.at[i] > '9')
            return false;
        *len = *len * 10 + (size_t)(number.at[i] - '0');
    }
    return *len > 0;
}

int pictures_read(struct text bytes, struct arena *arena, struct tool_blob **pictures)
{
    int n = 0;
    *pictures = arena_array(arena, struct tool_blob, PICTURES_MOST);
    while (n < PICTURES_MOST && bytes.len > 0) {
        struct text rest, kind, line = text_cut(bytes, '\n', &rest);
        size_t len;
        if (!rest.at || !read_head(line, &kind, &len) || len > rest.len)
            break;
        struct text picture = text_slice(rest, 0, len);
        const struct media_type *type = media_sniff(picture);
        if (!type || !text_is(kind, type->name))
            break;
        (*pictures)[n].mime_type = arena_text(arena, kind);
        (*pictures)[n++].bytes = arena_text(arena, picture);
        bytes = text_slice(rest, len, rest.len);
    }
    return n;
}
