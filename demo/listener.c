#include "demo/listener.h"

#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>

#define SWITCH	   "br0"
#define SNAP	   65535
#define BUFFER	   (8 << 20)
#define TIMEOUT_MS 50

static volatile sig_atomic_t ended;

static void on_end(int sig)
{
	ended = sig;
}

static pcap_t *open_switch(void)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_create(SWITCH, err);

	if (!p)
		return NULL;
	pcap_set_snaplen(p, SNAP);
	pcap_set_promisc(p, 1); /* a bridge hands up what it forwards only then */
	pcap_set_buffer_size(p, BUFFER);
	pcap_set_timeout(p, TIMEOUT_MS);
	if (pcap_activate(p) == 0)
		return p;
	fprintf(stderr, "demo: the listener: %s\n", pcap_geterr(p));
	pcap_close(p);
	return NULL;
}

int listener_run(void *arg)
{
	const struct listener *l = arg;
	struct sigaction act = {.sa_handler = on_end};
	pcap_t *p = open_switch();
	pcap_dumper_t *d = p ? pcap_dump_open(p, l->path) : NULL;
	struct pcap_stat s = {0};
	int n;

	if (!d)
		return 1;
	sigaction(SIGTERM, &act, NULL);
	l->board->listening = 1;
	while (!ended && pcap_dispatch(p, -1, pcap_dump, (u_char *)d) >= 0)
		;
	pcap_setnonblock(p, 1, NULL);
	do { /* what was heard and not yet written */
		n = pcap_dispatch(p, -1, pcap_dump, (u_char *)d);
	} while (n > 0);
	pcap_stats(p, &s);
	l->board->unheard = s.ps_drop;
	n = pcap_dump_flush(d);
	pcap_dump_close(d);
	pcap_close(p);
	return n != 0;
}
