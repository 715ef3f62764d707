/* app.h - what an app is: its contract, its statements, its migrations, its page, its handlers.
 *
 * `limen gen` writes one `struct limen_app` (named limen_the_app) from the app's folder; the library's main() runs it. */
#ifndef LIMEN_APP_H
#define LIMEN_APP_H

#include "limen/base.h"
#include "limen/shape.h"

struct limen_call;
struct limen_reply;
struct limen_value;
struct limen_effect_result;

/* An embedded file. `path` is relative to its folder: "0001_shop.sql", "index.html". */
struct limen_file {
    limen_str path;
    limen_str bytes;
};

/* A document that the contract's `$ref`s may lead to. */
struct limen_document {
    limen_str uri; /* what a $ref calls it: absolute, or relative to the folder of the contract */
    struct limen_file file;
};

/* The C side of one operation. */
struct limen_handler {
    limen_str operation_id;
    /* Calls the handler with its input struct. */
    struct limen_reply (*run)(struct limen_call *call, const void *input);
    const struct limen_shape
        *input; /* one object with members path, query, header, cookie (objects) and body, as there are */
};

/* The C side of one effect: who hears what came of it. */
struct limen_effect {
    limen_str name; /* of `-- effect:` */
    /* Calls <name>_result with the effect's own parameters. */
    void (*run)(struct limen_call *call, const struct limen_value *params, const struct limen_effect_result *result);
};

struct limen_app {
    limen_str name;             /* "shop" */
    struct limen_file contract; /* api.yaml */
    const struct limen_document *documents;
    size_t document_count;
    struct limen_file queries;           /* queries.sql */
    const struct limen_file *migrations; /* in order of their names */
    size_t migration_count;
    const struct limen_file *web;
    size_t web_count;
    const struct limen_handler *handlers;
    size_t handler_count;
    const struct limen_effect *effects;
    size_t effect_count;
};

/* Defined by the generated code. */
extern const struct limen_app limen_the_app;

#endif
