/* What browsers, machines and people show as text: tokens, tickets, codes, passwords. */
#include <assert.h>
#include <stdlib.h>

#include "people/auth/base64url.h"
#include "people/auth/code.h"
#include "people/auth/common.h"
#include "people/auth/password.h"
#include "people/auth/ticket.h"
#include "people/auth/token.h"
#include "people/auth/totp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int zeros(void *ret_data, size_t len)
{
	memset(ret_data, 0, len);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const context[] = {"anna.moser", "ward 3", NULL};
	static struct tickets *tickets;
	char *text = malloc(len + 1), again[BASE64URL_LEN(64) + 1], code[CODE_TEXT];
	uint8_t hash[CRYPTO_HASH], bits[64];
	enum password_fault fault;
	struct ticket ticket;
	enum token_kind kind;
	uint64_t step;
	size_t n;

	assert(text);
	memcpy(text, data, len);
	text[len] = 0;
	if (!tickets)
		tickets = tickets_new(zeros);
	assert(tickets);
	if (token_read(text, &kind, hash))
		assert(strlen(text) == TOKEN_TEXT - 1);
	(void)token_csrf_fits(text, text);
	(void)ticket_read(tickets, text, 1000, &ticket);
	/* One value has one text. */
	if (base64url_read(text, bits, sizeof(bits), &n) == 0) {
		base64url_write(bits, n, again);
		assert(strcmp(again, text) == 0);
	}
	if (code_read(text, bits)) {
		code_text(bits, code);
		assert(code_read(code, bits));
	}
	(void)totp_check((struct bytes){bits, 0}, text, 1790000000, 0, &step);
	fault = password_check(text, PASSWORD_BESIDE, context);
	assert(fault != PASSWORD_FAULT_OK || strlen(text) >= PASSWORD_BESIDE);
	free(text);
	return 0;
}
