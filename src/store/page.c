#include "store/page.h"

enum { ID_MOST = 64, DIGITS_MOST = 19 };

static bool is_id(struct text id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.at[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return id.len > 0 && id.len <= ID_MOST;
}

bool page_read(struct text token, int64_t before_all, int64_t *created, struct text *id,
               struct error *err)
{
    struct text digits = text_cut(token, '-', id);
    *created = before_all;
    if (token.len == 0) {
        *id = TEXT("");
        return true;
    }
    uint64_t number = 0; /* 19 digits fit */
    bool good = id->at && is_id(*id) && digits.len > 0 && digits.len <= DIGITS_MOST;
    for (size_t i = 0; good && i < digits.len; i++) {
        good = digits.at[i] >= '0' && digits.at[i] <= '9';
        number = number * 10 + (uint64_t)(digits.at[i] - '0');
    }
    good = good && number <= INT64_MAX;
    *created = good ? (int64_t)number : 0;
    return good || error_at(err, "page_token",
                            "pageToken is not one that an earlier answer gave.");
}

struct text page_token(int64_t created, struct text id, struct arena *arena)
{
    return arena_printf(arena, "%lld-%.*s", (long long)created, TEXT_ARG(id));
}
