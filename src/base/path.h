/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths of files: made such that they stay good when the process changes its working directory, and
 * taken apart.
 */
#ifndef MWI_PATH_H
#define MWI_PATH_H

/* The absolute form of the path, with the working directory of this moment; the file need not
 * exist. A path that is absolute, or whose working directory is gone, is copied as it is. Malloc'd;
 * NULL out of memory. */
char *mwi_path_absolute(const char *path);

/* The path of `name` beside the file at `path`: in the same folder. An absolute name is copied as
 * it is. Malloc'd; NULL out of memory. */
char *mwi_path_beside(const char *path, const char *name);

/* The last part of the path, behind its last slash. Borrowed from the path. */
const char *mwi_path_name(const char *path);

/* The same place with all links in its folders followed, so that it stays the place even if they
 * are changed. The last part is not followed, and need not exist. Where the folder cannot be found,
 * the path is copied as it is. Malloc'd; NULL out of memory. */
char *mwi_path_settled(const char *path);

#endif
