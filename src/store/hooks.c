/* hooks.c - news that are to be brought until they are taken. */
#include "store/hooks.h"

bool hooks_add(struct store *store, const struct hook *hooks, int n, struct error *err)
{
    static const char insert[] = "INSERT INTO hooks (id, owner, uri, body, tries, due) "
                                 "VALUES (?, ?, ?, ?, ?, ?)";
    bool good = true;
    for (const struct hook *hook = hooks; good && hook < hooks + n; hook++)
        good = store_run(store, insert,
                         STORE_VALUES(STORE_TEXT(hook->id), STORE_TEXT(hook->owner),
                                      STORE_TEXT(hook->uri), STORE_TEXT(hook->body),
                                      STORE_INT(hook->tries), STORE_INT(hook->due)),
                         NULL, err);
    return good;
}

static bool read_due(struct store *store, int64_t now, struct arena *arena,
                     struct hook *hooks, int most, int *n, struct error *err)
{
    static const char ask[] = "SELECT id, owner, uri, body, tries, due FROM hooks "
                              "WHERE due <= ? ORDER BY due LIMIT ?";
    struct rows *rows =
        store_ask(store, ask, STORE_VALUES(STORE_INT(now), STORE_INT(most)), err);
    for (*n = 0; rows && *n < most && store_next(rows, err); ++*n)
        hooks[*n] = (struct hook){
            .id = store_text(rows, 0, arena),
            .owner = store_text(rows, 1, arena),
            .uri = store_text(rows, 2, arena),
            .body = store_text(rows, 3, arena),
            .tries = (int)store_int(rows, 4),
            .due = store_int(rows, 5),
        };
    store_done(rows);
    return rows && err->code == ERROR_OK;
}

bool hooks_due(struct store *store, int64_t now, int most, struct arena *arena,
               struct hook **hooks, int *n, int64_t *next, struct error *err)
{
    static const char ask[] = "SELECT due FROM hooks ORDER BY due LIMIT 1 OFFSET ?";
    *hooks = arena_array(arena, struct hook, (size_t)most);
    *n = 0;
    *next = 0;
    err->code = ERROR_OK;
    return store_begin(store, err) &&
           store_end(
               store,
               read_due(store, now, arena, *hooks, most, n, err) &&
                   store_number(store, ask, STORE_VALUES(STORE_INT(*n)), 0, next, err),
               err);
}

bool hooks_done(struct store *store, struct text id, struct error *err)
{
    static const char delete[] = "DELETE FROM hooks WHERE id = ?";
    return store_begin(store, err) &&
           store_end(store,
                     store_run(store, delete, STORE_VALUES(STORE_TEXT(id)), NULL, err),
                     err);
}

bool hooks_again(struct store *store, const struct hook *hook, struct error *err)
{
    static const char update[] = "UPDATE hooks SET tries = ?, due = ? WHERE id = ?";
    return store_begin(store, err) &&
           store_end(store,
                     store_run(store, update,
                               STORE_VALUES(STORE_INT(hook->tries), STORE_INT(hook->due),
                                            STORE_TEXT(hook->id)),
                               NULL, err),
                     err);
}
