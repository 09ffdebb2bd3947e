/* version.c - `pollux version`: what was built, with what. */
#include "base/arena.h"
#include "cli/command.h"
#include "json/write.h"
#include <curl/curl.h>
#include <sqlite3.h>
#include <stdlib.h>

#ifndef POLLUX_ENGINE /* the Makefile knows which one it links */
#define POLLUX_ENGINE ""
#endif
const char *cli_engine_version = POLLUX_ENGINE;

struct version {
    bool json;
};

static const struct option table[] = {
    {"json", 'j', OPTION_SWITCH, offsetof(struct version, json), NULL, 0, 0, NULL,
     "as JSON", NULL},
    {0},
};

static const struct command command = {
    "version",
    "[OPTION]...",
    "Prints the versions of Pollux, its engine and the compiler, and what was built in.",
    table,
    "  pollux version\n"
    "  pollux version --json | jq -r .version\n",
};

/* What the compiler was told; the engine says itself what it was built for. */
static const char *const features[] = {
#if defined(__x86_64__)
    "x86-64",
#elif defined(__aarch64__)
    "aarch64",
#endif
#if defined(__AVX2__)
    "avx2",
#endif
#if defined(__SANITIZE_ADDRESS__)
    "address-sanitizer",
#endif
#if defined(__SANITIZE_THREAD__)
    "thread-sanitizer",
#endif
#if defined(NDEBUG)
    "no-assertions",
#else
    "assertions",
#endif
    NULL,
};

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static void print_words(void)
{
    printf("pollux %s\n", POLLUX_VERSION);
    if (*cli_engine_version)
        printf("engine    %s\n", cli_engine_version);
    printf("compiler  %s\n", COMPILER);
    printf("features ");
    for (int i = 0; features[i]; i++)
        printf(" %s", features[i]);
    printf("\nlibcurl   %s\n", curl_version_info(CURLVERSION_NOW)->version);
    printf("sqlite    %s\n", sqlite3_libversion());
}

static void print_json(void)
{
    struct buf out = {0};
    struct json_writer w = json_writer(&out, true);
    const struct {
        const char *key, *value;
    } rows[] = {
        {"version", POLLUX_VERSION},
        {"engine", cli_engine_version},
        {"compiler", COMPILER},
        {"libcurl", curl_version_info(CURLVERSION_NOW)->version},
        {"sqlite", sqlite3_libversion()},
    };
    json_begin(&w, '{');
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_key(&w, rows[i].key);
        json_text(&w, text_of(rows[i].value));
    }
    json_key(&w, "features");
    json_begin(&w, '[');
    for (int i = 0; features[i]; i++)
        json_text(&w, text_of(features[i]));
    json_end(&w, ']');
    json_end(&w, '}');
    buf_char(&out, '\n');
    command_print(&out, stdout);
}

int cli_version(int argc, char **argv)
{
    struct version version = {0};
    const char **words = mem_alloc((size_t)argc * sizeof(*words));
    int n_words = 0, status = CLI_OK;
    if (command_begin(&command, argc, argv, &version, words, &n_words, &status))
        (version.json ? print_json : print_words)();
    free(words);
    return status;
}
