/* store_fixture.h - a store on a database of its own, of either kind, and tasks that are waited for.
 *
 * The schema is a small shop with every kind of guard; the statements do what a careless or hostile author would write. */
#ifndef TESTS_DATA_STORE_FIXTURE_H
#define TESTS_DATA_STORE_FIXTURE_H

#include "both_fixture.h"
#include "check.h"
#include "core/arena.h"
#include "core/loop.h"
#include "data/store.h"
#include "data/wire.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char FIXTURE_SCHEMA[] =
    "CREATE TABLE items (id TEXT PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL, stock INTEGER NOT NULL CHECK "
    "(stock >= 0)) STRICT;\n"
    "-- owner: customer_id\n"
    "CREATE TABLE orders (id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, state TEXT NOT NULL, note TEXT) STRICT;\n"
    "CREATE INDEX orders_of_customer ON orders (customer_id);\n"
    "-- Lines belong to whom the order belongs.\n"
    "-- owner: via orders.order_id\n"
    "CREATE TABLE order_lines (\n"
    "    order_id TEXT NOT NULL REFERENCES orders (id) ON DELETE CASCADE,\n"
    "    item_id TEXT NOT NULL REFERENCES items (id),\n"
    "    unit_price INTEGER NOT NULL, -- decided-by: items.price via item_id\n"
    "    quantity INTEGER NOT NULL,\n"
    "    PRIMARY KEY (order_id, item_id)\n"
    ") STRICT;\n"
    "CREATE TABLE counters (id TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;\n"
    "CREATE TABLE parents (id TEXT PRIMARY KEY) STRICT;\n"
    "CREATE TABLE children (id TEXT PRIMARY KEY, parent_id TEXT NOT NULL REFERENCES parents (id) DEFERRABLE INITIALLY "
    "DEFERRED) STRICT;\n"
    "CREATE TABLE kinds (id TEXT PRIMARY KEY, number INTEGER, flag INTEGER CHECK (flag IN (0, 1)), share REAL, raw "
    "BLOB, "
    "made INTEGER, doc TEXT, words TEXT) STRICT;\n"
    "INSERT INTO items (id, name, price, stock) VALUES ('tea', 'Tea', 500, 10), ('mug', 'Mug', 900, 3);\n"
    "INSERT INTO counters (id, n) VALUES ('c', 0);\n"
    "INSERT INTO orders (id, customer_id, state) VALUES ('ord_a', 'acc_a', 'placed'), ('ord_b', 'acc_b', 'placed');\n"
    "INSERT INTO order_lines (order_id, item_id, unit_price, quantity) VALUES ('ord_a', 'tea', 500, 1), ('ord_b', "
    "'mug', 900, 2);\n";

static const char FIXTURE_QUERIES[] =
    "-- name: all_orders() :many\nSELECT id FROM orders;\n"
    "-- name: all_lines() :many\nSELECT order_id FROM order_lines;\n"
    "-- name: count_orders() :one\n-- returns: n int\nSELECT count(*) AS n FROM orders AS o;\n"
    "-- name: joined() :many\nWITH mine AS (SELECT id FROM orders) SELECT l.order_id FROM order_lines AS l JOIN mine "
    "ON mine.id = l.order_id;\n"
    "-- name: admin_orders() :many\n-- scope: admin\nSELECT id FROM orders ORDER BY id;\n"
    "-- name: set_all(state text) :exec\nUPDATE orders SET state = :state;\n"
    "-- name: set_one(id text, state text) :must else 404 \"no such order\"\nUPDATE orders SET state = :state WHERE "
    "orders.id = :id;\n"
    "-- name: set_returning(id text, state text) :returning else 404 \"no such order\"\nUPDATE orders SET state = "
    ":state WHERE id = :id RETURNING id, note;\n"
    "-- name: delete_all() :exec\nDELETE FROM orders;\n"
    "-- name: delete_lines() :exec\nDELETE FROM /* all of */ \"order_lines\";\n"
    "-- name: insert_order(id text, customer text) :must else 409 \"not yours\"\n"
    "-- on: sqlite\nINSERT OR ABORT INTO orders (id, customer_id, state) VALUES (:id, :customer, 'placed');\n"
    "-- on: postgresql\nINSERT INTO orders (id, customer_id, state) VALUES (:id, :customer, 'placed');\n"
    "-- name: give_away(id text, customer text) :must else 409 \"not yours\"\nUPDATE orders SET customer_id = "
    ":customer WHERE id = :id;\n"
    "-- name: upsert_order(id text) :must else 409 \"not yours\"\nINSERT INTO orders (id, customer_id, state) VALUES "
    "(:id, :caller, 'new') ON CONFLICT (id) DO UPDATE SET state = 'robbed';\n"
    "-- name: copy_states(id text) :exec\n"
    "-- on: sqlite\nWITH found AS (SELECT group_concat(id) AS ids FROM orders) UPDATE orders SET note = (SELECT ids "
    "FROM found) WHERE id = :id;\n"
    "-- on: postgresql\nWITH found AS (SELECT string_agg(id, ',') AS ids FROM orders) UPDATE orders SET note = (SELECT "
    "ids FROM found) WHERE id = :id;\n"
    "-- name: get_note(id text) :one\nSELECT note FROM orders WHERE id = :id;\n"
    "-- name: admin_states() :many\n-- scope: admin\nSELECT state FROM orders ORDER BY id;\n"
    "-- name: admin_set_all(state text) :exec\n-- scope: admin\nUPDATE orders SET state = :state;\n"
    "-- name: insert_line(order_id text, item_id text, price int, quantity int) :must else 409 \"the price has "
    "changed\"\n"
    "INSERT INTO order_lines (order_id, item_id, unit_price, quantity) VALUES (:order_id, :item_id, :price, "
    ":quantity);\n"
    "-- name: set_price(item_id text, price int) :must else 404 \"no such item\"\nUPDATE items SET price = :price "
    "WHERE id = :item_id;\n"
    "-- name: cheapen(order_id text, price int) :must else 409 \"no\"\nUPDATE order_lines SET unit_price = :price "
    "WHERE order_id = :order_id;\n"
    "-- name: take_stock(item_id text, quantity int) :must else 409 \"not enough\"\nUPDATE items SET stock = stock - "
    ":quantity WHERE id = :item_id AND stock >= :quantity;\n"
    "-- name: take_blindly(item_id text, quantity int) :exec\nUPDATE items SET stock = stock - :quantity WHERE id = "
    ":item_id;\n"
    "-- name: get_stock(item_id text) :one\nSELECT stock FROM items WHERE id = :item_id;\n"
    "-- name: find_items(item_ids text[]) :many\nSELECT id, price FROM items WHERE id IN (:item_ids) ORDER BY id;\n"
    "-- name: count_up() :exec\nUPDATE counters SET n = n + 1;\n"
    "-- name: slow_count_up() :exec\n-- slow\nUPDATE counters SET n = n + 1;\n"
    "-- name: get_count() :one\nSELECT n FROM counters;\n"
    "-- name: insert_child(id text, parent text) :must else 409 \"no parent\"\nINSERT INTO children (id, parent_id) "
    "VALUES (:id, :parent);\n"
    "-- name: insert_parent(id text) :exec\nINSERT INTO parents (id) VALUES (:id);\n"
    "-- name: two_rows() :one\nSELECT id FROM items;\n"
    "-- name: for_ever() :one\n-- returns: n int\n"
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS n FROM c;\n"
    "-- name: slow_for_ever() :one\n-- slow\n-- returns: n int\n"
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) AS n FROM c;\n"
    "-- name: all_prices() :many\nSELECT id, price FROM items ORDER BY id;\n"
    "-- name: write_for_ever() :exec\n"
    "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) UPDATE counters SET n = (SELECT count(*) FROM "
    "c);\n"
    "-- name: keep_kind(id text, number int?, flag bool?, share float?, raw bytes?, made time?, doc json?, words "
    "text?) "
    ":exec\n"
    "INSERT INTO kinds (id, number, flag, share, raw, made, doc, words) VALUES (:id, :number, :flag, :share, :raw, "
    ":made, :doc, :words);\n"
    "-- name: kind_by_id(id text) :one\n-- returns: flag bool?, made time?, doc json?\n"
    "SELECT id, number, flag, share, raw, made, doc, words FROM kinds WHERE id = :id;\n"
    "-- name: count_kinds() :one\n-- returns: n int\nSELECT count(*) AS n FROM kinds;\n"
    "-- name: kinds_numbered(numbers int[]) :many\nSELECT id FROM kinds WHERE number IN (:numbers) ORDER BY id;\n"
    "-- name: order_by_id(id text) :one\nSELECT id FROM orders WHERE id = :id;\n"
    "-- name: lines_of(id text) :many\nSELECT item_id FROM order_lines WHERE order_id = :id;\n"
    "-- effect: charge(order_id text) to payments  key :order_id\n-- returns: amount int, currency text, note text?\n"
    "SELECT sum(unit_price * quantity) AS amount, 'EUR' AS currency, max(note) AS note FROM order_lines JOIN orders ON "
    "orders.id = "
    "order_id WHERE order_id = :order_id;\n"
    "-- effect: refund(order_id text, payment text) to payments.refund  key :order_id else 404 \"no such order\"\n"
    "-- scope: system for charge\n-- returns: payment text\nSELECT :payment AS payment FROM orders WHERE id = "
    ":order_id;\n";

struct fixture {
    char folder[64], url[256];
    struct arena arena;
    struct diags diags;
    struct contract contract;
    struct query_set queries;
    struct limen_file migrations[4];
    struct store_config config;
    struct loop *loop;
    struct store *store;
    uint32_t waiting;
};

static inline void fixture_show(const struct diags *diags)
{
    for (size_t i = 0; i < diags->count; i++)
        print_error("%.*s:%u:%u: %.*s\n", LIMEN_STR_ARG(diags->items[i].file), diags->items[i].line,
                    diags->items[i].column, LIMEN_STR_ARG(diags->items[i].message));
}

static inline void fixture_open(struct fixture *fixture)
{
    fixture->store = store_open(&fixture->config, fixture->loop, &fixture->arena, &fixture->diags);
    if (fixture->store == NULL)
        fixture_show(&fixture->diags);
    assert_non_null(fixture->store);
}

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/limen-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    if (postgres_server == NULL)
        snprintf(fixture->url, sizeof fixture->url, "sqlite:%s/var/test.db", fixture->folder);
    else
        postgres_make(fixture->url, sizeof fixture->url);
    arena_init(&fixture->arena, NULL, 64U * 1024 * 1024);
    diags_init(&fixture->diags, &fixture->arena);
    fixture->contract.roles[0] = LIMEN_STR("customer");
    fixture->contract.roles[1] = LIMEN_STR("admin");
    fixture->contract.role_count = 2;
    bool is_parsed = queries_parse(str_of(FIXTURE_QUERIES), LIMEN_STR("queries.sql"),
                                   store_backend(str_of(fixture->url)), &fixture->arena, &fixture->queries,
                                   &fixture->diags);
    fixture_show(&fixture->diags);
    assert_true(is_parsed);
    fixture->migrations[0] = (struct limen_file){ LIMEN_STR("0001_test.sql"), str_of(FIXTURE_SCHEMA) };
    fixture->config = (struct store_config){ .url = str_of(fixture->url),
                                             .contract = &fixture->contract,
                                             .queries = &fixture->queries,
                                             .migrations = fixture->migrations,
                                             .migration_count = 1 };
    fixture->loop = loop_new();
    assert_non_null(fixture->loop);
    fixture_open(fixture);
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    static const char *const FILES[] = { "var/test.db", "var/test.db-wal", "var/test.db-shm" };
    char path[128];
    store_close(fixture->store);
    loop_free(fixture->loop);
    arena_release(&fixture->arena);
    if (postgres_server != NULL)
        postgres_drop(fixture->url);
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", fixture->folder, FILES[i]);
        (void)unlink(path);
    }
    snprintf(path, sizeof path, "%s/var", fixture->folder);
    (void)rmdir(path);
    (void)rmdir(fixture->folder);
    free(fixture);
    return 0;
}

/* ---- tasks -------------------------------------------------------------------------------------------------------------- */

/* A task with its own memory and up to eight statements of up to four parameters. */
struct job {
    struct store_task task;
    struct arena arena;
    struct store_item items[8];
    limen_value values[8][4];
    struct fixture *fixture;
    bool is_done;
};

static inline void job_done(struct store_task *task)
{
    struct job *job = task->context;
    job->is_done = true;
    job->fixture->waiting--;
}

static inline struct job *job_new(struct fixture *fixture, enum store_task_kind kind, const char *caller)
{
    struct job *job = calloc(1, sizeof *job);
    job->fixture = fixture;
    arena_init(&job->arena, NULL, LIMIT_TASK_ARENA_BYTES);
    job->task = (struct store_task){ .kind = kind,
                                     .arena = &job->arena,
                                     .now = clock_wall_us(),
                                     .deadline_us = clock_mono_us() + 20000000,
                                     .on_done = job_done,
                                     .context = job,
                                     .items = job->items };
    size_t len = caller == NULL ? 0 : strlen(caller);
    job->task.principal.id_len = (uint8_t)len;
    if (len > 0)
        memcpy(job->task.principal.id, caller, len);
    return job;
}

static inline limen_value text_value(const char *text)
{
    return (limen_value){ .type = LIMEN_TYPE_TEXT, .as.text = str_of(text) };
}
static inline limen_value int_value(int64_t value)
{
    return (limen_value){ .type = LIMEN_TYPE_INT, .as.integer = value };
}

/* Adds a statement to a queue, or sets the one that reads. `format` has a letter a parameter: s or i. */
static inline void job_add(struct job *job, const char *name, const char *format, ...)
{
    const struct statement *statement = queries_find(&job->fixture->queries, str_of(name));
    assert_non_null(statement);
    bool is_read = statement->kind == STATEMENT_ONE || statement->kind == STATEMENT_MANY;
    limen_value *values = job->values[job->task.item_count];
    uint32_t count = 0;
    va_list args;
    va_start(args, format);
    for (; format[count] != '\0'; count++)
        values[count] = format[count] == 's' ? text_value(va_arg(args, const char *)) : int_value(va_arg(args, int));
    va_end(args);
    if (job->task.kind == STORE_READ || (job->task.kind == STORE_STEP && is_read)) {
        job->task.statement = statement;
        job->task.params = values;
        job->task.param_count = count;
        return;
    }
    job->items[job->task.item_count++] = (struct store_item){ statement, values, count };
}

static inline void job_key(struct job *job, const char *key, uint8_t fingerprint, int status, const char *reply)
{
    job->task.has_key = true;
    job->task.key = str_of(key);
    memset(job->task.fingerprint, fingerprint, sizeof job->task.fingerprint);
    job->task.status = status;
    job->task.reply = str_of(reply);
}

static inline void job_submit(struct job *job)
{
    job->fixture->waiting++;
    store_submit(job->fixture->store, &job->task);
}

static inline void fixture_wait(struct fixture *fixture)
{
    int64_t until = clock_mono_us() + 30000000;
    while (fixture->waiting > 0 && clock_mono_us() < until)
        loop_turn(fixture->loop, 100000);
    assert_int_equal(fixture->waiting, 0);
}

static inline enum store_outcome job_run(struct job *job)
{
    job_submit(job);
    fixture_wait(job->fixture);
    return job->task.outcome;
}

static inline void job_free(struct job *job)
{
    arena_release(&job->arena);
    free(job);
}

/* One batch of one statement. */
#define WRITE(fixture, caller, name, ...) write_one(job_new((fixture), STORE_BATCH, (caller)), (name), __VA_ARGS__)
#define write_one(made, name, ...)                   \
    ({                                               \
        struct job *job_ = (made);                   \
        job_add(job_, (name), __VA_ARGS__);          \
        enum store_outcome outcome_ = job_run(job_); \
        job_free(job_);                              \
        outcome_;                                    \
    })

/* A read's single column of texts or ints, joined by commas. */
static inline const char *job_values(struct job *job, char *memory, size_t bytes)
{
    struct wire_reader reader = { job->task.rows.ptr, job->task.rows.ptr + job->task.rows.len, false };
    struct buf out;
    buf_init_fixed(&out, memory, bytes - 1);
    for (uint32_t row = 0; row < job->task.row_count; row++) {
        for (uint32_t i = 0; i < job->task.statement->column_count; i++) {
            if (out.len > 0)
                buf_add_char(&out, ',');
            if (wire_get_u8(&reader) != 0)
                BUF_ADD(&out, "null");
            else if (job->task.statement->columns[i].type == LIMEN_TYPE_TEXT)
                buf_add(&out, wire_get_str(&reader));
            else
                buf_add_int(&out, wire_get_i64(&reader));
        }
    }
    assert_false(reader.failed || out.failed || reader.at != reader.end);
    memory[out.len] = '\0';
    return memory;
}

/* assert that a read as this caller gives these values */
#define assert_reads(fixture, caller, wanted, name, ...)                           \
    do {                                                                           \
        struct job *read_ = job_new((fixture), STORE_READ, (caller));              \
        char memory_[512];                                                         \
        job_add(read_, (name), __VA_ARGS__);                                       \
        assert_int_equal(job_run(read_), STORE_OK);                                \
        assert_string_equal(job_values(read_, memory_, sizeof memory_), (wanted)); \
        job_free(read_);                                                           \
    } while (0)

#endif
