/* prepare.h - what becomes of a chat before the model sees it: tools that only others
 * know are asked for, its media are read, then its prompt is made.
 *
 * All dialects do this between decoding and the turn, and caches do. A chat without
 * either is done with on the thread that has just decoded it. Media take seconds, so they
 * have threads of their own: gatherers get files and what takes no time, fetchers get
 * URLs and tools (tools_open.h) and wait for others' servers; what is left waits for the
 * readers, who are few and wait for children. At most MOST_READING chats of the server
 * are in that part at once.
 *
 * A struct prepare is its host's, lives in the host's arena with all that is made, and
 * must stay while it is at work. */
#ifndef POLLUX_API_PREPARE_H
#define POLLUX_API_PREPARE_H

#include "api/api.h"
#include "api/attach.h"
#include "chat/prompt.h"

struct prepare {
    struct work work; /* first */
    struct api *api;
    struct arena *arena;
    struct chat *chat;
    struct error *err;

    /* Of a chat that is all words: the prompt, or what else is made of it. Any thread.
     * False and err. */
    bool (*make)(struct prepare *p);
    /* Media were read and it was made, unless `good` is false. The loop. */
    void (*done)(struct prepare *p);
    void *host;

    struct attached attached; /* n: of media that are, or were, to be read */
    struct prompt prompt;     /* of the two makers below */
    bool good;
    bool read;             /* whatever media there were; and tools were opened */
    bool at_work;          /* a worker has it */
    atomic_bool cancelled; /* nobody waits for it any more */
};

/* The makers of most. */
bool prepare_prompt(struct prepare *p); /* to be run */
bool prepare_count(struct prepare *p);  /* only its tokens are wanted */

/* The chat is there: makes it, or finds that media are to be read first. Any thread.
 * False and err. */
bool prepare_begin(struct prepare *p);

/* Whether prepare_begin() found media that nobody has read yet, or closed tools. */
bool prepare_waits(const struct prepare *p);

/* Reads them and then makes it: done() is called later, with `good`. False and err, and
 * nothing is begun: too many wait already. The loop. */
bool prepare_read(struct prepare *p);

#endif
