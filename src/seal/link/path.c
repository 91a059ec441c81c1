#include "seal/link/link_internal.h"

#define PATH_BASE  1200 /* RFC 8899 §5.1.2: passes nearly everywhere */
#define PATH_STEP  8	/* closer is not looked for */
#define PATH_TRIES 3
#define CHECK_NS   (5 * NSEC_PER_SEC)	/* what passed is asked again whether it still does */
#define RAISE_NS   (600 * NSEC_PER_SEC) /* and what did not */
#define WAIT_NS	   (200 * NSEC_PER_MSEC)

unsigned path_over(const struct where *at)
{
	const struct sockaddr_in6 *v6 = (const void *)&at->sa;

	if (at->sa.ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return 40 + 8;
	return 20 + 8;
}

static void probe(struct link_peer *p, uint16_t size)
{
	struct path *path = &p->path;

	if (path->probing != size)
		path->tries = 0;
	path->probing = size;
	path->sent_ns = p->ls->now_ns;
	if (crypto_random(&path->token, sizeof(path->token)) < 0)
		return;
	send_echo(p, p->use, &p->at, FRAMING_ASK, FRAMING_PROBE, path->token, size);
}

static void tell(struct link_peer *p)
{
	struct link_fact f = {
		.what = LINK_MTU, .peer = p, .address = (const struct sockaddr *)&p->at.sa};

	p->path.told = true;
	links_tell(p->ls, &f);
}

/* The largest first, which is right most of the time; then by halves. */
static void look_on(struct link_peer *p)
{
	struct path *path = &p->path;

	if (path->high < path->low + PATH_STEP) {
		path->probing = 0;
		path->next_ns = p->ls->now_ns + CHECK_NS;
		if (!path->told)
			tell(p);
		return;
	}
	probe(p, (uint16_t)((path->low + path->high + 1) / 2));
}

static uint16_t most_of(const struct link_peer *p)
{
	return (uint16_t)(p->ls->o.mtu - path_over(&p->at));
}

void path_start(struct link_peer *p)
{
	struct path *path = &p->path;
	uint16_t most = most_of(p);

	*path = (struct path){.size = PATH_BASE, .low = PATH_BASE, .high = most};
	path->raise_ns = p->ls->now_ns + RAISE_NS;
	if (most <= PATH_BASE) {
		path->size = path->low = most;
		look_on(p);
		return;
	}
	probe(p, path->high);
}

void path_answer(struct link_peer *p, uint64_t token)
{
	struct path *path = &p->path;

	if (!path->probing || token != path->token)
		return;
	if (path->probing > path->size)
		path->told = false;
	path->size = path->low = path->probing;
	path->probing = 0;
	look_on(p);
}

static void no_answer(struct link_peer *p)
{
	struct path *path = &p->path;

	if (++path->tries < PATH_TRIES) {
		probe(p, path->probing);
		return;
	}
	path->tries = 0;
	if (path->probing <= path->size && path->size > PATH_BASE) {
		/* What passed passes no longer: back to what nearly always does. */
		path->high = path->probing;
		path->size = path->low = PATH_BASE;
		path->told = false;
	} else {
		path->high = (uint16_t)(path->probing - 1);
		path->high = path->high < path->low ? path->low : path->high;
	}
	look_on(p);
}

uint64_t path_turn(struct link_peer *p)
{
	struct path *path = &p->path;
	uint64_t now = p->ls->now_ns, wait = 3 * p->rtt_ns > WAIT_NS ? 3 * p->rtt_ns : WAIT_NS;

	if (path->probing) {
		if (now - path->sent_ns >= wait)
			no_answer(p);
	} else if (now >= path->raise_ns) {
		path->raise_ns = now + RAISE_NS;
		path->high = most_of(p);
		look_on(p);
	} else if (now >= path->next_ns) {
		probe(p, path->size);
	}
	return now + 2 * TURN_NS;
}
