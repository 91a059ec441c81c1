// The page: signing in, enrolling factors, doors, events, sessions. No markup is ever made of text.
import { change, look, onFresh, Problem, setCsrf } from "/api.js";
import * as passkey from "/passkey.js";

const $ = (id) => document.getElementById(id);
const main = $("main");
let me = null;      // session.me; null: nobody
let state = null;   // auth.state
let leave = null;   // what the page that is shown has open

// --- pieces -----------------------------------------------------------------

function el(name, props = {}, ...children) {
	const e = document.createElement(name);
	for (const [key, value] of Object.entries(props)) {
		if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
		else if (key in e && key !== "list") e[key] = value;
		else e.setAttribute(key, value);
	}
	e.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
	return e;
}

let quiet;
function say(text) {
	$("said").textContent = text;
	clearTimeout(quiet);
	quiet = setTimeout(() => { $("said").textContent = ""; }, 6000);
}

function show(title, ...children) {
	const h = el("h1", { tabIndex: -1 }, title);
	main.replaceChildren(h, ...children.flat().filter(Boolean));
	document.title = `${title} · Bedwarden`;
	h.focus({ preventScroll: true });
	return main;
}

const field = (name, title, props = {}, hint = "") => {
	const id = `f-${name}-${Math.random().toString(36).slice(2, 8)}`;
	const control = props.options
		? el("select", { id, name }, props.options.map(([value, text]) => el("option", { value }, text)))
		: el(props.rows ? "textarea" : "input", { id, name, ...props });
	const parts = [el("label", { htmlFor: id }, title), control];
	if (hint) {
		control.setAttribute("aria-describedby", id + "-hint");
		parts.push(el("p", { id: id + "-hint", className: "hint" }, hint));
	}
	return parts;
};

function sentence(problem) {
	if (problem instanceof Problem) return problem.title + (problem.detail ? `. ${problem.detail[0].toUpperCase()}${problem.detail.slice(1)}.` : ".");
	return problem instanceof DOMException ? passkey.why(problem) : String(problem.message || problem);
}

// A form that says by itself what went wrong, and gives its button back.
function form(fields, button, done, props = {}) {
	const wrong = el("p", { className: "wrong", role: "alert" });
	const submit = el("button", { className: props.className || "" }, button);
	const f = el("form", {
		noValidate: false,
		async onsubmit(event) {
			event.preventDefault();
			wrong.textContent = "";
			submit.disabled = true;
			try {
				await done(Object.fromEntries(new FormData(f)), f);
			} catch (problem) {
				if (lost(problem)) return;
				wrong.textContent = sentence(problem);
				f.querySelector("input, select, textarea, button")?.focus();
			} finally {
				submit.disabled = false;
			}
		},
	}, fields, wrong, el("div", { className: "row" }, submit, props.beside));
	return f;
}

function act(text, done, className = "quiet", name = "") {
	return el("button", {
		type: "button", className, ...(name ? { ariaLabel: `${text}: ${name}` } : {}),
		async onclick(event) {
			const button = event.currentTarget;
			button.disabled = true;
			try {
				await done();
			} catch (problem) {
				if (!lost(problem)) say(sentence(problem));
			} finally {
				button.disabled = false;
			}
		},
	}, text);
}

function table(names, rows, nothing) {
	if (!rows.length) return el("p", { className: "hint" }, nothing);
	return el("table", { className: "wide" },
		el("thead", {}, el("tr", {}, names.map((n) => el("th", { scope: "col" }, n)))),
		el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((c, i) =>
			c instanceof Node && c.tagName === "BUTTON" || Array.isArray(c)
				? el("td", { className: "act" }, c)
				: el("td", { "data-name": names[i] }, c ?? ""))))));
}

const moment = (t) => {
	const d = typeof t === "number" ? new Date(t * 1000) : new Date(String(t).replace(/([+-]\d\d)(\d\d)$/, "$1:$2"));
	return Number.isNaN(d.getTime()) ? String(t ?? "") : d.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
};

// --- who is there ------------------------------------------------------------

// The session is over: to the door. True where that was what went wrong.
function lost(problem) {
	if (problem.status !== 401 || !me) return false;
	me = null;
	start("Your session is over. Sign in again.");
	return true;
}

function entered(answer) {
	setCsrf(answer.csrf);
	return start();
}

async function showFactor(begun, call, args, name) {
	const answer = await change(call, { login: begun.login, ...args });
	if (answer.next) return signInMore(answer, name);
	return entered(answer);
}

async function withPasskey(begun, call, name) {
	return showFactor(begun, call, { webauthn: await passkey.get(begun.webauthn) }, name);
}

const FACTORS = {
	password: ["Password", { type: "password", autocomplete: "current-password" }],
	totp: ["Code of your app", { inputMode: "numeric", autocomplete: "one-time-code", pattern: "[0-9]{6}", maxLength: 6 }],
	sms: ["Code by SMS", { inputMode: "numeric", autocomplete: "one-time-code", pattern: "[0-9]{6}", maxLength: 6 }],
	recovery: ["Printed recovery code", { autocomplete: "off", spellcheck: false }],
};

// One more factor is needed.
function signInMore(begun, name) {
	const ways = begun.next.filter((f) => FACTORS[f]);
	main.className = "narrow";
	show("One more factor", el("section", {},
		el("p", {}, `${name ? name + ": " : ""}Show a second factor to sign in.`),
		begun.next.includes("webauthn") && begun.webauthn
			? form([], "Use a passkey", () => withPasskey(begun, "auth.finish", name)) : null,
		ways.map((w) => form(field(w, FACTORS[w][0], { required: true, ...FACTORS[w][1] }), "Continue",
			(args) => showFactor(begun, "auth.finish", args, name))),
		begun.next.includes("sms") ? act("Send me an SMS", async () => { Object.assign(begun, await change("auth.sms_send", { login: begun.login })); say("An SMS is on its way."); }) : null));
}

function signIn(why = "") {
	main.className = "narrow";
	show("Sign in",
		why ? el("p", { className: "wrong", role: "alert" }, why) : null,
		el("section", {},
			form([], "Sign in with a passkey", async () => withPasskey(await change("auth.begin"), "auth.finish")),
			!state.passkeys || !passkey.possible()
				? el("p", { className: "hint" }, "Passkeys work where this page was opened by the gateway's name and the browser trusts its certificate.")
				: el("p", { className: "hint" }, "Your finger, face or PIN is checked by your own device and never leaves it."),
			el("details", {}, el("summary", {}, "With a password or a code"),
				form([
					...field("user", "Name", { required: true, autocomplete: "username", spellcheck: false, autocapitalize: "none" }),
					...field("password", FACTORS.password[0], FACTORS.password[1]),
					...field("totp", FACTORS.totp[0], FACTORS.totp[1]),
				], "Sign in", async (args) => {
					const given = Object.fromEntries(Object.entries(args).filter(([, v]) => v));
					return showFactor(await change("auth.begin"), "auth.finish", given, args.user);
				})),
			el("details", {}, el("summary", {}, "I lost my device"),
				form([
					...field("user", "Name", { required: true, autocomplete: "username", spellcheck: false, autocapitalize: "none" }),
					...field("recovery", FACTORS.recovery[0], { required: true, ...FACTORS.recovery[1] }, "One of the codes you printed. Each works once. All lost? Two colleagues who may administer users can reset your account."),
				], "Sign in", async (args) => showFactor(await change("auth.begin"), "auth.finish", args, args.user))),
			el("details", {}, el("summary", { className: "red" }, "Emergency: I have one factor only"),
				el("p", { className: "hint" }, "Enough to break the glass, which everybody sees and somebody reviews; for nothing else."),
				form([
					...field("user", "Name", { required: true, autocomplete: "username", spellcheck: false, autocapitalize: "none" }),
					...field("password", FACTORS.password[0], FACTORS.password[1]),
					...field("totp", FACTORS.totp[0], FACTORS.totp[1]),
				], "Sign in for an emergency", async (args) => {
					const given = Object.fromEntries(Object.entries(args).filter(([, v]) => v));
					return showFactor(await change("auth.begin"), "auth.finish", { ...given, one_factor: true }, args.user);
				}, { className: "danger" })),
			el("details", { open: state.first },
				el("summary", {}, "I have a one-time code"),
				firstForm())));
}

const firstForm = () => form(
	field("code", "One-time code", { required: true, autocomplete: "off", spellcheck: false }, "From the box's own terminal, or from an administrator. It works once."),
	"Continue", async (args) => entered(await change("auth.first", args)));

function firstStart() {
	main.className = "narrow";
	show("First start", el("section", {},
		el("p", {}, "Nobody can sign in here yet. The first administrator is made on the box itself:"),
		el("pre", {}, "sudo bedwarden user add NAME --first"),
		el("p", {}, "It prints a one-time code."),
		firstForm()));
}

// --- factors -----------------------------------------------------------------

async function addPasskey(label) {
	const begun = await change("factor.webauthn_begin");
	await change("factor.webauthn_finish", { login: begun.login, webauthn: await passkey.create(begun.webauthn), name: label || "passkey" });
	say("The passkey was added.");
}

async function addApp(into) {
	const begun = await change("factor.totp_begin");
	const image = "data:image/svg+xml;base64," + btoa(begun.svg);
	into.replaceChildren(
		el("p", {}, "Scan this with your authenticator app, or type the secret there."),
		el("img", { className: "qr", src: image, alt: "QR code of the secret below" }),
		el("p", {}, el("code", {}, begun.secret)),
		form(field("code", "The six digits it shows now", { required: true, ...FACTORS.totp[1] }), "Add the app", async (args) => {
			await change("factor.totp_finish", { login: begun.login, totp: args.code, name: "authenticator app" });
			say("The app was added.");
			factorsPage();
		}));
	into.querySelector("input").focus();
}

async function printCodes(into) {
	const { codes } = await change("factor.recovery_make");
	into.replaceChildren(
		el("p", {}, "Print these and lock them away. Each works once; they are not shown again, and older ones are void."),
		el("ol", { className: "codes" }, codes.map((c) => el("li", {}, c))),
		el("button", { type: "button", onclick: () => window.print() }, "Print"));
}

async function factorsPage() {
	const { factors, recovery_left: left } = await look("factor.list");
	const enrolling = me.kind === "enrol";
	const app = el("div"), codes = el("div");
	main.className = "";
	show(enrolling ? "Add a second factor" : "My factors",
		enrolling ? el("p", {}, "Before anything else works, add a passkey or an authenticator app. A second passkey, kept elsewhere, saves you when the first is lost.") : null,
		el("section", {}, el("h2", {}, "What you sign in with"),
			table(["What", "Name", "Since", ""], factors.map((f) => [
				f.kind, f.label, moment(f.made),
				act("Remove", async () => { await change("factor.remove", { id: f.id }); say("It was removed."); factorsPage(); }, "danger", f.label)]),
			"Nothing yet."),
			left !== undefined ? el("p", { className: "hint" }, `${left} printed codes are left.`) : null,
			enrolling && factors.some((f) => f.kind === "webauthn" || f.kind === "totp")
				? el("p", {}, act("Done: sign in with it", signOut, "")) : null),
		el("section", {}, el("h2", {}, "Passkey"),
			form(field("label", "A name for it", { maxLength: 60, placeholder: "blue key" }), "Add a passkey",
				async (args) => { await addPasskey(args.label); factorsPage(); })),
		el("section", {}, el("h2", {}, "Authenticator app"), app,
			act("Add an app", () => addApp(app), "")),
		el("section", {}, el("h2", {}, "Password"),
			form([
				el("input", { type: "text", autocomplete: "username", value: me.user, hidden: true, readOnly: true }),
				...field("password", "New password", { type: "password", autocomplete: "new-password", required: true, minLength: 8 }, "A sentence is easiest to remember. At least 15 characters; 8 beside a second factor."),
			], "Set the password", async (args, f) => { await change("factor.password_set", { password: args.password }); f.reset(); say("The password was set."); factorsPage(); })),
		el("section", {}, el("h2", {}, "Printed codes"), codes,
			act("Make new codes", () => printCodes(codes), "")));
}

// A fresh factor, in a dialog over whatever needs it.
function freshFactor() {
	const dialog = $("fresh");
	return new Promise((done, cancel) => {
		const close = (then) => { dialog.close(); then(); };
		const failed = el("p", { className: "wrong", role: "alert" });
		const gaveUp = () => cancel(new Error("It was not done: a fresh factor is needed for it."));
		(async () => {
			try {
				const begun = await change("auth.step_up_begin");
				const finish = async (args) => {
					const answer = await change("auth.step_up_finish", { login: begun.login, ...args });
					setCsrf(answer.csrf);
					close(done);
				};
				const ways = (begun.factors || []).filter((f) => FACTORS[f]);
				dialog.replaceChildren(
					el("h2", { id: "fresh-title" }, "Is it you?"),
					el("p", {}, "This needs a factor used just now."), failed,
					begun.webauthn ? form([], "Use a passkey", async () => finish({ webauthn: await passkey.get(begun.webauthn) })) : "",
					...ways.map((w) => form(field(w, FACTORS[w][0], { required: true, ...FACTORS[w][1] }), "Continue", finish)),
					el("button", { type: "button", className: "quiet", onclick: () => close(gaveUp) }, "Cancel"));
				dialog.oncancel = gaveUp;
				dialog.showModal();
			} catch (problem) {
				cancel(problem);
			}
		})();
	});
}

// --- pages -------------------------------------------------------------------

const grantState = (g) => el("span", { className: g.break_glass ? "red" : g.state === "open" ? "open" : "" },
	g.break_glass ? `EMERGENCY, ${g.state}` : g.state);

async function doorsPage() {
	const [{ grants }, { services }] = await Promise.all([look("grant.list", { all: me.kind === "full" || "" }), look("grant.services")]);
	const emergency = me.kind === "one_factor";
	const staff = me.role === "administrator" || me.role === "clinical_engineer";
	const ask = (call, done) => async (args) => {
		const [device, service] = args.door.split("/");
		await change(call, { device, service, reason: args.reason, minutes: Number(args.minutes) });
		say(done);
		doorsPage();
	};
	const doors = services.map((s) => [`${s.device}/${s.service}`, `${s.device}: ${s.service} (${s.proto} ${s.port})`]);
	const fields = () => [
		...field("door", "Device and service", { options: doors, required: true }),
		...field("reason", "Reason", { required: true, minLength: 3 }),
		...field("minutes", "Minutes", { type: "number", min: 1, max: 1440, value: 15, required: true }),
	];
	const done = (call, args, text, style, name) => act(text, async () => { await change(call, args); doorsPage(); }, style, name);
	const none = el("p", { className: "hint" }, "The policy names no service that opens for a while.");
	const reviews = grants.filter((g) => g.to_review);
	main.className = "";
	show("Doors",
		reviews.length && !emergency ? el("section", {}, el("h2", { className: "red" }, "Emergencies to review"),
			reviews.map((g) => form(field("reason", `${g.device}, ${g.service}: ${g.person}, ${moment(g.opened)}: ${g.why}`, { required: true, rows: 2 }, "What came of it?"),
				"Reviewed", async (args) => { await change("grant.review", { id: g.id, reason: args.reason }); doorsPage(); }))) : null,
		el("section", {}, el("h2", {}, "Open, asked for, and past"),
			table(["Device", "Service", "Who", "From", "Reason", "State", "Until", ""], grants.map((g) => [
				g.device, g.service, g.person, g.source, g.note ? [g.why, el("p", { className: "hint" }, g.note)] : g.why, grantState(g), g.until ? moment(g.until) : g.why_ended || "",
				[
					g.state === "asked" && staff ? done("grant.approve", { id: g.id }, "Approve", "", g.device) : null,
					g.state === "asked" && staff ? done("grant.deny", { id: g.id }, "Deny", "quiet", g.device) : null,
					g.state === "open" && !emergency && (staff || g.person === me.user) ? done("grant.revoke", { id: g.id }, "Shut", "danger", g.device) : null,
				].filter(Boolean),
			]), "No door is open, and none was asked for.")),
		emergency ? null : el("section", {}, el("h2", {}, "Ask for a door"),
			el("p", { className: "hint" }, "It opens to this very workstation, for this while, and no longer."),
			doors.length ? form(fields(), "Ask", ask("grant.request", "It was asked for.")) : none),
		me.role === "vendor" ? null : el("section", {}, el("h2", { className: "red" }, "Emergency"),
			el("p", {}, "Opens at once. Everybody sees it, and somebody must review it afterwards."),
			doors.length ? form(fields(), "Break the glass", ask("grant.break_glass", "The door is open. This will be reviewed."), { className: "danger" }) : none.cloneNode(true)));
}

const sentences = {};
const eventText = (e) => [sentences[e.reason] || e.reason || e.event_type, e.audit?.message || [e.audit?.who, e.audit?.what].filter(Boolean).join(": ")].filter(Boolean).join(" ");
function eventRow(e) {
	const blocked = e.verdict?.action === "drop";
	return el("tr", {},
		el("td", { "data-name": "When" }, moment(e.timestamp)),
		el("td", { "data-name": "Device" }, e.device || e.src_ip || ""),
		el("td", { "data-name": "Peer" }, e.peer || ""),
		el("td", { "data-name": "What", className: blocked ? "blocked" : "" }, `${eventText(e)}${blocked ? " Blocked." : ""}`));
}

async function eventsPage() {
	const body = el("tbody"), more = el("div"), count = el("p", { className: "hint" });
	let next, source;
	const filters = {};
	const load = async () => {
		const page = await look("events", { ...filters, limit: 100, ...(next ? { cursor: next } : {}) });
		body.append(...page.events.map(eventRow));
		next = page.next;
		more.replaceChildren(next ? act("Older", load) : "");
	};
	const follow = () => {
		source?.close();
		source = new EventSource("/api/live?" + new URLSearchParams(filters));
		source.onopen = () => { count.textContent = "New events appear by themselves."; };
		source.onerror = () => { count.textContent = "Not connected just now; trying again."; };
		source.onmessage = (m) => {
			body.prepend(eventRow(JSON.parse(m.data)));
			while (body.rows.length > 500) body.lastChild.remove();
		};
	};
	leave = () => source?.close();
	main.className = "";
	for (const r of (await look("reasons")).reasons) sentences[r.reason] = r.sentence;
	show("Events",
		el("section", {}, form([
			field("device", "Device"),
			field("reason", "Reason", {}, "As policy.not_allowed, or what stands before the dot."),
			field("verdict", "Verdict", { options: [["", "any"], ["blocked", "blocked"], ["would_block", "would be blocked"], ["passed", "passed"]] }),
			field("text", "Anywhere in it"),
		].map((parts) => el("div", {}, parts)), "Filter", async (args) => {
			for (const k of Object.keys(filters)) delete filters[k];
			Object.assign(filters, Object.fromEntries(Object.entries(args).filter(([, v]) => v)));
			next = undefined;
			body.replaceChildren();
			await load();
			follow();
		})),
		el("section", {}, count, el("table", { className: "wide" },
			el("thead", {}, el("tr", {}, ["When", "Device", "Peer", "What"].map((n) => el("th", { scope: "col" }, n)))), body), more));
	await load();
	follow();
}

async function devicesPage() {
	const { devices } = await look("devices", { limit: 1000 });
	main.className = "";
	show("Devices", el("section", {}, table(["Name", "Address", "Profile", "Mode", "Last seen"], devices.map((d) => [
		d.name || d.hostname || d.mac, (d.ips || d.addresses || []).join(", "), d.profile || d.likely_profile || "",
		d.registered ? d.mode : "stranger", d.last ? moment(d.last) : ""]), "No device is known yet.")));
}

async function policyPage() {
	const got = await look("policy.get");
	const text = el("textarea", { className: "code", spellcheck: false, value: got.text, id: "policy-text", wrap: "off" });
	const said = el("div", { role: "status" });
	let base = got.hash;
	const difference = (d) => el("pre", {}, d.split("\n").map((l) =>
		el("span", { className: l.startsWith("-") ? "minus" : l.startsWith("+") ? "plus" : "" }, l + "\n")));
	main.className = "";
	show("Policy", el("section", {},
		el("label", { htmlFor: "policy-text" }, got.file), text, said,
		el("div", { className: "row" },
			act("Check", async () => {
				const r = await change("policy.check", { text: text.value });
				said.replaceChildren(r.valid ? el("p", {}, `Nothing is wrong with it: ${r.devices} devices in ${r.segments} segments.`)
					: el("ul", {}, r.errors.map((e) => el("li", {}, `Line ${e.line}: ${e.text}`))));
			}),
			act("Put into force", async () => {
				try {
					const r = await change("policy.apply", { text: text.value, base });
					said.replaceChildren(el("p", {}, `Generation ${r.generation} is in force.`));
					base = r.hash; // of what was sent: asked for, it may be somebody else's by now
				} catch (problem) {
					if (problem.type === "policy.changed") {
						base = problem.more.hash;
						said.replaceChildren(el("p", { className: "wrong" }, sentence(problem)), difference(problem.more.difference || ""));
					} else if (problem.more?.errors) {
						said.replaceChildren(el("ul", { className: "wrong" }, problem.more.errors.map((e) => el("li", {}, `Line ${e.line}: ${e.text}`))));
					} else throw problem;
				}
			}, ""))));
}

async function sessionsPage() {
	const { sessions } = await look("session.list");
	main.className = "";
	show("My sessions", el("section", {}, table(["Where from", "Since", "Factors", "", ""], sessions.map((s) => [
		s.source, moment(s.since), s.factors, s.own ? "this one" : "",
		s.own ? "" : act("End", async () => { await change("session.end", { session: s.id }); sessionsPage(); }, "danger", s.source)]), "None.")));
}

async function usersPage() {
	const { users } = await look("user.list");
	const said = el("div", { role: "status" });
	const roles = ["viewer", "clinical_engineer", "administrator", "auditor", "vendor"];
	main.className = "";
	show("Users",
		el("section", {}, table(["Name", "Role", "Factors", "", ""], users.map((u) => [
			u.display ? `${u.display} (${u.user})` : u.user, u.role, (u.factors || []).join?.(", ") ?? u.factors ?? "", u.disabled ? "disabled" : "",
			u.user === me.user ? "" : act("Remove", async () => { await change("user.remove", { user: u.user }); usersPage(); }, "danger", u.user)]), "Nobody.")),
		el("section", {}, el("h2", {}, "Add somebody"), said,
			form([
				...field("user", "Name to sign in with", { required: true, autocomplete: "off", spellcheck: false, autocapitalize: "none" }),
				...field("display", "Name for people"),
				...field("role", "Role", { options: roles.map((r) => [r, r.replace("_", " ")]) }),
			], "Add", async (args) => {
				const r = await change("user.add", Object.fromEntries(Object.entries(args).filter(([, v]) => v)));
				said.replaceChildren(el("p", {}, `${args.user} enrols with this one-time code: `, el("code", {}, r.code || "")));
			})));
}

async function homePage() {
	const s = me.role === "vendor" ? null : await look("status");
	main.className = "";
	show(`Good to see you, ${me.display || me.user}`,
		me.notices?.length ? el("section", {}, el("h2", {}, "Changed of yours"),
			me.notices.map((n) => el("p", { className: "nag" }, n.text ? `${moment(n.time ?? n.at)}: ${n.text}` : String(n.what ?? n))),
			act("I have seen this", async () => { await change("session.notices_seen"); me.notices = []; homePage(); })) : null,
		s ? el("section", {}, el("h2", {}, "The gateway"),
			s.nags?.length ? s.nags.map((n) => el("p", { className: "nag" }, n)) : el("p", { className: "open" }, "Nothing needs you."),
			el("p", {}, `${s.devices?.registered ?? 0} devices, ${s.store?.events_today ?? 0} events today, ${s.store?.blocked_today ?? 0} of them blocked.`)) : null,
		s?.attention?.length ? el("section", {}, el("h2", {}, "Lately"),
			table(["Device", "What", "Times", "Last"], s.attention.map((g) => [g.device || "gateway", g.sentence || g.reason, g.count, moment(g.last)]), "")) : null);
}

// --- the way between them -----------------------------------------------------

const PAGES = {
	"#": ["Home", homePage, null],
	"#doors": ["Doors", doorsPage, null],
	"#events": ["Events", eventsPage, ["viewer", "clinical_engineer", "administrator", "auditor"]],
	"#devices": ["Devices", devicesPage, null],
	"#policy": ["Policy", policyPage, ["clinical_engineer", "administrator", "auditor"]],
	"#users": ["Users", usersPage, ["administrator", "auditor"]],
	"#factors": ["My factors", factorsPage, null],
	"#sessions": ["My sessions", sessionsPage, null],
};

function drawHeader() {
	const nav = $("nav");
	const full = me && me.kind === "full";
	nav.hidden = !full;
	$("out").hidden = !me;
	$("who").textContent = me ? `${me.user}, ${(me.role || "").replace("_", " ")}` : "";
	nav.replaceChildren(...(full ? Object.entries(PAGES).filter(([, p]) => !p[2] || p[2].includes(me.role))
		.map(([hash, p]) => el("a", { href: hash, ...(hash === (location.hash || "#") ? { "aria-current": "page" } : {}) }, p[0])) : []));
}

async function draw() {
	leave?.();
	leave = null;
	$("said").textContent = "";
	drawHeader();
	const page = me.kind === "enrol" ? factorsPage : me.kind === "one_factor" ? doorsPage : (PAGES[location.hash || "#"] || PAGES["#"])[1];
	try {
		await page();
	} catch (problem) {
		if (!lost(problem)) show("That did not work", el("section", {}, el("p", {}, sentence(problem)), act("Try again", draw, "")));
	}
}

async function signOut() {
	try {
		await change("auth.logout");
	} finally {
		me = null;
		history.replaceState(null, "", "/");
		start();
	}
}

async function start(why = "") {
	leave?.();
	leave = null;
	try {
		me = await look("session.me");
		if (!me.user) me = null;
	} catch (problem) {
		me = null;
		if (problem.status !== 401 && problem.status !== 403) {
			main.className = "narrow";
			show("That did not work", el("section", {}, el("p", {}, sentence(problem)), act("Try again", () => start(why), "")));
			return;
		}
	}
	if (me) return draw();
	drawHeader();
	try {
		state = await look("auth.state");
	} catch (problem) {
		state = { passkeys: true };
		why = why || sentence(problem);
	}
	if (state.site) $("site").textContent = state.site;
	if (state.first) firstStart();
	else signIn(why);
}

onFresh(freshFactor);
$("out").addEventListener("click", signOut);
addEventListener("hashchange", () => me && draw());
start();
