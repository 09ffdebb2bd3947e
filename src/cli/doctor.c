/* doctor.c - `pollux doctor`: runs the table of checks and says what it found. */
#include "cli/doctor.h"
#include "cli/command.h"
#include "cli/term.h"
#include "json/write.h"
#include <stdlib.h>

/* clang-format off */
static const struct option table[] = {
    {"model", 'm', OPTION_STRING, offsetof(struct doctor, model), NULL, 0, 0, "NAME",
     "the model to look for (default: the catalogue's)", NULL},
    {"models-dir", 0, OPTION_STRING, offsetof(struct doctor, models_dir), NULL, 0, 0, "DIR",
     "where models lie (default: pollux/models in XDG_CACHE_HOME or ~/.cache)", NULL},
    {"data-dir", 0, OPTION_STRING, offsetof(struct doctor, data_dir), NULL, 0, 0, "DIR",
     "where the server keeps its data (default: pollux in XDG_DATA_HOME or ~/.local/share)",
     NULL},
    {"host", 0, OPTION_STRING, offsetof(struct doctor, host), "127.0.0.1", 0, 0, "HOST",
     "where the server listens, or shall listen", NULL},
    {"port", 'p', OPTION_INT, offsetof(struct doctor, port), "8080", 0, 65535, "N",
     "its port", NULL},
    {"base-url", 'u', OPTION_STRING, offsetof(struct doctor, base_url), NULL, 0, 0, "URL",
     "a server elsewhere (default: http://HOST:PORT)", NULL},
    {"api-key", 'k', OPTION_STRING, offsetof(struct doctor, api_key), NULL, 0, 0, "KEY",
     "key to send; GEMINI_API_KEY counts, too", NULL},
    {"deep", 0, OPTION_SWITCH, offsetof(struct doctor, deep), NULL, 0, 0, NULL,
     "read the whole model and check its hash", NULL},
    {"json", 'j', OPTION_SWITCH, offsetof(struct doctor, json), NULL, 0, 0, NULL,
     "as JSON", NULL},
    {0},
};
/* clang-format on */

static const struct command command = {
    "doctor",
    "[OPTION]...",
    "Checks what Pollux needs: the machine, its folders, the model, python3 and pip for\n"
    "`pollux pull`, the server and its port. One line each: ok, warn (works, not well) "
    "or\n"
    "FAIL (does not work), and under it what mends it.\n"
    "\n"
    "Exit status: 0 nothing fails; 1 something does; 2 wrong command line.",
    table,
    "  pollux doctor\n"
    "  pollux doctor --deep\n"
    "  pollux doctor --json | jq '.checks[] | select(.status != \"ok\")'\n",
};

static const struct mark {
    const char *word, *json;
    enum ink ink;
} marks[] = {
    [LEVEL_OK] = {"ok", "ok", INK_GREEN},
    [LEVEL_WARN] = {"warn", "warn", INK_YELLOW},
    [LEVEL_FAIL] = {"FAIL", "fail", INK_RED},
};

static void print_finding(const struct check *check, const struct finding *finding)
{
    const struct mark *mark = &marks[finding->level];
    printf("%s%-4s%s  %-14s ", term_ink(stdout, mark->ink), mark->word,
           term_ink(stdout, INK_PLAIN), check->name);
    term_show(stdout, finding->what);
    putchar('\n');
    if (finding->mend.at)
        printf("%22s-> %.*s\n", "", TEXT_ARG(finding->mend));
    fflush(stdout); /* the next check may take a while */
}

static void write_finding(struct json_writer *w, const struct check *check,
                          const struct finding *finding)
{
    json_begin(w, '{');
    json_key(w, "name");
    json_text(w, text_of(check->name));
    json_key(w, "status");
    json_text(w, text_of(marks[finding->level].json));
    json_key(w, "message");
    json_text(w, finding->what);
    if (finding->mend.at) {
        json_key(w, "fix");
        json_text(w, finding->mend);
    }
    json_end(w, '}');
}

static bool print_all(struct doctor *doctor)
{
    bool good = true;
    for (const struct check *check = doctor_checks; check->name; check++) {
        struct finding finding = check->look(doctor);
        print_finding(check, &finding);
        good = good && finding.level != LEVEL_FAIL;
    }
    return good;
}

static bool write_all(struct doctor *doctor)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out, true);
    bool good = true;
    json_begin(&w, '{');
    json_key(&w, "checks");
    json_begin(&w, '[');
    for (const struct check *check = doctor_checks; check->name; check++) {
        struct finding finding = check->look(doctor);
        write_finding(&w, check, &finding);
        good = good && finding.level != LEVEL_FAIL;
    }
    json_end(&w, ']');
    json_key(&w, "ok");
    json_bool(&w, good);
    json_end(&w, '}');
    buf_char(&out, '\n');
    command_print(&out, stdout);
    return good;
}

static int examine(struct doctor *doctor)
{
    struct error err;
    doctor->catalogue = catalogue_open(&err);
    if (!doctor->catalogue)
        return command_fail(&command, CLI_FAILED, "%s", err.message);
    doctor->arena = arena_open();
    doctor->folder = models_folder(doctor->models_dir, doctor->arena);
    bool good = (doctor->json ? write_all : print_all)(doctor);
    arena_close(doctor->arena);
    catalogue_close(doctor->catalogue);
    return good ? CLI_OK : CLI_FAILED;
}

int cli_doctor(int argc, char **argv)
{
    struct doctor doctor = {0};
    const char **words = mem_alloc((size_t)argc * sizeof(*words));
    int n_words = 0, status = CLI_USAGE;
    if (command_begin(&command, argc, argv, &doctor, words, &n_words, &status)) {
        if (n_words)
            status = command_misuse(&command, "'%s' is one word too many", words[0]);
        else
            status = examine(&doctor);
    }
    free(words);
    return status;
}
