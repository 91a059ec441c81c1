#!/usr/bin/env node
// The services of DICOM that DCMTK and Orthanc do not ask for, by dcmjs-dimse (of npm; where NODE_PATH finds it).
// usage: dicom_services.js serve [REPORT_TO] | ask HOST     on port 104; who asks is reported to on 11112
'use strict';
const {Dataset, Server, Scp, Client, requests: Rq, responses: Rsp, constants: {Status, PresentationContextResult}, log} =
	require('dcmjs-dimse');

log.setLevel('silent');

const MPPS = '1.2.840.10008.3.1.2.3.3';
const COMMITMENT = '1.2.840.10008.1.20.1', COMMITMENTS = '1.2.840.10008.1.20.1.1';
const PRINTER = '1.2.840.10008.5.1.1.16', THE_PRINTER = '1.2.840.10008.5.1.1.17';
const UPS = '1.2.840.10008.5.1.4.34.6.1';
const PATIENTS = '1.2.840.10008.5.1.4.37.1';
const ROOT = '1.2.826.0.1.3680043.10.1337.';

const [what, host] = process.argv.slice(2);

function holding(request, elements) {
	request.setDataset(new Dataset(elements));
	return request;
}

function report(type) {
	return holding(new Rq.NEventReportRequest(COMMITMENT, COMMITMENTS, type), {TransactionUID: ROOT + '1'});
}

function say(to, port, wanted, options = {}) {
	return new Promise(done => {
		const client = new Client();
		for (const r of wanted)
			client.addRequest(r);
		client.on('nEventReportRequest', (request, answer) => {
			const r = Rsp.NEventReportResponse.fromRequest(request);
			r.setStatus(Status.Success);
			answer(r);
		});
		client.on('networkError', done);
		client.on('closed', done);
		client.send(to, port, 'CT1', 'ARCHIVE', options);
	});
}

class Services extends Scp {
	associationRequested(association) {
		if (association.getUserIdentityPositiveResponseRequested()) {
			association.setUserIdentityServerResponse('yes');
			association.setNegotiateUserIdentityServerResponse(true);
		}
		for (const {id} of association.getPresentationContexts()) {
			const context = association.getPresentationContext(id);
			context.setResult(PresentationContextResult.Accept, context.getTransferSyntaxUids()[0]);
		}
		this.sendAssociationAccept();
	}

	associationReleaseRequested() { this.sendAssociationReleaseResponse(); }
}

const answers = {
	cEcho: 'CEcho', cFind: 'CFind', nCreate: 'NCreate', nSet: 'NSet', nGet: 'NGet', nDelete: 'NDelete', nAction: 'NAction',
	nEventReport: 'NEventReport',
};
for (const [name, kind] of Object.entries(answers))
	Services.prototype[name + 'Request'] = function(request, answer) {
		const r = Rsp[kind + 'Response'].fromRequest(request);
		r.setStatus(Status.Success);
		if (kind === 'NGet')
			holding(r, {PrinterStatus: 'NORMAL'});
		answer(kind === 'CFind' ? [r] : r);
		if (kind !== 'NAction' || request.getRequestedSopClassUid() !== COMMITMENT)
			return;
		// PS3.4 §J.3.3: on the same association, or on one of its own.
		if (request.getRequestedSopInstanceUid() === COMMITMENTS && !this.reported) {
			this.reported = true;
			setTimeout(() => this.sendRequests([report(1)]), 200);
			setTimeout(() => say(host, 11112, [report(2)]), 600);
		}
	};

async function ask() {
	await say(host, 104, [holding(new Rq.NCreateRequest(MPPS, ROOT + '2'), {PerformedProcedureStepStatus: 'IN PROGRESS'}),
		holding(new Rq.NSetRequest(MPPS, ROOT + '2'), {PerformedProcedureStepStatus: 'COMPLETED'})]);
	await say(host, 104, [holding(new Rq.NActionRequest(COMMITMENT, COMMITMENTS, 1), {TransactionUID: ROOT + '1'})],
		{associationLingerTimeout: 1500});
	await say(host, 104, [new Rq.NGetRequest(PRINTER, THE_PRINTER, [])]);
	await say(host, 104, [holding(new Rq.NCreateRequest(UPS, ROOT + '3'), {ProcedureStepState: 'SCHEDULED'}),
		holding(new Rq.NActionRequest(UPS, ROOT + '3', 1), {TransactionUID: ROOT + '4'}),
		new Rq.NGetRequest(UPS, ROOT + '3', []), new Rq.NDeleteRequest(UPS, ROOT + '3')],
		{asyncOps: {maxAsyncOpsInvoked: 8, maxAsyncOpsPerformed: 4}});
	const find = new Rq.CFindRequest();
	find.setAffectedSopClassUid(PATIENTS);
	await say(host, 104, [holding(find, {PatientID: 'DEMO-1'})], {asyncOps: {maxAsyncOpsInvoked: 0, maxAsyncOpsPerformed: 1}});
	for (let type = 1; type <= 5; type++)
		await say(host, 104, [new Rq.CEchoRequest()], {userIdentity: {type, positiveResponseRequested: type > 2,
			primaryField: 'alice', secondaryField: type === 2 ? 'secret' : ''}});
	process.exit(0);
}

new Server(Services).listen(what === 'serve' ? 104 : 11112);
if (what === 'ask')
	ask();
