/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain sockets, to do to the tcp transport what a transport never does.
 */
#ifndef MWT_RAW_H
#define MWT_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A blocking connection to "127.0.0.1:PORT"; -1 on failure. */
int mwt_raw_connect(const char *address);

/* Writes all; false if the other end is gone. */
bool mwt_raw_write(int fd, const void *data, size_t size);
bool mwt_raw_write_frame(int fd, const void *data, size_t size);

/* Only a header that announces so much. */
bool mwt_raw_write_header(int fd, size_t size);

/* Reads once; 0 at the end of the stream, -1 with errno. The first waits for something, for a
 * minute at most, the second does not wait. */
long mwt_raw_read(int fd, void *data, size_t size);
long mwt_raw_read_now(int fd, void *data, size_t size);

/* Closes with a reset in place of an end. */
void mwt_raw_reset(int fd);

/* Segments with data that a TCP socket has received. */
unsigned mwt_raw_segments(int fd);

/* How many descriptors this process has open. */
unsigned mwt_raw_open_count(void);

/* A descriptor above standard error that would stay open on exec; -1 if there is none. The first
 * function closes those on exec that the process was started with. */
void mwt_raw_inherit_nothing(void);
int mwt_raw_first_inherited(void);

#endif
