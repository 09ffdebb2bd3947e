/* shape_fuzz.c: a schema of either language gives one JSON object, or a refusal with a
 * path below the one given; what was given out is taken again, and an object of one
 * language leaves no trace in the next.
 *
 * Input: JSON. */
#include "chat/shape.h"
#include "json/tree.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct text shape_of(struct json_object *schema, bool own, struct arena *arena)
{
    struct text out = {0};
    struct error err = {0};
    bool good =
        (own ? shape_of_schema : shape_of_json_schema)(schema, "s", arena, &out, &err);
    assert(good == (out.at != NULL));
    assert(good || (err.code == ERROR_INVALID_ARGUMENT && err.field[0] == 's'));
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct error err = {0};
    struct json_object *schema =
        json_parse(arena, (struct text){(const char *)data, size}, &err);
    for (int own = 0; schema && own < 2; own++) {
        struct text first = shape_of(schema, own, arena);
        if (!first.at)
            continue;
        struct json_object *tree = json_parse(arena, first, &err);
        assert(tree && json_object_is_type(tree, json_type_object));
        assert(text_same(first, shape_of(schema, own, arena)));
    }
    struct shape choices = {0};
    if (schema && shape_choices(schema, "s", arena, &choices, &err))
        assert(choices.n_choices > 0);
    arena_close(arena);
    return 0;
}
