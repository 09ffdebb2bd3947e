/* tuned.c - rows of tuned models: made, read, listed, changed, deleted. */
#include "base/clock.h"
#include "base/id.h"
#include "train/spec.h"
#include "tuning/import.h"
#include "tuning/inside.h"
#include <stdlib.h>

#define COLUMNS                                                                          \
    "m.id, m.operation, m.owner, m.display_name, m.description, m.base, m.engine, "      \
    "m.source, m.state, m.created, m.updated, m.started, m.completed, m.temperature, "   \
    "m.top_p, m.top_k, m.rate, m.multiplier, m.epochs, m.batch, m.examples, m.readers, " \
    "o.total, o.completed, o.code, o.message"

/* The strongest role that a permission gives an address, and whether everyone has one. */
#define ROLES(address)                                                                   \
    ", (SELECT MIN(role) FROM tuned_permissions p WHERE p.model = m.id AND "             \
    "(p.grantee = 3 OR p.address = " address ")), "                                      \
    "(SELECT COUNT(*) FROM tuned_permissions p WHERE p.model = m.id AND p.grantee = 3)"

#define FROM " FROM tuned_models m JOIN tuned_operations o ON o.id = m.operation "

enum { OPERATION_ID = 12, SUFFIX = 5, RANDOM_ID = 11, TRIES = 20, ROLE_COLUMN = 26 };

/* ---- rows ---- */

static double number(struct rows *rows, int column, struct arena *arena)
{
    struct text text = store_text(rows, column, arena);
    return text.at ? strtod(text.at, NULL) : 0;
}

static struct text decimal(struct arena *arena, double number)
{
    return arena_printf(arena, "%.17g", number);
}

static void read_row(struct rows *rows, struct arena *arena, struct tuned *tuned)
{
    *tuned = (struct tuned){
        .id = store_text(rows, 0, arena),
        .operation = store_text(rows, 1, arena),
        .owner = store_text(rows, 2, arena),
        .display_name = store_text(rows, 3, arena),
        .description = store_text(rows, 4, arena),
        .base = store_text(rows, 5, arena),
        .engine = store_text(rows, 6, arena),
        .source = store_text(rows, 7, arena),
        .state = (int)store_int(rows, 8),
        .created = store_int(rows, 9),
        .updated = store_int(rows, 10),
        .started = store_int(rows, 11),
        .completed = store_int(rows, 12),
        .temperature = number(rows, 13, arena),
        .top_p = number(rows, 14, arena),
        .top_k = (int)store_int(rows, 15),
        .rate = number(rows, 16, arena),
        .multiplier = number(rows, 17, arena),
        .has_multiplier = store_text(rows, 17, arena).at != NULL,
        .epochs = (int)store_int(rows, 18),
        .batch = (int)store_int(rows, 19),
        .n_examples = store_int(rows, 20),
        .readers = store_text(rows, 21, arena),
        .total = store_int(rows, 22),
        .n_completed = store_int(rows, 23),
        .error_code = (int)store_int(rows, 24),
        .error = store_text(rows, 25, arena),
    };
}

/* A model without an owner was made when there were no keys: it is whoever's. */
static enum tuned_role role_of(struct rows *rows, struct text who,
                               const struct tuned *tuned)
{
    if (!who.at || tuned->owner.len == 0 || text_same(who, tuned->owner))
        return TUNED_OWNER;
    return (enum tuned_role)store_int(rows, ROLE_COLUMN);
}

static bool is_enough(enum tuned_role has, enum tuned_role needs)
{
    return has != TUNED_NOBODY && has <= needs;
}

static bool refuse(struct text id, enum tuned_role has, enum tuned_role needs,
                   struct error *err)
{
    static const char *const names[] = {"no role", "OWNER", "WRITER", "READER"};
    return error_set(err, ERROR_PERMISSION_DENIED,
                     "You do not have permission for this on tunedModels/%.*s: it takes "
                     "the role %s, and your key has %s.",
                     TEXT_ARG(id), names[needs], names[has]);
}

static bool not_found(struct text id, struct error *err)
{
    return error_set(err, ERROR_NOT_FOUND, "tunedModels/%.*s is not found.",
                     TEXT_ARG(text_slice(id, 0, 200)));
}

bool tuned_read(struct tuning *tuning, struct text who, struct text id,
                enum tuned_role needs, struct arena *arena, struct tuned *tuned,
                struct error *err)
{
    static const char ask[] = "SELECT " COLUMNS ROLES("?2") FROM "WHERE m.id = ?1";
    if (!tuned_id_is_good(id))
        return not_found(id, err);
    struct rows *rows = store_ask(
        tuning->store, ask,
        STORE_VALUES(STORE_TEXT(id), STORE_TEXT(tuned_address(who, arena))), err);
    if (!rows)
        return false;
    enum tuned_role has = TUNED_NOBODY;
    bool found = store_next(rows, err);
    if (found) {
        read_row(rows, arena, tuned);
        has = role_of(rows, who, tuned);
    }
    store_done(rows);
    if (!found)
        return err->code == ERROR_OK ? not_found(id, err) : false;
    return is_enough(has, needs) || refuse(id, has, needs, err);
}

bool tuned_get(struct tuning *tuning, struct text who, struct text id,
               enum tuned_role role, struct arena *arena, struct tuned *tuned,
               struct error *err)
{
    return store_begin(tuning->store, err) &&
           store_end(tuning->store, tuned_read(tuning, who, id, role, arena, tuned, err),
                     err);
}

/* ---- making one ---- */

static const struct {
    size_t from; /* so many examples */
    double rate;
    int batch, epochs;
} defaults[] = {
    /* The public API's own numbers; its threshold is not told. For a LoRA of rank 8 they
     * are usual, too: many examples want smaller steps, each of more of them. */
    {1000, 0.0002, 16, 5},
    {0, 0.001, 4, 5},
};

void tuned_defaults(size_t n_examples, double *rate, int *batch, int *epochs)
{
    int i = n_examples >= defaults[0].from ? 0 : 1;
    *rate = defaults[i].rate;
    *batch = defaults[i].batch;
    *epochs = defaults[i].epochs;
}

static void fill_in(struct tuned *tuned, size_t n_examples)
{
    double rate;
    int batch, epochs;
    tuned_defaults(n_examples, &rate, &batch, &epochs);
    if (tuned->has_multiplier)
        tuned->rate = rate * tuned->multiplier;
    else if (tuned->rate == 0)
        tuned->rate = rate;
    if (tuned->batch == 0)
        tuned->batch = batch;
    if (tuned->epochs == 0)
        tuned->epochs = epochs;
    tuned->n_examples = (int64_t)n_examples;
    tuned->total = train_steps(tuned->n_examples, tuned->epochs, tuned->batch);
}

/* "Sentence Translator!" -> "sentence-translator-u3b7m"; nothing to take: at random. */
static struct text made_up_id(struct text name, struct arena *arena)
{
    char id[TUNED_ID_MOST + 1], end[RANDOM_ID + 1];
    size_t n = 0;
    for (size_t i = 0; i < name.len && n < TUNED_ID_MOST - SUFFIX - 1; i++) {
        char c = name.at[i];
        c = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        bool letter = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
        if (letter || (digit && n > 0))
            id[n++] = c;
        else if (n > 0 && id[n - 1] != '-')
            id[n++] = '-';
    }
    if (n > 0 && id[n - 1] == '-')
        n--;
    id_random(end, n > 0 ? SUFFIX : RANDOM_ID);
    return arena_printf(arena, "%.*s%s%s", (int)n, id, n > 0 ? "-" : "", end);
}

static bool is_taken(struct tuning *tuning, struct text id, bool *taken,
                     struct error *err)
{
    static const char ask[] = "SELECT 1 FROM tuned_models WHERE id = ?";
    int64_t found = 0;
    bool good =
        store_number(tuning->store, ask, STORE_VALUES(STORE_TEXT(id)), 0, &found, err);
    *taken = found != 0;
    return good;
}

static bool choose_id(struct tuning *tuning, struct tuned *tuned, struct arena *arena,
                      struct error *err)
{
    bool asked = tuned->id.at != NULL, taken = true;
    for (int i = 0; i < TRIES && taken; i++) {
        if (!asked)
            tuned->id = made_up_id(tuned->display_name, arena);
        if (!is_taken(tuning, tuned->id, &taken, err))
            return false;
        if (taken && asked)
            break;
    }
    return !taken || error_set(err, ERROR_ALREADY_EXISTS,
                               "tunedModels/%.*s exists already: choose another "
                               "tunedModelId, or delete it.",
                               TEXT_ARG(tuned->id));
}

static bool insert_operation(struct tuning *tuning, const struct tuned *tuned,
                             struct error *err)
{
    static const char forget[] = "DELETE FROM tuned_operations WHERE model = ?";
    static const char insert[] =
        "INSERT INTO tuned_operations (id, model, owner, created, total, completed, "
        "ended, code) VALUES (?, ?, ?, ?, ?, 0, ?, 0)";
    bool over = tuned->state != TUNED_CREATING;
    return store_run(tuning->store, forget, STORE_VALUES(STORE_TEXT(tuned->id)), NULL,
                     err) &&
           store_run(tuning->store, insert,
                     STORE_VALUES(STORE_TEXT(tuned->operation), STORE_TEXT(tuned->id),
                                  STORE_TEXT(tuned->owner), STORE_INT(tuned->created),
                                  STORE_INT(tuned->total),
                                  STORE_INT(over ? tuned->created : 0)),
                     NULL, err);
}

static bool insert_model(struct tuning *tuning, const struct tuned *tuned,
                         struct arena *arena, struct error *err)
{
    static const char insert[] =
        "INSERT INTO tuned_models (id, operation, owner, display_name, description, "
        "base, engine, source, state, created, updated, started, completed, temperature, "
        "top_p, top_k, rate, multiplier, epochs, batch, examples, readers) VALUES "
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?10, ?10, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    struct text multiplier = {0};
    if (tuned->has_multiplier)
        multiplier = decimal(arena, tuned->multiplier);
    return store_run(
        tuning->store, insert,
        STORE_VALUES(
            STORE_TEXT(tuned->id), STORE_TEXT(tuned->operation), STORE_TEXT(tuned->owner),
            STORE_TEXT(tuned->display_name), STORE_TEXT(tuned->description),
            STORE_TEXT(tuned->base), STORE_TEXT(tuned->engine), STORE_TEXT(tuned->source),
            STORE_INT(tuned->state), STORE_INT(tuned->created), STORE_INT(tuned->started),
            STORE_INT(tuned->completed), STORE_TEXT(decimal(arena, tuned->temperature)),
            STORE_TEXT(decimal(arena, tuned->top_p)), STORE_INT(tuned->top_k),
            STORE_TEXT(decimal(arena, tuned->rate)), STORE_TEXT(multiplier),
            STORE_INT(tuned->epochs), STORE_INT(tuned->batch),
            STORE_INT(tuned->n_examples), STORE_TEXT(tuned->readers)),
        NULL, err);
}

/* The row of the folder that is there. */
static bool insert_all(struct tuning *tuning, struct text who, struct tuned *tuned,
                       struct arena *arena, struct error *err)
{
    struct tuned_permission owner;
    return choose_id(tuning, tuned, arena, err) && insert_operation(tuning, tuned, err) &&
           insert_model(tuning, tuned, arena, err) &&
           tuned_grant(tuning, tuned->id, TUNED_USER, tuned_address(who, arena),
                       TUNED_OWNER, &owner, arena, err);
}

/* The beginning of a model's row: who, when, and a folder's name. */
static void begin(struct text who, const struct tuned_wish *wish, int state,
                  struct arena *arena, struct tuned *made)
{
    char operation[OPERATION_ID + 1];
    id_random(operation, OPERATION_ID);
    *made = wish->tuned;
    made->operation = arena_text(arena, text_of(operation));
    made->owner = who.at ? who : TEXT("");
    made->created = made->updated = clock_ns();
    made->state = state;
}

/* With the folder that is there; without the row it goes. */
static bool keep(struct tuning *tuning, struct text who, struct tuned *made,
                 struct arena *arena, struct error *err)
{
    if (store_begin(tuning->store, err) &&
        store_end(tuning->store, insert_all(tuning, who, made, arena, err), err))
        return true;
    folder_remove(tuning, made->operation);
    return false;
}

bool tuned_create(struct tuning *tuning, struct text who, const struct tuned_wish *wish,
                  struct arena *arena, struct tuned *made, struct error *err)
{
    struct tuned source = {0};
    begin(who, wish, TUNED_CREATING, arena, made);
    fill_in(made, wish->n_examples);
    if (made->source.at &&
        !tuned_get(tuning, who, made->source, TUNED_READER, arena, &source, err))
        return false;
    struct text from = made->source.at ? source.operation : (struct text){0};
    return folder_make(tuning, made, wish, from, err) &&
           keep(tuning, who, made, arena, err);
}

bool tuned_import(struct tuning *tuning, struct text who, const struct tuned_wish *wish,
                  int from, const struct import_config *config, struct arena *arena,
                  struct tuned *made, struct error *err)
{
    begin(who, wish, TUNED_ACTIVE, arena, made);
    struct text folder = tuned_folder(tuning, made->operation, arena);
    const char *to = arena_printf(arena, "%.*s/adapter.gguf", TEXT_ARG(folder)).at;
    if (!folder_begin(tuning, made->operation, err))
        return false;
    if (import_adapter(from, config, tuning->options.base, to, err) &&
        folder_keep_adapter(tuning, made->operation, err))
        return keep(tuning, who, made, arena, err);
    folder_remove(tuning, made->operation);
    return false;
}

/* ---- the list ---- */

/* What a page's token must not be taken from: a list with another filter, or of another
 * caller. */
static uint32_t mark_of(struct text who, const struct tuned_filter *filter)
{
    static const struct text END = {"\xff", 1}; /* no word's: it is not UTF-8 */
    uint64_t seed = (uint64_t)filter->role * 2 + (uint64_t)filter->everyone;
    uint64_t mark = text_hash(text_hash(TEXT_HASH ^ seed, who), END);
    for (int i = 0; i < filter->n_words; i++)
        mark = text_hash(text_hash(mark, filter->words[i]), END);
    return (uint32_t)(mark ^ mark >> 32);
}

static bool has_word(struct text text, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= text.len; i++)
        if (text_is_nocase((struct text){text.at + i, len}, word))
            return true;
    return false;
}

static bool fits(const struct tuned *tuned, const struct tuned_filter *filter,
                 enum tuned_role role, bool shared)
{
    if (!is_enough(role, filter->role ? filter->role : TUNED_READER))
        return false;
    if (filter->everyone ? !shared : shared && filter->role == TUNED_NOBODY)
        return false;
    for (int i = 0; i < filter->n_words; i++)
        if (!has_word(tuned->display_name, filter->words[i].at) &&
            !has_word(tuned->description, filter->words[i].at))
            return false;
    return true;
}

static bool read_page(struct tuning *tuning, struct text who,
                      const struct tuned_filter *filter, int64_t created, struct text id,
                      int most, struct arena *arena, struct tuned *list, int *n,
                      struct error *err)
{
    static const char ask[] =
        "SELECT " COLUMNS ROLES("?3") FROM "WHERE (m.created, m.id) < (?1, ?2) "
                                           "ORDER BY m.created DESC, m.id DESC";
    struct rows *rows = store_ask(tuning->store, ask,
                                  STORE_VALUES(STORE_INT(created), STORE_TEXT(id),
                                               STORE_TEXT(tuned_address(who, arena))),
                                  err);
    *n = 0;
    if (!rows)
        return false;
    while (*n < most && store_next(rows, err)) {
        read_row(rows, arena, &list[*n]);
        bool shared = store_int(rows, ROLE_COLUMN + 1) > 0;
        *n += fits(&list[*n], filter, role_of(rows, who, &list[*n]), shared);
    }
    bool good = *n == most || err->code == ERROR_OK;
    store_done(rows);
    return good;
}

bool tuned_list(struct tuning *tuning, struct text who, const struct tuned_filter *filter,
                int page_size, struct text token, struct arena *arena,
                struct tuned **list, int *n, struct text *next, struct error *err)
{
    struct text id = {0};
    int64_t created = 0;
    int most = page_size + 1; /* the one more says that there is another page */
    uint32_t mark = mark_of(who, filter);
    *list = arena_array(arena, struct tuned, (size_t)most);
    *next = (struct text){0};
    if (!tuning_read_token(token, mark, &created, &id, err) ||
        !store_begin(tuning->store, err))
        return false;
    bool good = read_page(tuning, who, filter, created, id, most, arena, *list, n, err);
    if (!store_end(tuning->store, good, err))
        return false;
    if (*n == most) {
        const struct tuned *last = &(*list)[--*n - 1];
        *next = tuning_token(last->created, last->id, mark, arena);
    }
    return true;
}

/* ---- changing and deleting ---- */

static bool write_changes(struct tuning *tuning, struct tuned *tuned, struct arena *arena,
                          struct error *err)
{
    static const char set[] =
        "UPDATE tuned_models SET display_name = ?, description = ?, temperature = ?, "
        "top_p = ?, top_k = ?, readers = ?, updated = ? WHERE id = ?";
    tuned->updated = clock_ns();
    return store_run(tuning->store, set,
                     STORE_VALUES(STORE_TEXT(tuned->display_name),
                                  STORE_TEXT(tuned->description),
                                  STORE_TEXT(decimal(arena, tuned->temperature)),
                                  STORE_TEXT(decimal(arena, tuned->top_p)),
                                  STORE_INT(tuned->top_k), STORE_TEXT(tuned->readers),
                                  STORE_INT(tuned->updated), STORE_TEXT(tuned->id)),
                     NULL, err);
}

bool tuned_patch(struct tuning *tuning, struct text who, struct text id,
                 bool (*change)(struct tuned *tuned, void *arg, struct error *err),
                 void *arg, struct arena *arena, struct tuned *tuned, struct error *err)
{
    return store_begin(tuning->store, err) &&
           store_end(tuning->store,
                     tuned_read(tuning, who, id, TUNED_WRITER, arena, tuned, err) &&
                         change(tuned, arg, err) &&
                         write_changes(tuning, tuned, arena, err),
                     err);
}

/* An operation that has ended well goes with its model, for there is nothing that it
 * could answer; one that runs, or failed, can still be asked how it ended. */
static bool drop_operation(struct tuning *tuning, const struct tuned *tuned,
                           struct error *err)
{
    static const char drop[] = "DELETE FROM tuned_operations WHERE id = ?";
    static const char end[] =
        "UPDATE tuned_operations SET ended = ?, code = ?, message = ? "
        "WHERE id = ? AND ended = 0";
    if (tuned->state == TUNED_ACTIVE)
        return store_run(tuning->store, drop, STORE_VALUES(STORE_TEXT(tuned->operation)),
                         NULL, err);
    return store_run(tuning->store, end,
                     STORE_VALUES(STORE_INT(clock_ns()), STORE_INT(ERROR_CANCELLED),
                                  STORE_TEXT(TEXT("The tuned model was deleted while it "
                                                  "was being made.")),
                                  STORE_TEXT(tuned->operation)),
                     NULL, err);
}

static bool drop_rows(struct tuning *tuning, const struct tuned *tuned, struct error *err)
{
    static const char model[] = "DELETE FROM tuned_models WHERE id = ?";
    static const char permissions[] = "DELETE FROM tuned_permissions WHERE model = ?";
    static const char snapshots[] = "DELETE FROM tuned_snapshots WHERE operation = ?";
    return store_run(tuning->store, model, STORE_VALUES(STORE_TEXT(tuned->id)), NULL,
                     err) &&
           store_run(tuning->store, permissions, STORE_VALUES(STORE_TEXT(tuned->id)),
                     NULL, err) &&
           store_run(tuning->store, snapshots, STORE_VALUES(STORE_TEXT(tuned->operation)),
                     NULL, err) &&
           drop_operation(tuning, tuned, err);
}

/* The folder of one that is being trained goes when its trainer is gone (tuned_end). */
bool tuned_delete(struct tuning *tuning, struct text who, struct text id,
                  struct arena *arena, struct text *operation, struct error *err)
{
    struct tuned tuned = {0};
    if (!store_begin(tuning->store, err) ||
        !store_end(tuning->store,
                   tuned_read(tuning, who, id, TUNED_OWNER, arena, &tuned, err) &&
                       drop_rows(tuning, &tuned, err),
                   err))
        return false;
    adapters_forget(tuning, tuned.operation);
    if (tuned.state != TUNED_CREATING)
        folder_remove(tuning, tuned.operation);
    *operation = tuned.operation;
    return true;
}
