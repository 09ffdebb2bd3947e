/* charset.h - text of other encodings, as UTF-8. Any thread. */
#ifndef POLLUX_BASE_CHARSET_H
#define POLLUX_BASE_CHARSET_H

#include "base/buf.h"

/* Appends `bytes` as UTF-8. A byte order mark says which Unicode it is, and is left out;
 * without one the charset's name counts ("iso-8859-1"), and without that UTF-8. Bytes
 * that are no UTF-8 and have no charset's name are taken for windows-1252, as browsers
 * do. False: the charset is not known, or the bytes are not of it. */
bool charset_decode(struct text bytes, struct text charset, struct buf *out);

#endif
