#ifndef BEDWARDEN_ROLE_COURIER_H
#define BEDWARDEN_ROLE_COURIER_H
/*
 * The courier: takes codes for telephones from the keeper, who must not touch the network,
 * to a site's SMS gateway; so the console, which the network talks to, never sees one.
 * There is one only where codes by SMS are offered. No files, no keys; it starts
 * connections and accepts none.
 *
 *   bedwarden _courier
 *
 * fd 3 is its end of the parent's pair; IPC_COURIER brings the keeper's. An IPC_SMS
 * from there is a URL to be fetched, answered by the same with the HTTP status, a u32, 0 where
 * nobody answered. One after the other; each has COURIER_MS.
 */
#define COURIER_MS 8000

int courier_main(int argc, char **argv);

#endif
