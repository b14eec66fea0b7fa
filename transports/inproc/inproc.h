/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport inproc: frames between two programs that take turns in one thread. They move from
 * one to the other without being copied; only a body is.
 */
#ifndef MWI_INPROC_H
#define MWI_INPROC_H

#include <mw/transport.h>

/* Scheme "inproc". The environment is a struct mwi_turns_side (base/turns.h), which must not be
 * NULL and outlives the transport. A side listens at "", with one transport at a time; the other
 * side connects to "", or to the text that listen has written. A waiting poll of the front side
 * runs the other program, and so may take as long as that pleases; so does a poll with a past
 * deadline, once, if the other side has something to do. */
extern const mw_transport_api mwi_inproc_transport;

#endif
