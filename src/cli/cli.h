/* cli.h - the commands of `pollux` other than serve.
 *
 * main.c looks the first word up and calls one of these with argv[0] = that word. What
 * they return is the exit status. They speak to a server only through its public API, so
 * each works against any Gemini API server; models, pull and doctor also look at this
 * machine. */
#ifndef POLLUX_CLI_CLI_H
#define POLLUX_CLI_CLI_H

#include <stdio.h>

/* Exit statuses; docs/cli.md and every --help promise them. */
enum cli_status {
    CLI_OK = 0,
    CLI_FAILED = 1,        /* the server refused, a check failed, a file cannot be read */
    CLI_USAGE = 2,         /* the command line is wrong */
    CLI_NO_SERVER = 3,     /* nobody answers at the base URL */
    CLI_CUT = 4,           /* the answer ended at its token limit */
    CLI_BLOCKED = 5,       /* the prompt or the answer was blocked */
    CLI_INTERRUPTED = 130, /* Ctrl-C, as shells count it */
};

int cli_chat(int argc, char **argv);
int cli_run(int argc, char **argv);
int cli_pull(int argc, char **argv);
int cli_tune(int argc, char **argv);
int cli_models(int argc, char **argv);
int cli_tuned(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_version(int argc, char **argv);

/* All subcommands, serve included: what `pollux --help` prints. */
void cli_usage(FILE *out);

/* What `pollux version` says about the engine: POLLUX_ENGINE, where the build defines it.
 */
extern const char *cli_engine_version;

#endif
