/* query.c - what a call's query and headers ask for, beside its body. */
#include "api/api.h"
#include <stdlib.h>

enum { LONGEST_S = 24 * 60 * 60 }; /* of X-Server-Timeout */

int api_timeout_s(const struct call *call)
{
    struct text seconds = http_header(call->rq, "X-Server-Timeout");
    long n = seconds.len ? strtol(seconds.at, NULL, 10) : 0;
    return n > 0 && n <= LONGEST_S ? (int)n : 0;
}

bool api_flag(const struct call *call, const char *name, bool otherwise)
{
    struct text value = http_query(call->rq, name);
    if (!value.at)
        return otherwise;
    return value.len == 0 || text_is(value, "1") || text_is_nocase(value, "true");
}

bool api_number(const struct call *call, const char *name, int otherwise, int *number)
{
    struct text value = http_query(call->rq, name);
    int64_t n = otherwise;
    bool good = value.len == 0 || (value.len <= 9 && text_number(value, &n));
    *number = (int)n;
    return good;
}

bool api_page_size(const struct call *call, int otherwise, int most, int *size,
                   struct error *err)
{
    if (!api_number(call, "pageSize", 0, size))
        return error_at(err, "page_size",
                        "pageSize must be a whole number from 0 to %d; 0 means %d.", most,
                        otherwise);
    *size = *size == 0 ? otherwise : *size > most ? most : *size;
    return true;
}
