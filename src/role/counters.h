#ifndef BEDWARDEN_ROLE_COUNTERS_H
#define BEDWARDEN_ROLE_COUNTERS_H
/*
 * What each rule of the policy in force counted in the kernel, as people see it: the parent reads
 * the numbers, the keeper says whose they are.
 */
#include "base/bytes.h"

struct gateway;
struct keeper;
struct ipc_message;
struct policy;
struct gate_count;

/* The parent's: a memfd with struct setup_counted and the counts; empty where the kernel has no floor of
 * ours. The caller's to close, or -errno. */
int counters_memfd(struct gateway *g);

/* The keeper's: tells who asked what the parent counted. */
void counters_answer(struct keeper *k, const struct ipc_message *m);

/* Rows, a JSON object for each of the policy's rules, device by device; `device` "" of all of them.
 * 0, or -ENOENT: the policy has no such device. */
typedef void (*counters_row_fn)(void *arg, struct bytes row);
int counters_rows(const struct policy *p, const struct gate_count *counts, const char *device,
		  counters_row_fn fn, void *arg);

#endif
