/* lines.c - the lines of a batch's input, one after the other. */
#include "batches/lines.h"
#include "base/buf.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 128 * 1024 };

struct lines {
    int fd;
    size_t most;
    int64_t offset; /* of what was not read yet */
    int64_t number; /* of the next line */
    struct buf buf;
    size_t begun;   /* where in buf the next line begins */
    size_t seen;    /* up to where in buf no end of it is */
    bool at_end;    /* of the file */
    bool skipping;  /* the rest of a line that is too long */
    struct buf set; /* a bit for each line that is to be skipped */
};

struct lines *lines_open(int fd, size_t most)
{
    struct lines *lines = mem_alloc(sizeof *lines);
    *lines = (struct lines){.fd = fd, .most = most};
    return lines;
}

void lines_close(struct lines *lines)
{
    if (!lines)
        return;
    close(lines->fd);
    buf_free(&lines->buf);
    buf_free(&lines->set);
    free(lines);
}

void lines_skip(struct lines *lines, int64_t number)
{
    size_t byte = (size_t)number / 8;
    while (lines->set.len <= byte)
        buf_char(&lines->set, '\0');
    lines->set.at[byte] = (char)(lines->set.at[byte] | 1 << number % 8);
}

static bool is_skipped(const struct lines *lines, int64_t number)
{
    size_t byte = (size_t)number / 8;
    return byte < lines->set.len && (lines->set.at[byte] >> number % 8 & 1);
}

static bool read_more(struct lines *lines, struct error *err)
{
    ssize_t n;
    buf_drop(&lines->buf, lines->begun);
    lines->seen -= lines->begun;
    lines->begun = 0;
    do
        n = pread(lines->fd, buf_reserve(&lines->buf, PIECE), PIECE, lines->offset);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_set(err, ERROR_DATA_LOSS, "The batch's input cannot be read: %s.",
                         strerrordesc_np(errno));
    lines->buf.len += (size_t)n;
    lines->offset += n;
    lines->at_end = n == 0;
    return true;
}

static bool is_blank(struct text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!strchr(" \t\r\n\v\f", text.at[i]) || text.at[i] == '\0')
            return false;
    return true;
}

/* The next line's bytes, blank ones too; the file's last may have no end. */
static bool cut_line(struct lines *lines, struct text *bytes, bool *whole,
                     struct error *err)
{
    for (;;) {
        struct text all = buf_view(&lines->buf);
        const char *end = memchr(all.at + lines->seen, '\n', all.len - lines->seen);
        size_t len = (end ? (size_t)(end - all.at) : all.len) - lines->begun;
        *whole = end || lines->at_end;
        if (*whole || len > lines->most) {
            *bytes = text_slice(all, lines->begun, lines->begun + len);
            lines->begun += len + (end ? 1 : 0);
            lines->seen = lines->begun;
            return end || len > 0 || !lines->at_end;
        }
        lines->seen = all.len;
        if (!read_more(lines, err))
            return false;
    }
}

/* Some editors begin a file with a byte order mark. */
static struct text without_mark(const struct lines *lines, struct text bytes)
{
    bool first = lines->number == 0 && text_starts(bytes, "\xef\xbb\xbf");
    return first ? text_slice(bytes, 3, bytes.len) : bytes;
}

bool lines_next(struct lines *lines, struct line_found *found, struct error *err)
{
    struct text bytes;
    bool whole = false;
    err->code = ERROR_OK;
    while (cut_line(lines, &bytes, &whole, err)) {
        bool rest = lines->skipping;
        lines->skipping = !whole;
        bytes = without_mark(lines, bytes);
        if (rest || is_blank(bytes))
            continue;
        *found = (struct line_found){lines->number++, bytes,
                                     !whole || bytes.len > lines->most};
        if (!is_skipped(lines, found->number))
            return true;
    }
    return false;
}
