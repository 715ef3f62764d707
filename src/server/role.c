/* role.c - the common start of every role, after the supervisor's exec. */
#include "server/role.h"

#include "core/log.h"
#include "core/str.h"
#include "core/user.h"
#include "server/control.h"
#include "server/jwks_source.h"
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *role_name(enum role_kind kind)
{
    static const char *const names[] = { "worker", "data", "operator", "outbound" };
    return names[kind];
}

limen_str role_setting(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return str_of(value == NULL ? fallback : value);
}

int64_t role_number_setting(const char *name, int64_t fallback)
{
    int64_t value;
    return str_to_int64(role_setting(name, ""), &value) ? value : fallback;
}

void role_say(struct role *role, uint32_t type)
{
    control_send(ROLE_FD_CONTROL, (struct control_message){ type, role->number }, /* fd= */ -1);
}

/* The control socket carries descriptors; what is sent on it goes to the supervisor and nowhere else. */
static const int control_numbers[] = { SYS_recvmsg };
static const struct syscall_rule control_rules[] = { SYSCALL_UNLESS(SYS_sendmsg, 2, ~(unsigned)MSG_NOSIGNAL) };
static const struct syscall_list control_syscalls = { control_numbers, 1, control_rules, 1 };

/* A role that root has started becomes a user of its own. The kernel forgets then that the death of the supervisor is ours too: it is
 * asked once more, and the parent is looked at in case that it died in between. */
static bool drop_privileges(struct role *role)
{
    pid_t parent = getppid();
    uint32_t user = (uint32_t)role_number_setting("LIMEN_USER", 0);
    if (user != 0 && !user_become(user)) {
        role_say(role, CONTROL_REFUSED);
        LOG_ERROR("the role cannot become a user of its own; give another --uid-base, or off", log_int("user", user),
                  log_text("error", strerror(errno)));
        return false;
    }
    return user_drop_capabilities() && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

bool role_close_sandbox(struct role *role, const struct sandbox *kept)
{
    const struct syscall_list *lists[8] = { &core_syscalls, &control_syscalls };
    struct sandbox all = *kept;
    if (!drop_privileges(role))
        return false;
    if (role_number_setting("LIMEN_NO_SANDBOX", 0) == 1)
        return true; /* the supervisor has said so, loudly */
    all.lists = lists;
    all.list_count = 2;
    for (size_t i = 0; i < kept->list_count && all.list_count < sizeof(lists) / sizeof(lists[0]); i++)
        lists[all.list_count++] = kept->lists[i];
    enum sandbox_outcome outcome = sandbox_close(&all);
    bool is_strict = role_number_setting("LIMEN_STRICT_SANDBOX", 0) == 1;
    if (outcome == SANDBOX_OK || outcome == SANDBOX_SANITIZED || (outcome == SANDBOX_NO_LANDLOCK && !is_strict))
        return true;
    LOG_ERROR("the sandbox cannot be closed", log_text("role", role_name(role->kind)),
              log_text("error", outcome == SANDBOX_NO_LANDLOCK ? "there is no Landlock" : strerror(errno)));
    return false;
}

static void on_control(struct loop_source *source, uint32_t events)
{
    struct role *role = (struct role *)((char *)source - offsetof(struct role, control));
    struct control_message message;
    int fd;
    (void)events;
    for (;;) {
        int got = control_receive(source->fd, &message, &fd);
        if (got == 0)
            return;
        if (got < 0)
            _exit(0); /* the supervisor has gone: nobody would restart or stop us */
        role->on_control(role, message.type, message.number, fd);
    }
}

static void on_signal(struct loop_source *source, uint32_t events)
{
    struct role *role = (struct role *)((char *)source - offsetof(struct role, signals));
    struct signalfd_siginfo info;
    (void)events;
    while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (role->is_draining)
            continue;
        role->is_draining = true;
        role->on_drain(role);
    }
}

/* SIGTERM is read in the loop; SIGINT reaches the whole terminal, but the supervisor alone answers it. */
static bool watch_signals(struct role *role)
{
    sigset_t set;
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 && loop_add(role->loop, &role->signals, fd, EPOLLIN, /* exclusive= */ false, on_signal);
}

static bool load_contract(struct role *role)
{
    struct diags errors, warnings;
    diags_init(&errors, &role->arena);
    diags_init(&warnings, &role->arena);
    return contract_load(role->app, &role->arena, &role->contract, &errors, &warnings)
        && jwks_sources_set(&role->contract, role_setting("LIMEN_JWKS", ""), &role->arena, &errors);
}

static bool map_board(struct role *role)
{
    struct shm_zone zone;
    if (!shm_map(&zone, ROLE_FD_BOARD, board_bytes(role->worker_count)))
        return false;
    role->board = zone.base;
    return true;
}

static enum log_format log_format_of(limen_str name)
{
    if (str_equal(name, LIMEN_STR("json")))
        return LOG_FORMAT_JSON;
    return str_equal(name, LIMEN_STR("text")) ? LOG_FORMAT_TEXT : LOG_FORMAT_AUTO;
}

static enum log_level log_level_of(limen_str name)
{
    static const limen_str names[] = { LIMEN_STR_INIT("debug"), LIMEN_STR_INIT("info"), LIMEN_STR_INIT("warn"),
                                       LIMEN_STR_INIT("error") };
    for (int i = 0; i < 4; i++) {
        if (str_equal(name, names[i]))
            return (enum log_level)i;
    }
    return LOG_LEVEL_INFO;
}

int server_role(int argc, char **argv, const struct limen_app *app)
{
    struct role role = { .app = app };
    int64_t number = 0;
    if (argc != 3 || !str_to_int64(str_of(argv[2]), &number))
        return 2;
    for (int kind = 0; kind < ROLE_KINDS; kind++) {
        if (str_equal(str_of(argv[1]), str_of(role_name((enum role_kind)kind))))
            role.kind = (enum role_kind)kind;
    }
    role.number = (uint32_t)number;
    role.worker_count = (uint32_t)role_number_setting("LIMEN_WORKERS", 1);
    role.listener_count = (uint32_t)role_number_setting("LIMEN_LISTENERS", 1);
    log_init(log_format_of(role_setting("LIMEN_LOG_FORMAT", "auto")),
             log_level_of(role_setting("LIMEN_LOG_LEVEL", "info")), role_name(role.kind), (int)number);
    arena_init(&role.arena, NULL, SIZE_MAX);
    role.loop = loop_new();
    bool ok = role.loop != NULL && load_contract(&role) && map_board(&role) && watch_signals(&role)
        && loop_add(role.loop, &role.control, ROLE_FD_CONTROL, EPOLLIN, /* exclusive= */ false, on_control);
    if (!ok) {
        LOG_ERROR("the role cannot start", log_int("pid", getpid()));
        return 1;
    }
    int (*const mains[])(struct role *) = { worker_main, data_main, operator_main, outbound_main };
    int code = mains[role.kind](&role);
    loop_free(role.loop);
    contract_release(&role.contract);
    arena_release(&role.arena);
    return code;
}
