#ifndef BEDWARDEN_DEMO_MAKER_H
#define BEDWARDEN_DEMO_MAKER_H
/*
 * Whoever makes the pumps and publishes for them: images, bundles that RAUC installs, signed by the
 * maker's own key, and a TUF repository with both, made by `bedwarden repo` as any publisher would.
 * Where RAUC cannot be had, or may mount nothing, a firmware is a tar archive for two folders.
 */
#include "demo/folder.h"

#define MAKER_VENDOR "Demo Infusion"
#define MAKER_MODEL  "Volumat"
#define MAKER_FIRST  "1.0" /* what the pumps come with */
#define MAKER_PORT   80	   /* where the repository is served */
#define MAKER_IMAGE  (256u << 10)

struct maker {
	char dir[FOLDER_MAX]; /* R the repository; the rest beside it */
	bool rauc;
	char why[96]; /* why not */
};

/* Keys, and a repository with the first release. The folder is made. 0 or -errno. */
int maker_open(struct maker *ret_m, const char *dir);
/* The file system of a release: its version, whether it will be well, and much else. malloc()ed. */
struct bytes maker_image(const char *version, bool well);
/* Made, signed, published. 0 or -errno. */
int maker_release(const struct maker *m, const char *version, bool well);
/* What was published of it, as a file; good for a few calls. */
const char *maker_file(const struct maker *m, const char *version);
/* Any other file of the maker's folder, published as a target with these words about it (JSON). */
int maker_publish(const struct maker *m, const char *file, const char *name, const char *custom);
/* A release of the gateway: this program and its profiles. */
int maker_gateway(const struct maker *m, const char *version);
/* All of it onto a stick. */
int maker_stick(const struct maker *m, const char *path);
/* The repository for whoever asks by HTTP at MAKER_PORT. */
int maker_serve(void *maker);
/* `openssl`, with these words behind it. 0 or -EIO. */
int maker_openssl(const char *dir, const char *const *words);

#endif
