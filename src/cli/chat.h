/* chat.h - an interactive chat: what its loop (chat.c) and its commands share. */
#ifndef POLLUX_CLI_CHAT_H
#define POLLUX_CLI_CHAT_H

#include "cli/ask.h"
#include "cli/line.h"

struct chat {
    struct settings settings; /* first: its rows count from here */
    const char *base_url, *api_key, *load;
    bool usage, keep_history;

    struct arena *arena; /* strings that the settings point to */
    struct client *client;
    struct line_reader *lines;
    volatile sig_atomic_t interrupted;

    struct talk talk;
    struct buf asked;   /* the message that /retry asks again */
    struct answer last; /* the answer that /tokens tells of */
    bool over;
    int status;
};

/* Sends a message, prints the answer as it comes, keeps both. */
void chat_ask(struct chat *chat, struct text message);

/* Says what went wrong; in a pipe that is also the end and the exit status. */
void chat_complain(struct chat *chat, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void chat_report(struct chat *chat, enum client_end end, const struct error *err);

/* A line that begins with '/'. */
void chat_command(struct chat *chat, struct text line);
bool chat_load(struct chat *chat, const char *path);
extern const char *const chat_command_names[]; /* "/exit", ..., NULL */

#endif
