/* file_search.h - the tool file_search: passages of the caller's documents.
 *
 * A request names stores (index/index.h), and may filter documents and say how many
 * passages it wants. The stores are looked for before there is a prompt, so that a name
 * which is none is an error and not an answer. The model writes a query; what is found is
 * told to it passage by passage, and to the client as what the answer rests on. Passages
 * that do not fit into what a model is told are left out of both. */
#ifndef POLLUX_TOOLS_FILE_SEARCH_H
#define POLLUX_TOOLS_FILE_SEARCH_H

#include "index/index.h"
#include "tools/tool.h"

#define FILE_SEARCH_NAME "file_search"

struct file_search;

/* The index stays the caller's; NULL: this server has none. */
struct file_search *file_search_open(struct index *index);
void file_search_close(struct file_search *search); /* NULL is fine */

const struct tool *file_search_tool(const struct file_search *search);

#endif
