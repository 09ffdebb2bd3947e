/* upload.c - files on their way in.
 *
 * An upload in memory has its part open and the hash of what is in it. A session that
 * nobody holds stays so for its next piece; only IDLE_MOST of them do, and one that is
 * not in memory (after a restart, say) is read once to get its hash again.
 *
 * U1  A session's row says how much is on the disk; its part may hold more, never less.
 * U2  `files->used` counts what the part holds, from the first byte on. */
#include "base/clock.h"
#include "base/id.h"
#include "files/inside.h"
#include <assert.h>
#include <stdlib.h>

#define HOUR (3600 * INT64_C(1000000000))

enum {
    IDLE_MOST = 200,
    FILE_ID = 12, /* characters of an id that is made up */
    MIME_MOST = 200,
};

static const int64_t file_life = 48 * HOUR, session_life = 24 * HOUR;

struct upload {
    struct files *files;
    char id[UPLOAD_ID + 1];
    char file_id[FILE_ID_MOST + 1];
    struct arena *arena; /* of the two texts */
    struct text display_name, mime_type;
    int64_t declared, kept; /* kept: as its row says */
    int64_t used;           /* when it was let go: the oldest is closed first */
    bool direct, held, complete, generated;
    struct part *part; /* NULL: complete */
    struct upload *next, **at;
};

/* ---- the list ---- */

static void link_in(struct upload *upload)
{
    struct files *files = upload->files;
    upload->next = files->uploads;
    upload->at = &files->uploads;
    if (upload->next)
        upload->next->at = &upload->next;
    files->uploads = upload;
}

static void free_upload(struct upload *upload)
{
    *upload->at = upload->next;
    if (upload->next)
        upload->next->at = upload->at;
    part_close(upload->part);
    arena_close(upload->arena);
    free(upload);
}

static struct upload *make_upload(struct files *files)
{
    struct upload *upload = mem_alloc(sizeof *upload);
    *upload = (struct upload){
        .files = files,
        .arena = arena_open(),
        .declared = UPLOAD_SIZE_UNKNOWN,
        .held = true,
    };
    return upload;
}

static struct upload *find_upload(const struct files *files, struct text id)
{
    struct upload *upload = files->uploads;
    while (upload && !text_is(id, upload->id))
        upload = upload->next;
    return upload;
}

/* With the lock. */
static void close_oldest(struct files *files)
{
    struct upload *oldest = NULL;
    for (struct upload *u = files->uploads; u; u = u->next)
        if (!u->held && (!oldest || u->used < oldest->used))
            oldest = u;
    if (!oldest)
        return;
    free_upload(oldest);
    files->n_idle--;
}

static void hold(struct upload *upload)
{
    upload->held = true;
    upload->files->n_idle--;
}

static void let_go(struct upload *upload)
{
    struct files *files = upload->files;
    pthread_mutex_lock(&files->lock);
    upload->held = false;
    upload->used = clock_ns();
    if (++files->n_idle > IDLE_MOST)
        close_oldest(files);
    pthread_mutex_unlock(&files->lock);
}

static void forget(struct upload *upload)
{
    struct files *files = upload->files;
    pthread_mutex_lock(&files->lock);
    free_upload(upload);
    pthread_mutex_unlock(&files->lock);
}

void uploads_close(struct files *files)
{
    for (struct upload *upload = files->uploads, *next; upload; upload = next) {
        next = upload->next;
        free_upload(upload);
    }
}

/* ---- wishes ---- */

/* type/subtype and parameters. It goes into headers: nothing strange in it. */
static bool is_mime_type(struct text type)
{
    struct text rest, after;
    struct text main = text_cut(type, '/', &rest);
    struct text sub = text_cut(rest, ';', &after);
    if (main.len == 0 || !rest.at || sub.len == 0 || type.len > MIME_MOST)
        return false;
    for (size_t i = 0; i < type.len; i++) {
        unsigned char c = (unsigned char)type.at[i];
        bool in_name = i < main.len + 1 + sub.len;
        if (c < ' ' || c > '~' || (in_name && strchr(" ()<>@,;:\\\"[]?=", c)))
            return false;
    }
    return true;
}

static bool check_wish(const struct files *files, const struct upload_wish *wish,
                       struct error *err)
{
    if (wish->id.at && !files_id_is_good(wish->id))
        return error_at(err, "file.name",
                        "A file's name is files/ and then at most %d lower-case letters, "
                        "digits and dashes, with no dash at either end.",
                        FILE_ID_MOST);
    if (text_characters(wish->display_name) > FILE_NAME_MOST)
        return error_at(err, "file.display_name",
                        "displayName may have at most %d characters.", FILE_NAME_MOST);
    if (wish->mime_type.at && !is_mime_type(wish->mime_type))
        return error_at(err, "file.mime_type", "'%.*s' is not a MIME type.",
                        TEXT_ARG(text_slice(wish->mime_type, 0, 100)));
    if (wish->size > files->options.file_limit)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The file has %lld bytes; this server takes files of at most "
                         "%lld (--file-limit).",
                         (long long)wish->size, (long long)files->options.file_limit);
    return true;
}

bool upload_set_wish(struct upload *upload, const struct upload_wish *wish,
                     struct error *err)
{
    struct files *files = upload->files;
    if (!check_wish(files, wish, err))
        return false;
    upload->display_name = arena_text(upload->arena, wish->display_name);
    upload->mime_type =
        arena_text(upload->arena, wish->mime_type.at ? wish->mime_type
                                                     : TEXT("application/octet-stream"));
    upload->declared = wish->size;
    upload->generated = wish->generated;
    if (!wish->id.at) {
        id_random(upload->file_id, FILE_ID);
        return true;
    }
    memcpy(upload->file_id, wish->id.at, wish->id.len);
    upload->file_id[wish->id.len] = '\0';
    return store_begin(files->store, err) &&
           store_end(files->store, files_check_free(files, wish->id, err), err);
}

/* ---- beginning ---- */

static bool open_part(struct upload *upload, int64_t len, struct error *err)
{
    upload->part = part_open(upload->files->blobs, upload->id, len, err);
    upload->kept = len;
    return upload->part != NULL;
}

static void link_new(struct upload *upload)
{
    pthread_mutex_lock(&upload->files->lock);
    link_in(upload);
    pthread_mutex_unlock(&upload->files->lock);
}

static bool insert_row(const struct upload *upload, struct error *err)
{
    static const char insert[] =
        "INSERT INTO uploads (id, file_id, display_name, mime_type, declared, received, "
        "complete, touched) VALUES (?, ?, ?, ?, ?, 0, 0, ?)";
    struct store *store = upload->files->store;
    return store_begin(store, err) &&
           store_end(
               store,
               store_run(store, insert,
                         STORE_VALUES(STORE_TEXT(text_of(upload->id)),
                                      STORE_TEXT(text_of(upload->file_id)),
                                      STORE_TEXT(upload->display_name),
                                      STORE_TEXT(upload->mime_type),
                                      STORE_INT(upload->declared), STORE_INT(clock_ns())),
                         NULL, err),
               err);
}

bool upload_begin(struct files *files, const struct upload_wish *wish,
                  struct arena *arena, struct text *upload_id, struct error *err)
{
    struct upload *upload = make_upload(files);
    int64_t room = wish->size > 0 ? wish->size : 0;
    id_random(upload->id, UPLOAD_ID);
    link_new(upload);
    bool good = upload_set_wish(upload, wish, err) && files_claim(files, room, err);
    if (good)
        files_claim(files, -room, err); /* it was there; it is taken as bytes come */
    if (!good || !open_part(upload, 0, err) || !insert_row(upload, err)) {
        part_remove(files->blobs, upload->id);
        forget(upload);
        return false;
    }
    *upload_id = arena_text(arena, text_of(upload->id));
    let_go(upload);
    return true;
}

struct upload *upload_direct(struct files *files, struct error *err)
{
    struct upload *upload = make_upload(files);
    id_random(upload->id, UPLOAD_ID);
    upload->direct = true;
    link_new(upload);
    if (open_part(upload, 0, err))
        return upload;
    forget(upload);
    return NULL;
}

static bool no_session(struct text id, struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND,
                     "There is no upload %.*s: it was cancelled, or nobody went on with "
                     "it for 24 hours. Start again.",
                     TEXT_ARG(text_slice(id, 0, 100)));
}

static bool is_upload_id(struct text id)
{
    return id.len == UPLOAD_ID && files_id_is_good(id);
}

static bool read_session(struct files *files, struct upload *upload, int64_t *received,
                         struct error *err)
{
    struct text id = text_of(upload->id);
    static const char ask[] =
        "SELECT file_id, display_name, mime_type, declared, received, complete "
        "FROM uploads WHERE id = ? AND touched > ?";
    struct rows *rows = store_ask(
        files->store, ask,
        STORE_VALUES(STORE_TEXT(id), STORE_INT(clock_ns() - session_life)), err);
    if (!rows)
        return false;
    bool found = store_next(rows, err);
    if (found) {
        struct text file_id = store_text(rows, 0, upload->arena);
        memcpy(upload->file_id, file_id.at, file_id.len);
        upload->display_name = store_text(rows, 1, upload->arena);
        upload->mime_type = store_text(rows, 2, upload->arena);
        upload->declared = store_int(rows, 3);
        *received = store_int(rows, 4);
        upload->complete = store_int(rows, 5) != 0;
        upload->kept = *received;
    } else if (err->code == ERROR_OK) {
        no_session(id, err);
    }
    store_done(rows);
    return found;
}

static bool load_session(struct upload *upload, struct error *err)
{
    struct files *files = upload->files;
    int64_t received = 0;
    return store_begin(files->store, err) &&
           store_end(files->store, read_session(files, upload, &received, err), err) &&
           (upload->complete || open_part(upload, received, err));
}

/* Holds what is in memory, or a new one under that id, which is to be loaded. */
static struct upload *take_id(struct files *files, struct text id, bool make, bool *busy,
                              bool *made)
{
    pthread_mutex_lock(&files->lock);
    struct upload *upload = find_upload(files, id);
    *busy = upload && upload->held;
    *made = !upload && make;
    if (*made) {
        upload = make_upload(files);
        memcpy(upload->id, id.at, id.len);
        link_in(upload);
    } else if (upload && !*busy) {
        hold(upload);
    }
    pthread_mutex_unlock(&files->lock);
    return *busy ? NULL : upload;
}

struct upload *upload_take(struct files *files, struct text id, struct error *err)
{
    bool busy = false, made = false;
    if (!is_upload_id(id)) {
        no_session(id, err);
        return NULL;
    }
    struct upload *upload = take_id(files, id, true, &busy, &made);
    if (busy)
        error_set(err, ERROR_ABORTED, "Another request writes to this upload.");
    if (!made || load_session(upload, err))
        return upload;
    forget(upload);
    return NULL;
}

/* ---- bytes ---- */

int64_t upload_received(const struct upload *upload)
{
    return upload->part ? part_len(upload->part) : upload->kept;
}

int64_t upload_declared(const struct upload *upload)
{
    return upload->declared;
}

bool upload_complete(const struct upload *upload)
{
    return upload->complete;
}

bool upload_add(struct upload *upload, struct text bytes, struct error *err)
{
    struct files *files = upload->files;
    int64_t before = upload_received(upload), len = (int64_t)bytes.len;
    if (upload->complete)
        return error_set(err, ERROR_FAILED_PRECONDITION, "The upload is complete.");
    if (upload->declared >= 0 && before + len > upload->declared)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "More bytes came than the %lld that the upload's start told.",
                         (long long)upload->declared);
    if (!upload->generated && before + len > files->options.file_limit)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The file is too long: this server takes files of at most %lld "
                         "bytes (--file-limit).",
                         (long long)files->options.file_limit);
    if (!files_claim(files, len, err))
        return false;
    bool good = part_add(upload->part, bytes, err);
    struct error ignored;
    files_claim(files, upload_received(upload) - before - len, &ignored);
    return good;
}

bool upload_keep(struct upload *upload, struct error *err)
{
    static const char count[] =
        "UPDATE uploads SET received = ?, touched = ? WHERE id = ?";
    struct store *store = upload->files->store;
    int64_t received = upload_received(upload);
    if (upload->direct || upload->complete || received == upload->kept)
        return true;
    bool good =
        part_sync(upload->part, err) && store_begin(store, err) &&
        store_end(store,
                  store_run(store, count,
                            STORE_VALUES(STORE_INT(received), STORE_INT(clock_ns()),
                                         STORE_TEXT(text_of(upload->id))),
                            NULL, err),
                  err);
    if (good)
        upload->kept = received;
    return good;
}

/* ---- ends ---- */

static bool commit_file(struct upload *upload, struct file *file, unsigned char *hash,
                        struct error *err)
{
    static const char complete[] =
        "UPDATE uploads SET complete = 1, received = ?, touched = ? WHERE id = ?";
    struct files *files = upload->files;
    if (!store_begin(files->store, err))
        return false;
    bool good = blob_keep(upload->part, hash, err) && files_insert(files, file, err);
    if (good && !upload->direct)
        good = store_run(files->store, complete,
                         STORE_VALUES(STORE_INT(file->size), STORE_INT(file->created),
                                      STORE_TEXT(text_of(upload->id))),
                         NULL, err);
    return store_end(files->store, good, err);
}

static bool make_file(struct upload *upload, struct arena *arena, struct file *file,
                      struct error *err)
{
    struct files *files = upload->files;
    unsigned char *hash = arena_alloc(arena, BLOB_HASH);
    int64_t now = clock_ns();
    *file = (struct file){
        .id = arena_text(arena, text_of(upload->file_id)),
        .display_name = arena_text(arena, upload->display_name),
        .mime_type = arena_text(arena, upload->mime_type),
        .hash = {(const char *)hash, BLOB_HASH},
        .size = upload_received(upload),
        .created = now,
        .updated = now,
        .expires = now + file_life,
        .state = FILE_ACTIVE,
        .source = upload->generated ? FILE_GENERATED : FILE_UPLOADED,
    };
    if (!part_sync(upload->part, err))
        return false;
    blobs_lock(files->blobs);
    bool good = commit_file(upload, file, hash, err);
    blobs_unlock(files->blobs);
    return good;
}

static bool give_again(struct upload *upload, struct arena *arena, struct file *file,
                       struct error *err)
{
    return files_get(upload->files, text_of(upload->file_id), arena, file, err);
}

bool upload_finish(struct upload *upload, struct arena *arena, struct file *file,
                   struct error *err)
{
    int64_t received = upload_received(upload);
    if (upload->complete)
        return give_again(upload, arena, file, err);
    if (upload->declared >= 0 && received != upload->declared)
        return error_set(err, ERROR_INVALID_ARGUMENT,
                         "The upload has %lld bytes, and its start told %lld: it cannot "
                         "be finalized.",
                         (long long)received, (long long)upload->declared);
    if (!make_file(upload, arena, file, err))
        return false;
    upload->complete = true;
    upload->kept = received;
    part_close(upload->part);
    upload->part = NULL;
    part_remove(upload->files->blobs, upload->id);
    return true;
}

/* Takes its bytes off the disk, and off what is counted; and forgets it. */
static void discard(struct upload *upload)
{
    struct error ignored;
    files_claim(upload->files, -upload_received(upload), &ignored);
    part_remove(upload->files->blobs, upload->id);
    forget(upload);
}

static bool delete_row(struct files *files, struct text id, struct error *err)
{
    static const char drop[] = "DELETE FROM uploads WHERE id = ?";
    return store_begin(files->store, err) &&
           store_end(
               files->store,
               store_run(files->store, drop, STORE_VALUES(STORE_TEXT(id)), NULL, err),
               err);
}

bool upload_cancel(struct upload *upload, struct error *err)
{
    bool complete = upload->complete;
    if (complete || upload->direct ||
        !delete_row(upload->files, text_of(upload->id), err)) {
        bool direct = upload->direct && !complete;
        upload_leave(upload);
        return direct || (complete && error_set(err, ERROR_FAILED_PRECONDITION,
                                                "The upload is complete; its file can be "
                                                "deleted."));
    }
    discard(upload);
    return true;
}

void upload_leave(struct upload *upload)
{
    if (!upload)
        return;
    if (upload->complete)
        forget(upload); /* its row knows all that may still be asked */
    else if (upload->direct)
        discard(upload);
    else
        let_go(upload);
}

/* ---- the sweep ---- */

/* The oldest session that nobody went on with, and that nobody holds now. */
static bool next_abandoned(struct files *files, struct arena *arena, struct text *id,
                           struct error *err)
{
    static const char ask[] = "SELECT id FROM uploads WHERE touched <= ? AND id > ? "
                              "ORDER BY id LIMIT 1";
    struct rows *rows = NULL;
    if (!store_begin(files->store, err))
        return false;
    struct text after = *id;
    rows = store_ask(
        files->store, ask,
        STORE_VALUES(STORE_INT(clock_ns() - session_life), STORE_TEXT(after)), err);
    bool found = rows && store_next(rows, err);
    if (found)
        *id = store_text(rows, 0, arena);
    store_done(rows);
    struct error ignored;
    return store_end(files->store, true, &ignored) && found;
}

static int64_t received_of(struct files *files, struct text id)
{
    static const char ask[] =
        "SELECT received FROM uploads WHERE id = ? AND NOT complete";
    struct error err;
    int64_t n = 0;
    if (store_begin(files->store, &err))
        store_end(
            files->store,
            store_number(files->store, ask, STORE_VALUES(STORE_TEXT(id)), 0, &n, &err),
            &err);
    return n;
}

static bool sweep_one(struct files *files, struct text id)
{
    struct error err;
    bool busy = false, made = false;
    struct upload *upload = take_id(files, id, false, &busy, &made);
    if (busy)
        return false;
    if (upload && !upload->complete)
        return upload_cancel(upload, &err);
    upload_leave(upload);
    int64_t received = received_of(files, id);
    if (!delete_row(files, id, &err))
        return false;
    part_remove(files->blobs, id.at);
    files_claim(files, -received, &err);
    return true;
}

int uploads_sweep(struct files *files)
{
    struct arena *arena = arena_open();
    struct error err;
    struct text id = TEXT("");
    int n = 0;
    while (next_abandoned(files, arena, &id, &err))
        n += sweep_one(files, id);
    arena_close(arena);
    return n;
}
