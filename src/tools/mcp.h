/* mcp.h - the tools of MCP servers elsewhere, called over streamable HTTP.
 *
 * A request names a server; it is asked for its tools before there is a prompt, each is a
 * tool like any other from there on (tool.h), and its calls go to the server:
 *
 *     accept()  name, url, headers, allowed_tools -> a wish
 *     open()    initialize, notifications/initialized, tools/list page by page -> tools
 *     run()     tools/call; a session that the server has forgotten is begun anew, once
 *     the end   DELETE of the session, by a worker, for nobody waits for it
 *
 * Each request has a session of its own: what a server remembers of one conversation no
 * other one sees. Everything goes through fetch/, which decides who may be asked. What a
 * server says is a stranger's: bodies, pages, tools, names, texts and pictures are
 * counted and limited, and a schema that is none only costs the grammar (api/tools.c).
 *
 * It speaks the revisions of the protocol from 2024-11-05 to 2025-11-25. It offers
 * nothing to servers: no sampling, roots or elicitation; a server's own stream of events
 * (GET) is not opened. */
#ifndef POLLUX_TOOLS_MCP_H
#define POLLUX_TOOLS_MCP_H

#include "fetch/fetch.h"
#include "tools/tool.h"

#define MCP_NAME "mcp_server"           /* as a request's tool */
#define MCP_TOOL_NAME "mcp_server_tool" /* of its steps: _call, _result */

enum {
    MCP_MOST_TOOLS = 128, /* of a server, that are shown */
    MCP_MOST_NAME = 128,  /* bytes of a tool's own name */
};

struct mcp;

/* The fetcher stays the caller's. */
struct mcp *mcp_open(const struct fetcher *fetcher);
void mcp_close(struct mcp *mcp); /* nobody may be using it; NULL is fine */

const struct tool *mcp_tool(const struct mcp *mcp);

/* Who ends sessions that are not needed any more. NULL: nobody, which is where it begins
 * and must end before the workers close. The loop's thread, as is the end of any arena
 * that a session is in. */
void mcp_attend(struct mcp *mcp, struct workers *workers);

#endif
