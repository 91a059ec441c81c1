#ifndef BEDWARDEN_BASE_CONFIG_H
#define BEDWARDEN_BASE_CONFIG_H
/*
 * The one policy file of a site, and the profiles it names, as read from YAML
 * by a declared schema (libcyaml). Every option is named once, in config.c's
 * schema: file, command line, console and manual read it there.
 *
 * A loaded config is plain data, checked as a whole: names resolve, addresses
 * parse, nothing is listed twice, every limit is in its range. What a policy
 * *means* is guard/policy's business.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/terms.h"

struct config_gateway {
	char *name;
	char *state_dir;     /* database, keys */
	char *run_dir;	     /* control socket */
	char *bpf_dir;	     /* where program and maps are pinned, on a bpffs */
	char *profiles_dir;  /* searched for profiles first; "" none */
	char *capture;	     /* "auto", "xdp" or "packet" */
	uint32_t workers;    /* guards; 0: one per receive queue */
	uint32_t flows;	     /* most conversations at once, per guard */
	uint32_t fragments;  /* most packets under reassembly, per guard */
	uint32_t streams_mb; /* most held of TCP conversations, per guard */
	uint32_t vitals;     /* most waves of monitors watched, per guard */
	uint32_t stale_ms;   /* a guard silent for this long counts as gone */
	char *eve_file;	     /* "" for none; relative to state_dir */
	uint32_t eve_rotate_mb;
	uint32_t eve_keep;
	bool eve_open;	       /* is what could name a patient readable in there? */
	uint32_t store_events; /* most single events kept in the database */
	bool bypass;	       /* does the kernel let pass what guards can read no further? */
	bool evidence;	       /* are the packets around what was found kept? */
	uint32_t evidence_mb;
	uint32_t evidence_days;
	uint32_t archive_mb; /* most on its way into the vault */
	char *crypto;	     /* "any" or "fips" */
	char *key_holder;    /* "passphrase", "tpm2", "pkcs11", "credential" or "file" */
	char *key_place;     /* where it is; "" its default */
};

struct config_console {
	bool on;
	char **listen; /* "10.0.0.1:8443", "[fd00::1]:8443"; none: the machine itself, port 8443 */
	unsigned listen_count;
	char **names; /* that people open it by, "gateway.clinic.example"; the first is the passkeys' */
	unsigned names_count;
	char *client_ca; /* file of those who vouch for workstations; "" none are asked for */
	bool ward;	 /* may it be used from wards, by their ports? */
	uint32_t connections, per_source; /* at once, in all and from one address */
	uint32_t requests;		  /* a second, from one address */
	uint32_t subscribers;		  /* of live events */
};

struct config_pki {
	char **names; /* that the gateway's own certificate is for */
	unsigned names_count;
	char *est;     /* "10.0.0.9:8085" where machines enrol; "" nowhere */
	uint32_t days; /* that a certificate is good for */
};

/* `proxy`: is the PROXY header (version 2) written where it connects, expected where it listens? */
enum config_proxy { CONFIG_PROXY_NONE, CONFIG_PROXY_OUT, CONFIG_PROXY_IN, CONFIG_PROXY_BOTH };

struct config_relay {
	char *name;
	char *listen;  /* "10.0.0.9:2575" */
	char *connect; /* "10.1.0.5:2575", or a host's name and a port */
	bool tls_in;   /* `tls: in`, where it listens; `out`, where it connects */
	bool mutual;   /* `verify: mutual`, both show certificates; `server`: only the server */
	char **names;  /* of the other end, in its certificate; none: any that is trusted */
	unsigned names_count;
	char **pin; /* keys of the other end */
	unsigned pin_count;
	char *ca;	/* file with whom is trusted; "" our own authority */
	bool tls12;	/* TLS 1.2, too */
	uint32_t proxy; /* enum config_proxy */
	char *app;	/* as in config_rule, with allow and control */
	char **allow;
	unsigned allow_count;
	bool control;
	char **from; /* who may connect: addresses, prefixes, names of hosts and devices; none: all */
	unsigned from_count;
	enum gate_fail fail;			    /* what a certificate that ran out does */
	uint32_t connections;			    /* at once */
	uint32_t idle_s;			    /* 0: for ever */
	uint32_t *given_connections, *given_idle_s; /* as the file gives them, or NULL */
};

/* The sealed link to other gateways. */
struct config_link {
	char *listen;		/* "10.9.0.1:4789", UDP; "" nowhere */
	char *ca;		/* file with whom is trusted besides our own authority; "" nobody */
	uint32_t renew_minutes; /* age of keys when they are replaced */
	uint32_t dead_ms;	/* a peer unheard for so long is down */
	uint32_t coalesce_us;	/* the longest sleep to gather frames; 0 none */
};

/* A gateway at the other end of a sealed link. Its number is its place in the list, from 1. */
struct config_peer {
	char *name;
	char *address;	   /* "10.9.0.2:4789"; "" it calls us */
	char *certificate; /* the name its certificate must have; "" its own */
	char *segment;	   /* whose traffic its frames count as; "" the only one */
	char **hosts;	   /* what is behind it */
	unsigned hosts_count;
};

/* How firmware comes to devices (doc/agent.md). */
struct config_rollout {
	uint32_t few, parallel, success; /* devices of the second wave, at a time; percent */
	uint32_t pause_minutes, install_seconds, watch_seconds, patient_seconds;
	char *window; /* "01:00-05:00", local time; "" always */
};

/* Who brings firmware to a device, and how; in the order of update/rollout/rollouts.h. */
enum config_driver { CONFIG_PERSON, CONFIG_AGENT, CONFIG_PUSH };

struct config_update {
	enum config_driver driver;
	char *url, *then; /* push: where the file goes, what is asked for afterwards; "" nothing */
	bool post;	  /* `method: post`, else PUT */
	char *user, *password_file; /* "" none */
	char *ca;		    /* file: whom https is to trust; "" the system's authorities */
	char *host_key;		    /* SFTP: base64 of SHA-256 of the host's key; "" none */
	uint32_t seconds;	    /* for all of it, at most */
	uint32_t *seconds_given;
};

/* Where updates come from, and when they are installed (doc/updates.md). */
struct config_updates {
	char **mirrors; /* URLs with metadata/ and targets/ below, asked in this order; none: no updater */
	unsigned mirrors_count;
	char *root;   /* file: the root that is trusted to begin with */
	char *dir;    /* what was verified, and releases; root's */
	char **roles; /* delegated roles whose targets are followed besides the top-level ones */
	unsigned roles_count;
	uint32_t minutes;	/* between two looks */
	uint32_t kb_per_second; /* most; 0: no limit */
	bool content_waits;	/* `content: approve`, profiles and the like wait for a person */
	bool gateway_waits;	/* `gateway: approve`, releases of the gateway do */
	char **window; /* "02:00-05:00", local time, when the gateway may change releases */
	unsigned window_count;
	uint32_t warn_days;  /* before metadata expires, or since something was fetched */
	char *agents;	     /* "10.1.1.2:8086" where devices' agents call; "" nowhere */
	bool firmware_waits; /* `firmware: approve`, rollouts to devices wait for a person */
	struct config_rollout rollout;
};

struct config_people {
	bool sms;		  /* codes by SMS are offered, through */
	char *sms_url, *sms_from; /* this gateway, as from that number; "" none */
	char **aal3;		  /* roles that must show level 3 */
	unsigned aal3_count;
	char **certificate; /* roles that need one of console.client_ca */
	unsigned certificate_count;
	char *attestation;	  /* file of those who may vouch for authenticators; "" none */
	bool one_factor_anywhere; /* opens a door in an emergency; else only from the ward */
	uint32_t idle_minutes;	  /* 0: the role's own */
	uint32_t overall_hours;	  /* 0: the role's own */
};

/* What the gateway backs up by itself. */
struct config_backup {
	char *to; /* a folder of another disk; "" nothing is */
	uint32_t every_hours;
	uint32_t keep_days; /* each, in the vault */
};

/* Where the audit trail is sent. */
struct config_audit {
	char *server, *name; /* an address, "" nowhere; whom its certificate must be for, "" that */
	uint32_t port;
	char *ca, *cert, *cert_key; /* files; "" none */
};

struct config_segment {
	char *name;
	char *ward;	/* interface towards the devices */
	char *hospital; /* interface towards the rest */
	char **net;	/* its own networks, prefixes */
	unsigned net_count;
	bool isolated;	      /* the ward's switch isolates its ports */
	enum gate_mode mode;  /* default of its devices */
	bool block_strangers; /* `unknown_devices: block`, else `observe` */
	bool block_binding;   /* `binding: block`, else `report` */
};

struct config_host {
	char *name;
	char **ip; /* addresses or prefixes, "10.1.0.5", "10.2.0.0/16", "fd00::/8" */
	unsigned ip_count;
	char *mac; /* or NULL */
	char **role;
	unsigned role_count;
};

struct config_rule {
	char *service; /* for people: "vital signs" */
	char *proto;   /* "tcp", "udp", "icmp", "icmpv6", "igmp", "any" or a number */
	char **port;   /* "24105", "5000-5010"; none: all. ICMP: types */
	unsigned port_count;
	char *peer; /* a role, a host's or device's name, "any", "broadcast", "multicast" */
	enum gate_action action; /* pass, inspect (default), seal, drop */
	char *app;		 /* the protocol that is spoken there, "hl7"; "" any */
	char **allow;		 /* "message_type=ORU^R01": what its messages may say */
	unsigned allow_count;
	bool control; /* may messages change a device? */
};

/* A service port that opens for one person for a while, and for nobody otherwise. */
struct config_service {
	char *name;  /* "telnet" */
	char *proto; /* "tcp" or "udp" */
	char **port; /* none: what the name stands for, see config_service_port() */
	unsigned port_count;
	char **ask; /* roles that may ask */
	unsigned ask_count;
	char **alone; /* and those of them that need nobody's leave */
	unsigned alone_count;
	uint32_t *minutes_given;
	uint32_t minutes; /* most at once */
	bool record;	  /* all packets are kept as evidence */
	bool certificate; /* only for workstations that show one */
	bool break_glass; /* may be opened in an emergency */
};
/* The port that a well-known service has ("telnet": "23"); NULL: none is known. */
const char *config_service_port(const char *name);

struct config_identify {
	char **vendor; /* substrings of the OUI's organisation */
	unsigned vendor_count;
	char **dhcp; /* substrings of DHCP vendor class or host name */
	unsigned dhcp_count;
	char **service; /* "udp/24105": ports it answers on or talks from */
	unsigned service_count;
	char **app; /* nDPI application names */
	unsigned app_count;
};

struct config_profile {
	char *name;  /* the file's name without .yaml */
	char *title; /* "Philips IntelliVue patient monitor" */
	char *kind; /* monitor, pump, imaging, analyser, ecg, sensor, camera, printer, workstation, other */
	enum gate_fail fail;
	bool archive;  /* are its messages and images kept? */
	char **source; /* documents the ports were taken from */
	unsigned source_count;
	struct config_rule *starts; /* what the device may start */
	unsigned starts_count;
	struct config_rule *accepts; /* what may be started towards it */
	unsigned accepts_count;
	struct config_identify *identify; /* or NULL */
	struct config_service *services;
	unsigned services_count;
};

/* A virtual patch: what must not reach or leave devices that have no update yet. */
enum config_direction { CONFIG_BOTH, CONFIG_ACCEPTS, CONFIG_STARTS };

struct config_shield {
	char *advisory; /* "ICSMA-20-170-01" */
	char **device;
	unsigned device_count;
	bool enforce;			 /* `mode`: enforce; else simulate */
	enum config_direction direction; /* whose beginnings: towards the device, its own, both */
	char *proto;
	char **port;
	unsigned port_count;
	char *peer;
	char *app; /* "" any; else only messages of that protocol are denied, */
	char **deny;
	unsigned deny_count; /* and of these only those that one of `deny` fits, */
	bool control;	     /* or that change a device, where this is false */
};

struct config_device {
	char *name;
	char *segment;
	char *mac;
	char **ip; /* none: any address that nobody else owns */
	unsigned ip_count;
	char *profile;				 /* "" none: only its own rules */
	char *vendor, *model, *version, *serial; /* what it is, for advisories; "" not known */
	char *sbom;  /* file of its model's bill of materials; "" none */
	char **peer; /* hosts and devices that roles are narrowed to, see below */
	unsigned peer_count;
	enum gate_mode *mode;	    /* NULL: the segment's */
	enum gate_fail *fail;	    /* NULL: the profile's, or closed without one */
	bool *archive;		    /* NULL: the profile's */
	struct config_rule *starts; /* besides the profile's, and before them */
	unsigned starts_count;
	struct config_rule *accepts;
	unsigned accepts_count;
	struct config_service
		*services; /* before its profile's; one of the same name replaces it */
	unsigned services_count;
	struct config_update *update; /* NULL: the gateway brings it no firmware */
};

struct config {
	struct config_gateway gateway;
	struct config_console console;
	struct config_pki pki;
	struct config_relay *relays;
	unsigned relays_count;
	struct config_link link;
	struct config_peer *peers;
	unsigned peers_count;
	struct config_people people;
	struct config_audit audit;
	struct config_backup backup;
	struct config_updates updates;
	struct config_segment *segments;
	unsigned segments_count;
	struct config_host *hosts;
	unsigned hosts_count;
	struct config_device *devices;
	unsigned devices_count;
	struct config_shield *shields;
	unsigned shields_count;
	struct config_profile *profiles; /* those that devices name, loaded */
	unsigned profiles_count;
};

/* One thing wrong, for a person: where, what, and what was expected. */
struct config_error {
	char file[256];
	unsigned line, column; /* 1-based; 0 where no place fits */
	char text[512];
};

/*
 * Reads FILE and the profiles it names: from gateway.profiles_dir, else a
 * folder `profiles` beside FILE, else those that an update brought (updates.dir), else
 * `../profiles` seen from the program (a release, or a build that was never
 * installed), else the installed ones. On failure NULL,
 * and up to `max_errors` errors in the order of the file. The result is the
 * caller's.
 */
struct config *config_load(const char *file, struct config_error *ret_errors, size_t max_errors,
			   size_t *ret_count);
/* The link in updates.dir/content that leads to what an update brought, static: "current" until
 * somebody says "next", to see whether a policy holds with that. */
void config_content(const char *link);
/* The same for a text in memory; `file` names it in errors and says where profiles may be. */
struct config *config_parse(const char *file, struct bytes text, struct config_error *ret_errors,
			    size_t max_errors, size_t *ret_count);
void config_free(struct config *c);

/*
 * Whether a rule's `app` and `allow` are wrong, which of them (*ret_line: of
 * allow, -1 app) and why (160 bytes), is known to who reads protocols
 * (guard/policy/message.h); set once, at the program's start. Until then they
 * are taken as they are.
 */
typedef bool (*config_words_fn)(const char *app, char *const *allow, unsigned allow_count,
				int *ret_line, char ret_error[160]);
void config_check_words(config_words_fn fn);

/* One profile by its text, for those who look at profiles alone. free with config_profile_free(). */
struct config_profile *config_profile_parse(const char *file, struct bytes text,
					    struct config_error *ret_errors, size_t max_errors,
					    size_t *ret_count);
void config_profile_free(struct config_profile *p);

/*
 * Every profile that a policy in `file` could name, of those that can be read;
 * where two folders have one of a name, the one that config_load() would take.
 * `c` may be NULL. 0 or -ENOMEM; the list is the caller's.
 */
int config_profiles(const struct config *c, const char *file, struct config_profile **ret_list,
		    unsigned *ret_count);
void config_profiles_free(struct config_profile *list, unsigned count);

/* Every option there is, section by section, for the manual. */
struct config_option {
	const char *section; /* "" the file's own keys, "gateway", "segments" …, "rule" */
	const char *section_what;
	const char *key;
	char type[128];	      /* "text", "0 to 128", "list of text", "open|closed" … */
	const char *fallback; /* NULL none */
	bool required;
	const char *what;
};
void config_describe(void (*fn)(void *arg, const struct config_option *option), void *arg);

#endif
