#include "people/auth/qr.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <qrencode.h>

#define QUIET 4

static QRcode *encode(const char *text)
{
	return QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M); /* sets errno */
}

static bool dark(const QRcode *q, int x, int y)
{
	return x >= 0 && y >= 0 && x < q->width && y < q->width && q->data[y * q->width + x] & 1;
}

char *qr_svg(const char *text)
{
	QRcode *q = encode(text);
	int side = q ? q->width + 2 * QUIET : 0;
	char *out = NULL;
	size_t len;
	FILE *f = q ? open_memstream(&out, &len) : NULL;

	if (f) {
		fprintf(f,
			"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
			"shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"QR code\">"
			"<path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path fill=\"#000\" d=\"",
			side, side, side, side);
		/* A path of runs: a rectangle a module would be four times as long. */
		for (int y = 0; y < q->width; y++)
			for (int x = 0; x < q->width; x++) {
				int from = x;

				while (dark(q, x, y))
					x++;
				if (x > from)
					fprintf(f, "M%d %dh%dv1h-%dz", from + QUIET, y + QUIET,
						x - from, x - from);
			}
		fputs("\"/></svg>", f);
		if (fclose(f) != 0) {
			free(out);
			out = NULL;
		}
	}
	QRcode_free(q);
	return out;
}

char *qr_terminal(const char *text)
{
	/* What is light is drawn: upper, lower, both. */
	static const char *const blocks[] = {" ", "\u2580", "\u2584", "\u2588"};
	QRcode *q = encode(text);
	char *out = NULL;
	size_t len;
	FILE *f = q ? open_memstream(&out, &len) : NULL;

	if (f) {
		for (int y = -QUIET; y < q->width + QUIET; y += 2) {
			fputs("\033[97;40m", f);
			for (int x = -QUIET; x < q->width + QUIET; x++)
				fputs(blocks[(dark(q, x, y) ? 0 : 1) + (dark(q, x, y + 1) ? 0 : 2)],
				      f);
			fputs("\033[0m\n", f);
		}
		if (fclose(f) != 0) {
			free(out);
			out = NULL;
		}
	}
	QRcode_free(q);
	return out;
}
