/* catalogue.h - which models there are, and which of them lie on this machine.
 *
 * The catalogue (models/catalogue.json) is built into the binary, as is the script that
 * fetches its models. A models folder may hold any *.gguf; one that the catalogue does
 * not know is served under its file name, without recommended settings. The catalogue
 * knows nothing of libllama and reads no model: a file that is there with the right size
 * is taken for the right one, since scripts/pull.py renames only verified files into
 * place.
 *
 * A catalogue does not change once open; any thread may read it. What it points to lives
 * until catalogue_close(). Answers that come from looking at the disk live in the
 * caller's arena. */
#ifndef POLLUX_MODEL_CATALOGUE_H
#define POLLUX_MODEL_CATALOGUE_H

#include "base/arena.h"
#include "base/error.h"
#include <stdint.h>

struct catalogue;

/* What the model's makers recommend when a request says nothing. */
struct model_defaults {
    double temperature;
    double top_p;
    int top_k;
};

enum model_kind { MODEL_WRITES, MODEL_EMBEDS };

struct model_entry {
    enum model_kind kind;
    struct text name; /* "qwen2.5-coder-1.5b-instruct" */
    const struct text *aliases;
    int n_aliases;
    struct text display_name;
    struct text description;
    struct text license; /* "apache-2.0" */
    struct text family;  /* row of the table of model families, "qwen2.5" */
    int context;         /* tokens the model was trained for */
    struct text file;    /* its name in a models folder */
    int64_t bytes;
    struct text sha256;
    struct model_defaults defaults; /* of one that writes */
    int dimensions;                 /* of one that embeds: numbers of a vector */
    bool is_default;                /* what a person gets who names no model */
    struct text json;               /* the whole entry, as scripts/pull.py takes it */
};

/* A model that lies on this machine. */
struct model_file {
    struct text name; /* the entry's, or the file's without .gguf, in small letters */
    struct text path;
    int64_t bytes;
    const struct model_entry *entry; /* NULL: not in the catalogue */
};

struct catalogue *catalogue_open(struct error *err);
void catalogue_close(struct catalogue *catalogue); /* NULL is fine */

int catalogue_count(const struct catalogue *catalogue);
const struct model_entry *catalogue_at(const struct catalogue *catalogue, int i);
const struct model_entry *catalogue_default(const struct catalogue *catalogue);

/* By name or alias, in letters of any case; NULL when there is none. */
const struct model_entry *catalogue_find(const struct catalogue *catalogue,
                                         struct text name);

/* `asked` if it is not NULL or "", else $XDG_CACHE_HOME/pollux/models. */
struct text models_folder(const char *asked, struct arena *arena);

/* Where a model of the catalogue lies; absent when it is not installed in this folder. */
struct text catalogue_installed(const struct model_entry *entry, struct text folder,
                                struct arena *arena);

/* Every *.gguf of the folder, by name. A folder that is not there holds none. A file of
 * the catalogue with the wrong size is not listed. Returns the count. */
int catalogue_list(const struct catalogue *catalogue, struct text folder,
                   struct arena *arena, struct model_file **files);

/* The installed model that `name` means: a catalogue name or alias, a file's name in the
 * folder with or without .gguf, or a path to a GGUF; absent or "" is the default model.
 * NOT_FOUND says what to do: pull it, or which models there are. */
bool catalogue_resolve(const struct catalogue *catalogue, struct text name,
                       struct text folder, struct arena *arena, struct model_file *file,
                       struct error *err);

/* The same of the model that makes embeddings, whose default is another one, and may be
 * missing: then `path` is where it would be. */
bool catalogue_resolve_embedder(const struct catalogue *catalogue, struct text name,
                                struct text folder, struct arena *arena,
                                struct model_file *file, struct error *err);

/* Where a model of the catalogue is or would be. */
struct text catalogue_place(const struct model_entry *entry, struct text folder,
                            struct arena *arena);

/* scripts/pull.py behind what it converts with, for python3's standard input. */
struct text catalogue_pull_script(void);

#endif
