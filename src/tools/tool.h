/* tool.h - what the server does itself when a model asks for it: built-in tools.
 *
 * To the model a tool is a function like any other: it is declared by name, description
 * and parameters, shown and called in the model's own form, and its result comes back as
 * a function's does. What differs is who runs it: chat/rounds.h calls run() on a worker,
 * tells the model, and goes on until the model is done. Dialects only encode what
 * happened: a PART_CALL and a PART_RESULT whose `tool` is set, right behind one another.
 *
 * How a tool comes in, and what each step asks of it:
 *
 *   request  api/built_in.c has its names in both dialects; ready() says whether this
 *            server can; accept() reads what the request says about it
 *   prompt   a struct function with the tool's name, description, parameters
 *   call     run(): args to result, within a time, on any worker, until cancelled
 *   model    reads tool_said(result): {"result": ...} or {"error": ...}
 *   client   Interactions: steps _call {arguments} and _result {result, is_error}, made
 *            of `args` and `wire`. generateContent: what api/answer.c makes of the
 *            tool's name (code_execution: executableCode and codeExecutionResult; blobs
 *            become inlineData behind them) and of `pages`
 *   answer   when it is over, toolbox.ground() works out what of it rests on which
 *            `sources`: groundingMetadata, annotations
 *
 * A result that comes back in a client's history is read into the same words by
 * tool_said(), so that the prompt is the one that the live run made, and its KV rows are
 * found. Where `wire` does not show the words, the step's signature carries them.
 *
 * A tool must not know dialects, chats or HTTP. A room that builds tools includes this
 * header and gives the server a struct tool; serve_rooms.c puts it into the toolbox.
 */
#ifndef POLLUX_TOOLS_TOOL_H
#define POLLUX_TOOLS_TOOL_H

#include "base/arena.h"
#include "base/error.h"
#include "base/queue.h"
#include <stdatomic.h>
#include <stdint.h>

struct json_object;

enum tool_outcome {
    TOOL_OK,
    TOOL_FAILED,   /* `words` say why; the model is told, and may try again */
    TOOL_DEADLINE, /* its time was over; likewise */
};

/* A picture, say: for the client alone. */
struct tool_blob {
    struct text mime_type, bytes;
};

struct tool_call {
    struct text args;     /* a JSON object. Held to the parameters by the grammar; what a
                           * script or a model without grammar writes may be anything */
    const void *settings; /* what accept() made of the request; may be NULL */
    int64_t until_ms;     /* by now_ms(): when it must be over */
    const atomic_bool *cancelled; /* nobody wants it any more: return soon */
    struct arena *arena;          /* for the result; nobody else uses it meanwhile */
};

/* What a tool found, for the answer to rest on. */
struct passage; /* index/index.h */
struct tool_sources {
    const struct text *queries; /* to the web; a search in files has none */
    int n_queries;
    const struct passage *passages; /* with a `store`: of a document of that store */
    int n_passages;
};

/* A page that was asked for, and what became of it. */
enum page_status { PAGE_SUCCESS = 1, PAGE_ERROR, PAGE_PAYWALL, PAGE_UNSAFE };
struct tool_page {
    struct text url;
    enum page_status status;
};

struct tool_result {
    enum tool_outcome outcome;
    struct text words; /* what it gave, or what went wrong: UTF-8, not absent */
    struct text wire;  /* JSON, the result step's `result`; absent: `words` as a string */
    struct tool_blob *blobs;
    int n_blobs;
    const struct tool_sources *sources; /* NULL: none */
    const struct tool_page *pages;
    int n_pages;
};

/* What a tool is good for. Small models cannot tell by its description when to call it;
 * for these uses they can be asked what the user wants instead (chat/family.h). */
enum tool_use { TOOL_DOES, TOOL_LOOKS_UP, TOOL_COMPUTES, TOOL_USES };

struct tool {
    enum tool_use use;
    const char
        *name; /* as the Interactions API spells it, and the model: "url_context" */
    const char *description; /* for the model; its first paragraph says what it is for */
    const char *parameters;  /* JSON Schema of an object */
    /* Whether this server can run it; false and err, which names the setting. Any thread,
     * without waiting. */
    bool (*ready)(const struct tool *tool, struct error *err);
    /* Reads what a request says about the tool: an object, without its `type`, or NULL.
     * `where` is its path. *settings lives in the arena. Any thread, without waiting. */
    bool (*accept)(const struct tool *tool, struct json_object *from, const char *where,
                   struct arena *arena, const void **settings, struct error *err);
    /* Fills the result; cannot fail but by an outcome. A worker; may wait. */
    void (*run)(const struct tool *tool, const struct tool_call *call,
                struct tool_result *result);
    void *own;
    /* Of what stands for tools that only somebody else knows, an MCP server's: asks for
     * them, before there is a prompt, with the time, the arena and the flag of `call`. A
     * worker; may wait. NULL: it is a tool itself. */
    bool (*open)(const struct tool *tool, const struct tool_call *call,
                 const struct tool **tools, int *n, struct error *err);
    struct text own_name, server; /* of such a tool: how the server calls it, and what the
                                   * request calls the server; else absent */
    /* What a model's arguments were most likely to be, before anybody sees them; NULL:
     * nothing is mended. The loop. */
    struct text (*mend)(struct text args, struct arena *arena);
    /* The arguments of a call that what the user has just said asks for, so that the
     * model need not; absent: none. NULL: only the model calls. Any thread, without
     * waiting. */
    struct text (*begin)(struct text said, struct arena *arena);
};

struct grounding; /* api/grounding.h */

/* The tools of a server. Not owned, must outlive whoever has it. */
struct toolbox {
    const struct tool *const *tools;
    int n;
    struct workers *workers; /* who runs them */
    int call_s;              /* time that a call may take */
    int answer_s;            /* time that all calls of an answer may take together */
    int rounds;              /* how often in an answer the model may call */
    /* What the last words of an answer rest on, of all that its tools found; in the
     * arena. A worker; may wait. NULL: nobody works it out. */
    const struct grounding *(*ground)(const struct toolbox *box, struct text words,
                                      const struct tool_sources *const *sources, int n,
                                      struct arena *arena);
    struct embedder *embedder; /* ground()'s */
};

/* NULL: there is none. `box` may be NULL. */
const struct tool *toolbox_find(const struct toolbox *box, struct text name);

/* The first `most` bytes, or fewer: it ends where a character does. */
struct text tool_cut(struct text text, size_t most);

/* What the model is told: a JSON object. Of longer words the beginning and the end. */
enum { TOOL_MOST_SAID = 8000 }; /* bytes of words */
struct text tool_said(struct text words, bool is_error, struct arena *arena);

#endif
