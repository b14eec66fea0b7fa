/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder of a test's own, and its files. All code is in this header, so that a test needs no
 * other source for it.
 */
#ifndef MWT_FOLDER_H
#define MWT_FOLDER_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

struct mwt_folder {
    char path[64];
    char file[384]; /* the last path of mwt_folder_file */
};

/* Makes a new empty folder. */
static inline void mwt_folder_create(struct mwt_folder *folder)
{
    strcpy(folder->path, "/tmp/mwt-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder->path));
}

/* Returns the path of a file in the folder, valid until the next call. */
static inline const char *mwt_folder_file(struct mwt_folder *folder, const char *name)
{
    snprintf(folder->file, sizeof folder->file, "%s/%s", folder->path, name);
    return folder->file;
}

/* Returns the number of files in the folder. Removes them if `must_remove`. */
static inline unsigned mwt_folder_files(struct mwt_folder *folder, bool must_remove)
{
    unsigned count = 0;
    DIR *directory = opendir(folder->path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (must_remove)
            remove(mwt_folder_file(folder, entry->d_name));
    }
    closedir(directory);
    return count;
}

/* Removes the folder with its files. */
static inline void mwt_folder_destroy(struct mwt_folder *folder)
{
    mwt_folder_files(folder, true);
    CU_ASSERT_EQUAL(rmdir(folder->path), 0);
}

/* Returns the whole file as a string, which the caller frees; NULL if there is no such file. */
static inline char *mwt_file_read(const char *path)
{
    FILE *stream = fopen(path, "r");
    if (stream == NULL)
        return NULL;
    size_t size = 0;
    char *text = NULL;
    if (getdelim(&text, &size, '\0', stream) < 0 && text != NULL)
        text[0] = '\0';
    fclose(stream);
    return text;
}

static inline void mwt_file_write(const char *path, const char *text)
{
    FILE *stream = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    fputs(text, stream);
    CU_ASSERT_EQUAL(fclose(stream), 0);
}

#endif
