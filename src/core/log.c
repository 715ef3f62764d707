/* log.c - one line an event: JSON where a machine reads, columns and colour where a person does.
 *
 * A line is put together on the stack and leaves with one write(2) of at most PIPE_BUF bytes, which the kernel does not mix
 * with another's. What does not fit is cut between two characters, and the line says so and stays well-formed. */
#include "core/log.h"

#include "core/clock.h"
#include "core/limits.h"
#include "core/str.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define TAIL_BYTES 32U /* kept for the end of the line */

/* The one thing in core that belongs to the process: set once, before the first line. */
static struct {
    enum log_level least;
    bool is_text, has_colour;
    const char *role;
    int number;
} settings = { .least = LOG_LEVEL_INFO, .role = "limen", .number = -1 };

static const struct {
    const char *name, *column, *colour;
} levels[] = {
    [LOG_LEVEL_DEBUG] = { "debug", "DEBUG", "\033[2m" },
    [LOG_LEVEL_INFO] = { "info", "INFO ", "\033[32m" },
    [LOG_LEVEL_WARN] = { "warn", "WARN ", "\033[33m" },
    [LOG_LEVEL_ERROR] = { "error", "ERROR", "\033[1;31m" },
};

struct log_field log_text(const char *name, const char *text)
{
    return log_str(name, str_of(text));
}

void log_init(enum log_format format, enum log_level least, const char *role, int number)
{
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    const char *no_colour = getenv("NO_COLOR");
    settings.least = least;
    settings.is_text = format == LOG_FORMAT_TEXT || (format == LOG_FORMAT_AUTO && is_terminal);
    settings.has_colour = is_terminal && (no_colour == NULL || no_colour[0] == '\0');
    settings.role = role;
    settings.number = number;
}

/* ---- pieces of a line ------------------------------------------------------------------------------------------- */

static size_t room(const struct buf *line)
{
    return line->cap - line->len;
}

/* How the first `step` bytes of `s` are written; `step` is 0 where they are no UTF-8. Empty: as they are. */
static limen_str escape_of(limen_str s, size_t step, bool is_text, struct buf *memory)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char byte = (unsigned char)s.ptr[0];
    memory->len = 0;
    if (step == 0 && !is_text)
        return LIMEN_STR("\\ufffd");
    if (step == 1 && (byte == '"' || byte == '\\')) {
        buf_add_char(memory, '\\');
        buf_add_char(memory, (char)byte);
    } else if (step == 0 || (step == 1 && (byte < 0x20 || byte == 0x7f))
               || (step == 2 && byte == 0xc2
                   && (unsigned char)s.ptr[1] < 0xa0)) { /* U+0080..9F command terminals too */
        if (step == 2)
            byte = (unsigned char)s.ptr[1];
        buf_add(memory, is_text ? LIMEN_STR("\\x") : LIMEN_STR("\\u00"));
        buf_add_char(memory, hex[byte >> 4]);
        buf_add_char(memory, hex[byte & 15]);
    }
    return buf_str(memory);
}

/* Writes `s` escaped as far as it fits before the last `keep` bytes. False when it was cut. */
static bool add_escaped(struct buf *line, limen_str s, size_t keep)
{
    char bytes[8];
    struct buf memory;
    buf_init_fixed(&memory, bytes, sizeof bytes);
    while (s.len > 0) {
        size_t step = str_utf8_step(s);
        limen_str piece = escape_of(s, step, settings.is_text, &memory);
        if (piece.len == 0)
            piece = str_slice(s, 0, step);
        if (piece.len + keep > room(line))
            return false;
        buf_add(line, piece);
        s = str_slice(s, step == 0 ? 1 : step, s.len);
    }
    return true;
}

static bool needs_quotes(limen_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == ' ' || s.ptr[i] == '=' || s.ptr[i] == '"')
            return true;
    return s.len == 0;
}

static void add_colour(struct buf *line, const char *colour)
{
    if (settings.has_colour)
        buf_add(line, str_of(colour));
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

/* `"name":"value"`; false when the value was cut. Fails the buffer when not even the name fits. */
static bool add_member(struct buf *line, const struct log_field *field)
{
    buf_add_char(line, '"');
    buf_add(line, str_of(field->name));
    BUF_ADD(line, "\":");
    if (field->is_number) {
        buf_add_int(line, field->number);
        return true;
    }
    buf_add_char(line, '"');
    bool is_whole = !line->failed && add_escaped(line, field->text, 1);
    buf_add_char(line, '"');
    return is_whole;
}

static bool begin_json(struct buf *line, enum log_level level, const char *message)
{
    BUF_ADD(line, "{\"ts\":\"");
    clock_write_rfc3339(line, clock_wall_us() / 1000 * 1000);
    BUF_ADD(line, "\",\"level\":\"");
    buf_add(line, str_of(levels[level].name));
    BUF_ADD(line, "\",");
    struct log_field role = log_text("role", settings.role), number = log_int("number", settings.number);
    add_member(line, &role);
    buf_add_char(line, ',');
    if (settings.number >= 0) {
        add_member(line, &number);
        buf_add_char(line, ',');
    }
    struct log_field text = log_text("message", message);
    return add_member(line, &text);
}

/* ---- columns ---------------------------------------------------------------------------------------------------- */

static bool add_column(struct buf *line, const struct log_field *field)
{
    add_colour(line, "\033[2m");
    buf_add(line, str_of(field->name));
    buf_add_char(line, '=');
    add_colour(line, "\033[0m");
    if (field->is_number) {
        buf_add_int(line, field->number);
        return true;
    }
    bool is_quoted = needs_quotes(field->text);
    if (is_quoted)
        buf_add_char(line, '"');
    bool is_whole = !line->failed && add_escaped(line, field->text, 1);
    if (is_quoted)
        buf_add_char(line, '"');
    return is_whole;
}

static void pad_to(struct buf *line, size_t from, size_t width)
{
    while (!line->failed && line->len - from < width)
        buf_add_char(line, ' ');
}

/* `12:00:00.000 INFO  worker 3   message            `, in UTC: time zones are files, and roles are not let near them. */
static bool begin_text(struct buf *line, enum log_level level, const char *message)
{
    int64_t ms = clock_wall_us() / 1000;
    int64_t second = ms / 1000 % 86400;
    add_colour(line, "\033[2m");
    buf_printf(line, "%02d:%02d:%02d.%03d ", (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60),
               (int)(ms % 1000));
    add_colour(line, "\033[0m");
    add_colour(line, levels[level].colour);
    buf_add(line, str_of(levels[level].column));
    add_colour(line, "\033[0m");
    buf_add_char(line, ' ');

    size_t from = line->len;
    buf_add(line, str_of(settings.role));
    if (settings.number >= 0) {
        buf_add_char(line, ' ');
        buf_add_int(line, settings.number);
    }
    pad_to(line, from, 12);
    from = line->len;
    bool is_whole = add_escaped(line, str_of(message), 0);
    pad_to(line, from, 32);
    return is_whole;
}

/* ---- lines ------------------------------------------------------------------------------------------------------ */

/* False when some were left out or cut. */
static bool add_fields(struct buf *line, const struct log_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t before = line->len;
        buf_add_char(line, settings.is_text ? ' ' : ',');
        bool is_whole = settings.is_text ? add_column(line, &fields[i]) : add_member(line, &fields[i]);
        if (line->failed) { /* take the half field back */
            line->failed = false;
            line->len = before;
            return false;
        }
        if (!is_whole)
            return false;
    }
    return true;
}

static void write_line(const char *bytes, size_t count)
{
    ssize_t written;
    do
        written = write(STDERR_FILENO, bytes, count);
    while (written < 0 && errno == EINTR); /* any other failure loses the line: there is nobody left to tell */
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    if (level < settings.least)
        return;
    int error = errno; /* a line in the middle of something changes nothing */
    char bytes[LIMIT_LOG_LINE_BYTES];
    struct buf line;
    buf_init_fixed(&line, bytes, sizeof bytes - TAIL_BYTES);
    bool is_whole = settings.is_text ? begin_text(&line, level, message) : begin_json(&line, level, message);
    is_whole = is_whole && add_fields(&line, fields, count);
    line.cap = sizeof bytes;
    if (settings.is_text)
        buf_add(&line, is_whole ? LIMEN_STR("\n") : LIMEN_STR(" … (cut)\n"));
    else
        buf_add(&line, is_whole ? LIMEN_STR("}\n") : LIMEN_STR(",\"cut\":true}\n"));
    write_line(line.ptr, line.len);
    errno = error;
}

void log_bug(const char *file, int line, const char *what)
{
    LOG_ERROR("bug", log_text("what", what), log_text("file", file), log_int("line", line));
    abort();
}
