/* files.h - files.*: get, list, delete, download; what the older client must discover. */
#ifndef POLLUX_API_FILES_H
#define POLLUX_API_FILES_H

#include "api/api.h"
#include "api/file_message.h"

void files_route_get(struct call *call);
void files_route_list(struct call *call);
void files_route_delete(struct call *call);
void files_route_download(struct call *call);
void files_route_register(struct call *call);
void files_route_discovery(struct call *call);

/* "https://host/prefix": this server as the client named it, by Host or by what a proxy
 * forwards. False when the client named none. */
bool files_base(const struct call *call, struct text *base, struct error *err);

/* "files/abc", "abc" and, as the documentation's shell sample has it, "\"files/abc\"". */
struct text files_plain_id(struct text name);

#endif
