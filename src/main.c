/* main.c - `pollux COMMAND`: looks the first word up and calls what it names. */
#include "base/option.h"
#include "cli/cli.h"
#include "index_command.h"
#include "serve.h"
#include "train/job.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    cli_usage(stdout);
    return CLI_OK;
}

/* Settings that libraries read from the environment before main runs, so what
 * computes starts itself anew, once. What the owner has set wins.
 *
 * libgomp's threads spin at every barrier, by default for about a millisecond; with
 * another busy process on the machine that makes the model 15 to 30 times slower. And
 * when there are more of them than cores, as with a model and one for embeddings, they
 * hardly spin at all and sleep at each barrier: after the first embedding a model wrote
 * 27 tokens a second that wrote 40 before. "Active" makes that 1000 rounds instead of
 * 100; it would be ages without a count, but the count says how long.
 * Large blocks of memory in huge pages made a decode step of one row 4 % faster, of eight
 * 3 %, of four not at all: repacked weights and KV rows are read once a token. */
static void settle_environment(char **argv)
{
    char path[PATH_MAX];
    if (option_env("GOMP_SPINCOUNT") || option_env("OMP_WAIT_POLICY"))
        return;
    /* No other thread runs yet: NOLINTBEGIN(concurrency-mt-unsafe) */
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0 || setenv("GOMP_SPINCOUNT", "10000", 1) != 0)
        return;
    setenv("OMP_WAIT_POLICY", "active", 1);
    setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 0);
    /* NOLINTEND(concurrency-mt-unsafe) */
    path[n] = '\0';
    execv(path, argv); /* returns only when it cannot: then we run as we are */
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
    {"tune", cli_tune},
    {"tuned", cli_tuned},
    {"train-job", train_job}, /* started by tune and serve, not by people */
    {"index", index_command},
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
    if (strcmp(argv[1], "serve") == 0 || strcmp(argv[1], "train-job") == 0)
        settle_environment(argv);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "pollux: '%s' is not a command. Try `pollux --help`.\n", argv[1]);
    return CLI_USAGE;
}
