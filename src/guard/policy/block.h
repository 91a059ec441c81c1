#ifndef BEDWARDEN_GUARD_POLICY_BLOCK_H
#define BEDWARDEN_GUARD_POLICY_BLOCK_H
/*
 * How a compiled policy lies in memory: a header, then the tables in the order
 * of enum block_table, each beginning at a multiple of eight, the strings last.
 * Where each begins follows from the counts alone, and tables with keys are
 * sorted without repetition, so a block is valid in one way only.
 */
#include "guard/policy/policy.h"

#define BLOCK_MAGIC 0x79636c6f50776442ull /* "BdwPolcy", little-endian */
#define BLOCK_MAX   (1u << 30)

enum block_table {
	BLOCK_PORTS,	     /* by ifindex */
	BLOCK_DEVICES,	     /* by id */
	BLOCK_RULES,	     /* by device, then in order */
	BLOCK_MACS,	     /* by key */
	BLOCK_IPS,	     /* by key */
	BLOCK_NETS,	     /* longest prefix first, then by address */
	BLOCK_SERVICES,	     /* by device, then by name */
	BLOCK_SHIELDS,	     /* by device */
	BLOCK_SEGMENT_NAMES, /* u32 offsets into the strings, from here on */
	BLOCK_HOST_NAMES,
	BLOCK_DEVICE_NAMES,    /* as many as devices */
	BLOCK_DEVICE_PROFILES, /* as many as devices */
	BLOCK_RULE_SERVICES,   /* as many as rules */
	BLOCK_RULE_MESSAGES,   /* as many as rules */
	BLOCK_STRINGS,	       /* begins and ends with a zero */
	BLOCK_TABLES,
};

struct policy {
	uint64_t magic;
	uint32_t abi; /* GATE_ABI */
	uint32_t size;
	uint32_t generation;
	uint32_t pad;
	uint32_t count[BLOCK_TABLES];
	uint32_t at[BLOCK_TABLES];
};

/* Fills in at[] and size from count[]; false where that is more than a block may be. */
bool block_lay_out(struct policy *p);
static inline void *block_table(const struct policy *p, enum block_table t)
{
	return (char *)(uintptr_t)p + p->at[t];
}

/* The order of the tables that have keys; also what makes two keys the same. */
int block_port_order(const void *a, const void *b);
int block_mac_order(const void *a, const void *b);
int block_ip_order(const void *a, const void *b);
int block_net_order(const void *a, const void *b);

#endif
