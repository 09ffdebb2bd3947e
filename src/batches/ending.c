/* ending.c - answers are recorded; batches end, and their output is made.
 *
 * The output's file has a name that the batch's id gives it, so that a crash between the
 * file and the row does not make a second one: who comes again finds the name taken, and
 * the file under it is whole, for files are never otherwise. */
#include "base/clock.h"
#include "batches/inside.h"
#include "files/upload.h"

enum { SOME = 64 };

/* ---- recording ---- */

/* False with ERROR_OK: the batch is not there to be written to. */
static bool is_open(struct batches *batches, struct text id, int *ending,
                    struct error *err)
{
    static const char ask[] = "SELECT ending FROM batches WHERE id = ? AND ended = 0";
    int64_t found = -1;
    if (!store_number(batches->store, ask, STORE_VALUES(STORE_TEXT(id)), -1, &found, err))
        return false;
    *ending = (int)found;
    return found >= 0;
}

static bool insert_answer(struct batches *batches, struct text id,
                          const struct batch_answer *answer, struct batch *sum,
                          struct error *err)
{
    static const char insert[] = "INSERT INTO batch_answers (batch, line, json) "
                                 "VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    int n = 0;
    if (!store_run(batches->store, insert,
                   STORE_VALUES(STORE_TEXT(id), STORE_INT(answer->line),
                                STORE_TEXT(answer->json)),
                   &n, err))
        return false;
    sum->n_good += n > 0 && answer->good;
    sum->n_bad += n > 0 && !answer->good;
    sum->bytes += n > 0 ? (int64_t)answer->json.len : 0;
    return true;
}

static bool count_answers(struct batches *batches, struct text id,
                          const struct batch *sum, struct error *err)
{
    static const char count[] =
        "UPDATE batches SET n_good = n_good + ?, n_bad = n_bad + ?, bytes = bytes + ?, "
        "updated = ? WHERE id = ?";
    static const char complete[] =
        "UPDATE batches SET ending = ? "
        "WHERE id = ? AND ending = 0 AND n_good + n_bad >= n_lines";
    return store_run(batches->store, count,
                     STORE_VALUES(STORE_INT(sum->n_good), STORE_INT(sum->n_bad),
                                  STORE_INT(sum->bytes), STORE_INT(clock_ns()),
                                  STORE_TEXT(id)),
                     NULL, err) &&
           store_run(batches->store, complete,
                     STORE_VALUES(STORE_INT(BATCH_SUCCEEDED), STORE_TEXT(id)), NULL, err);
}

static bool record(struct batches *batches, struct text id,
                   const struct batch_answer *answers, int n, bool *over,
                   struct error *err)
{
    struct batch sum = {0};
    int ending = 0;
    if (!is_open(batches, id, &ending, err)) {
        *over = true;
        return err->code == ERROR_OK;
    }
    for (int i = 0; i < n; i++)
        if (!insert_answer(batches, id, &answers[i], &sum, err))
            return false;
    *over = ending != 0;
    return count_answers(batches, id, &sum, err);
}

bool batches_record(struct batches *batches, struct text id,
                    const struct batch_answer *answers, int n, bool *over,
                    struct error *err)
{
    *over = false;
    err->code = ERROR_OK;
    return store_begin(batches->store, err) &&
           store_end(batches->store, record(batches, id, answers, n, over, err), err);
}

/* ---- asked to end ---- */

static bool set_ending(struct batches *batches, struct text id, enum batch_state how,
                       struct text why, struct error *err)
{
    static const char set[] = "UPDATE batches SET ending = ?, error = ?, updated = ? "
                              "WHERE id = ? AND ending = 0";
    struct arena *arena = arena_open();
    struct batch batch;
    bool good = batch_read(batches, id, arena, &batch, err) &&
                store_run(batches->store, set,
                          STORE_VALUES(STORE_INT(how), STORE_TEXT(why),
                                       STORE_INT(clock_ns()), STORE_TEXT(id)),
                          NULL, err);
    arena_close(arena);
    return good;
}

bool batches_end(struct batches *batches, struct text id, enum batch_state how,
                 struct text why, struct error *err)
{
    return store_begin(batches->store, err) &&
           store_end(batches->store, set_ending(batches, id, how, why, err), err);
}

/* Some rows at a time, so that others get the database in between. */
void batch_drop_answers(struct batches *batches, struct text id)
{
    static const char drop[] =
        "DELETE FROM batch_answers WHERE rowid IN "
        "(SELECT rowid FROM batch_answers WHERE batch = ? LIMIT ?)";
    struct error err;
    int n = 0;
    do {
        if (!store_begin(batches->store, &err))
            return;
        bool good = store_run(batches->store, drop,
                              STORE_VALUES(STORE_TEXT(id), STORE_INT((int64_t)SOME * 4)),
                              &n, &err);
        if (!store_end(batches->store, good, &err))
            return;
    } while (n > 0);
}

static bool drop_batch(struct batches *batches, struct text id, struct arena *arena,
                       struct batch *batch, bool *last, struct error *err)
{
    static const char drop[] = "DELETE FROM batches WHERE id = ?";
    return batch_read(batches, id, arena, batch, err) &&
           store_run(batches->store, drop, STORE_VALUES(STORE_TEXT(id)), NULL, err) &&
           (!batch->input.at || blob_drop(batches->blobs, batch->input, last, err));
}

bool batches_delete(struct batches *batches, struct text id, struct error *err)
{
    struct arena *arena = arena_open();
    struct batch batch = {0};
    bool last = false;
    blobs_lock(batches->blobs);
    bool good = store_begin(batches->store, err) &&
                store_end(batches->store,
                          drop_batch(batches, id, arena, &batch, &last, err), err);
    if (good && last)
        blob_remove(batches->blobs, batch.input);
    blobs_unlock(batches->blobs);
    if (good)
        batch_drop_answers(batches, id);
    arena_close(arena);
    return good;
}

/* ---- the output ---- */

static bool write_answers(struct batches *batches, const struct batch *batch,
                          struct upload *upload, struct error *err)
{
    struct batch_answer answers[SOME];
    int64_t from = 0;
    bool good = true;
    for (int n = SOME; good && n == SOME;) {
        struct arena *arena = arena_open();
        n = batches_answers(batches, batch->id, from, SOME, arena, answers, err);
        good = n >= 0;
        for (int i = 0; good && i < n; i++)
            good = upload_add(upload, answers[i].json, err) &&
                   upload_add(upload, TEXT("\n"), err);
        if (n > 0)
            from = answers[n - 1].line + 1;
        arena_close(arena);
    }
    return good;
}

static bool make_output(struct batches *batches, struct batch *batch, struct arena *arena,
                        struct error *err)
{
    struct file file;
    const struct upload_wish wish = {
        .id = arena_printf(arena, "batch-%.*s", TEXT_ARG(batch->id)),
        .display_name = batch->display_name,
        .mime_type = TEXT("application/jsonl"),
        .size = UPLOAD_SIZE_UNKNOWN,
        .generated = true,
    };
    struct upload *upload = upload_direct(batches->files, err);
    if (!upload)
        return false;
    bool good = upload_set_wish(upload, &wish, err) &&
                write_answers(batches, batch, upload, err) &&
                upload_finish(upload, arena, &file, err);
    upload_leave(upload);
    batch->output_file = wish.id;
    return good || err->code == ERROR_ALREADY_EXISTS;
}

/* ---- finishing ---- */

static bool is_held(struct text id, const struct text *held, int n_held)
{
    for (int i = 0; i < n_held; i++)
        if (text_same(id, held[i]))
            return true;
    return false;
}

static bool find_ending(struct batches *batches, const struct text *held, int n_held,
                        struct arena *arena, struct batch *batch, struct error *err)
{
    static const char ask[] = "SELECT " BATCH_COLUMNS " FROM batches "
                              "WHERE ended = 0 AND ending != 0 ORDER BY updated";
    bool found = false;
    if (!store_begin(batches->store, err))
        return false;
    struct rows *rows = store_ask(batches->store, ask, STORE_NO_VALUES, err);
    while (rows && !found && store_next(rows, err)) {
        batch_read_row(rows, arena, batch);
        found = !is_held(batch->id, held, n_held);
    }
    bool good = rows && err->code == ERROR_OK;
    store_done(rows);
    return store_end(batches->store, good, err) && found;
}

static bool set_end(struct batches *batches, const struct batch *batch,
                    const struct hook *hooks, int n_hooks, bool *last, struct error *err)
{
    static const char set[] =
        "UPDATE batches SET state = ending, ended = ?, updated = ?, input = NULL, "
        "output_file = ? WHERE id = ? AND ended = 0";
    int n = 0;
    return store_run(batches->store, set,
                     STORE_VALUES(STORE_INT(batch->ended), STORE_INT(batch->ended),
                                  STORE_TEXT(batch->output_file), STORE_TEXT(batch->id)),
                     &n, err) &&
           (n == 0 || (hooks_add(batches->store, hooks, n_hooks, err) &&
                       blob_drop(batches->blobs, batch->input, last, err)));
}

static bool wants_file(const struct batch *batch)
{
    return batch->n_good + batch->n_bad > 0 &&
           (batch->input_file.at || batch->bytes > BATCH_INLINE_MOST);
}

bool batches_finish(struct batches *batches, const struct text *held, int n_held,
                    batch_news *news, struct arena *arena, struct batch *batch,
                    bool *found, struct error *err)
{
    const struct hook *hooks = NULL;
    bool last = false;
    err->code = ERROR_OK;
    *found = find_ending(batches, held, n_held, arena, batch, err);
    if (!*found)
        return err->code == ERROR_OK;
    if (wants_file(batch) && !make_output(batches, batch, arena, err))
        return false;
    batch->ended = clock_ns();
    batch->state = batch->ending;
    int n_hooks = news(batch, arena, &hooks);
    blobs_lock(batches->blobs);
    bool good = store_begin(batches->store, err) &&
                store_end(batches->store,
                          set_end(batches, batch, hooks, n_hooks, &last, err), err);
    if (good && last)
        blob_remove(batches->blobs, batch->input);
    blobs_unlock(batches->blobs);
    if (good && batch->output_file.at)
        batch_drop_answers(batches, batch->id);
    return good;
}

/* ---- the sweep ---- */

static void expire(struct batches *batches)
{
    static const char set[] = "UPDATE batches SET ending = ?, updated = ? "
                              "WHERE ended = 0 AND ending = 0 AND created <= ?";
    struct error err;
    int64_t now = clock_ns();
    if (!store_begin(batches->store, &err))
        return;
    bool good = store_run(batches->store, set,
                          STORE_VALUES(STORE_INT(BATCH_EXPIRED), STORE_INT(now),
                                       STORE_INT(now - batches->options.life)),
                          NULL, &err);
    store_end(batches->store, good, &err);
}

static bool next_forgotten(struct batches *batches, struct arena *arena, struct text *id)
{
    static const char ask[] =
        "SELECT id FROM batches WHERE ended > 0 AND ended <= ? LIMIT 1";
    struct error err;
    if (!store_begin(batches->store, &err))
        return false;
    struct rows *rows =
        store_ask(batches->store, ask,
                  STORE_VALUES(STORE_INT(clock_ns() - batches->options.memory)), &err);
    bool found = rows && store_next(rows, &err);
    if (found)
        *id = store_text(rows, 0, arena);
    store_done(rows);
    return store_end(batches->store, true, &err) && found;
}

void batches_sweep(struct batches *batches)
{
    struct arena *arena = arena_open();
    struct error err;
    struct text id;
    expire(batches);
    while (next_forgotten(batches, arena, &id) && batches_delete(batches, id, &err))
        ;
    arena_close(arena);
}
