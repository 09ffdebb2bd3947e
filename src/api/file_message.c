/* file_message.c - the tables of files' messages. */
#include "api/file_message.h"
#include "api/message.h"

/* clang-format off */

#define AT(type, member) offsetof(struct type, member)

static const struct json_enum states[] = {
    {"STATE_UNSPECIFIED", 0, NULL},
    {"PROCESSING",        FILE_PROCESSING, NULL},
    {"ACTIVE",            FILE_ACTIVE, NULL},
    {"FAILED",            FILE_FAILED, NULL},
    {0},
};

static const struct json_enum sources[] = {
    {"SOURCE_UNSPECIFIED", 0, NULL},
    {"UPLOADED",           FILE_UPLOADED, NULL},
    {"GENERATED",          FILE_GENERATED, NULL},
    {"REGISTERED",         3, NULL},
    {0},
};

static const struct json_field error_fields[] = {
    {"code",    JSON_INT,    AT(wire_file_error, code),    0, 0, 0, NULL, NULL},
    {"message", JSON_STRING, AT(wire_file_error, message), 0, 0, 0, NULL, NULL},
    {0},
};
static const struct json_type error_type = {
    "Status", sizeof(struct wire_file_error), error_fields, false};

static const struct json_field file_fields[] = {
    {"name",           JSON_STRING,    AT(wire_file, name),         0, 0, 0, NULL, "files/{id}; made up when absent"},
    {"displayName",    JSON_STRING,    AT(wire_file, display_name), 0, 0, 0, NULL, "at most 512 characters"},
    {"mimeType",       JSON_STRING,    AT(wire_file, mime_type),    0, 0, 0, NULL, NULL},
    {"sizeBytes",      JSON_INT64,     AT(wire_file, size),         0, 0, 9e15, NULL, "must be true when it is told"},
    {"createTime",     JSON_TIMESTAMP, AT(wire_file, created),      JSON_OUTPUT, 0, 0, NULL, NULL},
    {"updateTime",     JSON_TIMESTAMP, AT(wire_file, updated),      JSON_OUTPUT, 0, 0, NULL, NULL},
    {"expirationTime", JSON_TIMESTAMP, AT(wire_file, expires),      JSON_OUTPUT, 0, 0, NULL, "48 hours after it came"},
    {"sha256Hash",     JSON_BYTES,     AT(wire_file, hash),         JSON_OUTPUT, 0, 0, NULL, NULL},
    {"uri",            JSON_STRING,    AT(wire_file, uri),          JSON_OUTPUT, 0, 0, NULL, "for fileData.fileUri"},
    {"downloadUri",    JSON_STRING,    AT(wire_file, download_uri), JSON_OUTPUT, 0, 0, NULL, "of generated files"},
    {"state",          JSON_ENUM,      AT(wire_file, state),        JSON_OUTPUT, 0, 0, states, NULL},
    {"source",         JSON_ENUM,      AT(wire_file, source),       JSON_OUTPUT, 0, 0, sources, NULL},
    {"videoMetadata",  JSON_ANY,       0, JSON_IGNORED, 0, 0, NULL, "output only"},
    {"error",          JSON_MESSAGE,   AT(wire_file, error),        JSON_OUTPUT, 0, 0, &error_type, "why it FAILED"},
    {0},
};
const struct json_type wire_file_type = {
    "File", sizeof(struct wire_file), file_fields, false};

static const struct json_field files_fields[] = {
    {"files",         JSON_MESSAGE, AT(wire_files, files),     JSON_LIST, 0, 0, &wire_file_type, NULL},
    {"nextPageToken", JSON_STRING,  AT(wire_files, next_page), 0, 0, 0, NULL, NULL},
    {0},
};
const struct json_type wire_files_type = {
    "ListFilesResponse", sizeof(struct wire_files), files_fields, false};

static const struct json_field upload_fields[] = {
    {"file", JSON_MESSAGE, AT(wire_upload, file), 0, 0, 0, &wire_file_type, NULL},
    {0},
};
const struct json_type wire_upload_type = {
    "CreateFileRequest", sizeof(struct wire_upload), upload_fields, false};
/* clang-format on */

static struct wire_file_error *error_of(const struct file *file, struct arena *arena)
{
    if (file->state != FILE_FAILED)
        return NULL;
    struct wire_file_error *error = arena_new(arena, struct wire_file_error);
    *error = (struct wire_file_error){{true, ERROR_DATA_LOSS}, file->error};
    return error;
}

struct wire_file wire_file_of(const struct file *file, struct text base,
                              struct arena *arena)
{
    return (struct wire_file){
        .name = arena_printf(arena, "files/%.*s", TEXT_ARG(file->id)),
        .display_name = file->display_name,
        .mime_type = file->mime_type,
        .size = {true, file->size},
        .created = wire_time(file->created),
        .updated = wire_time(file->updated),
        .expires = wire_time(file->expires),
        .hash = file->hash,
        .uri = arena_printf(arena, "%.*s/v1beta/files/%.*s", TEXT_ARG(base),
                            TEXT_ARG(file->id)),
        .download_uri =
            file->source == FILE_GENERATED
                ? arena_printf(arena, "%.*s/v1beta/files/%.*s:download?alt=media",
                               TEXT_ARG(base), TEXT_ARG(file->id))
                : (struct text){0},
        .state = file->state,
        .source = file->source,
        .error = error_of(file, arena),
    };
}
