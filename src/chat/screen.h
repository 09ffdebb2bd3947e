/* screen.h - holds what a candidate says until it may leave.
 *
 * Parts go in as they are said, and come out when no listed word can stand in them any
 * more and, where a judge looks on, when they were found harmless. The screen knows the
 * words; the judge is asked by its user (turn.c). What comes out is what went in, though
 * texts may be cut elsewhere. Lives in its arena. */
#ifndef POLLUX_CHAT_SCREEN_H
#define POLLUX_CHAT_SCREEN_H

#include "chat/blocklist.h"
#include "chat/chat.h"

struct screen;

struct screen_options {
    const struct blocklist *words; /* NULL: none are listed */
    bool judged;
    bool streamed; /* leaves in pieces; else as a whole, or not at all */
};

struct screen *screen_open(struct arena *arena, const struct screen_options *options);
void screen_add(struct screen *screen, const struct part *part);
void screen_end(struct screen *screen); /* nothing more is said */

/* Whether a listed word was said. From then on nothing comes out. */
bool screen_listed(struct screen *screen);

/* The text that is due to be judged, with some of what was said before it; absent: none
 * yet. screen_judged() says that the one asked for last is harmless. Valid until
 * something is added. */
struct text screen_due(struct screen *screen);
void screen_judged(struct screen *screen);

/* Gives out what may leave. */
void screen_release(struct screen *screen, void (*on)(const struct part *part, void *arg),
                    void *arg);
bool screen_empty(const struct screen *screen); /* nothing is held */

#endif
