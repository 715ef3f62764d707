/* user.c - groups first: once the user has changed, nothing else may be. */
#include "core/user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

bool user_become(uint32_t id)
{
    if (id == 0) {
        errno = EINVAL;
        return false;
    }
    if (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0)
        return false;
    bool can_return = setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0;
    errno = EPERM;
    return !can_return;
}

/* Without permitted ones there can be no ambient ones either (capabilities(7)). */
bool user_drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    return syscall(SYS_capset, &header, none) == 0;
}
