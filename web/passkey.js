// Passkeys: the browser's bytes as the API's base64url, and back.

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

export const possible = () => typeof PublicKeyCredential === "function";

function credentials(list) {
	return (list || []).map((c) => ({ ...c, id: bytes(c.id) }));
}

export async function get(options) {
	const publicKey = { ...options, challenge: bytes(options.challenge), allowCredentials: credentials(options.allowCredentials) };
	const c = await navigator.credentials.get({ publicKey });
	const r = c.response;
	return {
		id: c.id, type: c.type,
		response: {
			clientDataJSON: text(r.clientDataJSON), authenticatorData: text(r.authenticatorData),
			signature: text(r.signature), userHandle: r.userHandle ? text(r.userHandle) : undefined,
		},
	};
}

export async function create(options) {
	const publicKey = {
		...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) },
		excludeCredentials: credentials(options.excludeCredentials),
	};
	const c = await navigator.credentials.create({ publicKey });
	return {
		id: c.id, type: c.type,
		response: { clientDataJSON: text(c.response.clientDataJSON), attestationObject: text(c.response.attestationObject) },
	};
}

// What a browser says when it comes to nothing, for people.
export function why(error) {
	switch (error.name) {
	case "NotAllowedError": return "The passkey was not used: it was cancelled, or took too long.";
	case "InvalidStateError": return "This authenticator is enrolled already.";
	case "SecurityError": return "Passkeys need the gateway's name, and a certificate that this browser trusts.";
	case "NotSupportedError": return "This authenticator cannot do what is needed.";
	default: return error.message || "The passkey could not be used.";
	}
}
