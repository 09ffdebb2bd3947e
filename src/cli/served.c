/* served.c - two messages and a loop over pages. */
#include "cli/served.h"
#include "json/schema.h"

struct wire_model {
    struct text name, display_name;
    struct json_int input_limit, output_limit;
};
struct wire_page {
    struct json_list models;
    struct text next;
};

/* clang-format off */
static const struct json_field model_fields[] = {
    {"name", JSON_STRING, offsetof(struct wire_model, name), 0, 0, 0, NULL, NULL},
    {"displayName", JSON_STRING, offsetof(struct wire_model, display_name), 0, 0, 0, NULL, NULL},
    {"inputTokenLimit", JSON_INT, offsetof(struct wire_model, input_limit), 0, 0, 0, NULL, NULL},
    {"outputTokenLimit", JSON_INT, offsetof(struct wire_model, output_limit), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type model_type = {
    "Model", sizeof(struct wire_model), model_fields, true};
static const struct json_field page_fields[] = {
    {"models", JSON_MESSAGE, offsetof(struct wire_page, models), JSON_LIST, 0, 0, &model_type, NULL},
    {"nextPageToken", JSON_STRING, offsetof(struct wire_page, next), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type page_type = {
    "ListModelsResponse", sizeof(struct wire_page), page_fields, true};
/* clang-format on */

enum { MOST_PAGES = 100 };

static struct served_model from_wire(const struct wire_model *wire)
{
    return (struct served_model){wire->name, wire->display_name, wire->input_limit.is,
                                 wire->output_limit.is};
}

static enum client_end get(struct client *client, const char *path,
                           const struct json_type *type, void *into, struct arena *arena,
                           struct error *err)
{
    struct buf body = {0};
    enum client_end end = client_call(client, path, NULL, &body, err);
    struct text kept = arena_take(arena, &body);
    if (end == CLIENT_DONE && !json_read(type, kept, into, arena, err))
        return CLIENT_LOST;
    return end;
}

static void add_page(const struct wire_page *page, struct arena *arena,
                     struct served_model **models, size_t *n)
{
    const struct wire_model *wire = page->models.at;
    struct served_model *more =
        arena_array(arena, struct served_model, *n + page->models.n + 1);
    if (*n)
        memcpy(more, *models, *n * sizeof(*more));
    for (size_t i = 0; i < page->models.n; i++)
        more[(*n)++] = from_wire(&wire[i]);
    *models = more;
}

enum client_end served_list(struct client *client, struct arena *arena,
                            struct served_model **models, size_t *n, struct error *err)
{
    struct wire_page page = {0};
    *models = NULL;
    *n = 0;
    for (int i = 0; i < MOST_PAGES && (i == 0 || page.next.len); i++) {
        struct text path =
            arena_printf(arena, "/v1beta/models?pageSize=100%s%.*s",
                         page.next.len ? "&pageToken=" : "", TEXT_ARG(page.next));
        enum client_end end = get(client, path.at, &page_type, &page, arena, err);
        if (end != CLIENT_DONE)
            return end;
        add_page(&page, arena, models, n);
    }
    return CLIENT_DONE;
}

enum client_end served_get(struct client *client, struct text name, struct arena *arena,
                           struct served_model *model, struct error *err)
{
    struct wire_model wire = {0};
    struct text path = arena_printf(arena, "/v1beta/%.*s", TEXT_ARG(name));
    enum client_end end = get(client, path.at, &model_type, &wire, arena, err);
    *model = from_wire(&wire);
    return end;
}
