/* family.h - how families of models write calls and thoughts.
 *
 * One row for each: how it is recognised, the marks it was trained to write, and the
 * words that show it what its own template does not show. prompt.c shows tools by it,
 * grammar.c holds the answer to it, reply.c reads the answer by it; none of them knows a
 * family by name. */
#ifndef POLLUX_CHAT_FAMILY_H
#define POLLUX_CHAT_FAMILY_H

#include "base/buf.h"
#include "engine/engine.h"
#include "tools/tool.h"

enum { FAMILY_SIGNS = 3 };

/* How the calls of a block are to be read, however they were spaced. */
enum call_form {
    FORM_JSON, /* objects with a name and arguments, or an array of them */
    FORM_NAMED /* a name between two marks, then the arguments */
};

struct family_question {
    const char *words; /* asks for Yes or No */
    double yes_from;   /* a Yes from this probability on */
};

/* Calls are written in blocks. A block is
 *     mark lead CALL (more CALL)* trail end_mark
 * a call is
 *     before NAME between ARGUMENTS after
 * and blocks follow each other with `next` between them. */
struct family {
    const char *name;
    /* It is the family when all of these are in the template's text, and the model's name
     * begins with `model`, if there is one. The first row that fits counts. */
    const char *model;
    const char *signs[FAMILY_SIGNS];

    const char *think, *end_think;

    const char *mark, *end_mark;     /* mark "": a block begins with its call */
    const char *lead, *more, *trail; /* more NULL: one call in a block */
    const char *next;                /* NULL: one block in an answer */
    const char *before, *between, *after;
    const char *tag; /* may stand in front of a block without a mark */

    /* Whether to call is asked in a chat of its own: for a first request, and for one
     * that goes on from another; the words are the system instruction, and the function
     * is shown. Without words the model decides as it answers. About a built-in tool of a
     * use that has words here these are asked instead, behind what the user said. */
    struct family_question ask, ask_again, ask_use[TOOL_USES];

    /* What the template itself says where no system instruction is given; lost behind
     * words of ours unless they repeat it. May be NULL. */
    const char *system;

    /* Words for tools: tools_lead, one JSON object a line or signatures, tools_trail, in
     * which %s, if it is there, is an example call. Results come as a message of the
     * user, each between two marks. */
    const char *tools_lead, *tools_trail;
    const char *result, *end_result;

    enum call_form form;
    int id_len;        /* calls have ids of this many letters; 0: of any kind */
    bool native;       /* what the template does with tools, calls and results is right;
                        * else all three are put into words here */
    bool signatures;   /* tools are better shown by words of ours, as signature.h does */
    bool narrates;     /* calls of the past are told to it as part of the user's words */
    bool null_content; /* a message of calls alone has no content at all */
    bool as_is; /* the scripted engine: nothing is added to its prompt, no grammar */
};

const struct family *family_of(const struct engine_info *info);

/* Whether the model was trained to think before it answers. */
bool family_thinks(const struct family *family, const struct engine_info *info);

/* What a call without a mark begins with. */
char family_begins(const struct family *family);

struct family_call {
    struct text name, args;
};

/* JSON with a space behind commas and colons, as models have mostly seen it. */
void family_write_json(struct text json, struct buf *out);

/* The calls as the family writes them. */
void family_write_calls(const struct family *family, const struct family_call *calls,
                        int n, struct buf *out);

#endif
