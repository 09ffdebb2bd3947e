/* prompt.h - chat to tokens by the model's own template.
 *
 * The template (Jinja, from the GGUF) is the truth about a model's format; minijinja
 * renders it. A model without one (a base model) gets the plain format that prompt.c
 * documents. User text cannot forge control tokens: where it spells one, that spelling is
 * tokenised as plain text.
 *
 * A chat whose last turn is the model's is continued: the answer goes on where it ends.
 */
#ifndef POLLUX_CHAT_PROMPT_H
#define POLLUX_CHAT_PROMPT_H

#include "chat/chat.h"
#include "chat/family.h"
#include "chat/grammar.h"

struct prompter;

/* Compiles the engine's template; the engine must outlive it. Any thread may render. */
struct prompter *prompter_open(struct engine *engine, struct error *err);
void prompter_close(struct prompter *prompter);

/* Whether the model was trained to think before it answers. */
bool prompter_thinks(const struct prompter *prompter);

/* In which forms a chat is put before the model: with its functions or as if there were
 * none, depending on what is decided first. Returns how many. */
enum { PROMPT_FORMS = 2 };
int prompt_forms(const struct prompter *prompter, const struct chat *chat,
                 enum calling forms[PROMPT_FORMS]);

struct prompt {
    struct text text;
    int32_t *tokens;
    int n_tokens;
    struct text stop; /* ends the answer, as the end token does; absent: none (turn.c) */
    const struct family *family; /* how the answer is to be read */
    enum calling calling;        /* whether calls are to be looked for in it */
    enum thought thought;        /* what it may begin with */
    struct grammar *grammar;     /* what it may be; NULL: anything. Held by the arena */
    /* Whether to call is to be asked first: these are the questions, and the prompt to
     * answer instead when none is answered with Yes. All or none. */
    const struct prompt *questions, *otherwise;
    int n_questions;
    double yes_from; /* of a question: from which probability on it is a Yes */
};

/* Renders and tokenises into the arena. Fails with INVALID_ARGUMENT and the template's
 * own words when the template refuses the chat (roles that do not alternate, say). */
bool prompt_text(const struct prompter *prompter, const struct chat *chat,
                 struct arena *arena, struct prompt *prompt, struct error *err);

/* The same, and compiles what the answer may be, which can fail likewise. Where tokens
 * are only counted, prompt_text() is enough. */
bool prompt_make(const struct prompter *prompter, const struct chat *chat,
                 struct arena *arena, struct prompt *prompt, struct error *err);

#endif
