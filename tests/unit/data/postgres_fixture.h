/* postgres_fixture.h - a database of the test's own, on the server that tests/lib/with_postgres has started. */
#ifndef TEST_POSTGRES_FIXTURE_H
#define TEST_POSTGRES_FIXTURE_H

#include "check.h"
#include "core/arena.h"
#include "data/api_key.h"
#include "data/pg_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct postgres_env {
    struct arena arena;
    struct diags diags;
    char url[256];
    PGconn *pg; /* the superuser's, in the test's database */
};

/* The URL of the server with another database, and another user. */
static inline void postgres_url(char *out, size_t bytes, const char *user, const char *database)
{
    limen_str rest = str_of(getenv("LIMEN_TEST_POSTGRES"));
    rest = str_slice(rest, str_find(rest, LIMEN_STR("://"), 0) + 3, rest.len);
    limen_str name = str_cut(&rest, ':'), place = str_cut(&rest, '/');
    limen_str chosen = user == NULL ? name : str_of(user);
    snprintf(out, bytes, "postgresql://%.*s:%.*s/%s", LIMEN_STR_ARG(chosen), LIMEN_STR_ARG(place), database);
}

static inline void postgres_run(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    PQclear(result);
}

/* The statement fails with this SQLSTATE. */
static inline void postgres_fails(PGconn *pg, const char *sql, const char *sqlstate)
{
    PGresult *result = PQexec(pg, sql);
    const char *found = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    assert_non_null(found);
    assert_string_equal(found, sqlstate);
    PQclear(result);
}

/* The first value that it gives, or "" for none. Valid until the next call with this environment's arena is released. */
static inline const char *postgres_ask(struct postgres_env *env, PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    const char *value = PQntuples(result) == 0 ? "" : arena_copy(&env->arena, str_of(PQgetvalue(result, 0, 0))).ptr;
    PQclear(result);
    return value;
}

static inline int postgres_setup(void **state)
{
    static unsigned number;
    struct postgres_env *env = test_calloc(1, sizeof *env);
    char sql[64], name[32];
    arena_init(&env->arena, NULL, 64U * 1024 * 1024);
    diags_init(&env->diags, &env->arena);
    snprintf(name, sizeof name, "t%d_%u", getpid(), number++);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    PGconn *pg = PQconnectdb(getenv("LIMEN_TEST_POSTGRES"));
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    postgres_run(pg, sql);
    PQfinish(pg);
    postgres_url(env->url, sizeof env->url, NULL, name);
    env->pg = PQconnectdb(env->url);
    assert_int_equal(PQstatus(env->pg), CONNECTION_OK);
    *state = env;
    return 0;
}

static inline int postgres_teardown(void **state)
{
    struct postgres_env *env = *state;
    PQfinish(env->pg);
    arena_release(&env->arena);
    test_free(env);
    return 0;
}

static inline void postgres_assert_fault(const struct postgres_env *env, const char *file, uint32_t line,
                                         const char *message)
{
    assert_true(env->diags.count > 0);
    const struct diag *got = &env->diags.items[0];
    bool is_it = (file == NULL || str_equal(got->file, str_of(file))) && got->line == line
        && str_find(got->message, str_of(message), 0) != SIZE_MAX;
    if (!is_it)
        fail_msg("%.*s:%u: %.*s", LIMEN_STR_ARG(got->file), got->line, LIMEN_STR_ARG(got->message));
}

#endif
