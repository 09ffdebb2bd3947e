/* settings.h - how to answer: model, system instruction, sampling.
 *
 * One table of options is the command line of run and chat, the environment, and /set in
 * a chat; a second table gives each its name in generationConfig. What was not set is not
 * sent, so that the server's defaults hold. */
#ifndef POLLUX_CLI_SETTINGS_H
#define POLLUX_CLI_SETTINGS_H

#include "base/arena.h"
#include "base/option.h"
#include "json/schema.h"
#include "json/write.h"

/* The first member of the struct that an option table with SETTINGS_OPTIONS fills. */
struct settings {
    const char *model;                                              /* as it was typed */
    const char *system;                                             /* NULL: none */
    double temperature, top_p, presence_penalty, frequency_penalty; /* NAN: not set */
    int64_t top_k, max_tokens, seed; /* SETTINGS_UNSET: not set */
    struct option_list stop;
};

#define SETTINGS_UNSET INT64_MIN

/* What a server takes for its default model, Pollux by alias and Google's by itself. */
#define SETTINGS_MODEL "gemini-flash-latest"

/* clang-format off */
#define SETTINGS_ROW(name, kind, member, least, most, value, help)                       \
    {name, 0, kind, offsetof(struct settings, member), NULL, least, most, value, help,   \
     NULL}
#define SETTINGS_OPTIONS                                                                 \
    {"model", 'm', OPTION_STRING, offsetof(struct settings, model), SETTINGS_MODEL, 0,   \
     0, "NAME", "who answers; `pollux models --server` lists them", NULL},               \
    {"system", 's', OPTION_STRING, offsetof(struct settings, system), NULL, 0, 0,        \
     "TEXT", "system instruction: how to answer", NULL},                                 \
    {"temperature", 't', OPTION_NUMBER, offsetof(struct settings, temperature), NULL,    \
     0, 2, "N", "0: always the likeliest word; 2: wild", NULL},                          \
    SETTINGS_ROW("top-p", OPTION_NUMBER, top_p, 0, 1, "N",                               \
                 "only the likeliest words that add up to this"),                        \
    SETTINGS_ROW("top-k", OPTION_INT, top_k, 1, 1000000, "N",                            \
                 "only this many of the likeliest words"),                               \
    SETTINGS_ROW("max-tokens", OPTION_INT, max_tokens, 1, 1000000, "N",                  \
                 "the answer is cut after this many tokens"),                            \
    SETTINGS_ROW("seed", OPTION_INT, seed, -2147483648.0, 2147483647.0, "N",             \
                 "same seed, same question: same answer"),                               \
    SETTINGS_ROW("presence-penalty", OPTION_NUMBER, presence_penalty, -2, 2, "N",        \
                 "against words that the answer has used"),                              \
    SETTINGS_ROW("frequency-penalty", OPTION_NUMBER, frequency_penalty, -2, 2, "N",      \
                 "against words, by how often it used them"),                            \
    SETTINGS_ROW("stop", OPTION_LIST, stop, 0, 0, "TEXT",                                \
                 "the answer ends before this text")
/* clang-format on */

void settings_init(struct settings *settings); /* nothing set; before option_read */
void settings_free(struct settings *settings);

/* "models/x" or "tunedModels/x", ready for a URL path. A path of a GGUF file, which
 * POLLUX_MODEL may hold for the server, means the server's default model. */
struct text settings_model(const struct settings *settings, struct arena *arena);

/* For /set: one value by the option's name ('_' or '-', or the name on the wire). A value
 * of NULL takes it back. Model and system are not among them. */
bool settings_set(struct settings *settings, const char *name, const char *value,
                  struct error *err);

/* One line for each that can be set by settings_set, with its value. */
void settings_list(const struct settings *settings, struct buf *out);

/* "generationConfig": {...}, or nothing when nothing is set. */
void settings_write(const struct settings *settings, struct json_writer *w);

/* The type of generationConfig in a saved chat, and taking over what was read. */
struct settings_saved;
extern const struct json_type settings_saved_type;
void settings_restore(struct settings *settings, const struct settings_saved *saved);

#endif
