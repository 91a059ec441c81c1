#include "guard/capture/gate_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate.skel.h"

/* ---- what a driver can do ---- */

/* The kernel's netdev family (since 6.3); Debian 12's headers are older. */
#define NETDEV_DEV_GET		1
#define NETDEV_DEV_IFINDEX	1
#define NETDEV_DEV_XDP_FEATURES 3
#define XDP_CAN_BASIC		1
#define XDP_CAN_REDIRECT	2
#define XDP_CAN_BE_SENT_TO	4

struct ask {
	struct nlmsghdr n;
	struct genlmsghdr g;
	char attrs[64];
};

static void add_attr(struct ask *a, uint16_t type, const void *data, uint16_t len)
{
	struct nlattr *at = (struct nlattr *)((char *)a + NLMSG_ALIGN(a->n.nlmsg_len));

	at->nla_type = type;
	at->nla_len = (uint16_t)(NLA_HDRLEN + len);
	memcpy((char *)at + NLA_HDRLEN, data, len);
	a->n.nlmsg_len = NLMSG_ALIGN(a->n.nlmsg_len) + NLA_ALIGN(at->nla_len);
}

/* Asks, and copies the attribute `want` of the answer. Its length, or -errno. */
static int ask(int sock, struct ask *a, uint16_t want, void *ret_value, size_t size)
{
	struct {
		struct nlmsghdr n;
		struct genlmsghdr g;
		char rest[4096];
	} r;
	ssize_t len;

	if (send(sock, a, a->n.nlmsg_len, 0) < 0 || (len = recv(sock, &r, sizeof(r), 0)) < 0)
		return -errno;
	if ((size_t)len < NLMSG_LENGTH(GENL_HDRLEN) || r.n.nlmsg_len > (size_t)len ||
	    r.n.nlmsg_type == NLMSG_ERROR)
		return -EOPNOTSUPP;
	for (size_t off = NLMSG_LENGTH(GENL_HDRLEN); off + NLA_HDRLEN <= r.n.nlmsg_len;) {
		struct nlattr at;

		memcpy(&at, (char *)&r + off, sizeof(at));
		if (at.nla_len < NLA_HDRLEN || off + at.nla_len > r.n.nlmsg_len)
			break;
		if ((at.nla_type & NLA_TYPE_MASK) == want && at.nla_len - NLA_HDRLEN <= (int)size) {
			memcpy(ret_value, (char *)&r + off + NLA_HDRLEN,
			       (size_t)(at.nla_len - NLA_HDRLEN));
			return at.nla_len - NLA_HDRLEN;
		}
		off += NLA_ALIGN(at.nla_len);
	}
	return -ENOENT;
}

static struct ask new_ask(uint16_t family, uint8_t command, uint8_t version)
{
	struct ask a = {.n = {.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
			      .nlmsg_type = family,
			      .nlmsg_flags = NLM_F_REQUEST},
			.g = {.cmd = command, .version = version}};

	return a;
}

/* Can the program run in the port's driver, and can frames be sent out of it from there? Where
 * the kernel does not say, no: a frame redirected to a port that cannot is lost without a word. */
static bool can_native(uint32_t ifindex)
{
	const uint64_t need = XDP_CAN_BASIC | XDP_CAN_REDIRECT | XDP_CAN_BE_SENT_TO;
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	struct ask a = new_ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	uint64_t features = 0;
	uint16_t family = 0;

	if (sock < 0)
		return false;
	add_attr(&a, CTRL_ATTR_FAMILY_NAME, "netdev", sizeof("netdev"));
	if (ask(sock, &a, CTRL_ATTR_FAMILY_ID, &family, sizeof(family)) == sizeof(family)) {
		a = new_ask(family, NETDEV_DEV_GET, 1);
		add_attr(&a, NETDEV_DEV_IFINDEX, &ifindex, sizeof(ifindex));
		ask(sock, &a, NETDEV_DEV_XDP_FEATURES, &features, sizeof(features));
	}
	close(sock);
	return (features & need) == need;
}

/* A virtual pair gains nothing by it: its frames are socket buffers either way, and it can be
 * sent to only while its other end happens to poll. Measured in doc/bench.md. */
static bool is_virtual(uint32_t ifindex)
{
	char name[IF_NAMESIZE], path[64 + IF_NAMESIZE];

	if (!if_indextoname(ifindex, name))
		return true;
	snprintf(path, sizeof(path), "/sys/class/net/%s/device", name);
	return access(path, F_OK) != 0;
}

static bool native_pair(struct gate *g, uint32_t ifindex)
{
	struct gate_wire_key key = {.ifindex = ifindex, .slot = g->config->slot & 1};
	struct gate_wire w;

	if (bpf_map_lookup_elem(bpf_map__fd(g->bpf->maps.wires), &key, &w))
		return false;
	return !is_virtual(ifindex) && !is_virtual(w.port.partner) && can_native(ifindex) &&
	       can_native(w.port.partner);
}

/* ---- attaching ---- */

static void link_path(const char *dir, uint32_t ifindex, char ret_path[256])
{
	snprintf(ret_path, 256, "%s/link_%u", dir, ifindex);
}

void gate_unlink_port(const char *dir, uint32_t ifindex)
{
	char path[256];
	int fd;

	link_path(dir, ifindex, path);
	fd = bpf_obj_get(path);
	unlink(path);
	if (fd >= 0) {
		bpf_link_detach(fd);
		close(fd);
	}
}

/* The program in the place of the one that is pinned to the port. False: none is, any more. */
static bool replace(struct gate *g, uint32_t ifindex, const char *path)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_obj_get(path);
	bool done;

	if (fd < 0)
		return false;
	done = bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.xdp.ifindex == ifindex &&
	       bpf_link_update(fd, g->program, NULL) == 0;
	close(fd);
	if (!done)
		unlink(path); /* of an interface that is gone */
	return done;
}

int gate_attach(struct gate *g, uint32_t ifindex)
{
	uint32_t modes[2] = {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE};
	char path[256];
	int fd = -1, r = 0;

	link_path(g->dir, ifindex, path);
	if (replace(g, ifindex, path))
		return 0;
	for (int i = native_pair(g, ifindex) ? 0 : 1; fd < 0 && i < 2; i++) {
		DECLARE_LIBBPF_OPTS(bpf_link_create_opts, o, .flags = modes[i]);

		fd = bpf_link_create(g->program, (int)ifindex, BPF_XDP, &o);
		r = fd < 0 ? fd : 0;
	}
	if (fd < 0)
		return r;
	if (bpf_obj_pin(fd, path))
		r = -errno;
	close(fd);
	return r;
}

int gate_detach(struct gate *g, uint32_t ifindex)
{
	gate_unlink_port(g->dir, ifindex);
	return 0;
}

const char *gate_port_mode(const struct gate *g, uint32_t ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, o);

	if (!ifindex || bpf_xdp_query((int)ifindex, 0, &o))
		return "none";
	switch (o.attach_mode) {
	case XDP_ATTACHED_DRV:
	case XDP_ATTACHED_HW:
		return "native";
	case XDP_ATTACHED_SKB:
		return "generic";
	default:
		return "none";
	}
}
