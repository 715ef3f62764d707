/* pg_text.c - what SQLite and PostgreSQL write differently and mean alike.
 *
 * One pass finds out what needs to be seen from afar (where a LIKE's pattern ends, which word is the type of a CAST), a second one writes.
 * What is left to PostgreSQL's own parser is what it refuses loudly; changed here is what it would take and read another way. */
#include "data/pg_text.h"

#include "core/arena.h"

#include <stdlib.h>

enum pg_note {
    NOTE_CAST_TYPE = 1,   /* the type in CAST (… AS type) */
    NOTE_PATTERN_END = 2, /* a LIKE's pattern without ESCAPE ends before it */
};

#define WORD(text, at, literal) pg_text_is((text), (at), LIMEN_STR(literal))
#define SIGN(text, at, sign) ((at) < (text)->count && sql_is_sign(&(text)->tokens[at], (sign)))

bool pg_text_is(const struct pg_text *text, uint32_t at, limen_str word)
{
    return at < text->count && sql_is_word(&text->tokens[at], word);
}

static bool is_any_of(const struct pg_text *text, uint32_t at, const limen_str *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pg_text_is(text, at, words[i]))
            return true;
    }
    return false;
}
#define ANY_OF(text, at, words) is_any_of((text), (at), (words), sizeof(words) / sizeof((words)[0]))

/* ---- places ----------------------------------------------------------------------------------------------------------- */

static struct pg_mark place(const struct pg_text *text, uint32_t at)
{
    const struct sql_token *token = &text->tokens[at < text->count ? at : text->count];
    return (struct pg_mark){ .out_at = (uint32_t)text->out.len,
                             .line = text->line + token->line - 1,
                             .column = token->line == 1 ? text->column + token->column - 1 : token->column };
}

void pg_text_fault(struct pg_text *text, uint32_t at, limen_str mend, const char *message)
{
    struct pg_mark where = place(text, at);
    text->failed = true;
    diags_add_at(text->diags, text->file, where.line, where.column, mend, "%s", message);
}

/* The byte at which character `position` begins. */
static size_t find_character(limen_str written, uint32_t position)
{
    size_t at = 0;
    for (uint32_t i = 1; i < position && at < written.len; i++) {
        size_t step = str_utf8_step(str_slice(written, at, written.len));
        at += step > 0 ? step : 1;
    }
    return at;
}

struct pg_mark pg_marks_find(const struct pg_mark *marks, uint32_t count, limen_str written, uint32_t position)
{
    size_t offset = find_character(written, position);
    struct pg_mark found = count > 0 ? marks[0] : (struct pg_mark){ .line = 1, .column = 1 };
    for (uint32_t i = 0; i < count && marks[i].out_at <= offset; i++)
        found = marks[i];
    return found;
}

/* ---- the first pass ------------------------------------------------------------------------------------------------------ */

/* The token behind which the pattern of the LIKE at `at` has come to its end; 0 when it says ESCAPE itself. */
static uint32_t find_pattern_end(const struct pg_text *text, uint32_t at)
{
    static const limen_str ENDS[] = { LIMEN_STR_INIT("and"),       LIMEN_STR_INIT("or"),    LIMEN_STR_INIT("order"),
                                      LIMEN_STR_INIT("group"),     LIMEN_STR_INIT("limit"), LIMEN_STR_INIT("having"),
                                      LIMEN_STR_INIT("union"),     LIMEN_STR_INIT("then"),  LIMEN_STR_INIT("else"),
                                      LIMEN_STR_INIT("when"),      LIMEN_STR_INIT("end"),   LIMEN_STR_INIT("returning"),
                                      LIMEN_STR_INIT("as"),        LIMEN_STR_INIT("on"),    LIMEN_STR_INIT("from"),
                                      LIMEN_STR_INIT("intersect"), LIMEN_STR_INIT("where"), LIMEN_STR_INIT("except"),
                                      LIMEN_STR_INIT("asc"),       LIMEN_STR_INIT("desc"),  LIMEN_STR_INIT("nulls"),
                                      LIMEN_STR_INIT("is"),        LIMEN_STR_INIT("offset") };
    uint32_t depth = 0;
    for (uint32_t i = at + 1; i < text->count; i++) {
        if (depth == 0 && WORD(text, i, "escape"))
            return 0;
        if (depth == 0
            && (SIGN(text, i, ')') || SIGN(text, i, ',') || SIGN(text, i, ';') || SIGN(text, i, '=')
                || ANY_OF(text, i, ENDS)))
            return i;
        depth += SIGN(text, i, '(');
        depth -= SIGN(text, i, ')');
    }
    return text->count;
}

/* The type's token of the CAST at `at`, or 0. */
static uint32_t find_cast_type(const struct pg_text *text, uint32_t at)
{
    uint32_t depth = 0;
    for (uint32_t i = at + 1; i < text->count; i++) {
        depth += SIGN(text, i, '(');
        depth -= SIGN(text, i, ')') && depth > 0;
        if (depth == 0)
            return 0;
        if (depth == 1 && WORD(text, i, "as"))
            return i + 1;
    }
    return 0;
}

static void take_notes(struct pg_text *text)
{
    for (uint32_t i = 0; i < text->count; i++) {
        uint32_t end = WORD(text, i, "like") ? find_pattern_end(text, i) : 0;
        uint32_t type = WORD(text, i, "cast") ? find_cast_type(text, i) : 0;
        if (end > 0)
            text->notes[end] |= NOTE_PATTERN_END;
        if (type > 0)
            text->notes[type] |= NOTE_CAST_TYPE;
    }
}

bool pg_text_init(struct pg_text *text, limen_str sql, bool is_variant, limen_str file, uint32_t line, uint32_t column,
                  struct arena *arena, struct diags *diags)
{
    *text = (struct pg_text){
        .arena = arena, .diags = diags, .file = file, .line = line, .column = column, .is_variant = is_variant
    };
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, sql);
    uint32_t count = 0;
    while (sql_next_code(&lexer).kind != SQL_END)
        count++;
    text->tokens = ARENA_NEW_ARRAY(arena, struct sql_token, (size_t)count + 1);
    text->notes = ARENA_NEW_ARRAY(arena, uint8_t, (size_t)count + 1);
    text->marks = ARENA_NEW_ARRAY(arena, struct pg_mark, (size_t)count + 1);
    buf_init(&text->out, arena, sql.len + 256);
    if (text->tokens == NULL || text->notes == NULL || text->marks == NULL)
        return false;
    sql_lexer_init(&lexer, sql);
    for (uint32_t i = 0; i <= count; i++)
        text->tokens[i] = sql_next_code(&lexer);
    text->count = count;
    if (!is_variant)
        take_notes(text);
    return true;
}

/* ---- the second pass ----------------------------------------------------------------------------------------------------- */

limen_str pg_stored_type(limen_str stored)
{
    static const struct {
        limen_str stored, type;
    } TYPES[] = {
        { LIMEN_STR_INIT("INTEGER"), LIMEN_STR_INIT("bigint") },
        { LIMEN_STR_INIT("INT"), LIMEN_STR_INIT("bigint") },
        { LIMEN_STR_INIT("REAL"), LIMEN_STR_INIT("double precision") },
        { LIMEN_STR_INIT("TEXT"), LIMEN_STR_INIT("text COLLATE \"C\"") },
        { LIMEN_STR_INIT("BLOB"), LIMEN_STR_INIT("bytea") },
    };
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (str_equal_nocase(stored, TYPES[i].stored))
            return TYPES[i].type;
    }
    return LIMEN_STR("");
}

void pg_write_name(struct buf *out, limen_str name)
{
    buf_add_char(out, '"');
    char *room = buf_reserve(out, name.len);
    if (room != NULL)
        out->len += str_lower(name, room).len;
    buf_add_char(out, '"');
}

void pg_text_gap(struct pg_text *text, uint32_t at)
{
    if ((text->notes[at] & NOTE_PATTERN_END) != 0)
        BUF_ADD(&text->out, " ESCAPE ''");
    limen_str before = at > 0 ? text->tokens[at - 1].text : LIMEN_STR("");
    if (at > 0 && before.ptr + before.len != text->tokens[at].text.ptr)
        buf_add_char(&text->out, ' ');
    if (text->mark_count <= text->count)
        text->marks[text->mark_count++] = place(text, at);
}

/* x'00ff' */
static void write_blob(struct pg_text *text, limen_str literal)
{
    BUF_ADD(&text->out, "'\\x");
    buf_add(&text->out, str_slice(literal, 2, literal.len));
    BUF_ADD(&text->out, "::bytea");
}

/* [name] and `name` may hold a `"`, which no name of ours needs. */
static void write_quoted(struct pg_text *text, uint32_t at)
{
    limen_str name = sql_name(&text->tokens[at]);
    if (text->tokens[at].text.ptr[0] != '"' && str_find_char(name, '"', 0) != SIZE_MAX)
        pg_text_fault(text, at, LIMEN_STR("rename it"), "a name holds a double quote");
    pg_write_name(&text->out, name);
}

static void write_number(struct pg_text *text, limen_str number)
{
    bool is_hex = str_starts(number, LIMEN_STR("0x")) || str_starts(number, LIMEN_STR("0X"));
    char digits[19]; /* SQLite takes sixteen, as two's complement */
    if (!is_hex || number.len >= sizeof digits) {
        buf_add(&text->out, number);
        return;
    }
    memcpy(digits, number.ptr, number.len);
    digits[number.len] = '\0';
    buf_add_int(&text->out, (int64_t)strtoull(digits, NULL, 16));
}

static void write_cast_type(struct pg_text *text, uint32_t at)
{
    limen_str name = text->tokens[at].text, type = pg_stored_type(name);
    if (str_equal_nocase(name, LIMEN_STR("TEXT")))
        type = LIMEN_STR("text");
    if (str_equal_nocase(name, LIMEN_STR("BLOB")))
        pg_text_fault(text, at, LIMEN_STR("give the statement a variant: `-- on: postgresql`"),
                      "PostgreSQL reads escapes in a text that becomes bytes");
    buf_add(&text->out, type.len > 0 ? type : name);
}

/* SQLite's IS compares anything, PostgreSQL's knows only what follows here. */
static bool follows_is(const struct pg_text *text, uint32_t at)
{
    static const limen_str WORDS[] = { LIMEN_STR_INIT("null"),    LIMEN_STR_INIT("true"),     LIMEN_STR_INIT("false"),
                                       LIMEN_STR_INIT("unknown"), LIMEN_STR_INIT("distinct"), LIMEN_STR_INIT("json"),
                                       LIMEN_STR_INIT("document") };
    return ANY_OF(text, at, WORDS);
}

static uint32_t write_is(struct pg_text *text, uint32_t at)
{
    bool is_not = WORD(text, at + 1, "not");
    if (follows_is(text, at + 1 + is_not)) {
        BUF_ADD(&text->out, "IS");
        return 1;
    }
    buf_add(&text->out, is_not ? LIMEN_STR("IS DISTINCT FROM") : LIMEN_STR("IS NOT DISTINCT FROM"));
    return 1 + is_not;
}

static uint32_t write_collate(struct pg_text *text, uint32_t at)
{
    limen_str name = sql_name(&text->tokens[at + 1]);
    if (!str_equal_nocase(name, LIMEN_STR("BINARY")))
        pg_text_fault(text, at, LIMEN_STR("compare lower(…) with lower(…), and index that"),
                      "PostgreSQL has no such collation");
    BUF_ADD(&text->out, "COLLATE \"C\"");
    return 2;
}

static void refuse_or(struct pg_text *text, uint32_t at)
{
    static const limen_str WRITES[] = { LIMEN_STR_INIT("insert"), LIMEN_STR_INIT("update") };
    static const limen_str CLAUSES[] = { LIMEN_STR_INIT("ignore"), LIMEN_STR_INIT("abort"), LIMEN_STR_INIT("replace"),
                                         LIMEN_STR_INIT("rollback"), LIMEN_STR_INIT("fail") };
    if (at > 0 && ANY_OF(text, at - 1, WRITES) && ANY_OF(text, at + 1, CLAUSES))
        pg_text_fault(text, at, LIMEN_STR("write INSERT … ON CONFLICT (…) DO NOTHING"),
                      "INSERT OR … and UPDATE OR … are SQLite's alone");
}

static uint32_t write_word(struct pg_text *text, uint32_t at)
{
    if ((text->notes[at] & NOTE_CAST_TYPE) != 0) {
        write_cast_type(text, at);
        return 1;
    }
    if (WORD(text, at, "is"))
        return write_is(text, at);
    if (WORD(text, at, "collate") && at + 1 < text->count)
        return write_collate(text, at);
    if (WORD(text, at, "or"))
        refuse_or(text, at);
    limen_str word = text->tokens[at].text;
    if (WORD(text, at, "like")) /* SQLite's sees no difference between a and A */
        word = LIMEN_STR("ILIKE");
    if (WORD(text, at, "ifnull") && SIGN(text, at + 1, '('))
        word = LIMEN_STR("coalesce");
    buf_add(&text->out, word);
    return 1;
}

uint32_t pg_text_copy(struct pg_text *text, uint32_t at)
{
    const struct sql_token *token = &text->tokens[at];
    pg_text_gap(text, at);
    if (text->is_variant) {
        buf_add(&text->out, token->text);
        return 1;
    }
    switch (token->kind) {
    case SQL_QUOTED:
        write_quoted(text, at);
        return 1;
    case SQL_STRING:
        if (token->text.ptr[0] == 'x' || token->text.ptr[0] == 'X')
            write_blob(text, token->text);
        else
            buf_add(&text->out, token->text);
        return 1;
    case SQL_NUMBER:
        write_number(text, token->text);
        return 1;
    case SQL_WORD:
        return write_word(text, at);
    default:
        buf_add(&text->out, token->text);
        return SIGN(text, at, '=') && SIGN(text, at + 1, '=') ? 2 : 1;
    }
}
