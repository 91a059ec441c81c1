#include "demo/monitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "demo/intellivue.h"

#define POLL_EVERY_NS (1000 * NSEC_PER_MSEC)
#define POLL_PERIOD   (10000 * IVUE_TICKS_MS) /* asked again long before it ends */
#define SILENCE_NS    (5000 * NSEC_PER_MSEC)  /* then a new association is tried */
#define RETRY_NS      (500 * NSEC_PER_MSEC)
#define BLOCK_TICKS   (PATIENT_BLOCK_MS * IVUE_TICKS_MS)

struct station {
	const struct central *c;
	int sock;
	bool open;
	uint16_t invoke;
	uint64_t asked_ns, heard_ns;
};

static void send_message(struct station *s, const struct ivue_message *m)
{
	uint8_t buf[IVUE_MTU];
	struct writer w = writer_new(buf, sizeof(buf));

	ivue_write(&w, m);
	if (!w.bad)
		(void)!send(s->sock, buf, w.len, MSG_DONTWAIT);
}

static void ask(struct station *s, enum ivue_class class_, uint16_t number)
{
	struct ivue_message m = {.kind = IVUE_POLL,
				 .invoke = ++s->invoke,
				 .poll = number,
				 .class_ = class_,
				 .period = POLL_PERIOD};

	send_message(s, &m);
}

static void ask_all(struct station *s, uint64_t now)
{
	ask(s, IVUE_CLASS_WAVE, 1);
	ask(s, IVUE_CLASS_NUMERIC, 2);
	s->asked_ns = now;
}

static unsigned from_wire(uint16_t *ret, struct bytes samples, unsigned max)
{
	unsigned n = 0;

	for (; n < max && 2 * n + 1 < samples.len; n++)
		ret[n] = (uint16_t)(samples.data[2 * n] << 8 | samples.data[2 * n + 1]);
	return n;
}

/* The display: whatever comes in the monitor's name is shown, as a central station does. */
static void show(struct station *s, const struct ivue_message *m, uint64_t now)
{
	struct board *b = s->c->board;
	struct board_shown *shown = &b->shown[b->shown_count % BOARD_BLOCKS];
	unsigned whole = 0;

	for (unsigned i = 0; i < m->numerics; i++)
		if (m->numeric[i].physio == IVUE_HEART_RATE && !isnan(m->numeric[i].value))
			b->rate_shown = (unsigned)lrint(m->numeric[i].value * 10);
	if (!m->waves)
		return;
	memset(shown, 0, sizeof(*shown));
	shown->at_ns = now;
	shown->block = m->time / BLOCK_TICKS;
	for (unsigned i = 0; i < m->waves; i++) {
		const struct ivue_wave *w = &m->wave[i];

		if (w->physio == IVUE_ECG_II)
			whole += from_wire(shown->ecg, w->samples, PATIENT_ECG) == PATIENT_ECG;
		if (w->physio == IVUE_PLETH)
			whole +=
				from_wire(shown->pleth, w->samples, PATIENT_PLETH) == PATIENT_PLETH;
	}
	if (whole == 2)
		b->shown_count++;
}

static void on_message(struct station *s, const struct ivue_message *m, uint64_t now)
{
	struct ivue_message answer = {
		.kind = IVUE_MDS_CREATED, .invoke = m->invoke, .time = m->time};

	switch (m->kind) {
	case IVUE_MDS_CREATE:
		send_message(s, &answer);
		s->open = true;
		s->heard_ns = now;
		s->c->board->associated++;
		ask_all(s, now);
		break;
	case IVUE_RESULT:
		s->heard_ns = now;
		show(s, m, now);
		break;
	case IVUE_REFUSED:
	case IVUE_ABORT:
		s->open = false;
		break;
	default:
		break;
	}
}

static void receive(struct station *s, uint64_t now)
{
	uint8_t buf[2048];
	struct ivue_message m;
	ssize_t n;

	while ((n = recv(s->sock, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		if (ivue_read((struct bytes){buf, (size_t)n}, &m) == PARSE_OK)
			on_message(s, &m, now);
}

static void turn(struct station *s, uint64_t now)
{
	struct ivue_message hello = {.kind = IVUE_ASSOCIATE};

	if (s->open && now - s->heard_ns > SILENCE_NS)
		s->open = false;
	if (s->open && now - s->asked_ns >= POLL_EVERY_NS)
		ask_all(s, now);
	if (!s->open && now - s->asked_ns >= RETRY_NS) {
		send_message(s, &hello);
		s->asked_ns = now;
	}
}

int central_run(void *arg)
{
	const struct central *c = arg;
	struct station s = {.c = c};
	struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(IVUE_PORT)};
	struct pollfd pfd = {.events = POLLIN};

	s.sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s.sock < 0 || inet_pton(AF_INET, c->monitor_ip, &there.sin_addr) != 1 ||
	    connect(s.sock, (struct sockaddr *)&there, sizeof(there)))
		return 1;
	pfd.fd = s.sock;
	for (;;) {
		if (poll(&pfd, 1, 50) > 0)
			receive(&s, clock_mono_ns());
		turn(&s, clock_mono_ns());
	}
}
