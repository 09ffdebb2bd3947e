/* interactions.c - interactions that are kept.
 *
 * Large texts stay where they are in the row; what is asked of a chain walks it by
 * primary key, link by link, so that neither depends on how many others there are. */
#include "interactions/interactions.h"
#include "base/log.h"
#include "base/loop.h"
#include <stdlib.h>
#include <sys/random.h>

enum { SWEPT_AT_ONCE = 100 };

struct interactions {
    struct store *store;
    int64_t keep_ns; /* 0: for ever */
};

struct interactions *interactions_open(struct store *store, int64_t keep_s)
{
    struct interactions *interactions = mem_alloc(sizeof *interactions);
    *interactions = (struct interactions){store, keep_s * 1000000000};
    return interactions;
}

void interactions_close(struct interactions *interactions)
{
    free(interactions);
}

struct text interactions_new_id(struct arena *arena)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[24];
    char id[3 + sizeof bytes] = "v1_";
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort(); /* cannot be for so few */
    for (size_t i = 0; i < sizeof bytes; i++)
        id[3 + i] = letters[bytes[i] % 64];
    return arena_text(arena, (struct text){id, sizeof id});
}

static bool not_found(struct text id, struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND,
                     "Interaction %.*s was not found: it was never stored, was deleted, "
                     "or has expired.",
                     TEXT_ARG(text_slice(id, 0, 100)));
}

/* ---- writing: within a transaction ---- */

static bool insert_row(struct interactions *is, const struct interaction *row,
                       struct error *err)
{
    static const char insert[] =
        "INSERT INTO interactions (id, previous, status, background, created, updated, "
        "expires, request, input, steps, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?)";
    int64_t expires = is->keep_ns ? row->created + is->keep_ns : INT64_MAX;
    return store_run(is->store, insert,
                     STORE_VALUES(STORE_TEXT(row->id), STORE_TEXT(row->previous),
                                  STORE_INT(row->status), STORE_INT(row->background),
                                  STORE_INT(row->created), STORE_INT(row->updated),
                                  STORE_INT(expires), STORE_TEXT(row->request),
                                  STORE_TEXT(row->input), STORE_TEXT(row->steps),
                                  STORE_TEXT(row->outcome)),
                     NULL, err);
}

static bool insert_log(struct interactions *is, struct text id,
                       const struct log_piece *log, struct error *err)
{
    static const char insert[] =
        "INSERT INTO interaction_events (interaction, first, last, log) VALUES (?, ?, ?, "
        "?)";
    return !log || log->n == 0 ||
           store_run(is->store, insert,
                     STORE_VALUES(STORE_TEXT(id), STORE_INT(log->first),
                                  STORE_INT(log->first + log->n - 1),
                                  STORE_TEXT(log->lines)),
                     NULL, err);
}

static bool update_row(struct interactions *is, struct text id,
                       const struct interaction *row, struct error *err)
{
    static const char update[] = "UPDATE interactions SET status = ?, updated = ?, "
                                 "request = ?, steps = ?, outcome = ? WHERE id = ?";
    int n = 0;
    return !row ||
           (store_run(is->store, update,
                      STORE_VALUES(STORE_INT(row->status), STORE_INT(row->updated),
                                   STORE_TEXT(row->request), STORE_TEXT(row->steps),
                                   STORE_TEXT(row->outcome), STORE_TEXT(id)),
                      &n, err) &&
            (n > 0 || not_found(id, err)));
}

bool interactions_add(struct interactions *is, const struct interaction *row,
                      const struct log_piece *log, struct error *err)
{
    return store_begin(is->store, err) &&
           store_end(is->store,
                     insert_row(is, row, err) && insert_log(is, row->id, log, err) &&
                         hooks_add(is->store, row->hooks, row->n_hooks, err),
                     err);
}

bool interactions_write(struct interactions *is, struct text id,
                        const struct log_piece *log, const struct interaction *row,
                        struct error *err)
{
    return store_begin(is->store, err) &&
           store_end(is->store,
                     insert_log(is, id, log, err) && update_row(is, id, row, err) &&
                         (!row || hooks_add(is->store, row->hooks, row->n_hooks, err)),
                     err);
}

bool interactions_delete(struct interactions *is, struct text id, struct error *err)
{
    static const char delete[] = "DELETE FROM interactions WHERE id = ? AND expires > ?";
    int n = 0;
    if (!store_begin(is->store, err))
        return false;
    bool good = store_run(is->store, delete,
                          STORE_VALUES(STORE_TEXT(id), STORE_INT(clock_ns())), &n, err);
    return store_end(is->store, good, err) && (n > 0 || not_found(id, err));
}

int interactions_sweep(struct interactions *is)
{
    static const char delete[] =
        "DELETE FROM interactions WHERE id IN (SELECT id FROM interactions WHERE "
        "expires <= ? AND status != 1 LIMIT ?)";
    struct error err;
    int n_all = 0, n = SWEPT_AT_ONCE;
    while (n == SWEPT_AT_ONCE && store_begin(is->store, &err)) {
        bool good = store_run(
            is->store, delete,
            STORE_VALUES(STORE_INT(clock_ns()), STORE_INT(SWEPT_AT_ONCE)), &n, &err);
        if (!store_end(is->store, good, &err))
            break;
        n_all += n;
    }
    if (n_all)
        log_line(LOG_INFO, "interactions", "expired=%d", n_all);
    return n_all;
}

/* ---- reading ---- */

#define COLUMNS                                                                          \
    "id, previous, status, background, created, updated, request, input, steps, outcome"

static void read_row(struct rows *rows, struct arena *arena, struct interaction *row)
{
    *row = (struct interaction){
        .id = store_text(rows, 0, arena),
        .previous = store_text(rows, 1, arena),
        .status = (enum status)store_int(rows, 2),
        .background = store_int(rows, 3) != 0,
        .created = store_int(rows, 4),
        .updated = store_int(rows, 5),
        .request = store_text(rows, 6, arena),
        .input = store_text(rows, 7, arena),
        .steps = store_text(rows, 8, arena),
        .outcome = store_text(rows, 9, arena),
    };
}

static bool read_one(struct interactions *is, struct text id, struct arena *arena,
                     struct interaction *row, struct error *err)
{
    static const char ask[] =
        "SELECT " COLUMNS " FROM interactions WHERE id = ? AND expires > ?";
    struct rows *rows = store_ask(
        is->store, ask, STORE_VALUES(STORE_TEXT(id), STORE_INT(clock_ns())), err);
    if (!rows)
        return false;
    bool found = store_next(rows, err);
    if (found)
        read_row(rows, arena, row);
    else if (err->code == ERROR_OK)
        not_found(id, err);
    store_done(rows);
    return found;
}

bool interactions_get(struct interactions *is, struct text id, struct arena *arena,
                      struct interaction *row, struct error *err)
{
    return store_begin(is->store, err) &&
           store_end(is->store, read_one(is, id, arena, row, err), err);
}

/* Rows that come one by one; how many is not known before. */
struct list {
    struct interaction *at;
    int n, room;
};

static struct interaction *added(struct list *list, struct arena *arena)
{
    if (list->n == list->room) {
        int room = list->room ? list->room * 2 : 8;
        struct interaction *more = arena_array(arena, struct interaction, (size_t)room);
        if (list->n > 0)
            memcpy(more, list->at, sizeof *more * (size_t)list->n);
        list->at = more;
        list->room = room;
    }
    return &list->at[list->n++];
}

static bool walk(struct interactions *is, struct text id, struct arena *arena,
                 struct list *list, struct error *err)
{
    for (struct text at = id; at.at;) {
        struct interaction *row = added(list, arena);
        if (!read_one(is, at, arena, row, err))
            return false;
        if (!status_is_over(row->status))
            return error_set(err, ERROR_FAILED_PRECONDITION,
                             "Interaction %.*s is in progress: wait for its end, or "
                             "cancel it.",
                             TEXT_ARG(at));
        if (list->n > CHAIN_MOST)
            return error_set(err, ERROR_FAILED_PRECONDITION,
                             "A chain may have %d interactions.", CHAIN_MOST);
        at = row->previous;
    }
    return true;
}

bool interactions_chain(struct interactions *is, struct text id, struct arena *arena,
                        struct interaction **rows, int *n, struct error *err)
{
    struct list list = {0};
    bool good = store_begin(is->store, err) &&
                store_end(is->store, walk(is, id, arena, &list, err), err);
    for (int i = 0, k = list.n - 1; i < k; i++, k--) {
        struct interaction row = list.at[i];
        list.at[i] = list.at[k];
        list.at[k] = row;
    }
    *rows = list.at;
    *n = list.n;
    return good;
}

bool interactions_cut_off(struct interactions *is, struct arena *arena,
                          struct interaction **rows, int *n, struct error *err)
{
    static const char ask[] =
        "SELECT " COLUMNS " FROM interactions WHERE status = 1 ORDER BY created";
    struct list list = {0};
    if (!store_begin(is->store, err))
        return false;
    struct rows *found = store_ask(is->store, ask, STORE_NO_VALUES, err);
    while (found && store_next(found, err))
        read_row(found, arena, added(&list, arena));
    bool good = found && err->code == ERROR_OK;
    store_done(found);
    *rows = list.at;
    *n = list.n;
    return store_end(is->store, good, err);
}

/* ---- logs ---- */

static bool read_log(struct interactions *is, struct text id, int64_t after,
                     struct arena *arena, struct log_piece *pieces, int n,
                     struct error *err)
{
    static const char ask[] = "SELECT first, last, log FROM interaction_events WHERE "
                              "interaction = ? AND last > ? ORDER BY first";
    struct rows *rows =
        store_ask(is->store, ask, STORE_VALUES(STORE_TEXT(id), STORE_INT(after)), err);
    for (int i = 0; rows && i < n && store_next(rows, err); i++)
        pieces[i] = (struct log_piece){
            .first = store_int(rows, 0),
            .n = (int)(store_int(rows, 1) - store_int(rows, 0) + 1),
            .lines = store_text(rows, 2, arena),
        };
    store_done(rows);
    return rows && err->code == ERROR_OK;
}

static bool find_log(struct interactions *is, struct text id, int64_t after,
                     struct arena *arena, struct log_piece **pieces, int *n,
                     struct error *err)
{
    static const char count[] = "SELECT COUNT(*) FROM interaction_events WHERE "
                                "interaction = ? AND last > ?";
    int64_t n_pieces = 0;
    err->code = ERROR_OK;
    if (!store_number(is->store, count, STORE_VALUES(STORE_TEXT(id), STORE_INT(after)), 0,
                      &n_pieces, err))
        return false;
    *n = (int)n_pieces;
    *pieces = arena_array(arena, struct log_piece, (size_t)n_pieces + 1);
    return read_log(is, id, after, arena, *pieces, *n, err);
}

bool interactions_log(struct interactions *is, struct text id, int64_t after,
                      struct arena *arena, struct log_piece **pieces, int *n,
                      struct error *err)
{
    return store_begin(is->store, err) &&
           store_end(is->store, find_log(is, id, after, arena, pieces, n, err), err);
}
