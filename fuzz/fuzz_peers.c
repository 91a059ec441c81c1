/*
 * Guards in foreign hands, as the link sees them: whatever one writes into the memory that both have,
 * and whatever descriptors come with what the parent says of them, a frame is sealed from that guard's memory
 * alone, and one that came is opened into a chunk that the guard gave.
 *
 * Steps of a letter and what it needs: e puts an entry (guard, queue, offset of four bytes, length and peer of
 * two), g gives empty chunks as a guard does, p writes over the queues (guard, queue, offset of two bytes, a
 * word of four), t the link's turn, o a frame comes (length of two bytes), q new queues, m a message (type,
 * number of four bytes, which descriptor), j which peers there are (length, JSON).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "role/link.h"
#include "role/peers_internal.h"
#include "role/tls_key.h"
#include "touch.h"

#define GUARDS 2u
#define CHUNKS (SHARE_INBOX + 8)
#define STEPS  256

/* The guard's side. */
struct guard {
	uint8_t *memory;
	struct share_queues queues;
	uint32_t next; /* empty chunk to be given */
};

static struct guard guards[GUARDS];
static struct link link_of;

static bool tell(enum ipc_type type, uint32_t number, int fd)
{
	struct ipc_message m = {
		.type = type, .body = {(uint8_t *)&number, sizeof(number)}, .fd = fd};
	bool ok = peers_message(link_of.peers, &m);

	if (m.fd >= 0)
		close(m.fd);
	return ok;
}

static void new_queues(unsigned n)
{
	int fd = share_make_queues();

	share_unmap_queues(&guards[n].queues);
	if (fd < 0 || share_map_queues(fd, &guards[n].queues))
		abort();
	guards[n].next = 0;
	(void)tell(IPC_QUEUES, n, fd);
}

static void begin(unsigned n)
{
	int fd = share_make_memory(CHUNKS);
	uint32_t chunks;

	if (fd < 0 || share_map_memory(fd, &guards[n].memory, &chunks))
		abort();
	if (!tell(IPC_FRAMES, n, fd) ||
	    !tell(IPC_WAKE, n | IPC_WAKE_GUARD, eventfd(0, EFD_NONBLOCK)))
		abort();
	new_queues(n);
}

static void put(struct reader *r)
{
	struct guard *g = &guards[read_u8(r) % GUARDS];
	struct spsc *q = &g->queues.q[read_u8(r) % SHARE_QUEUES];
	struct spsc_entry e = {.offset = read_be32(r), .len = read_be16(r), .peer = read_be16(r)};

	if (r->bad)
		return;
	(void)spsc_put(q, &e);
	(void)spsc_publish(q);
}

static void give(struct guard *g)
{
	struct spsc_entry e = {0};

	for (unsigned i = 0; i < 4; i++) {
		e.offset = g->next++ % CHUNKS * SHARE_CHUNK;
		(void)spsc_put(&g->queues.q[SHARE_EMPTY], &e);
	}
	(void)spsc_publish(&g->queues.q[SHARE_EMPTY]);
}

static void write_over(struct reader *r)
{
	struct guard *g = &guards[read_u8(r) % GUARDS];
	size_t size = spsc_bytes(SHARE_QUEUE), at = read_u8(r) % SHARE_QUEUES * size;
	uint32_t word;

	at += read_be16(r) % (size - sizeof(word));
	word = read_be32(r);
	if (!r->bad)
		memcpy((uint8_t *)g->queues.at + at, &word, sizeof(word));
}

/* Where the link would open it, it has been opened. */
static void open_one(size_t len)
{
	struct peers *ps = link_of.peers;
	uint8_t *data = party_take(ps, (uint32_t)len);
	struct link_frame f = {.data = data, .len = (uint32_t)len, .form = LINK_FORM_ETHERNET};
	bool ours = false;

	if (!data)
		return;
	for (unsigned n = 0; n < SETUP_GUARDS_MAX; n++) {
		const struct party *y = ps->parties[n];

		ours = ours || (y && y->memory && data >= y->memory + SHARE_HEAD &&
				data + len <= y->memory + (size_t)y->chunks * SHARE_CHUNK &&
				(size_t)(data - y->memory) % SHARE_CHUNK == SHARE_HEAD);
	}
	if (!ours)
		abort();
	memset(data, 0x45, len);
	if (ps->list[0].core)
		party_deliver(ps, ps->list[0].core, &f);
	else
		party_give(ps, data);
}

static int descriptor(uint8_t kind)
{
	int fd;

	if (kind % 4 == 0)
		return share_make_queues();
	if (kind % 4 == 1)
		return share_make_memory(kind % 8 == 1 ? CHUNKS : SHARE_INBOX);
	if (kind % 4 == 2)
		return eventfd(0, EFD_NONBLOCK);
	fd = memfd_create("plain", MFD_CLOEXEC); /* that can still shrink */
	if (fd >= 0 && ftruncate(fd, (off_t)CHUNKS * SHARE_CHUNK) < 0)
		abort();
	return fd;
}

static void message(struct reader *r)
{
	static const enum ipc_type types[] = {IPC_FRAMES, IPC_WAKE, IPC_QUEUES, IPC_LISTEN};
	uint8_t type = read_u8(r);
	uint32_t number = read_be32(r);
	uint8_t kind = read_u8(r);

	if (!r->bad)
		(void)tell(types[type % (sizeof(types) / sizeof(*types))], number,
			   descriptor(kind));
}

static void setup(struct reader *r)
{
	struct bytes b = read_bytes(r, read_be16(r));
	json_t *root = r->bad ? NULL : json_loadb((const char *)b.data, b.len, 0, NULL);

	if (json_is_object(root) && json_is_object(json_object_get(root, "link")))
		peers_take(link_of.peers, root);
	json_decref(root);
}

static void step(struct reader *r)
{
	uint8_t what = read_u8(r);

	if (what == 'e')
		put(r);
	else if (what == 'g')
		give(&guards[read_u8(r) % GUARDS]);
	else if (what == 'p')
		write_over(r);
	else if (what == 't')
		(void)peers_turn(link_of.peers, 0);
	else if (what == 'o')
		open_one(read_be16(r));
	else if (what == 'q')
		new_queues(read_u8(r) % GUARDS);
	else if (what == 'm')
		message(r);
	else if (what == 'j')
		setup(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct relay_calls calls;
	static const struct tls_key_calls none;
	struct reader r = reader_new(data, len);

	link_of = (struct link){.parent = -1, .keeper = -1, .updater = -1, .leave = -1};
	link_of.relays = relays_new(&calls);
	link_of.key = tls_key_new(-1, "tls.link", &none);
	if (!link_of.relays || !link_of.key || outbox_init(&link_of.events, 1 << 16) < 0)
		abort();
	link_of.peers = peers_new(&link_of);
	if (!link_of.peers)
		abort();
	for (unsigned n = 0; n < GUARDS; n++)
		begin(n);
	for (unsigned n = 0; n < STEPS && reader_left(&r); n++)
		step(&r);
	peers_free(link_of.peers);
	relays_free(link_of.relays);
	tls_key_free(link_of.key);
	free(link_of.events.data);
	for (unsigned n = 0; n < GUARDS; n++) {
		share_unmap_queues(&guards[n].queues);
		share_unmap_memory(guards[n].memory, CHUNKS);
	}
	return 0;
}
