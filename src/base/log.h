/* log.h - one line per thing that happened, when its outcome is known.
 *
 *     log_line(LOG_INFO, "turn", "id=%s in=%d out=%d ms=%.0f end=%s", ...);
 * writes to stderr
 *     2026-11-22T19:01:02.345Z info turn id=r_81 in=412 out=96 ms=2140 end=STOP
 * or, with LOG_JSON, {"time":...,"level":"info","event":"turn","id":"r_81",...}: the
 * words of the format are key=value pairs; a value with spaces is written in double
 * quotes. Prompts and replies never go here. Any thread may call; a line is one write. */
#ifndef POLLUX_BASE_LOG_H
#define POLLUX_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

void log_setup(enum log_level least, enum log_format format);
void log_line(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
