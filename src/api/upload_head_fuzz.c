/* upload_head_fuzz.c: whatever an upload's header lines say, it is refused in words, or
 * what was read of it is within bounds and goes together. */
#include "api/upload_head.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An empty line stands for a line that is not there. */
static struct text next(struct text *rest)
{
    struct text line = text_cut(*rest, '\n', rest);
    return line.len ? line : (struct text){0};
}

static void check_range(struct text range)
{
    int64_t from, end, total;
    if (!upload_range_read(range, &from, &end, &total))
        return;
    assert(from >= 0 && total >= -1 && (end == 0 || end > from));
    assert(total < 0 || end <= total);
}

static void check_head(const struct upload_lines *lines, const struct upload_head *head)
{
    bool session = lines->upload_id.at != NULL;
    bool of_session = head->verb == UPLOAD_PIECE || head->verb == UPLOAD_QUERY ||
                      head->verb == UPLOAD_CANCEL;
    assert(session == of_session);
    assert(head->offset >= -1 && head->total >= -1 && head->size >= -1);
    assert(!(head->verb == UPLOAD_PIECE && head->adds) || head->offset >= 0);
    assert(head->verb != UPLOAD_PIECE || head->adds || head->finishes);
    assert(head->verb == UPLOAD_PIECE || head->verb == UPLOAD_RAW ||
           head->verb == UPLOAD_MULTIPART || !head->adds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size};
    struct upload_lines lines = {0};
    struct text *const at[] = {
        &lines.method,       &lines.content_type, &lines.content_range,
        &lines.upload_id,    &lines.upload_type,  &lines.upload_protocol,
        &lines.protocol,     &lines.command,      &lines.offset,
        &lines.told_length,  &lines.told_type,    &lines.file_name,
        &lines.media_length, &lines.media_type};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
        *at[i] = next(&rest);
    lines.length = (int64_t)size - 1;
    struct error err = {0};
    struct upload_head head;
    check_range(lines.content_range);
    if (upload_head_read(&lines, &head, &err))
        check_head(&lines, &head);
    else
        assert(err.code == ERROR_INVALID_ARGUMENT && err.message[0]);
    return 0;
}
