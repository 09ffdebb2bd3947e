/* pages.h - the tool url_context: pages and documents by their addresses.
 *
 * Those that the user names are read before the model says a word (tool.begin); it may
 * ask for others. They come through fetch/, which decides who may be asked, and are put
 * into words by media/ in its sandbox: HTML, PDF, text. What of a page does not fit into
 * what a model is told is left out. */
#ifndef POLLUX_TOOLS_PAGES_H
#define POLLUX_TOOLS_PAGES_H

#include "fetch/fetch.h"
#include "media/media.h"
#include "tools/tool.h"

struct pages_tool;

#define PAGES_NAME "url_context"

struct pages_config {
    bool off;                      /* nothing is fetched here */
    const struct fetcher *fetcher; /* not owned, as is the media */
    struct media *media;
    int64_t most;  /* bytes of all pages of a call */
    int timeout_s; /* of a page */
};

struct pages_tool *pages_open(const struct pages_config *config);
void pages_close(struct pages_tool *pages); /* NULL is fine */

const struct tool *pages_tool(const struct pages_tool *pages);

#endif
