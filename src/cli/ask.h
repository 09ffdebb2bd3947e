/* ask.h - a conversation to a request, and an answer to words.
 *
 * The only file of the client that knows the JSON of generateContent. A saved chat is the
 * body of such a request: `curl -d @chat.json` sends it. */
#ifndef POLLUX_CLI_ASK_H
#define POLLUX_CLI_ASK_H

#include "cli/client.h"
#include "cli/settings.h"

/* Turns of text, the user's and the model's in whatever order they were said. */
struct said {
    bool by_model;
    char *text;
};
struct talk {
    struct said *at;
    size_t n;
};

void talk_add(struct talk *talk, bool by_model, struct text text); /* copied */
void talk_drop(struct talk *talk, size_t keep);                    /* forgets the rest */
void talk_free(struct talk *talk);

/* The body of a request. With `saved` also the model's name, and pretty. */
void talk_write(const struct talk *talk, const struct settings *settings, bool saved,
                struct buf *out);

/* Reads what talk_write saved; on failure nothing is changed. Strings that the settings
 * point to afterwards lie in the arena. What a chat cannot hold (images, tools) is
 * refused. */
bool talk_read(struct text json, struct talk *talk, struct settings *settings,
               struct arena *arena, struct error *err);

/* What is known of an answer so far; starts as {0}. */
struct answer {
    struct buf text;
    char finish[48];  /* finishReason; "" while it goes on */
    char blocked[48]; /* promptFeedback.blockReason */
    char model[128];  /* modelVersion */
    int64_t prompt_tokens, answer_tokens, thought_tokens, cached_tokens, total_tokens;
    double first_s,
        whole_s; /* seconds from the request to the first words and to the end */
};
void answer_free(struct answer *answer);

/* One chunk of an answer, as it comes: its words and the JSON they were in. */
struct ask_chunk {
    struct text json, text, thought;
};
typedef void ask_show(const struct ask_chunk *chunk, void *arg);

/* Sends a request and waits for the whole answer. */
enum client_end ask(struct client *client, const struct settings *settings,
                    const char *request, bool stream, ask_show *show, void *arg,
                    struct answer *answer, struct error *err);

/* What countTokens says about a request. */
enum client_end ask_count(struct client *client, const struct settings *settings,
                          const struct talk *talk, int64_t *tokens, struct error *err);

/* The exit status that an answer means; says on stderr what was wrong with it. */
int answer_report(const char *name, const struct answer *answer);

/* "12 tokens in (10 cached), 34 out, 0.2 s to the first word, 51 tokens/s" */
void answer_usage(const struct answer *answer, struct buf *out);

#endif
