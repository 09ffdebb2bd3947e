/* attach.h - what a file that a request names becomes in the chat.
 *
 * Text (text/..., JSON, XML, YAML) becomes a text part, decoded by its charset. Other
 * types are refused. Reads the disk: not on the loop's thread. */
#ifndef POLLUX_API_ATTACH_H
#define POLLUX_API_ATTACH_H

#include "api/message.h"
#include "files/files.h"

/* `path` is the part's, for errors: contents[0].parts[1].file_data. */
bool attach_file(struct files *files, const struct wire_file_data *data, const char *path,
                 struct arena *arena, struct text *text, struct error *err);

#endif
