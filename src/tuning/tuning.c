/* tuning.c - opening, names, and what all of the room uses. */
#include "base/buf.h"
#include "base/log.h"
#include "tuning/inside.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* [a-z]([a-z0-9-]{0,38}[a-z0-9])? */
bool tuned_id_is_good(struct text id)
{
    if (id.len == 0 || id.len > TUNED_ID_MOST || id.at[id.len - 1] == '-')
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        bool letter = c >= 'a' && c <= 'z', other = (c >= '0' && c <= '9') || c == '-';
        if (!letter && !(other && i > 0))
            return false;
    }
    return true;
}

/* ---- pages ---- */

struct text tuning_token(int64_t created, struct text id, uint32_t mark,
                         struct arena *arena)
{
    return arena_printf(arena, "%lld-%08x-%.*s", (long long)created, mark, TEXT_ARG(id));
}

bool tuning_read_token(struct text token, uint32_t mark, int64_t *created,
                       struct text *id, struct error *err)
{
    struct text rest;
    struct text digits = text_cut(token, '-', &rest);
    struct text marked = text_cut(rest, '-', id);
    char wanted[16];
    snprintf(wanted, sizeof wanted, "%08x", mark);
    *created = INT64_MAX;
    if (token.len == 0) {
        *id = TEXT("");
        return true;
    }
    bool good = id->at && tuned_id_is_good(*id) && digits.len > 0 && digits.len <= 19;
    for (size_t i = 0; good && i < digits.len; i++)
        good = digits.at[i] >= '0' && digits.at[i] <= '9';
    if (!good)
        return error_at(err, "page_token",
                        "pageToken is not one that an earlier answer gave.");
    if (!text_is(marked, wanted))
        return error_at(err, "page_token",
                        "pageToken is of a list with another filter; all parameters but "
                        "pageSize must be those of the call that gave it.");
    *created = strtoll(digits.at, NULL, 10); /* ends at the dash */
    return true;
}

/* ---- opening ---- */

/* A folder without a row is of a training that was not acknowledged, or deleted. */
static bool sweep_folders(struct tuning *tuning, struct error *err)
{
    static const char ask[] = "SELECT 1 FROM tuned_models WHERE operation = ?";
    DIR *dir = opendir(tuning->folder);
    bool good = store_begin(tuning->store, err);
    int n = 0;
    for (struct dirent *entry; good && dir && (entry = readdir(dir));) { // NOLINT: ours
        struct text name = text_of(entry->d_name);
        int64_t found = 0;
        if (name.at[0] == '.')
            continue;
        good = store_number(tuning->store, ask, STORE_VALUES(STORE_TEXT(name)), 0, &found,
                            err);
        if (good && !found) {
            folder_remove(tuning, name);
            n++;
        }
    }
    if (dir)
        closedir(dir);
    if (n > 0)
        log_line(LOG_INFO, "tuned", "swept=%d", n);
    return store_end(tuning->store, good, err);
}

struct tuning *tuning_open(struct store *store, const struct tuning_options *options,
                           struct error *err)
{
    struct tuning *tuning = mem_alloc(sizeof *tuning);
    struct buf path = {0};
    tuning->store = store;
    tuning->options = *options;
    pthread_mutex_init(&tuning->lock, NULL);
    buf_printf(&path, "%s/tuned", store_folder(store));
    tuning->folder = path.at;
    if (mkdir(tuning->folder, 0700) != 0 && errno != EEXIST)
        error_set(err, ERROR_INTERNAL, "cannot make the folder %s: %s", tuning->folder,
                  strerrordesc_np(errno));
    else if (sweep_folders(tuning, err))
        return tuning;
    tuning_close(tuning);
    return NULL;
}

void tuning_close(struct tuning *tuning)
{
    if (!tuning)
        return;
    for (int i = 0; i < ADAPTERS; i++)
        engine_adapter_release(tuning->adapters[i].adapter);
    pthread_mutex_destroy(&tuning->lock);
    free(tuning->folder);
    free(tuning);
}

const struct tuning_options *tuning_options(const struct tuning *tuning)
{
    return &tuning->options;
}
