/* cite.h - which sentences of an answer which passages support.
 *
 * A small model cannot be made to cite: it is found out afterwards. The answer is cut
 * into sentences; each is compared with each passage by the cosine with the passage's
 * nearest sentence and by the share of its own words that the passage has, since either
 * alone is fooled: cosine by what is about the same thing and says another, words by what
 * is said in others. A sentence with a number that the passage does not have is supported
 * by half at most: numbers are what an invented sentence gets wrong.
 *
 * Indices are bytes of the answer's UTF-8, the end exclusive, as the API counts in
 * groundingSupports' segments and in annotations; they always fall on characters. */
#ifndef POLLUX_INDEX_CITE_H
#define POLLUX_INDEX_CITE_H

#include "index/index.h"

enum { CITE_SOURCES = 4 /* of a sentence, at most */, CITE_ANSWER_MOST = 1 << 20 };

struct citation {
    size_t from, to; /* bytes of the answer; not empty; in order, none overlaps */
    int n;
    int passages[CITE_SOURCES];      /* places in the list, best first */
    double confidence[CITE_SOURCES]; /* of each, 0 to 1 */
};

/* The sentences of `answer` that passages support, in the arena. With a NULL embedder
 * words alone decide; otherwise it waits for the embedder: any thread but the loop's and
 * the embedder's. An answer that is longer than CITE_ANSWER_MOST has no citations; nor
 * has what is not UTF-8. */
bool cite_find(struct text answer, const struct passage *passages, int n,
               struct embedder *embedder, struct arena *arena,
               struct citation **citations, int *n_citations, struct error *err);

#endif
