/* search.h - the tool google_search: queries of the model's, answered by whom the owner
 * chose (provider.h).
 *
 * The model writes queries; the passages that are found are told to it numbered, each
 * with its title and address, and are what the answer is found to rest on in the end. */
#ifndef POLLUX_TOOLS_SEARCH_H
#define POLLUX_TOOLS_SEARCH_H

#include "base/buf.h"
#include "tools/provider.h"

struct search_tool;

#define SEARCH_NAME "google_search"

/* The provider stays the caller's. */
struct search_tool *search_open(const struct provider *provider);
void search_close(struct search_tool *search); /* NULL is fine */

const struct tool *search_tool(const struct search_tool *search);

/* HTML that shows the queries and runs nothing: an interaction's search_suggestions, and
 * searchEntryPoint.renderedContent. */
void search_suggestions(const struct text *queries, int n, struct buf *html);

#endif
