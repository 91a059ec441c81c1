#include "guard/capture/dump.h"

#include "base/clock.h"
#include "guard/capture/peel.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PCAP_HEADER   24
#define RECORD_HEADER 16
#define MODIFIED_MORE 8 /* of a record's head in Kuznetzov's form: interface, protocol, direction */
#define VARIANT_MORE  8 /* and what Nokia's firewalls, Red Hat 6.1, SuSE 6.3 put behind either */
#define FRAME_MAX     262144u /* as libpcap: more is no packet but a broken file */
#define BLOCK_MIN     12
#define INTERFACES    65536u

enum magic {
	MAGIC_MICRO = 0xa1b2c3d4,
	MAGIC_NANO = 0xa1b23c4d,
	MAGIC_MODIFIED = 0xa1b2cd34, /* Kuznetzov's: Linux of 1999 */
	MAGIC_ORDER = 0x1a2b3c4d,
};

enum block {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET_OLD = 2,
	BLOCK_SIMPLE = 3,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

enum option {
	OPTION_END = 0,
	OPTION_NAME = 2,
	OPTION_RESOLUTION = 9,
	OPTION_FCS = 13,
	OPTION_OFFSET = 14,
};

struct interface {
	uint64_t scale;	 /* multiply (power of ten) ... */
	uint64_t divide; /* ... or divide by it, to get nanoseconds; 0: a power of two */
	int64_t offset_s;
	uint32_t snap_len;
	uint16_t type;
	uint8_t shift;		/* for a power of two */
	uint8_t fcs;		/* bytes of checksum at a frame's end */
	const struct peel *how; /* NULL: its frames are not read */
	char name[16];		/* IFNAMSIZ; a longer one is no interface of ours and stays empty */
};

struct dump {
	bool begun, swap, next_generation;
	uint8_t head;	       /* bytes of a record's head */
	bool head_known;       /* not only as the magic number has it */
	bool lengths_by_turns; /* the captured one may be where the other belongs ... */
	bool lengths_turned;   /* or always is */
	struct interface *interfaces;
	uint32_t count, room;
	uint32_t section; /* first interface of the section */
	uint64_t last_ns; /* of the last packet that had a time */
	uint64_t unread;
	const char *unread_name;
	char error[192];
};

struct dump *dump_new(void)
{
	return calloc(1, sizeof(struct dump));
}

void dump_free(struct dump *d)
{
	if (!d)
		return;
	free(d->interfaces);
	free(d);
}

const char *dump_error(const struct dump *d)
{
	return d->error;
}

const char *dump_interface(const struct dump *d, uint32_t interface)
{
	return interface < d->count ? d->interfaces[interface].name : "";
}

uint64_t dump_unread(const struct dump *d, const char **ret_name)
{
	*ret_name = d->unread_name;
	return d->unread;
}

static inline uint32_t load32(const struct dump *d, const uint8_t *b)
{
	uint32_t v;

	memcpy(&v, b, 4);
	return d->swap ? __builtin_bswap32(v) : v;
}

static inline uint16_t load16(const struct dump *d, const uint8_t *b)
{
	uint16_t v;

	memcpy(&v, b, 2);
	return d->swap ? __builtin_bswap16(v) : v;
}

static enum dump_step more(struct dump_record *ret, size_t need)
{
	ret->used = need;
	return DUMP_MORE;
}

static __attribute__((format(printf, 2, 3))) enum dump_step bad(struct dump *d, const char *fmt,
								...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->error, sizeof(d->error), fmt, ap);
	va_end(ap);
	return DUMP_BAD;
}

static struct interface *add_interface(struct dump *d, uint16_t type)
{
	if (d->count == d->room) {
		uint32_t room = d->room ? d->room * 2 : 4;
		struct interface *grown;

		if (room > INTERFACES)
			return NULL;
		grown = reallocarray(d->interfaces, room, sizeof(*grown));
		if (!grown)
			return NULL;
		d->interfaces = grown;
		d->room = room;
	}
	d->interfaces[d->count] = (struct interface){
		.scale = 1000, .divide = 1, .type = type, .how = peel_find(type)};
	return &d->interfaces[d->count++];
}

/* if_tsresol: a negative power of ten, or with the top bit of two. */
static void set_resolution(struct interface *i, uint8_t v)
{
	unsigned n = v & 0x7f;

	i->scale = i->divide = 1;
	if (v & 0x80) {
		i->divide = 0;
		i->shift = n > 63 ? 63 : (uint8_t)n;
		return;
	}
	for (; n < 9; n++)
		i->scale *= 10;
	for (; n > 9 && i->divide < UINT64_MAX / 10; n--)
		i->divide *= 10;
}

/* Before 1970 is 1970, and behind 2262 that: what is added to it must not run over. */
static uint64_t to_ns(const struct interface *i, uint64_t v)
{
	__int128 ns;

	if (i->divide == 0)
		ns = (__int128)((unsigned __int128)v * NSEC_PER_SEC >> i->shift);
	else if (i->divide == 1)
		ns = (__int128)v * (__int128)i->scale;
	else
		ns = (__int128)(v / i->divide);
	ns += (__int128)i->offset_s * (__int128)NSEC_PER_SEC;
	return ns < 0 ? 0 : ns > INT64_MAX ? INT64_MAX : (uint64_t)ns;
}

static __attribute__((cold)) enum dump_step pass_over(struct dump *d, const struct interface *i)
{
	d->unread++;
	d->unread_name = pcap_datalink_val_to_name(i->type);
	return DUMP_SKIP;
}

/* The bytes of one packet, made a frame of; or passed over where the link is none that is read. */
static inline __attribute__((always_inline)) enum dump_step
deliver(struct dump *d, uint32_t n, struct bytes data, uint32_t wire_len, struct dump_record *ret)
{
	const struct interface *i = &d->interfaces[n];
	const struct peel *how = i->how;
	struct peeled p;
	uint32_t behind;

	if (__builtin_expect(!how || data.len < how->ahead, 0))
		return pass_over(d, i);
	p = (struct peeled){how->ahead, how->behind, how->link};
	if (__builtin_expect(how->varies, 0) && !peel(how, data, d->swap, &p))
		return pass_over(d, i);
	if (wire_len < data.len)
		wire_len = (uint32_t)data.len;
	wire_len -= p.ahead;
	behind = p.behind + i->fcs;
	wire_len -= behind < wire_len ? behind : 0;
	data.data += p.ahead;
	data.len -= p.ahead;
	if (data.len > wire_len)
		data.len = wire_len;
	ret->data = data;
	ret->wire_len = wire_len;
	ret->interface = n;
	ret->link = p.link;
	return DUMP_FRAME;
}

/* The upper half of the link type may say how long a checksum follows each frame. */
static enum dump_step begin_pcap(struct dump *d, struct bytes in, uint32_t magic,
				 struct dump_record *ret)
{
	struct interface *i;
	uint32_t type;

	if (in.len < PCAP_HEADER)
		return more(ret, PCAP_HEADER);
	type = load32(d, in.data + 20);
	i = add_interface(d, type & 0xffff);
	if (!i)
		return bad(d, "out of memory");
	if (!i->how) {
		const char *name = pcap_datalink_val_to_name(type & 0xffff);

		return bad(d,
			   "link type %u (%s) is not read: capture on Ethernet, Wi-Fi, \"any\" or "
			   "raw IP",
			   type & 0xffff, name ? name : "unknown");
	}
	if (type & 0x04000000)
		i->fcs = (uint8_t)((type >> 28) * 2);
	if (magic == MAGIC_NANO)
		i->scale = 1;
	d->head = RECORD_HEADER + (magic == MAGIC_MODIFIED ? MODIFIED_MORE : 0);
	/* As libpcap: versions before 2.3 had them in the other order, that one and 543 in either. */
	d->lengths_turned = load16(d, in.data + 4) == 2 && load16(d, in.data + 6) < 3;
	d->lengths_by_turns = (load16(d, in.data + 4) == 2 && load16(d, in.data + 6) == 3) ||
			      load16(d, in.data + 4) == 543;
	d->begun = true;
	ret->used = PCAP_HEADER;
	return DUMP_SKIP;
}

/* What people have lying about and take for one of the two. */
static const struct {
	char magic[4];
	const char *whose;
} foreign[] = {
	{"snoo", "Solaris' snoop"},
	{"TRSN", "a Network General Sniffer"},
	{"XCP", "a Network Associates Sniffer"},
	{"RTSS", "Microsoft's Network Monitor 1"},
	{"GMBU", "Microsoft's Network Monitor 2"},
	{"\x1c\x00\x01\xac", "an IXIA analyser"},
	{"\x1c\x00\x01\xab", "an IXIA analyser"},
	{"\xac\x01\x00\x1c", "an IXIA analyser"},
	{"\xab\x01\x00\x1c", "an IXIA analyser"},
};

static const struct {
	char magic[4];
	uint8_t len;
	const char *by, *how;
} packed[] = {
	{"\x1f\x8b", 2, "gzip", "zcat"},	  {"\x28\xb5\x2f\xfd", 4, "zstd", "zstdcat"},
	{"\xfd\x37zX", 4, "xz", "xzcat"},	  {"BZh", 3, "bzip2", "bzcat"},
	{"\x04\x22\x4d\x18", 4, "lz4", "lz4cat"}, {"PK\x03\x04", 4, "zip", "unzip -p"},
};

static enum dump_step begin(struct dump *d, struct bytes in, struct dump_record *ret)
{
	uint32_t magic;

	if (in.len < 4)
		return more(ret, 4);
	memcpy(&magic, in.data, 4);
	if (magic == BLOCK_SECTION) { /* the same in both orders */
		d->begun = d->next_generation = true;
		ret->used = 0;
		return DUMP_SKIP;
	}
	d->swap = magic == __builtin_bswap32(MAGIC_MICRO) ||
		  magic == __builtin_bswap32(MAGIC_NANO) ||
		  magic == __builtin_bswap32(MAGIC_MODIFIED);
	magic = load32(d, in.data);
	if (magic == MAGIC_MICRO || magic == MAGIC_NANO || magic == MAGIC_MODIFIED)
		return begin_pcap(d, in, magic, ret);
	for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++)
		if (!memcmp(in.data, packed[i].magic, packed[i].len))
			return bad(d,
				   "compressed by %s: decompress it first, or pipe %s's output in",
				   packed[i].by, packed[i].how);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (!memcmp(in.data, foreign[i].magic, 4))
			return bad(d,
				   "a capture of %s: write it anew by `editcap -F pcapng OLD NEW`",
				   foreign[i].whose);
	return bad(d, "neither pcap nor pcapng");
}

/* Could a record begin here? */
static bool is_record(const struct dump *d, const uint8_t *b)
{
	uint32_t captured = load32(d, b + 8), wire = load32(d, b + 12);
	uint32_t part = load32(d, b + 4);

	if (d->lengths_turned || (d->lengths_by_turns && captured > wire)) {
		captured = wire;
		wire = load32(d, b + 8);
	}
	return captured <= FRAME_MAX && captured <= wire &&
	       part < NSEC_PER_SEC / d->interfaces[0].scale;
}

/*
 * Some forms are told from others by nothing but that each record's head is longer, by one or two
 * words: by where the second record begins. What a file's magic number says holds wherever it can.
 */
static void learn_head(struct dump *d, struct bytes in)
{
	size_t second = d->head + load32(d, in.data + (d->lengths_turned ? 12 : 8));

	d->head_known = true;
	if (!is_record(d, in.data))
		return;
	for (unsigned more = 0; more <= VARIANT_MORE; more += 4) {
		if (second + more + RECORD_HEADER > in.len)
			return;
		if (is_record(d, in.data + second + more)) {
			d->head = (uint8_t)(d->head + more);
			return;
		}
	}
}

static enum dump_step next_record(struct dump *d, struct bytes in, struct dump_record *ret)
{
	const struct interface *i = &d->interfaces[0];
	const uint8_t *b = in.data;
	uint32_t len, wire;

	if (in.len < d->head)
		return more(ret, d->head);
	if (__builtin_expect(!d->head_known, 0))
		learn_head(d, in);
	len = load32(d, b + 8);
	wire = load32(d, b + 12);
	if (__builtin_expect(d->lengths_turned || (d->lengths_by_turns && len > wire), 0)) {
		len = wire;
		wire = load32(d, b + 8);
	}
	if (len > FRAME_MAX)
		return bad(d, "a record claims %u bytes, more than a packet can have", len);
	if (in.len < d->head + len)
		return more(ret, d->head + len);
	ret->used = d->head + len;
	ret->time_ns = load32(d, b) * NSEC_PER_SEC + load32(d, b + 4) * i->scale;
	return deliver(d, 0, (struct bytes){b + d->head, len}, wire, ret);
}

static void read_options(struct dump *d, struct interface *i, const uint8_t *b, size_t len)
{
	while (len >= 4) {
		uint16_t code = load16(d, b), n = load16(d, b + 2);
		size_t step = 4 + (n + 3u) / 4 * 4;
		uint64_t v;

		if (code == OPTION_END || step > len)
			return;
		if (code == OPTION_RESOLUTION && n == 1) {
			set_resolution(i, b[4]);
		} else if (code == OPTION_FCS && n == 1) {
			i->fcs = b[4] > 8 ? 0 : b[4];
		} else if (code == OPTION_NAME && n < sizeof(i->name)) {
			memcpy(i->name, b + 4, n);
			i->name[n] = 0;
		} else if (code == OPTION_OFFSET && n == 8) {
			memcpy(&v, b + 4, 8);
			i->offset_s = (int64_t)(d->swap ? __builtin_bswap64(v) : v);
		}
		b += step;
		len -= step;
	}
}

static enum dump_step read_interface(struct dump *d, const uint8_t *b, size_t len)
{
	struct interface *i;

	if (len < 8)
		return bad(d, "an interface description of %zu bytes", len);
	i = add_interface(d, load16(d, b));
	if (!i)
		return bad(d, "more than %u interfaces", INTERFACES);
	i->snap_len = load32(d, b + 4);
	read_options(d, i, b + 8, len - 8);
	return DUMP_SKIP;
}

static enum dump_step read_packet(struct dump *d, uint32_t type, const uint8_t *b, size_t len,
				  struct dump_record *ret)
{
	uint32_t n, captured;

	if (len < 20)
		return bad(d, "a packet block of %zu bytes", len);
	/* The old form has a 16-bit interface and a 16-bit count of drops. */
	n = type == BLOCK_PACKET ? load32(d, b) : load16(d, b);
	captured = load32(d, b + 12);
	if (captured > len - 20 || captured > FRAME_MAX)
		return bad(d, "a packet of %u bytes in a block that has room for %zu", captured,
			   len - 20);
	if (n >= d->count - d->section)
		return bad(d, "a packet of interface %u, which no block describes", n);
	n += d->section;
	ret->time_ns =
		to_ns(&d->interfaces[n], (uint64_t)load32(d, b + 4) << 32 | load32(d, b + 8));
	d->last_ns = ret->time_ns;
	return deliver(d, n, (struct bytes){b + 20, captured}, load32(d, b + 16), ret);
}

/* Without a time, so that of the packet before it, and without a captured length: that is what the
 * interface's snap length says. */
static enum dump_step read_simple(struct dump *d, const uint8_t *b, size_t len,
				  struct dump_record *ret)
{
	uint32_t wire, captured;

	if (len < 4)
		return bad(d, "a packet block of %zu bytes", len);
	if (d->count == d->section)
		return bad(d, "a packet before any interface is described");
	wire = captured = load32(d, b);
	if (d->interfaces[d->section].snap_len && captured > d->interfaces[d->section].snap_len)
		captured = d->interfaces[d->section].snap_len;
	if (captured > len - 4 || captured > FRAME_MAX)
		return bad(d, "a packet of %u bytes in a block that has room for %zu", captured,
			   len - 4);
	ret->time_ns = d->last_ns;
	return deliver(d, d->section, (struct bytes){b + 4, captured}, wire, ret);
}

static enum dump_step read_section(struct dump *d, struct bytes in, struct dump_record *ret)
{
	uint32_t order;

	if (in.len < BLOCK_MIN)
		return more(ret, BLOCK_MIN);
	memcpy(&order, in.data + 8, 4);
	if (order != MAGIC_ORDER && order != __builtin_bswap32(MAGIC_ORDER))
		return bad(d, "a section without the byte-order mark");
	d->swap = order != MAGIC_ORDER;
	d->section = d->count;
	return DUMP_SKIP;
}

static enum dump_step next_block(struct dump *d, struct bytes in, struct dump_record *ret)
{
	const uint8_t *b = in.data;
	uint32_t type, len;
	enum dump_step step = DUMP_SKIP;

	if (in.len < 8)
		return more(ret, 8);
	type = load32(d, b);
	if (type == BLOCK_SECTION) {
		step = read_section(d, in, ret);
		if (step != DUMP_SKIP)
			return step;
	}
	len = load32(d, b + 4);
	if (len < BLOCK_MIN || len % 4 || len > DUMP_BLOCK_MAX)
		return bad(d, "a block claims a length of %u bytes", len);
	if (in.len < len)
		return more(ret, len);
	if (load32(d, b + len - 4) != len)
		return bad(d, "a block says %u bytes at its begin and %u at its end", len,
			   load32(d, b + len - 4));
	ret->used = len;
	b += 8;
	len -= BLOCK_MIN;
	if (type == BLOCK_PACKET || type == BLOCK_PACKET_OLD)
		return read_packet(d, type, b, len, ret);
	if (type == BLOCK_SIMPLE)
		return read_simple(d, b, len, ret);
	if (type == BLOCK_INTERFACE)
		return read_interface(d, b, len);
	return step;
}

enum dump_step dump_next(struct dump *d, struct bytes in, struct dump_record *ret)
{
	if (__builtin_expect(!d->begun, 0))
		return begin(d, in, ret);
	return d->next_generation ? next_block(d, in, ret) : next_record(d, in, ret);
}
