# shellcheck shell=bash
# Conversations between real DICOM peers, for record.sh and test/e2e/dicom.sh.
# Whoever sources this has `on NODE COMMAND...` and a folder in $work; the client
# is node `dev` at 10.9.1.12, the server node `srv` at 10.9.0.5. What the peers
# log goes to $work/NAME.log, of what a client of DCMTK says of conversations
# and messages also to $work/said/.

dicom_serve() { # NAME NODE COMMAND...
	local name=$1
	shift
	on "$@" >"$work/$name.log" 2>&1 &
	sleep 1
}

# A client's part, which may end badly: that too is a conversation.
dicom_ask() { # NAME COMMAND...
	local name=$1
	shift
	on dev timeout 20 "$@" >"$work/$name.log" 2>&1 || true
	dicom_said "$name"
}

# NAME: of its log, what it says of conversations and messages.
dicom_said() {
	local name=$1
	mkdir -p "$work/said"
	sed -nE '/^[DI]: =+ (BEGIN|OUTGOING|INCOMING) /,/^[DI]: =+ END /p' "$work/$name.log" >"$work/said/$name.log"
}

# NAME ELEMENT...: an object of these elements, with a root of our own.
dicom_made() {
	local name=$1
	shift
	printf '%s\n' "$@" "(0008,0018) UI [1.2.826.0.1.3680043.10.1337.4.$name]" \
		"(0020,000d) UI [1.2.826.0.1.3680043.10.1337.2]" \
		"(0020,000e) UI [1.2.826.0.1.3680043.10.1337.3]" \
		"(0010,0010) PN [PHANTOM^HEAD]" "(0010,0020) LO [DEMO-1]" \
		"(0008,0020) DA [20260131]" "(0020,0010) SH [1]" >"$work/$name.dump"
	dump2dcm +te "$work/$name.dump" "$work/$name.dcm" 2>/dev/null
}

# A slice of 32 KiB, a report, and the slice again as a JPEG.
dicom_objects() {
	head -c 32768 /dev/zero | tr '\0' '\7' >"$work/pixels.raw"
	dicom_made 1 "(0008,0016) UI [1.2.840.10008.5.1.4.1.1.2]" "(0008,0060) CS [CT]" \
		"(0028,0002) US 1" "(0028,0004) CS [MONOCHROME2]" "(0028,0010) US 128" "(0028,0011) US 128" \
		"(0028,0100) US 16" "(0028,0101) US 12" "(0028,0102) US 11" "(0028,0103) US 0" \
		"(7fe0,0010) OW =$work/pixels.raw"
	dicom_made 2 "(0008,0016) UI [1.2.840.10008.5.1.4.1.1.88.11]" "(0008,0060) CS [SR]"
	dcmcjpeg "$work/1.dcm" "$work/3.dcm"
	dcmodify -nb -q -m "(0008,0018)=1.2.826.0.1.3680043.10.1337.4.3" "$work/3.dcm"
}

# C-STORE in three transfer syntaxes, with a name and a passcode; one that cannot be, and is aborted.
make_dicom_store() {
	dicom_objects
	mkdir -p "$work/in"
	dicom_serve storescp srv storescp -d +xa -od "$work/in" -aet ARCHIVE 104
	dicom_ask storescu storescu -d -aet CT1 -aec ARCHIVE -R -usr alice -pwd secret 10.9.0.5 104 \
		"$work/1.dcm" "$work/2.dcm"
	dicom_ask dcmsend dcmsend -d -aet CT1 -aec ARCHIVE 10.9.0.5 104 "$work/2.dcm" "$work/3.dcm"
	dicom_ask badstore storescu -d -aet CT1 -aec ARCHIVE -R -xs 10.9.0.5 104 "$work/1.dcm"
	dicom_ask echoscu echoscu -d --abort -aet CT1 -aec ARCHIVE 10.9.0.5 104
}

# DCMTK's archive, which sends images to 11112 of the client.
dicom_archive() {
	mkdir -p "$work/db"
	cat >"$work/qr.cfg" <<-EOF
		NetworkTCPPort = 104
		MaxPDUSize = 16384
		MaxAssociations = 16
		HostTable BEGIN
		dev = (CT1, 10.9.1.12, 11112)
		HostTable END
		AETable BEGIN
		ARCHIVE $work/db RW (10, 1024mb) ANY
		AETable END
	EOF
	dicom_serve dcmqrscp srv dcmqrscp -d -c "$work/qr.cfg"
}

# C-FIND, C-MOVE to a third place, C-GET with the roles turned round, a title that is refused.
make_dicom_query() {
	dicom_objects
	mkdir -p "$work/moved" "$work/got"
	dicom_archive
	dicom_ask storescu storescu -d -aet CT1 -aec ARCHIVE -R 10.9.0.5 104 "$work/1.dcm" "$work/2.dcm"
	dicom_ask findscu findscu -d -aet CT1 -aec ARCHIVE -S -k "0008,0052=IMAGE" \
		-k "0020,000d=1.2.826.0.1.3680043.10.1337.2" -k "0020,000e=1.2.826.0.1.3680043.10.1337.3" \
		-k "0008,0018" 10.9.0.5 104
	dicom_ask movescu movescu -d -aet CT1 -aem CT1 -aec ARCHIVE +P 11112 -od "$work/moved" -S \
		-k "0008,0052=STUDY" -k "0020,000d=1.2.826.0.1.3680043.10.1337.2" 10.9.0.5 104
	dicom_ask badmove movescu -d -aet CT1 -aem NOBODY -aec ARCHIVE -S \
		-k "0008,0052=STUDY" -k "0020,000d=1.2.826.0.1.3680043.10.1337.2" 10.9.0.5 104
	dicom_ask getscu getscu -d -aet CT1 -aec ARCHIVE -od "$work/got" -S \
		-k "0008,0052=STUDY" -k "0020,000d=1.2.826.0.1.3680043.10.1337.2" 10.9.0.5 104
	dicom_ask refused findscu -d -aet CT1 -aec NOBODY -S -k "0008,0052=STUDY" 10.9.0.5 104
}

# A modality's worklist, as Debian's example has it.
make_dicom_worklist() {
	mkdir -p "$work/wl/RIS"
	touch "$work/wl/RIS/lockfile"
	for n in 1 2 3; do
		dump2dcm -q "/usr/share/doc/dcmtk/examples/wlistdb/OFFIS/wklist$n.dump" "$work/wl/RIS/$n.wl"
	done
	dicom_serve wlmscpfs srv wlmscpfs -d -dfp "$work/wl" 104
	dicom_ask findscu findscu -d -aet CT1 -aec RIS -W -k "(0040,0100)[0].0008,0060=" -k "0040,1001" \
		10.9.0.5 104
}

# A film is printed: N-GET, N-CREATE, N-SET, N-ACTION, N-DELETE.
make_dicom_print() {
	dicom_objects
	mkdir -p "$work/spool" "$work/database" "$work/log"
	cat >"$work/print.cfg" <<-EOF
		[[GENERAL]]
		[APPLICATION]
		LogDirectory = $work/log
		[PRINT]
		Directory = $work/spool
		[DATABASE]
		Directory = $work/database
		[[COMMUNICATION]]
		[FILM]
		Aetitle = PRINTER
		Description = a film printer
		Hostname = 10.9.0.5
		Port = 104
		Type = LOCALPRINTER
		DisplayFormat = 1,1\1,2
		FilmSizeID = 8INX10IN
		MediumType = PAPER
		FilmDestination = MAGAZINE
		MaxPDU = 32768
		MagnificationType = NONE
	EOF
	dicom_serve dcmprscp srv dcmprscp -d -c "$work/print.cfg" -p FILM
	on dev dcmpsprt -q -c "$work/print.cfg" -p FILM "$work/1.dcm" >"$work/dcmpsprt.log" 2>&1
	dicom_ask dcmprscu dcmprscu -d +d -c "$work/print.cfg" -p FILM "$work"/database/SP_*.dcm
}

dicom_plugins=
# Two Orthancs: C-ECHO, C-STORE, C-FIND, C-MOVE, and storage commitment (N-ACTION, N-EVENT-REPORT).
dicom_orthanc() { # NAME NODE OTHER ADDRESS
	mkdir -p "$work/$1"
	cat >"$work/$1.json" <<-EOF
		{ "Name": "$1", "DicomAet": "$1", "DicomPort": 104, "HttpPort": 8042, "StorageDirectory": "$work/$1",
		  "IndexDirectory": "$work/$1", "Plugins": [ $dicom_plugins ], "RemoteAccessAllowed": true, "AuthenticationEnabled": false,
		  "DicomWeb": { "Servers": { "peer": { "Url": "http://$4:8042/dicom-web/" } } },
		  "DicomAlwaysAllowFind": true, "DicomAlwaysAllowMove": true,
		  "DicomModalities": { "peer": { "AET": "$3", "Host": "$4", "Port": 104, "AllowStorageCommitment": true } } }
	EOF
	dicom_serve "$1" "$2" Orthanc --verbose "$work/$1.json"
}

make_dicom_orthanc() {
	dicom_objects
	dicom_orthanc ARCHIVE srv CT1 10.9.1.12
	dicom_orthanc CT1 dev ARCHIVE 10.9.0.5
	local api=http://10.9.1.12:8042 curl="curl -s -S --retry 10 --retry-all-errors --retry-delay 1" id
	id=$(on dev $curl --data-binary @"$work/1.dcm" $api/instances | jq -r .ID)
	dicom_ask echo $curl -d '' $api/modalities/peer/echo
	dicom_ask store $curl -d "$id" $api/modalities/peer/store
	dicom_ask commit $curl -d '{"DicomInstances":[["1.2.840.10008.5.1.4.1.1.2","1.2.826.0.1.3680043.10.1337.4.1"]]}' \
		$api/modalities/peer/storage-commitment
	sleep 2
	dicom_ask find $curl -d '{"Level":"Study","Query":{"PatientID":"DEMO-1"}}' $api/modalities/peer/query
	dicom_ask move $curl -d 'CT1' $api/queries/"$(jq -r .ID "$work/find.log")"/retrieve
}

# DICOMweb (PS3.18 §10.5, §10.4): curl and an Orthanc store at another one, and get what is there back; the
# second image is a program, too. Of Debian: orthanc-dicomweb
make_dicomweb() {
	local dicom_plugins='"/usr/share/orthanc/plugins/libOrthancDicomWeb.so"'
	local web=http://10.9.0.5:8042 api=http://10.9.1.12:8042 type=application/dicom id
	local curl="curl -s -S --retry 10 --retry-all-errors --retry-delay 1"
	dicom_objects
	{ printf 'MZ'; tail -c +3 "$work/2.dcm"; } >"$work/evil.dcm"
	for i in 1 evil; do
		printf '\r\n--a part\r\nContent-Type: %s\r\n\r\n' $type
		cat "$work/$i.dcm"
	done >"$work/parts"
	printf '\r\n--a part--\r\n' >>"$work/parts"
	dicom_orthanc ARCHIVE srv CT1 10.9.1.12
	for how in chunked identity; do
		on dev $curl -o /dev/null --data-binary @"$work/parts" -H "Transfer-Encoding: $how" -H Expect: \
			-H "Content-Type: multipart/related; type=\"$type\"; boundary=\"a part\"" $web/dicom-web/studies
	done
	on dev $curl -o /dev/null -H "Content-Type: $type" --data-binary @"$work/evil.dcm" $web/instances
	on dev $curl -o /dev/null -H "Accept: multipart/related; type=\"$type\"; transfer-syntax=*" \
		$web/dicom-web/studies/1.2.826.0.1.3680043.10.1337.2
	dicom_orthanc CT1 dev ARCHIVE 10.9.0.5
	id=$(on dev $curl --data-binary @"$work/evil.dcm" $api/instances | jq -r .ID)
	on dev $curl -o "$work/stow.log" -d "{\"Resources\":[\"$id\"]}" $api/dicom-web/servers/peer/stow
}

# A procedure's steps, storage commitment on one association and on a second one, a printer's state, worklists (UPS),
# every kind of user identity, asynchronous operations. Of npm: dcmjs-dimse, where NODE_PATH says
make_dicom_services() {
	dicom_serve services srv node dicom_services.js serve 10.9.1.12
	on dev timeout 60 node dicom_services.js ask 10.9.0.5 >"$work/ask.log" 2>&1 || cat "$work/ask.log"
}

# What no client should say, and what storescp answers.
make_dicom_hostile() {
	dicom_objects
	mkdir -p "$work/in"
	dicom_serve storescp srv storescp -d +xa -od "$work/in" -aet ARCHIVE 104
	on dev ./dicom_hostile.py 10.9.0.5 104 "$work/1.dcm"
}

# The peers of other houses: GDCM, CTN and PixelMed ask DCMTK's archive and CTN's, and odil itself.
# Of Debian: python3-odil libgdcm-tools ctn libpixelmed-java
make_dicom_toolkits() {
	local pixelmed="java -cp /usr/share/java/pixelmed.jar:/usr/share/java/pixelmed_codec.jar com.pixelmed.network"
	local study="0020,000d=1.2.826.0.1.3680043.10.1337.2"
	dicom_objects
	mkdir -p "$work/got" "$work/ctn"
	dicom_archive
	dicom_ask gdcmecho gdcmscu --echo --aetitle CT1 --call ARCHIVE 10.9.0.5 104
	dicom_ask gdcmstore gdcmscu --store --aetitle CT1 --call ARCHIVE 10.9.0.5 104 "$work/1.dcm" "$work/2.dcm"
	dicom_ask gdcmfind gdcmscu --find --studyroot --image --aetitle CT1 --call ARCHIVE --key 8,18= \
		--key 20,d=1.2.826.0.1.3680043.10.1337.2 --key 20,e=1.2.826.0.1.3680043.10.1337.3 10.9.0.5 104
	dicom_ask gdcmmove gdcmscu --move --studyroot --study --aetitle CT1 --call ARCHIVE --port-scp 11112 -o "$work/got" \
		--key 20,d=1.2.826.0.1.3680043.10.1337.2 10.9.0.5 104
	try on dev timeout 20 findscu --cancel 1 -aet CT1 -aec ARCHIVE -S -k "0008,0052=IMAGE" -k "$study" \
		-k "0020,000e=1.2.826.0.1.3680043.10.1337.3" -k 0008,0018 10.9.0.5 104
	dicom_ask pmecho $pixelmed.VerificationSOPClassSCU 10.9.0.5 104 ARCHIVE CT1 1
	dicom_serve simple_storage srv simple_storage -i -s -c CTN -x "$work/ctn" 105
	dicom_ask dicom_echo dicom_echo -a CT1 -c CTN -r 2 10.9.0.5 105
	dicom_ask send_image send_image -a CT1 -c CTN 10.9.0.5 105 "$work/1.dcm"
	ip netns pids "$p-srv" | xargs -r kill
	dicom_serve odil srv ./dicom_odil.py serve
	dicom_ask odil ./dicom_odil.py ask 10.9.0.5 "$work/1.dcm"
}

make_dicom_odd() {
	dicom_objects
	mkdir -p "$work/in"
	dicom_serve storescp srv storescp -d +xa -od "$work/in" -aet ARCHIVE 104
	on dev ./dicom_odd.py 10.9.0.5 104 "$work/1.dcm"
	dicom_said storescp
}
