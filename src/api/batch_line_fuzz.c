/* batch_line_fuzz.c: whatever is on a line, its answer is one line of JSON with the
 * line's key; what it asks for is JSON on one line, which reads back to the same. */
#include "api/batch_message.h"
#include "json/tree.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_object *parse_line(struct text text, struct arena *arena)
{
    struct error err;
    assert(!memchr(text.at, '\n', text.len));
    struct json_object *tree = json_parse(arena, text, &err);
    assert(tree);
    return tree;
}

static void check_answer(const struct batch_request *request, const struct error *err,
                         struct arena *arena)
{
    struct buf out = {0};
    bool has_key = false;
    batch_write_line(request, err, TEXT("{\"candidates\":[]}"), &out);
    struct json_object *tree = parse_line(buf_view(&out), arena);
    for (struct lh_entry *e = tree_first(tree); e; e = e->next)
        if (strcmp(tree_key(e), "key") == 0)
            has_key = text_same(tree_text(tree_value(e)), request->key);
    assert(has_key == (request->key.at != NULL));
    buf_free(&out);
}

static void check_request(const struct batch_request *request, struct arena *arena)
{
    struct buf again = {0};
    json_any_write(parse_line(request->request, arena), &again);
    assert(text_same(buf_view(&again), request->request));
    assert(request->n_candidates >= 1);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct batch_request request;
    struct arena *arena = arena_open();
    enum batch_kind kind = size > 0 && data[0] & 1 ? BATCH_EMBED : BATCH_GENERATE;
    struct text line = {(const char *)data, size};
    bool good = batch_read_line(kind, line, arena, &request, &err);
    if (good)
        check_request(&request, arena);
    else
        assert(err.code == ERROR_INVALID_ARGUMENT && err.message[0]);
    check_answer(&request, good ? NULL : &err, arena);
    arena_close(arena);
    return 0;
}
