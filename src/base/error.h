/* error.h - what went wrong, in words that a caller of the API can act on.
 *
 * A function that can fail returns false or NULL and fills the caller's struct error. The
 * codes are google.rpc's (the numbers are on the wire); the table gives each its name and
 * HTTP status. Only api/reply.c turns an error into a reply. */
#ifndef POLLUX_BASE_ERROR_H
#define POLLUX_BASE_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_OK = 0,
    ERROR_CANCELLED = 1,
    ERROR_UNKNOWN = 2,
    ERROR_INVALID_ARGUMENT = 3,
    ERROR_DEADLINE_EXCEEDED = 4,
    ERROR_NOT_FOUND = 5,
    ERROR_ALREADY_EXISTS = 6,
    ERROR_PERMISSION_DENIED = 7,
    ERROR_RESOURCE_EXHAUSTED = 8,
    ERROR_FAILED_PRECONDITION = 9,
    ERROR_ABORTED = 10,
    ERROR_OUT_OF_RANGE = 11,
    ERROR_UNIMPLEMENTED = 12,
    ERROR_INTERNAL = 13,
    ERROR_UNAVAILABLE = 14,
    ERROR_DATA_LOSS = 15,
    ERROR_UNAUTHENTICATED = 16,
};

struct error {
    enum error_code code;
    char message[600];
    char field[300];    /* path of the request's field at fault, "" when none */
    const char *reason; /* google.rpc.ErrorInfo: API_KEY_INVALID; or NULL */
    int retry_ms;       /* > 0: worth trying again then (google.rpc.RetryInfo) */
    int http_status;    /* 0: the table's; set where HTTP knows better (405) */
};

struct error_row {
    enum error_code code;
    int http_status;  /* 400 */
    const char *name; /* "INVALID_ARGUMENT" */
};

/* The row of a code; an unknown code gives the row of ERROR_UNKNOWN. */
const struct error_row *error_row(enum error_code code);
const struct error_row *error_row_named(const char *name); /* NULL when there is none */

/* Both return false, so that a check is one statement:
 *     if (asked > room)
 *         return error_set(err, ERROR_INVALID_ARGUMENT, "...", asked, room);
 * They overwrite whatever err held. A message too long is cut at a character. */
bool error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool error_at(struct error *err, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* INVALID_ARGUMENT at a field */

#ifdef __clang_analyzer__ /* it sees one file at a time: not that they return false */
#define error_set(...) (error_set(__VA_ARGS__), false)
#define error_at(...) (error_at(__VA_ARGS__), false)
#endif

#endif
