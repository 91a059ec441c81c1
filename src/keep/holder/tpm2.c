/*
 * A TPM 2.0, by ESAPI (tpm2-tss): the root key is sealed under a primary key
 * that the TPM derives anew from its own seed, so that only this TPM unseals it.
 * Its place is a TCTI configuration (tss2-tctildr(7)), "" the machine's TPM.
 *
 * No PCR is named: a gateway that updates its kernel by itself must come up
 * again. What stays is that a stolen disk alone opens nothing. The root key
 * crosses the bus under a salted session.
 *
 * The blob: TPM2B_PUBLIC and TPM2B_PRIVATE as the TPM marshals them.
 */
#include <errno.h>
#include <stdlib.h>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include "base/secret.h"
#include "keep/holder.h"

struct tpm {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR primary, session;
	char *error;
};

static int fail(struct tpm *t, int err, const char *doing, TSS2_RC rc)
{
	return holder_fail(t->error, err, "TPM, %s: %s", doing, Tss2_RC_Decode(rc));
}

/* TCG TPM v2.0 Provisioning Guidance §7.5.1: the storage key on P-256. */
static const TPM2B_PUBLIC storage = {
	.publicArea =
		{
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT |
					    TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					    TPMA_OBJECT_SENSITIVEDATAORIGIN |
					    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
			.parameters.eccDetail =
				{
					.symmetric = {.algorithm = TPM2_ALG_AES,
						      .keyBits.aes = 128,
						      .mode.aes = TPM2_ALG_CFB},
					.scheme.scheme = TPM2_ALG_NULL,
					.curveID = TPM2_ECC_NIST_P256,
					.kdf.scheme = TPM2_ALG_NULL,
				},
		},
};

static const TPM2B_PUBLIC sealed = {
	.publicArea =
		{
			.type = TPM2_ALG_KEYEDHASH,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
					    TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
			.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
		},
};

static void hang_up(struct tpm *t)
{
	if (t->session != ESYS_TR_NONE)
		Esys_FlushContext(t->esys, t->session);
	if (t->primary != ESYS_TR_NONE)
		Esys_FlushContext(t->esys, t->primary);
	Esys_Finalize(&t->esys);
	Tss2_TctiLdr_Finalize(&t->tcti);
}

static int make_primary(struct tpm *t)
{
	TPM2B_SENSITIVE_CREATE none = {0};
	TPM2B_DATA outside = {0};
	TPML_PCR_SELECTION pcrs = {0};
	TSS2_RC rc = Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					ESYS_TR_NONE, &none, &storage, &outside, &pcrs, &t->primary,
					NULL, NULL, NULL, NULL);

	return rc == TSS2_RC_SUCCESS ? 0 : fail(t, -EIO, "making its storage key", rc);
}

/* Both ways encrypted with a salt that only the storage key opens. */
static int start_session(struct tpm *t)
{
	TPMT_SYM_DEF aes = {
		.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
	TSS2_RC rc = Esys_StartAuthSession(t->esys, t->primary, ESYS_TR_NONE, ESYS_TR_NONE,
					   ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_HMAC, &aes,
					   TPM2_ALG_SHA256, &t->session);

	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_TRSess_SetAttributes(t->esys, t->session,
					       TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT,
					       TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT);
	return rc == TSS2_RC_SUCCESS ? 0 : fail(t, -EIO, "starting a session", rc);
}

static int call(struct tpm *t, const char *place, char *error)
{
	TSS2_RC rc;
	int err = 0;

	*t = (struct tpm){.primary = ESYS_TR_NONE, .session = ESYS_TR_NONE, .error = error};
	setenv("TSS2_LOG", "all+none", 0); /* what fails is said by us, once */
	rc = Tss2_TctiLdr_Initialize(*place ? place : NULL, &t->tcti);
	if (rc != TSS2_RC_SUCCESS)
		return holder_fail(error, -ENODEV, "no TPM answers at '%s': %s",
				   *place ? place : "the machine's", Tss2_RC_Decode(rc));
	rc = Esys_Initialize(&t->esys, t->tcti, NULL);
	if (rc != TSS2_RC_SUCCESS)
		err = fail(t, -EIO, "speaking to it", rc);
	if (err == 0)
		err = make_primary(t);
	if (err == 0)
		err = start_session(t);
	if (err < 0)
		hang_up(t);
	return err;
}

static int write_sealed(const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private,
			struct writer *blob)
{
	uint8_t buf[sizeof(*public) + sizeof(*private)];
	size_t len = 0;

	if (Tss2_MU_TPM2B_PUBLIC_Marshal(public, buf, sizeof(buf), &len) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_PRIVATE_Marshal(private, buf, sizeof(buf), &len) != TSS2_RC_SUCCESS)
		return -EIO;
	write_bytes(blob, buf, len);
	return 0;
}

static int wrap(const struct holder_ask *ask, const uint8_t root[CRYPTO_KEY],
		struct writer *ret_blob, char *error)
{
	TPM2B_SENSITIVE_CREATE *sensitive = secret_new(sizeof(*sensitive));
	TPM2B_DATA outside = {0};
	TPML_PCR_SELECTION pcrs = {0};
	TPM2B_PRIVATE *private = NULL;
	TPM2B_PUBLIC *public = NULL;
	struct tpm t;
	TSS2_RC rc;
	int err = sensitive ? call(&t, ask->place, error) : -ENOMEM;

	if (err < 0) {
		secret_free(sensitive, sizeof(*sensitive));
		return err;
	}
	sensitive->sensitive.data.size = CRYPTO_KEY;
	memcpy(sensitive->sensitive.data.buffer, root, CRYPTO_KEY);
	rc = Esys_Create(t.esys, t.primary, t.session, ESYS_TR_NONE, ESYS_TR_NONE, sensitive,
			 &sealed, &outside, &pcrs, &private, &public, NULL, NULL, NULL);
	secret_free(sensitive, sizeof(*sensitive));
	err = rc == TSS2_RC_SUCCESS ? write_sealed(public, private, ret_blob)
				    : fail(&t, -EIO, "sealing the root key", rc);
	Esys_Free(private);
	Esys_Free(public);
	hang_up(&t);
	return err;
}

static int unseal(struct tpm *t, ESYS_TR object, uint8_t ret_root[CRYPTO_KEY])
{
	TPM2B_SENSITIVE_DATA *data = NULL;
	TSS2_RC rc = Esys_Unseal(t->esys, object, t->session, ESYS_TR_NONE, ESYS_TR_NONE, &data);
	int err = 0;

	if (rc != TSS2_RC_SUCCESS)
		return fail(t, -EIO, "unsealing the root key", rc);
	if (data->size == CRYPTO_KEY)
		memcpy(ret_root, data->buffer, CRYPTO_KEY);
	else
		err = holder_fail(t->error, -EBADMSG, "what the TPM unsealed is no key of ours");
	secret_wipe(data, sizeof(*data));
	Esys_Free(data);
	return err;
}

static int unwrap(const struct holder_ask *ask, struct bytes blob, uint8_t ret_root[CRYPTO_KEY],
		  char *error)
{
	TPM2B_PUBLIC public = {0};
	TPM2B_PRIVATE private = {0};
	ESYS_TR object = ESYS_TR_NONE;
	size_t at = 0;
	struct tpm t;
	TSS2_RC rc;
	int err;

	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(blob.data, blob.len, &at, &public) != TSS2_RC_SUCCESS ||
	    Tss2_MU_TPM2B_PRIVATE_Unmarshal(blob.data, blob.len, &at, &private) !=
		    TSS2_RC_SUCCESS ||
	    at != blob.len)
		return holder_fail(error, -EBADMSG, "what the TPM should unseal is no such thing");
	err = call(&t, ask->place, error);
	if (err < 0)
		return err;
	rc = Esys_Load(t.esys, t.primary, t.session, ESYS_TR_NONE, ESYS_TR_NONE, &private, &public,
		       &object);
	if (rc == TSS2_RC_SUCCESS)
		err = unseal(&t, object, ret_root);
	else
		err = holder_fail(error, -EKEYREJECTED,
				  "another TPM than the one that sealed it, or one that was "
				  "cleared: %s",
				  Tss2_RC_Decode(rc));
	if (object != ESYS_TR_NONE)
		Esys_FlushContext(t.esys, object);
	hang_up(&t);
	return err;
}

const struct holder holder_tpm2 = {
	.name = "tpm2",
	.what = "this machine's TPM",
	.place = "a TCTI, such as device:/dev/tpmrm0; the machine's TPM without one",
	.wrap = wrap,
	.unwrap = unwrap,
};
