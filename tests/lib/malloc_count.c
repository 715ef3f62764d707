/* malloc_count.c - counts the calls of malloc and its like, for the test that wants none on the hot path.
 *
 * Linked into a copy of the shop it stands before the C library's own, which it calls. Each process has its counter in a file of its
 * own in the working folder, malloc-count.PID, mapped: whoever counts reads it while the process runs. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void *realloc(void *memory, size_t bytes);
void *aligned_alloc(size_t alignment, size_t bytes);
int posix_memalign(void **ret_memory, size_t alignment, size_t bytes);

static _Atomic uint64_t before_the_file; /* what is allocated before main */
static _Atomic uint64_t *counter = &before_the_file;

__attribute__((constructor)) static void open_counter(void)
{
    char name[64];
    snprintf(name, sizeof(name), "malloc-count.%d", (int)getpid());
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (ftruncate(fd, sizeof(uint64_t)) == 0) {
        void *memory = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (memory != MAP_FAILED)
            counter = memory;
    }
    close(fd);
}

void *malloc(size_t bytes)
{
    atomic_fetch_add(counter, 1);
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    atomic_fetch_add(counter, 1);
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    atomic_fetch_add(counter, 1);
    return __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    atomic_fetch_add(counter, 1);
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t bytes)
{
    atomic_fetch_add(counter, 1);
    *ret_memory = __libc_memalign(alignment, bytes);
    return *ret_memory == NULL ? 12 /* ENOMEM */ : 0;
}
