/*
 * What a keeper in foreign hands could order of a clerk, and what a clerk that read foreign files could answer.
 * The first byte says which. Of an order comes a command of ours or none: every word of it is one that
 * is known, or a network; an answer ends the call that waits for it, whatever it says.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/address.h"
#include "base/file.h"
#include "base/ipc.h"
#include "keep/store.h"
#include "role/errand.h"
#include "role/errands.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool is_number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n > 0 && n < 5 && !s[n];
}

static bool is_known(const char *word)
{
	static const char *const words[] = {"report", "hipaa", "csf",	"--json", "--days",
					    "policy", "learn", "-w",	"update", "import",
					    "-",      "-c",    "/etc/f"};
	uint8_t ip[16];
	unsigned bits;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return is_number(word) || address_prefix(word, ip, &bits);
}

static void order(struct bytes text)
{
	static struct errand_words w;

	if (!errand_words(text, "/etc/f", &w))
		return;
	if (w.count < 4 || w.count > ERRAND_WORDS || w.word[w.count])
		abort();
	for (unsigned i = 0; i < w.count; i++)
		if (!is_known(w.word[i]))
			abort();
	if (strcmp(w.word[w.count - 2], "-c") != 0 || strcmp(w.word[w.count - 1], "/etc/f") != 0)
		abort();
}

static unsigned done;
static struct store *store; /* for what is said of answers that make no sense */

static json_t *take(struct keeper *k, uint32_t ticket, const json_t *o, int fd,
		    struct call_error *e)
{
	json_t *text = errands_text(fd), *object = errands_json(fd);

	done++;
	json_decref(text);
	json_decref(object);
	return json_true();
}

/* Ends with how it ended, a zero byte, then what it printed. */
static void answer(struct bytes in)
{
	struct keeper k = {0};
	struct call_asker by = {.user = "anna"};
	struct call_error e = {0};
	const uint8_t *cut = memchr(in.data, 0, in.len);
	size_t how = cut ? (size_t)(cut - in.data) : in.len;
	struct bytes printed = {in.data + how + !!cut, in.len - how - !!cut};
	struct ipc_message m = {.type = IPC_ERRAND, .body = {in.data, how}};
	int pair[2], before = (int)done;

	if (!store)
		store = store_new(":memory:", 1000);
	k.store = store;
	k.errands = errands_new();
	k.calls = calls_new();
	if (!store || !k.errands || !k.calls || ipc_pair(pair) < 0)
		abort();
	k.parent = pair[0];
	if (errands_send(&k, &by, json_pack("{s:s}", "do", "import"), -1, take, &e) || e.status)
		abort();
	m.id = k.asked;
	m.fd = file_memory("printed", printed);
	if (m.fd < 0)
		abort();
	errands_take(&k, &m);
	errands_take(&k, &m); /* once is enough */
	if ((int)done > before + 1)
		abort();
	close(m.fd);
	errands_free(k.errands);
	calls_free(k.calls);
	close(pair[0]);
	close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] == 'o')
		order((struct bytes){data + 1, len - 1});
	else if (data[0] == 'a' && len - 1 <= IPC_BODY_MAX)
		answer((struct bytes){data + 1, len - 1});
	return 0;
}
