/* output.h - tokens' bytes to text that is safe to show.
 *
 * A token may end in the middle of a character, be none at all, or begin a stop sequence.
 * What could still turn out to be either is held back; the rest comes out at once. Where
 * the bytes are cut into pieces makes no difference to what comes out in the end.
 *
 * Of several stop sequences the one that is complete first ends the answer. */
#ifndef POLLUX_ENGINE_OUTPUT_H
#define POLLUX_ENGINE_OUTPUT_H

#include "base/buf.h"

struct output;

struct output *output_open(const struct text *stops, int n_stops); /* copies them */
void output_close(struct output *output);

/* Feeds a token's bytes and appends to `out` what is safe now. True: a stop sequence is
 * complete; all before it has come out, and nothing more may be fed. */
bool output_feed(struct output *output, struct text piece, struct buf *out);

/* The answer is over without a stop sequence: what was held back comes out. */
void output_end(struct output *output, struct buf *out);

#endif
