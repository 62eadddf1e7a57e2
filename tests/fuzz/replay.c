/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target over files, so that what a fuzzer once found is an ordinary test:
 *     fuzz_NAME FILE-OR-FOLDER...
 * With libFuzzer: clang -fsanitize=fuzzer,address,undefined and the target instead of this file. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 16 << 20, PATH_MAX_SIZE = 4096 };

/* Runs the file at `path`; false: not a file. */
static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *whole = file ? malloc(INPUT_MAX) : NULL;
    size_t size = whole ? fread(whole, 1, INPUT_MAX, file) : 0;
    bool is_file = whole && !ferror(file);
    if (file)
        fclose(file);
    uint8_t *exact = is_file ? malloc(size ? size : 1) : NULL; /* a sanitizer watches its end */
    if (exact) {
        memcpy(exact, whole, size);
        LLVMFuzzerTestOneInput(exact, size);
    }
    free(exact);
    free(whole);
    return is_file;
}

static unsigned replay_folder(const char *path)
{
    unsigned count = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char name[PATH_MAX_SIZE];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            count += replay_file(name);
    }
    if (folder)
        closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        unsigned found = replay_folder(argv[i]);
        count += found ? found : replay_file(argv[i]);
    }
    printf("%u inputs\n", count);
    return count == 0;
}
