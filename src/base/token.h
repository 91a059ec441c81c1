#ifndef BEDWARDEN_BASE_TOKEN_H
#define BEDWARDEN_BASE_TOKEN_H
/*
 * A PKCS#11 token, found by its URI (RFC 7512) and logged in to: the token by its attributes, the
 * module by module-path or else whichever that p11-kit knows, the PIN by pin-value or pin-source
 * or else somebody is asked.
 */
#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	TOKEN_PIN = 1024, /* bytes, with its zero */
	TOKEN_ERROR = 256,
};

struct token;

/* Puts the PIN into memory that is the asker's caller's to wipe. 0 or -errno. NULL: nobody. */
typedef int (*token_ask)(void *arg, char ret_pin[TOKEN_PIN]);

/*
 * 0; -EINVAL it is no URI; -ENODEV no such module or token; -EKEYREJECTED the PIN; -EIO; or what
 * `ask` gave. ret_error says it for a person.
 */
int token_open(const char *uri, token_ask ask, void *arg, struct token **ret_token,
	       char ret_error[TOKEN_ERROR]);
void token_close(struct token *t);
CK_FUNCTION_LIST *token_module(const struct token *t);
CK_SESSION_HANDLE token_session(const struct token *t);
/* The URI's `object`, or `otherwise`; borrowed. */
CK_ATTRIBUTE token_label(const struct token *t, const char *otherwise);
/* The first object that has all these. 0; -ENOENT; -EIO. */
int token_find(struct token *t, CK_ATTRIBUTE *want, CK_ULONG count, CK_OBJECT_HANDLE *ret_object,
	       char ret_error[TOKEN_ERROR]);
/* "PKCS#11 token, DOING: …"; -EKEYREJECTED for a wrong PIN, else -EIO. */
int token_fail(char ret_error[TOKEN_ERROR], const char *doing, CK_RV rv);

#endif
