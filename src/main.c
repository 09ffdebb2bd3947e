/* main.c - `pollux COMMAND`: looks the first word up and calls what it names. */
#include "cli/cli.h"
#include "serve.h"
#include <string.h>

static int help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    cli_usage(stdout);
    return CLI_OK;
}

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", serve},
    {"chat", cli_chat},
    {"run", cli_run},
    {"models", cli_models},
    {"pull", cli_pull},
    {"doctor", cli_doctor},
    {"version", cli_version},
    {"--version", cli_version},
    {"help", help},
    {"--help", help},
    {"-h", help},
};

int main(int argc, char **argv)
{
    if (argc < 2) {
        cli_usage(stderr);
        return CLI_USAGE;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "pollux: '%s' is not a command. Try `pollux --help`.\n", argv[1]);
    return CLI_USAGE;
}
