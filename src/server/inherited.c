/* inherited.c - reads the three variables of sd_listen_fds(3). */
#include "server/inherited.h"

#include "core/log.h"
#include "core/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_FD 3
#define OWN_PREFIX "limen-"

static int64_t number_of(const char *variable)
{
    const char *text = getenv(variable);
    int64_t number = 0;
    return text != NULL && str_to_int64(str_of(text), &number) ? number : 0;
}

static void name_all(struct inherited *inherited)
{
    const char *names = getenv("LISTEN_FDNAMES");
    limen_str rest = str_of(names == NULL ? "" : names);
    for (uint32_t i = 0; i < inherited->count; i++) {
        limen_str name = str_cut(&rest, ':');
        snprintf(inherited->items[i].name, INHERITED_NAME_BYTES, "%.*s", LIMEN_STR_ARG(name));
    }
}

static bool take_over(struct inherited *inherited)
{
    for (uint32_t i = 0; i < inherited->count; i++) {
        int fd = FIRST_FD + (int)i, flags = fcntl(fd, F_GETFL);
        inherited->items[i].fd = fd;
        if (flags < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
            return false;
    }
    return true;
}

bool inherited_read(struct inherited *ret_inherited)
{
    int64_t count = number_of("LISTEN_PID") == getpid() ? number_of("LISTEN_FDS") : 0;
    *ret_inherited = (struct inherited){ 0 };
    bool ok = count >= 0 && count <= (int64_t)INHERITED_MOST;
    if (ok) {
        ret_inherited->count = (uint32_t)count;
        name_all(ret_inherited);
        ok = take_over(ret_inherited);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!ok)
        LOG_ERROR("LISTEN_FDS promises descriptors that are not there, or too many", log_int("count", count),
                  log_int("most", INHERITED_MOST));
    return ok;
}

static bool is_own(const struct inherited_fd *item)
{
    return str_starts(str_of(item->name), LIMEN_STR(OWN_PREFIX));
}

static int take(struct inherited_fd *item)
{
    int fd = item->fd;
    item->fd = -1;
    return fd;
}

int inherited_take(struct inherited *inherited, const char *name)
{
    for (uint32_t i = 0; i < inherited->count; i++) {
        struct inherited_fd *item = &inherited->items[i];
        if (item->fd >= 0 && str_equal(str_of(item->name), str_of(name)))
            return take(item);
    }
    return -1;
}

int inherited_take_unknown(struct inherited *inherited)
{
    for (uint32_t i = 0; i < inherited->count; i++) {
        if (inherited->items[i].fd >= 0 && !is_own(&inherited->items[i]))
            return take(&inherited->items[i]);
    }
    return -1;
}

void inherited_release(struct inherited *inherited)
{
    for (uint32_t i = 0; i < inherited->count; i++) {
        if (inherited->items[i].fd >= 0)
            close(take(&inherited->items[i]));
    }
}
