/* store.c - one connection to SQLite, its transactions and its migrations.
 *
 * The database has one connection with a lock round each transaction: the writes of a
 * server of one machine are few, and a second connection could only wait for the same
 * disk. Readers wait for a commit at most.
 *
 * A statement is compiled when it is first run and kept, by the address of its text. */
#include "store/store.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { STATEMENTS = 256, BUSY_MS = 10000 };

struct rows {
    struct store *store;
    const char *sql;
    sqlite3_stmt *stmt;
    bool busy;
};

struct store {
    sqlite3 *db;
    int lock_fd;
    char *folder;
    pthread_mutex_t lock;
    bool open; /* between begin and end */
    struct rows statements[STATEMENTS];
    int n_statements;
};

/* ---- migrations ---- */

/* The i-th makes version i + 1 of what is version i. What was released is never changed:
 * a later one alters it. */
/* clang-format off */
static const char *const migrations[] = {
    /* 1: files, and uploads that are not complete yet. Times in ns since 1970. A blob's
     * refs are the rows that name it; with the last one its bytes go (store/blob.h). */
    "CREATE TABLE blobs ("
    "  hash BLOB PRIMARY KEY, size INTEGER NOT NULL, refs INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE TABLE files ("
    "  id TEXT PRIMARY KEY, display_name TEXT, mime_type TEXT NOT NULL,"
    "  hash BLOB NOT NULL REFERENCES blobs (hash), size INTEGER NOT NULL,"
    "  created INTEGER NOT NULL, updated INTEGER NOT NULL, expires INTEGER NOT NULL,"
    "  state INTEGER NOT NULL, source INTEGER NOT NULL, error TEXT"
    ") WITHOUT ROWID;"
    "CREATE INDEX files_by_creation ON files (created, id);"
    "CREATE INDEX files_by_expiry ON files (expires);"
    "CREATE TABLE uploads ("
    "  id TEXT PRIMARY KEY, file_id TEXT NOT NULL, display_name TEXT, mime_type TEXT,"
    "  declared INTEGER NOT NULL, received INTEGER NOT NULL, complete INTEGER NOT NULL,"
    "  touched INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE INDEX uploads_by_file ON uploads (file_id);"
    "CREATE INDEX uploads_by_touch ON uploads (touched);",
    /* 2: cached contents, and the KV rows of their prompts. `body` is api/'s. Rows are of
     * use only to an engine with their key (engine/rows_key.h). */
    "CREATE TABLE caches ("
    "  id TEXT PRIMARY KEY, model TEXT NOT NULL, display_name TEXT, body BLOB NOT NULL,"
    "  n_tokens INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,"
    "  expires INTEGER NOT NULL, used INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE INDEX caches_by_creation ON caches (created, id);"
    "CREATE INDEX caches_by_expiry ON caches (expires);"
    "CREATE TABLE cache_rows ("
    "  cache_id TEXT NOT NULL REFERENCES caches (id), form INTEGER NOT NULL,"
    "  key TEXT NOT NULL, tokens BLOB NOT NULL,"
    "  hash BLOB NOT NULL REFERENCES blobs (hash), size INTEGER NOT NULL,"
    "  PRIMARY KEY (cache_id, form)"
    ") WITHOUT ROWID;",
    /* 3: batches, and the answers to their lines (batches/batches.h has the states). The
     * input is a blob of lines that the batch counts a reference of until it has ended. */
    "CREATE TABLE batches ("
    "  id TEXT PRIMARY KEY, kind INTEGER NOT NULL, model TEXT NOT NULL, display_name TEXT,"
    "  priority INTEGER NOT NULL, input BLOB REFERENCES blobs (hash), input_file TEXT,"
    "  n_lines INTEGER NOT NULL, n_good INTEGER NOT NULL, n_bad INTEGER NOT NULL,"
    "  bytes INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,"
    "  ended INTEGER NOT NULL, state INTEGER NOT NULL, ending INTEGER NOT NULL,"
    "  output_file TEXT, error TEXT"
    ") WITHOUT ROWID;"
    "CREATE INDEX batches_by_creation ON batches (created, id);"
    "CREATE INDEX batches_open ON batches (kind, priority DESC, created, id)"
    "  WHERE ended = 0;"
    "CREATE INDEX batches_by_end ON batches (ended) WHERE ended > 0;"
    "CREATE TABLE batch_answers ("
    "  batch TEXT NOT NULL, line INTEGER NOT NULL, json TEXT NOT NULL,"
    "  PRIMARY KEY (batch, line)"
    ");",
    /* 4: interactions, and the logs of their events in pieces. Status 1: in progress. */
    "CREATE TABLE interactions ("
    "  id TEXT PRIMARY KEY, previous TEXT, status INTEGER NOT NULL,"
    "  background INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,"
    "  expires INTEGER NOT NULL, request TEXT NOT NULL, input TEXT NOT NULL,"
    "  steps TEXT NOT NULL, outcome TEXT NOT NULL"
    ");"
    "CREATE INDEX interactions_by_expiry ON interactions (expires);"
    "CREATE INDEX interactions_in_progress ON interactions (created) WHERE status = 1;"
    "CREATE TABLE interaction_events ("
    "  interaction TEXT NOT NULL REFERENCES interactions (id) ON DELETE CASCADE,"
    "  first INTEGER NOT NULL, last INTEGER NOT NULL, log TEXT NOT NULL,"
    "  PRIMARY KEY (interaction, first)"
    ") WITHOUT ROWID;"
    "CREATE TABLE interaction_hooks ("
    "  id TEXT PRIMARY KEY,"
    "  interaction TEXT NOT NULL REFERENCES interactions (id) ON DELETE CASCADE,"
    "  uri TEXT NOT NULL, body TEXT NOT NULL, tries INTEGER NOT NULL, due INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE INDEX interaction_hooks_by_due ON interaction_hooks (due);"
    "CREATE INDEX interaction_hooks_by_interaction ON interaction_hooks (interaction);",
    /* 5: tuned models. An operation, which is one training, outlives a model that is deleted.
     * Losses, rates and settings are decimal text. */
    [5 - 1] =
    "CREATE TABLE tuned_operations ("
    "  id TEXT PRIMARY KEY, model TEXT NOT NULL, owner TEXT NOT NULL,"
    "  created INTEGER NOT NULL, total INTEGER NOT NULL, completed INTEGER NOT NULL,"
    "  ended INTEGER NOT NULL, code INTEGER NOT NULL, message TEXT"
    ") WITHOUT ROWID;"
    "CREATE INDEX tuned_operations_by_model ON tuned_operations (model, created);"
    "CREATE TABLE tuned_models ("
    "  id TEXT PRIMARY KEY, operation TEXT NOT NULL REFERENCES tuned_operations (id),"
    "  owner TEXT NOT NULL, display_name TEXT, description TEXT,"
    "  base TEXT NOT NULL, engine TEXT NOT NULL, source TEXT, state INTEGER NOT NULL,"
    "  created INTEGER NOT NULL, updated INTEGER NOT NULL,"
    "  started INTEGER NOT NULL, completed INTEGER NOT NULL,"
    "  temperature TEXT NOT NULL, top_p TEXT NOT NULL, top_k INTEGER NOT NULL,"
    "  rate TEXT NOT NULL, multiplier TEXT, epochs INTEGER NOT NULL, batch INTEGER NOT NULL,"
    "  examples INTEGER NOT NULL, readers TEXT"
    ") WITHOUT ROWID;"
    "CREATE INDEX tuned_models_by_creation ON tuned_models (created, id);"
    "CREATE TABLE tuned_snapshots ("
    "  operation TEXT NOT NULL, step INTEGER NOT NULL, epoch INTEGER NOT NULL,"
    "  loss TEXT NOT NULL, computed INTEGER NOT NULL,"
    "  PRIMARY KEY (operation, step)"
    ") WITHOUT ROWID;"
    "CREATE TABLE tuned_permissions ("
    "  model TEXT NOT NULL, id TEXT NOT NULL, grantee INTEGER NOT NULL, address TEXT,"
    "  role INTEGER NOT NULL, created INTEGER NOT NULL,"
    "  PRIMARY KEY (model, id)"
    ") WITHOUT ROWID;",
    /* 6: what can be searched (index/). A document shares its blob
     * with the file it came from. Passages are numbered once and for all; FTS5 keeps their
     * words only, and reads texts and titles through the view. */
    "CREATE TABLE search_stores ("
    "  id TEXT PRIMARY KEY, display_name TEXT, created INTEGER NOT NULL,"
    "  updated INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE INDEX search_stores_by_creation ON search_stores (created, id);"
    "CREATE TABLE search_documents ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  store TEXT NOT NULL REFERENCES search_stores (id), id TEXT NOT NULL,"
    "  display_name TEXT, mime_type TEXT NOT NULL, uri TEXT,"
    "  hash BLOB NOT NULL REFERENCES blobs (hash), metadata TEXT, size INTEGER NOT NULL,"
    "  created INTEGER NOT NULL, updated INTEGER NOT NULL, n_passages INTEGER NOT NULL,"
    "  state INTEGER NOT NULL, error TEXT, words INTEGER NOT NULL,"
    "  overlap INTEGER NOT NULL, model TEXT, first INTEGER, n_dims INTEGER,"
    "  UNIQUE (store, id)"
    ");"
    "CREATE INDEX search_documents_by_creation ON search_documents (store, created, id);"
    "CREATE INDEX search_documents_by_state ON search_documents (state, number);"
    "CREATE INDEX search_documents_by_hash ON search_documents (hash);"
    "CREATE TABLE search_passages ("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  document INTEGER NOT NULL REFERENCES search_documents (number),"
    "  text TEXT NOT NULL, vector BLOB NOT NULL"
    ");"
    "CREATE INDEX search_passages_by_document ON search_passages (document);"
    "CREATE VIEW search_texts AS"
    "  SELECT p.number AS number, p.document AS document, d.display_name AS title,"
    "    p.text AS text"
    "  FROM search_passages p JOIN search_documents d ON d.number = p.document;"
    "CREATE VIRTUAL TABLE search_words USING fts5 ("
    "  title, text, content = 'search_texts', content_rowid = 'number',"
    "  tokenize = 'porter unicode61 remove_diacritics 2');"
    "CREATE TABLE search_uploads ("
    "  upload TEXT PRIMARY KEY, store TEXT NOT NULL REFERENCES search_stores (id),"
    "  display_name TEXT, mime_type TEXT, uri TEXT, metadata TEXT,"
    "  words INTEGER NOT NULL, overlap INTEGER NOT NULL, document TEXT"
    ") WITHOUT ROWID;",
    /* 7: batches tell of their ends, too; `webhook` is api/'s. */
    "CREATE TABLE hooks ("
    "  id TEXT PRIMARY KEY, owner TEXT NOT NULL, uri TEXT NOT NULL, body TEXT NOT NULL,"
    "  tries INTEGER NOT NULL, due INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE INDEX hooks_by_due ON hooks (due);"
    "CREATE INDEX hooks_by_owner ON hooks (owner);"
    "INSERT INTO hooks SELECT id, interaction, uri, body, tries, due FROM interaction_hooks;"
    "DROP TABLE interaction_hooks;"
    "CREATE TRIGGER hooks_of_interactions AFTER DELETE ON interactions BEGIN"
    "  DELETE FROM hooks WHERE owner = OLD.id; END;"
    "ALTER TABLE batches ADD COLUMN webhook TEXT;"
    "CREATE TRIGGER hooks_of_batches AFTER DELETE ON batches BEGIN"
    "  DELETE FROM hooks WHERE owner = OLD.id; END;",
};
/* clang-format on */

enum { VERSION = sizeof migrations / sizeof migrations[0] };

/* ---- errors ---- */

static bool set_failure(struct store *store, struct error *err)
{
    int code = sqlite3_extended_errcode(store->db);
    if ((code & 0xff) == SQLITE_FULL)
        return error_set(err, ERROR_RESOURCE_EXHAUSTED,
                         "The server's disk is full: nothing more can be kept.");
    return error_set(err, ERROR_INTERNAL, "The server's database failed: %s.",
                     sqlite3_errmsg(store->db));
}

static bool execute(struct store *store, const char *sql, struct error *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           set_failure(store, err);
}

/* ---- statements ---- */

/* NULL: it is not SQL, or something that it needs is missing. */
static struct rows *find_statement(struct store *store, const char *sql)
{
    for (int i = 0; i < store->n_statements; i++)
        if (store->statements[i].sql == sql)
            return &store->statements[i];
    assert(store->n_statements < STATEMENTS);
    struct rows *rows = &store->statements[store->n_statements];
    *rows = (struct rows){.store = store, .sql = sql};
    if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &rows->stmt,
                           NULL) != SQLITE_OK)
        return NULL;
    store->n_statements++;
    return rows;
}

static void bind(sqlite3_stmt *stmt, int i, const struct store_value *value)
{
    int len = (int)value->text.len;
    if (value->kind == STORE_IS_INT)
        sqlite3_bind_int64(stmt, i, value->number);
    else if (value->kind == STORE_NULL || !value->text.at)
        sqlite3_bind_null(stmt, i);
    else if (value->kind == STORE_IS_TEXT)
        sqlite3_bind_text(stmt, i, value->text.at, len, SQLITE_TRANSIENT);
    else
        sqlite3_bind_blob(stmt, i, value->text.at, len, SQLITE_TRANSIENT);
}

struct rows *store_ask(struct store *store, const char *sql,
                       const struct store_value *values, size_t n, struct error *err)
{
    assert(store->open);
    struct rows *rows = find_statement(store, sql);
    if (!rows) {
        set_failure(store, err);
        return NULL;
    }
    assert(!rows->busy && n == (size_t)sqlite3_bind_parameter_count(rows->stmt));
    rows->busy = true;
    for (size_t i = 0; i < n; i++)
        bind(rows->stmt, (int)i + 1, &values[i]);
    return rows;
}

bool store_next(struct rows *rows, struct error *err)
{
    int code = sqlite3_step(rows->stmt);
    err->code = ERROR_OK;
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        set_failure(rows->store, err);
    return false;
}

void store_done(struct rows *rows)
{
    if (!rows)
        return;
    sqlite3_reset(rows->stmt);
    sqlite3_clear_bindings(rows->stmt);
    rows->busy = false;
}

int64_t store_int(struct rows *rows, int column)
{
    return sqlite3_column_int64(rows->stmt, column);
}

struct text store_text(struct rows *rows, int column, struct arena *arena)
{
    const char *at = sqlite3_column_blob(rows->stmt, column);
    int len = sqlite3_column_bytes(rows->stmt, column);
    if (sqlite3_column_type(rows->stmt, column) == SQLITE_NULL)
        return (struct text){0};
    return arena_text(arena, (struct text){at ? at : "", (size_t)len});
}

bool store_run(struct store *store, const char *sql, const struct store_value *values,
               size_t n, int *n_changed, struct error *err)
{
    struct rows *rows = store_ask(store, sql, values, n, err);
    if (!rows)
        return false;
    bool good = !store_next(rows, err) && err->code == ERROR_OK;
    if (n_changed)
        *n_changed = sqlite3_changes(store->db);
    store_done(rows);
    return good;
}

bool store_number(struct store *store, const char *sql, const struct store_value *values,
                  size_t n, int64_t otherwise, int64_t *number, struct error *err)
{
    struct rows *rows = store_ask(store, sql, values, n, err);
    if (!rows)
        return false;
    *number = store_next(rows, err) ? store_int(rows, 0) : otherwise;
    store_done(rows);
    return err->code == ERROR_OK;
}

/* ---- transactions ---- */

bool store_begin(struct store *store, struct error *err)
{
    pthread_mutex_lock(&store->lock);
    store->open = execute(store, "BEGIN IMMEDIATE", err);
    if (!store->open)
        pthread_mutex_unlock(&store->lock);
    return store->open;
}

bool store_end(struct store *store, bool good, struct error *err)
{
    assert(store->open);
    if (good)
        good = execute(store, "COMMIT", err);
    if (!good && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    store->open = false;
    pthread_mutex_unlock(&store->lock);
    return good;
}

/* ---- opening ---- */

static bool read_version(struct store *store, int *version, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &stmt, NULL) !=
            SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        sqlite3_finalize(stmt);
        return set_failure(store, err);
    }
    *version = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return true;
}

static bool migrate(struct store *store, struct error *err)
{
    int version = 0;
    if (!read_version(store, &version, err))
        return false;
    if (version > VERSION)
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "the database in %s is of a newer Pollux (version %d; this one "
                         "knows %d)",
                         store->folder, version, VERSION);
    for (; version < VERSION; version++) {
        char set[64];
        sqlite3_snprintf(sizeof set, set, "PRAGMA user_version = %d", version + 1);
        if (!store_begin(store, err))
            return false;
        bool good = execute(store, migrations[version], err) && execute(store, set, err);
        if (!store_end(store, good, err))
            return false;
    }
    return true;
}

/* The kernel lets go of it with the process, however that ends. */
static bool lock_folder(struct store *store, struct error *err)
{
    char *path = sqlite3_mprintf("%s/lock", store->folder);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    sqlite3_free(path);
    if (store->lock_fd < 0)
        return error_set(err, ERROR_INTERNAL, "cannot write to the data folder %s: %s",
                         store->folder, strerrordesc_np(errno));
    return flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0 ||
           error_set(err, ERROR_FAILED_PRECONDITION,
                     "another Pollux is using the data folder %s: stop it, or give this "
                     "one a folder of its own with --data-dir",
                     store->folder);
}

static bool open_database(struct store *store, struct error *err)
{
    char *path = sqlite3_mprintf("%s/pollux.db", store->folder);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path, &store->db, flags, NULL);
    sqlite3_free(path);
    if (code != SQLITE_OK)
        return set_failure(store, err);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, BUSY_MS); /* somebody looks at it with sqlite3 */
    return execute(store,
                   "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                   "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                   "PRAGMA secure_delete = ON;", /* what is deleted is overwritten */
                   err) &&
           migrate(store, err);
}

struct store *store_open(const char *folder, struct error *err)
{
    struct store *store = mem_alloc(sizeof *store);
    *store = (struct store){.lock_fd = -1};
    store->folder = mem_alloc(strlen(folder) + 1);
    memcpy(store->folder, folder, strlen(folder) + 1);
    pthread_mutex_init(&store->lock, NULL);
    if (lock_folder(store, err) && open_database(store, err))
        return store;
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (int i = 0; i < store->n_statements; i++)
        sqlite3_finalize(store->statements[i].stmt);
    sqlite3_close(store->db);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    pthread_mutex_destroy(&store->lock);
    free(store->folder);
    free(store);
}

const char *store_folder(const struct store *store)
{
    return store->folder;
}
