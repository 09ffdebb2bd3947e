/* sight_none.c - in the place of sight.c where the owner's libllama came without libmtmd:
 * no model sees (the Makefile chooses). */
#include "engine/sight.h"

struct sight *sight_open(const struct sight_options *options, struct error *err)
{
    error_set(err, ERROR_FAILED_PRECONDITION,
              "%s: this Pollux was built with a libllama that has no libmtmd",
              options->path);
    return NULL;
}

void sight_close(struct sight *sight)
{
    (void)sight;
}

bool sight_sees(const struct sight *sight)
{
    (void)sight;
    return false;
}

bool sight_hears(const struct sight *sight)
{
    (void)sight;
    return false;
}

struct view *sight_view(struct sight *sight, const struct picture *picture,
                        struct error *err)
{
    (void)sight;
    (void)picture;
    error_set(err, ERROR_INVALID_ARGUMENT, "The model cannot look at this picture.");
    return NULL;
}

struct text engine_view_marker(const struct view *view)
{
    (void)view;
    return TEXT("");
}

void sight_release(struct sight *sight, struct view *view)
{
    (void)sight;
    (void)view;
}

bool sight_find(struct sight *sight, struct text text, size_t *from, size_t *to,
                int32_t *tokens, int room, int *n)
{
    (void)sight, (void)text, (void)from, (void)to, (void)tokens, (void)room, (void)n;
    return false;
}

struct view *sight_hold(struct sight *sight, int32_t token)
{
    (void)sight, (void)token;
    return NULL;
}

int view_run(const struct view *view, int32_t token, int *n_pos)
{
    (void)view, (void)token, (void)n_pos;
    return 0;
}

bool sight_vectors(struct sight *sight, struct view *view, int32_t token, int pos,
                   struct llm_vectors *vectors)
{
    (void)sight, (void)view, (void)token, (void)pos, (void)vectors;
    return false;
}
