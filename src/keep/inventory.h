#ifndef BEDWARDEN_KEEP_INVENTORY_H
#define BEDWARDEN_KEEP_INVENTORY_H
/*
 * The machines that were seen, by hardware address: what an event's
 * `inventory` object says is merged into what is known. An empty or missing
 * field leaves the known one. Bounded: machines, and addresses and peers of
 * each; strangers not seen for longest go first.
 */
#include <sqlite3.h>

#include "keep/record.h"

#define INVENTORY_MACHINES 20000
#define INVENTORY_IPS	   16
#define INVENTORY_PEERS	   64

struct inventory;

/* Prepares its statements on the connection, which must outlive it. 0 or as db_error(). */
int inventory_open(sqlite3 *sql, struct inventory **ret_inventory);
void inventory_close(struct inventory *inv);
/* Within the caller's transaction. 0; -EINVAL no machine could be read from it; as db_error(). */
int inventory_put(struct inventory *inv, const struct record *r);
/* Forgets what is above the bound. */
int inventory_trim(struct inventory *inv);

#endif
