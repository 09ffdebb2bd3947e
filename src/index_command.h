/* index_command.h - `pollux index`: documents of the owner's own, in the store "local".
 */
#ifndef POLLUX_INDEX_COMMAND_H
#define POLLUX_INDEX_COMMAND_H

int index_command(int argc, char **argv);

/* ---- where the documents are: index_place.c ---- */

#include "api/file_message.h"
#include "api/search_message.h"

struct place;

struct place_options {
    const char *base_url, *api_key, *data_dir, *models_dir, *embedding_model, *script;
};

/* The data folder itself, when no server has it; otherwise that server, by its API. The
 * folder's lock decides, so that no document is put where the server does not look. NULL
 * and err. */
struct place *place_open(const struct place_options *options, struct error *err);
void place_close(struct place *place); /* NULL is fine */

/* Puts a file's bytes in and waits until it can be searched. `uri` is where it lies. */
bool place_add(struct place *place, struct text bytes, struct text name, struct text uri,
               const char *type, struct arena *arena, struct error *err);
bool place_list(struct place *place, struct arena *arena, struct wire_document **list,
                size_t *n, struct error *err);
/* By "fileSearchStores/local/documents/ID". */
bool place_remove(struct place *place, struct text name, struct error *err);
bool place_search(struct place *place, struct text query, int top, struct text filter,
                  struct arena *arena, struct wire_search_answer *answer,
                  struct error *err);

#endif
