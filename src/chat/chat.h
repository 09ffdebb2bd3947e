/* chat.h - one model of a conversation, whatever dialect it came in.
 *
 * A chat is a system instruction, turns of parts, tools and settings. Dialects build it,
 * prompt.c turns it into text by the model's template, turn.c runs it. Nothing here knows
 * the wire or the engine. All of it lives in the request's arena. */
#ifndef POLLUX_CHAT_CHAT_H
#define POLLUX_CHAT_CHAT_H

#include "base/arena.h"
#include "base/error.h"
#include "chat/safety.h"
#include "engine/engine.h"
#include "media/media.h"
#include "media/voice.h"
#include "tools/tool.h"

enum role { ROLE_USER, ROLE_MODEL };

enum part_kind {
    PART_TEXT,
    PART_THOUGHT, /* text of the model's own reasoning */
    PART_CALL,    /* the model asks for a function */
    PART_RESULT,  /* what the function gave */
    PART_MEDIA,   /* to be read, and then TEXT, before there is a prompt */
    PART_SOUND,   /* of an answer: what it says, spoken */
    PART_GROUNDS, /* of an answer: what its last words rest on; told when all is said */
};

/* Something to see, hear or read, and what it was found to be. */
struct part_media {
    const char *path;  /* where the request has it */
    const char *field; /* of that, the source; NULL: it is all of it */
    struct text uri; /* where the source's bytes are to be got; absent: they are there */
    struct media_source source;
    struct media_options options;
    bool has_options;             /* they were asked for */
    int n_most;                   /* tokens, for a model that sees; 0: its own */
    bool of_result;               /* of a function's response, which is right in front */
    bool gathered;                /* what the uri names is in `source` */
    bool shown;                   /* the model itself looks at it */
    struct media_reading reading; /* once the part is TEXT */
    int n_tokens;                 /* of the reading */
};

struct part {
    enum part_kind kind;
    struct text text;         /* TEXT, THOUGHT; SOUND: 16 bits a sample, SPEECH_RATE */
    struct text id;           /* CALL, RESULT; absent when the client gave none */
    struct text name;         /* CALL, RESULT: the function */
    struct part_media *media; /* MEDIA; TEXT that was MEDIA; else NULL */
    struct text json; /* CALL: arguments; RESULT: response; an object, compact JSON */
    bool piece;       /* CALL: `json` is a piece of it, as it is written; the first has
                       * none. The whole call comes when it is there */
    bool told;        /* a whole CALL: in pieces before */
    const struct tool *tool; /* CALL, RESULT under way: the server's own; else NULL */
    bool of_server;          /* the same of the past */
    struct text server;      /* of the past: the MCP server whose tool it was */
    const struct tool_result *result; /* RESULT that the tool has just given; else NULL */
    const struct grounding *grounding; /* GROUNDS (api/grounding.h) */
};

/* Whether the model may, must or must not call functions. VALIDATED is AUTO: calls are
 * always held to their schemas. */
enum calling { CALLING_AUTO, CALLING_ANY, CALLING_NONE, CALLING_VALIDATED };

/* What the answer must be, thoughts and calls aside. */
enum answer_kind { ANSWER_TEXT, ANSWER_JSON, ANSWER_CHOICE };

struct shape {
    enum answer_kind kind;
    struct text schema;   /* JSON: the JSON Schema, as chat/shape.c made it; absent: any
                             value */
    struct text *choices; /* CHOICE: the answer is one of these, bare */
    int n_choices;
};

struct thinking {
    bool on;
    int budget; /* tokens; -1: as many as the model wants */
};

/* How the answer is to be spoken. */
struct speaker {
    const char *name;
    const struct speech_voice *voice;
};

enum { SPEAKERS = 2 };

struct speaking {
    bool on; /* else it is text */
    const struct speech_voice *voice;
    const char *language; /* espeak-ng's name; NULL: what the text is in */
    struct speaker speakers[SPEAKERS];
    int n_speakers; /* 0: one voice says all */
};

struct turn_of {
    enum role role;
    struct part *parts;
    int n_parts;
};

struct function {
    struct text name, description;
    struct text parameters;  /* JSON Schema as chat/shape.c made it; absent: takes none */
    bool barred;             /* shown to the model, but not to be called now */
    const struct tool *tool; /* who runs it here; NULL: the client does */
    const void *settings;    /* the tool's, of this request */
    const char *path;        /* of a tool: where the request names it */
};

struct chat {
    struct text model;  /* the name that the caller asked for */
    struct text system; /* absent: none */
    struct turn_of *turns;
    struct function *functions;
    int n_turns, n_functions;
    /* Names that may be called, while there are tools that must be opened to know them
     * (tools/tool.h); none: what functions[].barred says. */
    const struct text *callable;
    int n_callable;
    enum calling calling;
    struct shape shape;
    struct thinking thinking;
    struct safety safety;
    struct speaking speaking;
    struct sampling sampling;
    struct text *stops;
    struct adapter *adapter; /* of a tuned model; NULL: the model as it is. Not held */
    int n_stops, n_candidates;
    int max_tokens; /* 0: as many as fit */
    /* What a cache brought stands before what was asked; errors count from behind it. */
    int kept_turns, kept_tools, n_rows;
    struct saved_rows *const *rows; /* that the prompt may begin with; not owned */
    bool kept;                      /* there is such */
    bool streamed;                  /* the reader wants it as it is said */
    bool call_pieces;               /* and its calls, where their pieces can be trusted */
};

#endif
