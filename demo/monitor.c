#include "demo/monitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "demo/intellivue.h"

#define BLOCK_NS       (PATIENT_BLOCK_MS * NSEC_PER_MSEC)
#define BLOCK_TICKS    (PATIENT_BLOCK_MS * IVUE_TICKS_MS)
#define NUMERIC_BLOCKS 4 /* a numeric result about every second */

struct subscription {
	bool active;
	uint16_t invoke, poll, sequence;
	uint64_t until_ns;
};

struct session {
	const struct monitor *m;
	int sock;
	struct sockaddr_in central;
	bool open;
	struct subscription waves, numerics;
	uint32_t block;
};

static void send_message(struct session *s, const struct ivue_message *m)
{
	uint8_t buf[IVUE_MTU];
	struct writer w = writer_new(buf, sizeof(buf));

	ivue_write(&w, m);
	if (!w.bad)
		(void)!sendto(s->sock, buf, w.len, MSG_DONTWAIT, (struct sockaddr *)&s->central,
			      sizeof(s->central));
}

static uint32_t time_of(uint32_t block)
{
	return block * BLOCK_TICKS;
}

static void on_poll(struct session *s, const struct ivue_message *m, uint64_t now)
{
	struct subscription *sub = m->class_ == IVUE_CLASS_WAVE ? &s->waves : &s->numerics;

	if (!s->open && !s->m->rogue)
		return;
	if (!sub->active)
		sub->sequence = 0;
	sub->active = true;
	sub->invoke = m->invoke;
	sub->poll = m->poll;
	sub->until_ns = now + (uint64_t)m->period / IVUE_TICKS_MS * NSEC_PER_MSEC;
}

static void on_message(struct session *s, const struct ivue_message *m, uint64_t now)
{
	struct ivue_message answer = {.invoke = 1, .time = time_of(s->block)};

	switch (m->kind) {
	case IVUE_ASSOCIATE:
		s->open = false;
		s->waves.active = s->numerics.active = false;
		answer.kind = IVUE_ASSOCIATED;
		send_message(s, &answer);
		answer.kind = IVUE_MDS_CREATE;
		send_message(s, &answer);
		break;
	case IVUE_MDS_CREATED:
		s->open = true;
		break;
	case IVUE_RELEASE:
		s->open = s->waves.active = s->numerics.active = false;
		answer.kind = IVUE_RELEASED;
		send_message(s, &answer);
		break;
	case IVUE_POLL:
		on_poll(s, m, now);
		break;
	default:
		break;
	}
}

static void receive(struct session *s, uint64_t now)
{
	uint8_t buf[2048];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct ivue_message m;
	ssize_t n;

	while ((n = recvfrom(s->sock, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from,
			     &len)) > 0) {
		if (ivue_read((struct bytes){buf, (size_t)n}, &m) != PARSE_OK)
			continue;
		s->central = from;
		on_message(s, &m, now);
	}
}

static void big_endian(uint8_t *ret, const uint16_t *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		ret[2 * i] = (uint8_t)(v[i] >> 8);
		ret[2 * i + 1] = (uint8_t)v[i];
	}
}

static void send_waves(struct session *s, const struct patient_block *k)
{
	uint8_t ecg[2 * PATIENT_ECG], pleth[2 * PATIENT_PLETH];
	struct ivue_message m = {
		.kind = IVUE_RESULT,
		.class_ = IVUE_CLASS_WAVE,
		.invoke = s->waves.invoke,
		.poll = s->waves.poll,
		.sequence = s->waves.sequence++,
		.time = time_of(s->block),
		.waves = 2,
		.wave = {{.handle = 0x0101, .physio = IVUE_ECG_II, .samples = {ecg, sizeof(ecg)}},
			 {.handle = 0x0102,
			  .physio = IVUE_PLETH,
			  .samples = {pleth, sizeof(pleth)}}},
	};

	big_endian(ecg, k->ecg, PATIENT_ECG);
	big_endian(pleth, k->pleth, PATIENT_PLETH);
	if (m.sequence % 16 == 0) { /* the scale, now and then, for who joined late */
		m.wave[0].bits = 14;
		m.wave[0].period_ticks = 2 * IVUE_TICKS_MS;
		m.wave[0].low = -(double)PATIENT_ECG_ZERO / PATIENT_ECG_MV;
		m.wave[0].high = (16383.0 - PATIENT_ECG_ZERO) / PATIENT_ECG_MV;
		m.wave[0].high_raw = 16383;
		m.wave[1].bits = 12;
		m.wave[1].period_ticks = 8 * IVUE_TICKS_MS;
		m.wave[1].low = m.wave[1].high = NAN;
		m.wave[1].high_raw = PATIENT_PLETH_TOP;
	}
	send_message(s, &m);
}

static void send_numerics(struct session *s, const struct patient_block *k)
{
	struct ivue_message m = {
		.kind = IVUE_RESULT,
		.class_ = IVUE_CLASS_NUMERIC,
		.invoke = s->numerics.invoke,
		.poll = s->numerics.poll,
		.sequence = s->numerics.sequence++,
		.time = time_of(s->block),
		.numerics = 2,
		.numeric = {{.handle = 0x0201,
			     .physio = IVUE_HEART_RATE,
			     .unit = IVUE_UNIT_BPM,
			     .value = k->heart_rate},
			    {.handle = 0x0202,
			     .physio = IVUE_PULSE_RATE,
			     .unit = IVUE_UNIT_BPM,
			     .value = k->pulse_rate}},
	};

	send_message(s, &m);
}

static void beat(struct session *s, uint64_t now)
{
	const struct patient_block *k = patient_block(s->m->patient, s->block);
	struct board *b = s->m->board;

	if (s->waves.active && now < s->waves.until_ns) {
		if (b)
			b->sent_ns[s->block % BOARD_BLOCKS] = clock_mono_ns();
		send_waves(s, k);
	} else if (b) {
		b->sent_ns[s->block % BOARD_BLOCKS] = 0; /* nobody asked for it */
	}
	if (s->numerics.active && now < s->numerics.until_ns && s->block % NUMERIC_BLOCKS == 0) {
		send_numerics(s, k);
		if (b)
			b->rate_sent = (unsigned)lrint(k->heart_rate * 10);
	}
	s->block++;
	if (b)
		b->sent = s->block;
}

int monitor_run(void *arg)
{
	const struct monitor *m = arg;
	struct session s = {.m = m, .block = m->from_block};
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(IVUE_PORT)};
	uint64_t next = clock_mono_ns() + BLOCK_NS;
	struct pollfd pfd = {.events = POLLIN};

	if (m->ip)
		(void)inet_pton(AF_INET, m->ip, &here.sin_addr);
	s.sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s.sock < 0 || bind(s.sock, (struct sockaddr *)&here, sizeof(here)))
		return 1;
	pfd.fd = s.sock;
	for (;;) {
		uint64_t now = clock_mono_ns();
		int left = now < next ? (int)((next - now) / NSEC_PER_MSEC) + 1 : 0;

		if (left && poll(&pfd, 1, left) > 0)
			receive(&s, clock_mono_ns());
		now = clock_mono_ns();
		if (now < next)
			continue;
		beat(&s, now);
		next += BLOCK_NS;
	}
}
