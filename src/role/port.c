#include "role/port.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int ports_open(struct ports *ps)
{
	struct sockaddr_nl who = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int query, notice, err;

	query = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (query < 0)
		return -errno;
	notice = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (notice < 0 || bind(notice, (struct sockaddr *)&who, sizeof(who)) < 0) {
		err = -errno;
		if (notice >= 0)
			close(notice);
		close(query);
		return err;
	}
	*ps = (struct ports){.query = query, .notice = notice};
	return 0;
}

void ports_close(struct ports *ps)
{
	close(ps->query);
	close(ps->notice);
}

static struct ifreq request(const struct port *p)
{
	struct ifreq r = {0};

	memcpy(r.ifr_name, p->name, sizeof(r.ifr_name));
	return r;
}

static int ethtool(const struct ports *ps, const struct port *p, void *command)
{
	struct ifreq r = request(p);

	r.ifr_data = command;
	return ioctl(ps->query, SIOCETHTOOL, &r) < 0 ? -errno : 0;
}

static unsigned count_queues(const struct ports *ps, const struct port *p)
{
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};

	if (ethtool(ps, p, &c) < 0 || c.rx_count + c.combined_count == 0)
		return 1; /* drivers with one queue often do not say so */
	return c.rx_count + c.combined_count;
}

/* What the kernel says of it now. */
static void look(const struct ports *ps, struct port *p)
{
	struct ifreq r = request(p);

	p->ifindex = 0;
	p->link = false;
	if (ioctl(ps->query, SIOCGIFINDEX, &r) < 0)
		return;
	p->ifindex = (uint32_t)r.ifr_ifindex;
	if (ioctl(ps->query, SIOCGIFHWADDR, &r) == 0)
		memcpy(p->mac, r.ifr_hwaddr.sa_data, sizeof(p->mac));
	r = request(p);
	if (ioctl(ps->query, SIOCGIFFLAGS, &r) == 0)
		p->link = (r.ifr_flags & IFF_UP) && (r.ifr_flags & IFF_RUNNING);
	p->queues = count_queues(ps, p);
}

int ports_add(struct ports *ps, const char *name, unsigned segment, bool ward)
{
	struct port *p = &ps->list[ps->count];

	if (ps->count == PORTS_MAX)
		return -ENOSPC;
	if (!*name || strlen(name) >= sizeof(p->name) || strchr(name, '/'))
		return -EINVAL;
	*p = (struct port){.segment = segment, .ward = ward, .queues = 1};
	memcpy(p->name, name, strlen(name));
	look(ps, p);
	ps->count++;
	return 0;
}

bool ports_drain(struct ports *ps)
{
	char buf[8192];
	bool any = false;
	ssize_t n;

	/* ENOBUFS: notices were lost, which is a notice, too. */
	while ((n = recv(ps->notice, buf, sizeof(buf), 0)) > 0 || (n < 0 && errno == ENOBUFS))
		any = true;
	return any;
}

void ports_refresh(struct ports *ps, port_changed_fn changed, void *arg)
{
	for (unsigned i = 0; i < ps->count; i++) {
		struct port *p = &ps->list[i], was = *p;
		unsigned changes = 0;

		look(ps, p);
		if (p->ifindex != was.ifindex)
			changes |= p->ifindex ? PORT_CAME : PORT_VANISHED;
		if (p->link != was.link)
			changes |= p->link ? PORT_LINK_UP : PORT_LINK_DOWN;
		if (changes)
			changed(arg, p, changes);
	}
}

static void write_setting(const char *family, const struct port *p, const char *name,
			  const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, p->name, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0) {
		/* Read-only in a container: the floor drops what it would prevent. */
	}
	close(fd);
}

#define FEATURE_BLOCKS 8 /* of 32 features: more than any kernel has */

/* What `ethtool -k` lists under that name, by number; -1: this kernel has no such thing. */
static int feature_named(const struct ports *ps, const struct port *p, const char *name)
{
	union {
		struct ethtool_sset_info info;
		uint8_t room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
	} set = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES}};
	union {
		struct ethtool_gstrings names;
		uint8_t room[sizeof(struct ethtool_gstrings) +
			     FEATURE_BLOCKS * 32 * ETH_GSTRING_LEN];
	} list = {.names = {.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES}};
	const uint8_t *at = list.room + sizeof(list.names);
	uint32_t count;

	if (ethtool(ps, p, &set) < 0 || !set.info.sset_mask)
		return -1;
	memcpy(&count, set.room + sizeof(set.info), sizeof(count));
	if (count > FEATURE_BLOCKS * 32)
		return -1; /* the kernel writes as many as it has, whatever `len` says */
	list.names.len = count;
	if (ethtool(ps, p, &list) < 0)
		return -1;
	for (uint32_t i = 0; i < count; i++, at += ETH_GSTRING_LEN)
		if (strncmp((const char *)at, name, ETH_GSTRING_LEN) == 0)
			return (int)i;
	return -1;
}

/* Switches a feature off that no older request knows. True where it stays on. */
static bool insists(const struct ports *ps, const struct port *p, const char *name)
{
	union {
		struct ethtool_sfeatures f;
		uint8_t room[sizeof(struct ethtool_sfeatures) +
			     FEATURE_BLOCKS * sizeof(struct ethtool_set_features_block)];
	} set = {.f = {.cmd = ETHTOOL_SFEATURES}};
	union {
		struct ethtool_gfeatures f;
		uint8_t room[sizeof(struct ethtool_gfeatures) +
			     FEATURE_BLOCKS * sizeof(struct ethtool_get_features_block)];
	} get = {.f = {.cmd = ETHTOOL_GFEATURES, .size = FEATURE_BLOCKS}};
	int n = feature_named(ps, p, name);
	struct ethtool_set_features_block *off;
	struct ethtool_get_features_block now;

	if (n < 0 || ethtool(ps, p, &get) < 0 || (unsigned)n / 32 >= get.f.size)
		return false;
	set.f.size = get.f.size; /* as many as this kernel has: it takes no other number */
	off = (struct ethtool_set_features_block *)(set.room + sizeof(set.f)) + n / 32;
	off->valid = 1u << n % 32;
	ethtool(ps, p, &set);
	get.f.size = FEATURE_BLOCKS;
	if (ethtool(ps, p, &get) < 0)
		return false;
	memcpy(&now, get.room + sizeof(get.f) + (size_t)n / 32 * sizeof(now), sizeof(now));
	return now.active & 1u << n % 32;
}

/* Offloads that change frames on their way in or out, as far as the driver lets them go. */
static void leave_frames_alone(const struct ports *ps, struct port *p)
{
	static const uint32_t merging[] = {ETHTOOL_SGRO, ETHTOOL_STSO, ETHTOOL_SGSO};
	static const uint32_t flags[] = {ETH_FLAG_LRO, ETH_FLAG_RXVLAN, ETH_FLAG_TXVLAN};
	struct ethtool_value v = {.cmd = ETHTOOL_GFLAGS};

	for (size_t i = 0; i < sizeof(merging) / sizeof(merging[0]); i++)
		ethtool(ps, p, &(struct ethtool_value){.cmd = merging[i], .data = 0});
	/* One by one: a driver that refuses one of them refuses them all. */
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		v.cmd = ETHTOOL_GFLAGS;
		if (ethtool(ps, p, &v) < 0 || !(v.data & flags[i]))
			continue;
		v.cmd = ETHTOOL_SFLAGS;
		v.data &= ~flags[i];
		ethtool(ps, p, &v);
	}
	v.cmd = ETHTOOL_GFLAGS;
	p->hides_tags = ethtool(ps, p, &v) == 0 && (v.data & ETH_FLAG_RXVLAN);
	/* The outer tag of two, IEEE 802.1ad. */
	p->hides_tags |= insists(ps, p, "rx-vlan-stag-hw-parse");
}

int ports_prepare(const struct ports *ps, struct port *p)
{
	struct ifreq r = request(p);

	write_setting("ipv6", p, "disable_ipv6", p->own == 6 ? "0" : "1");
	write_setting("ipv4", p, "arp_ignore", p->own == 4 ? "1" : "8");
	leave_frames_alone(ps, p);
	if (ioctl(ps->query, SIOCGIFFLAGS, &r) < 0)
		return -errno;
	if ((r.ifr_flags & IFF_UP) && (r.ifr_flags & IFF_PROMISC))
		return 0;
	r.ifr_flags |= IFF_UP | IFF_PROMISC;
	return ioctl(ps->query, SIOCSIFFLAGS, &r) < 0 ? -errno : 0;
}

int ports_set_queues(const struct ports *ps, struct port *p, unsigned queues)
{
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};
	int err = ethtool(ps, p, &c);

	if (err < 0)
		return err;
	c.cmd = ETHTOOL_SCHANNELS;
	if (c.combined_count)
		c.combined_count = queues;
	else
		c.rx_count = queues;
	err = ethtool(ps, p, &c);
	p->queues = count_queues(ps, p);
	return err;
}

#define RSS_KEY_MAX 256

/* The head of what ETHTOOL_GRSSH and ETHTOOL_SRSSH carry, and a key with no table before it. */
union rss {
	struct ethtool_rxfh h;
	uint8_t room[sizeof(struct ethtool_rxfh) + RSS_KEY_MAX];
};

/* Toeplitz over a key of period 16 does not change when addresses and ports change places. */
static int set_key(const struct ports *ps, const struct port *p)
{
	union rss is = {.h.cmd = ETHTOOL_GRSSH};
	union rss want = {.h = {.cmd = ETHTOOL_SRSSH,
				.indir_size = ETH_RXFH_INDIR_NO_CHANGE,
				.hfunc = 1 /* Toeplitz, first of the kernel's list */}};
	int err = ethtool(ps, p, &is); /* only the sizes */

	if (err < 0)
		return err;
	if (is.h.key_size == 0 || is.h.key_size > RSS_KEY_MAX)
		return -EOPNOTSUPP;
	want.h.key_size = is.h.key_size;
	for (size_t i = 0; i < want.h.key_size; i++)
		want.room[sizeof(want.h) + i] = i % 2 ? 0x5a : 0x6d;
	err = ethtool(ps, p, &want);
	if (err < 0 && is.h.hfunc == want.h.hfunc) {
		want.h.hfunc = 0; /* no change: a driver with one function may know no other word */
		err = ethtool(ps, p, &want);
	}
	return err;
}

/*
 * Hash to queue by the kernel's own table, the same for as many queues. And what is hashed:
 * addresses alone, where the driver can, so that fragments and ICMP errors go the way of their
 * conversation.
 */
static void set_table(const struct ports *ps, const struct port *p)
{
	static const uint32_t kinds[] = {TCP_V4_FLOW, UDP_V4_FLOW, TCP_V6_FLOW, UDP_V6_FLOW};

	ethtool(ps, p, &(struct ethtool_rxfh_indir){.cmd = ETHTOOL_SRXFHINDIR, .size = 0});
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		ethtool(ps, p,
			&(struct ethtool_rxnfc){.cmd = ETHTOOL_SRXFH,
						.flow_type = kinds[i],
						.data = RXH_IP_SRC | RXH_IP_DST});
}

int ports_balance(const struct ports *ps, struct port *p)
{
	int err = p->queues > 1 ? set_key(ps, p) : 0;

	if (err == 0 && p->queues > 1)
		set_table(ps, p);
	p->scatters = err < 0;
	return err;
}
