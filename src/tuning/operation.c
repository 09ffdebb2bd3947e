/* operation.c - trainings: how far they are, how they end. */
#include "base/clock.h"
#include "tuning/inside.h"
#include <stdlib.h>

#define COLUMNS "id, model, created, ended, total, completed, code, message"

enum { MOST_LISTED = 100 };

/* ---- what callers ask ---- */

static void read_row(struct rows *rows, struct arena *arena,
                     struct tuned_operation *operation)
{
    *operation = (struct tuned_operation){
        .id = store_text(rows, 0, arena),
        .model = store_text(rows, 1, arena),
        .created = store_int(rows, 2),
        .ended = store_int(rows, 3),
        .total = store_int(rows, 4),
        .n_completed = store_int(rows, 5),
        .error_code = (int)store_int(rows, 6),
        .error = store_text(rows, 7, arena),
    };
}

static bool read_operation(struct tuning *tuning, struct text who, struct text model,
                           struct text id, struct arena *arena,
                           struct tuned_operation *operation, struct error *err)
{
    static const char ask[] =
        "SELECT " COLUMNS ", owner FROM tuned_operations WHERE id = ? AND model = ?";
    struct rows *rows = store_ask(tuning->store, ask,
                                  STORE_VALUES(STORE_TEXT(id), STORE_TEXT(model)), err);
    if (!rows)
        return false;
    struct text owner = {0};
    bool found = store_next(rows, err);
    if (found) {
        read_row(rows, arena, operation);
        owner = store_text(rows, 8, arena);
    }
    store_done(rows);
    if (!found)
        return err->code == ERROR_OK
                   ? error_set(err, ERROR_NOT_FOUND,
                               "tunedModels/%.*s/operations/%.*s is not found.",
                               TEXT_ARG(text_slice(model, 0, 100)),
                               TEXT_ARG(text_slice(id, 0, 100)))
                   : false;
    if (!who.at || owner.len == 0 || text_same(owner, who))
        return true;
    struct tuned tuned;
    return tuned_read(tuning, who, model, TUNED_READER, arena, &tuned, err);
}

bool tuned_operation_get(struct tuning *tuning, struct text who, struct text model,
                         struct text id, struct arena *arena,
                         struct tuned_operation *operation, struct error *err)
{
    return store_begin(tuning->store, err) &&
           store_end(tuning->store,
                     read_operation(tuning, who, model, id, arena, operation, err), err);
}

static bool read_operations(struct tuning *tuning, struct text model, struct arena *arena,
                            struct tuned_operation *list, int *n, struct error *err)
{
    static const char ask[] = "SELECT " COLUMNS " FROM tuned_operations WHERE model = ? "
                              "ORDER BY created DESC LIMIT 100";
    struct rows *rows =
        store_ask(tuning->store, ask, STORE_VALUES(STORE_TEXT(model)), err);
    if (!rows)
        return false;
    for (*n = 0; *n < MOST_LISTED && store_next(rows, err); ++*n)
        read_row(rows, arena, &list[*n]);
    bool good = *n == MOST_LISTED || err->code == ERROR_OK;
    store_done(rows);
    return good;
}

bool tuned_operations(struct tuning *tuning, struct text who, struct text model,
                      struct arena *arena, struct tuned_operation **list, int *n,
                      struct error *err)
{
    struct tuned tuned;
    *list = arena_array(arena, struct tuned_operation, MOST_LISTED);
    return store_begin(tuning->store, err) &&
           store_end(tuning->store,
                     tuned_read(tuning, who, model, TUNED_READER, arena, &tuned, err) &&
                         read_operations(tuning, model, arena, *list, n, err),
                     err);
}

static bool count_snapshots(struct tuning *tuning, struct text operation, int64_t *n,
                            struct error *err)
{
    static const char ask[] = "SELECT COUNT(*) FROM tuned_snapshots WHERE operation = ?";
    return store_number(tuning->store, ask, STORE_VALUES(STORE_TEXT(operation)), 0, n,
                        err);
}

static struct tuned_snapshot read_snapshot(struct rows *rows, struct arena *arena)
{
    struct text loss = store_text(rows, 3, arena);
    return (struct tuned_snapshot){store_int(rows, 0), store_int(rows, 1),
                                   store_int(rows, 2),
                                   loss.at ? strtod(loss.at, NULL) : 0};
}

static bool read_snapshots(struct tuning *tuning, struct text operation, int most,
                           struct arena *arena, struct tuned_snapshot **list, int *n,
                           struct error *err)
{
    static const char ask[] = "SELECT step, epoch, computed, loss FROM tuned_snapshots "
                              "WHERE operation = ? ORDER BY step";
    int64_t n_all = 0;
    *n = 0;
    if (!count_snapshots(tuning, operation, &n_all, err))
        return false;
    int64_t stride = (n_all + most - 1) / most;
    *list = arena_array(arena, struct tuned_snapshot, (size_t)(stride ? most : 1));
    struct rows *rows =
        store_ask(tuning->store, ask, STORE_VALUES(STORE_TEXT(operation)), err);
    if (!rows)
        return false;
    int64_t i = 0;
    for (; i < n_all && store_next(rows, err); i++)
        if ((n_all - 1 - i) % stride == 0)
            (*list)[(*n)++] = read_snapshot(rows, arena);
    bool good = i == n_all || err->code == ERROR_OK;
    store_done(rows);
    return good;
}

bool tuned_snapshots(struct tuning *tuning, struct text operation, int most,
                     struct arena *arena, struct tuned_snapshot **list, int *n,
                     struct error *err)
{
    return store_begin(tuning->store, err) &&
           store_end(tuning->store,
                     read_snapshots(tuning, operation, most, arena, list, n, err), err);
}

/* ---- how it goes ---- */

/* False in *goes: it was cancelled or deleted meanwhile. */
static bool end_rows(struct tuning *tuning, struct text operation,
                     const struct error *why, bool *goes, struct error *err)
{
    static const char end[] = "UPDATE tuned_operations SET ended = ?, code = ?, "
                              "message = ?, completed = CASE ?2 WHEN 0 THEN total ELSE "
                              "completed END WHERE id = ? AND ended = 0";
    static const char model[] = "UPDATE tuned_models SET state = ?, updated = ?2, "
                                "completed = ?2 WHERE operation = ?3";
    int64_t now = clock_ns();
    struct text words = why ? text_of(why->message) : (struct text){0};
    int n = 0;
    bool good =
        store_run(tuning->store, end,
                  STORE_VALUES(STORE_INT(now), STORE_INT(why ? why->code : ERROR_OK),
                               STORE_TEXT(words), STORE_TEXT(operation)),
                  &n, err);
    *goes = n > 0;
    if (!good || n == 0)
        return good;
    return store_run(tuning->store, model,
                     STORE_VALUES(STORE_INT(why ? TUNED_FAILED : TUNED_ACTIVE),
                                  STORE_INT(now), STORE_TEXT(operation)),
                     NULL, err);
}

static bool cancel_rows(struct tuning *tuning, struct text who, struct text model,
                        struct text *id, struct arena *arena, struct error *err)
{
    struct tuned tuned;
    struct tuned_operation operation;
    struct error why;
    bool goes = false;
    error_set(&why, ERROR_CANCELLED, "The tuning was cancelled.");
    if (!tuned_read(tuning, who, model, TUNED_WRITER, arena, &tuned, err))
        return false;
    if (!id->at)
        *id = tuned.operation;
    return read_operation(tuning, who, model, *id, arena, &operation, err) &&
           end_rows(tuning, *id, &why, &goes, err);
}

bool tuned_cancel(struct tuning *tuning, struct text who, struct text model,
                  struct arena *arena, struct text *operation, struct error *err)
{
    return store_begin(tuning->store, err) &&
           store_end(tuning->store,
                     cancel_rows(tuning, who, model, operation, arena, err), err);
}

bool tuned_next(struct tuning *tuning, const struct text *busy, int n_busy,
                struct arena *arena, struct text *operation, struct error *err)
{
    static const char ask[] =
        "SELECT operation FROM tuned_models WHERE state = ? ORDER BY created, id";
    *operation = (struct text){0};
    if (!store_begin(tuning->store, err))
        return false;
    struct rows *rows =
        store_ask(tuning->store, ask, STORE_VALUES(STORE_INT(TUNED_CREATING)), err);
    bool good = rows != NULL;
    while (rows && !operation->at && (good = store_next(rows, err))) {
        struct text id = store_text(rows, 0, arena);
        bool is_busy = false;
        for (int i = 0; i < n_busy; i++)
            is_busy |= text_same(busy[i], id);
        if (!is_busy)
            *operation = id;
    }
    good = rows && (good || err->code == ERROR_OK);
    store_done(rows);
    return store_end(tuning->store, good, err);
}

bool tuned_begun(struct tuning *tuning, struct text operation, int64_t total,
                 struct error *err)
{
    static const char set[] =
        "UPDATE tuned_operations SET total = ? WHERE id = ? AND ended = 0";
    static const char model[] = "UPDATE tuned_models SET started = ? "
                                "WHERE operation = ? AND started = 0";
    if (!store_begin(tuning->store, err))
        return false;
    bool good =
        store_run(tuning->store, set,
                  STORE_VALUES(STORE_INT(total), STORE_TEXT(operation)), NULL, err) &&
        store_run(tuning->store, model,
                  STORE_VALUES(STORE_INT(clock_ns()), STORE_TEXT(operation)), NULL, err);
    return store_end(tuning->store, good, err);
}

bool tuned_progress(struct tuning *tuning, struct text operation,
                    const struct tuned_snapshot *steps, int n, struct error *err)
{
    static const char set[] =
        "UPDATE tuned_operations SET completed = ? WHERE id = ? AND ended = 0";
    /* A trainer that goes on from a checkpoint tells some steps again. */
    static const char insert[] =
        "INSERT OR REPLACE INTO tuned_snapshots (operation, step, epoch, loss, computed) "
        "SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM tuned_models WHERE operation = "
        "?1)";
    if (n == 0)
        return true;
    struct arena *arena = arena_open();
    bool good = store_begin(tuning->store, err);
    bool begun = good;
    for (int i = 0; good && i < n; i++)
        good =
            store_run(tuning->store, insert,
                      STORE_VALUES(STORE_TEXT(operation), STORE_INT(steps[i].step),
                                   STORE_INT(steps[i].epoch),
                                   STORE_TEXT(arena_printf(arena, "%.9g", steps[i].loss)),
                                   STORE_INT(steps[i].computed)),
                      NULL, err);
    good = good &&
           store_run(tuning->store, set,
                     STORE_VALUES(STORE_INT(steps[n - 1].step), STORE_TEXT(operation)),
                     NULL, err);
    if (begun)
        good = store_end(tuning->store, good, err);
    arena_close(arena);
    return good;
}

/* Whether a row still names the folder. */
static bool is_wanted(struct tuning *tuning, struct text operation, struct error *err)
{
    static const char ask[] = "SELECT 1 FROM tuned_models WHERE operation = ?";
    int64_t found = 0;
    return store_begin(tuning->store, err) &&
           store_end(tuning->store,
                     store_number(tuning->store, ask, STORE_VALUES(STORE_TEXT(operation)),
                                  0, &found, err),
                     err) &&
           found;
}

bool tuned_end(struct tuning *tuning, struct text operation, const struct error *why,
               struct error *err)
{
    bool goes = false;
    struct error lacks = {0};
    if (!why && !folder_keep_adapter(tuning, operation, &lacks))
        why = &lacks;
    bool good =
        store_begin(tuning->store, err) &&
        store_end(tuning->store, end_rows(tuning, operation, why, &goes, err), err);
    if (!good)
        return false;
    if (is_wanted(tuning, operation, err))
        folder_tidy(tuning, operation);
    else if (err->code == ERROR_OK)
        folder_remove(tuning, operation);
    return true;
}
