/* batches.c - rows of batches: made, read, listed, handed out. */
#include "base/clock.h"
#include "base/id.h"
#include "batches/inside.h"
#include "store/page.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { ID = 24, SOME = 64 };

/* ---- rows ---- */

void batch_read_row(struct rows *rows, struct arena *arena, struct batch *batch)
{
    *batch = (struct batch){
        .id = store_text(rows, 0, arena),
        .kind = (enum batch_kind)store_int(rows, 1),
        .model = store_text(rows, 2, arena),
        .display_name = store_text(rows, 3, arena),
        .priority = store_int(rows, 4),
        .input = store_text(rows, 5, arena),
        .input_file = store_text(rows, 6, arena),
        .n_lines = store_int(rows, 7),
        .n_good = store_int(rows, 8),
        .n_bad = store_int(rows, 9),
        .bytes = store_int(rows, 10),
        .created = store_int(rows, 11),
        .updated = store_int(rows, 12),
        .ended = store_int(rows, 13),
        .state = (int)store_int(rows, 14),
        .ending = (int)store_int(rows, 15),
        .output_file = store_text(rows, 16, arena),
        .error = store_text(rows, 17, arena),
        .webhook = store_text(rows, 18, arena),
    };
}

static bool not_found(struct text id, struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND,
                     "batches/%.*s is not found: it was never there, was deleted, or "
                     "ended long ago.",
                     TEXT_ARG(text_slice(id, 0, 100)));
}

bool batch_read(struct batches *batches, struct text id, struct arena *arena,
                struct batch *batch, struct error *err)
{
    static const char ask[] = "SELECT " BATCH_COLUMNS " FROM batches WHERE id = ?";
    struct rows *rows = store_ask(batches->store, ask, STORE_VALUES(STORE_TEXT(id)), err);
    if (!rows)
        return false;
    bool found = store_next(rows, err);
    if (found)
        batch_read_row(rows, arena, batch);
    else if (err->code == ERROR_OK)
        not_found(id, err);
    store_done(rows);
    return found;
}

bool batches_get(struct batches *batches, struct text id, struct arena *arena,
                 struct batch *batch, struct error *err)
{
    if (!files_id_is_good(id)) /* the same letters */
        return not_found(id, err);
    return store_begin(batches->store, err) &&
           store_end(batches->store, batch_read(batches, id, arena, batch, err), err);
}

/* ---- changes ---- */

static bool change_row(struct batches *batches, struct text id, enum batch_kind kind,
                       const struct batch_change *change, struct arena *arena,
                       struct batch *batch, struct error *err)
{
    static const char set[] =
        "UPDATE batches SET display_name = ?, priority = ?, updated = ? WHERE id = ?";
    if (!batch_read(batches, id, arena, batch, err))
        return false;
    if (batch->kind != kind)
        return not_found(id, err);
    if (change->renames)
        batch->display_name = arena_text(arena, change->display_name);
    if (change->orders)
        batch->priority = change->priority;
    batch->updated = clock_ns();
    return store_run(batches->store, set,
                     STORE_VALUES(STORE_TEXT(batch->display_name),
                                  STORE_INT(batch->priority), STORE_INT(batch->updated),
                                  STORE_TEXT(id)),
                     NULL, err);
}

bool batches_change(struct batches *batches, struct text id, enum batch_kind kind,
                    const struct batch_change *change, struct arena *arena,
                    struct batch *batch, struct error *err)
{
    if (!files_id_is_good(id))
        return not_found(id, err);
    return store_begin(batches->store, err) &&
           store_end(batches->store,
                     change_row(batches, id, kind, change, arena, batch, err), err);
}

/* ---- the list ---- */

static bool read_page(struct batches *batches, int64_t created, struct text id, int most,
                      struct arena *arena, struct batch *list, int *n, struct error *err)
{
    static const char ask[] = "SELECT " BATCH_COLUMNS " FROM batches "
                              "WHERE (created, id) < (?1, ?2) "
                              "ORDER BY created DESC, id DESC LIMIT ?3";
    struct rows *rows =
        store_ask(batches->store, ask,
                  STORE_VALUES(STORE_INT(created), STORE_TEXT(id), STORE_INT(most)), err);
    if (!rows)
        return false;
    for (*n = 0; store_next(rows, err); ++*n)
        batch_read_row(rows, arena, &list[*n]);
    store_done(rows);
    return err->code == ERROR_OK;
}

struct text batches_token(const struct batch *last, struct arena *arena)
{
    return page_token(last->created, last->id, arena);
}

bool batches_list(struct batches *batches, int page_size, struct text token,
                  struct arena *arena, struct batch **list, int *n, struct text *next,
                  struct error *err)
{
    struct text id = {0};
    int64_t created = 0;
    int most = page_size + 1; /* the one more says that there is another page */
    *list = arena_array(arena, struct batch, (size_t)most);
    *next = (struct text){0};
    if (!page_read(token, INT64_MAX, &created, &id, err) ||
        !store_begin(batches->store, err))
        return false;
    bool good = read_page(batches, created, id, most, arena, *list, n, err);
    if (!store_end(batches->store, good, err))
        return false;
    if (*n == most)
        *next = batches_token(&(*list)[--*n - 1], arena);
    return true;
}

/* ---- making ---- */

static bool check_room(struct batches *batches, struct error *err)
{
    static const char ask[] = "SELECT COUNT(*) FROM batches WHERE ended = 0";
    int64_t n = 0;
    if (!store_number(batches->store, ask, STORE_NO_VALUES, 0, &n, err))
        return false;
    if (n < BATCHES_OPEN_MOST)
        return true;
    error_set(err, ERROR_RESOURCE_EXHAUSTED,
              "%d batches have not ended yet: wait for some, or cancel them.",
              BATCHES_OPEN_MOST);
    err->retry_ms = 60000;
    return false;
}

static bool insert(struct batches *batches, const struct batch *batch, struct error *err)
{
    static const char sql[] = "INSERT INTO batches (" BATCH_COLUMNS ") VALUES "
                              "(?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, 0, ?, 0, NULL, "
                              "NULL, ?)";
    return store_run(
        batches->store, sql,
        STORE_VALUES(STORE_TEXT(batch->id), STORE_INT(batch->kind),
                     STORE_TEXT(batch->model), STORE_TEXT(batch->display_name),
                     STORE_INT(batch->priority), STORE_BYTES(batch->input),
                     STORE_TEXT(batch->input_file), STORE_INT(batch->n_lines),
                     STORE_INT(batch->created), STORE_INT(batch->updated),
                     STORE_INT(batch->state), STORE_TEXT(batch->webhook)),
        NULL, err);
}

static struct batch new_batch(const struct batch_wish *wish, struct arena *arena)
{
    char id[ID + 1];
    id_random(id, ID);
    int64_t now = clock_ns();
    return (struct batch){
        .id = arena_text(arena, text_of(id)),
        .kind = wish->kind,
        .model = arena_text(arena, wish->model),
        .display_name = arena_text(arena, wish->display_name),
        .priority = wish->priority,
        .webhook = arena_text(arena, wish->webhook),
        .created = now,
        .updated = now,
        .state = BATCH_PENDING,
    };
}

/* The caller keeps the fd. */
static bool count_lines(const struct batches *batches, int fd, int64_t *n,
                        struct error *err)
{
    struct line_found found;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return error_set(err, ERROR_INTERNAL, "The file cannot be opened again.");
    struct lines *lines = lines_open(own, batches->options.line_most);
    for (*n = 0; lines_next(lines, &found, err); ++*n)
        ;
    lines_close(lines);
    return err->code == ERROR_OK;
}

bool batches_make_of_file(struct batches *batches, const struct batch_wish *wish,
                          struct text uri, struct arena *arena, struct batch *batch,
                          struct error *err)
{
    struct file file;
    int fd;
    if (!files_find(batches->files, uri, arena, &file, &fd, err))
        return false;
    *batch = new_batch(wish, arena);
    batch->input = file.hash;
    batch->input_file = file.id;
    if (!count_lines(batches, fd, &batch->n_lines, err))
        return false;
    if (batch->n_lines == 0)
        return error_at(err, "batch.input_config.file_name",
                        "files/%.*s has no lines: there is no request in it.",
                        TEXT_ARG(file.id));
    blobs_lock(batches->blobs);
    bool good =
        store_begin(batches->store, err) &&
        store_end(batches->store,
                  check_room(batches, err) && blob_hold(batches->blobs, file.hash, err) &&
                      insert(batches, batch, err),
                  err);
    blobs_unlock(batches->blobs);
    return good;
}

static bool keep_lines(struct batches *batches, struct part *part, struct batch *batch,
                       unsigned char *hash, struct error *err)
{
    if (!store_begin(batches->store, err))
        return false;
    bool good = check_room(batches, err) && blob_keep(part, hash, err);
    batch->input = (struct text){(const char *)hash, BLOB_HASH};
    return store_end(batches->store, good && insert(batches, batch, err), err);
}

static int64_t n_ends(struct text lines)
{
    int64_t n = 0;
    for (size_t i = 0; i < lines.len; i++)
        n += lines.at[i] == '\n';
    return n;
}

bool batches_make_of_lines(struct batches *batches, const struct batch_wish *wish,
                           struct text lines, struct arena *arena, struct batch *batch,
                           struct error *err)
{
    unsigned char *hash = arena_alloc(arena, BLOB_HASH);
    *batch = new_batch(wish, arena);
    batch->n_lines = n_ends(lines);
    struct text name = arena_printf(arena, "batch-%.*s", TEXT_ARG(batch->id));
    struct part *part = part_open(batches->blobs, name.at, 0, err);
    bool good = part && part_add(part, lines, err) && part_sync(part, err);
    blobs_lock(batches->blobs);
    good = good && keep_lines(batches, part, batch, hash, err);
    blobs_unlock(batches->blobs);
    part_close(part);
    part_remove(batches->blobs, name.at);
    return good;
}

/* ---- answers ---- */

int batches_answers(struct batches *batches, struct text id, int64_t from, int most,
                    struct arena *arena, struct batch_answer *answers, struct error *err)
{
    static const char ask[] = "SELECT line, json FROM batch_answers "
                              "WHERE batch = ? AND line >= ? ORDER BY line LIMIT ?";
    int n = 0;
    if (!store_begin(batches->store, err))
        return -1;
    struct rows *rows =
        store_ask(batches->store, ask,
                  STORE_VALUES(STORE_TEXT(id), STORE_INT(from), STORE_INT(most)), err);
    for (; rows && store_next(rows, err); n++)
        answers[n] = (struct batch_answer){.line = store_int(rows, 0),
                                           .json = store_text(rows, 1, arena)};
    bool good = rows && err->code == ERROR_OK;
    store_done(rows);
    return store_end(batches->store, good, err) ? n : -1;
}

/* ---- handing out ---- */

static bool skip_answered(struct batches *batches, struct text id, struct lines *lines,
                          struct error *err)
{
    static const char ask[] = "SELECT line FROM batch_answers WHERE batch = ?";
    struct rows *rows = store_ask(batches->store, ask, STORE_VALUES(STORE_TEXT(id)), err);
    while (rows && store_next(rows, err))
        lines_skip(lines, store_int(rows, 0));
    store_done(rows);
    return rows && err->code == ERROR_OK;
}

static bool read_next(struct batches *batches, enum batch_kind kind, struct arena *arena,
                      struct batch *batch, struct error *err)
{
    static const char ask[] = "SELECT " BATCH_COLUMNS " FROM batches "
                              "WHERE kind = ? AND ended = 0 AND ending = 0 "
                              "ORDER BY priority DESC, created, id LIMIT 1";
    struct rows *rows =
        store_ask(batches->store, ask, STORE_VALUES(STORE_INT(kind)), err);
    bool found = rows && store_next(rows, err);
    if (found)
        batch_read_row(rows, arena, batch);
    store_done(rows);
    return found;
}

static bool start(struct batches *batches, struct batch *batch, struct error *err)
{
    static const char set[] = "UPDATE batches SET state = ?, updated = ? WHERE id = ?";
    if (batch->state == BATCH_RUNNING)
        return true;
    batch->state = BATCH_RUNNING;
    batch->updated = clock_ns();
    return store_run(batches->store, set,
                     STORE_VALUES(STORE_INT(batch->state), STORE_INT(batch->updated),
                                  STORE_TEXT(batch->id)),
                     NULL, err);
}

static bool open_lines(struct batches *batches, struct batch *batch, struct lines **lines,
                       struct error *err)
{
    int fd = blob_open(batches->blobs, batch->input);
    if (fd < 0)
        return error_set(err, ERROR_DATA_LOSS,
                         "The batch's input is gone from the server's disk.");
    *lines = lines_open(fd, batches->options.line_most);
    return start(batches, batch, err) && skip_answered(batches, batch->id, *lines, err);
}

bool batches_next(struct batches *batches, enum batch_kind kind, struct arena *arena,
                  struct batch *batch, struct lines **lines, struct error *err)
{
    struct error lost = {0};
    *lines = NULL;
    *batch = (struct batch){0};
    if (!store_begin(batches->store, err))
        return false;
    bool found = read_next(batches, kind, arena, batch, err);
    bool good = found ? open_lines(batches, batch, lines, err) : err->code == ERROR_OK;
    good = store_end(batches->store, good, err);
    if (!good) {
        lines_close(*lines);
        *lines = NULL;
    }
    if (!good && err->code == ERROR_DATA_LOSS && found)
        batches_end(batches, batch->id, BATCH_FAILED, text_of(err->message), &lost);
    return good;
}

/* ---- opening ---- */

struct batches *batches_open(struct store *store, struct files *files,
                             const struct batches_options *options, struct error *err)
{
    static const char lost[] =
        "SELECT DISTINCT batch FROM batch_answers WHERE batch NOT IN "
        "(SELECT id FROM batches WHERE output_file IS NULL)";
    struct arena *arena = arena_open();
    struct batches *batches = mem_alloc(sizeof *batches);
    *batches = (struct batches){store, files, files_blobs(files), *options};
    struct text ids[SOME];
    int n = 0;
    bool good = store_begin(store, err);
    struct rows *rows = good ? store_ask(store, lost, STORE_NO_VALUES, err) : NULL;
    while (rows && n < SOME && store_next(rows, err))
        ids[n++] = store_text(rows, 0, arena);
    store_done(rows);
    good = good && store_end(store, rows && err->code == ERROR_OK, err);
    for (int i = 0; good && i < n; i++)
        batch_drop_answers(batches, ids[i]);
    arena_close(arena);
    if (good) {
        batches_sweep(batches);
        return batches;
    }
    batches_close(batches);
    return NULL;
}

void batches_close(struct batches *batches)
{
    free(batches);
}
