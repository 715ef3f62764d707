/* Tests of core/shm.h. */
#include "check.h"

#include "core/shm.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_zone_is_zeroed_and_shared_across_processes(void **state)
{
    (void)state;
    struct shm_zone zone;
    assert_true(shm_create(&zone, "limen-test", 100000));
    for (size_t i = 0; i < zone.bytes; i++)
        assert_int_equal(((char *)zone.base)[i], 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct shm_zone mine;
        int fd = dup(zone.fd);
        if (!shm_map(&mine, fd, zone.bytes) || mine.base == zone.base)
            _exit(1);
        ((char *)mine.base)[99999] = 42;
        shm_release(&mine);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(((char *)zone.base)[99999], 42);
    shm_release(&zone);
    assert_null(zone.base);
    shm_release(&zone); /* again: nothing happens */
}

static void test_zone_cannot_be_resized(void **state)
{
    (void)state;
    struct shm_zone zone;
    assert_true(shm_create(&zone, "limen-test", 8192));
    assert_int_equal(ftruncate(zone.fd, 4096), -1);
    assert_int_equal(ftruncate(zone.fd, 16384), -1);
    assert_true(fcntl(zone.fd, F_GETFD) & FD_CLOEXEC);
    shm_release(&zone);
}

static void test_map_refuses_other_sizes_and_unsealed_memory(void **state)
{
    (void)state;
    struct shm_zone zone, other = { .fd = 77 };
    assert_true(shm_create(&zone, "limen-test", 8192));
    assert_false(shm_map(&other, zone.fd, 4096));
    assert_false(shm_map(&other, zone.fd, 16384));
    assert_false(shm_map(&other, zone.fd, 0));
    assert_false(shm_map(&other, -1, 8192));
    int unsealed = memfd_create("limen-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(unsealed >= 0);
    assert_int_equal(ftruncate(unsealed, 8192), 0);
    assert_false(shm_map(&other, unsealed, 8192));
    assert_int_equal(other.fd, 77);
    close(unsealed);
    shm_release(&zone);
}

static void test_impossible_sizes_are_refused(void **state)
{
    (void)state;
    struct shm_zone zone;
    assert_false(shm_create(&zone, "limen-test", 0));
    assert_false(shm_create(&zone, "limen-test", SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zone_is_zeroed_and_shared_across_processes),
        cmocka_unit_test(test_zone_cannot_be_resized),
        cmocka_unit_test(test_map_refuses_other_sizes_and_unsealed_memory),
        cmocka_unit_test(test_impossible_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
