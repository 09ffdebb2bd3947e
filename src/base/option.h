/* option.h - a table of settings: flag, variable, default, range, help.
 *
 * One row is one setting; the command line (GNU style: --name value, --name=value, -n
 * value, bundled switches, --), the environment (POLLUX_NAME; the command line wins) and
 * --help all read the same table. Values are checked against the range, and the error
 * says what was given and what is allowed. */
#ifndef POLLUX_BASE_OPTION_H
#define POLLUX_BASE_OPTION_H

#include "base/buf.h"
#include "base/error.h"
#include <stdint.h>

enum option_kind {
    OPTION_SWITCH, /* bool: --json, --no-json */
    OPTION_INT,    /* int64_t in [least, most] */
    OPTION_NUMBER, /* double in [least, most] */
    OPTION_STRING, /* const char * */
    OPTION_CHOICE, /* int: index of the value in `choices` */
    OPTION_LIST,   /* struct option_list: repeatable; commas split the variable's value */
};

struct option_list {
    const char **at;
    int n;
};

struct option {
    const char *name; /* "api-key"; its variable is POLLUX_API_KEY */
    char letter;      /* 0: none */
    enum option_kind kind;
    size_t offset;        /* of the value in the struct that is filled */
    const char *fallback; /* default, as it would be typed; NULL: left as it is */
    double least, most;   /* for INT and NUMBER; both 0: any */
    const char *value;    /* the value's name in help: "N", "FILE" */
    const char *help;
    const char *choices; /* "text json" */
};

/* Fills `into` from defaults, environment and argv[1..]. Options end at "--"; other words
 * are left in argv order in words/n_words (which point into argv; room for argc). */
bool option_read(const struct option *table, int argc, char **argv, void *into,
                 const char **words, int *n_words, struct error *err);

/* Frees the lists that option_read made; strings of `into` belong to argv, the
 * environment and the table. */
void option_free(const struct option *table, void *into);

/* An environment variable's value; NULL when it is unset or empty. Not getenv(), whose
 * static memory is not for threads; nobody here changes the environment once there are
 * any. */
const char *option_env(const char *name);

/* One aligned paragraph per row, as --help prints it: names, variable, default, range. */
void option_help(const struct option *table, struct buf *out);

#endif
