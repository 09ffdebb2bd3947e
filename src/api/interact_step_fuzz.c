/* interact_step_fuzz.c - a history means the same however it is cut into interactions.
 *
 * The first byte says where it is cut, the rest is input in any of its forms. What is
 * read becomes turns that alternate and have parts; cut in two, as a chain has it, the
 * same turns come out. Written as steps, it reads as itself. */
#include "api/interact_step.h"
#include "json/tree.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_slice(struct steps *steps, struct json_object *array, size_t from,
                       size_t to, struct error *err)
{
    struct json_object *slice = json_object_new_array();
    for (size_t i = from; i < to; i++)
        json_object_array_add(slice,
                              json_object_get(json_object_array_get_idx(array, i)));
    bool good = steps_add(steps, slice, "input", err);
    json_object_put(slice);
    return good;
}

static void check_turns(const struct chat *chat)
{
    for (int i = 0; i < chat->n_turns; i++) {
        assert(chat->turns[i].n_parts > 0);
        assert(i == 0 || chat->turns[i].role != chat->turns[i - 1].role);
        for (int k = 0; k < chat->turns[i].n_parts; k++) {
            const struct part *part = &chat->turns[i].parts[k];
            if (part->kind == PART_CALL || part->kind == PART_RESULT)
                assert(part->json.len >= 2 && part->json.at[0] == '{');
            if (part->kind == PART_MEDIA)
                assert(part->media->path);
        }
    }
}

static void check_same(const struct chat *a, const struct chat *b)
{
    assert(a->n_turns == b->n_turns);
    for (int i = 0; i < a->n_turns; i++) {
        assert(a->turns[i].n_parts == b->turns[i].n_parts);
        for (int k = 0; k < a->turns[i].n_parts; k++) {
            const struct part *x = &a->turns[i].parts[k], *y = &b->turns[i].parts[k];
            assert(x->kind == y->kind && text_same(x->text, y->text) &&
                   text_same(x->json, y->json) && text_same(x->id, y->id));
        }
    }
}

static void check(struct arena *arena, struct json_object *input, unsigned where)
{
    struct buf json = {0}, again = {0};
    struct error err = {0};
    struct chat whole = {0}, pieces = {0};
    if (steps_normal(input, &json, &err)) {
        struct json_object *array =
            json_parse(arena, arena_text(arena, buf_view(&json)), &err);
        assert(json_object_is_type(array, json_type_array));
        assert(steps_normal(array, &again, &err) &&
               text_same(buf_view(&json), buf_view(&again)));
        size_t n = json_object_array_length(array), cut = where % (n + 1);
        struct steps *one = steps_open(arena), *two = steps_open(arena);
        bool good = steps_add(one, array, "input", &err);
        assert(good || (err.code == ERROR_INVALID_ARGUMENT && err.field[0]));
        bool both =
            read_slice(two, array, 0, cut, &err) && read_slice(two, array, cut, n, &err);
        assert(good == both);
        if (good) {
            steps_turns(one, &whole);
            steps_turns(two, &pieces);
            check_turns(&whole);
            check_same(&whole, &pieces);
        }
    } else {
        assert(err.code == ERROR_INVALID_ARGUMENT && err.field[0]);
    }
    buf_free(&json);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err;
    if (size == 0)
        return 0;
    struct arena *arena = arena_open();
    struct text text = {(const char *)data + 1, size - 1};
    struct json_object *input = json_parse(arena, text, &err);
    if (input)
        check(arena, input, data[0]);
    arena_close(arena);
    return 0;
}
