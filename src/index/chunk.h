/* chunk.h - cuts a text into overlapping passages.
 *
 * A passage has at most so many words, and ends at the end of a sentence or a paragraph
 * where there is one in its last third. A word is what stands between white space, as
 * chunkingConfig's whiteSpaceConfig counts; scripts without spaces count each character
 * above U+2E7F, and a run without spaces counts one word for each WORD_MOST bytes, so
 * that no passage is longer than what an index can use. Cuts are on characters. */
#ifndef POLLUX_INDEX_CHUNK_H
#define POLLUX_INDEX_CHUNK_H

#include "base/arena.h"

enum { CHUNK_WORDS = 160, CHUNK_OVERLAP = 30, CHUNK_WORDS_MOST = 512, WORD_MOST = 64 };

struct chunking {
    int words;   /* of a passage, 1 to CHUNK_WORDS_MOST */
    int overlap; /* words that a passage repeats of the one before; fewer than `words` */
};

/* The passages of a text in UTF-8, in order, without white space round them: views into
 * it; the array is the arena's. A text of white space has none. */
struct text *chunk_cut(struct text text, struct chunking how, struct arena *arena,
                       size_t *n);

/* The sentences of a text, in the same way: what ends in . ! ? or their like before white
 * space, or in a line's end. */
struct text *chunk_sentences(struct text text, struct arena *arena, size_t *n);

#endif
