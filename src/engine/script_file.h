/* script_file.h - the replies of a script, read from JSON.
 *
 * docs/script.md describes the file for its writers. What is read here is checked:
 * whatever script_read returns can be played. */
#ifndef POLLUX_ENGINE_SCRIPT_FILE_H
#define POLLUX_ENGINE_SCRIPT_FILE_H

#include "json/schema.h"
#include <regex.h>

/* Each pattern that is there must match. */
struct script_match {
    struct text model;                /* a glob over the name that the caller asked for */
    struct text prompt, prompt_regex; /* over what the user said last */
    struct text system;
    struct text result; /* over results of functions, when the prompt ends with them */

    regex_t *regex; /* prompt_regex, for the engine to compile */
};

/* What one candidate says. */
struct script_answer {
    struct text text, thought;
    struct json_list chunks; /* struct text */
    struct json_list calls;
    struct json_bool echo;
    int finish;                /* of script_finishes; 0: SCRIPT_STOP */
    struct json_list logprobs; /* double */

    struct text *pieces; /* made of these; an absent one is what the user said last */
    int n_pieces;
};

struct script_error {
    struct json_object *status;
    struct text message;
    struct json_int retry_ms, after_chunks;

    struct error is; /* made of these */
};

struct script_reply {
    struct script_match *match; /* NULL: any prompt */
    struct json_int times;
    struct json_int delay_ms, chunk_delay_ms, cached_tokens;
    struct script_answer answer;
    struct json_list candidates; /* struct script_answer */
    struct script_error *error;
    struct json_object *drop;
    int block; /* a row of script_blocks */

    int fault_after; /* pieces that come before error or drop */
    int n_used;      /* for the engine to count */
};

/* Of the vectors that embed_script.c makes. */
struct script_embeddings {
    struct json_int dimensions, context, delay_ms;
};

struct script {
    struct text model;
    struct script_embeddings *embeddings; /* NULL: as they are by default */
    struct json_int context, slots, queue;
    struct json_list replies;      /* struct script_reply */
    struct script_reply *fallback; /* "default"; NULL: none */
};

/* Finish reasons and block reasons by their names on the wire. */
enum { SCRIPT_STOP = 1, SCRIPT_MAX_TOKENS, SCRIPT_SAFETY };
extern const struct json_enum script_finishes[];
extern const struct json_enum script_blocks[];

/* NULL and err, "PATH:LINE: what is wrong" with the line where it can be told. What is
 * returned lies in the arena. */
struct script *script_read(struct text json, const char *path, struct arena *arena,
                           struct error *err);

/* The same from a file. `path` must live as long as the arena. */
struct script *script_from_file(const char *path, struct arena *arena, struct error *err);

#endif
