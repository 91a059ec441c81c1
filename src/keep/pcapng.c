#include "keep/pcapng.h"

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, PACKET = 6 };
enum { OPT_END = 0, OPT_COMMENT = 1, OPT_USERAPPL = 4, OPT_NAME = 2, OPT_TSRESOL = 9 };

#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define ETHERNET	 1

static void pad(struct writer *w, size_t len)
{
	static const uint8_t zero[4];

	write_bytes(w, zero, (4 - len % 4) % 4);
}

static void put_option(struct writer *w, uint16_t code, const void *value, size_t len)
{
	write_be16(w, code);
	write_be16(w, (uint16_t)len);
	write_bytes(w, value, len);
	pad(w, len);
}

/* Where the block's first length stands, to be filled in by its end. */
static size_t begin(struct writer *w, uint32_t type)
{
	write_be32(w, type);
	write_be32(w, 0);
	return w->len - 4;
}

static void end(struct writer *w, size_t at)
{
	uint32_t len = (uint32_t)(w->len - at) + 8;
	struct writer first = {.data = w->data + at, .cap = 4};

	write_be32(w, len);
	if (!w->bad)
		write_be32(&first, len);
}

void pcapng_begin(struct writer *w, const char *application)
{
	size_t at = begin(w, SECTION);

	write_be32(w, BYTE_ORDER_MAGIC);
	write_be16(w, 1);
	write_be16(w, 0);
	write_be32(w, 0xffffffff); /* how long the section is, is not said */
	write_be32(w, 0xffffffff);
	put_option(w, OPT_USERAPPL, application, strnlen(application, 63));
	put_option(w, OPT_END, NULL, 0);
	end(w, at);
}

void pcapng_interface(struct writer *w, const char *name)
{
	static const uint8_t nanoseconds = 9;
	size_t at = begin(w, INTERFACE);

	write_be16(w, ETHERNET);
	write_be16(w, 0);
	write_be32(w, 0); /* no limit to a packet's length */
	put_option(w, OPT_NAME, name, strnlen(name, 15));
	put_option(w, OPT_TSRESOL, &nanoseconds, 1);
	put_option(w, OPT_END, NULL, 0);
	end(w, at);
}

void pcapng_packet(struct writer *w, uint32_t interface, uint64_t time_ns, struct bytes data,
		   uint32_t wire_len, const char *comment)
{
	size_t at = begin(w, PACKET), len = strnlen(comment, PCAPNG_COMMENT_MAX - 16);

	write_be32(w, interface);
	write_be32(w, (uint32_t)(time_ns >> 32));
	write_be32(w, (uint32_t)time_ns);
	write_be32(w, (uint32_t)data.len);
	write_be32(w, wire_len);
	write_bytes(w, data.data, data.len);
	pad(w, data.len);
	if (len) {
		put_option(w, OPT_COMMENT, comment, len);
		put_option(w, OPT_END, NULL, 0);
	}
	end(w, at);
}
