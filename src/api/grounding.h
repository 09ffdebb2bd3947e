/* grounding.h - what an answer rests on, as both dialects write it: groundingMetadata of
 * a candidate, and the annotations of an interaction's text.
 *
 * Made of passages (index/index.h) and of citations (index/cite.h), by whatever runs the
 * tools. Indices are bytes. Pure functions; any thread. */
#ifndef POLLUX_API_GROUNDING_H
#define POLLUX_API_GROUNDING_H

#include "index/cite.h"
#include "tools/tool.h"
#include "json/write.h"

struct grounding {
    const struct text *queries; /* to the web */
    int n_queries;
    const struct passage
        *passages; /* with a store: retrievedContext; else web{uri,title} */
    int n_passages;
    struct text answer; /* the text that citations index */
    int part;           /* of the content, that it is */
    const struct citation *citations;
    int n_citations;
};

/* toolbox.ground(). Passages that say the same, and pages of the web that are one, are
 * counted once. */
const struct grounding *grounding_find(const struct toolbox *box, struct text words,
                                       const struct tool_sources *const *sources, int n,
                                       struct arena *arena);

/* The value of "groundingMetadata": groundingChunks, groundingSupports and, with queries,
 * webSearchQueries and searchEntryPoint. */
void grounding_write(struct json_writer *w, const struct grounding *grounding);

/* The value of "annotations" of a text of an interaction: url_citation, for stores
 * file_citation; one for each source of each sentence. */
void grounding_annotations(struct json_writer *w, const struct grounding *grounding);

#endif
