/* both_fixture.h - databases on the PostgreSQL that tests/lib/with_postgres has started, and the same tests on both back ends. */
#ifndef TESTS_DATA_BOTH_FIXTURE_H
#define TESTS_DATA_BOTH_FIXTURE_H

#include "check.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The URL of the server's superuser while the tests run on PostgreSQL; NULL: they run on SQLite. */
static const char *postgres_server;

static inline PGconn *postgres_connect(const char *url)
{
    PGconn *pg = PQconnectdb(url);
    if (PQstatus(pg) != CONNECTION_OK)
        print_error("%s", PQerrorMessage(pg));
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    return pg;
}

/* Runs a statement; the first value that it gives, or "", is written to `ret_value` (may be NULL). */
static inline void postgres_run(const char *url, const char *sql, char *ret_value, size_t bytes)
{
    PGconn *pg = postgres_connect(url);
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        print_error("%s: %s", sql, PQerrorMessage(pg));
    assert_true(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
    if (ret_value != NULL)
        (void)snprintf(ret_value, bytes, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(pg);
}

/* Makes an empty database and writes its URL. */
static inline void postgres_make(char *ret_url, size_t bytes)
{
    static unsigned serial;
    char sql[96];
    const char *name = strrchr(postgres_server, '/');
    assert_non_null(name);
    (void)snprintf(sql, sizeof sql, "CREATE DATABASE test_%d_%u", (int)getpid(), ++serial);
    postgres_run(postgres_server, sql, NULL, 0);
    (void)snprintf(ret_url, bytes, "%.*s/test_%d_%u", (int)(name - postgres_server), postgres_server, (int)getpid(),
                   serial);
}

static inline void postgres_drop(const char *url)
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", strrchr(url, '/') + 1);
    postgres_run(postgres_server, sql, NULL, 0);
}

/* Runs a group on SQLite, and then on PostgreSQL where there is one. Gives what main returns. */
#define RUN_ON_BOTH(tests, on_postgres)                                                         \
    ({                                                                                          \
        int failed_ = cmocka_run_group_tests_name("on SQLite", (tests), NULL, NULL);            \
        postgres_server = getenv("LIMEN_TEST_POSTGRES");                                        \
        if (postgres_server != NULL)                                                            \
            failed_ += cmocka_run_group_tests_name("on PostgreSQL", (on_postgres), NULL, NULL); \
        else                                                                                    \
            print_message("# not run on PostgreSQL: start it with tests/lib/with_postgres\n");  \
        failed_;                                                                                \
    })

#endif
