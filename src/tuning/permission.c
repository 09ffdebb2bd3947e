/* permission.c - who may do what with a tuned model.
 *
 * The API names people by address, and this server knows keys. So every key has an
 * address, FINGERPRINT@keys.pollux, which a permission can name; EVERYONE means every key
 * that is let in. Other addresses are kept and told, and let nobody in. */
#include "base/clock.h"
#include "base/id.h"
#include "tuning/inside.h"
#include <stdio.h>

#define COLUMNS "id, grantee, address, role, created"

enum { PERMISSION_ID = 12, MARK = 0 };

struct text tuned_address(struct text who, struct arena *arena)
{
    if (!who.at)
        return TEXT("owner@localhost");
    return arena_printf(arena, "%.*s@keys.pollux", TEXT_ARG(who));
}

static bool not_found(struct text model, struct text id, struct error *err)
{
    return error_set(
        err, ERROR_NOT_FOUND, "tunedModels/%.*s/permissions/%.*s is not found.",
        TEXT_ARG(text_slice(model, 0, 100)), TEXT_ARG(text_slice(id, 0, 100)));
}

/* ---- rows ---- */

static void read_row(struct rows *rows, struct arena *arena,
                     struct tuned_permission *permission)
{
    *permission = (struct tuned_permission){
        .id = store_text(rows, 0, arena),
        .grantee = (int)store_int(rows, 1),
        .address = store_text(rows, 2, arena),
        .role = (int)store_int(rows, 3),
        .created = store_int(rows, 4),
    };
}

static bool read_permission(struct tuning *tuning, struct text model, struct text id,
                            struct arena *arena, struct tuned_permission *permission,
                            struct error *err)
{
    static const char ask[] =
        "SELECT " COLUMNS " FROM tuned_permissions WHERE model = ? AND id = ?";
    struct rows *rows = store_ask(tuning->store, ask,
                                  STORE_VALUES(STORE_TEXT(model), STORE_TEXT(id)), err);
    if (!rows)
        return false;
    bool found = store_next(rows, err);
    if (found)
        read_row(rows, arena, permission);
    store_done(rows);
    return found || (err->code == ERROR_OK && not_found(model, id, err));
}

bool tuned_grant(struct tuning *tuning, struct text model, int grantee,
                 struct text address, int role, struct tuned_permission *made,
                 struct arena *arena, struct error *err)
{
    static const char insert[] =
        "INSERT INTO tuned_permissions (model, " COLUMNS ") VALUES (?, ?, ?, ?, ?, ?)";
    char id[PERMISSION_ID + 1];
    id_random(id, PERMISSION_ID);
    *made = (struct tuned_permission){
        .id = arena_text(arena, text_of(id)),
        .grantee = grantee,
        .role = role,
        .created = clock_ns(),
    };
    if (grantee != TUNED_EVERYONE)
        made->address = address;
    return store_run(tuning->store, insert,
                     STORE_VALUES(STORE_TEXT(model), STORE_TEXT(made->id),
                                  STORE_INT(made->grantee), STORE_TEXT(made->address),
                                  STORE_INT(made->role), STORE_INT(made->created)),
                     NULL, err);
}

/* ---- what callers ask ---- */

static bool is_new(struct tuning *tuning, struct text model,
                   const struct tuned_permission *permission, struct error *err)
{
    static const char ask[] = "SELECT 1 FROM tuned_permissions WHERE model = ? AND "
                              "grantee = ? AND address IS ?";
    int64_t found = 0;
    if (!store_number(tuning->store, ask,
                      STORE_VALUES(STORE_TEXT(model), STORE_INT(permission->grantee),
                                   STORE_TEXT(permission->address)),
                      0, &found, err))
        return false;
    return !found || error_set(err, ERROR_ALREADY_EXISTS,
                               "That grantee has a permission on tunedModels/%.*s "
                               "already; patch its role.",
                               TEXT_ARG(model));
}

static bool create(struct tuning *tuning, struct text who, struct text model,
                   struct tuned_permission *permission, struct arena *arena,
                   struct error *err)
{
    struct tuned tuned;
    return tuned_read(tuning, who, model, TUNED_WRITER, arena, &tuned, err) &&
           is_new(tuning, model, permission, err) &&
           tuned_grant(tuning, model, permission->grantee, permission->address,
                       permission->role, permission, arena, err);
}

bool tuned_permission_create(struct tuning *tuning, struct text who, struct text model,
                             struct tuned_permission *permission, struct arena *arena,
                             struct error *err)
{
    return store_begin(tuning->store, err) &&
           store_end(tuning->store, create(tuning, who, model, permission, arena, err),
                     err);
}

bool tuned_permission_get(struct tuning *tuning, struct text who, struct text model,
                          struct text id, struct arena *arena,
                          struct tuned_permission *permission, struct error *err)
{
    struct tuned tuned;
    return store_begin(tuning->store, err) &&
           store_end(tuning->store,
                     tuned_read(tuning, who, model, TUNED_READER, arena, &tuned, err) &&
                         read_permission(tuning, model, id, arena, permission, err),
                     err);
}

static bool read_page(struct tuning *tuning, struct text model, int64_t created,
                      struct text id, int most, struct arena *arena,
                      struct tuned_permission *list, int *n, struct error *err)
{
    static const char ask[] = "SELECT " COLUMNS " FROM tuned_permissions WHERE model = ? "
                              "AND (created, id) < (?, ?) ORDER BY created DESC, id DESC "
                              "LIMIT ?";
    struct rows *rows = store_ask(tuning->store, ask,
                                  STORE_VALUES(STORE_TEXT(model), STORE_INT(created),
                                               STORE_TEXT(id), STORE_INT(most)),
                                  err);
    if (!rows)
        return false;
    for (*n = 0; store_next(rows, err); ++*n)
        read_row(rows, arena, &list[*n]);
    store_done(rows);
    return err->code == ERROR_OK;
}

bool tuned_permissions(struct tuning *tuning, struct text who, struct text model,
                       int page_size, struct text token, struct arena *arena,
                       struct tuned_permission **list, int *n, struct text *next,
                       struct error *err)
{
    struct tuned tuned;
    struct text id = {0};
    int64_t created = 0;
    int most = page_size + 1;
    *list = arena_array(arena, struct tuned_permission, (size_t)most);
    *next = (struct text){0};
    if (!tuning_read_token(token, MARK, &created, &id, err) ||
        !store_begin(tuning->store, err))
        return false;
    bool good = tuned_read(tuning, who, model, TUNED_READER, arena, &tuned, err) &&
                read_page(tuning, model, created, id, most, arena, *list, n, err);
    if (!store_end(tuning->store, good, err))
        return false;
    if (*n == most) {
        const struct tuned_permission *last = &(*list)[--*n - 1];
        *next = tuning_token(last->created, last->id, MARK, arena);
    }
    return true;
}

/* An owner is made by a transfer alone, and stays one until then. */
static bool is_owners(const struct tuned_permission *permission, struct error *err)
{
    return permission->role != TUNED_OWNER ||
           error_set(err, ERROR_FAILED_PRECONDITION,
                     "This is the owner's permission: transferOwnership changes it.");
}

static bool update(struct tuning *tuning, struct text who, struct text model,
                   struct text id, int role, struct arena *arena,
                   struct tuned_permission *permission, struct error *err)
{
    static const char set[] =
        "UPDATE tuned_permissions SET role = ? WHERE model = ? AND id = ?";
    struct tuned tuned;
    if (!tuned_read(tuning, who, model, TUNED_WRITER, arena, &tuned, err) ||
        !read_permission(tuning, model, id, arena, permission, err) ||
        !is_owners(permission, err))
        return false;
    permission->role = role;
    return store_run(tuning->store, set,
                     STORE_VALUES(STORE_INT(role), STORE_TEXT(model), STORE_TEXT(id)),
                     NULL, err);
}

bool tuned_permission_update(struct tuning *tuning, struct text who, struct text model,
                             struct text id, int role, struct arena *arena,
                             struct tuned_permission *permission, struct error *err)
{
    return store_begin(tuning->store, err) &&
           store_end(tuning->store,
                     update(tuning, who, model, id, role, arena, permission, err), err);
}

static bool drop(struct tuning *tuning, struct text who, struct text model,
                 struct text id, struct arena *arena, struct error *err)
{
    static const char delete[] =
        "DELETE FROM tuned_permissions WHERE model = ? AND id = ?";
    struct tuned tuned;
    struct tuned_permission permission;
    return tuned_read(tuning, who, model, TUNED_WRITER, arena, &tuned, err) &&
           read_permission(tuning, model, id, arena, &permission, err) &&
           is_owners(&permission, err) &&
           store_run(tuning->store, delete,
                     STORE_VALUES(STORE_TEXT(model), STORE_TEXT(id)), NULL, err);
}

bool tuned_permission_delete(struct tuning *tuning, struct text who, struct text model,
                             struct text id, struct error *err)
{
    struct arena *arena = arena_open();
    bool good = store_begin(tuning->store, err) &&
                store_end(tuning->store, drop(tuning, who, model, id, arena, err), err);
    arena_close(arena);
    return good;
}

/* ---- another owner ---- */

/* The fingerprint that an address of a key has; absent: it is somebody's elsewhere. */
static struct text key_of(struct text address)
{
    static const char end[] = "@keys.pollux";
    if (!text_ends(address, end))
        return (struct text){0};
    return text_slice(address, 0, address.len - strlen(end));
}

static bool transfer(struct tuning *tuning, struct text who, struct text model,
                     struct text address, struct arena *arena, struct error *err)
{
    static const char owner[] = "UPDATE tuned_models SET owner = ? WHERE id = ?";
    static const char forget[] =
        "DELETE FROM tuned_permissions WHERE model = ? AND address = ?";
    static const char lower[] =
        "UPDATE tuned_permissions SET role = 2 WHERE model = ? AND role = 1";
    struct tuned tuned;
    struct tuned_permission made;
    struct text key = key_of(address);
    if (!tuned_read(tuning, who, model, TUNED_OWNER, arena, &tuned, err))
        return false;
    if (who.at && !key.at)
        return error_at(err, "email_address",
                        "No key of this server has that address, so nobody would own "
                        "the model. The address of a key is FINGERPRINT@keys.pollux, as "
                        "the permissions of its own models tell.");
    return store_run(tuning->store, forget,
                     STORE_VALUES(STORE_TEXT(model), STORE_TEXT(address)), NULL, err) &&
           store_run(tuning->store, lower, STORE_VALUES(STORE_TEXT(model)), NULL, err) &&
           tuned_grant(tuning, model, TUNED_USER, address, TUNED_OWNER, &made, arena,
                       err) &&
           store_run(
               tuning->store, owner,
               STORE_VALUES(STORE_TEXT(key.at ? key : tuned.owner), STORE_TEXT(model)),
               NULL, err);
}

bool tuned_transfer(struct tuning *tuning, struct text who, struct text model,
                    struct text address, struct error *err)
{
    struct arena *arena = arena_open();
    bool good =
        store_begin(tuning->store, err) &&
        store_end(tuning->store, transfer(tuning, who, model, address, arena, err), err);
    arena_close(arena);
    return good;
}
