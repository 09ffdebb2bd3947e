/* answer_inside.h - an answer, for answer.c (what is said goes in) and answer_write.c (it
 * goes out, as messages). Private to these two. */
#ifndef POLLUX_API_ANSWER_INSIDE_H
#define POLLUX_API_ANSWER_INSIDE_H

#include "api/answer.h"
#include "api/message.h"

/* What an answer that is not streamed has parts for: groundingMetadata counts them. */
enum piece { PIECE_NONE, PIECE_TEXT, PIECE_THOUGHT, PIECE_OTHER };

struct voice {
    struct arena *arena; /* NULL: nothing said */
    struct wire_part *parts;
    size_t n_parts, room_parts;
    struct buf text, sound;      /* of the last part, while it is open, or sounds */
    struct wire_logprob *chosen; /* one per token */
    struct wire_top_logprobs *top;
    size_t n_steps, room_steps;
    struct part *last_call; /* held back: not among the parts yet; NULL: none */

    /* of the whole turn */
    size_t n_sound;        /* bytes */
    struct text tool_id;   /* of the last call of a tool; in the answer's arena */
    struct buf pages;      /* that tools read: members of urlMetadata */
    struct text grounding; /* JSON, in the answer's arena; absent: none */
    uint64_t thought;      /* fingerprint of what was thought */
    double sum_logprobs;
    struct verdict verdict; /* known with `finish` */
    struct wire_rating ratings[N_HARMS];
    int n_output, n_thought, n_calls, n_pieces, n_logprobs;
    enum piece last; /* what was said last */
    int finish;      /* enum wire_finish; 0: goes on */
    bool open;       /* the last part's text is not complete yet */
    bool sounds;     /* nor is its sound */
    bool unsigned_thought, end_written;
};

struct answer {
    struct arena *arena;
    struct answer_options options;
    struct text id;
    uint64_t prompt; /* its fingerprint; 0: not made yet */
    int n_prompt, n_cached, n_tools;
    int64_t queued_us, prefill_us, decode_us;
    bool released;
    int block;              /* enum wire_block; 0: the prompt was not blocked */
    struct verdict verdict; /* of the prompt */
    bool feedback_written;
    int end; /* enum wire_finish of the candidate that ended last */
    struct voice voices[];
};

/* Parts of what a candidate says now; its arena must be there. */
struct wire_part *answer_new_part(struct voice *v);
void answer_add_text(struct voice *v, struct text text, bool thought);
void answer_end_text(struct voice *v); /* what comes next is another part */

/* How many bytes of the text under way stay back: its last character. */
size_t answer_held_back(const struct answer *answer, const struct voice *v);

/* Forgets what was said; not the counts. */
void answer_clear(struct voice *v);

#endif
