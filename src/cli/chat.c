/* chat.c - `pollux chat`: reads a message, prints the answer, keeps both, again.
 *
 * A message is kept only with its answer. When there is none (no server, refused, Ctrl-C
 * before the first word) the talk is as before, and /retry asks again. An answer that
 * broke off is kept as far as it came, so that "go on" makes sense. */
#include "cli/chat.h"
#include "cli/command.h"
#include "cli/served.h"
#include "cli/term.h"
#include <stdlib.h>

_Static_assert(offsetof(struct chat, settings) == 0, "SETTINGS_OPTIONS counts from here");

/* clang-format off */
static const struct option table[] = {
    SETTINGS_OPTIONS,
    {"load", 'l', OPTION_STRING, offsetof(struct chat, load), NULL, 0, 0, "FILE",
     "go on with a chat that /save wrote", NULL},
    {"usage", 0, OPTION_SWITCH, offsetof(struct chat, usage), NULL, 0, 0, NULL,
     "tokens and speed after each answer", NULL},
    {"history", 0, OPTION_SWITCH, offsetof(struct chat, keep_history), "true", 0, 0, NULL,
     "keep what was typed for the next chat (--no-history: do not)", NULL},
    COMMAND_SERVER_OPTIONS(struct chat),
    {0},
};
/* clang-format on */

static const struct command command = {
    "chat",
    "[OPTION]...",
    "Talks with a model. Answers are printed as they come; Ctrl-C stops one, Ctrl-D "
    "ends\n"
    "the chat. Arrows and Ctrl-R find earlier messages, Tab completes commands. A "
    "message\n"
    "may have many lines: end a line with a backslash, or put \"\"\" before and after.\n"
    "Lines that begin with / are commands; /help lists them.\n"
    "\n"
    "From a pipe each line is a message; only answers are printed, and the first thing\n"
    "that goes wrong ends the chat with the exit status of `pollux run`.",
    table,
    "  pollux chat\n"
    "  pollux chat --system \"Answer in one sentence.\" --temperature 0.2\n"
    "  pollux chat --load yesterday.json\n"
    "  printf 'My name is Ada.\\nWhat is my name?\\n' | pollux chat\n",
};

/* Complaints. */

static void fail(struct chat *chat, int status)
{
    if (line_is_terminal(chat->lines))
        return;
    chat->over = true;
    chat->status = status;
}

void chat_complain(struct chat *chat, int status, const char *format, ...)
{
    struct buf out = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&out, format, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "%spollux chat: ", term_ink(stderr, INK_RED));
    term_show(stderr, buf_view(&out));
    fprintf(stderr, "%s\n", term_ink(stderr, INK_PLAIN));
    buf_free(&out);
    fail(chat, status);
}

void chat_report(struct chat *chat, enum client_end end, const struct error *err)
{
    if (end == CLIENT_INTERRUPTED)
        return;
    fputs(term_ink(stderr, INK_RED), stderr);
    int status = client_report(command.name, end, err);
    fputs(term_ink(stderr, INK_PLAIN), stderr);
    fail(chat, status);
}

/* Asking. */

struct show {
    bool dim; /* a thought is being printed */
};

static void show(const struct ask_chunk *chunk, void *arg)
{
    struct show *shown = arg;
    if (chunk->thought.len && term_is(stdout)) {
        fputs(shown->dim ? "" : term_ink(stdout, INK_DIM), stdout);
        shown->dim = true;
        term_show(stdout, chunk->thought);
    }
    if (chunk->text.len && shown->dim) {
        printf("%s\n", term_ink(stdout, INK_PLAIN));
        shown->dim = false;
    }
    term_show(stdout, chunk->text);
    fflush(stdout);
}

static void end_of_answer(const struct chat *chat, const struct show *shown)
{
    fputs(shown->dim ? term_ink(stdout, INK_PLAIN) : "", stdout);
    if (chat->last.text.len && !text_ends(buf_view(&chat->last.text), "\n"))
        putchar('\n');
    fflush(stdout);
}

static void print_usage(const struct chat *chat)
{
    struct buf out = {0};
    buf_str(&out, term_ink(stderr, INK_DIM));
    answer_usage(&chat->last, &out);
    buf_printf(&out, "%s\n", term_ink(stderr, INK_PLAIN));
    command_print(&out, stderr);
}

static void judge(struct chat *chat, enum client_end end, const struct error *err)
{
    if (end == CLIENT_DONE) {
        int status = answer_report(command.name, &chat->last);
        if (status != CLI_OK && status != CLI_CUT)
            fail(chat, status);
        if (chat->usage)
            print_usage(chat);
        return;
    }
    if (end == CLIENT_INTERRUPTED)
        fprintf(stderr, "%s(interrupted%s)%s\n", term_ink(stderr, INK_DIM),
                chat->last.text.len ? "; what came is kept" : "",
                term_ink(stderr, INK_PLAIN));
    chat_report(chat, end, err);
}

void chat_ask(struct chat *chat, struct text message)
{
    struct buf request = {0};
    struct show shown = {0};
    struct error err;
    size_t before = chat->talk.n;
    answer_free(&chat->last);
    talk_add(&chat->talk, false, message);
    talk_write(&chat->talk, &chat->settings, false, &request);
    chat->interrupted = 0;
    enum client_end end = ask(chat->client, &chat->settings, request.at, true, show,
                              &shown, &chat->last, &err);
    end_of_answer(chat, &shown);
    if (chat->last.text.len)
        talk_add(&chat->talk, true, buf_view(&chat->last.text));
    else
        talk_drop(&chat->talk, before);
    judge(chat, end, &err);
    buf_free(&request);
}

/* The loop. */

static void take_message(struct chat *chat, struct text message)
{
    while (message.len && strchr(" \t\n", message.at[message.len - 1]))
        message.len--;
    if (!message.len)
        return;
    if (!text_is_utf8(message)) {
        chat_complain(chat, CLI_FAILED, "the message is not UTF-8 text");
        return;
    }
    if (text_starts(message, "/") && !text_starts(message, "//")) {
        chat_command(chat, message);
        return;
    }
    if (text_starts(message, "//"))
        message = text_slice(message, 1, message.len);
    buf_clear(&chat->asked);
    buf_text(&chat->asked, message);
    chat_ask(chat, buf_view(&chat->asked));
}

static void talk_on(struct chat *chat)
{
    struct buf message = {0};
    while (!chat->over) {
        enum line_end end = line_read(chat->lines, &message);
        if (end == LINE_OVER)
            break;
        if (end == LINE_READ)
            take_message(chat, buf_view(&message));
    }
    if (line_is_terminal(chat->lines) && !chat->over)
        putchar('\n');
    buf_free(&message);
}

/* On a terminal a person should learn before typing that nobody will answer. */
static bool greet(struct chat *chat)
{
    struct served_model model;
    struct error err;
    struct text name = settings_model(&chat->settings, chat->arena);
    enum client_end end = served_get(chat->client, name, chat->arena, &model, &err);
    if (end == CLIENT_NO_SERVER || end == CLIENT_INTERRUPTED) {
        chat_report(chat, end, &err);
        chat->status = end == CLIENT_NO_SERVER ? CLI_NO_SERVER : CLI_INTERRUPTED;
        return false;
    }
    if (end != CLIENT_DONE)
        chat_report(chat, end, &err);
    fputs(term_ink(stdout, INK_DIM), stdout);
    term_show(stdout, end == CLIENT_DONE ? model.display_name : name);
    printf(" at %s. /help lists the commands, Ctrl-D ends.%s\n", chat->base_url,
           term_ink(stdout, INK_PLAIN));
    return true;
}

static void open_lines(struct chat *chat)
{
    struct buf path = {0};
    const char *file = NULL;
    if (chat->keep_history && command_folder("XDG_STATE_HOME", ".local/state", &path) &&
        command_make_folder(path.at))
        file = arena_printf(chat->arena, "%s/chat_history", path.at).at;
    chat->lines = line_open(file, chat_command_names);
    buf_free(&path);
}

static void run(struct chat *chat)
{
    open_lines(chat);
    term_catch_interrupt(&chat->interrupted);
    bool ready = !chat->load || chat_load(chat, chat->load);
    if (!ready)
        chat->status = CLI_FAILED;
    if (ready && (!line_is_terminal(chat->lines) || greet(chat)))
        talk_on(chat);
    term_catch_interrupt(NULL);
    line_close(chat->lines);
}

static int chat_with(struct chat *chat)
{
    struct error err;
    chat->client = client_open(chat->base_url, chat->api_key, &chat->interrupted, &err);
    if (!chat->client)
        return command_misuse(&command, "%s", err.message);
    chat->arena = arena_open();
    run(chat);
    talk_free(&chat->talk);
    answer_free(&chat->last);
    buf_free(&chat->asked);
    client_close(chat->client);
    arena_close(chat->arena);
    return chat->status;
}

int cli_chat(int argc, char **argv)
{
    struct chat chat = {0};
    const char **words = mem_alloc((size_t)argc * sizeof(*words));
    int n_words = 0, status = CLI_USAGE;
    settings_init(&chat.settings);
    if (command_begin(&command, argc, argv, &chat, words, &n_words, &status)) {
        if (n_words)
            status = command_misuse(
                &command, "'%s' is one word too many; `pollux run` takes a prompt",
                words[0]);
        else
            status = chat_with(&chat);
        settings_free(&chat.settings);
    }
    free(words);
    return status;
}
