/* SPDX-License-Identifier: Apache-2.0
 *
 * A place where lines go: standard error, or a file that is opened by its path. A write to a pipe,
 * a FIFO, a terminal or a socket waits less than half a second for its reader, and not at all if
 * nobody read for that long. A file system that hangs is an exception. Descriptors that the process
 * inherited keep their flags, since other processes share them.
 */
#ifndef MWI_OUTLET_H
#define MWI_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum mwi_outlet_type { MWI_OUTLET_FILE, MWI_OUTLET_PIPE, MWI_OUTLET_TERMINAL, MWI_OUTLET_SOCKET };

/* An embedded object whose fields are read by others, and written by the functions below alone. */
struct mwi_outlet {
    char *path; /* belongs to the outlet; NULL: standard error */
    int fd;     /* -1: not open, a FIFO without a reader for instance */
    int error;  /* of the last call: an errno, 0 if there was nothing worse than a wait */
    enum mwi_outlet_type type;
    bool is_own;     /* the descriptor belongs to the outlet */
    bool can_block;  /* the descriptor could not be opened anew, so its flags are those of others */
    bool is_stalled; /* nobody has read for a whole wait, so that none is worth while */
    bool is_pinned;  /* standard error: not followed, see mwi_outlet_pin */
    bool has_moved;  /* something was written since the last mwi_outlet_renew */
    double patience_ms; /* for how long writes may still wait */
    dev_t device;
    ino_t inode;
};

/* Standard error. Always succeeds; end with mwi_outlet_close. */
void mwi_outlet_open_error(struct mwi_outlet *outlet);

/* Stays with standard error as it is, if the process puts another file in its place. */
void mwi_outlet_pin(struct mwi_outlet *outlet);

/* Opens the file, and makes it with mode 0644 if it is missing. Takes the path, which was malloc'd,
 * even on failure. Returns false, with outlet->error set, if it cannot be opened. A FIFO without a
 * reader is no failure: mwi_outlet_look opens it later. End with mwi_outlet_close in any case. */
bool mwi_outlet_open(struct mwi_outlet *outlet, char *path);

/* Writes whole lines as far as they can be written now or soon, and returns how many bytes were
 * written. outlet->error is 0 if all were, or if the rest only has to wait for a reader. The rest
 * may begin within a line: the next call must begin there. */
size_t mwi_outlet_write(struct mwi_outlet *outlet, const char *lines, size_t size);

/* Allows the next writes to wait again. Once a turn of the loop, so that many writes in one turn do
 * not add up their waits. */
void mwi_outlet_renew(struct mwi_outlet *outlet);

/* Looks whether the path still leads to the file that is open, or whether standard error is another
 * one now, and opens it anew if not, or if it is not open. Returns whether the outlet is another
 * file now: a line that was begun in the old one must be written again. */
bool mwi_outlet_look(struct mwi_outlet *outlet);

/* Closes the descriptor, but keeps the path for the next mwi_outlet_look. Returns false, with errno
 * set, if the system reports only now that something was not written. */
bool mwi_outlet_shut(struct mwi_outlet *outlet);

/* Closes and frees. */
void mwi_outlet_close(struct mwi_outlet *outlet);

/* Writes one line, which needs no newline, to standard error; it is lost if nobody reads. */
void mwi_outlet_say(const char *line);

#endif
