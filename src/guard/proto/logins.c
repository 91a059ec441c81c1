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
