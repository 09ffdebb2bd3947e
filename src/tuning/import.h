/* import.h - adapters that were trained elsewhere become ones of this server.
 *
 * What comes in is a LoRA as a GGUF of llama.cpp's kind, or as PEFT's safetensors with
 * its configuration. What goes out is a GGUF written anew, of float32 matrices whose
 * names and shapes fit the model: libllama never reads what somebody sent. Any thread
 * that may wait for the disk. */
#ifndef POLLUX_TUNING_IMPORT_H
#define POLLUX_TUNING_IMPORT_H

#include "tuning/tuning.h"

/* Of PEFT's adapter_config.json; all 0 for a GGUF. */
struct import_config {
    int rank;
    double alpha;
    bool root; /* use_rslora: the scale is alpha / sqrt(rank) */
};

/* Reads the adapter from `from`, and writes it for the model of the GGUF `base` to the
 * new file `to`, which is on the disk then. */
bool import_adapter(int from, const struct import_config *config, const char *base,
                    const char *to, struct error *err);

/* Makes an ACTIVE model of a file; `wish` has its names and settings. */
bool tuned_import(struct tuning *tuning, struct text who, const struct tuned_wish *wish,
                  int from, const struct import_config *config, struct arena *arena,
                  struct tuned *made, struct error *err);

/* The adapter of an ACTIVE model, to be exported: a descriptor, which the arena closes,
 * and its size. */
bool tuned_export(struct tuning *tuning, const struct tuned *tuned, struct arena *arena,
                  int *fd, int64_t *size, struct error *err);

#endif
