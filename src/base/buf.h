/* buf.h - bytes that grow.
 *
 * A struct buf on the stack starts as {0}; buf_free() returns its memory. The bytes are
 * always followed by a NUL that `len` does not count, so `at` can be given to C functions
 * (once anything was added). A failed malloc ends the process (base/arena.h says why). */
#ifndef POLLUX_BASE_BUF_H
#define POLLUX_BASE_BUF_H

#include "base/text.h"
#include <stdarg.h>

struct buf {
    char *at;
    size_t len;
    size_t room;
};

void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_text(struct buf *buf, struct text text);
void buf_str(struct buf *buf, const char *string);
void buf_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
void buf_drop(struct buf *buf, size_t len); /* forgets the first len bytes */
void buf_cut(struct buf *buf, size_t len);  /* keeps the first len bytes */
void buf_clear(struct buf *buf);            /* empty, memory kept */
void buf_free(struct buf *buf);

/* The place of len more bytes and a NUL. The caller writes them and raises buf->len. */
char *buf_reserve(struct buf *buf, size_t len);

static inline struct text buf_view(const struct buf *buf)
{
    return (struct text){buf->at ? buf->at : "", buf->len};
}

#endif
