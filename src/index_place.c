/* index_place.c - the owner's documents, in the data folder or behind a server that has
 * it.
 *
 * Both ways end in the same rooms and give the same messages: the server's answers are
 * decoded by the tables that the folder's are made with. */
#include "base/log.h"
#include "cli/client.h"
#include "cli/command.h"
#include "files/upload.h"
#include "index_command.h"
#include "model/catalogue.h"
#include "json/write.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LOCAL "/v1beta/fileSearchStores/" INDEX_LOCAL
enum { ASK_MS = 100, LIMIT = 1 << 30, PAGES_MOST = 10000 };

struct place {
    struct arena *arena;
    struct client *client; /* or else */
    struct catalogue *catalogue;
    struct store *store;
    struct files *files;
    struct media *media;
    struct embedder *embedder;
    struct index *index;
};

/* ---- the folder ---- */

static bool find_model(struct place *place, const struct place_options *options,
                       struct embed_options *embed, struct error *err)
{
    struct model_file file = {0};
    struct text folder = models_folder(options->models_dir, place->arena);
    place->catalogue = catalogue_open(err);
    if (!place->catalogue)
        return false;
    if (!catalogue_resolve_embedder(place->catalogue, text_of(options->embedding_model),
                                    folder, place->arena, &file, err))
        return false;
    embed->name = arena_text(place->arena, file.name).at;
    embed->path = file.path.at;
    embed->remedy = arena_printf(place->arena, "run 'pollux pull %s'", embed->name).at;
    return true;
}

static bool open_embedder(struct place *place, const struct place_options *options,
                          struct error *err)
{
    struct embed_options embed = {.name = "scripted-embedding",
                                  .path = options->script,
                                  .script = options->script != NULL,
                                  .queue_limit = 16};
    if (!embed.script && !find_model(place, options, &embed, err))
        return false;
    place->embedder = embed_open(&embed, err);
    return place->embedder != NULL;
}

static bool open_media(struct place *place, struct error *err)
{
    struct buf folder = {0};
    (void)err;
    if (command_folder("XDG_CACHE_HOME", ".cache", &folder))
        buf_str(&folder, "/readers/current");
    const struct media_config config = {
        .folder = arena_text(place->arena, buf_view(&folder)).at,
        .mode = SANDBOX_REQUIRED,
        .deadline_s = 300,
    };
    buf_free(&folder);
    place->media = media_open(&config);
    return true;
}

static bool open_rooms(struct place *place, const struct place_options *options,
                       struct error *err)
{
    const struct files_options files = {.file_limit = LIMIT, .total_limit = INT64_MAX};
    place->files = files_open(place->store, &files, err);
    if (!place->files || !open_embedder(place, options, err) || !open_media(place, err))
        return false;
    const struct index_options index = {
        .embedder = place->embedder, .media = place->media, .total_limit = INT64_MAX};
    place->index = index_open(place->store, place->files, &index, err);
    return place->index != NULL;
}

static bool folder_of(const struct place_options *options, struct buf *path,
                      struct error *err)
{
    if (options->data_dir && *options->data_dir)
        buf_str(path, options->data_dir);
    else if (!command_folder("XDG_DATA_HOME", ".local/share", path))
        return error_set(err, ERROR_FAILED_PRECONDITION,
                         "HOME is not set: say where the data are with --data-dir");
    return command_make_folder(path->at) ||
           error_set(err, ERROR_FAILED_PRECONDITION, "cannot make the folder %s: %s",
                     path->at, strerrordesc_np(errno));
}

/* ---- opening ---- */

static bool open_server(struct place *place, const struct place_options *options,
                        struct error *err)
{
    place->client = client_open(options->base_url, options->api_key, NULL, err);
    return place->client != NULL;
}

/* Who names a server and no folder means the server, whatever lies in the usual folder.
 */
static bool names_server(const struct place_options *options)
{
    return !(options->data_dir && *options->data_dir) &&
           strcmp(options->base_url, COMMAND_BASE_URL) != 0;
}

struct place *place_open(const struct place_options *options, struct error *err)
{
    struct arena *arena = arena_open();
    struct place *place = arena_new(arena, struct place);
    struct buf path = {0};
    place->arena = arena;
    log_setup(LOG_ERROR, LOG_TEXT);
    bool named = names_server(options);
    bool good = named ? open_server(place, options, err) : folder_of(options, &path, err);
    if (good && !named)
        place->store = store_open(path.at, err);
    if (good && place->store)
        good = open_rooms(place, options, err);
    else if (good && !named) /* another process has it: its server is asked */
        good = err->code == ERROR_FAILED_PRECONDITION && open_server(place, options, err);
    buf_free(&path);
    if (good)
        return place;
    place_close(place);
    return NULL;
}

void place_close(struct place *place)
{
    if (!place)
        return;
    client_close(place->client);
    index_close(place->index);
    embed_close(place->embedder);
    media_close(place->media);
    files_close(place->files);
    store_close(place->store);
    catalogue_close(place->catalogue);
    arena_close(place->arena);
}

/* ---- asking the server ---- */

static bool ask(struct place *place, const struct client_request *request,
                const struct json_type *type, void *into, struct arena *arena,
                struct error *err)
{
    struct buf body = {0};
    enum client_end end = client_exchange(place->client, request, &body, err);
    struct text kept = arena_text(arena, buf_view(&body));
    buf_free(&body);
    return end == CLIENT_DONE && (!type || json_read(type, kept, into, arena, err));
}

static void rest(void)
{
    const struct timespec a_while = {0, ASK_MS * 1000000L};
    nanosleep(&a_while, NULL);
}

/* What both ways say of a document: {"customMetadata":[{"key":"uri",...}]}. */
static struct json_list metadata_of(struct text uri, struct arena *arena)
{
    struct metadata_entry *entry = arena_new(arena, struct metadata_entry);
    *entry = (struct metadata_entry){.key = TEXT("uri"), .string = uri};
    return (struct json_list){entry, 1};
}

static bool send_file(struct place *place, struct text bytes, struct text name,
                      const char *type, struct arena *arena, struct text *file,
                      struct error *err)
{
    struct wire_upload made = {0};
    const struct client_request request = {
        .method = "POST",
        .path = "/upload/v1beta/files",
        .body = bytes,
        .type = type,
        .headers =
            {"X-Goog-Upload-Protocol: raw",
             arena_printf(arena, "X-Goog-Upload-File-Name: %.*s", TEXT_ARG(name)).at},
    };
    if (!ask(place, &request, &wire_upload_type, &made, arena, err))
        return false;
    *file = made.file ? made.file->name : TEXT("");
    return true;
}

static bool check_end(const struct wire_import *operation, struct error *err)
{
    if (!operation->error)
        return true;
    return error_set(err, ERROR_INVALID_ARGUMENT, "%.*s",
                     TEXT_ARG(text_slice(operation->error->message, 0, 400)));
}

static bool add_to_server(struct place *place, struct text bytes, struct text name,
                          struct text uri, const char *type, struct arena *arena,
                          struct error *err)
{
    struct text file;
    struct buf body = {0};
    struct wire_import operation = {0};
    if (!send_file(place, bytes, name, type, arena, &file, err))
        return false;
    const struct wire_document_wish wish = {.file_name = file,
                                            .metadata = metadata_of(uri, arena)};
    json_encode(&wire_import_wish_type, &wish, false, &body);
    struct client_request request = {
        .method = "POST", .path = LOCAL ":importFile", .body = buf_view(&body)};
    bool good = ask(place, &request, &wire_import_type, &operation, arena, err);
    buf_free(&body);
    while (good && !operation.done.is) {
        rest();
        request = (struct client_request){
            .method = "GET",
            .path = arena_printf(arena, "/v1beta/%.*s", TEXT_ARG(operation.name)).at};
        good = ask(place, &request, &wire_import_type, &operation, arena, err);
    }
    return good && check_end(&operation, err);
}

/* ---- adding to the folder ---- */

static bool make_file(struct place *place, struct text bytes, struct text name,
                      const char *type, struct arena *arena, struct file *file,
                      struct error *err)
{
    const struct upload_wish wish = {
        .display_name = name, .mime_type = text_of(type), .size = (int64_t)bytes.len};
    struct upload *upload = upload_direct(place->files, err);
    bool good = upload && upload_set_wish(upload, &wish, err) &&
                upload_add(upload, bytes, err) && upload_finish(upload, arena, file, err);
    upload_leave(upload);
    return good;
}

static bool wait_for(struct place *place, struct index_document *document,
                     struct arena *arena, struct error *err)
{
    while (document->state == DOCUMENT_PENDING) {
        index_wait(place->index, 1000);
        if (!index_document_get(place->index, document->store, document->id, arena,
                                document, err))
            return false;
    }
    struct wire_import operation = wire_import_of(document, false, arena);
    return check_end(&operation, err);
}

static bool add_to_folder(struct place *place, struct text bytes, struct text name,
                          struct text uri, const char *type, struct arena *arena,
                          struct error *err)
{
    struct file file;
    struct index_wish wish;
    struct index_document document;
    const struct wire_document_wish said = {.metadata = metadata_of(uri, arena)};
    if (!make_file(place, bytes, name, type, arena, &file, err) ||
        !wire_wish_read(&said, arena, &wish, err))
        return false;
    struct text file_name = arena_printf(arena, "files/%.*s", TEXT_ARG(file.id));
    bool good = index_import(place->index, TEXT(INDEX_LOCAL), file_name, &wish, arena,
                             &document, err);
    files_delete(place->files, file.id, &(struct error){0}); /* the document has them */
    return good && wait_for(place, &document, arena, err);
}

bool place_add(struct place *place, struct text bytes, struct text name, struct text uri,
               const char *type, struct arena *arena, struct error *err)
{
    return (place->client ? add_to_server : add_to_folder)(place, bytes, name, uri, type,
                                                           arena, err);
}

/* ---- the list ---- */

static bool folder_page(struct place *place, struct text token, struct arena *arena,
                        struct wire_documents *page, struct error *err)
{
    struct index_document *list;
    int n = 0;
    if (!index_document_list(place->index, TEXT(INDEX_LOCAL), 100, token, arena, &list,
                             &n, &page->next_page, err))
        return false;
    struct wire_document *documents =
        arena_array(arena, struct wire_document, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        documents[i] = wire_document_of(&list[i], arena);
    page->documents = (struct json_list){documents, (size_t)n};
    return true;
}

static bool server_page(struct place *place, struct text token, struct arena *arena,
                        struct wire_documents *page, struct error *err)
{
    const struct client_request request = {
        .method = "GET",
        .path = arena_printf(arena, LOCAL "/documents?pageSize=20&pageToken=%.*s",
                             (int)token.len, token.len ? token.at : "")
                    .at};
    return ask(place, &request, &wire_documents_type, page, arena, err);
}

/* A store that is not there yet has no documents. */
bool place_list(struct place *place, struct arena *arena, struct wire_document **list,
                size_t *n, struct error *err)
{
    struct buf all = {0};
    struct text token = {0};
    bool good = true, more = true;
    for (int i = 0; good && more && i < PAGES_MOST; i++) {
        struct wire_documents page = {0};
        good =
            (place->client ? server_page : folder_page)(place, token, arena, &page, err);
        if (!good && err->code == ERROR_NOT_FOUND && i == 0)
            good = true;
        buf_add(&all, page.documents.at, page.documents.n * sizeof(struct wire_document));
        token = page.next_page;
        more = token.len > 0;
    }
    *n = all.len / sizeof(struct wire_document);
    *list = arena_array(arena, struct wire_document, *n + 1);
    if (all.len)
        memcpy(*list, all.at, all.len);
    buf_free(&all);
    return good;
}

/* ---- the rest ---- */

bool place_remove(struct place *place, struct text name, struct error *err)
{
    struct arena *arena = arena_open();
    struct text id =
        text_slice(name, strlen("fileSearchStores/" INDEX_LOCAL "/documents/"), name.len);
    const struct client_request request = {
        .method = "DELETE",
        .path = arena_printf(arena, "/v1beta/%.*s?force=true", TEXT_ARG(name)).at};
    bool good = place->client ? ask(place, &request, NULL, NULL, arena, err)
                              : index_document_delete(place->index, TEXT(INDEX_LOCAL), id,
                                                      true, err);
    arena_close(arena);
    return good;
}

static bool search_server(struct place *place, const struct wire_search *search,
                          struct arena *arena, struct wire_search_answer *answer,
                          struct error *err)
{
    struct buf body = {0};
    json_encode(&wire_search_type, search, false, &body);
    const struct client_request request = {
        .method = "POST", .path = LOCAL ":query", .body = buf_view(&body)};
    bool good = ask(place, &request, &wire_search_answer_type, answer, arena, err);
    buf_free(&body);
    return good;
}

static bool search_folder(struct place *place, const struct wire_search *search,
                          struct arena *arena, struct wire_search_answer *answer,
                          struct error *err)
{
    struct passage *found;
    int n;
    const struct text local = TEXT(INDEX_LOCAL);
    const struct index_query query = {.text = search->query,
                                      .stores = &local,
                                      .n_stores = 1,
                                      .filter = search->filter,
                                      .top = (int)search->top.is};
    if (!index_search(place->index, &query, arena, &found, &n, err))
        return false;
    struct wire_passage *passages =
        arena_array(arena, struct wire_passage, (size_t)n + 1);
    for (int i = 0; i < n; i++)
        passages[i] = wire_passage_of(&found[i], arena);
    answer->passages = (struct json_list){passages, (size_t)n};
    return true;
}

bool place_search(struct place *place, struct text query, int top, struct text filter,
                  struct arena *arena, struct wire_search_answer *answer,
                  struct error *err)
{
    const struct wire_search search = {query, filter, {true, top}};
    return (place->client ? search_server : search_folder)(place, &search, arena, answer,
                                                           err);
}
