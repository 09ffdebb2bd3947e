/* template.h - renders a model's own chat template (Jinja, from its GGUF).
 *
 * It behaves as Hugging Face's apply_chat_template does, since that is what models were
 * trained with: blocks trimmed, Python's string methods, `tojson` with Python's spacing
 * and key order, `True` and `None` as Python prints them, raise_exception() and
 * strftime_now(). It knows nothing of roles or models: the context is any JSON object. A
 * template from a hostile file cannot run forever (it has fuel) and cannot reach anything
 * but its context.
 *
 * A struct template may be used from any number of threads at once. Written in Rust, over
 * minijinja; linked as build/libpollux_rust.a. */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <stddef.h>

struct template;

/* Parses `source` once. NULL when it does not parse; then `err` says where and why. */
struct template *template_open(const char *source, size_t len, char *err,
                               size_t err_size);
void template_close(struct template *t); /* NULL is harmless */

/* Renders with the JSON object `json` as context. The answer is UTF-8, followed by a NUL
 * that `*out_len` does not count, and is the caller's to give to template_free(). NULL
 * when it fails; then `err` has the template's own words, if it raised an exception. */
char *template_render(const struct template *t, const char *json, size_t len,
                      size_t *out_len, char *err, size_t err_size);
void template_free(char *text, size_t len); /* NULL is harmless */

#endif
