/*
 * A question about keys, by any of the processes, as it comes over its socket: the first byte says who asks,
 * the second what for. Each has one answer, and nobody gets what the table does not give: an error comes
 * without any bytes, and a signature or a key is as long as it has to be.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/p256.h"
#include "folder.h"
#include "keep/keys.h"
#include "role/secrets.h"
#include "touch.h"

static const enum ipc_type types[] = {IPC_SIGN,	   IPC_WRAP,	 IPC_UNWRAP,
				      IPC_TLS_KEY, IPC_TLS_SIGN, IPC_CALL};
static const char *const purposes[] = {"sign.gateway", "setting", "evidence", "tls.link",
				       "tls.console"};
static char folder[FUZZ_FOLDER];
static struct secrets *secrets;

static void leave(void)
{
	secrets_free(secrets);
	folder_drop(folder);
}

static void begin(void)
{
	folder_new(folder);
	secrets = secrets_new(folder, "file", NULL, getuid(), getgid());
	if (!secrets || !secrets_keys(secrets))
		abort();
	atexit(leave);
}

/* Who may ask what, once more. */
static bool may(unsigned from, enum ipc_type type, struct bytes purpose)
{
	static const struct {
		unsigned from;
		enum ipc_type type;
		unsigned purpose;
	} rows[] = {{SECRETS_PARENT, IPC_SIGN, 0},     {SECRETS_PARENT, IPC_WRAP, 1},
		    {SECRETS_PARENT, IPC_UNWRAP, 1},   {SECRETS_GUARD, IPC_WRAP, 2},
		    {SECRETS_LINK, IPC_TLS_KEY, 3},    {SECRETS_LINK, IPC_TLS_SIGN, 3},
		    {SECRETS_CONSOLE, IPC_TLS_KEY, 4}, {SECRETS_CONSOLE, IPC_TLS_SIGN, 4}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].from == from && rows[i].type == type &&
		    purpose.len == strlen(purposes[rows[i].purpose]) &&
		    memcmp(purpose.data, purposes[rows[i].purpose], purpose.len) == 0)
			return true;
	return false;
}

static void judge(unsigned from, const struct ipc_message *q, const struct ipc_message *a)
{
	struct reader r = reader_new(q->body.data, q->body.len);
	struct bytes purpose = read_bytes(&r, read_u8(&r));
	size_t data = reader_left(&r), got = a->body.len - sizeof(int32_t);
	int32_t said;

	if (a->type != q->type || a->id != q->id || a->body.len < sizeof(said))
		abort();
	memcpy(&said, a->body.data, sizeof(said));
	if (said > 0 || (said < 0 && got) || (said == 0 && (r.bad || !may(from, q->type, purpose))))
		abort();
	if (said == 0 && ((q->type == IPC_TLS_KEY && got != P256_POINT) ||
			  (q->type == IPC_TLS_SIGN && got != P256_SIGN) ||
			  (q->type == IPC_WRAP && got != data + KEYS_WRAP) ||
			  (q->type == IPC_UNWRAP && got != data - KEYS_WRAP)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t buf[IPC_BUF];
	struct ipc_message q, a;
	unsigned from;
	int pair[2];
	bool ours;

	if (len < 2 || len - 2 > IPC_BODY_MAX)
		return 0;
	if (!secrets)
		begin();
	if (ipc_pair(pair) < 0)
		abort();
	from = data[0] % (SECRETS_CONSOLE + 1);
	q = (struct ipc_message){.type = types[data[1] % (sizeof(types) / sizeof(*types))],
				 .id = 7,
				 .body = {data + 2, len - 2},
				 .fd = -1};
	ours = secrets_answer(secrets, (enum secrets_asker)from, pair[0], &q);
	if (ours != (q.type != IPC_CALL) || (ipc_recv(pair[1], buf, &a) == 0) != ours)
		abort();
	if (ours)
		judge(from, &q, &a);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
