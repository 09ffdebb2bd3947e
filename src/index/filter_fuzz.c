/* filter_fuzz.c: whatever the filter, it is parsed or refused with words; asked of
 * anything, it answers, and NOT of it the other way round. */
#include "index/filter.h"
#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_open();
    struct text text = {(const char *)data, size};
    struct metadata metadata = {0};
    struct error err = {0};
    bool good = json_read(&metadata_type,
                          TEXT("{'customMetadata': [{'key': 'a', 'stringValue': 'x'}, "
                               "{'key': 'b', 'numericValue': 7}]}"),
                          &metadata, arena, &err);
    assert(good);
    struct filter *filter = filter_parse(text, arena, &err);
    assert(filter || err.message[0]);
    struct text turned = arena_printf(arena, "NOT (%.*s)", TEXT_ARG(text));
    bool whole = size < FILTER_MOST - 10 && !memchr(text.at ? text.at : "", 0, size);
    struct filter *not = filter && whole ? filter_parse(turned, arena, &err) : NULL;
    if (not )
        assert(filter_fits(filter, &metadata) != filter_fits(not, &metadata));
    arena_close(arena);
    return 0;
}
