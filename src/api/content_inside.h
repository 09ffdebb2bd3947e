/* content_inside.h - what content.c (contents: parts, turns, who answers whom) and
 * content_config.c (safetySettings, generationConfig) share. Private to these two. */
#ifndef POLLUX_API_CONTENT_INSIDE_H
#define POLLUX_API_CONTENT_INSIDE_H

#include "api/content.h"

#define CONFIG "generation_config."

struct reader {
    const struct wire_generate *request;
    const struct content_rules *rules;
    struct arena *arena;
    struct chat *chat;
    struct error *err;
};

bool content_read_safety(const struct reader *r);
bool content_read_config(const struct reader *r); /* behind the tools */

#endif
