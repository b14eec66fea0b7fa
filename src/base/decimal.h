/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers in sentences and files. printf takes the decimal point from the locale of the program, so
 * that "0,5 s" would stand in a sentence, and a file would be no JSON any more.
 */
#ifndef MWI_DECIMAL_H
#define MWI_DECIMAL_H

#define MWI_DECIMAL_BYTES 32

/* Writes the number as printf's %g does, with a point in every locale, and returns the text. */
const char *mwi_decimal_write(char text[MWI_DECIMAL_BYTES], double number);

#endif
