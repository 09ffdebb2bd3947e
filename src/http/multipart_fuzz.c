/* multipart_fuzz.c: wherever a body is cut, the same parts with the same bytes come out,
 * or the same refusal; and no more is held back than the header says. */
#include "http/multipart.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_part(void *arg, int part, struct text type, struct text encoding,
                    struct error *err)
{
    buf_printf(arg, "[%d %.*s %.*s]", part, TEXT_ARG(type), TEXT_ARG(encoding));
    return part < 100 || error_set(err, ERROR_INVALID_ARGUMENT, "many");
}

static bool on_bytes(void *arg, int part, struct text bytes, struct error *err)
{
    (void)part;
    (void)err;
    assert(bytes.len > 0);
    buf_text(arg, bytes);
    return true;
}

static bool read(struct text type, struct text body, size_t step, struct buf *seen)
{
    struct error err;
    struct multipart m;
    bool good = multipart_open(&m, type, &err);
    m.begin = on_part;
    m.bytes = on_bytes;
    m.arg = seen;
    for (size_t at = 0; good && at < body.len; at += step) {
        good = multipart_add(&m, text_slice(body, at, at + step), &err);
        size_t most =
            m.state == MULTIPART_HEADERS ? MULTIPART_HEADER : MULTIPART_HELD + 4;
        assert(!good || m.held.len <= most || m.state == MULTIPART_END);
    }
    good = good && multipart_finish(&m, &err);
    multipart_close(&m);
    return good;
}

/* The first line is the Content-Type. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text body,
        type = text_cut((struct text){(const char *)data, size}, '\n', &body);
    struct buf whole = {0}, cut = {0};
    bool good = read(type, body, body.len ? body.len : 1, &whole);
    for (size_t step = 1; step < 8; step += 2) {
        buf_clear(&cut);
        bool same = read(type, body, step, &cut) == good;
        assert(same);
        assert(!good || text_same(buf_view(&whole), buf_view(&cut)));
    }
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
