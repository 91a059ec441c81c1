#ifndef BEDWARDEN_PEOPLE_AUTH_QR_H
#define BEDWARDEN_PEOPLE_AUTH_QR_H
/*
 * A QR code (ISO/IEC 18004, libqrencode) of a text: as SVG for a page, as half blocks
 * for a terminal. Both have the quiet zone of four modules that scanners want.
 */

/* Allocated, the caller's to free; NULL with errno: ERANGE too long, ENOMEM. */
char *qr_svg(const char *text);
/* Two rows a line, dark on light whatever the terminal's colours are. */
char *qr_terminal(const char *text);

#endif
