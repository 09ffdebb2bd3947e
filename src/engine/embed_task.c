#include "engine/embed_task.h"

#define BGE_QUERY "Represent this sentence for searching relevant passages: "
#define QWEN_SEARCH                                                                      \
    "Instruct: Given a web search query, retrieve relevant passages that answer the "    \
    "query\nQuery:"

struct embed_family {
    const char *part;                /* of the model's name */
    const char *before[EMBED_TASKS]; /* NULL: nothing */
    const char *title;    /* before the title of a document; NULL: no form of its own */
    const char *untitled; /* the same without a title */
    const char *text;     /* between title and text, where there is a form */
};

/* As their makers' pages say. The first whose part is in the name counts, so e5's
 * instructed models stand before e5. */
static const struct embed_family families[] = {
    {.part = "embeddinggemma",
     .before = {[EMBED_QUERY] = "task: search result | query: ",
                [EMBED_SIMILARITY] = "task: sentence similarity | query: ",
                [EMBED_CLASSIFICATION] = "task: classification | query: ",
                [EMBED_CLUSTERING] = "task: clustering | query: ",
                [EMBED_QUESTION] = "task: question answering | query: ",
                [EMBED_FACT] = "task: fact checking | query: ",
                [EMBED_CODE] = "task: code retrieval | query: "},
     .title = "title: ",
     .untitled = "title: none | text: ",
     .text = " | text: "},
    {.part = "nomic-embed",
     .before = {[EMBED_ANY] = "search_document: ",
                [EMBED_QUERY] = "search_query: ",
                [EMBED_DOCUMENT] = "search_document: ",
                [EMBED_SIMILARITY] = "classification: ",
                [EMBED_CLASSIFICATION] = "classification: ",
                [EMBED_CLUSTERING] = "clustering: ",
                [EMBED_QUESTION] = "search_query: ",
                [EMBED_FACT] = "search_query: ",
                [EMBED_CODE] = "search_query: "}},
    {.part = "qwen3-embedding",
     .before = {[EMBED_QUERY] = QWEN_SEARCH,
                [EMBED_QUESTION] = QWEN_SEARCH,
                [EMBED_FACT] = "Instruct: Given a claim, retrieve documents that support "
                               "or refute the claim\nQuery:",
                [EMBED_CODE] = "Instruct: Given a question, retrieve code that answers "
                               "it\nQuery:"}},
    {.part = "e5-mistral",
     .before = {[EMBED_QUERY] = QWEN_SEARCH,
                [EMBED_QUESTION] = QWEN_SEARCH,
                [EMBED_FACT] = QWEN_SEARCH,
                [EMBED_CODE] = QWEN_SEARCH}},
    {.part = "e5-",
     .before = {[EMBED_ANY] = "query: ",
                [EMBED_QUERY] = "query: ",
                [EMBED_DOCUMENT] = "passage: ",
                [EMBED_SIMILARITY] = "query: ",
                [EMBED_CLASSIFICATION] = "query: ",
                [EMBED_CLUSTERING] = "query: ",
                [EMBED_QUESTION] = "query: ",
                [EMBED_FACT] = "query: ",
                [EMBED_CODE] = "query: "}},
    {.part = "bge-m3", .before = {0}},
    {.part = "bge-",
     .before = {[EMBED_QUERY] = BGE_QUERY,
                [EMBED_QUESTION] = BGE_QUERY,
                [EMBED_FACT] = BGE_QUERY}},
    {.part = "mxbai-embed",
     .before = {[EMBED_QUERY] = BGE_QUERY,
                [EMBED_QUESTION] = BGE_QUERY,
                [EMBED_FACT] = BGE_QUERY}},
    {.part = "snowflake-arctic-embed",
     .before = {[EMBED_QUERY] = BGE_QUERY,
                [EMBED_QUESTION] = BGE_QUERY,
                [EMBED_FACT] = BGE_QUERY}},
    {.part = "", .before = {0}}, /* every other model */
};

static char small(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c ^ 'A' ^ 'a' : c);
}

static bool has_part(const char *name, const char *part)
{
    for (;; name++) {
        size_t i = 0;
        while (part[i] && small(name[i]) == part[i])
            i++;
        if (!part[i])
            return true;
        if (!*name)
            return false;
    }
}

const struct embed_family *embed_family_of(const char *model)
{
    const struct embed_family *family = families;
    while (!has_part(model, family->part))
        family++;
    return family;
}

void embed_wording(const struct embed_family *family, enum embed_task task,
                   struct text title, struct text text, struct buf *out)
{
    bool form = task == EMBED_DOCUMENT && family->title;
    if (form && title.len == 0) {
        buf_str(out, family->untitled);
    } else if (form) {
        buf_str(out, family->title);
        buf_text(out, title);
        buf_str(out, family->text);
    } else {
        if (family->before[task])
            buf_str(out, family->before[task]);
        if (title.len > 0) {
            buf_text(out, title);
            buf_char(out, '\n');
        }
    }
    buf_text(out, text);
}
