/* content.h - what a request asks for: the wire's message to a chat.
 *
 * Every check that a table cannot express is here: what excludes what, which roles there
 * are, what the engine that is loaded cannot do yet. Media are named, not read
 * (attach.h). Any thread may call; everything lives in the arena. */
#ifndef POLLUX_API_CONTENT_H
#define POLLUX_API_CONTENT_H

#include "api/api.h"
#include "api/message.h"

/* What the loaded model brings to a request. */
struct content_rules {
    bool thinks; /* was trained to think before it answers */
    struct api_defaults defaults;
    const struct toolbox *tools; /* NULL: the server has none */
    bool is_cache;               /* the beginning of a chat: contents may be missing */
};

/* Those of the server's own model. */
struct content_rules content_rules(const struct api *api);

/* "* GenerateContentRequest.PATH: RULE", at the path; false. */
bool content_broken_rule(struct error *err, const char *path, const char *rule);

/* What dialects share: the tokens that a level of thinking gives (enum wire_level; -1: as
 * many as the model wants), and from which level on a threshold blocks. */
int content_budget(int level);
enum level content_block_from(int threshold, enum level otherwise);

/* Where the request's first contents and tools came from a cache, chat->kept, kept_turns
 * and kept_tools say so before (cached.h). Paths in errors count from behind them. A
 * request that names a cache which was not put into it is refused. */

bool content_chat(const struct wire_generate *request, const struct content_rules *rules,
                  struct arena *arena, struct chat *chat, struct error *err);

#endif
