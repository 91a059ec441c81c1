#include "guard/proto/logins.h"

/* What worms for small devices try (published with the source of Mirai), and common practice. */
static const char *const logins[][2] = {
	{"root", ""},
	{"root", "root"},
	{"root", "admin"},
	{"root", "password"},
	{"root", "pass"},
	{"root", "1234"},
	{"root", "12345"},
	{"root", "123456"},
	{"root", "default"},
	{"root", "toor"},
	{"root", "user"},
	{"root", "system"},
	{"root", "xc3511"},
	{"root", "vizxv"},
	{"root", "888888"},
	{"root", "666666"},
	{"root", "54321"},
	{"root", "juantech"},
	{"root", "anko"},
	{"root", "xmhdipc"},
	{"root", "klv123"},
	{"root", "klv1234"},
	{"root", "Zte521"},
	{"root", "hi3518"},
	{"root", "jvbzd"},
	{"root", "7ujMko0vizxv"},
	{"root", "7ujMko0admin"},
	{"root", "ikwb"},
	{"root", "dreambox"},
	{"root", "realtek"},
	{"root", "1111"},
	{"root", "00000000"},
	{"admin", ""},
	{"admin", "admin"},
	{"admin", "password"},
	{"admin", "1234"},
	{"admin", "12345"},
	{"admin", "123456"},
	{"admin", "admin1234"},
	{"admin", "1111"},
	{"admin", "1111111"},
	{"admin", "54321"},
	{"admin", "pass"},
	{"admin", "default"},
	{"admin", "meinsm"},
	{"admin", "smcadmin"},
	{"admin", "4321"},
	{"admin", "7ujMko0admin"},
	{"administrator", ""},
	{"administrator", "administrator"},
	{"administrator", "password"},
	{"administrator", "1234"},
	{"Administrator", "admin"},
	{"admin1", "password"},
	{"user", "user"},
	{"user", "password"},
	{"user", "1234"},
	{"guest", "guest"},
	{"guest", ""},
	{"guest", "12345"},
	{"service", "service"},
	{"support", "support"},
	{"supervisor", "supervisor"},
	{"tech", "tech"},
	{"ubnt", "ubnt"},
	{"pi", "raspberry"},
	{"mother", "fucker"},
	{"666666", "666666"},
	{"888888", "888888"},
	{"operator", "operator"},
	{"default", "default"},
	{"test", "test"},
	{"ftp", "ftp"},
	{"cisco", "cisco"},
	{"manager", "manager"},
	{"biomed", "biomed"},
};

static bool is(struct bytes b, const char *text)
{
	return b.len == strlen(text) && (!b.len || !memcmp(b.data, text, b.len));
}

bool login_is_default(struct bytes user, struct bytes password)
{
	for (unsigned i = 0; i < sizeof(logins) / sizeof(logins[0]); i++)
		if (is(user, logins[i][0]) && is(password, logins[i][1]))
			return true;
	return false;
}

static int value64(uint8_t c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

size_t login_decode(struct bytes base64, uint8_t *ret_plain, size_t max)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (size_t i = 0; i < base64.len && n < max && value64(base64.data[i]) >= 0; i++) {
		bits = bits << 6 | (uint32_t)value64(base64.data[i]);
		have += 6;
		if (have >= 8) {
			have -= 8;
			ret_plain[n++] = (uint8_t)(bits >> have);
		}
	}
	return n;
}

void login_user_set(struct login_user *u, struct bytes name)
{
	u->len = (uint8_t)(name.len < LOGIN_USER ? name.len : LOGIN_USER);
	if (u->len)
		memcpy(u->name, name.data, u->len);
}
