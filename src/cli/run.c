/* run.c - `pollux run`: one question, one answer, for people and for scripts. */
#include "cli/ask.h"
#include "cli/command.h"
#include "cli/term.h"
#include <stdlib.h>
#include <unistd.h>

struct run {
    struct settings settings; /* first: its rows count from here */
    const char *base_url, *api_key;
    int64_t timeout_s;
    bool json, stream, usage, input;
};
_Static_assert(offsetof(struct run, settings) == 0, "SETTINGS_OPTIONS counts from here");

/* clang-format off */
static const struct option table[] = {
    SETTINGS_OPTIONS,
    {"json", 'j', OPTION_SWITCH, offsetof(struct run, json), NULL, 0, 0, NULL,
     "the whole answer of the API as JSON; streamed: one object a line", NULL},
    {"stream", 0, OPTION_SWITCH, offsetof(struct run, stream), NULL, 0, 0, NULL,
     "print words as they come (default: on a terminal; --no-stream)", NULL},
    {"usage", 0, OPTION_SWITCH, offsetof(struct run, usage), NULL, 0, 0, NULL,
     "tokens and speed, on standard error", NULL},
    {"stdin", 0, OPTION_SWITCH, offsetof(struct run, input), "true", 0, 0, NULL,
     "read standard input when it is no terminal (--no-stdin: never)", NULL},
    {"timeout", 0, OPTION_INT, offsetof(struct run, timeout_s), NULL, 0, 86400, "SECONDS",
     "give up after this long (default: never)", NULL},
    COMMAND_SERVER_OPTIONS(struct run),
    {0},
};
/* clang-format on */

static const struct command command = {
    "run",
    "[OPTION]... [PROMPT]...",
    "Asks one question and prints the answer: the text alone, on standard output.\n"
    "What is piped in follows the prompt; without a prompt it is the prompt.\n"
    "\n"
    "Exit status: 0 answered; 1 the server refused or the connection broke; 2 wrong\n"
    "command line; 3 nobody answers at the base URL; 4 the answer was cut at its token\n"
    "limit; 5 prompt or answer were blocked; 130 Ctrl-C.",
    table,
    "  pollux run \"Why is the sky blue?\"\n"
    "  git diff | pollux run \"Write a commit message for this change\"\n"
    "  pollux run -t 0 --seed 7 --max-tokens 50 \"Name three prime numbers\"\n"
    "  pollux run --json hello | jq .usageMetadata\n",
};

enum { MOST_INPUT = 64 << 20 };

/* "words of the command line\n\nstandard input" */
static bool read_prompt(const struct run *run, const char **words, int n_words,
                        struct buf *prompt, struct error *err)
{
    struct buf input = {0};
    for (int i = 0; i < n_words; i++)
        buf_printf(prompt, "%s%s", i ? " " : "", words[i]);
    bool good = !run->input || isatty(STDIN_FILENO) ||
                command_read(stdin, MOST_INPUT, &input, err);
    if (input.len)
        buf_printf(prompt, "%s%s", prompt->len ? "\n\n" : "", input.at);
    buf_free(&input);
    return good;
}

static void show(const struct ask_chunk *chunk, void *arg)
{
    const struct run *run = arg;
    if (!run->json) {
        term_show(stdout, chunk->text);
    } else {
        term_show(stdout, chunk->json);
        if (!text_ends(chunk->json, "\n"))
            putchar('\n');
    }
    fflush(stdout);
}

static void finish_output(const struct run *run, const struct answer *answer)
{
    if (!run->json && answer->text.len && !text_ends(buf_view(&answer->text), "\n"))
        putchar('\n');
    fflush(stdout);
    if (!run->usage || !answer->total_tokens)
        return;
    struct buf usage = {0};
    answer_usage(answer, &usage);
    buf_char(&usage, '\n');
    command_print(&usage, stderr);
}

static int ask_and_print(const struct run *run, struct client *client, struct text prompt)
{
    struct talk talk = {0};
    struct buf request = {0};
    struct answer answer = {0};
    struct error err;
    talk_add(&talk, false, prompt);
    talk_write(&talk, &run->settings, false, &request);
    enum client_end end = ask(client, &run->settings, request.at, run->stream, show,
                              (void *)(uintptr_t)run, &answer, &err);
    finish_output(run, &answer);
    int status = client_report(command.name, end, &err);
    if (end == CLIENT_DONE)
        status = answer_report(command.name, &answer);
    if (ferror(stdout))
        status = command_fail(&command, CLI_FAILED, "cannot write the answer: %m");
    answer_free(&answer);
    buf_free(&request);
    talk_free(&talk);
    return status;
}

static int run_prompt(const struct run *run, struct buf *prompt)
{
    volatile sig_atomic_t interrupted = 0;
    struct error err;
    if (prompt->len == 0)
        return command_misuse(&command, "there is no prompt");
    if (!text_is_utf8(buf_view(prompt)))
        return command_fail(&command, CLI_FAILED, "the prompt is not UTF-8 text");
    struct client *client = client_open(run->base_url, run->api_key, &interrupted, &err);
    if (!client)
        return command_misuse(&command, "%s", err.message);
    client_set_timeout(client, (int)run->timeout_s);
    term_catch_interrupt(&interrupted);
    int status = ask_and_print(run, client, buf_view(prompt));
    term_catch_interrupt(NULL);
    client_close(client);
    return status;
}

int cli_run(int argc, char **argv)
{
    struct run run = {.stream = isatty(STDOUT_FILENO) == 1};
    const char **words = mem_alloc((size_t)argc * sizeof(*words));
    int n_words = 0, status = CLI_USAGE;
    struct buf prompt = {0};
    struct error err;
    settings_init(&run.settings);
    if (command_begin(&command, argc, argv, &run, words, &n_words, &status)) {
        if (read_prompt(&run, words, n_words, &prompt, &err))
            status = run_prompt(&run, &prompt);
        else
            status = command_fail(&command, CLI_FAILED, "standard input %s", err.message);
        settings_free(&run.settings);
    }
    buf_free(&prompt);
    free(words);
    return status;
}
