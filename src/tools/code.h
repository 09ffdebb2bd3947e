/* code.h - the tool code_execution: runs the Python that a model wrote, in a sandbox.
 *
 * The code finds Python's library, what scripts/setup.sh tools installed, an empty folder
 * and nothing else (media/sandbox.h). There is no state between calls. It is always in a
 * sandbox: where this machine has none, ready() says so.
 *
 * Its result's words are what the code printed, and when it failed what it said on
 * standard error behind it; its blobs are the pictures that it drew. */
#ifndef POLLUX_TOOLS_CODE_H
#define POLLUX_TOOLS_CODE_H

#include "tools/tool.h"

struct code;

struct code_config {
    bool off;           /* the owner does not want it */
    const char *folder; /* of scripts/tools.sh; need not be there; NULL: none */
    int memory_mb;      /* of all processes of a call */
};

/* Never fails: what is missing is told by ready(). */
struct code *code_open(const struct code_config *config);
void code_close(struct code *code); /* nothing may run; NULL is fine */

const struct tool *code_tool(const struct code *code);
bool code_has_packages(const struct code *code);

#define CODE_NAME "code_execution"

/* The `code` of a call's arguments; absent: there is none. The texts live as long as the
 * arena. */
struct text code_source(struct text args, struct arena *arena);

/* Arguments of a call, as the model is taught to write them. */
struct text code_args(struct text source, struct arena *arena);

#endif
