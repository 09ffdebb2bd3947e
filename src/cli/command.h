/* command.h - what every command of the client begins and ends with.
 *
 * A command is a struct command: its words for --help, and its table of options. Nothing
 * here knows what a command does. */
#ifndef POLLUX_CLI_COMMAND_H
#define POLLUX_CLI_COMMAND_H

#include "base/option.h"
#include "cli/cli.h"

struct command {
    const char *name;           /* "run" */
    const char *synopsis;       /* "[OPTION]... [PROMPT]..." */
    const char *about;          /* paragraphs, broken by hand */
    const struct option *table; /* its options */
    const char *examples;       /* lines that may be pasted into a shell */
};

/* Reads the command line into `into`. False: the command is over and *status says how;
 * help or the error was printed. `words` needs room for argc. */
bool command_begin(const struct command *command, int argc, char **argv, void *into,
                   const char **words, int *n_words, int *status);

/* "pollux run: message" on stderr. Both return the status, so that `return` is one line.
 */
int command_fail(const struct command *command, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int command_misuse(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* CLI_USAGE, and where help is */

/* Prints and forgets. */
void command_print(struct buf *buf, FILE *out);

/* DIR/pollux, where DIR is the variable's (XDG_STATE_HOME) or HOME and `under_home`
 * (".local/state"). False when neither is set. */
bool command_folder(const char *variable, const char *under_home, struct buf *path);
bool command_make_folder(const char *path); /* with its parents, for this user only */

/* Appends all that can be read, at most `most` bytes. */
bool command_read(FILE *from, size_t most, struct buf *out, struct error *err);

/* The rows that commands share; `type` has the members `base_url` and `api_key`. */
/* clang-format off */
#define COMMAND_SERVER_OPTIONS(type)                                                    \
    {"base-url", 'u', OPTION_STRING, offsetof(type, base_url), COMMAND_BASE_URL, 0, 0,  \
     "URL", "the server to talk to", NULL},                                             \
    {"api-key", 'k', OPTION_STRING, offsetof(type, api_key), NULL, 0, 0,                \
     "KEY", "key to send; GEMINI_API_KEY counts, too", NULL}
/* clang-format on */

#define COMMAND_BASE_URL "http://127.0.0.1:8080"

#endif
