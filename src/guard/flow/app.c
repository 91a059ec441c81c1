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

#include "base/hash.h"

#define NAME_LEN 24

struct slot {
	struct ndpi_flow_struct *state; /* one block for all, owned by the pool */
	struct flow *flow;		/* whose, NULL: free */
	uint32_t older, newer;		/* those taken, by age; 0 none */
	uint32_t next_free;
};

/* What a server's port was found to speak. */
struct service {
	uint64_t tag;	/* of address, port and protocol; 0 nothing here */
	uint16_t app;	/* 0: none that is known */
	uint16_t agree; /* conversations in a row that said so */
	uint32_t asked; /* since it was first known */
};

#define SERVICES 16384

struct app {
	struct ndpi_detection_module_struct *ndpi;
	uint8_t *states;
	struct slot *slots; /* [0] is nobody's, so that 0 can mean none */
	uint32_t count, free, oldest, newest;
	uint32_t earned;	  /* APP_EARN is one look */
	struct service *services; /* SERVICES; who comes later takes the place */
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

/*
 * What is looked for: what a hospital's network carries, and what should not go
 * unnamed there (tunnels, remote control, mining). nDPI tries all of them on every
 * packet of a conversation that is none of them, so the list is the price.
 */
static const uint16_t wanted[] = {
	NDPI_PROTOCOL_FTP_CONTROL, NDPI_PROTOCOL_FTP_DATA,     NDPI_PROTOCOL_MAIL_POP,
	NDPI_PROTOCOL_MAIL_POPS,   NDPI_PROTOCOL_MAIL_SMTP,    NDPI_PROTOCOL_MAIL_SMTPS,
	NDPI_PROTOCOL_MAIL_IMAP,   NDPI_PROTOCOL_MAIL_IMAPS,   NDPI_PROTOCOL_DNS,
	NDPI_PROTOCOL_MDNS,	   NDPI_PROTOCOL_LLMNR,	       NDPI_PROTOCOL_DNSCRYPT,
	NDPI_PROTOCOL_DOH_DOT,	   NDPI_PROTOCOL_IPP,	       NDPI_PROTOCOL_BJNP,
	NDPI_PROTOCOL_HTTP,	   NDPI_PROTOCOL_HTTP_CONNECT, NDPI_PROTOCOL_HTTP_PROXY,
	NDPI_PROTOCOL_WEBSOCKET,   NDPI_PROTOCOL_QUIC,	       NDPI_PROTOCOL_TLS,
	NDPI_PROTOCOL_DTLS,	   NDPI_PROTOCOL_SSH,	       NDPI_PROTOCOL_TELNET,
	NDPI_PROTOCOL_RSYNC,	   NDPI_PROTOCOL_NTP,	       NDPI_PROTOCOL_NETBIOS,
	NDPI_PROTOCOL_NFS,	   NDPI_PROTOCOL_SSDP,	       NDPI_PROTOCOL_WSD,
	NDPI_PROTOCOL_SNMP,	   NDPI_PROTOCOL_SYSLOG,       NDPI_PROTOCOL_DHCP,
	NDPI_PROTOCOL_DHCPV6,	   NDPI_PROTOCOL_RADIUS,       NDPI_PROTOCOL_LDAP,
	NDPI_PROTOCOL_KERBEROS,	   NDPI_PROTOCOL_SMBV1,	       NDPI_PROTOCOL_SMBV23,
	NDPI_PROTOCOL_DCERPC,	   NDPI_PROTOCOL_TFTP,	       NDPI_PROTOCOL_POSTGRES,
	NDPI_PROTOCOL_MYSQL,	   NDPI_PROTOCOL_MSSQL_TDS,    NDPI_PROTOCOL_ORACLE,
	NDPI_PROTOCOL_MONGODB,	   NDPI_PROTOCOL_REDIS,	       NDPI_PROTOCOL_MEMCACHED,
	NDPI_PROTOCOL_AMQP,	   NDPI_PROTOCOL_COAP,	       NDPI_PROTOCOL_NATS,
	NDPI_PROTOCOL_ZMQ,	   NDPI_PROTOCOL_JABBER,       NDPI_PROTOCOL_MODBUS,
	NDPI_PROTOCOL_DNP3,	   NDPI_PROTOCOL_IEC60870,     NDPI_PROTOCOL_S7COMM,
	NDPI_PROTOCOL_ETHERNET_IP, NDPI_PROTOCOL_RTP,	       NDPI_PROTOCOL_RTCP,
	NDPI_PROTOCOL_RTSP,	   NDPI_PROTOCOL_SIP,	       NDPI_PROTOCOL_H323,
	NDPI_PROTOCOL_STUN,	   NDPI_PROTOCOL_RDP,	       NDPI_PROTOCOL_VNC,
	NDPI_PROTOCOL_CITRIX,	   NDPI_PROTOCOL_TEAMVIEWER,   NDPI_PROTOCOL_ANYDESK,
	NDPI_PROTOCOL_IP_IPSEC,	   NDPI_PROTOCOL_PPTP,	       NDPI_PROTOCOL_OPENVPN,
	NDPI_PROTOCOL_WIREGUARD,   NDPI_PROTOCOL_CISCOVPN,     NDPI_PROTOCOL_TEREDO,
	NDPI_PROTOCOL_SOCKS,	   NDPI_PROTOCOL_TOR,	       NDPI_PROTOCOL_BITTORRENT,
	NDPI_PROTOCOL_MINING,	   NDPI_PROTOCOL_IRC,	       NDPI_PROTOCOL_GIT,
	NDPI_PROTOCOL_NETFLOW,	   NDPI_PROTOCOL_SFLOW,	       NDPI_PROTOCOL_ZABBIX,
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
			snprintf(a->names[suricata[i].id], NAME_LEN, "%s", suricata[i].name);
}

static int load_ndpi(struct app *a)
{
	NDPI_PROTOCOL_BITMASK set;

	a->ndpi = ndpi_init_detection_module(ndpi_dont_load_tor_hosts);
	if (!a->ndpi)
		return -ENOMEM;
	NDPI_BITMASK_RESET(set);
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		NDPI_BITMASK_ADD(set, wanted[i]);
	ndpi_set_protocol_detection_bitmask2(a->ndpi, &set);
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
	a->services = calloc(SERVICES, sizeof(*a->services));
	if (!a->slots || !a->states || !a->services || load_ndpi(a) < 0) {
		app_free(a);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 1; i < a->count; i++) {
		a->slots[i].state = (void *)(a->states + i * state_len);
		a->slots[i].next_free = i + 1 < a->count ? i + 1 : 0;
	}
	a->free = slots ? 1 : 0;
	a->earned = APP_LOOKS * APP_EARN;
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
	free(a->services);
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
		a->slots[a->oldest].flow->app_packets = UINT8_MAX;
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

/*
 * The service of the end that did not start the flow. The hash is not secret:
 * the same file must give the same names, and whoever finds two services that
 * share a place makes us look again, no more.
 */
static struct service *service_of(struct app *a, const struct flow *f)
{
	static const struct hash_key fixed = {{0x7365727669636573, 0x7468617420616e73}};
	unsigned server = !f->starter;
	struct {
		struct gate_ip ip;
		uint32_t segment;
		uint16_t port, proto;
	} k = {f->key.ip[server], f->key.segment, f->key.port[server], f->key.proto};
	uint64_t tag = hash_bytes(&fixed, &k, sizeof(k));
	struct service *s = &a->services[tag % SERVICES];

	if (s->tag != tag)
		*s = (struct service){.tag = tag};
	return s;
}

/* Takes the word of the conversations before, where they agree. */
static bool is_remembered(struct app *a, struct flow *f)
{
	struct service *s = service_of(a, f);

	if (s->agree < APP_AGREE || ++s->asked % APP_RECHECK == 0)
		return false;
	f->app = s->app;
	f->app_packets = UINT8_MAX;
	return true;
}

static void conclude(struct app *a, struct flow *f)
{
	struct service *s = service_of(a, f);

	if (s->app != f->app)
		s->agree = 0;
	s->app = f->app;
	if (s->agree < APP_AGREE)
		s->agree += f->app ? 1 : 2;
	give_back(a, f->detect);
}

/* Whether to begin with this flow; where not, that is for good. */
static bool may_begin(struct app *a, struct flow *f)
{
	if (is_remembered(a, f))
		return false;
	if (a->earned >= APP_EARN && take(a, f))
		return true;
	f->app_packets = UINT8_MAX;
	return false;
}

void app_look(struct app *a, struct flow *f, const struct packet *p)
{
	unsigned most = p->proto == PROTO_TCP ? APP_PACKETS_TCP : APP_PACKETS_UDP;
	struct slot *s;
	ndpi_protocol found;

	a->earned += a->earned < APP_LOOKS * APP_EARN;
	if (f->app || f->app_packets >= most || !p->payload.len || p->fragment ||
	    p->l3.len > UINT16_MAX || (p->proto != PROTO_TCP && p->proto != PROTO_UDP))
		return;
	if (!f->detect && !may_begin(a, f))
		return;
	s = &a->slots[f->detect];
	found = ndpi_detection_process_packet(a->ndpi, s->state, p->l3.data,
					      (unsigned short)p->l3.len, p->time_ns / 1000000);
	a->earned -= a->earned < APP_EARN ? a->earned : APP_EARN;
	f->app_packets++;
	f->app = protocol_of(s->state, found);
	if (f->app || f->app_packets >= most)
		conclude(a, f);
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
