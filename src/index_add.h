/* index_add.h - what `pollux index add` is told: files, folders of them, and addresses.
 *
 * Each becomes documents with a name, the address that they are known by for good, and
 * bytes. Nothing here puts them in (index_command.h). */
#ifndef POLLUX_INDEX_ADD_H
#define POLLUX_INDEX_ADD_H

#include "base/arena.h"
#include "base/error.h"

struct source {
    struct text name;  /* for people: a file's name, a page's title */
    struct text uri;   /* "file:///home/me/notes.md", "https://example.com/page" */
    const char *type;  /* "text/html" */
    struct text bytes; /* in the arena */
};

/* What stands behind the last slash. */
struct text source_base(struct text path);

/* The address that a word of the command line means: a URL is its own. */
struct text source_uri(const char *word, struct arena *arena);

/* Fetches a URL or reads a file. The owner asks: the host that is named may be anywhere,
 * others that it redirects to are on the public network. Waits. */
bool source_read(const char *word, struct arena *arena, struct source *source,
                 struct error *err);

/* Whether it is a folder; then all files below it, in order, without hidden ones and
 * links, as paths that end with NULL. False and err->code: it cannot be listed. */
bool source_is_folder(const char *word);
bool source_list(const char *folder, struct arena *arena, const char ***paths, int *n,
                 struct error *err);

#endif
