#include "demo/overheard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo/cast.h"
#include "demo/frame.h"
#include "demo/ward.h"

#define ETH_LEN	    14
#define ETH_IP	    0x0800
#define ETH_ARP	    0x0806
#define SHORTEST    60 /* IEEE 802.3 §4A.4.2, without its check sequence */
#define DHCP_CLIENT 68
#define DHCP_SERVER 67
#define DTLS_1_0    0xfeff
#define DTLS_1_2    0xfefd
#define RECORD_MOST (16384 + 256) /* RFC 8446 §5.2 */
#define TLS_IN_HEAP (64u << 20)

enum { CHANGE_CIPHER_SPEC = 20, ALERT = 21, HANDSHAKE = 22, APPLICATION_DATA = 23 };

static const struct {
	const char *what, *mark;
} marks[OVERHEARD_KINDS] = {
	[OVERHEARD_HL7] = {"HL7", "MSH|^~\\&"},
	[OVERHEARD_DICOM] = {"DICOM", "1.2.840.10008.3.1.1.1"}, /* PS3.7 §A.2.1 */
	[OVERHEARD_VITALS] = {"ECG", NULL},
	[OVERHEARD_MQTT] = {"MQTT", "ward/fridge-1/temperature"},
	[OVERHEARD_NAME] = {"names", "PHANTOM^"},
};

bool overheard_dtls(struct bytes datagram)
{
	struct reader r = reader_new(datagram.data, datagram.len);

	while (reader_left(&r)) {
		uint8_t type = read_u8(&r);
		uint16_t version = read_be16(&r), epoch = read_be16(&r), len;

		read_skip(&r, 6);
		len = read_be16(&r);
		read_skip(&r, len);
		if (r.bad || (version != DTLS_1_0 && version != DTLS_1_2) || len > RECORD_MOST)
			return false;
		if (type < CHANGE_CIPHER_SPEC || type > APPLICATION_DATA ||
		    (type == APPLICATION_DATA && !epoch))
			return false;
	}
	return datagram.len > 0;
}

bool overheard_tls(struct bytes stream)
{
	struct reader r = reader_new(stream.data, stream.len);
	bool first = true;

	while (reader_left(&r) >= 5) {
		uint8_t type = read_u8(&r), major = read_u8(&r);
		uint16_t len;

		read_skip(&r, 1);
		len = read_be16(&r);
		if (major != 3 || len > RECORD_MOST || type < CHANGE_CIPHER_SPEC ||
		    type > APPLICATION_DATA || (first && type != HANDSHAKE && type != ALERT))
			return false;
		read_skip(&r, len < reader_left(&r) ? len : reader_left(&r));
		first = false;
	}
	return true;
}

/* --- frames ------------------------------------------------------------------------ */

/* A piece of what one end of a connection said. */
struct said {
	uint32_t from; /* address */
	uint16_t port[2];
	uint32_t at; /* its place, from the SYN on */
	bool syn;
	size_t offset, len; /* in the heap */
};

struct hearing {
	struct overheard *o;
	struct said *said;
	unsigned count, room;
	uint8_t *heap;
	size_t used;
	const struct patient_block *const *vitals;
	unsigned blocks;
};

static bool between(const struct frame_ip *f, const char *one, const char *other)
{
	uint32_t a = frame_ip_of(one), b = frame_ip_of(other);

	return (f->ip_src == a && f->ip_dst == b) || (f->ip_src == b && f->ip_dst == a);
}

/* A machine without an address that asks whoever hears it for one (RFC 2131 §4.1). */
static bool asks_all(const struct frame_ip *f)
{
	struct reader r = reader_new(f->payload, f->len);
	uint16_t from = read_be16(&r), to = read_be16(&r);

	return f->proto == IPPROTO_UDP && f->ip_src == 0 && f->ip_dst == INADDR_BROADCAST &&
	       from == DHCP_CLIENT && to == DHCP_SERVER;
}

static bool of_link(const struct frame_ip *f)
{
	struct reader r = reader_new(f->payload, f->len);
	uint16_t from = read_be16(&r), to = read_be16(&r), len = read_be16(&r);

	read_skip(&r, 2);
	return f->proto == IPPROTO_UDP && between(f, WARD_LINK_IP, WARD_FAR_LINK_IP) && !r.bad &&
	       from == CAST_LINK_PORT && to == CAST_LINK_PORT && len == f->len &&
	       overheard_dtls((struct bytes){f->payload + r.off, reader_left(&r)});
}

/* Keeps what a segment says for its stream. */
static bool keep(struct hearing *h, const struct frame_ip *f)
{
	struct reader r = reader_new(f->payload, f->len);
	struct said s = {.from = f->ip_src};
	uint8_t flags, head;

	s.port[0] = read_be16(&r);
	s.port[1] = read_be16(&r);
	s.at = read_be32(&r);
	read_skip(&r, 4);
	head = (uint8_t)((read_u8(&r) >> 4) * 4);
	flags = read_u8(&r);
	if (head < 20 || head > f->len || r.bad)
		return false;
	s.syn = flags & 2;
	s.len = f->len - head;
	s.offset = h->used;
	if (!s.syn && !s.len)
		return true;
	if (h->count == h->room) {
		unsigned room = h->room ? 2 * h->room : 1024;
		struct said *more = realloc(h->said, room * sizeof(*more));

		if (!more)
			return false;
		h->said = more;
		h->room = room;
	}
	if (h->used + s.len > TLS_IN_HEAP)
		return false;
	memcpy(h->heap + h->used, f->payload + head, s.len);
	h->used += s.len;
	h->said[h->count++] = s;
	return true;
}

static bool of_relay(struct hearing *h, const struct frame_ip *f)
{
	struct reader r = reader_new(f->payload, f->len);
	uint16_t from = read_be16(&r), to = read_be16(&r);

	if (f->proto != IPPROTO_TCP || !between(f, WARD_UPLINK_IP, WARD_FAR_UPLINK_IP) ||
	    (from != CAST_RELAY_PORT && to != CAST_RELAY_PORT))
		return false;
	h->o->broken |= !keep(h, f);
	return true;
}

static void say_first(struct overheard *o, const uint8_t *frame, const struct frame_ip *f)
{
	char src[INET_ADDRSTRLEN], dst[INET_ADDRSTRLEN];

	if (f && inet_ntop(AF_INET, &f->ip_src, src, sizeof(src)) &&
	    inet_ntop(AF_INET, &f->ip_dst, dst, sizeof(dst)))
		snprintf(o->first, sizeof(o->first), "%s to %s, IP protocol %u", src, dst,
			 f->proto);
	else
		snprintf(o->first, sizeof(o->first), "a frame of type %02x%02x", frame[12],
			 frame[13]);
}

/* Nothing hides behind the packet but what fills up the shortest frame. */
static bool whole(const uint8_t *frame, size_t len, const struct frame_ip *f)
{
	return (size_t)(f->payload - frame) + f->len == len || len <= SHORTEST;
}

static void sort_out(struct hearing *h, uint8_t *frame, size_t len)
{
	struct overheard *o = h->o;
	uint16_t type = (uint16_t)(frame[12] << 8 | frame[13]);
	struct frame_ip f;
	bool ip = type == ETH_IP && frame_parse(frame, len, &f) && whole(frame, len, &f);

	if (memcmp(frame + 6, ward_machines[WARD_OUTSIDER].mac, 6) == 0)
		o->outsider++;
	else if (type == ETH_ARP && len <= SHORTEST)
		o->plumbing++;
	else if (ip && asks_all(&f))
		o->plumbing++;
	else if (ip && of_link(&f))
		o->link++;
	else if (ip && of_relay(h, &f))
		o->relay++;
	else if (!o->clear++)
		say_first(o, frame, ip ? &f : NULL);
}

static bool holds_vitals(const struct hearing *h, struct bytes frame)
{
	for (unsigned i = 0; i < h->blocks; i++) {
		uint8_t wire[2 * PATIENT_ECG];
		struct writer w = writer_new(wire, sizeof(wire));

		for (unsigned k = 0; k < PATIENT_ECG; k++)
			write_be16(&w, h->vitals[i]->ecg[k]);
		if (memmem(frame.data, frame.len, wire, sizeof(wire)))
			return true;
	}
	return false;
}

static void search(struct hearing *h, struct bytes frame)
{
	for (unsigned i = 0; i < OVERHEARD_KINDS; i++)
		h->o->found[i] += marks[i].mark ? memmem(frame.data, frame.len, marks[i].mark,
							 strlen(marks[i].mark)) != NULL
						: holds_vitals(h, frame);
}

/* --- streams ------------------------------------------------------------------------ */

static int by_stream(const void *a, const void *b)
{
	const struct said *x = a, *y = b;
	int stream = memcmp(x, y, offsetof(struct said, at));

	if (stream)
		return stream;
	if (x->syn != y->syn)
		return x->syn ? -1 : 1;
	return x->at == y->at ? 0 : (int32_t)(x->at - y->at) < 0 ? -1 : 1;
}

/* One end's words from its SYN on, put in order; said again counts once. */
static void judge_stream(struct hearing *h, const struct said *s, unsigned n)
{
	uint8_t *all = malloc(h->used + 1);
	size_t len = 0;

	h->o->broken |= !all || !s->syn;
	for (unsigned i = 1; !h->o->broken && i < n; i++) {
		size_t from = s[i].at - (s->at + 1);

		if (s[i].syn)
			continue;
		h->o->broken |= from > len;
		if (h->o->broken || from + s[i].len <= len)
			continue;
		memcpy(all + from, h->heap + s[i].offset, s[i].len);
		len = from + s[i].len;
	}
	if (!h->o->broken)
		h->o->broken = !overheard_tls((struct bytes){all, len});
	free(all);
}

static void judge_streams(struct hearing *h)
{
	unsigned from = 0;

	if (h->count)
		qsort(h->said, h->count, sizeof(*h->said), by_stream);
	for (unsigned i = 1; i <= h->count; i++) {
		if (i < h->count &&
		    memcmp(&h->said[i], &h->said[from], offsetof(struct said, at)) == 0)
			continue;
		judge_stream(h, h->said + from, i - from);
		from = i;
	}
}

int overheard_read(const char *path, const struct patient_block *const *vitals, unsigned count,
		   struct overheard *ret_o)
{
	struct hearing h = {.o = ret_o, .vitals = vitals, .blocks = count};
	char err[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *data;
	pcap_t *p = pcap_open_offline(path, err);
	int got;

	memset(ret_o, 0, sizeof(*ret_o));
	if (!p)
		return -ENOENT;
	h.heap = malloc(TLS_IN_HEAP);
	while (h.heap && (got = pcap_next_ex(p, &head, &data)) == 1) {
		uint8_t frame[65536];

		if (head->caplen < ETH_LEN || head->caplen > sizeof(frame) ||
		    head->caplen < head->len) {
			ret_o->broken = true;
			continue;
		}
		memcpy(frame, data, head->caplen);
		ret_o->frames++;
		sort_out(&h, frame, head->caplen);
		search(&h, (struct bytes){frame, head->caplen});
	}
	pcap_close(p);
	judge_streams(&h);
	got = !h.heap ? -ENOMEM : got == PCAP_ERROR_BREAK ? 0 : -EIO;
	free(h.said);
	free(h.heap);
	return got;
}

/* --- in words ------------------------------------------------------------------------ */

static unsigned kinds(const struct overheard *o)
{
	unsigned n = 0;

	for (unsigned i = 0; i < OVERHEARD_KINDS; i++)
		n += o->found[i] > 0;
	return n;
}

bool overheard_sealed(const struct overheard *o)
{
	return o->link && o->relay && !o->clear && !o->broken && !kinds(o);
}

bool overheard_readable(const struct overheard *o)
{
	return kinds(o) == OVERHEARD_KINDS;
}

void overheard_say(const struct overheard *o, char *ret_text, size_t cap)
{
	size_t len;

	if (overheard_sealed(o)) {
		snprintf(ret_text, cap, "DTLS and TLS only, %u frames", o->link + o->relay);
		return;
	}
	snprintf(ret_text, cap, "%s",
		 kinds(o)    ? ""
		 : o->clear  ? o->first
		 : o->broken ? "TLS that is none, or not heard whole"
			     : "nothing was sent sealed");
	for (unsigned i = 0, n = 0; i < OVERHEARD_KINDS; i++) {
		len = strlen(ret_text);
		if (o->found[i])
			snprintf(ret_text + len, cap - len, "%s%s", n++ ? ", " : "", marks[i].what);
	}
}
