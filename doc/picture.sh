#!/usr/bin/env bash
# Turns a terminal's text (stdin) into an SVG (stdout), for README:
#   build/bedwarden demo --seconds 1 | sed "/back end was/,\$d" | fold -s -w 122 | doc/picture.sh > doc/demo.svg
awk '
function esc(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); return s }
function keep(s) { gsub(/  /, "\\&#160;\\&#160;", s); return s } # columns: browsers would fold their spaces
function paint(s, word, colour) { gsub(word, "<tspan fill=\"" colour "\">" word "</tspan>", s); return s }
{ line[NR] = $0; if (length($0) > width) width = length($0) }
END {
	w = width * 7.3 + 32; h = NR * 18 + 28
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" role=\"img\" aria-label=\"The demonstration: every attack succeeds on the open network and is blocked or detected by Bedwarden\">\n", w, h, w
	printf "<rect width=\"100%%\" height=\"100%%\" rx=\"8\" fill=\"#10151c\"/>\n<g font-family=\"ui-monospace,Menlo,Consolas,monospace\" font-size=\"12\" fill=\"#d5dbe3\">\n"
	for (i = 1; i <= NR; i++) {
		s = esc(line[i])
		s = paint(s, "got through", "#ff7b72"); s = paint(s, "blocked", "#56d364"); s = paint(s, "detected", "#56d364"); s = paint(s, "intact", "#79c0ff")
		s = paint(s, "updated:", "#56d364"); s = paint(s, "waits:", "#56d364"); s = paint(s, "rolled back:", "#56d364"); s = paint(s, "replaced:", "#56d364"); s = paint(s, "in force:", "#56d364"); s = paint(s, "traced:", "#56d364")
		s = paint(s, "HL7, DICOM, ECG, MQTT, names", "#ff7b72"); s = paint(s, "DTLS and TLS only", "#56d364")
		printf "<text x=\"16\" y=\"%d\">%s</text>\n", i * 18 + 8, keep(s)
	}
	print "</g></svg>"
}'
