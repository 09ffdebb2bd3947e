/* type.c - the table of types, and how each begins. */
#include "media/type.h"
#include <stdint.h>

/* clang-format off */
static const struct media_type types[] = {
    {"text/plain",       NULL,                                        MEDIA_TEXT,     READ_TEXT},
    {"text/html",        "application/xhtml+xml",                     MEDIA_TEXT,     READ_HTML},
    {"application/json", "application/x-ndjson application/jsonl",    MEDIA_TEXT,     READ_TEXT},
    {"application/xml",  "application/yaml application/x-yaml",       MEDIA_TEXT,     READ_TEXT},
    {"application/javascript", "application/x-javascript application/typescript application/x-typescript "
                               "application/x-python application/x-python-code application/x-sh "
                               "application/sql",                     MEDIA_TEXT,     READ_TEXT},
    {"application/pdf",  "application/x-pdf",                         MEDIA_DOCUMENT, READ_PDF},
    {"image/png",        "image/x-png image/apng",                    MEDIA_IMAGE,    READ_IMAGE},
    {"image/jpeg",       "image/jpg image/pjpeg",                     MEDIA_IMAGE,    READ_IMAGE},
    {"image/webp",       NULL,                                        MEDIA_IMAGE,    READ_IMAGE},
    {"image/gif",        NULL,                                        MEDIA_IMAGE,    READ_IMAGE},
    {"image/bmp",        "image/x-bmp image/x-ms-bmp",                MEDIA_IMAGE,    READ_IMAGE},
    {"image/heic",       "image/heif image/heic-sequence",            MEDIA_IMAGE,    READ_IMAGE},
    {"image/tiff",       "image/tif image/x-tiff",                    MEDIA_IMAGE,    READ_IMAGE},
    {"audio/wav",        "audio/x-wav audio/wave audio/vnd.wave",     MEDIA_AUDIO,    READ_SOUND},
    {"audio/mpeg",       "audio/mp3 audio/mpga audio/x-mp3 audio/mpeg3", MEDIA_AUDIO, READ_SOUND},
    {"audio/aac",        "audio/x-aac audio/aacp",                    MEDIA_AUDIO,    READ_SOUND},
    {"audio/ogg",        "audio/opus audio/vorbis application/ogg",   MEDIA_AUDIO,    READ_SOUND},
    {"audio/flac",       "audio/x-flac",                              MEDIA_AUDIO,    READ_SOUND},
    {"audio/aiff",       "audio/x-aiff",                              MEDIA_AUDIO,    READ_SOUND},
    {"audio/mp4",        "audio/m4a audio/x-m4a",                     MEDIA_AUDIO,    READ_SOUND},
    {"audio/webm",       NULL,                                        MEDIA_AUDIO,    READ_SOUND},
    {"video/mp4",        "video/x-m4v video/3gpp",                    MEDIA_VIDEO,    READ_VIDEO},
    {"video/quicktime",  "video/mov",                                 MEDIA_VIDEO,    READ_VIDEO},
    {"video/webm",       "video/x-matroska",                          MEDIA_VIDEO,    READ_VIDEO},
    {"video/avi",        "video/x-msvideo video/msvideo video/vnd.avi", MEDIA_VIDEO,  READ_VIDEO},
    {"video/mpeg",       "video/mpg video/mpegps video/x-mpeg",       MEDIA_VIDEO,    READ_VIDEO},
    {"video/wmv",        "video/x-ms-wmv video/x-ms-asf",             MEDIA_VIDEO,    READ_VIDEO},
    {"video/x-flv",      "video/flv",                                 MEDIA_VIDEO,    READ_VIDEO},
    {0},
};

/* How they begin. A later row counts only where no earlier one fits. */
static const struct {
    const char *type;
    struct text bytes, bytes2; /* both must be there; bytes2 absent: one is enough */
    unsigned offset, offset2;
} beginnings[] = {
    {"application/pdf", {"%PDF-", 5}, {0}, 0, 0},
    {"image/png",       {"\x89PNG\r\n\x1a\n", 8}, {0}, 0, 0},
    {"image/jpeg",      {"\xff\xd8\xff", 3}, {0}, 0, 0},
    {"image/gif",       {"GIF87a", 6}, {0}, 0, 0},
    {"image/gif",       {"GIF89a", 6}, {0}, 0, 0},
    {"image/webp",      {"RIFF", 4}, {"WEBP", 4}, 0, 8},
    {"audio/wav",       {"RIFF", 4}, {"WAVE", 4}, 0, 8},
    {"audio/wav",       {"RF64", 4}, {"WAVE", 4}, 0, 8},
    {"video/avi",       {"RIFF", 4}, {"AVI ", 4}, 0, 8},
    {"audio/aiff",      {"FORM", 4}, {"AIF", 3}, 0, 8},
    {"image/tiff",      {"II*\0", 4}, {0}, 0, 0},
    {"image/tiff",      {"MM\0*", 4}, {0}, 0, 0},
    {"video/mpeg",      {"\0\0\1\xba", 4}, {0}, 0, 0},
    {"video/wmv",       {"\x30\x26\xb2\x75\x8e\x66\xcf\x11", 8}, {0}, 0, 0},
    {"video/x-flv",     {"FLV\1", 4}, {0}, 0, 0},
    {"image/heic",      {"ftyp", 4}, {"hei", 3}, 4, 8},
    {"image/heic",      {"ftyp", 4}, {"hev", 3}, 4, 8},
    {"image/heic",      {"ftyp", 4}, {"mif1", 4}, 4, 8},
    {"image/heic",      {"ftyp", 4}, {"msf1", 4}, 4, 8},
    {"audio/mp4",       {"ftyp", 4}, {"M4A", 3}, 4, 8},
    {"video/quicktime", {"ftyp", 4}, {"qt  ", 4}, 4, 8},
    {"video/mp4",       {"ftyp", 4}, {0}, 4, 0},
    {"video/quicktime", {"moov", 4}, {0}, 4, 0},
    {"video/quicktime", {"mdat", 4}, {0}, 4, 0},
    {"video/webm",      {"\x1a\x45\xdf\xa3", 4}, {0}, 0, 0},
    {"audio/ogg",       {"OggS", 4}, {0}, 0, 0},
    {"audio/flac",      {"fLaC", 4}, {0}, 0, 0},
    {"audio/mpeg",      {"ID3", 3}, {0}, 0, 0},
    {"audio/aac",       {"\xff\xf1", 2}, {0}, 0, 0},
    {"audio/aac",       {"\xff\xf9", 2}, {0}, 0, 0},
    {"audio/mpeg",      {"\xff\xfb", 2}, {0}, 0, 0},
    {"audio/mpeg",      {"\xff\xfa", 2}, {0}, 0, 0},
    {"audio/mpeg",      {"\xff\xf3", 2}, {0}, 0, 0},
    {"audio/mpeg",      {"\xff\xf2", 2}, {0}, 0, 0},
    {"image/bmp",       {"BM", 2}, {"\0\0\0\0", 4}, 0, 6},
};
/* clang-format on */

static bool has_name(const struct media_type *type, struct text name)
{
    struct text rest = text_of(type->aliases);
    if (text_is_nocase(name, type->name))
        return true;
    while (rest.len > 0) {
        struct text alias = text_cut(rest, ' ', &rest);
        char word[64] = "";
        if (alias.len < sizeof word)
            memcpy(word, alias.at, alias.len);
        if (word[0] && text_is_nocase(name, word))
            return true;
    }
    return false;
}

const struct media_type *media_type_of(struct text mime)
{
    struct text rest, name = text_trim(text_cut(mime, ';', &rest));
    for (const struct media_type *type = types; type->name; type++)
        if (has_name(type, name))
            return type;
    bool is_text = name.len > 5 && text_is_nocase(text_slice(name, 0, 5), "text/");
    return is_text ? &types[0] : NULL;
}

struct text media_charset(struct text mime)
{
    struct text rest;
    text_cut(mime, ';', &rest);
    while (rest.at) {
        struct text value, one = text_trim(text_cut(rest, ';', &rest));
        struct text name = text_trim(text_cut(one, '=', &value));
        if (!value.at || !text_is_nocase(name, "charset"))
            continue;
        value = text_trim(value);
        if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
            value = text_slice(value, 1, value.len - 1);
        return value;
    }
    return (struct text){0};
}

static bool stands(struct text bytes, unsigned offset, struct text piece)
{
    return text_same(text_slice(bytes, offset, offset + piece.len), piece);
}

/* UTF-16 and UTF-32 have NULs, and marks that say so. */
static bool may_be_text(struct text bytes)
{
    if (stands(bytes, 0, TEXT("\xff\xfe")) || stands(bytes, 0, TEXT("\xfe\xff")) ||
        stands(bytes, 0, (struct text){"\0\0\xfe\xff", 4}))
        return true;
    for (size_t i = 0; i < bytes.len && i < 4096; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        if (c < 32 && !(c >= '\t' && c <= '\r') && c != 27)
            return false;
    }
    return true;
}

const struct media_type *media_sniff(struct text bytes)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (stands(bytes, beginnings[i].offset, beginnings[i].bytes) &&
            (!beginnings[i].bytes2.at ||
             stands(bytes, beginnings[i].offset2, beginnings[i].bytes2)))
            return media_type_of(text_of(beginnings[i].type));
    return may_be_text(bytes) ? &types[0] : NULL;
}

static enum media_kind box_of(enum media_kind kind)
{
    return kind == MEDIA_AUDIO ? MEDIA_VIDEO : kind;
}

bool media_may_be(const struct media_type *found, const struct media_type *label)
{
    return box_of(found->kind) == box_of(label->kind);
}

const char *media_kind_word(enum media_kind kind)
{
    static const char *const words[] = {
        [MEDIA_TEXT] = "text",   [MEDIA_IMAGE] = "image",       [MEDIA_VIDEO] = "video",
        [MEDIA_AUDIO] = "audio", [MEDIA_DOCUMENT] = "document",
    };
    return words[kind];
}
