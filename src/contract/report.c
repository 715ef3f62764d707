/* report.c - the boundary on one page: one line an operation. The cells are the same in every format; in JSON the quantities are numbers. */
#include "contract/contract_internal.h"

#include "contract/json.h"

enum {
    CELL_METHOD,
    CELL_PATH,
    CELL_OPERATION,
    CELL_WHO,
    CELL_LIMIT,
    CELL_BYTES_IN,
    CELL_MEMORY,
    CELL_ROWS_OUT,
    CELL_BYTES_OUT,
    CELL_IN,
    CELL_OUT,
    CELL_COUNT
};
static const char *const titles[CELL_COUNT] = { "METHOD", "PATH",     "OPERATION", "WHO", "LIMIT", "BYTES IN",
                                                "MEMORY", "ROWS OUT", "BYTES OUT", "IN",  "OUT" };

struct line {
    limen_str cells[CELL_COUNT];
    size_t schema_bytes;        /* of the body; 0 without one */
    size_t numbers[CELL_COUNT]; /* of the cells that are quantities; BUDGET_UNBOUNDED: there is no bound */
};

/* ---- cells ------------------------------------------------------------------------------------------------------------ */

static const char *unit_of(int64_t window_us)
{
    return window_us == 1000000   ? "second"
        : window_us == 60000000   ? "minute"
        : window_us == 3600000000 ? "hour"
                                  : "day";
}

/* "bearer: read and write"; the scheme is named where there is more than one. */
static void write_demand(const struct contract *contract, const struct demand *demand, struct buf *out)
{
    bool is_first = true;
    if (contract->scheme_count > 1)
        buf_printf(out, "%.*s: ", LIMEN_STR_ARG(contract->schemes[demand->scheme].name));
    if (demand->roles == 0)
        BUF_ADD(out, "any principal");
    for (uint32_t role = 0; role < contract->role_count; role++) {
        if ((demand->roles >> role & 1U) == 0)
            continue;
        if (!is_first)
            BUF_ADD(out, " and ");
        is_first = false;
        buf_add(out, contract->roles[role]);
    }
}

static void write_who(const struct contract *contract, const struct operation *operation, struct buf *out)
{
    if (operation->is_public)
        BUF_ADD(out, "everybody");
    for (uint32_t i = 0; i < operation->requirement_count; i++) {
        const struct requirement *requirement = &operation->requirements[i];
        if (i > 0)
            BUF_ADD(out, " or ");
        for (uint32_t j = 0; j < requirement->demand_count; j++) {
            if (j > 0)
                BUF_ADD(out, ", with ");
            write_demand(contract, &requirement->demands[j], out);
        }
    }
}

static void write_limits(const struct rate_limit *limits, uint32_t count, struct buf *out)
{
    static const char *const per[] = {
        [LIMIT_PER_ADDRESS] = "address",
        [LIMIT_PER_CALLER] = "caller",
        [LIMIT_PER_ACCOUNT_AND_ADDRESS] = "account and address",
        [LIMIT_PER_ACCOUNT] = "account",
    };
    for (uint32_t i = 0; i < count; i++)
        buf_printf(out, "%s%u/%s per %s", i > 0 ? ", " : "", limits[i].quota, unit_of(limits[i].window_us),
                   per[limits[i].per]);
}

/* "CheckoutRequest" of a $ref, else the type. */
static limen_str schema_name(const struct doc_node *schema)
{
    const struct doc_node *reference = doc_get(schema, LIMEN_STR("$ref")), *type = doc_get(schema, LIMEN_STR("type"));
    if (reference == NULL)
        return type != NULL && type->kind == DOC_STRING ? type->text : LIMEN_STR("value");
    size_t slash = reference->text.len;
    while (slash > 0 && reference->text.ptr[slash - 1] != '/')
        slash--;
    return str_slice(reference->text, slash, reference->text.len);
}

static void write_in(const struct operation *operation, struct buf *out)
{
    static const char *const marks[] = { "", "?", "header ", "cookie " };
    size_t start = out->len;
    for (uint32_t i = 0; i < operation->parameter_count; i++) {
        const struct parameter *parameter = &operation->parameters[i];
        buf_printf(out, "%s%s%.*s", out->len > start ? ", " : "", marks[parameter->in], LIMEN_STR_ARG(parameter->name));
    }
    if (operation->has_body)
        buf_printf(out, "%s%.*s", out->len > start ? ", " : "", LIMEN_STR_ARG(schema_name(operation->body_node)));
    if (operation->needs_key)
        buf_printf(out, "%sIdempotency-Key", out->len > start ? ", " : "");
    if (out->len == start)
        BUF_ADD(out, "nothing");
}

static void write_out(const struct operation *operation, struct buf *out)
{
    for (uint32_t i = 0; i < operation->reply_count; i++) {
        const struct reply_spec *reply = &operation->replies[i];
        buf_printf(out, "%s%d", i > 0 ? ", " : "", reply->status);
        if (reply->has_body && !reply->is_problem)
            buf_printf(out, " %.*s", LIMEN_STR_ARG(schema_name(reply->schema_node)));
    }
}

static bool is_quantity(int cell)
{
    return cell >= CELL_BYTES_IN && cell <= CELL_BYTES_OUT;
}

static void write_quantity(size_t number, bool is_bytes, struct buf *out)
{
    if (number == BUDGET_UNBOUNDED)
        BUF_ADD(out, "no bound");
    else if (!is_bytes || number < 10240)
        buf_printf(out, "%zu", number);
    else if (number < 10 * 1024 * 1024)
        buf_printf(out, "%zu KiB", (number + 1023) / 1024);
    else
        buf_printf(out, "%zu MiB", (number + 1024 * 1024 - 1) / (1024 * 1024));
}

/* What is read, and what a valid body can use of it where that is less. */
static void write_bytes_in(const struct operation *operation, struct buf *out)
{
    write_quantity(operation->has_body ? operation->body_ceiling : 0, /* is_bytes= */ true, out);
    if (!operation->has_body || operation->budget.schema_bytes == operation->body_ceiling)
        return;
    BUF_ADD(out, " (schema: ");
    write_quantity(operation->budget.schema_bytes, /* is_bytes= */ true, out);
    BUF_ADD(out, ")");
}

static void write_cell(const struct contract *contract, const struct operation *operation, const struct line *line,
                       int cell, struct buf *out)
{
    if (cell == CELL_WHO)
        write_who(contract, operation, out);
    else if (cell == CELL_LIMIT)
        write_limits(operation->limits, operation->limit_count, out);
    else if (cell == CELL_IN)
        write_in(operation, out);
    else if (cell == CELL_OUT)
        write_out(operation, out);
    else if (cell == CELL_BYTES_IN)
        write_bytes_in(operation, out);
    else
        write_quantity(line->numbers[cell], /* is_bytes= */ cell != CELL_ROWS_OUT, out);
}

static struct line line_of(const struct contract *contract, const struct operation *operation, struct arena *arena)
{
    struct line line = { .cells = { [CELL_METHOD] = method_name(operation->method),
                                    [CELL_PATH] = operation->path,
                                    [CELL_OPERATION] = operation->id },
                         .schema_bytes = operation->budget.schema_bytes,
                         .numbers = { [CELL_BYTES_IN] = operation->has_body ? operation->body_ceiling : 0,
                                      [CELL_MEMORY] = operation->budget.memory_bytes,
                                      [CELL_ROWS_OUT] = operation->budget.out_rows,
                                      [CELL_BYTES_OUT] = operation->budget.out_bytes } };
    for (int cell = CELL_WHO; cell < CELL_COUNT; cell++) {
        struct buf text;
        buf_init(&text, arena, 64);
        write_cell(contract, operation, &line, cell, &text);
        line.cells[cell] = buf_str(&text);
    }
    return line;
}

/* ---- formats ---------------------------------------------------------------------------------------------------------- */

static void write_padded(struct buf *out, limen_str text, size_t width)
{
    buf_add(out, text);
    for (size_t i = text.len; i < width; i++)
        buf_add_char(out, ' ');
}

/* How often an account may be tried, whichever operation signs in: below the tables. */
static void write_sign_in(const struct contract *contract, struct buf *out)
{
    if (contract->session == NULL)
        return;
    BUF_ADD(out, "signing in: ");
    write_limits(contract->sign_in_limits, contract->sign_in_limit_count, out);
    BUF_ADD(out, "\n");
}

static void write_table(const struct contract *contract, const struct line *lines, size_t count, bool colour,
                        struct buf *out)
{
    size_t widths[CELL_COUNT];
    for (int cell = 0; cell < CELL_COUNT; cell++) {
        widths[cell] = str_of(titles[cell]).len;
        for (size_t i = 0; i < count; i++)
            widths[cell] = lines[i].cells[cell].len > widths[cell] ? lines[i].cells[cell].len : widths[cell];
    }
    if (colour)
        BUF_ADD(out, "\033[1m");
    for (int cell = 0; cell < CELL_COUNT; cell++)
        write_padded(out, str_of(titles[cell]), cell == CELL_OUT ? 0 : widths[cell] + 2);
    if (colour)
        BUF_ADD(out, "\033[0m");
    buf_add_char(out, '\n');
    for (size_t i = 0; i < count; i++) {
        for (int cell = 0; cell < CELL_COUNT; cell++)
            write_padded(out, lines[i].cells[cell], cell == CELL_OUT ? 0 : widths[cell] + 2);
        buf_add_char(out, '\n');
    }
    write_sign_in(contract, out);
}

static void write_number(size_t number, struct buf *out)
{
    if (number == BUDGET_UNBOUNDED)
        BUF_ADD(out, "null");
    else
        buf_printf(out, "%zu", number);
}

static void write_json(const struct line *lines, size_t count, struct buf *out)
{
    static const char *const names[CELL_COUNT] = { "method",      "path",    "operation", "who", "limit", "bytesIn",
                                                   "memoryBytes", "rowsOut", "bytesOut",  "in",  "out" };
    BUF_ADD(out, "[");
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s\n  {", i > 0 ? "," : "");
        for (int cell = 0; cell < CELL_COUNT; cell++) {
            buf_printf(out, "%s\"%s\": ", cell > 0 ? ", " : " ", names[cell]);
            if (is_quantity(cell))
                write_number(lines[i].numbers[cell], out);
            else
                json_write_string(out, lines[i].cells[cell]);
        }
        BUF_ADD(out, ", \"schemaBytesIn\": ");
        write_number(lines[i].schema_bytes, out);
        BUF_ADD(out, " }");
    }
    BUF_ADD(out, "\n]\n");
}

static void write_markdown(const struct contract *contract, const struct line *lines, size_t count, struct buf *out)
{
    for (int cell = 0; cell < CELL_COUNT; cell++)
        buf_printf(out, "| %s ", titles[cell]);
    BUF_ADD(out, "|\n");
    for (int cell = 0; cell < CELL_COUNT; cell++)
        BUF_ADD(out, "| --- ");
    BUF_ADD(out, "|\n");
    for (size_t i = 0; i < count; i++) {
        for (int cell = 0; cell < CELL_COUNT; cell++)
            buf_printf(out, "| %.*s ", LIMEN_STR_ARG(lines[i].cells[cell]));
        BUF_ADD(out, "|\n");
    }
    BUF_ADD(out, "\n");
    write_sign_in(contract, out);
}

static void write_escaped(struct buf *out, limen_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '<':
            BUF_ADD(out, "&lt;");
            break;
        case '>':
            BUF_ADD(out, "&gt;");
            break;
        case '&':
            BUF_ADD(out, "&amp;");
            break;
        case '"':
            BUF_ADD(out, "&quot;");
            break;
        default:
            buf_add_char(out, text.ptr[i]);
        }
    }
}

static void write_html(const struct contract *contract, const struct line *lines, size_t count, struct buf *out)
{
    BUF_ADD(out, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>");
    write_escaped(out, contract->title);
    BUF_ADD(out,
            ": the boundary</title>\n<style>body{font:15px/1.5 system-ui;margin:2rem;color-scheme:light dark}"
            "table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;padding:.35rem .8rem;"
            "border-bottom:1px solid #8884}</style>\n<h1>");
    write_escaped(out, contract->title);
    BUF_ADD(out, ": the boundary</h1>\n<table>\n<tr>");
    for (int cell = 0; cell < CELL_COUNT; cell++)
        buf_printf(out, "<th scope=\"col\">%s", titles[cell]);
    BUF_ADD(out, "\n");
    for (size_t i = 0; i < count; i++) {
        BUF_ADD(out, "<tr>");
        for (int cell = 0; cell < CELL_COUNT; cell++) {
            BUF_ADD(out, "<td>");
            write_escaped(out, lines[i].cells[cell]);
        }
        BUF_ADD(out, "\n");
    }
    BUF_ADD(out, "</table>\n<p>");
    write_sign_in(contract, out);
    BUF_ADD(out, "</html>\n");
}

void contract_report(const struct contract *contract, enum report_format format, bool colour, struct buf *out)
{
    struct arena arena;
    arena_init(&arena, NULL, SIZE_MAX);
    size_t count = contract->operation_count;
    struct line *lines = ARENA_NEW_ARRAY(&arena, struct line, count);
    for (size_t i = 0; lines != NULL && i < count; i++)
        lines[i] = line_of(contract, &contract->operations[i], &arena);
    if (lines == NULL)
        out->failed = true;
    else if (format == REPORT_JSON)
        write_json(lines, count, out);
    else if (format == REPORT_MARKDOWN)
        write_markdown(contract, lines, count, out);
    else if (format == REPORT_HTML)
        write_html(contract, lines, count, out);
    else
        write_table(contract, lines, count, colour, out);
    arena_release(&arena);
}
