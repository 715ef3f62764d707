/* pg_store.c - store.h on PostgreSQL: opening, closing, and what that needs of the kernel.
 *
 * Migrations and the look at every statement go over one connection that is waited for; then the pool makes its own. A server that is not
 * there yet is waited for, as it is when it goes away later; one that refuses us is told at once. */
#include "data/pg_store.h"

#include "core/log.h"
#include "core/lookup.h"
#include "data/pg_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CONNECTIONS_DEFAULT 8U
#define PORT_DEFAULT 5432U

struct pg_store {
    struct store base; /* first: it is what the world has of us */
    struct pg_pool pool;
};

static struct pg_pool *pool_of(struct store *base)
{
    return &((struct pg_store *)base)->pool;
}

/* ---- opening and closing ---------------------------------------------------------------------------------------------------- */

/* Of each session: no statement for ever, no transaction whose owner is gone, no compiler for statements of a millisecond, and warnings are
 * told, which pg_conn.c looks at. */
#define SESSION_SQL                                                                                  \
    "SET statement_timeout = '60s'; SET idle_in_transaction_session_timeout = '60s'; SET jit = off;" \
    " SET client_min_messages = warning; "

static bool open_schema(struct pg_store *store, const struct store_config *config, struct arena *arena,
                        struct diags *diags)
{
    PGconn *pg = pg_connect_patiently(config->url, arena, diags);
    bool is_open = pg != NULL && pg_schema_open(pg, config, arena, &store->pool.schema, diags);
    PQfinish(pg);
    return is_open;
}

static struct store *open_store(const struct store_config *config, struct loop *loop, struct arena *arena,
                                struct diags *diags)
{
    struct pg_store *store = calloc(1, sizeof *store);
    limen_str url = arena_copy(arena, config->url);
    if (store == NULL || url.ptr == NULL) {
        free(store);
        return NULL;
    }
    store->base.ops = &pg_ops;
    store->pool.loop = loop;
    store->pool.conninfo = url.ptr;
    store->pool.shown = pg_shown_url(config->url, arena);
    store->pool.contract = config->contract;
    store->pool.queries = config->queries;
    limen_str session = LIMEN_STR("");
    uint32_t connections = config->connections == 0 ? CONNECTIONS_DEFAULT : config->connections;
    bool is_open = open_schema(store, config, arena, diags);
    if (is_open && !pg_hosts_read(&store->pool.hosts, url.ptr, arena)) {
        diags_add_at(diags, LIMEN_STR("--database"), 0, 0, LIMEN_STR("name fewer"),
                     "the database's URL names more than %u hosts", LIMIT_PG_HOSTS);
        is_open = false;
    }
    if (is_open) {
        session = arena_printf(arena, SESSION_SQL "%s", store->pool.schema.session_sql);
        store->pool.session_sql = session.ptr;
    }
    if (is_open && session.ptr != NULL && pg_pool_open(&store->pool, connections))
        return &store->base;
    free(store);
    return NULL;
}

static void close_store(struct store *base)
{
    pg_pool_close(pool_of(base));
    free(base);
}

static void submit(struct store *base, struct store_task *task)
{
    pg_pool_submit(pool_of(base), task);
}

static void abandon(struct store *base, uint64_t transaction)
{
    pg_pool_abandon(pool_of(base), transaction);
}

static bool is_away(const struct store *base)
{
    return pg_pool_is_away(&((const struct pg_store *)base)->pool);
}

static bool first_account(struct store *base, limen_str id, limen_str email, limen_str password_hash, uint32_t roles)
{
    struct pg_pool *pool = pool_of(base);
    struct arena arena;
    struct diags diags;
    arena_init(&arena, NULL, LIMIT_TASK_ARENA_BYTES);
    diags_init(&diags, &arena);
    PGconn *pg = pg_connect(str_of(pool->conninfo), &arena, &diags);
    bool is_made = pg != NULL && pg_first_account(pg, pool->contract, id, email, password_hash, roles);
    if (pg == NULL)
        LOG_ERROR("the first account cannot be looked for", log_str("database", pool->shown));
    PQfinish(pg);
    arena_release(&arena);
    return is_made;
}

/* ---- the sandbox ------------------------------------------------------------------------------------------------------------ */

/* Found by tracing: of libpq, of OpenSSL under it, and of the C library's resolver. Nothing here listens, and no program is started. */
static const int numbers[] = {
    SYS_connect, SYS_getsockname, SYS_getpeername, SYS_setsockopt, SYS_getsockopt,
    SYS_ppoll,   SYSCALL_POLL,    SYS_fstat,       SYS_newfstatat, SYS_lseek,
    SYS_uname,   SYS_geteuid,     SYS_getuid,      SYS_faccessat2, SYS_recvmsg,
};
static const struct syscall_rule rules[] = {
    SYSCALL_WHEN(SYS_socket, /* domain */ 0, AF_UNIX),
    SYSCALL_WHEN(SYS_socket, /* domain */ 0, AF_INET),
    SYSCALL_WHEN(SYS_socket, /* domain */ 0, AF_INET6),
    SYSCALL_UNLESS(SYS_openat, /* flags */ 2, O_ACCMODE | O_CREAT | O_TRUNC),
    SYSCALL_UNLESS(SYS_sendmmsg, /* flags */ 3, ~(unsigned)MSG_NOSIGNAL),
    SYSCALL_WHEN(SYS_ioctl, /* operation */ 1, FIONREAD),
    SYSCALL_WHEN(SYS_fcntl, /* operation */ 1, F_GETFL),
    SYSCALL_WHEN(SYS_fcntl, /* operation */ 1, F_SETFL),
    SYSCALL_WHEN(SYS_fcntl, /* operation */ 1, F_SETFD),
};
static const struct syscall_list pg_syscalls = { numbers, sizeof(numbers) / sizeof(numbers[0]), rules,
                                                 sizeof(rules) / sizeof(rules[0]) };

static void add_path(struct store_sandbox *sandbox, const char *path)
{
    if (sandbox->path_count < STORE_SANDBOX_PATHS)
        sandbox->paths[sandbox->path_count++] = (struct sandbox_path){ .path = path, .access = SANDBOX_READ };
}

/* "5432" or, for several hosts, "5432,5433"; an empty one is the default. */
static bool add_ports(struct store_sandbox *sandbox, limen_str ports)
{
    do {
        limen_str text = str_cut(&ports, ',');
        int64_t port = PORT_DEFAULT;
        if ((text.len > 0 && !str_to_int64(text, &port)) || port < 1 || port > UINT16_MAX
            || sandbox->port_count == STORE_SANDBOX_PORTS)
            return false;
        sandbox->ports[sandbox->port_count++] = (uint16_t)port;
    } while (ports.len > 0);
    return true;
}

static bool is_file_of(const char *keyword)
{
    static const char *const KEYWORDS[] = { "sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile" };
    for (size_t i = 0; i < sizeof(KEYWORDS) / sizeof(KEYWORDS[0]); i++) {
        if (strcmp(keyword, KEYWORDS[i]) == 0)
            return true;
    }
    return false;
}

/* The files that the URL names are read with each connection, by the user whom the role then runs as. */
static bool describe_sandbox(limen_str url, struct store_sandbox *ret_sandbox, struct arena *arena, struct diags *diags)
{
    struct store_sandbox sandbox = { .syscalls = &pg_syscalls };
    limen_str text = arena_copy(arena, url);
    PQconninfoOption *parts = text.ptr == NULL ? NULL : PQconninfoParse(text.ptr, NULL);
    bool has_ports = false, good = parts != NULL;
    for (PQconninfoOption *part = parts; good && part->keyword != NULL; part++) {
        if (part->val == NULL || part->val[0] == '\0')
            continue;
        if (strcmp(part->keyword, "port") == 0)
            good = has_ports = add_ports(&sandbox, str_of(part->val));
        else if (is_file_of(part->keyword))
            add_path(&sandbox, arena_copy(arena, str_of(part->val)).ptr);
    }
    PQconninfoFree(parts);
    for (size_t i = 0; i < LOOKUP_PATHS; i++)
        add_path(&sandbox, lookup_paths[i].path);
    add_path(&sandbox, "/etc/ssl/openssl.cnf");
    if (good && !has_ports)
        good = add_ports(&sandbox, LIMEN_STR(""));
    if (!good) {
        diags_add_at(diags, LIMEN_STR("--database"), 0, 0, LIMEN_STR("write postgresql://USER@HOST/NAME"),
                     "the database's URL cannot be read; a special character in a password is written %%XX");
        return false;
    }
    sandbox.ports[sandbox.port_count++] = LOOKUP_PORT;
    *ret_sandbox = sandbox;
    return true;
}

/* It keeps no file: the role works from the root, where it may open nothing. */
static const char *move_in(limen_str url, uint32_t user, struct arena *arena, struct diags *diags)
{
    (void)url;
    (void)user;
    (void)arena;
    (void)diags;
    return "";
}

const struct store_ops pg_ops = {
    .backend = LIMEN_STR_INIT("postgresql"),
    .move_in = move_in,
    .describe_sandbox = describe_sandbox,
    .open = open_store,
    .close = close_store,
    .submit = submit,
    .abandon = abandon,
    .is_away = is_away,
    .first_account = first_account,
    .key_add = pg_key_add,
    .key_revoke = pg_key_revoke,
    .key_list = pg_key_list,
    .effect_list = pg_effect_list,
    .effect_show = pg_effect_show,
    .effect_retry = pg_effect_retry,
    .effect_drop = pg_effect_drop,
    .check = pg_check,
    .migrate = pg_store_migrate,
};
