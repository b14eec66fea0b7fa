/* SPDX-License-Identifier: Apache-2.0
 *
 * How many elements the arrays of messages have; message reads them, message_write writes them.
 */
#ifndef MWI_MESSAGE_FORM_H
#define MWI_MESSAGE_FORM_H

#define MWI_MESSAGE_HELLO_FIELDS 9
/* Of a welcome, before the names. */
#define MWI_MESSAGE_WELCOME_FIELDS 4
/* Of tasks and results, of saved bytes, and of an offer, with the kind. */
#define MWI_MESSAGE_ITEMS_ELEMENTS 7
#define MWI_MESSAGE_SAVE_ELEMENTS 3
#define MWI_MESSAGE_OFFER_ELEMENTS 10
#define MWI_MESSAGE_KEY_BYTES 16
#define MWI_MESSAGE_HEAD_ALIGNMENT 16

#endif
