/* log.h - one line an event: JSON where a machine reads, columns and colour where a person does.
 *
 * Written to standard error with one write(2), so that lines of several processes do not mix. What clients sent is
 * escaped. Never log a credential, a body or a query string. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "limen/base.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT }; /* AUTO: TEXT on a terminal */

/* One named value of a line. */
struct log_field {
    const char *name;
    bool is_number;
    limen_str text;
    int64_t number;
};
static inline struct log_field log_str(const char *name, limen_str text)
{
    return (struct log_field){ .name = name, .text = text };
}
static inline struct log_field log_int(const char *name, int64_t number)
{
    return (struct log_field){ .name = name, .is_number = true, .number = number };
}
struct log_field log_text(const char *name, const char *text); /* of our own NUL-terminated text; NULL is "" */

/* Called once a process, before the first line. `role` is "worker", "data", …; it must live for ever; a negative `number`
 * is not shown. Colour needs a terminal and no NO_COLOR in the environment. */
void log_init(enum log_format format, enum log_level least, const char *role, int number);
void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

#define LOG_AT(level, message, ...)                                          \
    log_write((level), (message), (const struct log_field[]){ __VA_ARGS__ }, \
              sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))
/* LOG_INFO("role started", log_int("pid", pid), log_text("role", "data")); at least one field. */
#define LOG_DEBUG(message, ...) LOG_AT(LOG_LEVEL_DEBUG, message, __VA_ARGS__)
#define LOG_INFO(message, ...) LOG_AT(LOG_LEVEL_INFO, message, __VA_ARGS__)
#define LOG_WARN(message, ...) LOG_AT(LOG_LEVEL_WARN, message, __VA_ARGS__)
#define LOG_ERROR(message, ...) LOG_AT(LOG_LEVEL_ERROR, message, __VA_ARGS__)

/* A state that cannot be: logs file and line, and aborts the process. Nothing a client sends may reach it. */
#define BUG(what) log_bug(__FILE__, __LINE__, (what))
LIMEN_NORETURN
void log_bug(const char *file, int line, const char *what);

#endif
