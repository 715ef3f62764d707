/* shm.c - memory that the roles share.
 *
 * The seals matter more than the memory: a role that was taken over cannot shrink the zone under the others, who would die
 * of SIGBUS at their next access. */
#include "core/shm.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

bool shm_map(struct shm_zone *ret_zone, int fd, size_t bytes)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (bytes == 0 || seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &status) != 0)
        return false;
    if (status.st_size < 0 || (uintmax_t)status.st_size != bytes)
        return false;
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return false;
    *ret_zone = (struct shm_zone){ .fd = fd, .base = base, .bytes = bytes };
    return true;
}

bool shm_create(struct shm_zone *ret_zone, const char *name, size_t bytes)
{
    off_t length;
    if (__builtin_add_overflow(bytes, 0, &length))
        return false;
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return false;
    if (ftruncate(fd, length) != 0 || fcntl(fd, F_ADD_SEALS, SEALS) != 0 || !shm_map(ret_zone, fd, bytes)) {
        close(fd);
        return false;
    }
    return true;
}

void shm_release(struct shm_zone *zone)
{
    if (zone->base == NULL)
        return;
    munmap(zone->base, zone->bytes);
    close(zone->fd);
    *zone = (struct shm_zone){ .fd = -1 };
}
