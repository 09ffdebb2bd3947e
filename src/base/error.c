/* error.c - the table of codes, and filling a struct error. */
#include "base/error.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>

#undef error_set
#undef error_at

/* clang-format off */
static const struct error_row rows[] = {
    {ERROR_OK,                   200, "OK"},
    {ERROR_CANCELLED,            499, "CANCELLED"},
    {ERROR_UNKNOWN,              500, "UNKNOWN"},
    {ERROR_INVALID_ARGUMENT,     400, "INVALID_ARGUMENT"},
    {ERROR_DEADLINE_EXCEEDED,    504, "DEADLINE_EXCEEDED"},
    {ERROR_NOT_FOUND,            404, "NOT_FOUND"},
    {ERROR_ALREADY_EXISTS,       409, "ALREADY_EXISTS"},
    {ERROR_PERMISSION_DENIED,    403, "PERMISSION_DENIED"},
    {ERROR_RESOURCE_EXHAUSTED,   429, "RESOURCE_EXHAUSTED"},
    {ERROR_FAILED_PRECONDITION,  400, "FAILED_PRECONDITION"},
    {ERROR_ABORTED,              409, "ABORTED"},
    {ERROR_OUT_OF_RANGE,         400, "OUT_OF_RANGE"},
    {ERROR_UNIMPLEMENTED,        501, "UNIMPLEMENTED"},
    {ERROR_INTERNAL,             500, "INTERNAL"},
    {ERROR_UNAVAILABLE,          503, "UNAVAILABLE"},
    {ERROR_DATA_LOSS,            500, "DATA_LOSS"},
    {ERROR_UNAUTHENTICATED,      401, "UNAUTHENTICATED"},
};
/* clang-format on */

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

const struct error_row *error_row(enum error_code code)
{
    return &rows[(unsigned)code < N_ROWS ? code : ERROR_UNKNOWN];
}

const struct error_row *error_row_named(const char *name)
{
    for (int i = 0; i < N_ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

/* snprintf cuts at a byte; a reply must be UTF-8, so the cut moves to a character. */
static void cut_at_character(char *string)
{
    struct text text = text_of(string);
    string[text.len - text_utf8_pending(text)] = '\0';
}

/* Everything is formatted before err is touched: the arguments may point into it. */
static void fill(struct error *err, enum error_code code, const char *field,
                 const char *format, va_list args)
{
    struct error made = {.code = code};
    vsnprintf(made.message, sizeof(made.message), format, args);
    snprintf(made.field, sizeof(made.field), "%s", field);
    cut_at_character(made.message);
    cut_at_character(made.field);
    *err = made;
}

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, code, "", format, args);
    va_end(args);
    return false;
}

bool error_at(struct error *err, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, ERROR_INVALID_ARGUMENT, field, format, args);
    va_end(args);
    return false;
}
