/* script_match.h - finds the reply of a script that fits a prompt.
 *
 * The prompt was rendered by script_template, so what the user said last, the system
 * instruction and the results of functions can be told apart in it again. */
#ifndef POLLUX_ENGINE_SCRIPT_MATCH_H
#define POLLUX_ENGINE_SCRIPT_MATCH_H

#include "engine/engine.h"
#include "engine/script_file.h"

extern const struct text script_template;

/* Compiles the regular expressions; they live as long as the arena. */
bool script_compile(struct script *script, const char *path, struct arena *arena,
                    struct error *err);

/* What a prompt says; views of it. A text without the template's marks is the user's. */
struct asked {
    struct text model, system;
    struct text user;    /* what the user said last */
    struct text results; /* of functions, when they come last; absent otherwise */
};
struct asked script_asked(const struct job_spec *spec);

/* The first that matches, or the default; NULL: none. Counting its use is the caller's.
 */
struct script_reply *script_choose(const struct script *script,
                                   const struct asked *asked);

#endif
