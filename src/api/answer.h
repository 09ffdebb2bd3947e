/* answer.h - what the candidates of a turn said and was not written yet.
 *
 * Both forms of answer are made of it. A plain one collects everything and is written
 * once; a stream is written whenever it has something, and each chunk is a whole
 * GenerateContentResponse that holds what came since the last. Counts go on from chunk to
 * chunk. It knows nothing of HTTP. */
#ifndef POLLUX_API_ANSWER_H
#define POLLUX_API_ANSWER_H

#include "base/buf.h"
#include "chat/turn.h"
#include "json/schema.h"

struct answer;

struct answer_options {
    int n_candidates;
    struct text model;    /* modelVersion */
    struct text prompt;   /* calls have ids that no other answer to another prompt gives;
                           * must live as long */
    struct safety safety; /* what was asked for */
    const int *n_media;   /* tokens of the prompt by enum wire_modality, those of TEXT
                           * aside; NULL: it is all text */
    const int *n_kept; /* likewise of a cache that the prompt begins with; NULL: none */
    int n_kept_tokens; /* of all of that cache */
    bool thoughts;     /* they are shown, not only counted */
    bool streamed;
    bool aloud;      /* it is spoken: what is counted is its sound */
    bool holds_back; /* the last character of a text, or a call that comes last, stays
                      * until there is more, or the end */
};

/* The answer and what it holds die with the arena. */
struct answer *answer_open(struct arena *arena, const struct answer_options *options);

/* usageMetadata's promptTokensDetails, into room for WIRE_MODALITIES. */
struct wire_modality_count;
struct json_list answer_modalities(const int *n_media, int n_prompt,
                                   struct wire_modality_count *counts);

/* Takes a part, a candidate's end, the counts. The event is copied. */
void answer_add(struct answer *answer, const struct turn_event *event);

/* Whether the candidate has said something, or ended, since it was last written. */
bool answer_has(const struct answer *answer, int candidate);

/* Nothing stays back any more: the stream breaks off. */
void answer_release(struct answer *answer);

/* Appends the answer with candidates [from, to) and forgets what they said. A blocked
 * prompt has none, whatever was asked for. */
void answer_write(struct answer *answer, int from, int to, bool pretty, struct buf *out);

/* For the log. */
struct answer_facts {
    struct text id;                   /* responseId */
    int n_prompt, n_cached, n_output; /* tokens; of all candidates, thoughts included */
    int64_t queued_us, prefill_us, decode_us; /* of the candidate that ended last */
    const char *end; /* finishReason of the candidate that ended last */
};
struct answer_facts answer_facts(const struct answer *answer);

#endif
