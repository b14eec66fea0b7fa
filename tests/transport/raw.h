/* SPDX-License-Identifier: Apache-2.0
 *
 * Plain sockets, for attacks on the tcp transport that no transport would make.
 */
#ifndef MWT_RAW_H
#define MWT_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes a blocking connection to "127.0.0.1:PORT". Returns -1 on failure. */
int mwt_raw_connect(const char *address);

/* Writes everything. Returns false if the other end is gone. */
bool mwt_raw_write(int fd, const void *data, size_t size);
bool mwt_raw_write_frame(int fd, const void *data, size_t size);

/* Sends only a header that announces `size` bytes. */
bool mwt_raw_write_header(int fd, size_t size);

/* Read once, and return 0 at the end of the stream, -1 with errno. The first waits for data, for a
 * minute at most; the second does not wait. */
long mwt_raw_read(int fd, void *data, size_t size);
long mwt_raw_read_now(int fd, void *data, size_t size);

/* Closes with a reset instead of an end. */
void mwt_raw_reset(int fd);

/* The number of segments with data that a TCP socket has received. */
unsigned mwt_raw_segments(int fd);

/* The number of open descriptors of this process. */
unsigned mwt_raw_open_count(void);

/* Returns a descriptor above standard error that would stay open on exec; -1 if there is none. The
 * first function sets close-on-exec for the descriptors with which the process was started. */
void mwt_raw_inherit_nothing(void);
int mwt_raw_first_inherited(void);

#endif
