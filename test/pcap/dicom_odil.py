#!/usr/bin/python3
"""Two ends by odil (python3-odil): performed procedure steps, storage, a query, images brought back, each kind of
user identity that odil knows, and ends by release and by abort.

usage: dicom_odil.py serve | ask HOST FILE      on port 104
"""
import sys
import time

import odil

MPPS, CT = odil.registry.ModalityPerformedProcedureStep, odil.registry.CTImageStorage
FIND, GET = (getattr(odil.registry, 'StudyRootQueryRetrieveInformationModel' + m) for m in ('Find', 'Get'))
SYNTAXES = [odil.registry.ExplicitVRLittleEndian, odil.registry.ImplicitVRLittleEndian,
            odil.registry.ExplicitVRBigEndian, odil.registry.DeflatedExplicitVRLittleEndian]
STEP = '1.2.826.0.1.3680043.10.1337.5.1'
Role = odil.AssociationParameters.PresentationContext.Role


class Answers(odil.FindSCP.DataSetGenerator):
    """Two of them."""

    def __init__(self):
        super().__init__()
        self.n = 0

    def initialize(self, request):
        self.n = 0

    def done(self):
        return self.n == 2

    def next(self):
        self.n += 1

    def get(self):
        found = odil.DataSet()
        found.add('PatientID', ['DEMO-%d' % self.n])
        found.add('StudyInstanceUID', ['1.2.826.0.1.3680043.10.1337.%d' % self.n])
        return found


def serve_one():
    association = odil.Association()
    association.set_tcp_timeout(60)
    association.receive_association('v4', 104)
    scps, generator = {}, Answers()
    for kind in ('Echo', 'Store', 'NCreate', 'NSet', 'Find'):
        scp = getattr(odil, kind + 'SCP')(association)
        if kind == 'Find':
            scp.set_generator(generator)
        else:
            scp.set_callback(lambda request: odil.messages.ResponseStatus.Success)
        command = 'N_' + kind[1:] if kind[0] == 'N' else 'C_' + kind
        scps[int(getattr(odil.messages.Message.Command, command.upper() + '_RQ'))] = scp
    try:
        while True:
            message = association.receive_message()
            scps[int(message.get_command_field())](message)
    except (odil.AssociationReleased, odil.AssociationAborted):
        pass


def associate(host, contexts, identity=None):
    time.sleep(1)  # the other end listens anew
    association = odil.Association()
    association.set_peer_host(host)
    association.set_peer_port(104)
    parameters = odil.AssociationParameters()
    parameters.set_calling_ae_title('CT1').set_called_ae_title('ARCHIVE')
    parameters.set_presentation_contexts([odil.AssociationParameters.PresentationContext(
        2 * i + 1, uid, syntaxes, role) for i, (uid, syntaxes, role) in enumerate(contexts)])
    if identity:
        getattr(parameters, 'set_user_identity_to_' + identity[0])(*identity[1:])
    association.set_parameters(parameters)
    association.associate()
    return association


def ask(host, file):
    association = associate(host, [(MPPS, SYNTAXES[:2], Role.SCU), (CT, SYNTAXES[3:], Role.SCU),
                                   (CT, SYNTAXES[2:3], Role.SCU), ('1.2.826.0.1.3680043.10.1337.9', SYNTAXES[:1], Role.Both)])
    step = odil.DataSet()
    step.add('PerformedProcedureStepStatus', ['IN PROGRESS'])
    association.send_message(odil.messages.NCreateRequest(association.next_message_id(), MPPS, step), MPPS)
    association.receive_message()
    step = odil.DataSet()
    step.add('PerformedProcedureStepStatus', ['COMPLETED'])
    association.send_message(odil.messages.NSetRequest(association.next_message_id(), MPPS, STEP, step), MPPS)
    association.receive_message()
    with odil.open(file) as f:
        header, image = odil.Reader.read_file(f)
    store = odil.StoreSCU(association)
    store.set_affected_sop_class(image)
    store.store(image)
    association.release()

    association = associate(host, [(FIND, SYNTAXES[:1], Role.SCU), (odil.registry.Verification, SYNTAXES[1:2], Role.SCU)],
                            ('username', 'alice'))
    find = odil.FindSCU(association)
    find.set_affected_sop_class(FIND)
    query = odil.DataSet()
    query.add('QueryRetrieveLevel', ['STUDY'])
    query.add('PatientID')
    query.add('StudyInstanceUID')
    find.find(query)
    odil.EchoSCU(association).echo()
    association.abort(0, 0)
    for identity in (('username_and_password', 'alice', 'secret'), ('kerberos', 'ticket'), ('saml', '<a/>')):
        association = associate(host, [(odil.registry.Verification, SYNTAXES[1:2], Role.SCU)], identity)
        odil.EchoSCU(association).echo()
        association.release()


if sys.argv[1] == 'serve':
    for n in range(5):
        serve_one()
else:
    ask(*sys.argv[2:])
