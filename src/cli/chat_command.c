/* chat_command.c - the table of what may be typed after '/', and what each does. */
#include "cli/chat.h"
#include "cli/command.h"
#include "cli/served.h"
#include "cli/term.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_SAVED = 64 << 20 };

/* Strings that outlive the line they came in. */
static const char *keep(struct chat *chat, struct text text)
{
    return arena_text(chat->arena, text).at;
}

/* "~/x" as a shell would have it. */
static const char *file_name(struct chat *chat, struct text typed)
{
    const char *home = option_env("HOME");
    if (home && text_starts(typed, "~/"))
        return arena_printf(chat->arena, "%s%.*s", home,
                            TEXT_ARG(text_slice(typed, 1, typed.len)))
            .at;
    return keep(chat, typed);
}

static void do_exit(struct chat *chat, struct text words)
{
    (void)words;
    chat->over = true;
}

static void do_new(struct chat *chat, struct text words)
{
    (void)words;
    talk_drop(&chat->talk, 0);
    answer_free(&chat->last);
    buf_clear(&chat->asked);
    puts("A new chat. Model, system instruction and settings are as they were.");
}

static void do_system(struct chat *chat, struct text words)
{
    if (text_is(words, "-"))
        chat->settings.system = NULL;
    else if (words.len)
        chat->settings.system = keep(chat, words);
    const char *system = chat->settings.system;
    term_show(stdout, text_of(system ? system : "There is no system instruction."));
    putchar('\n');
}

static void do_set(struct chat *chat, struct text words)
{
    struct error err;
    struct text value, name = text_cut(words, ' ', &value);
    const char *to = value.at && !text_is(value, "-") ? keep(chat, value) : NULL;
    if (words.len && !value.at)
        chat_complain(chat, CLI_USAGE, "/set NAME VALUE; the value - takes it back");
    else if (words.len && !settings_set(&chat->settings, keep(chat, name), to, &err))
        chat_complain(chat, CLI_USAGE, "%s", err.message);
    if (words.len)
        return;
    struct buf out = {0};
    settings_list(&chat->settings, &out);
    command_print(&out, stdout);
}

static void do_model(struct chat *chat, struct text words)
{
    struct served_model model;
    struct error err;
    const char *before = chat->settings.model;
    if (words.len)
        chat->settings.model = keep(chat, words);
    struct text name = settings_model(&chat->settings, chat->arena);
    chat->interrupted = 0;
    enum client_end end = served_get(chat->client, name, chat->arena, &model, &err);
    if (end != CLIENT_DONE) {
        chat->settings.model = before;
        chat_report(chat, end, &err);
        return;
    }
    term_show(stdout, model.name);
    fputs(model.display_name.len ? ": " : "", stdout);
    term_show(stdout, model.display_name);
    putchar('\n');
}

static void do_models(struct chat *chat, struct text words)
{
    (void)words;
    struct served_model *models;
    size_t n;
    struct error err;
    chat->interrupted = 0;
    enum client_end end = served_list(chat->client, chat->arena, &models, &n, &err);
    if (end != CLIENT_DONE)
        chat_report(chat, end, &err);
    for (size_t i = 0; i < n; i++) {
        term_show(stdout, models[i].name);
        putchar('\n');
    }
}

/* Another file of the person's is not overwritten: only what reads as a saved chat. */
static bool may_replace(struct chat *chat, const char *path)
{
    struct buf old = {0};
    struct talk talk = {0};
    struct settings settings;
    struct error err;
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT;
    settings_init(&settings);
    bool good =
        command_read(file, MOST_SAVED, &old, &err) &&
        (old.len == 0 || talk_read(buf_view(&old), &talk, &settings, chat->arena, &err));
    fclose(file);
    settings_free(&settings);
    talk_free(&talk);
    buf_free(&old);
    return good;
}

static bool write_file(struct chat *chat, const char *path)
{
    struct buf out = {0};
    const char *part = arena_printf(chat->arena, "%s.part", path).at;
    FILE *file = fopen(part, "we");
    if (!file)
        return false;
    talk_write(&chat->talk, &chat->settings, true, &out);
    buf_char(&out, '\n');
    command_print(&out, file);
    bool good = fflush(file) == 0 && fsync(fileno(file)) == 0;
    good = fclose(file) == 0 && good && rename(part, path) == 0;
    if (!good)
        unlink(part);
    return good;
}

static void do_save(struct chat *chat, struct text words)
{
    const char *path = file_name(chat, words);
    if (!words.len)
        chat_complain(chat, CLI_USAGE, "/save needs a file's name");
    else if (!may_replace(chat, path))
        chat_complain(chat, CLI_FAILED, "%s is there and is not a saved chat", path);
    else if (!write_file(chat, path))
        chat_complain(chat, CLI_FAILED, "%s cannot be written: %m", path);
    else
        printf("Saved %zu turns to %s.\n", chat->talk.n, path);
}

bool chat_load(struct chat *chat, const char *path)
{
    struct buf json = {0};
    struct error err;
    FILE *file = fopen(path, "re");
    if (!file) {
        chat_complain(chat, CLI_FAILED, "%s cannot be read: %m", path);
        return false;
    }
    bool good =
        command_read(file, MOST_SAVED, &json, &err) &&
        talk_read(buf_view(&json), &chat->talk, &chat->settings, chat->arena, &err);
    if (!good)
        chat_complain(chat, CLI_FAILED, "%s: %s", path, err.message);
    fclose(file);
    buf_free(&json);
    answer_free(&chat->last);
    buf_clear(&chat->asked);
    return good;
}

static void do_load(struct chat *chat, struct text words)
{
    if (!words.len)
        chat_complain(chat, CLI_USAGE, "/load needs a file's name");
    else if (chat_load(chat, file_name(chat, words)))
        printf("Loaded %zu turns; /show prints them.\n", chat->talk.n);
}

/* Back to before the last message of the user's, which /retry asks again. */
static bool undo(struct chat *chat)
{
    size_t keep_n = chat->talk.n;
    while (keep_n && chat->talk.at[keep_n - 1].by_model)
        keep_n--;
    if (!keep_n)
        return false;
    buf_clear(&chat->asked);
    buf_str(&chat->asked, chat->talk.at[keep_n - 1].text);
    talk_drop(&chat->talk, keep_n - 1);
    return true;
}

static void do_undo(struct chat *chat, struct text words)
{
    (void)words;
    bool undone = undo(chat);
    answer_free(&chat->last);
    if (undone)
        printf("Took back the last message; %zu turns are left.\n", chat->talk.n);
    else
        chat_complain(chat, CLI_FAILED, "there is nothing to undo");
}

/* The last message may have got an answer or not. */
static void do_retry(struct chat *chat, struct text words)
{
    (void)words;
    bool answered = chat->last.text.len > 0 || !chat->asked.len;
    if (answered)
        undo(chat);
    if (chat->asked.len)
        chat_ask(chat, buf_view(&chat->asked));
    else
        chat_complain(chat, CLI_FAILED, "there is nothing to ask again");
}

static void do_show(struct chat *chat, struct text words)
{
    (void)words;
    for (size_t i = 0; i < chat->talk.n; i++) {
        const struct said *said = &chat->talk.at[i];
        fputs(said->by_model ? "" : term_ink(stdout, INK_BOLD), stdout);
        fputs(said->by_model ? "" : "> ", stdout);
        term_show(stdout, text_of(said->text));
        printf("%s\n", said->by_model ? "" : term_ink(stdout, INK_PLAIN));
    }
}

static void do_tokens(struct chat *chat, struct text words)
{
    (void)words;
    struct buf out = {0};
    struct error err;
    int64_t tokens = 0;
    if (chat->last.total_tokens) {
        buf_str(&out, "last answer: ");
        answer_usage(&chat->last, &out);
        buf_char(&out, '\n');
    }
    command_print(&out, stdout);
    if (!chat->talk.n)
        return;
    chat->interrupted = 0;
    enum client_end end =
        ask_count(chat->client, &chat->settings, &chat->talk, &tokens, &err);
    if (end == CLIENT_DONE)
        printf("this chat: %lld tokens in %zu turns\n", (long long)tokens, chat->talk.n);
    else
        chat_report(chat, end, &err);
}

static void do_usage(struct chat *chat, struct text words)
{
    chat->usage = words.len ? text_is_nocase(words, "on") : !chat->usage;
    printf("Tokens and speed after each answer: %s.\n", chat->usage ? "on" : "off");
}

static void do_help(struct chat *chat, struct text words);

/* clang-format off */
static const struct row {
    const char *name, *words, *help;
    void (*run)(struct chat *chat, struct text words);
} rows[] = {
    {"/help",   "",             "this list",                                          do_help},
    {"/exit",   "",             "end the chat (also /quit, Ctrl-D)",                  do_exit},
    {"/quit",   "",             NULL,                                                 do_exit},
    {"/new",    "",             "forget what was said",                               do_new},
    {"/retry",  "",             "ask the last message again",                         do_retry},
    {"/undo",   "",             "take back the last message and its answer",          do_undo},
    {"/show",   "",             "print what was said",                                do_show},
    {"/system", "[TEXT]",       "show or set the system instruction; - removes it",   do_system},
    {"/set",    "[NAME VALUE]", "list or change settings: /set temperature 0.2",      do_set},
    {"/model",  "[NAME]",       "show or change who answers",                         do_model},
    {"/models", "",             "what the server has",                                do_models},
    {"/tokens", "",             "tokens of the last answer and of this chat",         do_tokens},
    {"/usage",  "[on|off]",     "tokens and speed after each answer",                 do_usage},
    {"/save",   "FILE",         "write this chat as the body of an API request",      do_save},
    {"/load",   "FILE",         "go on with a saved chat",                            do_load},
};

const char *const chat_command_names[] = {
    "/help", "/exit", "/quit", "/new", "/retry", "/undo", "/show", "/system", "/set", "/model",
    "/models", "/tokens", "/usage", "/save", "/load", NULL,
};
/* clang-format on */

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

_Static_assert(N_ROWS + 1 == sizeof(chat_command_names) / sizeof(chat_command_names[0]),
               "Tab knows every command");

static void do_help(struct chat *chat, struct text words)
{
    (void)chat;
    (void)words;
    for (int i = 0; i < N_ROWS; i++)
        if (rows[i].help)
            printf("  %-8s %-13s %s\n", rows[i].name, rows[i].words, rows[i].help);
    puts("A message that begins with / is typed with //. Many lines: end each with a\n"
         "backslash, or put \"\"\" before and after.");
}

void chat_command(struct chat *chat, struct text line)
{
    struct text words, name = text_cut(line, ' ', &words);
    while (text_starts(words, " "))
        words = text_slice(words, 1, words.len);
    for (int i = 0; i < N_ROWS; i++) {
        if (!text_is(name, rows[i].name))
            continue;
        rows[i].run(chat, words.at ? words : TEXT(""));
        fflush(stdout);
        return;
    }
    chat_complain(chat, CLI_USAGE,
                  "there is no command %.*s; /help lists them, // sends a message that "
                  "begins with /",
                  TEXT_ARG(name));
}
