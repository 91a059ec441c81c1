#!/usr/bin/python3
"""The patients whose HL7 messages (*.hl7) and DICOM files lie below these folders: their names as
written, their family names and their numbers, a word a line, for readable.py.
usage: named.py FOLDER..."""
import pathlib, re, sys
import pydicom

# A family name in made-up messages, and a word of our own sentences.
OURS = {"patient"}
words = set()


def take(name, number):
    family = re.split(r"[\^=&]", name)[0]
    words.update(w for w in (name, name.replace("^", " "), family, number) if len(w.strip()) >= 6 and w.lower() not in OURS)


for folder in sys.argv[1:]:
    for path in pathlib.Path(folder).rglob("*"):
        if not path.is_file():
            continue
        if path.suffix == ".hl7":
            for line in re.split("[\r\n]", path.read_bytes().decode("latin-1")):
                pid = line.split("|")
                if pid[0] == "PID" and len(pid) > 5:
                    take(pid[5].rstrip("^"), pid[3].split("^")[0])
        else:
            try:
                d = pydicom.dcmread(path, specific_tags=["PatientName", "PatientID"])
            except (pydicom.errors.InvalidDicomError, OSError):
                continue
            take(str(d.get("PatientName", "")).rstrip("^"), str(d.get("PatientID", "")))
print("\n".join(sorted(words)))
