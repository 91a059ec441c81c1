#include "base/clock.h"
#include "base/json.h"
#include "guard/policy/inventory.h"
#include "guard/proto/database.h"
#include "guard/proto/ftp.h"
#include "guard/proto/http.h"
#include "guard/proto/ldap.h"
#include "guard/proto/mail.h"
#include "guard/proto/mqtt.h"
#include "guard/proto/rfb.h"
#include "guard/proto/sdc.h"
#include "guard/proto/smb.h"
#include "guard/proto/snmp.h"
#include "guard/proto/telnet.h"
#include "guard/proto/tls.h"

#include "frames.h"

#define WARD   0x0a010107u
#define SERVER 0x0a010005u

static struct oui *oui;
static struct inventory *inv;
static struct flow_table *flows;
static unsigned told_new, told_more;

static void note(void *arg, const struct machine *m, bool is_new)
{
	told_new += is_new;
	told_more += !is_new;
}

static const char registry[] = "OUI/MA-L\t\tOrganization\r\n\r\n"
			       "00-09-FB   (hex)\t\tPhilips Patient Monitoring\r\n"
			       "0009FB     (base 16)\t\tPhilips Patient Monitoring\r\n"
			       "\t\t\t\tBoeblingen  DE  71034\r\n"
			       "zz (base 16)\t\tnobody\r\n"
			       "00-11-22   (hex)\t\tMaker\r\n001122     (base 16)\t\tMaker";
static const char registry_28[] = "00-11-22   (hex)\t\tFine Maker\n"
				  "900000-9FFFFF     (base 16)\t\tFine Maker\n";

/* How many assignments there are in it. */
static int add_registry(const char *text)
{
	int n = 0;

	for (size_t len; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		n += oui_add(oui, (struct bytes){(const uint8_t *)text, len});
	}
	oui_sort(oui);
	return n;
}

static void open_inventory(uint32_t machines)
{
	static char *vendor[] = {"Philips Patient"}, *service[] = {"udp/24105"}, *app[] = {"MQTT"};
	static char *dhcp[] = {"fridge"};
	static struct config_identify monitor = {
		.vendor = vendor, .vendor_count = 1, .service = service, .service_count = 1};
	static struct config_identify sensor = {
		.app = app, .app_count = 1, .dhcp = dhcp, .dhcp_count = 1};
	static struct inventory_profile profiles[] = {
		{"philips-intellivue", &monitor}, {"mqtt-sensor", &sensor}, {"other", NULL}};
	struct inventory_options o = {
		.machines = machines, .profiles = profiles, .profile_count = 3, .quiet_ms = 2000};

	oui = oui_new();
	assert_int_equal(add_registry(registry), 2);
	o.oui = oui;
	told_new = told_more = 0;
	inv = inventory_new(&o, note, NULL);
	flows = flow_table_new(64, NULL, NULL, NULL);
	assert_non_null(inv);
}

static int teardown(void **state)
{
	inventory_free(inv);
	oui_free(oui);
	flow_table_free(flows);
	inv = NULL;
	return 0;
}

/* NULL: not known. */
static const struct machine *machine_of(uint32_t segment, const char *mac)
{
	const struct machine *m = NULL;

	inventory_expose(inv, segment, (const uint8_t *)mac, 0, &m);
	return m;
}

/* The frame as from `mac`, through flow table and inventory. */
static const struct machine *see(struct bytes frame, const char *mac, double at_s, const char *app)
{
	struct packet p;
	struct flow *f = NULL;
	uint8_t end = 0;

	memcpy((void *)(frame.data + 6), mac, 6);
	packet_decode(frame, LINK_ETHERNET, (uint64_t)(at_s * 1e9), (uint32_t)frame.len, &p);
	if (p.ip_version)
		f = flow_lookup(flows, &p, 0, &end);
	inventory_see(inv, &p, 0, GATE_WARD, f, end, app);
	free((void *)frame.data);
	return machine_of(0, mac);
}

#define MONITOR "\x00\x09\xfb\1\2\3"
#define OTHER	"\x02\x09\xfb\1\2\3"

static void vendors_are_found_by_the_longest_prefix(void **state)
{
	open_inventory(4);
	assert_string_equal(oui_vendor(oui, (const uint8_t *)MONITOR),
			    "Philips Patient Monitoring");
	assert_string_equal(oui_vendor(oui, (const uint8_t *)OTHER), "");
	assert_string_equal(oui_vendor(oui, (const uint8_t *)"\x00\x11\x22\x91\2\3"), "Maker");
	assert_int_equal(add_registry(registry_28), 1);
	assert_string_equal(oui_vendor(oui, (const uint8_t *)"\x00\x11\x22\x91\2\3"), "Fine Maker");
	assert_string_equal(oui_vendor(oui, (const uint8_t *)"\x00\x11\x22\x81\2\3"), "Maker");
	assert_string_equal(oui_vendor(oui, (const uint8_t *)"\x00\x11\x23\x81\2\3"), "");
}

static void a_monitor_is_recognised_with_reasons(void **state)
{
	char reasons[MACHINE_REASONS][128];
	const struct machine *m;

	open_inventory(4);
	m = see(frame_ipv4_udp(SERVER, 5000, WARD, 24105, "hi", 2), OTHER, 1, NULL);
	assert_int_equal(m->profile, -1);
	m = see(frame_ipv4_udp(WARD, 24105, SERVER, 5000, "hi", 2), MONITOR, 2, NULL);
	assert_int_equal(told_new, 2);
	assert_int_equal(m->profile, 0);
	assert_int_equal(m->ip[0].b[15], 7);
	assert_int_equal(m->peer[0].b[15], 5);
	assert_int_equal(inventory_reasons(inv, m, reasons), 2);
	assert_string_equal(reasons[0], "its network card was made by Philips Patient Monitoring");
	assert_string_equal(reasons[1], "it answers on udp/24105");
}

static void what_dhcp_says_is_kept(void **state)
{
	uint8_t body[400] = {1, 1, 6};
	const struct machine *m;
	struct writer w = writer_new(body, sizeof(body));
	char line[2048];
	struct json j;

	w.len = 28;
	write_bytes(&w, OTHER, 6);
	w.len = 236;
	write_bytes(&w,
		    "\x63\x82\x53\x63\x35\1\1\x0c\x08"
		    "fridge\x01\0\x37\2\1\3\xff",
		    22);
	open_inventory(4);
	m = see(frame_ipv4_udp(0, 68, 0xffffffff, 67, body, w.len), OTHER, 1, NULL);
	assert_string_equal(m->name, "fridge?");
	assert_int_equal(m->ip_count, 0);
	assert_int_equal(m->dhcp_params_len, 2);
	assert_int_equal(m->profile, 1);
	j = json_new(line, sizeof(line));
	json_open(&j, NULL);
	inventory_write(inv, m, "icu", &j);
	json_close(&j);
	line[j.out.len] = 0;
	assert_string_equal(line,
			    "{\"inventory\":{\"mac\":\"02:09:fb:01:02:03\",\"segment\":\"icu\","
			    "\"name\":\"fridge?\",\"name_from\":\"dhcp\","
			    "\"profile\":\"mqtt-sensor\","
			    "\"profile_reasons\":[\"its name is fridge?\"],\"ips\":[],"
			    "\"peers\":[],\"services\":[\"udp/68\"],\"apps\":[]}}");
}

static const char *written(const struct machine *m)
{
	static char line[2048];
	struct json j = json_new(line, sizeof(line) - 1);

	json_open(&j, NULL);
	inventory_write(inv, m, NULL, &j);
	json_close(&j);
	line[j.out.len] = 0;
	return line;
}

/* A packet that was refused has no flow, and is somebody's attempt all the same. */
static void see_refused(struct bytes frame, const char *mac, double at_s)
{
	struct packet p;

	memcpy((void *)(frame.data + 6), mac, 6);
	packet_decode(frame, LINK_ETHERNET, (uint64_t)(at_s * 1e9), (uint32_t)frame.len, &p);
	inventory_see(inv, &p, 0, GATE_WARD, NULL, 0, NULL);
	free((void *)frame.data);
}

static void a_refused_stranger_is_recognised(void **state)
{
	struct frame_tcp telnet = {.src = 4000, .dst = 23, .flags = TCP_SYN};
	struct frame_tcp data = {.src = 4001, .dst = 25, .flags = TCP_ACK};
	const struct machine *m;

	open_inventory(4);
	see_refused(frame_ipv4_udp(WARD, 24105, SERVER, 5000, "hi", 2), MONITOR, 1);
	see_refused(frame_ipv4_tcp(WARD, SERVER + 1, &telnet, 0), MONITOR, 2);
	see_refused(frame_ipv4_tcp(WARD, SERVER, &data, 0), MONITOR, 3);
	m = machine_of(0, MONITOR);
	assert_string_equal(written(m),
			    "{\"inventory\":{\"mac\":\"00:09:fb:01:02:03\","
			    "\"vendor\":\"Philips Patient Monitoring\","
			    "\"profile\":\"philips-intellivue\",\"profile_reasons\":["
			    "\"its network card was made by Philips Patient Monitoring\","
			    "\"it answers on udp/24105\"],\"ips\":[\"10.1.1.7\"],"
			    "\"peers\":[\"10.1.0.5\",\"10.1.0.6\"],"
			    "\"services\":[\"udp/24105\"],\"apps\":[]}}");
}

static void mdns_kinds_are_services(void **state)
{
	static const char said[] = "\0\0\x84\0\0\0\0\1\0\0\0\0"
				   "\4_ipp\4_tcp\5local\0\0\x0c\0\1\0\0\0\x78\0\6\3Lab\xc0\x0c";
	const struct machine *m;

	open_inventory(4);
	for (int i = 0; i < 2; i++)
		m = see(frame_ipv4_udp(WARD, 5353, 0xe00000fb, 5353, said, sizeof(said) - 1), OTHER,
			i, NULL);
	assert_int_equal(m->announced_count, 1);
	assert_int_equal(m->app_count, 0);
	assert_non_null(strstr(written(m), "\"services\":[\"udp/5353\",\"_ipp._tcp\"]"));
}

/* 20 bytes of TCP, then the payload, in a frame that frame_ipv4_tcp() left room in. */
static struct bytes tcp_with(const void *payload, size_t len)
{
	struct frame_tcp t = {.src = 4000, .dst = 443, .seq = 1, .ack = 1, .flags = TCP_ACK};
	struct bytes frame = frame_ipv4_tcp(WARD, SERVER, &t, len);

	memcpy((void *)(frame.data + frame.len - len), payload, len);
	return frame;
}

static void names_asked_for_are_kept(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: files.example\r\n"
				      "User-Agent: probe/1\r\n\r\n";
	uint8_t hello[5 + 0x57] = "\x16\3\1\0\x57\1\0\0\x53\3\3";
	const struct machine *m;

	memcpy(hello + 43, "\0\0\2\x13\1\1\0\0\x28", 9);
	memcpy(hello + 52,
	       "\0\0\0\x10\0\x0e\0\0\x0b"
	       "example.org\0\x10\0\7\0\5\4mqtt\0\x2b\0\5\4\3\4\3\3",
	       40);
	open_inventory(4);
	see(tcp_with(hello, sizeof(hello)), MONITOR, 1, NULL);
	m = see(tcp_with(request, sizeof(request) - 1), MONITOR, 2, NULL);
	assert_string_equal(m->name, "probe/1");
	assert_int_equal(m->asked_count, 2);
	assert_string_equal(m->asked[0], "example.org");
	assert_string_equal(m->asked[1], "files.example");
	assert_int_equal(m->app_count, 1);
	assert_string_equal(m->app[0], "mqtt");
	assert_non_null(strstr(written(m), "\"peer_names\":[\"example.org\",\"files.example\"]"));
}

static void a_new_machine_is_told_of_soon_and_again_while_it_is_there(void **state)
{
	open_inventory(4);
	see(frame_ipv4_udp(WARD, 40000, SERVER, 53, "hi", 2), MONITOR, 10, NULL);
	see(frame_ipv4_udp(WARD, 40001, SERVER + 1, 53, "hi", 2), MONITOR, 10.1, NULL);
	inventory_tick(inv, 11 * NSEC_PER_SEC);
	assert_int_equal(told_more, 1);
	see(frame_ipv4_udp(WARD, 40001, SERVER + 1, 53, "hi", 2), MONITOR, 30, NULL);
	inventory_tick(inv, 50 * NSEC_PER_SEC);
	assert_int_equal(told_more, 1);
	inventory_tick(inv, 52 * NSEC_PER_SEC);
	assert_int_equal(told_more, 2);
	inventory_tick(inv, 200 * NSEC_PER_SEC); /* it was not seen since */
	assert_int_equal(told_more, 2);
	see(frame_ipv4_udp(WARD, 40000, SERVER + 2, 99, "hi", 2), MONITOR, 201, NULL);
	inventory_flush(inv, 201 * NSEC_PER_SEC);
	assert_int_equal(told_more, 3);
}

static void changes_are_told_together(void **state)
{
	open_inventory(4);
	see(frame_ipv4_udp(WARD, 40000, SERVER, 53, "hi", 2), MONITOR, 10, NULL);
	see(frame_ipv4_udp(WARD, 40001, SERVER + 1, 53, "hi", 2), MONITOR, 10.1, NULL);
	see(frame_ipv4_udp(WARD, 40002, SERVER + 2, 53, "hi", 2), MONITOR, 10.2, "mqtt");
	inventory_tick(inv, (uint64_t)(10.12 * 1e9));
	assert_int_equal(told_more, 0);
	inventory_tick(inv, 11 * NSEC_PER_SEC);
	assert_int_equal(told_more, 1);
	inventory_tick(inv, 15 * NSEC_PER_SEC);
	see(frame_ipv4_udp(WARD, 40002, SERVER + 2, 53, "hi", 2), MONITOR, 20, "mqtt");
	inventory_tick(inv, 23 * NSEC_PER_SEC);
	assert_int_equal(told_more, 1);
	assert_int_equal(told_new, 1);
}

static void a_full_inventory_forgets_the_most_silent(void **state)
{
	char mac[6] = "\0\1\2\3";
	unsigned known = 0;

	open_inventory(4);
	for (unsigned i = 0; i < 100; i++) {
		mac[5] = (char)i;
		see(frame_ipv4_udp(WARD + i, 9, SERVER, 9, "x", 1), mac, i, NULL);
		see(frame_ipv4_udp(WARD, 9, SERVER, 9, "x", 1), MONITOR, i, NULL);
	}
	for (unsigned i = 0; i < 100; i++) {
		mac[5] = (char)i;
		known += machine_of(0, mac) != NULL;
	}
	assert_int_equal(known, 3);
	assert_non_null(machine_of(0, MONITOR));
	assert_null(machine_of(1, MONITOR));
	assert_int_equal(told_new, 101);
}

static void weaknesses_are_told_once(void **state)
{
	static const struct http_msg basic = {.auth = {(const uint8_t *)"Basic", 5},
					      .default_login = true};
	static const struct tls_msg old = {
		.type = "server_hello", .version = "TLSv1", .expired = true};
	static const struct tls_msg good = {.type = "server_hello", .version = "TLS 1.2"};
	static const struct http_msg let_in = {.msg.answer = true, .default_login = true};
	static const struct mqtt login = {.has_password = true, .default_login = true};
	static const struct mqtt taken = {.msg.answer = true, .default_login = true};
	static const struct tls_msg early = {
		.type = "server_hello", .version = "TLS 1.2", .early = true};
	static const struct smb_msg offered = {.version = 1};
	static const struct mail_msg fetched = {.default_login = true, .unencrypted = true};
	static const struct mail_msg said = {.login = "password"};
	static const struct ldap_msg entry = {.no_password = true, .unencrypted = true};
	static const struct database_msg trusting = {.no_password = true, .unencrypted = true};
	static const struct http_msg ipp = {
		.content_type = {(const uint8_t *)"application/IPP", 15}};
	static const struct ldap_msg bind = {.login = "password"};
#define SAYS(uri) .action_uri = {(const uint8_t *)(uri), sizeof(uri) - 1 }
	static const struct sdc hello = {
		SAYS("http://schemas.xmlsoap.org/ws/2005/04/discovery/Hello")};
	static const struct sdc camera = {SAYS("http://www.onvif.org/ver10/media/wsdl/GetProfiles"),
					  .method = {(const uint8_t *)"POST", 4}};
	static const struct sdc monitor = {SAYS("http://standards.ieee.org/downloads/11073/"
						"11073-20701-2018/GetService/GetMdibResponse"),
					   .status = 200};
	const struct machine *m, *told = NULL;
	struct tls_msg worn = {.type = "server_hello", .version = "TLS 1.2", .expired = true};
	struct snmp plain = {.version = 3,
			     .pdu_type = "response",
			     .security_level = "authNoPriv",
			     .usm = {(const uint8_t *)"nurse", 5}};
	struct smb_msg file = {.version = 2, .filename = {(const uint8_t *)"a", 1}};
	struct ftp_msg greeting = {.msg.answer = true};
	struct ftp_msg anybody = {.msg.answer = true, .login = "succeeded", .no_password = true};
	struct rfb_msg screen = {.security = 0};
	struct telnet_msg shell = {.no_password = true};
	struct weaknesses w;
	char line[2048];
	struct json j;

	w = weaknesses_of(&http_proto, &basic.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_HTTP | 1u << WEAKNESS_PASSWORD);
	assert_int_equal(w.to, w.by);
	/* Tried is not let in. */
	w = weaknesses_of(&http_proto, &let_in.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_HTTP | 1u << WEAKNESS_DEFAULT_LOGIN);
	assert_int_equal(w.to, 1u << WEAKNESS_HTTP);
	w = weaknesses_of(&mqtt_proto, &login.msg);
	assert_int_equal(w.to, 1u << WEAKNESS_IOT | 1u << WEAKNESS_PASSWORD);
	assert_int_equal(w.by, w.to);
	w = weaknesses_of(&mqtt_proto, &taken.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_IOT | 1u << WEAKNESS_DEFAULT_LOGIN);
	assert_int_equal(w.to, 1u << WEAKNESS_IOT);
	w = weaknesses_of(&tls_proto, &early.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_EARLY);
	assert_int_equal(w.to, 1u << WEAKNESS_PEER_CERTIFICATE);
	w = weaknesses_of(&tls_proto, &old.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_OLD_TLS | 1u << WEAKNESS_EXPIRED);
	assert_int_equal(w.to, 1u << WEAKNESS_OLD_TLS | 1u << WEAKNESS_PEER_CERTIFICATE);
	assert_int_equal(weaknesses_of(&tls_proto, &good.msg).by, 0);
	assert_int_equal(weaknesses_of(&smb_proto, &offered.msg).by, 0);
	/* Whose certificate it is, and who is content with it. */
	w = weaknesses_of(&tls_proto, &worn.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_EXPIRED);
	assert_int_equal(w.to, 1u << WEAKNESS_PEER_CERTIFICATE);
	assert_int_equal(weaknesses_of(&snmp_proto, &plain.msg).by, 1u << WEAKNESS_SNMP3_CLEAR);
	plain.security_level = "authPriv";
	assert_int_equal(weaknesses_of(&snmp_proto, &plain.msg).by, 0);
	worn.type = "client_certificate";
	assert_int_equal(weaknesses_of(&tls_proto, &worn.msg).to, 0);
	w = weaknesses_of(&smb_proto, &file.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_SMB);
	file.encrypted = true;
	assert_int_equal(weaknesses_of(&smb_proto, &file.msg).by, 0);
	assert_int_equal(weaknesses_of(proto_find("modbus"), &file.msg).to, 1u << WEAKNESS_CONTROL);
	w = weaknesses_of(&telnet_proto, &shell.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_TELNET);
	assert_int_equal(w.to, 1u << WEAKNESS_TELNET | 1u << WEAKNESS_NO_PASSWORD);
	/* Behind it TLS may begin. */
	assert_int_equal(weaknesses_of(&ftp_proto, &greeting.msg).by, 0);
	w = weaknesses_of(&ftp_proto, &anybody.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_FTP | 1u << WEAKNESS_NO_PASSWORD);
	assert_int_equal(w.to, 1u << WEAKNESS_FTP);
	assert_int_equal(weaknesses_of(&sdc_proto, &hello.msg).by, 0);
	assert_int_equal(weaknesses_of(&sdc_proto, &camera.msg).by, 1u << WEAKNESS_HTTP);
	assert_int_equal(weaknesses_of(&sdc_proto, &monitor.msg).by, 1u << WEAKNESS_MEDICAL);
	w = weaknesses_of(proto_find("pop3"), &fetched.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_MAIL | 1u << WEAKNESS_DEFAULT_LOGIN);
	assert_int_equal(w.to, 1u << WEAKNESS_MAIL);
	assert_int_equal(weaknesses_of(&imap_proto, &said.msg).to, 1u << WEAKNESS_PASSWORD);
	w = weaknesses_of(&ldap_proto, &entry.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_DIRECTORY | 1u << WEAKNESS_NO_PASSWORD);
	assert_int_equal(w.to, 1u << WEAKNESS_DIRECTORY);
	assert_int_equal(weaknesses_of(&ldap_proto, &bind.msg).by, 1u << WEAKNESS_PASSWORD);
	w = weaknesses_of(&pgsql_proto, &trusting.msg);
	assert_int_equal(w.by, 1u << WEAKNESS_DATABASE | 1u << WEAKNESS_NO_PASSWORD);
	assert_int_equal(w.to, 1u << WEAKNESS_DATABASE);
	assert_int_equal(weaknesses_of(&http_proto, &ipp.msg).to,
			 1u << WEAKNESS_HTTP | 1u << WEAKNESS_PRINT);
	assert_int_equal(weaknesses_of(&rfb_proto, &screen.msg).to, 0);
	screen.security = 2;
	assert_int_equal(weaknesses_of(&rfb_proto, &screen.msg).to, 1u << WEAKNESS_VNC);
	screen.security = 19; /* how, its next message says */
	assert_int_equal(weaknesses_of(&rfb_proto, &screen.msg).to, 0);
	screen.subtype = 257;
	screen.encrypted = true;
	assert_int_equal(weaknesses_of(&rfb_proto, &screen.msg).to, 0);
	screen.subtype = 256;
	screen.encrypted = false;
	assert_int_equal(weaknesses_of(&rfb_proto, &screen.msg).to,
			 1u << WEAKNESS_VNC | 1u << WEAKNESS_PASSWORD);
	assert_int_equal(weaknesses_of_app("nfs"), 1u << WEAKNESS_NFS);
	assert_int_equal(weaknesses_of_app("tls"), 0);
	for (unsigned i = 0; i < WEAKNESS_COUNT; i++)
		assert_true(weakness_name(i) && weakness_reason(i) != REASON_NONE &&
			    strlen(weakness_advice(i)) > 20);

	open_inventory(4);
	assert_int_equal(inventory_expose(inv, 0, (const uint8_t *)MONITOR, 3, &told), 0);
	m = see(frame_ipv4_udp(WARD, 24105, SERVER, 5000, "hi", 2), MONITOR, 2, NULL);
	w.by = 1u << WEAKNESS_TELNET;
	assert_int_equal(inventory_expose(inv, 0, m->mac, w.by, &told), w.by);
	assert_ptr_equal(told, m);
	assert_int_equal(inventory_expose(inv, 0, m->mac, w.by, &told), 0);
	j = json_new(line, sizeof(line) - 1);
	json_open(&j, NULL);
	inventory_write(inv, m, NULL, &j);
	json_close(&j);
	line[j.out.len] = 0;
	assert_non_null(strstr(line, "\"weaknesses\":[\"telnet\"]"));
}

#define DAY	 86400.0
#define NS(days) ((uint64_t)((days)*DAY * 1e9))

/* What a machine stopped doing is listed for a while, and told again when it comes back. */
static void a_weakness_that_was_mended_is_forgotten(void **state)
{
	const weakness_set telnet = 1u << WEAKNESS_TELNET, http = 1u << WEAKNESS_HTTP;
	const struct machine *m, *told;

	open_inventory(4);
	m = see(frame_ipv4_udp(WARD, 24105, SERVER, 5000, "hi", 2), MONITOR, DAY, NULL);
	assert_int_equal(inventory_expose(inv, 0, m->mac, telnet | http, &told), telnet | http);
	see(frame_ipv4_udp(WARD, 24105, SERVER, 5000, "hi", 2), MONITOR, 9 * DAY, NULL);
	inventory_tick(inv, NS(9));
	assert_int_equal(m->weak, telnet | http);
	assert_int_equal(inventory_expose(inv, 0, m->mac, http, &told), 0);
	/* Nothing is known of one that is not there. */
	inventory_tick(inv, NS(30));
	assert_int_equal(m->weak, telnet | http);
	told_more = 0;
	see(frame_ipv4_udp(WARD, 24105, SERVER, 5000, "hi", 2), MONITOR, 31 * DAY, NULL);
	inventory_tick(inv, NS(31));
	assert_int_equal(m->weak, http);
	assert_int_equal(told_more, 1);
	assert_int_equal(inventory_expose(inv, 0, m->mac, telnet, &told), telnet);
	/* A clock that was set back forgets nothing. */
	see(frame_ipv4_udp(WARD, 24105, SERVER, 5000, "hi", 2), MONITOR, 2 * DAY, NULL);
	inventory_tick(inv, NS(2));
	assert_int_equal(m->weak, telnet | http);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(vendors_are_found_by_the_longest_prefix, teardown),
		cmocka_unit_test_teardown(a_monitor_is_recognised_with_reasons, teardown),
		cmocka_unit_test_teardown(what_dhcp_says_is_kept, teardown),
		cmocka_unit_test_teardown(a_refused_stranger_is_recognised, teardown),
		cmocka_unit_test_teardown(mdns_kinds_are_services, teardown),
		cmocka_unit_test_teardown(names_asked_for_are_kept, teardown),
		cmocka_unit_test_teardown(a_new_machine_is_told_of_soon_and_again_while_it_is_there,
					  teardown),
		cmocka_unit_test_teardown(changes_are_told_together, teardown),
		cmocka_unit_test_teardown(a_full_inventory_forgets_the_most_silent, teardown),
		cmocka_unit_test_teardown(weaknesses_are_told_once, teardown),
		cmocka_unit_test_teardown(a_weakness_that_was_mended_is_forgotten, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
