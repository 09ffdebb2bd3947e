/* lines_fuzz.c: whatever the longest line may be, the same lines are counted, and those
 * that are short enough come out whole; what was passed over once stays so. */
#include "batches/lines.h"
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LONG = 1 << 20 };

static struct lines *open_on(const uint8_t *data, size_t size, size_t most)
{
    int fd = memfd_create("lines", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    return lines_open(fd, most);
}

/* A line that begins with more white space than `most` may be blank or not: it is not
 * looked at so far. */
static bool is_plain(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] <= ' ' && data[i] != '\n')
            return false;
    return true;
}

static void compare(const uint8_t *data, size_t size, size_t most)
{
    struct lines *whole = open_on(data, size, LONG);
    struct lines *cut = open_on(data, size, most);
    struct line_found a, b;
    struct error err;
    while (lines_next(whole, &a, &err)) {
        assert(!a.too_long && !memchr(a.bytes.at, '\n', a.bytes.len));
        assert(lines_next(cut, &b, &err) && a.number == b.number);
        assert(b.too_long || text_same(a.bytes, b.bytes));
        assert(!b.too_long || a.bytes.len + 3 > most);
    }
    assert(err.code == ERROR_OK && !lines_next(cut, &b, &err));
    lines_close(whole);
    lines_close(cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > LONG)
        return 0;
    size_t most = data[0];
    data++;
    size--;
    if (is_plain(data, size))
        compare(data, size, most);
    struct lines *lines = open_on(data, size, most);
    struct line_found found;
    struct error err;
    lines_skip(lines, 0);
    while (lines_next(lines, &found, &err))
        assert(found.number > 0);
    lines_close(lines);
    return 0;
}
