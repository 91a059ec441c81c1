#ifndef BEDWARDEN_CLI_LEARN_H
#define BEDWARDEN_CLI_LEARN_H
/*
 * `bedwarden policy learn`: from what was seen, a policy file for a person to
 * read. Nothing is put in force by it, and devices come in mode `simulate`.
 */
#define LEARN_WARDS 16

struct learn_options {
	const char *config;	/* the policy there is; NULL the default one, where it is there */
	const char *pcap, *eve; /* where from; neither: the running gateway */
	const char *socket;	/* the gateway's; NULL as the policy says */
	const char *out;	/* NULL: standard output */
	const char *ward[LEARN_WARDS]; /* networks the devices are in */
	unsigned ward_count;
};

/* An exit code; has said on stderr what is wrong. */
int learn(const struct learn_options *o);

#endif
