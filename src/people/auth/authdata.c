#include "people/auth/authdata.h"

#include <errno.h>

#include "people/auth/cbor.h"

int authdata_parse(struct bytes data, struct authdata *ret_a)
{
	struct reader r = reader_new(data.data, data.len);
	struct authdata a = {.rp_id_hash = read_bytes(&r, 32).data};
	size_t len;

	a.flags = read_u8(&r);
	a.count = read_be32(&r);
	if (a.flags & AUTHDATA_AT) {
		a.aaguid = read_bytes(&r, AUTHDATA_AAGUID);
		len = read_be16(&r);
		a.id = read_bytes(&r, len);
		if (r.bad || len == 0 || len > AUTHDATA_ID_MAX || !cose_read(&r, &a.key))
			return -EBADMSG;
	}
	if (a.flags & AUTHDATA_ED) {
		a.extensions = cbor_skip(&r);
		if (r.bad || a.extensions.data[0] >> 5 != 5) /* a map, RFC 8949 §3.1 */
			return -EBADMSG;
	}
	if (r.bad || reader_left(&r) != 0)
		return -EBADMSG;
	*ret_a = a;
	return 0;
}
