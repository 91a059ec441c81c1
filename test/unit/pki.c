#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sqlite3.h>

#include "keep/ca.h"
#include "place.h"
#include "base/pin.h"
#include "seal/pki/tls.h"

#define NOW 1800000000ll
#define DAY 86400

struct stage {
	struct place *place;
	struct keys *keys;
	struct signing *signing;
	struct ca *ca;
};

static struct bytes text_bytes(const char *s)
{
	return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static void reopen(struct stage *s)
{
	ca_free(s->ca);
	s->ca = ca_open(s->place->folder, s->signing);
	assert_non_null(s->ca);
}

static int open_stage(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));
	struct holder_ask ask;
	char error[KEYS_ERROR];

	place_open((void **)&s->place, "none");
	ask = (struct holder_ask){.dir = s->place->folder, .place = ""};
	assert_int_equal(keys_create(s->place->folder, &holder_file, &ask, NULL, error), 0);
	s->keys = keys_open(s->place->folder, &ask, error);
	s->signing = signing_new(s->keys);
	reopen(s);
	*state = s;
	return 0;
}

static int close_stage(void **state)
{
	struct stage *s = *state;

	ca_free(s->ca);
	signing_free(s->signing);
	keys_free(s->keys);
	*state = s->place;
	place_close(state);
	free(s);
	return 0;
}

static struct ca_order order_of(enum cert_profile profile, const char *name)
{
	struct ca_order o = {.profile = profile};

	snprintf(o.name, sizeof(o.name), "%s", name);
	assert_int_equal(cert_names_add(&o.names, name), 0);
	return o;
}

static X509 *first(const char *pem)
{
	STACK_OF(X509) *chain = cert_chain(text_bytes(pem));
	X509 *x;

	assert_non_null(chain);
	x = sk_X509_shift(chain);
	sk_X509_pop_free(chain, X509_free);
	return x;
}

/* A request as a device makes it; `san` NULL none. */
static char *request(EVP_PKEY *key, const char *cn, const char *san, const EVP_MD *md)
{
	X509_REQ *r = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	char *pem;

	X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(r), "CN", MBSTRING_UTF8,
				   (const uint8_t *)cn, -1, -1, 0);
	X509_REQ_set_pubkey(r, key);
	if (san) {
		const char *colon = strchr(san, '=');
		X509_EXTENSION *e =
			colon ? X509V3_EXT_nconf(NULL, NULL,
						 strncmp(san, "ca", 2) == 0 ? "basicConstraints"
									    : "nameConstraints",
						 colon + 1)
			      : X509V3_EXT_nconf(NULL, NULL, "subjectAltName", san);

		assert_non_null(e);
		sk_X509_EXTENSION_push(list, e);
		X509_REQ_add_extensions(r, list);
	}
	assert_true(X509_REQ_sign(r, key, md) > 0);
	pem = cert_csr_text(r);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	X509_REQ_free(r);
	return pem;
}

static int read_of(EVP_PKEY *key, const char *cn, const char *san, const EVP_MD *md)
{
	char *pem = request(key, cn, san, md), error[CERT_ERROR] = "";
	struct bytes exact = unit_exact(pem, strlen(pem));
	struct csr r = {0};
	int err = csr_read(exact, &r, error);

	assert_true(err == 0 || *error);
	csr_free(&r);
	free((void *)exact.data);
	free(pem);
	return err;
}

static void requests_are_believed_in_nothing(void **state)
{
	EVP_PKEY *good = EVP_EC_gen("P-256"), *k1 = EVP_EC_gen("secp256k1");
	EVP_PKEY *short_rsa = EVP_RSA_gen(1024), *rsa = EVP_RSA_gen(2048);
	const EVP_MD *md = EVP_sha256();
	char long_name[70], many[2048] = "DNS:a0", *pem, error[CERT_ERROR];
	struct csr r;

	assert_int_equal(read_of(good, "pump-1", NULL, md), 0);
	assert_int_equal(read_of(good, "pump-1", "DNS:pump-1.ward,IP:10.0.0.7", md), 0);
	assert_int_equal(read_of(rsa, "pump-1", "DNS:pump-1", md), 0);
	assert_int_equal(read_of(short_rsa, "pump-1", NULL, md), -EACCES);
	assert_int_equal(read_of(k1, "pump-1", NULL, md), -EACCES);
	assert_int_equal(read_of(good, "pump-1", NULL, EVP_sha1()), -EACCES);
	assert_int_equal(read_of(good, "pump-1", "DNS:*.ward", md), -EINVAL);
	assert_int_equal(read_of(good, "pump-1", "email:a@b.c", md), -EINVAL);
	assert_int_equal(read_of(good, "pump-1", "URI:http://a", md), -EINVAL);
	assert_int_equal(read_of(good, "pump-1", "DNS:under_score", md), -EINVAL);
	assert_int_equal(read_of(good, "pump-1", "ca=CA:TRUE", md), -EINVAL);
	assert_int_equal(read_of(good, "pump-1", "ca=CA:FALSE", md), 0);
	assert_int_equal(read_of(good, "pump-1", "nc=permitted;DNS:a", md), -EINVAL);
	assert_int_equal(read_of(good, "pump\n1", NULL, md), -EINVAL);
	for (unsigned i = 1; i < 20; i++)
		sprintf(many + strlen(many), ",DNS:a%u", i);
	assert_int_equal(read_of(good, "pump-1", many, md), -EINVAL);
	memset(long_name, 'x', sizeof(long_name));
	long_name[64] = 0;
	assert_int_equal(read_of(good, long_name, NULL, md), 0);

	/* Not its own: the key was put in after it was signed. */
	pem = request(good, "pump-1", NULL, md);
	memcpy(strstr(pem, "\n") + 60, "AAAA", 4);
	assert_true(csr_read(text_bytes(pem), &r, error) < 0);
	free(pem);
	assert_int_equal(csr_read((struct bytes){0}, &r, error), -EMSGSIZE);
	assert_int_equal(csr_read(text_bytes("0"), &r, error), -EBADMSG);
	assert_int_equal(csr_read(text_bytes("hello"), &r, error), -EBADMSG);
	EVP_PKEY_free(good);
	EVP_PKEY_free(k1);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(short_rsa);
}

static void names_are_hosts_and_addresses(void **state)
{
	static const char *const bad[] = {"",	 ".",	"a.",  "-a",  "a-",   "a..b",	    "a_b",
					  "*.a", "a b", "a/b", "a\n", "a-.b", "1.2.3.4.5/6"};
	struct cert_names n = {0};
	char label[65];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(cert_names_add(&n, bad[i]), -EINVAL);
	memset(label, 'x', 64);
	label[64] = 0;
	assert_int_equal(cert_names_add(&n, label), -EINVAL);
	label[63] = 0;
	assert_int_equal(cert_names_add(&(struct cert_names){0}, label), 0);
	assert_int_equal(cert_names_add(&n, "Pacs.Ward-3.example"), 0);
	assert_int_equal(cert_names_add(&n, "pacs.ward-3.example"), 0);
	assert_int_equal(cert_names_add(&n, "10.0.0.1"), 0);
	assert_int_equal(cert_names_add(&n, "fd00::1"), 0);
	assert_int_equal(n.count, 3);
}

static unsigned told;
static bool told_installed;
static int told_days[8], told_authority;

static void tell(void *arg, const struct ca_row *row, int days)
{
	if (row->authority) {
		assert_string_equal(row->name, "ward 3");
		told_authority++;
		return;
	}
	assert_true(told < 8);
	told_days[told++] = days;
	told_installed = row->installed;
}

static void count_rows(void *arg, const struct ca_row *row)
{
	++*(unsigned *)arg;
}

static void an_authority_issues_and_revokes(void **state)
{
	struct stage *s = *state;
	struct ca_order o = order_of(CERT_SERVER, "pacs.example");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char *pem = NULL, *root, *crl;
	struct trust *trust = trust_new();
	unsigned rows = 0;
	X509 *x;

	assert_int_equal(ca_issue(s->ca, &o, key, NOW, &pem), -ENOENT);
	assert_int_equal(ca_init(s->ca, "", 0, NOW), -EINVAL);
	assert_int_equal(ca_init(s->ca, "ward 3", 0, NOW), 0);
	assert_int_equal(ca_init(s->ca, "ward 3", 0, NOW), -EEXIST);
	assert_int_equal(ca_issue(s->ca, &o, key, NOW, &pem), 0);
	x = first(pem);
	assert_int_equal(X509_check_host(x, "pacs.example", 0, 0, NULL), 1);
	assert_int_equal(tls_time(X509_get0_notAfter(x)), NOW + CA_DAYS * DAY);
	assert_true(X509_get_extension_flags(x) & EXFLAG_XKUSAGE);
	assert_int_equal(X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0), 1);
	assert_int_equal(X509_check_ca(x), 0);
	assert_int_equal(ca_root(s->ca, &root), 0);
	assert_int_equal(ca_crl(s->ca, NOW, &crl), 0);
	assert_int_equal(trust_add(trust, text_bytes(root)), 1);
	assert_int_equal(trust_add(trust, text_bytes(crl)), 1);
	free(crl);

	reopen(s); /* all of it is on the disk */
	assert_int_equal(ca_each(s->ca, count_rows, &rows), 0);
	assert_int_equal(rows, 1);
	assert_int_equal(ca_revoke(s->ca, "nobody", 0, NOW), 0);
	assert_int_equal(ca_revoke(s->ca, "pacs.example", 1, NOW), 1);
	assert_int_equal(ca_revoke(s->ca, "pacs.example", 1, NOW), 0);
	assert_int_equal(ca_crl(s->ca, NOW, &crl), 0);
	{
		BIO *in = BIO_new_mem_buf(crl, -1);
		X509_CRL *list = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL);
		X509_REVOKED *revoked;
		X509 *r = first(root);

		assert_int_equal(X509_CRL_verify(list, X509_get0_pubkey(r)), 1);
		assert_int_equal(X509_CRL_get0_by_cert(list, &revoked, x), 1);
		X509_free(r);
		X509_CRL_free(list);
		BIO_free(in);
	}
	free(crl);
	free(root);
	free(pem);
	X509_free(x);
	EVP_PKEY_free(key);
	trust_free(trust);
}

static struct csr csr_of(EVP_PKEY *key, const char *cn, const char *san)
{
	char *pem = request(key, cn, san, EVP_sha256()), error[CERT_ERROR];
	struct csr r;

	assert_int_equal(csr_read(text_bytes(pem), &r, error), 0);
	free(pem);
	return r;
}

static void a_code_is_good_once_and_for_its_names(void **state)
{
	struct stage *s = *state;
	struct ca_order o = order_of(CERT_DEVICE, "pump-1");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct csr right = csr_of(key, "pump-1", "DNS:pump-1"),
		   wrong = csr_of(key, "pump-1", "DNS:pacs"), other = csr_of(key, "pacs", NULL);
	char code[CA_CODE], typed[CA_CODE], name[CERT_NAME + 1], *pem = NULL, *again = NULL;
	uint8_t *der = NULL;
	X509 *x;
	int len;

	assert_int_equal(ca_init(s->ca, "ward 3", 0, NOW), 0);
	assert_int_equal(ca_code(s->ca, &o, 24, NOW, code), 0);
	assert_int_equal(strlen(code), 14);
	for (size_t i = 0; i <= strlen(code); i++)
		typed[i] = code[i] == '-' ? ' ' : (char)(code[i] | (code[i] >= 'A' ? 0x20 : 0));
	assert_int_equal(ca_enrol(s->ca, "AAAA-AAAA-AAAA", &right, NOW, &pem, name), -ENOENT);
	assert_int_equal(ca_enrol(s->ca, "a code that is far too long", &right, NOW, &pem, name),
			 -ENOENT);
	assert_int_equal(ca_enrol(s->ca, code, &wrong, NOW, &pem, name), -EACCES);
	assert_int_equal(ca_enrol(s->ca, code, &other, NOW, &pem, name), -EACCES);
	assert_int_equal(ca_enrol(s->ca, code, &right, NOW + 2 * DAY, &pem, name), -EKEYEXPIRED);
	assert_int_equal(ca_enrol(s->ca, typed, &right, NOW, &pem, name), 0);
	assert_string_equal(name, "pump-1");
	assert_int_equal(ca_enrol(s->ca, code, &right, NOW, &again, name), -EALREADY);

	/* Who has a certificate gets the next one by it. */
	x = first(pem);
	len = i2d_X509(x, &der);
	assert_int_equal(
		ca_renew(s->ca, (struct bytes){der, (size_t)len}, &wrong, NOW + DAY, &again, name),
		-EACCES);
	assert_int_equal(ca_renew(s->ca, (struct bytes){der, (size_t)len}, &right, NOW + 200 * DAY,
				  &again, name),
			 -EKEYEXPIRED);
	assert_int_equal(
		ca_renew(s->ca, (struct bytes){der, (size_t)len}, &right, NOW + DAY, &again, name),
		0);
	free(again);
	assert_int_equal(ca_revoke(s->ca, "pump-1", 0, NOW + DAY), 2);
	assert_int_equal(ca_renew(s->ca, (struct bytes){der, (size_t)len}, &right, NOW + 2 * DAY,
				  &again, name),
			 -EKEYREVOKED);
	der[len - 1] ^= 1; /* not signed by us */
	assert_int_equal(
		ca_renew(s->ca, (struct bytes){der, (size_t)len}, &right, NOW + DAY, &again, name),
		-ENOENT);
	OPENSSL_free(der);
	X509_free(x);
	free(pem);
	csr_free(&right);
	csr_free(&wrong);
	csr_free(&other);
	EVP_PKEY_free(key);
}

static void our_own_is_renewed_at_two_thirds(void **state)
{
	struct stage *s = *state;
	struct ca_order o = order_of(CERT_GATEWAY, "gateway");
	char *a = NULL, *b = NULL, *csr = NULL;
	bool fresh;

	assert_int_equal(ca_init(s->ca, "ward 3", 0, NOW), 0);
	assert_int_equal(ca_own(s->ca, "tls.link", &o, NOW, false, &a, &fresh), 0);
	assert_true(fresh);
	assert_int_equal(ca_own(s->ca, "tls.link", &o, NOW + 59 * DAY, false, &b, &fresh), 0);
	assert_false(fresh);
	assert_string_equal(a, b);
	free(b);
	assert_int_equal(ca_own(s->ca, "tls.link", &o, NOW + 61 * DAY, false, &b, &fresh), 0);
	assert_true(fresh);
	assert_string_not_equal(a, b);
	free(b);
	assert_int_equal(cert_names_add(&o.names, "10.0.0.1"), 0);
	assert_int_equal(ca_own(s->ca, "tls.link", &o, NOW + 62 * DAY, false, &b, &fresh), 0);
	assert_true(fresh); /* another name */

	/* A hospital's own: its key must be ours. */
	assert_int_equal(ca_request(s->ca, "tls.link", &o, &csr), 0);
	assert_non_null(strstr(csr, "CERTIFICATE REQUEST"));
	assert_int_equal(ca_install(s->ca, "tls.console", text_bytes(a), NOW), -EACCES);
	assert_int_equal(ca_install(s->ca, "tls.link", text_bytes("nothing"), NOW), -EBADMSG);
	assert_int_equal(ca_install(s->ca, "tls.link", text_bytes(a), NOW), 0);
	free(b);
	assert_int_equal(ca_own(s->ca, "tls.link", &o, NOW + 80 * DAY, false, &b, &fresh), 0);
	assert_string_equal(a, b);
	free(b);
	assert_int_equal(ca_install(s->ca, "tls.link", (struct bytes){0}, NOW), 0);
	assert_int_equal(ca_own(s->ca, "tls.link", &o, NOW + 80 * DAY, false, &b, &fresh), 0);
	assert_string_not_equal(a, b);
	free(a);
	free(b);
	free(csr);
}

static void alarms_are_told_once_each(void **state)
{
	struct stage *s = *state;
	struct ca_order o = order_of(CERT_DEVICE, "pump-1");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char *pem = NULL;

	o.days = 360;
	assert_int_equal(ca_init(s->ca, "ward 3", 0, NOW), 0);
	assert_int_equal(ca_issue(s->ca, &o, key, NOW, &pem), 0);
	free(pem);
	told = 0;
	for (int day = 0; day < 400; day++)
		assert_int_equal(ca_alarms(s->ca, NOW + day * DAY, tell, NULL), 0);
	assert_int_equal(told, 4);
	assert_int_equal(told_days[0], 90);
	assert_int_equal(told_days[1], 30);
	assert_int_equal(told_days[2], 7);
	assert_int_equal(told_days[3], -1);
	/* Renewed in time: nobody need do anything. */
	o.days = 90;
	snprintf(o.name, sizeof(o.name), "pump-2");
	told = 0;
	for (int day = 0; day < 200; day++) {
		if (day % 60 == 0)
			assert_int_equal(ca_issue(s->ca, &o, key, NOW + day * DAY, &pem), 0);
		if (day % 60 == 0)
			free(pem);
		assert_int_equal(ca_alarms(s->ca, NOW + day * DAY, tell, NULL), 0);
	}
	assert_int_equal(told, 0);
	EVP_PKEY_free(key);
}

static void nothing_leaves_that_is_not_written_down(void **state)
{
	struct stage *s = *state;
	struct ca_order o = order_of(CERT_DEVICE, "pump-1");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char path[300], code[CA_CODE] = "", *pem = NULL;
	sqlite3 *sql;

	assert_int_equal(ca_init(s->ca, "ward 3", 0, NOW), 0);
	snprintf(path, sizeof(path), "%s/pki.db", s->place->folder);
	assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(sql, "DROP TABLE code; DROP TABLE certificate", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(sql);
	assert_true(ca_code(s->ca, &o, 24, NOW, code) < 0);
	assert_string_equal(code, "");
	assert_true(ca_issue(s->ca, &o, key, NOW, &pem) < 0);
	assert_null(pem);
	assert_true(ca_revoke(s->ca, "pump-1", 0, NOW) < 0);
	EVP_PKEY_free(key);
}

/* One that a hospital's authority made is renewed by nobody but people. */
static void an_installed_one_is_watched(void **state)
{
	struct stage *s = *state;
	struct ca_order o = order_of(CERT_GATEWAY, "gateway");
	char *a = NULL, *b = NULL;
	bool fresh;

	assert_int_equal(ca_init(s->ca, "ward 3", 0, NOW), 0);
	o.days = 360;
	assert_int_equal(ca_own(s->ca, "tls.link", &o, NOW, false, &a, &fresh), 0);
	assert_int_equal(ca_install(s->ca, "tls.link", text_bytes(a), NOW), 0);
	told = 0;
	for (int day = 0; day < 400; day++) {
		/* Asked for, as it is each hour: what is installed is shown, and ours is not renewed. */
		assert_int_equal(ca_own(s->ca, "tls.link", &o, NOW + day * DAY, false, &b, &fresh),
				 0);
		assert_string_equal(a, b);
		free(b);
		told_installed = true;
		assert_int_equal(ca_alarms(s->ca, NOW + day * DAY, tell, NULL), 0);
		assert_true(told_installed);
	}
	assert_int_equal(told, 4);
	assert_int_equal(told_days[0], 90);
	assert_int_equal(told_days[1], 30);
	assert_int_equal(told_days[2], 7);
	assert_int_equal(told_days[3], -1);
	/* The next one is watched from the beginning; taken back, ours is. */
	assert_int_equal(ca_install(s->ca, "tls.link", text_bytes(a), NOW), 0);
	assert_int_equal(ca_alarms(s->ca, NOW + 355 * DAY, tell, NULL), 0);
	assert_int_equal(told, 5);
	assert_int_equal(told_days[4], 7);
	assert_int_equal(ca_install(s->ca, "tls.link", (struct bytes){0}, NOW), 0);
	assert_int_equal(ca_alarms(s->ca, NOW + 355 * DAY, tell, NULL), 0);
	assert_int_equal(told, 6);
	assert_false(told_installed);
	/* What is over takes nothing's place, and what is in force stays. */
	assert_int_equal(ca_install(s->ca, "tls.link", text_bytes(a), NOW + 361 * DAY),
			 -EKEYEXPIRED);
	free(a);
	/* Who installs a short one is told at once; ours of that length renews itself. */
	o.days = 20;
	told = 0;
	assert_int_equal(ca_own(s->ca, "tls.link", &o, NOW, true, &a, &fresh), 0);
	assert_int_equal(ca_alarms(s->ca, NOW, tell, NULL), 0);
	assert_int_equal(told, 0);
	assert_int_equal(ca_install(s->ca, "tls.link", text_bytes(a), NOW), 0);
	assert_int_equal(ca_alarms(s->ca, NOW, tell, NULL), 0);
	assert_int_equal(told, 1);
	assert_int_equal(told_days[0], 30);
	free(a);
}

/* Nobody renews it but people; what it issued before stays good. */
static void the_authority_itself_is_watched(void **state)
{
	struct stage *s = *state;
	struct ca_order o = order_of(CERT_DEVICE, "pump-1");
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char *root = NULL, *again = NULL, *pem = NULL, *late = NULL;
	X509 *x, *y;

	assert_int_equal(ca_init(s->ca, "ward 3", 300, NOW), 0);
	assert_int_equal(ca_root(s->ca, &root), 0);
	assert_int_equal(ca_issue(s->ca, &o, key, NOW + 200 * DAY, &pem), 0);
	told = 0;
	for (int day = 0; day < 190; day++)
		assert_int_equal(ca_alarms(s->ca, NOW + day * DAY, tell, NULL), 0);
	assert_int_equal(told, 0);
	assert_int_equal(ca_init(s->ca, "ward 3", 0, NOW + 190 * DAY), -EEXIST);
	told_authority = 0;
	for (int day = 190; day < 320; day++)
		assert_int_equal(ca_alarms(s->ca, NOW + day * DAY, tell, NULL), 0);
	assert_int_equal(told_authority, 4); /* 90, 30, 7, over; and the device's in between */
	assert_int_equal(ca_issue(s->ca, &o, key, NOW + 320 * DAY, &late), -EKEYEXPIRED);
	/* Anew: another certificate, of the name and the key it had. */
	assert_int_equal(ca_init(s->ca, "whatever", 300, NOW + 320 * DAY), 0);
	assert_int_equal(ca_root(s->ca, &again), 0);
	assert_string_not_equal(root, again);
	x = first(root);
	y = first(again);
	assert_int_equal(X509_NAME_cmp(X509_get_subject_name(x), X509_get_subject_name(y)), 0);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x), X509_get0_pubkey(y)), 1);
	X509_free(x);
	x = first(pem);
	assert_int_equal(X509_verify(x, X509_get0_pubkey(y)), 1);
	X509_free(x);
	X509_free(y);
	assert_int_equal(ca_issue(s->ca, &o, key, NOW + 320 * DAY, &late), 0);
	free(late);
	/* And it is watched from the beginning. */
	told_authority = 0;
	for (int day = 320; day < 620; day++)
		assert_int_equal(ca_alarms(s->ca, NOW + day * DAY, tell, NULL), 0);
	assert_int_equal(told_authority, 3);
	free(root);
	free(again);
	free(pem);
	EVP_PKEY_free(key);
}

static void pins_are_read_in_both_forms(void **state)
{
	uint8_t a[CRYPTO_HASH], b[CRYPTO_HASH];

	assert_true(pin_parse("sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", a));
	assert_true(
		pin_parse("00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:14:15:16:17:"
			  "18:19:1a:1b:1c:1d:1e:1f",
			  b));
	assert_memory_equal(a, b, sizeof(a));
	assert_false(pin_parse("sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh==", a));
	assert_false(pin_parse("sha256/AAECAwQ=", a));
	assert_false(pin_parse("0001", a));
	assert_false(pin_parse("", a));
}

int main(void)
{
#define STAGED(t) cmocka_unit_test_setup_teardown(t, open_stage, close_stage)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_believed_in_nothing),
		cmocka_unit_test(names_are_hosts_and_addresses),
		cmocka_unit_test(pins_are_read_in_both_forms),
		STAGED(an_authority_issues_and_revokes),
		STAGED(a_code_is_good_once_and_for_its_names),
		STAGED(our_own_is_renewed_at_two_thirds),
		STAGED(alarms_are_told_once_each),
		STAGED(nothing_leaves_that_is_not_written_down),
		STAGED(an_installed_one_is_watched),
		STAGED(the_authority_itself_is_watched),
	};

	return cmocka_run_group_tests_name("pki", tests, NULL, NULL);
}
