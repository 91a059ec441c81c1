#include "demo/mllp.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo/actor.h"
#include "demo/folder.h"
#include "demo/frame.h"
#include "demo/insider.h"
#include "demo/transfer.h"

#define VT	 0x0b
#define FS	 0x1c
#define CR	 0x0d
#define MESSAGES 24
#define BUILT	 8

bool mllp_send_message(int sock, struct bytes m)
{
	uint8_t frame[MLLP_MESSAGE_MAX + 3];
	struct writer w = writer_new(frame, sizeof(frame));

	write_u8(&w, VT);
	write_bytes(&w, m.data, m.len);
	write_u8(&w, FS);
	write_u8(&w, CR);
	for (size_t at = 0; at < w.len;) {
		ssize_t n = send(sock, frame + at, w.len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return !w.bad;
}

struct bytes mllp_next_message(struct mllp_link *l)
{
	struct bytes none = {NULL, 0};
	ssize_t n;

	memmove(l->buf, l->buf + l->used, l->len - l->used);
	l->len -= l->used;
	l->used = 0;
	for (;;) {
		for (size_t i = 1; i + 1 < l->len; i++) {
			if (l->buf[0] != VT)
				return none;
			if (l->buf[i] != FS || l->buf[i + 1] != CR)
				continue;
			l->used = i + 2;
			return (struct bytes){l->buf + 1, i - 1};
		}
		n = recv(l->sock, l->buf + l->len, sizeof(l->buf) - l->len, 0);
		if (n <= 0)
			return none;
		l->len += (size_t)n;
	}
}

void mllp_field(struct bytes m, const char *name, unsigned n, char *ret, size_t cap)
{
	size_t at = 0;

	ret[0] = 0;
	while (at + 4 < m.len && memcmp(m.data + at, name, 3) != 0) {
		const uint8_t *end = memchr(m.data + at, CR, m.len - at);

		if (!end)
			return;
		at = (size_t)(end - m.data) + 1;
	}
	if (at + 4 >= m.len)
		return;
	n -= memcmp(name, "MSH", 3) == 0;
	for (; at < m.len && m.data[at] != CR; at++) {
		size_t len = 0;

		if (m.data[at] != '|' || --n)
			continue;
		at++;
		while (at + len < m.len && len + 1 < cap && m.data[at + len] != '|' &&
		       m.data[at + len] != CR)
			len++;
		memcpy(ret, m.data + at, len);
		ret[len] = 0;
		return;
	}
}

bool mllp_acknowledge(int sock, struct bytes m)
{
	char control[64], text[256];
	int n;

	mllp_field(m, "MSH", 10, control, sizeof(control));
	n = snprintf(text, sizeof(text),
		     "MSH|^~\\&|LAB|HOSPITAL|ANALYSER|WARD|20260131071500||ACK^R01|A%s|P|2.5.1\r"
		     "MSA|AA|%s\r",
		     control, control);
	return mllp_send_message(sock, (struct bytes){(uint8_t *)text, (size_t)n});
}

static int receiver(void *arg)
{
	const struct transfer_room *r = arg;
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(MLLP_PORT)};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct mllp_link *l = calloc(1, sizeof(*l));
	char name[32], sender[32];

	if (!l || sock < 0)
		return 1;
	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(sock, (struct sockaddr *)&here, sizeof(here)) || listen(sock, 4))
		return 1;
	for (;;) {
		struct bytes m;

		l->sock = accept(sock, NULL, NULL);
		l->len = l->used = 0;
		while (l->sock >= 0 && (m = mllp_next_message(l)).data) {
			mllp_field(m, "MSH", 3, sender, sizeof(sender));
			r->board->forged_results += !strcmp(sender, INSIDER_FORGED);
			snprintf(name, sizeof(name), "lab/%u.hl7", r->board->messages);
			if (folder_write(folder_path(r->dir, name), m) ||
			    !mllp_acknowledge(l->sock, m))
				break;
			r->board->messages++;
		}
		close(l->sock);
	}
}

int mllp_serve(const struct transfer_room *r)
{
	int err = folder_make(folder_path(r->dir, "lab"));

	r->board->messages = 0;
	return err ? err : actor_start(r->ward->netns[WARD_LAB], receiver, (void *)r);
}

/* Segments end with CR, whatever ended the lines of the file; the first message only. */
static struct bytes as_message(struct bytes file)
{
	uint8_t *out = (uint8_t *)file.data;
	size_t n = 0;

	for (size_t i = 0; i < file.len; i++) {
		uint8_t c = file.data[i] == '\n' ? CR : file.data[i];

		if (c == CR && (n == 0 || out[n - 1] == CR))
			continue;
		if (n && out[n - 1] == CR && i + 4 < file.len &&
		    memcmp(file.data + i, "MSH|", 4) == 0)
			break;
		out[n++] = c;
	}
	return (struct bytes){out, n};
}

static bool is_result(struct bytes m)
{
	char type[32], control[64];

	if (m.len < 20 || memcmp(m.data, "MSH|^~\\&", 8) != 0)
		return false;
	mllp_field(m, "MSH", 9, type, sizeof(type));
	mllp_field(m, "MSH", 10, control, sizeof(control));
	return strncmp(type, "ORU^R01", 7) == 0 && control[0];
}

static unsigned from_folder(const struct transfer_room *r, const char *sub, unsigned n)
{
	char dir[FOLDER_MAX + 32], name[32];
	struct dirent **names = NULL;
	int count;

	snprintf(dir, sizeof(dir), "%.150s/hl7/%s", r->data, sub);
	count = scandir(dir, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		struct bytes file = folder_read(folder_path(dir, names[i]->d_name)), m;

		free(names[i]);
		if (!file.data)
			continue;
		m = as_message(file);
		snprintf(name, sizeof(name), "analyser/%u.hl7", n);
		if (n < MESSAGES && is_result(m) && m.len < MLLP_MESSAGE_MAX - 8 &&
		    folder_write(folder_path(r->dir, name), m) == 0)
			n++;
		free((void *)file.data);
	}
	free(names);
	return n;
}

/* Blood counts, as an analyser reports them. */
static unsigned build(const struct transfer_room *r, unsigned n)
{
	char text[1024], name[32];

	for (unsigned i = 0; i < BUILT && n < MESSAGES; i++, n++) {
		int len = snprintf(text, sizeof(text),
				   "MSH|^~\\&|ANALYSER|WARD|LAB|HOSPITAL|202601310715%02u||ORU^R01^"
				   "ORU_R01|BW%04u|"
				   "P|2.5.1\r"
				   "PID|1||DEMO-%u^^^WARD^MR||PHANTOM^PATIENT||19600101|F\r"
				   "OBR|1||S%05u|58410-2^CBC panel^LN|||20260131071000\r"
				   "OBX|1|NM|718-7^Hemoglobin^LN||%u.%u|g/dL|12.0-16.0|N|||F\r"
				   "OBX|2|NM|6690-2^Leukocytes^LN||%u.%u|10*3/uL|4.5-11.0|N|||F\r"
				   "OBX|3|NM|777-3^Platelets^LN||%u|10*3/uL|150-450|N|||F\r",
				   i, i, i, 100 + i, 12 + i % 4, i, 5 + i % 5, 9 - i, 180 + 21 * i);

		snprintf(name, sizeof(name), "analyser/%u.hl7", n);
		if (folder_write(folder_path(r->dir, name),
				 (struct bytes){(uint8_t *)text, (size_t)len}))
			break;
	}
	return n;
}

struct mllp_link *mllp_reach(const char *ip, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct timeval patience = {5, 0};
	struct mllp_link *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	to.sin_addr.s_addr = frame_ip_of(ip);
	l->sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(l->sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(l->sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(l->sock, (struct sockaddr *)&to, sizeof(to)) == 0)
		return l;
	close(l->sock);
	free(l);
	return NULL;
}

struct delivery {
	const struct transfer_room *r;
	unsigned count;
};

/* Sends each and waits for its acknowledgement; 0 only if every one was the right one. */
static int sender(void *arg)
{
	const struct delivery *d = arg;
	struct mllp_link *l = mllp_reach(ward_machines[WARD_LAB].ip, MLLP_PORT);
	char name[32], control[64], answer[64], code[8], type[32];

	if (!l)
		return 1;
	for (unsigned i = 0; i < d->count; i++) {
		struct bytes m, ack;

		snprintf(name, sizeof(name), "analyser/%u.hl7", i);
		m = folder_read(folder_path(d->r->dir, name));
		if (!m.data || !mllp_send_message(l->sock, m))
			return 1;
		ack = mllp_next_message(l);
		if (!ack.data)
			return 1;
		mllp_field(m, "MSH", 10, control, sizeof(control));
		mllp_field(ack, "MSH", 9, type, sizeof(type));
		mllp_field(ack, "MSA", 1, code, sizeof(code));
		mllp_field(ack, "MSA", 2, answer, sizeof(answer));
		if (strcmp(control, answer) != 0 || strcmp(code, "AA") != 0 ||
		    strcmp(type, "ACK^R01") != 0)
			return 1;
		free((void *)m.data);
	}
	return 0;
}

struct transfer_result mllp_send(const struct transfer_room *r)
{
	struct delivery d = {r, 0};
	struct transfer_result res = {0};
	char name[32], there[FOLDER_MAX + 64];
	int err;

	folder_make(folder_path(r->dir, "analyser"));
	d.count = build(r, 0);
	if (r->data) {
		d.count = from_folder(r, "lfh", d.count);
		d.count = from_folder(r, "mirth", d.count);
		d.count = from_folder(r, "cdc", d.count);
		d.count = from_folder(r, "cdc_prs", d.count);
	}
	err = actor_wait(actor_start(r->ward->netns[WARD_ANALYSER], sender, &d), 20000);
	for (unsigned i = 0; i < d.count; i++) {
		snprintf(name, sizeof(name), "analyser/%u.hl7", i);
		snprintf(there, sizeof(there), "%s/lab/%u.hl7", r->dir, i);
		res.count += folder_same(folder_path(r->dir, name), there);
	}
	res.intact = err == 0 && d.count && res.count == d.count;
	snprintf(res.what, sizeof(res.what), "%u of %u messages, %s", res.count, d.count,
		 err ? "not all acknowledged" : "acknowledged");
	return res;
}
