/* notify.c - one datagram to the UNIX socket that NOTIFY_SOCKET names; '@' stands for an abstract name's NUL. */
#include "server/notify.h"

#include "core/log.h"
#include "core/str.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_say(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const size_t len = path == NULL ? 0 : strlen(path);
    if (len == 0 || len >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, bytes) < 0)
        LOG_WARN("systemd could not be told", log_text("state", state), log_text("error", strerror(errno)));
    if (fd >= 0)
        close(fd);
}
