/* event_fuzz.c - whatever a trainer writes, a line is an event in range or none. */
#include "train/event.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct train_event event;
    struct text line = {(const char *)data, size};
    if (!train_event_read(line, &event))
        return 0;
    if (event.total < 0 || event.n_completed < 0 || event.step < 0 || event.epoch < 0)
        abort();
    if (event.kind == TRAIN_ERROR &&
        (event.error.code == ERROR_OK || event.error.message[0] == '\0'))
        abort();
    return 0;
}
