/* queries.h - queries.sql: named statements with typed prototypes.
 *
 *   -- name: take_stock(item_id text, quantity int) :must  else 409 "not enough in stock"     (optional for :returning: no row)
 *   -- returns: total int, note text?          types of result columns that are expressions (others come from the table)
 *   -- scope: admin                            lifts the owner's filter; the principal must hold this role
 *   -- scope: system for charge succeeded, give_back    the same, and no request runs it: the results of these effects do (with this
 *                                              outcome; without a word, with any), for what the effect was asked with
 *   -- slow
 *   -- on: sqlite | postgresql                 the statement below is this back end's variant
 *   UPDATE …;
 *
 *   -- effect: charge(order_id text) to payments  key :order_id      (`to payments.refund`; `else 409 "…"` for no row, or a key used before)
 *   SELECT … AS amount, currency …;            one row: what is sent (contract/effect.h tells what the action wants)
 *
 * A statement's text ends at its `;`. `:name` must be a declared parameter, `:caller` or `:now`; schema-qualified names (main., temp.) and
 * names that start with limen_ are refused. Read at start and by the tools. */
#ifndef DATA_QUERIES_H
#define DATA_QUERIES_H

#include "contract/doc.h" /* diags */
#include "contract/effect.h"
#include "limen/limen.h"

enum statement_kind {
    STATEMENT_ONE,
    STATEMENT_MANY,
    STATEMENT_EXEC,
    STATEMENT_MUST,
    STATEMENT_RETURNING,
    STATEMENT_EFFECT
};

struct statement_param {
    limen_str name;
    enum limen_type type;
    bool is_nullable, is_list; /* lists are of text or int, never nullable */
};

struct statement_column {
    limen_str name;
    enum limen_type type;
    bool is_nullable;
    uint32_t line; /* of the `-- returns:` that typed it; 0: typed by the table */
};

/* An effect whose result may run a statement. */
struct statement_result {
    limen_str name;
    uint32_t line, column; /* where it is named */
    uint16_t effect;       /* its statement's number */
    uint8_t outcomes;      /* mask of 1 << enum limen_effect_outcome */
};

struct statement {
    uint16_t number; /* in the order of the file */
    limen_str name;
    enum statement_kind kind;
    struct statement_param *params;
    uint32_t param_count;
    int else_status; /* :must, an effect, and :returning where it is written (else 0): the reply when no row changed */
    limen_str else_text;
    limen_str scope; /* "": the caller's rows; "admin"…: a role; "system": no request's, but that of `results` */
    struct statement_result *results;
    uint32_t result_count; /* not 0 where the scope is "system" */
    bool is_slow;
    const struct effect_action *action; /* an effect: what is done where */
    uint32_t key_param;                 /* an effect: index of the parameter that keys it */
    limen_str sql;                      /* for the chosen back end, as written, without its `;` */
    bool is_variant;                    /* written for this back end alone: `-- on:` */
    limen_str
        sqlite_sql; /* SQLite's text, which describes the columns for both; the same where there are no variants */
    uint32_t sqlite_line, sqlite_column;
    uint32_t line;                 /* of `-- name:` or `-- effect:` */
    uint32_t sql_line, sql_column; /* of the first token of `sql` */
    /* Filled in by store_describe (typed by `-- returns:` or by the table); in the order of the SELECT. */
    struct statement_column *columns;
    uint32_t column_count;
    /* From `-- returns:`. */
    struct statement_column *declared;
    uint32_t declared_count;
};

struct query_set {
    limen_str file;
    struct statement *statements;
    uint32_t count;
};

/* Parses queries.sql; `backend` is "sqlite" or "postgresql" and picks the variants. False after adding to `diags`. */
bool queries_parse(limen_str text, limen_str file, limen_str backend, struct arena *arena, struct query_set *ret_set,
                   struct diags *diags) LIMEN_MUST_CHECK;
/* NULL: there is none of that name. */
const struct statement_param *statement_param(const struct statement *statement, limen_str name);
const struct statement *queries_find(const struct query_set *set, limen_str name);

#endif
