// The API: one function a request, and what every answer may ask for first.

let csrf = "";
let askFresh = null; // a function that has the person use a factor again

export class Problem extends Error {
	constructor(problem) {
		super(problem.title || "Something went wrong");
		Object.assign(this, { more: problem, type: problem.type || "", detail: problem.detail || "", status: problem.status || 0 });
	}
}

export function setCsrf(value) {
	if (value) csrf = value;
}

export function onFresh(ask) {
	askFresh = ask;
}

async function once(call, args, get) {
	const path = "/api/" + call.replaceAll(".", "/");
	const options = { credentials: "same-origin", cache: "no-store", redirect: "error" };
	let url = path;
	if (get) {
		const query = new URLSearchParams(Object.entries(args).filter(([, v]) => v !== "" && v !== undefined));
		if (query.size ?? [...query].length) url += "?" + query;
	} else {
		options.method = "POST";
		options.headers = { "Content-Type": "application/json" };
		if (csrf) options.headers["X-CSRF-Token"] = csrf;
		options.body = JSON.stringify(args);
	}
	let response;
	try {
		response = await fetch(url, options);
	} catch {
		throw new Problem({ type: "page.offline", title: "The gateway does not answer", detail: "See whether this machine still reaches it, and try again." });
	}
	let body = {};
	try {
		body = await response.json();
	} catch { /* the status says enough */ }
	if (!response.ok) throw new Problem({ status: response.status, ...body });
	setCsrf(body.csrf);
	return body;
}

export const look = (call, args = {}) => once(call, args, true);

// What changes something may need a fresh factor first.
export async function change(call, args = {}) {
	try {
		return await once(call, args, false);
	} catch (problem) {
		if (problem.type !== "auth.step_up_needed" || !askFresh) throw problem;
		await askFresh();
		return once(call, args, false);
	}
}
