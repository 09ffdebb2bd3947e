/* file_message.h - the messages of files, as structs and tables; see message.h. */
#ifndef POLLUX_API_FILE_MESSAGE_H
#define POLLUX_API_FILE_MESSAGE_H

#include "files/files.h"
#include "json/schema.h"

struct wire_file_error {
    struct json_int code;
    struct text message;
};

struct wire_file {
    struct text name, display_name, mime_type;
    struct json_int size, created, updated, expires; /* the times in nanoseconds */
    struct text hash;                                /* the bytes of the sha256 */
    struct text uri, download_uri; /* the latter of generated files only */
    int state, source;
    struct wire_file_error *error;
};

struct wire_files {
    struct json_list files; /* struct wire_file */
    struct text next_page;
};

/* What a start says, and what the last piece is answered. */
struct wire_upload {
    struct wire_file *file;
};

extern const struct json_type wire_file_type, wire_files_type, wire_upload_type;

/* `base` is the URL of this server as the client knows it. */
struct wire_file wire_file_of(const struct file *file, struct text base,
                              struct arena *arena);

#endif
