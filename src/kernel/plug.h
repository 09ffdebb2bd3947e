/* plug.h - gives libllama's CPU backend our products (panel.h), and its buffers our
 * clearing.
 *
 * ggml's CPU backend asks a list of "extra buffer types" whether they want a weight
 * matrix; one that does repacks it when it is loaded and computes its products.
 * plug_panels() puts one of ours at the head of that list, so that models loaded
 * afterwards use it. */
#ifndef POLLUX_KERNEL_PLUG_H
#define POLLUX_KERNEL_PLUG_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* False: this CPU or this libllama does not allow it. To be called before the first model
 * is loaded (ggml reads the list then); once is enough. Not thread-safe. */
bool plug_panels(void);

/* Where the panels of models that this thread loads from now on are looked for, and what
 * is told of those that must be packed (kept.h); NULL: nowhere. The caller keeps it until
 * the next call. */
struct kept;
void plug_keep(struct kept *kept);

/* From now on, clearing a buffer of the CPU's gives its pages back instead of writing to
 * them: the KV buffer takes memory as it fills, and a server starts sooner. (libllama
 * clears the KV buffer of every context, all of its slots.) Where that cannot be, it is
 * as before. Not thread-safe. */
void plug_clearing(void);

#ifdef __cplusplus
}
#endif

#endif
