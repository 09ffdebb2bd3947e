/* grounding.h - what an answer rests on, as both dialects write it: groundingMetadata of
 * a candidate, and the annotations of an interaction's text.
 *
 * Made of passages (index/index.h) and of citations (index/cite.h), by whatever runs the
 * tools. Indices are bytes. Pure functions; any thread. */
#ifndef POLLUX_API_GROUNDING_H
#define POLLUX_API_GROUNDING_H

#include "index/cite.h"
#include "json/write.h"

enum grounding_kind {
    GROUNDING_WEB,   /* google_search: chunks are web{uri,title} */
    GROUNDING_STORE, /* file_search: chunks are retrievedContext */
};

struct grounding {
    enum grounding_kind kind;
    const struct text *queries;
    int n_queries;
    const struct passage *passages;
    int n_passages;
    struct text answer; /* the text that citations index */
    int part;           /* of the content, that it is */
    const struct citation *citations;
    int n_citations;
};

/* The value of "groundingMetadata": groundingChunks, groundingSupports, webSearchQueries
 * and, of GROUNDING_WEB, searchEntryPoint. */
void grounding_write(struct json_writer *w, const struct grounding *grounding);

/* searchEntryPoint.renderedContent, and an interaction's search_suggestions: HTML that
 * shows the queries and runs nothing. */
void grounding_entry_point(const struct text *queries, int n, struct buf *html);

/* The value of "annotations" of a text of an interaction: url_citation for GROUNDING_WEB,
 * file_citation for GROUNDING_STORE; one for each source of each sentence. */
void grounding_annotations(struct json_writer *w, const struct grounding *grounding);

#endif
