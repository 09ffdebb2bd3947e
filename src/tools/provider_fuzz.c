/* provider_fuzz.c: whatever a search server says, results are sound texts with addresses
 * that we would fetch; and the addresses of a text lie within it. */
#include "fetch/fetch.h"
#include "tools/provider.h"
#include "tools/urls.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct text text = {(const char *)data, size}, urls[URLS_MOST];
    for (int kind = PROVIDER_SEARXNG; kind <= PROVIDER_BRAVE; kind++) {
        struct passage *passages;
        int n = 0;
        bool good = provider_read((enum provider_kind)kind, text, arena, &passages, &n);
        assert(n >= 0 && n <= PROVIDER_MOST && (good || n == 0));
        for (int i = 0; i < n; i++)
            assert(fetch_is_url(passages[i].uri) && passages[i].text.len > 0 &&
                   text_is_utf8(passages[i].text) && text_is_utf8(passages[i].title));
    }
    int n = urls_find(text, urls);
    for (int i = 0; i < n; i++)
        assert(fetch_is_url(urls[i]) && urls[i].at >= text.at &&
               urls[i].at + urls[i].len <= text.at + text.len);
    arena_close(arena);
    return 0;
}
