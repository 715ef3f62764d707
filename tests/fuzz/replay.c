/* replay.c - runs a fuzz target over files instead of over invented input.
 *
 * Every argument is a file or a folder of files; each file's bytes go to the target once. So whatever the fuzzer has found
 * stays found, with any compiler and without libFuzzer. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is copied into a block of exactly its size, so that a read past its end is seen. */
static bool replay_file(const char *path, size_t bytes)
{
    FILE *file = fopen(path, "rb");
    uint8_t *input = malloc(bytes == 0 ? 1 : bytes);
    bool is_read = file != NULL && input != NULL && fread(input, 1, bytes, file) == bytes;
    if (is_read)
        (void)LLVMFuzzerTestOneInput(input, bytes);
    else
        fprintf(stderr, "%s: cannot be read\n", path);
    free(input);
    if (file != NULL)
        (void)fclose(file);
    return is_read;
}

static bool replay_path(const char *path, unsigned *files);

static bool replay_folder(const char *path, unsigned *files)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return false;
    bool all_read = true;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.')
            continue;
        char *child = NULL;
        if (asprintf(&child, "%s/%s", path, entry->d_name) < 0)
            return (void)closedir(folder), false;
        all_read = replay_path(child, files) && all_read;
        free(child);
    }
    (void)closedir(folder);
    return all_read;
}

static bool replay_path(const char *path, unsigned *files)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        fprintf(stderr, "%s: not there\n", path);
        return false;
    }
    if (S_ISDIR(status.st_mode))
        return replay_folder(path, files);
    *files += 1;
    return replay_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv)
{
    unsigned files = 0;
    bool all_read = true;
    for (int i = 1; i < argc; i++)
        all_read = replay_path(argv[i], &files) && all_read;
    printf("%u inputs replayed\n", files);
    return all_read && files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
