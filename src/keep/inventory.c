#include "keep/inventory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "keep/db.h"

#define FIELD_MAX 256 /* bytes of one name, vendor, address or peer */

enum statement {
	PUT_MACHINE,
	PUT_IP,
	PUT_PEER,
	TRIM_IPS,
	TRIM_PEERS,
	TRIM_MACHINES,
	STATEMENTS,
};

static const char *const texts[STATEMENTS] = {
	[PUT_MACHINE] =
		"INSERT INTO machine(mac, device, name, vendor, profile, why, segment, first, last,"
		"  services, apps, dhcp_class, weaknesses)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?11, ?12)"
		" ON CONFLICT(mac) DO UPDATE SET"
		"  device = iif(?2 = '', device, ?2), name = iif(?3 = '', name, ?3),"
		"  vendor = iif(?4 = '', vendor, ?4), profile = iif(?5 = '', profile, ?5),"
		"  why = iif(?6 = '[]', why, ?6), segment = iif(?7 = '', segment, ?7),"
		"  services = iif(?9 = '[]', services, ?9), apps = iif(?10 = '[]', apps, ?10),"
		"  dhcp_class = iif(?11 = '', dhcp_class, ?11),"
		"  weaknesses = iif(?12 = '[]', weaknesses, ?12),"
		"  first = min(first, ?8), last = max(last, ?8)",
	[PUT_IP] = "INSERT INTO machine_ip(mac, ip, last) VALUES(?1, ?2, ?3)"
		   " ON CONFLICT(mac, ip) DO UPDATE SET last = max(last, ?3)",
	[PUT_PEER] = "INSERT INTO machine_peer(mac, peer, last) VALUES(?1, ?2, ?3)"
		     " ON CONFLICT(mac, peer) DO UPDATE SET last = max(last, ?3)",
	[TRIM_IPS] = "DELETE FROM machine_ip WHERE mac = ?1 AND ip IN (SELECT ip FROM machine_ip"
		     " WHERE mac = ?1 ORDER BY last DESC LIMIT -1 OFFSET ?2)",
	[TRIM_PEERS] =
		"DELETE FROM machine_peer WHERE mac = ?1 AND peer IN (SELECT peer FROM machine_peer"
		" WHERE mac = ?1 ORDER BY last DESC LIMIT -1 OFFSET ?2)",
	[TRIM_MACHINES] = "DELETE FROM machine WHERE mac IN (SELECT mac FROM machine"
			  " ORDER BY device <> '' DESC, last DESC LIMIT -1 OFFSET ?1)",
};

struct inventory {
	sqlite3_stmt *statements[STATEMENTS];
	unsigned added; /* machines written since the last trim */
};

int inventory_open(sqlite3 *sql, struct inventory **ret_inventory)
{
	struct inventory *inv = calloc(1, sizeof(*inv));
	int err;

	if (!inv)
		return -ENOMEM;
	err = db_prepare(sql, texts, inv->statements, STATEMENTS);
	if (err != 0) {
		inventory_close(inv);
		return err;
	}
	*ret_inventory = inv;
	return 0;
}

void inventory_close(struct inventory *inv)
{
	if (!inv)
		return;
	for (unsigned i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(inv->statements[i]);
	free(inv);
}

/* The string at `key`, "" where there is none or it is unreasonably long. */
static const char *field(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s && strlen(s) <= FIELD_MAX ? s : "";
}

/* aa:bb:cc:dd:ee:ff in lower case, or false. */
static bool canonical_mac(const char *text, char ret_mac[18])
{
	for (unsigned i = 0; i < 17; i++) {
		char c = text[i];

		if (c >= 'A' && c <= 'F')
			c = (char)(c - 'A' + 'a');
		if (i % 3 == 2 ? c != ':' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		ret_mac[i] = c;
	}
	ret_mac[17] = 0;
	return text[17] == 0;
}

static void bind_text(sqlite3_stmt *s, int n, const char *text)
{
	sqlite3_bind_text(s, n, text, -1, SQLITE_TRANSIENT);
}

/* Every string of the list at `key` (or the one string there), one statement each. */
static int put_each(struct inventory *inv, enum statement which, const char *mac,
		    const json_t *object, const char *key, unsigned max, int64_t time_ns)
{
	const json_t *list = json_object_get(object, key);
	size_t count = json_is_array(list) ? json_array_size(list) : 0;
	sqlite3_stmt *s = inv->statements[which];
	int err = 0;

	for (size_t i = 0; err == 0 && i < count && i < max; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || !*text || strlen(text) > FIELD_MAX)
			continue;
		bind_text(s, 1, mac);
		bind_text(s, 2, text);
		sqlite3_bind_int64(s, 3, time_ns);
		err = db_run(s);
	}
	return err;
}

static int trim_list(struct inventory *inv, enum statement which, const char *mac, int keep)
{
	sqlite3_stmt *s = inv->statements[which];

	bind_text(s, 1, mac);
	sqlite3_bind_int(s, 2, keep);
	return db_run(s);
}

/* A list as it stands in the event, as text; "[]" where there is none. The caller's to free. */
static char *list_text(const json_t *object, const char *key)
{
	const json_t *list = json_object_get(object, key);
	char *text = json_is_array(list) ? json_dumps(list, JSON_COMPACT) : NULL;

	return text ? text : strdup("[]");
}

static int put_machine(struct inventory *inv, const struct record *r, const char *mac,
		       const json_t *object)
{
	sqlite3_stmt *s = inv->statements[PUT_MACHINE];
	static const struct {
		int n;
		const char *key;
	} lists[] = {{6, "profile_reasons"}, {9, "services"}, {10, "apps"}, {12, "weaknesses"}};
	int err;

	bind_text(s, 1, mac);
	bind_text(s, 2, r->device);
	bind_text(s, 3, field(object, "name"));
	bind_text(s, 4, field(object, "vendor"));
	bind_text(s, 5, field(object, "profile"));
	bind_text(s, 7, field(object, "segment"));
	sqlite3_bind_int64(s, 8, r->time_ns);
	bind_text(s, 11, field(object, "dhcp_class"));
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		sqlite3_bind_text(s, lists[i].n, list_text(object, lists[i].key), -1, free);
	err = db_run(s);
	sqlite3_clear_bindings(s);
	return err;
}

int inventory_put(struct inventory *inv, const struct record *r)
{
	json_t *root = json_loadb((const char *)r->line.data, r->line.len, JSON_ALLOW_NUL, NULL);
	const json_t *object = json_object_get(root, "inventory");
	char mac[18];
	int err = -EINVAL;

	if (canonical_mac(field(object, "mac"), mac)) {
		err = put_machine(inv, r, mac, object);
		if (err == 0)
			err = put_each(inv, PUT_IP, mac, object, "ips", INVENTORY_IPS, r->time_ns);
		if (err == 0)
			err = put_each(inv, PUT_PEER, mac, object, "peers", INVENTORY_PEERS,
				       r->time_ns);
		if (err == 0)
			err = put_each(inv, PUT_PEER, mac, object, "peer_names", INVENTORY_PEERS,
				       r->time_ns);
		if (err == 0)
			err = trim_list(inv, TRIM_IPS, mac, INVENTORY_IPS);
		if (err == 0)
			err = trim_list(inv, TRIM_PEERS, mac, INVENTORY_PEERS);
		inv->added++;
	}
	json_decref(root);
	return err;
}

int inventory_trim(struct inventory *inv)
{
	sqlite3_stmt *s = inv->statements[TRIM_MACHINES];

	if (inv->added == 0)
		return 0;
	inv->added = 0;
	sqlite3_bind_int(s, 1, INVENTORY_MACHINES);
	return db_run(s);
}
