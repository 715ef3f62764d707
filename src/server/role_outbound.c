/* role_outbound.c - the outbound role's process: what may be fetched, by whose word, and then the sandbox.
 *
 * Certificates of authorities are read before the sandbox is closed, and kept. */
#include "server/role.h"

#include "core/log.h"
#include "core/str.h"
#include "outbound/outbound.h"
#include "server/control.h"
#include "server/effect_target.h"
#include "server/file_watch.h"
#include "server/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define OUTBOUND_WAIT_US 60000000

struct outbound_process {
    struct role *role;
    struct outbound *outbound;
    struct file_watch watch;
    struct outbound_config config;
    uint16_t ports[LIMIT_FETCH_TARGETS + 2]; /* of targets, of effects, of the resolver */
    uint32_t port_count;
};

/* ---- settings ----------------------------------------------------------------------------------------------------------- */

/* How many bytes the file has, all of which were read; -1, and errno says why. One that fills all the room is too long. */
static ssize_t read_whole(const char *path, char *ret_bytes, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t count = 0;
    ssize_t more = fd < 0 ? -1 : 1;
    while (more > 0 && count < room) {
        more = read(fd, ret_bytes + count, room - count);
        count += more > 0 ? (size_t)more : 0;
    }
    if (fd >= 0)
        close(fd);
    if (more > 0)
        errno = EFBIG;
    return more == 0 ? (ssize_t)count : -1;
}

static bool read_authorities(struct outbound_process *process)
{
    limen_str path = role_setting("LIMEN_CA_FILE", "");
    char *bytes = arena_alloc(&process->role->arena, LIMIT_CA_FILE_BYTES);
    ssize_t count = bytes == NULL ? -1 : read_whole(path.ptr, bytes, LIMIT_CA_FILE_BYTES);
    if (count < 0) {
        LOG_ERROR("the authorities' certificates cannot be read", log_str("ca_file", path),
                  log_text("error", strerror(errno)));
        return false;
    }
    process->config.authorities = str_make(bytes, (size_t)count);
    if (str_find(process->config.authorities, LIMEN_STR("-----BEGIN CERTIFICATE-----"), 0) != SIZE_MAX)
        return true;
    LOG_ERROR("no certificate is in the authorities' file", log_str("ca_file", path));
    return false;
}

static bool is_private_host(limen_str host)
{
    limen_str rest = role_setting("LIMEN_FETCH_PRIVATE", "");
    while (rest.len > 0) {
        if (str_equal_nocase(str_cut(&rest, ','), host))
            return true;
    }
    return false;
}

static bool read_targets(struct outbound_process *process)
{
    const struct contract *contract = &process->role->contract;
    struct outbound_config *config = &process->config;
    for (uint32_t i = 0; i < contract->fetch_count; i++) {
        struct outbound_address address;
        if (!outbound_parse_url(contract->fetch_urls[i], &process->role->arena, &address)) {
            LOG_ERROR("a target is no https URL", log_str("url", contract->fetch_urls[i]));
            return false;
        }
        config->targets[i].url = contract->fetch_urls[i];
        config->targets[i].may_be_private = is_private_host(address.host);
        process->ports[process->port_count++] = address.port;
    }
    config->target_count = contract->fetch_count;
    process->ports[process->port_count++] = LOOKUP_PORT;
    return true;
}

static bool read_secret(struct outbound_process *process, limen_str name)
{
    limen_str *secret = &process->config.effects.secret;
    struct diags errors;
    diags_init(&errors, &process->role->arena);
    if (!secret_read(name, &process->role->arena, secret, &errors)) {
        LOG_ERROR("the secret of an effect's target cannot be used", log_str("secret", name),
                  log_str("why", errors.items[0].message));
        return false;
    }
    for (size_t i = 0; i < secret->len; i++) {
        if (secret->ptr[i] <= ' ' || secret->ptr[i] >= 0x7f)
            secret->len = 0; /* no header field could hold it */
    }
    if (secret->len == 0)
        LOG_ERROR("an effect's target needs a secret, one word: --secret NAME=@FILE", log_str("secret", name));
    return secret->len > 0;
}

/* Where effects go, and the secret that opens the door there. */
static bool read_effects(struct outbound_process *process)
{
    struct outbound_effects *effects = &process->config.effects;
    struct outbound_address address;
    const limen_str name = LIMEN_STR("payments");
    effects->url = settings_find(role_setting("LIMEN_EFFECT_TARGET", ""), name);
    if (effects->url.len == 0)
        return true;
    if (!outbound_parse_base(effects->url, &process->role->arena, &address)) {
        LOG_ERROR("an effect's target is no https://HOST[:PORT] or http://HOST[:PORT]", log_str("url", effects->url));
        return false;
    }
    effects->may_be_private = is_private_host(address.host);
    if (str_starts(effects->url, LIMEN_STR("http://")) && !effects->may_be_private) {
        LOG_ERROR("an effect's target without TLS must be a private host that --fetch-private names",
                  log_str("url", effects->url));
        return false;
    }
    process->ports[process->port_count++] = address.port;
    effects->payment_method = role_setting("LIMEN_PAYMENT_METHOD", "");
    return read_secret(process, name);
}

static bool close_sandbox(const struct outbound_process *process)
{
    const struct syscall_list *const lists[] = { &outbound_syscalls, &thread_syscalls };
    const struct sandbox kept = {
        .lists = lists,
        .list_count = sizeof(lists) / sizeof(lists[0]),
        .paths = lookup_paths,
        .path_count = LOOKUP_PATHS,
        .connect_ports = process->ports,
        .connect_port_count = process->port_count,
    };
    return role_close_sandbox(process->role, &kept);
}

/* ---- the process -------------------------------------------------------------------------------------------------------- */

static bool may_end(const struct role *role)
{
    (void)role;
    return true; /* what was being fetched is fetched again */
}

static void on_control(struct role *role, uint32_t type, uint32_t number, int fd)
{
    struct outbound_process *process = role->context;
    (void)number;
    if (type == CONTROL_FETCH && fd >= 0) {
        if (!outbound_attach(process->outbound, fd))
            LOG_ERROR("no connection to the data role", log_int("descriptor", fd));
        return;
    }
    if (fd >= 0)
        close(fd);
}

static void on_drain(struct role *role)
{
    loop_stop(role->loop);
}

int outbound_main(struct role *role)
{
    struct outbound_process process = { .role = role };
    role->context = &process;
    role->on_control = on_control;
    role->on_drain = on_drain;
    file_watch_start(&process.watch, role, lookup_paths, LOOKUP_PATHS, may_end);
    if (read_authorities(&process) && read_targets(&process) && read_effects(&process))
        process.outbound = outbound_new(role->loop, &process.config, &role->arena);
    if (process.outbound == NULL) {
        LOG_ERROR("the outbound role cannot start", log_int("targets", role->contract.fetch_count));
        role_say(role, CONTROL_REFUSED);
        return 1;
    }
    if (!close_sandbox(&process))
        return 1;
    role_say(role, CONTROL_READY);
    loop_run(role->loop, OUTBOUND_WAIT_US, NULL, NULL);
    file_watch_stop(&process.watch);
    outbound_free(process.outbound);
    return 0;
}
