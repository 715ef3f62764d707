/* pg_text.h - the shared dialect as PostgreSQL writes it, token by token.
 *
 * What SQLite and PostgreSQL write alike is copied; what they write differently and mean alike is changed here, for statements and
 * migrations: names in other quotes, x'00', 0x10, CAST, LIKE, IS, COLLATE. Of every token it is known where it stood in its file. */
#ifndef DATA_PG_TEXT_H
#define DATA_PG_TEXT_H

#include "contract/doc.h" /* diags */
#include "core/str.h"
#include "data/sqltext.h"

/* From `out_at` on, the text comes from this place. */
struct pg_mark {
    uint32_t out_at, line, column;
};

struct pg_text {
    struct arena *arena;
    struct diags *diags;
    limen_str file;
    uint32_t line, column;    /* where the source stands in it */
    struct sql_token *tokens; /* without comments; behind the last one stands SQL_END */
    uint32_t count;
    uint8_t *notes; /* what was found out about each token: enum pg_note */
    struct buf out;
    struct pg_mark *marks;
    uint32_t mark_count;
    bool is_variant; /* PostgreSQL's already: copied as it is */
    bool failed;     /* a fault was added, or memory is out */
};

/* Reads the tokens of `sql`, which begins at line and column of `file`; a variant is PostgreSQL's already. False when memory is out. */
bool pg_text_init(struct pg_text *text, limen_str sql, bool is_variant, limen_str file, uint32_t line, uint32_t column,
                  struct arena *arena, struct diags *diags) LIMEN_MUST_CHECK;
/* Copies token `at`, and what is to stand before it, as PostgreSQL writes it; the tokens that follow it and belong to it are copied
 * along. Returns how many tokens were taken, at least one. */
uint32_t pg_text_copy(struct pg_text *text, uint32_t at);
/* What stands between token `at` and the one before: a space, or nothing; and the mark of where it comes from. For who writes the
 * token's place without pg_text_copy. */
void pg_text_gap(struct pg_text *text, uint32_t at);
/* True when token `at` is this word. */
bool pg_text_is(const struct pg_text *text, uint32_t at, limen_str word);
/* A bare or quoted name in double quotes and lower case: SQLite knows names without regard to case. */
void pg_write_name(struct buf *out, limen_str name);
/* "bigint" for INTEGER and so on; empty when there is no such type in PostgreSQL. */
limen_str pg_stored_type(limen_str stored);
/* Adds a fault at token `at`. */
void pg_text_fault(struct pg_text *text, uint32_t at, limen_str mend, const char *message);
/* Where in its file PostgreSQL's PG_DIAG_STATEMENT_POSITION (a character of `written`, counted from 1; 0: none) comes from. */
struct pg_mark pg_marks_find(const struct pg_mark *marks, uint32_t count, limen_str written, uint32_t position);

#endif
