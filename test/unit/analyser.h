#ifndef BEDWARDEN_TEST_ANALYSER_H
#define BEDWARDEN_TEST_ANALYSER_H
/* One device and whom it calls, up to what it starts: the segment's mode and the device's fail mode are to
 * be filled in. */
#define DEVICE 0x0a090101 /* 10.9.1.1 */
#define SERVER 0x0a090005 /* 10.9.0.5 */
#define SITE_ANALYSER                                             \
	"segments:\n"                                             \
	"  - {name: icu, ward: eth1, hospital: eth0, mode: %s}\n" \
	"hosts:\n"                                                \
	"  - {name: lis, ip: [10.9.0.5], role: [lis]}\n"          \
	"devices:\n"                                              \
	"  - name: analyser\n"                                    \
	"    segment: icu\n"                                      \
	"    mac: '02:00:00:00:00:01'\n"                          \
	"    ip: [10.9.1.1]\n"                                    \
	"    fail: %s\n"                                          \
	"    starts:\n"

#endif
