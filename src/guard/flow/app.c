#include "guard/flow/app.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

/* nDPI brings in libc's names for TCP's states, which are flow.h's too. */
#define TCP_ESTABLISHED libc_tcp_established
#define TCP_SYN_SENT	libc_tcp_syn_sent
#define TCP_SYN_RECV	libc_tcp_syn_recv
#include <netinet/tcp.h>
#undef TCP_ESTABLISHED
#undef TCP_SYN_SENT
#undef TCP_SYN_RECV
#include <ndpi/ndpi_api.h>

#define NAME_LEN 24

struct slot {
	struct ndpi_flow_struct *state; /* one block for all, owned by the pool */
	struct flow *flow;		/* whose, NULL: free */
	uint32_t older, newer;		/* those taken, by age; 0 none */
	uint32_t next_free;
};

struct app {
	struct ndpi_detection_module_struct *ndpi;
	uint8_t *states;
	struct slot *slots; /* [0] is nobody's, so that 0 can mean none */
	uint32_t count, free, oldest, newest;
	uint32_t names_count;
	char (*names)[NAME_LEN];
};

/* Where Suricata says it otherwise than nDPI in lower case. */
static const struct {
	uint16_t id;
	const char *name;
} suricata[] = {
	{NDPI_PROTOCOL_FTP_CONTROL, "ftp"},  {NDPI_PROTOCOL_FTP_DATA, "ftp-data"},
	{NDPI_PROTOCOL_SMBV1, "smb"},	     {NDPI_PROTOCOL_SMBV23, "smb"},
	{NDPI_PROTOCOL_DCERPC, "dcerpc"},    {NDPI_PROTOCOL_KERBEROS, "krb5"},
	{NDPI_PROTOCOL_VNC, "rfb"},	     {NDPI_PROTOCOL_POSTGRES, "pgsql"},
	{NDPI_PROTOCOL_MAIL_POPS, "tls"},    {NDPI_PROTOCOL_MAIL_SMTPS, "tls"},
	{NDPI_PROTOCOL_MAIL_IMAPS, "tls"},   {NDPI_PROTOCOL_DOH_DOT, "tls"},
	{NDPI_PROTOCOL_HTTP_PROXY, "http"},  {NDPI_PROTOCOL_HTTP_CONNECT, "http"},
	{NDPI_PROTOCOL_ETHERNET_IP, "enip"}, {NDPI_PROTOCOL_IP_IPSEC, "ike"},
};

static void name_all(struct app *a)
{
	for (uint32_t i = 1; i < a->names_count; i++) {
		const char *n = ndpi_get_proto_name(a->ndpi, (uint16_t)i);

		for (unsigned k = 0; n[k] && k < NAME_LEN - 1; k++)
			a->names[i][k] = (char)tolower((unsigned char)n[k]);
	}
	for (unsigned i = 0; i < sizeof(suricata) / sizeof(suricata[0]); i++)
		if (suricata[i].id < a->names_count)
			strcpy(a->names[suricata[i].id], suricata[i].name);
}

static int load_ndpi(struct app *a)
{
	NDPI_PROTOCOL_BITMASK all;

	a->ndpi = ndpi_init_detection_module(ndpi_no_prefs);
	if (!a->ndpi)
		return -ENOMEM;
	NDPI_BITMASK_SET_ALL(all);
	ndpi_set_protocol_detection_bitmask2(a->ndpi, &all);
	ndpi_finalize_initialization(a->ndpi);

	a->names_count = ndpi_get_num_supported_protocols(a->ndpi);
	a->names = calloc(a->names_count, NAME_LEN);
	if (!a->names)
		return -ENOMEM;
	name_all(a);
	return 0;
}

struct app *app_new(uint32_t slots)
{
	size_t state_len = ndpi_detection_get_sizeof_ndpi_flow_struct();
	struct app *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->count = slots + 1;
	a->slots = calloc(a->count, sizeof(*a->slots));
	a->states = calloc(a->count, state_len);
	if (!a->slots || !a->states || load_ndpi(a) < 0) {
		app_free(a);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 1; i < a->count; i++) {
		a->slots[i].state = (void *)(a->states + i * state_len);
		a->slots[i].next_free = i + 1 < a->count ? i + 1 : 0;
	}
	a->free = slots ? 1 : 0;
	return a;
}

void app_free(struct app *a)
{
	if (!a)
		return;
	while (a->oldest)
		app_end(a, a->slots[a->oldest].flow);
	if (a->ndpi)
		ndpi_exit_detection_module(a->ndpi);
	free(a->names);
	free(a->states);
	free(a->slots);
	free(a);
}

static void give_back(struct app *a, uint32_t i)
{
	struct slot *s = &a->slots[i];

	ndpi_free_flow_data(s->state);
	s->flow->detect = 0;
	s->flow = NULL;
	if (s->older)
		a->slots[s->older].newer = s->newer;
	else
		a->oldest = s->newer;
	if (s->newer)
		a->slots[s->newer].older = s->older;
	else
		a->newest = s->older;
	s->next_free = a->free;
	a->free = i;
}

/* 0 where the pool has no slot at all. */
static uint32_t take(struct app *a, struct flow *f)
{
	struct slot *s;
	uint32_t i;

	if (!a->free && a->oldest) {
		a->slots[a->oldest].flow->app_packets = UINT16_MAX;
		give_back(a, a->oldest);
	}
	i = a->free;
	if (!i)
		return 0;
	s = &a->slots[i];
	a->free = s->next_free;
	memset(s->state, 0, ndpi_detection_get_sizeof_ndpi_flow_struct());
	s->flow = f;
	s->newer = 0;
	s->older = a->newest;
	if (a->newest)
		a->slots[a->newest].newer = i;
	else
		a->oldest = i;
	a->newest = i;
	f->detect = i;
	return i;
}

/*
 * The protocol itself rather than the service behind it: TLS to a cloud is
 * `tls`. What nDPI only infers from an address or a port is no identification.
 */
static uint16_t protocol_of(const struct ndpi_flow_struct *state, ndpi_protocol found)
{
	if (state->confidence < NDPI_CONFIDENCE_DPI_CACHE)
		return 0;
	return found.master_protocol ? found.master_protocol : found.app_protocol;
}

void app_look(struct app *a, struct flow *f, const struct packet *p)
{
	unsigned most = p->proto == PROTO_TCP ? APP_PACKETS_TCP : APP_PACKETS_UDP;
	struct slot *s;
	ndpi_protocol found;

	if (f->app || f->app_packets >= most || !p->payload.len || p->fragment ||
	    p->l3.len > UINT16_MAX || (p->proto != PROTO_TCP && p->proto != PROTO_UDP))
		return;
	if (!f->detect && !take(a, f)) {
		f->app_packets = UINT16_MAX;
		return;
	}
	s = &a->slots[f->detect];
	found = ndpi_detection_process_packet(a->ndpi, s->state, p->l3.data,
					      (unsigned short)p->l3.len, p->time_ns / 1000000);
	f->app_packets++;
	f->app = protocol_of(s->state, found);
	if (f->app || f->app_packets >= most)
		give_back(a, f->detect);
}

void app_end(struct app *a, struct flow *f)
{
	if (f->detect)
		give_back(a, f->detect);
}

const char *app_name(const struct app *a, uint16_t app)
{
	return app && app < a->names_count ? a->names[app] : NULL;
}
