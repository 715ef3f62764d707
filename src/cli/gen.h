/* gen.h - `limen gen`: from a contract and its statements to C that the compiler can check.
 *
 * What is written is small: structs, offsets, thin wrappers. The work is done by the library's tables. */
#ifndef CLI_GEN_H
#define CLI_GEN_H

#include "contract/contract.h"
#include "core/arena.h"
#include "core/hash.h"
#include "core/str.h"
#include "data/queries.h"
#include "limen/app.h"
#include "limen/shape.h"

/* One member of a generated struct. */
struct gen_field {
    limen_str name; /* in the contract */
    limen_str c_name;
    enum limen_kind kind;
    bool is_optional, is_nullable, is_write_only;
    const struct gen_type *type; /* OBJECT, ENUM; of the items of an ARRAY */
    enum limen_kind item_kind;   /* ARRAY */
};

/* A struct, an enum or a tagged union. */
struct gen_type {
    limen_str c_name;
    const struct doc_node *node; /* the schema it mirrors; NULL for input structs */
    bool is_enum;
    bool holds_json;          /* a slice, in it or inside */
    limen_str discriminator;  /* of a union, else empty */
    struct gen_field *fields; /* of a struct; an enum's are its values, a union's its alternatives */
    uint32_t count;
    struct gen_type *next; /* in the order in which C must see them */
};

/* A schema whose struct is being filled in. */
struct gen_open {
    const struct doc_node *node;
    const struct gen_open *outer;
};

struct gen {
    struct arena *arena;
    struct diags *diags;
    const struct contract *contract;
    const struct query_set *queries;
    struct gen_type *types, **last_type;
    const struct gen_open *open;
    struct gen_type **inputs; /* by operation index */
    struct map names;         /* C names that are taken, to what took them */
};

/* camelCase, kebab-case and PascalCase to snake_case; a C keyword gets a '_' at its end. */
limen_str gen_snake(struct arena *arena, limen_str name);
limen_str gen_upper(struct arena *arena, limen_str name);
/* The text as a string literal of C; what is no ASCII stands for itself. */
void gen_write_literal(struct buf *out, limen_str text);
/* Does a library that an app is linked with have this function? Who calls it there would get the app's. */
bool gen_is_in_library(struct gen *gen, limen_str c_name);
/* Reserves a C name; false after adding to the diags when it is taken. */
bool gen_reserve(struct gen *gen, limen_str c_name, limen_str what, const struct doc_node *node);

/* Builds all types of the contract: components that operations reach, and one input struct an operation. */
bool gen_build_types(struct gen *gen) LIMEN_MUST_CHECK;
/* The type of a reply's schema. */
const struct gen_type *gen_reply_type(struct gen *gen, const struct operation *operation,
                                      const struct reply_spec *reply);

void gen_write_api_h(struct gen *gen, struct buf *out);
void gen_write_api_c(struct gen *gen, struct buf *out);
void gen_write_queries_h(struct gen *gen, struct buf *out);
void gen_write_queries_c(struct gen *gen, struct buf *out);
void gen_write_app_c(struct gen *gen, const struct limen_app *app, struct buf *out);

/* The command: reads the app's folder, writes the five files. Returns an exit code. */
int gen_main(int argc, char **argv);

#endif
